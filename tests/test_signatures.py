"""Arguments are torch's: names, order, defaults and kinds. What differs stands in a table, with its reason.

Where torch is written in Python its signature is read; of its built-in functions the tables below say what
`help(torch.add)` says. What is ours alone is keyword-only, and what is torch's and not ours raises.
"""

from __future__ import annotations

import inspect
import itertools

import numpy as np
import pytest

from minialex import Tensor, data, functional, nn, optim

OUT = "*, out=None"
BUILT_IN = {  # functions of torch and torch.nn.functional; memory_format=None is torch's preserve_format
    "abs exp log neg sqrt sigmoid tanh bitwise_not ceil cos floor reciprocal rsqrt sign sin square": f"input, {OUT}",
    "eq ge gt le lt ne": f"input, other, {OUT}",
    "equal": "input, other",
    "isfinite isinf isnan t": "input",
    "round": "input, *, decimals=0, out=None",
    "all any argmax argmin": f"input, dim=None, keepdim=False, {OUT}",
    "amax amin": f"input, dim=(), keepdim=False, {OUT}",
    "allclose": "input, other, rtol=1e-05, atol=1e-08, equal_nan=False",
    "bincount": "input, weights=None, minlength=0",
    "bmm mm": f"input, mat2, {OUT}",
    "dot": f"input, tensor, {OUT}",
    "outer": f"input, vec2, {OUT}",
    "hstack vstack": f"tensors, {OUT}",
    "index_select": f"input, dim, index, {OUT}",
    "masked_select": f"input, mask, {OUT}",
    "unbind": "input, dim=0",
    "bitwise_and bitwise_or bitwise_xor floor_divide matmul maximum minimum mul remainder": f"input, other, {OUT}",
    "adaptive_max_pool2d": "input, output_size, return_indices=False",
    "add sub": "input, other, *, alpha=1, out=None",
    "argsort": "input, dim=-1, descending=False, *, stable=False",
    "avg_pool2d": "input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, "
    "divisor_override=None",
    "cat concatenate stack": f"tensors, dim=0, {OUT}",
    "chunk": "input, chunks, dim=0",
    "clamp clip": f"input, min=None, max=None, {OUT}",
    "clone": "input, *, memory_format=None",
    "conv2d": "input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1",
    "cumsum": "input, dim, *, dtype=None, out=None",
    "div": "input, other, *, rounding_mode=None, out=None",
    "flatten": "input, start_dim=0, end_dim=-1",
    "flip": "input, dims",
    "gather": "input, dim, index, *, sparse_grad=False, out=None",
    "gelu": "input, approximate='none'",
    "linear": "input, weight, bias=None",
    "logsumexp": f"input, dim, keepdim=False, {OUT}",
    "log_softmax softmax": f"input, dim, dtype=None, {OUT}",
    "masked_fill": "input, mask, value",
    "max min": f"input, dim=None, keepdim=False, {OUT}",
    "max_pool2d": "input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False",
    "mean sum": "input, dim=None, keepdim=False, *, dtype=None, out=None",
    "one_hot": "tensor, num_classes=-1",
    "permute": "input, dims",
    "pow": f"input, exponent, {OUT}",
    "reshape": "input, shape",
    "softplus": "input, beta=1.0, threshold=20.0",
    "sort": "input, dim=-1, descending=False, *, stable=False, out=None",
    "squeeze": "input, dim=None",
    "std var": "input, dim=None, unbiased=None, keepdim=False, *, correction=1, out=None",
    "topk": f"input, k, dim=-1, largest=True, sorted=True, {OUT}",
    "transpose": "input, dim0, dim1",
    "unsqueeze": "input, dim",
    "where": f"condition, input, other, {OUT}",
}
METHODS = {  # those of Tensor that are not the function of the same name
    "add_ sub_": "other, *, alpha=1",
    "expand_as type_as view_as": "other",
    "type": "dtype",
    "backward": "gradient=None, retain_graph=None, create_graph=False, inputs=None",
    "bool contiguous cpu double float int long": "memory_format=None",
    "clamp_": "min=None, max=None",
    "copy_": "src, non_blocking=False",
    "detach dim is_floating_point item numel tolist zero_ relu retain_grad": "",
    "div_": "other, *, rounding_mode=None",
    "fill_": "value",
    "mul_": "other",
    "norm": "p='fro', dim=None, keepdim=False, dtype=None",
    "numpy": "*, force=False",
    "pow_": "exponent",
    "register_hook register_post_accumulate_grad_hook": "hook",
    "requires_grad_": "requires_grad=True",
    "where": "condition, other",
    "size": "dim=None",
    "split": "split_size, dim=0",
    "expand": "*sizes, **named",
    "flip": "*dims, **named",
    "permute": "*dims, **named",
    "repeat": "*repeats, **named",
    "reshape": "*shape, **named",
    "view": "*shape, **named",
    "to": "target=None, dtype=None, non_blocking=False, copy=False, *, device=None, memory_format=None",
}
LACKING = {  # where, argument: what torch has and minialex has not, and why; it raises by its name
    ("*", "out"): "a result that is written elsewhere is y.copy_(...), where a lost gradient raises"
}
OURS = {  # where, argument: what stands in torch's place
    ("adaptive_avg_pool2d", "output_size"): "torch says None and requires it",
    ("softmax", "dim"): "torch.softmax requires it, torch.nn.functional.softmax warns: here it warns",
    ("log_softmax", "dim"): "torch.log_softmax requires it, torch.nn.functional.log_softmax warns: here it warns",
    ("Tensor.softmax", "dim"): "required, as of torch's method",
    ("Tensor.log_softmax", "dim"): "required, as of torch's method",
    ("Parameter", "data"): "torch makes an empty one of None, which nothing here could train",
    ("Parameter", "dtype"): "positional, as of Tensor",
    ("Parameter", "backend"): "positional, as of Tensor",
    ("ModuleDict", "modules"): "() for none, where torch says None, which is taken too",
    ("ModuleList", "modules"): "() for none, where torch says None, which is taken too",
    ("SequentialLR.step", "epoch"): "torch's has none; as of the other schedules, refused",
    ("random_split", "generator"): "None is the default generator, which torch puts here itself",
    ("ReduceLROnPlateau", "min_lr"): "0.0 for 0",
    ("Identity", "*"): "takes everything, as torch's",
    ("Sequential", "*"): "takes modules, as torch's",
    ("Module", "*"): "torch's takes what it does not use, to raise by itself",
    ("Sigmoid", "*"): "torch's is Module's: takes what it does not use, to raise by itself",
    ("Tanh", "*"): "torch's is Module's: takes what it does not use, to raise by itself",
}
EMPTY = inspect.Parameter.empty


