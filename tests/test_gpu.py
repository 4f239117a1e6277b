"""Training, scores, checkpoints and measurements on a GPU, which is only simulated: the results are the CPU's."""

import re
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Subset

from helpers.beyond.augment import evaluate_views
from helpers.beyond.recipes import ALL_RECIPES
from helpers.data import Batches, Split
from helpers.own_digit.photo import predict_digit
from helpers.own_network.scorecard import grade_techniques
from helpers.train import evaluate, fit, predict, set_seed, train_epoch
from measure import benchmark, sweep, times

pytest_plugins = ["tests.simulated_gpu"]

MEAN, STD = 0.1307, 0.3081
TINY = {"stages": ((4,), (8,)), "unpadded": (0,)}


@pytest.fixture
def digits(mnist):
    return first(440, mnist[0])


def first(count, split):
    return Split(split.images[:count], split.labels[:count])


@pytest.fixture
def on_both(gpu, monkeypatch):
    """Returns what a function of the device returns on the CPU and on the GPU."""

    def results(run):
        with monkeypatch.context() as patch:
            # channels_last, which is for CPUs only, changes the last bits, and which pixels dropout hits.
            for module in ("helpers.model", "helpers.beyond.shared"):
                patch.setattr(f"{module}.memory_format", lambda device: torch.contiguous_format)
            on_cpu = run("cpu")
        return on_cpu, run(gpu.device)

    return results


@pytest.mark.parametrize("name", ALL_RECIPES)
def test_recipes_score_as_on_the_cpu(gpu, on_both, digits, name):
    recipe, few = replace(ALL_RECIPES[name], batch_size=64), first(160, digits)  # three batches

    def scores(device):
        model, batches, *optimizer = recipe.set_up(few, MEAN, STD, seed=0, device=device)
        torch.manual_seed(1)  # on a GPU, dropout draws from a source of its own, which has made no weights
        gpu.waits.clear()
        trained, waits = train_epoch(model, batches, *optimizer), list(gpu.waits)
        views = Batches(few, 80, MEAN, STD, augment=recipe.augment(), device=device)
        return waits, trained, evaluate(model, views), evaluate_views(model, views, num_views=2)

    (_, *on_cpu), (waits, *on_gpu) = on_both(scores)
    assert on_gpu == on_cpu
    assert len(waits) == 2, waits  # at the end of the epoch, all losses and the number of hits


@pytest.mark.parametrize("num_steps", [55, 110])
def test_training_waits_once_in_50_steps(gpu, digits, num_steps):
    recipe = replace(ALL_RECIPES["lesson"], batch_size=4)
    model, batches, *optimizer = recipe.set_up(first(4 * num_steps, digits), MEAN, STD, seed=0, device=gpu.device)
    gpu.waits.clear()
    train_epoch(model, batches, *optimizer)
    assert len(gpu.waits) == num_steps // 50 + 2, gpu.waits  # for the loss that the bar shows, and at the end


@pytest.mark.parametrize("batch_size", [220, 20])
@pytest.mark.parametrize(
    ("score", "num_waits"),
    [(evaluate, 2), (partial(evaluate_views, num_views=1), 2), (partial(evaluate_views, num_views=2), 3)],
    ids=["no views", "1 view", "2 views"],
)
def test_evaluation_waits_for_its_result_alone(gpu, digits, batch_size, score, num_waits):
    recipe = ALL_RECIPES["lesson"]
    model, *_ = recipe.set_up(digits, MEAN, STD, seed=0, device=gpu.device)
    views = Batches(digits, batch_size, MEAN, STD, augment=recipe.augment(), device=gpu.device)
    gpu.waits.clear()
    score(model, views)
    # For the loss and the number of hits, and once to compare the labels of two views.
    assert len(gpu.waits) == num_waits, gpu.waits


@pytest.fixture
def train(digits):
    """Returns what trains a network with dropout, and returns the history and the weights."""
    recipe = replace(ALL_RECIPES["lesson"], num_epochs=3, batch_size=64)

    def run(device, checkpoint=None, num_epochs=3):
        model, batches, *optimizer = recipe.set_up(digits, MEAN, STD, seed=0, device=device)
        scored = Batches(digits, 220, MEAN, STD, device=device)
        kept = {"checkpoint": checkpoint, "settings": recipe.settings(seed=0, mean=MEAN, std=STD)}
        history = fit(model, batches, scored, num_epochs, *optimizer, **kept)
        return history, {name: value.cpu() for name, value in model.state_dict().items()}

    return run


