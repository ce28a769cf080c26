"""The emulator's headers compiled beforehand: a wrong solution's kernels then compile in half the time."""

from __future__ import annotations

import functools
import re
import subprocess
import tempfile
from pathlib import Path

from minialex.backends.cuda import emulator
from minialex.support import resources


@functools.cache
def environment():
    """Variables with which emulator.build uses them; compiling them takes a few seconds, once per process."""
    kept = tempfile.TemporaryDirectory(prefix="headers-")
    _KEPT.append(kept)  # until this process ends
    header, compiled = Path(kept.name) / "standard.h", Path(kept.name) / "standard.h.gch"
    texts = [(resources.folder("kernels") / name).read_text() for name in ("emulator.h", "checked.h")]
    header.write_text("\n".join(re.findall(r"^#include <.*", "\n".join(texts), re.M)) + "\n")
    compiled.mkdir()
    for real in emulator.cuda_launch.REALS.values():  # a compiler ignores what other flags have made
        _, flags = emulator.unit("", real, True, ("-O0", "-g0"))
        command = [emulator.compiler(), *flags, "-x", "c++-header", str(header), "-o", str(compiled / real)]
        subprocess.run(command, check=True, capture_output=True)
    return {"CXXFLAGS": f"-g0 -include {header}"}


_KEPT: list = []
