"""What was measured: the rows of results/*.csv, written whole, read with care, and summed up."""

import ast
import math
import re
import statistics
import tempfile
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

from filelock import FileLock
from scipy.special import stdtrit  # scipy.stats would be slow to import

from helpers.beyond.recipes import ALL_RECIPES
from helpers.recipes import Recipe
from helpers.train import History, Score
from measure import tables
from measure.sprint import SPRINT
from measure.variants import VARIANTS, make_recipe

RESULTS = Path(__file__).resolve().parents[1] / "results"
TARGET = 99.4  # percent
# Columns of tables whose cells are numbers.
NUMBERS = ("seed", "parameters", "epochs", "accuracy", "loss", "views_accuracy", "views_loss", "final_accuracy", "n")
NUMBERS += ("threads", "train_seconds", "total_seconds", "seconds", "least", "most", "earlier_seconds")
# Seeds of the runs that the test set scores, committed with the recipe, before its first row. See `finished`.
SEEDS = {"baseline": [0], "tiny": range(5), "smallest": range(20), "fastest": range(30)}
SEEDS |= dict.fromkeys(("lesson", "lesson_longer", "lesson_muon", "medium", "accurate"), range(10))
SEEDS |= dict.fromkeys(("fewest_epochs", "half_epoch", "sprint"), range(10))
SEEDS |= {"own_digits": range(1, 11)}  # its seed 0 served for choosing
# A recipe that was asked earlier what another one is asked: its scores count as attempts.
EARLIER = {"fewest_epochs": "fastest", "tiny": "smallest", "lesson_longer": "lesson", "lesson_muon": "lesson"}
UNRECORDED = {"own_digits": 4}  # attempts that left no rows
# Recipes whose runs are kept, but that hold no record of ours, by the table that keeps them.
OTHERS = {"variants": VARIANTS, "sprint": {"sprint": SPRINT}}


def recipes_of(name: str) -> dict[str, Recipe]:
    """Returns the recipes whose runs `results/NAME.csv` keeps."""
    return OTHERS.get(name) or {name: ALL_RECIPES[name]}


def recipe_of(row: dict[str, str]) -> Recipe:
    """Returns the recipe that a row's settings describe, whatever the recipe of its name is today."""
    settings = (text.split("=", 1) for text in re.split(r", (?=\w+=)", row["settings"]))
    return make_recipe({name: value_of(text) for name, text in settings})


def num_views_of(recipe: Recipe) -> int:
    """Returns over how many views of an image a recipe's runs are scored in the end."""
    return getattr(recipe, "num_views", 1)


def value_of(text: str) -> object:
    """Returns what a setting's value means: a number, a tuple, None, or else a word, such as an activation's name."""
    with suppress(SyntaxError, ValueError):
        return ast.literal_eval(text)
    return text


def read_table(name: str) -> list[dict[str, str]]:
    """Returns the rows of `results/NAME.csv`, whatever they are: "published" runs, "times"; none without a file.

    Raises:
        ValueError: see `tables.read_csv`.
    """
    path = RESULTS / f"{name}.csv"
    return tables.read_csv(path, NUMBERS) if path.exists() else []


def read_results(name: str, split: str = "test") -> list[dict[str, str]]:
    """Returns the rows of a split in `results/NAME.csv`, none if there is no such file.

    Raises:
        ValueError: a row was made by other settings than the recipe of its name has now.
    """
    rows, recipes = read_table(name), recipes_of(name)
    for row in rows:
        if row["recipe"] not in recipes or recipe_of(row) != recipes[row["recipe"]]:
            raise ValueError(
                f"results/{name}.csv has rows of {row['recipe']} made by other settings than it has now; "
                "move them to retired.csv, or give the recipe its settings back"
            )
    return [row for row in rows if row["split"] == split]


def append_result(name: str, row: dict[str, object]) -> None:
    """Adds a row to `results/NAME.csv`, so that at any moment the file is whole.

    If the file cannot take it, the row is kept in a file beside it, and a line says how to merge it.
    """
    path = RESULTS / f"{name}.csv"
    try:
        with FileLock(locks() / name):
            write_table(name, [*check_columns(name, list(row)), row])
    except (OSError, ValueError) as error:
        tables.keep_beside(path, row, error)


