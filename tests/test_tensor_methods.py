"""Changes in place, copies, comparisons with what is no number: what torch does, or a sentence."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import usable

from minialex import Tensor, functional, nn, no_grad, optim, random

EVERY = usable.EVERY


def tensor(values, **options):
    return Tensor(np.array(values, np.float32), **options)


# ---------------------------------------------------------------------------------------------- in place


CHANGES = {
    "+=": (lambda t: t.__iadd__(2.0), [3.0, 4.0, -1.0]),
    "-=": (lambda t: t.__isub__(tensor([1.0, 2.0, 3.0], backend=t.backend)), [0.0, 0.0, -6.0]),
    "*=": (lambda t: t.__imul__(np.float32(3)), [3.0, 6.0, -9.0]),
    "/=": (lambda t: t.__itruediv__(2), [0.5, 1.0, -1.5]),
    "**=": (lambda t: t.__ipow__(2), [1.0, 4.0, 9.0]),
    "add_ with alpha": (lambda t: t.add_(1, alpha=0.5), [1.5, 2.5, -2.5]),
    "sub_ with alpha": (lambda t: t.sub_(1, alpha=2), [-1.0, 0.0, -5.0]),
    "clamp_": (lambda t: t.clamp_(-1, 1.5), [1.0, 1.5, -1.0]),
    "fill_": (lambda t: t.fill_(7), [7.0, 7.0, 7.0]),
    "zero_": (lambda t: t.zero_(), [0.0, 0.0, 0.0]),
    "copy_": (lambda t: t.copy_(np.array([4.0, 5.0, 6.0])), [4.0, 5.0, 6.0]),
    "copy_ of one, broadcast": (lambda t: t.copy_(tensor([4.0])), [4.0, 4.0, 4.0]),
}


@pytest.mark.parametrize("backend", EVERY)
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_seen_by_every_name_and_view(backend, change):
    backend = usable.or_skip(backend)
    t = tensor([1.0, 2.0, -3.0], backend=backend)
    alias, view, array, before = t, t.reshape(3, 1), t.data, t.version
    run, expected = CHANGES[change]
    assert run(t) is t
    assert t.data is array and t.version == before + 1 == view.version
    for seen in (alias, view.reshape(3)):
        np.testing.assert_allclose(seen.numpy(), expected, rtol=1e-6)
        assert seen.dtype == np.float32


def test_gradient_descent_by_hand_moves_the_weights():
    """The loop that is written first for torch; `p -= lr * p.grad` once rebound a local name, and nothing moved."""
    random.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    twin = copy.deepcopy(model)
    step = optim.SGD(twin.parameters(), lr=0.1)
    x, losses = np.random.default_rng(0).standard_normal((8, 3)).astype(np.float32), []
    for _ in range(5):
        loss = (model(Tensor(x)) ** 2).mean()
        loss.backward()
        with no_grad():
            for p in model.parameters():
                p -= 0.1 * p.grad
                p.grad = None
        twins = (twin(Tensor(x)) ** 2).mean()
        twins.backward()
        step.step()
        step.zero_grad()
        losses.append(loss.item())
        assert losses[-1] == pytest.approx(twins.item(), rel=1e-6)
    assert losses[-1] < 0.9 * losses[0]


def test_the_tape_goes_on_from_a_change():
    """h += y, as residual networks are written."""
    x, y = (tensor(v, requires_grad=True) for v in ([1.0, 2.0], [3.0, 5.0]))
    h = x * 2.0
    name = h
    h += y
    h -= tensor([1.0, 1.0])
    assert name is h and h.numpy().tolist() == [4.0, 8.0]
    (h * tensor([1.0, 10.0])).sum().backward()
    assert x.grad.tolist() == [2.0, 20.0] and y.grad.tolist() == [1.0, 10.0]


def test_a_tensor_without_gradient_joins_the_tape():
    x, total = tensor([1.0, 2.0], requires_grad=True), tensor([0.0, 0.0])
    total += x * x
    assert total.requires_grad
    total.sum().backward()
    assert x.grad.tolist() == [2.0, 4.0]


def test_a_saved_value_that_was_changed_is_missed():
    x = tensor([1.0, 2.0], requires_grad=True)
    h = x * 1.0
    y = h * h  # needs h
    h += 1.0
    with pytest.raises(RuntimeError, match="changed in place"):
        y.sum().backward()


def test_its_own_old_value_is_missed_too():
    x, w = tensor([1.0, 2.0], requires_grad=True), tensor([3.0, 4.0], requires_grad=True)
    h = x * 1.0
    h *= w  # the gradient of w is gy times the old h
    with pytest.raises(RuntimeError, match="changed in place"):
        h.sum().backward()


LOSING = {
    "a leaf": lambda leaf, h: leaf.__iadd__(1.0),
    "zero_ of a leaf": lambda leaf, h: leaf.zero_(),
    "fill_ of a leaf": lambda leaf, h: leaf.fill_(1),
    "an element": lambda leaf, h: h.__setitem__(0, 1.0),
    "a value with a gradient": lambda leaf, h: tensor([0.0, 0.0]).__setitem__(0, leaf[0]),
    "copy_ of a value with a gradient": lambda leaf, h: tensor([0.0, 0.0]).copy_(h),
    "what a view shares": lambda leaf, h: (h.reshape(2, 1), h.__iadd__(1.0)),
    "a view": lambda leaf, h: h.reshape(2, 1).__imul__(2.0),
    "a view that joins the tape": lambda leaf, h: tensor([0.0, 0.0]).reshape(2, 1).__iadd__(h.reshape(2, 1)),
}


@pytest.mark.parametrize("losing", LOSING)
def test_what_would_lose_a_gradient_is_refused(losing):
    leaf = tensor([1.0, 2.0], requires_grad=True)
    h = leaf * 3.0
    with pytest.raises(RuntimeError, match="would lose"):
        LOSING[losing](leaf, h)
    assert leaf.numpy().tolist() == [1.0, 2.0] and h.numpy().tolist() == [3.0, 6.0] and leaf.version == 0


def test_shapes_and_kinds_stay():
    whole = Tensor(np.array([1, 2]))
    whole += 3
    assert whole.numpy().tolist() == [4, 5] and whole.dtype == np.int64
    for change in (lambda: whole.__itruediv__(2), lambda: whole.__iadd__(0.5), lambda: whole.__setitem__(0, 0.5)):
        with pytest.raises(TypeError, match="int64"):
            change()
    with pytest.raises(RuntimeError, match=r"\(2,\) would become \(3, 2\)"):
        tensor([1.0, 2.0]).add_(tensor(np.ones((3, 2))))
    narrow = tensor([1.0])
    narrow += Tensor(np.array([1e-3]))
    assert narrow.dtype == np.float32


@pytest.mark.parametrize("backend", EVERY)
def test_elements_are_assigned(backend):
    backend = usable.or_skip(backend)
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    t = Tensor(values.copy(), backend=backend)
    for index, value in [
        ((0, 1), 7.0), (1, np.arange(4.0)), (slice(None, None, 2), tensor([[1.0], [2.0]], backend=backend)),
        ([0, 2], -1), (values > 8, 9.0), ((Ellipsis, -1), 3), (Tensor(np.array([1]), backend=backend), 5.0),
    ]:  # fmt: skip
        raw = index.numpy() if isinstance(index, Tensor) else index
        values[raw] = value.numpy() if isinstance(value, Tensor) else value
        t[index] = value
        np.testing.assert_array_equal(t.numpy(), values)
    assert t.version == 7
    with pytest.raises(IndexError):
        t[[3]] = 1.0
    with pytest.raises(ValueError, match="does not fit"):
        t[0] = [1.0, 2.0]


# ---------------------------------------------------------------------------------------------- copies


def by_pickle(x):
    return pickle.loads(pickle.dumps(x))


@pytest.mark.parametrize("copied", [copy.deepcopy, by_pickle])
@pytest.mark.parametrize("backend", EVERY)
def test_copies_take_part_in_operations(backend, copied):
    backend = usable.or_skip(backend)
    x = tensor([1.0, 2.0], requires_grad=True, backend=backend)
    (x * x).sum().backward()
    y = copied(x)
    assert y.backend is x.backend and y.requires_grad and y.dtype == x.dtype and y.is_leaf
    np.testing.assert_array_equal(y.grad.numpy(), [2.0, 4.0])
    assert (x + y).numpy().tolist() == [2.0, 4.0]
    with no_grad():
        y += 1.0
    assert x.numpy().tolist() == [1.0, 2.0] and copied(Tensor(np.array([True]))).dtype == bool


@pytest.mark.parametrize("copied", [copy.deepcopy, by_pickle])
@pytest.mark.parametrize("backend", EVERY)
def test_copies_of_a_network_and_its_optimizer_train_alike(backend, copied):
    backend = usable.or_skip(backend)
    random.manual_seed(1)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5)).to(backend)
    pair = model, optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def step(model, optimizer):
        x = Tensor(np.random.default_rng(3).standard_normal((4, 3, 6, 6)).astype(np.float32), backend=backend)
        loss = functional.cross_entropy(model(x), np.array([0, 4, 1, 1]))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()

    step(*pair)
    twins = copied(pair)
    assert [step(*pair) for _ in range(3)] == [step(*twins) for _ in range(3)]
    for p, q in zip(pair[0].state_dict().values(), twins[0].state_dict().values(), strict=True):
        assert backend.to_numpy(p).tobytes() == backend.to_numpy(q).tobytes() and p is not q


def test_weights_that_are_shared_stay_shared():
    first = nn.Linear(2, 2, bias=False)
    second = nn.Linear(2, 2, bias=False)
    second.weight = first.weight
    twins = copy.deepcopy(nn.Sequential(first, second))
    assert twins[0].weight is twins[1].weight is not first.weight


def test_a_computed_tensor_is_not_copied():
    y = tensor([1.0], requires_grad=True) * 2.0
    for copied in (copy.deepcopy, by_pickle):
        with pytest.raises(RuntimeError, match="only leaf tensors"):
            copied(y)


# ---------------------------------------------------------------------------------------------- protocols


def test_comparisons_with_what_is_no_number():
    t = tensor([1.0, 2.0])
    assert (t == None) is False and (t != None) is True and (t == "a") is False  # noqa: E711
    assert t in [None, "a", t] and (t == [1.0, 3.0]).numpy().tolist() == [True, False]
    with pytest.raises(TypeError):
        t < None  # noqa: B015
    with pytest.raises(ValueError, match="cannot mix backends"):
        t == tensor([1.0, 2.0], backend="numba")  # noqa: B015


def test_iteration():
    rows = list(tensor([[1.0, 2.0], [3.0, 4.0]]))
    assert [row.numpy().tolist() for row in rows] == [[1.0, 2.0], [3.0, 4.0]]
    for wrong in (list, len):
        with pytest.raises(TypeError):
            wrong(tensor(3.0))


def test_the_transpose_turns_all_axes_round():
    x = np.arange(24.0, dtype=np.float32).reshape(2, 3, 4)
    np.testing.assert_array_equal(Tensor(x).T.numpy(), x.T)


def test_requires_grad_is_checked_when_it_is_assigned():
    with pytest.raises(TypeError, match="floating-point"):
        Tensor(np.array([1])).requires_grad = True
    y = tensor([1.0], requires_grad=True) * 2.0
    with pytest.raises(RuntimeError, match="leaves only"):
        y.requires_grad = False
    x = tensor([1.0])
    x.requires_grad = True
    (x * 3.0).backward()
    assert x.grad.tolist() == [3.0]


def test_flags_are_no_axes():
    x = tensor([[1.0, 2.0], [3.0, 5.0]])
    for call in (lambda: x.max(True), lambda: x.sum(False), lambda: functional.softmax(x, True)):
        with pytest.raises(TypeError, match="got (True|False)"):
            call()
    assert x.var(False).item() == pytest.approx(np.var(x.numpy()))  # torch.var(x, unbiased)
    assert functional.var(x, True).item() == pytest.approx(np.var(x.numpy(), ddof=1))


# ---------------------------------------------------------------------------------------------- whole numbers


LAYERS = {
    "linear": lambda x: functional.linear(x, x[0, 0]),
    "conv2d": lambda x: functional.conv2d(x, x[:, :, :2, :2]),
    "max_pool2d": lambda x: functional.max_pool2d(x, 2),
    "avg_pool2d": lambda x: functional.avg_pool2d(x, 2),
    "adaptive_avg_pool2d": lambda x: functional.adaptive_avg_pool2d(x, 2),
    "local_response_norm": lambda x: functional.local_response_norm(x, 3),
    "batch_norm": lambda x: functional.batch_norm(x, None, None, training=True),
    "dropout": functional.dropout,
    "leaky_relu": functional.leaky_relu,
    "cross_entropy": lambda x: functional.cross_entropy(x[:, :, 0, 0], np.array([0, 1])),
    "nll_loss": lambda x: functional.nll_loss(x[:, :, 0, 0], np.array([0, 1])),
}


WHOLE = {"linear", "conv2d", "max_pool2d"}  # of all integers, as in torch; see functional/test_unusual.py
INT64 = {"avg_pool2d", "local_response_norm"}


@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool"])
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("backend", EVERY)
def test_layers_compute_with_floating_point_numbers_only(backend, layer, dtype):
    backend = usable.or_skip(backend)
    if layer in (WHOLE | INT64 if dtype == "int64" else WHOLE if dtype == "uint8" else ()):
        assert LAYERS[layer](Tensor(np.ones((2, 2, 4, 4), dtype), backend=backend)).backend is backend
        return
    with pytest.raises(TypeError, match=f"{layer} computes with floating-point numbers, got {dtype}"):
        LAYERS[layer](Tensor(np.ones((2, 2, 4, 4), dtype), backend=backend))


@pytest.mark.parametrize("backend", EVERY)
def test_edges_on_every_backend(backend):
    """A tensor without axes, labels that all are ignored, a batch of nothing."""
    backend = usable.or_skip(backend)
    x = tensor(-2.0, requires_grad=True, backend=backend)
    y = functional.relu(x)
    y.backward()
    assert y.shape == () == tuple(x.grad.shape) and y.item() == 0.0
    logits = tensor(np.random.default_rng(0).standard_normal((3, 4)), requires_grad=True, backend=backend)
    loss = functional.cross_entropy(logits, np.full(3, -100))
    loss.backward()
    assert np.isnan(loss.item()) and (logits.grad.numpy() == 0).all()
    empty = functional.batch_norm(tensor(np.zeros((0, 2, 3, 3)), backend=backend), None, None, training=True)
    assert empty.shape == (0, 2, 3, 3)


def test_max_pooling_takes_torchs_arguments_in_torchs_order():
    x = Tensor(np.random.default_rng(0).standard_normal((1, 1, 6, 6)).astype(np.float32))
    assert nn.MaxPool2d(3, 2, 0, 1, False, True)(x).shape == (1, 1, 3, 3)
    assert nn.MaxPool2d(3, 2, 0, 1, False)(x).shape == (1, 1, 2, 2)
    y, indices = nn.MaxPool2d(3, 2, 0, 1, True)(x)
    assert y.shape == indices.shape == (1, 1, 2, 2)
    assert (x.data.reshape(-1)[indices.data] == y.data).all()


def test_a_loss_that_broadcasts_warns():
    with pytest.warns(UserWarning, match=r"\(3,\) and \(3, 1\) broadcasts"):
        loss = functional.mse_loss(tensor([1.0, 2.0, 3.0]), tensor([[1.0], [2.0], [3.0]]))
    assert loss.item() == pytest.approx(4 / 3)


def test_torchvisions_constants_are_refused():
    from minialex.data import Normalize

    mean, std = (np.array(v)[:, None, None] for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    with pytest.raises(ValueError, match="multiply both by 255"):
        Normalize(mean, std)
    Normalize(255 * mean, 255 * std)
    Normalize(0 * mean, std)  # zeros and ones say what they mean


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"eps": 1e-3},
        {"min_lr": 0.004},
        {"cooldown": 2},
        {"threshold_mode": "abs", "threshold": 0.3},
        {"mode": "max"},
    ],
    ids=str,
)
def test_plateaus_as_torch(torch, options):
    metrics = [3.0, 2.0, 2.1, 1.9, 1.9, 1.9, 1.9, 1.8, 1.9, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]
    ours = optim.SGD([nn.Parameter(np.zeros(1, np.float32))], lr=0.1)
    theirs = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    mine = optim.ReduceLROnPlateau(ours, factor=0.3, patience=1, **options)
    other = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, factor=0.3, patience=1, **options)
    for metric in metrics * 3:
        mine.step(metric)
        other.step(metric)
        assert ours.param_groups[0]["lr"] == pytest.approx(theirs.param_groups[0]["lr"], rel=1e-12)


# ------------------------------------------------------------------------------------------------ gradients are Tensors


def with_gradient(values=(1.0, 2.0, 4.0), **options):
    x = Tensor(np.array(values), requires_grad=True, **options)
    (x * x).sum().backward()
    return x


def test_grad_is_one_tensor_until_it_is_replaced():
    x = with_gradient()
    g = x.grad
    assert type(g) is Tensor and g is x.grad and not g.requires_grad and g.is_leaf and g.dtype == np.float64
    assert g.data is x._grad and g.tolist() == [2.0, 4.0, 8.0]
    (x * x).sum().backward()
    assert x.grad is g and g.tolist() == [4.0, 8.0, 16.0]  # accumulated in place, as in torch
    x.grad = None
    (x * x).sum().backward()
    assert x.grad is not g and x.grad.tolist() == [2.0, 4.0, 8.0] and g.tolist() == [4.0, 8.0, 16.0]
    x.grad = None
    assert x.grad is None and x._grad is None


def test_statistics_of_a_gradient_are_torchs(torch):
    """NumPy's std would divide by n: 2.494 where torch has 3.055."""
    x = with_gradient()
    t = torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64, requires_grad=True)
    (t * t).sum().backward()
    assert x.grad.std().item() == pytest.approx(t.grad.std().item())
    assert x.grad.var().item() == pytest.approx(t.grad.var().item()) != np.var([2.0, 4.0, 8.0])
    assert x.grad.norm().item() == pytest.approx(t.grad.norm().item())
    values, indices = x.grad.max(0)
    assert (values.item(), indices.item()) == (8.0, 2)


