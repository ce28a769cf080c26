"""The layers that came after the first: against torch.nn with the same state, and by hand."""

import numpy as np
import pytest

import minialex
from minialex import Tensor, functional, nn


def values(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


TWINS = [
    ("BatchNorm2d", (5,), {}),
    ("BatchNorm2d", (5,), {"eps": 1e-3, "momentum": 0.3}),
    ("BatchNorm2d", (5,), {"momentum": None}),
    ("BatchNorm2d", (5,), {"affine": False}),
    ("BatchNorm2d", (5,), {"bias": False}),
    ("BatchNorm2d", (5,), {"track_running_stats": False}),
    ("AdaptiveAvgPool2d", ((3, 4),), {}),
    ("AdaptiveAvgPool2d", (1,), {}),
    ("Sigmoid", (), {}),
    ("LeakyReLU", (0.2,), {}),
    ("Identity", (), {}),
    ("GELU", (), {}),
    ("GELU", ("tanh",), {}),
    ("ELU", (), {}),
    ("ELU", (0.5, True), {}),
    ("SiLU", (), {}),
    ("SiLU", (True,), {}),
    ("Softplus", (2.0, 5.0), {}),
    ("AvgPool2d", (3, 2, 1, True, False), {}),
    ("AvgPool2d", ((3, 2), None, (1, 0)), {"divisor_override": 5}),
    ("AdaptiveMaxPool2d", ((3, None),), {}),
    ("AdaptiveMaxPool2d", (2,), {}),
    ("ZeroPad2d", (2,), {}),
    ("ZeroPad2d", ((1, 0, -2, 3),), {}),
    ("ConstantPad2d", ((1, 2, 0, 3), 1.5), {}),
    ("Upsample", (), {"scale_factor": 2}),
    ("Upsample", ((3, 9),), {"mode": "bilinear", "align_corners": True}),
    ("Upsample", (), {"scale_factor": (1.5, 2), "mode": "bilinear", "recompute_scale_factor": True}),
    ("Dropout2d", (0.0,), {}),
]
TWINS_OF_FEATURES = [
    ("BatchNorm1d", (5,), {}),
    ("BatchNorm1d", (5,), {"momentum": None, "eps": 1e-2}),
    ("BatchNorm1d", (5,), {"affine": False, "track_running_stats": False}),
]


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3)])
@pytest.mark.parametrize("name,arguments,options", TWINS_OF_FEATURES)
def test_features_as_torch(torch, name, arguments, options, shape):
    test_three_training_passes_and_an_evaluation_equal_torch(torch, name, arguments, options, shape)


@pytest.mark.parametrize("name,arguments,options", TWINS)
def test_three_training_passes_and_an_evaluation_equal_torch(torch, name, arguments, options, shape=(4, 5, 6, 7)):
    ours, theirs = getattr(nn, name)(*arguments, **options), getattr(torch.nn, name)(*arguments, **options)
    assert repr(ours) == repr(theirs)
    for (own, p), (other, q) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert own == other
        p.data[...] = values(*p.shape, seed=9) + 1
        with torch.no_grad():
            q.copy_(torch.tensor(p.data))
    for step in range(4):
        if step == 3:
            ours.eval(), theirs.eval()
        x = 2 * values(*shape, seed=step) + (3 if name.startswith("Batch") else 0)
        a, b = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
        y, z = ours(a * 1.0), theirs(b * 1.0)  # computed, so that it may be written to
        cotangent = values(*y.shape, seed=100 + step)
        y.backward(cotangent)
        z.backward(torch.tensor(cotangent))
        np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(a.grad, b.grad.numpy(), rtol=1e-4, atol=1e-5)
        state = {key: value.numpy() for key, value in theirs.state_dict().items()}
        assert list(ours.state_dict()) == list(state)
        for key, value in ours.state_dict().items():
            assert value.dtype == state[key].dtype
            np.testing.assert_allclose(value, state[key], rtol=1e-5, atol=1e-6, err_msg=key)


