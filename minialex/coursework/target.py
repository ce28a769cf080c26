"""What students write: functions of a source file of the library."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True)
class Target:
    """Functions of one source file that the student writes.

    file: "functional/arithmetic.py", in the package, or "kernels/relu.cu".
    names: functions, "Class.method", or kernels.
    """

    file: str
    names: tuple[str, ...]

    @property
    def student_file(self):
        """Its name in the student's folder."""
        return PurePosixPath(self.file).name

    @property
    def is_kernel(self):
        """Whether it is a CUDA file."""
        return self.file.endswith(".cu")
