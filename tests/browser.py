"""The pad and the page in a real Chromium: `make test-page`."""

import json
import os
import shutil
from pathlib import Path

import nbformat
import pytest
import torch
from playwright.sync_api import Page, sync_playwright

from helpers.pad import network_of, pad
from measure.weights import trained
from tools.page import NETWORKS, PAGE

CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"))), None
)
# Digits as a person draws them, in a square of side 1.
DIGITS = {
    0: [[(0.5, 0), (0.15, 0.2), (0.1, 0.6), (0.35, 1), (0.7, 0.95), (0.9, 0.6), (0.8, 0.2), (0.5, 0)]],
    1: [[(0.5, 0), (0.5, 0.5), (0.5, 1)]],
    2: [[(0.1, 0.25), (0.3, 0), (0.7, 0.02), (0.8, 0.3), (0.5, 0.6), (0.1, 1), (0.5, 0.97), (0.95, 1)]],
    3: [[(0.1, 0.1), (0.5, 0), (0.8, 0.2), (0.4, 0.47), (0.85, 0.7), (0.6, 1), (0.1, 0.9)]],
    4: [[(0.3, 0), (0.1, 0.55), (0.9, 0.55)], [(0.7, 0.1), (0.65, 1)]],
    5: [[(0.85, 0), (0.25, 0.02), (0.2, 0.42), (0.6, 0.4), (0.85, 0.7), (0.55, 1), (0.1, 0.92)]],
    6: [[(0.7, 0), (0.3, 0.35), (0.15, 0.75), (0.45, 1), (0.8, 0.8), (0.6, 0.55), (0.2, 0.7)]],
    7: [[(0.1, 0.05), (0.85, 0), (0.55, 0.5), (0.35, 1)]],
    8: [[(0.75, 0.1), (0.4, 0), (0.25, 0.25), (0.7, 0.65), (0.6, 1), (0.25, 0.9), (0.35, 0.6), (0.75, 0.1)]],
    9: [[(0.75, 0.15), (0.4, 0), (0.2, 0.3), (0.5, 0.5), (0.75, 0.2), (0.7, 0.6), (0.6, 1)]],
}


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.fail("no Chromium here: install it (apt-get install chromium), or name one in CHROMIUM=/path/to/it")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


@pytest.fixture(scope="module")
def pad_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("pad") / "pad.html"
    head = '<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width"><body>'
    path.write_text(head + pad(*trained("notebook")), encoding="utf-8")
    return path


def opened(browser, path: Path, **settings) -> Page:
    """Returns the page, which fails the test that leaves an error in the console."""
    page = browser.new_context(**({"viewport": {"width": 1100, "height": 900}} | settings)).new_page()
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.goto(path.as_uri())
    return page


def draw(page: Page, digit: int, x=0.1, y=0.1, size=0.8, steps=8, selector="canvas.sheet") -> None:
    box = page.locator(selector).bounding_box()
    for stroke in DIGITS[digit]:
        places = [
            (box["x"] + box["width"] * (x + size * a), box["y"] + box["height"] * (y + size * b)) for a, b in stroke
        ]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place, steps=steps)
        page.mouse.up()
    page.wait_for_timeout(60)


def answer(page: Page) -> str:
    return page.locator(".answer").text_content()


@pytest.mark.parametrize(
    "where", [{}, {"x": 0.7, "y": 0.72, "size": 0.25}, {"x": 0.02, "y": 0.02, "size": 0.2}, {"steps": 1}]
)
@pytest.mark.parametrize("kind", ["pad", "page"])
def test_ten_digits_are_read_wherever_however_small_and_fast_they_are_drawn(browser, pad_file, kind, where):
    page = opened(browser, pad_file if kind == "pad" else PAGE)
    read = []
    for digit in DIGITS:
        draw(page, digit, **where)
        read.append(answer(page))
        page.get_by_role("button", name="Clear").click()
    assert [text.split(" (")[0].split(",")[0].endswith(f" {digit}") for digit, text in enumerate(read)] == [
        True
    ] * 10, read
    assert page.errors == []


def test_a_finger_draws_and_the_page_stays_where_it_is(browser):
    page = opened(browser, PAGE, has_touch=True, is_mobile=True, viewport={"width": 400, "height": 700})
    box, session = page.locator("#sheet").bounding_box(), page.context.new_cdp_session(page)
    for digit, strokes in DIGITS.items():
        for stroke in strokes:
            places = [{"x": box["x"] + 30 + 220 * a, "y": box["y"] + 30 + 220 * b} for a, b in stroke]
            session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": places[:1]})
            for place in places[1:]:
                session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [place]})
            session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        page.wait_for_timeout(80)
        assert answer(page).split(" (")[0].split(",")[0].endswith(f" {digit}")
        page.get_by_role("button", name="Clear").click()
        page.wait_for_function("document.querySelector('.answer').textContent == 'Draw a digit.'")
        assert page.evaluate("scrollY") == 0 and page.evaluate("document.documentElement.scrollWidth") == 400
    assert page.errors == []


def test_nothing_drawn_gets_no_answer_and_strokes_are_taken_back(browser, pad_file):
    page = opened(browser, pad_file)
    assert answer(page) == "Draw a digit."
    draw(page, 4)
    assert answer(page).startswith("It is a 4")
    page.get_by_role("button", name="Undo").click()
    page.wait_for_timeout(60)
    assert not answer(page).startswith("It is a 4")
    page.get_by_role("button", name="Undo").click()
    page.wait_for_timeout(60)
    assert answer(page) == "Draw a digit."
    draw(page, 7)
    page.get_by_role("button", name="Clear").click()
    page.wait_for_timeout(60)
    assert answer(page) == "Draw a digit."


