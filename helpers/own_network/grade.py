"""The report on a network, and the process that writes it."""

import json
import os
import sys
from contextlib import suppress
from pathlib import Path

from helpers.own_network.receptive_field import receptive_field, table
from helpers.own_network.scorecard import count_used, grade_techniques
from helpers.own_network.submission import load
from helpers.own_network.trace import trace

GIGABYTES = 8  # of memory
LONGEST = 500  # characters of a message


def grade(file: str, expression: str, size: int) -> dict[str, object]:
    """Returns the report as plain data: what is left out, what the network does and sees, its lines and parameters."""
    left_out: list[str] = []
    report: dict[str, object] = {"file": file, "network": expression, "left_out": left_out}
    try:
        model = load(file, expression, left_out)
        calls = trace(model, input_size=size).calls
        report["calls"] = [f"{call.kind:20} {call.name:30} -> {tuple(call.tensor.shape)}" for call in calls]
        try:
            report["receptive_field"] = table(receptive_field(model, size))
        except ValueError as error:
            report["receptive_field"] = str(error)
        report["lines"] = [line._asdict() for line in grade_techniques(model, size)]
        report["parameters"] = count_used(model, size)[1]
    except MemoryError:
        report["error"] = f"{Path(file).name}:{expression}: it needs more than {GIGABYTES} GB of memory"
    except Exception as error:  # whatever a student's network does
        report["error"] = "".join(x if x.isprintable() else " " for x in str(error)[:LONGEST])
    return report


def write() -> None:
    """Writes the report of the process of its own."""
    with suppress(ImportError, ValueError, OSError):  # Windows has no such limit
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (GIGABYTES << 30,) * 2)
    file, expression, size, path = sys.argv[1:]
    part = Path(f"{path}.part")
    part.write_text(json.dumps(grade(file, expression, int(size))), encoding="utf-8")
    part.replace(path)
    os._exit(0)  # a thread of the file's might go on
