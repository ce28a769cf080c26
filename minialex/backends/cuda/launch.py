"""Kernels of the folder `kernels`, found by name, whose arguments are checked before every launch.

A CUDA launch checks nothing: a missing argument, an array of doubles for one of floats, a Python float (which arrives
as a double) or a transposed view (whose strides are ignored) all give numbers, and wrong ones. Here every launch is
compared with the kernel's own parameter list, as its source declares it:

    extern "C" __global__ void relu(global<const REAL> x, global<REAL> y, long long n)

What is known before the arguments are (types, ranges, the text of messages) is prepared once for each kernel, by
`_prepared`. On a GPU, which waits if launching takes the host longer than computing takes the GPU, most launches do not
come this way at all: prepared.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache

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
REALS: dict[np.dtype, str] = {np.dtype(np.float32): "float", np.dtype(np.float64): "double"}


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


@dataclass(frozen=True, eq=False)  # found by what it is, not by comparing all its parameters
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
        self(name, *grid_of_planes(places, planes), *arguments)

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

    def solid(self, array):
        """The array, contiguous: itself, as it usually is, or a copy.

        array: any.
        """
        return self.xp.asarray(array, order="C")  # ascontiguousarray would give an array without axes one

    def aligned(self, *arrays):
        """Whether arrays begin where 16 bytes can be read at once.

        arrays: of the launcher's module.
        """
        return not any(array.ctypes.data % 16 for array in arrays)

    def gemm(self, a, b, out, transpose_a=False, transpose_b=False, add=False):
        """Matrix products, stack by stack.

            out = a @ b      or, with add,      out = out + a @ b

        a, b, out: (G, m, k), (G, k, n), (G, m, n), or without G for one product.
        transpose_a, transpose_b: whether a matrix is stored transposed.
        add: whether to add to what is in out.
        """
        a, b = a.swapaxes(-2, -1) if transpose_a else a, b.swapaxes(-2, -1) if transpose_b else b
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
        real, here = _real(kernel, arguments), self.device()
        return real, [take(a, self, here) for take, a in zip(_prepared(kernel, real), arguments, strict=True)]

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
    kernel = kernels().get(name)
    if kernel is None:
        raise ValueError(f"there is no kernel {name!r}; there are {', '.join(sorted(kernels()))}")
    return kernel


def _real(kernel, arguments):
    """The type that REAL stands for: that of the first array of such elements; float32 if there is none."""
    for parameter, argument in zip(kernel.parameters, arguments, strict=True):
        if parameter.type == "REAL" and parameter.array and hasattr(argument, "dtype"):
            if argument.dtype not in REALS:
                raise TypeError(f"{kernel.name} computes in float32 or float64, got an array of {argument.dtype}")
            return argument.dtype
    return np.dtype(np.float32)


@lru_cache(maxsize=1024)
def _prepared(kernel, real):
    """A function for each parameter of a kernel: (argument, launcher, device of the launch) -> what is launched."""
    prepared = []
    for parameter in kernel.parameters:
        dtype = parameter.dtype(real)
        number: type[_Parameter] = _Window if parameter.type == "Window" else _Whole if dtype.kind in "iu" else _Number
        kind = _Array if parameter.array else number
        prepared.append(kind(f"{kernel.name}: {parameter.name}", dtype))
    return tuple(prepared)


class _Parameter:
    """What a launch compares an argument with.

    where: the kernel and the parameter, for messages.
    dtype: of the number, or of the array's elements.
    """

    def __init__(self, where, dtype):
        self.where, self.dtype = where, dtype


class _Array(_Parameter):
    """Takes a contiguous array of the launcher's module, on the device of the launch."""

    def __call__(self, array, launcher, here):
        if not isinstance(array, launcher.xp.ndarray):
            raise TypeError(f"{self.where} must be an array of {launcher.xp.__name__}, got {type(array).__name__}")
        if array.dtype != self.dtype:
            raise TypeError(f"{self.where} must be of {self.dtype}, got {array.dtype}")
        if not array.flags.c_contiguous:
            raise ValueError(f"{self.where} must be contiguous, got strides {array.strides} for shape {array.shape}")
        if (there := launcher.device(array)) != here:
            raise ValueError(f"{self.where} is on device {there}, the launch would be on {here}")
        return array


class _Number(_Parameter):
    """Takes a number, and converts it."""

    def __call__(self, value, launcher, here):
        if not isinstance(value, (int, float, np.integer, np.floating)) or isinstance(value, bool):
            raise TypeError(f"{self.where} must be a number of {self.dtype}, got {value!r}")
        return self.dtype.type(value)


class _Whole(_Parameter):
    """Takes a whole number that fits, and converts it; those of the last launches, which come again, only once."""

    def __init__(self, where, dtype):
        super().__init__(where, dtype)
        self.lowest, self.highest = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
        self.converted = lru_cache(maxsize=64)(self.convert)

    def __call__(self, value, launcher, here):
        if not isinstance(value, (int, np.integer, np.bool_)):
            raise TypeError(f"{self.where} must be a number of {self.dtype}, got {value!r}")
        return self.converted(value)

    def convert(self, value):
        if not self.lowest <= value <= self.highest:
            raise ValueError(f"{self.where} does not fit into {self.dtype}: {value}")
        return self.dtype.type(value)


class _Window(_Parameter):
    """Takes a Window, and converts it to the kernels' struct."""

    def __call__(self, window, launcher, here):
        if not isinstance(window, Window):
            raise TypeError(f"{self.where} must be a Window, got {type(window).__name__}")
        return struct(window)


@lru_cache(maxsize=1024)
def struct(window):
    """The struct that kernels take for a Window, as bytes: CuPy would walk through fields at each launch.

    window: the Window.
    """
    before = tuple(side[0] for side in window.padding)
    fields = window.size, window.kernel, window.stride, before, window.dilation, window.output
    return np.array([fields], WINDOW).view(f"V{WINDOW.itemsize}")[0]


def grid_of_planes(places, planes):
    """(grid, block) for maps, each a row of the grid, with a thread for each of their places.

    places: pixels of a map.
    planes: maps.
    """
    if not places:
        return (0, min(planes, MOST_ROWS)), 1
    block = min(256, -(-places // 32) * 32)
    return (-(-places // block), min(planes, MOST_ROWS)), block


def three(value, name):
    if type(value) is int and value >= 0:
        return value, 1, 1
    values = tuple(value) if isinstance(value, (tuple, list, np.ndarray)) else (value,)
    if not 1 <= len(values) <= 3 or not all(isinstance(n, (int, np.integer)) and n >= 0 for n in values):
        raise ValueError(f"{name} is one to three whole numbers, got {value!r}")
    return (*map(int, values), 1, 1)[:3]