def same(weights, others):
    return all(torch.equal(weights[name], others[name]) for name in weights)


def test_resumed_on_the_gpu_ends_as_unbroken(gpu, train, tmp_path):
    whole, weights = train(gpu.device)
    for num_epochs in (1, 2, 3):
        history, resumed = train(gpu.device, tmp_path / "run.pt", num_epochs)
    assert (history.train, history.test) == (whole.train, whole.test) and same(weights, resumed)


@pytest.mark.parametrize(("old", "new"), [("cpu", "meta"), ("meta", "cpu")])
def test_checkpoints_move_between_cpu_and_gpu(gpu, train, tmp_path, capsys, old, new):
    _, weights = train(old, tmp_path / "run.pt", 1)
    capsys.readouterr()
    history, loaded = train(new, tmp_path / "run.pt", 1)
    assert f"run.pt was written on {old}: on {new}, random draws start anew.\n" in capsys.readouterr().out
    assert len(history.train) == 1 and same(weights, loaded)
    history, _ = train(new, tmp_path / "run.pt")
    assert len(history.train) == 3 and history.train[2].loss < history.train[0].loss


@pytest.mark.parametrize("name", ["lesson", "fastest"])  # SGD and Muon
def test_own_network_trains_as_on_the_cpu(on_both, digits, name):
    recipe = replace(ALL_RECIPES[name], batch_size=32)

    def train_own(device):
        set_seed(0)
        own = nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 10)).to(device)
        torch.manual_seed(1)
        batches = recipe.train_batches(digits, MEAN, STD, seed=0, device=device)
        optimizer = recipe.optimizer(own)
        score = train_epoch(own, batches, optimizer, recipe.scheduler(optimizer, len(batches)))
        return score, *(x.cpu() for x in predict(own, Batches(digits, 220, MEAN, STD, device=device)))

    (cpu_score, *on_cpu), (gpu_score, *on_gpu) = on_both(train_own)
    assert gpu_score == cpu_score and all(map(torch.equal, on_gpu, on_cpu))


def test_scorecard_reads_a_network_on_the_gpu(gpu):
    model = ALL_RECIPES["lesson"].model()
    on_cpu = grade_techniques(model)
    assert grade_techniques(model.to(gpu.device)) == on_cpu


def test_photos_are_read_as_on_the_cpu(gpu, digits):
    set_seed(0)
    model = ALL_RECIPES["lesson"].model()
    on_cpu = predict_digit(model, digits.images[0], MEAN, STD)
    model.to(gpu.device)
    gpu.waits.clear()
    on_gpu = predict_digit(model, digits.images[0], MEAN, STD)
    assert len(gpu.waits) == 2, gpu.waits  # the image goes there, and the probabilities come back
    assert torch.equal(on_gpu, on_cpu)


def test_sweep_records_what_it_records_on_the_cpu(on_both, digits, mnist, monkeypatch):
    monkeypatch.setattr(sweep, "load_mnist", lambda: (digits, first(1000, mnist[1])))
    recipe = replace(ALL_RECIPES["smallest"], **TINY, batch_size=64, num_epochs=2, num_views=2)
    rows = on_both(lambda device: sweep.run(recipe, 0, "test", device)[0])
    differ = {name for name in rows[0] if rows[0][name] != rows[1][name]}
    assert "device" in differ and differ <= {"device", "train_seconds", "total_seconds"}


def test_timed_runs_end_as_on_the_cpu(on_both, digits, mnist):
    recipe, test = replace(ALL_RECIPES["fastest"], **TINY, batch_size=40), first(1000, mnist[1])
    (_, on_cpu), (seconds, on_gpu) = on_both(
        lambda device: times.time_runs(recipe, digits, test, torch.device(device), repeats=1)
    )
    assert on_gpu == on_cpu and len(seconds) == 1


def test_benchmark_compares_the_pipelines(gpu, digits, monkeypatch, capsys):
    from torchvision.datasets import MNIST  # slow to import

    def small_mnist(*args, **kwargs):
        return Subset(MNIST(*args, **kwargs), range(len(digits.images)))

    def without_workers(*args, **kwargs):
        return DataLoader(*args, **kwargs | {"num_workers": 0})

    monkeypatch.setattr("torchvision.datasets.MNIST", small_mnist)
    monkeypatch.setattr(benchmark, "DataLoader", without_workers)
    benchmark.compare_pipelines(digits, MEAN, STD, gpu.device, repeats=1)
    titles = re.findall(r"^(.+?) +ours .* s   usual .* s   ratio .* images/s$", capsys.readouterr().out, re.MULTILINE)
    assert titles == ["augmented batches", "an epoch of the baseline"]


