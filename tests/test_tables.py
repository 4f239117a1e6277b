"""Tables that spreadsheets left, and rows that their tables did not take: read, refused with line and column, kept."""

import csv
import io
import time

import pytest
import torch

from helpers import files
from measure import results, sweep, tables

ROWS = [{"file": "a.png", "label": "7", "loss": "0.25"}, {"file": "ü, b.png", "label": "3", "loss": "-1.5"}]
EXCEL = 'file;label;loss\r\na.png;7;0,25\r\n"ü, b.png";3;-1,5\r\n'
LIBREOFFICE = '"file","label","loss"\n"a.png","7","0,25"\n"ü, b.png","3","-1,5"\n'


@pytest.mark.parametrize(
    "data",
    [
        EXCEL.encode("utf-8-sig"),
        EXCEL.encode("cp1252"),
        ("sep=;\r\n" + EXCEL).encode("utf-8-sig"),
        EXCEL.replace(";", "\t").encode("utf-16"),
        EXCEL.replace("\r\n", ";;\r\n").encode(),  # columns that were once in use
        EXCEL.replace("\r\n", "\r\n;;\r\n").encode(),  # empty rows
        LIBREOFFICE.encode(),
        LIBREOFFICE.replace('",', '", ').encode(),
        ('"sep=;"\r\n' + EXCEL).encode(),
        ("\ufeff" + EXCEL).encode("utf-8-sig"),
        LIBREOFFICE.replace("\n", ", \n").encode(),
        ("\r\n" + LIBREOFFICE + "\n\n").encode(),
    ],
    ids=[
        "BOM",
        "Windows-1252",
        "sep",
        "UTF-16 tabs",
        "empty columns",
        "empty rows",
        "quoted",
        "blanks",
        "quoted sep",
        "two BOMs",
        "a blank at the end",
        "empty lines",
    ],
)
@pytest.mark.fault("a table saved by a spreadsheet", "read as it was")
def test_tables_of_spreadsheets_are_read(tmp_path, data):
    (tmp_path / "table.csv").write_bytes(data)
    assert tables.read_csv(tmp_path / "table.csv", ["loss"]) == ROWS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("label,loss\n7,0.1\n\n3,many\n", "line 4, column loss: 'many' is not a number"),
        ("label,loss\n7,0.1,2\n", "line 2: 3 cells, but there are 2 columns"),
        (
            "label,label\n7,3\n",
            "line 1: each column needs a name of its own, name or delete column 1 'label', 2 'label'",
        ),
        ("label,,loss\n7,3,1\n", "line 1: each column needs a name of its own, name or delete column 2 ''"),
        ("\n\nlabel,loss\n7,1,x\n", "line 4: 3 cells, but there are 2 columns, label, loss"),
        ("sep=,\nlabel,loss\n7,1,x\n", "line 3: 3 cells"),
        ('label,loss\n"7\n7",1\n"8\n8",many\n', "line 4, column loss"),
        ('label,loss\n7,"14,986"\n', "line 2, column loss: '14,986' may be 14986 or 14.986: write it so"),
        ("label,loss\n7,nan\n", "line 2, column loss: 'nan' is not a number"),
        ("label,loss\n7,1_000\n", "line 2, column loss: '1_000' is not a number"),
        ('label,loss\n"7,1\n8,1\n', "line 2: .*; is a quote not closed there"),
        ('label,loss\n"7' + "\n8,1" * 40000, "line 2: .*; is a quote not closed there"),
        ("PK\3\4", "is no CSV file: save the table as CSV"),
        ("label\0,loss", "is no CSV file"),
    ],
)
@pytest.mark.fault("a table with a wrong cell", "error names line and column")
def test_what_is_wrong_is_named(tmp_path, text, message):
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        tables.read_csv(tmp_path / "table.csv", ["loss"])


def test_a_separator_parts_the_rows_and_not_the_names(tmp_path):
    (tmp_path / "table.csv").write_text("file,label,a remark; or two; or three; or four\na.png,7,x\nb.png,3,y; z\n")
    assert [row["label"] for row in tables.read_csv(tmp_path / "table.csv")] == ["7", "3"]


def test_cells_that_are_missing_at_the_end_are_empty(tmp_path):
    (tmp_path / "table.csv").write_text("file,label,loss\na.png,7\n")
    assert tables.read_csv(tmp_path / "table.csv", ["loss"]) == [{"file": "a.png", "label": "7", "loss": ""}]


