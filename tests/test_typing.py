"""What mypy finds in a user's script: nothing in a right one, and each mistake of a wrong one, at its line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "tests" / "typing"


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """{file: {line: codes}} of what `mypy --strict` finds in the scripts, as where the package is installed."""
    pytest.importorskip("mypy", reason="mypy is not installed")
    folder = tmp_path_factory.mktemp("mypy")
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--no-error-summary"]
    command += [f"--cache-dir={folder}", "--config-file=", *map(str, sorted(SCRIPTS.glob("*.py")))]
    environment = os.environ | {"MYPYPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert not done.stderr and "Cannot find implementation" not in done.stdout, done.stdout + done.stderr
    errors = {path.name: {} for path in SCRIPTS.glob("*.py")}
    for file, line, code in re.findall(r"(\w+\.py):(\d+): error: .*  \[([\w-]+)\]$", done.stdout, re.M):
        errors[file].setdefault(int(line), set()).add(code)
    print(done.stdout)
    return errors


@pytest.mark.heavy
def test_a_right_script(found):
    assert found["correct.py"] == {}


@pytest.mark.heavy
def test_each_mistake_at_its_line(found):
    lines = (SCRIPTS / "wrong.py").read_text().splitlines()
    planted = {n: {line.split("  # ")[1]} for n, line in enumerate(lines, 1) if "  # " in line}
    assert len(planted) >= 15 and found["wrong.py"] == planted


def test_the_right_script_imports_and_its_network_runs():
    """It is a script that works, not only one that mypy likes."""
    names = {"__name__": "correct"}
    exec(compile((SCRIPTS / "correct.py").read_text(), "correct.py", "exec"), names)
    import numpy as np

    from minialex.tensor import Tensor

    net, x = names["Net"](3), Tensor(np.zeros((2, 3, 32, 32), np.float32))
    assert net(x).shape == (2, 3) and net(x, features=True).shape == (2, 16)
    assert names["parameters"](net) > 0 and names["arithmetic"](np.random.default_rng(0)).dtype == np.float64
