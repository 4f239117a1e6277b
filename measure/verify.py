"""Scores the kept weights of every recorded run again: `python -m measure.verify`, `--views` for the mean of views.

Unlike training, scoring hardly depends on the machine: what differs from its row by more than one image is printed,
and what has no weights. Views that a GPU drew are left out where that GPU is missing: its random numbers are its own.
`python -m measure.remake` trains again.
"""

import argparse
import sys
from collections.abc import Iterator

from helpers.beyond.augment import evaluate_views
from helpers.beyond.recipes import ALL_RECIPES
from helpers.data import Batches, Split, load_mnist
from helpers.model import to_device
from helpers.train import evaluate, set_seed
from measure.machine import find_device, of_devices_here
from measure.results import read_results
from measure.weights import load_weights


def difference(row: dict[str, str], test: Split, views: bool = False) -> float:
    """Returns by how many images the score of a run's weights differs from its row.

    Raises:
        FileNotFoundError: the weights were not kept.
    """
    name, seed = row["recipe"], int(row["seed"])
    model, mean, std = load_weights(name, seed)
    set_seed(seed)  # for the kernels that the run had
    recipe = ALL_RECIPES[name]
    if views:
        device = find_device(row["device"])
        batches = recipe.view_batches(test, mean, std, seed, device)
        score = evaluate_views(to_device(model, device), batches, recipe.num_views)
    else:
        score = evaluate(model, Batches(test, 100, mean, std))  # larger ones fetch new memory each time
    accuracy = float(row["views_accuracy" if views else "accuracy"])
    return round(abs(score.accuracy - accuracy) / 100 * score.total, 3)


def failures(rows: list[dict[str, str]], views: bool = False) -> Iterator[str]:
    """Yields a line for each row that its weights do not confirm."""
    _, test = load_mnist()
    for row in rows:
        try:
            if (images := difference(row, test, views)) > 1:
                yield f"{row['recipe']}, seed {row['seed']}: {images:g} images more or less than its row says"
        except FileNotFoundError as error:
            yield str(error)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m measure.verify", description=__doc__)
    parser.add_argument(
        "recipes", nargs="*", default=list(ALL_RECIPES), metavar="RECIPE", help=f"of {', '.join(ALL_RECIPES)}"
    )
    parser.add_argument("--views", action="store_true", help="score the mean of the views, where the row has one")
    args = parser.parse_args()
    if unknown := set(args.recipes) - set(ALL_RECIPES):
        parser.error(f"no recipe {', '.join(sorted(unknown))}; there are {', '.join(ALL_RECIPES)}")
    rows = [row for name in args.recipes for row in read_results(name) if not args.views or row["views_accuracy"]]
    if args.views:
        rows = of_devices_here(rows)
    num_failed = 0
    for line in failures(rows, args.views):
        num_failed += 1
        print(line, flush=True)
    print(f"{len(rows) - num_failed} of {len(rows)} runs are confirmed by their weights")
    return int(num_failed > 0)


if __name__ == "__main__":
    sys.exit(main())
