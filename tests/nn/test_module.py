"""Module: what is registered and in which order, state_dict, modes, printing; each layer against torch's."""

from __future__ import annotations

import math

import numpy as np
import pytest

from minialex import Tensor, functional, nn, random


class Branch(nn.Module):
    """Parameters, a buffer and modules, mixed in an order of its own."""

    def __init__(self):
        super().__init__()
        self.late = nn.Linear(2, 3)
        self.scale = nn.Parameter(np.ones(2, np.float32))
        self.register_buffer("mean", Tensor(np.zeros(2, np.float32)))
        self.early = nn.Sequential(nn.ReLU(), nn.Linear(3, 1, bias=False))
        self.width = 7

    def forward(self, x):
        return self.early(self.late(x * self.scale - self.mean))


# ------------------------------------------------------------------------------------------------------- registration


def test_names_come_in_the_order_of_registration_own_ones_first():
    net = Branch()
    assert [n for n, _ in net.named_parameters()] == ["scale", "late.weight", "late.bias", "early.1.weight"]
    assert [n for n, _ in net.named_modules()] == ["", "late", "early", "early.0", "early.1"]
    assert [n for n, _ in net.named_children()] == ["late", "early"]
    assert [n for n, _ in net.named_buffers()] == ["mean"]
    assert list(net.parameters()) == [p for _, p in net.named_parameters()]
    assert net.width == 7 and net.scale is dict(net.named_parameters())["scale"]


def test_a_shared_parameter_is_listed_once_under_its_first_name():
    net = nn.Module()
    net.first, net.second = nn.Linear(2, 2), nn.Linear(2, 2)
    net.second.weight = net.first.weight
    assert [n for n, _ in net.named_parameters()] == ["first.weight", "first.bias", "second.bias"]
    layer = nn.Linear(2, 2)
    assert len(list(nn.Sequential(layer, nn.ReLU(), layer).parameters())) == 2


def test_unknown_attributes_are_errors():
    with pytest.raises(AttributeError, match="'Branch' object has no attribute 'lte'"):
        _ = Branch().lte
    assert not hasattr(Branch(), "bias")


@pytest.mark.parametrize("value", [nn.Parameter(np.zeros(2)), nn.ReLU(), 3], ids=lambda v: type(v).__name__)
def test_attributes_before_super_init_are_refused(value):
    class Hasty(nn.Module):
        def __init__(self):
            self.thing = value
            super().__init__()

    with pytest.raises(AttributeError, match=r"super\(\).__init__\(\) before setting 'thing'"):
        Hasty()


def test_assigning_again_replaces_and_moves_between_kinds():
    net = Branch()
    new = nn.Parameter(np.full(2, 5.0))
    net.scale = new
    assert net.scale is new and next(net.parameters()) is new
    net.late = nn.Parameter(np.zeros(1))  # a module gives way to a parameter of the same name
    assert [n for n, _ in net.named_parameters()] == ["scale", "late", "early.1.weight"]
    assert [n for n, _ in net.named_children()] == ["early"]
    net.width = nn.ReLU()  # and a plain attribute to a module
    assert "width" in dict(net.named_children()) and isinstance(net.width, nn.ReLU)
    net.mean = Tensor(np.ones(2))
    assert net.state_dict()["mean"].tolist() == [1.0, 1.0]
    net.mean = nn.Parameter(np.ones(2))  # a buffer that is to be trained from now on is a buffer no more
    assert "mean" in dict(net.named_parameters()) and "mean" not in dict(net.named_buffers())


def test_what_is_no_parameter_does_not_silently_take_the_place_of_one():
    """An array here would never be trained, saved or moved."""
    layer = nn.Linear(2, 3)
    for wrong in (np.zeros((3, 2)), Tensor(np.zeros((3, 2))), 5):
        with pytest.raises(TypeError, match="weight"):
            layer.weight = wrong
    assert [n for n, _ in layer.named_parameters()] == ["weight", "bias"]


