"""Exercises: what their check says, and that each of them takes the right answer and no other."""

import ast
import re
from pathlib import Path

import nbformat
import pytest
import torch

from helpers.data import Split
from helpers.exercises import HINTS, check
from measure.machine import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NUMBERS = {path: [exercise[2] for exercise in HINTS if exercise[0] == path.name[0]] for path in NOTEBOOKS}
FOLDED = r"<details><summary>Solution of exercise (\d)</summary>\n\n```python\n(.*)\n```\n\n</details>"
SOLUTION = re.compile(FOLDED, re.DOTALL)

RIGHT = [(26, 26, 0), (2.3, 2.3026, 0.01), (torch.tensor(3.0), 3, 0)]
WRONG = [(25, 26, 0), (2.2, 2.3026, 0.01), ("many", 26, 0), (float("nan"), 1, 1), (torch.ones(3), 1, 0), ([], 3, 0)]


@pytest.mark.parametrize(("answer", "expected", "tolerance"), RIGHT)
def test_a_right_answer_passes(answer, expected, tolerance, capsys):
    check("2.1", answer, expected, tolerance)
    assert capsys.readouterr().out == "PASS\n"


@pytest.mark.parametrize(("answer", "expected", "tolerance"), WRONG)
def test_a_wrong_answer_gets_the_hint_and_never_raises(answer, expected, tolerance, capsys):
    check("2.1", answer, expected, tolerance)
    assert capsys.readouterr().out == f"Not yet: {HINTS['2.1']}\n"


@pytest.mark.parametrize("answer", [..., None])
def test_an_empty_answer_gets_its_sentence(answer, capsys):
    check("2.1", answer, 26)
    assert capsys.readouterr().out == "Nothing here yet: put your answer in place of the dots.\n"


def cells_of(path: Path) -> list[tuple[str, str]]:
    """Returns kind and source of each cell; a kernel without magics could run the code."""
    cells = nbformat.read(path, as_version=4).cells
    return [(cell.cell_type, re.sub(r"^%.*$", "", cell.source, flags=re.MULTILINE)) for cell in cells]


def exercises_of(path: Path) -> list[int]:
    """Returns the places of the exercises among a notebook's cells."""
    return [i for i, (kind, source) in enumerate(cells_of(path)) if kind == "code" and "\ncheck(" in source]


def names_in(source: str, context: type) -> set[str]:
    """Returns the names that a source reads (ast.Load) or makes (ast.Store)."""
    tree = ast.parse(source)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, context)}
    if context is ast.Store:
        names |= {statement.name for statement in tree.body if hasattr(statement, "name")}
        names |= {alias.asname or alias.name for statement in tree.body for alias in getattr(statement, "names", [])}
    return names


def needed_by(path: Path, place: int) -> list[str]:
    """Returns the code before an exercise that makes what it and its solution read, but no other training."""
    cells = cells_of(path)
    chosen, wanted = [], names_in(cells[place][1] + "\n" + SOLUTION.fullmatch(cells[place + 1][1])[2], ast.Load)
    for kind, source in reversed(cells[:place]):
        if kind != "code" or " = ..." in source or "fit(" in source or "train_epoch(" in source:
            continue
        made = names_in(source, ast.Store)
        if made & wanted or "sys.path" in source:
            wanted = wanted - made | names_in(source, ast.Load)
            chosen.insert(0, source)
    return chosen


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_each_exercise_is_empty_and_its_solution_is_folded_below(path):
    cells, places = nbformat.read(path, as_version=4).cells, exercises_of(path)
    for number, i in zip(NUMBERS[path], places, strict=True):
        exercise, name = cells[i], f"{path.name[0]}.{number}"
        assert f'\ncheck("{name}", ' in exercise.source and HINTS[name] not in exercise.source
        assert "".join(output.text for output in exercise.outputs).startswith("Nothing here yet: ")
        assert SOLUTION.fullmatch(cells[i + 1].source)[1] == number
    assert [len(numbers) for numbers in NUMBERS.values()] == [5, 5, 4, 1]


@pytest.mark.parametrize("name", HINTS)
def test_each_exercise_takes_the_right_answer_alone(name, monkeypatch, capsys):
    """Run in an own namespace after the cells that it needs: unanswered, with a wrong answer, with its solution."""
    (path,) = (path for path in NOTEBOOKS if path.name[0] == name[0])
    monkeypatch.chdir(path.parent)
    place, names = exercises_of(path)[int(name[2]) - 1], {}
    for source in needed_by(path, place):
        exec(source, names)
    names |= {name: Split(*(x[:1000] for x in value)) for name, value in names.items() if isinstance(value, Split)}
    (_, exercise), (_, folded) = cells_of(path)[place : place + 2]
    solution = SOLUTION.fullmatch(folded)[2]
    answer, rest = exercise.partition(" = ...\n")[::2]
    said = []
    for line in ("", f"{answer} = -12345\n", f"{solution}\n"):
        capsys.readouterr()
        exec(f"{answer} = ...\n{line}{rest}", names)
        said.append(capsys.readouterr().out.strip())
    assert said == ["Nothing here yet: put your answer in place of the dots.", f"Not yet: {HINTS[name]}", "PASS"]
