"""The sheet to draw on and the page, in V8: a stand-in for the browser keeps what they make and show."""

import json

import numpy as np
import pytest
import torch

from helpers.own_digit.photo import SURE
from tests.test_pad import SEVEN, Engine

# Every node is shown at (10, 20), half as large as the sheet is in its own units.
BROWSER = """
const frames = [], timers = [], selection = {removeAllRanges: () => { selection.isEmpty = true; }};
globalThis.setTimeout = (work) => timers.push(work) - 1;
globalThis.clearTimeout = (number) => { timers[number] = null; };
const getSelection = () => selection, rest = () => {
  for (let i = 0; i < timers.length; i++) { const work = timers[i]; timers[i] = null; if (work) work(); }
};
const requestAnimationFrame = (frame) => frames.push(frame) - 1, cancelAnimationFrame = (n) => frames.splice(n, 1);
const getComputedStyle = () => ({color: "ink", getPropertyValue: (name) => name});
const matchMedia = () => new Node(), location = {hostname: "", pathname: ""}, innerWidth = 1000;
class MutationObserver { observe() {} }
class Node {
  style = {}; children = []; listeners = {}; calls = [];
  appendChild(node) { this.children.push(node); return node; }
  replaceChildren() { this.children = []; }
  setAttribute(name, value) { this[name] = value; }
  getAttribute(name) { return `${this[name]}`; }
  addEventListener(name, listener) { this.listeners[name] = listener; }
  matches() { throw new Error("a selector of 2022"); }
  setPointerCapture() {}
  getBoundingClientRect() { return {left: 10, top: 20, width: 140, height: 140}; }
  getContext() {
    const createImageData = (width, height) => ({width, height, data: new Uint8ClampedArray(4 * width * height)});
    const get = (own, name) => own[name] || ((...given) => this.calls.push([name, ...given]));
    return this.context ||= new Proxy({createImageData}, {get});
  }
}
const nodes = {value: new Node(), network: new Node()}, document = {
  body: new Node(), createElement: () => new Node(), getElementById: (id) => nodes[id] ||= new Node(),
};
function fire(node, name, given) {
  const event = {button: 0, pointerId: 1, pointerType: "mouse", preventDefault() {}, stopPropagation() {}, ...given};
  name === "click" ? node.onclick() : node.listeners[name](event);
  while (frames.length) frames.shift()();
}
const picture = (node) => node.calls.findLast(([name]) => name === "putImageData")[1];
"""


class Sheet(Engine):
    """A pad whose last image is `seen`."""

    def __init__(self):
        super().__init__()
        self.js.eval(BROWSER)
        self.js.eval("let seen = null, drawn = null; const parent = new Node();")
        self.js.eval("const pad = mnist.pad(parent, (...given) => [seen, drawn] = given);")
        self.js.eval("const [canvas, ...buttons] = parent.children;")

    def fire(self, name: str, node: str = "canvas", **event: object) -> None:
        self.js.eval(f"fire({node}, {json.dumps(name)}, {json.dumps(event)})")

    def click(self, name: str) -> None:
        self.fire("click", f"buttons.find((button) => button.textContent === {json.dumps(name)})")

    def at(self, name: str, point: list, **event: object) -> None:
        """Something happens at a point in the sheet's units."""
        x, y = point
        self.fire(name, clientX=10 + x / 2, clientY=20 + y / 2, **event)

    def draw(self, *points: list, **event: object) -> None:
        names = ["pointerdown", *["pointermove"] * (len(points) - 2), "pointerup"]
        for name, point in zip(names, [*points, points[-1]][: len(names)]):
            self.at(name, point, **event)

    def shows(self, strokes: list | None) -> bool:
        """Whether the image is that of these strokes, or of none."""
        image = self.json("seen && Array.from(seen)")
        return image is None if strokes is None else np.allclose(np.reshape(image, (28, 28)), self.rasterize(strokes))

    def strokes(self) -> list:
        """Returns the strokes that the sheet shows, in its own units."""
        script = "canvas.calls.slice(canvas.calls.findLastIndex(([name]) => name === 'clearRect'))"
        strokes = []
        for name, *point in self.json(script):
            strokes += [[]] if name == "moveTo" else []
            strokes[-1:] = [strokes[-1] + [point]] if name == "lineTo" else strokes[-1:]
        return strokes


