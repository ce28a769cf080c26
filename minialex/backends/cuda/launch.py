"""Kernels of the folder `kernels`, found by name, whose arguments are checked before every launch.

A CUDA launch checks nothing: a missing argument, an array of doubles for one of floats, a Python float (which arrives
    as a double) or a transposed view (whose strides are ignored) all give numbers, and wrong ones. Here every launch is
    compared with the kernel's own parameter list, as its source declares it:

    extern "C" __global__ void relu(global<const REAL> x, global<REAL> y, long long n)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import numpy as np

from ...support import resources
from ...window import Window

MOST_BLOCKS = 132 * 16  # in a grid whose threads go on to the next element: enough to fill the largest GPU
MOST_ROWS = 65535  # of a grid: CUDA's limit
WINDOW = np.dtype([(name, np.int32, 2) for name in ("size", "kernel", "stride", "before", "dilation", "output")])
_SCALARS = {
    "int": np.int32,
    "unsigned": np.uint32,
    "long long": np.int64,
    "unsigned long long": np.uint64,
    "unsigned char": np.uint8,
    "float": np.float32,
    "double": np.float64,
}
_KERNEL = re.compile(r'extern\s+"C"\s+__global__\s+void\s+(?:__launch_bounds__\s*\([^)]*\)\s*)?(\w+)\s*\(([^)]*)\)')
_FUNCTION = re.compile(r"\b(?!(?:if|for|while|switch)\b)(\w+)\s*\([^()]*\)\s*\{")
REALS = {np.dtype(np.float32): "float", np.dtype(np.float64): "double"}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a kernel.

    name: as in the source.
    type: REAL, Window or a C type.
    array: whether it is a pointer to many of them.
    written: whether the kernel may write there.
    """

    name: str
    type: str
    array: bool
    written: bool

    @classmethod
    def parse(cls, text):
        """A Parameter from its declaration.

        text: `global<const REAL> x` or `long long n`.

        Raises ValueError for any other declaration.
        """
        match = re.fullmatch(r"(?:global<\s*(const\s+)?([\w ]+?)\s*>|(?:const\s+)?([\w ]+?))\s+(\w+)", text.strip())
        if not match:
            raise ValueError(f"a kernel's parameter is `global<const REAL> x` or `long long n`, got {text.strip()!r}")
        constant, element, scalar, name = match.groups()
        kind = element or scalar
        if kind not in ("REAL", "Window", *_SCALARS):
            raise ValueError(f"parameter {name!r} is of type {kind!r}; known are REAL, Window, {', '.join(_SCALARS)}")
        return cls(name, kind, element is not None, element is not None and not constant)

    def dtype(self, real):
        """Its NumPy type.

        real: the type that REAL stands for.
        """
        if self.type == "Window":
            return WINDOW
        return np.dtype(real if self.type == "REAL" else _SCALARS[self.type])


@dataclass(frozen=True)
class Kernel:
    """A kernel as its source declares it.

    name: of the function.
    file: in the kernels folder.
    parameters: its Parameters, in order.
    barriers: whether its threads wait for each other.
    """

    name: str
    file: str
    parameters: tuple[Parameter, ...]
    barriers: bool


@cache
def source(file):
    """A file of the kernels folder, with its own headers in the place of their #include lines.

    file: its name. One text: a cache of compiled kernels with the text as its key notices a changed header. The
        emulator's
        headers are not included.
    """
    lines = [f'#line 1 "{file}"']
    for number, line in enumerate((resources.folder("kernels") / file).read_text().splitlines(), 1):
        included = re.fullmatch(r'#include "(\w+\.cuh)"', line)
        lines += [source(included[1]), f'#line {number + 1} "{file}"'] if included else [line]
    return "\n".join(lines)


@cache
def kernels():
    """{name: Kernel} of all kernels in the folder."""
    return {
        kernel.name: kernel
        for path in sorted(resources.folder("kernels").glob("*.cu"))
        for kernel in parse(source(path.name), path.name)
    }


def parse(text, file):
    """The Kernels that a source text defines.

    text: CUDA C++.
    file: the name that they are to bear.

    Raises ValueError for a parameter that no launch could check.
    """
    plain = re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S)
    waiting = _waiting(plain)
    return [
        Kernel(name, file, tuple(Parameter.parse(p) for p in parameters.split(",") if p.strip()), name in waiting)
        for name, parameters in _KERNEL.findall(plain)
    ]


def _waiting(plain):
    """Names of the functions that reach a barrier, themselves or through one that they call."""
    bodies = {match[1]: _body(plain, match.end()) for match in _FUNCTION.finditer(plain)}
    waiting = {"__syncthreads"}
    while True:
        more = {name for name, body in bodies.items() if any(re.search(rf"\b{w}\s*\(", body) for w in waiting)}
        if more <= waiting:
            return waiting
        waiting |= more


def _body(plain, start):
    depth, end = 1, start
    while depth and end < len(plain):
        depth += {"{": 1, "}": -1}.get(plain[end], 0)
        end += 1
    return plain[start:end]


