"""Part 1 as a spreadsheet with live formulas: `python -m tools.workbook` writes it.

Every number but the yellow cells is a formula; the values cached in the file are those of
`helpers.backprop`, so it also shows in viewers that do not calculate. The formulas stand in
`workbook_steps`, the pictures in `workbook_pictures`; here both are written into three sheets.
"""

import argparse
from datetime import datetime
from pathlib import Path

import xlsxwriter
from xlsxwriter.utility import xl_rowcol_to_cell

from helpers.backprop import LEARNING_RATES, Iteration, train
from tools.workbook_pictures import error_chart, network_picture
from tools.workbook_steps import (
    BAND_ROW,
    CELLS,
    COLUMNS,
    FIRST_BLOCK,
    FIRST_ROW,
    FORMULA_ROW,
    FORMULAS,
    GIVEN,
    GIVEN_ROW,
    LESSON,
    MEANING,
    NAME_ROW,
    NAMES,
    PANELS,
    RATE_ROW,
    RATES,
    SMALL,
    STEPS,
    STEPS_ROW,
    TABLE,
    TITLES,
    UPDATE,
    W,
    in_words,
    lesson_names,
    values_of,
)

PATH = Path(__file__).resolve().parents[1] / "notebooks" / "backpropagation.xlsx"
NUM_ITERATIONS = 100


def write_workbook(path: Path, num_iterations: int = NUM_ITERATIONS) -> None:
    """Writes the workbook: the lesson with its first iteration, all iterations, and six learning rates."""
    with xlsxwriter.Workbook(path) as book:
        book.set_properties({"created": datetime(2026, 1, 1)})  # so that the same code writes the same file
        styles = styles_of(book)
        lesson, table, rates = (book.add_worksheet(name) for name in (LESSON, TABLE, RATES))
        _define_names(book)
        _write_lesson(book, lesson, styles, num_iterations)
        _write_table(table, styles, num_iterations)
        _write_rates(book, rates, styles, num_iterations)
        for sheet, pages in ((lesson, (1, 1)), (table, (4, 0)), (rates, (1, 0))):
            sheet.set_landscape()
            sheet.set_paper(8)  # A3
            sheet.fit_to_pages(*pages)


def _define_names(book) -> None:
    for quantity, name in NAMES.items():
        cell = xl_rowcol_to_cell(*CELLS[quantity], row_abs=True, col_abs=True)
        book.define_name(name, f"={LESSON}!{cell}")


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


def _write_titles(sheet, styles, column: int, title: str, note: str) -> None:
    """Writes title and note from a column on, which must not be one that stays while others scroll."""
    sheet.set_row(0, 26)  # or a program that keeps the usual height would cut the large letters
    sheet.write(0, column, title, styles["title"])
    sheet.write(1, column, note)


# The first sheet: what is given, two pictures, and the first iteration in eight steps.


def _write_lesson(book, sheet, styles, num_iterations: int) -> None:
    _set_widths(sheet)
    _write_titles(
        sheet,
        styles,
        0,
        "Backpropagation, by formulas, on a network of two inputs, two hidden neurons and two outputs",
        "Change a yellow cell, and all three sheets follow. A formula writes w_1 for w1, since W1 is the address"
        " of a cell, and dE_dw1 for ∂E/∂w1. In every derivative, E is E_total.",
    )
    _write_given(sheet, styles)
    _insert_pictures(book, sheet, num_iterations)
    _write_steps(sheet, styles)
    sheet.freeze_panes(2, 0)
    sheet.hide_gridlines(2)


def _set_widths(sheet) -> None:
    """Sets the widths of each panel: names, formulas in words, values, and a gap."""
    for column in PANELS:
        sheet.set_column(column, column, 10)
        sheet.set_column(column + 1, column + 1, 33 if column else 22)  # for products of three
        sheet.set_column(column + 2, column + 2, 11)
        sheet.set_column(column + 3, column + 3, 2)


def _write_given(sheet, styles) -> None:
    sheet.write(GIVEN_ROW - 1, 0, "Given", styles["bold"])
    for name, value in GIVEN.items():
        row, column = CELLS[name]
        sheet.write(row, column - 2, name, styles["name"])
        sheet.write(row, column - 1, MEANING[name[0]], styles["words"])
        sheet.write(row, column, value, styles["given"])


