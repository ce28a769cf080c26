"""A GPU that is not there, for the real CuPy in processes that tests start: see README.md.

done = fake_cuda.run("-m", "minialex.train", "--backend", "cupy", "--limit", 16)
done = fake_cuda.run("program.py", FAKE_LAZY=2)
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from . import build

HERE = Path(__file__).parent
PROGRAMS = HERE / "programs"
CHECKOUT = HERE.parents[1]
FAILED = 86  # exit code of a process in which the fake found a problem
ORDERS = (0, 1, 2, 3)  # of FAKE_LAZY


@cache
def missing():
    """Why the fake cannot be built here, in one sentence; None where it can."""
    return build.missing()


def require():
    """Skip the test where the fake cannot be built; fail it where MINIALEX_FAKE_CUDA=required."""
    if reason := missing():
        if os.environ.get("MINIALEX_FAKE_CUDA") == "required":
            pytest.fail(f"MINIALEX_FAKE_CUDA=required, but {reason}")
        pytest.skip(reason)


@cache
def _folder():
    return build.folder()


def environment(**variables):
    """os.environ for a process whose CuPy finds the fake GPU; it is built first if need be.

    variables: further ones, such as FAKE_LAZY=2; README.md lists the fake's own.
    """
    folder = _folder()
    libraries = "lib_without_driver" if variables.get("FAKE_WITHOUT") == "driver" else "lib"

    def before(name, *paths):
        return os.pathsep.join([*map(str, paths), *filter(None, [os.environ.get(name)])])

    return os.environ | {
        "FAKE_CUDA": str(folder),
        "FAKE_KERNELS": str(folder / "kernels"),
        "FAKE_BLAS": str(build.blas()),
        "FAKE_GPP": shlex.join(build.kernel_compiler(folder)),
        "PYTHONPATH": before("PYTHONPATH", HERE / "site", CHECKOUT),
        "LD_LIBRARY_PATH": before("LD_LIBRARY_PATH", folder / libraries),
        "CUPY_CACHE_DIR": str(folder / "cupy"),
        "CUPY_ACCELERATORS": "",  # CUB's reductions are device code that g++ cannot compile
        **{name: str(value) for name, value in variables.items()},
    }


def run(*arguments, check=True, timeout=600, cwd=None, **variables):
    """Run Python in the fake's environment; without the fake, the test skips or fails as in require().

    arguments: of Python: a script, "-c" and a text, "-m" and a module.
    check: whether the process must succeed.
    timeout: seconds.
    cwd: its folder, the checkout's if None.
    variables: of the environment.

    Returns a subprocess.CompletedProcess with texts.
    """
    require()
    command = [sys.executable, *map(str, arguments)]
    environ = environment(**variables)
    done = subprocess.run(
        command, env=environ, cwd=cwd or CHECKOUT, capture_output=True, text=True, timeout=timeout, check=False
    )
    if check:
        assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
    return done


def program(name, *arguments, **options):
    """What a program of the folder `programs` prints in its last line, which is JSON.

    name: of the file.
    arguments: of the program.
    options: of run.
    """
    return json.loads(run(PROGRAMS / name, *arguments, **options).stdout.splitlines()[-1])
