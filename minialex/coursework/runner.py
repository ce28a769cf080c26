"""The grader's side: runs one check of a submission in a child process with limits, and compares its answer."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import struct
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import messages

NOBODY = 65534  # "nobody", the user that a submission runs as if the grader is root
MEMORY = 400 * 2**20  # bytes of address space
STARTING = 6.0  # seconds that a child may need before and after the check, on a busy machine
PREPARING = 60.0  # seconds
SHOWN = 2000  # characters of a submission's output that are shown


@dataclass(frozen=True)
class Outcome:
    """The outcome of a check.

    passed: whether it passed.
    message: for the student, empty if it passed.
    kind: of the fault, one word, empty if it passed.
    seconds: that it took.
    printed: by the submission.
    """

    passed: bool
    message: str
    kind: str
    seconds: float = 0.0
    printed: str = ""


@dataclass(frozen=True)
class _Heard:
    """A child's reply, the bytes of its arrays, and its output; or a fault of the process itself."""

    reply: dict
    arrays: bytes = b""
    printed: str = ""
    fault: tuple[str, str] | None = None


def is_root():
    """Whether this process runs as root."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def run_check(check, name, place, inputs, expected, native=False):
    """Run a check on a submission in a child process.

    check: a Check.
    name: of its assignment.
    place: the scratch folder, from tree.scratch.
    inputs: a dict, as from the check's `draw`.
    expected: {name: array}, the library's answers.
    native: whether the submission is compiled, see child.py.

    Returns an Outcome.
    """
    start = time.monotonic()
    limits = {"CPU": int(check.seconds) + 1, "AS": MEMORY, "FSIZE": 16 * 2**20, "NOFILE": 64, "NPROC": 1, "CORE": 0}
    request = {"assignment": name, "check": check.name, "limits": limits, "native": native}
    heard = _child(place, request, messages.write_arrays(inputs), check.seconds)
    message, kind = _fault(heard)
    if not kind:
        message, kind = _judged(check, inputs, expected, heard.arrays)
    return Outcome(not kind, _short(message), kind, time.monotonic() - start, heard.printed)


def prepare(name, place):
    """Compile a submission's kernels in a child process.

    name: of the assignment.
    place: the scratch folder, from tree.scratch.

    Returns (message, kind) of a fault, or two empty texts.
    """
    limits = {"CPU": int(PREPARING), "FSIZE": 64 * 2**20, "NOFILE": 256, "CORE": 0}
    request = {"assignment": name, "check": None, "limits": limits, "native": True}
    return _fault(_child(place, request, messages.write_arrays({}), PREPARING))


def _fault(heard):
    """(message, kind) of the error that ended the submission's code; empty texts if there was none."""
    if heard.fault:
        return heard.fault
    kind = heard.reply.get("fault")
    if not kind:
        return "", ""
    place = f" ({heard.reply['place']})" if heard.reply.get("place") else ""
    if kind == "NotImplementedError":
        return f"not written yet{place}", "empty"
    if kind == "MemoryError":
        return f"out of memory{place}", "memory"
    message = " ".join(str(heard.reply.get("message", "")).split())
    # a KernelError's message contains its place
    return (message if kind == "KernelError" else f"{kind}: {message}{place}"), "error"


def _judged(check, inputs, expected, arrays):
    try:
        got = messages.read_arrays(arrays)
    except ValueError as error:
        return f"the answer cannot be read: {error}", "error"
    return verdict(check, inputs, expected, got)


def verdict(check, inputs, expected, got):
    """Compare a check's answers, and let the check explain a mistake.

    check: a Check.
    inputs: a dict.
    expected, got: {name: array}.

    Returns (message, kind) of what is wrong, or two empty texts.
    """
    message, kind = compare(expected, got, check.rtol)
    if kind == "values" and check.teach:
        with contextlib.suppress(Exception):  # a student's arrays may be such that it fails
            taught = check.teach(inputs, got, expected)
            message = f"{message}: {taught}" if taught else message
    return message, kind


