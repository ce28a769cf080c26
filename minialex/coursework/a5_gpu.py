"""`python -m minialex.coursework.a5_gpu DIR`: run the public checks of A5 on a GPU with CuPy; gives no points."""

from __future__ import annotations

import sys

import numpy as np

from .. import cli, coursework
from ..backends.cuda import gpu
from ..backends.cuda import launch as cuda_launch
from . import a5, grade, kernels, student
from .runner import compare

DESCRIPTION = """\
Run the public checks of A5 on an NVIDIA GPU. A GPU does not detect races or reads of uninitialised memory: points are
given by `python -m minialex.coursework check`."""
EXAMPLES = """\
example:
  python -m minialex.coursework.a5_gpu my-a5"""


class GpuLauncher(kernels.Launcher):
    """Copies NumPy arrays to the GPU, launches the student's kernel there, and copies back what it wrote.

    cupy: the module.
    found: a kernels.Here.
    """

    def __init__(self, cupy, found):
        super().__init__(found, {})
        self.cupy = cupy

    def launch(self, kernel, real, grid, block, values):
        """As the library's launcher; raises NotImplementedError for a kernel without a body."""
        code = self.found.text(kernel.file)
        if kernel.name in self.found.empty:
            raise NotImplementedError(f"{kernel.file}: {kernel.name} is yours to write")
        module = self.cupy.RawModule(code=code, options=(f"-DREAL={cuda_launch.REALS[real]}",))
        pairs = list(zip(kernel.parameters, values, strict=True))
        there = [self.cupy.asarray(value) if parameter.array else value for parameter, value in pairs]
        module.get_function(kernel.name)(grid, block, tuple(there))
        for (parameter, value), on_gpu in zip(pairs, there, strict=True):
            if parameter.written:
                value[...] = self.cupy.asnumpy(on_gpu)


def main(argv=None):
    """Run the command. argv: the arguments, sys.argv's if None."""
    parser = cli.Parser("coursework.a5_gpu", DESCRIPTION, EXAMPLES)
    parser.add_argument("folder", nargs="?", default=".", type=cli.folder, help="your folder (default: this one)")
    options = parser.parse_args(argv)
    try:
        cupy = gpu.usable_cupy()
    except ImportError as error:
        raise cli.UserError(str(error)) from error
    with cli.as_user_error():
        if (name := coursework.assignment_in(options.folder).name) != "a5":
            raise cli.UserError(f"{options.folder} belongs to {name}, which has no kernels: give a folder of a5")
        variant = coursework.variant_in(options.folder)
        for check in student.public_checks(options.folder):
            print(f"{check.name}: {_fault(cupy, options.folder, check, variant) or 'passed'}")


def _fault(cupy, folder, check, variant):
    """What is wrong with the results of a check on the GPU, or an empty text."""
    inputs = grade.inputs_of(check, grade.seed_of(a5.ASSIGNMENT, check, "", variant))
    expected = check.answers(inputs)
    try:
        with kernels.launching(GpuLauncher(cupy, kernels.Here(a5.ASSIGNMENT.targets, folder))):
            got = check.answers(inputs)
    except (NotImplementedError, RuntimeError, ValueError, cupy.cuda.compiler.CompileException) as error:
        return str(error)[:500]
    return compare(expected, {name: np.asarray(value) for name, value in got.items()}, check.rtol)[0]


if __name__ == "__main__":
    sys.exit(cli.run(main))
