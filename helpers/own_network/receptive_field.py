"""What each layer of a network sees of the image, computed from what the network does with it."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from helpers.own_network.trace import DROPOUT, NORMS, Call, Trace, trace


class Layer(NamedTuple):
    """A row of the receptive-field table; all lengths are of one side, in pixels."""

    name: str
    type: str
    channels: int
    kernel: int
    stride: int
    padding: int
    jump: int  # distance in the image between neighboring outputs of this layer
    receptive_field: int
    output_size: int


class Axis(NamedTuple):
    """The rows of a map, or its columns: where they are in a tensor, and what each of them sees of the image."""

    size: int  # how many there are
    dim: int  # the dimension that they lie in,
    inner: int = 1  # and the steps there from one to the next: more than one where the map was flattened
    jump: int = 1  # in the image, from one to the next; negative in a map that was flipped
    field: int = 1
    start: float = 0  # where the field of the first one begins in the image
    kernel: int = 1  # of the last layer, as are stride and padding
    stride: int = 1
    padding: float = 0
    margin: float = 0  # padding by a layer of its own, which counts as the next one's
    joined: bool = False  # flattened maps one after the other, which can only be seen all at once
    seen: bool = False  # a layer has seen all of them at once

    def window(self, extent: int, first: float = 0) -> "Axis":
        """Returns what a window of positions sees, from the first one or from another; padding's are negative."""
        reach = (extent - 1) * self.jump
        return self._replace(field=self.field + abs(reach), start=self.start + first * self.jump + min(reach, 0))


class View(NamedTuple):
    """What a tensor sees of the image, by its rows and by its columns; none if there are no such."""

    axes: tuple[Axis, ...] = ()
    ends: tuple[Call, ...] = ()  # the layers that have seen the whole map
    unknown: str = ""  # why the fields are not known; where the map lies and how large it is still may be

    @property
    def seen(self) -> bool:
        return bool(self.axes) and all(axis.seen for axis in self.axes)


class NotFollowed(Exception):
    """Says why it cannot be told what a tensor sees of the image."""


def receptive_field(model: nn.Module, input_size: int = 28) -> list[Layer]:
    """Computes the receptive field of each convolution and pooling, in the order of execution.

    The last row is the first layer that sees the whole map: global pooling, or a linear layer. Where branches
    meet, the largest field along any path counts. A factor computed from the whole map, as in squeeze and
    excite, weighs a map and is not followed; neither are the statistics that a norm takes from a map.

    Raises:
        ValueError: the model cannot be run, or one of its layers cannot be followed, or is not square.
    """
    rows = []
    record = trace(model, input_size=input_size)
    seen_by = views(record)
    path = without_gates(record, seen_by)
    for call, view in seen_by.items():
        if view.unknown:
            raise ValueError(f"layer {call.name}: {view.unknown}, so what it sees of the image is not known")
        known = all(seen_by[x].seen for x in call.inputs if x in seen_by)
        is_layer = call.kind in SLIDING or (
            view.seen and call.kind in RULES and RULES[call.kind] in (_reduce, _contract)
        )
        # A mean over the rows, and then one over the columns, are one layer.
        if call not in path or known or not is_layer or len({axis.seen for axis in view.axes}) > 1:
            continue
        sides = {what: [abs(getattr(axis, what)) for axis in view.axes] for what in SIDES}
        for what, (height, width) in sides.items():
            if height != width:
                raise ValueError(f"layer {call.name}: its {what} {height:g}x{width:g} is not square")
        kind = "".join(part.capitalize() for part in call.function.split("_"))
        rows.append(Layer(call.name, kind, call.tensor.shape[:2][-1], *(height for height, _ in sides.values())))
    return rows


def table(layers: list[Layer]) -> str:
    """Returns the rows as text, a line each."""
    lines, before = [f"{'':18} channels kernel stride padding jump receptive field  output"], 0
    for layer in layers:
        _, kind, channels, kernel, stride, padding, jump, field, size = layer
        sizes = f"{channels:8} {kernel:6} {stride:6} {padding:7} {jump:4} {field:15} {size:4}x{size}"
        lines.append(f"{kind:18} {sizes}" + ", from the whole map" * (size == 1 and kernel - padding >= before > 0))
        before = size
    return "\n".join(lines)


