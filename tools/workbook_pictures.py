"""The pictures in Part 1's workbook: the network, which is drawn, and the errors' chart, which follows the cells."""

import io

from xlsxwriter.utility import xl_col_to_name

from helpers.plot import figure, show_neurons
from tools.workbook_steps import FIRST_ROW

COLORS = [figure.BLUE, figure.ORANGE, figure.GREEN, figure.PURPLE, figure.SKY, figure.BLACK]
DASHES = ["solid", "dash", "dash_dot", "round_dot", "solid", "dash"]


def network_picture() -> io.BytesIO:
    """Returns the picture of the network, with names only: values would be wrong once a cell is changed."""
    picture, nothing = io.BytesIO(), (None, None)
    layers = dict.fromkeys(["i", "a_h", "a_o", "t"], nothing)
    show_neurons(layers, [None] * 8, size=(3.85, 3.1), radius=16, title="The network", path=picture)
    return picture


def error_chart(book, curves: list[tuple[str, int, int]], num_iterations: int, size: tuple[int, int]):
    """Returns a line chart of columns of errors: each by its sheet, the row of its name and its column."""
    chart = book.add_chart({"type": "scatter", "subtype": "straight"})
    for curve, color, dash in zip(curves, COLORS, DASHES):
        line = {"color": color, "dash_type": dash, "width": 2}
        chart.add_series(series_of(*curve, FIRST_ROW + num_iterations) | {"line": line})
    chart.set_title({"name": "Error over iterations", "name_font": {"size": 12}})
    chart.set_x_axis({"name": "iteration", "min": 0, "max": num_iterations})
    chart.set_y_axis({"name": "E_total", "min": 0, "num_format": "0.00"})
    chart.set_legend({"position": "bottom" if len(curves) == 1 else "right"})
    chart.set_size(dict(zip(("width", "height"), size)))
    return chart


def series_of(sheet: str, name_row: int, column: int, last: int) -> dict:
    """Returns where a curve's name, its iterations and its errors stand, down to the last row."""
    return {
        "name": f"='{sheet}'!${xl_col_to_name(column)}${name_row + 1}",
        "categories": [sheet, FIRST_ROW, 0, last, 0],
        "values": [sheet, FIRST_ROW, column, last, column],
    }
