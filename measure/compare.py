"""How long a recipe trains, compared with an earlier commit: `python -m measure.compare 01a9e34 fastest`.

Or with another recipe, such as the best known sprint: `python -m measure.compare sprint fastest`. Whole runs of both,
alternating, each in a process of its own; results/comparisons.csv keeps a row for each pair. Let nothing else run
meanwhile.
"""

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path
from statistics import median

from torch import get_num_threads

from helpers.beyond.recipes import ALL_RECIPES
from helpers.download import data_root
from measure.machine import ROOT, best_device, describe
from measure.results import append_result

# What both commits know. The first images warm up the machine.
RUN = """
import sys, time
from helpers.data import Split, load_mnist, mean_and_std
from helpers.train import train_epoch

try:
    from helpers.beyond.recipes import ALL_RECIPES as recipes
except ImportError:  # an earlier commit
    from helpers.recipes import RECIPES as recipes
if sys.argv[1] not in recipes:
    from measure.results import recipes_of

    recipes = recipes_of(sys.argv[1])

recipe, device = recipes[sys.argv[1]], sys.argv[2]
train, _ = load_mnist()
numbers = mean_and_std(train.images)
model, batches, optimizer, scheduler = recipe.set_up(Split(*(part[:5000] for part in train)), *numbers, 0, device)
more = {"label_smoothing": recipe.label_smoothing} if getattr(recipe, "label_smoothing", 0) else {}
train_epoch(model, batches, optimizer, scheduler, **more)
model, batches, optimizer, scheduler = recipe.set_up(train, *numbers, 0, device)
start = time.perf_counter()
for _ in range(recipe.num_epochs):
    train_epoch(model, batches, optimizer, scheduler, **more)  # it reads the loss, so the device has finished
print(f"\\nseconds {time.perf_counter() - start}")
"""


def seconds_of_run(folder: Path, name: str, device: str) -> float:
    """Trains a recipe with the code in `folder` and returns the seconds, without loading and scoring."""
    # Both with as many threads: earlier commits took as many as there are cores.
    environment = os.environ | {"MNIST_DATA": str(data_root().absolute()), "OMP_NUM_THREADS": str(get_num_threads())}
    command = [sys.executable, "-c", RUN, name, device]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{name} cannot be trained with the code of {folder}:\n{done.stderr.strip()[-500:]}")
    return float(done.stdout.split()[-1])


def summary(pairs: list[tuple[float, float]]) -> str:
    """Returns medians and ranges of (earlier, now), in seconds, and of their ratios."""
    columns = {"earlier": [old for old, _ in pairs], "now": [new for _, new in pairs]}
    ratios = [new / old for old, new in pairs]
    times = [f"{name} {median(t):.1f} s ({min(t):.1f} to {max(t):.1f})" for name, t in columns.items()]
    return f"{', '.join(times)}, ratio {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}), n = {len(pairs)}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m measure.compare", description=__doc__)
    parser.add_argument("earlier", help="a commit, or another recipe: sprint is the best known one of others")
    parser.add_argument("recipe", choices=list(ALL_RECIPES), metavar="RECIPE", help=f"of {', '.join(ALL_RECIPES)}")
    parser.add_argument("--runs", type=int, default=10, help="of each")
    args = parser.parse_args()
    is_recipe = args.earlier in (*ALL_RECIPES, "sprint")
    device, pairs = best_device(), []
    with tempfile.TemporaryDirectory() as folder:
        earlier = (ROOT, args.earlier) if is_recipe else (Path(folder), args.recipe)
        if not is_recipe:
            code = subprocess.run(["git", "-C", ROOT, "archive", args.earlier], capture_output=True, check=False)
            if code.returncode:
                parser.error(f"git knows no commit {args.earlier}: {code.stderr.decode().strip()}")
            with tarfile.open(fileobj=BytesIO(code.stdout)) as archive:
                archive.extractall(folder, filter="data")
        for _ in range(max(1, args.runs)):
            old, new = (seconds_of_run(*run, device.type) for run in (earlier, (ROOT, args.recipe)))
            pairs.append((old, new))
            print(f"earlier {old:6.1f} s   now {new:6.1f} s   ratio {new / old:.2f}", flush=True)
            times = {"earlier_seconds": f"{old:.2f}", "seconds": f"{new:.2f}"}
            append_result("comparisons", {"recipe": args.recipe, "earlier": args.earlier, **times, **describe(device)})
    print(summary(pairs))


if __name__ == "__main__":
    main()
