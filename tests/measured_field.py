"""The oracle of the receptive-field tests: fields measured by gradients and by a NaN that spreads from the image.

Nothing of the code under test is used.
"""

from copy import deepcopy

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

LAYERS = ("conv2d", "max_pool2d", "avg_pool2d")
# What moves no pixel: norms, activations, dropout. Their statistics and gates would make every pixel matter.
STAND_STILL = "batch_norm instance_norm layer_norm group_norm local_response_norm dropout dropout2d alpha_dropout relu "
STAND_STILL += "relu_ relu6 silu gelu elu celu selu leaky_relu prelu rrelu hardswish hardtanh mish softplus tanh "
STAND_STILL += "sigmoid softsign log_softmax softmax"


class Linear(TorchFunctionMode):
    """Makes a network a sum of pixels with positive weights, and keeps what its convolutions and poolings return."""

    def __init__(self):
        super().__init__()
        self.maps: list[Tensor] = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        name, kwargs = getattr(func, "__name__", ""), kwargs or {}
        if name in STAND_STILL.split():
            return args[0]
        if name in ("mul", "__mul__", "__imul__", "mul_") and isinstance(args[1], Tensor):
            # A factor of one value for a map is a gate.
            if args[0].shape != args[1].shape:
                return max(args, key=lambda x: x.numel())
            return args[0] + args[1]
        if name == "max_pool2d":
            names = ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode")
            arguments = dict(zip(names, args)) | kwargs
            if arguments.get("dilation", 1) == 1:
                arguments = {key: value for key, value in arguments.items() if key in (*names[:4], "ceil_mode")}
                output = F.avg_pool2d(**arguments)
            else:
                output = func(*args, **kwargs)
        else:
            output = func(*args, **kwargs)
        if name in LAYERS:
            self.maps.append(output)
        return output


def measured_fields(model: nn.Module, size: int = 150) -> list[int]:
    """Returns the side of the part of the image that moves the middle of each convolution's and pooling's map.

    The image is larger than any field, so a fixed head fails on it; what came before the head is measured.
    """
    model = deepcopy(model).double().eval()
    with torch.no_grad():
        for p in model.parameters():
            p.fill_(0.5)
    image = torch.ones(1, 1, size, size, dtype=torch.float64, requires_grad=True)
    with Linear() as linear:
        try:
            model(image)
        except RuntimeError:
            assert linear.maps
    fields = []
    for maps in linear.maps:
        middle = maps[..., maps.shape[-2] // 2, maps.shape[-1] // 2].sum()
        (gradient,) = torch.autograd.grad(middle, image, retain_graph=True)
        touched = gradient[0, 0].nonzero()
        height, width = (touched.amax(dim=0) - touched.amin(dim=0) + 1).tolist()
        assert height == width
        fields.append(height)
    return fields


@torch.inference_mode()
def reached_rows(model: nn.Module, size: int) -> list[Tensor]:
    """Returns for each convolution's and pooling's map whether a row of the image reaches a row of it.

    Each image has a NaN in another row, so a map gives a table: of rows of the image, and of its own.
    """
    images = torch.ones(size, 1, size, size)
    images[range(size), :, range(size)] = float("nan")
    with Linear() as linear:
        deepcopy(model).eval()(images)
    return [maps.isnan().any(3).any(1) for maps in linear.maps]
