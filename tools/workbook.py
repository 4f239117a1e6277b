"""Part 1 as a spreadsheet with live formulas: `python -m tools.workbook` writes it.

Every number but the yellow cells is a formula; the values cached in the file are those of
`helpers.backprop`, so it also shows in viewers that do not calculate.
"""

import argparse
import io
import re
from collections import namedtuple
from datetime import datetime
from pathlib import Path

import xlsxwriter
from xlsxwriter.utility import xl_col_to_name, xl_rowcol_to_cell

from helpers.backprop import INPUTS, LEARNING_RATES, TARGETS, WEIGHTS, Iteration, train
from helpers.plot import figure, show_neurons

PATH = Path(__file__).resolve().parents[1] / "notebooks" / "backpropagation.xlsx"
NUM_ITERATIONS = 100
LESSON, TABLE, RATES = "Backpropagation", "Iterations", "Learning rates"
W = [f"w{k}" for k in range(1, 9)]

# A step of the lesson: its title, the color of its cells and columns, and its formulas by name.
Step = namedtuple("Step", "title color formulas")
STEPS = [
    Step(
        "1. Forward: hidden neurons",
        "#CFE8F7",
        {
            "h1": "{w1} * {i1} + {w2} * {i2}",
            "h2": "{w3} * {i1} + {w4} * {i2}",
            "a_h1": "1 / (1 + EXP(-{h1}))",
            "a_h2": "1 / (1 + EXP(-{h2}))",
        },
    ),
    Step(
        "2. Forward: output neurons",
        "#C9E7DB",
        {
            "o1": "{w5} * {a_h1} + {w6} * {a_h2}",
            "o2": "{w7} * {a_h1} + {w8} * {a_h2}",
            "a_o1": "1 / (1 + EXP(-{o1}))",
            "a_o2": "1 / (1 + EXP(-{o2}))",
        },
    ),
    Step(
        "3. The error",
        "#E2E2E2",
        {
            "E1": "({t1} - {a_o1})^2 / 2",
            "E2": "({t2} - {a_o2})^2 / 2",
            "E_total": "{E1} + {E2}",
        },
    ),
    Step(
        "4. Back to the outputs' sums",
        "#FAD9C4",
        {
            "∂E/∂a_o1": "{a_o1} - {t1}",
            "∂E/∂a_o2": "{a_o2} - {t2}",
            "∂a_o1/∂o1": "{a_o1} * (1 - {a_o1})",
            "∂a_o2/∂o2": "{a_o2} * (1 - {a_o2})",
            "∂E/∂o1": "{∂E/∂a_o1} * {∂a_o1/∂o1}",
            "∂E/∂o2": "{∂E/∂a_o2} * {∂a_o2/∂o2}",
        },
    ),
    Step(
        "5. Chain rule: output weights",
        "#F7CDE0",
        {
            "∂o1/∂w5": "{a_h1}",
            "∂o1/∂w6": "{a_h2}",
            "∂o2/∂w7": "{a_h1}",
            "∂o2/∂w8": "{a_h2}",
            "∂E/∂w5": "{∂E/∂a_o1} * {∂a_o1/∂o1} * {∂o1/∂w5}",
            "∂E/∂w6": "{∂E/∂a_o1} * {∂a_o1/∂o1} * {∂o1/∂w6}",
            "∂E/∂w7": "{∂E/∂a_o2} * {∂a_o2/∂o2} * {∂o2/∂w7}",
            "∂E/∂w8": "{∂E/∂a_o2} * {∂a_o2/∂o2} * {∂o2/∂w8}",
        },
    ),
    Step(
        "6. Back to the hidden sums",
        "#E2D4F0",
        {
            "∂E/∂a_h1": "{∂E/∂o1} * {w5} + {∂E/∂o2} * {w7}",
            "∂E/∂a_h2": "{∂E/∂o1} * {w6} + {∂E/∂o2} * {w8}",
            "∂a_h1/∂h1": "{a_h1} * (1 - {a_h1})",
            "∂a_h2/∂h2": "{a_h2} * (1 - {a_h2})",
            "∂E/∂h1": "{∂E/∂a_h1} * {∂a_h1/∂h1}",
            "∂E/∂h2": "{∂E/∂a_h2} * {∂a_h2/∂h2}",
        },
    ),
    Step(
        "7. Chain rule: hidden weights",
        "#D3DBF8",
        {
            "∂h1/∂w1": "{i1}",
            "∂h1/∂w2": "{i2}",
            "∂h2/∂w3": "{i1}",
            "∂h2/∂w4": "{i2}",
            "∂E/∂w1": "{∂E/∂a_h1} * {∂a_h1/∂h1} * {∂h1/∂w1}",
            "∂E/∂w2": "{∂E/∂a_h1} * {∂a_h1/∂h1} * {∂h1/∂w2}",
            "∂E/∂w3": "{∂E/∂a_h2} * {∂a_h2/∂h2} * {∂h2/∂w3}",
            "∂E/∂w4": "{∂E/∂a_h2} * {∂a_h2/∂h2} * {∂h2/∂w4}",
        },
    ),
    Step("8. Update: the next weights", "#DDEBB8", {name: f"{{{name}}} - {{lr}} * {{∂E/∂{name}}}" for name in W}),
]
FORMULAS = {name: text for step in STEPS[:-1] for name, text in step.formulas.items()}
COLUMNS = [*W, *FORMULAS]  # of the table: a row is an iteration
UPDATE = STEPS[-1]
SMALL = {name for step in STEPS[5:7] for name in step.formulas if name.startswith("∂E")}  # shown with an exponent

