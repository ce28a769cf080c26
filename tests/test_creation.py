"""`minialex.X` where scripts have `torch.X`: new tensors, functions at the top, recording switched on and off."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
import threading

import numpy as np
import pytest
import usable

import minialex
from minialex import Tensor, functional, torch_names

CREATED = {
    "tensor": lambda m: m.tensor([[1.5, -2.0], [0.0, 3.0]]),
    "tensor of whole numbers": lambda m: m.tensor([1, 2]),
    "tensor of truth values": lambda m: m.tensor([True, False]),
    "tensor of a number": lambda m: m.tensor(2.5),
    "tensor of an array": lambda m: m.tensor(np.arange(3.0)),
    "tensor, dtype": lambda m: m.tensor([1, 2], dtype=m.float64),
    "tensor, gradient": lambda m: m.tensor([1.0], requires_grad=True),
    "tensor of nothing": lambda m: m.tensor([]),
    "as_tensor": lambda m: m.as_tensor([1.0, 2.0], dtype=m.float64),
    "from_numpy": lambda m: m.from_numpy(np.arange(4, dtype=np.uint8)),
    "zeros": lambda m: m.zeros(2, 3),
    "zeros, a tuple": lambda m: m.zeros((2, 3), dtype=m.int64),
    "zeros, a list": lambda m: m.zeros([2]),
    "zeros, no axes": lambda m: m.zeros(()),
    "zeros, nothing": lambda m: m.zeros(0, 3, device=None),
    "zeros, negative": lambda m: m.zeros(2, -1),
    "ones": lambda m: m.ones(3, dtype=m.double, requires_grad=True),
    "ones of truth values": lambda m: m.ones(2, dtype=m.bool),
    "full": lambda m: m.full((2, 2), 7),
    "full, a float": lambda m: m.full((2,), 0.5),
    "full, a truth value": lambda m: m.full((2,), True),
    "full, dtype": lambda m: m.full([3], 2, dtype=m.float32),
    "eye": lambda m: m.eye(3),
    "eye, not square": lambda m: m.eye(2, 4, dtype=m.long),
    "arange": lambda m: m.arange(5),
    "arange, from": lambda m: m.arange(2, 8),
    "arange, steps": lambda m: m.arange(1, 8, 3),
    "arange, down": lambda m: m.arange(5, 0, -2),
    "arange, fractions": lambda m: m.arange(0, 1, 0.1),
    "arange, a float": lambda m: m.arange(3.0),
    "arange, names": lambda m: m.arange(end=7, start=1, step=2),
    "arange, dtype": lambda m: m.arange(4, dtype=m.float64),
    "arange, the wrong way": lambda m: m.arange(3, 0),
    "arange, step 0": lambda m: m.arange(0, 3, 0),
    "arange of a tensor": lambda m: m.arange(m.tensor(4)),
    "linspace": lambda m: m.linspace(-1, 2, 7),
    "linspace, one": lambda m: m.linspace(3, 5, 1),
    "zeros_like": lambda m: m.zeros_like(m.ones(2, 3, dtype=m.float64)),
    "ones_like": lambda m: m.ones_like(m.zeros(2, dtype=m.int32)),
    "full_like": lambda m: m.full_like(m.zeros(2), 3),
    "ones_like, dtype": lambda m: m.ones_like(m.zeros(2), dtype=m.int64),
    "shape of rand": lambda m: m.rand(2, 3) * 0,
    "shape of randn": lambda m: m.randn((4, 1), dtype=m.float64) * 0,
    "shape of randn_like": lambda m: m.randn_like(m.zeros(2, dtype=m.float64)) * 0,
    "shape of rand_like": lambda m: m.rand_like(m.zeros(3)) * 0,
    "shape of randint": lambda m: m.randint(5, (2, 3)) * 0,
    "randint of one": lambda m: m.randint(3, 4, (5,)),
    "randint, names": lambda m: m.randint(low=-2, high=-1, size=(2,)),
    "randint of none": lambda m: m.randint(3, 3, (5,)),
    "randn of whole numbers": lambda m: m.randn(2, dtype=m.int64),
    "randperm, sorted": lambda m: m.sort(m.randperm(9)).values,
    "empty": lambda m: m.empty(2, 3) * 0 == 3,
    "empty_like": lambda m: m.empty_like(m.zeros(2, 3, dtype=m.int64)) == 77,
}


@pytest.mark.parametrize("create", CREATED.values(), ids=CREATED.keys())
def test_new_tensors_are_torchs(torch, create):
    try:
        theirs = create(torch)
    except (RuntimeError, NotImplementedError):
        with pytest.raises((ValueError, TypeError)):
            create(minialex)
        return
    ours = create(minialex)
    assert isinstance(ours, Tensor) and ours.requires_grad is theirs.requires_grad and ours.is_leaf
    assert ours.shape == tuple(theirs.shape) and ours.numpy().dtype == theirs.detach().numpy().dtype
    np.testing.assert_allclose(ours.numpy(), theirs.detach().numpy(), rtol=1e-6, atol=1e-7)


def test_created_by_hand():
    assert minialex.arange(1, 8, 3).tolist() == [1, 4, 7] and minialex.linspace(0, 1, 3).tolist() == [0.0, 0.5, 1.0]
    assert minialex.eye(2).tolist() == [[1.0, 0.0], [0.0, 1.0]] and minialex.full((2,), 7).tolist() == [7, 7]


def test_memory_is_copied_or_shared():
    array = np.arange(3.0)
    x = Tensor(array)
    for shared in (minialex.from_numpy(array), minialex.as_tensor(array)):
        assert shared.data is array
    assert minialex.as_tensor(x) is x and minialex.as_tensor(x, np.float32).dtype == np.float32
    for copied in (minialex.tensor(array), minialex.tensor(x)):
        assert not np.shares_memory(copied.data, array) and copied.tolist() == [0.0, 1.0, 2.0]
    assert minialex.is_tensor(x) and not minialex.is_tensor(array)
    with pytest.raises(TypeError, match="takes a NumPy array, got list"):
        minialex.from_numpy([1.0])


@pytest.mark.parametrize("backend", usable.EVERY)
def test_new_tensors_on_every_backend(backend):
    """The same random numbers on all of them."""
    backend = usable.or_skip(backend)
    made = []
    for where in ("numpy", backend):
        minialex.manual_seed(5)
        x = minialex.randn(3, 4, backend=where)
        made.append([x, minialex.rand_like(x), minialex.randint(9, (20,), backend=where), minialex.zeros_like(x)])
    for first, second in zip(*made):
        assert second.backend is backend and first.tolist() == second.tolist()
    minialex.use_backend(backend)
    assert minialex.ones(2).backend is backend and minialex.tensor([1.0]).backend is backend


def test_random_numbers_are_reproducible_and_distributed_as_they_say():
    minialex.manual_seed(3)
    first = [minialex.randn(1000), minialex.rand(1000), minialex.randint(3, 6, (1000,)), minialex.randperm(100)]
    minialex.manual_seed(3)
    again = [minialex.randn(1000), minialex.rand(1000), minialex.randint(3, 6, (1000,)), minialex.randperm(100)]
    for one, other in zip(first, again):
        assert one.tolist() == other.tolist()
    normal, uniform, whole, order = (x.numpy() for x in first)
    assert abs(normal.mean()) < 0.15 and abs(normal.std() - 1) < 0.1 and 0 <= uniform.min() < uniform.max() < 1
    assert abs(uniform.mean() - 0.5) < 0.05 and abs(uniform.std() - 12**-0.5) < 0.02
    assert sorted(set(whole.tolist())) == [3, 4, 5] and sorted(order.tolist()) == list(range(100)) != order.tolist()
    assert minialex.randn(5).tolist() != first[0].tolist()[:5]  # the next draw is another
    generator = minialex.Generator(9)
    before = minialex.random.default_generator.call
    drawn = minialex.randn(3, generator=generator)
    assert minialex.random.default_generator.call == before and generator.call == 1
    assert drawn.tolist() == minialex.randn(3, generator=minialex.Generator(9)).tolist()


def test_arguments_that_only_torch_has():
    assert minialex.zeros(2, device="numba").backend.name == "numba"
    assert minialex.zeros_like(minialex.ones(2), device="numba").backend.name == "numba"
    with pytest.raises(TypeError, match="^ones takes device or backend"):
        minialex.ones(2, device="cpu", backend="numpy")
    with pytest.raises(TypeError, match="^zeros has no pin_memory: write nothing"):
        minialex.zeros(2, pin_memory=True)
    with pytest.raises(TypeError, match="randn_like has no memory_format"):
        minialex.randn_like(Tensor([1.0]), memory_format="channels_last")
    with pytest.raises(TypeError, match="fill"):
        minialex.zeros(2, fill=3)
    with pytest.raises(TypeError, match="randint takes high and size"):
        minialex.randint(3)
    with pytest.raises(TypeError, match="arange takes end"):
        minialex.arange()


def test_the_module_of_the_class_is_called_as_torchs_function():
    import minialex.tensor as module

    assert module is minialex.tensor is sys.modules["minialex.tensor"] and module.Tensor is Tensor
    assert inspect.ismodule(module) and minialex.tensor([1, 2]).tolist() == [1, 2]
    with pytest.raises(TypeError):
        minialex.random([1])


# ------------------------------------------------------------------------------------------ functions at the top


def test_the_functions_at_the_top_are_torchs(torch):
    elsewhere = {"batch_norm", "dropout"}  # torch's have other arguments
    assert {name for name in functional.__all__ if hasattr(torch, name)} - elsewhere == torch_names.FUNCTIONS
    assert all(hasattr(torch, name) and hasattr(Tensor, name) for name in torch_names.METHODS)
    for name in ["float32", "float64", "float", "double", "int8", "int16", "short", "int32", "int", "int64", "long"]:
        assert np.dtype(getattr(minialex, name)) == torch.zeros(1, dtype=getattr(torch, name)).numpy().dtype
    assert np.dtype(minialex.bool) == bool and np.dtype(minialex.uint8) == np.uint8
    for name in ("pi", "inf", "e"):
        assert getattr(minialex, name) == getattr(torch, name)
    assert minialex.nan != minialex.nan and isinstance(minialex.zeros(1).dtype, minialex.dtype)


def test_functions_at_the_top():
    x = minialex.tensor([[1.0, -2.0, 3.0]])
    assert minialex.relu(x).tolist() == [[1.0, 0.0, 3.0]] and minialex.cat([x, x]).shape == (2, 3)
    assert minialex.argmax(x, dim=1).tolist() == [2] and minialex.numel(x) == 3 and minialex.any(x > 2).item()
    assert minialex.max(x, 1).indices.tolist() == [2] and minialex.flatten(x).shape == (3,)
    from minialex import argmin, matmul

    assert matmul(x, x.T).item() == 14.0 and argmin(x).item() == 1 and argmin.__name__ == "argmin"


def test_a_function_that_was_replaced_is_found(monkeypatch):
    monkeypatch.setattr(functional, "relu", lambda x: "mine")
    assert minialex.relu(1) == "mine" and minialex.nn.functional.relu(1) == "mine"


def test_nn_functional_is_functional():
    import minialex.nn.functional as F
    from minialex import nn
    from minialex.nn.functional import cross_entropy

    assert F is functional is nn.functional is importlib.import_module("minialex.nn.functional")
    assert cross_entropy is functional.cross_entropy


def test_what_help_and_import_all_show():
    assert {"relu", "argmax", "zeros", "float32", "nn"} <= set(dir(minialex))
    namespace = {}
    exec("from minialex import *", namespace)
    assert {"zeros", "Tensor", "save"} <= namespace.keys() and not {"float", "int", "bool", "abs"} & namespace.keys()


SCRIPT = """
import sys, numpy
before = set(sys.modules)
import minialex
print(*(set(sys.modules) - before))
try:
    minialex.convert
