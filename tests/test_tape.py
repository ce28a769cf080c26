"""The tape and backward(): the chain rule over any graph, values saved and then changed, no_grad, names."""

from __future__ import annotations

import gc
import itertools
import threading

import numpy as np
import pytest

from minialex import Tensor, functional, nn, no_grad, optim
from minialex.backends.numpy_backend import NumPyBackend

# ---------------------------------------------------------------------------------- the chain rule on any graph


def leaf(rng, *shape):
    return Tensor(rng.standard_normal(shape), requires_grad=True)


def tanh(x):
    return x.tanh() if isinstance(x, Tensor) else np.tanh(x)


STEPS = [
    lambda a, b: tanh(a * b),
    lambda a, b: tanh(a) + b * 0.5,
    lambda a, b: a - b * b * 0.1,
    lambda a, b: tanh(a + a) * tanh(b),
    lambda a, b: 0.3 - a / (b * b + 2.0),
]


def random_program(rng, leaves, length):
    """Triples (step, i, j): each value is a step of two earlier ones, mostly recent ones, often the same one twice."""

    def pick(n):
        return max(0, n - 1 - int(rng.integers(6)))

    return [(rng.integers(len(STEPS)), pick(leaves + k), pick(leaves + k)) for k in range(length)]


def run(program, inputs):
    values = list(inputs)
    for step, i, j in program:
        values.append(STEPS[step](values[i], values[j]))
    return values[-1] + values[len(values) // 2]


@pytest.mark.parametrize("seed", range(25))
def test_random_graphs_agree_with_complex_steps(seed):
    """f(x + ih) = f(x) + ih f'(x): an oracle that shares nothing with reverse mode, exact to the last digits."""
    rng = np.random.default_rng(seed)
    program = random_program(rng, leaves=3, length=30)
    values = [rng.standard_normal(4) for _ in range(3)]
    cotangent = rng.standard_normal(4)
    tensors = [Tensor(v, requires_grad=True) for v in values]
    run(program, tensors).backward(cotangent)
    for i, t in enumerate(tensors):
        shifted = [v + 1e-30j * (i == k) for k, v in enumerate(values)]
        expected = cotangent * run(program, shifted).imag / 1e-30
        got = np.zeros(4) if t.grad is None else t.grad
        np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-13 * np.abs(expected).max())


def test_a_value_used_twice_in_a_row():
    a = Tensor(np.array([1.0, -2.0]), requires_grad=True)
    b = a + a
    c = b + b
    c.backward(np.array([1.0, 10.0]))
    assert a.grad.tolist() == [4.0, 40.0]


def test_forty_diamonds_on_top_of_each_other_take_forty_steps_not_2_to_the_40():
    a = Tensor(np.ones(1), requires_grad=True)
    y = a
    for _ in range(40):
        y = y + y
    y.backward()
    assert a.grad.tolist() == [2.0**40]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_paths_of_different_length_meet_before_they_go_on(order):
    """h is reached by paths of one, two and three steps: it must wait for all of them, in whatever order they stand."""
    x = Tensor(np.array([2.0]), requires_grad=True)
    h = x * x
    paths = [h * 3.0, (h * 2.0) * 2.0, ((h + 0.0) * 5.0) * 1.0]
    total = paths[order[0]] + paths[order[1]] + paths[order[2]]
    total.backward()
    assert x.grad.tolist() == [4.0 * (3 + 4 + 5)]


def test_ten_thousand_operations_in_a_row():
    x = Tensor(np.array([0.5]), requires_grad=True)
    y = x
    for _ in range(5_000):  # two in each turn
        y = y * 1.0 + 0.001
    assert y.item() == pytest.approx(5.5)
    y.backward()
    assert x.grad.tolist() == [1.0]


