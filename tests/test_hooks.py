"""Hooks of tensors and modules, gradients that are retained, graphs that backward() passes twice: as torch has them."""

from __future__ import annotations

import weakref
from types import SimpleNamespace

import numpy as np
import pytest
import usable
from on_request import heavy

from minialex import Tensor, functional, nn, no_grad, tape
from minialex.cases import CASES

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # torch's own


def normal(*shape):
    return np.random.default_rng([7, *shape]).standard_normal(shape)


def leaf(*shape):
    return Tensor(normal(*shape), requires_grad=True)


def flat(thing):
    """Gradients and other results as nested lists."""
    if isinstance(thing, (list, tuple)):
        return [flat(t) for t in thing]
    return thing if thing is None or isinstance(thing, (bool, int, str)) else np.asarray(thing).round(12).tolist()


@pytest.fixture
def as_torch(torch):
    """A function of a program: what it returns of a library must be what it returns of torch."""

    def leaves(make):
        return lambda *shape: make(normal(*shape))

    ours = SimpleNamespace(leaf=leaf, nn=nn, relu=functional.relu, no_grad=no_grad, tensor=Tensor)
    theirs = SimpleNamespace(
        leaf=leaves(lambda x: torch.tensor(x, requires_grad=True)),
        nn=torch.nn,
        relu=torch.nn.functional.relu,
        no_grad=torch.no_grad,
        tensor=torch.tensor,
    )

    def check(program):
        results = []
        for library in (ours, theirs):
            try:
                results.append(flat(program(library)))
            except RuntimeError:
                results.append("RuntimeError")
        assert results[0] == results[1]
        return results[0]

    return check


# ------------------------------------------------------------------------------------------------- a graph used twice


def two_losses(library):
    """As a generator and a discriminator share a part."""
    x, w = library.leaf(3, 4), library.leaf(4)
    shared = (x * w).tanh()
    first, second = (shared * shared).sum(), (shared * w).exp().sum()
    first.backward(retain_graph=True)
    between = np.asarray(x.grad).copy(), np.asarray(w.grad).copy()
    second.backward()
    return between, x.grad, w.grad


def three_times(library):
    x = library.leaf(5)
    y = (x * x * x).sum()
    y.backward(retain_graph=True)
    y.backward(None, True)
    y.backward()
    return x.grad


def once_too_often(library):
    x = library.leaf(5)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    y.backward()


def a_part_freed(library):
    """The second loss frees the shared part, which the first one retained."""
    x = library.leaf(5)
    h = x.exp()
    first, second = h.sum(), (h * h).sum()
    second.backward()
    first.backward()


def changed_between(library):
    x, w = library.leaf(5), library.leaf(5)
    y = (x * w).sum()
    y.backward(retain_graph=True)
    with library.no_grad():
        w.mul_(2.0)
    y.backward()


@pytest.mark.parametrize("program", [two_losses, three_times, once_too_often, a_part_freed, changed_between])
def test_a_graph_used_twice(as_torch, program):
    result = as_torch(program)
    assert (result == "RuntimeError") is (program not in (two_losses, three_times))


# a kernel each, which may write into what was saved; the others are the same code on every backend
KERNELS = {"conv2d", "linear", "max_pool2d", "avg_pool2d", "batch_norm", "local_response_norm", "log_softmax"}
KERNELS |= {"cross_entropy", "relu", "dropout"}
FIRST = {case.op: case for case in reversed(CASES) if case.op in KERNELS}
TWICE = [(case, "numpy") for case in CASES]
TWICE += [pytest.param(case, name, marks=heavy) for case in FIRST.values() for name in ("numba", "emulator")]


@pytest.mark.parametrize("case, backend", TWICE, ids=lambda value: getattr(value, "name", value))
def test_every_operation_gives_its_gradient_twice(case, backend):
    """And the gradients that were handed out are nobody else's: the second sum does not change what is saved."""
    usable.or_skip(backend)
    arrays = case.arrays(np.float64 if backend == "numpy" else np.float32)
    _, once = case.gradients(arrays, backend)
    tensors = [Tensor(x, requires_grad=True, backend=backend) for x in arrays]
    y = case.run(*tensors)
    cotangent = case.cotangent(y.shape, y.dtype)
    for repeated in range(1, 4):
        y.backward(cotangent, retain_graph=repeated < 3)
        for t, g in zip(tensors, once, strict=True):
            ours = Tensor(t.grad, backend=backend).numpy()
            np.testing.assert_allclose(ours, repeated * g, rtol=2e-7 if g.dtype == np.float32 else 1e-15)


