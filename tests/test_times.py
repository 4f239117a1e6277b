"""results/times.csv: a row for each recipe and device, of whole runs; the same again takes the row's place."""

import pytest
import torch

from helpers.beyond.recipes import ConvNetRecipe
from helpers.data import Split
from measure import results, times

CPU = {"device": "cpu x86_64", "cpu_capability": "AVX2", "threads": 2, "versions": "torch", "commit": "abc"}


@pytest.fixture
def folder(monkeypatch, tmp_path):
    (tmp_path / "times.csv").write_bytes((results.RESULTS / "times.csv").read_bytes())
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    monkeypatch.setattr(times, "describe", lambda device: CPU)
    monkeypatch.setattr(times, "time_runs", lambda recipe, *args: ([3.0, 1.0, 2.5], 99.0))
    return tmp_path


def times_main(monkeypatch, *words):
    monkeypatch.setattr("sys.argv", ["times", *words])
    times.main()


def test_a_gpu_has_rows_of_its_own_and_the_same_again_takes_a_rows_place(monkeypatch, folder, capsys):
    committed = results.read_table("times")
    times_main(monkeypatch, "fastest", "lesson")
    monkeypatch.setattr(times, "describe", lambda device: CPU | {"device": "Tesla T4"})
    times_main(monkeypatch, "fastest")
    monkeypatch.setattr(times, "time_runs", lambda recipe, *args: ([0.3, 0.1, 0.2, 0.2], 99.0))
    times_main(monkeypatch, "fastest")
    rows = results.read_table("times")
    others = [row for row in committed if times.key_of(row)[1:] != ("cpu x86_64", "AVX2")]
    assert rows[: len(others)] == others
    assert [
        [row[key] for key in ("recipe", "device", "seconds", "least", "most", "n")] for row in rows[len(others) :]
    ] == [
        ["fastest", "cpu x86_64", "2.5", "1.0", "3.0", "3"],
        ["lesson", "cpu x86_64", "2.5", "1.0", "3.0", "3"],
        ["fastest", "Tesla T4", "0.2", "0.1", "0.3", "4"],
    ]
    assert "fastest       0.2 s for its  1 epoch  (0.1 to 0.3, n = 4)   Tesla T4" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fastest", "quickest"], "no recipe quickest; there are baseline"),
        (["fastest", "--repeats", "2"], "3 runs or more, got 2"),
    ],
)
def test_what_cannot_be_timed_is_named_and_nothing_is_written(monkeypatch, capsys, folder, words, message):
    before = (folder / "times.csv").read_bytes()
    with pytest.raises(SystemExit):
        times_main(monkeypatch, *words)
    assert message in capsys.readouterr().err
    assert (folder / "times.csv").read_bytes() == before


def test_a_time_is_that_of_all_epochs_without_the_scoring_after_a_warm_up(mnist, monkeypatch):
    """The clock is a counter here: each epoch adds one for each of its batches."""
    recipe = ConvNetRecipe(stages=((2,), (2,)), num_epochs=3, lr=0.1, batch_size=50)
    spans = []

    def count(train_epoch, model, batches, *rest, **settings):
        spans.append(len(batches))
        train_epoch(model, batches, *rest, **settings)
        return len(batches)

    monkeypatch.setattr(times, "seconds", count)
    monkeypatch.setattr(times, "WARM_UP", 100)
    split = Split(*(x[:200] for x in mnist[1]))
    found, accuracy = times.time_runs(recipe, split, mnist[1], torch.device("cpu"), 2)
    assert found == [12, 12] and spans == [2, 4, 4, 4, 4, 4, 4] and 0 <= accuracy <= 100
