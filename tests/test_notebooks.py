"""Notebooks as they are committed: executed in order and ready for Colab, whoever saved them last."""

import ast
import json
import re
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest

from helpers.recipes import RECIPES
from tools.execute import lean

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
PATHS = sorted(FOLDER.glob("*.ipynb"))


@pytest.fixture(params=PATHS, ids=lambda path: path.name)
def notebook(request):
    return lean(nbformat.read(request.param, as_version=4))


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook):
    return [output for cell in code_cells(notebook) for output in cell.outputs]


def test_there_are_notebooks():
    assert PATHS


def test_is_valid_and_executed_in_order(notebook):
    nbformat.validate(notebook)
    assert [cell.execution_count for cell in code_cells(notebook)] == list(range(1, len(code_cells(notebook)) + 1))


def test_has_no_errors_and_nothing_on_stderr(notebook):
    """Warnings and progress bars go to stderr."""
    for output in outputs(notebook):
        assert output.output_type != "error" and output.get("name") != "stderr", output


def test_has_no_widgets_and_no_machine_paths(notebook):
    assert "widgets" not in notebook.metadata
    text = json.dumps(notebook)
    assert not re.search(r"[\"' (=](/(home|root|tmp|usr|var|mnt|work|Users|opt)/|[A-Z]:\\\\)", text)


def test_is_ready_for_colab(notebook):
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.metadata.colab.toc_visible is True


def test_a_gpu_is_requested_where_one_helps():
    """Colab lends few of them, and Part 1 needs none."""
    for path in PATHS:
        asked = nbformat.read(path, as_version=4).metadata
        wanted = ("GPU", "T4") if path.name[0] != "1" else (None, None)
        assert (asked.get("accelerator"), asked.colab.get("gpuType")) == wanted, path.name


def test_has_one_title_and_prose_before_code(notebook):
    headings = [line for cell in notebook.cells if cell.cell_type == "markdown" for line in cell.source.splitlines()]
    assert sum(line.startswith("# ") for line in headings) == 1
    assert notebook.cells[0].cell_type == "markdown"


def test_figures_leave_no_bare_expression(notebook):
    for output in outputs(notebook):
        assert not re.match(r"<(Figure|Axes|matplotlib|Line2D)", output.get("data", {}).get("text/plain", "")) or (
            "image/png" in output.data
        )


def test_is_small(notebook):
    assert len(json.dumps(notebook)) < 1_500_000


def minutes(notebook) -> dict[str, int]:
    """Returns how long each section takes: a minute for 100 words or a code cell, four for an exercise."""
    spent, section = {}, None
    for cell in notebook.cells:
        if title := re.match("## (.*)", cell.source):
            section = title[1]
        if section and not cell.source.startswith("<details>"):
            is_exercise = cell.source.partition("\n")[0].endswith(" = ...")
            cost = len(cell.source.split()) / 100 if cell.cell_type == "markdown" else 4 if is_exercise else 1
            spent[section] = spent.get(section, 0) + cost
    return {section: max(1, round(cost)) for section, cost in spent.items()}


def test_the_path_for_one_session_takes_ninety_minutes():
    notebook = nbformat.read(FOLDER / "2_mnist.ipynb", as_version=4)
    rows = re.findall(r"^\| \[(.*?)\]\(.*?\) \| (\d+) \| (yes)? ?\|$", notebook.cells[0].source, re.MULTILINE)
    assert {section: int(cost) for section, cost, _ in rows} == minutes(notebook)
    assert 75 <= sum(int(cost) for _, cost, is_on_the_path in rows if is_on_the_path) <= 90


def test_hyperparameters_in_the_notebook_are_the_recipe():
    """The README's figures come from the recipe, so the cell that a reader sees must say the same."""
    notebook = nbformat.read(FOLDER / "2_mnist.ipynb", as_version=4)
    (cell,) = [cell for cell in code_cells(notebook) if "hyperparameters" in cell.metadata.get("tags", [])]
    call = next(node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Call))
    recipe = eval(ast.unparse(call), {"replace": replace, "RECIPES": RECIPES})
    assert recipe == RECIPES["lesson"]
    changed = {field.name for field in fields(recipe) if getattr(recipe, field.name) != field.default}
    assert changed - {"network"} <= {keyword.arg for keyword in call.keywords}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
def test_cells_are_short_and_have_prose_before_them(path):
    cells = nbformat.read(path, as_version=4).cells
    for before, cell in pairwise(cells):
        if cell.cell_type == "code":
            assert before.cell_type == "markdown", cell.source
            assert len(cell.source.splitlines()) <= (8 if "REPOSITORY" in cell.source else 20), cell.source


def test_the_noise_that_records_quote_is_the_one_that_design_choices_measures():
    measuring, quoting = (
        nbformat.read(FOLDER / name, as_version=4) for name in ("3_design_choices.ipynb", "4_records.ipynb")
    )
    (spread,) = re.findall(r"a single run varies by ([\d.]+)%", str([outputs(measuring)]))
    assert any(f"three times {spread} %, times √(1/4 + 1/4)" in cell.source for cell in quoting.cells)
