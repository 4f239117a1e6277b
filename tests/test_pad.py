"""The drawing pad: its JavaScript, run by V8, against PyTorch."""

import base64
import json
import random
import re
from functools import partial

import numpy as np
import pytest
import torch
from py_mini_racer import MiniRacer
from torch import nn

from helpers.beyond.conv_net import ConvNet
from helpers.beyond.recipes import ALL_RECIPES
from helpers.model import count_parameters, to_device
from helpers.own_digit.network_data import network_of
from helpers.own_digit.pad import draw, pad, script
from measure.weights import median_run, trained
from tests.pictures import line
from tools import page

# V8 alone has none: bytes from base64.
ATOB = """const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const PLACES = Object.fromEntries([...LETTERS].map((letter, i) => [letter, i]));
function atob(text) {
  const found = [];
  let bits = 0, count = 0;
  for (const letter of text.replace(/=+$/, "")) {
    bits = (bits << 6 | PLACES[letter]) & 0xffffff;
    count += 6;
    if (count >= 8) found.push(String.fromCharCode(bits >> (count -= 8) & 255));
  }
  return found.join("");
}"""


class Engine:
    """What the pad and the page share, with a network loaded."""

    def __init__(self, network: dict | None = None):
        self.js = MiniRacer()
        self.js.eval(ATOB)
        self.js.eval(script())
        if network:
            self.js.eval(f"const network = mnist.load({json.dumps(network)})")

    def logits(self, image: torch.Tensor) -> torch.Tensor:
        values = f"new Float32Array({json.dumps(image.flatten().tolist())})"
        return torch.tensor(self.json(f"Array.from(mnist.forward(network, {values}).pop().data)"))

    def rasterize(self, strokes: list) -> np.ndarray:
        return np.array(self.json(f"Array.from(mnist.rasterize({json.dumps(strokes)}))")).reshape(28, 28)

    def json(self, expression: str) -> object:
        return json.loads(self.js.eval(f"JSON.stringify({expression})"))


@torch.inference_mode()
def largest_difference(model, mean, std, images) -> float:
    engine = Engine(network_of(model, mean, std))
    expected = model.eval()((images[:, None] - mean) / std)
    return max((engine.logits(image) - logits).abs().max().item() for image, logits in zip(images, expected))


@pytest.mark.parametrize("name", ALL_RECIPES)
def test_logits_are_those_of_torch(mnist, name):
    """`make test-page` compares 500 digits in a browser."""
    model, *normalization = trained(name)
    # As in the notebook: in the memory order that is fastest on a CPU.
    assert largest_difference(to_device(model, "cpu"), *normalization, mnist[1].images[:8] / 255) < 1e-4


@pytest.mark.parametrize("separable", [False, True])
@pytest.mark.parametrize("orientations", [1, 4, 8])
def test_logits_of_shared_filters_are_those_of_torch(mnist, orientations, separable):
    model = ConvNet([[(1, 5), 2], [2, 2]], orientations=orientations, separable=separable, activation="SiLU")
    model(torch.randn(64, 1, 28, 28))  # for running statistics
    assert largest_difference(model, 0.1, 0.3, mnist[1].images[:3] / 255) < 1e-4


def some_network(seed: int) -> nn.Module:
    """All kinds of layers, with odd kernels, strides and paddings."""
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Conv2d(1, 6, (5, 3), stride=(1, 2), padding=(1, 2)),
        nn.SiLU(),
        nn.MaxPool2d(3, 2, padding=1, ceil_mode=True),
        nn.BatchNorm2d(6),
        nn.Conv2d(6, 8, 3, padding=(2, 1), dilation=(2, 1), groups=2, bias=False),
        nn.ReLU(),
        nn.AvgPool2d((2, 3), stride=2, padding=1, ceil_mode=True, count_include_pad=bool(seed)),
        nn.Dropout(0.2),
        nn.Conv2d(8, 4, 1),
        nn.Flatten(),
        nn.LazyLinear(12, bias=bool(seed)),
        nn.ReLU(inplace=True),
        nn.Linear(12, 10),
    )
    model(torch.randn(8, 1, 28, 28))  # gives the batch norm some statistics
    return model


@pytest.mark.parametrize("seed", [0, 1])
def test_networks_of_students_are_run_alike(mnist, seed):
    assert largest_difference(some_network(seed), 0.1, 0.3, mnist[1].images[:5] / 255) < 1e-4


def test_poolings_are_those_of_torch(mnist):
    """Also where a last window would begin in the padding, which torch leaves out, or reaches beyond it."""
    generator, image = random.Random(0), mnist[1].images[0] / 255
    for case in range(60):
        kernel, stride = (tuple(generator.choices([1, 2, 3, 4], k=2)) for _ in range(2))
        padding = tuple(generator.randint(0, side // 2) for side in kernel)
        settings = {"stride": stride, "padding": padding, "ceil_mode": generator.random() < 0.7}
        pools = [nn.MaxPool2d, partial(nn.AvgPool2d, count_include_pad=case % 3 > 1)]
        first = nn.Conv2d(1, 2, generator.choices([1, 2, 3], k=2))  # gives maps of other sizes than 28
        model = nn.Sequential(first, pools[case % 2](kernel, **settings), nn.Flatten())
        assert largest_difference(model, 0.1, 0.3, image[None]) < 1e-4, model


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([nn.Conv2d(1, 10, 3), nn.Hardshrink(), nn.Flatten(), nn.LazyLinear(10)], r"1 \(hardshrink\) is not known"),
        ([nn.ConvTranspose2d(1, 10, 3), nn.Flatten(), nn.LazyLinear(10)], r"layer 0 \(conv\) is not known"),
    ],
)
@pytest.mark.fault("layer that the drawing pad does not know", "error")
def test_an_unknown_layer_is_named_before_anything_is_shown(layers, message, capsys):
    model = nn.Sequential(*layers)
    model(torch.zeros(1, 1, 28, 28))
    with pytest.raises(ValueError, match=message):
        draw(model, 0.1, 0.3)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("layers", [[nn.Flatten()], [nn.Flatten(), nn.Linear(784, 1)], [nn.Conv2d(1, 10, 3)]])