def test_a_gradient_that_backward_keeps_is_copied():
    x, kept = leaf(3), np.ones(3)
    y = Tensor.from_operation(x.data.copy(), lambda gy: (kept,), x)
    y.backward(np.ones(3), retain_graph=True)
    y.backward(np.ones(3))
    assert kept.tolist() == [1.0] * 3 and np.asarray(x.grad).tolist() == [2.0] * 3


def test_the_graph_is_freed_by_the_last_pass_and_by_an_error():
    x = leaf(3)
    h = x.exp()
    saved = weakref.ref(h.data)
    y = h * 1.0
    del h
    y.backward(np.ones(3), retain_graph=True)
    assert saved() is not None
    with pytest.raises(ValueError, match="gradient of the tensor's shape"):
        y.backward(np.ones(2), retain_graph=True)
    y.backward(np.ones(3))
    assert saved() is None
    z = x.exp()
    z.sum().backward(retain_graph=True)
    tape.backward(z.node, np.ones(3))  # as a graph is passed without asking for it to be retained
    assert z.node.backward is None


def test_arguments_of_backward_that_only_torch_has():
    for arguments in ({"create_graph": True}, {"inputs": [leaf(2)]}):
        with pytest.raises(ValueError, match="first derivatives, for every leaf"):
            leaf(2).sum().backward(**arguments)


# ------------------------------------------------------------------------------------------------- hooks of tensors


def observed(library):
    x = library.leaf(3)
    seen = []
    x.register_hook(lambda g: seen.append(g))
    ((x * 2).sum() + (x * x).sum()).backward()
    (x * 3).sum().backward()
    return seen, x.grad


def doubled(library):
    """Of a computed tensor: what was computed before it sees the change."""
    x = library.leaf(3)
    h = x * x
    h.register_hook(lambda g: g * 2)
    h.register_hook(lambda g: g + 1)
    (h * 3 + h).sum().backward()
    return x.grad


def of_a_leaf(library):
    """Once for all paths, before the sum in .grad."""
    x = library.leaf(3)
    x.register_hook(lambda g: g.clamp(-1, 1))
    (x * 5 - x * 0.5).sum().backward()
    (x * -0.25).sum().backward()
    return x.grad


def removed(library):
    x = library.leaf(3)
    first, second = x.register_hook(lambda g: g * 2), x.register_hook(lambda g: g + 10)
    first.remove()
    x.sum().backward()
    second.remove()
    x.sum().backward()
    first.remove()
    return x.grad


def retained(library):
    """After every hook, also those added later."""
    x = library.leaf(3)
    h = x * 2
    before = h.retains_grad
    h.retain_grad()
    h.register_hook(lambda g: g * 10)
    h.retain_grad()
    (h * 3).sum().backward()
    x.retain_grad()
    return before, h.retains_grad, x.retains_grad, h.grad, x.grad


def retained_twice(library):
    x = library.leaf(3)
    h = x * 2
    h.retain_grad()
    y = (h * h).sum()
    y.backward(retain_graph=True)
    y.backward()
    return h.grad, x.grad


def retained_and_changed_in_place(library):
    x = library.leaf(3)
    h = x * 2
    h.retain_grad()
    h.register_hook(lambda g: g + 1)
    h.mul_(3)
    y = library.relu(h, True)
    (y * 7).sum().backward()
    return h is y, h.retains_grad, h.grad, x.grad


def kept_by_the_user(library):
    """What hooks were given stays as it was, whatever happens to .grad later."""
    x, seen = library.leaf(3), []
    h = x + 0.0
    h.register_hook(seen.append)
    x.register_hook(seen.append)
    h.sum().backward()
    (x * 5).sum().backward()
    with library.no_grad():
        x.grad.mul_(100)
    return seen, x.grad


def no_gradient(library):
    library.tensor([1.0, 2.0]).register_hook(print)


def no_gradient_to_retain(library):
    library.tensor([1.0, 2.0]).retain_grad()


def not_recorded(library):
    """Hooks run under no_grad."""
    x, seen = library.leaf(3), []
    x.register_hook(lambda g: seen.append((g * x).requires_grad))
    x.sum().backward()
    return seen


