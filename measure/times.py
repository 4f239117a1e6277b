"""How long recipes train, without the scoring: `python -m measure.times accurate`; none named times them all.

A time is that of one epoch, times their number. results/times.csv keeps a row per recipe, with what
it was measured on: let nothing else run meanwhile.
"""

import argparse
import csv
import io

import torch

from helpers.data import Split, load_mnist, mean_and_std
from helpers.files import write_whole
from helpers.recipes import RECIPES
from helpers.train import train_epoch
from measure.benchmark import seconds
from measure.results import RESULTS, read_table
from measure.sweep import commit


def time_training(name: str, train: Split, device: torch.device) -> dict[str, object]:
    """Trains a recipe for an epoch and returns its row of results/times.csv."""
    recipe = RECIPES[name]
    model, batches, optimizer, scheduler = recipe.set_up(train, *mean_and_std(train.images), seed=0, device=device)
    spent = recipe.num_epochs * seconds(train_epoch, model, batches, optimizer, scheduler)
    print(f"{name:24} {spent:7.1f} s for its {recipe.num_epochs} epochs", flush=True)
    return {
        "recipe": name,
        "seconds": f"{spent:.1f}",
        "device": device.type + (f" {torch.backends.cpu.get_cpu_capability()}" if device.type == "cpu" else ""),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "commit": commit(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m measure.times", description=__doc__)
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", help=f"of {', '.join(RECIPES)}")
    names = parser.parse_args().recipes or list(RECIPES)
    if unknown := set(names) - set(RECIPES):
        parser.error(f"no recipe {', '.join(sorted(unknown))}; there are {', '.join(RECIPES)}")
    device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else torch.device("cpu")
    train, _ = load_mnist()
    rows = {row["recipe"]: row for row in read_table("times")}
    rows |= {name: time_training(name, train, device) for name in names}
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[names[0]]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows.values())
    write_whole(RESULTS / "times.csv", text.getvalue().encode())


if __name__ == "__main__":
    main()
