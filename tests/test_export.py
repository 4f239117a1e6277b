"""Notebooks as pages: pictures say what they show, and formulas are drawn without a network."""

import re
import sys

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbconvert import HTMLExporter, MarkdownExporter
from nbformat import v4

import tools.execute
from measure.machine import ROOT
from tools.execute import execute, lean
from tools.export import PageExporter

TEMPLATES = ROOT / "tools" / "nbconvert"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
TITLES = ["A first picture", 'One & "another" <picture>']
FIGURES = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from helpers import plot
for title in {TITLES!r}:
    plot.show_bars([0.25, 0.75], "share (%)", "digit", title=title)
"""
CODE = re.compile(r"```.*?```|`[^`]+`", re.DOTALL)
FORMULA = re.compile(r"\$\$.+?\$\$|\$[^$]+\$", re.DOTALL)
FROM_ELSEWHERE = re.compile(r"""\b(import|from|src|url)\b[\s('"=]*(https?:)?//""")


def text(*sources: str) -> nbformat.NotebookNode:
    return v4.new_notebook(cells=[v4.new_markdown_cell(source) for source in sources])


def page_of(notebook: nbformat.NotebookNode) -> BeautifulSoup:
    return BeautifulSoup(PageExporter().from_notebook_node(notebook)[0], "html.parser")


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    """A small notebook with two pictures, executed now."""
    notebook = v4.new_notebook(cells=[v4.new_code_cell(FIGURES)])
    execute(notebook, tmp_path_factory.mktemp("figures"))
    return lean(notebook)


@pytest.fixture(scope="module")
def pages(figures, tmp_path_factory):
    """What `python -m tools.execute --output` writes of the committed notebooks and of the small one, as it writes it.

    They are not executed again.
    """
    folder = tmp_path_factory.mktemp("pages")
    nbformat.write(figures, folder / "figures.ipynb")
    paths = [str(path) for path in (*NOTEBOOKS, folder / "figures.ipynb")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tools.execute, "execute", lambda notebook, folder: None)
        patch.setattr(sys, "argv", ["execute", *paths, "--output", str(folder)])
        assert tools.execute.main() == 0
    written = sorted(folder.glob("*.html"))
    assert len(written) == len(paths)
    return {path.stem: path.read_text(encoding="utf-8") for path in written}


def test_pictures_carry_their_alt_text_and_nothing_that_differs_between_machines(figures):
    """VS Code takes the plain text for it; pytest --nbval compares all but the picture itself."""
    outputs = figures.cells[0].outputs
    assert [output.metadata["image/png"]["alt"] for output in outputs] == TITLES
    assert [output.data["text/plain"] for output in outputs] == TITLES
    assert all(set(output.data) == {"image/png", "text/plain"} for output in outputs)


@pytest.mark.parametrize("template", ["lab", "classic", "basic", "reveal"])
def test_pictures_keep_their_alt_text_in_nbconvert(figures, template):
    """With the templates that make lets jupyter nbconvert find."""
    exporter = HTMLExporter(template_name=template, extra_template_basedirs=[str(TEMPLATES)])
    page = BeautifulSoup(exporter.from_notebook_node(figures)[0], "html.parser")
    assert [image["alt"] for image in page.find_all("img")] == TITLES


def test_pictures_keep_their_alt_text_in_markdown(figures):
    text, _ = MarkdownExporter(extra_template_basedirs=[str(TEMPLATES)]).from_notebook_node(figures)
    assert re.findall(r"!\[(.*?)\]", text) == TITLES


def test_make_tells_nbconvert_where_the_templates_are():
    assert "$(CURDIR)/tools/nbconvert" in (ROOT / "Makefile").read_text() and (TEMPLATES / "lab").is_dir()


def test_pictures_keep_their_alt_text_on_our_page(figures, pages):
    notebooks = {path.stem: nbformat.read(path, as_version=4) for path in NOTEBOOKS} | {"figures": figures}
    for name, notebook in notebooks.items():
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
        alts = [output.metadata["image/png"]["alt"] for output in outputs if "image/png" in output.get("data", {})]
        assert [image["alt"] for image in BeautifulSoup(pages[name], "html.parser").find_all("img")] == alts


def test_a_page_loads_nothing_from_elsewhere(pages):
    for name, page in pages.items():
        soup = BeautifulSoup(page, "html.parser")
        loaded = [tag.get("src") or tag.get("href") for tag in soup.select("[src], link[href]")]
        assert all(address.startswith("data:") for address in loaded), name
        for tag in soup.select("script, style"):
            assert not FROM_ELSEWHERE.search(tag.text), (name, FROM_ELSEWHERE.search(tag.text))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_formula_is_drawn_and_no_command_is_left(pages, path):
    cells = nbformat.read(path, as_version=4).cells
    formulas = [FORMULA.findall(CODE.sub("", cell.source)) for cell in cells if cell.cell_type == "markdown"]
    soup = BeautifulSoup(pages[path.stem], "html.parser")
    drawn = soup.find_all("math")
    assert len(drawn) == sum(map(len, formulas))
    assert not [formula.text for formula in drawn if re.search(r"[\\&$_^{}]", formula.text) or not formula.text]
    for tag in soup.select("pre, code, script, style"):
        tag.decompose()
    assert not re.findall(r"\$|\\[A-Za-z]+", soup.text)


@pytest.mark.parametrize(
    ("formula", "drawn"),
    [
        ("$f'(x)$", "<mrow><mi>f</mi><mi>\u2032</mi></mrow>"),
        (r"$a \ln x$", "<mi>a</mi><mspace .*<mi>ln</mi><mspace .*<mi>x</mi>"),
        (r"$\max(0, x)$", "<mi>max</mi>"),
        (r"$$\begin{aligned}a &= b \\ c &= d\end{aligned}$$", "<mtable.*<mtr.*<mtr"),
    ],
)
def test_formulas_are_set_as_tex_sets_them(formula, drawn):
    assert re.search(drawn, str(page_of(text(formula)).math), re.DOTALL)


def test_a_formula_that_is_wrong_stays_as_it_was_written():
    page = page_of(text("The wrong $a_b_c$ and the right $a_b$."))
    assert "The wrong $a_b_c$ and the right" in page.text and len(page.find_all("math")) == 1
