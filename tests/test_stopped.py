"""Signals at any moment of the commands that write files: what is there is whole, and the next call puts all right.

test_killed.py does the same for training.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import io
import os
import random
import signal
import tarfile
import threading
import time

import numpy as np
import pytest
from children import Nursery
from converting import a_checkpoint
from photographs import folder as photographs

from minialex import data
from minialex.data import cifar10, packed
from minialex.runs import checkpoint

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(not hasattr(os, "fork") or not hasattr(signal, "SIGKILL"), reason="this system does not fork"),
]

SIGNALS = {
    "SIGINT": [signal.SIGINT],
    "SIGTERM": [signal.SIGTERM],
    "SIGKILL": [signal.SIGKILL],
    "Ctrl-C twice": [signal.SIGINT, signal.SIGINT],
}
IMPORTED = """
from minialex import data, evaluate, plotting
from minialex.convert import __main__
from minialex.data import pack
"""
MOMENTS = 3  # at which each of them is sent, for each command
# Writing takes no time on an idle machine: pauses where half a file is there.
SLOW = """
import os, time
def slowly(do):
    def done(*arguments, **options):
        time.sleep(0.005)
        return do(*arguments, **options)
    return done
os.fsync, os.replace = slowly(os.fsync), slowly(os.replace)
"""


@pytest.fixture(scope="module")
def nursery(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stopped")
    with Nursery(folder, IMPORTED, XDG_CACHE_HOME=str(tmp_path_factory.mktemp("cache"))) as nursery:
        yield nursery


def hidden(folder):
    return [path.name for path in folder.rglob(".*")] if folder.exists() else []


class Pack:
    """data.pack: the folder is complete, or is none for data.load; the same command completes it."""

    code = "from minialex.data.pack import main"

    def __init__(self, place):
        self.source = photographs(photographs(place / "in", {"a": 9, "b": 14}), {"a": 3}, "val")

    def arguments(self, out):
        return [self.source, out, "--size", 16, "--shard", 5]

    def result(self, out):
        assert not hidden(out)
        return [split.fetch(range(len(split)))[0].tobytes() for split in data.load("folder", data_dir=out)[::2]]

    def prepare(self, out):
        pass

    def check_stopped(self, out, expected):
        if not (out / packed.INDEX).exists():
            with pytest.raises(FileNotFoundError):
                data.load("folder", data_dir=out)

    def is_done(self, out, done):
        """Whether the second call could refuse, since the first one had all done."""
        return done.code == 2 and "holds packed pictures already" in done.err


class Convert:
    """convert: the output is what was there before, or the whole new file."""

    code = "from minialex.convert.__main__ import main"

    def __init__(self, place):
        self.source = place / "net.npz"
        checkpoint.save(self.source, a_checkpoint())

    def arguments(self, out):
        return [self.source, out / "new.npz"]

    def prepare(self, out):
        out.mkdir()
        (out / "new.npz").write_bytes(b"old")

    def result(self, out):
        assert [path.name for path in out.iterdir()] == ["new.npz"]
        return (out / "new.npz").read_bytes()

    def check_stopped(self, out, expected):
        assert (out / "new.npz").read_bytes() in (b"old", expected)


class Evaluate:
    """evaluate --out: each table is what was there before, or the new one."""

    code = """
