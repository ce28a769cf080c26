"""What a hostile or hapless submission tries costs its own check, is told in one sentence, and changes nothing else."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from wrong_solutions import own, put

from minialex import coursework
from minialex.coursework import grade, protection, runner, targets, tree, wire

A1 = coursework.assignment("a1")
SHORT = {name: dataclasses.replace(A1.check(name), seconds=1.0) for name in ("tanh", "add")}
TANH = """
def tanh(input):
    import builtins, gc, importlib, os, sys, threading, time
    import numpy as np
{body}
    y = np.tanh(input.data.astype(np.float32) if input.data.dtype.kind == "i" else input.data)
    return Tensor.from_operation(y, lambda gy: (gy * (1 - y * y),), input)
"""


def shields():
    """{name: Shield}: every protection that this machine offers."""
    made = {"audit hooks": protection.Shield(), "audit hooks, refused calls": protection.Shield()}
    if runner.protection.is_root():
        made |= {"root folder": protection.Root(), "root folder, refused calls": protection.Root()}
    if shutil.which("bwrap") and protection._works(protection.Bubblewrap()):
        made |= {"bubblewrap": protection.Bubblewrap(), "bubblewrap, refused calls": protection.Bubblewrap()}
    for name, shield in made.items():
        shield.refuses = name.endswith("refused calls")
    return made


SHIELDS = shields()
IN_CI = ("audit hooks", "root folder, refused calls", "bubblewrap, refused calls")
EACH = [pytest.param(name, marks=[] if name in IN_CI else [pytest.mark.heavy]) for name in SHIELDS]


@dataclasses.dataclass
class Scratch:
    """A scratch folder with the right solution of A1, and the process for it."""

    folder: Path
    room: runner.Room

    def judged(self, name):
        """The Outcome of a check."""
        inputs = grade.inputs_of(SHORT[name], 5)
        return runner.run_check(self.room, A1, SHORT[name], inputs, SHORT[name].answers(inputs)[0])

    def tries(self, body):
        """The Outcome of the check "tanh" of a student whose tanh does `body` first."""
        source = own(A1)["activation.py"] + TANH.format(body="\n".join(f"    {line}" for line in body.splitlines()))
        (self.folder / "submission" / "activation.py").write_text(source)
        result = self.judged("tanh")
        assert result.message.isprintable()
        return result


@pytest.fixture(scope="module", params=EACH)
def scratch(request, tmp_path_factory):
    """A Scratch for each protection that this machine offers."""
    yield from made(SHIELDS[request.param], tmp_path_factory)


@pytest.fixture(scope="module")
def best(tmp_path_factory):
    """A Scratch with the best protection."""
    yield from made(SHIELDS[[*SHIELDS][-2]], tmp_path_factory)


def made(shield, tmp_path_factory):
    """Yield a Scratch."""
    top = tmp_path_factory.mktemp("sandbox")
    for part in (top, *top.parents):  # pytest's folders are its user's own: the child may be another one
        if part != part.parent and part.stat().st_uid == os.getuid():
            part.chmod(part.stat().st_mode | 0o011)
    folder = top / "scratch"
    folder.mkdir(mode=0o755)
    tree.scratch(A1, put(own(A1), top / "theirs", "a1"), folder, shield)
    with runner.Room(folder, False, shield) as room:
        if shield.refuses and not room.seccomp:
            pytest.skip("pyseccomp or libseccomp is not installed")
        yield Scratch(folder, room)


HARMLESS = {
    "nothing": "pass",
    "print": "print('x' * 100_000)",
    "its own folder": "open('mine', 'w').write('x'); assert open('mine').read() == 'x'; os.rename('mine', 'yours')",
    "catches what is refused": "try:\n    open('/etc/shadow')\nexcept OSError:\n    pass",
    "imports ctypes where it is": "try:\n    import ctypes\nexcept ImportError:\n    pass",
    "closes its input and output": "os.closerange(0, 3)",
    "patches what compares": "np.allclose = np.array_equal = np.abs = lambda *_, **__: np.array(0.0)",
    "the standard library": """\
