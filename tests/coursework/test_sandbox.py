"""What a hostile or hapless submission tries costs its own check, is told in one sentence, and changes nothing else."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from wrong_solutions import own, put

from minialex import coursework
from minialex.coursework import grade, messages, runner, tree

A1 = coursework.assignment("a1")
SHORT = {name: dataclasses.replace(A1.check(name), seconds=1.0) for name in ("tanh", "add")}
TANH = """
def tanh(input):
    import builtins, os, sys, threading, time
    import numpy as np
{body}
    y = np.tanh(input.data)
    return Tensor.from_operation(y, lambda gy: (gy * (1 - y * y),), input)
"""


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    """A scratch folder with the right solution of A1."""
    top = tmp_path_factory.mktemp("sandbox")
    for part in (top, *top.parents):  # pytest's folders are its user's own: the child may be another one
        if part != part.parent and part.stat().st_uid == os.getuid():
            part.chmod(part.stat().st_mode | 0o011)
    folder = top / "scratch"
    folder.mkdir()
    tree.scratch(A1, put(own(A1), top / "theirs", "a1"), folder)
    return folder


def judged(scratch, name):
    inputs = grade.inputs_of(SHORT[name], 5)
    return runner.run_check(SHORT[name], "a1", scratch, inputs, SHORT[name].answers(inputs))


@pytest.fixture
def outcome(scratch):
    """Outcome of the check "tanh" of a student whose tanh does `body` first."""

    def run(body):
        source = own(A1)["activation.py"] + TANH.format(body="\n".join(f"    {line}" for line in body.splitlines()))
        (scratch / "submission" / "activation.py").write_text(source)
        result = judged(scratch, "tanh")
        assert result.message.count("\n") == 0
        return result

    return run


HARMLESS = {
    "nothing": "pass",
    "print": "print('x' * 100_000)",
    "its own folder": "open('mine', 'w').write('x'); assert open('mine').read() == 'x'",
    "catches what is refused": "try:\n    open('/etc/passwd')\nexcept OSError:\n    pass",
    "imports ctypes where it is": "try:\n    import ctypes\nexcept ImportError:\n    pass",
    "closes its input and output": "os.close(0); os.close(1); os.close(2)",
    "patches what compares": "np.allclose = np.array_equal = np.abs = lambda *_, **__: np.array(0.0)",
}

REFUSED = {  # what it tries: what it is told
    "open('/etc/passwd')": "may not open",
    "open('../results.json', 'w')": "may not open",
    "open('../submission/tape.py', 'a')": "may not open",
    "os.listdir('/')": "may not use os.listdir",
    "os.rename('/tmp', '/tmp2')": "may not use os.rename",
    "os.fork()": "may not use os.fork",
    "os.kill(os.getppid(), 9)": "may not use os.kill",
    "os.system('true')": "may not use os.system",
    "os.execv('/bin/true', ['true'])": "may not use os.exec",
    "__import__('subprocess').run(['true'])": "",
    "__import__('socket').socket()": "",
    "__import__('ctypes')": "ctypes",
    "del sys.modules['ctypes']; import ctypes": "No module named 'ctypes'",
    "import torch": "No module named 'torch'",
    "import scipy": "No module named 'scipy'",
    "import numba": "No module named 'numba'",
    "import minialex.backends.fast_cpu.backend": "No module named 'minialex.backends.fast_cpu'",
    "import minialex.backends.cuda.emulator": "No module named 'minialex.backends.cuda'",
    "builtins.input()": "EOFError",
    "threading.Thread(target=time.sleep, args=(1e6,)).start()": "can't start new thread",
    "sys.exit('100 points')": "SystemExit: 100 points",
    "raise KeyboardInterrupt": "KeyboardInterrupt",
    "os._exit(0)": "ended with code 0 before it answered",
    "return tanh(input)": "RecursionError",
    "np.zeros(10**10)": "out of memory",
    "hoard = [bytearray(2**24) for _ in range(1000)]": "out of memory",
    "open('large', 'wb').write(bytes(2**25))": "OSError: [Errno 27]",
    "raise ValueError('a\\nb' * 10_000)": "ValueError: a ba ba b",
    "os.closerange(0, 100)": "before it answered",
    "return None": "NoneType",
    "return Tensor(np.array(['x'], object))": "TypeError",
    "return Tensor.from_operation(input.data[:1], None, input)": "",
}
DIES = {
    "while True: pass": "stopped after 1 seconds",
    "time.sleep(1e6)": "stopped after 1 seconds",
    "os.close(3)\nwhile True: time.sleep(1)": "stopped after 1 seconds",
    "while True: print('x' * 10_000)": "",
    "while True: os.write(3, bytes(10**6))": "too large",
    "sys.setrecursionlimit(10**9)\ndef dive(): return [dive()]\ndive()": "",
    "os.abort()": "killed by SIGABRT",
    "os.write(3, (10**15).to_bytes(8, 'little')); os._exit(0)": "before it answered",
    "os.write(3, (4).to_bytes(8, 'little') + b'[[[['); os._exit(0)": "before it answered",
}


@pytest.mark.parametrize("body", HARMLESS.values(), ids=HARMLESS)
def test_harmless(outcome, body):
    assert outcome(body).passed


@pytest.mark.heavy
@pytest.mark.parametrize(("body", "says"), REFUSED.items())
def test_refused(outcome, body, says):
    result = outcome(body)
    assert not result.passed and says in result.message and len(result.message) < 700, result
    assert result.seconds < 10


@pytest.mark.coursework
@pytest.mark.parametrize(("body", "says"), DIES.items())
def test_stopped(scratch, outcome, body, says):
    start = time.monotonic()
    result = outcome(body)
    assert not result.passed and says in result.message, result
    assert time.monotonic() - start < 30
    assert judged(scratch, "add").passed, "the next check pays for it"


@pytest.fixture
def unprivileged(monkeypatch):
    """The grader as an ordinary user runs it."""
    for module in (runner, tree, grade):
        monkeypatch.setattr(module, "is_root", lambda: False)


@pytest.mark.heavy
def test_an_unprivileged_grader_says_so_and_still_refuses(unprivileged, outcome, tmp_path):
    assert outcome("pass").passed
    result = outcome("open('/etc/passwd')")
    assert not result.passed and "may not open" in result.message
    report = grade.grade(A1, put({}, tmp_path / "nothing", "a1"), public_only=True)
    assert report["output"].startswith("Warning: the grader does not run as root: a hostile submission has its")
    assert report["score"] == 0 and "arithmetic.py is missing" in report["tests"][0]["output"]


@pytest.fixture
def wall(scratch):
    """The scratch folder of a student who has got rid of the audit hook."""
    child = scratch / "child.py"
    before = child.read_text()
    child.write_text(before.replace("        guard(root, work)\n", "        pass\n"))
    assert child.read_text() != before
    yield scratch
    child.write_text(before)


ROOT = pytest.mark.skipif(not runner.is_root(), reason="only a grader that is root can change the child's user")


@pytest.mark.heavy
@ROOT
@pytest.mark.parametrize(
    ("body", "says"),
    {
        "open('/etc/passwd')": "FileNotFoundError",
        "open('../results.json', 'w')": "PermissionError",
        "open('/submission/tape.py', 'a')": "PermissionError",
        "os.fork()": "BlockingIOError",
        "os.kill(os.getppid(), 9)": "PermissionError",
        "os.setuid(0)": "PermissionError",
        "os.chroot('.')": "PermissionError",
        "sys.path[:0] = ['/usr/lib/python3/dist-packages']\nimport torch": "No module named 'torch'",
    }.items(),
)
def test_without_the_audit_hook_the_other_user_has_nothing_in_reach(wall, outcome, body, says):
    result = outcome(body)
    assert not result.passed and says in result.message, result


def test_links_in_a_submission_lead_nowhere(tmp_path):
    """The grader may read files that the student may not."""
    (tmp_path / "secret").write_text("x = 1\n")
    folder = put(own(A1) | {"tape.py": None}, tmp_path / "theirs", "a1")
    (folder / "tape.py").symlink_to(tmp_path / "secret")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    tree.scratch(A1, folder, scratch)
    assert sorted(path.name for path in (scratch / "submission").iterdir()) == ["activation.py", "arithmetic.py"]


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


def test_a_packed_answer_is_no_answer():
    """64 kB that would become 64 MB, and a pickle."""
    file = io.BytesIO()
    np.savez_compressed(file, y=np.zeros(2**23))
    with pytest.raises(ValueError, match="compressed"):
        messages.read_arrays(file.getvalue())
    file = io.BytesIO()
    np.savez(file, y=np.array([{}], object))
    with pytest.raises(ValueError, match="not arrays"):
        messages.read_arrays(file.getvalue())
    with pytest.raises(ValueError, match="not arrays"):
        messages.read_arrays(b"PK")
