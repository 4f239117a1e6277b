"""How the page says that a number came about: its JavaScript, run by V8, against PyTorch and the maps that it shows."""

import json
import math
import re
from itertools import pairwise
from random import Random
from statistics import NormalDist

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from helpers.own_digit.network_data import network_of
from helpers.plot.figure import SIGNED
from measure.weights import trained
from tests.test_network_data import ACTIVATIONS, DRAWN, Branches, initialized, layers
from tests.test_pad import Engine
from tools.page import FILES, NETWORKS, PAGE

TOOLS = PAGE.parents[1] / "tools"


class AllKinds(nn.Module):
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
    return AllKinds().eval(), 0.13, 0.31


class Explainer(Engine):
    def __init__(self, network: dict):
        super().__init__(network)
        for name in FILES[1:3]:
            self.js.eval((TOOLS / name).read_text("utf-8"))

    def show(self, image: torch.Tensor) -> None:
        values = json.dumps(image.flatten().tolist())
        self.js.eval(f"var pixels = new Float32Array({values}), maps = mnist.forward(network, pixels)")


class Operators(TorchDispatchMode):
    """What each of torch's operators returned for each of the images, as rows of values."""

    def __init__(self, model: nn.Module, images: torch.Tensor):
        super().__init__()
        self.made, self.count = [], len(images)
        with torch.no_grad(), self:
            model(images)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        output = func(*args, **(kwargs or {}))
        for x in tree_leaves(output):
            if isinstance(x, torch.Tensor) and x.is_floating_point() and x.ndim > 1 and len(x) == self.count:
                self.made.append(x.contiguous().clone().flatten(1))  # another may write into it
        return output


# For images and their lists of places, [layer, number of a value]: the total, the sum of what is shown, the value of
# the map, the text; and all maps of the first image.
EXPLAINED = """(network, images, places) => {
  const all = images.map((image) => mnist.forward(network, Float32Array.from(image)));
  const explained = all.map((maps, i) => places[i].map(([place, n]) => {
    const {height, width} = maps[place], step = mnist.explain(network, maps, place, mnist.unravel(n, height, width));
    const shown = step.parts ? step.bias + step.parts.reduce((sum, {patch, kernel}) =>
      sum + patch.reduce((all, x, k) => all + x * kernel[k], 0), 0) : step.total;
    return [step.total, shown, step.value, step.text || ""];
  }));
  return {explained, maps: all[0].map(({data}) => Array.from(data))};
}"""


# Operators that the page does in several steps, of which the last one alone is torch's.
IN_STEPS = ("glu", "glu of rows", "softmax", "matrix product", "linear by rows", "attention", "a class token")
IN_STEPS += ("enlarged", "pooled to windows of two sizes")
PARTS = {"sqrt", "gather", "avg_pool", "cat"}  # of 1 / sqrt(x), of sums over any axis, of values in another order


def explained(
    run, model: nn.Module, mean: float, std: float, images: torch.Tensor, count: int, batch: int, in_steps: bool = False
) -> dict:
    """Explains `count` values of each layer for each image, of 0 to 1, by `run(images, places)`, which is EXPLAINED.

    Returns the texts with the totals; how far the totals are from torch's values, at most, and how many there were.
    The maps of each layer must be what one of torch's operators makes of the first image: it is compared with that one.
    Parts of an operator, of which only the last one is torch's, are compared with their maps.
    """
    layers, random = network_of(model, mean, std)["layers"], Random(0)
    maps = [torch.tensor(x) for x in run(images[:1].flatten(1).tolist(), [[]])["maps"]]
    made = Operators(model, (images[:batch, None] - mean) / std).made
    places = [next((k for k, x in enumerate(made) if is_same(x[0], values)), None) for values in maps]
    assert in_steps or {layer["type"] for layer, k in zip(layers, places) if k is None} <= PARTS
    assert places[-1] is not None
    texts, most, number = [], 0.0, 0
    for some in images.split(batch):
        made = Operators(model, (some[:, None] - mean) / std).made
        asked = [
            [[place, random.randrange(len(x))] for place, x in enumerate(maps) for _ in range(count)] for _ in some
        ]
        for i, told in enumerate(run(some.flatten(1).tolist(), asked)["explained"]):
            for (place, n), (total, shown, value, text) in zip(asked[i], told):
                expected = value if places[place] is None else made[places[place]][i, n].item()
                most = max(most, abs(total - expected) / (1 + abs(total)), abs(shown - expected) / (1 + abs(total)))
                texts.append((text, total))
                number += 1
    return {"texts": texts, "most": most, "number": number}


def in_v8(model: nn.Module, mean: float, std: float, *rest) -> dict:
    engine = Engine(network_of(model, mean, std))
    engine.js.eval((TOOLS / "explain.js").read_text("utf-8"))

    def run(images, places):
        return engine.json(f"({EXPLAINED})(network, {json.dumps(images)}, {json.dumps(places)})")

    return explained(run, model, mean, std, *rest)


