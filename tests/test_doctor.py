"""The doctor tells what is broken, of a machine that has it all and of one that has nothing whole."""

from __future__ import annotations

import ctypes
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minialex import backends, cli, doctor, threads
from minialex.backends.cuda import compile as cuda_compile
from minialex.backends.cuda.compile import ARCHITECTURES, CompileError, Usage
from minialex.backends.numpy_backend import NumPyBackend


def lines(text):
    """{what a line begins with: the rest of it}."""
    return dict(re.findall(r"^(\S+(?: \S+)?) {2,}(\S.*)$", text, re.M))


@pytest.fixture
def made(monkeypatch):
    """The backends that exist already, to put another in place of one."""
    for name in backends.available():
        monkeypatch.setitem(backends._made, name, NumPyBackend())
    monkeypatch.setattr(doctor, "FACTS", {})
    return backends._made


# ---------------------------------------------------------------------------------------------- the report


@pytest.mark.heavy
def test_a_machine_where_the_fast_cpu_works(capsys):
    assert cli.run(doctor.main, []) == 0
    out, err = capsys.readouterr()
    told = lines(out)
    assert "Traceback" not in err and set(doctor.FACTS) | set(backends.available()) <= set(told)
    assert told["NumPy"].startswith(f"{np.__version__}, BLAS: ") and "thread" in told["NumPy"]
    assert re.search(r"^\d\S+; kernels run in \d+ threads? of minialex's pool", told["Numba"])
    assert told["numpy"] == told["numba"] == "works"
    assert out.endswith("\n--backend auto chooses numba\n")


BROKEN = {
    "numba.py": "raise {error}('libllvm: cannot open')",
    "cupy.py": "raise OSError('the cache folder cannot be made')",
    "matplotlib.py": "raise SystemError('''\n======\nbuilt for another Python\nand more''')",
    "torch.py": "raise ImportError('libcudart: version mismatch')",
}


