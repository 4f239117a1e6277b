"""Where the ink is in a picture of a digit, whatever the light, the paper and the pen.

Ink is thin, and darker or lighter than the paper close around it. What the paper would look like without ink
is found by morphological closing, which fills whatever is darker than its surroundings and thinner than a
window. Shadows, vignettes and the edges of sheets are wider than that, so they count as paper.
"""

from collections.abc import Iterator

import numpy as np
from numpy import ndarray
from PIL import Image
from scipy import ndimage
from skimage.filters import apply_hysteresis_threshold, threshold_otsu
from skimage.measure import label, regionprops
from skimage.transform import hough_line

DAMPING = 32  # of 255: keeps the noise of dark places from looking like contrast
FAINT = 0.12  # of the ink's contrast: rules and frames may be as faint as this
SMALL = 100  # pixels: the longer side of pictures without shadows
STEEPEST = 8  # degrees: ruled lines are turned by no more


def find_sheet(color: ndarray) -> ndarray:
    """Returns the part of a picture (H, W, 3) that is a card, panel or sheet with the digit on it; or all of it.

    What lies in the corners of the part, beside a card that is turned, becomes paper.
    """
    color = _without_bars(color)
    for inside in _panels(color):
        (box,) = ndimage.find_objects(inside.astype(int))
        part = color[box].copy()
        part[~inside[box]] = np.median(part[inside[box]], axis=0)
        if _carries_ink(part):
            return part
    return color


def find_ink(color: ndarray) -> ndarray:
    """Returns the contrast (H, W) of ink and paper at each pixel: 0 where there is no ink, 1 for black on white.

    Whether the ink is dark or light is told by its edges: writing has more sharp ones, for its area, than light,
    shadow and the paper inside a frame.
    """
    if np.array_equal(color[..., :-1], color[..., 1:]):
        color = color[..., :1]  # gray: the other channels say the same
    around, found = _surroundings(color), []
    for picture, surroundings in ((color, around), (255 - color, 255 - around)):
        paper = _paper(picture)
        # Dark ink takes a share of the light that its paper has. Light ink is as bright as it is.
        brightest = DAMPING + (paper if picture is color else color.max())
        ink = np.max((paper - picture) / brightest, axis=2)
        # Paper between two dark strokes looks like a light stroke: ink differs from the wider surroundings, too.
        gate = np.max((surroundings - picture) / brightest, axis=2)
        ink = np.minimum(ink - np.median(ink), gate).clip(0)
        slope = np.hypot(*np.gradient(ink))
        edges = slope[slope > max(0.04, 3 * np.median(slope))].sum()
        found.append((edges / np.sqrt(ink.sum() + 1e-6), picture, ink))
    _, picture, ink = max(found, key=lambda each: each[0])
    if (side := max(ink.shape)) >= SMALL:
        return ink
    # Small pictures are drawn or cut out: the digit may fill them, and what is dark along the border is a stroke.
    paper = _paper(picture, int(0.8 * side) | 1, beyond=255)
    ink = np.max((paper - picture) / (DAMPING + (paper if picture is color else color.max())), axis=2)
    return (ink - np.median(ink)).clip(0)


def find_strokes(ink: ndarray) -> ndarray:
    """Returns where there are strokes (H, W), without ruled lines and frames.

    Raises:
        ValueError: nothing stands out from the paper.
    """
    strokes = _above_noise(ink)
    if not strokes.any():
        raise ValueError("no digit found: nothing on the picture stands out from its paper")
    faint = ink > max(FAINT * np.median(ink[strokes]), 0.02)
    faint = faint if faint.mean() < 0.4 else strokes
    return _without_lines(ink, _without_frames(strokes, faint), faint)


def stroke_width(strokes: ndarray) -> float:
    """Returns how wide the strokes are, in pixels: twice the distance from their middle to the paper."""
    distance = ndimage.distance_transform_edt(np.pad(strokes, 1))
    ridge = distance[(distance == ndimage.maximum_filter(distance, 3)) & (distance > 0)]
    return 2 * float(np.percentile(ridge, 70)) - 1 if ridge.size else 0.0


