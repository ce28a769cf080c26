"""Launches that cost the host little: arguments compared and packed in one pass, then CUDA's own call.

A step launches about a hundred kernels. `Launcher.check` looks at one argument at a time, CuPy's RawKernel then does so
once more: together 15 microseconds a launch, which on a fast GPU is longer than many kernels run. Here it is 3. What
does not change from launch to launch (the kernel's types, the places of its parameters in memory, the compiled
function) is stored, and a function is written for each kernel, as `dataclasses` writes __init__. For `relu` it is

    def launch(gx, gy, gz, bx, by, bz, arguments):
        if len(arguments) != 3:
            return False
        (a0, a1, a2,) = arguments
        if not (type(a0) is ndarray and a0.dtype is dtypes[0] and a0._c_contiguous
                and type(a1) is ndarray and a1.dtype is dtypes[1] and a1._c_contiguous
                and type(a2) is int):
            return False
        try:
            pack_into(memory, 0, a0.data.ptr, a1.data.ptr, a2)
        except does_not_fit:
            return False
        if gx and gy and gz:
            launch_kernel(function, gx, gy, gz, bx, by, bz, 0, current_stream().ptr, addresses, 0)
        return True

It accepts less than `Launcher.check` does, never more: arrays of exactly the declared type, Python's own int and float.
Any other argument takes the way of `launch.py`, which converts it, or says what is wrong with it.
"""

from __future__ import annotations

import ctypes
import struct

from ...window import Window
from . import launch as cuda_launch

_CODES = {"int32": "i", "uint32": "I", "int64": "q", "uint64": "Q", "uint8": "B", "float32": "f", "float64": "d"}
_TEXT = """
def launch(gx, gy, gz, bx, by, bz, arguments):
    if len(arguments) != {count}:
        return False
    ({names},) = arguments
    if not ({conditions}):
        return False
    try:
        pack_into(memory, 0, {values})
    except does_not_fit:
        return False
    if gx and gy and gz:
        launch_kernel(function, gx, gy, gz, bx, by, bz, 0, current_stream().ptr, addresses, 0)
    return True
"""
_windows: dict[int, tuple[Window, bytes]] = {}  # by id: a Window's own hash goes through all its numbers


class Prepared:
    """A kernel, compiled for one device, with memory for its arguments: for the launches of one thread.

    kernel: a Kernel.
    real: the type that REAL stands for.
    cupy: the module.
    function: the compiled function's handle, an int.

    `launch(gx, gy, gz, bx, by, bz, arguments)` runs it in the current stream, with a grid and a block of these sizes,
    and returns whether it did: nothing is launched where an argument is not exactly what the kernel declares.
    """

    def __init__(self, kernel, real, cupy, function):
        self.real, dtypes = real, [parameter.dtype(real) for parameter in kernel.parameters]
        names = [f"a{number}" for number in range(len(dtypes))]
        conditions, values, layout, places = [], [], "", []
        for number, (name, parameter) in enumerate(zip(names, kernel.parameters, strict=True)):
            condition, value, aligned, code = _told(name, f"dtypes[{number}]", parameter, dtypes[number], cupy.ndarray)
            conditions.append(condition)
            values.append(value)
            layout += f"0{aligned}"  # none of them, but what follows begins where one may
            places.append(struct.calcsize(layout))
            layout += code
        packing = struct.Struct(layout)
        self.memory = (ctypes.c_double * (packing.size // 8 + 1))()  # doubles, so that it is aligned
        start = ctypes.addressof(self.memory)
        self._pointers = (ctypes.c_void_p * len(places))(*(start + place for place in places))
        known = {
            "ndarray": cupy.ndarray, "Window": Window, "dtypes": dtypes, "struct_of": _struct_of,
            "memory": self.memory, "pack_into": packing.pack_into, "does_not_fit": (struct.error, OverflowError),
            "function": function, "addresses": ctypes.addressof(self._pointers),
            "launch_kernel": cupy.cuda.driver.launchKernel, "current_stream": cupy.cuda.get_current_stream,
        }  # fmt: skip
        parts = {"names": ", ".join(names), "conditions": " and ".join(conditions), "values": ", ".join(values)}
        exec(_TEXT.format(count=len(names), **parts), known)
        self.launch = known["launch"]


def contiguous(ndarray):
    """The name of the attribute that says whether an array is C-contiguous.

    ndarray: the class of arrays.

    `flags` makes an object first: six times the time of an attribute that CuPy has, but does not document.
    """
    return "_c_contiguous" if hasattr(ndarray, "_c_contiguous") else "flags.c_contiguous"


def _told(name, wanted, parameter, dtype, ndarray):
    """(condition, value, the code in `struct` that the parameter is aligned like, its own code)."""
    if parameter.array:
        exact = f"type({name}) is ndarray and {name}.dtype is {wanted} and {name}.{contiguous(ndarray)}"
        return exact, f"{name}.data.ptr", "P", "P"
    if dtype.names:
        return f"type({name}) is Window", f"struct_of({name})", "i", f"{dtype.itemsize}s"
    code = _CODES[dtype.name]
    return f"type({name}) is {'int' if dtype.kind in 'iu' else 'float'}", name, code, code


def _struct_of(window):
    """The kernels' struct of a Window, as bytes."""
    known = _windows.get(id(window))
    if known is not None:  # the entry keeps its window: no other one can have this id
        return known[1]
    if len(_windows) >= 1024:
        _windows.clear()
    return _windows.setdefault(id(window), (window, cuda_launch.struct(window).tobytes()))[1]