def test_every_table_of_the_results_is_read_as_it_stands():
    for path in sorted(results.RESULTS.glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            assert results.read_table(path.stem) == list(csv.DictReader(file)), path.name


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(files, "PATIENCE", 0.3)
    monkeypatch.setattr(tables.tempfile, "gettempdir", lambda: str(tmp_path))
    results.append_result("toy", {"recipe": "toy", "seed": 0, "loss": "0.5"})
    return tmp_path / "results"


@pytest.mark.fault("a table that is open in Excel", "tried again, then the row is kept beside it")
@pytest.mark.parametrize("seconds", [0.2, 1e9])
def test_a_table_that_is_held_by_another_program(folder, monkeypatch, capsys, seconds):
    end, replace = time.monotonic() + seconds, type(folder).replace

    def refuse(part, path):
        if path.name == "toy.csv" and time.monotonic() < end:
            raise PermissionError(13, "in use by another process")
        return replace(part, path)

    monkeypatch.setattr(type(folder), "replace", refuse)
    row = {"recipe": "toy", "seed": "1", "loss": "0.25"}
    results.append_result("toy", row)
    kept = folder / "toy.not-merged-toy-1.csv"
    if seconds < 1:
        assert results.read_table("toy")[1] == row and not kept.exists()
        return
    assert len(results.read_table("toy")) == 1 and tables.read_csv(kept) == [row]
    assert f"Its row is in {kept}" in capsys.readouterr().out
    assert not list(folder.glob("*.part"))


def test_rows_of_one_recipe_and_seed_are_all_kept(folder):
    """Trials with other settings, which their table does not take."""
    (folder / "toy.csv").write_text("recipe\ntoy\n")
    for loss in ("0.1", "0.2", "0.3"):
        results.append_result("toy", {"recipe": "toy", "seed": 1, "loss": loss})
    kept = [tables.read_csv(path)[0]["loss"] for path in folder.glob("toy.not-merged-*.csv")]
    assert sorted(kept) == ["0.1", "0.2", "0.3"]


@pytest.mark.fault("a table that was changed while a run trained", "the row is kept beside it")
@pytest.mark.parametrize("text", ["recipe,seed\ntoy,0\n", "recipe,seed,loss\ntoy,0,half\n"])
def test_a_table_that_was_changed_meanwhile_loses_nothing(folder, capsys, text):
    (folder / "toy.csv").write_text(text)
    results.append_result("toy", {"recipe": "toy", "seed": 1, "loss": "0.25"})
    assert (folder / "toy.csv").read_text() == text
    assert tables.read_csv(folder / "toy.not-merged-toy-1.csv")[0]["loss"] == "0.25"


@pytest.mark.fault("a folder that can no longer be written", "the row is kept in the folder for temporary files")
def test_a_folder_that_cannot_be_written_sends_the_row_elsewhere(folder, tmp_path, monkeypatch):
    write = tables.write_whole

    def refuse(path, data):
        if path.parent == folder:
            raise OSError(28, "No space left on device")
        write(path, data)

    monkeypatch.setattr(tables, "write_whole", refuse)
    results.append_result("toy", {"recipe": "toy", "seed": 1, "loss": "0.25"})
    assert tables.read_csv(tmp_path / "toy.not-merged-toy-1.csv")[0]["loss"] == "0.25"


@pytest.mark.fault("a table or folder that cannot be written", "refused before training, one line")
@pytest.mark.parametrize("what", ["table", "folder", "locks", "columns", "cell"])
def test_what_cannot_be_written_is_said_before_training(folder, monkeypatch, capsys, what):
    def refuse(path, *args, **settings):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(sweep, "run", lambda *args: pytest.fail("it trained"))
    if what == "table":
        (folder / "trials.csv").touch()
        monkeypatch.setattr(type(folder), "open", refuse)
    elif what == "folder":
        monkeypatch.setattr(results.tempfile, "TemporaryFile", lambda dir: refuse(dir))
    elif what == "locks":
        monkeypatch.setattr(type(folder), "mkdir", refuse)
    else:
        (folder / "trials.csv").write_text("recipe,seed\nfastest,x\n" if what == "cell" else "recipe\nfastest\n")
    monkeypatch.setattr("sys.argv", ["sweep", "fastest"])
    with pytest.raises(SystemExit):
        sweep.main()
    message = {"columns": "has other columns", "cell": "line 2, column seed: 'x' is not a number"}
    assert message.get(what, "cannot be written (Permission denied): close the program") in capsys.readouterr().err


@pytest.mark.fault("a checkpoint that cannot be written", "one line an epoch, training goes on")
def test_training_goes_on_if_a_checkpoint_is_refused(monkeypatch, tmp_path, capsys, mnist):
    from helpers.data import Batches, Split
    from helpers.recipes import RECIPES
    from helpers.train import fit

    def refuse(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("helpers.train.save_checkpoint", refuse)
    split = Split(*(x[:256] for x in mnist[0]))
    model, batches, *others = RECIPES["lesson"].set_up(split, 0.13, 0.31, seed=0, device="cpu")
    kept = {"checkpoint": tmp_path / "run.pt", "settings": {"seed": 0}}
    history = fit(model, batches, Batches(split, 256, 0.13, 0.31), 2, *others, **kept)
    assert len(history.test) == 2
    assert capsys.readouterr().out.count("could not be written ([Errno 28] No space left on device)") == 2


def test_a_run_whose_checkpoint_is_of_other_code_is_trained_from_the_start(tmp_path, monkeypatch, capsys, mnist):
    from helpers.beyond.recipes import ConvNetRecipe

    recipe = ConvNetRecipe(stages=((2,), (2,)), num_epochs=1, lr=0.1, batch_size=100)
    monkeypatch.setattr(sweep, "load_mnist", lambda: [type(split)(*(x[:1000] for x in split)) for split in mnist])
    path = tmp_path / "run.pt"
    first, weights = sweep.run(recipe, 0, "test", "cpu", path)
    monkeypatch.setattr(sweep, "describe", lambda device: {"commit": "another"})
    again, same = sweep.run(recipe, 0, "test", "cpu", path)
    assert "Training from the start, since" in capsys.readouterr().out
    assert again["losses"] == first["losses"] and again["commit"] == "another"
    assert all(torch.equal(weights.state[name], same.state[name]) for name in weights.state)


def test_written_tables_are_plain_csv(tmp_path):
    tables.write_csv(tmp_path / "table.csv", ROWS)
    data = (tmp_path / "table.csv").read_bytes()
    assert data.startswith(b"file,label,loss\n") and b"\r" not in data
    assert list(csv.DictReader(io.StringIO(data.decode()))) == ROWS
