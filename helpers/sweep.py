"""Trains recipes over seeds, a row per run: `python -m helpers.sweep notebook --seeds 0-9 --split test`.

A sweep that was killed goes on where it was. Several sweeps may run at once, also of the same
recipe: they share the runs among them.
"""

import argparse
import csv
import io
import platform
import statistics
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from helpers.data import Batches, hold_out, load_mnist, mean_and_std
from helpers.files import write_whole
from helpers.model import count_parameters
from helpers.recipes import RECIPES, Recipe
from helpers.train import fit, set_seed
from helpers.variants import VARIANTS

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results"


def run(recipe: Recipe, seed: int, split: str, device: torch.device | str) -> dict[str, object]:
    """Trains once and returns the figures of the final epoch, and the curves.

    Args:
        split: "validation" trains on 50,000 images and scores the 10,000 held out, for choosing;
            "test" trains on all 60,000 and scores the test set, for a finished choice.

    Raises:
        KeyboardInterrupt: training was interrupted; what is unfinished is not a result.
    """
    device, code = torch.device(device), commit()
    train, test = load_mnist()
    mean, std = recipe.normalize or mean_and_std(train.images)
    if split == "validation":
        train, test = hold_out(train)
    set_seed(seed)
    model = recipe.model().to(device, memory_format=torch.channels_last)
    batches = recipe.train_batches(train, mean, std, seed, device)
    test_batches = Batches(test, 1000, mean, std, device=device)
    optimizer, scheduler = recipe.optimizer(model, recipe.num_epochs * len(batches))
    start = time.perf_counter()
    history = fit(model, batches, test_batches, recipe.num_epochs, optimizer, scheduler)
    if len(history.test) < recipe.num_epochs:
        raise KeyboardInterrupt
    final = history.test[-1]
    return {
        "seed": seed,
        "split": split,
        "parameters": count_parameters(model),
        "epochs": recipe.num_epochs,
        "accuracy": f"{final.accuracy:.2f}",
        "loss": f"{final.loss:.5f}",
        "train_seconds": f"{sum(history.seconds):.1f}",
        "total_seconds": f"{time.perf_counter() - start:.1f}",
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else f"{device} {platform.machine()}",
        "threads": torch.get_num_threads(),
        "versions": f"python {platform.python_version()} torch {torch.__version__}",
        "commit": code,
        "accuracies": " ".join(f"{score.accuracy:.2f}" for score in history.test),
        "losses": " ".join(f"{score.loss:.5f}" for score in history.test),
    }


def commit() -> str:
    """Returns the commit of the code, marked if `helpers/` differs from it, or "unknown" outside git."""
    try:
        git = ["git", "-C", str(ROOT)]
        head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
        changes = subprocess.run([*git, "status", "--porcelain", "helpers"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head.stdout.strip() + ("-changed" if changes.stdout else "")


def recipes_of(name: str) -> dict[str, Recipe]:
    """Returns the recipes whose runs `results/NAME.csv` keeps."""
    return VARIANTS if name == "variants" else {name: RECIPES[name]}


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
    """Adds a row to `results/NAME.csv`, so that at any moment the file is whole."""
    path = RESULTS / f"{name}.csv"
    with FileLock(_locks() / name):
        text = io.StringIO(path.read_text() if path.exists() else "")
        is_new = text.seek(0, io.SEEK_END) == 0
        writer = csv.DictWriter(text, fieldnames=list(row), lineterminator="\n")
        if is_new:
            writer.writeheader()
        writer.writerow(row)
        write_whole(path, text.getvalue().encode())


def _locks() -> Path:
    folder = RESULTS / ".locks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def sweep(name: str, seeds: Sequence[int], split: str, device: torch.device | str) -> None:
    """Does the runs that are neither finished nor in the hands of another process."""
    for seed in seeds:
        for number, (variant, recipe) in enumerate(recipes_of(name).items()):
            title = f"{variant}, seed {seed}, {split} split"
            try:
                # A lock is free again as soon as its process ends, even if that was killed.
                with FileLock(_locks() / f"{name}-{number}-{seed}-{split}", blocking=False):
                    if (variant, str(seed)) in {(row["recipe"], row["seed"]) for row in read_results(name, split)}:
                        continue
                    print(title, flush=True)
                    figures = run(recipe, seed, split, device)
                    append_result(name, {"recipe": variant, **figures, "settings": str(recipe)})
            except Timeout:
                print(f"{title}: another process is at it", flush=True)
            except FloatingPointError as error:
                print(error, flush=True)


def mean_curve(name: str, column: str) -> list[tuple[int, float]]:
    """Returns (epoch, mean over the runs on the test split) of `accuracies` or `losses`."""
    runs = [map(float, row[column].split()) for row in read_results(name)]
    return [(epoch, statistics.mean(values)) for epoch, values in enumerate(zip(*runs, strict=True), start=1)]


def accuracy_of(name: str) -> tuple[float, float]:
    """Returns mean and standard deviation of the final test accuracy over the runs."""
    accuracies = [float(row["accuracy"]) for row in read_results(name)]
    return statistics.mean(accuracies), statistics.stdev(accuracies)


def read_table(name: str) -> list[dict[str, str]]:
    """Returns the rows of `results/NAME.csv`, whatever they are: "published" single runs, measured "times"."""
    with (RESULTS / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def summary(name: str, split: str = "test") -> list[str]:
    """Returns a row of the README's table for each recipe in `results/NAME.csv`: figures of the final epoch."""
    lines = []
    rows = read_results(name, split)
    for variant in recipes_of(name):
        runs = [row for row in rows if row["recipe"] == variant]
        if not runs:
            continue
        accuracies = [float(row["accuracy"]) for row in runs]
        spread = f" ± {statistics.stdev(accuracies):.3f}" if len(runs) > 1 else ""
        lines.append(
            f"| {variant} | {int(runs[0]['parameters']):,} | {runs[0]['epochs']} "
            f"| {statistics.mean(accuracies):.3f}{spread} % | {min(accuracies):.2f} % | {len(runs)} |"
        )
    return lines


def table(names: Iterable[str], split: str = "test") -> str:
    """Returns the rows of all named files under one head, as Markdown."""
    head = [
        "| recipe | parameters | epochs | final accuracy, mean ± std | least | n |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    return "\n".join(head + [line for name in names for line in summary(name, split)])


def _seeds(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def main() -> None:
    names = [*RECIPES, "variants"]
    parser = argparse.ArgumentParser(prog="python -m helpers.sweep", description=__doc__)
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", help=f"of {', '.join(names)}; none prints the table")
    parser.add_argument("--seeds", type=_seeds, default=range(1), metavar="A-B", help="a seed or a range, default 0")
    parser.add_argument("--split", choices=["validation", "test"], default="validation")
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    if unknown := set(args.recipes) - set(names):
        parser.error(f"no recipe {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    try:
        torch.zeros(1, device=args.device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        parser.error(f"device {args.device} cannot be used here, take cpu: {str(error).splitlines()[0]}")
    for name in args.recipes:
        sweep(name, args.seeds, args.split, args.device)
    print(table(args.recipes or (RECIPES if args.split == "test" else names), args.split))


if __name__ == "__main__":
    main()
