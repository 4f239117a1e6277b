"""Executes notebooks from a fresh kernel, their output live in the terminal.

`python -m tools.execute NOTEBOOK...` rewrites the notebooks as they are committed: executed 1..n
and lean. With `--output FOLDER` the originals stay, and the folder receives the executed notebook
and an HTML export of it, as far as it came if it was interrupted or failed. The export needs no network.
"""

import argparse
import asyncio
import atexit
import os
import re
import shutil
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import nbformat
from ipykernel.kernelspec import RESOURCES, get_kernel_dict
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.utils import ensure_async
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode

from helpers.files import write_whole
from tools.export import PageExporter

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
BAR = re.compile(r".*?\d+%\|.*?\|.*?\[.*?\]")  # as tqdm draws it
KEPT = {"tags", "cellView", "jupyter"}  # of a cell's metadata; editors add their own


class ThisEnvironment(KernelSpecManager):
    """Knows one kernel by any name: this interpreter. A user's own "python3" may be another environment's."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(resource_dir=RESOURCES, **get_kernel_dict())


class LiveClient(NotebookClient):
    """Runs cells and repeats what they print, as they print it. Ctrl-C interrupts the cell, as Jupyter's button."""

    def create_kernel_manager(self):
        manager = super().create_kernel_manager()
        manager.kernel_spec_manager = ThisEnvironment()
        return manager

    async def async_start_new_kernel_client(self):
        client = await super().async_start_new_kernel_client()
        with suppress(RuntimeError):  # Windows cannot do this; the base class then ends the kernel
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, self.interrupt)
        return client

    def interrupt(self) -> None:
        self.interrupting = asyncio.ensure_future(ensure_async(self.km.interrupt_kernel()))

    def output(self, outs, msg, display_id, cell_index):
        if msg["msg_type"] == "stream":
            stream = sys.stderr if msg["content"]["name"] == "stderr" else sys.stdout
            print(msg["content"]["text"], end="", file=stream, flush=True)
        return super().output(outs, msg, display_id, cell_index)


def execute(notebook: NotebookNode, folder: Path) -> None:
    """Runs the notebook in a folder, with the interpreter that runs this. What ran before an error stays.

    Raises:
        CellExecutionError: a cell raised; KeyboardInterrupt is its `ename` if someone pressed Ctrl-C.
    """
    resources = {"metadata": {"path": str(folder)}}
    quiet = ["--log-level=ERROR"]  # what a kernel warns of concerns those who share a machine's ports
    LiveClient(notebook, timeout=None, resources=resources, record_timing=False, extra_arguments=quiet).execute()


def lean(notebook: NotebookNode) -> NotebookNode:
    """Removes what differs from machine to machine and teaches nothing, and returns the notebook.

    That is: progress bars of any form, the names and versions of kernels, what editors note for themselves.
    """
    for cell in notebook.cells:
        cell.metadata = NotebookNode({key: cell.metadata[key] for key in cell.metadata if key in KEPT})
        if cell.cell_type == "code":
            cell.outputs = [output for output in map(_without_bars, _joined(cell.outputs)) if output is not None]
    notebook.metadata.pop("widgets", None)
    notebook.metadata.kernelspec = NotebookNode(KERNEL)
    notebook.metadata.get("language_info", {}).pop("version", None)
    return notebook


def _joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Joins neighboring pieces of one stream: a bar may be cut anywhere."""
    joined = []
    for output in outputs:
        if joined and output.output_type == joined[-1].output_type == "stream" and output.name == joined[-1].name:
            output = NotebookNode(output, text=joined.pop().text + output.text)
        joined.append(output)
    return joined


def _without_bars(output: NotebookNode) -> NotebookNode | None:
    """Returns the output as it is seen after the last carriage return of each line, or None if nothing is left."""
    if "application/vnd.jupyter.widget-view+json" in output.get("data", {}):
        return None
    if output.output_type != "stream":
        return output
    lines = []
    for line in output.text.splitlines(keepends=True):
        seen, end = "", "\n" if line.endswith("\n") else ""
        for piece in line.removesuffix("\n").split("\r"):
            seen = piece + seen[len(piece) :]
        kept = BAR.sub("", seen)
        if "\r" in line or kept != seen:
            kept = kept.rstrip()
        if kept or line == "\n":
            lines.append(kept + end)
    text = "".join(lines)
    is_trace = not text.strip() and (output.name == "stderr" or not text)  # of a bar that is gone
    return None if is_trace else NotebookNode(output, text=text)


def give_home() -> None:
    """Gives this process and its kernels a folder for caches if they may not write to the user's home."""
    if not os.access(Path.home(), os.W_OK):
        os.environ["HOME"] = tempfile.mkdtemp()
        atexit.register(shutil.rmtree, os.environ["HOME"], ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.execute", description=__doc__)
    parser.add_argument("notebooks", nargs="+", type=Path, metavar="NOTEBOOK")
    parser.add_argument("--output", type=Path, metavar="FOLDER")
    args = parser.parse_args()
    give_home()
    for stream in (sys.stdout, sys.stderr):  # a terminal of an old code page shows ? for what it does not know
        stream.reconfigure(errors="replace")
    for path in args.notebooks:
        executed = (args.output or path.parent) / path.name
        print(f"Running {path}, it will stand executed in {executed}", flush=True)
        notebook, error = nbformat.read(path, as_version=4), None
        try:
            execute(notebook, path.parent)
        except (CellExecutionError, DeadKernelError) as raised:
            error = raised
        if error is None or args.output is not None:
            write_whole(executed, nbformat.writes(lean(notebook)).encode())
        if args.output is not None:
            page = PageExporter().from_notebook_node(notebook)[0]
            write_whole(executed.with_suffix(".html"), page.encode())
        if error is not None:
            interrupted = getattr(error, "ename", "") == "KeyboardInterrupt"
            print(f"\n{path} was interrupted." if interrupted else f"\n{path} stopped:\n{error}", file=sys.stderr)
            if args.output is not None:
                print(f"What ran until then is in {executed}.", file=sys.stderr)
            return 130 if interrupted else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
