"""The tests that are marked `gpu` on the fake GPU: there they must pass, and none may skip."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
import usable
from on_request import heavy

import fake_cuda
from minialex.cases import CASES

SORTED = "argsort", "sort", "topk"
# Left out, each with its reason.
LEFT_OUT = {
    "tests/test_gpu.py::test_networks_of_full_size[alexnet-10]": "AlexNet in batches of 128 takes a CPU minutes and "
    "10 GB; test_steps_of_alexnet_as_on_numpy has batches of 2"
}
LEFT_OUT["tests/test_ports.py::test_a_script_gives_torchs_numbers[mnist_cnn-cupy]"] = (
    "CuPy indexes with a mask of truth values by warp shuffles, which are not simulated"
)
SORTING = "CuPy sorts by thrust, which is not simulated"
LEFT_OUT |= {f"tests/test_names_by_hand.py::test_every_backend_as_numpy[{name}-cupy]": SORTING for name in SORTED}
WHOLE = (
    "CuPy multiplies matrices of whole numbers by a template that NVRTC instantiates by name, which is not simulated"
)
LEFT_OUT |= {
    f"tests/test_tensor_methods.py::test_layers_compute_with_floating_point_numbers_only[cupy-{layer}-{dtype}]": WHOLE
    for layer in ("linear", "conv2d")
    for dtype in ("int64", "uint8")
}
LEFT_OUT |= {
    f"tests/functional/test_unusual_by_hand.py::test_whole_numbers_on_every_backend[{name}-cupy]": WHOLE
    for name in ("linear, bias", "conv2d")
}
OTHERS = {  # file: tests at least
    "test_gpu_training": 10,
    "test_gpu_commands": 9,
    "test_creation": 1,
    "test_hooks": 1,
    "test_saving": 1,
    "test_ports": 9,
    "test_tensor_methods": 1,
    "test_names_by_hand": 20,
    "functional/test_convnet_layers": 2,
    "functional/test_unusual_by_hand": 4,
    "optim/test_more": 1,
    "nn/test_utils": 4,
    "data/test_dataloader": 1,
}
TABLE = "tests/test_cases.py::test_{}_of_every_backend"


def gpu_tests(*arguments, **variables):
    """Their outcomes on the fake, {"passed": 12}.

    arguments: files, tests and options of pytest.
    variables: of the environment.
    """
    options = "-q", "-m", "gpu", "--heavy", "-p", "no:cacheprovider", "-p", "no:xdist"
    left_out = [f"--deselect={name}" for name in LEFT_OUT]
    done = fake_cuda.run("-m", "pytest", *options, *left_out, *arguments, timeout=1500, **variables)
    last = done.stdout.splitlines()[-1]
    return {outcome: int(n) for n, outcome in re.findall(r"(\d+) (passed|failed|skipped|xfailed|error)", last)}


@heavy
@pytest.mark.parametrize("guard", [0, 1])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_table_of_cases(dtype, guard):
    """guard=1: every array has pages of its own, and an access beyond its end is the end of the process."""
    assert gpu_tests(TABLE.format(dtype), FAKE_GUARD=guard) == {"passed": len(CASES)}


def test_a_few_of_the_table():
    names = [f"{TABLE.format('float32')}[{case.name}-cupy]" for case in CASES[::10]]
    assert gpu_tests(*names) == {"passed": len(names)}


@heavy
def test_launches_products_sizes_and_moves():
    outcomes = gpu_tests("tests/test_gpu.py")
    assert outcomes.keys() == {"passed"} and outcomes["passed"] > 150


@heavy
@pytest.mark.parametrize("order", fake_cuda.ORDERS[1:])
def test_the_same_in_other_orders_of_the_streams(order):
    """All but the large ones."""
    large = "ten_steps or one_seed or full_size or more_than_one_grid"
    outcomes = gpu_tests(
        "tests/test_gpu.py", "tests/test_gpu_training.py", "-k", f"not ({large} or alexnet)", FAKE_LAZY=order
    )
    assert outcomes.keys() == {"passed"} and outcomes["passed"] > 130


@heavy
@pytest.mark.parametrize("file", OTHERS)
def test_other_files(file):
    outcomes = gpu_tests(f"tests/{file}.py")
    assert outcomes.keys() == {"passed"} and outcomes["passed"] >= OTHERS[file]


@heavy
def test_no_gpu_test_is_forgotten():
    """All files that hold some are run above, and what is left out exists."""
    collected = fake_cuda.run("-m", "pytest", "-q", "-m", "gpu", "--heavy", "--collect-only", "tests").stdout
    names = re.findall(r"^(tests/\S+?\.py)(::.*)$", collected, re.MULTILINE)
    files = "test_cases", "test_gpu", *OTHERS
    assert {file for file, _ in names} == {f"tests/{file}.py" for file in files}
    assert LEFT_OUT.keys() <= {file + test for file, test in names}
    assert not [test for file, test in names if file == "tests/test_cases.py" and "_of_every_backend" not in test]


@heavy
def test_the_command(tmp_path):
    """As a user starts it."""
    options = "--limit", 16, "--batch-size", 8, "--epochs", 1, "--validation", 0, "--out", tmp_path / "run"
    done = fake_cuda.run("-m", "minialex.train", "--backend", "cupy", *options)
    assert "backend    cupy, float32" in done.stdout and done.stdout.splitlines()[-1].startswith("test accuracy ")


@heavy
def test_the_doctor_finds_the_gpu():
    lines = fake_cuda.run("-m", "minialex.doctor").stdout.splitlines()
    assert "cupy           works" in lines
    assert any(line.startswith("GPUs") and "Fake H200, 140.0 GiB, compute capability 9.0" in line for line in lines)


@heavy
def test_all_that_needs_a_gpu_in_one_call(tmp_path):
    """The script that is run where a GPU can be had: here with few tests and a small network."""
    fake_cuda.require()
    environment = fake_cuda.environment(PYTHON=sys.executable, PYTEST_ADDOPTS="-k test_cublas")
    command = ["bash", ".ci/gpu", str(tmp_path / "out"), "--quick", "--rival", "none"]
    options = {"capture_output": True, "text": True, "timeout": 600, "check": False}
    done = subprocess.run(command, cwd=fake_cuda.CHECKOUT, env=environment, **options)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    kept = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}
    assert kept.keys() == {"doctor.txt", "tests.txt", "bench.txt", "bench.json"}
    assert (
        re.search(r"\n9\d passed, \d+ deselected", kept["tests.txt"]) and "cupy           works" in kept["doctor.txt"]
    )
    networks = json.loads(kept["bench.json"])["networks"]
    assert [n["precision"] for n in networks] == ["float32", "tf32"]
    assert all(row["seconds"]["cupy"] > 0 for n in networks for row in n["layers"])
    assert kept["bench.txt"].count("furthest above the floor, cupy: ") == 2

    failing = environment | {"FAKE_DRY": "1", "PYTEST_ADDOPTS": "-k test_tf32"}  # nothing computed: no time, no numbers
    done = subprocess.run(command, cwd=fake_cuda.CHECKOUT, env=failing, **options)
    assert done.returncode == 1 and done.stdout.endswith("\nfailed: tests bench\n")
    assert "error: this GPU's clock shows 0.0 s" in done.stdout and "Traceback" not in done.stderr


def test_a_backend_that_raises_is_not_taken_for_a_missing_gpu(monkeypatch):
    """or_skip: where the driver shows a device, the error is the test's; where it does not, the test skips."""

    def raises(name):
        raise ValueError("it does not start")

    monkeypatch.setattr(usable.backends, "get_backend", raises)
    monkeypatch.setattr(usable.importlib.util, "find_spec", lambda name: True)
    monkeypatch.setattr(usable, "sees_gpu", lambda: True)
    with pytest.raises(ValueError, match="does not start"):
        usable.or_skip("cupy")
    monkeypatch.setattr(usable, "sees_gpu", lambda: False)
    with pytest.raises(pytest.skip.Exception, match="does not start"):
        usable.or_skip("cupy")