def test_none_keeps_the_place_of_a_parameter_and_of_a_module():
    layer = nn.Linear(2, 3, bias=False)
    assert layer.bias is None and list(layer.state_dict()) == ["weight"]
    layer.weight, layer.bias = layer.weight, nn.Parameter(np.zeros(3))
    assert list(layer.state_dict()) == ["weight", "bias"]
    layer.bias = None
    assert layer.bias is None and list(layer.state_dict()) == ["weight"]
    net = Branch()
    net.late = None
    assert net.late is None and [n for n, _ in net.named_parameters()] == ["scale", "early.1.weight"]
    assert net.eval() is net and repr(net)


def test_forward_must_be_written():
    with pytest.raises(NotImplementedError, match=r"Module has no forward\(\)"):
        nn.Module()(1)


# -------------------------------------------------------------------------------------------------- modes, gradients


def test_train_and_eval_reach_everything_and_only_this_network():
    net, other = Branch(), Branch()
    assert all(m.training for _, m in net.named_modules())
    assert net.eval() is net and not any(m.training for _, m in net.named_modules())
    assert all(m.training for _, m in other.named_modules())
    assert net.early.train() is net.early and net.early[0].training and not net.late.training
    assert net.train(False).train().training and net.early[1].training


def test_dropout_follows_the_mode():
    x, drop = Tensor(np.ones(1000, np.float32)), nn.Dropout(0.25)
    assert 650 < (drop(x).data > 0).sum() < 850
    assert np.array_equal(drop.eval()(x).data, x.data)
    paper = nn.Dropout(0.25, inverted=False)
    assert set(paper(x).data.tolist()) == {0.0, 1.0} and set(paper.eval()(x).data.tolist()) == {0.75}
    own = nn.Dropout(0.25, generator=random.Generator(8))
    first = own(x).data
    random.manual_seed(99)
    again = nn.Dropout(0.25, generator=random.Generator(8))(x).data
    assert np.array_equal(first, again)


def test_zero_grad():
    net = Branch()
    net(Tensor(np.ones((2, 2), np.float32))).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_to_a_dtype_changes_parameters_and_buffers_in_place():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 2))
    net.register_buffer("mean", Tensor(np.ones(2, np.float32)))
    parameters, values = list(net.parameters()), [p.data.copy() for p in net.parameters()]
    assert net.to(np.float64) is net
    assert list(net.parameters()) == parameters
    for p, v in zip(parameters, values):
        assert p.dtype == np.float64 and np.array_equal(p.data, v) and p.requires_grad and p.is_leaf
    assert net.mean.dtype == np.float64
    assert net(Tensor(np.ones((1, 1, 4, 4)))).dtype == np.float64


# --------------------------------------------------------------------------------------------------------- state_dict


def test_the_state_has_torchs_keys_and_the_modules_own_arrays():
    net = Branch()
    state = net.state_dict()
    assert list(state) == ["scale", "mean", "late.weight", "late.bias", "early.1.weight"]
    assert state["late.weight"] is net.late.weight.data and state["mean"] is net.mean.data


def test_loading_copies_into_the_same_arrays_and_counts_as_a_change():
    net, other = Branch(), Branch()
    for array in other.state_dict().values():
        array[...] = np.arange(array.size).reshape(array.shape)
    arrays, versions = net.state_dict(), {n: p.version for n, p in net.named_parameters()}
    assert net.load_state_dict(other.state_dict()) == ([], [])
    for name, array in net.state_dict().items():
        assert array is arrays[name] and np.array_equal(array, other.state_dict()[name])
        assert not np.shares_memory(array, other.state_dict()[name])
    assert all(p.version == versions[n] + 1 for n, p in net.named_parameters()) and net.mean.version == 1