def test_inputs_of_other_axes_are_refused():
    for layer, shape in [(nn.BatchNorm1d(3), (2, 3, 4, 4)), (nn.BatchNorm1d(3), (3,)), (nn.BatchNorm2d(3), (2, 3))]:
        with pytest.raises(ValueError, match=rf"{type(layer).__name__} needs input \(N, C.*, got"):
            layer(Tensor(np.zeros(shape, np.float32)))
    with pytest.raises(ValueError, match="ZeroPad2d: padding is a number or four"):
        nn.ZeroPad2d((1, 2))
    with pytest.raises(ValueError, match="Dropout2d: p is a probability"):
        nn.Dropout2d(1.5)
    with pytest.raises(ValueError, match="BatchNorm1d: num_features must be at least 1"):
        nn.BatchNorm1d(0)


def test_dropout_of_maps():
    layer = nn.Dropout2d(0.25, generator=minialex.Generator(3))
    x = Tensor(1 + values(40, 50, 2, 3) ** 2, requires_grad=True)
    y = layer(x)
    ratio = y.numpy() / x.numpy()
    kept = ratio[:, :, :1, :1] > 0
    np.testing.assert_allclose(ratio, np.broadcast_to(kept / 0.75, ratio.shape), rtol=1e-6)  # whole maps
    assert 0.70 < kept.mean() < 0.80 and kept.any(0).all() and kept.any(1).all()
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), ratio, rtol=1e-6)
    assert layer.eval()(x) is x
    in_place = nn.Dropout2d(0.25, True, generator=minialex.Generator(3))
    z = x * 1.0
    assert in_place(z) is z and (z.numpy() == y.numpy()).all()


LOSSES = [
    ("L1Loss", (), {}),
    ("L1Loss", (), {"reduction": "sum"}),
    ("SmoothL1Loss", (), {"beta": 0.5}),
    ("HuberLoss", ("none", 0.3), {}),
    ("BCELoss", (), {}),
    ("BCEWithLogitsLoss", (), {"reduction": "none"}),
]


@pytest.mark.parametrize("name,arguments,options", LOSSES)
def test_losses_equal_torch(torch, name, arguments, options):
    ours, theirs = getattr(nn, name)(*arguments, **options), getattr(torch.nn, name)(*arguments, **options)
    assert repr(ours) == repr(theirs)
    x, t = (1 / (1 + np.exp(-values(4, 5, seed=seed))) for seed in (1, 2))
    a, b = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y, z = ours(a, Tensor(t)), theirs(b, torch.tensor(t))
    np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=1e-6)
    y.sum().backward()
    z.sum().backward()
    np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-5)


def test_weights_of_losses_are_buffers(torch):
    ours = nn.BCEWithLogitsLoss(np.ones(5, np.float32), pos_weight=np.full(5, 2.0, np.float32))
    theirs = torch.nn.BCEWithLogitsLoss(torch.ones(5), pos_weight=torch.full((5,), 2.0))
    assert list(ours.state_dict()) == list(theirs.state_dict()) == ["weight", "pos_weight"]
    assert ours.to(np.float64).pos_weight.dtype == np.float64


def test_running_statistics_by_hand():
    layer = nn.BatchNorm2d(1, momentum=0.25)
    layer(Tensor(np.array([1.0, 2, 3, 6], np.float32).reshape(2, 1, 1, 2)))  # mean 3, unbiased variance 14 / 3
    assert layer.running_mean.item() == pytest.approx(0.75)
    assert layer.running_var.item() == pytest.approx(0.75 + 0.25 * 14 / 3)
    assert layer.num_batches_tracked.item() == 1
    layer.eval()
    layer(Tensor(values(2, 1, 1, 2)))
    assert layer.num_batches_tracked.item() == 1


