"""The process in which a submission runs: it calls what the grader tells it to call, and knows nothing else.

`runner` starts it, isolated (-I -S), as `child.py` of the scratch folder, which contains

    tree/minialex/      the library, with the functions that the student writes left empty; no checks, no grader
    site/               NumPy, and no other installed package
    submission/         the student's files

    work-...            the folder of a check, the only one it can write to
    built/              the student's kernels, compiled for all checks
    python/             the standard library, where the scratch folder becomes the root folder

This process imports the library once. For each check it forks another one, which gives up its rights, reads the
student's files and serves the grader's requests: call this function with these arrays, read that attribute, and so on.
The grader alone draws the inputs and judges the answers.
"""

import contextlib
import hashlib
import importlib
import itertools
import json
import os
import signal
import socket
import struct
import sys
import traceback
from pathlib import Path
from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))
LINK = 3  # the descriptor of the connection to the grader, in a check's process
_link: Any = None


# ------------------------------------------------------------------------------------------ the process that forks


def main():
    """Import the library, then start and end the processes of checks, as the grader asks through a socket."""
    control = socket.socket(fileno=int(sys.argv[1]))
    request = json.loads(_received(control, *struct.unpack("<Q", _received(control, 8))))
    standard = [path for path in sys.path if os.path.isdir(path) and "-packages" not in path and path != HERE]
    sys.path[:] = [*standard, os.path.join(HERE, "site"), os.path.join(HERE, "tree")]
    for name in request["imports"]:
        importlib.import_module(name)
    from minialex.coursework import confinement

    confine = confinement.seccomp() if request["seccomp"] else None
    confinement.load_compiled_modules(standard)
    confinement.hide()
    told: dict[str, Any] = {"seccomp": confine is not None}
    started: set[int] = set()
    while True:
        data = json.dumps(told).encode()
        control.sendall(struct.pack("<Q", len(data)) + data)
        data, descriptors, _, _ = socket.recv_fds(control, 2**16, 2)
        if not data:  # the grader is gone
            for pid in started:
                _kill(pid)
            os._exit(0)
        (kind, order), *_ = json.loads(data).items()
        if kind == "start":
            told = {"pid": _start(control, descriptors, order, confine)}
            started.add(told["pid"])
        else:
            told = _times(order) | (_end(order) if kind == "end" else {})
            started -= {order} if kind == "end" else set()


def _start(control, descriptors, request, confine):
    """Fork the process of a check. descriptors: of its connection to the grader, and of the file for its output."""
    pid = os.fork()
    if pid:
        for descriptor in descriptors:
            os.close(descriptor)
        return pid
    try:
        os.setsid()
        control.close()
        link, printed = (os.dup2(descriptor, number) for descriptor, number in zip(descriptors, (200, 201)))
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(printed, 1)
        os.dup2(printed, 2)
        os.dup2(link, LINK)
        os.closerange(LINK + 1, 256)
        signal.alarm(request["wait"])  # ends this process even if the grader is killed
        _serve(request, confine)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)  # even if threads are still running


def _end(pid):
    """Kill the process of a check; returns how it ended, and the processor time that it has used."""
    _kill(pid)
    _, status, used = os.wait4(pid, 0)
    return {"status": os.waitstatus_to_exitcode(status), "cpu": used.ru_utime + used.ru_stime}


def _kill(pid):
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


def _times(pid):
    """Seconds of processor time that a process has used, and that it has waited for a processor; {} if unknown."""
    try:
        used, waited, _ = Path(f"/proc/{pid}/schedstat").read_text().split()
    except (OSError, ValueError):
        return {}
    return {"cpu": int(used) / 1e9, "waited": int(waited) / 1e9}


# ------------------------------------------------------------------------------------------ the process of a check


