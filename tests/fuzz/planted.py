"""Readers with one fault each, which the fuzzer must find."""

from __future__ import annotations

import ctypes
import os
import pickle
import sys
import time
import warnings

import numpy as np
from fuzz.fuzzing import Target


def content(folder):
    """Of the file, where it is one."""
    path = folder / "f"
    return path.read_bytes() if path.is_file() else b""


def reader(fault):
    """A reader of the file `f` that refuses nothing, and has a fault where the file is not its sample."""

    def read(folder):
        found = content(folder)
        return found if found == b"0123456789" else fault(folder)

    return read


def planted(fault, **options):
    return Target(lambda folder: [{"f": b"0123456789"}], reader(fault), {"f": "bytes"}, **options)


def refuses(folder):
    raise ValueError(f"{folder / 'f'} is not ten digits")


def traceback(folder):
    return {}["x"]


def raw(folder):
    return int("x")


def numpys(folder):
    return np.zeros(3).reshape(2)


def empty(folder):
    raise ValueError("x")


def long(folder):
    raise ValueError("a long sentence " * 1000)


def passed_on(folder):
    try:
        int("x")
    except ValueError as error:
        raise ValueError(str(error)) from error


def not_text(folder):
    return b"\xff".decode()


def hang(folder):
    while True:
        time.sleep(0.01)


def hang_in_c(folder):
    ctypes.PyDLL(None).sleep(60)  # it keeps the interpreter's lock


def memory(folder):
    return len(bytes(b"x" * 2**28) + b"x")


def asks_for_memory(folder):
    return np.zeros(2**34)


def swallows_memory(folder):
    try:
        np.zeros(2**34)
    except Exception as error:
        raise ValueError(f"it is damaged ({error})") from None


def crash(folder):
    os.abort()


def outside(folder):
    (folder.parent / "x").write_bytes(b"")


def elsewhere(folder):
    open("/tmp/minialex-fuzz-outside", "wb").close()


def removes(folder):
    (folder / "f").unlink(missing_ok=True)
    return 0


def writes_past_python(folder):
    libc = ctypes.CDLL(None)
    libc.close(libc.creat(os.fsencode(folder / "new"), 0o600))
    return 0


def executes(folder):
    os.system("true")


def unpickles(folder):
    return pickle.loads(b"cos\ngetcwd\n(tR.")


def evaluates(folder):
    return eval("1 + 1")


def prints(folder):
    print("a remark", file=sys.stderr)
    return 0


def prints_past_python(folder):
    os.write(2, b"libfuzz: a remark\n")
    return 0


def warns(folder):
    warnings.warn("a remark", stacklevel=1)
    return 0


def says(folder):
    print("left out: f", file=sys.stderr)
    return 0


TARGETS = {
    **{function.__name__: planted(function) for function in (refuses, traceback, raw, numpys, empty, long, passed_on)},
    **{function.__name__: planted(function) for function in (not_text, hang, hang_in_c, memory, asks_for_memory)},
    **{function.__name__: planted(function) for function in (swallows_memory, crash, outside, elsewhere, removes)},
    **{function.__name__: planted(function) for function in (writes_past_python, executes, unpickles, evaluates)},
    **{function.__name__: planted(function) for function in (prints, prints_past_python, warns)},
    "says": planted(says, says="left out: "),
    "writes": planted(removes, writes=True),
    "other": Target(lambda folder: [{"f": b"a"}], content, {"f": "text"}, {"f": "text"}),
    "refused": Target(
        lambda folder: [{"f": b'{"a": 1}'}],
        lambda folder: None if content(folder) == b'{"a": 1}' else refuses(folder),
        {"f": "json"},
        {"f": "json"},
    ),
    "broken": Target(lambda folder: [{"f": b"x"}], refuses, {"f": "bytes"}),
}
