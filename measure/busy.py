"""A training step on idle and on busy cores, by how threads are set: `python -m measure.busy`.

Each setting trains the lesson's network in a process of its own, alone and beside processes that only compute.
Settings take turns; the median over the rounds is printed. Let nothing else run meanwhile.
"""

import argparse
import os
import subprocess
import sys
from statistics import median

from helpers.cores import available_cores
from measure.machine import ROOT

ALL = {"OMP_NUM_THREADS": str(available_cores())}
SETTINGS = {
    "a thread for each core": ALL,
    "the same, waiting passively": ALL | {"OMP_WAIT_POLICY": "PASSIVE"},
    "the same, spinning 10,000 times": ALL | {"GOMP_SPINCOUNT": "10000"},
    "half of the cores (ours)": {},
}
STEPS = """
import statistics, time
import helpers
from helpers.data import Split, load_mnist, mean_and_std
from helpers.recipes import RECIPES
from helpers.train import train_epoch

train, _ = load_mnist()
split = Split(*(part[:12800] for part in train))
model, batches, optimizer, _ = RECIPES["lesson"].set_up(split, *mean_and_std(train.images), 0, "cpu")
times = []

class Clocked:
    def __iter__(self):
        for batch in batches:
            times.append(time.perf_counter())
            yield batch

train_epoch(model, Clocked(), optimizer)
print("\\nmilliseconds", 1000 * statistics.median(b - a for a, b in zip(times[20:], times[21:])))
"""
BUSY = "import math\nwhile True: math.sqrt(2.0)"


def step_time(variables: dict[str, str], num_others: int) -> float:
    """Returns the milliseconds of a step, the median of 80, beside `num_others` processes that compute."""
    known = {name for setting in SETTINGS.values() for name in setting}
    environment = {name: value for name, value in os.environ.items() if name not in known}
    others = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(num_others)]
    try:
        command = [sys.executable, "-c", STEPS]
        settings = {"cwd": ROOT, "env": environment | variables, "capture_output": True, "text": True}
        return float(subprocess.run(command, check=True, **settings).stdout.split()[-1])
    finally:
        for other in others:
            other.kill()
            other.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m measure.busy", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds, cores = max(1, parser.parse_args().rounds), available_cores()
    crowds = (0, 1, cores)
    times = {(name, crowd): [] for name in SETTINGS for crowd in crowds}
    for _ in range(rounds):
        for name, crowd in times:
            times[name, crowd].append(step_time(SETTINGS[name], crowd))
    print(f"a step of the lesson's network in ms, {cores} cores; median of {rounds}, least to most")
    print(f"{'other processes:':34}" + "".join(f"{crowd:>22}" for crowd in crowds))
    for name in SETTINGS:
        cells = [times[name, crowd] for crowd in crowds]
        print(f"{name:34}" + "".join(f"{f'{median(c):.0f} ({min(c):.0f} to {max(c):.0f})':>22}" for c in cells))


if __name__ == "__main__":
    main()