def views(record: Trace) -> dict[Call, View]:
    """Returns what each call's tensor sees of the image, for those that see any of it."""
    known: dict[Call, View] = {}
    for call in record.calls:
        if call.kind == "image":
            known[call] = View(tuple(Axis(call.tensor.shape[dim], dim) for dim in (2, 3)))
        elif inputs := [(known[x], x.tensor) for x in call.inputs if x in known]:
            known[call] = _follow(call, inputs)
    return known


def without_gates(record: Trace, seen_by: dict[Call, View]) -> set[Call]:
    """Returns the calls whose tensors become the logits; not those that only make factors for a map."""
    path = {record.output}
    for call in reversed(seen_by):
        if call in path:
            whole = seen_by[call].seen or call.kind == "cat"
            path |= {x for x in call.inputs if x in seen_by and (whole or not seen_by[x].seen)}
    return path & seen_by.keys()


def _follow(call: Call, inputs: list[tuple[View, Tensor]]) -> View:
    """Returns what a call's tensor sees of the image, from what the tensors see that it was made of."""
    after, arguments = call.tensor.shape, call.arguments
    unknown = next((view.unknown for view, _ in inputs if view.unknown), "")
    # What is not followed is taken up again where there are maps: images, channels, rows, columns.
    is_map = call.kind in SLIDING or all([axis.dim for axis in view.axes] == [2, 3] for view, _ in inputs)
    fresh = tuple(Axis(after[dim], dim) for dim in (2, 3)) if len(after) == 4 and is_map else ()
    if not all(view.axes for view, _ in inputs):
        return View(fresh, (), unknown)
    pairs = [[(view.axes[i], tensor.shape) for view, tensor in inputs] for i in range(2)]
    ends = tuple(dict.fromkeys(end for view, _ in inputs for end in view.ends))
    try:
        if all(view.seen for view, _ in inputs):
            axes = tuple(max((a for a, _ in pair), key=lambda a: a.field) for pair in pairs)
            return View(axes, ends, unknown)
        if call.pointwise or call.kind in TOGETHER:
            return View(tuple(_merge(pair, after, call) for pair in pairs), (), unknown)
        # The image is in a weight, or in several operands at once, as in attention.
        operand = arguments.get("mat1", arguments.get("input"))
        if call.kind not in RULES or len(inputs) > 1 or operand is not inputs[0][1]:
            raise NotFollowed(f"{call.kind} is not followed")
        rule = RULES[call.kind]
        if any(a.joined and not a.seen for ((a, _),) in pairs) and rule not in (_along, _reduce, _contract):
            raise NotFollowed("flattened maps that were put together are taken apart")
        axes = tuple(a if a.seen else rule(a, shape, call) for ((a, shape),) in pairs)
    except NotFollowed as reason:
        return View(fresh, (), unknown or str(reason))
    return View(axes, (call,) if all(a.seen for a in axes) else (), unknown)