def test_a_digit_can_be_drawn_by_keys(browser, pad_file):
    page = opened(browser, pad_file)
    page.locator("canvas.sheet").focus()
    for key in [*["ArrowUp"] * 15, " ", *["ArrowDown"] * 30, " "]:
        page.keyboard.press(key)
    page.wait_for_timeout(60)
    assert answer(page).startswith("It is a 1")
    page.keyboard.press("Escape")
    page.wait_for_timeout(60)
    assert answer(page) == "Draw a digit."


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["pad", "page"])
def test_ink_and_text_stand_out_in_both_themes(browser, pad_file, scheme, kind):
    page = opened(browser, pad_file if kind == "pad" else PAGE, color_scheme=scheme)
    root = ".mnist-pad" if kind == "pad" else "body"
    color, paper = (
        page.eval_on_selector(root, f"node => getComputedStyle(node).{name}") for name in ("color", "backgroundColor")
    )
    ink, sheet = (sum(map(int, text[4:-1].split(","))) for text in (color, paper))
    assert (sheet - ink if scheme == "light" else ink - sheet) > 400
    draw(page, 1)
    middle = page.evaluate(
        "Array.from(document.querySelector('canvas.sheet').getContext('2d').getImageData(140, 140, 1, 1).data)"
    )
    assert abs(sum(middle[:3]) - ink) < 10 and middle[3] == 255


@pytest.mark.parametrize("name", NETWORKS)
def test_logits_of_500_digits_are_those_of_torch(browser, mnist, name):
    model, mean, std = trained(name)
    images = mnist[1].images[:500] / 255
    with torch.inference_mode():
        expected = model((images[:, None] - mean) / std)
    script = """([network, images]) => { const loaded = mnist.load(network);
        return images.map((image) => Array.from(mnist.forward(loaded, new Float32Array(image)).pop().data)); }"""
    logits = opened(browser, PAGE).evaluate(script, [network_of(model, mean, std), images.flatten(1).tolist()])
    assert (torch.tensor(logits) - expected).abs().max() < 1e-3


def test_values_name_their_map_and_their_part_of_the_image(browser):
    page = opened(browser, PAGE)
    draw(page, 7)
    for name in NETWORKS:
        page.select_option("#network", name)
        canvas = page.locator(".layer canvas").nth(4)
        canvas.hover(position={"x": 8, "y": 8})
        assert "Layer 5, " in page.locator("#value").text_content()
        assert page.locator("#patch").is_visible() and answer(page).startswith("It is a 7")
    page.get_by_role("button", name="test digit 0, a 7").click()
    assert answer(page).startswith("It is a 7") and page.errors == []
    paper = "sheet => getComputedStyle(sheet).background"
    given = page.eval_on_selector("#sheet", paper)
    page.get_by_role("button", name="Clear").click()
    assert page.eval_on_selector("#sheet", paper) != given
    assert page.eval_on_selector("#sheet", paper + "Color") == "rgba(0, 0, 0, 0)"


def test_frames_are_drawn_in_time(browser, capsys):
    """Prints the milliseconds from a stroke to the redrawn maps; how many they may be is measured, not tested."""
    page = opened(browser, PAGE)
    script = """() => new Promise((done) => {
        const sheet = document.getElementById("sheet"), box = sheet.getBoundingClientRect(), times = [];
        const fire = (type, x, y) => sheet.dispatchEvent(
            new PointerEvent(type, {clientX: box.left + x, clientY: box.top + y, pointerId: 1, bubbles: true}));
        const later = window.requestAnimationFrame;
        fire("pointerdown", 60, 60);
        later(function step() {
            let frame = null;
            window.requestAnimationFrame = (given) => { frame = given; };
            fire("pointermove", 60 + times.length % 150, 60 + times.length);
            window.requestAnimationFrame = later;
            const start = performance.now();
            frame();
            times.push(performance.now() - start);
            times.length < 150 ? later(step) : done(times.sort((a, b) => a - b));
        });
    })"""
    with capsys.disabled():
        for name in NETWORKS:
            page.select_option("#network", name)
            page.get_by_role("button", name="Clear").click()
            page.wait_for_timeout(100)
            times = page.evaluate(script)
            print(f"\n{name:9} median {times[75]:.1f} ms, 95 % within {times[142]:.1f} ms, n = 150", end="")
            assert times[0] > 0


def test_the_pad_works_in_the_exported_notebook(browser, tmp_path):
    """As `jupyter nbconvert --to html` writes it, with the pad in an output."""
    from nbconvert import HTMLExporter

    output = nbformat.v4.new_output("display_data", {"text/html": pad(*trained("smallest"))})
    cell = nbformat.v4.new_code_cell("draw(model, mean, std)", outputs=[output])
    path = tmp_path / "notebook.html"
    path.write_text(HTMLExporter().from_notebook_node(nbformat.v4.new_notebook(cells=[cell]))[0], encoding="utf-8")
    page = opened(browser, path)
    draw(page, 3)
    assert answer(page).startswith("It is a 3")


def test_json_of_networks_is_plain():
    json.dumps(network_of(*trained("smallest")), allow_nan=False)
