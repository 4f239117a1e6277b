"""What the pad doubts: the rules of photos, in V8."""

import json
import re
from functools import cache

import numpy as np
import pytest
import torch
from skimage.measure import euler_number

from helpers.data import random_warp
from helpers.own_digit.network_data import network_of
from helpers.own_digit.photo import MARK, NONE, STROKES, TWO, VIEWS, doubts, predict_digit, rules
from measure.weights import trained
from tests.drawings import DIGITS, by_hand, not_digits
from tests.test_pad import Engine
from tests.test_sheet import BROWSER


@cache
def engine() -> Engine:
    found = Engine(network_of(*trained("lesson")))
    found.js.eval(BROWSER)
    found.js.eval("const answer = new Node(), bars = new Node(), tell = mnist.bars(bars, answer);")
    found.js.eval("let told = []; const tellLater = (...given) => told = given;")
    return found


def given(image) -> str:
    return f"new Float32Array({json.dumps(np.ravel(image).tolist())})"


def said(image, strokes=()) -> str:
    """Returns what the pad says when a drawing rests; strokes in a square of side 1."""
    engine().js.eval(f"drawn = {json.dumps(on_sheet(strokes))}; image = {given(image)};")
    engine().js.eval("tell(mnist.forward(network, image).pop().data, image, network, drawn); rest();")
    assert engine().json("bars.children[30].textContent === answer.textContent")  # what a screen reader is told
    return engine().json("answer.textContent")


def later(image, network="network") -> list:
    """Returns the doubts and the means that are told when a drawing rests."""
    engine().js.eval(f"mnist.later({network}, {given(image)}, [], tellLater); rest();")
    return engine().json("told")


def on_sheet(strokes) -> list:
    return [[[40 + 200 * x, 40 + 200 * y] for x, y in stroke] for stroke in strokes]


def is_sure(text: str) -> bool:
    return bool(re.fullmatch(r"It is an? \d, [\d.]+ % sure\.", text))


def test_views_are_those_of_photos(mnist):
    image = mnist[1].images[0] / 255
    draws = torch.tensor(rules(6)["draws"])
    warped = random_warp(image.repeat(5, 1, 1, 1), torch.Generator().manual_seed(0), **VIEWS)
    for view, draw in zip(warped, draws.tolist()):
        own = engine().json(f"Array.from(mnist.warp({given(image)}, {draw}))")
        assert torch.allclose(torch.tensor(own).view(28, 28), view[0], atol=1e-3)


def test_the_mean_of_views_is_that_of_photos(mnist):
    for image in mnist[1].images[:4]:
        mean = torch.tensor(later(image / 255)[1])
        assert torch.allclose(mean, predict_digit(trained("lesson")[0], image, *trained("lesson")[1:]), atol=2e-3)


def test_a_drawing_that_changes_is_not_told():
    engine().js.eval(f"told = null; mnist.later(network, {given(np.zeros(784))}, [], tellLater)(); rest();")
    assert engine().json("told") is None


def test_parts_less_holes_are_counted_alike():
    rng = np.random.default_rng(0)
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):
        ink = rng.random((28, 28)) < share
        assert engine().json(f"mnist.euler({given(ink.astype(int))})") == euler_number(ink, connectivity=2)


def test_images_are_doubted_as_photos_are(mnist):
    """Those that are too full or have too many holes, too."""
    drawn = [engine().rasterize(on_sheet(strokes)) for strokes in list(not_digits().values())[::2]]
    images = [*(mnist[1].images[:10].numpy() / 255), *drawn, np.ones((28, 28)), np.indices((28, 28)).sum(0) % 3 / 2]
    found = [later(image, "mnist.rules.scribble")[0] for image in images]  # the network does not matter, a small one
    expected = [doubts(torch.from_numpy(np.rint(255 * image)).to(torch.uint8)) for image in images]
    assert found == expected and [NONE] in expected and expected[-2:] == [[STROKES]] * 2


@pytest.mark.parametrize(
    ("strokes", "note"),
    [
        ([], []),
        (DIGITS[4], []),
        ([DIGITS[5][0][1:], [(0.25, -0.1), (0.9, -0.12)]], []),  # its upper stroke, apart
        ([[(0, 0), (0, 1)], [(0.6, 0), (0.6, 1)]], [f"{TWO}: draw one alone."]),
        ([*DIGITS[3], [(1.5, 0.2), (1.5, 0.7)]], [f"{MARK}."]),
        ([*DIGITS[3], [(2.2, 0.2), (2.2, 0.7)]], []),  # farther away than the digit is long
        ([*DIGITS[3], [(1.2, 0.9), (1.2, 0.92)]], []),  # a full stop
        ([[(x / 20, (x % 2) * 0.4) for x in range(20)], [(0, 0.2), (1, 0.2)]], []),  # strokes that cross
    ],
)
def test_what_lies_beside_a_digit_is_told(strokes, note):
    assert engine().json(f"mnist.beside({json.dumps(on_sheet(strokes))})") == note


@pytest.mark.fault("drawing on the pad that is no digit", "a sentence that doubts it")
def test_what_is_no_digit_is_doubted_and_digits_are_not(mnist):
    """A few of each; tests/browser.py takes all of them."""
    drawn = dict(list(not_digits().items())[::8])
    assert sum(is_sure(said(engine().rasterize(on_sheet(x)), x)) for x in drawn.values()) <= 1
    digits = [(image / 255, []) for image in mnist[1].images[:10]]
    digits += [(engine().rasterize(on_sheet(x)), x) for x in (by_hand(DIGITS[digit], 0) for digit in DIGITS)]
    assert sum(not is_sure(said(*digit)) for digit in digits) <= 1


def test_a_doubt_stands_beside_what_is_read():
    seven = DIGITS[7]
    text = said(engine().rasterize(on_sheet(seven)), [*seven, [(1.5, 0), (1.5, 1)]])
    assert re.fullmatch(r"It is a 7, [\d.]+ % sure\. There is more than one digit: draw one alone\.", text)
    views = "mnist.say([0, 0.97, 0, 0, 0, 0, 0, 0.03, 0, 0], [0, 0.6, 0, 0, 0, 0, 0, 0.4, 0, 0])"
    expected = "Turned or moved a little, it may be a 1 (60.0 %) or a 7 (40.0 %): the network is not sure."
    assert engine().json(views) == expected
