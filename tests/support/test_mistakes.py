"""The mistakes with shapes and types that students make: torch refuses each of them too, and what our message says.

Each is one text that runs with torch's names and with ours.
"""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest

from minialex import functional, nn, optim
from minialex.tensor import Tensor


def ours():
    """The names that the mistakes use, of this library."""
    return {
        "nn": nn,
        "F": functional,
        "SGD": optim.SGD,
        "tensor": Tensor,
        "where": functional.where,
        "images": lambda *shape: Tensor(np.zeros(shape, np.float32)),
        "labels": lambda *shape: Tensor(np.zeros(shape, np.int64)),
        "array": lambda *shape: np.zeros(shape, np.float32),
    }


def theirs(torch):
    """The same names, of torch."""
    return {
        "nn": torch.nn,
        "F": torch.nn.functional,
        "SGD": torch.optim.SGD,
        "tensor": torch.tensor,
        "where": torch.where,
        "images": lambda *shape: torch.zeros(shape),
        "labels": lambda *shape: torch.zeros(shape, dtype=torch.int64),
        "array": lambda *shape: np.zeros(shape, np.float32),
    }


NETWORK = """
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x):
        y = self.conv1(x)
        {line}

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features, self.fc = nn.Sequential(Block(), nn.ReLU(), nn.AvgPool2d(16)), nn.Linear(32, 10)

    def forward(self, x):
        return self.fc(self.features(x).flatten(1))

Net()(images(4, 3, 32, 32))
"""


def block(line):
    """A network of the student's own, whose block computes its result from x and y by a line."""
    return NETWORK.format(line=line)