def compare(expected, got, rtol):
    """Compare arrays.

    expected, got: {name: array}.
    rtol: allowed error, relative to the largest expected number.

    Returns (message, kind) of what is wrong, or two empty texts.
    """
    for name, right in expected.items():
        if name not in got:
            return f"{name} is missing", "shape"
        mine = got[name]
        if mine.shape != right.shape:
            return f"{name} has shape {mine.shape}, expected {right.shape}", "shape"
        if right.dtype.kind == "U":
            wrong = np.asarray(mine.astype(str) != right)
        elif mine.dtype != right.dtype:
            return f"{name} has dtype {mine.dtype}, expected {right.dtype}", "dtype"
        else:
            scale = np.abs(right[np.isfinite(right)], dtype=np.float64).max(initial=0.0)
            with np.errstate(invalid="ignore"):
                near = np.abs(mine.astype(np.float64) - right.astype(np.float64)) <= rtol * scale
            wrong = ~(near | (mine == right) | (np.isnan(mine) & np.isnan(right)))
        if wrong.any():
            place = tuple(int(i) for i in np.argwhere(wrong)[0])
            share = f"; {int(wrong.sum())} of {wrong.size} numbers are wrong" if wrong.size > 1 else ""
            at = f"{name}[{', '.join(map(str, place))}]" if place else name
            return f"{at} is {_number(mine[place])}, expected {_number(right[place])}{share}", "values"
    return "", ""


def _number(value):
    return f"{value:.9g}" if isinstance(value, np.floating) else _short(value, 60)


def _short(text, most=600):
    text = str(text)
    return text if len(text) <= most else f"{text[:most]} ..."


def _child(place, request, inputs, seconds):
    """Run a child in the scratch folder `place`, for at most `seconds` after it has started; returns its _Heard."""
    wait = seconds + STARTING
    with contextlib.ExitStack() as stack:
        work = stack.enter_context(tempfile.TemporaryDirectory(prefix="work-", dir=place, ignore_cleanup_errors=True))
        if is_root():
            os.chown(work, NOBODY, NOBODY)
        more = {"user": NOBODY if is_root() else None, "work": Path(work).name, "wait": int(wait) + 5}
        parts = (json.dumps(request | more).encode(), inputs)
        data = b"".join(struct.pack("<Q", len(part)) + part for part in parts)
        printed = stack.enter_context(tempfile.TemporaryFile())
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", str(Path(place) / "child.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=printed,
            env=_environment(place),
            cwd=place,
            start_new_session=True,
        )
        try:
            answer, ended = _talk(process, data, time.monotonic() + wait)
        finally:
            _kill_group(process)
        printed.seek(0)
        text = printed.read(SHOWN).decode(errors="replace")
    if len(answer) > messages.MOST:
        return _Heard({}, printed=text, fault=("the answer is too large", "error"))
    if not ended or process.returncode == -signal.SIGXCPU:
        return _Heard({}, printed=text, fault=(f"stopped after {seconds:g} seconds: it did not finish", "time"))
    heard = _parts(answer)
    if heard is None:
        number = -process.returncode
        how = f"was killed by {signal.Signals(number).name}" if number > 0 else f"ended with code {-number}"
        return _Heard({}, printed=text, fault=(f"the process {how} before it answered", "died"))
    reply, arrays = heard
    return _Heard(reply, arrays, text)


def _environment(place):
    """A child's environment: nothing inherited, one thread for NumPy; a compiler writes its files into `built`."""
    built = str(Path(place) / "built")
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LC_ALL": "C.UTF-8",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "HOME": built,
        "XDG_CACHE_HOME": built,
        "TMPDIR": built,
    }


def _talk(process, data, deadline):
    """Send `data` to the child and read its answer, not much more than MOST bytes: (answer, finished in time)."""
    os.set_blocking(process.stdin.fileno(), False)
    os.set_blocking(process.stdout.fileno(), False)
    answer, sent, writing = bytearray(), 0, True
    while (left := deadline - time.monotonic()) > 0 and len(answer) <= messages.MOST:
        readable, writable, _ = select.select([process.stdout], [process.stdin] if writing else [], [], left)
        if writable:
            try:
                sent += os.write(process.stdin.fileno(), data[sent : sent + 2**16])
            except BrokenPipeError:
                writing = False
            if sent == len(data):
                writing = False
        if readable:
            block = os.read(process.stdout.fileno(), 2**16)
            if not block:
                try:
                    process.wait(max(deadline - time.monotonic(), 0.1))
                except subprocess.TimeoutExpired:  # it closed its output and keeps running
                    return bytes(answer), False
                return bytes(answer), True
            answer += block
    return bytes(answer), False


def _kill_group(process):
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdin.close()
    process.stdout.close()


def _parts(answer):
    """(reply, bytes of arrays) from a child's answer, or None if it is incomplete."""
    try:
        (length,) = struct.unpack_from("<Q", answer, 0)
        reply = json.loads(answer[8 : 8 + length])
        (size,) = struct.unpack_from("<Q", answer, 8 + length)
        arrays = answer[16 + length : 16 + length + size]
        return (reply, arrays) if isinstance(reply, dict) and len(arrays) == size else None
    except (struct.error, ValueError, RecursionError):
        return None
