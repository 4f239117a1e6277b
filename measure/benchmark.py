"""Where the time goes, in one run on one machine: `python -m measure.benchmark`.

Compares our batches with the usual pipeline: torchvision's MNIST with ToTensor and Normalize on PIL
images, in a DataLoader with two workers; with augmentation, RandomAffine comes first, and both draw
rotation, shift, scale and shear within the same bounds. Then it takes the training of `fastest` apart
and compares it with the machine's rate of matrix products.
"""

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from importlib.metadata import version
from itertools import chain, repeat
from statistics import median

import torch
import torch.nn.functional as F
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode

from helpers.beyond.recipes import ALL_RECIPES
from helpers.data import Split, load_mnist, mean_and_std
from helpers.download import data_root
from helpers.model import to_device
from helpers.train import train_epoch
from measure.machine import best_device, describe, seconds, wait
from measure.times import time_runs

FASTEST, BASELINE = ALL_RECIPES["fastest"], ALL_RECIPES["baseline"]
NUM_STEPS = 100  # taken apart

# What the profiler calls the work of a step. The first name that is part of an operator's counts.
OPERATORS = {
    "convolution": "convolutions",
    "batch_norm": "batch norm",
    "pool": "max pooling",
    "silu": "SiLU",
    "grid_sampler": "augmentation: sampling",
}


def usual_batches(mean: float, std: float, augmented: bool) -> DataLoader:
    """Returns the usual pipeline with the baseline's batch size; augmented, with the bounds of `fastest`."""
    from torchvision import datasets, transforms  # slow to import

    shift, scale = FASTEST.shift / 28, FASTEST.scale
    augment = transforms.RandomAffine(
        FASTEST.degrees,
        translate=(shift, shift),
        scale=(1 - scale, 1 + scale),
        shear=FASTEST.shear,
        interpolation=transforms.InterpolationMode.BILINEAR,
    )
    steps = [transforms.ToTensor(), transforms.Normalize((mean,), (std,))]
    transform = transforms.Compose([augment, *steps] if augmented else steps)
    dataset = datasets.MNIST(data_root(), transform=transform)
    return DataLoader(dataset, BASELINE.batch_size, shuffle=True, num_workers=2)


def read_epoch(batches: Iterable, device: torch.device) -> None:
    """Brings every batch to the device and does nothing with it."""
    for images, _ in batches:
        images.to(device)


def train_baseline(batches: Iterable, device: torch.device) -> None:
    """Trains the baseline network for one epoch."""
    model = to_device(BASELINE.model(), device)
    on_device = ((images.to(device), labels.to(device)) for images, labels in batches)
    train_epoch(model, on_device, BASELINE.optimizer(model))


def compare_pipelines(train: Split, mean: float, std: float, device: torch.device, repeats: int) -> float:
    """Prints both pipelines' times and returns the usual one's for an epoch of the baseline network."""
    works = (
        ("augmented batches", read_epoch, replace(FASTEST, batch_size=BASELINE.batch_size)),
        ("an epoch of the baseline", train_baseline, BASELINE),
    )
    for title, work, recipe in works:
        ours = recipe.train_batches(train, mean, std, seed=0, device=device)
        pipelines = {"ours": ours, "usual": usual_batches(mean, std, augmented=recipe is not BASELINE)}
        times = {name: [] for name in pipelines}
        for _ in range(repeats):
            for name, batches in pipelines.items():
                times[name].append(seconds(work, batches, device))
        ours, usual = (median(times[name]) for name in pipelines)
        rates = f"{len(train.images) / ours:9,.0f} and {len(train.images) / usual:6,.0f} images/s"
        print(f"{title:25} ours {ours:7.2f} s   usual {usual:7.2f} s   ratio {usual / ours:5.1f}   {rates}", flush=True)
    return usual


