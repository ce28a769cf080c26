"""Graph: layers with names and named inputs, as data."""

from __future__ import annotations

import copy
import pickle
import weakref

import numpy as np
import pytest

from minialex import Tensor, functional, nn, no_grad, optim, random

RNG = np.random.default_rng(3)


def residual():
    random.manual_seed(4)
    entries = [
        ("stem", nn.Conv2d(3, 4, 3, padding=1), "x"),
        ("block.conv", nn.Conv2d(4, 4, 3, padding=1), ["stem"]),
        ("block.norm", nn.BatchNorm2d(4), ["block.conv"]),
        ("sum", nn.Add(), ["block.norm", "stem"]),
        ("both", nn.Concat(), ["sum", "stem"]),
        ("relu", nn.ReLU(), ["both"]),
        ("flatten", nn.Flatten(), ["relu"]),
        ("fc", nn.Linear(8 * 5 * 6, 7), ["flatten"]),
    ]
    return nn.Graph(entries)


def by_hand(g, x):
    """The same network, from the functions."""
    m, p = g.get_submodule, dict(g.named_parameters())
    stem = functional.conv2d(x, p["stem.weight"], p["stem.bias"], padding=1)
    normed = m("block.norm")(functional.conv2d(stem, p["block.conv.weight"], p["block.conv.bias"], padding=1))
    both = functional.cat([normed + stem, stem], 1)
    return functional.linear(functional.relu(both).flatten(1), p["fc.weight"], p["fc.bias"])