def _merge(axes: list[tuple[Axis, torch.Size]], after: torch.Size, call: Call) -> Axis:
    """Returns the axis of what several tensors make together: of the same shape, broadcast, or side by side."""
    whole, maps = [a for a, _ in axes if a.seen], [(a, before) for a, before in axes if not a.seen]
    if not maps:
        return max(whole, key=lambda a: a.field)
    dim = call.arguments["dim"] % len(after) if call.kind in ("cat", "stack") else 0
    flat = [a for a, before in maps if call.kind == "cat" and a.dim == dim and a.size < before[dim]]
    if len(flat) == len(maps):
        field = max(a.field for a in [*whole, *map(_whole, flat)])  # what the next layer will see
        widest = max(flat, key=lambda a: a.size * abs(a.jump))
        return widest._replace(field=field - (widest.size - 1) * abs(widest.jump), joined=True)
    if all(a.size == 1 for a, _ in maps):  # there is one position, which may see the whole map, too
        return maps[0][0]._replace(field=max(a.field for a, _ in axes))
    # A factor that sees the whole map is a gate, as in squeeze and excite: it weighs a map and moves nothing.
    if whole and call.kind not in ("mul", "div"):
        raise NotFollowed("a value that sees the whole map is added to each of its positions")
    if call.kind == "stack" and dim == 0:
        raise NotFollowed("maps are stacked in front of the images of a batch")
    # Dimensions are added in front where shapes are broadcast, and at one place where maps are stacked.
    place = dim if call.kind == "stack" else 0
    branches = [a._replace(dim=a.dim + (len(after) - len(before)) * (a.dim >= place)) for a, before in maps]
    if any(before[a.dim] != after[b.dim] for (a, before), b in zip(maps, branches)):
        raise NotFollowed("maps of different shape are put together")
    if len({(a.dim, a.inner, a.size, a.jump) for a in branches}) > 1:
        raise NotFollowed("branches of different scale or direction are put together")
    # Fields that lie beside each other, as in slices that start one pixel apart, are a larger one together.
    start, end = min(a.start for a in branches), max(a.start + a.field for a in branches)
    return max(branches, key=lambda a: a.field)._replace(start=start, field=int(end - start))


def _dims(dims: int | list[int] | None, shape: torch.Size) -> set[int]:
    """Returns what an argument named `dim` means: all dimensions if there is none."""
    dims = range(len(shape)) if dims in (None, []) else [dims] if isinstance(dims, int) else dims
    return {dim % len(shape) for dim in dims}


# How an axis passes each kind of operator: functions of the axis, the shape before, and the call.


