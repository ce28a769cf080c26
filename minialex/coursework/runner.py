"""The grader's side: starts the processes in which a submission runs, with limits, and judges what they answer."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..support.text import printable
from . import protection
from .declaration import arrays
from .remote import GraderFault, Link, Lost, StudentError, There

MEMORY = 400 * 2**20  # bytes of address space
STARTING = 120.0  # seconds in which the library must be imported, on a busy machine
COMPILING = 240.0  # seconds of processor time for all kernels of a submission
ASLEEP = 2.0  # seconds beyond a check's limit in which its process may neither run nor wait for a processor
OVERDUE = 20.0  # a process that has not got its processor time after so many times that time is the machine's fault
MOST_FILES = 1000  # that it may leave there
WRITTEN = 32 * 2**20  # bytes of files that a check's process may leave in its folder
SHOWN = 2000  # characters of a submission's output that are shown


@dataclass(frozen=True)
class Outcome:
    """The outcome of a check.

    passed: whether it passed.
    message: for the student, empty if it passed.
    kind: of the fault, one word, empty if it passed; "grader" for a fault of the grader or its machine.
    seconds: of processor time that it took.
    printed: by the submission.
    """

    passed: bool
    message: str
    kind: str
    seconds: float = 0.0
    printed: str = ""


class Room:
    """The process that imports the library for a submission and forks one for each check; a context.

    place: the scratch folder, from tree.scratch.
    native: whether the submission is compiled.
    shield: a protection.Shield.

    Raises GraderFault where the process does not start.
    """

    def __init__(self, place, native, shield):
        self.place, self.native, self.shield = Path(place), native, shield
        self._lock = threading.Lock()
        self.seccomp = False

    def __enter__(self):
        self.control, theirs = socket.socketpair()
        self._errors = tempfile.TemporaryFile()
        arguments = [
            protection.INTERPRETER,
            "-I",
            "-S",
            "-B",
            f"{self.shield.inside(self.place)}/child.py",
            str(theirs.fileno()),
        ]
        self._process = subprocess.Popen(
            [*self.shield.command(self.place), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=self._errors,
            stderr=self._errors,
            env=_environment(self.place),
            cwd=self.place,
            pass_fds=(theirs.fileno(),),
            start_new_session=True,
        )
        theirs.close()
        self.control.settimeout(STARTING)
        try:
            imports = ["numpy", *LIBRARY, *(NATIVE if self.native else ())]
            data = json.dumps({"imports": imports, "seccomp": self.shield.refuses}).encode()
            self.control.sendall(struct.pack("<Q", len(data)) + data)
            self.seccomp = bool(self._told()["seccomp"])
        except GraderFault:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error):
        self.control.close()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._errors.close()

    def ask(self, kind, order, descriptors=()):
        """What the process says to an order. kind: "start", "end" or "times"; order: its content; descriptors: sent."""
        with self._lock:
            try:
                socket.send_fds(self.control, [json.dumps({kind: order}).encode()], descriptors)
                return self._told()
            except OSError as error:
                raise GraderFault(f"the process that starts the checks has ended ({error})") from error

    def _told(self):
        try:
            (size,) = struct.unpack("<Q", self._received(8))
            return json.loads(self._received(size))
        except (OSError, EOFError, ValueError) as error:
            self._errors.seek(0)
            lines = self._errors.read().decode(errors="replace").strip().splitlines()
            why = lines[-1] if lines else f"{type(error).__name__} {error}".strip()
            raise GraderFault(f"the process for the submission does not start ({why})") from error

    def _received(self, size):
        data = b""
        while len(data) < size:
            block = self.control.recv(size - len(data))
            if not block:
                raise EOFError("it has ended")
            data += block
        return data

    @contextlib.contextmanager
    def process(self, limits, seconds, compiles=False):
        """A context with the process of a check.

        limits: of resources, see confinement.limit.
        seconds: of processor time, for what it is told.
        compiles: whether it compiles kernels, for which it needs the compiler's files.

        Yields a _Process.
        """
        with contextlib.ExitStack() as stack:
            work = tempfile.mkdtemp(prefix="work-", dir=self.place)
            stack.callback(_remove, work)
            if self.shield.user is not None:
                os.chown(work, self.shield.user, self.shield.user)
            printed = stack.enter_context(tempfile.TemporaryFile())
            ours, theirs = socket.socketpair()
            stack.callback(ours.close)
            request = {
                "work": Path(work).name,
                "limits": limits,
                "native": self.native,
                "compiles": compiles,
                "user": self.shield.becomes,
                "enter": self.shield.enters and not compiles,
                "guard": self.shield.guards(self.seccomp) and not self.native,
                "wait": int(OVERDUE * seconds + STARTING) + 5,
            }
            try:
                pid = self.ask("start", request, (theirs.fileno(), printed.fileno()))["pid"]
            finally:
                theirs.close()
            process = _Process(self, pid, ours, seconds, printed, work)
            stack.callback(process.end)
            yield process


class _Process:
    """The process of a check. link: a Link to it; seconds: of processor time that it may use."""

    def __init__(self, room, pid, connection, seconds, printed, work):
        self.room, self.pid, self.seconds, self._printed, self._work = room, pid, seconds, printed, work
        self.link = Link(connection, self._overdue)
        self.used: dict = {}

    def _overdue(self, waited):
        """Raise Lost where the process sleeps or fills the disk, and GraderFault where the machine does not run it."""
        self.check_written()
        if waited < self.seconds:
            return
        times = self.room.ask("times", self.pid)
        if "waited" in times and waited - times["cpu"] - times["waited"] > self.seconds + ASLEEP:
            raise Lost("time")
        if waited > OVERDUE * self.seconds + STARTING:
            if "waited" not in times:  # this system does not tell: it is most likely asleep
                raise Lost("time")
            raise GraderFault(f"the machine is too busy: {times['cpu']:.1f} of {waited:.0f} seconds were its own")

    def check_written(self):
        """Raise Lost where it has written too much."""
        sizes = _written(self._work)
        if sum(itertools.islice(sizes, MOST_FILES)) > WRITTEN or next(sizes, None) is not None:
            raise Lost("answer", f"it has written more than {WRITTEN >> 20} MB, or {MOST_FILES} files")

    def end(self):
        """Kill it. Returns how it ended, a dict."""
        if not self.used:
            self.used = self.room.ask("end", self.pid)
        return self.used

    def printed(self):
        """The beginning of what it has printed."""
        self._printed.seek(0)
        lines = self._printed.read(SHOWN).decode(errors="replace").split("\n")
        return "\n".join(map(printable, lines))

    def explained(self, lost):
        """(message, kind) of a Lost."""
        status = self.end()["status"]
        if lost.kind == "time" or status == -signal.SIGXCPU:
            return f"stopped after {self.seconds:g} seconds: it did not finish", "time"
        if lost.kind == "answer":
            return str(lost), "error"
        if self.room.native and -status in (signal.SIGILL, signal.SIGTRAP):  # the sanitizer's answer
            return "a kernel uses an index beyond the end of a local array", "error"
        known = {number.value: number.name for number in signal.Signals}
        how = f"was killed by {known.get(-status, f'signal {-status}')}" if status < 0 else f"ended with code {status}"
        return f"the process {how} before it answered", "died"


LIBRARY = (
    "minialex", "minialex.coursework.confinement", "minialex.coursework.plugging", "minialex.coursework.wire",
    "minialex.support.reachable",
)  # fmt: skip
NATIVE = ("minialex.coursework.kernels",)


def run_check(room, assignment, check, inputs, expected):
    """Run a check on a submission.

    room: a Room.
    assignment: an Assignment.
    check: one of its checks.
    inputs: a dict, as from the check's `draw`.
    expected: {name: array}, the library's answers.

    Returns an Outcome.
    Raises GraderFault.
    """
    limits = {"CPU": int(check.seconds) + 1, "AS": MEMORY, "FSIZE": 4 * 2**20, "NOFILE": 64, "NPROC": 1, "CORE": 0}
    with room.process(limits, check.seconds) as process:
        message, kind = _judged(process, assignment, check, inputs, expected)
        used = process.end()
        return Outcome(not kind, printable(_short(message)), kind, used.get("cpu", 0.0), process.printed())


def compile_kernels(room, assignment):
    """Compile a submission's kernels.

    room: a Room.
    assignment: an Assignment.

    Returns (message, kind) of a fault, or two empty texts.
    Raises GraderFault.
    """
    limits = {"FSIZE": 64 * 2**20, "NOFILE": 256, "CORE": 0}
    built = room.place / "built"
    if room.shield.user is not None:
        os.chown(built, room.shield.user, room.shield.user)
    built.chmod(0o755)
    with contextlib.ExitStack() as stack:
        stack.callback(_close, built)
        process = stack.enter_context(room.process(limits, COMPILING, compiles=True))
        try:
            process.link.request("compile", targets_of(assignment))
        except StudentError as error:
            if "GraderFault" in error.kinds:
                raise GraderFault(error.message) from error
            message, kind = _told(error)
            return printable(_short(message)), kind
        except Lost as lost:
            return process.explained(lost)
    return "", ""


def _close(folder):
    """Let nobody write into a folder any more: the process of one check could leave something there for another."""
    for path in (folder, *folder.iterdir()):
        if protection.is_root():
            os.chown(path, 0, 0, follow_symlinks=False)
        if not path.is_symlink():
            path.chmod(0o555)


def targets_of(assignment):
    """[[file, names], ...] of an assignment, for the student's process."""
    return [[target.file, list(target.names)] for target in assignment.targets]