def check_columns(name: str, columns: Sequence[str]) -> list[dict[str, str]]:
    """Returns the rows of `results/NAME.csv`; raises a ValueError if it has other columns than these."""
    rows = read_table(name)
    if rows and list(rows[0]) != list(columns):
        differing = ", ".join(sorted(set(rows[0]) ^ set(columns))) or "their order"
        path = RESULTS / f"{name}.csv"
        raise ValueError(f"{path} has other columns than the new row: {differing}; move the file away, or mend it")
    return rows


def check_writable(name: str, *folders: Path) -> None:
    """Raises a ValueError if a run's row, or a file in these folders, could not be written: before it is trained."""
    try:
        for folder in (locks(), RESULTS, *folders):
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        with suppress(FileNotFoundError), (RESULTS / f"{name}.csv").open("r+b"):  # Excel holds what it shows
            pass
    except OSError as error:
        advice = "close the program that has it open, or give yourself the right to write there"
        raise ValueError(f"{error.filename or RESULTS} cannot be written ({error.strerror}): {advice}") from error


def write_table(name: str, rows: Sequence[dict[str, object]]) -> None:
    """Writes `results/NAME.csv` anew, whole."""
    tables.write_csv(RESULTS / f"{name}.csv", rows)


def locks() -> Path:
    """Returns the folder of locks and of the checkpoints of unfinished runs, which is git-ignored."""
    folder = RESULTS / ".locks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def mean_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """Returns mean and sample standard deviation; that of a single value is unknown, nan."""
    return statistics.mean(values), statistics.stdev(values) if len(values) > 1 else math.nan


def lower_bound(values: Sequence[float], attempts: int = 1) -> float:
    """Returns the lower end of the one-sided 99 % confidence interval of the mean, by Student's t; nan of one value.

    Args:
        attempts: how often a record was tried; the 1 % is divided by it (Bonferroni).
    """
    mean, spread = mean_and_spread(values)
    return mean - stdtrit(len(values) - 1, 1 - 0.01 / attempts) * spread / math.sqrt(len(values))


def attempts_at(name: str) -> int:
    """Returns how many choices the test set has scored for a record, those in results/retired.csv included."""
    names = {name, EARLIER.get(name, name)}
    retired = {row["attempt"] for row in read_table("retired") if row["record"] in names}
    return len(names) + len(retired) + UNRECORDED.get(name, 0)


def numbers(rows: Iterable[dict[str, str]], column: str) -> list[float]:
    """Returns the figures of a column; none where it is empty."""
    return [float(row[column]) for row in rows if row[column]]


def accuracy_of(name: str) -> tuple[float, float]:
    """Returns mean and standard deviation of the final test accuracy over the runs, of one view."""
    return mean_and_spread(numbers(read_results(name), "accuracy"))


def mean_curve(name: str, column: str) -> list[tuple[int, float]]:
    """Returns (epoch, mean over the runs on the test split) of `accuracies` or `losses`."""
    runs = [map(float, row[column].split()) for row in read_results(name)]
    return [(epoch, statistics.mean(values)) for epoch, values in enumerate(zip(*runs, strict=True), start=1)]


def history_of(name: str, seed: int) -> History:
    """Returns the test scores of a recorded run, epoch by epoch. Its scores while training were not recorded.

    Raises:
        ValueError: there is no such run.
    """
    row = next((row for row in read_results(name) if row["seed"] == str(seed)), None)
    if row is None:
        raise ValueError(f"results/{name}.csv has no run on the test split of seed {seed}")
    curves = zip(row["accuracies"].split(), row["losses"].split(), strict=True)
    return History(test=[Score(float(loss), round(100 * float(accuracy)), 10_000) for accuracy, loss in curves])


def with_spread(values: Sequence[float], digits: int = 3) -> str:
    """Returns mean ± standard deviation, as far as they exist."""
    if not values:
        return ""
    mean, spread = mean_and_spread(values)
    if math.isnan(spread):  # a single accuracy is known to 0.01
        return f"{mean:.{2 if mean > 1 else digits}f}"
    return f"{mean:.{digits}f} ± {spread:.{digits}f}"


def bound(values: Sequence[float], attempts: int = 1) -> str:
    """Returns the lower bound for a table, cut off, not rounded: a bound that is said to be reached is."""
    return f"{math.floor(1000 * lower_bound(values, attempts)) / 1000:.3f}" if len(values) > 1 else ""


def table(names: Iterable[str]) -> str:
    """Returns the runs of each recipe on the test set, summed up, as Markdown: figures of the final epoch."""
    lines = [
        "| recipe | parameters | epochs | accuracy, one view, % | 99 % lower bound of the mean |"
        " 32 views, % | 99 % lower bound of the mean | n |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name in names:
        if not finished(name):
            continue
        rows = read_results(name)
        one, views, attempts = numbers(rows, "accuracy"), numbers(rows, "views_accuracy"), attempts_at(name)
        figures = [with_spread(one), bound(one, attempts), with_spread(views), bound(views, attempts)]
        size = [f"{int(rows[0]['parameters']):,}", rows[0]["epochs"]]
        lines.append(f"| {' | '.join([name, *size, *figures, str(len(rows))])} |")
    return "\n".join(lines)


def finished(name: str) -> bool:
    """Returns whether the test set has scored all seeds of a recipe: only then do tables show it."""
    return {int(row["seed"]) for row in read_results(name)} == set(SEEDS[name])


def reaches_target(name: str, column: str = "accuracy") -> bool:
    """Returns whether the mean over a recipe's runs lies significantly above TARGET."""
    values = numbers(read_results(name), column)
    return len(values) > 1 and bool(lower_bound(values, attempts_at(name)) >= TARGET)


