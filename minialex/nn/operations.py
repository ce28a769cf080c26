"""Functions as layers, for a Graph: sums, products and concatenations of several inputs, and any other function."""

from __future__ import annotations

import inspect
from typing import Any

from .. import functional
from ..tensor import Tensor
from .module import Module


class Add(Module):
    """Sum of its inputs, which broadcast together: y = x1 + x2 + ..."""

    def forward(self, *inputs: Any) -> Tensor:
        total = inputs[0]
        for x in inputs[1:]:
            total = functional.add(total, x)
        return total


class Multiply(Module):
    """Product of its inputs, element by element; they broadcast together: y = x1 x2 ..."""

    def forward(self, *inputs: Any) -> Tensor:
        product = inputs[0]
        for x in inputs[1:]:
            product = functional.mul(product, x)
        return product


class Concat(Module):
    """Its inputs joined along an axis; see functional.concatenate.

    dim: the axis; 1, the channels, by default.
    """

    def __init__(self, dim: int = 1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, *inputs: Any) -> Tensor:
        return functional.concatenate(inputs, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Reshape(Module):
    """The same elements of every image in another shape: (N, ...) -> (N, *shape).

    shape: without the batch; one of the numbers may be -1.
    """

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.shape = tuple(shape)

    def forward(self, x: Tensor) -> Tensor:
        return functional.reshape(x, (x.shape[0], *self.shape))

    def extra_repr(self) -> str:
        return ", ".join(map(str, self.shape))


class Call(Module):
    """A function of minialex.functional as a layer: `Call("clamp", min=0, max=6)`.

    function: its name.
    arguments: arguments of the function. The layer's inputs are those that are left, in the function's order:
        `Call("sub", input=1)` computes 1 - x.

    Raises ValueError for an unknown function, and for an argument that it does not have.
    """

    def __init__(self, function: str, **arguments: Any) -> None:
        super().__init__()
        if function not in functional.__all__:
            raise ValueError(f"Call: minialex.functional has no function {function!r}")
        self.function, self.arguments = function, arguments
        known = inspect.signature(getattr(functional, function)).parameters
        if unknown := [name for name in arguments if name not in known]:
            raise ValueError(f"Call: {function} has no argument {unknown[0]!r}; it has {', '.join(known)}")
        self._free = [name for name in known if name not in arguments]

    def forward(self, *inputs: Any) -> Any:
        if len(inputs) > len(self._free):
            raise ValueError(f"{self.function} takes {len(self._free)} inputs beside its arguments, got {len(inputs)}")
        return getattr(functional, self.function)(**dict(zip(self._free, inputs)), **self.arguments)

    def extra_repr(self) -> str:
        return ", ".join([f'"{self.function}"', *(f"{name}={_short(v)}" for name, v in self.arguments.items())])


def _short(value):
    return f"array of shape {value.shape}" if getattr(value, "ndim", 0) else repr(value)
