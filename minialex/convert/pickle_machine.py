"""The stack machine that reads a pickle: see pickles.py, which says what each opcode does with it."""

from __future__ import annotations

import re
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..support.text import printable

_LONGEST_INTEGER = 255  # bytes; hashing and printing take time that grows with their length
_LONGEST_LINE = 300  # bytes of a number or a name in protocol 0
_OLD_MODULES = {"__builtin__": "builtins", "copy_reg": "copyreg"}  # Python 2's


class Damaged(ValueError):
    """A pickle that cannot be read: what is wrong, and where."""


class NotRun(ValueError):
    """A pickle of an object that could only be made by running code."""


@dataclass(frozen=True)
class Call:
    """A function that a pickle may call.

    make: it takes the tuple of arguments, and raises Damaged where they are wrong.
    """

    make: Callable[[tuple], Any]


class Unbuilt:
    """What becomes a value when BUILD gives it a state.

    build: a function of the state, which returns the value or raises Damaged.
    """

    def __init__(self, build):
        self.build, self.value = build, None


class Dict(dict):
    """A dict with the attributes that its pickle gives it, such as a state dict's _metadata."""

    attributes: dict = {}


class Machine:
    """The stack, the memo, and the operands of opcodes; arguments: as of pickles.load."""

    def __init__(self, content, names, persistent, start, memory):
        self.content, self.view, self.at = content, memoryview(content), start
        self.names, self.persistent, self.left = names, persistent, memory
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # parts of the stack below each mark
        self.memo: dict[int, Any] = {}

    def damaged(self, what):
        return Damaged(f"at byte {self.at:,} of the pickle {what}")

    # ---- operands

    def take(self, count):
        """The next bytes, as a memoryview."""
        if count > len(self.view) - self.at:
            raise self.damaged("it is cut short")
        self.at += count
        return self.view[self.at - count : self.at]

    def number(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def counted(self, form):
        """As many bytes as a number before them says."""
        return self.take(self.number(form))

    def line(self, most=_LONGEST_LINE):
        """The bytes up to a line break; most: of them, None for any number."""
        end = self.content.find(b"\n", self.at, None if most is None else self.at + most + 1)
        if end < 0:
            raise self.damaged("a line has no end")
        text = bytes(self.view[self.at : end])
        self.at = end + 1
        return text

    def parsed(self, kind, text):
        """A number in text form."""
        try:
            return kind(text)
        except ValueError:
            raise self.damaged(f"{printable(repr(text[:40]))} is not a number") from None

    def decoded(self, content, encoding="utf-8", errors="surrogatepass"):
        try:
            return str(content, encoding, errors)
        except UnicodeDecodeError:
            raise self.damaged("a text is not text") from None

    # ---- the stack

    def spend(self, size):
        self.left -= size
        if self.left < 0:
            raise self.damaged("its objects take far more bytes of memory than the file is long")

    def push(self, value):
        """Push a new object."""
        self.spend(sys.getsizeof(value) + 8 + (value.nbytes if isinstance(value, np.ndarray) else 0))
        self.stack.append(value)

    def pop(self):
        if not self.stack:
            raise self.damaged("a value is missing")
        return self.stack.pop()

    def top(self, kind, what):
        if not self.stack or not isinstance(self.stack[-1], kind):
            raise self.damaged(f"{what} is missing")
        return self.stack[-1]

    def mark(self):
        self.spend(64)
        self.below.append(self.stack)
        self.stack = []

    def marked(self):
        """Pop what was pushed since the last mark."""
        if not self.below:
            raise self.damaged("a mark is missing")
        items, self.stack = self.stack, self.below.pop()
        return items

    # ---- the memo

    def put(self, number):
        if number < 0 or not self.stack:
            raise self.damaged("there is nothing to memorise")
        self.spend(100)
        self.memo[number] = self.stack[-1]

    def get(self, number):
        if number not in self.memo:
            raise self.damaged(f"there is no value number {number} in the memo")
        value = self.memo[number]
        self.stack.append(value.value if isinstance(value, Unbuilt) and value.value is not None else value)

    # ---- containers

    def tuple_of(self, count):
        self.push(tuple(reversed([self.pop() for _ in range(count)])))

    def extend(self, items):
        self.top(list, "a list").extend(items)

    def add(self, items):
        self.spend(100 * len(items))
        self.top(set, "a set").update(map(self.hashable, items))

    def set_items(self, items):
        self.top(dict, "a dict").update(self.pairs(items))

    def pairs(self, items):
        if len(items) % 2:
            raise self.damaged("a dict has a key without a value")
        self.spend(100 * len(items))
        return [(self.hashable(key), value) for key, value in zip(items[::2], items[1::2])]

    def hashable(self, key):
        """A key of a dict or a part of a set: hashing what is larger or deeper could take for ever, or the C stack."""
        if isinstance(key, bytes):  # a text of Python 2
            return key.decode("latin-1")
        for part in key if isinstance(key, tuple) and len(key) <= 8 else (key,):
            if not (part is None or isinstance(part, (str, float)) or (isinstance(part, int) and abs(part) < 2**64)):
                raise self.damaged("the key of a dict is not a text or a number")
        return key

    # ---- names and calls

    def name(self, module, name):
        """Push the value of a name."""
        module = _OLD_MODULES.get(module, module).replace("numpy.core.", "numpy._core.")
        path = f"{module}.{name}"
        if path not in self.names:
            raise NotRun(f"an object of {printable(path[:100])}, whose code was not run")
        self.push(self.names[path])

    def named(self):
        return (self.decoded(self.line()) for _ in range(2))

    def stack_name(self):
        name, module = self.pop(), self.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise self.damaged("a name is not a text")
        self.name(module, name)

    def call(self, function, arguments):
        if not isinstance(function, Call) or not isinstance(arguments, tuple):
            raise self.damaged("something is called that is not a function")
        try:
            self.push(function.make(arguments))
        except Damaged as error:
            raise self.damaged(str(error)) from None

    def reduce(self):
        arguments = self.pop()
        self.call(self.pop(), arguments)

    def instance(self, marked_class):
        """Protocol 0 and 1's call: of a name in the text, or of the first value after the mark."""
        items = self.marked()
        if marked_class:
            if not items:
                raise self.damaged("a class is missing")
            function = items.pop(0)
        else:
            self.name(*self.named())
            function = self.pop()
        self.call(function, tuple(items))

    def build(self):
        state, target = self.pop(), self.pop()
        if isinstance(target, Unbuilt) and target.value is None:
            try:
                target.value = target.build(state)
            except Damaged as error:
                raise self.damaged(str(error)) from None
            self.push(target.value)
        elif isinstance(target, Dict) and isinstance(state, dict):
            target.attributes = state
            self.stack.append(target)
        else:
            raise self.damaged("a state is given to something that takes none")

    def persist(self, key):
        if self.persistent is None:
            raise self.damaged("something outside of it is asked for")
        try:
            self.push(self.persistent(key))
        except Damaged as error:
            raise self.damaged(str(error)) from None

    # ---- numbers and texts

    def integer(self, text):
        self.push({b"00": False, b"01": True}.get(text) if text in (b"00", b"01") else self.parsed(int, text))

    def long(self, count):
        if not 0 <= count <= _LONGEST_INTEGER:
            raise self.damaged(f"an integer has {count:,} bytes")
        self.push(int.from_bytes(self.take(count), "little", signed=True))

    def text(self, content):
        self.push(self.decoded(content))

    def latin(self, content):
        """A str of Python 2, as Latin-1: a text, or the bytes of an array."""
        self.push(self.decoded(content, "latin-1"))

    def quoted(self):
        line = self.line(None)
        if len(line) < 2 or line[:1] not in (b"'", b'"') or line[-1:] != line[:1]:
            raise self.damaged("a text has no quotes")
        self.latin(_ESCAPE.sub(_unescaped, line[1:-1]))

    def frame(self):
        if self.number("<Q") > len(self.view) - self.at:
            raise self.damaged("it is cut short")

    def protocol(self):
        if (version := self.take(1)[0]) > 5:
            raise self.damaged(f"there is protocol {version}, which is not known")


_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|[0-7]{1,3}|.)")
_LETTERS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}


def _unescaped(match):
    code = match[1]
    if code[:1] == b"x" and len(code) == 3:
        return bytes([int(code[1:], 16)])
    return bytes([int(code, 8) & 255]) if code.isdigit() and code < b"8" else _LETTERS.get(code, code)
