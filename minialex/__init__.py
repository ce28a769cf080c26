"""minialex: a small deep-learning framework to learn from, real enough to train AlexNet."""

from . import functional, models, nn, optim
from .backends import get_backend, use_backend
from .backends.devices import cuda, device
from .random import Generator, manual_seed
from .tape import is_grad_enabled, no_grad
from .tape import no_grad as inference_mode
from .tensor import Tensor

__version__ = "0.1.0"

__all__ = [
    "Generator",
    "Tensor",
    "cuda",
    "device",
    "functional",
    "get_backend",
    "inference_mode",
    "is_grad_enabled",
    "manual_seed",
    "models",
    "nn",
    "no_grad",
    "optim",
    "use_backend",
]
