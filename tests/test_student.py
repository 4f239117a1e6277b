"""The notebooks as students get them: no solution, no output, and checks that nbgrader can count."""

import nbformat
import pytest

from helpers.exercises import HINTS, points
from measure.machine import ROOT
from tests.test_exercises import NOTEBOOKS, NUMBERS, SOLUTION
from tools.execute import execute
from tools.student import student_version


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_no_solution_and_no_output_is_left(path):
    notebook = nbformat.read(path, as_version=4)
    copy = student_version(notebook)
    nbformat.validate(copy)
    solutions = [match[2] for cell in notebook.cells if (match := SOLUTION.fullmatch(cell.source))]
    sources = "\n".join(cell.source for cell in copy.cells)
    assert len(solutions) == len(NUMBERS[path]) and not any(
        line in sources for code in solutions for line in code.splitlines()
    )
    assert "<details>" not in sources and "open its solution" not in sources
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in copy.cells)
    assert "# @title" not in sources and len(copy.cells) == len(notebook.cells)  # a solution less, a check more


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_each_exercise_has_a_cell_for_its_answer_and_a_locked_one_with_its_point(path):
    graded = [cell for cell in student_version(nbformat.read(path, as_version=4)).cells if "nbgrader" in cell.metadata]
    answers, checks = graded[::2], graded[1::2]
    assert len(answers) == len(checks) == len(NUMBERS[path])
    for number, (answer, check) in enumerate(zip(answers, checks), start=1):
        name = answer.source.removesuffix(" = ...")
        assert name.isidentifier() and f'\npoints("{path.name[0]}.{number}", {name}, ' in check.source
        assert answer.metadata.nbgrader["solution"] and not answer.metadata.nbgrader["grade"]
        assert check.metadata.nbgrader["grade"] and check.metadata.nbgrader["locked"]
    ids = [cell.metadata.nbgrader["grade_id"] for cell in graded]
    assert len(set(ids)) == len(graded) and all(check.metadata.nbgrader["points"] == 1 for check in checks)


def test_points_are_those_of_the_check(capsys):
    assert [points("2.1", answer, 26) for answer in (26, 25, ..., "no")] == [1, 0, 0, 0]
    assert capsys.readouterr().out.count(HINTS["2.1"]) == 2


def test_part_1_runs_with_empty_answers_from_the_folder_that_make_writes(tmp_path):
    copy = student_version(nbformat.read(NOTEBOOKS[0], as_version=4))
    folder = ROOT / "build" / "student"
    folder.mkdir(parents=True, exist_ok=True)
    execute(copy, folder)
    values = [cell.outputs[-1].data["text/plain"] for cell in copy.cells if cell.source.count("\npoints(")]
    assert values == ["0"] * 5
