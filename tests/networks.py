"""Small networks as students write them, one for each kind, with their true receptive fields and lines."""

from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PADDED, UNPADDED, POINT = "convolutions with padding", "convolutions without padding", "1x1 convolution"
NORM, DROPOUT = "batch norm", "dropout"
TWICE, NEAR, HEAD = "max pooling twice", "max pooling not near the output", "global average pooling or FC"
STUCK, BORDER, BIAS = "random in eval mode, too", "1x1 convolution with padding", "bias before batch norm"
BATCH = "batch norm of the batch alone"
LINES = {PADDED, UNPADDED, POINT, NORM, DROPOUT, TWICE, NEAR, HEAD}
FIELDS = [3, 4, 8, 10, 18, 18]  # of the body below


@dataclass
class Network:
    """How to make it; the fields of its layers before the one that sees the whole map; lines that do not pass."""

    make: Callable[[], nn.Module]
    fields: list[int] = field(default_factory=lambda: FIELDS)
    fails: set[str] = frozenset()
    notes: set[str] = frozenset()
    says: dict[str, str] = field(default_factory=dict)  # a part of the reason of a line
    parameters: str = ""
    not_followed: str = ""
    sizes: tuple[int, ...] = (28, 32)  # of the images that it takes


class Net(nn.Module):
    """Calls a function with itself and an image: forward written where its modules are."""

    def __init__(self, function: Callable, **modules: nn.Module):
        super().__init__()
        self.function = function
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


def conv(inputs: int, outputs: int, kernel: int = 3, *arguments, **options) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, *arguments, **({"bias": False} | options))


def body(**changes: nn.Module | None) -> nn.Sequential:
    """Maps (N, 10, 6, 6), with every technique but the head's; a change takes the place of a layer, or of none."""
    layers = {
        "first": conv(1, 4, padding=1),  # 28
        "norm": nn.BatchNorm2d(4),
        "relu1": nn.ReLU(),
        "pool1": nn.MaxPool2d(2),  # 14
        "second": conv(4, 4),  # 12
        "relu2": nn.ReLU(),
        "dropout": nn.Dropout(0.1),
        "pool2": nn.MaxPool2d(2),  # 6
        "third": conv(4, 8, padding=1),
        "relu3": nn.ReLU(),
        "point": conv(8, 10, 1),
    }
    assert changes.keys() <= layers.keys()
    return nn.Sequential(*(layer for layer in (layers | changes).values() if layer is not None))


def head(function: Callable, *modules: nn.Module, **network) -> Network:
    """The body and a head: a function of the maps and of modules."""
    return Network(
        lambda: Net(lambda s, x: function(s.body(x), *s.more), body=body(), more=nn.ModuleList(modules)), **network
    )


def change(make: Callable[[], dict], **network) -> Network:
    """The body with changes, and global average pooling."""
    return Network(lambda: nn.Sequential(body(**make()), nn.AdaptiveAvgPool2d(1), nn.Flatten()), **network)


def small(make: Callable, fields: list[int], *passes: str, **network) -> Network:
    """A network with a few of the techniques: those that pass."""
    return Network(make, fields, LINES - {*passes}, **network)


def chain(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(*layers, nn.Flatten())


def mean(x: Tensor) -> Tensor:
    return x.mean((2, 3))


class Excite(nn.Module):
    """Squeeze and excite: weighs each map by a factor that comes from all of them."""

    def __init__(self, channels: int):
        super().__init__()
        self.down, self.up = nn.Linear(channels, 2), nn.Linear(2, channels)

    def forward(self, x: Tensor) -> Tensor:
        factors = self.up(F.relu(self.down(F.adaptive_avg_pool2d(x, 1).flatten(1))))
        return x * factors.sigmoid()[:, :, None, None]


class Residual(nn.Module):
    def __init__(self, *branches: nn.Module):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        return sum((branch(x) for branch in self.branches), start=x)


class Inception(nn.Module):
    def __init__(self):
        super().__init__()
        self.small, self.large = conv(4, 3, 1), conv(4, 5, 5, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.small(x), self.large(x)], dim=1)


