"""What was measured: the rows of results/*.csv, written whole, read with care, and summed up."""

import csv
import io
import math
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

from filelock import FileLock

from helpers.files import write_whole
from helpers.recipes import RECIPES, Recipe
from measure.variants import VARIANTS

RESULTS = Path(__file__).resolve().parents[1] / "results"


def recipes_of(name: str) -> dict[str, Recipe]:
    """Returns the recipes whose runs `results/NAME.csv` keeps: of "weights", those made for their weights."""
    return {"variants": VARIANTS, "weights": RECIPES}.get(name) or {name: RECIPES[name]}


def read_table(name: str) -> list[dict[str, str]]:
    """Returns the rows of `results/NAME.csv`, whatever they are: "published" single runs, measured "times"."""
    with (RESULTS / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read_results(name: str, split: str = "test") -> list[dict[str, str]]:
    """Returns the rows of a split in `results/NAME.csv`, none if there is no such file.

    Raises:
        ValueError: a row was made by other settings than the recipe of its name has now.
    """
    path = RESULTS / f"{name}.csv"
    if not path.exists():
        return []
    rows = read_table(name)
    settings = {variant: str(recipe) for variant, recipe in recipes_of(name).items()}
    for row in rows:
        if settings.get(row["recipe"]) != row["settings"]:
            raise ValueError(
                f"{path} has rows of {row['recipe']} made by other settings than it has now; "
                "move the file away, or give the recipe its settings back"
            )
    return [row for row in rows if row["split"] == split]


def append_result(name: str, row: dict[str, object]) -> None:
    """Adds a row to `results/NAME.csv`, so that at any moment the file is whole.

    Raises:
        ValueError: the file has other columns; nothing is written.
    """
    path = RESULTS / f"{name}.csv"
    with FileLock(locks() / name):
        rows = read_table(name) if path.exists() else []
        if rows and list(rows[0]) != list(row):
            differing = ", ".join(sorted(set(rows[0]) ^ set(row))) or "their order"
            raise ValueError(f"{path} has other columns than the new row: {differing}; move the file away, or mend it")
        write_table(name, [*rows, row])


def write_table(name: str, rows: Sequence[dict[str, object]]) -> None:
    """Writes `results/NAME.csv` anew, whole."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(RESULTS / f"{name}.csv", text.getvalue().encode())


def locks() -> Path:
    """Returns the folder of the locks, which is git-ignored."""
    folder = RESULTS / ".locks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def mean_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """Returns mean and sample standard deviation; that of a single value is unknown, nan."""
    return statistics.mean(values), statistics.stdev(values) if len(values) > 1 else math.nan


def accuracy_of(name: str) -> tuple[float, float]:
    """Returns mean and standard deviation of the final test accuracy over the runs."""
    return mean_and_spread([float(row["accuracy"]) for row in read_results(name)])


def mean_curve(name: str, column: str) -> list[tuple[int, float]]:
    """Returns (epoch, mean over the runs on the test split) of `accuracies` or `losses`."""
    runs = [map(float, row[column].split()) for row in read_results(name)]
    return [(epoch, statistics.mean(values)) for epoch, values in enumerate(zip(*runs, strict=True), start=1)]


def summary(name: str, split: str = "test") -> list[str]:
    """Returns a row of the README's table for each recipe in `results/NAME.csv`: figures of the final epoch."""
    lines = []
    rows = read_results(name, split)
    for variant in recipes_of(name):
        runs = [row for row in rows if row["recipe"] == variant]
        if not runs:
            continue
        accuracies = [float(row["accuracy"]) for row in runs]
        mean, spread = mean_and_spread(accuracies)
        accuracy = f"{mean:.3f}" if math.isnan(spread) else f"{mean:.3f} ± {spread:.3f}"
        size = f"{int(runs[0]['parameters']):,} | {runs[0]['epochs']}"
        lines.append(f"| {variant} | {size} | {accuracy} % | {min(accuracies):.2f} % | {len(runs)} |")
    return lines


def table(names: Iterable[str], split: str = "test") -> str:
    """Returns the rows of all named files under one head, as Markdown."""
    head = [
        "| recipe | parameters | epochs | final accuracy, mean ± std | least | n |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    return "\n".join(head + [line for name in names for line in summary(name, split)])