def accumulated(library):
    """When a gradient is complete: after its last path and all other hooks, and before those of earlier layers."""
    x, w, v = library.leaf(3), library.leaf(3), library.leaf(3)
    seen = []
    handles = [
        t.register_post_accumulate_grad_hook(lambda t, name=name: seen.append((name, t.grad + 0, t.requires_grad)))
        for name, t in (("x", x), ("w", w), ("v", v))
    ]
    w.register_hook(lambda g: g * 10)
    h = x * w
    ((h * v).sum() + (h * w).sum()).backward()
    handles[0].remove()
    v.register_post_accumulate_grad_hook(lambda t: setattr(t.mul_(2), "grad", None))
    (x * w * v).sum().backward()
    return sorted(name for name, *_ in seen[:3]), seen[0], sorted(seen[3:], key=str), x.grad, v.detach(), v.grad


def accumulated_of_a_computed_tensor(library):
    (library.leaf(3) * 2).register_post_accumulate_grad_hook(print)


def no_gradient_to_accumulate(library):
    library.tensor([1.0, 2.0]).register_post_accumulate_grad_hook(print)


TENSORS = [
    accumulated, accumulated_of_a_computed_tensor, doubled, no_gradient, no_gradient_to_accumulate,
    no_gradient_to_retain, not_recorded, observed, of_a_leaf, removed, retained, retained_and_changed_in_place,
    retained_twice,
]  # fmt: skip


@pytest.mark.parametrize("program", TENSORS)
def test_hooks_of_tensors(as_torch, program):
    result = as_torch(program)
    assert (result == "RuntimeError") is program.__name__.startswith(("no_gradient", "accumulated_of"))


def test_gradients_of_later_layers_are_complete_first():
    """Weights come right behind their operation, so that they can be sent while backward goes on."""
    model, seen = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 4), nn.Flatten(), nn.Linear(4, 2)), []
    before = len(list(model.parameters()))
    for name, weight in model.named_parameters():
        weight.register_post_accumulate_grad_hook(lambda t, name=name: seen.append((name, done.count(1))))
    done = []
    x = leaf(5, 3).float()
    hidden = model[0](x)
    hidden.register_hook(lambda g: done.append(1))
    model[1:](hidden).sum().backward()
    assert len(seen) == before and [name[0] for name, _ in seen] == ["4", "4", "2", "2", "0", "0"]
    assert [steps for _, steps in seen] == [0, 0, 0, 0, 1, 1]


def test_what_a_hook_was_given_stays(as_torch):
    x, seen = leaf(3), []
    h = x + 0.0
    h.register_hook(seen.append)
    x.register_hook(seen.append)
    gradient = np.ones(3)
    h.backward(gradient)
    (x * 5).sum().backward()
    seen[0].zero_()
    assert [g.tolist() for g in seen] == [[0.0] * 3, [1.0] * 3, [5.0] * 3] and np.asarray(x.grad).tolist() == [6.0] * 3
    assert gradient.tolist() == [1.0] * 3


def test_what_a_hook_keeps_is_not_what_a_leaf_adds_to():
    """Whether the gradient passes as it is, or is replaced by a tensor that somebody holds."""
    x, z, mine, seen = leaf(3), leaf(3), Tensor(np.full(3, 2.0)), []
    h, k = x + 0.0, z + 0.0
    h.register_hook(seen.append)
    k.register_hook(lambda g: mine)
    (h + k).sum().backward()
    (x * 5 + z * 5).sum().backward()
    assert seen[0].tolist() == [1.0] * 3 and mine.tolist() == [2.0] * 3
    assert x.grad.tolist() == [6.0] * 3 and z.grad.tolist() == [7.0] * 3


@pytest.mark.parametrize("backend", usable.EVERY)
def test_hooks_on_every_backend(backend):
    x = Tensor(normal(3), requires_grad=True, backend=usable.or_skip(backend))
    h, seen = x * 2, []
    h.register_hook(lambda g: seen.append(g.backend is x.backend) or np.array([1.0, 2.0, 3.0]))
    x.register_hook(lambda g: g * 10)
    h.sum().backward()
    assert Tensor(x.grad, backend=x.backend).tolist() == [20.0, 40.0, 60.0] and seen == [True]


def test_a_hook_of_a_parameter_that_was_moved():
    layer = nn.Linear(2, 1)
    seen = []
    layer.weight.register_hook(seen.append)
    layer.to(np.float64)
    layer(Tensor(np.ones((1, 2)))).sum().backward()
    assert seen[0].dtype == np.float64 and seen[0].tolist() == [[1.0, 1.0]]


