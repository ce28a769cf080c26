"""Every kernel through three compilers, without a GPU; and each compiler refuses the mistakes that it is there for."""

from __future__ import annotations

import contextlib
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import usable
from on_request import heavy_but

from minialex.backends.cuda import compile as cuda_compile
from minialex.backends.cuda import launch
from minialex.backends.cuda.compile import ARCHITECTURES, CompileError, Usage
from minialex.support import resources

FILES = sorted(path.name for path in resources.folder("kernels").glob("*.cu"))
REALS = "float", "double"


@pytest.fixture(autouse=True)
def optimised(monkeypatch):
    """g++ finds some mistakes only where it optimises, which a first run of the tests does not have it do."""
    monkeypatch.delenv("CXXFLAGS", raising=False)


def or_skip(compile_by, *arguments):
    """What a compiler returns, or a skipped test where it is missing."""
    try:
        return compile_by(*arguments)
    except OSError as error:
        pytest.skip(str(error))


def in_both_reals(compile_by, text):
    with ThreadPoolExecutor(2) as pool:
        return or_skip(lambda: [*pool.map(partial(compile_by, text), REALS)])


def assert_lean(usages, kernels):
    """Each kernel was compiled once for every architecture, and keeps all it has in registers."""
    found = sorted((u.kernel, u.architecture) for u in usages)
    assert found == sorted((k, a) for k in kernels for a in ARCHITECTURES) and found
    assert [u for u in usages if u.spilled or u.stack] == []
    assert all(0 < u.registers <= 255 for u in usages)


# ---------------------------------------------------------------------------------------------- the kernels


@pytest.mark.heavy
@pytest.mark.parametrize("file", FILES)
def test_nvrtc(file):
    for usages in in_both_reals(cuda_compile.by_nvrtc, launch.source(file)):
        assert_lean(usages, [k.name for k in launch.kernels().values() if k.file == file])


@pytest.mark.heavy
def test_nvcc():
    for usages in in_both_reals(cuda_compile.by_nvcc, cuda_compile.all_files()):
        assert_lean(usages, launch.kernels())


@pytest.mark.heavy
@pytest.mark.parametrize("file", FILES)
def test_gpp(file):
    usable.or_skip("emulator")
    text, builds = launch.source(file), [(real, checked) for real in REALS for checked in (False, True)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda build: cuda_compile.by_gpp(text, *build), builds))


# ---------------------------------------------------------------------------------------------- the compilers

COMPILERS = {
    "nvrtc": lambda text, real: cuda_compile.by_nvrtc(text, real, ("sm_90",)),
    "nvcc": lambda text, real: cuda_compile.by_nvcc(text, real, ("sm_90",)),
    "g++": lambda text, real: cuda_compile.by_gpp(text, real, checked=False),
}
MISTAKES = {  # an expression: who refuses it where REAL is float (facts: CUDA's overloads differ between compilers)
    "(REAL)0.5 * device_helper(x[i])": "",
    "pow(x[i], (REAL)-0.75)": "",
    "host_helper(x[i])": "nvcc",
    "pow(x[i], -0.75)": "nvrtc",
    "fmax(x[i], 0.)": "nvrtc nvcc",
    "max(1, 2LL)": "nvrtc nvcc g++",
    "1e-3 * x[i]": "g++",
    "[&] { int unused = 3; return x[i]; }()": "nvrtc nvcc g++",
    "undeclared": "nvrtc nvcc g++",
    "[&] { SHARED(REAL, big, 12289); big[i] = x[i]; return big[n]; }()": "nvrtc nvcc",  # one more than 48 KiB
}


def planted(expression):
    return f"""{launch.source("common.cuh")}
#line 1 "planted.cu"
inline REAL host_helper(REAL a) {{ return 2 * a; }}
__device__ inline REAL device_helper(REAL a) {{ return 2 * a; }}
extern "C" __global__ void k(global<const REAL> x, global<REAL> y, int n) {{
    int i = threadIdx.x;
    if (i < n) y[i] = {expression};
}}
"""


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("expression", heavy_but([*MISTAKES][1:2], MISTAKES))
def test_mistakes(expression, compiler):
    compile_by, text = COMPILERS[compiler], planted(expression)
    if compiler not in MISTAKES[expression].split():
        or_skip(compile_by, text, "float")
        return
    with pytest.raises(CompileError, match=r"\S") as refused:
        or_skip(compile_by, text, "float")
    assert "\n" not in str(refused.value)
    assert "planted.cu" in str(refused.value) or "too much shared data" in str(refused.value)  # ptxas knows no lines


