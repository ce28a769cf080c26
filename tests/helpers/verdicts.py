"""What a mutant is, wrong code on purpose; the checks that every one meets, in order, and the first to reject it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import golden
import numpy as np
import own_operations

from minialex import functional, gradcheck
from minialex.cases import CASES
from minialex.tensor import Tensor, no_grad

FINITE, GOLDEN, FLOAT32 = "finite differences", "torch's values", "float32"
EQUALS, MEMORY, SAVED, RUNNING, TAPE = "equals", "memory", "saved values", "running statistics", "tape"
KEPT, RETURNED = "kept by own operations", "returned by own operations"


@dataclass(frozen=True)
class Mutant:
    """`function` takes the place of owner.attribute, which it gets as its first argument; `check` must reject it."""

    check: str
    owner: Any
    attribute: str
    op: str
    function: Any

    @property
    def name(self):
        return self.function.__name__

    @contextlib.contextmanager
    def planted(self):
        original = vars(self.owner)[self.attribute]
        setattr(self.owner, self.attribute, lambda *args, **options: self.function(original, *args, **options))
        try:
            yield
        finally:
            setattr(self.owner, self.attribute, original)


MUTANTS: list[Mutant] = []


def mutant(check, owner, attribute, op):
    """Register a function as a mutant."""
    return lambda function: MUTANTS.append(Mutant(check, owner, attribute, op, function)) or function


def altered(op, name, change, check=FINITE):
    """Register a mutant whose gradients are change(gy, the right gradients, *the arrays of its tensors)."""

    def function(original, *args, **options):
        y = original(*args, **options)
        node = getattr(y, "values", y).node
        if node is not None:
            given = args[0] if isinstance(args[0], tuple) else args
            arrays = [t.data for t in given if isinstance(t, Tensor)]
            right = node.backward
            node.backward = lambda gy: change(gy, right(gy), *arrays)
        return y

    function.__name__ = name
    mutant(check, functional, op, op)(function)


def cases(op):
    return [case for case in CASES if case.op == op]


def finite_differences(op):
    for case, result in gradcheck.check_all([op]) if cases(op) else ():
        assert result.ok, f"{case.label}: {result}"


def torchs_values(op):
    for case in cases(op):
        golden.check(case, *case.gradients(case.arrays()))


def float32(op):
    for case in cases(op):
        y, gradients = case.gradients(case.arrays(np.float32))
        assert {x.dtype for x in (y, *gradients)} == {np.dtype(np.float32)}, f"{case.label}: the result is {y.dtype}"


EQUAL = {  # inputs, options, gradient for a gradient of ones
    "maximum": (([1.0, 2.0], [1.0, 3.0]), {}, ([0.5, 0.0], [0.5, 1.0])),
    "minimum": (([1.0, 2.0], [1.0, 3.0]), {}, ([0.5, 1.0], [0.5, 0.0])),
    "max": (([3.0, 1.0, 3.0],), {}, ([0.5, 0.0, 0.5],)),
    "min": (([3.0, 1.0, 1.0],), {}, ([0.0, 0.5, 0.5],)),
    "relu": (([0.0, -0.0, 1.0],), {}, ([0.0, 0.0, 1.0],)),
    "abs": (([0.0, -2.0],), {}, ([0.0, -1.0],)),
    "clamp": (([-1.0, 1.0, 2.0],), {"min": -1, "max": 1}, ([1.0, 1.0, 0.0],)),
    "max_pool2d": (([[[[2.0, 2.0], [1.0, 2.0]]]],), {"kernel_size": 2}, ([[[[1.0, 0.0], [0.0, 0.0]]]],)),
}


def equals(op):
    if op in EQUAL:
        inputs, options, expected = EQUAL[op]
        leaves = [Tensor(np.array(x), requires_grad=True) for x in inputs]
        y = getattr(functional, op)(*leaves, **options)
        y.backward(np.ones(y.shape))
        for leaf, g in zip(leaves, expected, strict=True):
            assert leaf.grad.tolist() == g, f"a gradient of {leaf.grad.tolist()} at {leaf.data.tolist()}"


def memory(op):
    """Neither inputs nor the cotangent are written to, and no gradient shares memory with any of them."""
    for case in cases(op):
        leaves = [Tensor(x, requires_grad=True) for x in case.arrays()]
        y = case.run(*leaves)
        cotangent = case.cotangent(y.shape)
        y.backward(cotangent)
        for leaf, x in zip(leaves, case.arrays(), strict=True):
            assert np.array_equal(leaf.data, x), f"{case.label}: the input was changed"
            assert not np.shares_memory(leaf.grad.data, cotangent), (
                f"{case.label}: the gradient is somebody else's memory"
            )
        assert np.array_equal(cotangent, case.cotangent(y.shape)), f"{case.label}: gy was changed"


def saved_values(op):
    """An input that changes after the forward pass, seen through a view: an error, or the gradients from before."""
    for case in cases(op):
        _, expected = case.gradients(case.arrays())
        for i in range(len(expected)):
            leaves = [Tensor(x, requires_grad=True) for x in case.arrays()]
            y = case.run(*(functional.reshape(x, x.shape) for x in leaves))
            leaves[i].data[...] = 0.5 * leaves[i].data + 0.25
            leaves[i].bump_version()
            try:
                y.backward(case.cotangent(y.shape))
            except RuntimeError:
                continue
            for leaf, g in zip(leaves, expected, strict=True):
                assert np.array_equal(leaf.grad, g), f"{case.label}: input {i} changed, and nothing was said"


def running_statistics(op):
    """By hand: values 1, 2, 6 have mean 3 and unbiased variance 7."""
    if op == "batch_norm":
        mean, var = Tensor(np.array([1.0])), Tensor(np.array([2.0]))
        functional.batch_norm(Tensor(np.array([[1.0], [2.0], [6.0]])), mean, var, training=True, momentum=0.1)
        assert np.allclose([mean.data[0], var.data[0]], [1.2, 2.5]), f"mean {mean.data[0]:.4g}, var {var.data[0]:.4g}"


def tape(op):
    if op != "tape":
        return
    x = Tensor(np.array([3.0]), requires_grad=True)
    h = x * x
    y = h * 2 + (h * 3) * 4 + h
    y.backward()
    assert x.grad.tolist() == [6 * 15], f"three paths meet: {x.grad} in place of 90"
    cotangent, z = np.array([5.0]), Tensor(np.array([3.0]), requires_grad=True)
    (z + z).backward(cotangent)
    assert z.grad.tolist() == [10] and cotangent.tolist() == [5], "a sum was written into the caller's gradient"
    (x * 2).backward()
    assert x.grad.tolist() == [92], "backward() must add to .grad"
    try:
        y.backward()
    except RuntimeError:
        pass
    else:
        raise AssertionError("a second backward() through the same nodes was let pass")
    u = Tensor(np.array([3.0]), requires_grad=True)
    w = u * u
    w.register_hook(lambda g: g * 2)
    w.backward(np.ones(1), retain_graph=True)
    w.backward(np.ones(1))
    assert u.grad.tolist() == [2 * 2 * 6], f"a hook doubles the gradient, backward() comes twice: {u.grad} for 24"
    with no_grad():
        assert not (x * x).requires_grad, "recorded under no_grad()"


def kept_by_own_operations(op):
    """Whatever an operation's backward keeps of its input, in whatever way: a change of it is noticed."""
    for way in own_operations.WAYS if op == "tape" else ():
        h, y = own_operations.keeps(way)
        h.data[...] = 0
        h.bump_version()
        try:
            y.backward(np.ones(y.shape))
        except RuntimeError:
            continue
        raise AssertionError(f"backward keeps {way}, and a change of the input went unseen")


