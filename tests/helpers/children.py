"""Commands in processes of their own that start within milliseconds: forks of one process that has imported them all.

    with children.Nursery(tmp_path) as nursery:
        child = nursery.start("from minialex.convert.__main__ import main", ["a.npz", "b.npz"])
        os.kill(child.pid, signal.SIGTERM)
        done = child.end()       # .code, .out, .err

One child at a time; for two at once there are two nurseries.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]

SERVER = """
import json, os, resource, signal, sys
from minialex import cli
from minialex.support import starting
signal.signal(signal.SIGINT, starting.stop)  # as in a command
exec(sys.argv[1])
print("ready", flush=True)
for line in iter(sys.stdin.readline, ""):
    asked = json.loads(line)
    pid = os.fork()
    if not pid:
        for number, name in ((0, os.devnull), (1, asked["out"]), (2, asked["err"])):
            opened = os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            os.dup2(opened, number)
            os.close(opened)
        os.chdir(asked["cwd"])
        if asked["largest"] is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (asked["largest"],) * 2)
        names = {}
        exec(asked["code"], names)
        code = cli.run(names["main"], asked["arguments"])
        if asked["leaves at once"]:
            sys.stderr.flush()
            os._exit(code)
        sys.exit(code)
    print(pid, flush=True)
    sys.stdin.readline()  # until then its number is not given to another process
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


class Done(NamedTuple):
    """How a process ended."""

    code: int
    out: str
    err: str


class Nursery:
    """Starts children, with the current folder `folder`, and keeps what they print in it, below the name .printed.

    imported: Python that imports what children need; what is not imported here, each of them imports again.
    environment: variables.
    """

    def __init__(self, folder, imported="", **environment):
        self.folder, self._imported = Path(folder), imported
        self.printed = [self.folder / ".printed" / name for name in ("out", "err")]
        self._environment = os.environ | {"PYTHONPATH": str(ROOT)} | environment

    def __enter__(self):
        self.printed[0].parent.mkdir(exist_ok=True)
        command = [sys.executable, "-c", SERVER, self._imported]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._server = subprocess.Popen(command, text=True, env=self._environment, **pipes)
        self._heard()
        return self

    def __exit__(self, *error):
        self._server.stdin.close()
        self._server.kill()
        self._server.wait()
        self._server.stdout.close()

    def start(self, code, arguments, largest=None, at_once=False):
        """A Child: cli.run of the function `main` that `code` makes.

        largest: bytes that a file of it may have.
        at_once: whether it ends without what Python does at its end, which takes longer than most commands.
        """
        asked = {"code": code, "arguments": [str(argument) for argument in arguments], "largest": largest}
        asked["leaves at once"] = at_once
        asked |= {"cwd": str(self.folder)} | dict(zip(("out", "err"), map(str, self.printed)))
        print(json.dumps(asked), file=self._server.stdin, flush=True)
        return Child(self, int(self._heard()))

    def run(self, *asked, **options):
        """Done, of a Child that nobody stops."""
        return self.start(*asked, at_once=True, **options).end()

    def _heard(self):
        line = self._server.stdout.readline()
        assert line, "the nursery's process has ended"
        return line


class Child:
    """A process; pid: its number."""

    def __init__(self, nursery, pid):
        self.nursery, self.pid = nursery, pid

    def end(self):
        """Wait for its end; returns Done."""
        print("end", file=self.nursery._server.stdin, flush=True)
        code = int(self.nursery._heard())
        return Done(code, *(path.read_text() for path in self.nursery.printed))
