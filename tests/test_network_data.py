"""Networks of many kinds in plain JavaScript: V8's logits against PyTorch's, or a sentence that names the layer."""

import json
import sys
from pathlib import Path

import nbformat
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from helpers.own_digit.network_data import main, network_of, read_weights
from tests.networks import Sequence
from tests.test_pad import Engine

ACTIVATIONS = [nn.Sigmoid(), nn.Tanh(), nn.Mish(), nn.Hardswish(), nn.Hardsigmoid(), nn.LeakyReLU(0.3), nn.ELU(0.7)]
ACTIVATIONS += [nn.CELU(0.5), nn.SELU(), nn.ReLU6(), nn.GELU(), nn.GELU("tanh"), nn.PReLU(), nn.PReLU(4)]
ACTIVATIONS += [nn.Softplus(2), nn.Softsign(), nn.Hardtanh(-1, 2), nn.Tanhshrink(), nn.SiLU(inplace=True)]
ACTIVATIONS += [nn.InstanceNorm2d(4, affine=True), nn.GroupNorm(2, 4), nn.BatchNorm2d(4, track_running_stats=False)]


class Branches(nn.Module):
    """Two maps of an image, y and z, put together by a function of them, the image, and a parameter k."""

    def __init__(self, together):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.last = nn.LazyLinear(10)
        self.k, self.together = nn.Parameter(torch.tensor([1.5, -0.5, 2.0, 0.3]).view(4, 1, 1)), together

    def forward(self, x):
        y = self.first(x)
        return self.last(self.together(y, self.second(y), x, self.k).mean((2, 3)))


DRAWN = {
    "add": lambda y, z, x, k: y + z,
    "add in place": lambda y, z, x, k: z.add_(y),
    "add with alpha": lambda y, z, x, k: torch.add(y, z, alpha=0.3),
    "subtract": lambda y, z, x, k: y - z,
    "multiply": lambda y, z, x, k: y * z,
    "the larger": lambda y, z, x, k: torch.maximum(y, z),
    "the image": lambda y, z, x, k: y + x,
    "squeeze and excite": lambda y, z, x, k: y * torch.sigmoid(F.adaptive_avg_pool2d(z, 1)),
    "a factor for each map": lambda y, z, x, k: y * k + z,
    "a divisor for each map": lambda y, z, x, k: y / k,
    "a constant first": lambda y, z, x, k: k - y,
    "1 - x": lambda y, z, x, k: 1 - y,
    "-x": lambda y, z, x, k: -y,
    "scaled": lambda y, z, x, k: (y - 0.1307) / 0.3081 * 2 + 1,
    "concatenate": lambda y, z, x, k: torch.cat([y, x, z], dim=1),
    "pad": lambda y, z, x, k: F.pad(y, (1, 2, 0, 3)),
    "rows, then columns": lambda y, z, x, k: y.mean(3, keepdim=True) * z.mean(2, keepdim=True),
    "largest": lambda y, z, x, k: y.amax((2, 3), keepdim=True),
}