# Rows are counted from 0. The two tables begin alike, and their head stays in sight.
RATE_ROW, BAND_ROW, NAME_ROW, FORMULA_ROW, FIRST_ROW = 2, 3, 4, 5, 6
FIRST_BLOCK = 15  # column of the second table's first block; the chart stands before it

# Cells of the lesson: the yellow ones, then those of the first iteration, step by step in three panels.
GIVEN = dict(zip(["i1", "i2", "t1", "t2", "lr", *W], [*INPUTS, *TARGETS, 0.5, *WEIGHTS], strict=True))
MEANING = {"i": "input", "t": "target", "l": "learning rate", "w": "first weight"}
STEPS_ROW = 19
PANELS = {0: [0, 1, 2, 7], 4: [3, 4], 8: [5, 6]}  # first column: which steps


def places() -> tuple[dict[str, tuple[int, int]], dict[int, tuple[int, int]]]:
    """Returns row and column of the lesson's numbers by name, and of the steps' titles by index."""
    cells, titles = {name: (4 + k, 2) for k, name in enumerate(GIVEN)}, {}
    for column, steps in PANELS.items():
        row = STEPS_ROW
        for k in steps:
            titles[k] = (row, column)
            names = [f"new {name}" if k == 7 else name for name in STEPS[k].formulas]
            cells |= {name: (row + j, column + 2) for j, name in enumerate(names, start=1)}
            row += 1 + len(names)
    return cells, titles


CELLS, TITLES = places()


def defined_name(name: str) -> str:
    """Returns what a formula calls a quantity: w_1, since W1 is a cell's address; dE_dw1, since / divides."""
    return re.sub(r"^([A-Za-z])(\d)$", r"\1_\2", name).replace("∂", "d").replace("/", "_")


NAMES = {name: defined_name(name) for name in CELLS if not name.startswith("new ")}


def in_words(formula: str) -> str:
    """Returns a formula as the lesson writes it."""
    return formula.replace("{", "").replace("}", "").replace("*", "·")


def values_of(row: Iteration) -> dict[str, float]:
    """Returns one iteration's numbers by column name."""
    values = dict(zip(W, row.weights)) | row.forward._asdict()
    back, a_h, a_o = row.backward, row.forward[2:4], row.forward[6:8]
    for k in (0, 1):
        values |= {
            f"∂E/∂a_o{k + 1}": a_o[k] - TARGETS[k],
            f"∂a_o{k + 1}/∂o{k + 1}": a_o[k] * (1 - a_o[k]),
            f"∂E/∂o{k + 1}": back[k],
            f"∂E/∂a_h{k + 1}": back.dE_do1 * row.weights[4 + k] + back.dE_do2 * row.weights[6 + k],
            f"∂a_h{k + 1}/∂h{k + 1}": a_h[k] * (1 - a_h[k]),
            f"∂E/∂h{k + 1}": back[2 + k],
        }
    for k, name in enumerate(W):
        neuron, inputs = ("h", INPUTS) if k < 4 else ("o", a_h)
        values |= {f"∂{neuron}{1 + k // 2 % 2}/∂{name}": inputs[k % 2], f"∂E/∂{name}": back.dE_dw[k]}
    return {name: values[name] for name in COLUMNS}


