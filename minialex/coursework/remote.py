"""The library in a student's process, as a check calls it: every access and every call is a request."""

from __future__ import annotations

import select
import time
from typing import Any

import numpy as np

from . import wire
from .library import PACKAGE, fingerprint

MOST_CALLBACKS = 20_000  # of a check: the busiest needs some hundreds
BUSY = 20.0  # seconds of processor time that this process spends on a check, of which the longest needs one
MOST_READ = 256 * 2**20  # bytes of answers in all
PATIENCE = 0.5  # seconds between questions about a process that does not answer


class StudentError(Exception):
    """An exception in the student's code.

    kinds: the names of its class and of its bases.
    message: its text.
    place: in the student's files, or "".
    """

    def __init__(self, kinds, message, place):
        super().__init__(f"{kinds[0]}: {message}")
        self.kinds, self.message, self.place = kinds, message, place


class Lost(Exception):
    """The student's process has ended, or answers nonsense, or is overdue: kind is "died", "answer" or "time"."""

    def __init__(self, kind, message=""):
        super().__init__(message)
        self.kind = kind


class GraderFault(Exception):
    """Raised where the grader or its machine is at fault, not the submission: it can be graded again."""


class Link:
    """A connection to a student's process.

    connection: a socket.
    overdue: overdue(seconds) is asked every PATIENCE seconds while an answer is outstanding; `seconds` is how long this
        process has waited in all. It raises Lost to give up.
    """

    def __init__(self, connection, overdue):
        self.connection, self.overdue = connection, overdue
        self.connection.setblocking(False)
        self.waited = self.looked = 0.0
        self.started, self.read = time.thread_time(), 0
        self.callbacks = 0
        self.functions: list = []
        self.numbers: dict = {}
        self.sent: list = []  # (array, fingerprint) of every array passed in a request

    def request(self, kind, *arguments):
        """Send a request, and return the answer.

        kind: a method of child._Operations.
        arguments: its arguments.

        Raises StudentError for an exception in the student's code, and Lost.
        """
        arrays: list = []
        self._send((kind, *arguments), arrays)
        self.sent += [(array, fingerprint(array)) for array in arrays]
        while True:
            received: list = []
            message = self._receive(received)
            match message:
                case ("value", value):
                    return value
                case ("fault", [str(), *_] as kinds, str(text), str(place)):
                    raise StudentError([str(kind) for kind in kinds], text, place)
                case ("callback", int(number), list(given), dict(options)) if 0 <= number < len(self.functions):
                    self._answer(number, given, options, received)
                case _:
                    raise Lost("answer", "the process does not answer as it should")

    def _answer(self, number, given, options, received):
        """Call a function of the grader, for the student's process."""
        self.callbacks += 1
        if self.callbacks > MOST_CALLBACKS:
            raise Lost("time")
        reply: tuple
        try:
            reply = ("value", self.functions[number](*given, **options))
        except (StudentError, Lost, GraderFault):
            raise
        except Exception as error:  # it was called with something unexpected
            reply = ("raise", type(error).__name__, str(error)[:300])
        self._send(reply, [], received)

    def _send(self, message, arrays, arguments=()):
        def unknown(thing):
            if isinstance(thing, np.ndarray):
                places = [i for i, array in enumerate(arguments) if array is thing]
                return {"argument": places[0]} if places else None
            if isinstance(thing, Remote):
                return {"handle": object.__getattribute__(thing, "_handle")}
            if callable(thing):
                number = self.numbers.setdefault(thing, len(self.functions))
                if number == len(self.functions):
                    self.functions.append(thing)
                return {"function": number}
            raise TypeError(f"{thing!r} cannot be passed to a student's process")

        data, sent = memoryview(wire.packed(message, unknown, arrays)), 0
        while sent < len(data):
            try:
                sent += self.connection.send(data[sent:])
            except BlockingIOError:
                self._wait(writing=True)
            except OSError as error:
                raise Lost("died") from error

    def _receive(self, arrays):
        try:
            text, blocks = wire.lengths(self._received(wire.HEAD.size))
        except ValueError as error:
            raise Lost("answer", "the answer is too large") from error
        try:
            return wire.unpacked(self._received(text), self._received(blocks), self._known, arrays)
        except ValueError as error:
            raise Lost("answer", f"the answer cannot be read: {error}") from error

    def _known(self, tag, number):
        if tag != "handle" or type(number) is not int:
            raise ValueError(f"an unknown tag {tag!r}")
        return Remote(self, number)

    def _received(self, size):
        data = bytearray()
        while len(data) < size:
            try:
                block = self.connection.recv(min(size - len(data), 2**20))
            except BlockingIOError:
                self._wait()
                continue
            except OSError as error:
                raise Lost("died") from error
            if not block:
                raise Lost("died")
            data += block
            self.read += len(block)
        self._check_budget()
        return bytes(data)

    def _wait(self, writing=False):
        start = time.monotonic()
        select.select([] if writing else [self.connection], [self.connection] if writing else [], [], PATIENCE)
        self.waited += time.monotonic() - start
        self._check_budget()

    def _check_budget(self):
        """Now and then ask whether the process is overdue, and give up where it keeps this one busy."""
        if self.waited - self.looked > PATIENCE:
            self.looked = self.waited
            self.overdue(self.waited)
        if time.thread_time() - self.started > BUSY or self.read > MOST_READ:
            raise Lost("time")


