"""What each assignment asks for, known without loading its checks.

Releases and the grader empty the functions of several assignments; the checks of the others may not be there, as in an
autograder's archive, or need libraries that this one does not.
"""

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


_BACKEND = "backends/numpy_backend.py"

TARGETS: dict[str, tuple[Target, ...]] = {
    "a1": (
        Target("functional/arithmetic.py", ("unbroadcast", "add", "mul", "matmul")),
        Target("functional/activation.py", ("tanh",)),
        Target("tape.py", ("sorted_nodes", "backward")),
    ),
    "a2": (
        Target(
            _BACKEND,
            (
                "NumPyBackend.linear",
                "NumPyBackend.linear_backward",
                "NumPyBackend.dropout",
                "NumPyBackend.log_softmax",
                "NumPyBackend.log_softmax_backward",
                "NumPyBackend.cross_entropy",
                "NumPyBackend.cross_entropy_backward",
                "NumPyBackend.sgd",
            ),
        ),
        Target("functional/activation.py", ("dropout",)),
    ),
    "a3": (
        Target(
            _BACKEND,
            ("NumPyBackend.conv2d", "NumPyBackend.conv2d_backward", "_ConvBuffers.im2col", "_ConvBuffers.col2im"),
        ),
    ),
    "a4": (
        Target(
            _BACKEND,
            (
                "NumPyBackend.max_pool2d",
                "NumPyBackend.max_pool2d_backward",
                "NumPyBackend.avg_pool2d",
                "NumPyBackend.avg_pool2d_backward",
                "NumPyBackend.local_response_norm",
                "NumPyBackend.local_response_norm_backward",
                "_neighbours",
            ),
        ),
    ),
    "a5": (
        Target("kernels/relu.cu", ("relu", "relu_in_place", "relu_backward")),
        Target("kernels/pool.cu", ("max_pool2d", "max_pool2d_backward")),
        Target("kernels/matmul.cu", ("matmul_tiled",)),
        Target("kernels/lrn.cu", ("lrn_across", "lrn_across_backward", "lrn_within", "lrn_within_backward")),
    ),
    "a6": (
        Target("models/alexnet.py", ("alexnet", "alexnet_caffe")),
        Target("data/transforms.py", ("RandomCrop.__call__", "RandomHorizontalFlip.__call__")),
        Target("data/color.py", ("ColorNoise.__init__", "ColorNoise.__call__")),
        Target("data/pipeline.py", ("Pipeline.views",)),
        Target("training/trainer.py", ("Trainer.steps",)),
    ),
}


def from_on(name):
    """The names of the assignment called `name` and of all later ones."""
    names = list(TARGETS)
    return names[names.index(name) :]


def asked_in(file, assignments=tuple(TARGETS)):
    """The functions of a source file that assignments ask for.

    file: as in Target.
    assignments: the names of the assignments.

    Returns {assignment: names of functions}, without the assignments that ask for none.
    """
    return {name: target.names for name in assignments for target in TARGETS[name] if target.file == file}


def files_of(assignments):
    """The source files in which the assignments of these names ask for functions; assignments: their names."""
    return sorted({target.file for name in assignments for target in TARGETS[name]})