def _move(axis: Axis, before: torch.Size, call: Call) -> Axis:
    """Values in another order, or some of them: the operator shows where the positions go."""
    after = call.tensor.shape
    if call.kind == "alias":
        return axis
    if axis.size == 1:  # which is alone in its dimension, or among others in the last one
        dim = axis.dim - len(before) + len(after)
        return axis._replace(dim=dim if after[max(dim, 0)] == 1 else len(after) - 1)
    places = torch.arange(before[axis.dim]) // axis.inner % axis.size
    places = places.view([-1 if dim == axis.dim else 1 for dim in range(len(before))]).expand(before).clone()
    moved, *others = [x for x in call.again({id(call.arguments["input"]): places}) if x.shape == after]
    dims = [dim for dim in range(len(after)) if not moved.equal(moved.narrow(dim, 0, 1).expand(after))]
    if len(dims) == 1 and all(moved.equal(x) for x in others):
        line = moved.movedim(dims[0], 0).flatten(1)[:, 0].long()
        inner = int(line.diff().nonzero()[0]) + 1
        first, step = int(line[0]), int(line[inner] - line[0])
        size = int(((line - first) / step).max()) + 1
        if line.equal(first + step * (torch.arange(len(line)) // inner % size)):
            start = axis.start + first * axis.jump
            return axis._replace(dim=dims[0], inner=inner, size=size, start=start, jump=axis.jump * step)
    moves = f"from {tuple(before)} to {tuple(after)}" if call.kind in UNCHANGED else f"by {call.kind}"
    raise NotFollowed(f"a map of {axis.size} pixels is reshaped or cut {moves}")


def _along(axis: Axis, before: torch.Size, call: Call) -> Axis:
    """Something happens along dimensions; the map must not lie there."""
    dims = call.arguments.get("dim", call.arguments.get("dims", -1))
    if axis.dim in _dims(dims, before) and axis.size > 1:
        raise NotFollowed("an operation runs along the side of the map")
    return axis


def _pad(axis: Axis, before: torch.Size, call: Call) -> Axis:
    grown = call.tensor.shape[axis.dim] - before[axis.dim]
    if grown and (axis.inner > 1 or axis.size != before[axis.dim]):
        raise NotFollowed("a flattened map is padded")
    pairs = call.arguments.get("pad", call.arguments.get("padding"))  # of the last dimension first
    left = [*pairs[::2], *[0] * len(before)][len(before) - 1 - axis.dim]
    start = axis.start - left * axis.jump
    return axis._replace(size=axis.size + grown, start=start, margin=axis.margin + grown / 2)


def _window(axis: Axis, before: torch.Size, call: Call) -> Axis:
    """A convolution or pooling: a kernel k adds (k - 1) * jump to the field, a stride s multiplies the jump.

    Source: Dumoulin and Visin, arXiv:1603.07285.
    """
    after, arguments = call.tensor.shape, call.arguments
    weight = arguments.get("weight")
    sides = len(before) - 2 if weight is not None else 2
    if arguments.get("transposed"):
        raise NotFollowed("a transposed convolution enlarges its maps")
    place = axis.dim - (len(before) - sides)
    if place < 0:
        return _whole(axis) if weight is not None and axis.dim == 1 else axis

    def side(name: str, default: int) -> int:
        value = arguments.get(name) or [default]
        return value[place % len(value)] if isinstance(value, (list, tuple)) else value

    if "output_size" in arguments and before[axis.dim] % after[axis.dim]:
        raise NotFollowed(f"adaptive pooling from {before[axis.dim]} to {after[axis.dim]} has windows of two sizes")
    kernel = weight.shape[2 + place] if weight is not None else side("kernel_size", before[axis.dim] // after[axis.dim])
    stride, padding, dilation = side("stride", kernel), side("padding", 0), side("dilation", 1)
    extent = dilation * (kernel - 1) + 1
    whole = after[axis.dim] == 1 and extent - padding >= before[axis.dim] and (extent > 1 or "output_size" in arguments)
    if axis.inner > 1 or axis.size != before[axis.dim]:
        if whole:
            return _whole(axis)
        if (extent, stride, padding) == (1, 1, 0):
            return axis
        raise NotFollowed("a window slides over a flattened map")
    padded = padding + axis.margin
    return axis.window(extent, -padding)._replace(
        size=after[axis.dim],
        jump=axis.jump * stride,
        kernel=kernel,
        stride=stride,
        padding=int(padded) if padded == int(padded) else padded,
        margin=0,
        seen=whole,
    )


def _whole(axis: Axis) -> Axis:
    shape = {"kernel": axis.size, "stride": axis.size, "padding": 0, "margin": 0}
    return axis.window(axis.size)._replace(size=1, jump=axis.jump * axis.size, seen=True, **shape)


def _reduce(axis: Axis, before: torch.Size, call: Call) -> Axis:
    dims = _dims(call.arguments.get("dim"), before)
    if 0 in dims:
        raise NotFollowed("the images of a batch are mixed")
    if axis.dim in dims:
        return _whole(axis)
    return axis._replace(dim=axis.dim - sum(d < axis.dim for d in dims) * (call.tensor.ndim < len(before)))


def _contract(axis: Axis, before: torch.Size, call: Call) -> Axis:
    """A linear layer sums over the last dimension."""
    return _whole(axis) if axis.dim in (-1, len(before) - 1) else axis


Rule = Callable[[Axis, torch.Size, Call], Axis]
# What leaves each pixel in its place: by torch's own tag, or without it, some in older versions of torch.
TOGETHER = {*NORMS, *DROPOUT, "native_dropout", "cat", "stack", "copy", "expand", "channel_shuffle", "prelu_kernel"}
TOGETHER |= {"native_channel_shuffle", "hardswish", "leaky_relu", "log_sigmoid_forward", "rrelu_with_noise"}
SLIDING = ("conv", "max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d")
SIDES = ("kernel", "stride", "padding", "jump", "field", "size")  # of an axis, as a Layer has them
UNCHANGED = ("view", "unsafe_view", "reshape", "squeeze", "unsqueeze", "clone", "to_copy", "alias", "detach")
_RULES = {
    _move: " ".join(UNCHANGED)
    + " permute transpose t slice select split split_with_sizes unbind flip index index_select repeat",
    _along: "softmax log_softmax glu roll sort topk cumsum",
    _pad: "pad constant_pad_nd reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d",
    _window: " ".join(SLIDING) + " pixel_unshuffle",
    _reduce: "mean sum amax amin max min std var var_mean norm linalg_vector_norm logsumexp prod",
    _contract: "linear",
}
RULES: dict[str, Rule] = {name: rule for rule, names in _RULES.items() for name in names.split()}