def test_a_gradient_can_be_set():
    x = with_gradient()
    given = Tensor(np.full(3, 5.0))
    x.grad = given
    assert x.grad is given
    array = np.full(3, 7.0)
    x.grad = array
    assert x.grad.data is array  # not copied
    scalar = Tensor(2.0, requires_grad=True)
    scalar.grad = np.float32(3)
    assert scalar.grad.item() == 3.0 and scalar.grad.shape == ()


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (np.ones(4), ValueError, r"shape \(3,\) has them too, got float64 and \(4,\)"),
        (np.ones((1, 3)), ValueError, r"got float64 and \(1, 3\)"),
        (np.ones(3, np.float32), TypeError, r"got float32 and \(3,\)"),
        (Tensor(np.ones(3, np.int64)), TypeError, r"got int64 and \(3,\)"),
        (1.0, TypeError, "a gradient is a Tensor, an array of the numpy backend or None, not 1.0"),
        ([1.0] * 3, TypeError, "a gradient is a Tensor"),
        (Tensor(np.ones(3), requires_grad=True), ValueError, r"assign value\.detach\(\)"),
        (Tensor(np.ones(3), backend="emulator"), ValueError, "this tensor is on numpy, the gradient on emulator"),
    ],
    ids=lambda v: "" if isinstance(v, (type, str)) else type(v).__name__,
)
def test_what_cannot_be_a_gradient(value, error, message):
    x = with_gradient()
    before = x.grad
    with pytest.raises(error, match=message):
        x.grad = value
    assert x.grad is before and before.tolist() == [2.0, 4.0, 8.0]


