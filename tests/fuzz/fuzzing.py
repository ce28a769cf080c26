"""Reading mutated files in a process of its own, with limits, and saying what went wrong.

    with Worker() as worker:
        result = worker.run(name, range(300))        # name: a key of TARGETS in targets.py
    assert not result.findings, result.described()

A reader may return a right result, or refuse its input in one sentence. Everything else is a finding, by kind:

    traceback     an error of another type than those that commands print as a sentence
    message       a refusal without a sentence of ours: another library's words, or none
    hang          more than 10 seconds
    memory        more than 300 MB beyond what the process took before, or as much asked for
    crash         the end of the process
    outside       a file written, made or removed, but for those that reading may write
    executed      another program started, a connection opened, code run
    printed       a line on stderr
    refused       a change that means nothing, such as the order of an archive's members, is not accepted
    other         ... or changes what is read

The input of a seed is always the same: it depends on the target, the seed and the samples alone.
"""

from __future__ import annotations

import contextlib
import dataclasses
import faulthandler
import hashlib
import importlib
import json
import linecache
import mmap
import os
import random
import re
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
from fuzz import mutate

ROOT = Path(__file__).parents[2]
SECONDS, MEGABYTES = 10, 300
LONGEST = 3000  # characters of a message
IN_ITS_PLACE = "missing", "folder", "link", "pipe"  # what may stand where a file should


@dataclasses.dataclass(frozen=True)
class Target:
    """Files that are read together.

    samples: a function of an empty folder, which it may use, that returns valid inputs, each {file name: content}.
    read: a function of the folder with the files. What it returns is compared by `digest`.
    kinds: {pattern of file names: key of mutate.KINDS}; other files are not changed.
    same: {pattern: key of mutate.SAME}.
    writes: whether reading may write to the folder.
    says: a regular expression for lines that it may print on stderr.
    raises: the types of errors that are a refusal.
    repaired: a function of the files that makes checksums and lengths in them fit, applied to most inputs.
    needs: modules; without one of them the target cannot be tried.
    """

    samples: Callable[[Path], list[dict[str, bytes]]]
    read: Callable[[Path], Any]
    kinds: dict[str, str]
    same: dict[str, str] = dataclasses.field(default_factory=dict)
    writes: bool = False
    says: str = "(?!)"
    raises: tuple[type[Exception], ...] = (ValueError, OSError)
    repaired: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    needs: tuple[str, ...] = ()


@dataclasses.dataclass
class Finding:
    """What went wrong with the input of a seed, kept in the folder `kept`."""

    seed: int
    kind: str
    text: str
    kept: str = ""

    @property
    def place(self):
        """The same for findings that probably have one cause."""
        frames = re.findall(r'File ".*?(minialex/\S+)", line (\d+)', self.text) or [("", "")]
        last = self.text.strip().rpartition("\n")[2]
        return self.kind, *frames[-1], re.sub(r"0x[0-9a-f]+|\d+|'.*'", "*", last)[:60]


@dataclasses.dataclass
class Result:
    """How many inputs were accepted and refused, and what went wrong."""

    name: str
    accepted: int = 0
    refused: int = 0
    findings: list[Finding] = dataclasses.field(default_factory=list)

    @property
    def inputs(self):
        return self.accepted + self.refused + len(self.findings)

    def described(self, most=10):
        """The findings as text, one of each cause first, with the command that repeats it."""
        causes = {}
        for finding in self.findings:
            causes.setdefault(finding.place, []).append(finding)
        lines = [f"{self.name}: {len(self.findings)} findings of {len(causes)} causes in {self.inputs} inputs"]
        for found in list(causes.values())[:most]:
            first = found[0]
            lines += [
                "",
                f"{first.kind}, {len(found)} times, seeds {', '.join(str(f.seed) for f in found[:8])}: {first.kept}",
                f"    python tests/fuzz/run.py {self.name} --seed {first.seed}",
                *(f"    {line}" for line in first.text.strip().splitlines()[-25:]),
            ]
        return "\n".join(lines)


# ------------------------------------------------------------------------------------------------------------- inputs


def _of(table, name):
    return next((value for pattern, value in table.items() if fnmatch(name, pattern)), None)


