"""The eight steps of Part 1's workbook as data: names, formulas, values, colors, and where their cells stand."""

import re
from collections import namedtuple

from helpers.backprop import INPUTS, TARGETS, WEIGHTS, Iteration

W = [f"w{k}" for k in range(1, 9)]

# A step of the lesson: its title, the color of its cells and columns, and its formulas by name.
Step = namedtuple("Step", "title color formulas")
STEPS = [
    Step(
        "1. Forward: hidden neurons",
        "#CFE8F7",
        {
            "h1": "{w1} * {i1} + {w2} * {i2}",
            "h2": "{w3} * {i1} + {w4} * {i2}",
            "a_h1": "1 / (1 + EXP(-{h1}))",
            "a_h2": "1 / (1 + EXP(-{h2}))",
        },
    ),
    Step(
        "2. Forward: output neurons",
        "#C9E7DB",
        {
            "o1": "{w5} * {a_h1} + {w6} * {a_h2}",
            "o2": "{w7} * {a_h1} + {w8} * {a_h2}",
            "a_o1": "1 / (1 + EXP(-{o1}))",
            "a_o2": "1 / (1 + EXP(-{o2}))",
        },
    ),
    Step(
        "3. The error",
        "#E2E2E2",
        {
            "E1": "({t1} - {a_o1})^2 / 2",
            "E2": "({t2} - {a_o2})^2 / 2",
            "E_total": "{E1} + {E2}",
        },
    ),
    Step(
        "4. Backward: output neurons",
        "#FAD9C4",
        {
            "∂E/∂a_o1": "{a_o1} - {t1}",
            "∂E/∂a_o2": "{a_o2} - {t2}",
            "∂a_o1/∂o1": "{a_o1} * (1 - {a_o1})",
            "∂a_o2/∂o2": "{a_o2} * (1 - {a_o2})",
            "∂E/∂o1": "{∂E/∂a_o1} * {∂a_o1/∂o1}",
            "∂E/∂o2": "{∂E/∂a_o2} * {∂a_o2/∂o2}",
        },
    ),
    Step(
        "5. Chain rule: weights w5 to w8",
        "#F7CDE0",
        {
            "∂o1/∂w5": "{a_h1}",
            "∂o1/∂w6": "{a_h2}",
            "∂o2/∂w7": "{a_h1}",
            "∂o2/∂w8": "{a_h2}",
            "∂E/∂w5": "{∂E/∂a_o1} * {∂a_o1/∂o1} * {∂o1/∂w5}",
            "∂E/∂w6": "{∂E/∂a_o1} * {∂a_o1/∂o1} * {∂o1/∂w6}",
            "∂E/∂w7": "{∂E/∂a_o2} * {∂a_o2/∂o2} * {∂o2/∂w7}",
            "∂E/∂w8": "{∂E/∂a_o2} * {∂a_o2/∂o2} * {∂o2/∂w8}",
        },
    ),
    Step(
        "6. Backward: hidden neurons",
        "#E2D4F0",
        {
            "∂E/∂a_h1": "{∂E/∂o1} * {w5} + {∂E/∂o2} * {w7}",
            "∂E/∂a_h2": "{∂E/∂o1} * {w6} + {∂E/∂o2} * {w8}",
            "∂a_h1/∂h1": "{a_h1} * (1 - {a_h1})",
            "∂a_h2/∂h2": "{a_h2} * (1 - {a_h2})",
            "∂E/∂h1": "{∂E/∂a_h1} * {∂a_h1/∂h1}",
            "∂E/∂h2": "{∂E/∂a_h2} * {∂a_h2/∂h2}",
        },
    ),
    Step(
        "7. Chain rule: weights w1 to w4",
        "#D3DBF8",
        {
            "∂h1/∂w1": "{i1}",
            "∂h1/∂w2": "{i2}",
            "∂h2/∂w3": "{i1}",
            "∂h2/∂w4": "{i2}",
            "∂E/∂w1": "{∂E/∂a_h1} * {∂a_h1/∂h1} * {∂h1/∂w1}",
            "∂E/∂w2": "{∂E/∂a_h1} * {∂a_h1/∂h1} * {∂h1/∂w2}",
            "∂E/∂w3": "{∂E/∂a_h2} * {∂a_h2/∂h2} * {∂h2/∂w3}",
            "∂E/∂w4": "{∂E/∂a_h2} * {∂a_h2/∂h2} * {∂h2/∂w4}",
        },
    ),
    Step("8. Update: the new weights", "#DDEBB8", {name: f"{{{name}}} - {{lr}} * {{∂E/∂{name}}}" for name in W}),
]
UPDATE = STEPS[-1]
FORMULAS = {name: text for step in STEPS if step is not UPDATE for name, text in step.formulas.items()}
SMALL = {name for step in STEPS[5:7] for name in step.formulas if name.startswith("∂E")}  # shown with an exponent

