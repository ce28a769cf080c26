"""Gradient check: every operation's backward against central finite differences, in float64.

    python -m minialex.gradcheck

numeric_i = sum of g (y(x + h e_i) - y(x - h e_i)) / 2h     error = |a - n| / max(|a|, |n|, max|n| / 1000)

g is a random cotangent: with ones instead, a softmax whose backward returns zeros would pass. Subtracting the outputs
before contracting them with g, not after, keeps four more digits. Where the slopes to the left and to the right differ,
the function has a kink; such entries are counted and skipped, and more than 5 % of them is a failure. A correct
gradient has an error of about 2e-8, a wrong one of about 1.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import backends, cli, random
from .tensor import Tensor

TOLERANCE = 1e-6
MOST_SKIPPED = 0.05


@dataclass(frozen=True)
class Result:
    """The outcome of a gradient check, at the entry with the largest error.

    error: relative, as in the module's formula.
    input, index: the entry: number of the input and index into it.
    analytic, numeric: its gradient by backward, and by finite differences.
    entries: how many were checked.
    skipped: how many of them were skipped at kinks.
    """

    error: float
    input: int
    index: tuple
    analytic: float
    numeric: float
    entries: int
    skipped: int

    @property
    def ok(self) -> bool:
        """Whether the gradients agree, with few enough entries skipped."""
        return self.error < TOLERANCE and self.skipped <= MOST_SKIPPED * self.entries

    def __str__(self) -> str:
        text = f"error {self.error:.1e} in input {self.input} at {self.index}: backward says {self.analytic:.10g}, "
        text += f"finite differences {self.numeric:.10g}"
        return text + (f"; {self.skipped} of {self.entries} entries skipped at kinks" if self.skipped else "")


def gradcheck(
    function: Callable[..., Tensor], *arrays: ArrayLike, backend: Any = "numpy", h: float = 1e-5, seed: int = 0
) -> Result:
    """Compare a function's backward with central finite differences.

    function: takes Tensors and returns a Tensor, the same at every call; the default generator is reset before each.
    arrays: the inputs, converted to float64.
    backend: where to compute.
    h: the step of the differences.
    seed: of the random cotangent.

    Returns a Result.
    """
    draws = random.default_generator.call
    points = [np.array(x, np.float64) for x in arrays]  # copies, which are modified below

    def evaluate(requires_grad=False):
        random.default_generator.call = draws
        tensors = [Tensor(x.copy(), requires_grad, backend=backend) for x in points]
        return tensors, function(*tensors)

    tensors, y = evaluate(requires_grad=True)
    cotangent = np.random.default_rng(seed).standard_normal(y.shape)
    y0 = y.numpy().copy()
    y.backward(cotangent.copy())  # a copy, in case backward writes into it
    worst, entries, skipped = None, 0, 0
    for i, (x, t) in enumerate(zip(points, tensors, strict=True)):
        analytic = np.zeros(x.shape) if t.grad is None else t.grad.numpy()
        numeric, left, right = np.empty(x.shape), np.empty(x.shape), np.empty(x.shape)
        for index in np.ndindex(*x.shape):
            kept = x[index]
            x[index] = kept + h
            above = evaluate()[1].numpy().copy()  # copied: the result may be a view of the input
            x[index] = kept - h
            below = evaluate()[1].numpy().copy()
            x[index] = kept
            numeric[index] = ((above - below) * cotangent).sum() / (2 * h)
            right[index] = ((above - y0) * cotangent).sum() / h
            left[index] = ((y0 - below) * cotangent).sum() / h
        floor = np.abs(numeric).max(initial=0) / 1000
        size = np.maximum(np.maximum(np.abs(analytic), np.abs(numeric)), floor)
        with np.errstate(invalid="ignore"):
            error = np.abs(analytic - numeric) / np.where(size == 0, 1, size)
        kink = np.abs(right - left) > 0.02 * np.maximum(size, np.maximum(np.abs(left), np.abs(right)))
        entries, skipped = entries + x.size, skipped + int(kink.sum())
        error = np.where(kink, 0, np.where(np.isnan(error), np.inf, error))
        if x.size:
            index = tuple(int(j) for j in np.unravel_index(error.argmax(), x.shape))
            found = Result(float(error[index]), i, index, float(analytic[index]), float(numeric[index]), 0, 0)
            worst = found if worst is None or found.error > worst.error else worst
    worst = worst or Result(0.0, 0, (), 0.0, 0.0, 0, 0)
    return Result(worst.error, worst.input, worst.index, worst.analytic, worst.numeric, entries, skipped)


def check_all(operations: Iterable[str] | None = None, backend: Any = "numpy") -> Iterator[tuple[Any, Result]]:
    """Check every case of cases.CASES.

    operations: names of the operations to check; all if empty or None.
    backend: where to compute.

    Yields (case, Result).
    """
    from .cases import CASES

    for case in CASES:
        if not operations or case.op in operations:
            yield case, gradcheck(case.run, *case.arrays(), backend=backend)


def main(argv=None):
    """Run the command: print a line per operation; returns exit code 1 if one fails. argv: the arguments, or None."""
    from .cases import CASES

    names = sorted({case.op for case in CASES})
    parser = cli.Parser(
        "gradcheck",
        "Check the gradient of every operation against finite differences, in float64.",
        "examples: python -m minialex.gradcheck\n"
        "          python -m minialex.gradcheck conv2d local_response_norm --backend numba",
    )
    parser.add_argument(
        "operations", nargs="*", metavar="OPERATION", help="name of an operation to check (default: all)"
    )
    known_backends = ", ".join(backends.available())
    parser.add_argument("--backend", default="numpy", help=f"{known_backends} (default: %(default)s)")
    options = parser.parse_args(argv)
    for kind, given, known in (
        ("operation", options.operations, names),
        ("backend", [options.backend], backends.available()),
    ):
        for name in given:
            if name not in known:
                raise cli.UserError(f"unknown {kind} '{name}'; choose from {', '.join(known)}")

    print(f"{'operation':<20} {'cases':>5} {'entries':>7} {'worst error':>11} {'analytic':>14} {'numeric':>14}   where")
    results: dict = {}
    for case, result in check_all(options.operations, options.backend):
        results.setdefault(case.op, []).append((case, result))
    for op, checked in results.items():
        _print_row(op, checked)
    every = [result for checked in results.values() for _, result in checked]
    failed = sum(not result.ok for result in every)
    verdict = f"{failed} cases are WRONG" if failed else f"all under {TOLERANCE:g}"
    entries, worst = sum(r.entries for r in every), max(r.error for r in every)
    print(f"\n{len(every)} cases, {entries} entries, worst error {worst:.1e}: {verdict}")
    return 1 if failed else 0


def _print_row(op, checked):
    case, worst = max(checked, key=lambda pair: (not pair[1].ok, pair[1].error))
    entries, skipped = sum(r.entries for _, r in checked), sum(r.skipped for _, r in checked)
    where = f"{case.label}, input {worst.input} at {worst.index}"
    notes = (f"; {skipped} skipped at kinks" if skipped else "") + ("" if worst.ok else "   WRONG")
    numbers = f"{worst.error:>11.1e} {worst.analytic:>14.8g} {worst.numeric:>14.8g}"
    print(f"{op:<20} {len(checked):>5} {entries:>7} {numbers}   {where}{notes}", flush=True)


if __name__ == "__main__":
    sys.exit(cli.run(main))