def _serve(request, confine):
    """Give up rights, then answer the grader's requests until it closes the connection."""
    global _link
    from minialex.coursework import confinement

    moved = confinement.become(request["user"], HERE if request["enter"] else None)
    confinement.hide()  # anew, since changing the user undoes it
    root = "/" if moved else HERE
    if moved:
        standard = os.path.dirname(os.__file__)
        confinement.move_packages({HERE: "", standard: "/python"})
        sys.path[:] = ["/python", "/python/lib-dynload", "/site", "/tree"]
    work = os.path.join(root, request["work"])
    os.chdir(work)
    os.environ.update({"HOME": work, "TMPDIR": work})
    _link = _Link(socket.socket(fileno=LINK))
    confinement.limit(request["limits"])
    if not request["compiles"]:
        confinement.forget_modules(request["native"])
        if confine:
            confine()
        if request["guard"]:
            confinement.guard(root, work)
    _link.serve(_Operations(root, request["native"]))


class _Link:
    """The connection to the grader: its requests arrive here, and its functions are called through it."""

    def __init__(self, connection):
        from minialex.coursework import wire

        self.connection, self.wire = connection, wire
        self.objects: list = []  # those that the grader refers to by numbers
        self.numbers: dict[int, int] = {}
        self.inputs: list = []  # the arrays of the grader's requests
        self.operations: Any = None

    def serve(self, operations):
        """Answer requests until the grader closes the connection."""
        self.operations = operations
        while (message := self.read(None, self.inputs)) is not None:
            self.answer(message)

    def answer(self, message):
        """Do what a request asks for, and send the result or the error."""
        kind, *arguments = message
        try:
            data = self.packed(("value", getattr(self.operations, kind)(*arguments)))
        except BaseException as error:  # including sys.exit() and Ctrl-C
            data = self.packed(("fault", *_fault(error)))
        with contextlib.suppress(Exception):  # closed or full: the output is not essential
            sys.stdout.flush()
        self.connection.sendall(data)

    def ask(self, number, arguments, options):
        """Call a function of the grader, which may send requests meanwhile; returns its result."""
        arrays: list = []
        self.connection.sendall(self.packed(("callback", number, list(arguments), options), arrays))
        while (message := self.read(arrays, sent := [])) is not None:
            kind, *content = message
            if kind == "value":
                return content[0]
            if kind == "raise":
                raise _error(*content)
            self.inputs += sent
            self.answer(message)
        os._exit(0)

    def number(self, thing):
        """The number by which the grader refers to an object."""
        if id(thing) not in self.numbers:
            self.numbers[id(thing)] = len(self.objects)
            self.objects.append(thing)
        return self.numbers[id(thing)]

    def packed(self, message, arrays=None):
        """A message as bytes. arrays: a list to which its arrays are appended."""
        return self.wire.packed(message, self._unknown, arrays)

    def _unknown(self, thing):
        if isinstance(thing, Kept):
            return {"handle": thing.number}
        return None if _is_array(thing) else {"handle": self.number(thing)}

    def read(self, arguments, arrays):
        """The next message, None at the end. arguments: arrays of the callback in progress; arrays: as in `wire`."""
        head = _received(self.connection, self.wire.HEAD.size)
        if not head:
            return None
        text, blocks = (_received(self.connection, size) for size in self.wire.lengths(head))
        known = {"handle": self.objects.__getitem__, "function": Function, "argument": (arguments or []).__getitem__}
        return self.wire.unpacked(text, blocks, lambda tag, number: known[tag](number), arrays)


class Function:
    """A function of the grader."""

    __slots__ = ("number",)

    def __init__(self, number):
        self.number = number

    def __call__(self, *arguments, **options):
        return _link.ask(self.number, arguments, options)


class Kept:
    """Stands for an array that stays here: the grader gets its number."""

    def __init__(self, array):
        self.number = _link.number(array)