class Launcher:
    """Runs a kernel: launcher(name, grid, block, *arguments), on arrays of the module `xp`.

    grid, block: how many blocks, and how many threads in each; a number or up to three. Whole numbers and floats among
        the arguments are converted to the types that the kernel declares, a `minialex.window.Window` to its struct. A
        grid without blocks does nothing.

    Raises TypeError or ValueError for an array of the wrong kind, one that is not contiguous, a number that does not
    fit, too few or too many arguments.
    """

    xp = np

    def __call__(self, name, grid, block, *arguments):
        kernel = find(name)
        grid, block = three(grid, "grid"), three(block, "block")
        real, values = self.check(kernel, arguments)
        if 0 in grid:
            return
        self.launch(kernel, real, grid, block, values)

    def elements(self, name, count, *arguments, block=256):
        """Launch with a thread for each element, or as many as keep a GPU busy: each then takes several.

        name: of the kernel.
        count: elements.
        arguments: of the kernel.
        block: threads in a block.
        """
        self(name, min(-(-count // block), MOST_BLOCKS), block, *arguments)

    def planes(self, name, places, planes, *arguments):
        """Launch for maps, each a row of the grid, with a thread for each of their places.

        name: of the kernel.
        places: pixels of a map.
        planes: maps.
        arguments: of the kernel.
        """
        block = min(256, -(-places // 32) * 32)
        self(name, (-(-places // block) if block else 0, min(planes, MOST_ROWS)), block or 1, *arguments)

    def launch(self, kernel, real, grid, block, values):
        """Run a kernel whose arguments have been checked.

        kernel: a Kernel.
        real: the type that REAL stands for.
        grid, block: three numbers each.
        values: the arguments, as check returned them.
        """
        raise NotImplementedError(f"{type(self).__name__} has no launch()")

    def empty(self, shape, dtype):
        """An array for a kernel to write to.

        shape, dtype: as of numpy.empty.
        """
        return self.xp.empty(shape, dtype)

    def gemm(self, a, b, out, transpose_a=False, transpose_b=False, add=False):
        """Matrix products, stack by stack.

            out = a @ b      or, with add,      out = out + a @ b

        a, b, out: (G, m, k), (G, k, n), (G, m, n).
        transpose_a, transpose_b: whether a matrix is stored transposed.
        add: whether to add to what is in out.
        """
        a, b = a.swapaxes(1, 2) if transpose_a else a, b.swapaxes(1, 2) if transpose_b else b
        if add:
            out += a @ b
        else:
            self.xp.matmul(a, b, out=out)

    def check(self, kernel, arguments):
        """The arguments of a launch, checked.

        kernel: a Kernel.
        arguments: its arguments.

        Returns (the type that REAL stands for, the arguments as the kernel takes them).
        """
        if len(arguments) != len(kernel.parameters):
            wanted = ", ".join(p.name for p in kernel.parameters)
            raise TypeError(f"{kernel.name} takes {len(kernel.parameters)} arguments ({wanted}), got {len(arguments)}")
        pairs = list(zip(kernel.parameters, arguments, strict=True))
        reals = [a.dtype for p, a in pairs if p.type == "REAL" and p.array and hasattr(a, "dtype")]
        real = reals[0] if reals else np.dtype(np.float32)
        if real not in REALS:
            raise TypeError(f"{kernel.name} computes in float32 or float64, got an array of {real}")
        return real, [self._array(kernel, p, a, real) if p.array else _scalar(kernel, p, a, real) for p, a in pairs]

    def _array(self, kernel, parameter, array, real):
        where, dtype = f"{kernel.name}: {parameter.name}", parameter.dtype(real)
        if not isinstance(array, self.xp.ndarray):
            raise TypeError(f"{where} must be an array of {self.xp.__name__}, got {type(array).__name__}")
        if array.dtype != dtype:
            raise TypeError(f"{where} must be of {dtype}, got {array.dtype}")
        if not array.flags.c_contiguous:
            raise ValueError(f"{where} must be contiguous, got strides {array.strides} for shape {array.shape}")
        if self.device(array) != self.device():
            raise ValueError(f"{where} is on device {self.device(array)}, the launch would be on {self.device()}")
        return array

    def device(self, array=None):
        """The number of a device; here there is only one.

        array: whose device; None for that of the next launch.
        """
        return 0


def find(name):
    """A Kernel by its name.

    name: of the kernel.

    Raises ValueError for one that the folder does not have.
    """
    if name not in kernels():
        raise ValueError(f"there is no kernel {name!r}; there are {', '.join(sorted(kernels()))}")
    return kernels()[name]


def _scalar(kernel, parameter, value, real):
    where, dtype = f"{kernel.name}: {parameter.name}", parameter.dtype(real)
    if parameter.type == "Window":
        return _window(where, value)
    if dtype.kind == "f":
        wrong = not isinstance(value, (int, float, np.integer, np.floating)) or isinstance(value, bool)
    else:
        wrong = not isinstance(value, (int, np.integer, np.bool_))
    if wrong:
        raise TypeError(f"{where} must be a number of {dtype}, got {value!r}")
    if dtype.kind in "iu" and not np.iinfo(dtype).min <= int(value) <= np.iinfo(dtype).max:
        raise ValueError(f"{where} does not fit into {dtype}: {value}")
    return dtype.type(value)


def _window(where, window):
    if not isinstance(window, Window):
        raise TypeError(f"{where} must be a Window, got {type(window).__name__}")
    before = tuple(side[0] for side in window.padding)
    fields = window.size, window.kernel, window.stride, before, window.dilation, window.output
    return np.array([fields], WINDOW)


def three(value, name):
    values = (value,) if isinstance(value, (int, np.integer)) else tuple(value)
    if not 1 <= len(values) <= 3 or min(values) < 0:
        raise ValueError(f"{name} is one to three whole numbers, got {value!r}")
    return tuple(int(v) for v in values) + (1,) * (3 - len(values))
