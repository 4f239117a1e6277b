"""Trains recorded runs again and compares them to the last digit: `python -m measure.remake lesson --seeds 0`.

Each row is trained by its own settings, so trials repeat too: `python -m measure.remake trials --recipe smallest
--split validation --seeds 100`. The weights of a test run that is the same are kept, see `measure.weights`.
Runs repeat with the same instruction set, number of threads and commit; the row says which. (Commits 4d529dc and
db35738 changed the rounding of shared filters.) An AVX-512 machine repeats what was made with AVX2 under
`ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2`. The runs of a GPU that is not in this machine are left out.
"""

import argparse
import sys

import torch

from helpers.beyond.recipes import ALL_RECIPES
from measure.machine import find_device, of_devices_here
from measure.results import read_table, recipe_of
from measure.sweep import run, seeds_of
from measure.weights import save_weights

FIGURES = ("parameters", "epochs", "accuracy", "loss", "views_accuracy", "views_loss", "accuracies", "losses")


def differences(row: dict[str, str], again: dict[str, object]) -> list[str]:
    """Returns the figures that are not the same, in words."""
    return [f"{name} {row[name]}, now {again[name]}" for name in FIGURES if row[name] != str(again[name])]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m measure.remake", description=__doc__)
    parser.add_argument("name", help="of results/NAME.csv")
    parser.add_argument("--recipe", help="one of the table; all of them by default")
    parser.add_argument("--seeds", type=seeds_of, default=range(1), metavar="A-B")
    parser.add_argument("--split", choices=["validation", "test"], default="test")
    args = parser.parse_args()
    rows = [row for row in read_table(args.name) if row["split"] == args.split and int(row["seed"]) in args.seeds]
    rows = [row for row in rows if args.recipe in (None, row["recipe"])]
    if not rows:
        parser.error(f"results/{args.name}.csv has no such rows on the {args.split} split")
    rows = of_devices_here(rows)
    num_changed = 0
    for row in rows:
        torch.set_num_threads(int(row["threads"]))
        recipe = recipe_of(row)
        again, weights = run(recipe, int(row["seed"]), args.split, find_device(row["device"]))
        changes = differences(row, again)
        num_changed += bool(changes)
        if not changes and args.split == "test" and recipe == ALL_RECIPES[row["recipe"]]:
            save_weights(row["recipe"], int(row["seed"]), weights)
        print(f"{row['recipe']}, seed {row['seed']}: " + ("; ".join(changes) or "the same"), flush=True)
    print(f"{len(rows) - num_changed} of {len(rows)} runs are the same to the last digit")
    return int(num_changed > 0)


if __name__ == "__main__":
    sys.exit(main())
