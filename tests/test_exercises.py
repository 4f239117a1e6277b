"""Exercises: what their check says, and that solutions pass and empty answers get their sentence."""

from pathlib import Path

import nbformat
import pytest
import torch

from helpers.exercises import check

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
SOLUTION, FOLDED = "# @title Solution", {"cellView": "form", "jupyter": {"source_hidden": True}}
NOTEBOOKS = [path for path in sorted(FOLDER.glob("*.ipynb")) if SOLUTION in path.read_text(encoding="utf-8")]

RIGHT = [(26, 26, 0), (2.3, 2.3026, 0.01), (torch.tensor(3.0), 3, 0), ("a", "a", 0), ((1, 2), (1, 2), 0)]
WRONG = [(25, 26, 0), (2.2, 2.3026, 0.01), ("many", 26, 0), (float("nan"), 1, 1), (torch.ones(3), 1, 0), ([], "a", 0)]


@pytest.mark.parametrize(("answer", "expected", "tolerance"), RIGHT)
def test_a_right_answer_passes(answer, expected, tolerance, capsys):
    check(answer, expected, "count again.", tolerance)
    assert capsys.readouterr().out == "PASS\n"


@pytest.mark.parametrize(("answer", "expected", "tolerance"), WRONG)
def test_a_wrong_answer_gets_the_hint_and_never_raises(answer, expected, tolerance, capsys):
    check(answer, expected, "count again.", tolerance)
    text = capsys.readouterr().out
    assert "count again." in text and "PASS" not in text and text.count("\n") == 1


@pytest.mark.parametrize("answer", [..., None])
def test_an_empty_answer_gets_its_sentence(answer, capsys):
    check(answer, 26, "count again.")
    assert capsys.readouterr().out.startswith("Nothing here yet: ")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_solutions_are_folded_and_pass_and_answers_are_empty(path):
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    solutions = [i for i, cell in enumerate(cells) if cell.source.startswith(SOLUTION)]
    assert 3 <= len(solutions) <= 5
    for i in solutions:
        exercise, solution = cells[i - 1], cells[i]
        assert " = ...\n" in exercise.source and "check(" in exercise.source
        assert "".join(output.text for output in exercise.outputs).startswith("Nothing here yet: ")
        assert "".join(output.text for output in solution.outputs) == "PASS\n"
        assert FOLDED.items() <= solution.metadata.items()
