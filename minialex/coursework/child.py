"""The child process in which a submission runs: it receives a check's inputs and returns arrays, and knows no scores.

`runner` starts it, isolated (-I -S), as `child.py` of the scratch folder, which contains

    tree/minialex/      the library, with the functions that the student writes left empty
    site/               NumPy, and no other installed package
    submission/         the student's files

    work-...            the folder of this check, the only one it can write to
    built/              the student's kernels, compiled for all checks

If the parent is root, the process changes its user and makes the scratch folder its root folder, after all trusted
modules have been imported, so that nothing else is reachable. See also `guard`. Its answer is not trusted: the parent
compares it.
"""

import contextlib
import importlib
import json
import os
import resource
import signal
import struct
import sys
import traceback
from pathlib import Path
from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))
READABLE = ("tree", "site", "submission")
FORBIDDEN_EVENTS = (
    "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.startfile", "pty.spawn",
    "socket.", "ctypes.", "os.kill", "os.link", "os.symlink", "os.chown", "os.chmod", "sys.setprofile", "sys.settrace",
    "mmap.__new__", "syslog.", "urllib.", "ftplib.", "http.", "smtplib.", "resource.", "signal.", "gc.", "shutil.",
)  # fmt: skip
USUAL_IMPORTS = (
    "abc", "bisect", "collections", "contextlib", "copy", "dataclasses", "functools", "heapq", "itertools", "math",
    "numpy.fft", "numpy.lib.stride_tricks", "numpy.linalg", "numpy.random", "operator", "random", "re", "statistics",
    "string", "textwrap", "threading", "time", "types", "typing", "warnings",
)  # fmt: skip
FORBIDDEN_IMPORTS = ("ctypes", "_ctypes", "multiprocessing", "resource", "torch", "scipy", "numba")
PATH_EVENTS = ("os.listdir", "os.scandir", "os.chdir", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate")


def main():
    """Read a request from stdin, run the check, and write the answer to stdout."""
    request = json.loads(_receive(sys.stdin.buffer))
    inputs = _receive(sys.stdin.buffer)
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # the student's output must not mix with the answer
    signal.alarm(request["wait"])  # ends this process even if the parent is killed
    _limit(request["limits"])
    sys.path[:] = [*_standard_library(), os.path.join(HERE, "site"), os.path.join(HERE, "tree")]
    try:
        reply, arrays = {"fault": None}, _run(request, inputs)
    except BaseException as error:  # including sys.exit() and Ctrl-C
        reply, arrays = _fault(error), b""
    with contextlib.suppress(OSError, ValueError):  # closed or full: the output is not essential
        sys.stdout.flush()
    _send(answer, json.dumps(reply).encode())
    _send(answer, arrays)
    answer.flush()
    os._exit(0)  # even if threads are still running


def _run(request, inputs):
    """Run the check with the student's functions; returns its arrays as the bytes of an .npz file.

    Trusted modules are imported first: afterwards not even the standard library may be reachable.
    """
    for name in (*USUAL_IMPORTS, "minialex.support.reachable"):
        importlib.import_module(name)
    assignment = importlib.import_module(f"minialex.coursework.{request['assignment']}").ASSIGNMENT
    from minialex import backends
    from minialex.coursework.messages import read_inputs, write_arrays
    from minialex.coursework.plugging import plugged

    backends.use_backend("numpy")
    given = read_inputs(inputs)
    if request["check"] is None:  # compile; without chroot, since the compiler is outside the scratch folder
        _become(request["user"])
        assignment.prepare(Path(HERE, "submission"), Path(HERE, "built"))
        return write_arrays({})
    check = assignment.check(request["check"])
    kernels: Any = importlib.import_module("minialex.coursework.kernels") if request["native"] else None
    root = _become(request["user"], HERE)
    if kernels:
        kernels.built = Path(root, "built")
    work = os.path.join(root, request["work"])
    os.chdir(work)
    if not request["native"]:  # audit hooks do not see compiled code, which must be loaded by ctypes
        guard(root, work)
    with plugged(assignment.targets, os.path.join(root, "submission")) as calls:
        got = check.answers(given)
        if not any(calls.values()):
            raise RuntimeError("none of your functions was called")
    return write_arrays(got)


def _become(user, new_root=None):
    """Become another user, if the parent is root; returns the scratch folder's path from now on."""
    if user is None:
        return HERE
    root = HERE
    if new_root:
        with contextlib.suppress(PermissionError):  # root may not in some containers: rely on the other user alone
            os.chroot(new_root)
            root = "/"
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
    return root


def guard(root, work):
    """Install an audit hook that lets this process open only its own folders, and start or connect to nothing.

    An audit hook cannot be removed. It is not a complete protection, since it runs in the same interpreter as the code
    that it watches; so as root, the process also gets another user and another root folder.

    root: the scratch folder.
    work: the only folder that may be written to.
    """
    readable = [os.path.realpath(path) for path in _standard_library()]
    readable += [os.path.realpath(os.path.join(root, name)) for name in READABLE]
    readable += [os.path.realpath(os.path.join(root, "site", name)) for name in ("numpy", "numpy.libs")]
    readable += [os.path.realpath(work), os.devnull]
    work = os.path.realpath(work)
    realpath, fspath, separator = os.path.realpath, os.fspath, os.sep
    reachable = sys.modules["minialex.support.reachable"]
    engine = {reachable.reachable.__code__, reachable._referents.__code__}  # these inspect what an operation saved
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

    def inside(path, folders):
        if isinstance(path, int):  # an open file descriptor
            return True
        path = realpath(os.fsdecode(fspath(path)))
        return any(path == folder or path.startswith(folder + separator) for folder in folders)

    def hook(event, arguments):
        if event == "gc.get_referents" and sys._getframe(1).f_code in engine:
            return
        if event == "open":
            path, mode, flags = arguments
            writes = (isinstance(mode, str) and set(mode) & set("wax+")) or (isinstance(flags, int) and flags & writing)
            if path is not None and not inside(path, (work,) if writes else readable):
                raise PermissionError(f"a submission may not open {path!r}")
        elif event == "import":
            name, file = arguments[:2]
            if name.partition(".")[0] in FORBIDDEN_IMPORTS:
                raise ModuleNotFoundError(f"No module named {name!r}, for a submission", name=name)
            if isinstance(file, str) and not inside(file, readable):
                raise PermissionError(f"a submission may not load {file!r}")
        elif event in PATH_EVENTS:
            if arguments[0] is not None and not inside(arguments[0], readable if event.endswith("dir") else (work,)):
                raise PermissionError(f"a submission may not use {event} there")
        elif event.startswith(FORBIDDEN_EVENTS):
            raise PermissionError(f"a submission may not use {event}")

    modules: dict[str, Any] = sys.modules
    for name in ("ctypes", "_ctypes"):
        modules[name] = None  # NumPy has imported them
    sys.addaudithook(hook)


def _standard_library():
    """Where the interpreter's own modules are: all of sys.path, since -S left the installed ones out."""
    return [path for path in sys.path if os.path.isdir(path) and "site-packages" not in path and path != HERE]


def _limit(limits):
    """Set the resource limits: CPU seconds, bytes of memory and files, numbers of files and processes."""
    for name, value in limits.items():
        kind = getattr(resource, f"RLIMIT_{name}")
        _, most = resource.getrlimit(kind)
        value = value if most == resource.RLIM_INFINITY else min(value, most)
        beyond = value + 1 if name == "CPU" else value  # first SIGXCPU, which tells the cause, then SIGKILL
        resource.setrlimit(kind, (value, beyond if most == resource.RLIM_INFINITY else min(beyond, most)))


def _fault(error):
    """The error's type, message, and place in the student's files."""
    theirs = f"{os.sep}submission{os.sep}"
    frames = traceback.extract_tb(error.__traceback__)
    place = (
        "in the check's own code, working on your result" if any(frame.name == "answers" for frame in frames) else ""
    )
    if any(os.path.basename(frame.filename) == "kernels.py" for frame in frames):  # its messages contain file and line
        place = ""
    for frame in frames:
        if theirs in frame.filename:
            place = f"{os.path.basename(frame.filename)}, line {frame.lineno}"
    if isinstance(error, SyntaxError) and error.filename:
        place = f"{os.path.basename(error.filename)}, line {error.lineno}"
    try:
        message = str(error)[:500]
    except Exception:  # the student's own exception class
        message = ""
    return {"fault": type(error).__name__[:80], "message": message, "place": place}


def _receive(stream):
    (length,) = struct.unpack("<Q", stream.read(8))
    return stream.read(length)


def _send(stream, data):
    stream.write(struct.pack("<Q", len(data)))
    stream.write(data)


if __name__ == "__main__":
    main()