def test_a_gradient_that_was_used_and_then_added_to_is_noticed():
    x, w = with_gradient(), Tensor(np.ones(3), requires_grad=True)
    y = (x.grad * w).sum()
    (x * 2.0).sum().backward()
    with pytest.raises(RuntimeError, match="changed in place"):
        y.backward()


def test_gradients_in_place_and_by_optimisers():
    x = with_gradient()
    g = x.grad
    g.clamp_(max=3.0)
    x.grad /= 2.0
    assert x.grad is g and x._grad.tolist() == [1.0, 1.5, 1.5]
    optim.SGD([x], lr=1.0).step()
    assert x.tolist() == [0.0, 0.5, 2.5]
    optim.SGD([x], lr=1.0).zero_grad(set_to_none=False)
    assert x.grad is g and g.tolist() == [0.0] * 3


@pytest.mark.parametrize("backend", EVERY)
@pytest.mark.parametrize("step", ["p.data -= 0.5 * p.grad", "p.data = p.data - 0.5 * p.grad", "p -= 0.5 * p.grad"])
def test_data_minus_gradient_is_the_step_that_is_written_first(step, backend):
    """p.data is an array and p.grad a Tensor; every form of the step moves the weights, and is noticed."""
    p = with_gradient((1.0, 3.0), backend=usable.or_skip(backend))
    array, version = p.data, p.version
    with no_grad():
        exec(step, {"p": p})
    assert type(p.data) is type(array) and p.tolist() == [0.0, 0.0] and p.version > version, step
    assert (p.data is array) == ("-=" in step)