@pytest.mark.parametrize("compiler", COMPILERS)
def test_real_is_what_was_asked_for(compiler):
    text = planted('[&] { static_assert(sizeof(REAL) == 8, ""); return x[i]; }()')
    or_skip(COMPILERS[compiler], text, "double")
    with pytest.raises(CompileError):
        COMPILERS[compiler](text, "float")


FAT = """
extern "C" __global__ void __launch_bounds__(1024) fat(global<const REAL> x, global<REAL> y, int n) {
    SHARED(REAL, t, 100);
    REAL a[96] = {0};
    for (int r = 0; r < n; ++r) {
#pragma unroll
        for (int i = 0; i < 96; ++i) a[i] = a[i] * x[i + r] + a[(i + 7) % 96];
        __syncthreads();
    }
    REAL sum = 0;
#pragma unroll
    for (int i = 0; i < 96; ++i) sum += a[i];
    t[threadIdx.x % 100] = sum;
    __syncthreads();
    y[threadIdx.x] = t[n];
}
extern "C" __global__ void lean(global<REAL> y) { y[threadIdx.x] = 1; }
"""


@pytest.mark.heavy
@pytest.mark.parametrize("compile_by", [cuda_compile.by_nvrtc, cuda_compile.by_nvcc])
def test_spills_are_seen(compile_by):
    """1024 threads leave 64 registers to each, and 96 numbers do not fit into them."""
    text = launch.source("common.cuh") + FAT
    for size, usages in zip((4, 8), in_both_reals(compile_by, text)):
        by_kernel = {name: [u for u in usages if u.kernel == name] for name in ("fat", "lean")}
        assert [len(found) for found in by_kernel.values()] == [3, 3]
        for u in by_kernel["fat"]:
            assert u.registers == 64 and u.shared == 100 * size and u.spilled >= 32 * size and u.stack >= 32 * size
        for u in by_kernel["lean"]:
            assert u.registers < 32 and u.shared == u.spilled == u.stack == 0


def test_nvrtc_gets_the_options_that_cupy_gives_it(monkeypatch):
    or_skip(cuda_compile.by_nvrtc, "", "float", ("sm_90",))
    from cupy._core import core
    from cupy.cuda import compiler, nvrtc

    given, compile_program = [], nvrtc.compileProgram

    def record(program, options):
        given.append(options)
        return compile_program(program, options)

    monkeypatch.setattr(nvrtc, "compileProgram", record)
    monkeypatch.setenv("CUPY_CACHE_IN_MEMORY", "1")  # what it finds on disk it would not compile
    monkeypatch.setattr(compiler, "_get_arch_for_options_for_nvrtc", lambda arch=None: ("-arch=sm_90", "cubin"))
    cuda_compile.by_nvrtc("", "float", ("sm_90",))
    with contextlib.suppress(RuntimeError):  # without a GPU it cannot load what it has compiled
        core.compile_with_cache("", ("-DREAL=float",), arch="90")
    ours, cupys = given[0], given[-1]
    assert len(given) >= 2 and sorted(o for o in ours if o != "-Xptxas=-v") == sorted(cupys)


def test_without_cupy_or_nvcc(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(OSError, match=r"pip install 'minialex\[\w+\]'$") as missing:
        cuda_compile.by_nvrtc("", "float")
    extras = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    assert str(missing.value).split("[")[1].split("]")[0] in extras
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OSError, match="nvcc is not installed"):
        cuda_compile.by_nvcc("", "float")


# ---------------------------------------------------------------------------------------------- the log

LOG = """ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'first' for 'sm_75'
ptxas info    : Function properties for first
    456 bytes stack frame, 744 bytes spill stores, 616 bytes spill loads
ptxas info    : Used 64 registers, used 1 barriers, 456 bytes cumulative stack size, 400 bytes smem, 372 bytes cmem[0]
ptxas info    : Compile time = 36.889 ms
ptxas info    : Compiling entry function 'second' for 'sm_90'
ptxas info    : Function properties for second
ptxas         .     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 30 registers, used 0 barriers
"""


def test_a_log():
    assert cuda_compile._usages("nvcc", LOG, failed=False) == [
        Usage("first", "sm_75", 64, 400, 744, 456),
        Usage("second", "sm_90", 30, 0, 0, 0),
    ]


@pytest.mark.parametrize("line", ["k.cu(2): warning #177-D: never referenced", "ptxas warning : Unknown", ""])
def test_a_log_that_is_a_refusal(line):
    with pytest.raises(CompileError, match="^nvcc: ."):
        cuda_compile._usages("nvcc", LOG + line, failed=not line)
