"""Every case of the table, checked in every way: finite differences, torch, float32, other backends, and what the
engine promises about the arrays an operation is given, keeps and returns."""

from __future__ import annotations

import inspect

import golden
import numpy as np
import pytest
import usable
from on_request import heavy

from minialex import functional
from minialex.cases import CASES
from minialex.functional.more import names
from minialex.gradcheck import gradcheck
from minialex.tensor import Tensor, no_grad

# By how much of the array's largest an entry may be off in float32: roundings are 6e-8 each; where a sum cancels,
# 1.7e-6 was seen.
FLOAT32_RTOL = 3e-6

# What these compute backwards with is not their input's values, so changing those afterwards must be allowed.
NEEDS_NO_INPUT = {
    "add",
    "avg_pool2d",
    "cross_entropy",
    "dropout",
    "exp",
    "flatten",
    "log_softmax",
    "max_pool2d",
    "mean",
    "neg",
    "permute",
    "relu",
    "reshape",
    "sqrt",
    "sub",
    "sum",
    "tanh",
    "transpose",
}

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def forward(case, dtype=np.float64):
    """(leaves, result) of a case."""
    tensors = [Tensor(x, requires_grad=True) for x in case.arrays(dtype)]
    return tensors, case.run(*tensors)


# ---------------------------------------------------------------------------------------------- are the values right?


@every_case
def test_finite_differences(case):
    result = gradcheck(case.run, *case.arrays())
    assert result.ok, f"{case.name}: {result}"
    assert result.entries == sum(x.size for x in case.arrays())


@every_case
def test_golden_values_of_torch(case):
    golden.check(case, *case.gradients(case.arrays()))


@pytest.mark.parametrize("seed", [0, 11, 12])
@every_case
def test_live_torch(torch, case, seed):
    import oracle

    arrays = case.arrays(seed=seed)
    y, gradients = oracle.gradients(case, arrays, case.cotangent)
    ours_y, ours = case.gradients(arrays)
    golden.assert_close(ours_y, y, f"y of {case.name}")
    for i, (ours_g, g) in enumerate(zip(ours, gradients, strict=True)):
        golden.assert_close(ours_g, g, f"gradient {i} of {case.name}")


def test_golden_file_holds_the_table_and_nothing_else():
    stored = {name.removesuffix(" fingerprint") for name in golden.load() if name.endswith(" fingerprint")}
    assert stored == {case.name for case in CASES}, "run   python tests/golden/make.py"


def test_a_changed_case_is_told_from_its_golden_values():
    case = CASES[0]
    changed = type(case)(case.op, case.label, case.inputs[::-1], {"alpha": 3})
    y, gradients = changed.gradients(changed.arrays())
    with pytest.raises(AssertionError, match="run   python tests/golden/make.py"):
        golden.check(changed, y, gradients)


def compiled_for_itself(case):
    """LRN within a channel has a kernel of its own, which takes Numba ten seconds to compile."""
    return case.op == "local_response_norm" and case.options.get("within_channel")


@pytest.mark.parametrize("backend", [name for name in usable.EVERY if name != "numba"])
@every_case
def test_float32_of_every_backend(case, backend):
    assert_float32(case, usable.or_skip(backend))


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case.name, marks=heavy if compiled_for_itself(case) else ()) for case in CASES]
)
def test_float32_on_numba(case):
    assert_float32(case, usable.or_skip("numba"))


def assert_float32(case, backend):
    arrays = case.arrays(np.float32)
    y, gradients = case.gradients(arrays, backend)
    rounded = [x.astype(np.float64) for x in arrays]  # what rounding the inputs costs is not the operation's fault
    expected_y, expected = case.gradients(rounded, "numpy")
    for ours, theirs in [(y, expected_y), *zip(gradients, expected, strict=True)]:
        assert ours.dtype == np.float32
        error = np.abs(ours - theirs).max(initial=0)
        assert error <= FLOAT32_RTOL * np.abs(theirs).max(initial=0), f"off by {error}"