except AttributeError as error:
    print(error)
"""


def test_what_is_imported_and_what_is_not():
    """Neither a zip file nor a room that a script may do without; of such a room it is said how to import it."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    imported, sentence = done.stdout.splitlines()
    assert not {"zipfile", "torch", "PIL", "minialex.data", "minialex.runs"} & set(imported.split())
    assert sentence == "minialex.convert is imported by itself: write import minialex.convert"


# ------------------------------------------------------------------------------------------ recording


def modes(m):
    x, seen = m.ones(1, requires_grad=True), []

    def look():
        seen.append((x * 2).requires_grad)

    @m.enable_grad()
    def recorded():
        look()

    @m.set_grad_enabled(False)
    def silent():
        look()

    with m.no_grad():
        look()
        with m.enable_grad():
            look()
            with m.no_grad():
                recorded()
            look()
        look()
        with m.set_grad_enabled(True):
            look()
        look()
    silent()
    look()
    for training in (True, False):
        with m.set_grad_enabled(training):
            look()
            silent()
    m.set_grad_enabled(False)
    look()
    recorded()
    m.set_grad_enabled(True)
    look()
    try:
        with m.set_grad_enabled(False):
            raise KeyError
    except KeyError:
        look()
    return seen


def test_recording_is_switched_as_torchs(torch):
    ours = modes(minialex)
    assert ours == modes(torch) and len(set(ours)) == 2 and minialex.is_grad_enabled()


def test_another_thread_records_as_ever():
    seen = []
    with minialex.set_grad_enabled(False):
        thread = threading.Thread(target=lambda: seen.append(minialex.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]