class Remote:
    """An object in a student's process."""

    __slots__ = ("_handle", "_link")

    def __init__(self, link, handle):
        object.__setattr__(self, "_link", link)
        object.__setattr__(self, "_handle", handle)

    def __getattr__(self, name):
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)  # what NumPy and others look for in their arguments
        return self._link.request("get", self, name)

    def __setattr__(self, name, value):
        self._link.request("set", self, name, value)

    def __call__(self, *arguments, **options):
        return self._link.request("call", self, list(arguments), options)

    def __getitem__(self, key):
        return self._link.request("item", self, key)

    def __setitem__(self, key, value):
        self._link.request("set_item", self, key, value)

    def __len__(self):
        length = self._link.request("length", self)
        if type(length) is not int or not 0 <= length < 2**31:
            raise Lost("answer", "a length is not a whole number")
        return length

    def __iter__(self):
        iterator = self._link.request("method", self, "__iter__", [], {})
        while (item := self._link.request("listed", iterator, 1)) != []:
            yield item[0]

    def __bool__(self):
        return True

    def __eq__(self, other):
        return isinstance(other, Remote) and self._handle == other._handle and self._link is other._link

    def __hash__(self):
        return hash(self._handle)

    def __enter__(self):
        return self._link.request("method", self, "__enter__", [], {})

    def __exit__(self, *error):
        self._link.request("method", self, "__exit__", [None, None, None], {})

    def __repr__(self):
        return f"<object {self._handle} of a student's process>"


class There:
    """The library in a student's process. For what its methods do see library.Here.

    link: a Link.
    """

    def __init__(self, link):
        self._link = link
        self._modules: dict[str, Any] = {}

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def __getattr__(self, name):
        if name not in self._modules:
            package = self._module(PACKAGE)
            self._modules[name] = self._link.request("get", package, name)
        return self._modules[name]

    def _module(self, name):
        if name not in self._modules:
            self._modules[name] = self._link.request("module", name)
        return self._modules[name]

    @property
    def numpy(self):
        """As library.Here's."""
        return self._module("numpy")

    def listed(self, things, most=10_000):
        """As library.Here's."""
        return self._link.request("listed", things, most) if isinstance(things, Remote) else list(things)[:most]

    def kind(self, thing):
        """As library.Here's."""
        return self._link.request("kind", thing) if isinstance(thing, Remote) else type(thing).__name__

    def same(self, one, other):
        """As library.Here's."""
        return one == other if isinstance(one, Remote) else one is other

    def sharing(self, one, other):
        """As library.Here's: seen by what a change of one does to the other."""
        before, seen = self.value(one), self.value(other)
        one[...] = before + 1 + np.random.default_rng().random()
        now = self.value(other)
        one[...] = before
        return seen.tobytes() != now.tobytes()

    def reference(self, thing, name):
        """As library.Here's."""
        return self._link.request("reference", thing, name)

    def owned(self, array):
        """As library.Here's."""
        made = self._link.request("owned", array)
        del self._link.sent[-1]
        return made

    def array(self, array):
        """As library.Here's."""
        return self._link.request("array", array)

    def value(self, array):
        """As library.Here's."""
        return self._link.request("value", array) if isinstance(array, Remote) else array

    def held(self, function, *arguments, **options):
        """As library.Here's."""
        return self._link.request("held", function, list(arguments), options)

    def refused(self, function, *arguments, **options):
        """As library.Here's."""
        try:
            function(*arguments, **options)
        except StudentError as error:
            return error.kinds
        return []

    def replaced(self, path, function):
        """As library.Here's."""
        self._link.request("replaced", path, function)

    def stand_in(self, length=None, **attributes):
        """As library.Here's."""
        return self._link.request("stand_in", length, attributes)

    def calls(self):
        """{function of the student: number of calls}."""
        counts = self._link.request("calls")
        return counts if isinstance(counts, dict) else {}

    def changed(self):
        """The arrays passed so far whose bytes are no longer the same there."""
        digests = self._link.request("digests")
        if not isinstance(digests, list) or len(digests) != len(self._link.sent):
            raise Lost("answer", "the inputs are missing")
        pairs = zip(self._link.sent, digests, strict=True)
        return [array for (array, before), after in pairs if after != before]
