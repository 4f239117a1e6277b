"""The workbook's formulas, evaluated by a spreadsheet engine that is not our code, against autograd."""

import warnings

import openpyxl
import pytest
import torch

from helpers.backprop import INPUTS, LEARNING_RATES, TARGETS, WEIGHTS
from tools.workbook import CELLS, COLUMNS, PATH, TABLE_ROW, write_workbook

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import formulas

ITERATIONS = 3
W = [f"w{k}" for k in range(1, 9)]


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """A short workbook without cached values, so that nothing but its formulas can answer."""
    path = tmp_path_factory.mktemp("book") / "book.xlsx"
    write_workbook(path, ITERATIONS)
    openpyxl.load_workbook(path).save(path)
    assert openpyxl.load_workbook(path, data_only=True).worksheets[0].cell(TABLE_ROW + 2, 2).value is None
    return formulas.ExcelModel().loads(str(path)).finish()


def key(sheet: str, row: int, column: int) -> str:
    """The engine's name of a cell, row and column counted from 0."""
    return f"'[book.xlsx]{sheet.upper()}'!{openpyxl.utils.get_column_letter(column + 1)}{row + 1}"


def table(solution, sheet: str, first: int) -> list[dict[str, float]]:
    def value(n, column):
        return float(solution[key(sheet, TABLE_ROW + 1 + n, first + column)].value[0, 0])

    return [{name: value(n, k) for k, name in enumerate(COLUMNS)} for n in range(ITERATIONS + 1)]


def autograd_training(lr: float, weights=WEIGHTS) -> list[dict[str, float]]:
    """The same training by torch, with what the sheet shows of it."""
    w = torch.tensor(weights, dtype=torch.float64, requires_grad=True)
    i, t = torch.tensor(INPUTS, dtype=torch.float64), torch.tensor(TARGETS, dtype=torch.float64)
    rows = []
    for _ in range(ITERATIONS + 1):
        h = w[:4].view(2, 2) @ i
        o = w[4:].view(2, 2) @ torch.sigmoid(h)
        error = ((t - torch.sigmoid(o)) ** 2 / 2).sum()
        by_h, by_o, by_w = torch.autograd.grad(error, [h, o, w])
        row = dict(zip(W, w.tolist())) | {"E_total": error.item()}
        row |= {f"dE/dw{k}": slope for k, slope in enumerate(by_w.tolist(), start=1)}
        row |= dict(zip(["dE/dh1", "dE/dh2", "dE/do1", "dE/do2"], [*by_h.tolist(), *by_o.tolist()]))
        rows.append(row)
        w = (w - lr * by_w).detach().requires_grad_()
    return rows


def assert_equal(measured, expected):
    for row, known in zip(measured, expected, strict=True):
        assert {name: row[name] for name in known} == pytest.approx(known, abs=1e-9)


def test_both_sheets_equal_autograd(engine):
    solution = engine.calculate()
    assert_equal(table(solution, "Backpropagation", 1), autograd_training(0.5))
    for k, lr in enumerate(LEARNING_RATES):
        expected = autograd_training(lr)
        assert_equal(table(solution, "Learning rates", 9 + k * (len(COLUMNS) + 1)), expected)
        shown = [solution[key("Learning rates", TABLE_ROW + 1 + n, 1 + k)].value[0, 0] for n in range(ITERATIONS + 1)]
        assert shown == pytest.approx([row["E_total"] for row in expected], abs=1e-9)


def test_changed_cells_flow_through(engine):
    weights = (0.3, 0.5, -0.2, 0.7, 0.1, -0.6, 0.3, -0.9)
    changes = {key("Backpropagation", *CELLS["lr"]): 1.7}
    solution = engine.calculate(inputs=changes)
    assert_equal(table(solution, "Backpropagation", 1), autograd_training(1.7))
    changes |= {key("Backpropagation", *CELLS[name]): value for name, value in zip(W, weights)}
    changes |= {key("Learning rates", TABLE_ROW - 1, 1): 3.0}
    solution = engine.calculate(inputs=changes)
    assert_equal(table(solution, "Backpropagation", 1), autograd_training(1.7, weights))
    assert_equal(table(solution, "Learning rates", 9), autograd_training(3.0, weights))


def test_committed_workbook_is_what_the_code_writes(tmp_path):
    write_workbook(tmp_path / "new.xlsx")
    for data_only in (False, True):
        new, old = (openpyxl.load_workbook(path, data_only=data_only) for path in (tmp_path / "new.xlsx", PATH))
        assert new.sheetnames == old.sheetnames
        for name in new.sheetnames:
            for new_row, old_row in zip(new[name].values, old[name].values, strict=True):
                for a, b in zip(new_row, old_row, strict=True):
                    assert a == b or abs(a - b) < 1e-12
        assert all(len(sheet._charts) == 1 for sheet in new.worksheets)


def test_at_least_a_hundred_iterations_are_formulas():
    sheet = openpyxl.load_workbook(PATH)["Backpropagation"]
    rows = list(sheet.iter_rows(min_row=TABLE_ROW + 2, min_col=2, values_only=True))
    assert len(rows) >= 101
    assert all(str(cell).startswith("=") for row in rows for cell in row)
