"""Runs that are cut off and resumed, and files that are no checkpoint of this run."""

import dataclasses
import os

import pytest
import torch
from torch import nn

from helpers.beyond.recipes import ConvNetRecipe
from helpers.checkpoint import load_checkpoint, save_checkpoint
from helpers.data import Batches, Split
from helpers.files import write_whole
from helpers.recipes import RECIPES, Recipe
from helpers.train import History, fit

NUM_EPOCHS = 4
SGD = ConvNetRecipe(stages=((4,), (8,)), num_epochs=NUM_EPOCHS, lr=0.05, batch_size=64, dropout=0.2, shift=1, degrees=5)
MUON = dataclasses.replace(SGD, muon_lr=0.05)
DECAY = dataclasses.replace(SGD, cycle=0, lr_decay=0.9)
LESSON = dataclasses.replace(RECIPES["lesson"], num_epochs=NUM_EPOCHS)


class Cut(Exception):
    """What ends a process in the middle of an epoch."""


@pytest.fixture
def train(mnist):
    """Returns what makes a run anew and trains it; `model` of the function is the network it trained."""
    split = Split(mnist[1].images[:300], mnist[1].labels[:300])

    def run(recipe, checkpoint=None, seed=0, std=0.31, num_epochs=None):
        model, batches, optimizer, scheduler = recipe.set_up(split, 0.13, std, seed, "cpu")
        run.model = model
        scored = Batches(split, 100, 0.13, std)
        kept = {"checkpoint": checkpoint, "settings": recipe.settings(seed=seed, mean=0.13, std=std)}
        return fit(model, batches, scored, num_epochs or recipe.num_epochs, optimizer, scheduler, **kept)

    return run


@pytest.mark.parametrize("recipe", [SGD, MUON, DECAY], ids=["SGD", "Muon", "decay"])
@pytest.mark.parametrize("cut", range(1, NUM_EPOCHS + 1))
@pytest.mark.fault("training cut off in mid-epoch", "resumed, same numbers")
def test_resumed_ends_as_unbroken_to_the_last_bit(train, tmp_path, monkeypatch, recipe, cut):
    whole, unbroken = train(recipe), train.model
    epochs, batch = 0, Batches.__iter__

    def cut_off(self):
        nonlocal epochs
        epochs += self.shuffle
        for i, item in enumerate(batch(self)):
            if (epochs, i) == (cut, 2):
                raise Cut
            yield item

    with monkeypatch.context() as patch, pytest.raises(Cut):
        patch.setattr(Batches, "__iter__", cut_off)
        train(recipe, tmp_path / "run.pt")
    assert (tmp_path / "run.pt").exists() == (cut > 1)

    history = train(recipe, tmp_path / "run.pt")
    assert (history.train, history.test) == (whole.train, whole.test)
    assert same_weights(unbroken, train.model)


def same_weights(model, other):
    states = model.state_dict(), other.state_dict()
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_the_file_says_where_the_random_sources_stand(train, tmp_path, monkeypatch):
    """Dropout and shuffling go on from the file, whatever the new process has drawn before."""
    whole = train(SGD)
    train(DECAY, tmp_path / "other.pt", num_epochs=1)
    with monkeypatch.context() as patch, pytest.raises(Cut):
        patch.setattr("helpers.train.save_checkpoint", lambda *args: (save_checkpoint(*args), cut())[0])
        train(SGD, tmp_path / "run.pt")
    monkeypatch.setattr("helpers.recipes.set_seed", lambda seed: torch.manual_seed(seed + 123))
    assert train(SGD, tmp_path / "run.pt").train == whole.train


def cut():
    raise Cut


def test_a_finished_run_is_not_trained_again(train, tmp_path, capsys):
    history = train(SGD, tmp_path / "run.pt")
    capsys.readouterr()
    assert train(SGD, tmp_path / "run.pt") == history
    assert capsys.readouterr().out == f"Going on after epoch {NUM_EPOCHS}, from run.pt\n"


