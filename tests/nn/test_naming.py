"""An error in a forward names the layer once, by its path; its type, text, cause and traceback stay."""

from __future__ import annotations

import threading
import traceback

import numpy as np
import pytest

from minialex import nn
from minialex.support.errors import UserError
from minialex.tensor import Tensor


def values(*shape):
    return Tensor(np.zeros(shape, np.float32))


class Raises(nn.Module):
    """Raises what it was made with; a layer of its own would run before."""

    def __init__(self, error=None):
        super().__init__()
        self.before, self.error = nn.ReLU(), error

    def forward(self, x):
        x = self.before(x)
        if self.error is not None:
            raise self.error
        return x


class Around(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)


def network(error):
    """features.block.inner raises the error."""
    inside = nn.Sequential({"first": Raises(), "block": Around(Raises(error))})
    return Around(nn.Sequential({"stem": nn.ReLU(), "features": inside}))


def caught(model, x, kind=Exception):
    with pytest.raises(kind) as refusal:
        model(x)
    return refusal.value


@pytest.mark.parametrize("kind", [ValueError, TypeError, RuntimeError, IndexError, NotImplementedError, UserError])
def test_the_layer_is_named_once_in_the_same_exception(kind):
    error, cause = kind("of shape (2,)"), KeyError("k")
    error.__cause__ = cause
    raised = caught(network(error), values(2))
    assert raised is error and type(raised) is kind and raised.__cause__ is cause
    assert str(raised) == "layer inner.features.block.inner (Raises): of shape (2,)"
    assert not hasattr(raised, "__notes__")
    last = traceback.extract_tb(raised.__traceback__)[-1]
    assert last.name == "forward" and last.line == "raise self.error"


class Own(ValueError):
    def __init__(self, number):
        super().__init__("a text", number)
        self.number = number

    def __str__(self):
        return f"number {self.number}"


@pytest.mark.parametrize(
    "error",
    [
        KeyError("k"), AttributeError("no x"), ZeroDivisionError("division by zero"), ValueError(), ValueError("a", 1),
        ValueError(np.zeros(2)), Own(3), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), OSError(2, "none", "f"),
        UserWarning("w"), MemoryError("9 GiB"), ExceptionGroup("two", [ValueError("a"), TypeError("b")]),
    ],
    ids=lambda error: f"{type(error).__name__}-{len(error.args)}",
)  # fmt: skip
def test_other_errors_keep_their_text_and_get_a_note(error):
    text, arguments = str(error), error.args
    raised = caught(network(error), values(2))
    assert raised is error and str(raised) == text and raised.args is arguments
    assert raised.__notes__ == ["raised in layer inner.features.block.inner (Raises)"]
    assert "raised in layer inner.features.block.inner" in "".join(traceback.format_exception(raised))


def test_what_is_no_error_passes():
    assert not hasattr(caught(network(KeyboardInterrupt()), values(2), KeyboardInterrupt), "__notes__")


def test_the_network_itself_has_no_name():
    for model in (Raises(ValueError("alone")), nn.Sequential()):
        model = model if isinstance(model, Raises) else Around(lambda x: Raises(ValueError("alone"))(x))
        raised = caught(model, values(2))
        assert str(raised) == "alone" and vars(raised) == {}


def test_an_error_that_a_forward_handles_is_not_named():
    handled = []

    class Careful(Around):
        def forward(self, x):
            try:
                return self.inner(x)
            except ValueError as error:
                handled.append(str(error))
                return x

    assert Around(Careful(Raises(ValueError("small"))))(values(2)).shape == (2,)
    assert handled == ["small"]


def test_an_error_that_a_forward_translates_names_the_translator():
    class Translates(Around):
        def forward(self, x):
            try:
                return self.inner(x)
            except ValueError as error:
                raise TypeError("clearer") from error

    raised = caught(nn.Sequential({"a": Around(Translates(Raises(ValueError("dark"))))}), values(2))
    assert str(raised) == "layer a.inner (Translates): clearer" and str(raised.__cause__) == "dark"


def test_a_layer_in_two_places_has_both_names():
    shared = nn.Linear(3, 3)
    model = nn.Sequential({"up": shared, "relu": nn.ReLU(), "down": nn.Sequential(shared)})
    assert str(caught(model, values(2, 4))).startswith("layer up or down.0 (Linear): linear: ")


def test_a_layer_that_is_not_registered_is_named_by_what_is_around_it():
    class Unregistered(nn.Module):
        def forward(self, x):
            return nn.Conv2d(1, 1, 3)(x)

    message = str(caught(nn.Sequential({"head": Unregistered()}), values(2, 3)))
    assert message.startswith("layer head (Unregistered): conv2d")


def test_a_module_without_its_constructor_does_not_hide_the_error():
    class Bare(nn.Module):
        def __init__(self):
            pass

        def forward(self, x):
            raise ValueError("the fault")

    raised = caught(Bare(), values(2))
    assert str(raised) == "the fault" and raised.__context__ is None


def test_the_next_call_begins_anew():
    """After an error, and beside another thread's call, the outermost module is the outermost one."""
    error = ValueError("again")
    model = network(error)
    caught(model, values(2))
    error.args = ("again",)
    assert str(caught(model, values(2))) == "layer inner.features.block.inner (Raises): again"

    class Threaded(Around):
        def forward(self, x):
            thread = threading.Thread(target=lambda: texts.append(str(caught(self.inner, x))))
            thread.start()
            thread.join()
            return x

    texts = []
    Threaded(nn.Sequential({"a": Raises(ValueError("elsewhere"))}))(values(2))
    assert texts == ["layer a (Raises): elsewhere"]


def test_a_misspelt_layer_is_suggested():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.register = nn.Conv2d(1, 1, 1), 3
            self.register_buffer("mean", None)

    net = Net()
    assert {"conv1", "mean", "register", "forward"} <= set(dir(net))
    assert "0" not in dir(nn.Sequential(nn.ReLU())) and "weight" in dir(net.conv1)
    with pytest.raises(AttributeError, match="'Net' object has no attribute 'conv2'") as refusal:
        net.conv2(values(1))
    assert refusal.value.name == "conv2" and refusal.value.obj is net  # what Python looks for similar names with