def make_input(name, target, samples, seed):
    """({file name: content, or one of IN_ITS_PLACE}, whether it must be read as its sample, the sample's number)."""
    rng = random.Random(f"{name} {seed}")
    number = rng.randrange(len(samples))
    files: dict[str, Any] = dict(samples[number])
    names = sorted(file for file in files if _of(target.kinds, file))
    what, chosen = rng.random(), rng.choice(names)
    if what < 0.1 and (same := _of(target.same, chosen)):
        files[chosen] = mutate.SAME[same](rng, files[chosen])
        return files if target.repaired is None else target.repaired(files), True, number
    if 0.1 <= what < 0.13:
        files[chosen] = rng.choice((*IN_ITS_PLACE, *rng.sample(mutate.STRANGERS, 3)))
    else:
        for file in [chosen, *rng.sample(names, rng.choice((0, 0, 0, min(1, len(names)))))]:
            kind = _of(target.kinds, file)
            others = [sample[file] for sample in samples if file in sample]
            files[file] = mutate.KINDS[kind](rng, files[file], others)
    if target.repaired is not None and rng.random() < 0.8:
        files = target.repaired(files)
    return files, False, number


def put(files, folder, present=None):
    """Make a folder hold these files and no others.

    present: the files that were put there before, if nothing has changed them since.
    """
    if present is None:
        shutil.rmtree(folder, ignore_errors=True)
        present = {}
    for name in present:
        if present[name] != files.get(name):
            path = folder / name
            shutil.rmtree(path) if present[name] == "folder" else path.unlink(missing_ok=True)
            while (path := path.parent) != folder and path.is_dir() and not os.listdir(path):
                path.rmdir()
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / name
        if present.get(name) == content:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content == "folder":
            path.mkdir()
        elif content == "link":
            path.symlink_to("nowhere")
        elif content == "pipe":
            os.mkfifo(path)


def _stamps(folder):
    """What changes where a file below a folder is written, made or removed."""
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            status = os.lstat(path := os.path.join(place, name))
            found[path] = status.st_size, status.st_mtime_ns, status.st_ino
    return found


def digest(value):
    """A text that is equal for equal values: of dicts, lists, tuples, arrays and plain values."""
    hashed = hashlib.sha256()

    def add(value):
        if isinstance(value, dict):
            hashed.update(b"{")
            for key in sorted(value, key=str):
                add(key)
                add(value[key])
            hashed.update(b"}")
        elif isinstance(value, (list, tuple)):
            hashed.update(type(value).__name__.encode())
            for item in value:
                add(item)
            hashed.update(b"]")
        elif isinstance(value, (np.ndarray, np.generic)):
            hashed.update(f"{value.dtype} {value.shape} ".encode() + value.tobytes())
        else:
            hashed.update(f"{type(value).__name__} {value!r};".encode(errors="backslashreplace"))

    add(value)
    return hashed.hexdigest()


# --------------------------------------------------------------------------------------------- in the worker's process