def test_tensors_lists_and_other_dtypes_may_be_loaded():
    layer = nn.Linear(2, 1)
    layer.load_state_dict({"weight": Tensor(np.array([[1.0, 2.0]])), "bias": [3]})
    assert layer.weight.data.tolist() == [[1.0, 2.0]] and layer.bias.data.tolist() == [3.0]
    assert layer.weight.dtype == layer.bias.dtype == np.float32


def test_what_does_not_fit_is_named_all_at_once_and_nothing_is_changed():
    net = Branch()
    before = {n: a.copy() for n, a in net.state_dict().items()}
    state = {n: a + 1 for n, a in before.items()}
    del state["scale"], state["late.bias"]
    state |= {"head.weight": np.zeros(2), "tail": np.zeros(1)}
    state["mean"], state["early.1.weight"] = np.zeros(3), np.zeros((3, 1))
    with pytest.raises(ValueError) as refusal:
        net.load_state_dict(state)
    text = str(refusal.value)
    assert "does not fit Branch" in text
    assert "missing: scale, late.bias" in text and "unexpected: head.weight, tail" in text
    assert "early.1.weight (is (3, 1), expected (1, 3))" in text and "mean (is (3,), expected (2,))" in text
    with pytest.raises(ValueError, match="misshapen") as refusal:
        net.load_state_dict(state, strict=False)
    assert "missing" not in str(refusal.value)
    for name, array in net.state_dict().items():
        assert np.array_equal(array, before[name])
    assert all(p.version == 0 for p in net.parameters() if p is net.scale)


@pytest.mark.parametrize("fault", ["missing", "unexpected"])
def test_strict_loading_minds_each_fault_by_itself(fault):
    layer = nn.Linear(2, 1)
    state = {"weight": np.zeros((1, 2))} if fault == "missing" else layer.state_dict() | {"wieght": np.zeros(1)}
    with pytest.raises(ValueError, match=fault):
        layer.load_state_dict(state)
    missing, unexpected = keys = layer.load_state_dict(state, strict=False)
    assert keys.missing_keys is missing and keys.unexpected_keys is unexpected
    assert (missing, unexpected) == ((["bias"], []) if fault == "missing" else ([], ["wieght"]))
    assert np.array_equal(layer.weight.data, state["weight"])


@pytest.mark.parametrize("bad", [np.array(["a"]), np.array([1j]), np.array([None])], ids=lambda a: str(a.dtype))
def test_values_that_are_no_numbers_are_refused_before_anything_is_changed(bad):
    layer = nn.Linear(2, 1)
    before = layer.weight.data.copy()
    with pytest.raises((ValueError, TypeError), match="bias"):
        layer.load_state_dict({"weight": np.zeros((1, 2)), "bias": bad})
    assert np.array_equal(layer.weight.data, before)


# --------------------------------------------------------------------------------------------------------- Sequential


def test_sequential_indexing_slicing_and_names():
    a, b, c = nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1)
    net = nn.Sequential({"first": a, "act": b, "last": c})
    assert net.first is net[0] is a and net[-1] is c and len(net) == 3 and list(net) == [a, b, c]
    assert list(net.state_dict()) == ["first.weight", "first.bias", "last.weight", "last.bias"]
    head = net[:2]
    assert isinstance(head, nn.Sequential) and list(dict(head.named_children())) == ["first", "act"] and head[0] is a
    x = Tensor(np.ones((3, 2), np.float32))
    assert np.array_equal(net(x).data, c(functional.relu(a(x))).data)
    assert list(nn.Sequential(a, b).state_dict()) == ["0.weight", "0.bias"]
    with pytest.raises(IndexError):
        _ = net[3]
    assert len(nn.Sequential()) == 0


def test_parameters_of_layers_are_float32_and_need_gradients():
    for p in nn.Sequential(nn.Linear(2, 3), nn.Conv2d(1, 2, 3)).parameters():
        assert p.dtype == np.float32 and p.requires_grad and isinstance(p, nn.Parameter)


