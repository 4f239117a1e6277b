"""The pad and the page in a real Chromium: `make test-page`."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest
import torch
from playwright.sync_api import Page, sync_playwright

from helpers.own_digit.network_data import network_of
from helpers.own_digit.pad import pad
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
    path.write_text(head + pad(*trained("lesson")), encoding="utf-8")
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
    box, session = page.locator("canvas.sheet").bounding_box(), page.context.new_cdp_session(page)
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
        assert page.evaluate("scrollY") == 0
    assert page.errors == []


@pytest.mark.parametrize("width", [280, 320, 400])
@pytest.mark.parametrize("kind", ["pad", "page"])
def test_a_narrow_window_has_room_for_all_of_it(browser, pad_file, width, kind):
    """And the sheet stays square: else the network would see a digit that was stretched."""
    page = opened(browser, pad_file if kind == "pad" else PAGE, viewport={"width": width, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") == width
    box = page.locator("canvas.sheet").bounding_box()
    assert box["width"] == pytest.approx(box["height"], abs=0.5) and box["width"] > 200
    draw(page, 2)
    assert answer(page).startswith("It is a 2")


def test_a_pen_draws_and_the_palm_does_not(browser, pad_file):
    page = opened(browser, pad_file, has_touch=True)
    box, session = page.locator("canvas.sheet").bounding_box(), page.context.new_cdp_session(page)

    def palm(kind: str, x: float) -> None:
        points = [] if kind == "touchEnd" else [{"x": box["x"] + x, "y": box["y"] + 250}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def pen(kind: str, place: tuple[float, float]) -> None:
        x, y = (box[side] + 50 + 170 * share for side, share in zip("xy", place))
        event = {"type": kind, "x": x, "y": y, "pointerType": "pen", "button": "left", "buttons": 1, "clickCount": 1}
        session.send("Input.dispatchMouseEvent", event)

    palm("touchStart", 200)  # it may lie there first
    for stroke in DIGITS[4]:
        pen("mousePressed", stroke[0])
        palm("touchMove", 230)
        for place in stroke[1:]:
            pen("mouseMoved", place)
        pen("mouseReleased", stroke[-1])
    palm("touchEnd", 0)
    page.wait_for_timeout(60)
    assert answer(page).startswith("It is a 4")
    for _ in DIGITS[4]:
        page.get_by_role("button", name="Undo").click()
    page.wait_for_timeout(60)
    assert answer(page) == "Draw a digit."


def test_a_second_finger_draws_nothing(browser, pad_file):
    page = opened(browser, pad_file, has_touch=True)
    box, session = page.locator("canvas.sheet").bounding_box(), page.context.new_cdp_session(page)

    def touch(kind: str, *places: tuple[float, float]) -> None:
        points = [{"id": i, "x": box["x"] + x, "y": box["y"] + y} for i, (x, y) in enumerate(places)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", (140, 40))
    touch("touchStart", (140, 60), (20, 140))
    for y in range(60, 241, 20):
        touch("touchMove", (140, y), (20, 160))
    touch("touchEnd")
    page.wait_for_timeout(60)
    assert answer(page).startswith("It is a 1")


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


def test_the_place_where_the_pen_is_lifted_belongs_to_the_stroke(browser, pad_file):
    """A browser need not tell of the last move."""
    page = opened(browser, pad_file)
    box, session = page.locator("canvas.sheet").bounding_box(), page.context.new_cdp_session(page)
    for kind, y in (("mousePressed", 40), ("mouseReleased", 240)):
        event = {"type": kind, "x": box["x"] + 140, "y": box["y"] + y, "button": "left", "clickCount": 1}
        session.send("Input.dispatchMouseEvent", event)
    page.wait_for_timeout(60)
    assert answer(page).startswith("It is a 1") and blots(page) > 200 * 18


@pytest.mark.parametrize("kind", ["pad", "page"])
def test_the_eraser_takes_away_what_it_passes(browser, pad_file, kind):
    page = opened(browser, pad_file if kind == "pad" else PAGE)
    draw(page, 1)
    drawn, box = blots(page), page.locator("canvas.sheet").bounding_box()
    eraser = page.get_by_role("button", name="Eraser")
    eraser.click()
    assert eraser.get_attribute("aria-pressed") == "true"
    wipe = [(box["x"] + box["width"] * x, box["y"] + box["height"] / 2) for x in (0.2, 0.8)]
    page.mouse.move(*wipe[0])
    page.mouse.down()
    page.mouse.move(*wipe[1])  # in one step: it is the way that counts
    page.mouse.up()
    page.mouse.move(0, 0)
    page.wait_for_timeout(60)
    assert 0.6 * drawn < blots(page) < 0.95 * drawn
    page.get_by_role("button", name="Undo").click()
    page.wait_for_timeout(60)
    assert blots(page) == drawn
    draw(page, 1)  # the eraser goes all along it
    assert 200 < blots(page) < 500  # its ring is left
    page.mouse.move(0, 0)
    page.wait_for_timeout(60)
    assert blots(page) == 0 and answer(page) == "Draw a digit."
    page.get_by_role("button", name="Clear").click()  # takes the pen again
    draw(page, 7)
    assert answer(page).startswith("It is a 7") and page.errors == []
    page.get_by_role("button", name="Clear").click()
    page.get_by_role("button", name="Undo").click()
    page.wait_for_timeout(60)
    assert answer(page).startswith("It is a 7")


def test_a_digit_can_be_drawn_by_keys(browser, pad_file):
    page = opened(browser, pad_file)
    sheet = page.get_by_role("application", name="A sheet to draw a digit on. By keys: the space bar puts the pen down")
    page.keyboard.press("Tab")
    page.wait_for_timeout(60)
    assert blots(page) > 100  # a ring shows where the pen is
    for key in [*["ArrowUp"] * 15, " ", *["ArrowDown"] * 30, " "]:
        page.keyboard.press(key)
    page.wait_for_timeout(60)
    assert answer(page).startswith("It is a 1")
    for key in ["e", " ", *["ArrowUp"] * 30, " ", "e"]:  # the eraser, back to where it began
        page.keyboard.press(key)
    page.wait_for_timeout(60)
    assert answer(page) == "Draw a digit."
    page.keyboard.press("Backspace")
    page.wait_for_timeout(60)
    assert answer(page).startswith("It is a 1")
    page.keyboard.press("Escape")
    page.wait_for_timeout(60)
    assert answer(page) == "Draw a digit."
    # The eraser that is taken while the pen is down lifts it, and so does the pen that is taken again.
    for key in [" ", "ArrowUp", "e", "ArrowDown", "e", "ArrowDown"]:
        page.keyboard.press(key)
    page.keyboard.press("Escape")
    page.wait_for_timeout(60)
    assert answer(page) == "Draw a digit." and page.errors == []
    sheet.click()  # with the mouse: no ring
    page.get_by_role("button", name="Clear").click()
    page.wait_for_timeout(60)
    assert blots(page) == 0


def blots(page: Page) -> int:
    """Returns how many pixels of the sheet show anything."""
    script = (
        "sheet => sheet.getContext('2d').getImageData(0, 0, 280, 280).data.filter((x, i) => i % 4 == 3 && x).length"
    )
    return page.eval_on_selector("canvas.sheet", script)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["pad", "page"])
def test_ink_and_text_stand_out_in_both_themes(browser, pad_file, scheme, kind):
    page = opened(browser, pad_file if kind == "pad" else PAGE, color_scheme="dark" if scheme == "light" else "light")
    draw(page, 1)
    page.emulate_media(color_scheme=scheme)  # as one may while something is drawn
    page.wait_for_timeout(100)
    root = ".mnist-pad" if kind == "pad" else "body"
    color, paper = (
        page.eval_on_selector(root, f"node => getComputedStyle(node).{name}") for name in ("color", "backgroundColor")
    )
    ink, sheet = (sum(map(int, text[4:-1].split(","))) for text in (color, paper))
    assert (sheet - ink if scheme == "light" else ink - sheet) > 400
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
    page.wait_for_timeout(60)
    assert answer(page).startswith("It is a 7") and page.errors == []
    assert blots(page) == 280 * 280
    page.locator("canvas.sheet").press("Escape")
    page.wait_for_timeout(60)
    assert blots(page) < 1000 and answer(page) == "Draw a digit."


def test_a_value_follows_the_digit(browser):
    """Below the mouse, and one that a finger chose."""
    page = opened(browser, PAGE, has_touch=True)
    value, hint = page.locator("#value"), page.locator("#value").text_content()
    maps = page.locator(".layer canvas").nth(0)
    maps.tap(position={"x": 30, "y": 30})
    assert page.locator("#patch").is_visible()
    told = value.text_content()
    for digit in ("0, a 7", "1, a 2"):
        page.get_by_role("button", name=f"test digit {digit}").tap()
        page.wait_for_timeout(60)
        assert value.text_content() != told and value.text_content().startswith("Layer 1, convolution, map 1, row ")
        told = value.text_content()
    assert page.locator("#patch").is_visible()
    maps.hover(position={"x": 30, "y": 30})
    page.mouse.move(0, 0)
    assert value.text_content() == hint and not page.locator("#patch").is_visible()


def test_frames_are_drawn_in_time(browser, capsys):
    """Prints the milliseconds from a stroke to the redrawn maps; how many they may be is measured, not tested."""
    page = opened(browser, PAGE)
    script = """() => new Promise((done) => {
        const sheet = document.querySelector("canvas.sheet"), box = sheet.getBoundingClientRect(), times = [];
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


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_pad_works_in_the_exported_notebook(browser, tmp_path, theme):
    """As `jupyter nbconvert --to html` writes it, with the pad in an output; its theme is not the system's."""
    from nbconvert import HTMLExporter

    output = nbformat.v4.new_output("display_data", {"text/html": pad(*trained("smallest"))})
    cell = nbformat.v4.new_code_cell("draw(model, mean, std)", outputs=[output])
    path, exporter = tmp_path / "notebook.html", HTMLExporter(theme=theme)
    path.write_text(exporter.from_notebook_node(nbformat.v4.new_notebook(cells=[cell]))[0], encoding="utf-8")
    page = opened(browser, path, color_scheme="light" if theme == "dark" else "dark")
    draw(page, 3)
    assert answer(page).startswith("It is a 3") and is_dark(page) == (theme == "dark")


def is_dark(page: Page) -> bool:
    """Whether the pad is, and its ink and text are light."""
    style = "node => { const {color, backgroundColor} = getComputedStyle(node); return [color, backgroundColor]; }"
    text, paper = (sum(map(int, color[4:-1].split(","))) for color in page.eval_on_selector(".mnist-pad", style))
    script = "sheet => Array.from(sheet.getContext('2d').getImageData(0, 0, 280, 280).data)"
    pixels = torch.tensor(page.eval_on_selector("canvas.sheet", script)).reshape(-1, 4)
    ink = pixels[pixels[:, 3] == 255, :3].sum(dim=1).float().median()
    assert abs(ink - text) < 10 and abs(paper - text) > 400
    return paper < text


@pytest.fixture(scope="module")
def jupyterlab(tmp_path_factory):
    """The address of a JupyterLab in whose folder lies a notebook that draws the pad."""
    folder, root = tmp_path_factory.mktemp("lab"), Path(__file__).resolve().parents[1]
    cells = [
        f"import sys; sys.path.insert(0, {str(root)!r})",
        "from helpers.own_digit.pad import draw; from measure.weights import trained",
        "draw(*trained('lesson'))",
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells], metadata=kernel)
    nbformat.write(notebook, folder / "pad.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    own = {f"JUPYTER{name}_DIR": str(folder / name) for name in ("_CONFIG", "LAB_SETTINGS", "LAB_WORKSPACES")}
    options = ["--no-browser", "--allow-root", f"--ServerApp.port={address.split(':')[2]}", "--IdentityProvider.token="]
    command = [sys.executable, "-m", "jupyterlab", *options, f"--ServerApp.root_dir={folder}"]
    with open(folder / "log", "w") as log:
        server = subprocess.Popen(command, env=os.environ | own, stdout=log, stderr=log)
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{address}/api").close()
                break
            except OSError:
                time.sleep(1)
        yield address
    finally:
        server.terminate()
        server.wait(60)


def test_the_pad_works_in_jupyterlab_after_run_all(browser, jupyterlab):
    """In its light theme and in its dark one, which is chosen while something is drawn."""
    page = browser.new_context(viewport={"width": 1200, "height": 900}).new_page()
    page.set_default_timeout(180_000)
    page.goto(f"{jupyterlab}/lab/tree/pad.ipynb")
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    page.locator("canvas.sheet").wait_for()
    draw(page, 3)
    assert answer(page).startswith("It is a 3") and not is_dark(page)
    page.get_by_role("menuitem", name="Settings", exact=True).click()
    page.get_by_text("Theme", exact=True).hover()
    page.get_by_role("menuitem", name="JupyterLab Dark", exact=True).click()
    page.wait_for_function("document.body.dataset.jpThemeLight == 'false'")
    light = "getContext('2d').getImageData(0, 0, 280, 280).data.some((x, i) => i % 4 == 0 && x > 200)"
    page.wait_for_function(f"document.querySelector('canvas.sheet').{light}")
    assert is_dark(page)
    # Jupyter's own keys would choose another cell.
    page.locator("canvas.sheet").focus()
    for key in ["Escape", *["ArrowUp"] * 15, " ", *["ArrowDown"] * 30, " "]:
        page.keyboard.press(key)
    page.wait_for_timeout(100)
    assert answer(page).startswith("It is a 1")
    assert "jp-mod-active" in page.locator(".jp-CodeCell").last.get_attribute("class")


def test_json_of_networks_is_plain():
    json.dumps(network_of(*trained("smallest")), allow_nan=False)
