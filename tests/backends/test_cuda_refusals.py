"""What the cupy backend says where something is missing: CuPy itself, on the fake GPU without that part."""

from __future__ import annotations

import re

import fake_cuda
import pytest
from on_request import heavy_but

CASES = {  # FAKE_WITHOUT: (what the sentence must name, what it must not)
    "driver": (r"\bdriver\b", r"too old|NVRTC|cuBLAS"),
    "old-driver": (r"\bdriver\b.*\b(old|12\.8|insufficient)\b", r"no NVIDIA driver|NVRTC|cuBLAS"),
    "device": (r"\b(device|GPU)\b", r"no NVIDIA driver|too old|NVRTC|cuBLAS"),
    "nvrtc": (r"NVRTC", r"cuBLAS|no NVIDIA driver"),
    "cublas": (r"cuBLAS", r"NVRTC|no NVIDIA driver"),
}
ASK = """
from minialex import backends
try:
    backends.get_backend("cupy")
except ValueError as error:
    print(error)
"""


@pytest.mark.parametrize("part", heavy_but(["cublas"], CASES))
def test_what_is_missing_is_named(part):
    named, wrong = CASES[part]
    sentence = fake_cuda.run("-c", ASK, FAKE_WITHOUT=part).stdout.strip()
    assert re.search(named, sentence) and not re.search(wrong, sentence), sentence
    assert sentence.startswith("the cupy backend cannot be used here (") and len(sentence.splitlines()) == 1


@pytest.mark.parametrize("part", heavy_but(["driver"], CASES))
def test_the_command_says_it_in_one_line(part, tmp_path):
    arguments = "-m", "minialex.train", "--backend", "cupy", "--limit", 10, "--out", tmp_path / "run"
    done = fake_cuda.run(*arguments, check=False, FAKE_WITHOUT=part)
    named, wrong = CASES[part]
    assert done.returncode == 2 and not (tmp_path / "run").exists()
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ") and re.search(named, line) and not re.search(wrong, line)


TEST = "tests/test_cases.py::test_float32_of_every_backend"


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("part", "outcome"),
    [("driver", "skipped"), ("device", "skipped"), ("old-driver", "failed"), ("nvrtc", "failed"), ("cublas", "failed")],
)
def test_gpu_tests_skip_only_where_there_is_no_gpu(part, outcome):
    """With a driver and a device the backend must work: a test that skipped would hide that it does not."""
    options = "-q", "-p", "no:cacheprovider", "-m", "gpu", "-k", "relu"
    done = fake_cuda.run("-m", "pytest", *options, TEST, check=False, FAKE_WITHOUT=part)
    outcomes = set(re.findall(r"\d+ (passed|failed|skipped|error)", done.stdout.splitlines()[-1]))
    assert outcomes == {outcome}, done.stdout