def is_same(x: torch.Tensor, y: torch.Tensor) -> bool:
    return x.shape == y.shape and torch.allclose(x.float(), y.float(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", [*NETWORKS, "branches"])
def test_every_shown_sum_is_the_value_of_torch(mnist, name):
    """`make test-page` explains values for 500 digits, in a browser."""
    parts = branches() if name == "branches" else trained(name)
    found = in_v8(*parts, mnist[1].images[:40] / 255, 3, 40)
    assert found["number"] >= 40 * 3 * 10 and found["most"] < 1e-4


@pytest.mark.parametrize("name", ["branches", *map(str, ACTIVATIONS), *DRAWN])
def test_explanations_of_own_networks_are_values_of_torch_and_their_texts_too(name):
    kinds = {str(layer): layers(layer) for layer in ACTIVATIONS} | {"branches": AllKinds()}
    model = initialized(kinds[name] if name in kinds else Branches(DRAWN[name])).eval()
    images = torch.rand(2, 28, 28, generator=torch.Generator().manual_seed(1))
    found = in_v8(model, 0.1, 0.3, images, 6, 1, name in IN_STEPS)
    assert found["most"] < 1e-4
    for text, total in found["texts"]:
        for expression, value in equations(text, total):
            assert calculated(expression) == pytest.approx(value, abs=0.01, rel=0.01), text


def equations(text: str, total: float) -> list[tuple[str, float]]:
    """Returns what a text says to calculate, and what is said to come out."""
    if " = " in text:  # a norm: first the values of its group, then the factor
        (first, value), second = re.split(" = |, ", text)[:2], text.split(", ")[1]
        return [(first, float(value.replace("\u2212", "-"))), (second, total)]
    moved = not text or text == "a constant" or text.startswith("the value of") or " values" in text
    return [] if moved else [(text, total)]


def calculated(text: str) -> float:
    """Returns the number that a shown formula stands for."""
    names = {"largest": max, "mean": lambda *x: sum(x) / len(x), "sqrt": math.sqrt, "inf": math.inf, "ln": math.log}
    names |= {"sigmoid": lambda x: 1 / (1 + math.exp(-x)), "phi": NormalDist().cdf}
    text = re.sub(r" and (\d+) zeros outside", lambda found: ", 0" * int(found[1]), text)
    text = re.sub("the (largest|mean) of (.*)", r"\1(\2,)", text).replace("(,", "(")
    text = re.sub(r"\|(.*)\|", r"abs(\1)", text)
    for shown, meant in {"\u2212": "-", "\u00d7": "*", "^": "**", "\u221a": "sqrt", "\u221e": "inf"}.items():
        text = text.replace(shown, meant)
    for shown, meant in {"\u03c3": "sigmoid", "\u03a6": "phi"}.items():
        text = text.replace(shown, meant)
    return eval(text, {name: getattr(math, name) for name in ("exp", "tanh", "sin", "cos")} | names)


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
        step = engine.json(f"mnist.explain(network, maps, 0, [{map}, {row}, {column}])")
        assert step["value"] == pytest.approx(maps[map, row, column].item(), abs=1e-4)
        side = layers[0].kernel_size[0]
        patch = normalized[0, 0, row : row + side, column : column + side].flatten().tolist()
        assert step["parts"][0]["patch"] == pytest.approx(patch, abs=1e-5)


def test_the_trail_of_a_value_goes_back_to_its_convolution(mnist):
    model, mean, std = trained("lesson")
    engine = Explainer(network_of(model, mean, std))
    engine.show(mnist[1].images[0] / 255)
    steps = engine.json("mnist.trail(network, maps, 3, [2, 6, 6], [0, 1, 2, 3])")
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
        found = engine.json(f"mnist.evidence(network, maps, {digit})")
        assert len(found["votes"]) == found["height"] * found["width"] > 1
        assert sum(found["votes"]) / len(found["votes"]) == pytest.approx(logits[digit].item(), abs=1e-3)


@pytest.mark.parametrize(
    "end",
    [
        (nn.Flatten(), nn.Linear(360, 10)),
        (nn.AvgPool2d(5), nn.Flatten()),  # of 6x6
        (nn.AvgPool2d(5), nn.Flatten(), nn.Linear(10, 10)),
        (nn.AvgPool2d(6, padding=1), nn.Flatten()),
    ],
    ids=str,
)
def test_a_network_without_a_mean_over_all_positions_has_no_votes(mnist, end):
    model = nn.Sequential(nn.Conv2d(1, 10, 5, 4), nn.ReLU(), *end).eval()
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
            step = engine.json(f"mnist.explain(network, maps, {place}, {list(at)})")
            before = f"maps[{step['layer']['inputs'][0]}]"
            assert step["total"] == pytest.approx(step["value"])
            if "from" in step:
                c, i, j = step["from"]
                source = engine.json(f"{before}.data[({c} * {before}.height + {i}) * {before}.width + {j}]")
                assert source == step["value"] and step["text"] == f"the value of map {c + 1}"
            found.add(step["text"] == "a constant")
    assert found == {True, False}