def test_benchmark_takes_a_step_apart(gpu, digits, monkeypatch, capsys):
    monkeypatch.setattr(benchmark, "FASTEST", replace(ALL_RECIPES["fastest"], **TINY, batch_size=24, num_epochs=2))
    monkeypatch.setattr(benchmark, "NUM_STEPS", 3)
    monkeypatch.setattr(benchmark, "matmul_rate", partial(benchmark.matmul_rate, size=64, repeats=2))
    benchmark.take_apart(digits, MEAN, STD, gpu.device)
    out = capsys.readouterr().out
    assert set(benchmark.OPERATORS.values()) <= set(re.findall(r"^  (\D+?) +[\d.]+%$", out, re.MULTILINE))
    assert float(re.search(r"the (\S+) GFLOP of convolutions", out)[1]) > 0


# What a real GPU refuses, of a tensor `here` on the CPU and its copy `there`.
REFUSED = {
    "tensors on two devices": lambda here, there: there + here,
    "a stack of tensors on two devices": lambda here, there: torch.stack([there, here]),
    "a loss with labels on the CPU": lambda here, there: F.cross_entropy(there, here.argmax(dim=1)),
    "what is on the CPU, indexed from the GPU": lambda here, there: here[there.argmax(dim=1)],
    "the CPU's generator": lambda here, there: torch.rand(3, generator=torch.Generator(), device=there.device),
    "the GPU's generator": lambda here, there: torch.rand(3, generator=torch.Generator(there.device)),
    "float64": lambda here, there: there.double(),
    "new float64": lambda here, there: torch.zeros(3, dtype=torch.float64, device=there.device),
    "numpy": lambda here, there: there.numpy(),
    "another generator's state": lambda here, there: torch.set_rng_state(torch.Generator(there.device).get_state()),
    "a state on the GPU": lambda here, there: torch.set_rng_state(torch.get_rng_state().to(there.device)),
    "a model on the CPU": lambda here, there: nn.Linear(4, 2)(there),
}

# What makes the host wait there.
WAITS = {
    "to the GPU": lambda here, there: here.to(there.device),
    "from the GPU": lambda here, there: there.cpu(),
    "copy_": lambda here, there: there.copy_(here),
    "part": lambda here, there: there[0].copy_(here[0]),
    "tensor": lambda here, there: torch.tensor([1, 2], device=there.device),
    "as_tensor": lambda here, there: torch.as_tensor(here.numpy(), device=there.device),
    "index on the CPU": lambda here, there: there[torch.tensor([0, 1])],
    "index of numpy's": lambda here, there: there[torch.from_numpy(np.array([0, 1]))],
    "mask": lambda here, there: there[there > 0],
    "nonzero": lambda here, there: there.nonzero(),
    "item": lambda here, there: there.sum().item(),
    "tolist": lambda here, there: there.tolist(),
    "bool": lambda here, there: bool(there.isfinite().all()),
    "int": lambda here, there: int(there.sum()),
    "equal": lambda here, there: torch.equal(there, there),
    "unique": lambda here, there: there.unique(),
}

NO_WAITS = {
    "number": lambda here, there: there * 2.0,
    "number in a tensor": lambda here, there: there * here[0, 0],
    "new": lambda here, there: torch.full((3,), 2.0, device=there.device),
    "draw": lambda here, there: torch.rand(3, generator=torch.Generator(there.device), device=there.device),
    "dropout": lambda here, there: F.dropout(there),
    "index on the GPU": lambda here, there: there[there.argmax(dim=1)],
    "fill": lambda here, there: there[0].fill_(2.0),
}


@pytest.mark.parametrize("what", REFUSED)
def test_the_gpu_refuses(gpu, what):
    here = torch.eye(4)
    there = here.to(gpu.device)
    with pytest.raises((RuntimeError, TypeError)):
        REFUSED[what](here, there)


@pytest.mark.parametrize("what", WAITS | NO_WAITS)
def test_the_gpu_notes_what_makes_the_host_wait(gpu, what):
    here = torch.eye(4)
    there = here.to(gpu.device)
    gpu.waits.clear()
    (WAITS | NO_WAITS)[what](here, there)
    assert len(gpu.waits) == (what in WAITS), gpu.waits