def test_what_returns_no_ten_logits_is_refused(layers):
    with pytest.raises(ValueError, match=r"no layer that changes the image|return \(1, 10\) logits"):
        pad(nn.Sequential(*layers), 0.1, 0.3)


SEVEN = [[[60, 50], [200, 50], [110, 230]]]


def test_place_and_size_of_a_drawing_do_not_matter():
    engine = Engine()
    image = engine.rasterize(SEVEN)
    for scale, shift in ((1, 100), (0.1, 0), (5, -300)):
        other = engine.rasterize([[[scale * x + shift, scale * y] for x, y in stroke] for stroke in SEVEN])
        assert np.abs(image - other).max() < 1e-4
    rows, columns = np.flatnonzero(image.max(axis=1) > 0.5), np.flatnonzero(image.max(axis=0) > 0.5)
    assert max(np.ptp(rows), np.ptp(columns)) + 1 in (19, 20, 21)
    for axis in (0, 1):
        assert image.sum(axis=1 - axis) @ np.arange(28) / image.sum() == pytest.approx(14, abs=0.1)


def test_strokes_are_as_wide_as_those_of_mnist(mnist):
    """Upright ones, inked in five columns at most, tell MNIST's pen by the ink in each of their rows."""
    ones = mnist[1].images[mnist[1].labels == 1] / 255
    ones = ones[(ones.amax(dim=1) > 0.5).sum(dim=1) <= 5]
    pen = ones[:, 10:18].sum(dim=2).median().item()
    drawn = Engine().rasterize([[[0, 0], [0, 100]]])
    assert drawn[10:18].sum(axis=1) == pytest.approx(pen, abs=0.5)


def test_drawings_end_where_they_should():
    engine = Engine()
    assert engine.json("mnist.rasterize([])") is None
    dot = engine.rasterize([[[5, 5]]])
    assert 1 < dot.sum() < 12 and dot[14, 14] == 1


def test_a_stroke_drawn_fast_does_not_break_up():
    """Two points far from each other make a whole line."""
    image = Engine().rasterize([[[0, 0], [0, 100]]])
    assert (image[6:22].max(axis=1) > 0.9).all()


def test_the_eraser_cuts_strokes_and_leaves_the_rest():
    engine, strokes = Engine(), [[[0, 0], [0, 100]], [[50, 0], [50, 40]], [[0, 52]]]
    left = engine.json(f"mnist.erase({json.dumps(strokes)}, [-30, 50], [30, 50], 10)")
    ys = [sorted(y for x, y in stroke) for stroke in left]
    assert [stroke[0][0] for stroke in left] == [0, 0, 50]  # the line in two, the other line whole, the dot gone
    (a, b), (c, d) = ((ys[i][0], ys[i][-1]) for i in (0, 1))
    assert a == 0 and d == 100 and b == pytest.approx(40, abs=2.5) and c == pytest.approx(60, abs=2.5)
    assert engine.json(f"mnist.erase({json.dumps(strokes)}, [0, 0], [0, 100], 60)") == []


def test_digits_drawn_with_strokes_are_read(mnist):
    """Points along the bones of test digits."""
    model, mean, std = trained("lesson")
    engine, right = Engine(network_of(model, mean, std)), 0
    for image, label in zip(mnist[1].images[:20], mnist[1].labels[:20]):
        points = np.argwhere(line(image.numpy(), 120, 1) > 0)[:, ::-1]
        drawn = engine.rasterize([[point] for point in points.tolist()])
        right += int(engine.logits(torch.tensor(drawn)).argmax()) == label
    assert right >= 19


def test_the_pad_stands_alone():
    parts = trained("smallest")
    html, weights = pad(*parts), json.dumps(network_of(*parts))
    assert "http" not in html.replace("http://www.w3.org", "") and "src=" not in html
    assert len(html) - len(weights) < 70_000 and 'class="still"' in html
    # The weights are written out, as a plain network's: eight times those that are shared.
    assert len(weights) < 8 * 6 * count_parameters(parts[0])


@torch.inference_mode()
def test_the_page_says_of_its_networks_and_digits_what_is_so(mnist):
    (text,) = re.findall("^const DATA = (.*);$", page.PAGE.read_text("utf-8"), re.MULTILINE)
    data, networks = json.loads(text), {name: trained(name) for name in page.NETWORKS}
    for name, network in data["networks"].items():
        assert network["accuracy"] == median_run(name)["accuracy"]
        assert network["parameters"] == count_parameters(networks[name][0])
    for digit in data["digits"]:
        image, label = (part[digit["index"]] for part in mnist[1])
        assert base64.b64decode(digit["image"]) == image.numpy().tobytes() and digit["label"] == label
        if name := digit.get("misread"):
            model, mean, std = networks[name]
            assert model((image[None, None] / 255 - mean) / std).argmax() != label


def test_the_page_is_that_of_the_present_code_and_weights():
    assert page.PAGE.read_text("utf-8") == page.page()
    assert page.PAGE.stat().st_size < 600_000