from minialex import plotting
from minialex.evaluate import main
from minialex.support import files
plotting.confusion = plotting.mistakes = lambda *arguments, **options: files.write_text(arguments[-1], "a figure")
"""

    def __init__(self, place):
        self.source = place / "net.npz"
        saved = a_checkpoint(num_classes=10)
        saved.classes = data.load("shapes", train_count=10).train.classes
        checkpoint.save(self.source, saved)

    def arguments(self, out):
        options = ["--dataset", "shapes", "--limit", 20, "--backend", "numpy", "--batch-size", 5]
        return [self.source, *options, "--out", out]

    def prepare(self, out):
        out.mkdir()
        (out / "classes.csv").write_text("old")

    def result(self, out):
        names = ["classes.csv", "confusion.png", "mistakes.png", "summary.json"]
        assert sorted(path.name for path in out.iterdir()) == names
        return {path.name: path.read_text() for path in out.iterdir()}

    def check_stopped(self, out, expected):
        for path in out.glob("[!.]*"):
            assert path.read_text() in (["old", expected[path.name]])


class Dripping(http.server.BaseHTTPRequestHandler):
    """Sends what is asked for, a little at a time."""

    def do_GET(self):
        start = int((self.headers["Range"] or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        rest = self.server.body[start:]
        self.send_response((206 if start else 200) if rest else 416)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        with contextlib.suppress(OSError):  # the other side was killed
            for place in range(0, len(rest), 8192):
                self.wfile.write(rest[place : place + 8192])
                time.sleep(0.005)

    def log_message(self, *arguments):
        pass


class Download:
    """The download of CIFAR-10: its folder is complete or not there, and what has arrived is not sent again."""

    def __init__(self, place):
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w:gz") as tar:
            for f, name in enumerate((*cifar10.TRAINING_FILES, cifar10.TEST_FILE, cifar10.NAMES_FILE)):
                pixels = np.random.default_rng(f).integers(0, 10, (3, cifar10.RECORD_BYTES), np.uint8)
                names = "\n".join(f"class{chr(97 + i)}" for i in range(10)).encode()
                written = names if name == cifar10.NAMES_FILE else pixels.tobytes()
                member = tarfile.TarInfo(f"{cifar10.FOLDER}/{name}")
                member.size = len(written)
                tar.addfile(member, io.BytesIO(written))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Dripping)
        self.server.body = content.getvalue()
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        url, md5 = f"http://127.0.0.1:{self.server.server_port}/files.tar.gz", hashlib.md5(content.getvalue())
        self.code = f"""
from minialex import cli, data
from minialex.data import cifar10
cifar10.URL, cifar10.MD5, cifar10.RECORDS = {url!r}, {md5.hexdigest()!r}, 3
def main(argv):
    with cli.as_user_error():
        data.load("cifar10", data_dir=argv[0], download=True, validation=3)
"""

    def arguments(self, out):
        return [out]

    def prepare(self, out):
        pass

    def result(self, out):
        assert sorted(path.name for path in out.iterdir()) == [cifar10.FOLDER, "files.tar.gz"]
        return {path.name: path.read_bytes() for path in (out / cifar10.FOLDER).iterdir()}

    def check_stopped(self, out, expected):
        if (out / cifar10.FOLDER).exists():
            assert {path.name: path.read_bytes() for path in (out / cifar10.FOLDER).iterdir()} == expected


@pytest.fixture(scope="module", params=[Pack, Convert, Evaluate, Download], ids=lambda kind: kind.__name__)
def command(request, tmp_path_factory):
    return request.param(tmp_path_factory.mktemp(request.param.__name__))


@pytest.fixture(scope="module")
def whole(command, nursery):
    """(What an undisturbed call makes, the seconds that it takes.)"""
    out = nursery.folder / f"{type(command).__name__}-whole"
    command.prepare(out)
    start = time.monotonic()
    done = nursery.run(SLOW + command.code, command.arguments(out))
    assert done.code == 0, done.err
    return command.result(out), time.monotonic() - start


@pytest.mark.parametrize("sent", SIGNALS)
def test_stopped_at_any_moment(nursery, command, whole, sent):
    (expected, seconds), dice, codes = whole, random.Random(f"{type(command).__name__} {sent}"), []
    allowed = {0, *(-number for number in SIGNALS[sent])} | ({130} if signal.SIGINT in SIGNALS[sent] else set())
    for moment in range(MOMENTS):
        out = nursery.folder / f"{type(command).__name__}-{sent}-{moment}"
        command.prepare(out)
        child = nursery.start(SLOW + command.code, command.arguments(out))
        time.sleep(seconds * (moment + dice.random()) / MOMENTS)
        for number in SIGNALS[sent]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, number)
            time.sleep(dice.random() * 0.01)
        done = child.end()
        codes.append(done.code)
        assert done.code in allowed, done
        assert "Traceback" not in done.err and "Exception" not in done.err, done
        command.check_stopped(out, expected)
        again = nursery.run(command.code, command.arguments(out))
        assert again.code == 0 or (isinstance(command, Pack) and command.is_done(out, again)), (done, again)
        assert command.result(out) == expected, (done, again)
    assert sum(code != 0 for code in codes) >= 1, f"tested little: {codes}"