@pytest.mark.parametrize(
    "layer",
    [
        lambda h, w: h + w,
        pytest.param(lambda h, w: h @ w, marks=pytest.mark.heavy),
        pytest.param(lambda h, w: functional.linear(h, w), marks=pytest.mark.heavy),
    ],
    ids=["add", "matmul", "linear"],
)
def test_a_long_chain_is_let_go_without_running_backward(layer):
    """Deallocation recurses in a naive design, and ends the process: this test then takes all the others with it.

    On a stack of half a megabyte, a sixteenth of the usual one, a chain of 3,000 is as good as one of 48,000.
    """
    w = Tensor(np.ones((1, 1)), requires_grad=True)

    def let_go():
        y = w
        for _ in range(3_000):
            y = layer(y, w)
        del y
        gc.collect()

    before = threading.stack_size(512 << 10)
    thread = threading.Thread(target=let_go)
    try:
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    assert w.grad is None


# ----------------------------------------------------------------------------------------------- saved, then changed


def changes():
    def step(t):
        t.grad = np.ones_like(t.data)
        optim.SGD([t], lr=0.1).step()

    def assign(t):
        t.data = t.data * 2.0

    def in_place(t):
        t.data *= 2.0

    def load(t):
        module = nn.Module()
        module.t = t
        module.load_state_dict({"t": np.zeros(t.shape)})

    return [step, assign, in_place, load]


@pytest.mark.parametrize("change", changes(), ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    "use",
    [
        lambda x, w: x @ w,
        lambda x, w: x @ w.reshape(2, 6).reshape(3, 4),
        lambda x, w: x @ w.T.T,
        lambda x, w: functional.linear(x, w.T),
        lambda x, w: x @ w.detach() + w.sum(),
        lambda x, w: x @ Tensor(w),
    ],
    ids=["itself", "a reshaped view", "a transposed view", "a view, linear", "detached", "a Tensor made of it"],
)
def test_backward_refuses_a_value_that_was_saved_and_then_changed(rng, use, change):
    x, w = leaf(rng, 2, 3), nn.Parameter(rng.standard_normal((3, 4)))
    y = use(x, w).sum()
    change(w)
    w.grad = None
    with pytest.raises(RuntimeError, match="changed in place"):
        y.backward()
    assert x.grad is None and w.grad is None


@pytest.mark.parametrize("change", changes(), ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    "use",
    [
        lambda x, w: x.reshape(6) + w,
        lambda x, w: (x.reshape(6) - w).sum(),
        lambda x, w: functional.linear(x, Tensor(np.ones((6, 3))), w),
        lambda x, w: functional.conv2d(x.reshape(1, 1, 2, 3), Tensor(np.ones((6, 1, 2, 2))), w),
        lambda x, w: w.reshape(2, 3).permute(1, 0) + 1.0,
    ],
    ids=["add", "sub and sum", "bias of linear", "bias of conv2d", "shapes only"],
)
def test_backward_minds_no_change_of_what_it_does_not_need(rng, use, change):
    x, w = leaf(rng, 2, 3), nn.Parameter(rng.standard_normal(6))
    y = use(x, w)
    change(w)
    w.grad = None
    y.backward(np.ones(y.shape))
    assert w.grad is not None


def test_relu_in_place_writes_over_its_input_where_that_is_safe(rng):
    x, w = leaf(rng, 2, 3), leaf(rng, 4, 3)
    h = functional.linear(x, w)
    array, expected = h.data, np.maximum(h.data, 0)
    y = functional.relu(h, inplace=True)
    assert y.data is array and np.array_equal(array, expected)
    (y * y).sum().backward()
    upstream = 2 * expected
    np.testing.assert_allclose(w.grad, upstream.T @ x.data)
    np.testing.assert_allclose(x.grad, upstream @ w.data)


def test_relu_in_place_over_what_its_maker_needs_is_caught_in_backward(rng):
    y = functional.relu(leaf(rng, 3).exp(), inplace=True).sum()
    with pytest.raises(RuntimeError, match="exp needs a value that was changed in place"):
        y.backward()


def test_relu_in_place_over_what_another_user_needs_is_caught_in_backward(rng):
    h = leaf(rng, 3) + 1.0
    other = h * h
    y = functional.relu(h, inplace=True)
    with pytest.raises(RuntimeError, match="mul needs a value that was changed in place"):
        (y + other).sum().backward()


