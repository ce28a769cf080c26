"""The process in which a learner's kernel runs: python -I -S child.py, with the job as JSON on standard input.

Arrays and reports lie in a file that the grader has made and maps as well, so what the checked build has found is
there even when the kernel never ends or the process dies. Nothing but the standard library is imported: it starts in
a few hundredths of a second.
"""

import ctypes
import json
import mmap
import resource
import sys

MEMORY = 2 << 30  # bytes that the process may take; the arrays, which lie in the file, not counted


def main(job):
    for what, most in (
        (resource.RLIMIT_DATA, MEMORY),
        (resource.RLIMIT_CPU, job["seconds"]),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, highest = resource.getrlimit(what)
        resource.setrlimit(what, (most if highest == resource.RLIM_INFINITY else min(most, highest), highest))
    with open(job["memory"], "r+b") as file:
        memory = mmap.mmap(file.fileno(), 0)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    library = ctypes.CDLL(job["library"])
    run = getattr(library, job["entry"])
    for case in job["cases"]:
        for cell, value in case["addresses"]:  # pointers, which only this process knows
            ctypes.c_void_p.from_address(start + cell).value = start + value
        library.watch_warps(ctypes.c_void_p(start + case["warps"]))
        count = len(case["arguments"])
        pointers = (ctypes.c_void_p * count)(*(start + offset for offset, _ in case["arguments"]))
        sizes = (ctypes.c_longlong * count)(*(size for _, size in case["arguments"]))
        grid, block = ((ctypes.c_uint * 3)(*case[name]) for name in ("grid", "block"))
        for first, last in case["blocks"]:
            run(grid, block, ctypes.c_longlong(first), ctypes.c_longlong(last), pointers, sizes,
                ctypes.c_void_p(start + case["report"]))  # fmt: skip
        ctypes.c_longlong.from_address(start + case["done"]).value = 1
        if ctypes.c_int.from_address(start + case["problems"]).value:
            return  # the verdict is about the first case that goes wrong


main(json.load(sys.stdin))