def write_workbook(path: Path, num_iterations: int = NUM_ITERATIONS) -> None:
    """Writes the workbook: the lesson with its first iteration, all iterations, and six learning rates."""
    with xlsxwriter.Workbook(path) as book:
        book.set_properties({"created": datetime(2026, 1, 1)})  # so that the same code writes the same file
        styles = styles_of(book)
        lesson, table, rates = (book.add_worksheet(name) for name in (LESSON, TABLE, RATES))
        for name, (row, column) in CELLS.items():
            if name in NAMES:
                book.define_name(NAMES[name], f"={LESSON}!{xl_rowcol_to_cell(row, column, row_abs=True, col_abs=True)}")
        _write_lesson(book, lesson, styles, num_iterations)
        _write_table(table, styles, num_iterations)
        _write_rates(book, rates, styles, num_iterations)
        for sheet, pages in ((lesson, (1, 1)), (table, (4, 0)), (rates, (1, 0))):
            sheet.set_landscape()
            sheet.set_paper(8)  # A3
            sheet.fit_to_pages(*pages)


def styles_of(book) -> dict:
    """Returns the formats by name; those of step k as "title k", "name k", "formula k"."""
    plain = {
        "title": {"bold": True, "font_size": 16, "valign": "vcenter"},
        "bold": {"bold": True},
        "name": {"bold": True, "align": "right"},
        "words": {"indent": 1},
        "head": {"bold": True, "align": "right", "bottom": 1, "text_wrap": True, "valign": "top"},
        "given": {"bg_color": "#FFF2CC", "border": 1, "num_format": "0.00###"},
        "number": {"num_format": "0.0000000"},
        "small": {"num_format": "0.0000E+00"},
    }
    for k, step in enumerate(STEPS):
        band = {"bg_color": step.color, "align": "right"}
        plain[f"title {k}"] = band | {"bold": True, "align": "left"}
        plain[f"name {k}"] = band | {"bold": True}
        plain[f"formula {k}"] = band | {"font_size": 9, "text_wrap": True, "valign": "top", "bottom": 1}
    return {name: book.add_format(properties) for name, properties in plain.items()}


def _write_lesson(book, sheet, styles, num_iterations: int) -> None:
    for column in PANELS:
        sheet.set_column(column, column, 10)
        sheet.set_column(column + 1, column + 1, 31 if column else 22)  # the chain rule's products are long
        sheet.set_column(column + 2, column + 2, 11)
        sheet.set_column(column + 3, column + 3, 2)
    _write_titles(
        sheet,
        styles,
        0,
        "Backpropagation, by formulas, on a network of two inputs, two hidden neurons and two outputs",
        "Change a yellow cell, and all three sheets follow. A formula writes w_1 for w1, since W1 is the address"
        " of a cell, and dE_dw1 for ∂E/∂w1.",
    )
    _write_given(sheet, styles)
    sheet.insert_image(3, 4, "network.png", {"image_data": _diagram(), "description": "The network and its names"})
    chart = _error_chart(book, [(TABLE, RATE_ROW, 1 + COLUMNS.index("E_total"))], num_iterations, (370, 300))
    sheet.insert_chart(3, 8, chart, {"description": "The error over the iterations"})
    sheet.write(STEPS_ROW - 1, 0, "The first iteration, step by step", styles["bold"])
    first, second = (values_of(row) for row in train(GIVEN["lr"], 1))
    for k in range(len(STEPS)):
        _write_step(sheet, styles, k, first if k < 7 else {f"new {name}": second[name] for name in W})
    sheet.freeze_panes(2, 0)
    sheet.hide_gridlines(2)


