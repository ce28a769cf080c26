"""How a submission is kept away from the grader: the best that the machine offers, and what that is in words.

In order: bubblewrap, which shows its processes nothing but a few folders; where the grader is root, another user and
the scratch folder as the root folder; and Python's audit hooks, a fence that a determined student can climb. Where
pyseccomp and libseccomp are installed, system calls are refused in addition.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

NOBODY = 65534  # "nobody"
FREE = range(1_000_000_000, 2_000_000_000)  # numbers of users that a system hardly has
PROBE = 20  # seconds
INTERPRETER = os.path.realpath(sys.executable)  # not that of a virtual environment


def is_root():
    """Whether this process runs as root."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


@functools.cache
def other_user():
    """The user that a submission runs as if the grader is root: a free number, so that no two graders share it."""
    user = secrets.choice(FREE)
    with tempfile.NamedTemporaryFile() as file:
        try:
            os.chown(file.name, user, user)
        except OSError:  # some containers have few users
            return NOBODY
    return user


class Shield:
    """Protection by Python's audit hooks alone, for a grader that is an ordinary user.

    user: the number of the user who must own the folders that a submission writes to; None: the grader's own.
    becomes: the user that a check's process changes to; None: none.
    enters: whether a check's process makes the scratch folder its root folder.
    mounts: whether the installed packages are mounted into the scratch folder.
    refuses: whether system calls are refused, where that is possible.
    """

    user: int | None = None
    becomes: int | None = None
    enters = mounts = False
    refuses = True
    words = "Python's audit hooks"

    def weak(self, seccomp):
        """What a hostile submission could do, a clause; empty if nothing. seccomp: whether system calls are refused."""
        return (
            "the grader runs neither as root nor with bubblewrap: a hostile submission has its permissions and could "
            "read or change files"
        )

    def guards(self, seccomp):
        """Whether a check's process installs the audit hook. seccomp: whether system calls are refused."""
        return True

    def inside(self, place):
        """Where the processes see the scratch folder. place: where the grader does."""
        return str(place)

    def command(self, place):
        """What the command line of the process begins with. place: the scratch folder."""
        return []

    def described(self, seccomp):
        """What protects the grader, in words. seccomp: whether system calls are refused."""
        return self.words + (", refused system calls (seccomp)" if seccomp else "")


class Root(Shield):
    """Another user and another root folder, for a grader that is root."""

    enters = True
    words = "another user with a root folder of its own"

    def __init__(self):
        self.user = self.becomes = other_user()

    def weak(self, seccomp):
        """See Shield."""
        return "" if seccomp else "without pyseccomp and libseccomp, a hostile submission could use the network"

    def guards(self, seccomp):
        """See Shield."""
        return not seccomp

    def described(self, seccomp):
        """See Shield."""
        return super().described(seccomp) + ("" if seccomp else ", Python's audit hooks")


class Bubblewrap(Shield):
    """Namespaces of bubblewrap: the processes see the system's programs, NumPy and the scratch folder alone."""

    mounts = True
    words = "namespaces (bubblewrap)"

    def __init__(self):
        if is_root():  # then the processes of checks change their user, which is not root's in another namespace either
            self.user = self.becomes = other_user()
            self.words = f"another user, {self.words}"

    def weak(self, seccomp):
        """See Shield."""
        return ""

    def guards(self, seccomp):
        """See Shield."""
        return False

    def inside(self, place):
        """See Shield."""
        return "/grading"

    def command(self, place):
        """See Shield."""
        options = ["--die-with-parent", "--new-session", "--dev", "/dev", "--proc", "/proc"]
        options += [f"--unshare-{name}" for name in ("ipc", "pid", "net", "uts", "cgroup-try")]
        if is_root():
            options += [word for name in ("SETUID", "SETGID", "KILL") for word in ("--cap-add", f"CAP_{name}")]
        else:
            options += ["--unshare-user"]
        for folder in ("/usr", "/lib", "/lib64", "/lib32", "/bin", "/sbin", "/etc/alternatives", "/etc/ld.so.cache"):
            if os.path.islink(folder):
                options += ["--symlink", os.readlink(folder), folder]
            elif os.path.exists(folder):
                options += ["--ro-bind", folder, folder]
        for prefix in sorted({sys.base_prefix, str(Path(INTERPRETER).parent)}):
            if not prefix.startswith("/usr"):
                above = [str(folder) for folder in reversed(Path(prefix).parents[:-1])]
                options += [word for folder in above for word in ("--perms", "0755", "--dir", folder)]
                options += ["--ro-bind", prefix, prefix]
        for folder in _installed():
            options += ["--tmpfs", folder]
        options += ["--bind", str(place), "/grading"]
        for name in ("tree", "submission", "child.py"):
            options += ["--ro-bind", f"{place}/{name}", f"/grading/{name}"]
        for path in packages():
            options += ["--ro-bind", str(path), f"/grading/site/{path.name}"]
        return ["bwrap", *options, "--chdir", "/grading", "--"]


def _installed():
    """Folders of installed packages, beside the interpreter's own modules and the system's."""
    tops = {Path(sys.base_prefix) / "lib", Path("/usr/lib"), Path("/usr/local/lib")}
    folders = {path for top in tops for kind in ("site", "dist") for path in top.glob(f"python3*/{kind}-packages")}
    return sorted(str(path) for path in folders if path.is_dir() and not path.is_symlink())


@functools.cache
def best():
    """The best Shield that works here."""
    if shutil.which("bwrap") and _works(bubblewrap := Bubblewrap()):
        return bubblewrap
    return Root() if is_root() else Shield()


def _works(shield):
    """Whether bubblewrap may create its namespaces here, which many containers forbid, and finds the interpreter."""
    with tempfile.TemporaryDirectory(prefix="minialex-probe-") as folder:
        place = Path(folder)
        place.chmod(0o755)
        for name in ("tree", "submission"):
            (place / name).mkdir()
        (place / "child.py").write_text("import numpy")
        (place / "site").mkdir()
        for path in packages():
            (place / "site" / path.name).mkdir() if path.is_dir() else (place / "site" / path.name).touch()
        run = [INTERPRETER, "-I", "-S", "-c", "import sys; sys.path.append('/grading/site'); import numpy"]
        try:
            command = [*shield.command(place), *run]
            return not subprocess.run(command, capture_output=True, timeout=PROBE).returncode
        except (OSError, subprocess.SubprocessError):
            return False


@functools.cache
def packages():
    """The paths of the installed packages that a submission's process needs besides the library."""
    found = importlib.util.find_spec("numpy")
    assert found and found.origin, "the grader runs on NumPy"
    installed = Path(found.origin).resolve().parents[1]
    paths = [installed / "numpy", installed / "numpy.libs"]
    if seccomp := importlib.util.find_spec("pyseccomp"):
        paths.append(Path(str(seccomp.origin)))
    return [path for path in paths if path.exists()]
