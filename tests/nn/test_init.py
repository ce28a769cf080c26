"""Initial values: stds, bounds, fans, gains, and that the seed decides all of them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from minialex import Tensor, nn, random
from minialex.nn import init


def empty(*shape, dtype=np.float32):
    return Tensor(np.full(shape, np.nan, dtype))


def assert_std(values, expected):
    """The sample's std lies within five standard errors: for a normal one, sigma / sqrt(2 n)."""
    assert abs(values.std() / expected - 1) < 5 / math.sqrt(2 * values.size)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mean, std", [(0.0, 1.0), (0.0, 0.01), (-2.0, 0.5)])
def test_normal(mean, std, dtype):
    t = init.normal_(empty(100, 200, dtype=dtype), mean, std)
    assert t.dtype == dtype
    assert_std(t.data, std)
    assert abs(t.data.mean() - mean) < 5 * std / math.sqrt(t.numel())
    within = np.abs(t.data - mean) < std
    assert abs(within.mean() - 0.6827) < 0.02  # it is a bell, not a box (0.577)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_uniform(dtype):
    t = init.uniform_(empty(100, 200, dtype=dtype), -0.5, 2.0)
    assert t.dtype == dtype and t.data.min() >= -0.5 and t.data.max() <= 2.0
    assert t.data.min() < -0.49 and t.data.max() > 1.99
    assert_std(t.data, 2.5 / math.sqrt(12))


def test_constant():
    t = empty(2, 3)
    assert init.constant_(t, 1.5) is t and t.data.tolist() == [[1.5] * 3] * 2


@pytest.mark.parametrize(
    "nonlinearity, param, gain",
    [
        ("linear", None, 1.0),
        ("conv2d", None, 1.0),
        ("tanh", None, 1.6666667),
        ("relu", None, 1.4142136),
        ("leaky_relu", None, 1.4141429),  # sqrt(2 / 1.0001)
        ("leaky_relu", 1, 1.0),
        ("leaky_relu", 0, 1.4142136),
        ("leaky_relu", math.sqrt(5), 0.5773503),  # 1 / sqrt(3)
    ],
)
def test_gains(nonlinearity, param, gain):
    assert init.calculate_gain(nonlinearity, param) == pytest.approx(gain, rel=1e-6)


@pytest.mark.parametrize(
    "shape, mode, fan",
    [
        ((300, 200), "fan_in", 200),
        ((300, 200), "fan_out", 300),
        ((64, 32, 5, 3), "fan_in", 480),  # 32 * 15
        ((64, 32, 5, 3), "fan_out", 960),  # 64 * 15
    ],
)
def test_kaiming_by_hand(shape, mode, fan):
    """Uniform bound = gain sqrt(3 / fan), normal std = gain / sqrt(fan)."""
    t = init.kaiming_uniform_(empty(*shape), mode=mode, nonlinearity="relu")
    bound = math.sqrt(6 / fan)
    assert 0.999 * bound < np.abs(t.data).max() <= bound * (1 + 1e-6)
    assert_std(t.data, bound / math.sqrt(3))
    assert_std(init.kaiming_normal_(empty(*shape), mode=mode, nonlinearity="relu").data, math.sqrt(2 / fan))
    assert_std(init.kaiming_normal_(empty(*shape), a=1, mode=mode).data, math.sqrt(1 / fan))


@pytest.mark.parametrize(
    "layer, bound",
    [
        (lambda: nn.Linear(400, 300), 1 / 20),
        (lambda: nn.Conv2d(16, 64, 5), 1 / 20),  # fan_in 16 * 25 = 400
        (lambda: nn.Conv2d(32, 64, (5, 5), groups=2), 1 / 20),
    ],
)
def test_layers_begin_as_torchs_do(layer, bound):
    """Weight and bias ~ U(-1/sqrt(fan_in), 1/sqrt(fan_in))."""
    made = layer()
    for parameter in (made.weight, made.bias):
        assert np.abs(parameter.data).max() <= bound * (1 + 1e-6)
        assert_std(parameter.data, bound / math.sqrt(3))
    assert np.abs(made.weight.data).max() > 0.99 * bound


@pytest.mark.parametrize("function", [init.normal_, init.uniform_, init.kaiming_normal_, init.kaiming_uniform_])
def test_the_seed_decides(function):
    def draw(seed):
        random.manual_seed(seed)
        return function(empty(5, 6)).data, function(empty(5, 6)).data

    (a, b), (c, d), (e, _) = draw(3), draw(3), draw(4)
    assert np.array_equal(a, c) and np.array_equal(b, d)
    assert not np.array_equal(a, b) and not np.array_equal(a, e)
    own = function(empty(5, 6), generator=random.Generator(3)).data
    assert np.array_equal(own, a)


@pytest.mark.parametrize("function", [init.normal_, init.uniform_, init.kaiming_normal_, init.kaiming_uniform_])
def test_values_are_written_in_place_and_count_as_a_change(function):
    parameter = nn.Parameter(np.full((3, 4), np.nan))
    array = parameter.data
    assert function(parameter) is parameter and parameter.data is array
    assert np.isfinite(array).all() and parameter.version == 1


