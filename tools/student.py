"""Writes the notebooks as students get them, without solutions and outputs: `python -m tools.student FOLDER`.

Each exercise becomes two cells as nbgrader (https://nbgrader.readthedocs.io) knows them: one for the answer, and a
locked one that gives its points.
"""

import argparse
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode, v4

from helpers.files import write_whole
from tools.images import ROOT

EXERCISE = re.compile(r'(\w+) = \.\.\.\n\n(.*)\ncheck\("(\d\.\d)", (.*)\)', re.DOTALL)
IMPORT = "from helpers.exercises import check"
SOLUTION = "<details><summary>Solution"
ABOUT_SOLUTIONS = re.compile(r" \(?Click on the line below (the|an) exercise to open its solution\.\)?")


def student_version(notebook: NotebookNode) -> NotebookNode:
    """Returns a copy of a notebook for students; exercises that are not of the usual form stay as they are."""
    copy = v4.new_notebook(metadata=notebook.metadata)
    for cell in notebook.cells:
        if cell.source.startswith(SOLUTION):
            continue
        source = ABOUT_SOLUTIONS.sub("", cell.source).replace(IMPORT, IMPORT.replace("check", "points"))
        if match := EXERCISE.fullmatch(source):
            copy.cells += _graded(*match.groups())
        elif cell.cell_type == "markdown":
            copy.cells.append(v4.new_markdown_cell(source, metadata=cell.metadata))
        else:
            copy.cells.append(v4.new_code_cell(source, metadata=cell.metadata))
    return copy


def _graded(name: str, measuring: str, exercise: str, arguments: str) -> list[NotebookNode]:
    """Returns the cell for an answer and the locked one that prints PASS or a hint, and whose value is its points."""
    common = {"schema_version": 3, "task": False}
    answer = {"grade": False, "solution": True, "locked": False, "grade_id": f"answer-{exercise}"}
    check = {"grade": True, "solution": False, "locked": True, "grade_id": f"check-{exercise}", "points": 1}
    sources = {f"{name} = ...": answer, f'{measuring}\npoints("{exercise}", {arguments})': check}
    return [v4.new_code_cell(source, metadata={"nbgrader": kind | common}) for source, kind in sources.items()]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.student", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        copy = student_version(nbformat.read(path, as_version=4))
        write_whole(folder / path.name, nbformat.writes(copy).encode())
        print(f"Wrote {folder / path.name}")


if __name__ == "__main__":
    main()
