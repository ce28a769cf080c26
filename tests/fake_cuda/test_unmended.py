"""Mistakes that the cupy backend once had, planted again in a copy: for each, the named test has to fail.

No table of cases and no emulator shows them: they lie in what CuPy, its pool and the streams do.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest

import fake_cuda

pytestmark = pytest.mark.heavy
HERE, UPLOAD = "tests/fake_cuda/test_training.py::", "minialex/backends/cuda/upload.py"
MISTAKES = {  # name: (file, text, wrong text, the test that sees it)
    "cuBLAS imported as a module": (
        "minialex/backends/cuda/gpu.py",
        "        cupy.cuda.cublas  # noqa: B018",
        "        import cupy.cuda.cublas  # noqa: B018",
        "tests/test_cases.py::test_float32_of_every_backend[add: same shape-cupy]",
    ),
    "a copy does not wait for what still uses its memory": (
        UPLOAD,
        "        copying.wait_event(cupy.cuda.get_current_stream().record())\n",
        "",
        f"{HERE}test_the_weights_do_not_depend_on_the_order_of_streams",
    ),
    "a step does not wait for its batch": (
        UPLOAD,
        "        cupy.cuda.get_current_stream().wait_event(copied)\n",
        "",
        f"{HERE}test_the_weights_do_not_depend_on_the_order_of_streams",
    ),
    "a pinned array is filled while it is copied": (
        UPLOAD,
        "            self.copied.synchronize()\n",
        "            pass\n",
        f"{HERE}test_the_weights_do_not_depend_on_the_order_of_streams",
    ),
    "leaving early does not wait for copies": (
        UPLOAD,
        "            copying.synchronize()\n",
        "            pass\n",
        f"{HERE}test_a_loop_that_is_left_early_leaves_no_copy_behind",
    ),
    "max of CuPy with an initial value": (
        "minialex/functional/reduction.py",
        "x.max(axis=axes, keepdims=True) if x.size",
        "x.max(axis=axes, keepdims=True, initial=-math.inf) if x.size",
        "tests/test_cases.py::test_float32_of_every_backend[logsumexp: one axis-cupy]",
    ),
    "arrays of CuPy compared with NumPy's": (
        "minialex/tensor.py",
        "            other = self.backend.asarray(other)  # CuPy's",
        "            pass  # CuPy's",
        "tests/test_gpu.py::test_tensors_are_compared_with_arrays_of_numpy",
    ),
    "indices beyond the end wrap around": (
        "minialex/backends/cuda/gpu.py",
        "        np.broadcast_to(np.False_, array.shape)[known]",
        "        pass",
        "tests/test_gpu.py::test_an_index_beyond_the_end_is_refused_as_numpy_refuses_it[[0, 7]]",
    ),
    "a loss read in every step": (
        "minialex/backends/cuda/gpu.py",
        "columns, sync_every, takes_bytes = 1 << 30, 20, True",
        "columns, sync_every, takes_bytes = 1 << 30, 1, True",
        f"{HERE}test_a_trainer_waits_for_its_losses_alone",
    ),
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the checkout."""
    fake_cuda.require()
    root = tmp_path_factory.mktemp("copy")
    for name in ("minialex", "kernels", "tests"):
        shutil.copytree(fake_cuda.CHECKOUT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(fake_cuda.CHECKOUT / "pyproject.toml", root)
    return root


def outcome(copy, test):
    """What becomes of one test in the copy: {"failed"}."""
    inside = not test.startswith(HERE)  # the others start processes on the fake by themselves
    environment = fake_cuda.environment() if inside else os.environ | {"PYTHONPATH": ""}
    environment |= {"MINIALEX_FAKE_CUDA": "required", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test]
    options = {"capture_output": True, "text": True, "timeout": 300, "check": False}
    done = subprocess.run(command, cwd=copy, env=environment, **options)
    last = done.stdout.splitlines()[-1]
    return set(re.findall(r"\d+ (passed|failed|skipped|error)", last)), done.stdout[-3000:] + done.stderr[-1000:]


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_seen(copy, name):
    file, text, wrong, test = MISTAKES[name]
    path = copy / file
    right = path.read_text()
    assert right.count(text) == 1, f"{file} has changed: {text!r} is not there once"
    path.write_text(right.replace(text, wrong))
    try:
        outcomes, output = outcome(copy, test)
    finally:
        path.write_text(right)
    assert outcomes == {"failed"}, output


@pytest.mark.parametrize("test", sorted({test for *_, test in MISTAKES.values()}))
def test_the_right_code_passes(copy, test):
    outcomes, output = outcome(copy, test)
    assert outcomes == {"passed"}, output