class Shuffle(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        return x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


class ChannelsLast(nn.Module):
    """A linear layer for each pixel is a 1x1 convolution."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.norm, self.linear = nn.LayerNorm(inputs), nn.Linear(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.norm(x.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)


class InPlace(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        x = x.clone()
        x += 1
        x *= 0.5
        return x.clamp_(min=0)


class Functions(nn.Module):
    """No layer is a module."""

    def __init__(self):
        super().__init__()
        shapes = [(4, 1, 3, 3), (4, 4, 3, 3), (8, 4, 3, 3), (10, 8, 1, 1)]
        self.weights = nn.ParameterList([nn.Parameter(0.1 * torch.randn(shape)) for shape in shapes])

    def forward(self, x: Tensor) -> Tensor:
        a, b, c, d = self.weights
        x = F.conv2d(x, a, padding=1)
        x = F.batch_norm(x, torch.zeros(4), torch.ones(4), training=self.training)
        x = torch.max_pool2d(F.relu(x), 2)
        x = F.dropout(F.relu(torch.conv2d(x, b)), p=0.2, training=self.training)
        x = F.relu(F.conv2d(F.max_pool2d(x, kernel_size=2), weight=c, padding="same"))
        return torch.mean(torch.conv2d(x, d), dim=[2, 3])


class Reversed(nn.Module):
    """Declared from the last layer to the first, one pooling for both places, layers left over."""

    def __init__(self):
        super().__init__()
        self.left_over, self.old_head = conv(4, 64), nn.Linear(64, 100)
        self.point, self.third, self.second = conv(8, 10, 1), conv(4, 8, padding=1), conv(4, 4)
        self.drop, self.norm, self.first = nn.Dropout(0.1), nn.BatchNorm2d(4), conv(1, 4, padding=1)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(F.relu(self.norm(self.first(x))))
        x = self.pool(self.drop(F.relu(self.second(x))))
        return F.adaptive_avg_pool2d(self.point(F.relu(self.third(x))), 1).view(-1, 10)


class Attention(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(2).transpose(1, 2)
        weights = (tokens @ tokens.transpose(1, 2)).softmax(dim=-1)
        return (weights @ tokens).transpose(1, 2).reshape(x.shape)


class Shift(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.roll(1, dims=3)


class Parts(nn.Module):
    """Writes a map part by part."""

    def forward(self, x: Tensor) -> Tensor:
        result = torch.zeros_like(x)
        result[:, :2] = x[:, 2:]
        result[:, 2:] = x[:, :2]
        return result


class Slices(nn.Module):
    """Each square of four pixels becomes four channels of one."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)], dim=1)


class Mirrored(nn.Module):
    """Sees each map and its mirror image with the same filters."""

    def __init__(self):
        super().__init__()
        self.conv = conv(4, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x) + self.conv(x.flip(3)).flip(3)


def shifted_by_flips(x: Tensor) -> Tensor:
    """Adds to each pixel the one above it, to the left: flipped, a map is padded in front where it ends."""
    return x + F.pad(x.flip(2, 3), (0, 1, 0, 1)).flip(2, 3)[..., : x.shape[2], : x.shape[3]]


def ends_added(x: Tensor) -> Tensor:
    """Adds to each pixel the second one below it, to the right: the last ones, counted from the end."""
    rest = x.shape[-1] - 2
    return x[..., :rest, :rest] + x[..., -rest:, -rest:]


class Ghost(nn.Module):
    """Normalizes each quarter of a batch by itself."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(16)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return self.norm(x.view(-1, 16, *x.shape[2:])).view(x.shape)
        return F.batch_norm(x, *(s.view(4, 4).mean(0) for s in (self.norm.running_mean, self.norm.running_var)))


class WholeAdded(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + x.mean((2, 3), keepdim=True)


class Twice(nn.Module):
    """One convolution with a bias before two batch norms, and a parameter of the network's own."""

    def __init__(self):
        super().__init__()
        self.first, self.again = conv(1, 10, padding=1), conv(10, 10, padding=1, bias=True)
        self.norms, self.scale = nn.ModuleList([nn.BatchNorm2d(10), nn.BatchNorm2d(10)]), nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for norm in self.norms:
            x = norm(self.again(x))
        return mean(x) * self.scale


class Sequence(nn.Module):
    """Patches of the image as a sequence, and a linear layer at its end."""

    def __init__(self, mix: nn.Module, *, class_token: bool = False):
        super().__init__()
        self.patches, self.mix, self.last = conv(1, 16, 7, stride=7, bias=True), mix, nn.Linear(16, 10)
        if class_token:
            self.cls, self.again = nn.Parameter(torch.zeros(1, 1, 16)), nn.Linear(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        if hasattr(self, "cls"):
            x = self.again(self.again(torch.cat([self.cls.expand(len(x), -1, -1), x], 1)))
        x = self.mix(x, x, x) if isinstance(self.mix, nn.MultiheadAttention) else self.mix(x)
        x = x[0] if isinstance(x, tuple) else x
        return self.last(x[:, 0] if hasattr(self, "cls") else x.mean(1))


class Gated(nn.Module):
    """Two poolings, after the second only a gate and a 1x1 convolution behind the global average."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.gate, self.last = conv(1, 8), conv(8, 8), conv(8, 8, 1), conv(8, 10, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(self.second(F.max_pool2d(self.first(x), 2)), 2)
        x = x * torch.sigmoid(self.gate(F.adaptive_avg_pool2d(x, 1)))
        return self.last(F.adaptive_avg_pool2d(x, 1)).flatten(1)


def batch_norm_in_a_branch(s: Net, x: Tensor) -> Tensor:
    x = s.first(x)
    return mean(x + s.drop(s.norm(s.conv(x))))


def one_position(s: Net, x: Tensor) -> Tensor:
    """As in a ResNet of 28 pixels, where a padded convolution sees all of a map of 1x1."""
    x = s.first(x)
    return s.last((x + s.second(x)).flatten(1))


Output = namedtuple("Output", "hidden logits")


def frozen() -> dict:
    return {"first": conv(1, 4, padding=1).requires_grad_(False)}


def tied() -> dict:
    layer = conv(4, 4, padding=1)
    return {"second": nn.Sequential(layer, nn.ReLU(), layer, nn.ReLU(), conv(4, 4))}


def normed(norm: nn.Module, **network) -> Network:
    return change(lambda: {"norm": norm}, fails={NORM}, **network)


def activated(*activations: nn.Module) -> Network:
    return change(lambda: dict(zip(["relu1", "relu2", "relu3"], activations)))


def compiled() -> nn.Module:
    network = nn.Sequential(body(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return torch.compile(network, backend="eager")  # the usual one takes a C++ compiler and 20 s


NETWORKS = {
    # How the maps become logits.
    "adaptive pooling": change(dict, says={HEAD: "average of the whole 6x6 map"}),
    "mean": head(mean, says={HEAD: "average of the whole 6x6 map"}),
    "mean, kept, flattened": head(lambda x: x.mean((2, 3), keepdim=True).flatten(1)),
    "mean by dimensions from the end": head(lambda x: x.mean([-1, -2])),
    "mean of means": head(lambda x: x.mean(-1).mean(-1), says={HEAD: "average of the whole 6x6 map"}),
    "mean of a flattened map": head(lambda x: x.view(x.size(0), 10, -1).mean(2)),
    "sum over area": head(lambda x: x.sum((2, 3)) / 36),
    "average pooling as large as the map": head(lambda x: F.avg_pool2d(x, x.shape[2:]).squeeze(3).squeeze(2)),
    "average pooling smaller than the map": head(
        lambda x: F.avg_pool2d(x, 5).view(-1, 10), fields=[*FIELDS, 34], fails={HEAD}, says={HEAD: "5x5 of 6x6 pixels"}
    ),
    "linear": head(lambda x, fc: fc(x.flatten(1)), nn.Linear(360, 10), says={HEAD: "1 fully connected"}, sizes=(28,)),
    "two linear layers": head(
        lambda x, a, b: b(F.relu(a(torch.flatten(x, 1)))),
        nn.Linear(360, 5),
        nn.Linear(5, 10),
        says={HEAD: "2 fully"},
        sizes=(28,),
    ),
    "linear over maps of two sizes": head(
        lambda x, last, fc: fc(torch.cat([x.flatten(1), last(x).flatten(1)], 1)),
        *(conv(10, 2), nn.Linear(392, 10)),
        fields=[*FIELDS, 26],
        says={HEAD: "1 fully connected"},
        sizes=(28,),
    ),
    "convolution over the whole map": head(
        lambda x, last: last(x)[:, :, 0, 0],
        conv(10, 10, 6),
        says={HEAD: "6x6 convolution over the whole map"},
        sizes=(28,),
    ),
    "global maximum": head(
        lambda x: F.max_pool2d(x, 6).flatten(1), fails={HEAD}, says={HEAD: "maximum", TWICE: "twice"}, sizes=(28,)
    ),
    "global maximum as a function": head(lambda x: x.amax((2, 3)), fails={HEAD}, says={HEAD: "maximum"}),
    "adaptive maximum, then linear": head(
        lambda x, fc: fc(F.adaptive_max_pool2d(x, 1).flatten(1)), nn.Linear(10, 10), says={TWICE: "twice"}
    ),
    "maps, features and logits": head(lambda x: (x, x.flatten(1), mean(x))),
    "mean, then linear": head(lambda x, fc: fc(mean(x)), nn.Linear(10, 10), says={HEAD: "1 fully connected"}),
    "log-softmax": head(lambda x: F.log_softmax(mean(x), dim=1), notes={"log_softmax on the logits"}),
    "softmax": head(lambda x: mean(x).softmax(dim=-1), notes={"softmax on the logits"}),
    "ReLU on the logits": head(lambda x, relu: relu(mean(x)), nn.ReLU(), notes={"relu on the logits"}),
    "sigmoid on the logits": head(lambda x: mean(x).sigmoid(), notes={"sigmoid on the logits"}),
    "dropout on the logits": head(lambda x, drop: drop(mean(x)), nn.Dropout(0.2), notes={"dropout on the logits"}),
    # What is there too often, too late or not at all.
    "dropout stuck": change(
        lambda: {"dropout": Net(lambda s, x: F.dropout(x, 0.1))}, notes={STUCK}, says={STUCK: "training=self.training"}
    ),
    "no dropout": change(lambda: {"dropout": None}, fails={DROPOUT}),
    "dropout of rate 0": change(lambda: {"dropout": nn.Dropout(0)}, fails={DROPOUT}),
    "no batch norm": change(lambda: {"norm": None}, fails={NORM}),
    "bias before pooling and batch norm": change(
        lambda: {
            "first": nn.Conv2d(1, 4, 3, padding=1),
            "norm": nn.Sequential(nn.MaxPool2d(2), nn.BatchNorm2d(4)),
            "pool1": None,
        },
        notes={BIAS},
        says={BIAS: "0.0: the norm takes it away, bias=False saves 4"},
    ),
    "bias before batch norm": change(
        lambda: {"first": nn.Conv2d(1, 4, 3, padding=1)}, notes={BIAS}, says={BIAS: "saves 4"}
    ),
    "padded 1x1": change(
        lambda: {"point": conv(8, 10, 1, padding=1)}, notes={BORDER}, says={PADDED: "2 of 3", HEAD: "whole 8x8 map"}
    ),
    "padded 1x1 alone": change(
        lambda: {"first": conv(1, 4), "third": conv(4, 8), "point": conv(8, 10, 1, padding=1)},
        fails={PADDED},
        notes={BORDER},
    ),
    "all padded": change(lambda: {"second": conv(4, 4, padding=1)}, fails={UNPADDED}),
    "no 1x1": change(lambda: {"point": conv(8, 10)}, fields=[3, 4, 8, 10, 18, 26], fails={POINT}),
    "strides for pooling": change(
        lambda: {"pool1": None, "pool2": None, "second": conv(4, 4, 3, 2), "third": conv(4, 8, 3, 2, 1)},
        fields=[3, 5, 9, 9],
        fails={TWICE},
        says={NEAR: "there is none"},
    ),
    "one pooling": change(lambda: {"pool2": None}, fields=[3, 4, 8, 12, 12], fails={TWICE}),
    "three poolings": change(lambda: {"relu2": nn.MaxPool2d(2)}, fields=[3, 4, 8, 10, 14, 30, 30], fails={TWICE}),
    "pooling near the output": change(
        lambda: {"point": nn.Sequential(nn.MaxPool2d(2), conv(8, 10, 1)), "pool2": None},
        fields=[3, 4, 8, 12, 14, 14],
        fails={NEAR},
        says={NEAR: "1 convolution after the last one"},
    ),
    "average pooling inside": change(lambda: {"pool2": nn.AvgPool2d(2)}, fails={TWICE}),
    # How layers are declared, reused and left over.
    "declared backwards": Network(
        Reversed, parameters="556; without 8,804 that are never used: delete left_over, old_head"
    ),
    "functions only": Network(Functions),
    "tied": change(
        tied,
        fields=[3, 4, 8, 12, 16, 18, 26, 26],
        says={PADDED: "4 of 5"},
        parameters="700; torchsummary shows 844, for it counts 0.4.0 each time",
    ),
    "frozen": change(frozen, parameters="556, 36 of them frozen"),
    "compiled": Network(compiled),
    "in place": change(lambda: {"relu2": InPlace()}),
    "new tensors": change(
        lambda: {"relu2": Net(lambda s, x: torch.maximum(x, x.new_zeros(x.shape)) * x.new_ones(x.shape[1:]))}
    ),
    "weight norm": change(lambda: {"second": nn.utils.parametrizations.weight_norm(conv(4, 4))}),
    "spectral norm": change(lambda: {"second": nn.utils.parametrizations.spectral_norm(conv(4, 4))}),
    "unused branch": Network(
        lambda: Net(lambda s, x: (mean(s.body(x)), s.aside(x))[0], body=body(), aside=conv(1, 9)),
        parameters="556; without 81 that are never used: delete aside",
    ),
    # Geometry.
    "same": change(lambda: {"first": conv(1, 4, padding="same"), "third": conv(4, 8, padding="same")}),
    "reflected": change(lambda: {"first": conv(1, 4, padding=1, padding_mode="reflect")}, says={PADDED: "2 of 3"}),
    "circular": change(lambda: {"first": conv(1, 4, padding=1, padding_mode="circular")}, says={PADDED: "2 of 3"}),
    "padding as a layer": change(
        lambda: {"first": nn.Sequential(nn.ZeroPad2d(1), conv(1, 4)), "third": conv(4, 8)}, says={PADDED: "1 of 3"}
    ),
    "padding as a function": change(
        lambda: {"first": Net(lambda s, x: s.conv(F.pad(x, (1, 1, 1, 1))), conv=conv(1, 4))}, says={PADDED: "2 of 3"}
    ),
    "dilated": change(lambda: {"second": conv(4, 4, dilation=2)}, fields=[3, 4, 12, 14, 22, 22]),
    "strided": change(lambda: {"first": conv(1, 4, 3, 2, 1)}, fields=[3, 5, 13, 17, 33, 33]),
    "overlapping poolings": change(
        lambda: {"pool1": nn.MaxPool2d(3, 2, 1), "pool2": nn.MaxPool2d(3, 2, ceil_mode=True)},
        fields=[3, 5, 9, 13, 21, 21],
    ),
    "depthwise": change(
        lambda: {"second": nn.Sequential(conv(4, 4, groups=4), conv(4, 4, 1))}, fields=[3, 4, 8, 8, 10, 18, 18]
    ),
    "residual": change(
        lambda: {"relu2": Residual(nn.Sequential(conv(4, 4, padding=1), nn.ReLU(), conv(4, 4, padding=1)))},
        fields=[3, 4, 8, 12, 16, 18, 26, 26],
    ),
    "inception": change(
        lambda: {"relu2": Inception(), "third": conv(8, 8, padding=1)}, fields=[3, 4, 8, 8, 16, 18, 26, 26]
    ),
    "stacked": change(
        lambda: {
            "relu2": Net(
                lambda s, x: torch.stack([s.a(x), s.b(x)], -3).sum(-3), a=conv(4, 4, 1), b=conv(4, 4, padding=1)
            )
        },
        fields=[3, 4, 8, 8, 12, 14, 22, 22],
    ),
    "slices as channels": change(
        lambda: {"pool1": Slices(), "second": conv(16, 4)}, fields=[3, 8, 10, 18, 18], fails={TWICE}
    ),
    "pixels as channels": change(
        lambda: {"pool1": nn.PixelUnshuffle(2), "second": conv(16, 4)}, fields=[3, 8, 10, 18, 18], fails={TWICE}
    ),
    "mirrored": change(
        lambda: {"relu2": Mirrored()},
        fields=[3, 4, 8, 12, 12, 14, 22, 22],
        says={PADDED: "4 of 5"},
        parameters="700; torchsummary shows 844, for it counts 0.5.conv each time",
    ),
    "padded on one side": change(
        lambda: {"relu2": Net(lambda s, x: x + F.pad(x[..., 1:, 1:], (0, 1, 0, 1)))}, fields=[3, 4, 8, 12, 20, 20]
    ),
    "shifted by flips": change(lambda: {"relu2": Net(lambda s, x: shifted_by_flips(x))}, fields=[3, 4, 8, 12, 20, 20]),
    "both ends added": change(
        lambda: {"relu2": Net(lambda s, x: ends_added(x)), "pool2": nn.MaxPool2d(2, 2, 1)},
        fields=[3, 4, 8, 14, 22, 22],
    ),
    "squeeze and excite": change(lambda: {"relu2": Excite(4)}, says={HEAD: "the average of the whole 6x6 map"}),
    "squeeze and excite, then a maximum": Network(
        lambda: Net(lambda s, x: s.body(x).amax((2, 3)), body=body(relu2=Excite(4))), fails={HEAD}
    ),
    "channel shuffle": change(lambda: {"relu2": Shuffle()}),
    "linear for each pixel": change(lambda: {"point": ChannelsLast(8, 10)}, fields=FIELDS[:-1], fails={POINT, NEAR}),
    # Norms and activations.
    "ghost batch norm": change(lambda: {"norm": Ghost()}, says={NORM: "once"}),
    "group norm": normed(nn.GroupNorm(2, 4)),
    "instance norm": normed(nn.InstanceNorm2d(4, affine=True)),
    "layer norm": normed(nn.LayerNorm([4, 28, 28]), sizes=(28,)),
    "local response norm": normed(nn.LocalResponseNorm(2)),
    "activations": activated(nn.PReLU(), nn.Hardswish(), nn.Mish()),
    "more activations": activated(nn.GELU(), nn.SELU(), nn.LeakyReLU()),
    "still more activations": activated(nn.RReLU(), nn.Softplus(), nn.Hardtanh()),
    "dropout of maps": change(lambda: {"dropout": nn.Dropout2d(0.1)}, says={DROPOUT: "[0.1]"}),
    # What cannot be followed is said.
    "not square": change(
        lambda: {"second": conv(4, 4, (3, 1))},
        not_followed=r"0\.4: its kernel 3x1 is not square",
        says={POINT: "1 of 4"},
    ),
    "strides of one side": change(
        lambda: {"second": conv(4, 4, padding=1, stride=(2, 1))},
        fails={UNPADDED},
        not_followed=r"0\.4: its stride 2x1 is not square",
    ),
    "dilated along one side": change(  # its maps are square, what they see is not
        lambda: {"second": conv(4, 4, padding=(1, 0), dilation=(2, 1))},
        fails={UNPADDED},
        not_followed=r"0\.4: its padding 1x0 is not square",
    ),
    "side by side": change(
        lambda: {"relu2": Net(lambda s, x: torch.cat([x, x], 3))}, not_followed="of different shape"
    ),
    "stacked in front": change(
        lambda: {"relu2": Net(lambda s, x: torch.stack([x, x]).sum(0))}, not_followed="in front of the images"
    ),
    "mean of a batch": change(
        lambda: {"relu2": Net(lambda s, x: x - x.mean(0, keepdim=True))}, not_followed="images of a batch are mixed"
    ),
    "transposed": change(lambda: {"relu2": nn.ConvTranspose2d(4, 4, 3)}, not_followed="transposed convolution"),
    "upsampled": change(lambda: {"relu2": nn.Upsample(scale_factor=2)}, not_followed="upsample_nearest2d"),
    "attention": change(lambda: {"relu3": Attention()}, not_followed="0.9"),
    "mirror image added": change(
        lambda: {"relu2": Net(lambda s, x: x + x.flip(2))}, not_followed="branches of different scale"
    ),
    "shifted": change(lambda: {"relu2": Shift()}, not_followed="along the side of the map"),
    "written in parts": change(lambda: {"relu2": Parts()}, not_followed="in place"),
    "flattened, put together and taken apart": change(
        lambda: {"relu3": Net(lambda s, x: torch.cat([x.flatten(1), x.flatten(1)], 1).view(-1, 16, 6, 6)[:, :8])},
        not_followed="taken apart",
        sizes=(28,),
    ),
    "mean added": change(lambda: {"relu2": WholeAdded()}, not_followed="sees the whole map is added"),
    # Small ones: how values are dropped, biased, gated and put together.
    "dropout in place": small(
        lambda: chain(conv(1, 10), nn.Dropout(0.1, True), nn.AdaptiveAvgPool2d(1)),
        [3],
        *(UNPADDED, DROPOUT, NEAR, HEAD),
        says={HEAD: "the average of the whole 26x26 map"},
    ),
    "dropout in place in a branch": small(
        lambda: Net(
            batch_norm_in_a_branch,
            **{"first": conv(1, 10), "conv": conv(10, 10, padding=1), "norm": nn.BatchNorm2d(10)},
            drop=nn.Dropout(0.1, inplace=True),
        ),
        [3, 5],
        *(PADDED, UNPADDED, NORM, DROPOUT, NEAR, HEAD),
        says={NORM: "once", DROPOUT: "[0.1]"},
    ),
    "batch norm of the batch alone": change(
        lambda: {"norm": nn.BatchNorm2d(4, track_running_stats=False)}, notes={BATCH}
    ),
    "logits in a dictionary": head(
        lambda x, fc: {"hidden": x.mean((2, 3)), "logits": fc(x.flatten(1))},
        nn.Linear(360, 10),
        says={HEAD: "1 fully"},
        sizes=(28,),
    ),
    "noise that stays on": change(
        lambda: {"dropout": Net(lambda s, x: F.dropout2d(x, 0.1, s.training) + torch.randn_like(x))}, notes={STUCK}
    ),
    "a layer that enlarges": change(
        lambda: {"second": nn.ConvTranspose2d(4, 4, 3, padding=1)},
        fails={UNPADDED},
        says={PADDED: "2 of 2"},
        not_followed="a transposed convolution enlarges its maps",
    ),
    "a bias that another layer reads": Network(
        lambda: Net(
            lambda s, x: mean((lambda y: y + s.last(F.relu(s.norm(y))))(s.first(x))),
            first=nn.Conv2d(1, 10, 3),
            norm=nn.BatchNorm2d(10),
            last=conv(10, 10, padding=1),
        ),
        [3, 5],
        LINES - {PADDED, UNPADDED, NORM, NEAR, HEAD},
    ),
    "a part of a layer": head(
        lambda x, fc: F.linear(mean(x), fc.weight),
        nn.Linear(10, 10),
        parameters="; without 10 that are never used: delete more.0.bias",
    ),
    "a bias that is used twice": small(
        Twice,
        [3, 5, 7],
        *(PADDED, NORM, NEAR, HEAD),
        notes={BIAS},
        says={BIAS: "again: the norm takes it away, bias=False saves 10", NORM: "twice"},
        parameters="1,041; torchsummary shows 1,950, for it counts again each time that it is called "
        "and leaves out scale",
    ),
    "a pooling before a gate and the head": small(
        Gated,
        [3, 4, 8, 10],
        *(UNPADDED, POINT, TWICE, HEAD),
        says={NEAR: "0 convolutions after the last one", HEAD: "the average of the whole 5x5 map"},
        sizes=(28,),
    ),
    "a padded layer that sees the whole map gives no border to the next one": small(
        lambda: chain(conv(1, 4, 14, stride=14), conv(4, 8, 3, stride=2, padding=1), conv(8, 10, 1)),
        [14],
        *(PADDED, UNPADDED, POINT, NEAR, HEAD),
        says={HEAD: "a 3x3 convolution over the whole map"},
    ),
    "maps of one position added": small(
        lambda: Net(
            one_position, first=conv(1, 10, 5, stride=28), second=conv(10, 10, padding=1), last=nn.Linear(10, 10)
        ),
        [5],
        *(PADDED, UNPADDED, NEAR, HEAD),
        says={HEAD: "1 fully connected"},
    ),
    "a depthwise convolution over the whole map": small(
        lambda: chain(conv(1, 10, stride=14), conv(10, 10, stride=2, padding=1, groups=10)),
        [3],
        *(PADDED, UNPADDED, NEAR),
        says={HEAD: "neither"},
        sizes=(28,),
    ),
    "a depthwise convolution over the whole map, then a 1x1": small(
        lambda: chain(conv(1, 8, stride=14), conv(8, 8, 2, groups=8), conv(8, 10, 1)),
        [3],
        *(UNPADDED, POINT, NEAR, HEAD),
        says={HEAD: "1 fully connected"},
        sizes=(28,),
    ),
    "a pooling of 3x3 with stride 2 over the whole map": small(
        lambda: chain(conv(1, 8, stride=9), nn.MaxPool2d(3, 2), conv(8, 10, 1)),
        [3],
        *(UNPADDED, POINT, HEAD),
        says={TWICE: "once", HEAD: "the maximum of the whole 3x3 map, not its average; 1 fully connected"},
        sizes=(28,),
    ),
    "an average of 28x24": small(
        lambda: chain(conv(1, 10, (1, 5)), nn.AdaptiveAvgPool2d(1)),
        [],
        *(UNPADDED, NEAR, HEAD),
        says={HEAD: "the average of the whole 28x24 map"},
        not_followed="0: its kernel 1x5 is not square",
    ),
    # Sequences.
    "attention and its dropout": small(
        lambda: Sequence(nn.MultiheadAttention(16, 2, dropout=0.25, batch_first=True)),
        [],
        *(UNPADDED, DROPOUT, NEAR, HEAD),
        says={DROPOUT: "rates [0.25]", HEAD: "bmm is not followed; 1 fully connected"},
        not_followed="layer mix: .*is not followed",
    ),
    "a transformer, then linear": small(
        lambda: Sequence(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)),
        [],
        *(UNPADDED, DROPOUT, NEAR, HEAD),
        says={DROPOUT: "rates [0.1, 0.1, 0.1, 0.1]", HEAD: "1 fully connected"},
        not_followed="layer mix.self_attn: .*is not followed",
    ),
    "an LSTM, then linear": small(
        lambda: Sequence(nn.LSTM(16, 16, batch_first=True)),
        [],
        *(UNPADDED, NEAR, HEAD),
        says={HEAD: "1 fully connected"},
        not_followed="layer mix: ",
    ),
    "a class token": small(
        lambda: Sequence(nn.MultiheadAttention(16, 2, batch_first=True), class_token=True),
        [],
        *(UNPADDED, NEAR, HEAD),
        says={HEAD: "1 fully connected"},
        not_followed="taken apart",
        parameters="2,346; torchsummary shows 1,514, for it counts again each time that it is called and leaves out "
        "cls, mix.in_proj_weight, mix.in_proj_bias, mix.out_proj.weight, mix.out_proj.bias",
    ),
    # Several outputs.
    "outputs by name": head(
        lambda x, fc: SimpleNamespace(hidden=mean(x), logits=fc(mean(x))), nn.Linear(10, 10), says={HEAD: "1 fully"}
    ),
    "a tuple with names": head(
        lambda x, fc: Output(mean(x), fc(mean(x))), nn.Linear(10, 10), says={HEAD: "1 fully connected"}
    ),
    "logits, then their ReLU": head(lambda x: (mean(x), F.relu(mean(x)))),
    # Larger images.
    "LeNet-5 with images of 32 pixels": small(
        lambda: nn.Sequential(
            *(conv(1, 6, 5, bias=True), nn.Tanh(), nn.AvgPool2d(2), conv(6, 16, 5, bias=True), nn.Tanh()),
            *(nn.AvgPool2d(2), conv(16, 120, 5, bias=True), nn.Tanh(), nn.Flatten()),
            *(nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10)),
        ),
        [5, 6, 14, 16],
        *(UNPADDED, NEAR, HEAD),
        says={HEAD: "a 5x5 convolution over the whole map: a fully connected layer in disguise; 2 fully connected"},
        parameters="61,706",
        sizes=(32,),
    ),
}
