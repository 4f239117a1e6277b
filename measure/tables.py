"""Tables as CSV files: read as people's spreadsheets leave them, written whole, and never lost."""

import csv
import io
import re
import tempfile
from collections.abc import Collection, Sequence
from contextlib import suppress
from itertools import chain, count
from pathlib import Path

from helpers.files import write_whole

DECIMAL_COMMA = re.compile(r"-?\d+,\d+")


def read_csv(path: Path, numbers: Collection[str] = ()) -> list[dict[str, str]]:
    """Returns the rows of a table that a program or a spreadsheet wrote; empty rows and cells at the end do not count.

    The separator may be a comma, a semicolon or a tab, a decimal point may be a comma, the text UTF-8, UTF-16 or
    Windows-1252, with a byte-order mark or not.

    Args:
        numbers: columns whose cells must be numbers, or empty.

    Raises:
        ValueError: a column has no name or one twice, a row has more cells than there are columns, or a cell is no
            number where one is needed; the message names the line and the column.
    """
    text = _decoded(path.read_bytes()).lstrip("\n\r")
    if text[:4].lower() == "sep=":  # Excel's own line
        text = text.partition("\n")[2]
    separator = max(",;\t", key=text.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    columns = [name.strip() for name in next(reader, [])]
    while columns and not columns[-1]:
        columns.pop()
    if len(set(columns)) < len(columns) or "" in columns:
        raise ValueError(f"{path}, line 1: each column needs a name of its own, got {', '.join(columns)}")
    rows = []
    for cells in reader:
        place = f"{path}, line {reader.line_num}"
        if any(cells[len(columns) :]):
            raise ValueError(f"{place}: {len(cells)} cells, but there are {len(columns)} columns")
        row = dict(zip(columns, [*cells, *[""] * len(columns)]))
        row |= {name: _number(row[name], f"{place}, column {name}") for name in numbers if row.get(name)}
        rows += [row] if any(map(str.strip, cells)) else []
    return rows


def _decoded(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:  # what Excel calls CSV without a word of UTF-8
        return data.decode("cp1252", errors="replace")


def _number(cell: str, place: str) -> str:
    """Returns a number with a decimal point, whatever it was written with."""
    cell = cell.strip()
    cell = cell.replace(",", ".") if DECIMAL_COMMA.fullmatch(cell) else cell
    with suppress(ValueError):
        float(cell)
        return cell
    raise ValueError(f"{place}: {cell!r} is not a number")


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