DRAWN |= {
    "log_sigmoid": lambda y, z, x, k: F.logsigmoid(y),
    "1 / x": lambda y, z, x, k: 1 / (y.abs() + 1),
    "square root and power": lambda y, z, x, k: (y.abs() + 1).rsqrt() + (z**2 + 1).sqrt(),
    "slice": lambda y, z, x, k: y[:, :, 1:-1],
    "some maps": lambda y, z, x, k: y[:, [2, 0]] + z[:, 1:3] + z[:, :1],
    "halves of the maps": lambda y, z, x, k: y.chunk(2, dim=1)[1] * z.split(2, dim=1)[0],
    "permute": lambda y, z, x, k: y.permute(0, 1, 3, 2),
    "flip and roll": lambda y, z, x, k: y.flip(3) + z.roll(2, 2),
    "shuffled maps": lambda y, z, x, k: y.view(-1, 2, 2, 28, 28).transpose(1, 2).reshape(-1, 4, 28, 28) * k,
    "upsample": lambda y, z, x, k: F.interpolate(y, scale_factor=2),
    "shuffled pixels": lambda y, z, x, k: F.pixel_unshuffle(F.pixel_shuffle(y, 2), 4),
    "reflect": lambda y, z, x, k: F.pad(y, (1, 1, 1, 1), mode="reflect"),
    "replicate": lambda y, z, x, k: F.pad(y, (2, 1, 0, 3), mode="replicate"),
    "around": lambda y, z, x, k: F.pad(y, (2, 1, 0, 3), mode="circular"),
    "pad with ones": lambda y, z, x, k: F.pad(y, (1, 1, 1, 1), value=1.5),
    "crop": lambda y, z, x, k: F.pad(y, (-1, -2, 0, -3)),
    "layer norm": lambda y, z, x, k: F.layer_norm(y, (4, 28, 28)) * y,
    "layer norm of rows": lambda y, z, x, k: F.layer_norm(y, (28,), torch.arange(28.0), torch.ones(28)) * y,
    "mean over the maps": lambda y, z, x, k: y * z.mean(1, keepdim=True) + z.amax(1, keepdim=True),
    "sum over rows": lambda y, z, x, k: y * z.sum(2, keepdim=True),
    "side by side": lambda y, z, x, k: torch.cat([y, z], dim=3),
    "one map alone": lambda y, z, x, k: torch.cat([y], dim=1),
    "a factor for each place": lambda y, z, x, k: y * torch.arange(784.0).view(1, 1, 28, 28) + torch.arange(28.0),
    "a row of columns": lambda y, z, x, k: F.conv1d(y.flatten(2), torch.ones(2, 4, 5), stride=3, padding=2)[..., None],
    "glu": lambda y, z, x, k: F.glu(torch.cat([y, z], 1), dim=1),
    "pooled to windows of two sizes": lambda y, z, x, k: F.adaptive_avg_pool2d(y[:, :, :7, :9], (4, 5)),
    "enlarged": lambda y, z, x, k: F.interpolate(y, (40, 33), mode="bilinear"),
    "glu of rows": lambda y, z, x, k: F.glu(y, dim=2),
    "softmax": lambda y, z, x, k: (5 * y).softmax(dim=1) * z.softmax(dim=3) + y.log_softmax(2),
    "matrix product": lambda y, z, x, k: y @ z,
    "linear by rows": lambda y, z, x, k: F.linear(y, torch.arange(56.0).view(2, 28).sin(), torch.ones(2)),
    "attention": lambda y, z, x, k: F.scaled_dot_product_attention(y, z, y + z[:, :1]),
    "a class token": lambda y, z, x, k: torch.cat([k.view(1, 4, 1, 1).expand(len(y), 4, 1, 28), y], 2),
    "mean over the images": lambda y, z, x, k: z - 0.5 * y.mean(0, keepdim=True),
    "of an image alone": lambda y, z, x, k: y + z.flip(0),
    "batch norm of the image": lambda y, z, x, k: F.batch_norm(y, 9 * torch.ones(4), torch.ones(4), training=True),
    "numbers that are not looked at": lambda y, z, x, k: y * float(k.detach().max()),
    "pooled rows": lambda y, z, x, k: F.max_pool1d(y.flatten(2), 3)[..., None],
}


@torch.inference_mode()
def difference(model: nn.Module) -> float:
    """Returns how far V8's probabilities, on a logarithmic scale, are from PyTorch's, for two images one by one."""
    images = torch.rand(2, 28, 28, generator=torch.Generator().manual_seed(1))
    engine = Engine(network_of(model.eval(), 0.1, 0.3))
    pairs = [(model((image[None, None] - 0.1) / 0.3), engine.logits(image)[None].float()) for image in images]
    return max((x.log_softmax(1) - y.log_softmax(1)).abs().max().item() for x, y in pairs)


def layers(*between: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 4, 5, stride=2), *between, nn.Flatten(), nn.LazyLinear(10))