def test_mistakes_of_hooks():
    x = leaf(3)
    x.register_hook(lambda g: g.sum())
    with pytest.raises(ValueError, match=r"gradient of shape \(\), expected the tensor's \(3,\)"):
        (x * 2).sum().backward()
    with pytest.raises(RuntimeError, match="requires no gradient"):
        Tensor([1.0]).register_hook(print)


def test_hooks_keep_no_tensor_alive():
    x = leaf(3)
    h = x * 2
    h.register_hook(lambda g: None)
    h.retain_grad()
    y, gone = h.sum(), weakref.ref(h)
    del h
    assert gone() is None
    y.backward()
    assert np.asarray(x.grad).tolist() == [2.0] * 3


# ------------------------------------------------------------------------------------------------- hooks of modules


def linear(library, *shape):
    layer = library.nn.Linear(*shape)
    weight, bias = normal(shape[1], shape[0]), normal(shape[1])
    layer.weight = library.nn.Parameter(library.tensor(weight))
    layer.bias = library.nn.Parameter(library.tensor(bias))
    return layer


def net(library):
    return library.nn.Sequential(linear(library, 4, 3), library.nn.Tanh(), linear(library, 3, 2))


def gradients_of(model):
    return [p.grad for p in model.parameters()]


def pre_hooks(library):
    model, calls = net(library), []
    model[0].register_forward_pre_hook(lambda m, i: calls.append(len(i)))
    model[1].register_forward_pre_hook(lambda m, i: i[0] * 2)
    handle = model[2].register_forward_pre_hook(lambda m, i: (i[0] + 1,))
    model[2].register_forward_pre_hook(lambda m, i: i[0] * 10, prepend=True)
    first = model(library.leaf(5, 4)).detach()
    handle.remove()
    return calls, first, model(library.leaf(5, 4)).detach()


def keyword_arguments(library):
    class Scaled(library.nn.Module):
        def forward(self, x, *, by=1.0):
            return x * by

    module, seen = Scaled(), []
    module.register_forward_pre_hook(lambda m, i, o: (i, {"by": o["by"] + 1}), with_kwargs=True)
    module.register_forward_hook(lambda m, i, o, y: seen.append(o["by"]) or y + 1, with_kwargs=True)
    module.register_forward_hook(lambda m, i, y: y * 10, prepend=True)
    return module(library.leaf(3), by=2.0).detach(), len(seen)


def seen_gradients(library, watched=1, inputs_need=True):
    model, seen = net(library), []
    model[watched].register_full_backward_hook(lambda m, gi, go: seen.append((gi, go)))
    x = library.leaf(5, 4) if inputs_need else library.leaf(5, 4).detach()
    (model(x) * library.leaf(5, 2).detach()).sum().backward()
    return seen, gradients_of(model)


def replaced(library):
    model = net(library)
    model[1].register_full_backward_hook(lambda m, gi, go: (gi[0] * 3 + go[0],))
    model[1].register_full_backward_hook(lambda m, gi, go: (gi[0] + 1,))
    x = library.leaf(5, 4)
    (model(x) * library.leaf(5, 2).detach()).sum().backward()
    return x.grad, gradients_of(model)


def replaced_at_the_output(library):
    model, seen = net(library), []
    model[2].register_full_backward_pre_hook(lambda m, go: (go[0] * 2,))
    model[2].register_full_backward_hook(lambda m, gi, go: seen.append((gi, go)))
    model(library.leaf(5, 4)).sum().backward()
    return seen, gradients_of(model)


def several(library, used=(0, 1)):
    """Two inputs, of which some are not used, and two outputs, of which some have no gradient."""

    class Mixed(library.nn.Module):
        def forward(self, a, number, b):
            return a * b + number, a * a

    module, seen = Mixed(), []
    module.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go)))
    a, b = library.leaf(3), library.leaf(3)
    outputs = module(a * 1, 2.0, b * 1)
    sum(outputs[i].sum() * (i + 2) for i in used).backward()
    return seen, a.grad, b.grad


def twice(library):
    """A module called twice, and the graph passed twice."""
    layer, seen = linear(library, 3, 3), []
    layer.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go)))
    x = library.leaf(2, 3)
    y = layer(layer(x).tanh()).sum()
    y.backward(retain_graph=True)
    y.backward()
    return seen, x.grad, gradients_of(layer)


def in_place_behind(library):
    model = net(library)
    model[0].register_full_backward_hook(lambda m, gi, go: None)
    library.relu(model[0](library.leaf(5, 4)), True)


