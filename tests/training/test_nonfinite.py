"""Finding the operation that a NaN comes from, in forward and in backward, and leaving nothing behind."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from minialex import Tensor, functional, nn, no_grad, optim
from minialex.training import NonFiniteError, find_nonfinite


class Log(nn.Module):
    """Two operations, of which the second gives NaN for negative numbers."""

    def forward(self, x):
        return (x - 1).log() * 0


def network(**layers):
    head = nn.Sequential(nn.Linear(3, 2))
    return nn.Sequential({"flat": nn.Flatten(), "fc1": nn.Linear(4, 3), **layers, "head": head})


X = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)


def found(model, act=None, **options):
    with pytest.raises(NonFiniteError) as error, find_nonfinite(model, **options):
        (act or (lambda: model(Tensor(X))))()
    return str(error.value)


def test_a_healthy_step_is_left_alone():
    model = network(relu=nn.ReLU())
    optimizer = optim.SGD(model.parameters(), 0.1)

    def step():
        optimizer.zero_grad()
        functional.cross_entropy(model(Tensor(X)), np.array([0, 1])).backward()
        optimizer.step()
        return [p.numpy().copy() for p in model.parameters()], [p.grad.numpy().copy() for p in model.parameters()]

    before = {name: array.copy() for name, array in model.state_dict().items()}
    expected = step()
    model.load_state_dict(before)
    with find_nonfinite(model):
        assert all((a == b).all() for x, y in zip(step(), expected, strict=True) for a, b in zip(x, y, strict=True))


def test_forward_names_module_and_operation():
    message = found(network(odd=Log()))
    assert message.startswith("log in odd (Log) is the first operation whose output is not finite: ")
    assert "NaN of 6 values, from finite inputs, -" in message
    model = nn.Sequential({"fc": nn.Linear(4, 3), "deep": nn.Sequential({"odd": Log()})})
    assert found(model).startswith("log in deep.odd (Log) is the first")
    assert found(Log()).startswith("log in the network (Log) is the first"), "the model itself"
    assert found(None, lambda: Log()(Tensor(X))).startswith("log in Log is"), "a module of nobody"
    assert found(network(), lambda: Tensor([-1.0]).log()).startswith("log is the first"), "in no module"


def test_without_a_tape_too():
    with no_grad():
        assert found(network(odd=Log())).startswith("log in odd (Log) is the first")


def test_values_that_are_counted_by_hand():
    x = Tensor(np.array([[0.0, 4.0, -1.0, 0.0]], np.float32))
    assert found(None, lambda: x.log()) == (
        "log is the first operation whose output is not finite: 1 NaN and 2 infinite of 4 values, from finite inputs, "
        "-1 to 4"
    )


def test_what_was_lost_before():
    model = network(relu=nn.ReLU())
    model.head[0].weight.data[1, 2] = np.nan
    assert found(model) == "linear in head.0 (Linear) got values that are not finite: head.0.weight, 1 NaN of 6 values"
    images = X.copy()
    images[0, 1] = np.inf
    message = found(model, lambda: model.fc1(Tensor(images)))
    assert message == (
        "linear in fc1 (Linear) got values that are not finite: an input of shape (2, 4), which was not computed here, "
        "1 infinite of 8 values"
    )


def test_backward_names_module_and_operation():
    """sqrt(0) = 0, but its derivative is infinite; 0 times infinity is NaN."""

    class Root(nn.Module):
        def forward(self, x):
            return (x * 0).sqrt()

    model = network(root=Root())
    assert found(model, lambda: model(Tensor(X)).sum().backward()).startswith(
        "backward of sqrt in root (Root) is the first whose gradient is not finite: that of input 1, "
    )
    x = Tensor([1.0, 2.0], requires_grad=True)
    message = found(None, lambda: (x * 2).backward(np.array([1.0, np.inf], np.float32)))
    assert message.startswith("the gradient that arrives at mul is not finite: 1 infinite of 2 values; it was given to")


def test_of_a_backward_after_the_block_too():
    x = Tensor([0.0], requires_grad=True)
    with find_nonfinite():
        y = x.sqrt()
    with pytest.raises(NonFiniteError, match="backward of sqrt"):
        y.sum().backward()


def test_an_operation_in_place():
    class Double(nn.Module):
        def forward(self, x):
            y = x * 1e38
            return functional.relu(y, inplace=True) * 10

    model = nn.Sequential({"double": Double()})
    assert found(model, lambda: model(Tensor([[1.0]]))).startswith("mul in double (Double)")
    y = Tensor([[np.inf]])
    assert found(None, lambda: functional.relu(y, inplace=True)).startswith("relu ")


def test_infinities_that_are_meant():
    x = Tensor([1.0, 2.0]).masked_fill(Tensor([True, False]), -np.inf)
    with find_nonfinite(infinite=False):
        assert (x * 2).softmax(0).tolist() == [0, 1]
    assert "1 infinite" in found(None, lambda: x * 2)
    assert found(None, lambda: x - x, infinite=False).startswith("sub is the first")


def test_an_optimiser_that_breaks_the_weights():
    model = nn.Sequential({"fc": nn.Linear(4, 2)})
    optimizer = optim.SGD(model.parameters(), 1e38)

    def step():
        (model(Tensor(100 * X)) * Tensor(100.0)).sum().backward()
        optimizer.step()

    assert found(model, step).startswith("fc.weight became NaN or infinite outside of any operation, as in the optim")


def test_nothing_is_left_behind():
    before = vars(Tensor)["from_operation"], vars(Tensor)["rewritten_by"]
    found(network(odd=Log()))
    with find_nonfinite(), find_nonfinite():
        pass
    assert (vars(Tensor)["from_operation"], vars(Tensor)["rewritten_by"]) == before
    assert np.isnan(Tensor([-1.0]).log().item())


def test_other_threads_are_not_watched():
    results = []
    with find_nonfinite():
        thread = threading.Thread(target=lambda: results.append(Tensor([np.nan]) * 2))
        thread.start()
        thread.join()
    assert len(results) == 1


def test_integers_and_empty_tensors():
    with find_nonfinite():
        assert (Tensor(np.arange(3)) * 2).tolist() == [0, 2, 4]
        assert (Tensor(np.zeros((0, 3), np.float32)) * 2).shape == (0, 3)