def _write_given(sheet, styles) -> None:
    sheet.write(3, 0, "Given", styles["bold"])
    for name, value in GIVEN.items():
        row, column = CELLS[name]
        sheet.write(row, column - 2, name, styles["name"])
        sheet.write(row, column - 1, MEANING[name[0]], styles["words"])
        sheet.write(row, column, value, styles["given"])


def _write_step(sheet, styles, k: int, values: dict[str, float]) -> None:
    """Writes a step of the lesson: a line for each formula, with its name, its words and its value."""
    row, column = TITLES[k]
    for j in range(3):
        sheet.write(row, column + j, STEPS[k].title if j == 0 else None, styles[f"title {k}"])
    for name, text in STEPS[k].formulas.items():
        name = f"new {name}" if k == 7 else name
        row, last = CELLS[name]
        style = styles["small" if name in SMALL else "number"]
        sheet.write(row, column, name, styles["name"])
        sheet.write(row, column + 1, in_words(text), styles["words"])
        sheet.write_formula(row, last, "=" + text.format_map(NAMES), style, values[name])


def _write_table(sheet, styles, num_iterations: int) -> None:
    _write_titles(
        sheet,
        styles,
        1,
        "All iterations",
        "A row is an iteration, a color a step of the first sheet. The weights of a row follow from the row above.",
    )
    _write_iterations(sheet, styles, num_iterations)
    sheet.set_column(1, len(COLUMNS), 12.5)
    label = xl_rowcol_to_cell(RATE_ROW, 1 + COLUMNS.index("E_total"))
    sheet.write_formula(label, '="lr = "&lr', styles["name"], f"lr = {GIVEN['lr']:g}")
    _write_block(sheet, styles, 1, NAMES["lr"], train(GIVEN["lr"], num_iterations))
    sheet.repeat_columns(0)


def _write_rates(book, sheet, styles, num_iterations: int) -> None:
    """Left, the errors side by side; then their chart; then all columns of each learning rate."""
    _write_titles(
        sheet,
        styles,
        1,
        "The error at six learning rates",
        "The yellow learning rates can be changed; inputs, targets and first weights are those of the first sheet."
        " To the right of the chart: every column of each training.",
    )
    _write_iterations(sheet, styles, num_iterations)
    _write_errors(sheet, styles, num_iterations)
    curves = [(RATES, NAME_ROW, 1 + k) for k in range(len(LEARNING_RATES))]
    chart = _error_chart(book, curves, num_iterations, (600, 420))
    text = {"description": "The error over the iterations at six learning rates", "x_offset": 15}
    sheet.insert_chart(FIRST_ROW + 1, 7, chart, text)
    sheet.print_area(0, 0, FIRST_ROW + num_iterations, FIRST_BLOCK - 1)


def _write_errors(sheet, styles, num_iterations: int) -> None:
    """Writes each learning rate's block, and its errors on the left."""
    sheet.write(RATE_ROW, 0, "lr", styles["name"])
    sheet.set_column(1, FIRST_BLOCK + len(LEARNING_RATES) * (len(COLUMNS) + 1), 12.5)
    for k, lr in enumerate(LEARNING_RATES):
        rows, first = train(lr, num_iterations), FIRST_BLOCK + k * (len(COLUMNS) + 1)
        rate = xl_rowcol_to_cell(RATE_ROW, 1 + k, row_abs=True, col_abs=True)
        sheet.write(RATE_ROW, 1 + k, lr, styles["given"])
        sheet.write(BAND_ROW, 1 + k, "E_total", styles["name 2"])
        for row, column, style in ((NAME_ROW, 1 + k, "name 2"), (RATE_ROW, first, "name")):
            sheet.write_formula(row, column, f'="lr = "&{rate}', styles[style], f"lr = {lr:g}")
        sheet.write(FORMULA_ROW, 1 + k, in_words(FORMULAS["E_total"]), styles["formula 2"])
        _write_block(sheet, styles, first, rate, rows)
        for n, row in enumerate(rows):
            cell = xl_rowcol_to_cell(FIRST_ROW + n, first + COLUMNS.index("E_total"))
            sheet.write_formula(FIRST_ROW + n, 1 + k, f"={cell}", styles["number"], row.forward.E_total)


