"""Modules: layers and networks, with torch's names, arguments, representation and state_dict keys."""

# isort: skip_file
from functools import partial
from typing import TYPE_CHECKING

from ..support import absent
from .layers import (
    AdaptiveAvgPool2d, AvgPool2d, BatchNorm2d, Conv2d, Dropout, Flatten, Identity, LeakyReLU, Linear,
    LocalResponseNorm, MaxPool2d, ReLU, Sigmoid, Tanh,
)  # fmt: skip
from .losses import CrossEntropyLoss, MSELoss, NLLLoss
from .module import Module, Parameter, Sequential
from .more import LogSoftmax, ModuleDict, ModuleList, Softmax
from .operations import Add, Call, Concat, Multiply, Reshape
from .graph import Graph
from .tracing import Untraceable, trace
from . import init, utils

__all__ = [
    "AdaptiveAvgPool2d", "Add", "AvgPool2d", "BatchNorm2d", "Call", "Concat", "Conv2d", "CrossEntropyLoss", "Dropout",
    "Flatten", "Graph", "Identity", "LeakyReLU", "Linear", "LocalResponseNorm", "LogSoftmax", "MSELoss", "MaxPool2d",
    "Module", "ModuleDict", "ModuleList", "Multiply", "NLLLoss", "Parameter", "ReLU", "Reshape", "Sequential",
    "Sigmoid", "Softmax", "Tanh", "Untraceable", "init", "trace", "utils",
]  # fmt: skip

if not TYPE_CHECKING:  # to a type checker every name would be there
    __getattr__ = partial(absent.refuse, "nn")
