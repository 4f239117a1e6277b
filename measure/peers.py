"""Our best recipe for each record, compared with the best run that others published: `python -m measure.peers`."""

from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode

from helpers.beyond.recipes import ALL_RECIPES
from measure.results import (
    SEEDS,
    TARGET,
    accuracy_of,
    finished,
    numbers,
    reaches_target,
    read_results,
    read_table,
    with_spread,
)

NONE = "not reached"
MIN_SEEDS = 10  # that a record rests on


def ours(wanted: Callable[[str], bool], cost: Callable[[str], float], column: str = "accuracy") -> str:
    """Returns the recipe of least cost among those that are wanted and have seeds enough, in words."""
    names = [name for name in ALL_RECIPES if finished(name) and len(SEEDS[name]) >= MIN_SEEDS and wanted(name)]
    if not names:
        return NONE
    name = min(names, key=cost)
    score = with_spread(numbers(read_results(name), column))
    return f"`{name}`: {score} %, {size(name):,} parameters, {_epochs(ALL_RECIPES[name].num_epochs)}"


def others(wanted: Callable[[dict[str, str]], bool], cost: Callable[[dict[str, str]], float]) -> str:
    """Returns the published run of least cost among those that are wanted, in words."""
    rows = [row for row in read_table("published") if wanted(row)]
    if not rows:
        return NONE
    row = min(rows, key=cost)
    best = ", scored at its best epoch" if "best epoch" in row["note"] else ""
    return f"{row['name']}: {row['accuracy']} %, {int(row['parameters']):,} parameters, {_epochs(row['epochs'])}{best}"


def _epochs(number: int | str) -> str:
    return f"{number} epoch{'s' * (int(number) > 1)}"


def multiplications(name: str) -> int:
    """Returns how many multiplications a recipe's network needs for one image."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        ALL_RECIPES[name].model().eval()(torch.zeros(1, 1, 28, 28))
    return counter.get_total_flops() // 2  # it counts a multiplication and an addition


def size(name: str) -> int:
    """Returns how many parameters a recipe's network has, from its rows."""
    return int(read_results(name)[0]["parameters"])


def table() -> str:
    """Returns a row for each record, as Markdown."""

    def good(row: dict[str, str]) -> bool:
        return float(row["accuracy"]) >= TARGET

    rows = [
        (
            f"fewest parameters that reach {TARGET} %, one view",
            ours(reaches_target, size),
            others(good, lambda row: int(row["parameters"])),
        ),
        (
            "the same, 32 views",
            ours(lambda name: reaches_target(name, "views_accuracy"), size, "views_accuracy"),
            "not found",
        ),
        (
            f"fewest epochs that reach {TARGET} %, one view",
            ours(reaches_target, lambda name: ALL_RECIPES[name].num_epochs),
            others(good, lambda row: int(row["epochs"])),
        ),
    ]
    rows += [
        (
            f"most accurate below {limit:,} parameters, one view",
            ours(lambda name, limit=limit: size(name) < limit, lambda name: -accuracy_of(name)[0]),
            others(lambda row, limit=limit: int(row["parameters"]) < limit, lambda row: -float(row["accuracy"])),
        )
        for limit in (20_000, 10_000, 5_000)
    ]
    lines = ["| record | here, mean over seeds | best single run found elsewhere |", "| --- | --- | --- |"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows])


if __name__ == "__main__":
    print(table())