@pytest.fixture
def sheet():
    return Sheet()


ONE = [[140, 30], [140, 140], [140, 250]]
(LINES,) = SEVEN


def test_a_stroke_is_shown_where_it_is_drawn_and_as_wide_as_it_is_read(sheet):
    sheet.draw(*ONE)
    assert sheet.strokes() == [ONE] and sheet.shows([ONE])
    width = sheet.json("canvas.context.lineWidth") * 28 / 280
    assert sheet.rasterize([ONE])[14].sum() == pytest.approx(width, abs=0.5)


def test_undo_takes_back_a_stroke_or_what_clear_took(sheet):
    sheet.click("Undo")  # nothing is there yet
    assert sheet.shows(None)
    sheet.draw(*LINES)
    sheet.draw(*ONE)
    for _ in range(2):
        sheet.click("Clear")  # the second time it changes nothing
        assert sheet.shows(None)
    for strokes in ([LINES, ONE], [LINES], None):
        sheet.click("Undo")
        assert sheet.shows(strokes)


def test_redo_takes_back_an_undo_until_something_else_is_drawn(sheet):
    sheet.draw(*LINES)
    sheet.draw(*ONE)
    for name, strokes in (("Undo", [LINES]), ("Undo", None), ("Redo", [LINES]), ("Redo", [LINES, ONE])):
        sheet.click(name)
        assert sheet.shows(strokes)
    sheet.click("Redo")  # nothing is left
    for key, modifier, strokes in (
        ("z", "ctrlKey", [LINES]),
        ("y", "ctrlKey", [LINES, ONE]),
        ("z", "metaKey", [LINES]),
        ("Y", "ctrlKey", [LINES, ONE]),  # with Caps Lock
        ("Z", "ctrlKey", [LINES]),
    ):
        sheet.fire("keydown", key=key, **{modifier: True})
        assert sheet.shows(strokes)
    for key in "Zz":  # some browsers on a Mac name it without its Shift
        sheet.fire("keydown", key=key, metaKey=True, shiftKey=True)
        assert sheet.shows([LINES, ONE])
        sheet.click("Undo")
    sheet.click("Redo")
    sheet.click("Undo")
    sheet.draw(*ONE)
    sheet.click("Redo")  # it is gone
    sheet.click("Undo")
    assert sheet.shows([LINES])


def test_the_eraser_reaches_as_far_as_its_ring(sheet):
    sheet.draw(*ONE)
    sheet.click("Eraser")
    sheet.at("pointerdown", [140, 140])
    reach = sheet.json("canvas.calls.findLast(([name]) => name === 'arc')[3]")
    above, below = ([y for _, y in stroke] for stroke in sheet.strokes())
    assert 140 - max(above) == pytest.approx(reach, abs=reach / 4) == min(below) - 140
    sheet.at("pointerup", [140, 140])
    sheet.click("Undo")
    assert sheet.shows([ONE])
    sheet.click("Clear")  # takes the pen again
    sheet.draw(*LINES)
    assert sheet.shows([LINES])


HALF = "new Float32Array(784).fill(0.5)"


