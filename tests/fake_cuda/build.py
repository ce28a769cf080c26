"""Builds the fake GPU's library for the CuPy that is installed, once, into minialex's cache folder.

What depends on CuPy's wheel is read from the wheel itself: the places of the CUDA runtime's functions inside
`runtime.so`, and the functions of cuBLAS and NCCL that `cublas.so` and `nccl.so` call. What the fake does not simulate
among them becomes a stub that is reported when it is called.
"""

from __future__ import annotations

import fnmatch
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import numpy as np

from minialex.backends.cuda import emulator
from minialex.support import resources

HERE = Path(__file__).parent
CUPY = "14.2.0"  # whose private functions sitecustomize.py replaces
OLDEST_GPP = 12
_INSTALL = "pip install 'minialex[compile]'"
_JUMP = 14  # bytes of what src/hooks.cpp writes over a function
_KEPT = {"cudaGetErrorName", "cudaGetErrorString"}  # CUDA's own texts are as good here


def missing():
    """Why the fake cannot be built here, in one sentence; None where it can."""
    if other := _other_platform():
        return f"the fake GPU is for CPython on Linux on x86-64, not for {other}"
    cuda = {f"nvidia-cuda-{part}": "13.*" for part in ("runtime", "crt", "nvrtc")}
    for name, wanted in {"cupy-cuda13x": CUPY, **cuda, "pyelftools": "*"}.items():
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return f"the fake GPU needs {name}, which is not installed: {_INSTALL}"
        if not fnmatch.fnmatch(found, wanted):
            return f"the fake GPU is made for {name} {wanted}, and {found} is installed: {_INSTALL}"
    try:
        version = _gpp_version()
    except OSError as error:
        return f"the fake GPU needs g++: {error}"
    major = re.match(r"(?!.*clang).*?\b(\d+)\.\d+\.\d+", version)
    if not major or int(major[1]) < OLDEST_GPP:
        return f"the fake GPU needs g++ {OLDEST_GPP} or newer, not {version.partition(chr(10))[0] or compiler()}"
    if blas() is None:
        return "the fake GPU multiplies by the OpenBLAS of NumPy's wheel, and this NumPy has another"
    return None


def _other_platform():
    here = platform.python_implementation(), platform.system(), platform.machine()
    return None if here == ("CPython", "Linux", "x86_64") else " ".join(here)


def compiler():
    """g++ by its full path."""
    return emulator.compiler()


def _gpp_version():
    return subprocess.run([compiler(), "--version"], capture_output=True, text=True, check=False).stdout


def blas():
    """Path of the OpenBLAS that NumPy's wheel brings, None where NumPy is linked otherwise."""
    found = sorted((Path(np.__file__).parents[1] / "numpy.libs").glob("libscipy_openblas64_*.so"))
    return found[0] if found else None


def folder():
    """Path of the built fake, which holds lib, include, kernels, cupy; its name is a hash of all that went into it."""
    sources = sorted(p for p in HERE.rglob("*") if p.suffix in (".cpp", ".h", ".cuh") or p.name == "sitecustomize.py")
    parts = [str(p.relative_to(HERE)) + p.read_text() for p in [*sources, Path(__file__)]]
    facts = [sys.version, _gpp_version(), compiler(), CUPY, importlib.metadata.version("nvidia-cuda-runtime")]
    key = hashlib.sha256("\0".join([*parts, *facts]).encode()).hexdigest()[:16]
    built = resources.cache_folder() / "fake_cuda" / key
    if built.exists():
        return built
    import fcntl  # not on Windows, where missing() says so

    built.parent.mkdir(parents=True, exist_ok=True)
    with open(built.parent / f"{key}.lock", "w") as lock:  # one process builds, the others wait
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.exists():
            with tempfile.TemporaryDirectory(dir=built.parent) as scratch:
                made = Path(scratch) / "made"
                _build(made)
                os.rename(made, built)
    return built