def unpacked(table):
    return {name: text for names, text in table.items() for name in names.split()}


def parameters(function):
    """(name, kind, default) of a function, or of a text as it would stand in its definition."""
    if isinstance(function, str):
        function = eval(f"lambda {function}: 0")
    return [p for p in inspect.signature(function).parameters.values() if p.name not in ("self", "_stacklevel")]


def is_variadic(p):
    return p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)


def differences(where, ours, torchs):
    """What of torch's arguments is not ours in name, order, default and kind; what of ours could stand in their way."""
    ours, torchs = parameters(ours), parameters(torchs)
    if (where, "*") in OURS or any(map(is_variadic, torchs)):
        return [] if (where, "*") in OURS or [*map(is_variadic, ours)] == [*map(is_variadic, torchs)] else ["variadic"]
    known = {p.name: p for p in ours}
    lacking = {argument for place, argument in LACKING if place in ("*", where)}
    deliberate = {argument for place, argument in OURS if place == where}
    found = []
    for p in torchs:
        if p.name not in known:
            found += [] if p.name in lacking or p.name in deliberate else [f"no {p.name}"]
        elif p.name not in deliberate:
            mine = known[p.name]
            if mine.kind != p.kind and p.kind is not p.POSITIONAL_ONLY:
                found.append(f"{p.name}: {mine.kind.description}, torch's {p.kind.description}")
            if (mine.default is EMPTY) != (p.default is EMPTY) or mine.default != p.default:
                found.append(f"{p.name}={mine.default}, torch's {p.default}")
    in_order = [p.name for p in ours if p.kind is p.POSITIONAL_OR_KEYWORD]
    missing = lacking - set(known)
    expected = [p.name for p in torchs if p.kind is p.POSITIONAL_OR_KEYWORD and p.name not in missing]
    if [name for name in in_order if name not in deliberate] != [name for name in expected if name not in deliberate]:
        found.append(f"in order {in_order}, torch's {expected}")
    return found


