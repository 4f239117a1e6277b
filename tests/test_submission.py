"""Networks that are read out of a student's file, and the command that grades them."""

import json
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from helpers.own_network.__main__ import main
from helpers.own_network.grade import grade
from helpers.own_network.submission import load
from measure.machine import ROOT

SUBMISSION = """
!pip install torchsummary
import nosuchmodule, torch
from torch import nn
import torch.nn.functional as F

SIZE: int = 4
SIZE = SIZE * 2
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


%%time
scale = 0.5
model = Net("no such argument", 1)
"""


def write_submission(folder: Path, suffix: str) -> Path:
    path = folder / f"S6{suffix}"
    if suffix == ".py":
        path.write_text(
            "\n".join(line for line in SUBMISSION.splitlines() if line[:1] not in ("!", "%")), encoding="utf-8"
        )
    else:
        cells = [v4.new_code_cell(part) for part in (*SUBMISSION.split("\n\n\n"), "SIZE = 1\nthis is no Python")]
        nbformat.write(v4.new_notebook(cells=[v4.new_markdown_cell("# S6"), *cells]), path)
    return path


@pytest.mark.parametrize("suffix", [".py", ".ipynb"])
def test_definitions_run_and_statements_that_may_do_anything_are_left_out(tmp_path, suffix):
    report = grade(str(write_submission(tmp_path, suffix)), "Net('BN')", 28)
    assert re.search(r"conv +conv +-> \(2, 8, 26, 26\)", "\n".join(report["calls"]))
    assert re.search(r"Mean +8 +26 +26 +0 +26 +28 +1x1, from the whole map", report["receptive_field"])
    lines = {line["criterion"]: line["passed"] for line in report["lines"]}
    assert lines["batch norm"] is False and lines["convolutions without padding"] and report["parameters"] == "170"
    left_out = "\n".join(report["left_out"])
    assert "import nosuchmodule: No module named 'nosuchmodule'" in left_out
    assert "raise SystemExit('a download')" in left_out
    assert "train_loader = torch.utils.data.DataLoader(None)" in left_out and "model = Net(" in left_out
    assert ("code cell 4, line 2: " in left_out) == (suffix == ".ipynb")


FILES = {
    "a byte-order mark": ("\ufeffWIDTH = 8\n".encode(), "WIDTH", 8),
    "Latin-1": ("NAME = 'Zürich'\n".encode("latin-1"), "len(NAME)", 6),
    "an encoding that is named": ("# coding: cp1252\nNAME = 'Zürich'\n".encode("cp1252"), "NAME", "Zürich"),
    "computed constants": (b"A = 8\nA = A * 2\nB, C = A + 1, [A] * 2\nA += 1\n", "(A, B, C)", (17, 17, [16, 16])),
    "names and lambdas": (b"import math\nroot = math.sqrt\nf = lambda x: print(x) or 7\n", "(root(49), f)[0]", 7.0),
    "a device": (b"import torch\nd = torch.device('cuda' if torch.cuda.is_available() else 'cpu')\n", "d.type", "cpu"),
    "try import": (b"try:\n    import nosuch\nexcept ImportError:\n    nosuch = None\n", "nosuch", None),
    "a class in an if": (b"if True:\n    class A:\n        x = 3\n", "A.x", 3),
    "future annotations": (
        b"from __future__ import annotations\nimport dataclasses\n@dataclasses.dataclass\nclass A:\n    x: Nope = 5\n",
        "A().x",
        5,
    ),
    "string annotations": (
        b"from dataclasses import dataclass\n@dataclass\nclass A:\n    x: 'A | None' = None\n    y: int = 2\n",
        "A().y",
        2,
    ),
    "an annotation that acts": (b"x: print('run') = 3\n", "x", 3),
    "settings of an object": (
        b"class C:\n    pass\nC.width = int(3)\nC.sizes = {}\nC.sizes[1] = str(2)\n",
        "C.sizes[C.width - 2]",
        "2",
    ),
    "an import in a try": (
        b"try:\n    import nosuch as m\nexcept ImportError:\n    import math as m\n",
        "m.pi > 3",
        True,
    ),
    "lists that grow": (
        b"a = []\nfor i in 0, 1, 2:\n    a.append(i)\na.append(9)\nb = a + [4]\n",
        "b",
        [0, 1, 2, 9, 4],
    ),
    "a value made in a block": (
        b"import os\nwith open(os.devnull) as f:\n    a = 3\nwhile a < 5:\n    a += 1\n",
        "a",
        5,
    ),
    "what runs as a program": (b"x = 1\nif __name__ == '__main__':\n    x = 2\n", "x", 1),
}


