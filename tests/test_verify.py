"""The kept weights score what their rows say."""

import pytest

from helpers.beyond.recipes import ALL_RECIPES
from measure import verify, weights
from measure.weights import median_run


@pytest.mark.parametrize("name", ALL_RECIPES)
def test_weights_score_what_their_row_says(mnist, name):
    assert verify.difference(median_run(name), mnist[1]) <= 1


def test_a_row_that_its_weights_do_not_confirm_is_printed(monkeypatch, capsys, tmp_path):
    """Whether it claims less than its weights score, or more."""
    row = median_run("fastest")
    less, more = (row | {"accuracy": f"{float(row['accuracy']) + change:.2f}"} for change in (-0.02, 0.02))
    lost = row | {"seed": "77"}
    monkeypatch.setattr(verify, "read_results", lambda name: [row, less, more, lost])
    scores, evaluate = [], verify.evaluate  # the weights of the first three are the same
    monkeypatch.setattr(
        verify, "evaluate", lambda *args: scores[0] if scores else scores.append(evaluate(*args)) or scores[0]
    )
    monkeypatch.setattr("sys.argv", ["verify", "fastest"])
    assert verify.main() == 1
    *lines, last, total = capsys.readouterr().out.splitlines()
    assert lines == [f"fastest, seed {row['seed']}: 2 images more or less than its row says"] * 2
    assert last.startswith("no weights of fastest, seed 77, are kept: python -m measure.sweep fastest --seeds 77")
    assert total == "1 of 4 runs are confirmed by their weights"
    monkeypatch.setattr(weights, "path_of", lambda name, seed: tmp_path / "none.pt")
    with pytest.raises(FileNotFoundError, match=r"seed 0, are kept: python -m measure\.remake lesson --seeds 0 makes"):
        weights.load_weights("lesson", 0)  # whose row is there, so that a sweep would skip it


def test_views_are_those_of_the_runs_seed(mnist, monkeypatch):
    row, seen = median_run("accurate"), []
    score = type("Score", (), {"accuracy": float(row["views_accuracy"]), "total": 10_000})
    monkeypatch.setattr(verify, "evaluate_views", lambda *args: seen.append(args) or score)
    assert verify.difference(row, mnist[1], views=True) == 0
    ((_, batches, number),) = seen
    assert number == ALL_RECIPES["accurate"].num_views and batches.generator.initial_seed() == int(row["seed"])
    assert batches.augment.keywords == ALL_RECIPES["accurate"].augment().keywords


def test_views_that_another_device_drew_are_left_out_and_counted(monkeypatch, capsys):
    row = median_run("accurate")
    monkeypatch.setattr(verify, "read_results", lambda name: [row, row | {"device": "some GPU"}])
    monkeypatch.setattr(verify, "failures", lambda rows, views: iter(()) if rows == [row] else 1 / 0)
    monkeypatch.setattr("sys.argv", ["verify", "accurate", "--views"])
    assert verify.main() == 0
    assert capsys.readouterr().out.splitlines() == [
        "left out: 1 runs of some GPU, which is not in this machine",
        "1 of 1 runs are confirmed by their weights",
    ]


def test_all_weights_together_are_small():
    assert sum(path.stat().st_size for path in weights.path_of("any", 0).parent.iterdir()) < 9e6
