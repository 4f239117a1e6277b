"""The check of an exercise: PASS, or one sentence. The hints stand here, where nobody reads one before trying."""

HINTS = {  # by notebook and exercise
    "1.1": "look for the derivatives that have i1 as a factor.",
    "1.2": "a weight that moves by -lr * slope changes the error by about slope * (-lr * slope); add up all eight.",
    "1.3": "the two hidden neurons start alike; write down the derivatives of w1 and w3.",
    "1.4": "tanh changes a_h1 and a_h2, so a_o1 and a_o2 change, too.",
    "1.5": "dE/da_o1 has a_o1 * (1 - a_o1) in its denominator.",
    "2.1": "count the pixels with the padding, and where five of them can begin.",
    "2.2": "what does the top row of the kernel give, and what the bottom row?",
    "2.3": "which probability does each digit get? Then use the formula of section 4.",
    "2.4": "how many numbers does one of the 20 kernels have?",
    "2.5": "it lies between those of 3 and of 9 pixels, nearer to the first.",
    "3.1": "half the noise needs four times the runs; here the noise must shrink to 4 %.",
    "3.2": "after the pooling the field is 5, and each 3x3 kernel adds two steps of 2 pixels.",
    "3.3": "the ten numbers are used as logits. What does the softmax make of them?",
    "3.4": "its last layer sees zeros only, so what differs from image to image?",
    "4.1": "each filter has 3 x 3 numbers for each map that comes in; its turns need none.",
}


def check(exercise: str, answer: object, expected: float, tolerance: float = 0) -> None:
    """Prints "PASS", or one sentence that says what to do; it raises nothing, whatever the answer is.

    Args:
        exercise: its notebook and number, "2.1".
        answer: the reader's; `...` or None as long as there is none.
        expected: the number that it should equal, within `tolerance`.
    """
    points(exercise, answer, expected, tolerance)


def points(exercise: str, answer: object, expected: float, tolerance: float = 0) -> int:
    """Does what `check` does, and returns 1 for a right answer, else 0: what nbgrader takes as the points of a cell."""
    if answer is ... or answer is None:
        print("Nothing here yet: put your answer in place of the dots.")
        return 0
    try:
        right = abs(float(answer) - expected) <= tolerance
    except Exception:  # whatever an answer is, the notebook goes on
        right = False
    print("PASS" if right else f"Not yet: {HINTS[exercise]}")
    return int(right)