def _write_titles(sheet, styles, column: int, title: str, note: str) -> None:
    """Writes title and note from a column on, which must not be one that stays while others scroll."""
    sheet.set_row(0, 26)  # or a program that keeps the usual height would cut the large letters
    sheet.write(0, column, title, styles["title"])
    sheet.write(1, column, note)


def _write_iterations(sheet, styles, num_iterations: int) -> None:
    """Writes the first column, and keeps it and the head in sight."""
    sheet.set_column(0, 0, 10)
    sheet.set_row(FORMULA_ROW, 40)
    sheet.write(NAME_ROW, 0, "iteration", styles["name"])
    sheet.write(FORMULA_ROW, 0, None, styles["head"])
    for n in range(num_iterations + 1):
        sheet.write(FIRST_ROW + n, 0, n)
    sheet.freeze_panes(FIRST_ROW, 1)
    sheet.repeat_rows(BAND_ROW, FORMULA_ROW)


def _write_block(sheet, styles, first: int, lr: str, rows: list[Iteration]) -> None:
    """Writes the table of one training: its first weights are given, the others follow by formulas."""
    place = {name: first + k for k, name in enumerate(COLUMNS)}
    for k, step in enumerate(STEPS):
        for j, (name, text) in enumerate(step.formulas.items()):
            sheet.write(BAND_ROW, place[name], step.title if j == 0 else None, styles[f"title {k}"])
            sheet.write(NAME_ROW, place[name], name, styles[f"name {k}"])
            sheet.write(FORMULA_ROW, place[name], in_words(text), styles[f"formula {k}"])
    for n, row in enumerate(rows):
        line = FIRST_ROW + n
        here = NAMES | {name: xl_rowcol_to_cell(line, column) for name, column in place.items()}
        above = {name: xl_rowcol_to_cell(line - 1, column) for name, column in place.items()} | {"lr": lr}
        formulas = {name: NAMES[name] if n == 0 else UPDATE.formulas[name].format_map(above) for name in W}
        formulas |= {name: text.format_map(here) for name, text in FORMULAS.items()}
        for name, value in values_of(row).items():
            style = styles["small" if name in SMALL else "number"]
            sheet.write_formula(line, place[name], f"={formulas[name]}", style, value)


def _diagram() -> io.BytesIO:
    """Returns the picture of the network, with names only: values would be wrong once a cell is changed."""
    picture, nothing = io.BytesIO(), (None, None)
    layers = dict.fromkeys(["i", "a_h", "a_o", "t"], nothing)
    show_neurons(layers, [None] * 8, size=(3.85, 3.1), radius=16, title="The network", path=picture)
    return picture


def _error_chart(book, curves: list[tuple[str, int, int]], num_iterations: int, size: tuple[int, int]):
    """Returns a line chart of columns of errors, each with the row of its name."""
    chart = book.add_chart({"type": "scatter", "subtype": "straight"})
    last = FIRST_ROW + num_iterations
    colors = [figure.BLUE, figure.ORANGE, figure.GREEN, figure.PURPLE, figure.SKY, figure.BLACK]
    dashes = ["solid", "dash", "dash_dot", "round_dot", "solid", "dash"]
    for (sheet, name_row, errors), color, dash in zip(curves, colors, dashes):
        chart.add_series(
            {
                "name": f"='{sheet}'!${xl_col_to_name(errors)}${name_row + 1}",
                "categories": [sheet, FIRST_ROW, 0, last, 0],
                "values": [sheet, FIRST_ROW, errors, last, errors],
                "line": {"color": color, "dash_type": dash, "width": 2},
            }
        )
    chart.set_title({"name": "Error over iterations", "name_font": {"size": 12}})
    chart.set_x_axis({"name": "iteration", "min": 0, "max": num_iterations})
    chart.set_y_axis({"name": "E_total", "min": 0, "num_format": "0.00"})
    chart.set_legend({"position": "bottom" if len(curves) == 1 else "right"})
    chart.set_size(dict(zip(("width", "height"), size)))
    return chart


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.workbook", description=__doc__)
    parser.add_argument("path", nargs="?", type=Path, default=PATH)
    path = parser.parse_args().path
    write_workbook(path)
    print(f"Wrote {path}")


if __name__ == "__main__":
    main()
