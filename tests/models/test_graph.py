"""Networks as data: what a description holds, and what one from a damaged file is refused for."""

from __future__ import annotations

import copy
import inspect
import json

import numpy as np
import pytest

from minialex import Tensor, models, nn
from minialex.data import Normalize
from minialex.models import graph
from minialex.nn import init
from minialex.runs import checkpoint

# A module of each type, with no argument at its default.
MODULES = [
    nn.Conv2d(6, 4, (3, 2), (2, 1), ((0, 1), (2, 3)), (1, 2), 2, False),
    nn.Local2d(6, 4, (3, 2), (5, 4), (2, 1), ((0, 1), (2, 3)), 2, False),
    nn.Linear(5, 3, bias=False),
    nn.BatchNorm2d(4, 1e-3, 0.2, True, True, bias=False),
    nn.BatchNorm1d(4, 1e-3, None, False),
    nn.LocalResponseNorm(3, 0.5, 0.6, 2.0, alpha_over="element", within_channel=False, groups=2),
    nn.ContrastNorm(3, 0.5, 0.6, 2.0),
    nn.MaxPool2d((3, 2), (2, 1), 1, (1, 2), False, True),
    nn.AvgPool2d(3, 2, 1, True, False, 5),
    nn.StochasticPool2d((3, 2), (2, 1), 1, True, evaluation="max"),
    nn.AdaptiveAvgPool2d((3, None)),
    nn.AdaptiveMaxPool2d(2),
    nn.ConstantPad2d((1, 0, 2, 3), 0.5),
    nn.ReLU(inplace=True),
    nn.LeakyReLU(0.2),
    nn.ELU(0.7),
    nn.GELU("tanh"),
    nn.SiLU(True),
    nn.Softplus(2.0, 10.0),
    nn.Sigmoid(),
    nn.Tanh(),
    nn.Softmax(1),
    nn.LogSoftmax(-1),
    nn.Dropout(0.3, inverted=False),
    nn.Dropout2d(0.2),
    nn.Flatten(2, 3),
    nn.Reshape(2, -1, 3),
    nn.Identity(),
    nn.Add(),
    nn.Multiply(),
    nn.Concat(2),
    nn.Call("clamp", min=0, max=6.0),
]


def network(classes=5):
    """All that a description has: a value, a buffer, a module that stands twice, dotted names, a branch."""
    relu = nn.ReLU()
    return nn.Graph(
        [
            ("a.conv", nn.Conv2d(3, 8, 3, padding=((0, 1), (1, 2))), "x"),
            ("bn", nn.BatchNorm2d(8), "a.conv"),
            ("first", relu, "bn"),
            ("scale", nn.Parameter(np.full((1, 8, 1, 1), 0.5, np.float32)), []),
            ("shift", Tensor(np.full((1, 8, 1, 1), 0.25, np.float32)), []),
            ("scaled", nn.Multiply(), ["first", "scale"]),
            ("shifted", nn.Add(), ["scaled", "shift", "bn"]),
            ("second", relu, "shifted"),
            ("pool", nn.MaxPool2d(3, 2, ceil_mode=True), "second"),
            ("flat", nn.Flatten(), "pool"),
            ("fc", nn.Linear(8 * 5 * 6, classes), "flat"),
        ]
    )


def as_json(net):
    return json.loads(json.dumps(graph.described(net, "small")))


def saved(net, classes=5):
    arguments = {"description": as_json(net), "num_classes": classes, "input_size": 12}
    names = [f"class {n}" for n in range(classes)]
    normalization = Normalize(np.zeros((3, 1, 1))).to_arrays()
    return checkpoint.Checkpoint("graph", arguments, net.state_dict(), 12, normalization, names, {})


def test_every_type_has_its_module_here():
    assert [type(module) for module in MODULES] == [*graph._TYPES]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: type(module).__name__)
def test_a_module_is_built_again(module):
    net = nn.Graph([("m", module, "x")])
    built = graph.build(as_json(net))
    assert repr(built) == repr(net)
    (one,), (other,) = built._modules.values(), net._modules.values()
    assert vars(one).keys() == vars(other).keys()
    for name in inspect.signature(type(module)).parameters:
        assert repr(getattr(one, name, None)) == repr(getattr(other, name, None)) or name in ("bias", "generator")
    shapes = {name: array.shape for name, array in net.state_dict().items()}
    assert {name: array.shape for name, array in built.state_dict().items()} == shapes
    assert 2 * graph.numbers(as_json(net)) >= sum(p.size for p in net.state_dict().values())
    assert graph.numbers(as_json(net)) <= 2 * sum(p.size for p in net.state_dict().values())


def test_slices_are_kept():
    net = nn.Graph([("part", nn.Call("getitem", index=(slice(None), slice(1, None, 2), 0)), "x")])
    built = graph.build(as_json(net))
    x = Tensor(np.arange(2 * 5 * 3.0).reshape(2, 5, 3))
    np.testing.assert_array_equal(built(x).numpy(), x.numpy()[:, 1::2, 0])
    for wrong in ([1, 2], [1, 2, "x"], 3):
        with pytest.raises(ValueError, match=r"layer part \(Call\): slice"):
            graph.build(changed(as_json(net), ["layers", 0, 2, "index"], [{"slice": wrong}]))