def test_statistics_move_with_no_grad_too_and_travel_in_the_state():
    first, second = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
    with minialex.no_grad():
        first(Tensor(values(4, 3, 2, 2)))
    second.load_state_dict(first.state_dict())
    assert second.num_batches_tracked.item() == 1
    np.testing.assert_array_equal(second.running_var.numpy(), first.running_var.numpy())
    assert not np.allclose(first.running_var.numpy(), 1)
    assert not np.shares_memory(second.running_var.numpy(), first.running_var.numpy())


def test_a_module_moved_to_float64_keeps_its_counters():
    layer = nn.BatchNorm2d(3).to(np.float64)
    assert layer.running_mean.dtype == layer.weight.dtype == np.float64
    assert layer.num_batches_tracked.dtype == np.int64
    assert layer(Tensor(values(4, 3, 2, 2).astype(np.float64))).dtype == np.float64
    with pytest.raises(TypeError, match="float16"):
        layer.to(np.float16)
    with pytest.raises(TypeError, match="int64"):
        layer.to(np.int64)


def test_batch_norm_needs_maps():
    with pytest.raises(ValueError, match=r"\(N, C, H, W\).*\(4, 3\)"):
        nn.BatchNorm2d(3)(Tensor(values(4, 3)))


@pytest.mark.parametrize(
    "module,call",
    [
        (nn.MSELoss(), lambda x, t: functional.mse_loss(x, t)),
        (nn.MSELoss(reduction="sum"), lambda x, t: functional.mse_loss(x, t, reduction="sum")),
    ],
)
def test_mse_as_a_module(module, call):
    x, t = Tensor(values(3, 4)), Tensor(values(3, 4, seed=1))
    assert (
        module(x, t).item()
        == call(x, t).item()
        == pytest.approx(((x.data - t.data) ** 2).mean() * (1 if module.options[2] == "mean" else 12), rel=1e-6)
    )


def test_nll_of_log_softmax_is_cross_entropy():
    x, target, weight = Tensor(values(5, 4)), np.array([1, 3, 0, -100, 2]), np.array([0.5, 1, 2, 0.2], np.float32)
    split = nn.NLLLoss(weight)(functional.log_softmax(x, 1), target).item()
    assert split == pytest.approx(nn.CrossEntropyLoss(weight)(x, target).item(), rel=1e-6)
    rows = functional.log_softmax(x, 1).numpy()[[0, 1, 2, 4], [1, 3, 0, 2]]
    assert split == pytest.approx(-(rows * weight[[1, 3, 0, 2]]).sum() / weight[[1, 3, 0, 2]].sum(), rel=1e-6)


def test_a_hook_sees_every_forward_until_it_is_removed():
    model, seen = nn.Sequential(nn.Linear(3, 4), nn.ReLU()), []
    handle = model[1].register_forward_hook(lambda module, inputs, output: seen.append((module, inputs, output)))
    x = Tensor(values(2, 3))
    y = model(x)
    ((module, (given,), output),) = seen
    assert module is model[1] and output is y
    np.testing.assert_array_equal(output.numpy(), np.maximum(given.numpy(), 0))
    handle.remove()
    handle.remove()  # a second time does no harm
    model(x)
    assert len(seen) == 1


def test_what_a_hook_returns_replaces_the_output_and_hooks_run_in_order():
    layer = nn.Identity()
    with layer.register_forward_hook(lambda m, i, o: o * 3), layer.register_forward_hook(lambda m, i, o: o + 1):
        assert layer(Tensor([2.0])).item() == 7
    assert layer(Tensor([2.0])).item() == 2