def test_a_residual_network_with_its_gradients():
    g, x, gy = residual(), RNG.standard_normal((3, 3, 5, 6)).astype("f"), RNG.standard_normal((3, 7)).astype("f")
    ours, theirs = Tensor(x, requires_grad=True), Tensor(x, requires_grad=True)
    y = g(ours)
    y.backward(gy)
    gradients = {name: np.array(p.grad) for name, p in g.named_parameters()}
    g.zero_grad()
    expected = by_hand(g, theirs)
    expected.backward(gy)
    np.testing.assert_allclose(y.numpy(), expected.numpy(), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(np.array(ours.grad), np.array(theirs.grad), rtol=1e-5, atol=1e-6)
    for name, p in g.named_parameters():
        np.testing.assert_allclose(gradients[name], np.array(p.grad), rtol=1e-5, atol=1e-5)


def test_state_dict_has_the_names_of_the_layers():
    g, other = residual(), residual()
    for p in other.parameters():
        p.data = p.data + 1
    state = g.state_dict()
    assert {"stem.weight", "block.conv.bias", "block.norm.running_mean", "fc.weight"} < set(state)
    other.load_state_dict(state)
    x = Tensor(RNG.standard_normal((2, 3, 5, 6)).astype("f"))
    assert (other.eval()(x).numpy() == g.eval()(x).numpy()).all()
    assert g.get_submodule("block.conv").in_channels == 4 and g.get_submodule("") is g
    with pytest.raises(AttributeError, match="no module 'block.cnv'|no module 'block'"):
        g.get_submodule("block.cnv")


def test_it_is_data_from_which_it_can_be_made_again():
    g = residual()
    again = nn.Graph(g.layers, g.inputs, g.output)
    assert again.layers == g.layers and again.layers[3] == ("sum", g.get_submodule("sum"), ("block.norm", "stem"))
    x = Tensor(RNG.standard_normal((2, 3, 5, 6)).astype("f"))
    for other in (again, copy.deepcopy(g), pickle.loads(pickle.dumps(g))):
        assert (other.eval()(x).numpy() == g.eval()(x).numpy()).all()


def test_several_inputs_and_outputs():
    g = nn.Graph(
        [("product", nn.Multiply(), ["a", "b"]), ("less", nn.Call("sub", input=1), ["product"])],
        inputs=["a", "b"],
        output=["less", "product"],
    )
    less, product = g(Tensor([2.0, 3.0]), Tensor([5.0, 7.0]))
    assert (less.tolist(), product.tolist()) == ([-9.0, -20.0], [10.0, 21.0])
    with pytest.raises(ValueError, match="takes a, b, got 1 inputs"):
        g(Tensor([1.0]))


def test_values_are_trained_and_saved_under_their_own_names():
    gain, shift = nn.Parameter(np.float32([2, 3])), Tensor(np.float32([10, 20]))
    layers = [
        ("gain", gain, []), ("shift", shift, []), ("scaled", nn.Multiply(), ["x", "gain"]),
        ("moved", nn.Add(), ["scaled", "shift"]),
    ]  # fmt: skip
    g = nn.Graph(layers)
    assert g(Tensor(np.float32([[1, 1]]))).tolist() == [[12, 23]]
    assert list(g.state_dict()) == ["gain", "shift"] and list(g.parameters()) == [gain]
    g(Tensor(np.float32([[5, 7]]))).sum().backward()
    optim.SGD(g.parameters(), lr=0.1).step()
    np.testing.assert_allclose(g(Tensor(np.float32([[1, 1]]))).numpy(), [[11.5, 22.3]], rtol=1e-6)


def test_one_module_under_two_names_shares_its_parameters():
    layer = nn.Linear(3, 3)
    g = nn.Graph([("a", layer, "x"), ("b", layer, "a")])
    assert list(g.state_dict()) == [name for name, _ in g.named_parameters()] == ["a.weight", "a.bias"]
    assert [entry.layer for entry in g.layers] == [layer, layer] and list(g) == ["a", "b"]
    x = Tensor(RNG.standard_normal((2, 3)).astype("f"))
    assert (g(x).numpy() == layer(layer(x)).numpy()).all()


def test_modes_and_hooks_reach_every_layer():
    g, seen = nn.Graph([("drop", nn.Dropout(0.5), "x"), ("relu", nn.ReLU(), "drop")]), []
    assert not (g(Tensor(np.ones((50, 2), np.float32))).numpy() == 1).all()
    g.eval().get_submodule("relu").register_forward_hook(lambda module, inputs, output: seen.append(output.shape))
    assert (g(Tensor(np.ones((50, 2), np.float32))).numpy() == 1).all() and seen == [(50, 2)]


def test_activations_are_released_when_no_layer_needs_them_any_more():
    alive = {}

    class Watch(nn.Module):
        def forward(self, *inputs):
            alive[self.name] = {name for name, r in made.items() if r() is not None}
            output = inputs[0] + 1
            made[self.name] = weakref.ref(output)
            return output

    def watch(name):
        layer = Watch()
        layer.name = name
        return layer

    made = {}
    wires = {"a": "x", "b": "a", "unused": "b", "c": "b", "d": ["c", "a"], "e": "d"}
    g = nn.Graph([(name, watch(name), sources) for name, sources in wires.items()])
    with no_grad():
        g(Tensor([1.0]))
    assert alive == {
        "a": set(), "b": {"a"}, "unused": {"a", "b"}, "c": {"a", "b"}, "d": {"a", "c"}, "e": {"d"},
    }  # fmt: skip


def test_it_reads_like_its_definition():
    g = nn.Graph([("gain", nn.Parameter(np.ones(2, np.float32)), []), ("y", nn.Multiply(), ["x", "gain"])])
    lines = ["Graph(", "  inputs: x", "  gain = Parameter (2,)", "  y = Multiply()(x, gain)", "  output: y", ")"]
    assert repr(g).splitlines() == lines


RELU = nn.ReLU()


@pytest.mark.parametrize(
    ("layers", "options", "error"),
    [
        ([("a", RELU, "b"), ("b", RELU, "x")], {}, "'a' takes 'b', which is defined later"),
        ([("a", RELU, "a")], {}, "'a' takes 'a', which is defined later"),
        ([("relu1", RELU, "x"), ("b", RELU, "rleu1")], {}, "'b' takes 'rleu1'.*did you mean 'relu1'"),
        ([("a", RELU, "x"), ("a", RELU, "x")], {}, "the name 'a' is used twice"),
        ([("x", RELU, "x")], {}, "the name 'x' is used twice"),
        ([("a", RELU, "x")], {"output": "b"}, "the output is 'b'"),
        ([("a", RELU, "x")], {"inputs": ["x", "x"]}, "the input 'x' is named twice"),
        ([("a", RELU, [])], {}, "'a' needs the name of at least one input"),
        ([("a", Tensor([1.0]), "x")], {}, "'a' is a value and takes no inputs"),
        ([("a", len, "x")], {}, "'a' must be a module"),
        ([("a", RELU)], {}, r"a layer is \(name, module, names of its inputs\)"),
        ([(1, RELU, "x")], {}, "the name of a layer is a text, got 1"),
        ([], {}, "there are no layers"),
    ],
)
def test_what_does_not_fit_together_is_refused_in_one_sentence(layers, options, error):
    with pytest.raises((ValueError, TypeError), match=error) as caught:
        nn.Graph(layers, **options)
    assert "\n" not in str(caught.value)


def test_an_error_names_the_layer():
    with pytest.raises(ValueError, match=r"fc.*\(Linear\)"):
        residual()(Tensor(np.zeros((1, 3, 4, 4), np.float32)))


def test_small_layers():
    x, y = (RNG.standard_normal((2, 3, 4)).astype("f") for _ in range(2))
    a, b = Tensor(x), Tensor(y)
    np.testing.assert_array_equal(nn.Add()(a, b, a).numpy(), x + y + x)
    np.testing.assert_array_equal(nn.Multiply()(a, b, b).numpy(), x * y * y)
    np.testing.assert_array_equal(nn.Concat(-1)(a, b).numpy(), np.concatenate([x, y], -1))
    np.testing.assert_array_equal(nn.Reshape(2, -1)(a).numpy(), x.reshape(2, 2, 6))
    np.testing.assert_array_equal(nn.Call("clamp", min=0, max=0.5)(a).numpy(), np.clip(x, 0, 0.5))
    np.testing.assert_array_equal(nn.Call("sub", input=1)(a).numpy(), 1 - x)
    assert repr(nn.Call("clamp", min=0)) == 'Call("clamp", min=0)' and repr(nn.Reshape(2, -1)) == "Reshape(2, -1)"
    with pytest.raises(ValueError, match="no function 'os'"):
        nn.Call("os")
    with pytest.raises(ValueError, match="clamp has no argument 'low'; it has input, min, max"):
        nn.Call("clamp", low=0)
    with pytest.raises(ValueError, match="takes 1 inputs"):
        nn.Call("clamp", min=0, max=1)(a, b)
