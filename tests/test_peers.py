"""Which of our recipes holds a record, and whose published run stands beside it."""

import pytest

from helpers.beyond.recipes import ConvNetRecipe
from measure import peers, results

SMALL = ConvNetRecipe(stages=((2,), (2,)), num_epochs=3, lr=0.1)
LARGE = ConvNetRecipe(stages=((4,), (4,)), num_epochs=2, lr=0.1)


@pytest.fixture
def recorded(monkeypatch, tmp_path):
    """Two recipes and a function that records their runs."""
    recipes = {"small": SMALL, "large": LARGE}
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    monkeypatch.setattr(results, "ALL_RECIPES", recipes)
    monkeypatch.setattr(peers, "ALL_RECIPES", recipes)
    monkeypatch.setattr(peers, "MIN_SEEDS", 2)

    def record(name, parameters, accuracies, views=None):
        row = {"recipe": name, "split": "test", "settings": str(recipes[name]), "parameters": parameters}
        pairs = zip(accuracies, views or [""] * len(accuracies))
        rows = [row | {"seed": i, "accuracy": a, "views_accuracy": v} for i, (a, v) in enumerate(pairs)]
        results.write_table(name, rows)
        monkeypatch.setitem(results.SEEDS, name, range(len(rows)))

    run = {"name": "theirs", "parameters": 300, "epochs": 9, "accuracy": 99.5, "note": "one run, best epoch"}
    results.write_table("published", [run, run | {"name": "too low", "parameters": 10, "accuracy": 99.39}])
    return record


def lines():
    return peers.table().splitlines()[2:]


def test_a_record_needs_a_mean_that_is_significantly_above_the_target(recorded):
    recorded("small", 100, [99.41, 99.40, 99.44], views=[99.5, 99.51, 99.5])
    recorded("large", 200, [99.60, 99.61, 99.62])
    fewest, views, epochs, *_ = lines()
    assert "`large`: 99.610 ± 0.010 %, 200 parameters, 2 epochs | theirs: 99.5 %, 300 parameters, 9 epochs" in fewest
    assert fewest.endswith(", scored at its best epoch |")
    assert "`small`: 99.503 ± 0.006 %, 100 parameters, 3 epochs" in views
    assert "`large`" in epochs and "theirs" in epochs


def test_the_smaller_one_takes_the_record_once_it_reaches_the_target(recorded):
    recorded("small", 100, [99.50, 99.51, 99.52])
    recorded("large", 200, [99.60, 99.61, 99.62])
    fewest, views, epochs, *most_accurate = lines()
    assert "`small`" in fewest and "`large`" in epochs and f"| {peers.NONE} |" in views
    assert all("`large`" in line for line in most_accurate)


def test_a_recipe_that_is_not_finished_holds_no_record(recorded, monkeypatch):
    recorded("small", 100, [99.50, 99.51, 99.52])
    monkeypatch.setitem(results.SEEDS, "small", range(4))
    monkeypatch.setitem(results.SEEDS, "large", range(4))
    assert all(f"| {peers.NONE} |" in line for line in lines())


def test_few_seeds_hold_no_record(recorded, monkeypatch):
    recorded("small", 100, [99.50, 99.51, 99.52])
    recorded("large", 200, [99.60, 99.61, 99.62])
    monkeypatch.setattr(peers, "MIN_SEEDS", 4)
    assert results.finished("small") and all(f"| {peers.NONE} |" in line for line in lines())


def test_attempts_that_failed_raise_the_bar(recorded):
    recorded("small", 100, [99.44, 99.46, 99.48])
    assert results.reaches_target("small") is False
    recorded("small", 100, [99.50, 99.51, 99.52])
    assert results.reaches_target("small")
    results.write_table("retired", [{"record": "small", "attempt": str(i)} for i in range(20)])
    assert not results.reaches_target("small")


def test_a_run_of_the_sprint_is_like_the_sprint():
    row = results.read_table("sprint")[0]
    assert results.nearest(row, ["sprint"]) == ("sprint", {})


def test_a_limit_on_parameters_holds_for_both(recorded):
    recorded("small", 9_999, [99.5, 99.51])
    recorded("large", 10_000, [99.7, 99.71])
    (run, _), better = results.read_table("published"), {"name": "larger", "parameters": 10_000, "accuracy": 99.9}
    results.write_table("published", [run, run | better])
    *_, below_twenty, below_ten, _ = lines()
    assert "`large`" in below_twenty and "`small`" in below_ten
    assert "larger" in below_twenty and "theirs" in below_ten