def test_a_frozen_layer_gets_no_gradient_and_does_not_move():
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    model[0].requires_grad_(False)
    optimizer = minialex.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    before = {name: value.copy() for name, value in model.state_dict().items()}
    functional.cross_entropy(model(Tensor(values(5, 3))), np.array([0, 1, 1, 0, 1])).backward()
    assert model[0].weight.grad is None and model[2].weight.grad is not None
    optimizer.step()
    moved = {name for name, value in model.state_dict().items() if not np.array_equal(value, before[name])}
    assert moved == {"2.weight", "2.bias"}
    model.requires_grad_()
    functional.cross_entropy(model(Tensor(values(5, 3))), np.array([0, 1, 1, 0, 1])).backward()
    assert model[0].weight.grad is not None


@pytest.mark.parametrize(
    "make,message",
    [
        (lambda: nn.Conv2d(1, 2, 0), "kernel_size"),
        (lambda: nn.Conv2d(0, 2, 3), "in_channels"),
        (lambda: nn.Conv2d(1, 2, 3, stride=0), "stride"),
        (lambda: nn.Conv2d(1, 2, 3, padding="full"), '"valid" or "same"'),
        (lambda: nn.Conv2d(1, 2, 3, padding=-1), "negative"),
        (lambda: nn.Linear(0, 2), "in_features"),
        (lambda: nn.Dropout(2), "from 0 to 1"),
        (lambda: nn.MaxPool2d("a"), "kernel_size"),
        (lambda: nn.LocalResponseNorm(3, alpha_over="x"), '"window" or "element"'),
        (lambda: nn.BatchNorm2d(0), "num_features"),
    ],
)
def test_impossible_settings_are_refused_when_the_layer_is_made(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_a_layer_given_an_array_says_what_to_do():
    for layer in (nn.Linear(2, 2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(1, 1, 1), nn.LocalResponseNorm(3)):
        with pytest.raises(TypeError, match=r"ndarray.*Tensor\(array\)"):
            layer(np.ones((1, 1, 2, 2), np.float32))


def test_a_sequential_names_the_layer_that_cannot_take_its_input():
    body = nn.Sequential({"conv1": nn.Conv2d(3, 4, 3), "pool1": nn.MaxPool2d(3, 2)})
    model = nn.Sequential({"body": body, "flatten": nn.Flatten(), "fc": nn.Linear(36, 2)})
    assert model(Tensor(values(1, 3, 9, 9))).shape == (1, 2)
    with pytest.raises(ValueError, match=r"^layer body.pool1 \(MaxPool2d\): a window of 3x3.*2x2"):
        model(Tensor(values(1, 3, 4, 4)))
    with pytest.raises(ValueError, match=r"^layer fc \(Linear\): .*36 inputs.*\(1, 16\)"):
        model(Tensor(values(1, 3, 7, 7)))


def test_states_travel_to_torch_and_back(torch):
    def network(module):
        return module.Sequential(
            module.Conv2d(3, 6, 3, padding=1, groups=3),
            module.BatchNorm2d(6),
            module.LeakyReLU(0.1),
            module.AdaptiveAvgPool2d((2, 3)),
            module.Flatten(),
            module.Linear(36, 5, bias=False),
        )

    x = values(4, 3, 6, 7)
    theirs = network(torch.nn)
    theirs(torch.tensor(x))  # moves the running statistics away from 0 and 1
    ours = network(nn)
    ours.load_state_dict({key: value.numpy() for key, value in theirs.state_dict().items()})
    ours.eval(), theirs.eval()
    np.testing.assert_allclose(ours(Tensor(x)).numpy(), theirs(torch.tensor(x)).detach().numpy(), rtol=1e-4, atol=1e-5)

    minialex.manual_seed(3)
    ours = network(nn)
    ours(Tensor(x))
    theirs = network(torch.nn)
    theirs.load_state_dict({key: torch.tensor(value) for key, value in ours.state_dict().items()}, strict=True)
    ours.eval(), theirs.eval()
    np.testing.assert_allclose(ours(Tensor(x)).numpy(), theirs(torch.tensor(x)).detach().numpy(), rtol=1e-4, atol=1e-5)