def initialized(model: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    model(torch.rand(2, 1, 28, 28))
    return model


@pytest.mark.parametrize("layer", ACTIVATIONS, ids=str)
def test_activations_and_norms_are_those_of_torch(layer):
    assert difference(initialized(layers(layer))) < 1e-5


@pytest.mark.parametrize("name", DRAWN)
def test_branches_are_those_of_torch(name):
    assert difference(initialized(Branches(DRAWN[name]))) < 1e-4


@pytest.mark.parametrize("last", [nn.Softmax(1), nn.LogSoftmax(1)], ids=str)
def test_a_softmax_at_the_end_is_left_to_the_page(last):
    network = network_of(nn.Sequential(nn.Flatten(), nn.Linear(784, 10), last), 0.1, 0.3)
    assert [layer["type"] for layer in network["layers"]] == ["flatten", "linear"]


@pytest.mark.parametrize("ends", [[nn.Softmax(1), nn.LogSoftmax(1)], [nn.LogSoftmax(1)] * 2, [nn.Softmax(0)]], ids=str)
def test_two_of_them_and_one_over_images_are_what_they_are(ends):
    assert difference(initialized(nn.Sequential(nn.Flatten(), nn.Linear(784, 10), *ends))) < 1e-5


def test_of_several_outputs_the_logits_are_drawn():
    class Outputs(nn.Module):
        def __init__(self):
            super().__init__()
            self.last = nn.Linear(784, 10)

        def forward(self, x):
            logits = self.last(x.flatten(1))
            return logits, F.relu(logits)

    assert [layer["type"] for layer in network_of(Outputs(), 0.1, 0.3)["layers"]] == ["flatten", "linear"]


@pytest.mark.parametrize("kind", ["MultiheadAttention", "TransformerEncoderLayer"])
def test_sequences_are_those_of_torch(kind):
    model = Sequence(getattr(nn, kind)(16, 2, batch_first=True), class_token=kind == "MultiheadAttention")
    assert difference(initialized(model)) < 1e-5


RECURRENT = nn.LSTM(28, 28)
REFUSED = {
    "rounded": lambda y, z, x, k: torch.div(y, z, rounding_mode="floor"),
    "rounded by a number": lambda y, z, x, k: torch.div(y, 2, rounding_mode="floor"),
    "of two images": lambda y, z, x, k: F.max_pool2d(torch.cat([y, z]), 2)[:1],
    "LSTM": lambda y, z, x, k: RECURRENT(x[:, 0])[0][:, None],
    "three dimensions": lambda y, z, x, k: F.conv3d(y[:, :, None], torch.ones(2, 4, 1, 3, 3))[:, :, 0],
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_drawn_is_named(name):
    with pytest.raises(ValueError, match=r"^layer .*\(\w+\) is not known to the pad: it takes convolutions"):
        network_of(initialized(Branches(REFUSED[name])).eval(), 0.1, 0.3)


CHANGING = {
    "dropout": (lambda y, z, x, k: F.dropout(y, 0.1), r"layer dropout \(dropout\) is random in eval mode, too"),
    "noise": (lambda y, z, x, k: y + torch.randn_like(y), r"\(randn_like\) is random in eval mode, too"),
    "dropout by hand": (lambda y, z, x, k: y * (torch.rand(1, 4, 1, 1) > 0.5), r"\(rand\) is random in eval mode"),
    "item": (lambda y, z, x, k: y / y.abs().max().item(), r"\(max\): a number is read out of its values"),
    "if": (lambda y, z, x, k: y if y.mean() > 0 else z, "a number is read out of its values"),
    "numpy": (lambda y, z, x, k: y * float(x.detach().numpy().max()), "a number is read out of its values"),
    "addmm": (
        lambda y, z, x, k: torch.addmm(z[0, 0], y[0, 0], torch.eye(28), beta=0.5)[None, None],
        "factor, beta or alpha",
    ),
}


@pytest.mark.parametrize("name", CHANGING)
def test_what_changes_from_image_to_image_is_no_network_that_the_pad_could_show(name):
    function, message = CHANGING[name]
    with pytest.raises(ValueError, match=message):
        network_of(initialized(Branches(function)).eval(), 0.1, 0.3)


NET = """
import torch
from torch import nn
raise SystemExit("training")

class Net(nn.Module):
    def __init__(self, width=4):
        print("a network of my own")
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, width, 5, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(144 * width, 10))
    def forward(self, x):
        return self.body(x).log_softmax(1)
"""


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Runs the command on a file and its weights; returns its exit status and what it prints."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(NET)
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(NET)]), tmp_path / "net.ipynb")

    def run(network: str, saved: object, *options: str) -> tuple[int, str, str]:
        torch.save(saved, "weights.pt")
        monkeypatch.setattr(sys, "argv", ["network_data", network, "weights.pt", "net.json", *options])
        Path("net.json").unlink(missing_ok=True)
        capsys.readouterr()  # what making the model printed
        return main(), Path("net.json").read_text() if Path("net.json").exists() else "", capsys.readouterr().err

    return run