# Another value for each setting of a recipe. What a cycle does not use is tried without one.
OTHER = {
    "network": "BaselineNet",
    "stages": ((4,), (6,)),
    "num_epochs": 5,
    "lr": 0.07,
    "muon_lr": 0.06,
    "batch_size": 100,
    "unpadded": (0,),
    "dropout": 0.3,
    "activation": "SiLU",
    "num_norms": 1,
    "momentum": 0.5,
    "weight_decay": 1e-3,
    "cycle": 0.5,
    "anneal": "linear",
    "lr_decay": 0.8,
    "degrees": 6,
    "shift": 2,
    "scale": 0.1,
    "shear": 3,
    "bend": 1,
    "fade": 1,
    "orientations": 4,
    "separable": True,
    "normalize": (0.5, 0.5),
    "label_smoothing": 0.1,
    "whiten": True,
    "part": 0.5,
}


def test_every_setting_that_reaches_training_is_tried():
    assert OTHER.keys() == SGD.settings().keys() == {f.name for f in dataclasses.fields(ConvNetRecipe)} - {"num_views"}
    assert LESSON.settings().keys() == {f.name for f in dataclasses.fields(Recipe)} <= OTHER.keys()


@pytest.mark.parametrize(
    ("recipe", "name"),
    [(recipe, name) for recipe in (SGD, MUON, DECAY) for name in OTHER if (recipe, name) != (DECAY, "num_epochs")]
    + [(LESSON, "network"), (LESSON, "dropout")],
)
@pytest.mark.fault("checkpoint of other settings", "error names them, nothing loaded")
def test_a_changed_setting_is_refused_by_its_name(train, tmp_path, recipe, name):
    train(recipe, tmp_path / "run.pt", num_epochs=1)
    before = (tmp_path / "run.pt").read_bytes()
    changed = dataclasses.replace(recipe, **{name: OTHER[name]})
    with pytest.raises(ValueError, match=rf"run\.pt is of another run: (.*; )?{name} was .*, is .*Delete it"):
        train(changed, tmp_path / "run.pt", num_epochs=1)
    assert (tmp_path / "run.pt").read_bytes() == before


@pytest.mark.parametrize(("change", "name"), [({"seed": 1}, "seed"), ({"std": 0.5}, "std")])
def test_other_seeds_and_normalizations_are_refused(train, tmp_path, change, name):
    train(SGD, tmp_path / "run.pt", num_epochs=1)
    with pytest.raises(ValueError, match=rf"another run: {name} was "):
        train(SGD, tmp_path / "run.pt", num_epochs=1, **change)


def test_fading_ends_with_the_epochs_so_that_more_are_refused(train, tmp_path):
    fading = dataclasses.replace(DECAY, shift=1, fade=2)
    train(fading, tmp_path / "run.pt")
    with pytest.raises(ValueError, match="of another run: "):
        train(dataclasses.replace(fading, num_epochs=NUM_EPOCHS + 1), tmp_path / "run.pt")


def test_going_on_to_more_epochs_equals_unbroken_training_without_a_cycle(train, tmp_path):
    longer = dataclasses.replace(DECAY, num_epochs=NUM_EPOCHS + 2)
    whole, unbroken = train(longer), train.model
    train(DECAY, tmp_path / "run.pt")
    history = train(longer, tmp_path / "run.pt")
    assert (history.train, history.test) == (whole.train, whole.test) and same_weights(unbroken, train.model)
    with pytest.raises(ValueError, match=rf"has {NUM_EPOCHS + 2} epochs done, num_epochs is {NUM_EPOCHS}"):
        train(DECAY, tmp_path / "run.pt")


