"""Methods of Module and Sequential that a reader of the core may skip: taking apart, changing, walking through."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np


class IncompatibleKeys(NamedTuple):
    """What load_state_dict(state, strict=False) found: names of the module alone, names of the state alone."""

    missing_keys: list[str]
    unexpected_keys: list[str]


if TYPE_CHECKING:
    from ..tensor import Tensor
    from .module import Module


class ModuleMethods:
    """The base class of Module that holds them; it has no attributes of its own."""

    # The attributes that Module has.
    _parameters: dict[str, Any]
    _buffers: dict[str, Any]
    _modules: dict[str, Any]
    _not_in_state: set[str]
    training: bool
    children: Any
    named_buffers: Any
    parameters: Any
    to: Any

    def __delattr__(self, name: str) -> None:
        for home in (self._parameters, self._buffers, self._modules):
            if name in home:
                del home[name]
                return
        object.__delattr__(self, name)

    def _repr_html_(self):
        """For notebooks."""
        from ..support import html

        return html.of_module(self)

    def __dir__(self) -> list[str]:
        """Layers and parameters as well: for completion, and for "did you mean" in messages."""
        names = (*self._modules, *self._parameters, *self._buffers)
        return [*object.__dir__(self), *filter(str.isidentifier, names)]

    def apply(self, fn: Callable[[Any], object]) -> Self:
        """Call a function with every module below this one, and then with this one; returns self.

        fn: a function of a module, such as one that sets initial values.
        """
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def get_submodule(self, target: str) -> Any:
        """A module below this one.

        target: its name as in named_modules, such as "features.0"; "" for this module itself.

        Raises AttributeError where there is none.
        """
        module = self
        for name in target.split(".") if target else ():
            if module._modules.get(name) is None:
                below = ", ".join(module._modules) or "none"
                raise AttributeError(f"{type(module).__name__} has no module {name!r} ({target}); it has {below}")
            module = module._modules[name]
        return module

    def get_parameter(self, target: str) -> Any:
        """A parameter of this module or below it; AttributeError where there is none.

        target: its name as in named_parameters, such as "features.0.weight".
        """
        return self._member("_parameters", target)

    def get_buffer(self, target: str) -> Any:
        """A buffer of this module or below it; AttributeError where there is none.

        target: its name as in named_buffers, such as "norm.running_mean".
        """
        return self._member("_buffers", target)

    def _member(self, home, target):
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if getattr(module, home).get(name) is None:
            members = ", ".join(getattr(module, home)) or "none"
            raise AttributeError(f"{type(module).__name__} has no {home[1:-1]} {name!r} ({target}); it has {members}")
        return getattr(module, home)[name]

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a module under a name, as an assignment to the attribute does.

        name: of the attribute, without a dot.
        module: a Module, or None.

        Raises TypeError for anything else, KeyError for a name that a module cannot have.
        """
        if not isinstance(name, str) or not name or "." in name:
            raise KeyError(f"add_module: a name is a text without a dot, got {name!r}")
        if hasattr(self, name) and name not in self._modules:
            raise KeyError(f"add_module: {type(self).__name__} has an attribute {name!r} already")
        self._modules[name] = module if module is None else check_module(module, "add_module")

    register_module = add_module

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Every buffer of this module and, with recurse, all below it."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def float(self) -> Self:
        """Compute in float32; returns self."""
        return self.to(np.float32)

    def double(self) -> Self:
        """Compute in float64; returns self."""
        return self.to(np.float64)

    def type(self, dst_type: Any) -> Self:
        """Compute in another dtype; returns self. dst_type: np.float32 or np.float64."""
        return self.to(dst_type)

    def cpu(self) -> Self:
        """In the CPU's memory: nothing changes, unless the module is on a GPU; returns self."""
        on_gpu = any(t.backend.xp is not np for t in (*self.parameters(), *self.buffers()))
        return self.to("numpy") if on_gpu else self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Set the gradients of all parameters to None, or, with set_to_none=False, those that are there to 0."""
        for p in self.parameters():
            p.grad = None if set_to_none or p.grad is None else p.grad.zero_()


class BatchNormMethods:
    """Methods of BatchNorm2d: back to what a new one has."""

    weight: Any
    bias: Any
    running_mean: Any
    running_var: Any
    num_batches_tracked: Any

    def reset_running_stats(self) -> None:
        """Set the running mean to 0, the running variance to 1, the number of batches to 0, where there are any."""
        if self.running_mean is not None:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Set the running statistics, weight and bias to their initial values."""
        self.reset_running_stats()
        for parameter, value in ((self.weight, 1), (self.bias, 0)):
            if parameter is not None:
                parameter.detach().fill_(value)


