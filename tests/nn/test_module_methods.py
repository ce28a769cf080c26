"""Modules taken apart and put together, walked through, in lists and dicts; softmax; no_grad as a decorator."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import minialex
from minialex import Tensor, functional, nn, no_grad


def net():
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))


def torch_net(torch):
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))


def names(module):
    return list(module.state_dict()), [name for name, _ in module.named_modules()]


# --------------------------------------------------------------------------------------------------------- Sequential


def test_a_layer_is_replaced():
    model = net()
    model[2] = nn.Linear(4, 10)
    assert model(Tensor(np.ones((1, 3), np.float32))).shape == (1, 10)
    assert list(model.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    model[-2] = nn.Tanh()
    assert isinstance(model[1], nn.Tanh)
    named = nn.Sequential({"a": nn.ReLU(), "b": nn.Tanh()})
    named[1] = nn.Sigmoid()
    assert [name for name, _ in named.named_children()] == ["a", "b"] and isinstance(named[1], nn.Sigmoid)
    with pytest.raises(IndexError, match="3 layers, none at index 3"):
        model[3] = nn.ReLU()
    with pytest.raises(TypeError, match="takes modules, got int"):
        model[0] = 3


CHANGES = {
    "del 1": lambda m, nn: m.__delitem__(1),
    "del -1": lambda m, nn: m.__delitem__(-1),
    "del slice": lambda m, nn: m.__delitem__(slice(0, 2)),
    "append": lambda m, nn: m.append(nn.Linear(2, 5)),
    "extend": lambda m, nn: m.extend([nn.Linear(2, 5), nn.ReLU()]),
    "insert 0": lambda m, nn: m.insert(0, nn.Linear(3, 3)),
    "insert 2": lambda m, nn: m.insert(2, nn.Linear(4, 4)),
    "insert 3": lambda m, nn: m.insert(3, nn.Linear(2, 2)),
    "set": lambda m, nn: m.__setitem__(1, nn.Linear(4, 4)),
}


@pytest.mark.parametrize("kind", ["Sequential", "ModuleList"])
@pytest.mark.parametrize("change", CHANGES)
def test_changes_leave_the_names_that_torch_has(torch, kind, change):
    ours, theirs = net(), torch_net(torch)
    if kind == "ModuleList":
        ours, theirs = nn.ModuleList(list(ours)), torch.nn.ModuleList(list(theirs))
    CHANGES[change](ours, nn)
    CHANGES[change](theirs, torch.nn)
    assert names(ours) == names(theirs)
    assert [type(m).__name__ for m in ours] == [type(m).__name__ for m in theirs]
    assert [p.shape for p in ours.parameters()] == [tuple(p.shape) for p in theirs.parameters()]


def test_layers_with_names_of_their_own():
    model = nn.Sequential({"a": nn.ReLU(), "b": nn.Tanh(), "c": nn.Sigmoid()})
    del model[1]
    assert [name for name, _ in model.named_children()] == ["a", "c"]
    model.append(nn.Identity())
    assert [name for name, _ in model.named_children()] == ["a", "c", "2"]
    with pytest.raises(ValueError, match="cannot be renumbered"):
        model.insert(0, nn.ReLU())


# ------------------------------------------------------------------------------------------------------------- Module


def test_attributes_are_deleted():
    model = nn.Module()
    model.layer, model.weight, model.width = nn.Linear(2, 3), nn.Parameter(np.ones(2)), 7
    model.register_buffer("mean", Tensor(np.zeros(2)))
    for name in ("layer", "weight", "mean", "width"):
        assert hasattr(model, name)
        delattr(model, name)
        assert not hasattr(model, name)
    assert not list(model.parameters()) and not model.state_dict() and len(list(model.modules())) == 1
    with pytest.raises(AttributeError, match="layer"):
        del model.layer
    model.layer = nn.ReLU()  # the name is free again
    assert isinstance(model.layer, nn.ReLU)


def test_apply_reaches_every_module_children_first():
    model, seen = nn.Sequential(net(), nn.ReLU()), []
    assert model.apply(seen.append) is model
    assert seen == [model[0][0], model[0][1], model[0][2], model[0], model[1], model]

    def ones(module):
        if isinstance(module, nn.Linear):
            nn.init.constant_(module.weight, 1.0)

    model.apply(ones)
    assert all((p.numpy() == 1).all() for name, p in model.named_parameters() if name.endswith("weight"))


def test_get_submodule():
    model = nn.Sequential({"features": net(), "head": nn.Identity()})
    assert model.get_submodule("") is model
    assert model.get_submodule("features.2") is model[0][2]
    for name, module in model.named_modules():
        assert model.get_submodule(name) is module
    with pytest.raises(AttributeError, match=r"no module '9' \(features.9\); it has 0, 1, 2"):
        model.get_submodule("features.9")
    with pytest.raises(AttributeError, match="no module 'weight'"):
        model.get_submodule("features.0.weight")


def tied(nn):
    """A module that stands in two places, and a weight that two modules share."""
    model = nn.Module()
    model.body = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm2d(2), nn.Linear(3, 3))
    model.again = model.body[0]
    model.head = nn.Linear(3, 3)
    model.head.weight = model.body[2].weight
    return model


LISTINGS = {
    "state_dict": lambda m: list(m.state_dict()),
    "state_dict, prefix": lambda m: list(m.state_dict(prefix="net.")),
    "named_parameters": lambda m: [n for n, _ in m.named_parameters()],
    "all": lambda m: [n for n, _ in m.named_parameters(remove_duplicate=False)],
    "prefix": lambda m: [n for n, _ in m.named_parameters("net")],
    "own": lambda m: [n for n, _ in m.head.named_parameters(recurse=False)],
    "own, none": lambda m: [n for n, _ in m.named_parameters("", False)],
    "parameters": lambda m: [tuple(p.shape) for p in m.parameters()],
    "own parameters": lambda m: len(list(m.body[0].parameters(recurse=False))),
    "named_buffers": lambda m: [n for n, _ in m.named_buffers("a", recurse=True)],
    "buffers": lambda m: [tuple(b.shape) for b in m.buffers()],
    "own buffers": lambda m: len(list(m.buffers(recurse=False))),
    "named_modules": lambda m: [n for n, _ in m.named_modules()],
    "all modules": lambda m: [n for n, _ in m.named_modules(prefix="x", remove_duplicate=False)],
    "but some": lambda m: [n for n, _ in m.named_modules({m.body}, "y")],
    "modules": lambda m: [type(x).__name__ for x in m.modules()],
}


@pytest.mark.parametrize("listing", LISTINGS.values(), ids=LISTINGS.keys())
def test_what_modules_list_is_what_torch_lists(torch, listing):
    assert listing(tied(nn)) == listing(tied(torch.nn))


def test_tied_weights_are_saved_and_loaded():
    model, other = tied(nn), tied(nn)
    state = {name: value.copy() for name, value in model.state_dict().items()}
    assert (state["head.weight"] == state["body.2.weight"]).all() and (
        state["again.bias"] == state["body.0.bias"]
    ).all()
    assert other.load_state_dict(state) == ([], [])
    assert all((value == state[name]).all() for name, value in other.state_dict().items())
    assert other.head.weight is other.body[2].weight
    for name in ("head.weight", "again.weight", "again.bias"):  # as written before both names were listed
        del state[name]
    assert tied(nn).load_state_dict(state) == ([], [])
    del state["body.2.weight"]
    with pytest.raises(ValueError, match="missing: body.2.weight, head.weight"):
        other.load_state_dict(state)


def test_a_state_of_before_batches_were_counted():
    norm = nn.BatchNorm2d(2)
    state = {name: value + 1.0 for name, value in norm.state_dict().items() if name != "num_batches_tracked"}
    assert norm.load_state_dict(state) == ([], []) and norm.running_mean.tolist() == [1.0, 1.0]
    del state["running_mean"]
    with pytest.raises(ValueError, match="missing: running_mean$"):
        norm.load_state_dict(state)


def test_what_state_dict_takes(torch):
    model = tied(nn)
    given = {"epoch": 3}
    assert model.head.state_dict(destination=given, prefix="head.") is given
    assert list(given) == ["epoch", "head.weight", "head.bias"]
    assert model.state_dict(keep_vars=True)["head.weight"] is model.head.weight


def test_a_buffer_that_is_not_saved(torch):
    for library, zeros in ((nn, Tensor(np.zeros(2))), (torch.nn, torch.zeros(2))):
        module = library.Module()
        module.register_buffer("kept", zeros)
        module.register_buffer("passing", zeros * 1, persistent=False)
        assert list(module.state_dict()) == ["kept"] and len(list(module.buffers())) == 2
        module.register_buffer("passing", zeros * 1)
        assert list(module.state_dict()) == ["kept", "passing"]


def test_members_by_their_names():
    model = tied(nn)
    assert model.get_parameter("body.0.weight") is model.body[0].weight
    assert model.get_buffer("body.1.running_var") is model.body[1].running_var
    assert model.head.get_parameter("bias") is model.head.bias
    for wrong in (lambda: model.get_parameter("body.1.running_var"), lambda: model.get_buffer("head.weight")):
        with pytest.raises(AttributeError, match="it has"):
            wrong()
    with pytest.raises(AttributeError, match="no module 'tail'"):
        model.get_parameter("tail.weight")


def test_modules_are_added_by_their_names():
    model = nn.Module()
    model.add_module("first", nn.ReLU())
    model.register_module("second", None)
    model.width = 3
    assert [name for name, _ in model.named_children()] == ["first"] and model.second is None
    model.add_module("first", nn.Tanh())
    assert isinstance(model.first, nn.Tanh)
    for wrong, error in [(("a.b", nn.ReLU()), KeyError), (("", nn.ReLU()), KeyError), (("width", nn.ReLU()), KeyError),
                         (("x", 3), TypeError)]:  # fmt: skip
        with pytest.raises(error):
            model.add_module(*wrong)


def test_modules_in_another_dtype():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    assert model.double() is model and model[0].weight.dtype == model[1].running_var.dtype == np.float64
    assert model[1].num_batches_tracked.dtype == np.int64
    assert model.float()[0].bias.dtype == np.float32 and model.type(np.float64)[0].bias.dtype == np.float64
    assert model.cpu() is model and model[0].weight.backend.name == "numpy"
    assert model.to("numba").cpu()[0].weight.backend.name == "numba"


def test_zero_grad():
    model = nn.Linear(2, 2)
    model.weight.grad = np.ones((2, 2), np.float32)
    model.zero_grad(set_to_none=False)
    assert model.weight.grad.tolist() == [[0, 0], [0, 0]] and model.bias.grad is None
    model.zero_grad()
    assert model.weight.grad is None


# ----------------------------------------------------------------------------------------------------- lists and dicts


def test_a_list_of_modules_registers_them():
    class Deep(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(3, 3) for _ in range(4))

        def forward(self, x):
            for layer in self.layers:
                x = layer(x)
            return x

    model = Deep()
    assert len(list(model.parameters())) == 8 and "layers.3.bias" in model.state_dict()
    y = model(Tensor(np.ones((2, 3), np.float32)))
    y.sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    layers = model.layers
    assert len(layers) == 4 and layers[-1] is layers[3] and layers[1] in layers and nn.ReLU() not in layers
    assert isinstance(layers[1:3], nn.ModuleList) and list(layers[1:3]) == [layers[1], layers[2]]
    last = layers[3]
    assert layers.pop() is last and len(layers) == 3 and len(list(model.parameters())) == 6
    layers += [nn.ReLU()]
    assert len(layers + [nn.ReLU()]) == 5 and len(layers) == 4
    copied = copy.deepcopy(model)
    assert copied.state_dict().keys() == model.state_dict().keys() and copied.layers[0] is not layers[0]
    with pytest.raises(TypeError, match="ModuleList takes modules, got int"):
        layers.append(3)
    with pytest.raises(IndexError, match="none at index 4"):
        layers[4]
    with pytest.raises(NotImplementedError, match="ModuleList has no forward"):
        layers(1)
    assert len(nn.ModuleList()) == len(nn.ModuleList(None)) == 0


def test_a_dict_of_modules_registers_them():
    heads = nn.ModuleDict({"cat": nn.Linear(2, 3), "dog": nn.Linear(2, 4)})
    heads["bird"] = nn.Identity()
    assert list(heads) == list(heads.keys()) == ["cat", "dog", "bird"] and len(heads) == 3 and "dog" in heads
    assert list(heads.state_dict()) == ["cat.weight", "cat.bias", "dog.weight", "dog.bias"]
    assert list(heads.values()) == [m for _, m in heads.items()] == list(heads.children())
    dog = heads["dog"]
    assert heads.pop("dog") is dog and "dog" not in heads
    del heads["bird"]
    heads.update([("fish", dog)])
    assert list(heads) == ["cat", "fish"]
    for name in ("a.b", "", 3):
        with pytest.raises(KeyError, match="without a dot"):
            heads[name] = nn.ReLU()
    with pytest.raises(TypeError, match="ModuleDict takes modules, got str"):
        heads["a"] = "b"
    heads.clear()
    assert len(heads) == 0 == len(nn.ModuleDict())


# ------------------------------------------------------------------------------------------------------------ softmax


@pytest.mark.parametrize("name", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("shape, dim", [((3, 4), 1), ((3, 4), 0), ((2, 3, 4), -1), ((2, 3, 4), None), ((5, 2), None)])
@pytest.mark.filterwarnings("ignore:.*:UserWarning")
def test_softmax_equals_torch(torch, rng, name, shape, dim):
    x, gy = rng.standard_normal(shape), rng.standard_normal(shape)
    ours, theirs = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y, expected = getattr(nn, name)(dim)(ours), getattr(torch.nn, name)(dim)(theirs)
    np.testing.assert_allclose(y.numpy(), expected.detach().numpy(), rtol=1e-12)
    y.backward(gy)
    expected.backward(torch.tensor(gy))
    np.testing.assert_allclose(ours.grad, theirs.grad.numpy(), rtol=1e-9, atol=1e-12)
    assert repr(getattr(nn, name)(dim)) == repr(getattr(torch.nn, name)(dim))


def test_softmax_without_an_axis_warns():
    with pytest.warns(UserWarning, match="give the axis, dim=1 for 2 axes"):
        nn.Softmax()(Tensor(np.ones((2, 3))))


# ------------------------------------------------------------------------------------------------------------ no_grad


@pytest.mark.parametrize("context", [no_grad, minialex.inference_mode])
def test_no_grad_as_a_decorator_with_and_without_parentheses(context):
    @context
    def bare(x, *, scale=1):
        """Doubled."""
        assert not minialex.is_grad_enabled()
        return functional.mul(x, 2 * scale)

    @context()
    def called(x):
        return functional.mul(x, 2)

    x = Tensor([1.0], requires_grad=True)
    for _ in range(2):
        assert not bare(x, scale=3).requires_grad and not called(x).requires_grad
        assert minialex.is_grad_enabled()
    assert bare(x, scale=3).item() == 6 and bare.__name__ == "bare" and bare.__doc__ == "Doubled."
    with context():
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad

    @context
    def fails():
        raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert minialex.is_grad_enabled()


# ------------------------------------------------------------------------------ representation


class Described(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.ReLU(), nn.Sequential(nn.Tanh())

    def extra_repr(self):
        return "depth=2\nwidth=3"


def test_what_a_module_with_children_says_of_itself():
    assert repr(Described()) == (
        "Described(\n  depth=2\n  width=3\n  (a): ReLU()\n  (b): Sequential(\n    (0): Tanh()\n  )\n)"
    )


def test_like_modules_of_a_list_share_a_line():
    blocks = nn.ModuleList([nn.ReLU(), nn.ReLU(), nn.Tanh(), *(nn.Sequential(nn.ReLU()) for _ in range(3))])
    assert repr(blocks) == (
        "ModuleList(\n  (0-1): 2 x ReLU()\n  (2): Tanh()\n  (3-5): 3 x Sequential(\n    (0): ReLU()\n  )\n)"
    )
    assert repr(nn.ModuleList()) == "ModuleList()"


def test_representations_are_torchs(torch):
    def made(nn):
        return nn.ModuleList([nn.ReLU(), nn.ReLU(), nn.Tanh(), *(nn.Sequential(nn.ReLU()) for _ in range(3))])

    assert repr(made(nn)) == repr(made(torch.nn))
