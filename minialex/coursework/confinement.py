"""What keeps a submission inside its process: another user and root folder, refused system calls, limits, a fence.

Used by child.py, in the process that runs the student's code. `runner` decides what is used, and reports it.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import os
import resource
import sys
from pathlib import Path
from typing import Any

READABLE = ("tree", "site", "submission")
FORBIDDEN_EVENTS = (
    "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.startfile", "pty.spawn",
    "socket.", "ctypes.", "os.kill", "os.link", "os.symlink", "os.chown", "os.chmod", "os.utime", "os.setxattr",
    "sys.setprofile", "sys.settrace", "mmap.__new__", "syslog.", "urllib.", "ftplib.", "http.", "smtplib.",
    "resource.", "signal.", "gc.get_objects", "gc.get_referrers", "fcntl.", "sqlite3.",
)  # fmt: skip
FORBIDDEN_IMPORTS = (
    "ctypes", "_ctypes", "multiprocessing", "_multiprocessing", "resource", "readline", "ssl", "_ssl", "sqlite3",
    "_sqlite3", "_gdbm", "_dbm", "torch", "scipy", "numba",
)  # fmt: skip
PATH_EVENTS = {  # event: which arguments are paths, and which descriptors of folders that they are relative to
    "os.listdir": ((0,), ()), "os.scandir": ((0,), ()), "os.chdir": ((0,), ()), "os.mkdir": ((0,), (2,)),
    "os.remove": ((0,), (1,)), "os.rename": ((0, 1), (2, 3)), "os.rmdir": ((0,), (1,)), "os.truncate": ((0,), ()),
}  # fmt: skip
READING_EVENTS = ("os.listdir", "os.scandir", "os.chdir")
FORBIDDEN_CALLS = (
    "socket", "socketpair", "connect", "bind", "listen", "accept", "accept4", "fork", "vfork", "clone", "clone3",
    "execve", "execveat", "kill", "tkill", "pidfd_send_signal", "pidfd_open", "ptrace", "process_vm_readv",
    "process_vm_writev", "mount", "umount2", "unshare", "setns", "chroot", "pivot_root", "bpf", "keyctl", "add_key",
    "request_key", "userfaultfd", "perf_event_open", "link", "linkat", "symlink", "symlinkat", "mknod", "mknodat",
    "chmod", "fchmod", "fchmodat", "chown", "fchown", "lchown", "fchownat", "setuid", "setgid", "setresuid",
    "setresgid", "setgroups", "setrlimit", "io_uring_setup", "init_module", "finit_module", "shmget", "msgget",
    "semget", "mq_open", "memfd_create", "inotify_init", "inotify_init1", "fanotify_init", "setpgid", "setsid",
    "fallocate", "setpriority", "sched_setaffinity", "sched_setscheduler", "sched_setparam", "sched_setattr",
    "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_getfd", "ioprio_set",
)  # fmt: skip
_NOT_LOADED = ("_test", "_xx", "xx", "_ctypes", "_tkinter", "_multi", "_dbm", "_gdbm", "_curses", "_crypt", "resource")


def load_compiled_modules(folders):
    """Import the standard library's compiled modules: once the root folder has changed, they find no libraries."""
    for path in (path for folder in folders for path in sorted(Path(folder).glob("*.so"))):
        if not path.name.startswith(_NOT_LOADED):
            with contextlib.suppress(ImportError):
                importlib.import_module(path.name.partition(".")[0])


def seccomp():
    """A function that refuses FORBIDDEN_CALLS to this process from then on; None without pyseccomp or libseccomp."""
    try:
        import pyseccomp
    except Exception:  # no such package; or whatever loading the system's library raises
        return None

    def confine():
        allowed = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
        for name in FORBIDDEN_CALLS:
            with contextlib.suppress(OSError, RuntimeError):  # this processor or kernel has no such call
                allowed.add_rule(pyseccomp.ERRNO(1), name)
        for name, place, other in (("prlimit64", 0, 0), ("tgkill", 0, os.getpid())):  # only for this process
            allowed.add_rule(pyseccomp.ERRNO(1), name, pyseccomp.Arg(place, pyseccomp.NE, other))
        allowed.add_rule(pyseccomp.ERRNO(1), "fcntl", pyseccomp.Arg(1, pyseccomp.EQ, fcntl.F_SETOWN))
        allowed.load()

    return confine


def hide():
    """Let no other process of this user read or change this one's memory, where the system can."""
    with contextlib.suppress(Exception):
        import ctypes

        ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE


def become(user, root=None):
    """Become another user, if the grader is root; root: the new root folder. Returns whether it is the root now."""
    if user is None:
        return False
    moved = False
    if root:
        with contextlib.suppress(PermissionError):  # root may not in some containers: rely on the other user alone
            os.chroot(root)
            moved = True
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
    return moved


