"""How long recipes train, without the scoring: `python -m measure.times accurate`; none named times them all.

Whole runs, after some steps that warm up the machine. results/times.csv keeps a row for each recipe
and device, with the median and the range: let nothing else run meanwhile.
"""

import argparse
from statistics import median

import torch

from helpers.beyond.recipes import ALL_RECIPES
from helpers.data import Batches, Split, load_mnist, mean_and_std
from helpers.recipes import Recipe
from helpers.train import evaluate, train_epoch
from measure.machine import best_device, describe, seconds
from measure.results import read_table, write_table

WARM_UP = 5000  # images that are trained on before the clock runs


def time_runs(
    recipe: Recipe, train: Split, test: Split, device: torch.device, repeats: int
) -> tuple[list[float], float]:
    """Trains a recipe several times; returns the seconds of each run and the accuracy of the last, one view."""
    mean, std = mean_and_std(train.images)

    def run(split: Split, num_epochs: int) -> tuple[float, torch.nn.Module]:
        model, batches, optimizer, scheduler = recipe.set_up(split, mean, std, seed=0, device=device)
        more = {"label_smoothing": recipe.label_smoothing}
        return sum(seconds(train_epoch, model, batches, optimizer, scheduler, **more) for _ in range(num_epochs)), model

    run(Split(train.images[:WARM_UP], train.labels[:WARM_UP]), 1)
    runs = [run(train, recipe.num_epochs) for _ in range(repeats)]
    return [spent for spent, _ in runs], evaluate(runs[-1][1], Batches(test, 1000, mean, std, device=device)).accuracy


def row_of(name: str, times: list[float], device: torch.device) -> dict[str, object]:
    """Returns the row of results/times.csv."""
    figures = {"seconds": median(times), "least": min(times), "most": max(times)}
    return {"recipe": name, **{key: f"{t:.1f}" for key, t in figures.items()}, "n": len(times), **describe(device)}


def key_of(row: dict[str, object]) -> tuple[object, ...]:
    """Returns what a row is the row of: a new one with the same key takes its place."""
    return row["recipe"], row["device"], row["cpu_capability"]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m measure.times", description=__doc__)
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", help=f"of {', '.join(ALL_RECIPES)}")
    parser.add_argument("--repeats", type=int, default=3, help="whole runs of each recipe, 3 or more")
    args = parser.parse_args()
    names, device = args.recipes or list(ALL_RECIPES), best_device()
    if unknown := set(names) - set(ALL_RECIPES):
        parser.error(f"no recipe {', '.join(sorted(unknown))}; there are {', '.join(ALL_RECIPES)}")
    if args.repeats < 3:
        parser.error(f"a median and a range need 3 runs or more, got {args.repeats}")
    train, test = load_mnist()
    for name in names:
        times, _ = time_runs(ALL_RECIPES[name], train, test, device, args.repeats)
        row = row_of(name, times, device)
        print(line_of(row), flush=True)
        kept = [old for old in read_table("times") if key_of(old) != key_of(row)]
        write_table("times", [*kept, row])


def line_of(row: dict[str, object]) -> str:
    """Returns a row as the README quotes it."""
    number = ALL_RECIPES[str(row["recipe"])].num_epochs
    epochs = f"{number:2} epoch{'s' if number > 1 else ' '}"
    spread = f"{row['least']} to {row['most']}, n = {row['n']}"
    place = f"{row['device']} {row['cpu_capability']}, {row['threads']} threads"
    return f"{row['recipe']:10} {row['seconds']:>6} s for its {epochs} ({spread})   {place}"


if __name__ == "__main__":
    main()