def test_a_network_is_built_again_and_computes_the_same(rng, tmp_path):
    net, x = network(), Tensor(rng.standard_normal((4, 3, 12, 12)).astype(np.float32))
    net(x)  # running statistics
    net.eval()
    net.fc.weight.data += 1
    checkpoint.save(tmp_path / "net.npz", saved(net))
    again = checkpoint.load(tmp_path / "net.npz").build_model().eval()
    np.testing.assert_array_equal(again(x).numpy(), net(x).numpy())
    assert again.layers[2].layer is again.layers[7].layer
    assert [type(again.layers[n].layer) for n in (3, 4)] == [nn.Parameter, Tensor]
    assert again.input_shape == (3, 12, 12)


def test_another_number_of_classes(rng):
    built = models.build("graph", description=as_json(network()), num_classes=9, input_size=12)
    assert built(Tensor(rng.standard_normal((2, 3, 12, 12)).astype(np.float32))).shape == (2, 9)
    net = nn.Graph([("conv", nn.Conv2d(3, 4, 1), "x"), ("bn", nn.BatchNorm2d(4), "conv")])
    with pytest.raises(ValueError, match=r"cannot be changed: after conv.* bn \(BatchNorm2d\) depends on it"):
        graph.build(as_json(net), num_classes=9)
    assert graph.build(as_json(net), num_classes=4)


def test_a_network_whose_last_weights_are_no_classifier_is_built_as_described(rng):
    """As of an ONNX file where an average over the map is a product with a matrix."""
    after = {"none": [], "reshape": [("shaped", nn.Reshape(-1, 4, 1), "mean")]}
    for name, more in after.items():
        pool = nn.Linear(144, 1, bias=False)
        last = more[-1][0] if more else "mean"
        layers = [("conv", nn.Conv2d(3, 4, 1), "x"), ("rows", nn.Flatten(2), "conv"), ("mean", pool, "rows"), *more]
        net = nn.Graph([*layers, ("flat", nn.Flatten(), last)])
        description = as_json(net)
        assert repr(graph.build(description, num_classes=4, input_size=12)) == repr(net), name
        with pytest.raises(ValueError, match="the number of classes cannot be changed: "):
            graph.build(description, num_classes=3, input_size=12)


def test_a_checkpoint_of_fewer_classes_than_described(tmp_path):
    """As fine-tuning leaves it; most of the described numbers are those of the last layer."""
    net = nn.Graph([("flat", nn.Flatten(), "x"), ("fc", nn.Linear(432, 40), "flat")])
    few = saved(net, classes=4)
    few.weights = graph.build(as_json(net), num_classes=4, input_size=12).state_dict()
    checkpoint.save(tmp_path / "net.npz", few)
    assert checkpoint.load(tmp_path / "net.npz").build_model().fc.weight.shape == (4, 432)


def test_a_locally_connected_layer_holds_the_numbers_of_all_its_places(tmp_path):
    """As many as it says, of which a file that says more is refused before any is made; as a head, too."""
    layer = nn.Local2d(3, 5, 4, (12, 10), (2, 3), padding=((1, 0), (0, 2)))
    net = nn.Graph([("local1", layer, "x")])
    assert graph.numbers(as_json(net)) == sum(p.numel() for p in net.parameters()) == 5 * 5 * 3 * (3 * 4 * 4 + 1)
    assert graph.build(as_json(net), num_classes=7).local1.weight.shape == (5, 3, 7, 3, 4, 4)
    large = changed(as_json(net), ["layers", 0, 2, "input_size"], [1000, 1000])
    assert graph.numbers(large) > 166_000 * 5 * 49
    with pytest.raises(ValueError, match="input_size should be at most 1,024 pixels, got 1025"):
        graph.build(changed(large, ["layers", 0, 2, "input_size"], [10, 1025]))
    with pytest.raises(
        ValueError, match=r"layer local1 \(Local2d\): has filters for maps of \(12, 10\) pixels, got \(3, 12, 12\)"
    ):
        graph.build(as_json(net), input_size=12)


def test_initial_values_are_drawn(rng):
    built = graph.build(as_json(network()))
    assert built.fc.weight.numpy().std() > 0
    with init.skipped():
        graph.build(as_json(network()))


def test_what_cannot_be_described():
    with pytest.raises(ValueError, match=r"layer m: a Sequential cannot be described"):
        graph.described(nn.Graph([("m", nn.Sequential(nn.ReLU()), "x")]), "n")
    with pytest.raises(ValueError, match=r"layer m: an argument that is a ndarray"):
        graph.described(nn.Graph([("m", nn.Call("add", other=np.zeros(3)), "x")]), "n")
    with pytest.raises(ValueError, match="one input and one output"):
        graph.described(nn.Graph([("m", nn.Add(), ["x", "y"])], ["x", "y"]), "n")


class Sub(nn.ReLU):
    """Of a user's own."""


def test_a_subclass_of_a_known_type_is_refused():
    with pytest.raises(ValueError, match="a Sub cannot be described"):
        graph.described(nn.Graph([("m", Sub(), "x")]), "n")