def size(part) -> int:
    """Returns the longer side of a part, in pixels."""
    return max(part.bbox[2] - part.bbox[0], part.bbox[3] - part.bbox[1])


def touches(part, shape: tuple[int, int]) -> bool:
    """Tells whether a part lies at the border of a picture of that shape."""
    top, left, bottom, right = part.bbox
    return top == 0 or left == 0 or bottom == shape[0] or right == shape[1]


def is_foreign(part, shape: tuple[int, int]) -> bool:
    """Tells whether a part is a shadow, an edge or a line of a table: it runs along the border, or across it all.

    A stroke may end at the border, too: it is long for its width.
    """
    top, left, bottom, right = part.bbox
    margins = [max(2, side // 12) for side in shape]
    within = np.pad(part.image, ((top, shape[0] - bottom), (left, shape[1] - right)))
    inner = within[margins[0] : -margins[0], margins[1] : -margins[1]]
    if size(part) > 0.6 * min(shape) and inner.sum() < 0.1 * part.area:
        return True
    if (top == 0 and bottom == shape[0]) or (left == 0 and right == shape[1]):
        return True
    return touches(part, shape) and size(part) < 4 * stroke_width(part.image)


def _paper(color: ndarray, window: int | None = None, beyond: int = -1) -> ndarray:
    """Returns the picture without what is darker than its surroundings and thinner than the window.

    Beyond the border it counts as dark, unless told otherwise, so that shadows along the border are no strokes.
    """
    shorter, longer = sorted(color.shape[:2])
    window = window or max(3, int(0.45 * shorter), longer // 4) | 1
    pad = window // 2 + 1
    padded = np.pad(color, ((pad, pad), (pad, pad), (0, 0)), constant_values=beyond)
    closed = ndimage.grey_closing(padded, size=(window, window, 1))
    return closed[pad:-pad, pad:-pad]


def _surroundings(color: ndarray) -> ndarray:
    """Returns the median over a window as wide as the picture; calculated on a small copy, for it may be coarse."""
    height, width = color.shape[:2]
    factor = min(1, 24 / max(height, width))
    small = (max(1, round(factor * width)), max(1, round(factor * height)))
    medians = []
    for channel in np.moveaxis(color, 2, 0):
        copy = Image.fromarray(channel.astype(np.float32)).resize(small, Image.Resampling.BOX)
        median = ndimage.median_filter(np.asarray(copy), max(small) | 1, mode="nearest")
        medians.append(np.asarray(Image.fromarray(median).resize((width, height), Image.Resampling.BILINEAR)))
    return np.stack(medians, axis=2)


def _above_noise(ink: ndarray) -> ndarray:
    """Returns where there is ink: as much of it as at sharp edges, and what is connected to that."""
    slope = np.hypot(*np.gradient(ink)) ** 2
    if not slope.any():
        return np.zeros(ink.shape, bool)
    full = np.average(ndimage.maximum_filter(ink, 5), weights=slope)
    noise = 1.48 * np.median(ink[ink <= full / 2])
    return apply_hysteresis_threshold(ink, max(0.35 * full, 3 * noise, 0.03), max(0.6 * full, 4 * noise, 0.05))


def _without_frames(strokes: ndarray, faint: ndarray) -> ndarray:
    """Takes away boxes and rings around something."""
    labels = label(faint, connectivity=2)
    parts = regionprops(labels)
    height, width = strokes.shape

    def is_frame(part) -> bool:
        top, left, bottom, right = part.bbox
        margin = min(bottom - top, right - left) // 10
        if 10 * margin < 0.27 * min(height, width) or part.image[margin:-margin, margin:-margin].mean() > 0.01:
            return False
        middles = [other.centroid for other in parts if other is not part and size(other) > 0.15 * size(part)]
        return any(top < y < bottom and left < x < right for y, x in middles)

    def is_ring(part) -> bool:
        top, left, bottom, right = part.bbox
        if size(part) < 0.3 * min(height, width):
            return False
        holes = np.pad(part.image_filled & ~part.image, ((top, height - bottom), (left, width - right)))
        inside = (other for other in parts if other is not part and size(other) > 0.35 * size(part))
        return any(holes[tuple(other.coords.T)].all() for other in inside)

    return strokes & ~np.isin(labels, [part.label for part in parts if is_frame(part) or is_ring(part)])


def _without_lines(ink: ndarray, strokes: ndarray, faint: ndarray) -> ndarray:
    """Takes away ruled lines, as staff lines are taken from notes: where nothing crosses them or lies along them."""
    found = [_lines(faint), _lines(faint.T)]
    if not any(found):
        return strokes
    rest, thickness, is_ruled = strokes.copy(), 0.0, max(map(len, found)) > 2
    for lines, view, amount in zip(found, (rest, rest.T), (ink, ink.T)):
        for runs in lines:
            usual = float(np.median([stop - start for _, start, stop in runs]))
            amounts = [amount[start:stop, x].sum() for x, start, stop in runs]
            thickness = max(thickness, usual)
            for (x, start, stop), here in zip(runs, amounts):
                is_line = not is_ruled or here <= (1.6 + 1 / usual) * np.median(amounts)
                if is_line and stop - start <= 1.6 * usual + 1:
                    view[start:stop, x] = False
    parts = regionprops(label(rest, connectivity=2))
    if max(map(size, parts), default=0) < 0.08 * max(strokes.shape):
        return strokes  # the lines were all that there is
    if not is_ruled:  # few lines may be strokes, unless they are faint or thin beside the rest
        gone, largest = strokes & ~rest, max(parts, key=lambda part: part.area)
        is_faint = gone.any() and np.median(ink[gone]) < 0.6 * np.median(ink[rest])
        if not is_faint and thickness > 0.4 * stroke_width(largest.image):
            return strokes
    reach = 2 * int(thickness) + 3
    for lines, shape in zip(found, ((reach, 1), (1, reach))):
        if lines:  # close the cuts in strokes that crossed
            closed = ndimage.binary_closing(np.pad(rest, reach), np.ones(shape))[reach:-reach, reach:-reach]
            rest |= closed & strokes
    return rest


Run = tuple[int, int, int]  # of pixels in a column: x, first y, last y + 1


def _lines(strokes: ndarray) -> list[list[Run]]:
    """Returns the straight lines that run from the left border to the right one, each by its runs of pixels."""
    angles = np.deg2rad(np.arange(-STEEPEST, STEEPEST + 0.1, 0.25) + 90)
    votes, _, distances = hough_line(ndimage.binary_dilation(strokes), theta=angles)
    width, votes, lines, taken = strokes.shape[1], votes.astype(float), [], set()
    while True:
        row, column = np.unravel_index(votes.argmax(), votes.shape)
        if votes[row, column] < 0.7 * width:
            return lines
        votes[max(0, row - 6) : row + 7] = 0
        runs = _runs(strokes, distances[row], angles[column])
        is_new = sum(run in taken for run in runs) < 0.3 * len(runs)
        if is_new and len(runs) > 0.7 * width and runs[0][0] < 0.05 * width and runs[-1][0] > 0.95 * width:
            lines.append(runs)
            taken.update(runs)


def _runs(strokes: ndarray, distance: float, angle: float) -> list[Run]:
    """Returns the runs of pixels that a line crosses, or passes by two pixels."""
    runs = []
    for x, column in enumerate(strokes.T):
        y = round((distance - x * np.cos(angle)) / np.sin(angle))
        on = [near for near in (y, y - 1, y + 1, y - 2, y + 2) if 0 <= near < len(column) and column[near]]
        if on:
            above, below = np.flatnonzero(~column[: on[0]]), np.flatnonzero(~column[on[0] :])
            start = above[-1] + 1 if above.size else 0
            runs.append((x, int(start), int(on[0] + below[0]) if below.size else len(column)))
    return runs


def _panels(color: ndarray) -> Iterator[ndarray]:
    """Yields where (H, W) something rectangular with sharp edges lies that does not touch the border."""
    gray = color.mean(axis=2, keepdims=True)
    window = max(3, min(gray.shape[:2]) // 8) | 1
    closed, opened = _paper(gray, window), 255 - _paper(255 - gray, window)
    for flat in (255 - _paper(255 - closed, window), _paper(opened, window)):
        flat = flat[..., 0]
        for side in (flat > _middle(flat), flat <= _middle(flat)):
            for part in regionprops(label(side)):
                top, left, bottom, right = part.bbox
                large = min(bottom - top, right - left) > max(0.25 * min(flat.shape), 20)
                if large and not touches(part, flat.shape) and part.area_filled > 0.88 * _rectangle(part.image_filled):
                    region = np.zeros(flat.shape, bool)
                    region[top:bottom, left:right] = part.image_filled
                    if _is_sharp(gray[..., 0], region):
                        yield ndimage.binary_erosion(region, iterations=3)


def _without_bars(color: ndarray) -> ndarray:
    """Returns the picture without bars of one color along two opposite sides, such as a screen adds to a photo."""
    for _ in range(2):  # columns, then rows
        color = color.transpose(1, 0, 2)
        bar = np.median(color[0], axis=0)
        beside = np.flatnonzero((np.abs(color - bar) > 12).any(axis=(1, 2)))
        if beside.size and beside[0] > 0 and beside[-1] < len(color) - 1:
            inside = color[beside[0] + 2 : beside[-1] - 1]  # edges are blurred
            # Beside a digit there is paper as well; beside a photo there is none of the bar's color.
            if len(inside) > 0.25 * len(color) and len(color) >= SMALL:
                others = [(np.abs(line - bar).max(axis=1) > 40).mean() for line in (inside[0], inside[-1])]
                color = inside if min(others) > 0.95 else color
    return color


def _middle(values: ndarray) -> float:
    return threshold_otsu(values) if np.ptp(values) else float(values.max())


def _rectangle(region: ndarray) -> float:
    """Returns the area of the smallest rectangle around it, turned in steps of two degrees."""
    y, x = np.nonzero(region & ~ndimage.binary_erosion(region))
    angles = np.deg2rad(np.arange(0, 90, 2))[:, None]
    along, across = x * np.cos(angles) + y * np.sin(angles), y * np.cos(angles) - x * np.sin(angles)
    return float(((np.ptp(along, axis=1) + 1) * (np.ptp(across, axis=1) + 1)).min())


def _is_sharp(gray: ndarray, region: ndarray) -> bool:
    """Tells whether the region is of one color up to its edge, and from right beyond it all is of another one."""
    outer = ndimage.binary_dilation(region, iterations=4) & ~ndimage.binary_dilation(region, iterations=2)
    inner = ndimage.binary_erosion(region, iterations=3) & ~ndimage.binary_erosion(region, iterations=5)
    if not outer.any():  # it fills the picture
        return False
    inside, outside, near, far = (np.median(gray[place]) for place in (inner, outer, region, ~region))
    step = abs(outside - inside)
    return bool(step > 20 and abs(near - inside) < 0.3 * step and abs(far - outside) < 0.5 * step)


def _carries_ink(part: ndarray) -> bool:
    """Tells whether there is writing on a panel: thin, of some size, and not at its edge."""
    ink = find_ink(part)
    strokes = _above_noise(ink)
    parts = regionprops(label(strokes, connectivity=2))
    largest = max(parts, key=lambda each: each.area, default=None)
    if largest is None or touches(largest, ink.shape):
        return False
    return size(largest) > max(0.15 * max(ink.shape), 2.5 * stroke_width(largest.image)) and ink[strokes].mean() > 0.2
