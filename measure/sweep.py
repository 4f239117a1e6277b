"""Trains recipes over seeds, a row per run: `python -m measure.sweep notebook --seeds 0-9 --split test`.

A sweep that was killed goes on where it was. Several sweeps may run at once, also of the same
recipe: they share the runs among them.
"""

import argparse
import time
from collections.abc import Sequence

import torch
from filelock import FileLock, Timeout

from helpers.data import Batches, hold_out, load_mnist, mean_and_std
from helpers.model import count_parameters
from helpers.recipes import RECIPES, Recipe
from helpers.train import evaluate, fit
from measure.machine import describe
from measure.results import append_result, locks, read_results, recipes_of, table
from measure.weights import Weights, save_weights


def run(recipe: Recipe, seed: int, split: str, device: torch.device | str) -> tuple[dict[str, object], Weights]:
    """Trains once and returns the figures of the final epoch with the curves, which are those of single views, and
    the weights.

    Args:
        split: "validation" trains on 50,000 images and scores the 10,000 held out, for choosing;
            "test" trains on all 60,000 and scores the test set, for a finished choice.

    Raises:
        KeyboardInterrupt: training was interrupted; what is unfinished is not a result.
    """
    device = torch.device(device)
    made_on = describe(device)  # now, since code may change while it trains
    train, test = load_mnist()
    mean, std = recipe.normalize or mean_and_std(train.images)  # the notebook's, on either split
    if split == "validation":
        train, test = hold_out(train)
    model, batches, optimizer, scheduler = recipe.set_up(train, mean, std, seed, device)
    test_batches = Batches(test, 1000, mean, std, device=device)
    start = time.perf_counter()
    history = fit(model, batches, test_batches, recipe.num_epochs, optimizer, scheduler)
    final = history.test[-1]
    if recipe.num_views > 1:
        views = Batches(test, 1000, mean, std, augment=recipe.augment(), device=device)
        final = evaluate(model, views, recipe.num_views)
    figures = {
        "seed": seed,
        "split": split,
        "parameters": count_parameters(model),
        "epochs": recipe.num_epochs,
        "accuracy": f"{final.accuracy:.2f}",
        "loss": f"{final.loss:.5f}",
        "train_seconds": f"{sum(history.seconds):.1f}",
        "total_seconds": f"{time.perf_counter() - start:.1f}",
        **made_on,
        "accuracies": " ".join(f"{score.accuracy:.2f}" for score in history.test),
        "losses": " ".join(f"{score.loss:.5f}" for score in history.test),
    }
    state = {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
    return figures, Weights(state, mean, std)


def sweep(name: str, seeds: Sequence[int], split: str, device: torch.device | str) -> None:
    """Does the runs that are neither finished nor in the hands of another process."""
    for seed in seeds:
        for number, (variant, recipe) in enumerate(recipes_of(name).items()):
            title = f"{variant}, seed {seed}, {split} split"
            try:
                # A lock is free again as soon as its process ends, even if that was killed.
                with FileLock(locks() / f"{name}-{number}-{seed}-{split}", blocking=False):
                    if (variant, str(seed)) in {(row["recipe"], row["seed"]) for row in read_results(name, split)}:
                        continue
                    print(title, flush=True)
                    figures, weights = run(recipe, seed, split, device)
                    if split == "test":
                        save_weights(variant, seed, weights)
                    append_result(name, {"recipe": variant, **figures, "settings": str(recipe)})
            except Timeout:
                print(f"{title}: another process is at it", flush=True)
            except FloatingPointError as error:
                print(error, flush=True)


def seeds_of(text: str) -> range:
    """Returns the seeds that "3" or "0-9" names."""
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def main() -> None:
    names = [*RECIPES, "variants", "weights"]
    parser = argparse.ArgumentParser(prog="python -m measure.sweep", description=__doc__)
    parser.add_argument(
        "recipes", nargs="*", metavar="RECIPE", help=f"of {', '.join(names)}; none prints the README's table"
    )
    parser.add_argument("--seeds", type=seeds_of, default=range(1), metavar="A-B", help="a seed or a range, default 0")
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
    print(table(args.recipes, args.split) if args.recipes else table(RECIPES))


if __name__ == "__main__":
    main()
