"""Tables as CSV files: read as people's spreadsheets leave them, written whole, and never lost."""

import csv
import io
import re
import tempfile
from collections.abc import Collection, Sequence
from itertools import chain, count
from pathlib import Path

from helpers.files import write_whole

NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.ASCII | re.IGNORECASE)
SEPARATOR = re.compile(r"\"?sep=(.?)\"?", re.IGNORECASE)  # a line of Excel's own
NO_TEXT = (b"PK", b"\x1f\x8b", b"\xd0\xcf\x11\xe0")  # how a workbook of Excel or a compressed file begins


def read_csv(path: Path, numbers: Collection[str] = ()) -> list[dict[str, str]]:
    """Returns the rows of a table that a program or a spreadsheet wrote; empty rows and cells at the end do not count.

    The separator may be a comma, a semicolon or a tab, a decimal point may be a comma, the text UTF-8, UTF-16 or
    Windows-1252, with a byte-order mark or not.

    Args:
        numbers: columns, in small letters, whose cells must be numbers, or empty.

    Raises:
        ValueError: it is no CSV file, a quote is not closed, a column has no name or one twice, a row has more cells
            than there are columns, or a cell is no number where one is needed; the message names line and column.
    """
    text = _decoded(path)
    separator = _separator(text)
    columns, rows = [], []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True)
    while True:
        place = f"{path}, line {reader.line_num + 1}"
        try:
            cells = [cell.strip() for cell in next(reader)]
        except StopIteration:
            return rows
        except csv.Error as error:
            raise ValueError(f"{place}: {error}; is a quote not closed there?") from None
        if not any(cells) or (not columns and SEPARATOR.fullmatch(separator.join(cells))):
            continue
        if columns:
            rows.append(_row(cells, columns, numbers, separator, place))
            continue
        columns = cells[: max(i for i, cell in enumerate(cells, start=1) if cell)]
        wrong = [f"{i} {name!r}" for i, name in enumerate(columns, start=1) if not name or columns.count(name) > 1]
        if wrong:
            raise ValueError(f"{place}: each column needs a name of its own, name or delete column {', '.join(wrong)}")


def _row(cells: list[str], columns: list[str], numbers: Collection[str], separator: str, place: str) -> dict[str, str]:
    if any(cells[len(columns) :]):
        raise ValueError(f"{place}: {len(cells)} cells, but there are {len(columns)} columns, {', '.join(columns)}")
    row = dict(zip(columns, [*cells, *[""] * len(columns)]))
    return row | {
        name: _number(row[name], separator, f"{place}, column {name}")
        for name in columns
        if name.lower() in numbers and row[name]
    }


def _separator(text: str) -> str:
    """Returns what most of the first rows are parted by into as many cells as the first one."""
    lines = [line for line in text.splitlines()[:50] if line.strip()]
    if lines and (named := SEPARATOR.fullmatch(lines[0].strip())):
        return named[1] or "\t"

    def fit(separator: str) -> tuple[int, int]:
        first, *others = (next(csv.reader([line], delimiter=separator)) for line in lines or [""])
        return sum(len(cells) == len(first) > 1 for cells in others), len(first)

    return max(",;\t", key=fit)


def _decoded(path: Path) -> str:
    data = path.read_bytes()
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:  # what Excel calls CSV without a word of UTF-8
        text = data.decode("cp1252", errors="replace")
    if data.startswith(NO_TEXT) or "\0" in text:
        raise ValueError(f"{path} is no CSV file: save the table as CSV, in UTF-8")
    return text.lstrip("\ufeff")


def _number(cell: str, separator: str, place: str) -> str:
    """Returns a number with a decimal point, whatever it was written with."""
    if separator == "," and re.fullmatch(r"-?[1-9]\d{0,2},\d{3}", cell):
        raise ValueError(f"{place}: {cell!r} may be {cell.replace(',', '')} or {cell.replace(',', '.')}: write it so")
    point = cell.replace(",", ".")
    if not NUMBER.fullmatch(point):
        raise ValueError(f"{place}: {cell!r} is not a number")
    return point


def write_csv(path: Path, rows: Sequence[dict[str, object]]) -> None:
    """Writes a table anew, whole."""
    write_whole(path, _encoded(rows))


def keep_beside(path: Path, row: dict[str, object], reason: Exception) -> Path:
    """Writes a row that its table did not take into a file of its own, says so, and returns the file."""
    name = "-".join(str(row[key]) for key in ("recipe", "seed") if key in row)
    for folder in (path.parent, Path(tempfile.gettempdir())):
        files = (folder / f"{path.stem}.not-merged-{name}{end}.csv" for end in chain([""], map("-{}".format, count(2))))
        kept = next(file for file in files if not file.exists())  # trials differ in more than recipe and seed
        try:
            write_csv(kept, [row])
        except OSError:
            continue
        print(
            f"{path} did not take the finished run: {reason}\nIts row is in {kept}. "
            f"When the table can be written again, copy the last line of this file to the end of {path.name}.",
            flush=True,
        )
        return kept
    raise reason


def _encoded(rows: Sequence[dict[str, object]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
