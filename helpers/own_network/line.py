"""A line of the scorecard, for those who only print it."""

from typing import NamedTuple


class Line(NamedTuple):
    """One line of the scorecard."""

    criterion: str
    passed: bool | None  # None: a piece of advice, which the assignment does not ask for
    reason: str

    def __str__(self) -> str:
        return f"{ {True: 'PASS', False: 'FAIL', None: 'NOTE'}[self.passed] }  {self.criterion:34} {self.reason}"