@pytest.mark.fault("a student's file of any kind", "read, the lines that the network needs run")
@pytest.mark.parametrize("name", FILES)
def test_files_of_all_kinds_are_read(tmp_path, capsys, name):
    data, expression, value = FILES[name]
    (tmp_path / "work 1.py").write_bytes(data)
    left_out = []
    assert load(str(tmp_path / "work 1.py"), expression, left_out) == value and left_out == []
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "statement",
    [
        "data = open('x', 'w')",
        "x = [print(1)]",
        "x = {}; x[print(1)] = 2",
        "x = (lambda: print(1))()",
        "print('training')",
        "for i in range(3):\n    x = i",
        "if open('x', 'w'):\n    x = 1",
        "x = 1 if exec('y = 2') else 3",
        "with open('x', 'w') as f:\n    pass",
        "import os; os.remove('x')",
    ],
)
def test_what_acts_is_left_out_and_named(tmp_path, monkeypatch, capsys, statement):
    monkeypatch.chdir(tmp_path)
    Path("work.py").write_text(f"A = 1\n{statement}\n")
    left_out = []
    assert load("work.py", "A", left_out) == 1 and len(left_out) == 1 and left_out[0].startswith("line 2: ")
    assert not Path("x").exists() and capsys.readouterr().out == ""


def test_a_file_that_is_no_python_names_its_line(tmp_path):
    (tmp_path / "work.py").write_text("A = 1\nB = = 2\n")
    report = grade(str(tmp_path / "work.py"), "A", 28)
    assert (
        report["left_out"] == ["line 2: invalid syntax: B = = 2; so nothing of the file is run"]
        and "name 'A' is not defined" in report["error"]
    )


NEEDED = """
import argparse, os
from dataclasses import dataclass
from torch import nn
from .blocks import block

@dataclass
class Config:
    width: int = 10

class Other:
    def __init__(self):
        raise RuntimeError

config = Config()
ACTIVATION = nn.ReLU()
args = argparse.ArgumentParser().parse_args()
KERNEL = int(os.environ.get("KERNEL", 3))
unused = Other()

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(block(config.width, KERNEL), ACTIVATION, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.args = args
"""


def test_what_the_network_needs_is_run_and_its_neighbors_are_found(tmp_path):
    (tmp_path / "net.py").write_text(NEEDED)
    (tmp_path / "blocks.py").write_text("from .more import nn\nblock = lambda width, k: nn.Conv2d(1, width, k)\n")
    (tmp_path / "more.py").write_text("from torch import nn\n")
    report = grade(str(tmp_path / "net.py"), "Net()", 28)
    assert report["parameters"] == "100" and report["left_out"] == ["line 19: unused = Other()"]


def test_names_of_a_function_are_not_those_of_the_file(tmp_path):
    """What trains has often a name of the network's own, such as x."""
    (tmp_path / "net.py").write_text(
        "from torch import nn\nclass Net(nn.Flatten):\n    def forward(self, x):\n        y = super().forward(x)\n"
        "        return sum([y for y in [y]])\nx, y = next(iter(download()))\nfor y in x:\n    train(y)\n"
    )
    left_out = []
    assert load(str(tmp_path / "net.py"), "Net()", left_out).training
    assert left_out == ["line 6: x, y = next(iter(download()))", "line 7: for y in x:"]


def test_the_line_that_says_why_a_name_is_missing_is_quoted(tmp_path):
    (tmp_path / "net.py").write_text("class Net(Missing):\n    pass\n")
    error = grade(str(tmp_path / "net.py"), "Net()", 28)["error"]
    assert error.endswith("(line 1: class Net(Missing): name 'Missing' is not defined)")


def test_a_cell_that_is_no_python_leaves_the_others(tmp_path):
    cells = [nbformat.v4.new_code_cell(source) for source in ("A = 1\nB = = 2", "C = 3")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "work.ipynb")
    assert load(str(tmp_path / "work.ipynb"), "C", left_out := []) == 3
    assert left_out == ["code cell 1, line 2: invalid syntax: B = = 2; so nothing of the cell is run"]


def test_a_cell_that_writes_a_file_is_read(tmp_path):
    cell = nbformat.v4.new_code_cell("%%writefile net.py\nSIZE = 3\n")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "work.ipynb")
    assert load(str(tmp_path / "work.ipynb"), "SIZE", []) == 3


@pytest.mark.parametrize("name", ["parts", "helpers"])
def test_modules_beside_a_students_file_are_found_from_anywhere(tmp_path, monkeypatch, name):
    """Even a student's own `helpers`, which is not this package."""
    saved = {key: module for key, module in sys.modules.items() if key.split(".")[0] == "helpers"}
    (tmp_path / f"{name}.py").write_text("SIZE = 5\n")
    (tmp_path / "work.py").write_text(f"from {name} import SIZE\n")
    monkeypatch.chdir(tmp_path.parent)
    value = load(str(tmp_path / "work.py"), "SIZE", left_out := [])
    sys.modules.pop(name, None)
    sys.modules.update(saved)
    assert value == 5 and left_out == [] and str(tmp_path) not in sys.path


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
def test_what_is_wrong_with_a_submission_is_one_line(tmp_path, expression, message):
    error = grade(str(write_submission(tmp_path, ".py")), expression, 28)["error"]
    assert message in error and "\n" not in error


