"""Modules and conveniences for them that a reader of the core may skip."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import ItemsView, Iterable, Iterator, KeysView, ValuesView
from typing import Any

from .. import functional
from ..tensor import Tensor
from .module import Module
from .module_methods import SequentialMethods, check_module


@contextlib.contextmanager
def evaluating(model: Module) -> Iterator[Module]:
    """Within `with evaluating(model):` it is in evaluation mode; afterwards each module is in the mode it was in."""
    before = [(module, module.training) for _, module in model.named_modules()]
    model.eval()
    try:
        yield model
    finally:
        for module, training in before:
            module.training = training


class Softmax(Module):
    """Probabilities along an axis; see functional.softmax.

    dim: the axis. None for torch's old choice, with a warning: 0 for one or three axes, else 1.
    """

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        return functional.softmax(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(Softmax):
    """Logarithms of probabilities along an axis; see functional.log_softmax.

    dim: as of Softmax.
    """

    def forward(self, input: Tensor) -> Tensor:
        return functional.log_softmax(input, self.dim)


class ModuleList(SequentialMethods, Module):
    """A list of modules, whose parameters belong to the module that it is an attribute of; it has no forward.

    modules: an iterable of modules.

    Raises TypeError for what is not a Module.
    """

    def __init__(self, modules: Iterable[Module] | None = ()) -> None:
        super().__init__()
        self.extend(modules or ())

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def __getitem__(self, index: Any) -> Any:
        return ModuleList(list(self)[index]) if isinstance(index, slice) else self._modules[self._name(index)]

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])

    def __repr__(self) -> str:
        """As torch's: modules of one representation that follow each other share a line."""
        lines, start = [], 0
        for text, same in itertools.groupby(map(repr, self)):
            count = len(list(same))
            name = f"({start}): " if count == 1 else f"({start}-{start + count - 1}): {count} x "
            lines.append((name + text).replace("\n", "\n  "))
            start += count
        name = type(self).__name__
        return f"{name}(\n  " + "\n  ".join(lines) + "\n)" if lines else f"{name}()"

    def __iadd__(self, other: Iterable[Module]) -> ModuleList:
        return self.extend(other)

    def pop(self, index: int = -1) -> Module:
        """Remove a module and return it; index: which, the last one by default."""
        module = self[index]
        del self[index]
        return module


class ModuleDict(Module):
    """A dict of modules, whose parameters belong to the module that it is an attribute of; it has no forward.

    modules: a dict, or an iterable of (name, module).

    Raises TypeError for what is not a Module, KeyError for names that a module cannot have.
    """

    def __init__(self, modules: Any = ()) -> None:
        super().__init__()
        self.update(modules or ())

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, name: str) -> bool:
        return name in self._modules

    def __getitem__(self, name: str) -> Any:
        return self._modules[name]

    def __setitem__(self, name: str, module: Module) -> None:
        if not isinstance(name, str) or not name or "." in name:
            raise KeyError(f"ModuleDict: a name is a text without a dot, got {name!r}")
        self._modules[name] = check_module(module, "ModuleDict")

    def __delitem__(self, name: str) -> None:
        del self._modules[name]

    def keys(self) -> KeysView[str]:
        """The names."""
        return self._modules.keys()

    def values(self) -> ValuesView[Any]:
        """The modules."""
        return self._modules.values()

    def items(self) -> ItemsView[str, Any]:
        """(name, module) of each."""
        return self._modules.items()

    def update(self, modules: Any) -> None:
        """Add modules, or replace those of the same names; modules: a dict, or an iterable of (name, module)."""
        for name, module in modules.items() if hasattr(modules, "items") else modules:
            self[name] = module

    def pop(self, name: str) -> Module:
        """Remove a module and return it; name: of the module."""
        return self._modules.pop(name)

    def clear(self) -> None:
        """Remove all modules."""
        self._modules.clear()
