"""Trains recipes over seeds, a row per run: `python -m measure.sweep lesson --split test`.

Trials are made on images held out of the training set, with seeds from 100 on, and any setting can be changed:
`python -m measure.sweep smallest --set lr=0.1 --set fade=4 --seeds 100-102` adds rows to results/trials.csv. The test
set scores finished recipes, with the seeds that `measure.results.SEEDS` names. A sweep that was killed goes on
after its last finished epoch. Several sweeps may run at once, also of the same recipe: they share the runs among them.
"""

import argparse
import re
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from math import isfinite
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from helpers.beyond.augment import evaluate_views
from helpers.beyond.recipes import ALL_RECIPES, ConvNetRecipe
from helpers.data import Batches, hold_out, load_mnist
from helpers.model import count_parameters
from helpers.recipes import NETWORKS, Recipe
from helpers.train import fit
from measure.machine import describe
from measure.results import (
    OTHERS,
    SEEDS,
    append_result,
    check_columns,
    check_writable,
    locks,
    num_views_of,
    read_results,
    read_table,
    recipe_of,
    recipes_of,
    table,
    trials,
    value_of,
)
from measure.weights import Weights, path_of, save_weights

# Of the tables of runs, in order.
COLUMNS = ("recipe", "changes", "seed", "split", "parameters", "epochs", "accuracy", "loss", "views_accuracy")
COLUMNS += ("views_loss", "train_seconds", "total_seconds", "device", "cpu_capability", "threads", "versions")
COLUMNS += ("commit", "accuracies", "losses", "settings")
FIRST_TRIAL = 100  # seeds from here on are for trials on held-out images, those below for the test set