def model_of() -> nn.Module:
    space: dict = {}
    exec(NET.replace('raise SystemExit("training")', ""), space)
    torch.manual_seed(3)
    return space["Net"]()


@pytest.mark.parametrize("file", ["net.py", "net.ipynb"])
@pytest.mark.parametrize(
    "wrap", [dict, lambda s: {"epoch": 3, "model": s}, lambda s: {f"_orig_mod.{k}": s[k] for k in s}]
)
def test_the_command_writes_a_network_with_its_weights(command, file, wrap):
    model = model_of()
    status, text, _ = command(f"{file}:Net()", wrap(model.state_dict()), "--mean", "0.2", "--std", "0.4")
    data = json.loads(text)
    assert status == 0 and data == network_of(model, 0.2, 0.4) | {"name": "net"}
    image = torch.rand(1, 1, 28, 28)
    logits = Engine(data).logits(image)
    assert torch.allclose(logits.log_softmax(0), model((image - 0.2) / 0.4)[0], atol=1e-5)
    assert json.loads(command(f"{file}:Net()", model.state_dict())[1])["mean"] == 0.1307


@pytest.mark.fault("weights that are none, or another network's, for the page", "a sentence")
def test_wrong_weights_get_a_sentence(command):
    model = model_of()
    for network, saved, message in (
        ("net.py:Net(8)", model.state_dict(), "has the weights of another network than net.py:Net(8)"),
        ("net.py:Net()", nn.Linear(2, 2), "holds no plain state_dict, perhaps a whole model: save the weights alone"),
        ("net.py:Net()", [1, 2], "holds no state_dict: save the weights alone"),
        ("net.py:Net(", model.state_dict(), "SyntaxError"),
        ("net.py:Net", model.state_dict(), "net.py:Net is a type, not an nn.Module"),
        ("net.txt:Net()", model.state_dict(), "the network is given as FILE:EXPRESSION"),
        ("none.py:Net()", model.state_dict(), "none.py"),
        ("net.py:nn.Flatten()", {}, "holds no state_dict"),
        (
            "net.py:nn.Conv2d(1, 2, 3)",
            nn.Conv2d(1, 2, 3).state_dict(),
            "(1, 10) logits for an image, not (1, 2, 26, 26)",
        ),
    ):
        status, text, error = command(network, saved)
        assert status == 1 and text == "" and message in error and error.count("\n") == 1, error


@pytest.mark.parametrize("data", [b"", b"hello", b"<!doctype html>", b"\x08\x00\x00\x00\x00\x00\x00\x00{}"])
def test_what_is_no_file_of_weights_gets_a_sentence(tmp_path, data):
    (tmp_path / "weights.pt").write_bytes(data)
    with pytest.raises(ValueError, match="save the weights alone"):
        read_weights(str(tmp_path / "weights.pt"))