def retired() -> str:
    """Returns the test scores that are no longer of any recipe, summed up, as Markdown."""
    attempts: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in read_table("retired"):
        attempts.setdefault((row["record"], row["attempt"], row["why"]), []).append(row)
    lines = [
        "| record | attempt | accuracy, one view, % | 32 views, % | n | why it is not the record |",
        "| --- | --- | ---: | ---: | ---: | --- |",
    ]
    for (record, attempt, why), rows in attempts.items():
        figures = [with_spread(numbers(rows, column)) for column in ("accuracy", "views_accuracy")]
        n = str(sum(int(row["n"]) for row in rows))
        lines.append(f"| {' | '.join([record, attempt, *figures, n, why])} |")
    return "\n".join(lines)


def nearest(row: dict[str, str], names: Iterable[str]) -> tuple[str, dict[str, object]]:
    """Returns the recipe of today that a row's training is most like, and the settings in which it differs."""
    recipe = recipe_of(row)
    settings = [(field.name, getattr(recipe, field.name), field.default) for field in fields(recipe)]
    recipes = {variant: recipe for name in names for variant, recipe in recipes_of(name).items()}
    differences = {
        # What a recipe of the lesson does not have counts as its default there.
        name: {k: v for k, v, default in settings if v != getattr(recipe, k, default)}
        for name, recipe in recipes.items()
    }
    return min(differences.items(), key=lambda pair: len(pair[1]))


def trials_of(recipe: Recipe) -> list[dict[str, str]]:
    """Returns the trials of these settings, under whatever name they were made."""
    return [row for row in read_table("trials") if recipe_of(row) == recipe]


def trials(names: Collection[str]) -> str:
    """Returns the trials of recipes on held-out images, by how they differ from the recipes of today, as Markdown."""
    groups: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in read_table("trials"):
        if row["recipe"] in names:
            name, differences = nearest(row, names)
            differing = " ".join(f"{setting}={value}" for setting, value in differences.items())
            groups.setdefault((name, differing), []).append(row)
    lines = [
        "| recipe | differences | parameters | accuracy, % | loss | views, % | loss | seeds |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for (recipe, changes), rows in sorted(groups.items(), key=lambda group: group[0][0]):
        one, views = (
            [with_spread(numbers(rows, f"{kind}accuracy"), 2), with_spread(numbers(rows, f"{kind}loss"), 4)]
            for kind in ("", "views_")
        )
        seeds = " ".join(row["seed"] for row in rows)
        size = f"{int(rows[0]['parameters']):,}"
        lines.append(f"| {' | '.join([recipe, changes, size, *one, *views, seeds])} |")
    return "\n".join(lines)
