"""The HTML page of a notebook, which needs no network: formulas as MathML, pictures with their alt texts."""

import re

from jinja2 import pass_context
from latex2mathml.converter import convert
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

# What latex2mathml sets otherwise than TeX: no space beside a name, some beside another, a raised sign raised again.
NAME = re.compile(r" ?\\(exp|ln|log)(?![a-z]) ?")
LIMIT = re.compile(r"<mo>(max|min)</mo>")
PRIME = re.compile(r"<msup>(<mi>[^<]*</mi>)(<mi>&#x0203[23];</mi>)</msup>")
# JupyterLab's page without the scripts that it loads from elsewhere, and with the alt texts that it leaves out.
PAGE = """
{%- extends "index.html.j2" -%}
{%- block html_head_js -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
{%- block jupyter_widgets -%}{%- endblock -%}
{%- block html_head_css -%}
<style>
math { font: 1.1em "Latin Modern Math", "STIX Two Math", "Cambria Math", "DejaVu Math TeX Gyre", math; }
math[display="block"] { margin: 0.6em 0; }
mtd[columnalign="right"] { text-align: right; padding-right: 0; }
mtd[columnalign="left"] { text-align: left; padding-left: 0; }
p:has(> math[display="block"]) { overflow-x: auto; }
</style>
{%- endblock -%}
{%- block data_png scoped -%}
{%- set alt = output | get_metadata("alt", "image/png") -%}
{{ super() | replace("<img", '<img alt="%s"' | format(alt | escape_html), 1) if alt else super() }}
{%- endblock -%}
"""


class Formulas(IPythonRenderer):
    """Writes formulas as MathML, which browsers draw by themselves: MathJax would come over the network."""

    def inline_math(self, body: str) -> str:
        return _mathml(body, "inline") or super().inline_math(body)

    def block_math(self, body: str) -> str:
        return _mathml(body, "block") or super().block_math(body)

    def latex_environment(self, name: str, body: str) -> str:
        formula = rf"\begin{{{name}}}{body}\end{{{name}}}"
        return _mathml(formula, "block") or super().latex_environment(name, body)


def _mathml(formula: str, display: str) -> str | None:
    """Returns the formula as MathML, or None if it is not to be understood: the page is written all the same."""
    formula = NAME.sub(lambda name: name[0].replace(" ", r"\,"), formula.replace("{aligned}", "{align*}"))
    try:
        mathml = convert(formula, display=display)
    except Exception:  # the library's errors have no base class of their own
        return None
    return PRIME.sub(r"<mrow>\1\2</mrow>", LIMIT.sub(r"<mi>\1</mi>", mathml))


class PageExporter(HTMLExporter):
    """Writes a notebook as one HTML file that needs no network."""

    def __init__(self, **settings):
        # A folder named like a template, where this happens to run, is not meant.
        super().__init__(raw_template=PAGE, extra_template_basedirs=[], **settings)

    @pass_context
    def markdown2html(self, context, source: str) -> str:
        renderer = Formulas(escape=False, attachments=context.get("cell", {}).get("attachments", {}))
        return MarkdownWithMath(renderer=renderer).render(source)