def run(
    recipe: Recipe, seed: int, split: str, device: torch.device | str, checkpoint: Path | None = None
) -> tuple[dict[str, object], Weights]:
    """Trains once and returns the figures of the final epoch, the curves, and the weights.

    All are of single views, but for `views_accuracy` and `views_loss`, which are empty if the recipe has one view.

    Args:
        split: "validation" trains on 50,000 images and scores the 10,000 held out, for choosing;
            "test" trains on all 60,000 and scores the test set, for a finished choice.
        checkpoint: a file that keeps the run after each epoch, and from which it goes on if it was cut off.

    Raises:
        KeyboardInterrupt: training was interrupted; what is unfinished is not a result.
    """
    device = torch.device(device)
    made_on = describe(device)  # now, since code may change while it trains
    train, test = load_mnist()
    if split == "validation":
        train, test = hold_out(train)
    mean, std = recipe.normalization(train.images)
    test_batches = Batches(test, 1000, mean, std, device=device)
    kept = {"checkpoint": checkpoint, "settings": recipe.settings(seed=seed, split=split, **made_on)}
    kept["label_smoothing"] = recipe.label_smoothing
    start = time.perf_counter()
    while True:
        model, batches, *others = recipe.set_up(train, mean, std, seed, device)
        was_kept = checkpoint is not None and checkpoint.exists()
        try:
            history = fit(model, batches, test_batches, recipe.num_epochs, *others, **kept)
            break
        except ValueError as error:
            if not was_kept:
                raise
            print(f"Training from the start, since {error}", flush=True)
            checkpoint.unlink()
    final, views = history.test[-1], None
    if not isfinite(final.loss):
        raise FloatingPointError(f"the test loss is {final.loss}: training has diverged")
    if num_views_of(recipe) > 1:
        views = evaluate_views(model, recipe.view_batches(test, mean, std, seed, device), recipe.num_views)
    figures = {
        "seed": seed,
        "split": split,
        "parameters": count_parameters(model),
        "epochs": recipe.num_epochs,
        "accuracy": f"{final.accuracy:.2f}",
        "loss": f"{final.loss:.5f}",
        "views_accuracy": f"{views.accuracy:.2f}" if views else "",
        "views_loss": f"{views.loss:.5f}" if views else "",
        "train_seconds": f"{sum(history.seconds):.1f}",
        # Of a run that was cut off, the clock has seen the last part alone.
        "total_seconds": f"{max(time.perf_counter() - start, sum(history.seconds)):.1f}",
        **made_on,
        "accuracies": " ".join(f"{score.accuracy:.2f}" for score in history.test),
        "losses": " ".join(f"{score.loss:.5f}" for score in history.test),
    }
    state = {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
    return figures, Weights(state, mean, std)


def sweep(
    name: str, seeds: Sequence[int], split: str, device: torch.device | str, changes: Mapping[str, object] | None = None
) -> None:
    """Does the runs that are neither finished nor in the hands of another process.

    Args:
        changes: settings of the recipe that are other than its own, for a trial.

    Raises:
        ValueError: a seed of the other split; a change of what the test set scores, or what is no finished recipe;
            a change of a setting that the recipe does not have; or a table or folder that cannot be written.
    """
    changes, recipes = changes or {}, recipes_of(name)
    _check(name, seeds, split, changes)
    for seed in seeds:
        for variant, recipe in recipes.items():
            _run_once(name, variant, replace(recipe, **changes), seed, split, device, changes)


def _check(name: str, seeds: Sequence[int], split: str, changes: Mapping[str, object]) -> None:
    """Raises what `sweep` raises, before anything is trained."""
    if split == "test" and (changes or name not in SEEDS):
        raise ValueError(
            "the test set scores finished recipes only: write the settings into helpers/beyond/recipes.py "
            "and the seeds into measure.results.SEEDS first, or use --split validation"
        )
    if wrong := [seed for seed in seeds if (seed < FIRST_TRIAL if split == "validation" else seed not in SEEDS[name])]:
        raise ValueError(
            f"seed {wrong[0]} is not one of the {split} split: trials on held-out images take seeds from {FIRST_TRIAL} "
            "on, the test set those of measure.results.SEEDS, so that no score is of a seed that served for choosing"
        )
    known = {field.name for recipe in recipes_of(name).values() for field in fields(recipe)}
    if unknown := [setting for setting in changes if setting not in known]:
        raise ValueError(f"{name} has no setting {unknown[0]}, which only recipes of a `ConvNet` have")
    if "network" in changes and any(type(recipe) is not Recipe for recipe in recipes_of(name).values()):
        raise ValueError(f"{name} has a network of its own kind, which its other settings change")
    file = file_of(name, split)
    check_writable(file, *[path_of(name, 0).parent] * (split == "test"))
    check_columns(file, columns_of(file))


def _run_once(
    name: str,
    variant: str,
    recipe: Recipe,
    seed: int,
    split: str,
    device: torch.device | str,
    changes: Mapping[str, object],
) -> None:
    """Makes one row, unless it is there or another process makes it."""
    file = file_of(name, split)
    key = {"recipe": variant, "seed": str(seed), "split": split}
    changed = " ".join(f"{setting}={value}" for setting, value in changes.items())
    title = " ".join(filter(None, [f"{variant}, seed {seed}, {split} split", changed]))
    place = locks() / f"{file}-{zlib.crc32(f'{key}{recipe}'.encode())}"
    checkpoint = place.with_suffix(".pt")
    try:
        with FileLock(place, blocking=False):  # free again as soon as its process ends, even if that was killed
            rows = read_table(file) if file == "trials" else read_results(name, split)
            if any(key.items() <= row.items() and recipe_of(row) == recipe for row in rows):
                return
            print(title, flush=True)
            figures, weights = run(recipe, seed, split, device, checkpoint)
            if split == "test" and name in ALL_RECIPES:
                save_weights(variant, seed, weights)
            row = {"recipe": variant, "changes": changed, **figures, "settings": str(recipe)}
            append_result(file, {column: row[column] for column in columns_of(file)})
            checkpoint.unlink(missing_ok=True)
    except Timeout:
        print(f"{title}: another process is at it", flush=True)
    except FloatingPointError as error:
        checkpoint.unlink(missing_ok=True)
        print(error, flush=True)


def columns_of(file: str) -> list[str]:
    """Returns the columns of a table of runs; trials say what they changed."""
    return [column for column in COLUMNS if column != "changes" or file == "trials"]


def file_of(name: str, split: str) -> str:
    """Returns the table in results/ that a run's row belongs to: trials of all recipes share one."""
    return "trials" if split == "validation" and name != "variants" else name


def change(text: str) -> tuple[str, object]:
    """Returns the setting and the value that "lr=0.1" gives it.

    Raises:
        ArgumentTypeError: recipes have no such setting, or there is no value, or no number where one is needed.
    """
    name, equals, value = text.partition("=")
    types = {field.name: field.type for field in fields(ConvNetRecipe)}
    if name not in types or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not SETTING=VALUE; settings are {', '.join(types)}")
    value = value_of(value)
    whole = isinstance(value, int) and not isinstance(value, bool)
    if name == "network" and value not in NETWORKS:
        raise argparse.ArgumentTypeError(f"network is one of {', '.join(NETWORKS)}, got {value!r}")
    if types[name] is float and not whole and not (isinstance(value, float) and isfinite(value)):
        raise argparse.ArgumentTypeError(f"{name} is a number, got {value!r}")
    if types[name] is int and (not whole or value < 1):
        raise argparse.ArgumentTypeError(f"{name} is a whole number from 1 on, got {value!r}")
    if types[name] is bool and not isinstance(value, bool):
        raise argparse.ArgumentTypeError(f"{name} is True or False, got {value!r}")
    return name, value


def seeds_of(text: str) -> range:
    """Returns the seeds that "3" or "0-9" names."""
    match = re.fullmatch(r"(\d+)(?:-(\d+))?", text, re.ASCII)
    seeds = range(int(match[1]), int(match[2] or match[1]) + 1) if match else []
    if not seeds:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no seed and no range from a seed to a larger one, as in 3 or 0-9"
        )
    return seeds


def main() -> None:
    names = [*ALL_RECIPES, *OTHERS]
    parser = argparse.ArgumentParser(prog="python -m measure.sweep", description=__doc__)
    parser.add_argument(
        "recipes", nargs="*", metavar="RECIPE", help=f"of {', '.join(names)}; none prints the README's table"
    )
    parser.add_argument("--split", choices=["validation", "test"], default="validation")
    parser.add_argument(
        "--seeds",
        type=seeds_of,
        metavar="A-B",
        help=f"a seed or a range; default {FIRST_TRIAL}, or all for the test set",
    )
    parser.add_argument("--set", type=change, action="append", default=[], dest="changes", metavar="SETTING=VALUE")
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    if unknown := set(args.recipes) - set(names):
        parser.error(f"no recipe {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    try:
        torch.zeros(1, device=args.device).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        parser.error(f"device {args.device} cannot be used here, take cpu: {str(error).splitlines()[0]}")
    try:
        for name in args.recipes:
            seeds = args.seeds or (SEEDS.get(name, []) if args.split == "test" else [FIRST_TRIAL])
            sweep(name, seeds, args.split, args.device, dict(args.changes))
    except ValueError as error:
        parser.error(str(error))
    if args.split == "validation" and args.recipes:
        print(trials(args.recipes))
    else:
        print(table(args.recipes or ALL_RECIPES))


if __name__ == "__main__":
    main()