def returned_by_own_operations(op):
    """Whatever is wrong with what a backward returns, it raises, and no gradient arrives."""
    for wrong, (answer, error, _) in own_operations.WRONG.items() if op == "tape" else ():
        a, b, y = own_operations.returns(answer)
        try:
            y.backward(np.ones(3))
        except error:
            assert a.grad is None and b.grad is None, f"backward returns {wrong}, and a gradient was added first"
        except Exception as other:
            raise AssertionError(f"backward returns {wrong}, and that raised {type(other).__name__}") from other
        else:
            raise AssertionError(f"backward returns {wrong}, and nothing was said")


CHECKS = {
    FINITE: finite_differences,
    GOLDEN: torchs_values,
    FLOAT32: float32,
    EQUALS: equals,
    MEMORY: memory,
    SAVED: saved_values,
    RUNNING: running_statistics,
    TAPE: tape,
    KEPT: kept_by_own_operations,
    RETURNED: returned_by_own_operations,
}


def verdict(mutant):
    """(the first check that rejects it, what it said); (None, "") for a mutant that survives them all."""
    with mutant.planted():
        for name, check in CHECKS.items():
            try:
                check(mutant.op)
            except (AssertionError, RuntimeError, TypeError, ValueError) as error:
                return name, " ".join(str(error).split())
    return None, ""


def print_table():
    """Every mutant, its operation, the check that rejected it and what it said."""
    for mutant in sorted(MUTANTS, key=lambda m: (m.op, m.name)):
        name, message = verdict(mutant)
        print(f"{mutant.op:<20} {mutant.name:<46} {name or 'SURVIVES':<19} {message[:100]}")
