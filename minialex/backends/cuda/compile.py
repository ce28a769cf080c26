"""What three compilers report about the CUDA kernels, without a GPU: errors, warnings, registers, spills.

Each rejects what the others accept: NVRTC, which compiles for CuPy, a float's pow(x, -0.75); nvcc a helper that lacks
__device__; g++, which compiles for the emulator, a float kernel that computes in double. A warning is an error here.

A multiprocessor of a GPU has 65536 registers for all its threads: the fewer a thread takes, the more threads hide each
other's waiting for memory. What finds no register is "spilled" to memory, and so is an array of a thread's own whose
index is known at run time only (its "stack frame"): both cost far more than they seem to.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ...support import resources
from . import emulator, launch

ARCHITECTURES = ("sm_75", "sm_80", "sm_90")  # Turing (T4), Ampere (A100), Hopper (H100, H200)
_WARNINGS = ("-Wall", "-Wextra", "-Wdouble-promotion", "-Werror")
_FUNCTION = re.compile(r"Compiling entry function '(\w+)' for '(\w+)'(.*?)Used (\d+) registers([^\n]*)", re.S)
_FRAME = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores")


class CompileError(ValueError):
    """What a compiler refused: its first error or warning, with file and line."""


@dataclass(frozen=True)
class Usage:
    """What one thread of a kernel takes.

    kernel: its name.
    architecture: as in ARCHITECTURES.
    registers: of a thread.
    shared: bytes that a block shares.
    spilled, stack: bytes of a thread in memory, in place of registers.
    """

    kernel: str
    architecture: str
    registers: int
    shared: int
    spilled: int
    stack: int


def all_files():
    """Every file of the kernels folder in one text, each in a namespace of its own: one compilation instead of many."""
    names = sorted(path.name for path in resources.folder("kernels").glob("*.cu"))
    return "".join(f"namespace file_{name[:-3]} {{\n{launch.source(name)}\n}}\n" for name in names)


def by_nvrtc(text, real, architectures=ARCHITECTURES):
    """Compile as CuPy does at a kernel's first launch.

    text: CUDA source.
    real: "float" or "double".
    architectures: of GPUs.

    Returns Usages. Raises CompileError for what NVRTC refuses, OSError where CuPy, NVRTC or CUDA's headers are missing.
    """
    nvrtc, options = _nvrtc(f"-DREAL={real}", "-Xptxas=-v")
    usages = []
    for architecture in architectures:
        program = nvrtc.createProgram(text, "kernels.cu", (), ())
        try:
            nvrtc.compileProgram(program, (*options, f"-arch={architecture}"))
            log, failed = nvrtc.getProgramLog(program), False
        except nvrtc.NVRTCError as error:
            log, failed = nvrtc.getProgramLog(program) or str(error), True
        finally:
            nvrtc.destroyProgram(program)
        usages += _usages("NVRTC", log, failed)
    return usages


@cache
def ptx(text, real):
    """The PTX of a source text: NVIDIA's assembler, for Hopper GPUs.

    text: CUDA source.
    real: "float" or "double".

    Raises as `by_nvrtc`.
    """
    nvrtc, options = _nvrtc(f"-DREAL={real}")
    program = nvrtc.createProgram(text, "kernels.cu", (), ())
    try:
        nvrtc.compileProgram(program, (*options, "-arch=compute_90"))
        made = nvrtc.getPTX(program)
    except nvrtc.NVRTCError as error:
        raise CompileError(f"NVRTC: {nvrtc.getProgramLog(program)[:300] or error}") from error
    finally:
        nvrtc.destroyProgram(program)
    return made if isinstance(made, str) else made.decode()


def _nvrtc(*flags):
    """(CuPy's module of NVRTC, the options that CuPy gives it, but for the architecture). OSError where missing."""
    missing = "{} missing: pip install 'minialex[compile]'"
    try:
        import cupy
    except ModuleNotFoundError as error:
        raise OSError(missing.format("CuPy is")) from error
    from cupy._core.core import assemble_cupy_compiler_options  # private, but exactly CuPy's own options

    try:
        cupy.cuda.nvrtc.getVersion()
        options = assemble_cupy_compiler_options(flags)
    except RuntimeError as error:
        raise OSError(missing.format("CuPy's compiler NVRTC, or the headers of CUDA, are")) from error
    return cupy.cuda.nvrtc, (*options, "-ftz=true", "--device-as-default-execution-space")


def by_nvcc(text, real, architectures=ARCHITECTURES):
    """Compile with the CUDA toolkit's nvcc, as `by_nvrtc`. OSError where it is missing."""
    nvcc = shutil.which("nvcc")
    if not nvcc:
        raise OSError("nvcc is not installed: it comes with NVIDIA's CUDA toolkit")
    targets = [f"-gencode=arch={a.replace('sm', 'compute')},code={a}" for a in architectures]
    flags = ["-std=c++17", f"-DREAL={real}", "-ftz=true", "-fatbin", "-Xptxas=-v", "-Werror=all-warnings"]
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "kernels.cu"
        source.write_text(text)
        command = [nvcc, *flags, *targets, "-o", str(source.with_suffix(".fatbin")), str(source)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    return _usages("nvcc", done.stdout + done.stderr, done.returncode)


def by_gpp(text, real, checked):
    """Compile as the emulator does, with g++'s warnings. CompileError for what g++ refuses, OSError without g++."""
    emulator.compiler()
    faster = ["-O0", "-g0"] if checked else []  # that a variable may lack a value the optimiser finds: once will do
    try:
        emulator.build(text, real, checked, [*_WARNINGS, *faster])
    except OSError as error:
        raise CompileError(f"g++: {error}") from error


def _usages(compiler, log, failed):
    """The Usages that ptxas, the last step of NVRTC and nvcc, wrote into the compiler's log."""
    complaint = next((line for line in log.splitlines() if re.search(r"\b(error|warning|fatal)\b", line)), None)
    if failed or complaint:
        raise CompileError(f"{compiler}: {complaint or log[:300]}")
    found = []
    for kernel, architecture, between, registers, rest in _FUNCTION.findall(log):
        frames = _FRAME.findall(between)
        shared = re.search(r"(\d+) bytes smem", rest)
        stack, spilled = (sum(int(frame[i]) for frame in frames) for i in (0, 1))
        found.append(Usage(kernel, architecture, int(registers), int(shared[1]) if shared else 0, spilled, stack))
    return found
