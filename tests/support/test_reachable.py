"""What a function leads to, and what the engine makes of it: operations of one's own are watched, or refused."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import numpy as np
import own_operations
import pytest
from own_operations import HARMLESS, WAYS, WRONG

from minialex import Tensor
from minialex.support.reachable import Opaque, reachable


@pytest.mark.parametrize("way", WAYS)
def test_whatever_a_backward_keeps_is_watched(way):
    h, y = own_operations.keeps(way)
    h.data[...] = 0
    h.bump_version()
    with pytest.raises(RuntimeError, match="backward of own needs a value that was changed in place"):
        y.backward(np.ones(y.shape))


@pytest.mark.parametrize("way", WAYS)
def test_and_works_as_long_as_nothing_changes(way):
    h, y = own_operations.keeps(way)
    h.retain_grad()
    y.backward(np.ones(y.shape))
    assert h.grad.numpy().any()


@pytest.mark.parametrize("kept", HARMLESS)
def test_what_holds_nothing_of_an_input_is_no_reason_to_refuse_a_change(kept):
    x = Tensor(np.ones((2, 3)), requires_grad=True)
    h = x * 2.0
    harmless = HARMLESS[kept](h.data)

    def backward(gy):
        return (gy + 0 * len(str(harmless)),)

    y = Tensor.from_operation(h.data.copy(), backward, h, name="own")
    h.data[...] = 0
    h.bump_version()
    y.backward(np.ones((2, 3)))
    assert x.grad.tolist() == [[2.0] * 3] * 2


def test_tensors_that_are_no_inputs_are_watched_too(rng):
    x, w = Tensor(rng.standard_normal(3), requires_grad=True), Tensor(rng.standard_normal(3))
    y = Tensor.from_operation(x.data * w.data, lambda gy: (gy * w.data,), x, name="scale")
    w.data = np.zeros(3)
    with pytest.raises(RuntimeError, match="backward of scale needs a value that was changed"):
        y.backward(np.ones(3))


def test_what_cannot_be_searched_is_refused_or_declared(rng):
    x = Tensor(rng.standard_normal(3), requires_grad=True)
    h = x * 1.0
    hidden = np.nditer(h.data)

    def operation(**declared):
        return Tensor.from_operation(h.data * 2, lambda gy: (gy * hidden.operands[0],), h, name="own", **declared)

    with pytest.raises(TypeError, match=r"backward of own keeps a numpy.nditer, .*from_operation\(\.\.\., saves="):
        operation()
    y, z = operation(saves=[h.data]), operation(saves=[h])
    h.bump_version()
    for result in (y, z):
        with pytest.raises(RuntimeError, match="backward of own needs a value that was changed"):
            result.backward(np.ones(3))


def test_an_array_of_another_library_is_refused(rng, torch):
    x = Tensor(rng.standard_normal(3), requires_grad=True)
    shared = torch.from_numpy(x.data)
    with pytest.raises(TypeError, match="backward of own keeps a torch.Tensor"):
        Tensor.from_operation(x.data * 2, lambda gy: (gy * shared.numpy(),), x, name="own")


def test_nothing_is_searched_under_no_grad(rng):
    x = Tensor(rng.standard_normal(3))
    hidden = np.nditer(x.data)
    assert not Tensor.from_operation(x.data, lambda gy: (hidden,), x, name="own").requires_grad


@pytest.mark.heavy
def test_a_whole_program_is_not_searched_to_its_end():
    crowd = [[i] for i in range(200_000)]
    with pytest.raises(Opaque, match="more than 100,000 objects"):
        reachable(lambda: crowd)


def test_cycles_and_compiled_functions_end():
    numba = pytest.importorskip("numba", reason="numba is not installed")
    compiled = numba.njit(lambda a: a + 1)
    ring: list = [compiled]
    ring.append(ring)
    found = reachable(lambda: ring)
    assert any(thing is compiled for thing in found) and len(found) < 20


@pytest.mark.parametrize("wrong", WRONG)
def test_what_a_backward_returns_is_checked(wrong):
    answer, error, message = WRONG[wrong]
    a, b, y = own_operations.returns(answer)
    with pytest.raises(error, match=f"^backward of own returned .*{message}"):
        y.backward(np.ones(3))
    assert a.grad is None and b.grad is None


def test_also_where_asserts_are_left_out():
    """python -O takes every `assert` out of the program."""
    program = """
        import numpy as np
        from minialex import Tensor

        x = Tensor(np.ones(3), requires_grad=True)
        y = Tensor.from_operation(2 * x.data, lambda gy: (gy[:1],), x, name="own")
        try:
            y.backward(np.ones(3))
        except ValueError as error:
            print(error)
        assert False
    """
    command = [sys.executable, "-O", "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "gradient of shape (1,) for input 1, which has shape (3,)" in done.stdout


def test_an_operation_has_the_name_that_it_was_given(rng):
    x = Tensor(rng.standard_normal(3), requires_grad=True)
    assert Tensor.from_operation(x.data, lambda gy: (gy,), x, name="mine").node.name == "mine"
    assert Tensor.from_operation(x.data, lambda gy: (gy,), x).node.name == "operation"
