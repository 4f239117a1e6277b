"""How the page says that a number came about: its JavaScript, run by V8, against PyTorch and the maps that it shows."""

import json
from itertools import pairwise

import pytest
import torch
from torch import nn

from helpers.own_digit.network_data import network_of
from helpers.plot.figure import SIGNED
from measure.weights import trained
from tests.test_pad import Engine
from tools.page import FILES, NETWORKS, PAGE

TOOLS = PAGE.parents[1] / "tools"


class Branches(nn.Module):
    """Maps that are added, multiplied and concatenated, padded by hand, and of every kind of pooling and norm."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 6, 5, stride=2), nn.Conv2d(6, 6, 3, padding=1, groups=3)
        self.norm, self.gate = nn.GroupNorm(2, 6), nn.Conv2d(6, 6, 1)
        self.last = nn.Linear(12, 10)

    def forward(self, x):
        x = torch.tanh(self.first(x))
        y = self.norm(self.second(x))
        x = nn.functional.avg_pool2d(x + 2 * y, 3, 2, padding=1)
        x = x * torch.sigmoid(self.gate(x))
        x = torch.cat([nn.functional.max_pool2d(x, 2), nn.functional.elu(nn.functional.avg_pool2d(x, 2))], 1)
        return self.last(x.mean((2, 3)))


def branches():
    torch.manual_seed(1)
    return Branches().eval(), 0.13, 0.31


class Explainer(Engine):
    def __init__(self, network: dict):
        super().__init__(network)
        for name in FILES[1:3]:
            self.js.eval((TOOLS / name).read_text("utf-8"))

    def show(self, image: torch.Tensor) -> None:
        values = json.dumps(image.flatten().tolist())
        self.js.eval(f"var pixels = new Float32Array({values}), maps = mnist.forward(network, pixels)")
        self.js.eval("var data = pixels.map((x) => (x - network.mean) / network.std)")
        self.js.eval("var given = {data, channels: 1, height: 28, width: 28}")


# The largest difference of a shown sum from its value, over places of all layers; the total of parts is that of what
# is shown: products, sums of maps, bias.
DIFFERENCES = """(() => {
  let most = 0, count = 0, turn = 7;
  maps.forEach(({channels, height, width}, place) => {
    for (let n = 0; n < 12; n++) {
      turn = (turn * 1103 + 12345) % 65536;
      const at = [turn % channels, (turn >> 3) % height, (turn >> 5) % width];
      const step = mnist.explain(network, maps, given, place, at), size = 1 + Math.abs(step.value);
      const shown = step.parts ? step.bias + step.parts.reduce((sum, {patch, kernel}) =>
        sum + patch.reduce((all, x, k) => all + x * kernel[k], 0), 0) : step.total;
      most = Math.max(most, Math.abs(shown - step.value) / size, Math.abs(step.total - step.value) / size);
      count++;
    }
  });
  return [most, count];
})()"""


@pytest.mark.parametrize("name", [*NETWORKS, "branches"])
def test_every_shown_sum_is_the_value_of_its_map(mnist, name):
    engine = Explainer(network_of(*(branches() if name == "branches" else trained(name))))
    for image in mnist[1].images[:5] / 255:
        engine.show(image)
        most, count = engine.json(DIFFERENCES)
        assert most < 1e-4 and count >= 12 * 10


@pytest.mark.parametrize("name", ["lesson", "smallest"])
def test_values_are_those_of_torch(mnist, name):
    """Of the first convolution: patch, kernel and sum, with a filter of each orientation."""
    model, mean, std = trained(name)
    engine, image = Explainer(network_of(model, mean, std)), mnist[1].images[4] / 255
    engine.show(image)
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    normalized = (image[None, None] - mean) / std
    with torch.no_grad():
        maps = layers[0](normalized)[0]
    for map, row, column in [(0, 3, 4), (5, 10, 11), (7, 20, 2)]:
        step = engine.json(f"mnist.explain(network, maps, given, 0, [{map}, {row}, {column}])")
        assert step["value"] == pytest.approx(maps[map, row, column].item(), abs=1e-4)
        side = layers[0].kernel_size[0]
        patch = normalized[0, 0, row : row + side, column : column + side].flatten().tolist()
        assert step["parts"][0]["patch"] == pytest.approx(patch, abs=1e-5)


def test_the_trail_of_a_value_goes_back_to_its_convolution(mnist):
    model, mean, std = trained("lesson")
    engine = Explainer(network_of(model, mean, std))
    engine.show(mnist[1].images[0] / 255)
    steps = engine.json("mnist.trail(network, maps, given, 3, [2, 6, 6], [0, 1, 2, 3])")
    assert [step["layer"]["type"] for step in steps] == ["conv", "max_pool", "norm", "relu"]
    for before, after in pairwise(steps):
        assert after["from"] == before["at"]
    largest = max(float(text.replace("\u2212", "-")) for text in steps[1]["text"].split(" of ")[1].split(", "))
    assert largest == pytest.approx(steps[0]["value"], abs=6e-4)


@pytest.mark.parametrize("name", ["lesson", "accurate", "branches"])
def test_the_votes_of_all_positions_have_the_logit_as_their_mean(mnist, name):
    """Whether the head comes before the mean over positions, or behind it."""
    model, mean, std = branches() if name == "branches" else trained(name)
    engine, image = Explainer(network_of(model, mean, std)), mnist[1].images[1] / 255
    engine.show(image)
    with torch.inference_mode():
        logits = model((image[None, None] - mean) / std)[0]
    for digit in range(10):
        found = engine.json(
            f"(({{votes, ...rest}}) => ({{votes: Array.from(votes), ...rest}}))(mnist.evidence(network, maps, {digit}))"
        )
        assert len(found["votes"]) == found["height"] * found["width"] > 1
        assert sum(found["votes"]) / len(found["votes"]) == pytest.approx(logits[digit].item(), abs=1e-3)


def test_a_network_without_a_mean_over_positions_has_no_votes(mnist):
    model = nn.Sequential(nn.Conv2d(1, 4, 5, 4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10)).eval()
    engine = Explainer(network_of(model, 0.1, 0.3))
    engine.show(mnist[1].images[0] / 255)
    assert engine.json("mnist.evidence(network, maps, 3)") is None


@pytest.mark.parametrize("value", [-1.0, -0.25, 0.0, 0.5, 1.0])
def test_values_have_the_colors_of_the_notebooks(value):
    """Zero is white; the largest value, by size, has a color of its own."""
    engine = Explainer(network_of(*branches()))
    full = [255 * part for part in SIGNED(1.0 if value > 0 else 0.0)[:3]]
    wanted = [255 + (part - 255) * abs(value) ** 0.5 for part in full]
    assert engine.json(f"mnist.panel({{}}).color({value})") == pytest.approx(wanted, abs=1.5)


class Moved(nn.Module):
    """Values that only change their places, and constants beside them."""

    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 4, 3, stride=2), nn.Conv2d(4, 10, 1)

    def forward(self, x):
        x = torch.relu(self.conv(x)).flip(3)
        x = nn.functional.pad(x.transpose(2, 3), (2, 0, 0, 1), value=0.5)
        return self.head(x).mean((2, 3))


def test_a_value_that_was_moved_comes_from_its_own_place(mnist):
    torch.manual_seed(2)
    engine = Explainer(network_of(Moved().eval(), 0.13, 0.31))
    engine.show(mnist[1].images[0] / 255)
    places = engine.json("network.layers.map(({type}, place) => type === 'gather' ? place : -1).filter((i) => i >= 0)")
    assert len(places) >= 2
    found = set()
    for place in places:
        height, width = engine.json(f"[maps[{place}].height, maps[{place}].width]")
        for at in [(c, i, j) for c in (0, 3) for i in (0, 4, height - 1) for j in (0, 1, 5, width - 1)]:
            step = engine.json(f"mnist.explain(network, maps, given, {place}, {list(at)})")
            before = f"maps[{step['layer']['inputs'][0]}]"
            assert step["total"] == pytest.approx(step["value"])
            if "from" in step:
                c, i, j = step["from"]
                source = engine.json(f"{before}.data[({c} * {before}.height + {i}) * {before}.width + {j}]")
                assert source == step["value"] and step["text"] == f"the value of map {c + 1}"
            found.add(step["text"] == "a constant")
    assert found == {True, False}