class _Operations:
    """The requests of the grader. `library.py` describes those that a check can make."""

    def __init__(self, root, native):
        self.root, self.native = root, native
        self.stack = contextlib.ExitStack()
        self.counts: dict[str, int] = {}

    def compile(self, targets):
        """Compile the student's kernels. targets: [[file, names], ...]."""
        from minialex.coursework import kernels
        from minialex.coursework.targets import Target

        wanted = [Target(file, tuple(names)) for file, names in targets]
        kernels.prepare(wanted, Path(self.root, "submission"), Path(self.root, "built"))

    def plug(self, targets):
        """Read the student's files. targets: [[file, names], ...]."""
        from minialex import backends, random
        from minialex.coursework.plugging import plugged
        from minialex.coursework.targets import Target

        if self.native:
            from minialex.coursework import kernels

            kernels.built = Path(self.root, "built")
        backends.use_backend("numpy")
        random.manual_seed(0)
        wanted = [Target(file, tuple(names)) for file, names in targets]
        self.counts = self.stack.enter_context(plugged(wanted, os.path.join(self.root, "submission")))

    def calls(self):
        """{function of the student: number of calls}."""
        return dict(self.counts)

    def digests(self):
        """SHA-256 of every array of the grader's requests as it is now."""
        return [hashlib.sha256(array.tobytes()).hexdigest() for array in _link.inputs]

    def module(self, name):
        return importlib.import_module(name)

    def get(self, thing, name):
        if isinstance(thing, type(sys)) and hasattr(thing, "__path__") and name not in vars(thing):
            with contextlib.suppress(ModuleNotFoundError):
                return importlib.import_module(f"{thing.__name__}.{name}")
        return getattr(thing, name)

    def set(self, thing, name, value):
        setattr(thing, name, value)

    def item(self, thing, key):
        return thing[key]

    def set_item(self, thing, key, value):
        thing[key] = value

    def call(self, function, arguments, options):
        return function(*arguments, **options)

    def method(self, thing, name, arguments, options):
        return getattr(thing, name)(*arguments, **options)

    def length(self, thing):
        return len(thing)

    def listed(self, thing, most):
        return [*itertools.islice(thing, most)]

    def kind(self, thing):
        return type(thing).__name__

    def reference(self, thing, name):
        return Kept(getattr(thing, name))

    def owned(self, array):
        del _link.inputs[-1]
        return Kept(array)

    def array(self, array):
        return Kept(array)

    def value(self, thing):
        return thing

    def held(self, function, arguments, options):
        made = function(*arguments, **options)
        results = [
            Kept(item) if _is_array(item) else item for item in (made if type(made) in (tuple, list) else [made])
        ]
        return results if type(made) in (tuple, list) else results[0]

    def replaced(self, path, function):
        from minialex.coursework.plugging import replaced

        self.stack.enter_context(replaced(path, function))

    def stand_in(self, length, attributes):
        from minialex.coursework.plugging import StandIn

        return StandIn(length, attributes)


def _is_array(thing):
    return isinstance(thing, sys.modules["numpy"].ndarray)


def _fault(error):
    """(names of the error's class and its bases, message, place in the student's files)."""
    theirs = f"{os.sep}submission{os.sep}"
    frames = traceback.extract_tb(error.__traceback__)
    place = ""
    for frame in frames:
        if theirs in frame.filename:
            place = f"{os.path.basename(frame.filename)}, line {frame.lineno}"
    if isinstance(error, SyntaxError) and error.filename:
        place = f"{os.path.basename(error.filename)}, line {error.lineno}"
    if any(os.path.basename(frame.filename) == "kernels.py" for frame in frames):  # its messages contain file and line
        place = ""
    try:
        message = str(error)[:500]
    except Exception:  # the student's own exception class
        message = ""
    return [kind.__name__[:80] for kind in type(error).__mro__[:8]], message, place


def _error(name, message):
    """An exception that a function of the grader has raised."""
    kind = getattr(sys.modules["builtins"], name, None)
    raised = kind if isinstance(kind, type) and issubclass(kind, Exception) else RuntimeError
    return raised(message)


def _received(connection, size):
    """So many bytes from a socket; b"" at its end."""
    data = bytearray()
    while len(data) < size:
        block = connection.recv(min(size - len(data), 2**20))
        if not block:
            return b""
        data += block
    return bytes(data)


if __name__ == "__main__":
    main()
