"""minialex: a small deep-learning framework to learn from, real enough to train AlexNet."""

# isort: skip_file

from .support import starting as _starting  # noqa: F401  # before what takes long to import

from math import e, inf, nan, pi
from typing import TYPE_CHECKING

import numpy as _np

from . import functional, models, nn, optim, torch_names
from .backends import get_backend, use_backend
from .backends.devices import cuda, device
from .creation import (
    arange, as_tensor, empty, empty_like, eye, from_numpy, full, full_like, is_tensor, linspace, ones, ones_like, rand,
    rand_like, randint, randn, randn_like, randperm, zeros, zeros_like,
)  # fmt: skip
from .grad_modes import enable_grad, set_grad_enabled
from .random import Generator, manual_seed
from .saving import load, save
from .tape import is_grad_enabled, no_grad
from .tape import no_grad as inference_mode
from .tensor import Tensor

__version__ = "0.1.0"

__all__ = [
    "Generator", "Tensor", "arange", "as_tensor", "cuda", "device", "e", "empty", "empty_like", "enable_grad", "eye",
    "from_numpy", "full", "full_like", "functional", "get_backend", "inf", "inference_mode", "is_grad_enabled",
    "is_tensor", "linspace", "load", "manual_seed", "models", "nan", "nn", "no_grad", "ones", "ones_like", "optim",
    "pi", "rand", "rand_like", "randint", "randn", "randn_like", "randperm", "save", "set_grad_enabled",
    "use_backend", "zeros", "zeros_like",
]  # fmt: skip

# torch's names of shapes and dtypes, some of which are Python's names of other things: `import *` leaves them here
dtype = _np.dtype
Size = tuple
float32 = float = _np.float32
float64 = double = _np.float64
int8, int16, int32, int64, uint8 = _np.int8, _np.int16, _np.int32, _np.int64, _np.uint8
short, int, long, bool = int16, int32, int64, _np.bool_

if TYPE_CHECKING:
    from .creation import tensor as tensor
    from .functional import *  # noqa: F403
else:  # relu, softmax, cat ...: looked up when they are asked for, so that a function that was replaced is found
    __getattr__, __dir__ = torch_names.getattr_of(globals())