def test_networks_for_larger_images_are_graded(tmp_path):
    (tmp_path / "net.py").write_text(
        "from torch import nn\nnet = lambda: nn.Sequential(nn.Conv2d(1, 10, 32), nn.Flatten())\n"
    )
    report = grade(str(tmp_path / "net.py"), "net()", 32)
    assert any("32x32 convolution over the whole map" in line["reason"] for line in report["lines"])
    assert "fails on an input of shape (2, 1, 28, 28)" in grade(str(tmp_path / "net.py"), "net()", 28)["error"]


PASSING = """
import subprocess, threading, time
from torch import nn
def net():
    threading.Thread(target=lambda: time.sleep(1e5)).start()  # goes on after the end, as does what it starts
    subprocess.Popen(["sleep", "1e5"])
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Dropout(0.1), nn.MaxPool2d(2), nn.Conv2d(4, 8, 3, padding=1), nn.ReLU(),
        nn.Conv2d(8, 10, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
"""
ENDINGS = {
    "graded": (PASSING, 0, ""),
    "sys.exit": (
        "import sys\ndef net():\n    sys.exit(0)\n",
        1,
        "the process ended (exit status 0) before",
    ),
    "os._exit": ("import os\ndef net():\n    os._exit(0)\n", 1, "the process ended (exit status 0) before"),
    "a report of its own": (
        "import sys\ndef net():\n    open(sys.argv[-1], 'w').write('[1]')\n    sys.exit(0)\n",
        1,
        "the process ended (exit status 0) before",
    ),
    "too slow": ("def net():\n    while True:\n        pass\n", 1, "took longer than 5 s and was stopped"),
    "too large": (
        PASSING.replace("def net():", "def net():\n    x = bytearray(20 << 30)"),
        1,
        "it needs more than 8 GB of memory",
    ),
}


@pytest.mark.fault("a submission that exits, hangs or fills the memory", "a sentence, exit status 1")
@pytest.mark.parametrize("name", ENDINGS)
def test_the_command_ends_with_a_report_or_a_sentence(tmp_path, monkeypatch, capfd, name):
    source, status, message = ENDINGS[name]
    (tmp_path / "net.py").write_text(f"print('PASS  everything')\n{source}")
    words = [f"{tmp_path / 'net.py'}:net()", "--json", "--seconds", "5" if name == "too slow" else "60"]
    monkeypatch.setattr(sys, "argv", ["own_network", *words])
    assert main() == status
    report = json.loads(capfd.readouterr().out)
    assert message in report.get("error", "") and ("lines" in report) == (status != 1)
    assert report["file"].endswith("net.py") and report["network"] == "net()"


def test_the_command_itself_does_not_load_torch():
    """The process that it starts does; so one does not wait for it twice."""
    code = "import sys, helpers.own_network.__main__; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_the_command_prints_its_report(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(sys, "argv", ["own_network", f"{write_submission(tmp_path, '.py')}:Net()"])
    assert main() == 3
    out, err = capfd.readouterr()
    assert "FAIL  batch norm" in out and "\n170\n" in out and "its accuracy is unknown" in out
    assert "left out, line " in err


@pytest.mark.parametrize("argument", [[], ["net.py"], ["net.txt:Net()"], ["net.py:"], ["net.py:Net()", "--size", "x"]])
def test_usage_is_said(monkeypatch, capsys, argument):
    monkeypatch.setattr(sys, "argv", ["own_network", *argument])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2 and "usage: python -m helpers.own_network" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("class Net: pass".encode("utf-16"), "no text in UTF-8 or Latin-1"),
        (b"def Net():\n    raise RuntimeError('x' * 10**6)\n", "RuntimeError: xxx"),
        (b"class Net:\n    def __init__(self):\n        self.net = self()\n", "TypeError"),
        (b"def Net():\n    raise ValueError('\\x1b[2J a\\nPASS')\n", "ValueError:  [2J a PASS"),
    ],
)
def test_what_is_wrong_is_said_shortly(tmp_path, data, message):
    (tmp_path / "net.py").write_bytes(data)
    error = grade(str(tmp_path / "net.py"), "Net()", 28)["error"]
    assert message in error and len(error) <= 500


def test_a_network_that_holds_itself_is_refused(tmp_path):
    (tmp_path / "net.py").write_text("from torch import nn\nnet = nn.Sequential\n")
    (tmp_path / "net.py").write_text(
        "from torch import nn\ndef net():\n    a, b = nn.Sequential(), nn.Sequential()\n"
        "    a.add_module('b', b)\n    b.add_module('a', a)\n    return a\n"
    )
    assert "holds the network itself" in grade(str(tmp_path / "net.py"), "net()", 28)["error"]


def test_a_file_that_is_not_there_is_named():
    assert "No such file" in grade("nowhere/net.py", "Net()", 28)["error"]


CELL = '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "code"}]}'  # it has no source


@pytest.mark.parametrize("content", ["[1, 2]", CELL, '{"cells": 3}', "{", "null", '"text"'])
@pytest.mark.fault("notebook that is none", "a sentence")
def test_a_damaged_notebook_gets_a_sentence(tmp_path, content):
    path = tmp_path / "work.ipynb"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"work\.ipynb.*it is no notebook, or a damaged one \("):
        load(str(path), "Net()", [])
