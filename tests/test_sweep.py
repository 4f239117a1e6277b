"""Recipes and the table of results, on the first real digits."""

import dataclasses
from pathlib import Path

import pytest

from helpers import sweep
from helpers.data import Split
from helpers.recipes import RECIPES, Recipe

TINY = Recipe(stages=((2,), (4,)), num_epochs=2, lr=0.05, batch_size=500, shift=1)
README = Path(__file__).resolve().parents[1] / "README.md"


@pytest.fixture
def small(mnist, monkeypatch, tmp_path):
    """3,000 images for training, 1,000 for testing, and an empty folder for results."""
    train, test = (Split(s.images[:n], s.labels[:n]) for s, n in zip(mnist, (3000, 1000)))
    monkeypatch.setattr(sweep, "load_mnist", lambda: (train, test))
    monkeypatch.setattr(sweep, "hold_out", lambda s: (Split(*(x[:2000] for x in s)), Split(*(x[2000:] for x in s))))
    monkeypatch.setattr(sweep, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(sweep, "RECIPES", {"tiny": TINY})
    return monkeypatch


def sweep_main(monkeypatch, *words):
    monkeypatch.setattr("sys.argv", ["sweep", *words])
    sweep.main()


def test_sweep_keeps_a_row_per_seed_and_skips_what_is_done(small, capsys):
    sweep_main(small, "tiny", "--seeds", "0-1", "--split", "test")
    rows = sweep.read_results("tiny")
    assert [(row["seed"], row["split"], row["epochs"]) for row in rows] == [("0", "test", "2"), ("1", "test", "2")]
    assert rows[0]["accuracies"].split()[-1] == rows[0]["accuracy"]
    capsys.readouterr()
    sweep_main(small, "tiny", "--seeds", "0-2", "--split", "test")
    assert capsys.readouterr().out.count("tiny, seed") == 1
    assert sweep.read_results("tiny")[:2] == rows
    assert "| tiny |" in sweep.summary()


def test_validation_never_touches_the_test_set(small, capsys):
    row = sweep.run(TINY, 0, "validation", "cpu")
    assert "/1000 (" in capsys.readouterr().out and row["split"] == "validation"
    assert sweep.run(TINY, 0, "validation", "cpu")["losses"] == row["losses"]


def test_unknown_recipe_is_named(small, capsys):
    with pytest.raises(SystemExit):
        sweep_main(small, "huge")
    assert "no recipe huge; there are tiny" in capsys.readouterr().err


def rates(recipe, num_steps):
    optimizer, scheduler = recipe.optimizer(recipe.model(), num_steps)
    for _ in range(num_steps):
        yield optimizer.param_groups[0]["lr"]
        optimizer.step()
        scheduler.step()


def test_one_cycle_peaks_at_lr_and_ends_near_zero():
    cycle = list(rates(TINY, 20))
    assert max(cycle) == pytest.approx(TINY.lr) and cycle.index(max(cycle)) == 4
    assert cycle[-1] < 1e-3 * TINY.lr


def test_other_learning_rates_are_constant_or_shrink_by_the_epoch():
    constant = dataclasses.replace(TINY, one_cycle=False)
    assert list(rates(constant, 20)) == [TINY.lr] * 20
    shrinking = list(rates(dataclasses.replace(constant, lr_decay=0.5), 20))
    assert shrinking[10] == pytest.approx(TINY.lr / 2)  # two epochs of ten steps


def test_readme_shows_the_table_of_results():
    table = sweep.summary("test")
    assert table.count("\n") == 1 + len(RECIPES), "a recipe has no results"
    assert table in README.read_text(encoding="utf-8")