def test_the_comparison_finds_what_it_should():
    assert differences("f", "a, b=1, *, c=2, ours=3", "a, b=1, *, c=2, out=None") == []
    assert differences("f", "a, c=2", "a, b=1") == ["no b", "in order ['a', 'c'], torch's ['a', 'b']"]
    assert differences("f", "a, b=True", "a, b=False") == ["b=True, torch's False"]
    assert "b: positional or keyword, torch's keyword-only" in differences("f", "a, b=1", "a, *, b=1")
    assert differences("f", "b, a", "a, b") == ["in order ['b', 'a'], torch's ['a', 'b']"]
    assert differences("f", "*shape", "*shape, **named") == ["variadic"]


def torchs_function(torch, name):
    """A signature, or the text of one, of the function of torch with a name; None where there is none."""
    if name in unpacked(BUILT_IN):
        return unpacked(BUILT_IN)[name]
    theirs = getattr(torch.nn.functional, name, None) or getattr(torch, name, None)
    assert theirs is None or inspect.isfunction(theirs), f"torch's {name} is built in: add its arguments to BUILT_IN"
    return theirs


OWN_FUNCTIONS = {"getitem", "to", "unbroadcast", "local2d", "contrast_norm", "stochastic_pool2d"}  # torch has none
OWN_FUNCTIONS |= {"expand", "repeat"}  # its methods only


@pytest.mark.parametrize("name", functional.__all__)
def test_functions(torch, name):
    theirs = torchs_function(torch, name)
    if name in OWN_FUNCTIONS:
        assert not hasattr(torch.nn.functional, name) and not hasattr(torch, name)
        return
    assert differences(name, getattr(functional, name), theirs) == []


WITHOUT_A_PAGE = {"adaptive_max_pool2d", "concatenate", "log_softmax", "masked_fill", "max_pool2d", "softmax"}


def test_the_tables_name_no_other_arguments_than_torchs_documentation(torch):
    undocumented = {"unbiased", "memory_format", "return_indices"}
    for name, text in unpacked(BUILT_IN).items():
        page = (getattr(torch, name, None) or getattr(torch.nn.functional, name)).__doc__ or ""
        missing = {p.name for p in parameters(text) if p.name not in page} - undocumented
        assert not missing or name in WITHOUT_A_PAGE, (name, missing)


OWN_METHODS = {"bump_version", "check_in_place", "from_operation", "rewritten_by"}
TORCHS_METHODS = [name for name in dir(Tensor) if name[0] != "_" and callable(getattr(Tensor, name))]


@pytest.mark.parametrize("name", sorted({*TORCHS_METHODS} - OWN_METHODS))
def test_tensor_methods(torch, name):
    assert hasattr(torch.Tensor, name)
    theirs = unpacked(METHODS).get(name)
    if theirs is None:  # the function's, without its tensor
        text = torchs_function(torch, name)
        text = text if isinstance(text, str) else ", ".join(str(p.replace(annotation=EMPTY)) for p in parameters(text))
        theirs = text.partition(", ")[2].removesuffix("*, out=None").removesuffix(", out=None")
    assert differences(f"Tensor.{name}", getattr(Tensor, name), theirs) == []


def classes(module, theirs):
    return sorted(name for name in module.__all__ if inspect.isclass(getattr(module, name)) and hasattr(theirs, name))


