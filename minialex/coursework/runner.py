"""The trusted side: one check of a submission in a process of its own, with limits; what came back, compared."""

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

STRANGER = 65534  # "nobody": whom a submission runs as where the grader is root
MEMORY = 400 * 2**20
STARTING = 6.0  # seconds that a child may need before and after it runs the check, on a machine that is busy
PREPARING = 60.0
SHOWN = 2000  # characters of what a submission prints


@dataclass(frozen=True)
class Outcome:
    """passed; message: to the student, empty where it passed; kind: of the fault, one word; seconds that it took."""

    passed: bool
    message: str
    kind: str
    seconds: float = 0.0
    printed: str = ""


@dataclass(frozen=True)
class _Heard:
    """What a child said, `reply` and the bytes of arrays, and printed; or the fault of the process itself."""

    reply: dict
    arrays: bytes = b""
    printed: str = ""
    fault: tuple[str, str] | None = None


def is_root():
    return hasattr(os, "geteuid") and os.geteuid() == 0


def run_check(check, name, place, inputs, expected, native=False):
    """The Outcome of a check of the assignment `name` on the submission in the scratch folder `place`.

    inputs: for the child. expected: the library's own answers. native: what runs is compiled, see child.py.
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
    """Have what the submission wrote compiled, within limits; the fault's message and kind, or two empty texts."""
    limits = {"CPU": int(PREPARING), "FSIZE": 64 * 2**20, "NOFILE": 256, "CORE": 0}
    request = {"assignment": name, "check": None, "limits": limits, "native": True}
    return _fault(_child(place, request, messages.write_arrays({}), PREPARING))


def _fault(heard):
    """(message, kind) of what ended the submission's code; empty where it came to its end."""
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
    return (message if kind == "KernelError" else f"{kind}: {message}{place}"), "error"  # which says where itself


def _judged(check, inputs, expected, arrays):
    try:
        got = messages.read_arrays(arrays)
    except ValueError as error:
        return f"the answer cannot be read: {error}", "error"
    return verdict(check, inputs, expected, got)


def verdict(check, inputs, expected, got):
    """("", "") or what is wrong, with what the check has to teach about it, and the kind of fault."""
    message, kind = compare(expected, got, check.rtol)
    if kind == "values" and check.teach:
        with contextlib.suppress(Exception):  # it looks at a student's numbers: anything may be odd about them
            taught = check.teach(inputs, got, expected)
            message = f"{message}: {taught}" if taught else message
    return message, kind


def compare(expected, got, rtol):
    """("", "") where all arrays agree to rtol of the largest number expected; else what is wrong, and its kind."""
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
    """What the child in the scratch folder `place` answered, within so many seconds after it has started."""
    wait = seconds + STARTING
    with contextlib.ExitStack() as stack:
        work = stack.enter_context(tempfile.TemporaryDirectory(prefix="work-", dir=place, ignore_cleanup_errors=True))
        if is_root():
            os.chown(work, STRANGER, STRANGER)
        more = {"user": STRANGER if is_root() else None, "work": Path(work).name, "wait": int(wait) + 5}
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
        return _Heard({}, printed=text, fault=(f"stopped after {seconds:g} seconds: it did not come to an end", "time"))
    heard = _parts(answer)
    if heard is None:
        number = -process.returncode
        how = f"was killed by {signal.Signals(number).name}" if number > 0 else f"ended with code {-number}"
        return _Heard({}, printed=text, fault=(f"the process {how} before it answered", "died"))
    reply, arrays = heard
    return _Heard(reply, arrays, text)


def _environment(place):
    """A child's: nothing of ours, one thread for NumPy; the compiler, where one is needed, writes into `built`."""
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
    """(what the child wrote, whether it came to its end in time); not much more than MOST bytes."""
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
                except subprocess.TimeoutExpired:  # it closed its end and goes on
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
    """The child's reply and its arrays, or None where they are not whole."""
    try:
        (length,) = struct.unpack_from("<Q", answer, 0)
        reply = json.loads(answer[8 : 8 + length])
        (size,) = struct.unpack_from("<Q", answer, 8 + length)
        arrays = answer[16 + length : 16 + length + size]
        return (reply, arrays) if isinstance(reply, dict) and len(arrays) == size else None
    except (struct.error, ValueError, RecursionError):
        return None