@pytest.mark.parametrize("channels, filters, groups", [(3, 4, 2), (4, 3, 2), (4, 4, 0), (4, 4, -1)])
def test_groups_that_do_not_divide_are_refused(channels, filters, groups):
    with pytest.raises(ValueError, match=f"groups={groups} must divide.* {channels} .*{filters} "):
        nn.Conv2d(channels, filters, 3, groups=groups)


@pytest.mark.parametrize("layer, shape", [(nn.Linear(3, 2), (4, 3)), (nn.Conv2d(3, 2, 3), (1, 3, 4, 5))], ids=repr)
def test_a_float64_input_for_float32_weights_is_refused_in_one_sentence(layer, shape):
    """NumPy's arrays are float64 unless told otherwise, so everybody meets this once; as in torch, forward says it."""
    with pytest.raises((TypeError, ValueError), match="float64.*float32|float32.*float64"):
        layer(Tensor(np.ones(shape)))


# --------------------------------------------------------------------------------------------------------------- repr

# what torch 2.13 prints for the same calls; ours are the arguments that torch does not have
# fmt: off
NESTED = """\
Sequential(
  (0): Linear(in_features=2, out_features=3, bias=True)
  (1): Sequential(
    (0): ReLU()
    (1): Tanh()
  )
)"""
PRINTED = [
    (nn.Conv2d(3, 96, 11, 4, padding=2), "Conv2d(3, 96, kernel_size=(11, 11), stride=(4, 4), padding=(2, 2))"),
    (nn.Conv2d(3, 4, (3, 2)), "Conv2d(3, 4, kernel_size=(3, 2), stride=(1, 1))"),
    (nn.Conv2d(4, 4, 3, padding="same", dilation=2, groups=2, bias=False),
     "Conv2d(4, 4, kernel_size=(3, 3), stride=(1, 1), padding=same, dilation=(2, 2), groups=2, bias=False)"),
    (nn.Linear(9216, 4096), "Linear(in_features=9216, out_features=4096, bias=True)"),
    (nn.Linear(2, 3, bias=False), "Linear(in_features=2, out_features=3, bias=False)"),
    (nn.MaxPool2d(3, 2), "MaxPool2d(kernel_size=3, stride=2, padding=0, dilation=1, ceil_mode=False)"),
    (nn.MaxPool2d((3, 2), ceil_mode=True),
     "MaxPool2d(kernel_size=(3, 2), stride=(3, 2), padding=0, dilation=1, ceil_mode=True)"),
    (nn.AvgPool2d(3), "AvgPool2d(kernel_size=3, stride=3, padding=0)"),
    (nn.ReLU(), "ReLU()"),
    (nn.ReLU(inplace=True), "ReLU(inplace=True)"),
    (nn.Tanh(), "Tanh()"),
    (nn.LocalResponseNorm(5), "LocalResponseNorm(5, alpha=0.0001, beta=0.75, k=1.0)"),
    (nn.Flatten(), "Flatten(start_dim=1, end_dim=-1)"),
    (nn.CrossEntropyLoss(), "CrossEntropyLoss()"),
    (nn.Sequential(), "Sequential()"),
    (nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.ReLU(), nn.Tanh())), NESTED),
]
OURS = [
    (nn.Conv2d(3, 4, 3, padding=((0, 3), (0, 3))),
     "Conv2d(3, 4, kernel_size=(3, 3), stride=(1, 1), padding=((0, 3), (0, 3)))"),
    (nn.LocalResponseNorm(5, k=2.0, alpha_over="element"),
     "LocalResponseNorm(5, alpha=0.0001, beta=0.75, k=2.0, alpha_over=element)"),
    (nn.LocalResponseNorm(3, within_channel=True, groups=2),
     "LocalResponseNorm(3, alpha=0.0001, beta=0.75, k=1.0, within_channel=True, groups=2)"),
    (nn.Dropout(), "Dropout(p=0.5, inplace=False)"),
    (nn.Dropout(0.2, inverted=False), "Dropout(p=0.2, inplace=False, inverted=False)"),
]
# fmt: on