def test_layers_and_their_forward(torch):
    found = {}
    names = classes(nn, torch.nn)
    for name in names:
        ours, theirs = getattr(nn, name), getattr(torch.nn, name)
        found[name] = differences(name, ours, theirs)
        if name not in ("Module", "Parameter", "ModuleList", "ModuleDict"):
            found[f"{name}.forward"] = differences(f"{name}.forward", ours.forward, theirs.forward)
    assert len(names) >= 24 and {name: what for name, what in found.items() if what} == {}


def test_initialisation_and_utilities(torch):
    found = {}
    for ours, theirs in ((nn.init, torch.nn.init), (nn.utils, torch.nn.utils)):
        for name, function in inspect.getmembers(ours, inspect.isfunction):
            if name[0] != "_" and hasattr(theirs, name):
                found[name] = differences(name, function, getattr(theirs, name))
    assert len(found) >= 10 and {name: what for name, what in found.items() if what} == {}


def test_optimisers_and_schedules(torch):
    found = {}
    places = [(optim, torch.optim), (optim.lr_scheduler, torch.optim.lr_scheduler)]
    for ours, theirs in places:
        for name, cls in inspect.getmembers(ours, inspect.isclass):
            if name[0] != "_" and hasattr(theirs, name) and cls.__module__.startswith("minialex.optim"):
                found[name] = differences(name, cls, getattr(theirs, name))
                for method in ("step", "zero_grad", "state_dict", "load_state_dict", "add_param_group", "get_last_lr"):
                    if hasattr(getattr(theirs, name), method):
                        mine, torchs = getattr(cls, method), inspect.unwrap(getattr(getattr(theirs, name), method))
                        found[f"{name}.{method}"] = differences(f"{name}.{method}", mine, torchs)
    assert len(found) > 60 and {name: what for name, what in found.items() if what} == {}


def test_data_sets_and_their_loader(torch):
    theirs = torch.utils.data
    names = ("DataLoader", "Dataset", "Subset", "TensorDataset", "default_collate", "random_split")
    found = {name: differences(name, getattr(data, name), getattr(theirs, name)) for name in names}
    assert {name: what for name, what in found.items() if what} == {}


# ------------------------------------------------------------------------------ what is there for the order alone


def leaf():
    return nn.Parameter(np.ones(3, np.float32))


def schedule(name, *arguments, **options):
    return getattr(optim.lr_scheduler, name)(optim.SGD([leaf()], 0.1), *arguments, **options)