@pytest.mark.parametrize("error", [pytest.param("OSError", marks=pytest.mark.heavy), "AttributeError"])
def test_a_machine_where_everything_is_broken(tmp_path, error):
    for name, text in BROKEN.items():
        (tmp_path / name).write_text(text.format(error=error))
    for name in ("g++", "nvcc"):
        (tmp_path / name).write_text("#!/bin/sh\necho 'cannot execute cc1plus' >&2\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path(__file__).parents[1])]),
        "PATH": os.pathsep.join([str(tmp_path), os.environ["PATH"]]),
        "CXX": "",
    }
    command = [sys.executable, "-m", "minialex.doctor"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    told = lines(done.stdout)
    assert told["Numba"] == "unusable: libllvm: cannot open"
    assert told["matplotlib"] == "unusable: built for another Python"
    assert told["CuPy"] == "unusable: the cache folder cannot be made"
    assert told["torch"] == "unusable: libcudart: version mismatch"
    for name in ("C++ compiler", "nvcc"):
        assert re.fullmatch(r"unusable: \S+ --version failed with code 1 \(cannot execute cc1plus\)", told[name])
    assert told["numpy"] == "works"
    assert "libllvm: cannot open" in told["numba"] and "pip install --upgrade numba numpy" in told["numba"]
    assert told["cupy"] == "does not work: CuPy does not start: the cache folder cannot be made"
    assert "cannot compute (the kernels do not compile" in told["emulator"] and "variable CXX" in told["emulator"]
    assert "--backend auto chooses numpy" in done.stdout


def test_what_is_not_installed(monkeypatch, tmp_path):
    for name in ("cupy", "matplotlib", "mpi4py", "torch"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("CuPy", "matplotlib", "torch", "nvcc", "MPI", "NCCL"):
        assert doctor._guarded(doctor.FACTS[name]).startswith("not installed (")


def test_a_backend_without_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.setattr(backends, "_made", {})
    assert doctor.trouble("numba").endswith(": pip install numba")


# ---------------------------------------------------------------------------------------------- the driver


class Driver:
    """NVIDIA's driver, with these GPUs: (name, bytes, compute capability)."""

    def __init__(self, *gpus, status=0):
        self.gpus, self.status = gpus, status

    def cuInit(self, flags):
        return self.status

    def cuDeviceGetCount(self, count):
        count._obj.value = len(self.gpus)
        return 0

    def cuDeviceGet(self, device, index):
        device._obj.value = 10 + index  # a handle need not be the index
        return 0

    def cuDeviceGetName(self, name, size, device):
        name.value = self.gpus[device.value - 10][0].encode()[: size - 1]
        return 0

    def cuDeviceTotalMem_v2(self, memory, device):
        memory._obj.value = self.gpus[device.value - 10][1]
        return 0

    def cuDeviceGetAttribute(self, number, attribute, device):
        number._obj.value = self.gpus[device.value - 10][2][{75: 0, 76: 1}[attribute]]
        return 0


def with_driver(monkeypatch, driver):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: driver)
    return doctor._guarded(doctor.FACTS["GPUs"])


def test_gpus(monkeypatch):
    found = with_driver(monkeypatch, Driver(("NVIDIA A", 141 << 30, (9, 0)), ("NVIDIA B", 3 << 29, (7, 5))))
    assert found == ("NVIDIA A, 141.0 GiB, compute capability 9.0; NVIDIA B, 1.5 GiB, compute capability 7.5")
    assert with_driver(monkeypatch, Driver()) == "none found"


def test_a_driver_without_devices(monkeypatch):
    assert with_driver(monkeypatch, Driver(status=100)) == "unusable: the NVIDIA driver's cuInit failed with error 100"


# ---------------------------------------------------------------------------------------------- the backends


class Wrong(NumPyBackend):
    """One of y, gx, gw, gb is wrong in one place."""

    def __init__(self, which, value):
        self.which, self.value = which, value

    def spoil(self, arrays, start):
        for index, array in enumerate(arrays, start):
            if index == self.which:
                array[(-1,) * array.ndim] += np.abs(array).max() * self.value

    def conv2d(self, *arguments):
        y, saved = super().conv2d(*arguments)
        self.spoil([y], 0)
        return y, saved

    def conv2d_backward(self, *arguments):
        gradients = super().conv2d_backward(*arguments)
        self.spoil(gradients, 1)
        return gradients


@pytest.mark.parametrize("which", range(4), ids=["y", "gx", "gw", "gb"])
@pytest.mark.parametrize("value", [1e-3, np.nan])
def test_wrong_numbers(made, capsys, which, value):
    made["numba"] = Wrong(which, value)
    made["numba"].name = "numba"
    assert cli.run(doctor.main, []) == 1
    told = lines(capsys.readouterr().out)
    said = r"relative error of (nan|\d\.\de-0[34]); install compatible"  # the spoilt entry may be the largest
    assert re.search(said, told.pop("numba")) and set(told.values()) == {"works"}


def test_a_backend_that_nobody_needs_may_fail(made, capsys):
    made["emulator"].conv2d = None
    made["numba"].name = "numba"
    assert cli.run(doctor.main, []) == 0
    told = lines(capsys.readouterr().out)["emulator"]
    assert re.match(r"does not work: it starts but cannot compute \(.*not callable\); set the variable CXX", told)


def test_numpy_has_to_work(made):
    made["numpy"].conv2d = None
    made["numba"].name = "numba"
    assert cli.run(doctor.main, []) == 1


# ---------------------------------------------------------------------------------------------- --kernels


def missing(error):
    def compile_by(text, real):
        raise error

    return compile_by


def fake(text, real):
    first = {"float": 10, "double": 20}[real]
    return [
        Usage(kernel, architecture, first + i + 5 * (kernel == "relu"), first, 8 * (kernel == "relu"), 0)
        for i, architecture in enumerate(ARCHITECTURES)
        for kernel in ("relu", "adam")
    ]


def test_the_table_of_kernels(monkeypatch, capsys):
    monkeypatch.setattr(cuda_compile, "by_nvrtc", missing(OSError("no NVRTC")))
    monkeypatch.setattr(cuda_compile, "by_nvcc", fake)
    assert cli.run(doctor.main, ["--kernels"]) == 0
    title, _, header, *rows = capsys.readouterr().out.splitlines()
    assert title.endswith("by nvcc") and header.split()[:4] == ["kernel", *ARCHITECTURES]
    assert [row.split() for row in rows] == [
        ["adam", "10/20", "11/21", "12/22", "10/20", "0"],
        ["relu", "15/25", "16/26", "17/27", "10/20", "8"],
    ]
    assert len({len(line) for line in (header, *rows)}) == 1


@pytest.mark.parametrize(
    ("nvrtc", "said"),
    [
        (OSError("pip install it"), "error: pip install it; no nvcc"),
        (CompileError("NVRTC: a.cu(1)"), "error: NVRTC: a"),
    ],
)
def test_no_table(monkeypatch, capsys, nvrtc, said):
    monkeypatch.setattr(cuda_compile, "by_nvrtc", missing(nvrtc))
    monkeypatch.setattr(cuda_compile, "by_nvcc", missing(OSError("no nvcc")))
    assert cli.run(doctor.main, ["--kernels"]) == 2
    assert capsys.readouterr().err.startswith(said)


# ---------------------------------------------------------------------------------------------- --tune


class TestTune:
    @pytest.fixture
    def quick(self, monkeypatch, tmp_path):
        """One round, of one step, of two ways."""
        pytest.importorskip("numba")
        from minialex.backends.fast_cpu import tune, ways

        before = threads.count()
        monkeypatch.setattr(tune, "ROUNDS", 1)
        monkeypatch.setattr(tune, "LONG_ENOUGH", 1e-9)
        monkeypatch.setattr(ways, "CHANNELS", {(4, 3): 1024})
        monkeypatch.chdir(tmp_path)
        yield tune
        threads.set_count(before)

    def run(self, *arguments):
        return cli.run(doctor.main, ["--tune", "my.json", *arguments])

    @pytest.mark.heavy  # compiles F(4,3)
    def test_the_layers_of_a_network(self, quick, tmp_path, capsys):
        assert self.run("--tune-model", "shapes_net", "--threads", "1") == 0
        out = capsys.readouterr().out
        assert out.startswith("ms of forward and backward in 1 thread of ")
        header, *rows = out.split("\n\n")[1].splitlines()
        assert header.split() == ["layer", "direct", "F(4,3)", "built-in", "chosen"]
        table = quick.read(tmp_path / "my.json", 1)
        other = "stride 1x1, padding 1 1 1 1, dilation 1x1, groups"
        assert list(table) == [
            "3x32x32 to 32, 5x5, stride 2x2, padding 2 2 2 2, dilation 1x1, groups 1, float32",
            f"32x7x7 to 64, 3x3, {other} 2, float32",
            f"64x3x3 to 64, 3x3, {other} 1, float32",
        ]
        assert [row.split()[:2] for row in rows] == [["shapes_net", f"conv{n}"] for n in (1, 2, 3)]
        assert [row.split()[-1] for row in rows] == [*table.values()]
        assert [row.split()[-2] for row in rows] == ["direct"] * 3, "the built-in choice"
        for row in rows:
            assert all(re.fullmatch(r"\d+\.\d\d|-", cell) for cell in row.split()[2:4])
        assert [row.split()[3] == "-" for row in rows] == [True, False, True], "other ways for the second alone"
        others = sum(row.split()[-1] != row.split()[-2] for row in rows)
        assert out.endswith(
            f"written: my.json, 3 layers, {others} of them other than built in; to use it:\n"
            "  python -m minialex.train --conv-table my.json\n"
        )
        assert json.loads((tmp_path / "my.json").read_text())["minialex"] == doctor.__version__

    def test_the_default_networks_and_their_batches(self, quick):
        found = doctor._convolutions(doctor.TUNED)
        expected = [("alexnet", n, 32) for n in range(1, 6)] + [("cifar_quick", n, 128) for n in (1, 2, 3)]
        assert [(c.name, c.batch_size) for c in found] == [(f"{name} conv{n}", size) for name, n, size in expected]
        assert [c.first for c in found] == [True, *[False] * 4, True, False, False]
        assert found[1].filters == (256, 48, 5, 5) and found[1].groups == 2 and found[1].image == (96, 27, 27)
        assert doctor._convolutions(["alexnet", "alexnet"]) == found[:5], "each once"

    def test_ctrl_c_leaves_the_file_as_it_was(self, quick, monkeypatch, tmp_path):
        def interrupted(*arguments, **options):
            raise KeyboardInterrupt

        (tmp_path / "my.json").write_text("the one of before")
        monkeypatch.setattr(quick, "measure", interrupted)
        assert self.run("--tune-model", "shapes_net") == 130
        assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("my.json", "the one of before")]

    @pytest.mark.parametrize("place", [".", "nowhere/my.json"])
    def test_a_place_that_cannot_be_written_is_refused_before_anything_is_measured(
        self, quick, monkeypatch, capsys, place
    ):
        monkeypatch.setattr(quick, "measure", lambda *arguments, **options: pytest.fail("it was measured"))
        assert cli.run(doctor.main, ["--tune", place]) == 2
        assert f"error: {place} cannot be written" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            ("--tune-model alexnet", "--tune-model and --threads are only for --tune"),
            ("--threads 2", "--tune-model and --threads are only for --tune"),
            ("--tune my.json --kernels", "not allowed with argument"),
            ("--tune my.json --tune-model vgg", "'vgg'.*cifar_quick"),
            ("--tune my.json --threads 0", "'0' is not a whole number of at least 1"),
        ],
    )
    def test_wrong_options(self, capsys, arguments, expected):
        assert cli.run(doctor.main, arguments.split()) == 2
        assert re.search(expected, capsys.readouterr().err)

    def test_without_numba(self, monkeypatch, tmp_path, capsys):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setitem(sys.modules, "numba", None)
        monkeypatch.setattr(backends, "_made", {})
        assert self.run() == 2
        assert "pip install numba" in capsys.readouterr().err