def _build(made):
    for name in ("lib", "lib_without_driver", "kernels", "cupy"):
        (made / name).mkdir(parents=True)
    shutil.copytree(HERE / "include", made / "include")
    runtime, cublas, nccl = (_extension(name) for name in ("api/runtime", "libs/cublas", "libs/nccl"))
    places = _functions(runtime, "cuda")
    (made / "runtime.json").write_text(json.dumps({name: at for name, at in places.items() if name not in _KEPT}))
    stubs = "".join(
        f'extern "C" __attribute__((weak)) int {name}() {{ return fake_unknown("{name}"); }}\n'
        for name in sorted({*places, *_undefined(cublas, "cublas"), *_undefined(nccl, "nccl")} - _KEPT)
    )
    (made / "stubs.cpp").write_text(f'extern "C" int fake_unknown(const char*);\n{stubs}')
    library = made / "lib" / "libfake_cuda.so"
    flags = ["-std=c++17", "-O1", "-fPIC", "-shared", f"-I{_nvidia() / 'include'}"]
    _run(compiler(), *flags, HERE / "src" / "fake.cpp", made / "stubs.cpp", "-o", library, "-ldl", "-lrt")
    # One library under the names by which CuPy's parts look for theirs. Without a driver there is none under its name.
    for links in ("lib", "lib_without_driver"):
        for name in ("libcuda.so.1", "libcublas.so.13", "libcublasLt.so.13", "libnccl.so.2"):
            (made / links / name).symlink_to("../lib/libfake_cuda.so")
    (made / "lib_without_driver" / "libcuda.so.1").unlink()
    (made / "lib_without_driver" / "libcuda.so.1").write_text("")
    header = made / "include" / "cupy_kernel.h"
    _run(*kernel_compiler(made), "-O1", "-x", "c++-header", header, "-o", f"{header}.gch")


def kernel_compiler(built):
    """g++ and its flags for kernels; the optimisation's level must be -O1 where cupy_kernel.h is included.

    built: the fake's folder.
    """
    headers = Path(importlib.util.find_spec("cupy").origin).parent / "_core" / "include"
    flags = ["-std=c++17", "-w", "-fPIC", "-fno-gnu-unique", "-fpermissive", "-U_FORTIFY_SOURCE"]
    return [compiler(), *flags, f"-I{built / 'include'}", f"-I{headers}"]


def _run(*command):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"the fake GPU cannot be built: {done.stderr[:3000]}")


def _nvidia():
    return Path(next(iter(importlib.util.find_spec("nvidia").submodule_search_locations))) / "cu13"


def _extension(name):
    """Path of an extension module of CuPy's, without importing it."""
    backends = Path(importlib.util.find_spec("cupy_backends").origin).parent
    return backends / "cuda" / f"{name}{sysconfig.get_config_var('EXT_SUFFIX')}"


def _symbols(path, section):
    from elftools.elf.elffile import ELFFile

    with open(path, "rb") as file:
        elf = ELFFile(file)
        first = next(segment for segment in elf.iter_segments("PT_LOAD"))
        assert first["p_vaddr"] == 0, "places in the file's symbols are not those from its beginning"
        table = elf.get_section_by_name(section)
        assert table, f"{path} was stripped of {section}"
        return [(symbol.name, symbol) for symbol in table.iter_symbols()]


def _functions(path, prefix):
    """{name: offset} of the functions that are linked into a library, for those whose name begins with `prefix`."""
    found = {}
    for name, symbol in _symbols(path, ".symtab"):
        if name.startswith(prefix) and symbol["st_info"]["type"] == "STT_FUNC" and symbol["st_shndx"] != "SHN_UNDEF":
            assert symbol["st_size"] >= _JUMP, f"{name} is too short for a jump"
            found[name] = symbol["st_value"]
    assert "cudaMalloc" in found, f"{path} holds no CUDA runtime"
    return found


def _undefined(path, prefix):
    """Names of the functions that a library expects elsewhere."""
    names = (name for name, symbol in _symbols(path, ".dynsym") if symbol["st_shndx"] == "SHN_UNDEF")
    return {name for name in names if name.startswith(prefix)}
