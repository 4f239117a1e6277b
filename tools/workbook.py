"""Part 1 as a spreadsheet with live formulas: `python -m tools.workbook` writes it.

Every number below the yellow cells is a formula; the values cached in the file are those of
`helpers.backprop`, so it also shows in viewers that do not calculate.
"""

import argparse
from datetime import datetime
from pathlib import Path

import xlsxwriter
from xlsxwriter.utility import xl_col_to_name, xl_rowcol_to_cell

from helpers.backprop import INPUTS, LEARNING_RATES, TARGETS, WEIGHTS, Iteration, train

PATH = Path(__file__).resolve().parents[1] / "notebooks" / "backpropagation.xlsx"
NUM_ITERATIONS = 100
W = [f"w{k}" for k in range(1, 9)]

# One row of the table: column -> formula over the names of the row and of the yellow cells.
FORWARD = {
    "h1": "{w1}*{i1}+{w2}*{i2}",
    "h2": "{w3}*{i1}+{w4}*{i2}",
    "a_h1": "1/(1+EXP(-{h1}))",
    "a_h2": "1/(1+EXP(-{h2}))",
    "o1": "{w5}*{a_h1}+{w6}*{a_h2}",
    "o2": "{w7}*{a_h1}+{w8}*{a_h2}",
    "a_o1": "1/(1+EXP(-{o1}))",
    "a_o2": "1/(1+EXP(-{o2}))",
    "E1": "({t1}-{a_o1})^2/2",
    "E2": "({t2}-{a_o2})^2/2",
    "E_total": "{E1}+{E2}",
}
BACKWARD = {
    "dE/do1": "({a_o1}-{t1})*{a_o1}*(1-{a_o1})",
    "dE/do2": "({a_o2}-{t2})*{a_o2}*(1-{a_o2})",
    "dE/dh1": "({dE/do1}*{w5}+{dE/do2}*{w7})*{a_h1}*(1-{a_h1})",
    "dE/dh2": "({dE/do1}*{w6}+{dE/do2}*{w8})*{a_h2}*(1-{a_h2})",
    "dE/dw1": "{dE/dh1}*{i1}",
    "dE/dw2": "{dE/dh1}*{i2}",
    "dE/dw3": "{dE/dh2}*{i1}",
    "dE/dw4": "{dE/dh2}*{i2}",
    "dE/dw5": "{dE/do1}*{a_h1}",
    "dE/dw6": "{dE/do1}*{a_h2}",
    "dE/dw7": "{dE/do2}*{a_h1}",
    "dE/dw8": "{dE/do2}*{a_h2}",
}
COLUMNS = [*W, *FORWARD, *BACKWARD]
EXPLANATION = [
    (
        "1. Forward: h1 = w1 i1 + w2 i2, h2 = w3 i1 + w4 i2 are the hidden neurons' sums,"
        " a_h = 1 / (1 + e^-h) their outputs."
    ),
    "2. In the same way o1 = w5 a_h1 + w6 a_h2, o2 = w7 a_h1 + w8 a_h2 and a_o for the output neurons.",
    "3. Error: E1 = (t1 - a_o1)^2 / 2, E2 = (t2 - a_o2)^2 / 2, E_total = E1 + E2.",
    "4. Back through the output sigmoids: dE/do1 = (a_o1 - t1) a_o1 (1 - a_o1), and dE/do2 alike.",
    "5. Output weights: dE/dw5 = dE/do1 a_h1, dE/dw6 = dE/do1 a_h2, dE/dw7 = dE/do2 a_h1, dE/dw8 = dE/do2 a_h2.",
    "6. Back to the hidden sums, over both outputs: dE/dh1 = (dE/do1 w5 + dE/do2 w7) a_h1 (1 - a_h1),"
    " dE/dh2 = (dE/do1 w6 + dE/do2 w8) a_h2 (1 - a_h2).",
    "7. Hidden weights: dE/dw1 = dE/dh1 i1, dE/dw2 = dE/dh1 i2, dE/dw3 = dE/dh2 i1, dE/dw4 = dE/dh2 i2.",
    "8. Update, from one row to the next: w = w - learning rate x dE/dw.",
]
TABLE_ROW = 31  # of the column names, counted from 0; the rows below it are the iterations
# Yellow cells of the first sheet, counted from 0.
CELLS = {"i1": (4, 1), "i2": (5, 1), "t1": (6, 1), "t2": (7, 1), "lr": (8, 1)}
CELLS |= {name: (4 + k, 4) for k, name in enumerate(W)}