def run_of(model):
    """Returns all that a checkpoint of one's own network takes; nothing says what its dropout is."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    split = Split(torch.zeros(4, 28, 28, dtype=torch.uint8), torch.tensor([0, 1, 2, 3]))
    parts = {"model": model, "optimizer": optimizer, "batches": Batches(split, 2, 0, 1), "history": History()}
    return parts, {"rate": "unknown"}, torch.device("cpu")


def test_what_the_parts_say_of_themselves_is_compared_too(tmp_path):
    def network(rate):
        return nn.Sequential(nn.Dropout(rate), nn.Flatten(), nn.Linear(784, 10))

    save_checkpoint(tmp_path / "run.pt", *run_of(network(0.1)))
    load_checkpoint(tmp_path / "run.pt", *run_of(network(0.1)), 1)
    with pytest.raises(ValueError, match="of another run: layers"):
        load_checkpoint(tmp_path / "run.pt", *run_of(network(0.2)), 1)


@pytest.mark.fault("checkpoint of another network", "error, nothing loaded")
def test_what_is_refused_has_loaded_nothing(train, tmp_path):
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    save_checkpoint(tmp_path / "run.pt", *run_of(model))
    other = nn.Sequential(nn.Flatten(), nn.Linear(784, 10), nn.Linear(10, 10))
    before = {name: value.clone() for name, value in other.state_dict().items()}
    with pytest.raises(ValueError, match="another run"):
        load_checkpoint(tmp_path / "run.pt", *run_of(other), 1)
    assert all(torch.equal(before[name], value) for name, value in other.state_dict().items())


@pytest.mark.fault("checkpoint of a GPU, now on a CPU", "goes on, a line says what starts anew")
def test_a_checkpoint_of_another_kind_of_device_goes_on(train, tmp_path, capsys):
    """Its random sources are of another form there, so they start anew, and a line says so."""
    train(DECAY, tmp_path / "run.pt", num_epochs=2)
    state, first = torch.load(tmp_path / "run.pt", weights_only=True), train.model
    state |= {"device": "cuda", "device_random": torch.zeros(16, dtype=torch.uint8)}
    state["batches"] = {"generator": torch.zeros(16, dtype=torch.uint8)}
    torch.save(state, tmp_path / "run.pt")
    capsys.readouterr()
    assert len(train(DECAY, tmp_path / "run.pt", num_epochs=2).train) == 2
    assert "run.pt was written on cuda: on cpu, random draws start anew.\n" in capsys.readouterr().out
    assert same_weights(first, train.model)
    assert len(train(DECAY, tmp_path / "run.pt", num_epochs=3).train) == 3


def test_a_checkpoint_without_settings_is_refused(train, tmp_path, mnist):
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    optimizer, batches = torch.optim.SGD(model.parameters(), lr=0.1), Batches(mnist[1], 1000, 0.13, 0.31)
    with pytest.raises(ValueError, match=r"a checkpoint needs `settings`.*recipe\.settings\(seed=0\)"):
        fit(model, batches, batches, 1, optimizer, checkpoint=tmp_path / "run.pt")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("size", [0, 1, 100, 0.5, 0.99])
@pytest.mark.fault("checkpoint truncated", "error")
def test_truncated_checkpoint_is_refused(train, tmp_path, size):
    path = tmp_path / "run.pt"
    train(SGD, path, num_epochs=1)
    data = path.read_bytes()
    path.write_bytes(data[: int(size * len(data)) if size < 1 else size])
    with pytest.raises(ValueError, match=r"run\.pt is no whole checkpoint\. Delete it"):
        train(SGD, path, num_epochs=1)


@pytest.mark.filterwarnings("ignore:Using a non-tuple sequence")
def test_a_file_of_anything_else_is_no_checkpoint(train, tmp_path):
    torch.save(torch.tensor(3.0), tmp_path / "run.pt")
    with pytest.raises(ValueError, match="no whole checkpoint"):
        train(SGD, tmp_path / "run.pt")


@pytest.mark.fault("checkpoint hostile", "refused, nothing run")
def test_hostile_checkpoint_runs_no_code(train, tmp_path):
    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "harm"),)

    torch.save({"model": Hostile()}, tmp_path / "run.pt")
    with pytest.raises(ValueError, match="no whole checkpoint"):
        train(SGD, tmp_path / "run.pt")
    assert not (tmp_path / "harm").exists()


@pytest.mark.fault("disk full at a checkpoint", "error, last one whole")
def test_a_full_disk_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    run = run_of(nn.Sequential(nn.Flatten(), nn.Linear(784, 10)))
    save_checkpoint(tmp_path / "run.pt", *run)
    before = (tmp_path / "run.pt").read_bytes()

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(tmp_path / "run.pt", *run)
    assert (tmp_path / "run.pt").read_bytes() == before
    assert list(tmp_path.iterdir()) == [tmp_path / "run.pt"]


def test_write_whole_makes_the_folder_and_replaces(tmp_path):
    write_whole(tmp_path / "new" / "file", b"one")
    write_whole(tmp_path / "new" / "file", b"two")
    assert (tmp_path / "new" / "file").read_bytes() == b"two"