def take_apart(train: Split, mean: float, std: float, device: torch.device) -> None:
    """Prints the share of each part of a step of `fastest`, then of each kind of operator, beside a matrix product."""
    model, batches, optimizer, scheduler = FASTEST.set_up(train, mean, std, seed=0, device=device)
    source, spent = chain.from_iterable(repeat(batches)), Counter()

    def part(name: str, function: Callable):
        wait()
        start = time.perf_counter()
        result = function()
        wait()
        spent[name] += time.perf_counter() - start
        return result

    def step() -> None:
        images, labels = part("batch and augmentation", lambda: next(source))
        loss = part("forward", lambda: F.cross_entropy(model(images), labels))
        part("backward", lambda: (optimizer.zero_grad(), loss.backward()))
        part("optimizer and schedule", lambda: (optimizer.step(), scheduler.step()))

    for _ in range(10):  # the first steps choose kernels and fill caches
        step()
    spent.clear()
    for _ in range(NUM_STEPS):
        step()
    total = spent.total() / NUM_STEPS
    print(f"\na step of fastest, {FASTEST.batch_size} images: {1000 * total:.1f} ms")
    for name, value in spent.items():
        print(f"  {name:32} {value / spent.total():6.1%}")

    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device.type == "cuda" else [])]
    with profile(activities=activities) as profiler:
        for _ in range(20):
            step()
    key = "self_device_time_total" if device.type == "cuda" else "self_cpu_time_total"
    kinds = Counter()
    for event in profiler.key_averages():
        # A kernel's time is that of the operator that started it, and listed once more as the kernel's own.
        if event.device_type == DeviceType.CPU:
            kind = next((kind for word, kind in OPERATORS.items() if word in event.key.lower()), "all the rest")
            kinds[kind] += getattr(event, key)
    print("the same by kind of operator:")
    for kind, value in kinds.most_common():
        print(f"  {kind:32} {value / kinds.total():6.1%}")

    with FlopCounterMode(display=False) as counter:
        images, labels = next(source)
        F.cross_entropy(model(images), labels).backward()
    rate = matmul_rate(device)
    work = counter.get_total_flops()
    at_that_rate = work / rate
    ratio = total / at_that_rate
    print(
        f"beside a 1024 x 1024 product, {rate / 1e9:.0f} GFLOP/s: the {work / 1e9:.2f} GFLOP of convolutions in a step "
        f"would take {1000 * at_that_rate:.1f} ms at that rate;\nthe step takes {ratio:.1f} times as long, "
        f"its convolutions alone {ratio * kinds['convolutions'] / kinds.total():.1f} times"
    )


def matmul_rate(device: torch.device, size: int = 1024, repeats: int = 20) -> float:
    """Returns the best rate seen of a float32 matrix product, in FLOP/s."""
    a, b = torch.randn(2, size, size, device=device)
    return max(2 * size**3 / seconds(torch.mm, a, b) for _ in range(repeats))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m measure.benchmark", description=__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="the two pipelines take turns; medians are printed")
    repeats, device = max(1, parser.parse_args().repeats), best_device()
    train, test = load_mnist()
    mean, std = mean_and_std(train.images)
    place = describe(device)
    print(
        f"{place['device']} {place['cpu_capability']}, {place['threads']} threads, torch {torch.__version__}, "
        f"torchvision {version('torchvision')}, median of {repeats}, 60,000 images"
    )
    usual = compare_pipelines(train, mean, std, device, repeats)
    usual_run = BASELINE.num_epochs * usual
    times, accuracy = time_runs(FASTEST, train, test, device, repeats)
    print(
        f"fastest: {accuracy:.2f} % after its epoch, {median(times):.1f} s of training, "
        f"{min(times):.1f} to {max(times):.1f} s;\n{BASELINE.num_epochs} epochs of the baseline in the usual "
        f"pipeline, {usual:.1f} s each (computed, not run), take {usual_run / median(times):.0f} times as long"
    )
    take_apart(train, mean, std, device)


if __name__ == "__main__":
    main()