MODULES = {
    "pre-hooks": pre_hooks,
    "keyword arguments": keyword_arguments,
    "gradients": seen_gradients,
    "gradients of the first": lambda library: seen_gradients(library, 0),
    "no gradient of the inputs": lambda library: seen_gradients(library, 0, False),
    "gradients of the last": lambda library: seen_gradients(library, 2, False),
    "replaced": replaced,
    "replaced at the output": replaced_at_the_output,
    "several": several,
    "one of two outputs": lambda library: several(library, (0,)),
    "twice": twice,
    "in place behind": in_place_behind,
}


@pytest.mark.parametrize("program", MODULES.values(), ids=MODULES.keys())
def test_hooks_of_modules(as_torch, program):
    assert (as_torch(program) == "RuntimeError") is (program is in_place_behind)


def test_an_input_that_has_no_effect():
    """Its gradient is 0; torch leaves None."""

    class First(nn.Module):
        def forward(self, a, b):
            return a * 2

    module, seen = First(), []
    module.register_full_backward_hook(lambda m, gi, go: seen.append(gi))
    a, b = leaf(2), leaf(2)
    module(a, b).sum().backward()
    assert seen[0][0].tolist() == [2.0, 2.0] and seen[0][1] is None
    assert np.asarray(a.grad).tolist() == [2.0, 2.0] and np.asarray(b.grad).tolist() == [0.0, 0.0]


def test_what_module_hooks_keep_and_change():
    """What they were given and what they return is not what leaves add to; a change of what they were given counts."""
    kept, mine = [], Tensor(np.full(3, 7.0))
    layers = nn.Identity(), nn.Identity(), nn.Identity()
    layers[0].register_full_backward_hook(lambda m, gi, go: kept.append(gi[0]))
    layers[1].register_full_backward_hook(lambda m, gi, go: (mine,))
    layers[2].register_full_backward_hook(lambda m, gi, go: (gi[0].mul_(3.0),))
    leaves = [leaf(3) for _ in layers]
    for layer, x in zip(layers, leaves):
        layer(x).sum().backward()
        x.sum().backward()
    assert [x.grad.tolist() for x in leaves] == [[2.0] * 3, [8.0] * 3, [4.0] * 3]
    assert kept[0].tolist() == [1.0] * 3 and mine.tolist() == [7.0] * 3


def test_outputs_that_are_used_one_after_the_other():
    """The second pass has no gradient of the first output, rather than that of before."""

    class Two(nn.Module):
        def forward(self, x):
            return x * 2, x * 3

    module, seen, x = Two(), [], leaf(2)
    module.register_full_backward_hook(lambda m, gi, go: seen.append(go))
    a, b = module(x)
    a.sum().backward(retain_graph=True)
    b.sum().backward()
    assert [g is None for go in seen for g in go] == [False, True, True, False]
    assert x.grad.tolist() == [5.0, 5.0]


def test_mistakes_of_module_hooks():
    for wrong, error, text in [
        (lambda m, gi, go: (gi[0], gi[0]), RuntimeError, "2 gradients in the place of 1"),
        (lambda m, gi, go: gi[0].sum(), ValueError, r"shape \(\), expected \(2, 3\)"),
    ]:
        layer = nn.Linear(3, 1)
        layer.register_full_backward_hook(wrong)
        with pytest.raises(error, match=text):
            layer(Tensor(np.ones((2, 3), np.float32), requires_grad=True)).sum().backward()
    layer = nn.Linear(3, 1)
    layer.register_forward_pre_hook(lambda m, i, o: i, with_kwargs=True)
    with pytest.raises(TypeError, match="the pair"):
        layer(Tensor(np.ones((2, 3), np.float32)))


def test_hooks_see_nothing_where_nothing_is_recorded():
    layer, seen = nn.Linear(3, 1), []
    with layer.register_full_backward_hook(lambda m, gi, go: seen.append(gi)), no_grad():
        y = layer(Tensor(np.ones((2, 3), np.float32)))
    assert y.is_leaf and not seen and not layer._hooks_of("backward")


def test_a_step_between_two_passes_of_a_watched_layer():
    """What a hook leads to, such as the module, is nothing that the operation has saved."""
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    model[1].register_full_backward_hook(lambda m, gi, go: model and None)
    y = model(Tensor(np.ones((1, 2), np.float32), requires_grad=True)).sum()
    model[0].bias.data[...] = 0
    model[0].bias.bump_version()
    y.backward()
    assert model[0].weight.grad is not None