def check_module(module: Any, place: str) -> Any:
    """Raise TypeError for what is not a Module; place: where it was to stand, for the message."""
    if not isinstance(module, ModuleMethods):
        raise TypeError(f"{place} takes modules, got {type(module).__name__}")
    return module


class SequentialMethods:
    """Changes of Sequential: `net[2] = layer`, `del net[2]`, append, insert, extend."""

    _modules: dict[str, Any]

    def _steps(self):
        """The layers, one after another; the numba backend computes a Conv2d and the ReLU behind it in one pass."""
        from .fused import steps  # which needs the layers, and they this

        return steps(list(self._modules.values()))

    def _name(self, index):
        names = list(self._modules)
        if not -len(names) <= index < len(names):
            raise IndexError(f"{type(self).__name__} has {len(names)} layers, none at index {index}")
        return names[index]

    def __setitem__(self, index: int, layer: Module) -> None:
        self._modules[self._name(index)] = check_module(layer, type(self).__name__)

    def __delitem__(self, index: int | slice) -> None:
        names = list(self._modules)
        for name in names[index] if isinstance(index, slice) else [self._name(index)]:
            del self._modules[name]
        if set(names) == {str(i) for i in range(len(names))}:  # not given by the user: numbered again
            self._renumber(self._modules.values())

    def _renumber(self, layers):
        layers = list(layers)
        self._modules.clear()
        self._modules.update((str(i), layer) for i, layer in enumerate(layers))

    def append(self, layer: Module) -> Self:
        """Add a layer at the end; returns self. layer: a Module."""
        return self.insert(len(self._modules), layer)

    def extend(self, layers: Iterable[Module]) -> Self:
        """Add layers at the end; returns self. layers: Modules."""
        for layer in layers:
            self.append(layer)
        return self

    def insert(self, index: int, layer: Module) -> Self:
        """Add a layer before another one; returns self.

        index: of the other one, as in list.insert; the layers behind it are renamed.
        layer: a Module.

        Raises ValueError between layers with names of their own.
        """
        check_module(layer, type(self).__name__)
        layers = list(self._modules.values())
        if index >= len(layers):
            name = str(len(layers))
            while name in self._modules:
                name += "_"
            self._modules[name] = layer
            return self
        if list(self._modules) != [str(i) for i in range(len(layers))]:
            raise ValueError("layers with names cannot be renumbered: make a new Sequential of all of them")
        layers.insert(index, layer)
        self._renumber(layers)
        return self


def loaded(name: str, given: Any, tensor: Any) -> Any:
    """A value of a state dict as an array of the backend and the dtype of the tensor that it is for.

    name: of the value, for the message.
    given: an array of any type of numbers and byte order, a number or a nested list.
    tensor: the Parameter or buffer.

    Raises ValueError for what is not numbers, and for a number that the dtype cannot hold.
    """
    try:
        if hasattr(given, "get"):  # an array on a GPU
            return tensor.backend.asarray(given, tensor.dtype)
        array = np.asarray(given)
        if array.dtype.kind not in "biuf" and array.dtype.name.startswith(("bfloat16", "float8")):  # of ml_dtypes
            array = array.astype(np.float32)
        if array.dtype.kind not in "biuf":
            raise TypeError(f"it holds {array.dtype}")
        if array.shape != tensor.shape:
            return array  # of which load_state_dict says only the shape: it may be far too large to be converted
        with np.errstate(over="ignore"):
            cast = array.astype(tensor.dtype, copy=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} of this state is not numbers: {error}") from None
    if array.dtype.kind == "f" and array.dtype.itemsize > cast.dtype.itemsize:
        beyond = np.isinf(cast) & np.isfinite(array)
        if beyond.any():
            raise ValueError(f"{name} of this state holds {array[beyond].flat[0]:g}, which {cast.dtype} cannot hold")
    return tensor.backend.asarray(cast)