def _judged(process, assignment, check, inputs, expected):
    """(message, kind) of what is wrong, or two empty texts."""
    library = There(process.link)
    try:
        process.link.request("plug", targets_of(assignment))
        got = arrays(check.run(library, **inputs))
        changed = [_name(array, inputs) for array in library.changed()]
        process.check_written()
        if not any(library.calls().values()):
            return "none of your functions was called", "error"
    except StudentError as error:
        return _told(error)
    except Lost as lost:
        return process.explained(lost)
    except GraderFault:
        raise
    except Exception as error:  # the same code has passed with the library's functions: a result is to blame
        return f"a result is not what the check expected: {type(error).__name__}: {error}", "error"
    return verdict(check, inputs, expected, got, changed)


def _written(folder):
    """Yield the size of each file and folder within a folder, as far as they can be reached."""
    folders = [folder]
    while folders:
        with contextlib.suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                yield entry.stat(follow_symlinks=False).st_size


def _remove(folder):
    """Delete a folder, however deep it is."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except RecursionError:
        subprocess.run(["rm", "-rf", folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _name(array, inputs):
    return next((name for name, value in inputs.items() if value is array), "an argument")


def _told(error):
    """(message, kind) of an exception in the student's code."""
    place = f" ({error.place})" if error.place else ""
    if "NotImplementedError" in error.kinds:
        return f"not written yet{place}", "empty"
    if "MemoryError" in error.kinds:
        return f"out of memory{place}", "memory"
    message = " ".join(error.message.split())
    place = "" if place.strip(" ()") and place.strip(" ()") in message else place  # a SyntaxError's own text tells it
    # a KernelError's message contains its place
    return (message if "KernelError" in error.kinds else f"{error.kinds[0]}: {message}{place}"), "error"


def verdict(check, inputs, expected, got, changed=()):
    """Compare a check's answers, and let the check explain a mistake.

    check: a Check.
    inputs: a dict.
    expected, got: {name: array}.
    changed: names of inputs that have changed.

    Returns (message, kind) of what is wrong, or two empty texts.
    """
    if changed:
        return (
            f"{changed[0]} has changed: it belongs to the caller, so compute in a new array (beware of +=, out= and "
            "views)",
            "input",
        )
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
