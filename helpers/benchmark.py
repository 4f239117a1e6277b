"""Compares our batches with the usual pipeline, in one run on one machine: `python -m helpers.benchmark`.

The usual pipeline is torchvision's MNIST with RandomAffine, ToTensor and Normalize on PIL images,
in a DataLoader with two workers. Both draw rotation, shift, scale and shear within the same bounds.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable, Iterable

import torch
import torchvision
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from helpers.data import load_mnist, mean_and_std
from helpers.download import data_root
from helpers.recipes import RECIPES
from helpers.train import set_seed, train_epoch

RECIPE = RECIPES["notebook"]


def usual_batches(mean: float, std: float) -> DataLoader:
    """Returns the usual pipeline with the bounds of our recipe."""
    shift, scale = RECIPE.shift / 28, RECIPE.scale
    augment = transforms.RandomAffine(
        RECIPE.degrees,
        translate=(shift, shift),
        scale=(1 - scale, 1 + scale),
        shear=RECIPE.shear,
        interpolation=transforms.InterpolationMode.BILINEAR,
    )
    transform = transforms.Compose([augment, transforms.ToTensor(), transforms.Normalize((mean,), (std,))])
    dataset = datasets.MNIST(data_root(), transform=transform)
    return DataLoader(dataset, RECIPE.batch_size, shuffle=True, num_workers=2)


def read_epoch(batches: Iterable, device: torch.device) -> None:
    """Brings every batch to the device and does nothing with it."""
    for images, _ in batches:
        images.to(device)


def train_baseline(batches: Iterable, device: torch.device) -> None:
    """Trains the baseline network for one epoch."""
    set_seed(0)
    model = RECIPES["baseline"].model().to(device, memory_format=torch.channels_last)
    optimizer, _ = RECIPES["baseline"].optimizer(model, len(batches))
    on_device = ((images.to(device), labels.to(device)) for images, labels in batches)
    train_epoch(model, on_device, optimizer)


def seconds(function: Callable, *args) -> float:
    """Times one call, until the device has finished."""
    start = time.perf_counter()
    function(*args)
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m helpers.benchmark", description=__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="the two pipelines take turns; medians are printed")
    repeats = max(1, parser.parse_args().repeats)
    device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else torch.device("cpu")
    train, _ = load_mnist()
    mean, std = mean_and_std(train.images)
    pipelines = {
        "ours": RECIPE.train_batches(train, mean, std, seed=0, device=device),
        "usual": usual_batches(mean, std),
    }
    print(
        f"{device.type} on {platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}, "
        f"torchvision {torchvision.__version__}, median of {repeats}, 60,000 augmented images"
    )
    for title, work in {"batches alone": read_epoch, "an epoch of BaselineNet": train_baseline}.items():
        times = {name: [] for name in pipelines}
        for _ in range(repeats):
            for name, batches in pipelines.items():
                times[name].append(seconds(work, batches, device))
        ours, usual = (statistics.median(times[name]) for name in ("ours", "usual"))
        print(f"{title:24} ours {ours:6.2f} s   usual {usual:6.2f} s   ratio {usual / ours:5.1f}", flush=True)


if __name__ == "__main__":
    main()
