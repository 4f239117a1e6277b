"""Grades a network in a student's file: `python -m helpers.own_network FILE:EXPRESSION`, such as `net.py:Net()`."""

import re
import sys

from helpers.own_network.receptive_field import receptive_field, table
from helpers.own_network.scorecard import count_used, grade_techniques
from helpers.own_network.submission import load
from helpers.own_network.trace import trace

ARGUMENT = re.compile(r"(.+\.(?:py|ipynb)):(.+)")  # FILE:EXPRESSION


def main() -> int:
    """Prints what a network of a submission does, what its layers see, and its scorecard."""
    if len(sys.argv) != 2 or not (match := ARGUMENT.fullmatch(sys.argv[1])):
        print("usage: python -m helpers.own_network FILE:EXPRESSION, such as net.py:Net()", file=sys.stderr)
        return 2
    try:
        model = load(*match.groups())
        for call in trace(model).calls:
            print(f"{call.kind:20} {call.name:30} -> {tuple(call.tensor.shape)}")
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    for part in (lambda: [table(receptive_field(model))], lambda: [*grade_techniques(model), "", count_used(model)[1]]):
        try:
            print("", *part(), sep="\n")
        except ValueError as error:
            print(error)
    print("\nThe network was not trained, so its accuracy is unknown.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