def move_packages(places):
    """Tell the packages that are imported already where they find their parts now. places: {folder before: now}."""
    for module in list(sys.modules.values()):
        for before, now in places.items():
            paths = getattr(module, "__path__", None)
            if isinstance(paths, list):
                paths[:] = [now + path.removeprefix(before) if path.startswith(before) else path for path in paths]
    sys.path_importer_cache.clear()


def limit(limits):
    """Set the resource limits: CPU seconds, bytes of memory and files, numbers of files and processes."""
    for name, value in limits.items():
        kind = getattr(resource, f"RLIMIT_{name}")
        _, most = resource.getrlimit(kind)
        value = value if most == resource.RLIM_INFINITY else min(value, most)
        beyond = value + 1 if name == "CPU" else value  # first SIGXCPU, which tells the cause, then SIGKILL
        resource.setrlimit(kind, (value, beyond if most == resource.RLIM_INFINITY else min(beyond, most)))


def forget_modules(native):
    """What the submission cannot import. native: whether compiled code is loaded, for which ctypes is needed."""
    modules: dict[str, Any] = sys.modules
    forbidden = {"pyseccomp", "socket", "_socket", *FORBIDDEN_IMPORTS}
    for name in [name for name in modules if name.partition(".")[0] in forbidden]:
        del modules[name]
    if not native:
        for name in ("ctypes", "_ctypes"):
            modules[name] = None  # NumPy has imported them


def guard(root, work):
    """Install an audit hook that lets this process open only its own folders, and start or connect to nothing.

    An audit hook cannot be removed. It is not a complete protection, since it runs in the same interpreter as the code
    that it watches: it is the last fence, where the system offers no better one. It calls nothing that the submission
    can replace, and looks at paths as texts: no folder can be opened, no link made, and no path may contain "..".

    root: the scratch folder.
    work: the only folder that may be written to.
    """
    folders = [*sys.path, *(os.path.join(root, name) for name in READABLE), work]
    folders += [os.path.realpath(os.path.join(root, "site", name)) for name in os.listdir(os.path.join(root, "site"))]
    readable = (*{*folders, *map(os.path.realpath, folders)}, os.devnull)
    writable = (work, os.path.realpath(work))
    current, status, separator = os.getcwd, os.stat, os.sep
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    imports, events, reading, paths = FORBIDDEN_IMPORTS, FORBIDDEN_EVENTS, READING_EVENTS, tuple(PATH_EVENTS.items())
    text, number, nothing = str, int, type(None)

    def inside(path, allowed):
        if type(path) is number or path is None:  # an open file descriptor, or the current folder
            return True
        if type(path) is bytes:
            path = path.decode("utf-8", "surrogateescape")
        if type(path) is not text:  # an object whose own code would run here
            return False
        parts = path.split(separator)
        if ".." in parts:
            return False
        whole = separator.join([part for part in parts if part not in ("", ".")])
        whole = (
            separator + whole if path[:1] == separator else separator.join([current(), whole]) if whole else current()
        )
        return any([whole == folder or whole.startswith(folder + separator) for folder in allowed])

    def folder(path):
        try:
            return status(path).st_mode & 0o170000 == 0o040000
        except (OSError, ValueError):
            return False

    def hook(event, arguments):
        if event == "open":
            path, mode, flags = arguments
            writes = (type(mode) is text and any([letter in mode for letter in "wax+"])) or (
                type(flags) is number and flags & writing
            )
            if type(path) is nothing or type(path) is number:
                return
            if not inside(path, writable if writes else readable) or (mode is None and folder(path)):
                raise PermissionError(f"a submission may not open {path!r}")
        elif event == "import":
            name, file = arguments[:2]
            if name.partition(".")[0] in imports:
                raise ModuleNotFoundError(f"No module named {name!r}, for a submission", name=name)
            if type(file) is text and not inside(file, readable):
                raise PermissionError(f"a submission may not load {file!r}")
        elif event.startswith(events):
            raise PermissionError(f"a submission may not use {event}")
        else:
            for name, (places, descriptors) in paths:
                if event == name:
                    allowed = readable if event in reading else writable
                    relative = [i for i in descriptors if i < len(arguments) and arguments[i] not in (-1, None)]
                    if relative or not all([inside(arguments[i], allowed) for i in places]):
                        raise PermissionError(f"a submission may not use {event} there")

    def refused(*arguments, **options):
        raise PermissionError("a submission may not use this function")

    for module in (os, sys.modules[os.name]):
        for name in ("mkfifo", "mknod", "chroot", "memfd_create"):  # which tell no hook
            if hasattr(module, name):
                setattr(module, name, refused)
    sys.addaudithook(hook)
