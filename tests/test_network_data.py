"""Networks of many kinds in plain JavaScript: V8's logits against PyTorch's, or a sentence that names the layer."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from helpers.own_digit.network_data import network_of
from tests.test_pad import Engine

ACTIVATIONS = [nn.Sigmoid(), nn.Tanh(), nn.Mish(), nn.Hardswish(), nn.Hardsigmoid(), nn.LeakyReLU(0.3), nn.ELU(0.7)]
ACTIVATIONS += [nn.CELU(0.5), nn.SELU(), nn.ReLU6(), nn.GELU(), nn.GELU("tanh"), nn.PReLU(), nn.PReLU(4)]
ACTIVATIONS += [nn.Softplus(2), nn.Softsign(), nn.Hardtanh(-1, 2), nn.Tanhshrink(), nn.SiLU(inplace=True)]
ACTIVATIONS += [nn.InstanceNorm2d(4, affine=True), nn.GroupNorm(2, 4), nn.BatchNorm2d(4, track_running_stats=False)]


class Branches(nn.Module):
    """Two maps of an image, y and z, put together by a function of them, the image, and a parameter k."""

    def __init__(self, together):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.last = nn.LazyLinear(10)
        self.k, self.together = nn.Parameter(torch.tensor([1.5, -0.5, 2.0, 0.3]).view(4, 1, 1)), together

    def forward(self, x):
        y = self.first(x)
        return self.last(self.together(y, self.second(y), x, self.k).mean((2, 3)))


DRAWN = {
    "add": lambda y, z, x, k: y + z,
    "add in place": lambda y, z, x, k: z.add_(y),
    "add with alpha": lambda y, z, x, k: torch.add(y, z, alpha=0.3),
    "subtract": lambda y, z, x, k: y - z,
    "multiply": lambda y, z, x, k: y * z,
    "the larger": lambda y, z, x, k: torch.maximum(y, z),
    "the image": lambda y, z, x, k: y + x,
    "squeeze and excite": lambda y, z, x, k: y * torch.sigmoid(F.adaptive_avg_pool2d(z, 1)),
    "a factor for each map": lambda y, z, x, k: y * k + z,
    "a divisor for each map": lambda y, z, x, k: y / k,
    "a constant first": lambda y, z, x, k: k - y,
    "1 - x": lambda y, z, x, k: 1 - y,
    "-x": lambda y, z, x, k: -y,
    "scaled": lambda y, z, x, k: (y - 0.1307) / 0.3081 * 2 + 1,
    "concatenate": lambda y, z, x, k: torch.cat([y, x, z], dim=1),
    "pad": lambda y, z, x, k: F.pad(y, (1, 2, 0, 3)),
    "rows, then columns": lambda y, z, x, k: y.mean(3, keepdim=True) * z.mean(2, keepdim=True),
    "largest": lambda y, z, x, k: y.amax((2, 3), keepdim=True),
}


@torch.inference_mode()
def difference(model: nn.Module) -> float:
    """Returns how far V8's probabilities, on a logarithmic scale, are from PyTorch's, for two images one by one."""
    images = torch.rand(2, 28, 28, generator=torch.Generator().manual_seed(1))
    engine = Engine(network_of(model.eval(), 0.1, 0.3))
    pairs = [(model((image[None, None] - 0.1) / 0.3), engine.logits(image)[None]) for image in images]
    return max((x.log_softmax(1) - y.log_softmax(1)).abs().max().item() for x, y in pairs)


def layers(*between: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 4, 5, stride=2), *between, nn.Flatten(), nn.LazyLinear(10))


def initialized(model: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    model(torch.rand(2, 1, 28, 28))
    return model


@pytest.mark.parametrize("layer", ACTIVATIONS, ids=str)
def test_activations_and_norms_are_those_of_torch(layer):
    assert difference(initialized(layers(layer))) < 1e-5


@pytest.mark.parametrize("name", DRAWN)
def test_branches_are_those_of_torch(name):
    assert difference(initialized(Branches(DRAWN[name]))) < 1e-5


@pytest.mark.parametrize("last", [nn.Softmax(1), nn.LogSoftmax(1)], ids=str)
def test_a_softmax_at_the_end_is_left_to_the_page(last):
    network = network_of(nn.Sequential(nn.Flatten(), nn.Linear(784, 10), last), 0.1, 0.3)
    assert [layer["type"] for layer in network["layers"]] == ["flatten", "linear"]


def test_of_several_outputs_the_logits_are_drawn():
    class Outputs(nn.Module):
        def __init__(self):
            super().__init__()
            self.last = nn.Linear(784, 10)

        def forward(self, x):
            logits = self.last(x.flatten(1))
            return logits, F.relu(logits)

    assert [layer["type"] for layer in network_of(Outputs(), 0.1, 0.3)["layers"]] == ["flatten", "linear"]


REFUSED = {
    "log_sigmoid": lambda y, z, x, k: F.logsigmoid(y),
    "slice": lambda y, z, x, k: y[:, :, 1:-1],
    "glu": lambda y, z, x, k: F.glu(torch.cat([y, z], 1), dim=1),
    "softmax": lambda y, z, x, k: y.softmax(dim=1),
    "permute": lambda y, z, x, k: y.permute(0, 1, 3, 2),
    "upsample": lambda y, z, x, k: F.interpolate(y, scale_factor=2),
    "reflect": lambda y, z, x, k: F.pad(y, (1, 1, 1, 1), mode="reflect"),
    "pad with ones": lambda y, z, x, k: F.pad(y, (1, 1, 1, 1), value=1.0),
    "layer norm": lambda y, z, x, k: F.layer_norm(y, (4, 28, 28)),
    "mean over the maps": lambda y, z, x, k: y.mean(1, keepdim=True),
    "side by side": lambda y, z, x, k: torch.cat([y, z], dim=3),
    "matrix product": lambda y, z, x, k: y @ z,
    "1 / x": lambda y, z, x, k: 1 / (y.abs() + 1),
    "rounded": lambda y, z, x, k: torch.div(y, z, rounding_mode="floor"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_drawn_is_named(name):
    with pytest.raises(ValueError, match=r"^layer .*\(\w+\) is not known to the pad: it takes convolutions"):
        network_of(initialized(Branches(REFUSED[name])).eval(), 0.1, 0.3)
