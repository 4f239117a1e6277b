"""Prints all faults of data, training and machine that the tests try for real: `python -m tests.faults`."""

import contextlib
import io
from pathlib import Path

import pytest


class Faults:
    """Collects the tests marked `fault(what, outcome)`."""

    def __init__(self):
        self.rows: list[tuple[str, str, str]] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            test = f"{Path(item.fspath).stem}.{item.originalname}"
            self.rows += [(*mark.args, test) for mark in item.iter_markers("fault")]


def table() -> list[str]:
    """Returns a line for each fault, and their number."""
    faults = Faults()
    with contextlib.redirect_stdout(io.StringIO()):
        status = pytest.main(["--collect-only", "--quiet", str(Path(__file__).parent)], plugins=[faults])
    assert status == pytest.ExitCode.OK
    rows = list(dict.fromkeys(faults.rows))  # a test with several cases tries one fault
    return [f"{fault:44} {outcome:40} {test}" for fault, outcome, test in rows] + [f"{len(rows)} faults"]


if __name__ == "__main__":
    print(*table(), sep="\n")
