"""Executes notebooks from a fresh kernel, their output live in the terminal.

`python -m tools.notebook NOTEBOOK...` rewrites the notebooks as they are committed: executed 1..n
and lean. With `--output FOLDER` the originals stay, and the folder receives the executed notebook
and an HTML export of it.
"""

import argparse
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert import HTMLExporter
from nbformat import NotebookNode


class LiveClient(NotebookClient):
    """Runs cells and repeats what they print, as they print it."""

    def output(self, outs, msg, display_id, cell_index):
        if msg["msg_type"] == "stream":
            stream = sys.stderr if msg["content"]["name"] == "stderr" else sys.stdout
            print(msg["content"]["text"], end="", file=stream, flush=True)
        return super().output(outs, msg, display_id, cell_index)


def execute(path: Path) -> NotebookNode:
    """Runs the notebook in its own folder, with the interpreter that runs this.

    Raises:
        CellExecutionError: a cell raised.
    """
    notebook = nbformat.read(path, as_version=4)
    LiveClient(
        notebook,
        timeout=None,
        # ipykernel registers no kernel of this environment by itself; "python3" always is this one.
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
    ).execute()
    return lean(notebook)


def lean(notebook: NotebookNode) -> NotebookNode:
    """Removes what differs from machine to machine and teaches nothing: progress bars, versions."""
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        # tqdm redraws its line after a carriage return; anything else on stderr stays to be seen.
        cell.outputs = [
            output
            for output in cell.outputs
            if not (output.output_type == "stream" and output.name == "stderr" and output.text.startswith("\r"))
        ]
    notebook.metadata.pop("widgets", None)
    notebook.metadata.get("language_info", {}).pop("version", None)
    return notebook


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.notebook", description=__doc__)
    parser.add_argument("notebooks", nargs="+", type=Path, metavar="NOTEBOOK")
    parser.add_argument("--output", type=Path, metavar="FOLDER")
    args = parser.parse_args()
    for path in args.notebooks:
        if args.output is None:
            executed = path
            print(f"Running {path}", flush=True)
        else:
            executed = args.output / path.name
            page = executed.with_suffix(".html")
            print(f"Running {path}; it will stand executed in {executed} and {page}", flush=True)
        try:
            notebook = execute(path)
        except CellExecutionError as error:
            print(f"{path} stopped:\n{error}", file=sys.stderr)
            return 1
        executed.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, executed)
        if args.output is not None:
            page.write_text(HTMLExporter().from_notebook_node(notebook)[0], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
