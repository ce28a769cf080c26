"""Names of torch that are missing: the AttributeError says what to write instead, or that there is nothing like it."""

from __future__ import annotations

import copy
import importlib
import math
import pickle

import numpy as np
import pytest
import missing_names

import minialex
from minialex import Tensor, functional, nn, optim
from minialex.support import absent
from minialex.support.missing_names import NAMES


def said(place, name):
    """The text of the AttributeError, and that nothing else finds the attribute."""
    thing = missing_names.ours(place)
    with pytest.raises(AttributeError) as error:
        getattr(thing, name)
    assert not hasattr(thing, name) and getattr(thing, name, 3) == 3
    return str(error.value)


@pytest.mark.parametrize("place", absent.WRITE)
def test_a_missing_name_says_what_to_write(place):
    for name, words in absent.WRITE[place].items():
        assert said(place, name) == f"minialex has no {place}.{name}: write {words}"


def test_a_missing_name_at_the_top_says_what_to_write():
    for name in [*absent.TOP, "log1p", "embedding"]:
        assert said("", name).startswith(f"minialex has no {name}: write ")


@pytest.mark.parametrize("place", NAMES)
def test_names_without_a_counterpart_say_what_there_is(place):
    for name in NAMES[place].split():
        full = f"{place}.{name}"
        expected = f"minialex has no {full}, which networks like AlexNet do without: {absent.OTHERWISE[place]}"
        assert said(place, name) == expected


def test_some_of_them_are_known_by_heart():
    """What scripts for other networks reach for first."""
    for name in ("LSTM", "GRU", "RNN", "MultiheadAttention", "Transformer", "Conv3d", "CTCLoss"):
        assert said("nn", name).startswith(f"minialex has no nn.{name}, which networks like AlexNet do without: dir(")
    assert "functional.ctc_loss, which" in said("functional", "ctc_loss")
    assert "Tensor.lgamma, which" in said("Tensor", "lgamma") and "no lgamma, which" in said("", "lgamma")
    assert "Module.set_extra_state, which" in said("Module", "set_extra_state")
    assert said("nn", "Embedding") == "minialex has no nn.Embedding: write weight[index] of an nn.Parameter"
    assert said("optim.lr_scheduler", "CyclicLR").startswith("minialex has no optim.lr_scheduler.CyclicLR: write ")


@pytest.mark.parametrize("place", NAMES)
def test_every_name_that_torch_has_is_there_or_explained(torch, place):
    for name in missing_names.public(missing_names.homes(torch)[place]):
        if not hasattr(missing_names.ours(place), name):
            assert said(place, name).startswith("minialex"), name


def test_the_names_without_a_counterpart_are_those_of_torch(torch):
    if torch.__version__.startswith("2.13."):
        update = "minialex lacks other names than it did: python tests/helpers/missing_names.py"
        assert missing_names.FILE.read_text(encoding="utf-8") == missing_names.text(torch), update


def test_the_names_with_other_words_are_torchs(torch):
    theirs = missing_names.homes(torch)
    for place, names in absent.WRITE.items():
        homes = [theirs[place], *([torch] if place == "functional" else [])]
        if place != "data":  # where some are torchvision's
            assert not [name for name in names if not any(hasattr(home, name) for home in homes)]
    assert not [name for name in absent.TOP if not hasattr(torch, name)]


def test_other_names_are_missing_as_usual():
    with pytest.raises(AttributeError, match=r"^'Tensor' object has no attribute 'reshap'$"):
        Tensor([1.0]).reshap  # noqa: B018
    with pytest.raises(AttributeError, match=r"^'Parameter' object has no attribute 'x'$"):
        nn.Parameter(np.zeros(1)).x  # noqa: B018
    for place in ("functional", "nn", "nn.init", "nn.utils", "optim", "optim.lr_scheduler", "data", "backends"):
        module = importlib.import_module(f"minialex.{place}")
        with pytest.raises(AttributeError, match=rf"^module 'minialex.{place}' has no attribute 'nonsense'$") as error:
            module.nonsense  # noqa: B018
        assert error.value.obj is module and error.value.name == "nonsense"  # what "Did you mean" is made of
    with pytest.raises(ImportError, match="cannot import name 'Embedding'"):
        from minialex.nn import Embedding  # noqa: F401
    from minialex.data import pack  # a submodule that nothing imports

    assert pack.main