def test_a_given_image_is_edited_like_a_drawing(sheet):
    """One step of undo for each change, back to what was there before."""
    sheet.draw(*ONE)
    sheet.js.eval(f"pad.give({HALF}); fire(canvas, 'blur')")
    assert set(sheet.json("Array.from(seen)")) == {0.5} and sheet.json("drawn") == []
    begin = "canvas.calls.findLastIndex(([name]) => name === 'clearRect')"
    squares = sheet.json(f"canvas.calls.slice({begin}).filter(([name]) => name === 'fillRect')")
    assert len(squares) == 784 and sheet.json("canvas.context.globalAlpha") == 1
    sheet.draw(*ONE)  # column 13.5, from row 2.5 to 24.5
    image = np.reshape(sheet.json("Array.from(seen)"), (28, 28))
    assert (image[3:24, 13:15] == 1).all() and (image[:, :11] == 0.5).all() and (image[:, 17:] == 0.5).all()
    sheet.click("Eraser")
    sheet.draw([0, 140], [279, 140])
    image = np.reshape(sheet.json("Array.from(seen)"), (28, 28))
    assert (image[12:16] == 0).all() and (image[3:11, 13:15] == 1).all() and (image[17:, :11] == 0.5).all()
    for values in ({0.5, 1}, {0.5}):
        sheet.click("Undo")
        assert {round(2 * value) / 2 for value in sheet.json("Array.from(seen)")} == values
    sheet.click("Undo")
    assert sheet.shows([ONE])
    sheet.js.eval(f"pad.give({HALF}); fire(canvas, 'blur')")
    for y in range(0, 281, 20):
        sheet.draw([0, y], [280, y])  # the eraser is still there
    assert sheet.shows(None)


def test_a_tap_is_a_dot_that_one_sees_and_no_digit(sheet):
    """Also a stroke that is no longer than the pen is wide: on the sheet it is a blot."""
    sheet.js.eval("const answer = new Node(), bars = new Node(), tell = mnist.bars(bars, answer)")
    for strokes in ([[140, 140]] * 3, [[140, 140], [150, 145]]):
        sheet.draw(*strokes)
        assert sheet.json("canvas.calls.findLast(([name]) => name === 'moveTo')[1]") != 140  # of no length: not drawn
        assert sheet.json("canvas.context.lineCap") == "round"
        dot = np.reshape(sheet.json("Array.from(seen)"), (28, 28))
        assert 1 < dot.sum() < 10 and dot[14, 14] == 1
        sheet.js.eval("tell([0, 9, 0, 0, 0, 0, 0, 0, 0, 0], seen)")
        assert sheet.json("answer.textContent") == "That is only a speck. Draw a digit."
        assert not any(sheet.json("bars.children.filter((_, i) => i % 3 == 2).map((node) => node.textContent)"))
        sheet.click("Clear")


def test_an_eraser_that_meets_nothing_leaves_nothing_to_undo(sheet):
    sheet.draw(*ONE)
    sheet.click("Eraser")
    for _ in range(3):
        sheet.draw([10, 10], [40, 250])
    sheet.click("Undo")
    assert sheet.shows(None)


def test_what_nobody_sees_is_not_drawn(sheet):
    sheet.draw([140, 200], [140, 500])
    assert sheet.strokes() == [[[140, 200], [140, 280]]]


def test_keys_stay_on_the_sheet_and_those_of_the_browser_work(sheet):
    """In Jupyter two d delete a cell, and x cuts it."""
    sheet.js.eval("""function press(event) {
        const told = [], note = (what) => () => told.push(what);
        for (const node of [canvas, parent]) if (!told.includes("stopped"))
            fire(node, "keydown", {...event, stopPropagation: note("stopped"), preventDefault: note("prevented")});
        return told;
    }""")
    for key in ["d", "x", "D", "0", "Enter", "PageDown", "F5", "Tab"]:
        assert sheet.json(f"press({{key: {json.dumps(key)}}})") == ["stopped"], key
    for key in ["e", "E", " ", "ArrowUp", "Backspace", "Escape"]:
        assert set(sheet.json(f"press({{key: {json.dumps(key)}}})")) == {"stopped", "prevented"}, key
    for key in ["s", "c", "e", "E", "f", "Tab"]:
        for modifier in ("ctrlKey", "metaKey"):
            assert sheet.json(f"press({{key: {json.dumps(key)}, {modifier}: true}})") == [], key