def changed(description, path, value):
    description = copy.deepcopy(description)
    place = description
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return description


DAMAGED = {
    "no layers": (["layers"], [], "layers"),
    "not a list": (["layers"], {}, "layers"),
    "two inputs": (["inputs"], ["x", "y"], "inputs"),
    "short": (["layers", 0], ["a.conv", "Conv2d", {}], r"a layer is \[name, type"),
    "a type": (["layers", 2, 1], "Module", "unknown type 'Module'"),
    "a function": (
        ["layers", 2],
        ["first", "Call", {"function": "__import__"}, ["bn"]],
        "no function '__import__' for",
    ),
    "a function of ours": (["layers", 2], ["first", "Call", {"function": "repeat"}, ["bn"]], "no function 'repeat'"),
    "a word for a number": (["layers", 1, 2, "eps"], "x", r"layer bn \(BatchNorm2d\): eps should be a number, got 'x'"),
    "a word for pixels": (["layers", 8, 2, "stride"], [2, "x"], "stride should be pixels"),
    "null for a flag": (["layers", 8, 2, "ceil_mode"], None, "ceil_mode should be true or false"),
    "an argument": (["layers", 2, 2, "zzz"], 1, r"layer first \(ReLU\).*zzz"),
    "nested": (["layers", 8, 2, "kernel_size"], {"a": 1}, "kernel_size should be numbers"),
    "a text": (["layers", 0, 2, "stride"], "x", r"layer a.conv \(Conv2d\)"),
    "a large window": (["layers", 8, 2, "kernel_size"], 10**6, "at most 1,024 pixels"),
    "a later input": (["layers", 0, 3], ["bn"], "defined later"),
    "a name": (["layers", 0, 3], [3], "should be names"),
    "same as none": (["layers", 7, 2, "layer"], "zzz", r"layer second \(Same\)"),
    "a dtype": (["layers", 3, 2, "dtype"], "object", "such as float32"),
    "a shape": (["layers", 3, 2, "shape"], [-1, 8], "shape and a dtype"),
    "the output": (["output"], "zzz", "output is 'zzz'"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_description(name):
    path, value, message = DAMAGED[name]
    with pytest.raises(ValueError, match=message):
        graph.build(changed(as_json(network()), path, value))


def doubled(times):
    """Maps that are concatenated with themselves."""
    layers = [("l0", nn.ReLU(), "x")]
    layers += [(f"l{n}", nn.Concat(), [f"l{n - 1}", f"l{n - 1}"]) for n in range(1, times)]
    return nn.Graph(layers)


def many(channels):
    return nn.Conv2d(3, channels, 1)


def crossed(join):
    """Every number of the maps with every other."""
    ends = [("row", nn.Reshape(1, -1), "c"), ("column", nn.Reshape(-1, 1), "c"), ("p", join, ["column", "row"])]
    return nn.Graph([("c", many(300), "x"), *ends])


LARGE = {
    "doubled": (doubled(60), "l9"),
    "margins": (nn.Graph([("c", many(600), "x"), ("p", nn.ConstantPad2d((1000, 1000, 1000, 1000), 0.0), "c")]), "p"),
    "pads": (nn.Graph([("c", many(600), "x"), ("p", nn.Call("pad", pad=(0, 0, 0, 999)), "c")]), "p"),
    "padding": (nn.Graph([("c", nn.Conv2d(3, 30, 1, padding=900), "x")]), "c"),
    "products": (crossed(nn.Call("matmul")), "p"),
    "broadcast": (crossed(nn.Add()), "p"),
}


@pytest.mark.parametrize("name", LARGE)
def test_a_description_whose_outputs_would_fill_the_memory(name):
    net, layer = LARGE[name]
    with pytest.raises(ValueError, match=rf"layer {layer} \(.*its output for one image would have [\d,]+ numbers"):
        graph.build(as_json(net), input_size=12)


def test_layers_that_do_not_fit_together():
    description = changed(as_json(network()), ["layers", 10, 2, "in_features"], 77)
    with pytest.raises(ValueError, match=r"layer fc \(Linear\): expects 77 inputs"):
        graph.build(description, input_size=12)


def test_a_description_of_more_than_the_file_holds(tmp_path):
    large = saved(network())
    large.arguments["description"]["layers"][-1][2]["in_features"] = 10**12
    checkpoint.save(tmp_path / "net.npz", large)
    with pytest.raises(ValueError, match="layers of up to 5,000,000,0.*, but the file holds"):
        checkpoint.load(tmp_path / "net.npz")
    for arguments in ({}, {"description": 3}):
        large.arguments = arguments
        checkpoint.save(tmp_path / "net.npz", large)
        with pytest.raises(ValueError, match=r"arguments\.description is missing"):
            checkpoint.load(tmp_path / "net.npz")


def test_classes_that_the_network_does_not_have(tmp_path):
    checkpoint.save(tmp_path / "net.npz", saved(network(), classes=6))
    with pytest.raises(ValueError, match="do not fit"):
        checkpoint.load(tmp_path / "net.npz")