def values_of(row: Iteration) -> dict[str, float]:
    """Returns one iteration's numbers by column name."""
    *shared, dE_dw = row.backward
    return dict(zip(COLUMNS, [*row.weights, *row.forward, *shared, *dE_dw], strict=True))


def write_workbook(path: Path, num_iterations: int = NUM_ITERATIONS) -> None:
    """Writes the workbook: one training on the first sheet, the six learning rates on the second."""
    with xlsxwriter.Workbook(path) as book:
        book.set_properties({"created": datetime(2026, 1, 1)})  # so that the same code writes the same file
        styles = {
            "title": book.add_format({"bold": True, "font_size": 16}),
            "name": book.add_format({"bold": True, "align": "right"}),
            "head": book.add_format({"bold": True, "bottom": 1, "align": "right", "bg_color": "#DDEBF7"}),
            "input": book.add_format({"bg_color": "#FFF2CC", "border": 1, "num_format": "0.00###"}),
            "number": book.add_format({"num_format": "0.0000000"}),
            "small": book.add_format({"num_format": "0.0000E+00"}),
        }
        main = book.add_worksheet("Backpropagation")
        rates = book.add_worksheet("Learning rates")
        _write_main(book, main, styles, num_iterations)
        _write_rates(book, rates, styles, num_iterations)
        for sheet in (main, rates):
            sheet.freeze_panes(0, 1)
            sheet.set_zoom(85)
            sheet.set_landscape()
            sheet.set_paper(8)  # A3
            sheet.fit_to_pages(1, 0)


def _write_main(book, sheet, styles, num_iterations) -> None:
    sheet.set_column(0, 0, 15)
    sheet.set_column(1, len(COLUMNS), 10.5)
    sheet.write(0, 0, "Backpropagation on a 2-2-2 network of sigmoids, by formulas", styles["title"])
    sheet.write(1, 0, "Change a yellow cell and everything below follows.")
    given = dict(zip(["i1", "i2", "t1", "t2", *W], [*INPUTS, *TARGETS, *WEIGHTS])) | {"lr": 0.5}
    for name, (row, column) in CELLS.items():
        sheet.write(row, column - 1, "learning rate" if name == "lr" else name, styles["name"])
        sheet.write(row, column, given[name], styles["input"])
    sheet.write(3, 0, "inputs, targets", styles["name"])
    sheet.write(3, 3, "first weights", styles["name"])
    for k, line in enumerate(EXPLANATION):
        sheet.write(3 + k, 6, line)
    fixed = {name: _absolute("Backpropagation", *CELLS[name]) for name in ("i1", "i2", "t1", "t2", "lr")}
    start = {name: _absolute("Backpropagation", *CELLS[name]) for name in W}
    sheet.write(TABLE_ROW, 0, "iteration", styles["head"])
    for n in range(num_iterations + 1):
        sheet.write(TABLE_ROW + 1 + n, 0, n)
    _write_block(sheet, styles, 1, fixed, start, train(0.5, num_iterations))
    error = 1 + COLUMNS.index("E_total")
    chart = _error_chart(book, [("Backpropagation", 0, error, None)], num_iterations)
    sheet.insert_chart(13, 6, chart)