def test_other_missing_names_at_the_top():
    with pytest.raises(AttributeError, match=r"^module 'minialex' has no attribute 'nonsense'$") as error:
        minialex.nonsense  # noqa: B018
    assert error.value.obj is minialex and error.value.name == "nonsense"
    with pytest.raises(ImportError):
        from minialex import amp  # noqa: F401


def test_protocols_see_no_more_than_there_is():
    x = Tensor(np.array([1.0, 2.0]), requires_grad=True)
    for clone in (copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert clone.tolist() == [1.0, 2.0] and clone.requires_grad
    assert not {"log1p", "cuda", "is_cuda", "lgamma"} & set(dir(x)) and "view" in dir(x)
    for name in ("__deepcopy__", "__array_interface__", "__cuda_array_interface__", "__length_hint__"):
        assert not hasattr(x, name)
    empty = Tensor.__new__(Tensor)
    with pytest.raises(AttributeError):
        empty.shape  # noqa: B018


# ------------------------------------------------------------------------------ what is advised

X = np.random.default_rng([4, 3, 3]).standard_normal((3, 3)).astype(np.float32)
Y = X[::-1].copy() + 2
OF_ONE = "log1p expm1 mT ravel nansum trunc tan nelement ndimension element_size logical_not short byte nonzero"
OF_TWO = "fmod mv inner logical_and maximum"


@pytest.mark.parametrize("name", [*OF_ONE.split(), *OF_TWO.split()])
def test_advice_is_what_torch_does(torch, name):
    """What is advised is evaluated as it stands."""
    x, y = X, Y
    if name in ("log1p", "byte", "fmod"):
        x, y = np.abs(x), np.abs(y)
    y = y[0] if name == "mv" else y
    theirs = getattr(torch.tensor(x), name)
    theirs = theirs(torch.tensor(y)) if name in OF_TWO.split() else theirs if name == "mT" else theirs()
    advice = absent.TENSOR[name].removesuffix(", without a gradient").removesuffix(", which has the sign of y")
    names = {"x": Tensor(x), "y": Tensor(y), "np": np, "math": math, "Tensor": Tensor, "functional": functional}
    ours = eval(advice, names)
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=1e-5, atol=1e-6)
    assert np.shape(ours) == np.shape(theirs)


F_ADVICE = {
    "selu": {}, "celu": {"alpha": 1.7}, "hardswish": {}, "hardsigmoid": {}, "mish": {}, "logsigmoid": {}, "relu6": {},
    "softsign": {}, "threshold": {"threshold": 0.3, "value": -2.0},
}  # fmt: skip


@pytest.mark.parametrize("name", F_ADVICE)
def test_advice_is_what_torch_computes(torch, name):
    x, options = np.linspace(-7, 7, 57), F_ADVICE[name]
    advice = absent.FUNCTIONAL[name].removesuffix(", for alpha above 0")
    ours = eval(advice, {"x": Tensor(x), "functional": functional, **options})
    np.testing.assert_allclose(ours.numpy(), getattr(torch.nn.functional, name)(torch.tensor(x), **options).numpy())


def test_advice_for_pixel_shuffle(torch):
    x = np.arange(2 * 12 * 3 * 2.0).reshape(2, 12, 3, 2)
    sizes = {"n": 2, "c": 3, "r": 2, "h": 3, "w": 2}
    ours = eval(absent.FUNCTIONAL["pixel_shuffle"], {"x": Tensor(x), **sizes})
    np.testing.assert_array_equal(ours.numpy(), torch.nn.functional.pixel_shuffle(torch.tensor(x), 2).numpy())


SCHEDULES = {
    "ConstantLR": {"factor": 0.3, "total_iters": 4},
    "CosineAnnealingWarmRestarts": {"T_0": 3},
    "PolynomialLR": {"total_iters": 5, "power": 2.0},
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_advised_schedules_are_torchs(torch, name):
    weight = torch.nn.Parameter(torch.zeros(1))
    theirs = torch.optim.SGD([weight], lr=0.4)
    optimizer = optim.SGD([nn.Parameter(np.zeros(1))], lr=0.4)
    names = {"LambdaLR": optim.LambdaLR, "optimizer": optimizer, "math": math, **SCHEDULES[name]}
    ours = eval(absent.LR_SCHEDULER[name].removesuffix(", of equal cycles"), names)
    schedule = getattr(torch.optim.lr_scheduler, name)(theirs, **SCHEDULES[name])
    for _ in range(8):
        assert ours.get_last_lr() == pytest.approx(schedule.get_last_lr(), abs=1e-12)
        optimizer.step()
        theirs.step()
        ours.step()
        schedule.step()
