"""Runs that are cut off and resumed, and files that are no checkpoint of this run."""

import dataclasses
import os

import pytest
import torch

from helpers.checkpoint import load_checkpoint, save_checkpoint
from helpers.data import Batches, Split
from helpers.files import write_whole
from helpers.recipes import Recipe
from helpers.train import fit

NUM_EPOCHS = 4
SGD = Recipe(stages=((4,), (8,)), num_epochs=NUM_EPOCHS, lr=0.05, batch_size=64, dropout=0.2, shift=1, degrees=5)
MUON = dataclasses.replace(SGD, muon_lr=0.05)
DECAY = dataclasses.replace(SGD, cycle=0, lr_decay=0.9)


class Cut(Exception):
    """What ends a process in the middle of an epoch."""


@pytest.fixture
def start(mnist):
    """Returns what builds a run: everything that `fit` takes."""
    split = Split(mnist[1].images[:300], mnist[1].labels[:300])

    def make(recipe, stages=None):
        recipe = dataclasses.replace(recipe, stages=stages or recipe.stages)
        model, train, optimizer, scheduler = recipe.set_up(split, 0.13, 0.31, seed=0, device="cpu")
        return model, train, Batches(split, 100, 0.13, 0.31), NUM_EPOCHS, optimizer, scheduler

    return make


@pytest.mark.parametrize("recipe", [SGD, MUON, DECAY], ids=["SGD", "Muon", "decay"])
@pytest.mark.parametrize("cut", range(1, NUM_EPOCHS + 1))
def test_resumed_ends_as_unbroken_to_the_last_bit(start, tmp_path, monkeypatch, recipe, cut):
    unbroken = start(recipe)
    whole = fit(*unbroken)

    broken, epochs = start(recipe), 0
    batch = Batches.__iter__

    def cut_off(self):
        nonlocal epochs
        epochs += self.shuffle
        for i, item in enumerate(batch(self)):
            if (epochs, i) == (cut, 2):
                raise Cut
            yield item

    with monkeypatch.context() as patch, pytest.raises(Cut):
        patch.setattr(Batches, "__iter__", cut_off)
        fit(*broken, checkpoint=tmp_path / "run.pt")
    assert (tmp_path / "run.pt").exists() == (cut > 1)

    resumed = start(recipe)
    if cut > 1:
        torch.manual_seed(123)  # the file, not the new process, says where the random source stands
    history = fit(*resumed, checkpoint=tmp_path / "run.pt")
    assert (history.train, history.test) == (whole.train, whole.test)
    states = unbroken[0].state_dict(), resumed[0].state_dict()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_a_finished_run_is_not_trained_again(start, tmp_path, capsys):
    history = fit(*start(SGD), checkpoint=tmp_path / "run.pt")
    capsys.readouterr()
    assert fit(*start(SGD), checkpoint=tmp_path / "run.pt") == history
    assert capsys.readouterr().out == f"Going on after epoch {NUM_EPOCHS}, from run.pt\n"


def test_checkpoint_of_another_network_is_refused(start, tmp_path):
    fit(*start(SGD), checkpoint=tmp_path / "run.pt")
    with pytest.raises(ValueError, match=r"run\.pt is of another network or run(.|\n)*Delete it"):
        fit(*start(SGD, stages=((4,), (6,))), checkpoint=tmp_path / "run.pt")
    with pytest.raises(ValueError, match="another network or run"):
        load_checkpoint(tmp_path / "run.pt", {"something": start(SGD)[0]})


@pytest.mark.parametrize(
    "change, message",
    [
        ({"momentum": 0.5}, "momentum of group 0 was 0.9"),
        ({"lr": 0.07}, "max_lr of group 0 was 0.05"),
        ({"weight_decay": 1e-3}, "weight_decay of group 0 was 0.0"),
        ({"batch_size": 100}, "number of steps was 20"),
    ],
)
def test_checkpoint_of_other_hyperparameters_is_refused(start, tmp_path, change, message):
    fit(*start(SGD), checkpoint=tmp_path / "run.pt")
    with pytest.raises(ValueError, match=message):
        fit(*start(dataclasses.replace(SGD, **change)), checkpoint=tmp_path / "run.pt")


@pytest.mark.parametrize("size", [0, 1, 100, 0.5, 0.99])
def test_truncated_checkpoint_is_refused(start, tmp_path, size):
    path = tmp_path / "run.pt"
    fit(*start(SGD), checkpoint=path)
    data = path.read_bytes()
    path.write_bytes(data[: int(size * len(data)) if size < 1 else size])
    with pytest.raises(ValueError, match=r"run\.pt is no whole checkpoint\. Delete it"):
        fit(*start(SGD), checkpoint=path)


def test_hostile_checkpoint_runs_no_code(start, tmp_path):
    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "harm"),)

    torch.save({"model": Hostile()}, tmp_path / "run.pt")
    with pytest.raises(ValueError, match="no whole checkpoint"):
        fit(*start(SGD), checkpoint=tmp_path / "run.pt")
    assert not (tmp_path / "harm").exists()


def test_a_full_disk_leaves_the_last_checkpoint(start, tmp_path, monkeypatch):
    model = start(SGD)[0]
    save_checkpoint(tmp_path / "run.pt", {"model": model})
    before = (tmp_path / "run.pt").read_bytes()

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(tmp_path / "run.pt", {"model": model})
    assert (tmp_path / "run.pt").read_bytes() == before
    assert list(tmp_path.iterdir()) == [tmp_path / "run.pt"]


def test_write_whole_makes_the_folder_and_replaces(tmp_path):
    write_whole(tmp_path / "new" / "file", b"one")
    write_whole(tmp_path / "new" / "file", b"two")
    assert (tmp_path / "new" / "file").read_bytes() == b"two"