# Sheets, and rows and columns counted from 0, as xlsxwriter counts them.
LESSON, TABLE, RATES = "Backpropagation", "Iterations", "Learning rates"

# The two tables begin alike, and their head stays in sight. A row is an iteration.
RATE_ROW, BAND_ROW, NAME_ROW, FORMULA_ROW, FIRST_ROW = 2, 3, 4, 5, 6
COLUMNS = [*W, *FORMULAS]
FIRST_BLOCK = 15  # column of the second table's first block; the chart stands before it

# Cells of the lesson: the yellow ones, then those of the first iteration, step by step in three panels.
GIVEN = dict(zip(["i1", "i2", "t1", "t2", "lr", *W], [*INPUTS, *TARGETS, 0.5, *WEIGHTS], strict=True))
MEANING = {"i": "input", "t": "target", "l": "learning rate", "w": "first weight"}  # by a name's first letter
GIVEN_ROW, STEPS_ROW = 4, 19
PANELS = {0: [0, 1, 2, 3], 4: [4, 5], 8: [6, 7]}  # first column: which steps


def lesson_names(step: Step) -> dict[str, str]:
    """Returns what the lesson calls a step's numbers: next to the first weights, an updated one is a new one."""
    return {name: f"new {name}" if step is UPDATE else name for name in step.formulas}


def places() -> tuple[dict[str, tuple[int, int]], dict[int, tuple[int, int]]]:
    """Returns row and column of the lesson's numbers by name, and of the steps' titles by index."""
    cells, titles = {name: (GIVEN_ROW + k, 2) for k, name in enumerate(GIVEN)}, {}
    for column, steps in PANELS.items():
        row = STEPS_ROW
        for k in steps:
            titles[k] = (row, column)
            names = lesson_names(STEPS[k]).values()
            cells |= {name: (row + j, column + 2) for j, name in enumerate(names, start=1)}
            row += 1 + len(names)
    return cells, titles


CELLS, TITLES = places()


def defined_name(name: str) -> str:
    """Returns what a formula calls a quantity: w_1, since W1 is a cell's address; dE_dw1, since / divides."""
    return re.sub(r"^([A-Za-z])(\d)$", r"\1_\2", name).replace("∂", "d").replace("/", "_")


NAMES = {name: defined_name(name) for name in CELLS if not name.startswith("new ")}


def in_words(formula: str) -> str:
    """Returns a formula as the lesson writes it."""
    return formula.replace("{", "").replace("}", "").replace("*", "·")


def values_of(row: Iteration) -> dict[str, float]:
    """Returns one iteration's numbers by column name."""
    values = dict(zip(W, row.weights)) | row.forward._asdict()
    back, a_h, a_o = row.backward, row.forward[2:4], row.forward[6:8]
    for k in (0, 1):
        values |= {
            f"∂E/∂a_o{k + 1}": a_o[k] - TARGETS[k],
            f"∂a_o{k + 1}/∂o{k + 1}": a_o[k] * (1 - a_o[k]),
            f"∂E/∂o{k + 1}": back[k],
            f"∂E/∂a_h{k + 1}": back.dE_do1 * row.weights[4 + k] + back.dE_do2 * row.weights[6 + k],
            f"∂a_h{k + 1}/∂h{k + 1}": a_h[k] * (1 - a_h[k]),
            f"∂E/∂h{k + 1}": back[2 + k],
        }
    for k, name in enumerate(W):
        neuron, inputs = ("h", INPUTS) if k < 4 else ("o", a_h)
        values |= {f"∂{neuron}{1 + k // 2 % 2}/∂{name}": inputs[k % 2], f"∂E/∂{name}": back.dE_dw[k]}
    return {name: values[name] for name in COLUMNS}