@pytest.mark.parametrize(
    "function", [init.zeros_, init.uniform_, init.normal_, init.kaiming_normal_, init.trunc_normal_, init.orthogonal_]
)
def test_a_raw_array_is_written_to_as_a_tensor_is(function):
    """As scripts for torch do: nn.init.normal_(layer.weight.data)."""
    layer, twin = nn.Linear(5, 4), nn.Parameter(np.empty((4, 5), np.float32))
    random.manual_seed(3)
    function(twin)
    random.manual_seed(3)
    assert function(layer.weight.data) is layer.weight.data
    assert np.array_equal(layer.weight.data, twin.data)


def test_zeros_and_ones():
    assert init.zeros_(empty(2, 3)).data.tolist() == [[0.0] * 3] * 2
    assert init.ones_(empty(2, 3)).data.tolist() == [[1.0] * 3] * 2


@pytest.mark.parametrize(
    "bounds, mean, std",
    [((0.0, 1.0, -2.0, 2.0), 0.0, 0.87962), ((0.0, 1.0, 0.5, 2.0), 1.04299, 0.38766), ((1.0, 0.5, 0, 2), 1.0, 0.43981)],
)
def test_truncated_normal(bounds, mean, std):
    """Mean and std follow from the density and the distribution function at the bounds."""
    t = init.trunc_normal_(empty(200, 200), *bounds)
    assert bounds[2] <= t.data.min() < bounds[2] + 0.02 and bounds[3] - 0.02 < t.data.max() <= bounds[3]
    assert abs(t.data.mean() - mean) < 5 * std / 200
    assert_std(t.data, std)


@pytest.mark.parametrize("shape", [(5, 5), (4, 7), (7, 4), (6, 2, 3, 1)], ids=str)
def test_orthogonal(shape):
    w = init.orthogonal_(empty(*shape), gain=1.5).data.reshape(shape[0], -1).astype(np.float64)
    product = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    np.testing.assert_allclose(product, 2.25 * np.eye(len(product)), atol=1e-5)


def test_orthogonal_matrices_are_as_likely_as_each_other():
    """The mean of uniformly drawn orthogonal matrices is 0; QR without its signs gives a negative diagonal."""
    mean = np.mean([np.diag(init.orthogonal_(empty(2, 2)).data) for _ in range(400)], axis=0)
    assert np.abs(mean).max() < 5 * math.sqrt(1 / 2 / 400)


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match=r"orthogonal_ needs a weight of at least two axes.*\(3,\)"):
        init.orthogonal_(empty(3))
    with pytest.raises(ValueError, match="5 to 6 holds next to nothing"):
        init.trunc_normal_(empty(3), a=5, b=6)
    with pytest.raises(ValueError, match=r"at least two axes.*\(3,\)"):
        init.kaiming_normal_(empty(3))
    with pytest.raises(ValueError, match="fan_in or fan_out, got 'fan_sideways'"):
        init.kaiming_uniform_(empty(3, 4), mode="fan_sideways")
    with pytest.raises(ValueError, match="unknown nonlinearity 'swish'.*relu"):
        init.calculate_gain("swish")


def test_xavier_std_and_bound_by_hand():
    """A weight (30, 20, 3, 3) has fan_in 180 and fan_out 270: std 2 sqrt(2 / 450), bound sqrt(6 / 450)."""
    weight = nn.Parameter(np.empty((30, 20, 3, 3), np.float32))
    assert init.xavier_normal_(weight, gain=2.0).data.std() == pytest.approx(2 * (2 / 450) ** 0.5, rel=0.03)
    values = init.xavier_uniform_(weight).data
    bound = (6 / 450) ** 0.5
    assert 0.99 * bound < np.abs(values).max() <= bound
    assert values.std() == pytest.approx((2 / 450) ** 0.5, rel=0.03)


@pytest.mark.parametrize("make", [lambda: nn.Linear(5, 4), lambda: nn.Conv2d(4, 6, 3, groups=2, bias=False)])
def test_reset_parameters_draws_what_a_new_layer_has(make):
    random.manual_seed(5)
    first, second = make().state_dict(), make().state_dict()
    layer = make()
    version = layer.weight.version
    random.manual_seed(5)
    for expected in (first, second):
        layer.reset_parameters()
        assert all(np.array_equal(array, expected[name]) for name, array in layer.state_dict().items())
    assert layer.weight.version == version + 2


@pytest.mark.parametrize("options", [{}, {"affine": False}, {"track_running_stats": False}], ids=str)
def test_reset_parameters_of_batch_norm(options, rng):
    layer, new = nn.BatchNorm2d(3, **options), nn.BatchNorm2d(3, **options).state_dict()
    for t in (*layer.parameters(), *layer.buffers()):
        t.detach().fill_(7)
    layer.reset_parameters()
    assert new.keys() == layer.state_dict().keys()
    assert all(np.array_equal(array, new[name]) for name, array in layer.state_dict().items())