import abc, argparse, array, ast, bisect, cmath, collections.abc, colorsys, copy, csv, datetime, decimal, difflib
import enum, fractions, functools, glob, hashlib, heapq, io, inspect, itertools, json, logging, math, numbers, operator
import pathlib, pickle, pprint, queue, random, re, shlex, statistics, string, struct, tempfile, textwrap, timeit, types
import typing, unittest, unittest.mock, uuid, warnings, weakref, zlib, concurrent.futures, doctest, tokenize, numpy.ma
import numpy.polynomial, numpy.fft, numpy.linalg, numpy.random, numpy.testing, numpy.lib.stride_tricks, numpy.typing
pprint.pformat([1]); tempfile.TemporaryFile().close(); numpy.testing.assert_allclose(1.0, 1.0); np.polynomial.Polynomial
assert timeit.timeit('1', number=1) >= 0""",
}

REFUSED = {  # what it tries: what it is told
    "import torch": "No module named 'torch'",
    "import scipy": "No module named 'scipy'",
    "import numba": "No module named 'numba'",
    "import minialex.backends.fast_cpu.backend": "No module named 'minialex.backends.fast_cpu'",
    "import minialex.backends.cuda.emulator": "No module named 'minialex.backends.cuda'",
    "import minialex.coursework.a1": "No module named 'minialex.coursework.a1'",
    "importlib.import_module('minialex.coursework.hidden.a1')": "No module named 'minialex.coursework.hidden'",
    "builtins.input()": "EOFError",
    "threading.Thread(target=time.sleep, args=(1e6,)).start()": "can't start new thread",
    "sys.exit('100 points')": "SystemExit: 100 points",
    "raise KeyboardInterrupt": "KeyboardInterrupt",
    "os._exit(0)": "ended with code 0 before it answered",
    "return tanh(input)": "RecursionError",
    "np.zeros(10**10)": "out of memory",
    "hoard = [bytearray(2**24) for _ in range(1000)]": "out of memory",
    "open('large', 'wb').write(bytes(2**25))": "OSError: [Errno 27]",
    "for i in range(40): open(f'f{i}', 'wb').write(bytes(2**20))": "written more than 32 MB",
    "for i in range(1500): os.mkdir('d'); os.chdir('d')": "",
    "for i in range(1100): open(f'f{i}', 'wb').close()": "or 1000 files",
    "raise ValueError('a\\nb' * 10_000)": "ValueError: a ba ba b",
    "class Odd(Exception):\n    def __str__(self): return 1\nraise Odd": "Odd",
    "os.closerange(0, 100)": "before it answered",
    "return None": "NoneType",
    "return Tensor(np.array(['x'], object))": "TypeError",
    "return Tensor.from_operation(input.data[:1], None, input)": "",
    "sys.setrecursionlimit(10**9)\ndef dive(): return [dive()]\ndive()": "",
    "os.abort()": "killed by SIGABRT",
    "import signal; signal.raise_signal(40)": "",
    "raise type('x\\nadd: 6 of 6 points, passed\\n\\x1b[2J\\u202e', (Exception,), {})('<b>')": "x\\nadd",
    "os.write(3, (10**15).to_bytes(8, 'little') + bytes(8)); os._exit(0)": "too large",
    "os.write(3, (4).to_bytes(8, 'little') + bytes(8) + b'[[[['); os._exit(0)": "cannot be read",
    "os.write(3, (2).to_bytes(8, 'little') + bytes(8) + b'17'); time.sleep(9)": "does not answer as it should",
    "text = b'[' * 200_000\nos.write(3, len(text).to_bytes(8, 'little') + bytes(8) + text)": "cannot be read",
}
ENDLESS = {
    "while True: pass": "stopped after 1 seconds",
    "time.sleep(1e6)": "stopped after 1 seconds",
    "os.close(3)\nwhile True: time.sleep(1)": "before it answered",
    "while True: print('x' * 10_000)": "",
    "while True: os.write(3, bytes(10**6))": "",
}
ODD = (  # answers that are not what the check expects
    "y = input.data\nreturn Tensor.from_operation(y, lambda gy: {answer}, input)",
    "node = type('Node', (), dict(backward=lambda self, gy: {answer}))()\n"
    "return type('Fake', (), dict(node=node, numpy=lambda self: {answer}))()",
)
ANSWERS = (
    "None", "()", "(None,)", "7", "'text'", "b'bytes'", "[gy]", "(gy, gy, gy)", "(object(),)", "({},)", "(lambda: 1,)",
    "(np.array([b'\\xff'] * 23),)", "(np.zeros(2, 'V8'),)", "(np.zeros(2, [('a', 'f8')]),)", "(np.zeros(3, object),)",
    "(np.zeros(2, 'M8[s]'),)", "(10 ** 5000,)", "(float('nan'),)", "(np.float16(1),)", "([[1], [2, 3]],)", "(1j,)",
    "(np.zeros((0, 2 ** 40)),)", "(np.zeros((1,) * 32),)", "(gy.astype('>f8'),)", "(Tensor(gy),)", "{1: 2}", "(...,)",
)  # fmt: skip


@pytest.mark.parametrize("body", HARMLESS.values(), ids=HARMLESS)
@pytest.mark.coursework
def test_harmless(scratch, body):
    result = scratch.tries(body)
    assert result.passed, result


@pytest.mark.coursework
@pytest.mark.parametrize(("body", "says"), REFUSED.items())
def test_refused(scratch, body, says):
    if "Thread(" in body and scratch.room.shield.user is None and runner.protection.is_root():
        pytest.skip("the limit of processes does not hold for root, who has better protection than this")
    start = time.monotonic()
    result = scratch.tries(body)
    assert not result.passed and says in result.message and len(result.message) < 700, result
    assert time.monotonic() - start < 30 and result.kind != "grader"


@pytest.mark.coursework
@pytest.mark.parametrize(("body", "says"), ENDLESS.items())
def test_stopped(best, body, says):
    start = time.monotonic()
    result = best.tries(body)
    assert not result.passed and says in result.message and result.kind != "grader", result
    assert time.monotonic() - start < 60
    assert best.judged("add").passed, "the next check pays for it"


@pytest.mark.coursework
def test_odd_answers(scratch):
    for body in ODD:
        for answer in ANSWERS:
            result = scratch.tries(body.replace("{answer}", answer))
            assert not result.passed and result.kind not in ("grader", "died"), (answer, result)
    assert scratch.judged("add").passed, "the next check pays for it"


@pytest.mark.coursework
def test_no_check_leaves_anything_for_another(scratch):
    for place in ("..", "../built", "/built", "/grading", "/grading/built", "/", "/tmp", "/var/tmp", "/dev/shm"):
        result = scratch.tries(f"open('{place}/left', 'w').write('x')")
        later = scratch.tries(f"if os.path.lexists('{place}/left'): raise ValueError('found')")
        assert "found" not in later.message, (place, result)


BUSY = {  # keeps the grader itself busy, or makes it need memory
    "bytes one by one": "import struct\nos.write(3, struct.pack('<QQ', 2**20, 0))\n"
    "while True:\n    os.write(3, b' ')\n    time.sleep(0.05)",
    "lists": "import struct\ntext = b'{\"list\": [' + b'{\"list\": []},' * 150_000 + b'1]}'\n"
    "for i in range(500): os.write(3, struct.pack('<QQ', len(text), 0) + text)",
    "callbacks": "server = sys.modules['__main__']._link\nfor i in range(10**6):\n    try: server.ask(0, (), {})\n"
    "    except Exception: pass",
    "one array many times": "many = [np.zeros(2**20)] * 10_000\n"
    "return type('T', (), dict(numpy=lambda s: many, node=None))()",
    "long texts": "return type('T', (), dict(numpy=lambda s: ['x' * 200_000] + [''] * 5000, node=None))()",
    "an endless iterator": "endless = dict(numpy=lambda s: [s], __iter__=lambda s: iter(int, 1), node=None)\n"
    "return type('T', (), endless)()",
}


@pytest.mark.coursework
@pytest.mark.parametrize("body", BUSY.values(), ids=BUSY)
def test_nothing_keeps_the_grader_busy(best, body):
    import resource

    start, memory = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = best.tries(body)
    assert not result.passed and result.kind != "grader", result
    assert time.monotonic() - start < 90
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 600_000, "kB"


@pytest.fixture
def outside(tmp_path):
    """A file that anybody may read, and a folder that anybody may write to, outside of everything."""
    for part in (tmp_path, *tmp_path.parents):
        if part != part.parent and part.stat().st_uid == os.getuid():
            part.chmod(part.stat().st_mode | 0o055)
    (tmp_path / "secret").write_text("the answers")
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    return tmp_path


READS = (
    "data = open('{secret}').read()",
    "data = os.read(os.open('{secret}', os.O_RDONLY), 99).decode()",
    "data = os.read(os.open('secret', os.O_RDONLY, dir_fd=os.open('{folder}', os.O_RDONLY)), 99).decode()",
    "os.chdir('{folder}'); data = open('secret').read()",
    "data = np.fromfile('{secret}', 'S1').tobytes().decode()",
    "data = np.memmap('{secret}', mode='r').tobytes().decode()",
    "data = open('../' * 40 + '{secret}'[1:]).read()",
    "data = open('/proc/self/root{secret}').read()",
    "data = open('/proc/1/root{secret}').read()",
    "data = importlib.machinery.SourceFileLoader('x', '{secret}').get_data('{secret}').decode()",
    "os.symlink('{secret}', 'link'); data = open('link').read()",
    "os.link('{secret}', 'link'); data = open('link').read()",
    "class Path:\n    def __fspath__(self):\n        f = sys._getframe()\n        while f:\n            "
    "[v.append('/') for v in f.f_locals.values() if isinstance(v, list)]; f = f.f_back\n        return '{secret}'\n"
    "os.scandir(Path())\ndata = open('{secret}').read()",
    "os.path.realpath = lambda p, **_: os.getcwd()\ndata = open('{secret}').read()",
    "os.fsdecode = os.fspath = lambda p: os.getcwd()\ndata = open('{secret}').read()",
)


@pytest.mark.coursework
def test_nothing_outside_can_be_read(scratch, outside):
    for line in READS:
        attack = line.replace("{secret}", str(outside / "secret")).replace("{folder}", str(outside))
        result = scratch.tries(f"{attack}\nraise ValueError(data)")
        assert not result.passed and "the answers" not in result.message + result.printed, (line, result)


WRITES = (
    "open('{place}/x', 'w').write('x')",
    "os.open('{place}/x', os.O_CREAT | os.O_WRONLY)",
    "os.open('x', os.O_CREAT | os.O_WRONLY, dir_fd=os.open('{place}', os.O_RDONLY))",
    "open('x', 'w').close(); os.rename('x', '{place}/x')",
    "open('x', 'w').close(); os.replace('x', '{place}/x')",
    "open('x', 'w').close(); os.link('x', '{place}/x')",
    "os.symlink('/', '{place}/x')",
    "os.mkdir('{place}/x')",
    "os.mkfifo('{place}/x')",
    "np.save('{place}/x', np.zeros(1))",
    "np.zeros(1).tofile('{place}/x')",
    "os.system('touch {place}/x')",
    "os.posix_spawn('/usr/bin/touch', ['touch', '{place}/x'], {})",
    "import subprocess; subprocess.run(['touch', '{place}/x'])",
    "import _posixsubprocess, subprocess; subprocess.Popen(['touch', '{place}/x']).wait()",
    "if os.fork() == 0: open('{place}/x', 'w')",
    "import shutil; open('x', 'w').close(); shutil.move('x', '{place}/x')",
    "os.chdir('{place}'); open('x', 'w')",
    "import io; io.FileIO('{place}/x', 'w')",
    "import sqlite3; sqlite3.connect('{place}/x').execute('create table t (a)')",
    "import dbm.dumb; dbm.dumb.open('{place}/x', 'c')",
    "import logging; logging.FileHandler('{place}/x')",
    "fd = os.open(os.path.dirname(os.__file__), os.O_RDONLY)\nos.open('x', os.O_CREAT | os.O_WRONLY, dir_fd=fd)",
    "open('../submission/tape.py', 'a').write('x = 1')",
    "open('../tree/minialex/tape.py', 'a').write('x = 1')",
    "open('../results.json', 'w')",
)


@pytest.mark.coursework
def test_nothing_outside_can_be_written(scratch, outside):
    before = {path: path.stat().st_mtime for path in Path(os.__file__).parent.iterdir()}
    theirs = [scratch.folder / "submission" / "tape.py", scratch.folder / "tree" / "minialex" / "tape.py"]
    texts = [path.read_text() for path in theirs]
    for line in WRITES:
        scratch.tries(line.replace("{place}", str(outside / "open")))
        assert not list((outside / "open").iterdir()), line
        assert [path.read_text() for path in theirs] == texts, line
    assert {path: path.stat().st_mtime for path in Path(os.__file__).parent.iterdir()} == before
    assert not (scratch.folder / "results.json").exists()
    assert scratch.judged("add").passed


@pytest.mark.coursework
def test_nobody_can_be_reached(scratch, outside):
    """Neither over the network, nor through a socket in the file system, nor by a signal."""
    heard = []
    address = outside / "open" / "socket"
    servers = [socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX)]
    servers[1].bind(str(address))
    servers[1].listen()
    address.chmod(0o777)

    def listen(server):
        with server:
            server.settimeout(4)
            try:
                server.accept()
                heard.append(server)
            except TimeoutError:
                pass

    port = servers[0].getsockname()[1]
    threads = [threading.Thread(target=listen, args=(server,)) for server in servers]
    for thread in threads:
        thread.start()
    alarmed = []
    try:
        before = __import__("signal").signal(__import__("signal").SIGTERM, lambda *_: alarmed.append(1))
        for attack in (
            f"import socket; socket.create_connection(('127.0.0.1', {port}), 1)",
            f"import socket; socket.socket(socket.AF_UNIX).connect('{address}')",
            f"import _socket; _socket.socket(_socket.AF_UNIX).connect('{address}')",
            f"from urllib.request import urlopen; urlopen('http://127.0.0.1:{port}', timeout=1)",
            f"os.kill({os.getpid()}, 15)",
            "os.kill(os.getppid(), 9)",
            "os.killpg(0, 15)",
        ):
            scratch.tries(attack)
            assert scratch.judged("add").passed, attack
    finally:
        __import__("signal").signal(__import__("signal").SIGTERM, before)
        for thread in threads:
            thread.join()
    assert not heard and not alarmed


@pytest.mark.coursework
def test_nothing_in_its_memory_knows_the_answer(scratch):
    """All objects of the process that runs tanh, but what this function itself makes."""
    result = scratch.tries(
        "right, found = np.tanh(input.data), []\n"
        "if hasattr(np, 'called'): return Tensor.from_operation(right, lambda gy: (gy * (1 - right**2),), input)\n"
        "np.called = True  # later calls find this one's result\n"
        "try:\n    things = gc.get_objects()\nexcept PermissionError:\n    things = []\n"
        "frame = sys._getframe(1)\n"
        "while frame:\n    things += list(frame.f_locals.values()) + list(frame.f_globals.values())\n"
        "    frame = frame.f_back\n"
        "for module in list(sys.modules.values()): things += list(getattr(module, '__dict__', {}).values())\n"
        "for thing in things:\n"
        "    for part in [thing, *(thing.values() if type(thing) is dict else thing if type(thing) in (list, tuple) "
        "else ())]:\n"
        "        if type(part) is np.ndarray and part.shape == right.shape and part is not right:\n"
        "            found.append(bool(np.allclose(part, right)))\n"
        "print('looked at', len(found))\n"
        "assert not any(found), 'found'"
    )
    assert "found" not in result.message and "looked at" in result.printed, result


def test_links_in_a_submission_lead_nowhere(tmp_path):
    """The grader may read files that the student may not."""
    (tmp_path / "secret").write_text("x = 1\n")
    folder = put(own(A1) | {"tape.py": None}, tmp_path / "theirs", "a1")
    (folder / "tape.py").symlink_to(tmp_path / "secret")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    tree.scratch(A1, folder, scratch)
    texts = {path.name: path.read_text() for path in (scratch / "submission").iterdir()}
    assert texts.keys() == own(A1).keys() and "link" in texts["tape.py"] and "x = 1" not in texts["tape.py"], texts


@pytest.mark.coursework
def test_what_students_write_is_nowhere_in_the_tree(tmp_path):
    """Neither as text nor compiled."""
    for name in coursework.NAMES:
        assignment, folder = coursework.assignment(name), tmp_path / name
        folder.mkdir()
        tree.scratch(assignment, put({}, tmp_path / "nothing", name), folder)
        files = {path.name for path in (folder / "tree" / "minialex" / "coursework").glob("*.py")}
        allowed = {"__init__.py", "targets.py", "plugging.py", "wire.py", "confinement.py"}
        assert files - allowed <= ({"kernels.py", "a5_bodies.py", "a5_language.py"} if assignment.native else set())
        for file in targets.files_of(targets.from_on(name)):
            path = folder / "tree" / "minialex" / file
            assert not path.exists() or path.read_text() == tree.emptied_source(assignment, file)
            assert path.exists() or file not in {target.file for target in assignment.targets}
            for compiled in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
                loaded = importlib._bootstrap_external.SourcelessFileLoader("x", str(compiled)).get_code("x")
                assert loaded == compile(path.read_text(), loaded.co_filename, "exec", dont_inherit=True)


@pytest.fixture
def weak(monkeypatch):
    """The grader of an ordinary user on a machine without bubblewrap."""
    monkeypatch.setattr(protection, "best", protection.Shield)


@pytest.mark.heavy
def test_a_weakly_protected_grader_says_so(weak, tmp_path):
    report = grade.grade(A1, put({}, tmp_path / "nothing", "a1"), public_only=True)
    assert report["output"].startswith("Warning: the grader runs neither as root nor with bubblewrap")
    assert "protected by: Python's audit hooks" in report["output"]
    assert report["score"] == 0 and "arithmetic.py is missing" in report["tests"][0]["output"]


@pytest.mark.coursework
def test_what_protected_the_grader_is_said(tmp_path):
    report = grade.grade(A1, put(own(A1), tmp_path / "own", "a1"), public_only=True)
    assert report["extra_data"]["protection"] in report["output"] and report["extra_data"]["protection"]
    assert report["extra_data"]["grade_again"] == []


@pytest.mark.coursework
def test_a_fault_of_the_machine_is_not_the_students(monkeypatch, tmp_path):
    """The process does not start, or does not get its processor time."""
    folder = put(own(A1), tmp_path / "own", "a1")
    monkeypatch.setattr(runner, "LIBRARY", ("minialex.nothing",))
    report = grade.grade(A1, folder)
    assert report["score"] == 0 and len(report["extra_data"]["grade_again"]) == len(A1.checks)
    assert all("must be graded again" in test["output"] for test in report["tests"])
    assert "not the submission" in report["output"].splitlines()[0]
    monkeypatch.undo()
    monkeypatch.setattr(runner, "OVERDUE", -1000.0)
    monkeypatch.setattr(runner.Room, "ask", _busy(runner.Room.ask))
    slow = own(A1)
    slow["activation.py"] += TANH.format(body="    time.sleep(1e6)")
    report = grade.grade(A1, put(slow, tmp_path / "slow", "a1"), public_only=True)
    assert report["extra_data"]["grade_again"] == ["tanh"]
    assert "the machine is too busy" in report["extra_data"]["checks"]["tanh"]["message"]


def _busy(ask):
    """A process that would like to run, but waits for a processor."""

    def asked(self, kind, order, descriptors=()):
        told = ask(self, kind, order, descriptors)
        return told | {"waited": 1e6} if kind == "times" else told

    return asked


@pytest.mark.heavy
def test_a_killed_grader_leaves_the_results_so_far(tmp_path):
    slow = own(A1)
    slow["activation.py"] += TANH.format(body="    time.sleep(1e6)")
    folder, results = put(slow, tmp_path / "theirs", "a1"), tmp_path / "results.json"
    command = [sys.executable, "-m", "minialex.coursework", "grade", str(folder), "--out", str(results)]
    environment = os.environ | {"PYTHONPATH": str(Path(coursework.__file__).parents[2])}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        for _ in range(600):
            if results.exists() and json.loads(results.read_text())["score"] >= 12:
                break
            time.sleep(0.1)
        process.kill()
    report = json.loads(results.read_text())
    assert 12 <= report["score"] < 90 and report["score"] == sum(test["score"] for test in report["tests"])


def read(message, known=lambda tag, number: (tag, number)):
    text, blocks = wire.lengths(message[:16])
    return wire.unpacked(message[16 : 16 + text], message[16 + text : 16 + text + blocks], known)


def test_messages_arrive_as_they_were():
    one = np.arange(6.0).reshape(2, 3)
    sent = [
        None, True, 7, 10**30, -0.0, float("inf"), "é", (1, [2, (3,)]), {"a": 1, 2: "b"}, slice(1, None, 2), ...,
        one, one.T, one[:, ::2], np.float32(3), np.array("word"), np.zeros((0, 3), np.int8), np.dtype("f4"), np.int16,
        np.array(5), (one, one),
    ]  # fmt: skip
    arrived = read(wire.packed(sent, lambda thing: None))
    for before, after in zip(sent, arrived, strict=True):
        assert type(before) is type(after)
        if isinstance(before, (np.ndarray, np.generic)):
            assert before.dtype == after.dtype and before.shape == after.shape and np.array_equal(before, after)
        elif not isinstance(before, tuple):
            assert before == after
    assert arrived[-1][0] is arrived[-1][1] is arrived[11], "one array stays one"
    assert arrived[11].flags.owndata and arrived[11].flags.writeable


@pytest.mark.parametrize(
    "text",
    [
        b"", b"[1]", b'{"list": [', b'{"array": ["<f8", [2]]}', b'{"array": ["O", [0]]}', b'{"array": ["<f8", [-1]]}',
        b'{"array": ["<f8", [1e3]]}', b'{"array": ["V8", [0]]}', b'{"array": ["<f8,<f4", [0]]}', b'{"number": "M8"}',
        b'{"again": 0}', b'{"tuple": 7}', b'{"dict": [[{"list": []}, 1]]}', b'{"a": 1, "b": 2}',
        b'{"type": "object"}', b'{"type": "str"}', b'{"dtype": "i4,i4"}', b'{"dtype": "U0"}', b'{"dtype": 4}',
        b"{}", b"[" * 10**5, b'{"list": [' * 10**4, b"9" * 10**4, b"\xff", b'{"dtype": "O"}',
        b'{"array": ["<f8", [4611686018427387904, 2]]}', b'{"array": ["<U1", [' + b"1," * 40 + b"1]]}",
    ],
)  # fmt: skip
def test_a_message_that_is_none_is_a_value_error(text):
    with pytest.raises(ValueError):
        wire.unpacked(text, b"", lambda tag, number: (_ for _ in ()).throw(KeyError(tag)))


def test_a_message_is_bounded():
    with pytest.raises(ValueError, match="MB in one message"):
        wire.packed(np.zeros(wire.MOST // 8 + 1), lambda thing: None)
    with pytest.raises(ValueError, match="too large"):
        wire.lengths(wire.HEAD.pack(10**15, 0))
    with pytest.raises(ValueError, match="longer"):
        wire.unpacked(b"1", b"x", lambda tag, number: None)


def test_another_user_can_read_the_scratch_folder_whatever_the_umask_is(tmp_path):
    before = os.umask(0o077)
    try:
        folder = tmp_path / "scratch"
        folder.mkdir()
        shield = next(reversed(SHIELDS.values()))
        tree.scratch(A1, put(own(A1), tmp_path / "own", "a1"), folder, shield)
    finally:
        os.umask(before)
    closed = [path for path in folder.rglob("*") if not path.is_symlink() and not path.stat().st_mode & 0o004]
    assert len([*folder.rglob("*.py")]) > 50 and not closed