# It takes half a minute to compile all kernels once more, on numba and on the emulator.
FLOAT64 = [pytest.param(name, marks=heavy) if name in ("numba", "emulator") else name for name in usable.EVERY]


@pytest.mark.parametrize("backend", FLOAT64)
@every_case
def test_float64_of_every_backend(case, backend):
    """To the bit against the NumPy backend itself: the same machine gives the same numbers twice."""
    usable.or_skip(backend)
    y, gradients = case.gradients(case.arrays(), backend)
    expected_y, expected = case.gradients(case.arrays(), "numpy")
    for ours, theirs in [(y, expected_y), *zip(gradients, expected, strict=True)]:
        assert ours.dtype == np.float64
        golden.assert_close(ours, theirs, f"{case.name} on {backend}", rtol=0 if backend == "numpy" else 1e-11)


# ---------------------------------------------------------------------------------------------- whose arrays are they?


@every_case
def test_neither_inputs_nor_cotangent_nor_options_are_changed(case):
    tensors, y = forward(case)
    cotangent = case.cotangent(y.shape)
    options = [v for v in case.options.values() if isinstance(v, np.ndarray)]
    arrays = [t.data for t in tensors] + [y.data, cotangent] + options
    before = [x.copy() for x in arrays]
    y.backward(cotangent)
    for x, kept in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(x, kept)
    for t, x in zip(tensors, case.arrays(), strict=True):
        np.testing.assert_array_equal(t.data, x)


@every_case
def test_gradients_share_no_memory(case):
    """With nobody: an optimiser or a second backward() writes into them."""
    tensors, y = forward(case)
    cotangent = case.cotangent(y.shape)
    y.backward(cotangent)
    others = [cotangent, y.data] + [t.data for t in tensors]
    for t in tensors:
        assert t.grad.data.flags.writeable
        assert not any(np.shares_memory(t.grad.data, other) for other in others)
        others.append(t.grad.data)


@every_case
def test_inputs_and_gradients_in_any_memory_order(case):
    """Transposed views in, through a tape: neither x nor gy lies in C order."""
    expected_y, expected = case.gradients(case.arrays())
    leaves = [Tensor(x.T.copy(), requires_grad=True) for x in case.arrays()]
    y = case.run(*(leaf.permute(range(leaf.ndim)[::-1]) if leaf.ndim else leaf for leaf in leaves))
    if y.ndim:
        y.permute(range(y.ndim)[::-1]).backward(case.cotangent(y.shape).T)
    else:
        y.backward(case.cotangent(y.shape))
    golden.assert_close(y.data, expected_y, "y")
    for leaf, g in zip(leaves, expected, strict=True):
        golden.assert_close(leaf.grad.T, g, "gradient")


@every_case
def test_arrays_with_gaps_are_read_rightly(case):
    """Every second element of a larger array, as an input and as a cotangent."""

    def spread(x):
        wide = np.full((*x.shape, 2), np.nan)
        wide[..., 0] = x
        return wide[..., 0]

    expected_y, expected = case.gradients(case.arrays())
    tensors = [Tensor(spread(x), requires_grad=True) for x in case.arrays()]
    y = case.run(*tensors)
    y.backward(spread(case.cotangent(y.shape)))
    np.testing.assert_array_equal(y.data, expected_y)
    for t, g in zip(tensors, expected, strict=True):
        np.testing.assert_array_equal(t.grad, g)


# ---------------------------------------------------------------------------------------------- what backward relies on


def assign(t, values):
    t.data = values


def overwrite(t, values):
    t.data[...] = values
    t.bump_version()


