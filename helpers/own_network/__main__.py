"""Grades a network in a student's file: `python -m helpers.own_network "net.py:Net()"`.

Of the file, imports, definitions, and the assignments that the network needs are run (decorators, defaults, class
bodies and imported neighbors included), then the expression, and the network on random images. This happens in a
process of its own, in an empty folder, with limits of time and memory. That is no sandbox against malice: for that,
use a container.

Ends with 0 if all lines pass, 1 if nothing was graded, 3 if a line fails.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from helpers.own_network.line import Line  # without torch, which the process of its own loads
from helpers.own_network.submission import ARGUMENT

ROOT = Path(__file__).resolve().parents[2]


def graded_apart(file: str, expression: str, size: int, seconds: float) -> dict[str, object]:
    """Returns `grade`'s report from a process of its own; what the file prints is dropped."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "report.json")
        arguments = [str(Path(file).absolute()), expression, str(size), str(path)]
        code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from helpers.own_network.grade import write; write()"
        command = [sys.executable, "-c", code, *arguments]
        quiet = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        process = subprocess.Popen(command, cwd=folder, start_new_session=True, **quiet)
        error = f"it took longer than {seconds:g} s and was stopped"
        with suppress(subprocess.TimeoutExpired):
            status = process.wait(seconds)
            error = f"the process ended (exit status {status}) before the network was graded"
        with suppress(OSError, AttributeError):  # Windows has no groups of processes
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.wait()
        with suppress(OSError, ValueError):
            return json.loads(path.read_text(encoding="utf-8")) | {"file": file}
        return {"file": file, "network": expression, "error": f"{Path(file).name}:{expression}: {error}"}


def main() -> int:
    """Prints what a network of a submission does, what its layers see, and its scorecard."""
    parser = argparse.ArgumentParser(
        prog="python -m helpers.own_network", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("network", metavar="FILE:EXPRESSION", help="such as net.py:Net() or work.ipynb:Net()")
    parser.add_argument("--size", type=int, default=28, help="side of the images in pixels; default 28")
    parser.add_argument("--seconds", type=float, default=60, help="limit of time; default 60")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    args = parser.parse_args()
    if not (match := ARGUMENT.fullmatch(args.network)):
        parser.error("the network is given as FILE:EXPRESSION, such as net.py:Net()")
    report = graded_apart(*match.groups(), args.size, args.seconds)
    lines = [Line(**line) for line in report.get("lines", [])]
    if args.json:
        print(json.dumps(report, indent=1))
    else:
        for statement in report.get("left_out", []):
            print(f"left out, {statement}", file=sys.stderr)
        if "error" in report:
            print(report["error"], file=sys.stderr)
        else:
            print(*report["calls"], "", report["receptive_field"], "", *lines, "", report["parameters"], sep="\n")
            print("\nThe network was not trained, so its accuracy is unknown.")
    return 1 if "error" in report else 3 if any(line.passed is False for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