MISTAKES = {  # what was written, and what the message must hold
    "no Flatten": (
        "nn.Sequential(nn.Conv2d(3, 8, 3), nn.Linear(7200, 10))(images(4, 3, 32, 32))",
        r"layer 1 \(Linear\): .*7200 inputs, .*\(4, 8, 30, 30\): x.flatten\(1\) makes it \(4, 7200\)$",
    ),
    "wrong in_features": (
        "nn.Sequential(nn.Flatten(), nn.Linear(400, 10))(images(4, 3, 32, 32))",
        r"layer 1 \(Linear\): linear: weight \(10, 400\) means 400 inputs, .* shape \(4, 3072\)$",
    ),
    "channels that do not chain": (
        block("return self.conv2(x)"),
        r"layer features.0.conv2 \(Conv2d\): conv2d: input \(4, 3, 32, 32\) has 3 .*\(8, 8, 3, 3\) needs 8$",
    ),
    "NHWC images": (
        "nn.Sequential(nn.Conv2d(3, 8, 3))(images(4, 32, 32, 3))",
        r"layer 0 \(Conv2d\): .*needs 3; \(4, 32, 32, 3\) looks like NHWC: x.permute\(0, 3, 1, 2\)$",
    ),
    "NHWC images, BatchNorm2d": (
        "nn.Sequential(nn.BatchNorm2d(3))(images(4, 32, 32, 3))",
        r"layer 0 \(BatchNorm2d\): .*32 channels .*looks like NHWC: x.permute\(0, 3, 1, 2\)$",
    ),
    "no axis of channels": (
        "nn.Sequential(nn.Conv2d(1, 8, 3))(images(4, 28, 28))",
        r"layer 0 \(Conv2d\): .*\(4, 28, 28\) looks like \(N, H, W\): x.unsqueeze\(1\)",
    ),
    "grey images for colour": (
        "nn.Sequential(nn.Conv2d(3, 8, 3))(images(4, 1, 28, 28))",
        r"layer 0 \(Conv2d\): .*\(4, 1, 28, 28\) has 1 .*needs 3; x.expand\(-1, 3, -1, -1\)",
    ),
    "flat images": (
        "nn.Sequential(nn.Conv2d(1, 8, 3))(images(4, 784))",
        r"layer 0 \(Conv2d\): conv2d needs .*\(N, C, H, W\).* got \(4, 784\)",
    ),
    "maps too small for the kernel": (
        "nn.Sequential(nn.MaxPool2d(4), nn.Conv2d(3, 8, 5))(images(4, 3, 16, 16))",
        r"layer 1 \(Conv2d\): a window of 5x5 does not fit into pictures of 4x4 .*: use",
    ),
    "BatchNorm2d of features": (
        "nn.Sequential(nn.Linear(4, 3), nn.BatchNorm2d(3))(images(5, 4))",
        r"layer 1 \(BatchNorm2d\): BatchNorm2d needs input \(N, C, H, W\), got \(5, 3\)$",
    ),
    "uint8 images": (
        "nn.Sequential(nn.Conv2d(3, 8, 3))(tensor(np.zeros((4, 3, 8, 8), np.uint8)))",
        r"layer 0 \(Conv2d\): .*input is uint8, weight is float32, .*: convert the input, x.float\(\)$",
    ),
    "float64 input": (
        "nn.Sequential(nn.Linear(4, 2))(tensor(np.zeros((3, 4))))",
        r"layer 0 \(Linear\): .*input is float64, weight is float32, .*: convert the input, x.float\(\)$",
    ),
    "an array": (
        "nn.Sequential(nn.Flatten(), nn.Linear(4, 2))(array(3, 4))",
        r"layer 0 \(Flatten\): .*got ndarray: .*Tensor\(array\)$",
    ),
    "a batch that was not unpacked": (
        "nn.Sequential(nn.Flatten(), nn.Linear(4, 2))((images(3, 4), labels(3)))",
        r"layer 0 \(Flatten\): .*got tuple of 2: unpack it \(x, y = batch\)",
    ),
    "a forward without return": (
        block("self.conv2(y)"),
        r"layer features.1 \(ReLU\): .*got None: did a forward forget to return",
    ),
    "a layer for its result": (
        block("return self.conv2(self.conv1)"),
        r"layer features.0.conv2 \(Conv2d\): .*got Conv2d: call the module, layer\(x\)",
    ),
    "a residual of other channels": (
        block("return x + y"),
        r"layer features.0 \(Block\): add of \(4, 3, 32, 32\) and \(4, 8, 32, 32\): the lengths 3 and 8 of axis 1 must",
    ),
    "one-hot targets": (
        "F.cross_entropy(images(4, 10), F.one_hot(labels(4), 10))",
        r"\(4, 10\) and \(4, 10\): of one-hot rows, target.argmax\(1\) gives the labels$",
    ),
    "a column of labels": (
        "F.cross_entropy(images(4, 10), labels(4, 1))",
        r"\(4, 10\) and \(4, 1\): target.squeeze\(1\)",
    ),
    "float labels": (
        "F.cross_entropy(images(4, 10), tensor(array(4)))",
        r"whole numbers .*got float32: target.long\(\)$",
    ),
    "labels before scores": (
        "F.cross_entropy(labels(4), images(4, 10))",
        r"got int64 scores: give the scores of all classes first, and then the labels$",
    ),
    "labels from 1 on": (
        "F.cross_entropy(images(4, 10), labels(4) + 10)",
        r"label 10 at \(0,\) is no class: there are 0 to 9$",
    ),
    "one number per row": (
        "images(4, 10) * images(4)",
        r"mul of \(4, 10\) and \(4,\): .* \(4,\) fits as .reshape\(4, 1\)$",
    ),
    "one number per channel": (
        "images(4, 3, 8, 8) - images(3)",
        r"sub of \(4, 3, 8, 8\) and \(3,\): .* \(3,\) fits as .reshape\(3, 1, 1\)$",
    ),
    "in place": (
        "x = images(4, 10)\nx /= images(3)",
        r"div of \(4, 10\) and \(3,\): the lengths 10 and 3 of axis 1 must be equal, or 1$",
    ),
    "accuracy of another batch": (
        "(images(4, 10).argmax(1) == labels(5)).float().mean()",
        r"eq of \(4,\) and \(5,\): the lengths 4 and 5 of axis 0 ",
    ),
    "where": (
        "x = images(4, 10)\nwhere(x > 0, x, images(4))",
        r"where of \(4, 10\), \(4, 10\) and \(4,\): the lengths 10, 10 and 4 of axis 1 ",
    ),
    "predictions for the mean squared error": (
        "F.mse_loss(images(4, 10), images(4, 5))",
        r"mse_loss of \(4, 10\) and \(4, 5\): the lengths 10 and 5 of axis 1 ",
    ),
    "a matrix product without transposing": (
        "images(4, 10) @ images(4, 10)",
        r"matmul of \(4, 10\) and \(4, 10\): the last axis of the first",
    ),
    "stacks of other lengths": (
        "images(2, 4, 10) @ images(3, 10, 4)",
        r"matmul of \(2, 4, 10\) and \(3, 10, 4\): the axes before",
    ),
    "a transposed weight": (
        "F.linear(images(4, 10), images(10, 5))",
        r"weight \(10, 5\) means 5 inputs, .*\(4, 10\): a weight is \(out, in\), so weight.T would fit$",
    ),
    "the model for its parameters": (
        "SGD(nn.Linear(2, 2), lr=0.1)",
        r"takes model.parameters\(\), or a list, not a Linear$",
    ),
    "an if about several": ("if images(4) > 0: pass", r"shape \(4,\) is neither true nor false: .any\(\) or .all\(\)"),
    "lists of other lengths": (
        "tensor([[1.0, 2.0], [3.0]])",
        r"equally long: the one at index 0 holds 2, the one at 1 holds 1$",
    ),
    "loss without a reduction": (
        "nn.Linear(4, 2)(images(3, 4)).backward()",
        r"backward\(\) without a gradient .*shape \(3, 2\): .*\.mean\(\)",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_the_message_says(mistake):
    code, expected = MISTAKES[mistake]
    with warnings.catch_warnings(), pytest.raises((ValueError, TypeError, RuntimeError)) as refusal:
        warnings.simplefilter("ignore")
        exec(code, {"np": np, **ours()})
    message = str(refusal.value)
    assert re.search(expected, message), message
    assert message.count("layer ") <= 1 and "\n" not in message
    assert refusal.value.__context__ is None or refusal.value.__suppress_context__  # one traceback, not a chain


@pytest.mark.parametrize("mistake", MISTAKES)
def test_torch_refuses_it_too(torch, mistake):
    code, _ = MISTAKES[mistake]
    with warnings.catch_warnings(), pytest.raises((ValueError, TypeError, RuntimeError, IndexError, AttributeError)):
        warnings.simplefilter("ignore")
        exec(code, {"np": np, **theirs(torch)})


LESS_COMMON = [  # some without a hint, where nothing looks like a known mistake
    ("F.conv2d(images(1, 5, 5, 5), images(2, 3, 2, 2))", r"needs 3$"),
    ("F.conv2d(images(1, 6, 5, 3), images(4, 2, 2, 2), groups=2)", r"needs 4 with groups=2$"),  # 3 is not 4
    ("F.linear(images(3, 4, 5), images(2, 7))", r"shape \(3, 4, 5\)$"),
    ("F.linear(images(7), images(2, 3))", r"shape \(7,\)$"),
    ("images(2, 1, 4, 6) + images(3, 5, 6)", r"the lengths 4 and 5 of axis 2 must"),
    ("images(2, 4) + images(3, 5, 1)", r"the lengths 2 and 5 of axis 1 must"),
    (
        "F.clamp(images(2, 4), images(3), images(1))",
        r"\(2, 4\), \(3,\) and \(1,\): the lengths 4, 3 and 1 of axis 1 must",
    ),
    ("images(2, 4) // images(3)", r"^floor_divide of \(2, 4\) and \(3,\): "),
    ("(images(2, 4) > 0) & (images(3) > 0)", r"^& of \(2, 4\) and \(3,\): "),
    ("images(2, 4).masked_fill(images(2, 1, 3) > 0, 0)", r"^masked_fill of \(2, 4\) and \(2, 1, 3\): "),
    ("F.maximum(images(2, 4), images(3))", r"^maximum of \(2, 4\) and \(3,\): "),
    ("images(2, 4) ** images(3)", r"^pow of \(2, 4\) and \(3,\): "),
    (
        "F.cross_entropy(images(4, 10), labels(5))",
        r"got \(4, 10\) and \(5,\): there are 4 rows of scores, but 5 of labels$",
    ),
    ("F.cross_entropy(images(4, 10), labels(4, 9))", r"got \(4, 10\) and \(4, 9\)$"),
    (
        "images(4, 10) + images(3, 1, 3)",
        r"add of \(4, 10\) and \(3, 1, 3\): the lengths 10 and 3 of axis 2 must be equal, or 1$",
    ),
    ("F.conv2d(images(1, 2, 3, 3), tensor(np.zeros((1, 2, 1, 1))), tensor(array(1)))", r"convert with .to\(\)$"),
]


@pytest.mark.parametrize("code, expected", LESS_COMMON)
def test_less_common_ones(code, expected):
    with pytest.raises((ValueError, TypeError), match=expected):
        exec(code, {"np": np, **ours()})


@pytest.mark.parametrize(
    "value, expected",
    [
        ([[1.0, 2.0]], "got list: make a tensor first"),
        (3.0, "got float: make a tensor first"),
        (nn.ReLU, r"got the class ReLU: call the module, ReLU\(\)\(x\)"),
        ([Tensor([1.0])], r"got list of 1: unpack it"),
        ({"x": 1}, "got dict: wrap"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_a_tensor(value, expected):
    for function in (functional.relu, functional.flatten, functional.exp, lambda x: functional.softmax(x, 0)):
        with pytest.raises(TypeError, match=expected):
            function(value)
    with pytest.raises(TypeError, match=expected):
        functional.linear(Tensor([1.0]), Tensor([[1.0]]), value)


def test_a_tensor_of_torch(torch):
    with pytest.raises(TypeError, match=r"got a torch Tensor: Tensor\(value.detach\(\).numpy\(\)\)"):
        functional.relu(torch.zeros(3, requires_grad=True))


def test_a_hint_is_right():
    """What the messages tell to write works."""
    x, w = Tensor(np.zeros((4, 6, 7, 3), np.float32)), Tensor(np.zeros((2, 3, 2, 2), np.float32))
    assert functional.conv2d(x.permute(0, 3, 1, 2), w).shape == (4, 2, 5, 6)
    grey = Tensor(np.ones((4, 6, 7), np.float32)).unsqueeze(1)
    assert functional.conv2d(grey.expand(-1, 3, -1, -1), w).shape == (4, 2, 5, 6)
    labels = Tensor(np.array([3, 0]))
    assert functional.one_hot(labels, 5).argmax(1).tolist() == [3, 0]
    hints = 0
    for shape in ((4, 6, 7, 3), (4, 6, 7), (6,), (4, 1)):
        for other in ((6,), (4,), (7, 3), (4, 6)):
            try:
                Tensor(np.zeros(shape)) * Tensor(np.zeros(other))
            except ValueError as error:
                if hint := re.search(r"(\([\d, ]*\)) fits as .reshape(\(.*\))$", str(error)):
                    small, fitting = (eval(text) for text in hint.groups())
                    large = other if small == shape else shape
                    assert np.broadcast_shapes(large, fitting) == large and np.prod(small) == np.prod(fitting)
                    hints += 1
    assert hints >= 4