def _write_rates(book, sheet, styles, num_iterations) -> None:
    """Left, the errors side by side; right of them a block of all columns for each learning rate."""
    sheet.set_column(0, 0, 15)
    sheet.set_column(1, 7 + len(LEARNING_RATES) * (len(COLUMNS) + 1), 10.5)
    sheet.write(0, 0, "E_total at six learning rates", styles["title"])
    sheet.write(
        1, 0, "The yellow learning rates can be changed here; inputs, targets and first weights on the first sheet."
    )
    sheet.write(TABLE_ROW - 1, 0, "learning rate", styles["name"])
    sheet.write(TABLE_ROW, 0, "iteration", styles["head"])
    for n in range(num_iterations + 1):
        sheet.write(TABLE_ROW + 1 + n, 0, n)
    shared = {name: _absolute("Backpropagation", *CELLS[name]) for name in ("i1", "i2", "t1", "t2")}
    start = {name: _absolute("Backpropagation", *CELLS[name]) for name in W}
    for k, lr in enumerate(LEARNING_RATES):
        rows, first = train(lr, num_iterations), 9 + k * (len(COLUMNS) + 1)
        sheet.write(TABLE_ROW - 1, 1 + k, lr, styles["input"])
        sheet.write(TABLE_ROW, 1 + k, "E_total", styles["head"])
        sheet.write(TABLE_ROW - 1, first, "learning rate", styles["name"])
        rate = xl_rowcol_to_cell(TABLE_ROW - 1, 1 + k, row_abs=True, col_abs=True)
        sheet.write_formula(TABLE_ROW - 1, first + 1, f"={rate}", None, lr)
        _write_block(sheet, styles, first, shared | {"lr": rate}, start, rows)
        for n, row in enumerate(rows):
            cell = xl_rowcol_to_cell(TABLE_ROW + 1 + n, first + COLUMNS.index("E_total"))
            sheet.write_formula(TABLE_ROW + 1 + n, 1 + k, f"={cell}", styles["number"], row.forward.E_total)
    curves = [("Learning rates", 0, 1 + k, TABLE_ROW - 1) for k in range(len(LEARNING_RATES))]
    sheet.insert_chart(3, 1, _error_chart(book, curves, num_iterations))


def _write_block(sheet, styles, first: int, fixed, start, rows: list[Iteration]) -> None:
    """Writes the table of one training: its first weights are given, the others follow by formulas."""
    place = {name: first + k for k, name in enumerate(COLUMNS)}
    for name, column in place.items():
        sheet.write(TABLE_ROW, column, name, styles["head"])
    for n, row in enumerate(rows):
        line = TABLE_ROW + 1 + n
        here = fixed | {name: xl_rowcol_to_cell(line, column) for name, column in place.items()}
        above = {name: xl_rowcol_to_cell(line - 1, column) for name, column in place.items()}
        formulas = {
            name: start[name] if n == 0 else f"{above[name]}-{fixed['lr']}*{above[f'dE/d{name}']}" for name in W
        }
        formulas |= {name: text.format_map(here) for name, text in (FORWARD | BACKWARD).items()}
        for name, value in values_of(row).items():
            style = styles["small" if name.startswith("dE") else "number"]
            sheet.write_formula(line, place[name], f"={formulas[name]}", style, value)


def _error_chart(book, curves, num_iterations: int):
    """Returns a line chart of error columns; a curve's name is the learning rate above it."""
    chart = book.add_chart({"type": "scatter", "subtype": "straight"})
    last = TABLE_ROW + 1 + num_iterations
    for sheet, iterations, errors, name_row in curves:
        name = "E_total" if name_row is None else f"='{sheet}'!${xl_col_to_name(errors)}${name_row + 1}"
        chart.add_series(
            {
                "name": name,
                "categories": [sheet, TABLE_ROW + 1, iterations, last, iterations],
                "values": [sheet, TABLE_ROW + 1, errors, last, errors],
            }
        )
    chart.set_title({"name": "Error over iterations", "name_font": {"size": 12}})
    chart.set_x_axis({"name": "iteration", "min": 0, "max": num_iterations})
    chart.set_y_axis({"name": "E_total", "min": 0})
    if len(curves) == 1:
        chart.set_legend({"none": True})
    chart.set_size({"width": 700, "height": 340})
    return chart


def _absolute(sheet: str, row: int, column: int) -> str:
    return f"'{sheet}'!" + xl_rowcol_to_cell(row, column, row_abs=True, col_abs=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.workbook", description=__doc__)
    parser.add_argument("path", nargs="?", type=Path, default=PATH)
    path = parser.parse_args().path
    write_workbook(path)
    print(f"Wrote {path}")


if __name__ == "__main__":
    main()
