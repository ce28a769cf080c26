"""What the table of cases cannot hold: adjoints, ties and infinities, writing in place, dropout."""

from __future__ import annotations

import loops
import numpy as np
import pytest

from minialex import backends, functional, random
from minialex.backends import numpy_backend
from minialex.random import Generator
from minialex.tensor import Tensor, no_grad


def leaf(data, dtype=np.float64):
    return Tensor(np.asarray(data, dtype), requires_grad=True)


def backward(y, *leaves, gradient=None):
    """The gradients of the leaves for a gradient of ones, or the one given."""
    y.backward(np.ones(y.shape) if gradient is None else gradient)
    return [t.grad for t in leaves]


# ---------------------------------------------------------------------------------------------- the adjoint


def draw_window(rng, largest_kernel):
    """Options of a window over a picture of up to 7x6 that fits at least once; padding at most half of it."""
    kernel = rng.integers(1, largest_kernel + 1, 2)
    dilation = rng.integers(1, 3, 2)
    extent = dilation * (kernel - 1) + 1
    size = np.maximum(rng.integers(1, 8, 2), extent)
    padding = [int(rng.integers(0, e // 2 + 1)) for e in extent]
    return tuple(map(int, size)), *(tuple(map(int, v)) for v in (kernel, rng.integers(1, 4, 2), padding, dilation))


@pytest.mark.parametrize("draw", range(25))
def test_conv2d_backward_is_the_adjoint(draw):
    """<gy, J v> = <J^T gy, v>: convolution is linear in picture and filters, so J v is a convolution with v."""
    rng = np.random.default_rng([2, draw])
    size, kernel, stride, padding, dilation = draw_window(rng, 5)
    x, w = leaf(rng.standard_normal((2, 4, *size))), leaf(rng.standard_normal((6, 2, *kernel)))
    vx, vw = Tensor(rng.standard_normal(x.shape)), Tensor(rng.standard_normal(w.shape))
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": 2}
    y = functional.conv2d(x, w, **options)
    gy = rng.standard_normal(y.shape)
    gx, gw = backward(y, x, w, gradient=gy)
    for v, g, jv in [(vx, gx, functional.conv2d(vx, w, **options)), (vw, gw, functional.conv2d(x, vw, **options))]:
        assert np.vdot(gy, jv.data) == pytest.approx(np.vdot(g, v.data), rel=1e-11, abs=1e-11)


@pytest.mark.parametrize("block", [1, 4000])
def test_how_many_columns_are_made_at_a_time_does_not_matter(block, monkeypatch, rng):
    """Bytes: for a picture alone, or for a few of them."""
    shapes = (5, 4, 6, 5), (6, 2, 3, 2), (6,)
    arrays = [rng.standard_normal(shape) for shape in shapes]
    gy = rng.standard_normal((5, 6, 6, 3))

    def everything():
        leaves = [leaf(array) for array in arrays]
        y = functional.conv2d(*leaves, stride=(1, 2), padding=1, groups=2)
        return [y.data, *backward(y, *leaves, gradient=gy)]

    expected = everything()
    monkeypatch.setattr(numpy_backend, "_COLUMNS", block)
    for ours, theirs in zip(everything(), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)


# ---------------------------------------------------------------------------------------------- max_pool2d at the edges


def pool_gradient(x, *arguments, **options):
    t = leaf(np.asarray(x, float)[None, None])
    y = functional.max_pool2d(t, *arguments, **options)
    return y.data[0, 0], backward(y, t)[0][0, 0]


def test_ties_go_to_the_first():
    _, gx = pool_gradient(np.full((2, 4), 3.0), 2)
    np.testing.assert_array_equal(gx, [[1, 0, 1, 0], [0, 0, 0, 0]])


def test_a_pixel_that_wins_several_windows_gathers_all_their_gradients():
    y, gx = pool_gradient([[0, 0, 0], [0, 9, 0], [0, 0, 0]], 2, stride=1)
    assert (y == 9).all() and gx[1, 1] == 4 and gx.sum() == 4


def test_nan_wins_and_gets_the_gradient():
    y, gx = pool_gradient([[np.nan, 1, 5, np.nan], [2, 0, 7, 6]], 2)
    assert np.isnan(y).all()
    np.testing.assert_array_equal(gx, [[1, 0, 0, 1], [0, 0, 0, 0]])


@pytest.mark.parametrize("padding", [0, 1])
def test_pixels_of_minus_infinity_beat_padding(padding):
    """As in torch: the gradient stays inside the picture, however dark it is."""
    x = np.full((4, 4), -np.inf)
    x[1, 2] = -1e300
    y, gx = pool_gradient(x, 2, padding=padding)
    expected = loops.max_pool2d(x[None, None], np.ones, (2, 2), (2, 2), ((padding, padding),) * 2, (1, 1), False)
    np.testing.assert_array_equal(y, expected[0][0, 0])
    np.testing.assert_array_equal(gx, expected[1][0, 0])


# ---------------------------------------------------------------------------------------------- relu in place


def test_relu_in_place_writes_over_its_input():
    x = leaf([-1.0, 0.0, 2.0])
    h = x * 3
    array, version = h.data, h.version
    y = functional.relu(h, inplace=True)
    assert y is h and h.data is array and h.version == version + 1
    np.testing.assert_array_equal(array, [0, 0, 6])
    np.testing.assert_array_equal(backward(y, x, gradient=np.array([5.0, 6.0, 7.0]))[0], [0, 0, 21])


@pytest.mark.parametrize("second", [None, "add", "max_pool2d", "conv2d"])
def test_relu_in_place_has_the_gradients_of_relu(second, rng):
    x, w, b = (leaf(rng.standard_normal(s)) for s in [(2, 3, 6, 5), (4, 3, 3, 2), (4,)])
    gradients = []
    for inplace in (False, True):
        h = functional.conv2d(x, w, b, padding=1)
        early = h.sum() + (h + 1).mean()  # consumers of the old value that do not need it again
        h = functional.relu(h, inplace)
        y = {
            None: lambda h: h,
            "add": lambda h: h + h,
            "max_pool2d": lambda h: functional.max_pool2d(h, 3, 2),
            "conv2d": lambda h: functional.conv2d(h, w.reshape(3, 4, 3, 2)),
        }[second](h)
        (early + (y * y).sum()).backward()
        gradients.append([t.grad for t in (x, w, b)])
        x.grad = w.grad = b.grad = None
    for plain, in_place in zip(*gradients, strict=True):
        np.testing.assert_array_equal(in_place, plain)


def test_relu_in_place_where_the_old_value_is_needed():
    x = leaf([-1.0, 2.0])
    saves_its_output = functional.relu(functional.tanh(x), inplace=True)
    with pytest.raises(RuntimeError, match=r"tanh needs a value that was changed in place"):
        saves_its_output.sum().backward()
    h = x * 2
    other = h * h
    total = functional.relu(h, inplace=True).sum() + other.sum()
    with pytest.raises(RuntimeError, match="mul needs a value that was changed"):
        total.backward()
    assert x.grad is None


def test_relu_in_place_through_a_detached_tensor():
    x = leaf([-1.0, 2.0])
    h = x * 2
    y = (h * h).sum()
    functional.relu(h.detach(), inplace=True)
    with pytest.raises(RuntimeError, match="changed in place"):
        y.backward()


def test_relu_in_place_on_a_leaf_or_a_view():
    x = leaf([-1.0, 2.0])
    with pytest.raises(RuntimeError, match="leaf that requires a gradient.*inplace=False"):
        functional.relu(x, inplace=True)
    h = x * 2
    for t in (h.reshape(2, 1), h):  # the view, and what it is a view of
        with pytest.raises(RuntimeError, match="view.*inplace=False"):
            functional.relu(t, inplace=True)
    np.testing.assert_array_equal(h.data, [-2, 4])
    with no_grad():
        functional.relu(x, inplace=True)
    np.testing.assert_array_equal(x.data, [0, 2])
    constant = Tensor([-1.0, 2.0])
    assert functional.relu(constant, inplace=True) is constant and constant.data[0] == 0


def test_relu_and_its_slope_at_zero_and_nan():
    x = leaf([-0.0, 0.0, np.nan, -np.inf, np.inf])
    y = functional.relu(x)
    np.testing.assert_array_equal(y.data, [0, 0, np.nan, 0, np.inf])
    assert backward(y, x)[0][:2].tolist() == [0, 0]


# ---------------------------------------------------------------------------------------------- dropout


@pytest.mark.parametrize("seed,call", [(0, 0), (3, 1), (2**64 - 1, 2**32 + 5)])
def test_dropout_mask_is_that_of_scalar_philox(seed, call):
    generator = Generator(seed)
    generator.call = call
    y = functional.dropout(Tensor(np.ones((3, 5, 2))), 0.3, inverted=False, generator=generator)
    np.testing.assert_array_equal(y.data, loops.dropout_mask((3, 5, 2), 0.7, seed, call))


def test_dropout_known_answer():
    """Words of counter 0, key 0: 6627e8d5 e169c58d bc57ac4c 9b00dbd8; kept are those below 0.7 * 2^32 = b3333333."""
    assert loops.philox((0, 0, 0, 0), (0, 0)) == (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)
    y = functional.dropout(Tensor(np.ones(4)), 0.3, inverted=False, generator=Generator(0))
    assert y.data.tolist() == [1, 0, 0, 1]


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_dropout_fraction_and_scale(p):
    x = leaf(np.ones(20_000))
    for inverted, kept in [(True, 1 / (1 - p)), (False, 1.0)]:
        y = functional.dropout(x, p, inverted=inverted, generator=Generator(5))
        assert set(np.unique(y.data)) == {0.0, kept}
        assert abs((y.data > 0).mean() - (1 - p)) < 4 * np.sqrt(p * (1 - p) / 20_000)
        x.grad = None
        np.testing.assert_array_equal(backward(y, x)[0], y.data)  # the same mask, the same scale


def test_dropout_in_evaluation():
    x = leaf(np.arange(6.0))
    assert functional.dropout(x, 0.25, training=False) is x
    y = functional.dropout(x, 0.25, training=False, inverted=False)
    np.testing.assert_array_equal(y.data, 0.75 * x.data)
    np.testing.assert_array_equal(backward(y, x)[0], np.full(6, 0.75))


def test_dropout_of_nothing_and_of_everything():
    x = leaf(np.arange(1.0, 7))
    for training in (True, False):
        for inverted in (True, False):
            np.testing.assert_array_equal(functional.dropout(x, 0.0, training, inverted=inverted).data, x.data)
    for inverted in (True, False):
        y = functional.dropout(x, 1.0, inverted=inverted)
        x.grad = None
        assert not y.data.any() and not backward(y, x)[0].any()


def test_dropout_counts_its_calls_in_training_only():
    generator, x = random.manual_seed(9), leaf(np.ones(100))
    functional.dropout(x, 0.5, training=False)
    functional.dropout(x, 0.5, training=False, inverted=False)
    assert generator.call == 0
    first, second = functional.dropout(x), functional.dropout(x)
    assert generator.call == 2
    (first_gx,), x.grad = backward(first, x), None
    (second_gx,) = backward(second, x)
    assert generator.call == 2 and (first.data != second.data).any()
    np.testing.assert_array_equal(first_gx, first.data)  # redrawn with its own call, though another came between
    np.testing.assert_array_equal(second_gx, second.data)
    random.manual_seed(9)
    np.testing.assert_array_equal(functional.dropout(x).data, first.data)


# ---------------------------------------------------------------------------------------------- work left undone


def test_gradients_of_weights_alone_are_all_that_is_computed(rng):
    """conv1's gx, the dearest gradient that nobody needs, is never made; nor are those of frozen weights."""
    conv, linear = [(2, 3, 5, 4), (4, 3, 3, 2), (4,)], [(2, 3), (4, 3), (4,)]
    for op, shapes in [("conv2d", conv), ("linear", linear), ("matmul", [(2, 3), (3, 4)])]:
        for wanted in range(len(shapes)):
            tensors = [Tensor(rng.standard_normal(s), requires_grad=i == wanted) for i, s in enumerate(shapes)]
            y = getattr(functional, op)(*tensors)
            made = [g is not None for g in y.node.backward(np.ones(y.shape))]
            assert made == [i == wanted for i in range(len(shapes))], op


@pytest.mark.parametrize(
    "op,shapes,options",
    [
        ("conv2d", [(0, 2, 5, 4), (3, 2, 3, 2), (3,)], {"padding": 1}),
        ("linear", [(0, 4), (3, 4), (3,)], {}),
        ("relu", [(0, 4)], {}),
        ("max_pool2d", [(0, 2, 5, 4)], {"kernel_size": 3, "stride": 2}),
        ("avg_pool2d", [(0, 2, 5, 4)], {"kernel_size": 2}),
        ("local_response_norm", [(0, 2, 5, 4)], {"size": 3}),
        ("dropout", [(0, 4)], {}),
        ("log_softmax", [(0, 4)], {"dim": 1}),
        ("sum", [(0, 4)], {"dim": 0}),
    ],
)
def test_a_batch_of_no_pictures(op, shapes, options):
    leaves = [leaf(np.ones(s)) for s in shapes]
    y = getattr(functional, op)(*leaves, **options)
    assert y.shape[0] == (4 if op == "sum" else 0)
    for t, g in zip(leaves, backward(y, *leaves), strict=True):
        assert g.shape == t.shape and not g.any()


def test_backends_do_not_mix():
    class Other(type(backends.get_backend("numpy"))):
        name = "other"

    a, b = Tensor(np.ones((2, 2))), Tensor(np.ones((2, 2)), backend=Other())
    for op in ("add", "mul", "matmul", "linear"):
        with pytest.raises(ValueError, match=r'one tensor is on numpy, another on other; move one with .to\("numpy"\)'):
            getattr(functional, op)(a, b)