_CHANGES = {  # audit event: how many of its first arguments are paths that are changed
    **{f"os.{name}": 1 for name in ("remove", "mkdir", "rmdir", "truncate", "chmod", "chown", "utime", "setxattr")},
    **{f"os.{name}": 2 for name in ("rename", "link", "symlink")},
}
# ... and the first of those that are the open folders, or -1, which relative paths start from.
_FOLDERS = {"os.remove": 1, "os.rmdir": 1, "os.mkdir": 2, "os.rename": 2}
_STARTS = (
    *("os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "os.startfile", "subprocess.Popen"),
    *(
        "pty.spawn",
        "socket.connect",
        "socket.bind",
        "socket.getaddrinfo",
        "webbrowser.open",
        "pickle.find_class",
        "code.__new__",
    ),
)
_EVALUATING = "typing.py", "dataclasses.py", "collections/__init__.py"  # annotations and classes of the program's own
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Guard:
    """An audit hook that sees, and prevents, what reading a file must not do, while it is `armed`."""

    def __init__(self, work):
        self.work, self.armed, self.allowed = str(work), False, ()
        self.seen: list[tuple[str, str]] = []

    def __call__(self, event, arguments):
        if not self.armed:
            return
        if event == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & _WRITING:
                self._check(event, path)
        elif event in _CHANGES:
            for path, folder in zip(arguments[: _CHANGES[event]], arguments[_FOLDERS.get(event, 9) :] or (-1, -1)):
                self._check(event, path, folder)
        elif event in _STARTS:
            self._forbid("executed", f"{event}{arguments!r:.300}")
        elif event == "exec" and arguments[0].co_filename.startswith(("<string>", self.work)):
            if sys._getframe(1).f_code.co_filename.endswith(_EVALUATING):
                return
            self._forbid("executed", f"code of {arguments[0].co_filename}: {arguments[0].co_names!r:.200}")

    def _check(self, event, path, folder=-1):
        if isinstance(path, int):
            return
        within = os.readlink(f"/proc/self/fd/{folder}") if folder >= 0 else ""
        path = os.path.abspath(os.path.join(within, os.fsdecode(path)))
        if path != os.devnull and not f"{path}/".startswith(self.allowed):
            self._forbid("outside", f"{event} {path!r:.300}")

    def _forbid(self, kind, text):
        self.seen.append((kind, text))
        raise RuntimeError(f"forbidden here: {text}")


def _status():
    """(resident now, its peak, what RLIMIT_DATA limits) of this process, in bytes; zeros where there is no /proc."""
    try:
        text = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        return 0, 0, 0
    found = {name: int(size) * 1024 for name, size in re.findall(r"(VmRSS|VmHWM|VmData):\s+(\d+) kB", text)}
    return tuple(found.get(name, 0) for name in ("VmRSS", "VmHWM", "VmData"))


def _chain(error):
    """An error and those that it came of."""
    seen = []
    while error is not None and error not in seen:
        seen.append(error)
        error = error.__cause__ or error.__context__
    return seen


def _of_the_compiler(error):
    """Whether Python's compiler has raised a MemoryError, which it does for brackets and signs that nest too deeply."""
    return traceback.extract_tb(error.__traceback__)[-1].filename.endswith("ast.py")


def _is_our_sentence(error):
    """Whether a statement of ours raised an error, or the system, which then names the file."""
    if isinstance(error, OSError) and error.errno is not None and error.filename is not None:
        return True
    cause = error
    while (before := cause.__cause__ or cause.__context__) and str(before) == str(error):  # passed on as it is
        cause = before
    trace = cause.__traceback__
    while trace.tb_next:
        trace = trace.tb_next
    file = trace.tb_frame.f_code.co_filename
    own = Path(file).is_relative_to(ROOT / "minialex") or Path(file).is_relative_to(ROOT / "tests/fuzz")
    return own and linecache.getline(file, trace.tb_lineno).lstrip().startswith("raise ")


class _Batch:
    """A target in the worker's process, with its samples.

    work: the worker's folder; the input is in work/input.
    """

    def __init__(self, name, target, work):
        self.name, self.target, self.input = name, target, work / "input"
        made = work / "samples"
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir()
        self.samples = target.samples(made)
        shutil.rmtree(made)
        self.present: dict[str, Any] | None = None  # the files of the last input, if they are still as they were
        self.right = []
        for files in self.samples:
            put(files, self.input)
            self.right.append(digest(target.read(self.input)))

    def outcome(self, seed, guard, work, megabytes):
        """("accepted" or "refused", "") or (kind of finding, text)."""
        files, same, number = make_input(self.name, self.target, self.samples, seed)
        put(files, self.input, self.present)
        self.present = None
        before, around = _stamps(self.input), sorted(os.listdir(work))
        with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w", encoding="utf-8") as file:
            file.write("5")  # the peak is from here on
        resident = _status()[0]
        guard.allowed = (f"{work}/cache/", f"{work}/home/", *([f"{self.input}/"] if self.target.writes else []))
        guard.seen, guard.armed = [], True
        try:
            value, error = self.target.read(self.input), None
        except Exception as caught:
            value, error = None, caught
        finally:
            guard.armed = False
        value = digest(value) if error is None else None
        if found := self._wrong(error, guard, megabytes, resident):
            return found
        if not self.target.writes:
            if _stamps(self.input) != before:
                return "outside", "the files of the input are not as they were"
            self.present = files
        if (now := sorted(os.listdir(work))) != around or os.listdir(work / "current"):
            return "outside", f"beside the input there are {now}, {os.listdir(work / 'current')}"
        if error is not None:
            return ("refused", "") if not same else ("refused anyway", _told(error))
        return ("accepted", "") if not same or value == self.right[number] else ("other", "another value is read")

    def _wrong(self, error, guard, megabytes, resident):
        if guard.seen:
            return guard.seen[0][0], guard.seen[0][1] + (f"\n{_told(error)}" if error else "")
        memory = [one for one in _chain(error) if isinstance(one, MemoryError) and not _of_the_compiler(one)]
        if memory:
            return "memory", _told(memory[0])
        peak = _status()[1]
        if resident and peak - resident > megabytes * 2**20:
            return "memory", f"{(peak - resident) / 2**20:.0f} MB" + (f"\n{_told(error)}" if error else "")
        if printed := _printed(self.target.says):
            return "printed", printed
        if error is None:
            return None
        room = type(error).__module__.partition(".")[0]
        plain = room in ("builtins", "minialex") and not isinstance(error, UnicodeError)
        if not isinstance(error, self.target.raises):
            return "traceback", _told(error)
        if not plain or not _is_our_sentence(error) or not 10 <= len(str(error)) <= LONGEST:
            return "message", _told(error)
        return None


def _told(error):
    return "".join(traceback.format_exception(error))[-6000:]


def _printed(allowed):
    """The lines on stderr since the last call that a pattern does not allow."""
    sys.stderr.flush()
    size = os.fstat(2).st_size
    if not size:
        return ""
    text = os.pread(2, size, 0).decode(errors="backslashreplace")
    os.ftruncate(2, 0)
    return "\n".join(line for line in text.splitlines() if line.strip() and not re.match(allowed, line))[:3000]


def serve(table, work):
    """What the worker's process does: answer requests, a line of JSON each, until there are no more."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(os.open(work / "stderr", os.O_RDWR | os.O_CREAT | os.O_APPEND), 2)
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.dont_write_bytecode = True
    guard = Guard(work)
    sys.addaudithook(guard)
    targets = importlib.import_module(table).TARGETS
    _warn_as_commands_do()
    progress = mmap.mmap(os.open(work / "progress", os.O_RDWR), 32)
    hung = open(work / "hung", "w", encoding="utf-8")  # noqa: SIM115
    batches: dict[str, _Batch] = {}
    limits = resource.getrlimit(resource.RLIMIT_DATA)
    for line in sys.stdin:
        request = json.loads(line)
        name = request["name"]
        try:
            if name not in batches:
                resource.setrlimit(resource.RLIMIT_DATA, limits)
                batches[name] = _Batch(name, targets[name], work)
                _printed(".*")
        except Exception as error:
            print(json.dumps({"broken": _told(error)}), file=answers)
            continue
        if "keep" in request:
            batch, folder = batches[name], Path(request["folder"])
            put(make_input(name, batch.target, batch.samples, request["keep"])[0], folder)
            print(json.dumps({"done": True}), file=answers)
            continue
        resource.setrlimit(resource.RLIMIT_DATA, limits)
        if data := _status()[2]:
            wanted = data + request["megabytes"] * 2**20
            resource.setrlimit(resource.RLIMIT_DATA, (wanted, limits[1]))
        batches[name].present = None  # another target's input may be there
        accepted = refused = 0
        for seed in range(request["first"], request["end"]):
            progress[:] = struct.pack("<qqqq", seed, accepted, refused, 0)
            faulthandler.dump_traceback_later(request["seconds"], exit=True, file=hung)
            try:
                kind, text = batches[name].outcome(seed, guard, work, request["megabytes"])
            except Exception as error:  # a mutation that fails
                print(json.dumps({"broken": f"seed {seed}: {_told(error)}"}), file=answers)
                break
            faulthandler.cancel_dump_traceback_later()
            if kind in ("accepted", "refused") and not text:
                accepted, refused = accepted + (kind == "accepted"), refused + (kind == "refused")
                continue
            finding = {"seed": seed, "kind": kind.removesuffix(" anyway"), "text": text}
            print(json.dumps({"finding": finding}), file=answers)
            if kind in ("memory", "executed", "outside"):  # what follows is better done by a fresh process
                progress[:] = struct.pack("<qqqq", seed + 1, accepted, refused, 1)
                os._exit(3)
        else:
            print(json.dumps({"done": True, "accepted": accepted, "refused": refused}), file=answers)


def _warn_as_commands_do():
    """Print every warning, but for those that Python and minialex.cli leave out."""
    warnings.simplefilter("always")
    for kind in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
        warnings.simplefilter("ignore", kind)
    warnings.filterwarnings("ignore", module=r"PIL\.")


# --------------------------------------------------------------------------------------------- in the process that asks


class Broken(Exception):
    """A target cannot be tried: its samples cannot be made, or are not read."""


class Worker:
    """A process that reads mutated files. It is started when it is needed, and again after each that ends.

    table: the module with TARGETS.
    kept: the folder for inputs that something went wrong with; a new temporary folder if None.
    seconds, megabytes: limits for one input.
    """

    def __init__(self, table="fuzz.targets", kept=None, seconds=SECONDS, megabytes=MEGABYTES):
        self.table, self.seconds, self.megabytes = table, seconds, megabytes
        self._kept, self._process, self._work = kept, None, None

    def run(self, name, seeds):
        """The Result of the inputs of a target.

        name: of the target.
        seeds: a range.

        Raises Broken where the target itself is.
        """
        result, first = Result(name), seeds.start
        while first < seeds.stop:
            answers = self._ask(name=name, first=first, end=seeds.stop, seconds=self.seconds, megabytes=self.megabytes)
            for answer in answers:
                if "finding" in answer:
                    result.findings.append(Finding(**answer["finding"]))
            if answers and answers[-1].get("done"):
                result.accepted += answers[-1]["accepted"]
                result.refused += answers[-1]["refused"]
                break
            first, accepted, refused, planned = struct.unpack("<qqqq", (self._work / "progress").read_bytes())
            result.accepted, result.refused = result.accepted + accepted, result.refused + refused
            if not planned:  # the process did not come to say anything
                result.findings.append(self._last_words(first))
                first += 1
            self.close()
        for finding in self._of_each_cause(result.findings):
            finding.kept = self.keep(name, finding.seed)
        return result

    def keep(self, name, seed):
        """Write the input of a seed to a folder that stays; returns its path."""
        self._kept = Path(self._kept or tempfile.mkdtemp(prefix="minialex-fuzz-"))
        folder = self._kept / f"{name}-{seed}"
        self._ask(name=name, keep=seed, folder=str(folder))
        return str(folder)

    def _of_each_cause(self, findings):
        causes = {}
        for finding in findings:
            causes.setdefault(finding.place, finding)
        return causes.values()

    def _last_words(self, seed):
        hung = (self._work / "hung").read_text(encoding="utf-8", errors="replace")
        code = self._process.wait()
        said = (self._work / "stderr").read_text(encoding="utf-8", errors="replace")
        return Finding(seed, "hang" if hung else "crash", hung or f"{said}\nexit code {code}")

    def _ask(self, **request):
        """The answers to a request, up to the last one or the end of the process."""
        if self._process is None:
            self._start()
        answers = []
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            answers.append(json.loads(line))
            if "broken" in answers[-1]:
                raise Broken(f"{request['name']}: {answers[-1]['broken']}")
            if "done" in answers[-1]:
                break
        return answers

    def _start(self):
        self._work = Path(tempfile.mkdtemp(prefix="minialex-fuzzing-")).resolve()
        for name in ("input", "cache", "home", "current"):
            (self._work / name).mkdir()
        (self._work / "progress").write_bytes(bytes(32))
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "tests", ROOT / "tests/helpers"))),
            "XDG_CACHE_HOME": str(self._work / "cache"),
            "HOME": str(self._work / "home"),
            "TMPDIR": str(self._work / "home"),
            "MINIALEX_PROGRESS": "off",
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
        }
        start = "import sys; from fuzz.fuzzing import *; serve(sys.argv[1], Path(sys.argv[2]))"
        self._process = subprocess.Popen(
            [sys.executable, "-c", start, self.table, str(self._work)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=self._work / "current",
        )

    def close(self):
        """End the process and remove its folder."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            shutil.rmtree(self._work, ignore_errors=True)
            self._process = None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()
