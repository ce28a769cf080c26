"""CUDA puzzles: a kernel is asked for, the checked emulator runs it, and a verdict says what is wrong, and where.

specifications.py   the puzzles, as data: what is asked for, on which arrays, within which budgets
grader.py           from the learner's text to a verdict
child.py            the process in which a learner's kernel runs
"""

from .grader import compile_together, count, counts, grade
from .specifications import PUZZLES

__all__ = ["PUZZLES", "compile_together", "count", "counts", "grade"]
