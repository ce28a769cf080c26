"""Modules: layers and networks, with torch's names, arguments, representation and state_dict keys."""

# isort: skip_file
from functools import partial
from typing import TYPE_CHECKING

from ..support import absent
from .convnet_layers import ContrastNorm, Local2d, StochasticPool2d
from .layers import (
    AdaptiveAvgPool2d, AvgPool2d, BatchNorm2d, Conv2d, Dropout, Flatten, Identity, LeakyReLU, Linear,
    LocalResponseNorm, MaxPool2d, ReLU, Sigmoid, Tanh,
)  # fmt: skip
from .losses import (
    BCELoss, BCEWithLogitsLoss, CrossEntropyLoss, HuberLoss, L1Loss, MSELoss, NLLLoss, SmoothL1Loss,
)  # fmt: skip
from .module import Module, Parameter, Sequential
from .more import LogSoftmax, ModuleDict, ModuleList, Softmax
from .more_layers import (
    ELU, GELU, AdaptiveMaxPool2d, BatchNorm1d, ConstantPad2d, Dropout2d, SiLU, Softplus, Upsample, ZeroPad2d,
)  # fmt: skip
from .operations import Add, Call, Concat, Multiply, Reshape
from .graph import Graph
from .tracing import Untraceable, trace
from . import functional, fused as fused, init, utils

__all__ = [
    "AdaptiveAvgPool2d", "AdaptiveMaxPool2d", "Add", "AvgPool2d", "BCELoss", "BCEWithLogitsLoss", "BatchNorm1d",
    "BatchNorm2d", "Call", "Concat", "ConstantPad2d", "ContrastNorm", "Conv2d", "CrossEntropyLoss", "Dropout",
    "Dropout2d", "ELU", "Flatten", "GELU", "Graph", "HuberLoss", "Identity", "L1Loss", "LeakyReLU", "Linear", "Local2d",
    "LocalResponseNorm", "LogSoftmax", "MSELoss", "MaxPool2d", "Module", "ModuleDict", "ModuleList", "Multiply",
    "NLLLoss", "Parameter", "ReLU", "Reshape", "Sequential", "SiLU", "Sigmoid", "SmoothL1Loss", "Softmax", "Softplus",
    "StochasticPool2d", "Tanh", "Untraceable", "Upsample", "ZeroPad2d", "functional", "init", "trace", "utils",
]  # fmt: skip

if not TYPE_CHECKING:  # to a type checker every name would be there
    __getattr__ = partial(absent.refuse, "nn")