def test_relu_in_place_on_a_leaf_or_a_shared_array_is_refused(rng):
    x = leaf(rng, 6)
    before = x.data.copy()
    for shared in (x, x.reshape(2, 3)):
        with pytest.raises(RuntimeError, match="inplace=False"):
            functional.relu(shared, inplace=True)
    assert np.array_equal(x.data, before)


# ------------------------------------------------------------------------------------------------------------ no_grad


def test_no_grad_as_context_and_as_decorator(rng):
    x = leaf(rng, 3)

    @no_grad()
    def square(t):
        return t * t

    with no_grad():
        assert not (x * x).requires_grad
        with no_grad():
            pass
        assert not (x * x).requires_grad  # the inner one gives back what it found
    assert not square(x).requires_grad
    assert (x * x).requires_grad


def test_no_grad_ends_with_an_exception_and_in_recursion(rng):
    x = leaf(rng, 3)

    @no_grad()
    def dive(depth):
        assert not (x * x).requires_grad
        if depth == 0:
            raise KeyError("at the bottom")
        dive(depth - 1)

    with pytest.raises(KeyError):
        dive(3)
    assert (x * x).requires_grad


def test_no_grad_of_one_thread_does_not_reach_another(rng):
    x, inside, seen = leaf(rng, 3), threading.Event(), []

    def other():
        inside.wait(10)
        seen.append((x * x).requires_grad)

    thread = threading.Thread(target=other)
    thread.start()
    with no_grad():
        inside.set()
        thread.join()
        assert not (x * x).requires_grad
    assert seen == [True]


def test_a_decorated_function_in_two_threads_gives_each_its_own_state_back(rng):
    """The other thread, outside no_grad, enters first and leaves while this one, within no_grad, is still inside."""
    x, seen, entered, leave = leaf(rng, 3), [], threading.Event(), threading.Event()

    @no_grad()
    def during(action):
        action()

    def other():
        during(lambda: (entered.set(), leave.wait(10)))
        seen.append((x * x).requires_grad)

    thread = threading.Thread(target=other)
    thread.start()
    assert entered.wait(10)
    with no_grad():
        during(lambda: (leave.set(), thread.join()))
        assert not (x * x).requires_grad
    assert seen == [True] and (x * x).requires_grad


# ---------------------------------------------------------------------------------------------- names and backends


def test_nodes_know_their_operation_and_their_module(rng):
    conv, relu = nn.Conv2d(3, 4, 3), nn.ReLU()
    h = nn.Sequential(conv, relu)(Tensor(rng.standard_normal((2, 3, 5, 5), dtype=np.float32)))
    assert (h.node.name, h.node.module) == ("relu", relu)
    assert (h.node.parents[0].name, h.node.parents[0].module) == ("conv2d", conv)
    assert (h + 1.0).node.module is None and (h + 1.0).node.name == "add"


def test_a_module_that_raises_does_not_stay_at_work(rng):
    conv = nn.Conv2d(3, 4, 3)
    with pytest.raises(ValueError):
        conv(Tensor(rng.standard_normal((2, 3))))
    assert (leaf(rng, 2) + 1.0).node.module is None


class Elsewhere(NumPyBackend):
    name = "elsewhere"


def test_two_backends_in_one_operation_are_refused_in_one_sentence(rng):
    away = Elsewhere()
    a, b = Tensor(np.ones((2, 2))), Tensor(np.ones((2, 2)), backend=away)
    for mix in (lambda: a + b, lambda: b * a, lambda: a @ b, lambda: functional.linear(a, b)):
        with pytest.raises(ValueError, match="cannot mix backends.*numpy|cannot mix backends.*elsewhere"):
            mix()
    assert (b * 2.0).backend is away and (np.ones((2, 2)) + b).backend is away


def test_gradients_travel_between_backends(rng):
    away, x = Elsewhere(), leaf(rng, 3)
    y = (x * 2.0).to(away)
    assert y.backend is away
    (y * y).sum().backward()
    np.testing.assert_allclose(x.grad, 8 * x.data)