# ------------------------------------------------------------------------------------------------ beside NumPy's arrays


@pytest.mark.parametrize("symbol", ["+", "-", "*", "/", "//", "%", "**", "<", "<=", ">", ">=", "==", "!="])
def test_an_array_on_the_left_makes_a_tensor(symbol):
    array, other = np.array([5.0, 2.0, 3.0]), np.array([2.0, 2.0, 4.0])
    expected = eval(f"a {symbol} b", {"a": array, "b": other})
    for left, right in [(array, Tensor(other)), (Tensor(array), other)]:
        y = eval(f"a {symbol} b", {"a": left, "b": right})
        assert type(y) is Tensor and y.tolist() == expected.tolist()
    x = Tensor(other, requires_grad=True)
    y = eval(f"a {symbol} b", {"a": array, "b": x})
    assert y.requires_grad == (symbol in "+-*/**%")


def test_matrices_bits_and_scalars_on_the_left():
    a, x = np.arange(6.0).reshape(2, 3), Tensor(np.arange(12.0).reshape(3, 4), requires_grad=True)
    y = a @ x
    y.sum().backward()
    assert np.array_equal(y.data, a @ x.data) and np.array_equal(x.grad, np.repeat(a.sum(0)[:, None], 4, 1))
    bits = Tensor(np.array([6, 3]))
    assert [(np.array([5, 5]) & bits).tolist(), (np.array([5, 5]) | bits).tolist()] == [[4, 1], [7, 7]]
    assert (np.array([5, 5]) ^ bits).tolist() == [3, 6]
    for scalar in (np.float64(2.0), np.float32(2.0), np.int64(2)):
        assert (scalar * Tensor([1.0, 2.0])).tolist() == [2.0, 4.0]
    assert np.add(Tensor([1.0]), np.array([2.0])).tolist() == [3.0]


def test_an_array_changes_in_place_by_the_values_of_a_tensor():
    array = np.array([1.0, 2.0])
    kept = array
    array += Tensor(np.array([10.0, 20.0]))
    array *= Tensor(np.array([2.0, 3.0]))
    assert array is kept and type(array) is np.ndarray and array.tolist() == [22.0, 66.0]
    with pytest.raises(RuntimeError, match=r"gradient of this tensor would be lost in an array: pass tensor\.detach"):
        array += Tensor(np.ones(2), requires_grad=True)
    with no_grad():
        array += Tensor(np.ones(2), requires_grad=True)
    assert array.tolist() == [23.0, 67.0]
    with pytest.raises(TypeError, match=r"np\.exp computes with arrays, got a Tensor: give it tensor\.numpy"):
        np.exp(Tensor([1.0]))
    with pytest.raises(TypeError, match=r"np\.add computes with arrays"):
        np.add(array, array, out=Tensor(array))
    with pytest.raises(TypeError, match=r"np\.add computes with arrays"):
        np.add.reduce(Tensor(array))
    assert not hasattr(Tensor(array), "__cuda_array_interface__")