SAMPLES = data.TensorDataset(np.arange(6).reshape(3, 2))
REFUSED = {  # argument: calls that give it
    "size_average reduce": [
        lambda o: functional.cross_entropy(Tensor(np.ones((2, 3))), np.array([0, 1]), **o),
        lambda o: functional.cross_entropy(Tensor(np.ones((2, 3))), np.ones((2, 3)), **o),
        lambda o: functional.cross_entropy(Tensor(np.ones(3)), np.array(1), **o),
        lambda o: functional.nll_loss(Tensor(np.ones((2, 3))), np.array([0, 1]), **o),
        lambda o: functional.nll_loss(Tensor(np.ones(3)), np.array(1), **o),
        lambda o: functional.mse_loss(leaf(), leaf(), **o),
        lambda o: functional.binary_cross_entropy_with_logits(leaf(), np.ones(3), **o),
        lambda o: nn.CrossEntropyLoss(**o)(Tensor(np.ones((2, 3))), np.array([0, 1])),
        lambda o: nn.MSELoss(**o)(leaf(), leaf()),
    ],
    "sparse_grad": [lambda o: functional.gather(leaf(), 0, np.array([0]), **o), lambda o: leaf().gather(0, [0], **o)],
    "create_graph inputs": [lambda o: (leaf() * 2).sum().backward(**o)],
    "padding_mode": [lambda o: nn.Conv2d(1, 2, 3, **dict.fromkeys(o, "reflect"))],
    "maximize differentiable": [lambda o: optim.SGD([leaf()], **o), lambda o: optim.RMSprop([leaf()], **o)],
    "amsgrad maximize capturable differentiable": [
        lambda o: optim.Adam([leaf()], **o),
        lambda o: optim.AdamW([leaf()], **o),
    ],
    "decoupled_weight_decay": [lambda o: optim.Adam([leaf()], **o)],
    "last_epoch": [
        lambda o: schedule("StepLR", 1, **dict.fromkeys(o, 3)),
        lambda o: schedule("LambdaLR", float, **dict.fromkeys(o, 0)),
        lambda o: schedule("OneCycleLR", 0.1, 10, **dict.fromkeys(o, 3)),
        lambda o: schedule("CosineAnnealingLR", 4, 0.0, **dict.fromkeys(o, 3)),
    ],
    "epoch": [lambda o: schedule("StepLR", 1).step(**o), lambda o: schedule("ReduceLROnPlateau").step(1.0, **o)],
    "sampler batch_sampler worker_init_fn": [lambda o: data.DataLoader(SAMPLES, **o)],
    "in_order": [lambda o: data.DataLoader(SAMPLES, **dict.fromkeys(o, False))],
    "memory_format": [lambda o: leaf().clone(**o), lambda o: leaf().to(np.float64, **o), lambda o: leaf().float(**o)],
    "out": [lambda o: functional.norm(leaf(), **o), lambda o: functional.add(leaf(), 1, **o)],
    "device": [lambda o: nn.Linear(2, 2, **dict.fromkeys(o, "tpu")), lambda o: leaf().to(**dict.fromkeys(o, "mps"))],
}


@pytest.mark.parametrize("names", REFUSED)
def test_what_torch_has_and_we_lack_raises_a_sentence(names):
    """Never silently ignored; the message names the argument, or what was given."""
    for name, call in itertools.product(names.split(), REFUSED[names]):
        with pytest.raises((ValueError, TypeError), match=f"{name}|'tpu'|'mps'") as error:
            call({name: True})
        assert len(str(error.value)) > 20 and "\n" not in str(error.value)


def test_what_only_says_how_torch_computes_changes_nothing():
    for value in (None, True, False):
        weights = []
        for options in ({}, {"foreach": value}):
            p = leaf()
            for cls in (optim.SGD, optim.Adam, optim.AdamW, optim.RMSprop):
                p.grad = np.array([1, -2, 3], np.float32)
                cls([p], 0.1, **options, **({"fused": value} if options and cls is not optim.RMSprop else {})).step()
            weights.append(p.tolist())
        assert weights[0] == weights[1]
    batches = [[batch[0].tolist() for batch in loader] for loader in (
        data.DataLoader(SAMPLES, 2),
        data.DataLoader(SAMPLES, 2, None, None, None, 1, None, True, False, 5, None, "fork", None, prefetch_factor=2),
    )]  # fmt: skip
    assert batches[0] == batches[1] == [[[0, 1], [2, 3]], [[4, 5]]]


def test_a_closure_gives_the_gradients_and_the_loss():
    p = leaf()
    optimizer = optim.SGD([p], 0.5)

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 3.0 and p.tolist() == [0.0, 0.0, 0.0] and optimizer.step() is None


def test_layers_of_another_dtype_and_backend():
    layer = nn.Linear(3, 2, True, "numba", np.float64)
    assert layer.weight.dtype == layer.bias.dtype == np.float64 and layer.weight.backend.name == "numba"
    assert nn.Conv2d(1, 2, 3, dtype=np.float64).weight.dtype == np.float64
    norm = nn.BatchNorm2d(2, dtype=np.float64)
    assert norm.running_var.dtype == np.float64 and norm.num_batches_tracked.dtype == np.int64
    assert nn.Linear(3, 2, device="cpu").weight.dtype == np.float32
    with pytest.raises(TypeError, match="float32 or float64, not in int64"):
        nn.Linear(3, 2, dtype=np.int64)
