"""Keeping memory between training steps.

A training step frees what the next one asks for again: AlexNet's gradients alone are 244 MB. The C library returns
large blocks to the system at once, and the system wipes every page that it hands out, which took longer than to
compute what was then written there: gx and gW of AlexNet's fc6 at batch 32 took 107 ms, and 40 ms in memory that was
kept (python -m minialex.bench shows the layer).
"""

from __future__ import annotations

import ctypes
import platform

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_NEVER = 2**31 - 1


def keep_freed_memory():
    """Have the C library keep freed blocks for the next ones, in this whole process; glibc only, nothing elsewhere."""
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, _NEVER)
        libc.mallopt(_M_TRIM_THRESHOLD, _NEVER)