@pytest.mark.parametrize("module, text", PRINTED + OURS, ids=lambda v: v if isinstance(v, str) else "")
def test_repr(module, text):
    assert repr(module) == text


def test_the_table_of_printed_texts_against_torch(torch):
    for _, text in PRINTED:
        scope = {name: getattr(torch.nn, name) for name in dir(torch.nn)}
        if "\n" not in text and "padding=same" not in text:
            assert repr(eval(text, scope)) == text  # torch's own text, read back by torch
    t = torch.nn
    assert repr(t.Sequential(t.Linear(2, 3), t.Sequential(t.ReLU(), t.Tanh()))) == NESTED
    assert repr(t.Conv2d(4, 4, 3, padding="same", dilation=2, groups=2, bias=False)) == PRINTED[2][1]


# -------------------------------------------------------------------------------------------------- layers and torch

# fmt: off
LAYERS = [
    ("Conv2d", (3, 4, (3, 2), (2, 1), (1, 2)), {}),
    ("Conv2d", (4, 6, 3), {"groups": 2, "dilation": 2, "padding": 2, "bias": False}),
    ("Conv2d", (3, 4, 5), {"padding": "same"}),
    ("Linear", (6, 5), {}), ("Linear", (6, 5, False), {}),
    ("ReLU", (), {}), ("Tanh", (), {}), ("Dropout", (0.0,), {}),
    ("MaxPool2d", (3, 2, 1, 1), {}), ("MaxPool2d", (2,), {}), ("MaxPool2d", (2, 1, 0, 2), {}),
    ("MaxPool2d", (3, 2), {"ceil_mode": True}),
    ("AvgPool2d", (3, 2, 1), {}), ("AvgPool2d", (2,), {}), ("AvgPool2d", (3, 2, 1, True, False), {}),
    ("AvgPool2d", (2, None, 0, False, True, 3), {}),
    ("LocalResponseNorm", (3, 0.5, 0.6, 2.0), {}), ("LocalResponseNorm", (2,), {"alpha": 0.9}),
    ("Flatten", (), {}), ("Flatten", (2,), {}), ("Flatten", (0, 1), {}),
]
# fmt: on


@pytest.mark.parametrize("name, positional, options", LAYERS, ids=lambda v: str(v))
def test_layers_compute_what_torchs_of_the_same_arguments_compute(torch, rng, name, positional, options):
    ours, theirs = getattr(nn, name)(*positional, **options), getattr(torch.nn, name)(*positional, **options).double()
    ours.to(np.float64).load_state_dict({n: t.numpy() for n, t in theirs.state_dict().items()})
    assert list(ours.state_dict()) == list(theirs.state_dict())
    x = rng.standard_normal((2, 4 if options.get("groups") else 3, 7, 6))
    np.testing.assert_allclose(ours(Tensor(x)).data, theirs(torch.tensor(x)).detach().numpy(), rtol=1e-10, atol=1e-12)


def test_the_loss_computes_what_torchs_does(torch, rng):
    logits, labels, weight = rng.standard_normal((6, 4)), np.array([0, 3, 2, 9, 1, 1]), rng.random(4)
    for options in ({}, {"reduction": "sum"}, {"label_smoothing": 0.2}):
        ours = nn.CrossEntropyLoss(weight, ignore_index=9, **options)
        theirs = torch.nn.CrossEntropyLoss(torch.tensor(weight), ignore_index=9, **options)
        expected = theirs(torch.tensor(logits), torch.tensor(labels)).item()
        assert ours(Tensor(logits), labels).item() == pytest.approx(expected, rel=1e-12)
    assert nn.CrossEntropyLoss()(Tensor(np.zeros((2, 10))), np.array([3, 4])).item() == pytest.approx(math.log(10))