@pytest.mark.parametrize("change", [assign, overwrite])
@every_case
def test_a_value_changed_after_the_forward_pass(case, change):
    """Whatever is changed, input or result: backward complains, or its gradients are those of the values before."""
    _, expected = case.gradients(case.arrays())
    for i in range(len(expected) + 1):
        tensors, y = forward(case)
        cotangent = case.cotangent(y.shape)
        changed = [*tensors, y][i]
        if not changed.data.flags.writeable:  # an expanded view
            continue
        change(changed, changed.data * 0.5 + 0.25)
        try:
            y.backward(cotangent)
        except RuntimeError as error:
            assert "changed in place" in str(error) and case.op in str(error)
            assert changed is y or case.op not in NEEDS_NO_INPUT, "it complains of what it does not need"
            assert all(t.grad is None for t in tensors)
        else:
            for t, g in zip(tensors, expected, strict=True):
                np.testing.assert_array_equal(t.grad, g)


@every_case
def test_only_the_gradients_that_are_needed(case):
    """One input at a time: its gradient is the same to the bit, the others have none."""
    _, expected = case.gradients(case.arrays())
    for i, g in enumerate(expected):
        tensors = [Tensor(x, requires_grad=i == j) for j, x in enumerate(case.arrays())]
        y = case.run(*tensors)
        y.backward(case.cotangent(y.shape))
        np.testing.assert_array_equal(tensors[i].grad, g)
        assert all(t.grad is None for j, t in enumerate(tensors) if j != i)


@every_case
def test_nothing_is_recorded_where_no_gradient_is_wanted(case):
    recorded, y = forward(case)
    with no_grad():
        silent = case.run(*recorded)
    constant = case.run(*(Tensor(x) for x in case.arrays()))
    for result in (silent, constant):
        assert not result.requires_grad and result.node is None
        np.testing.assert_array_equal(result.data, y.data)
        with pytest.raises(RuntimeError, match="requires no gradient"):
            result.backward(case.cotangent(y.shape))


# ---------------------------------------------------------------------------------------------- is the table complete?


# whole numbers and truth values, which have no gradient, and several tensors at once: tests/test_torch_names.py
NO_CASE = {"argsort", "bitwise_and", "bitwise_not", "bitwise_or", "bitwise_xor", "floor_divide", "one_hot"}
NO_CASE |= {"chunk", "sort", "split", "topk"}
NO_CASE |= {
    name for name, f in vars(names).items() if getattr(f, "__module__", "") == names.__name__
}  # tests/functional/test_more_names.py


def test_every_function_has_cases():
    exported = {name: f for name, f in vars(functional).items() if inspect.isfunction(f)}
    assert set(exported) == set(functional.__all__)
    own_names = {name for name, f in exported.items() if f.__name__ == name}  # clip is clamp, cat is concatenate
    assert own_names - {"unbroadcast", "to"} - NO_CASE == {case.op for case in CASES}


# the arguments that Case.run takes as inputs, where they are not the first ones
DIFFERENTIABLE = {"batch_norm": ["input", "weight", "bias"], "where": ["input", "other"]}


TESTED_ELSEWHERE = {  # in functional/test_unusual.py
    "clone": {"memory_format"}, "div": {"rounding_mode"}, "gather": {"sparse_grad"}, "interpolate": {"antialias"},
    "mse_loss": {"weight"}, "norm": {"out"}, "pad": {"mode"}, "var": {"unbiased"},
}  # fmt: skip


def test_every_argument_is_given_in_some_case():
    """All but the place, generator, indices and dtype of a result, and torch's retired ones."""
    elsewhere = {"inplace", "generator", "return_indices", "dtype", "size_average", "reduce"}
    for op in {case.op for case in CASES}:
        arguments = list(inspect.signature(getattr(functional, op)).parameters)
        differentiable = DIFFERENTIABLE.get(op, arguments)
        cases = [case for case in CASES if case.op == op]
        given = {name for case in cases for name in (*differentiable[: len(case.inputs)], *case.options)}
        assert set(arguments) - given - TESTED_ELSEWHERE.get(op, set()) <= elsewhere, op


def test_case_names_are_unique():
    assert len({case.name for case in CASES}) == len(CASES)
