"""CUDA puzzles: a kernel is asked for, the checked emulator runs it, and a verdict says what is wrong, and where.

specifications.py   the puzzles, as data: what is asked for, on which arrays, within which budgets
grader.py           from what a kernel did to a verdict
running.py          compiles a kernel and runs it; counts
child.py            the process in which a learner's kernel runs
softmax.cu          a kernel with a planted fault
"""

from pathlib import Path

from .grader import counts, grade, launch, step
from .running import compile_together, count
from .specifications import PUZZLES

__all__ = ["PUZZLES", "SOFTMAX", "compile_together", "count", "counts", "grade", "launch", "step"]

SOFTMAX = (Path(__file__).parent / "softmax.cu").read_text(encoding="utf-8")