def test_no_gesture_but_drawing_starts_on_the_sheet(sheet):
    style = sheet.json("canvas.style")
    assert {style[name] for name in ("touchAction", "userSelect", "webkitUserSelect", "webkitTouchCallout")} == {"none"}
    assert sheet.json("canvas.draggable") is False
    sheet.js.eval("let refused = []")
    for name in ("dragstart", "selectstart"):
        sheet.js.eval(f"fire(canvas, '{name}', {{preventDefault() {{ refused.push('{name}'); }}}})")
    assert sheet.json("refused") == ["dragstart", "selectstart"]
    sheet.at("pointerdown", [1, 1])
    assert sheet.json("selection.isEmpty")


def test_one_pointer_draws_at_a_time_and_a_pen_comes_before_a_palm(sheet):
    sheet.at("pointerdown", ONE[0], pointerType="touch")
    sheet.draw(*LINES, pointerId=2, pointerType="touch")  # a second finger
    sheet.at("pointermove", ONE[1], pointerType="touch")
    sheet.at("pointercancel", ONE[1], pointerType="touch")
    sheet.at("pointermove", ONE[2], pointerType="touch")  # no longer down
    assert sheet.shows([ONE[:2]])
    sheet.at("pointerdown", [20, 20], pointerType="touch")  # a palm
    sheet.draw(*LINES, pointerId=2, pointerType="pen")
    assert sheet.shows([ONE[:2], LINES])


def test_keys_move_the_pen_from_the_middle_and_not_off_the_sheet(sheet):
    for key in [" ", "ArrowRight", *["ArrowDown"] * 30, " ", "ArrowLeft"]:
        sheet.fire("keydown", key=key)
    (stroke,) = sheet.strokes()
    assert stroke[:3] == [[140, 140], [146, 140], [146, 146]] and stroke[-1] == [146, 280]
    sheet.fire("keydown", key="Escape")
    assert sheet.shows(None)
    for key in ("Backspace", "z"):
        sheet.draw(*ONE)
        sheet.fire("keydown", key=key, ctrlKey=True)
        assert sheet.shows(None)


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ({8: SURE, 3: 1 - SURE}, "It is an 8, 80.0 % sure."),
        ({3: 0.9996, 8: 0.0004}, "It is a 3, 100.0 % sure."),
        ({8: 0.796, 0: 0.204}, "It may be an 8 (79.6 %) or a 0 (20.4 %): the network is not sure."),
        ({9: 0.3, 1: 0.5, 4: 0.2}, "It may be a 1 (50.0 %) or a 9 (30.0 %): the network is not sure."),
    ],
)
def test_what_is_read_is_said_as_of_photos(sheet, scores, said):
    assert sheet.json(f"mnist.say({[scores.get(digit, 0) for digit in range(10)]})") == said


def test_bars_are_the_softmax_of_the_logits_until_nothing_is_drawn(sheet):
    logits = torch.tensor([-900.0, 3, 2, 1, 0, -1, -2, -3, 700, 699])  # exp(700) is no float32, exp(900) no number
    sheet.js.eval("const answer = new Node(), bars = new Node(), tell = mnist.bars(bars, answer)")
    bars = "bars.children.filter((_, i) => i % 3 == 1).map((node) => parseFloat(node.children[0].style.width) / 100)"
    texts = "bars.children.filter((_, i) => i % 3 == 2).map((node) => node.textContent)"
    for shift in (0, 300):
        sheet.js.eval(f"tell({(logits + shift).tolist()}, {HALF})")
        assert sheet.json(bars) == pytest.approx(logits.softmax(0).tolist(), abs=1e-6)
        assert sheet.json(texts)[8:] == ["73.1 %", "26.9 %"] and sheet.json("answer.textContent").startswith("It may")
    sheet.js.eval("tell(null, null)")
    assert sheet.json(bars) == [0] * 10 and sheet.json(texts) == [""] * 10
    assert sheet.json("answer.textContent") == "Draw a digit."
