"""Faults of data, training and machine, each tried for real: healed, or one clear error.

More are tried beside what they concern; `python -m tests.faults` lists them all.
"""

import subprocess
import sys

import pytest
import torch

from helpers.data import Batches, Split
from measure import sweep
from measure.machine import ROOT


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.tensor([0, 10]), r"integers from 0 to 9, got \[0, 10\]"),
        (torch.tensor([-1, 3]), r"integers from 0 to 9, got \[-1, 3\]"),
        (torch.tensor([0.5, 1.0]), "integers from 0 to 9"),
        (torch.tensor([1]), r"2 images but labels of shape \(1,\)"),
        (torch.eye(2, dtype=torch.uint8), r"labels of shape \(2, 2\)"),
    ],
)
@pytest.mark.fault("labels out of range", "error")
def test_labels_that_are_no_digits(labels, message):
    with pytest.raises(ValueError, match=message):
        Batches(Split(torch.zeros(2, 28, 28, dtype=torch.uint8), labels), 1, 0.13, 0.31)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(2, 28, 28), "must be uint8 .* got torch.float32"),
        (torch.zeros(2, 1, 28, 28, dtype=torch.uint8), r"of shape \(2, 1, 28, 28\)"),
        (torch.zeros(2, 784, dtype=torch.uint8), r"of shape \(2, 784\)"),
    ],
)
@pytest.mark.fault("images of a wrong shape or type", "error")
def test_images_that_are_no_images(images, message):
    with pytest.raises(ValueError, match=message):
        Batches(Split(images, torch.tensor([0, 1])), 1, 0.13, 0.31)


@pytest.mark.parametrize("device", ["toaster", pytest.param("cuda:99", id="absent GPU")])
@pytest.mark.fault("unknown or absent device", "error")
def test_device_that_is_not_there(monkeypatch, capsys, device):
    monkeypatch.setattr("sys.argv", ["sweep", "fastest", "--device", device])
    with pytest.raises(SystemExit):
        sweep.main()
    assert f"device {device} cannot be used here, take cpu: " in capsys.readouterr().err


OUT_OF_MEMORY = """
import resource, torch
from helpers.data import Batches, load_mnist
from helpers.beyond.recipes import ALL_RECIPES
from helpers.train import fit

train, test = load_mnist()
recipe = ALL_RECIPES["lesson"]
batches = Batches(train, 60_000, 0.13, 0.31)
model = recipe.model()
optimizer = recipe.optimizer(model)
scheduler = recipe.scheduler(optimizer, 7)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 1_000_000_000, -1))
fit(model, batches, batches, 7, optimizer, scheduler)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's memory reliably")
@pytest.mark.fault("out of memory", "error")
def test_out_of_memory():
    """All 60,000 images as one batch, in a process that may take one more gigabyte."""
    command = [sys.executable, "-c", OUT_OF_MEMORY]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "MemoryError: epoch 1: a batch does not fit into the device's memory; lower batch_size" in done.stderr
