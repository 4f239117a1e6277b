"""A GPU simulated on the CPU: it refuses what a real one refuses, notes where the host waits, and computes alike.

Its tensors report the device "meta". Torch's own tensors on that device have no values; these have.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any, ClassVar
from weakref import WeakValueDictionary

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

CPU, GPU = torch.device("cpu"), torch.device("meta")

aten, Tag = torch.ops.aten, torch.Tag
COPIES = aten._to_copy.default, aten.copy_.default
INDEXING = aten.index.Tensor, aten.index_put.default, aten.index_put_.default


class GPUTensor(Tensor):
    """A tensor on the simulated GPU; `values` is the one on the CPU that stands behind it."""

    is_meta = False  # or torch warns that a copy to it does nothing
    __torch_function__ = torch._C._disabled_torch_function_impl
    __torch_dispatch__ = classmethod(lambda *_: NotImplemented)  # only `SimulatedGPU` computes

    @staticmethod
    def __new__(cls, values: Tensor) -> "GPUTensor":
        if values.dtype == torch.float64:
            raise TypeError("Apple's GPUs have no float64")
        layout = {"strides": values.stride(), "storage_offset": values.storage_offset()}
        self = Tensor._make_wrapper_subclass(cls, values.size(), dtype=values.dtype, device=GPU, **layout)
        self.values = values
        return self

    def tolist(self) -> list:
        return self.cpu().tolist()

    def __reduce_ex__(self, protocol: int) -> tuple:
        """Returns what torch.save writes."""
        self.values.untyped_storage().is_on_gpu = True
        return self.values.__reduce_ex__(protocol)


class Generator(torch.Generator):
    """Torch's, on either device; the state on the GPU is one byte longer, so that neither takes the other's."""

    on_gpu: ClassVar = WeakValueDictionary()  # by address: operators get another object for the same generator

    def __new__(cls, device: torch.device | str = CPU) -> "Generator":
        self = super().__new__(cls)
        self.is_on_gpu = torch.device(device) == GPU
        if self.is_on_gpu:
            cls.on_gpu[self._cdata] = self
        return self

    def get_state(self) -> Tensor:
        return F.pad(super().get_state(), (0, int(self.is_on_gpu)))

    def set_state(self, state: Tensor) -> "Generator":
        return super().set_state(state[: len(state) - self.is_on_gpu])

    @contextmanager
    def as_default(self) -> Iterator[None]:
        """Draws that name no generator come from this one."""
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(super().get_state())
            yield
            super().set_state(torch.get_rng_state())


class SimulatedGPU(TorchDispatchMode):
    """Stands between torch and its operators while it is entered, and runs the GPU's on the CPU.

    Attributes:
        waits: the operators so far that made the host wait, with the shapes of their tensors.
        random: the GPU's own random source, for draws that name no generator.
    """

    device = GPU

    def __init__(self):
        super().__init__()
        self.waits: list[str] = []
        self.random = Generator(GPU)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs, tensors = dict(kwargs or {}), []
        if torch.is_inference_mode_enabled():  # only then, operators that consist of others arrive whole
            with self:
                out = func.decompose(*args, **kwargs)
            if out is not NotImplemented:
                return out
        for_each(tensors.append, (args, *kwargs.values()))
        device, generator = kwargs.get("device"), kwargs.get("generator")
        reads_gpu = any(is_on_gpu(x) for x in tensors)
        fills_gpu = reads_gpu if device is None else device == GPU
        refuse_two_devices(func, args, tensors)
        if generator is not None and (generator._cdata in Generator.on_gpu) != fills_gpu:
            raise RuntimeError(f"{func}: the generator is on another device")
        if not reads_gpu and not fills_gpu:
            return func(*args, **kwargs)
        if makes_the_host_wait(func, args, tensors, fills_gpu):
            self.waits.append(f"{func} {[tuple(x.shape) for x in tensors]}")

        args = for_each(values_of, args)
        kwargs = {name: CPU if name == "device" else for_each(values_of, value) for name, value in kwargs.items()}
        draws = fills_gpu and generator is None and Tag.nondeterministic_seeded in func.tags
        with self.random.as_default() if draws else nullcontext():
            out = func(*args, **kwargs)
        if not fills_gpu:
            return out
        # An operator that works in place returns what it was given.
        given = {id(values_of(x)): x for x in tensors}
        return for_each(lambda x: given[id(x)] if id(x) in given else GPUTensor(x), out)


def for_each(function: Callable[[Tensor], Any], x: Any) -> Any:
    """Returns `x`, tensors in lists and tuples, with the function's value in place of each; torch's own is slow."""
    if isinstance(x, (list, tuple)):
        return type(x)(for_each(function, y) for y in x)
    return function(x) if isinstance(x, Tensor) else x


def values_of(x: Tensor) -> Tensor:
    """Returns the tensor on the CPU that stands behind another, which may be itself."""
    return x.values if is_on_gpu(x) else x


def is_on_gpu(x: Tensor) -> bool:
    """Tells whether a tensor is on the simulated GPU."""
    return type(x) is GPUTensor


def refuse_two_devices(func: torch._ops.OpOverload, args: Sequence, tensors: Sequence[Tensor]) -> None:
    """Raises what a GPU raises if an operator is given tensors of two devices, but for the few that may be."""
    if any(x.device == GPU and not is_on_gpu(x) for x in tensors):
        raise NotImplementedError(f"{func}: a tensor without values, whose maker is not simulated")
    strangers = [x for x in tensors if not is_on_gpu(x)]
    if func in COPIES or len(strangers) in (0, len(tensors)):
        return
    if func in INDEXING and is_on_gpu(args[0]):  # what is on a GPU may be indexed from the CPU, not the reverse
        strangers = [x for x in strangers if not any(x is index for index in args[1])]
    elif Tag.pointwise in func.tags:  # the CPU's tensors without dimensions count as numbers
        strangers = [x for x in strangers if x.ndim]
    if strangers:
        raise RuntimeError(f"{func}: tensors on two devices")


def makes_the_host_wait(func: torch._ops.OpOverload, args: Sequence, tensors: Sequence[Tensor], to_gpu: bool) -> bool:
    """Tells whether an operator copies between the devices, or needs values of the GPU to go on."""
    if func in COPIES:
        return any(is_on_gpu(x) != to_gpu for x in tensors)
    if func in INDEXING:  # a mask is turned into the indices of its hits, however many they are
        return any(not is_on_gpu(x) or x.dtype in (torch.bool, torch.uint8) for x in args[1] if x is not None)
    return Tag.data_dependent_output in func.tags or Tag.dynamic_output_shape in func.tags


@pytest.fixture
def gpu(monkeypatch) -> Iterator[SimulatedGPU]:
    """Pretends a GPU during a test; what the test runs on the CPU stays there."""
    simulated, seed_cpu, num_threads = SimulatedGPU(), torch.manual_seed, torch.get_num_threads()

    def manual_seed(seed: int) -> torch.Generator:
        simulated.random.manual_seed(seed)
        return seed_cpu(seed)

    def made_there(make: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def wrapped(*args, device=None, **kwargs):
            return make(*args, **kwargs) if device is None else make(*args, **kwargs).to(device)

        return wrapped

    for name in ("tensor", "as_tensor", "asarray"):  # on "meta", they throw the values away at once
        monkeypatch.setattr(torch, name, made_there(getattr(torch, name)))
    source = SimpleNamespace(
        get_rng_state=lambda device: simulated.random.get_state(),
        set_rng_state=lambda state, device: simulated.random.set_state(state),
    )
    monkeypatch.setattr(torch, "meta", source, raising=False)  # where torch.get_device_module looks
    monkeypatch.setattr(torch, "Generator", Generator)
    monkeypatch.setattr(torch, "manual_seed", manual_seed)
    # A module moves to the GPU by new parameters, since these cannot change their type.
    monkeypatch.setattr(torch.__future__, "_overwrite_module_params_on_conversion", True)
    optimizers = sys.modules[torch.optim.Optimizer.__module__]
    monkeypatch.setattr(optimizers, "_get_fused_kernels_supported_devices", lambda: [CPU.type, GPU.type])
    # What was saved on the GPU needs `map_location` to be loaded elsewhere.
    saved = 0, lambda storage: GPU.type if getattr(storage, "is_on_gpu", False) else None, lambda *_: None
    monkeypatch.setattr(torch.serialization, "_package_registry", [saved, *torch.serialization._package_registry])
    torch.set_num_threads(1)  # the operators are many and small
    with simulated:
        yield simulated
    torch.set_num_threads(num_threads)
