"""Networks that are read out of a student's file."""

import re
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from helpers.own_network.__main__ import main

SUBMISSION = """
!pip install torchsummary
import nosuchmodule, torch
from torch import nn
import torch.nn.functional as F

SIZE: int = 8
scale = 0.5
raise SystemExit("a download")
train_loader = torch.utils.data.DataLoader(None)
%matplotlib inline


class Net(nn.Module):
    def __init__(self, norm="BN"):
        super().__init__()
        self.conv = nn.Conv2d(1, SIZE, 3)
        self.fc = nn.Linear(SIZE, 10)

    def forward(self, x):
        return self.fc(F.relu(self.conv(x)).mean((2, 3)) * scale)


model = Net("no such argument", 1)
"""


def write_submission(folder: Path, suffix: str) -> Path:
    path = folder / f"S6{suffix}"
    if suffix == ".py":
        path.write_text(
            "\n".join(line for line in SUBMISSION.splitlines() if line[:1] not in ("!", "%")), encoding="utf-8"
        )
    else:
        cells = [v4.new_code_cell(part) for part in (*SUBMISSION.split("\n\n\n"), "this is no Python")]
        nbformat.write(v4.new_notebook(cells=[v4.new_markdown_cell("# S6"), *cells]), path)
    return path


@pytest.mark.parametrize("suffix", [".py", ".ipynb"])
def test_a_submission_is_read_and_not_run(tmp_path, monkeypatch, capsys, suffix):
    monkeypatch.setattr(sys, "argv", ["submission", f"{write_submission(tmp_path, suffix)}:Net('BN')"])
    assert main() == 0
    out, err = capsys.readouterr()
    assert "definitions and plain constants are executed, and nothing else" in out
    assert re.search(r"conv +conv +-> \(2, 8, 26, 26\)", out)
    assert re.search(r"Mean +8 +26 +26 +0 +26 +28 +1x1, from the whole map", out)
    assert "FAIL  batch norm" in out and "\n170\n" in out and "99.4" not in out
    assert "left out: import nosuchmodule: No module named 'nosuchmodule'" in err
    assert ("this is no Python" in err) == (suffix == ".ipynb")


def test_a_module_beside_the_file_is_found_from_another_folder(tmp_path, monkeypatch, capsys):
    (tmp_path / "work").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "work" / "blocks_beside.py").write_text("from torch.nn import Flatten, Linear, Sequential\n")
    (tmp_path / "work" / "net.py").write_text("from blocks_beside import *\n")
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setattr(sys, "argv", ["submission", "../work/net.py:Sequential(Flatten(), Linear(784, 10))"])
    before = list(sys.path)
    assert main() == 0 and sys.path == before
    assert "\n7,850\n" in capsys.readouterr().out


@pytest.mark.fault("a submission that cannot be read", "one line")
@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("Net", "Net is a class: give an instance of it, such as Net()"),
        ("Other()", "NameError: name 'Other' is not defined"),
        ("Net(1, 2, 3)", "TypeError"),
        ("Net(", "SyntaxError"),
        ("torch", "a network must be an nn.Module, got module"),
    ],
)
def test_what_is_wrong_with_a_submission_is_one_line(tmp_path, monkeypatch, capsys, expression, message):
    monkeypatch.setattr(sys, "argv", ["submission", f"{write_submission(tmp_path, '.py')}:{expression}"])
    assert main() == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert message in last


@pytest.mark.parametrize("argument", [[], ["net.py"], ["net.txt:Net()"], ["net.py:"]])
def test_usage_is_said(monkeypatch, capsys, argument):
    monkeypatch.setattr(sys, "argv", ["submission", *argument])
    assert main() == 2 and "usage: python -m helpers.own_network FILE:EXPRESSION" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_named(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["submission", "nowhere/net.py:Net()"])
    assert main() == 1 and "No such file" in capsys.readouterr().err