def _insert_pictures(book, sheet, num_iterations: int) -> None:
    """Inserts the network over the second panel, and the chart of the second sheet's errors over the third."""
    row, (_, second, third) = GIVEN_ROW - 1, PANELS
    network = {"image_data": network_picture(), "description": "The network and its names"}
    sheet.insert_image(row, second, "network.png", network)
    chart = error_chart(book, [(TABLE, RATE_ROW, 1 + COLUMNS.index("E_total"))], num_iterations, (370, 300))
    sheet.insert_chart(row, third, chart, {"description": "The error over the iterations"})


def _write_steps(sheet, styles) -> None:
    sheet.write(STEPS_ROW - 1, 0, "The first iteration, step by step (iteration 0 of the next sheet)", styles["bold"])
    first, second = (values_of(row) for row in train(GIVEN["lr"], 1))
    for k, step in enumerate(STEPS):
        _write_step(sheet, styles, k, second if step is UPDATE else first)


def _write_step(sheet, styles, k: int, values: dict[str, float]) -> None:
    """Writes a step of the lesson: a line for each formula, with its name, its words and its value."""
    row, column = TITLES[k]
    for j in range(3):
        sheet.write(row, column + j, STEPS[k].title if j == 0 else None, styles[f"title {k}"])
    for name, shown in lesson_names(STEPS[k]).items():
        row, last = CELLS[shown]
        text, style = STEPS[k].formulas[name], styles["small" if name in SMALL else "number"]
        sheet.write(row, column, shown, styles["name"])
        sheet.write(row, column + 1, in_words(text), styles["words"])
        sheet.write_formula(row, last, "=" + text.format_map(NAMES), style, values[name])


# The two other sheets: tables of which a row is an iteration, at one learning rate and at six.


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
    sheet.write(RATE_ROW, 0, "lr", styles["name"])
    sheet.set_column(1, FIRST_BLOCK + len(LEARNING_RATES) * (len(COLUMNS) + 1), 12.5)
    for k, lr in enumerate(LEARNING_RATES):
        _write_rate(sheet, styles, k, lr, num_iterations)
    curves = [(RATES, NAME_ROW, 1 + k) for k in range(len(LEARNING_RATES))]
    chart = error_chart(book, curves, num_iterations, (600, 420))
    text = {"description": "The error over the iterations at six learning rates", "x_offset": 15}
    sheet.insert_chart(FIRST_ROW + 1, 7, chart, text)
    sheet.print_area(0, 0, FIRST_ROW + num_iterations, FIRST_BLOCK - 1)


def _write_rate(sheet, styles, k: int, lr: float, num_iterations: int) -> None:
    """Writes the block of the learning rate of index k, and its errors on the left."""
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
    """Writes the table of one training, from a column on, with the learning rate's name or address."""
    place = {name: first + k for k, name in enumerate(COLUMNS)}
    _write_head(sheet, styles, place)
    for n, row in enumerate(rows):
        formulas = _formulas_of(n, place, lr)
        for name, value in values_of(row).items():
            style = styles["small" if name in SMALL else "number"]
            sheet.write_formula(FIRST_ROW + n, place[name], f"={formulas[name]}", style, value)


def _write_head(sheet, styles, place: dict[str, int]) -> None:
    """Writes the title, names and formulas of each step over its columns."""
    for k, step in enumerate(STEPS):
        for j, (name, text) in enumerate(step.formulas.items()):
            sheet.write(BAND_ROW, place[name], step.title if j == 0 else None, styles[f"title {k}"])
            sheet.write(NAME_ROW, place[name], name, styles[f"name {k}"])
            sheet.write(FORMULA_ROW, place[name], in_words(text), styles[f"formula {k}"])


def _formulas_of(n: int, place: dict[str, int], lr: str) -> dict[str, str]:
    """Returns iteration n's formulas: its weights follow from the row above, but the first ones are given."""
    line = FIRST_ROW + n
    here, above = ({name: xl_rowcol_to_cell(row, place[name]) for name in COLUMNS} for row in (line, line - 1))
    weights = {name: UPDATE.formulas[name].format_map(above | {"lr": lr}) if n else NAMES[name] for name in W}
    return weights | {name: text.format_map(NAMES | here) for name, text in FORMULAS.items()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.workbook", description=__doc__)
    parser.add_argument("path", nargs="?", type=Path, default=PATH)
    path = parser.parse_args().path
    write_workbook(path)
    print(f"Wrote {path}")


if __name__ == "__main__":
    main()
