"""What `minialex.relu` and `minialex.cuda` are, as scripts have `torch.relu`: a function, or a sentence."""

from __future__ import annotations

import importlib
import types
from collections.abc import Callable
from typing import Any

from . import functional
from .support import absent

# The functions that torch has in torch.nn.functional alone, or elsewhere with other arguments.
_FUNCTIONAL_ALONE = {
    "adaptive_avg_pool2d", "adaptive_max_pool2d", "avg_pool2d", "batch_norm", "binary_cross_entropy", "contrast_norm",
    "cross_entropy",
    "dropout", "dropout2d", "elu", "expand", "gelu", "getitem", "huber_loss", "interpolate", "l1_loss", "leaky_relu",
    "linear", "local2d", "local_response_norm", "mse_loss", "nll_loss", "normalize", "one_hot", "pad", "repeat", "silu",
    "smooth_l1_loss", "softplus", "stochastic_pool2d", "to", "unbroadcast",
}  # fmt: skip
FUNCTIONS = frozenset(functional.__all__) - _FUNCTIONAL_ALONE
# Methods of Tensor that torch has as functions of a tensor.
METHODS = frozenset({"detach", "is_floating_point", "numel"})


def getattr_of(namespace: dict[str, Any]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """(`__getattr__`, `__dir__`) of the package.

    namespace: of the package.
    """

    def __getattr__(name: str) -> Any:
        if name in FUNCTIONS:
            return getattr(functional, name)
        if name in METHODS:
            return _method(name)
        if name == "utils":  # torch.utils.data, written out
            return types.SimpleNamespace(data=importlib.import_module(".data", __package__))
        absent.refuse_at_the_top(name, namespace["__path__"])

    return __getattr__, lambda: sorted({*namespace, *FUNCTIONS, *METHODS})


def _method(name: str) -> Callable[..., Any]:
    def function(input: Any, *arguments: Any, **options: Any) -> Any:
        return getattr(input, name)(*arguments, **options)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"As Tensor.{name}: the first argument is the tensor."
    return function
