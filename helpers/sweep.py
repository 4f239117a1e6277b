"""Trains recipes over seeds and keeps a row per run: `python -m helpers.sweep notebook --seeds 0-4`."""

import argparse
import csv
import platform
import statistics
import time
from pathlib import Path

import torch

from helpers.data import Batches, hold_out, load_mnist, mean_and_std
from helpers.model import count_parameters
from helpers.recipes import RECIPES, Recipe
from helpers.train import fit, set_seed

RESULTS = Path(__file__).resolve().parents[1] / "results"


def run(recipe: Recipe, seed: int, split: str, device: str) -> dict[str, object]:
    """Trains once and returns what `results/` keeps of it; the accuracy is that of the final epoch.

    Args:
        split: "validation" trains on 50,000 images and scores the 10,000 held out, for choosing;
            "test" trains on all 60,000 and scores the test set, for a finished choice.
    """
    train, test = load_mnist()
    mean, std = mean_and_std(train.images)
    if split == "validation":
        train, test = hold_out(train)
    set_seed(seed)
    model = recipe.model().to(device, memory_format=torch.channels_last)
    batches = recipe.train_batches(train, mean, std, seed, device)
    optimizer, scheduler = recipe.optimizer(model, recipe.num_epochs * len(batches))
    start = time.perf_counter()
    test_batches = Batches(test, 1000, mean, std, device=device)
    history = fit(model, batches, test_batches, recipe.num_epochs, optimizer, scheduler)
    final = history.test[-1]
    return {
        "seed": seed,
        "split": split,
        "parameters": count_parameters(model),
        "epochs": len(history.test),
        "accuracy": f"{final.accuracy:.2f}",
        "loss": f"{final.loss:.5f}",
        "train_seconds": f"{sum(history.seconds):.1f}",
        "total_seconds": f"{time.perf_counter() - start:.1f}",
        "device": torch.cuda.get_device_name() if device == "cuda" else f"{device} {platform.machine()}",
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "accuracies": " ".join(f"{score.accuracy:.2f}" for score in history.test),
        "losses": " ".join(f"{score.loss:.4f}" for score in history.test),
    }


def read_results(name: str) -> list[dict[str, str]]:
    """Returns the rows of `results/NAME.csv`, none if there is no such file."""
    path = RESULTS / f"{name}.csv"
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def mean_curve(name: str, column: str) -> list[tuple[int, float]]:
    """Returns (epoch, mean over the runs on the test split) of `accuracies` or `losses`."""
    runs = [map(float, row[column].split()) for row in read_results(name) if row["split"] == "test"]
    return [(epoch, statistics.mean(values)) for epoch, values in enumerate(zip(*runs, strict=True), start=1)]


def append_result(name: str, row: dict[str, object]) -> None:
    """Adds a row to `results/NAME.csv`, which begins with a header."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.csv"
    is_new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(row))
        if is_new:
            writer.writeheader()
        writer.writerow(row)


def summary(split: str = "test") -> str:
    """Returns the README's table: final accuracy on `split` as mean, spread and least, per recipe."""
    lines = [
        "| recipe | parameters | epochs | final accuracy, mean ± std | least | n |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name in RECIPES:
        rows = [row for row in read_results(name) if row["split"] == split]
        if not rows:
            continue
        accuracies = [float(row["accuracy"]) for row in rows]
        spread = f" ± {statistics.stdev(accuracies):.2f}" if len(rows) > 1 else ""
        lines.append(
            f"| {name} | {int(rows[0]['parameters']):,} | {rows[0]['epochs']} "
            f"| {statistics.mean(accuracies):.2f}{spread} % | {min(accuracies):.2f} % | {len(rows)} |"
        )
    return "\n".join(lines)


def _seeds(text: str) -> list[int]:
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m helpers.sweep", description=__doc__)
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", help=f"of {', '.join(RECIPES)}; none prints the table")
    parser.add_argument("--seeds", type=_seeds, default=[0], metavar="A-B", help="a seed or a range, default 0")
    parser.add_argument("--split", choices=["validation", "test"], default="validation")
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    if unknown := set(args.recipes) - set(RECIPES):
        parser.error(f"no recipe {', '.join(sorted(unknown))}; there are {', '.join(RECIPES)}")
    for name in args.recipes:
        done = {(row["seed"], row["split"]) for row in read_results(name)}
        for seed in args.seeds:
            if (str(seed), args.split) in done:
                continue
            print(f"{name}, seed {seed}, {args.split} split", flush=True)
            append_result(name, run(RECIPES[name], seed, args.split, args.device))
    print(summary(args.split))


if __name__ == "__main__":
    main()
