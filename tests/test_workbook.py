"""The workbook's formulas, evaluated by a spreadsheet engine that is not our code, against autograd."""

import re
import warnings

import openpyxl
import pytest
import torch

from helpers.backprop import INPUTS, LEARNING_RATES, TARGETS, WEIGHTS
from tools.workbook import PATH, write_workbook
from tools.workbook_steps import (
    BAND_ROW,
    CELLS,
    COLUMNS,
    FIRST_BLOCK,
    FIRST_ROW,
    FORMULA_ROW,
    FORMULAS,
    GIVEN,
    LESSON,
    NAME_ROW,
    NAMES,
    RATE_ROW,
    RATES,
    STEPS,
    TABLE,
    TITLES,
    W,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import formulas

ITERATIONS = 2
BLOCKS = [FIRST_BLOCK + k * (len(COLUMNS) + 1) for k in range(len(LEARNING_RATES))]


def model_of(path):
    """A short workbook without cached values, so that nothing but its formulas can answer."""
    write_workbook(path, ITERATIONS)
    openpyxl.load_workbook(path).save(path)
    assert openpyxl.load_workbook(path, data_only=True)[TABLE].cell(FIRST_ROW + 1, 2).value is None
    return formulas.ExcelModel().loads(str(path)).finish()


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    return model_of(tmp_path_factory.mktemp("book") / "book.xlsx")


@pytest.fixture(scope="module")
def committed():
    return openpyxl.load_workbook(PATH)


def key(sheet: str, row: int, column: int) -> str:
    """The engine's name of a cell, row and column counted from 0."""
    return f"'[book.xlsx]{sheet.upper()}'!{openpyxl.utils.get_column_letter(column + 1)}{row + 1}"


def number(solution, sheet: str, row: int, column: int) -> float:
    return float(solution[key(sheet, row, column)].value[0, 0])


def table(solution, sheet: str, first: int) -> list[dict[str, float]]:
    return [
        {name: number(solution, sheet, FIRST_ROW + n, first + k) for k, name in enumerate(COLUMNS)}
        for n in range(ITERATIONS + 1)
    ]


def lesson(solution) -> dict[str, float]:
    return {name: number(solution, LESSON, *cell) for name, cell in CELLS.items() if name not in GIVEN}


def autograd_row(weights) -> dict[str, float]:
    """All that a row shows, by torch: each derivative is one that autograd found, of the quantities in its name."""
    w = torch.tensor(weights, dtype=torch.float64, requires_grad=True)
    i, t = torch.tensor(INPUTS, dtype=torch.float64), torch.tensor(TARGETS, dtype=torch.float64)
    h = w[:4].view(2, 2) @ i
    a_h = torch.sigmoid(h)
    o = w[4:].view(2, 2) @ a_h
    a_o = torch.sigmoid(o)
    errors = (t - a_o) ** 2 / 2
    vectors = {"h": h, "a_h": a_h, "o": o, "a_o": a_o, "w": w}
    row = {f"{name}{k}": x for name, xs in (vectors | {"E": errors}).items() for k, x in enumerate(xs.tolist(), 1)}
    row["E_total"] = errors.sum().item()
    for name in COLUMNS:
        if name.startswith("∂"):
            above, below = (part.removeprefix("∂") for part in name.split("/"))
            whole = errors.sum() if above == "E" else vectors[above[:-1]][int(above[-1]) - 1]
            slopes = torch.autograd.grad(whole, vectors[below[:-1]], retain_graph=True)[0]
            row[name] = slopes[int(below[-1]) - 1].item()
    return row


def autograd_training(lr: float, weights=WEIGHTS) -> list[dict[str, float]]:
    rows = []
    for _ in range(ITERATIONS + 1):
        rows.append(autograd_row(weights))
        weights = [rows[-1][name] - lr * rows[-1][f"∂E/∂{name}"] for name in W]
    return rows


def assert_table(measured, expected):
    for row, known in zip(measured, expected, strict=True):
        assert row == pytest.approx(known, rel=1e-9, abs=1e-12)


def assert_lesson(measured, rows):
    known = {name: x for name, x in rows[0].items() if name not in W} | {f"new {name}": rows[1][name] for name in W}
    assert measured == pytest.approx(known, rel=1e-9, abs=1e-12)


def test_all_sheets_equal_autograd(engine):
    solution = engine.calculate()
    assert_lesson(lesson(solution), autograd_training(0.5))
    assert_table(table(solution, TABLE, 1), autograd_training(0.5))
    for k, lr in enumerate(LEARNING_RATES):
        expected = autograd_training(lr)
        assert_table(table(solution, RATES, BLOCKS[k]), expected)
        shown = [number(solution, RATES, FIRST_ROW + n, 1 + k) for n in range(ITERATIONS + 1)]
        assert shown == pytest.approx([row["E_total"] for row in expected], rel=1e-9)


def test_changed_cells_flow_through(engine):
    weights = (0.3, 0.5, -0.2, 0.7, 0.1, -0.6, 0.3, -0.9)
    changes = {key(LESSON, *CELLS["lr"]): 1.7}
    solution = engine.calculate(inputs=changes)
    assert_lesson(lesson(solution), autograd_training(1.7))
    assert_table(table(solution, TABLE, 1), autograd_training(1.7))
    changes |= {key(LESSON, *CELLS[name]): value for name, value in zip(W, weights)}
    changes |= {key(RATES, RATE_ROW, 1): 3.0}
    solution = engine.calculate(inputs=changes)
    assert_lesson(lesson(solution), autograd_training(1.7, weights))
    assert_table(table(solution, TABLE, 1), autograd_training(1.7, weights))
    assert_table(table(solution, RATES, BLOCKS[0]), autograd_training(3.0, weights))


def test_legends_name_the_learning_rate(engine, committed):
    solution = engine.calculate()
    for sheet, rates in ((TABLE, [0.5]), (RATES, LEARNING_RATES)):
        chart = committed[LESSON if sheet == TABLE else RATES]._charts[0]
        assert len(chart.series) == len(rates)
        for series, lr in zip(chart.series, rates):
            cell = series.tx.strRef.f.replace("$", "")
            assert cell.startswith(f"'{sheet}'!")
            shown = solution[f"'[book.xlsx]{sheet.upper()}'!{cell.split('!')[1]}"].value[0, 0]
            assert re.fullmatch(rf"lr = {lr:g}(\.0)?", shown)
            assert series.tx.strRef.strCache.pt[0].v == f"lr = {lr:g}"


@pytest.mark.parametrize("name", ["∂E/∂w4", "∂a_h2/∂h2"])
def test_a_wrong_formula_is_found(name, tmp_path, monkeypatch):
    """Also the published slip: a_h1 where a_h2 belongs."""
    (step,) = [step for step in STEPS if name in step.formulas]
    wrong = step.formulas[name].replace("{a_h2}", "{a_h1}") if "h2/∂h2" in name else step.formulas[name] + " * 1.01"
    monkeypatch.setitem(step.formulas, name, wrong)
    monkeypatch.setitem(FORMULAS, name, wrong)
    solution = model_of(tmp_path / "book.xlsx").calculate()
    for check, measured in ((assert_lesson, lesson(solution)), (assert_table, table(solution, TABLE, 1))):
        with pytest.raises(AssertionError):
            check(measured, autograd_training(0.5))


def test_committed_workbook_is_what_the_code_writes(tmp_path):
    write_workbook(tmp_path / "new.xlsx")
    for data_only in (False, True):
        new, old = (openpyxl.load_workbook(path, data_only=data_only) for path in (tmp_path / "new.xlsx", PATH))
        assert new.sheetnames == old.sheetnames == [LESSON, TABLE, RATES]
        for name in new.sheetnames:
            for new_row, old_row in zip(new[name].values, old[name].values, strict=True):
                for a, b in zip(new_row, old_row, strict=True):
                    assert a == b or abs(a - b) < 1e-12
        assert [len(sheet._charts) for sheet in new.worksheets] == [1, 0, 1]
        assert len(new[LESSON]._images) == 1


def test_at_least_a_hundred_iterations_are_formulas(committed):
    rows = list(committed[TABLE].iter_rows(min_row=FIRST_ROW + 1, min_col=2, values_only=True))
    assert len(rows) >= 101 and all(len(row) == len(COLUMNS) for row in rows)
    assert all(str(cell).startswith("=") for row in rows for cell in row)


def test_formulas_of_the_lesson_are_names_alone(committed):
    """The names are those of the cells, and no address stands in a formula."""
    for name, cell in CELLS.items():
        value = committed[LESSON].cell(cell[0] + 1, cell[1] + 1).value
        if name in NAMES:
            place = committed.defined_names[NAMES[name]].value.replace("$", "")
            assert place == f"{LESSON}!{openpyxl.utils.get_column_letter(cell[1] + 1)}{cell[0] + 1}"
        if name not in GIVEN:
            assert set(re.findall(r"[A-Za-z]\w*", value)) <= {*NAMES.values(), "EXP"}
    assert {"lr", "i_1", "w_1", "dE_dw5"} <= committed.defined_names.keys()


def test_steps_have_one_title_and_one_color_on_all_sheets(committed):
    assert len({step.color for step in STEPS}) == len(STEPS) == 8
    for k, step in enumerate(STEPS):
        row, column = TITLES[k]
        heads = [committed[LESSON].cell(row + 1, column + 1)]
        for name, first in ((TABLE, 1), *((RATES, first) for first in BLOCKS)):
            place = first + COLUMNS.index(next(iter(step.formulas)))
            heads.append(committed[name].cell(BAND_ROW + 1, place + 1))
        assert {cell.value for cell in heads} == {step.title}
        assert {cell.fill.fgColor.rgb[2:] for cell in heads} == {step.color[1:]}


def test_steps_stand_in_their_order():
    """Down one panel, then down the next."""
    assert sorted(TITLES, key=lambda k: TITLES[k][::-1]) == list(range(len(STEPS)))


def test_no_name_or_formula_of_the_lesson_is_cut(committed):
    """Next to a name and a formula stands a value, so their text cannot run on."""
    sheet = committed[LESSON]
    for row, column in CELLS.values():
        for cell in (sheet.cell(row + 1, column - 1), sheet.cell(row + 1, column)):
            assert len(cell.value) + cell.alignment.indent <= sheet.column_dimensions[cell.column_letter].width


def test_heads_stay_in_sight_and_are_not_cut(committed):
    assert committed[LESSON].freeze_panes == "A3"
    for name in (TABLE, RATES):
        sheet = committed[name]
        assert sheet.freeze_panes == f"B{FIRST_ROW + 1}"
        assert sheet.cell(NAME_ROW + 1, 2).value is not None
        assert sheet.cell(1, 1).value is None and sheet.cell(1, 2).value  # a title in what stays would be cut
        assert sheet.row_dimensions[FORMULA_ROW + 1].height >= 3 * 12  # lines of 9 points
    for sheet in committed.worksheets:
        (title,) = [cell for cell in sheet[1] if cell.value]
        assert sheet.row_dimensions[1].height >= 1.4 * title.font.size
