"""Puts the fake GPU beneath CuPy in a Python process; active where fake_cuda.environment() made its variables.

Python imports this module at its start, for its folder is on PYTHONPATH. It does nothing before `import cupy`. Then it
loads the fake, writes jumps to it over the CUDA runtime that is linked into CuPy, and has g++ compile what CuPy would
give to NVRTC.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import hashlib
import importlib.abc
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

FOLDER = Path(os.environ.get("FAKE_CUDA", ""))  # what build.py made
KERNELS = Path(os.environ.get("FAKE_KERNELS", ""))
WITHOUT = os.environ.get("FAKE_WITHOUT", "")
_ENTRY = re.compile(r'extern\s+"C"\s+__global__\s+void\s+(?:__launch_bounds__\s*\([^)]*\)\s*)?(\w+)\s*\(')
# Shared memory whose size the launch names: at most 48 kB.
_DYNAMIC = re.compile(r"extern\s+__shared__\s+(\w+)\s+(\w+)\s*\[\s*\]\s*;")


@functools.cache
def library():
    """The fake, loaded once."""
    fake = ctypes.CDLL(str(FOLDER / "lib" / "libfake_cuda.so"))
    fake.fake_counters.restype = ctypes.c_char_p
    fake.fake_start()
    atexit.register(fake.fake_finish)
    return fake


def counters():
    """{name: number} since the start or the last reset: see README.md for the names."""
    lines = library().fake_counters().decode().splitlines()
    return {name: int(number) for name, number in (line.rsplit(" ", 1) for line in lines)}


def reset():
    """Count from 0 again."""
    library().fake_reset()


def set_order(order):
    """Do what is queued, and be as with FAKE_LAZY=order from now on."""
    library().fake_order(order)


def _redirect_runtime(module):
    """Jumps over the runtime's functions inside CuPy; its texts for error codes stay."""
    path = os.path.realpath(module.__file__)
    with open("/proc/self/maps") as maps:
        base = min(int(line.split("-")[0], 16) for line in maps if line.rstrip().endswith(path))
    for name, offset in json.loads((FOLDER / "runtime.json").read_text()).items():
        if library().fake_redirect(ctypes.c_void_p(base + offset), getattr(library(), name)):
            raise OSError(f"the fake GPU cannot change {name} in {path}: this system forbids writing to code")


def _replace_compiler(module):
    module._compile_using_nvrtc_no_warning = _compile
    module._preprocess = lambda *arguments: ""  # of an empty file, by NVRTC, for the key of CuPy's cache


def _compile(source, options=(), *arguments, **more):
    """(what the fake driver's cuModuleLoadData takes, {}), in the place of NVRTC's cubin."""
    defines = [option for option in options if option.startswith("-D")]
    source = _DYNAMIC.sub(r"__shared__ \1 \2[49152 / sizeof(\1)];", source)
    plain = re.sub(r"//[^\n]*|/\*.*?\*/", "", source, flags=re.S)
    barriers = "true" if "__sync" in plain else "false"
    header = "cuda_on_cpu.h" if defines else "cupy_kernel.h"
    lines = [f'#include "{header}"', source]
    if "norm(" in source:  # of complex numbers; CuPy names it in kernels for real ones
        lines.insert(1, "template <class T> inline T norm(T x) { return x * x; }")
    text = "\n".join(lines + [f"ENTRY({name}, {barriers})" for name in _ENTRY.findall(plain)])
    name = hashlib.sha256("\0".join([text, *defines]).encode()).hexdigest()[:24] + ".so"
    if not (KERNELS / name).exists():
        scratch = KERNELS / f"{name}.{os.getpid()}.tmp"  # renamed: several processes may compile the same kernel
        level = "-O2" if defines else "-O1"  # as the header in advance
        linked = "-shared", "-Wl,-Bsymbolic"  # a kernel called `read` is not the C library's function
        command = [*shlex.split(os.environ["FAKE_GPP"]), level, *defines, *linked, "-x", "c++", "-"]
        done = subprocess.run([*command, "-o", str(scratch)], input=text, text=True, capture_output=True, check=False)
        if done.returncode:
            errors = [line for line in done.stderr.splitlines() if "error" in line]
            raise RuntimeError("the fake GPU's g++ refuses a kernel: " + "\n".join(errors or [done.stderr])[:1500])
        os.replace(scratch, KERNELS / name)
    return f"FAKE {name}".encode() + b"\0", {}


def _hide_library(module):
    """As where the wheels of NVRTC or of cuBLAS are not installed."""
    original = module.load_nvidia_dynamic_lib
    file = {"nvrtc": "libnvrtc.so.13", "cublas": "libcublasLt.so.13"}[WITHOUT]  # cuBLAS needs cublasLt, loaded first

    def load(name):
        if name == WITHOUT:
            raise module.DynamicLibNotFoundError(f'Failure finding "{file}": No such file: {file}')
        return original(name)

    module.load_nvidia_dynamic_lib = load


def _only_this_nccl(module):
    """CuPy looks for NCCL's wheel first, which needs a GPU that is there."""
    original = module._preload_library

    def preload(name):
        if name != "nccl":
            original(name)
        elif WITHOUT == "nccl":
            raise ImportError("libnccl.so.2: cannot open shared object file: No such file or directory")

    module._preload_library = preload


def _without_pool(module):
    module.cuda.set_allocator(None)


_HOOKS = {
    "cupy_backends.cuda.api.runtime": _redirect_runtime,
    "cupy.cuda.compiler": _replace_compiler,
    "cupy._environment": _only_this_nccl,
}
if WITHOUT in ("nvrtc", "cublas"):
    _HOOKS["cuda.pathfinder"] = _hide_library
if os.environ.get("FAKE_GUARD") == "1":
    _HOOKS["cupy"] = _without_pool


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the modules of _HOOKS as anybody would, and calls their hooks when they have been imported."""

    def find_spec(self, name, path=None, target=None):
        if name == "cupy":
            library()
        if name not in _HOOKS:
            return None
        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            sys.meta_path.insert(0, self)
        if spec is not None:
            execute = spec.loader.exec_module

            def exec_module(module):
                execute(module)
                _HOOKS[name](module)

            spec.loader = _Loader(spec.loader.create_module, exec_module)
        return spec


class _Loader(importlib.abc.Loader):
    def __init__(self, create_module, exec_module):
        self.create_module, self.exec_module = create_module, exec_module


if "FAKE_CUDA" in os.environ:
    sys.meta_path.insert(0, _Finder())
