"""Module, Parameter and Sequential: how layers become networks. Names, arguments and behaviour are torch's."""

from __future__ import annotations

from .. import tape
from ..support import absent
from ..support.types import TYPE_CHECKING, Any, Array, ArrayLike, DType, Iterator, Mapping, Self
from ..tensor import Tensor
from .hooks import HookedCall, HookMethods
from .module_methods import IncompatibleKeys, ModuleMethods, SequentialMethods, loaded
from .naming import name_layer


class Parameter(Tensor):
    """A leaf tensor that a Module lists among its parameters: what an optimiser changes.

    data, requires_grad, dtype, backend: as of Tensor.
    """

    __slots__ = ()

    def __init__(
        self, data: ArrayLike | Tensor, requires_grad: bool = True, dtype: DType | None = None, backend: Any = None
    ) -> None:
        super().__init__(data, requires_grad, dtype, backend)


class Module(ModuleMethods, HookMethods):
    """A part of a network: parameters, buffers and modules found among its attributes, and a `forward`.

    An error raised in a forward names the layer: "layer features.conv2 (Conv2d): ...".
    """

    def __init__(self) -> None:
        for name in ("_parameters", "_buffers", "_modules"):
            object.__setattr__(self, name, {})
        object.__setattr__(self, "_not_in_state", set())
        object.__setattr__(self, "training", True)
        object.__setattr__(self, "_hooks", {})

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """What the module computes; every subclass defines its own."""
        raise NotImplementedError(f"{type(self).__name__} has no forward()")

    def __call__(self, *inputs: Any, **options: Any) -> Tensor:
        hooked = HookedCall(self, inputs, options) if self.__dict__.get("_hooks") else None
        if hooked:
            inputs, options = hooked.inputs, hooked.options
        try:
            with tape.recording_module(self) as caller:
                output = self.forward(*inputs, **options)
        except Exception as error:
            name_layer(error, self, outermost=caller is None)
            raise
        return hooked.finish(output) if hooked else output

    def __setattr__(self, name: str, value: Any) -> None:
        if "_parameters" not in self.__dict__:
            raise AttributeError(f"call super().__init__() before setting {name!r}")
        homes = {Parameter: self._parameters, Module: self._modules, Tensor: self._buffers}
        for kind, home in homes.items():
            if name in home and not isinstance(value, kind | None):
                raise TypeError(f"{name} is a {kind.__name__}: assign another one, or None, not {type(value).__name__}")
            if name in home or (isinstance(value, kind) and kind is not Tensor):
                for other in (*homes.values(), self.__dict__):
                    if other is not home:
                        other.pop(name, None)
                home[name] = value
                return
        object.__setattr__(self, name, value)

    if not TYPE_CHECKING:  # to a type checker every name would be there

        def __getattr__(self, name):  # called only for what is no ordinary attribute
            for home in ("_parameters", "_buffers", "_modules"):
                if name in self.__dict__.get(home, ()):
                    return self.__dict__[home][name]
            absent.refuse("Module", name, self)

    def register_parameter(self, name: str, parameter: Parameter | None) -> None:
        """Add a parameter, or None for one that this module could have and does not.

        name: of the attribute.
        parameter: a Parameter or None.

        Raises TypeError for anything else.
        """
        if not isinstance(parameter, Parameter | None):
            raise TypeError(f"parameter {name!r} must be a Parameter or None, got {type(parameter).__name__}")
        self._parameters[name] = parameter

    def register_buffer(self, name: str, value: Tensor | None, persistent: bool = True) -> None:
        """Add a Tensor, or None, that belongs to the state but is not trained.

        name: of the attribute.
        value: a Tensor or None.
        persistent: whether state_dict() has it.

        Raises TypeError for anything else.
        """
        if not isinstance(value, Tensor | None):
            raise TypeError(f"buffer {name!r} must be a Tensor or None, got {type(value).__name__}")
        self._buffers[name] = value
        (self._not_in_state.discard if persistent else self._not_in_state.add)(name)

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """(name, module) of this module and of all below it, in order.

        memo: a set of modules that are left out, to which those that are listed are added.
        prefix: what every name begins with; this module's own name is the prefix alone.
        remove_duplicate: whether a module that stands in two places is listed once, under its first name.
        """
        memo = set() if memo is None else memo
        if remove_duplicate and self in memo:
            return
        memo.add(self)
        yield prefix, self
        for name, module in self.named_children():
            yield from module.named_modules(memo, _join(prefix, name), remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """This module and all below it."""
        return (module for _, module in self.named_modules())

    def children(self) -> Iterator[Module]:
        """The modules one level below."""
        return (module for _, module in self.named_children())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """(name, module) of the modules one level below."""
        return ((name, module) for name, module in self._modules.items() if module is not None)

    def _named(self, home, prefix="", recurse=True, remove_duplicate=True):
        seen = set()
        modules = self.named_modules(None, prefix, remove_duplicate) if recurse else [(prefix, self)]
        for prefix, module in modules:
            for name, value in getattr(module, home).items():
                if value is not None and not (remove_duplicate and id(value) in seen):
                    seen.add(id(value))
                    yield _join(prefix, name), value

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """(name, Parameter) of this module and all below it.

        prefix: what every name begins with.
        recurse: whether those of the modules below are listed.
        remove_duplicate: whether one that two modules share is listed once, under its first name.
        """
        return self._named("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Every Parameter of this module and, with recurse, all below it; shared ones once."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """(name, Tensor) of the state that is not trained.

        prefix, recurse, remove_duplicate: as of named_parameters.
        """
        return self._named("_buffers", prefix, recurse, remove_duplicate)

    def train(self, mode: bool = True) -> Self:
        """Switch to training behaviour (dropout drops), or with False to evaluation; returns self.

        mode: whether to train.
        """
        for _, module in self.named_modules():
            object.__setattr__(module, "training", mode)
        return self

    def eval(self) -> Self:
        """Switch to evaluation behaviour; returns self."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Switch the gradients of all parameters on, or off to freeze them; returns self.

        requires_grad: on or off.
        """
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def to(self, target: Any) -> Self:
        """Move all parameters and buffers to another backend or dtype, in place; returns self.

        target: a backend, its name, or a floating-point dtype; counters keep theirs.

        Raises TypeError for a dtype of integers.
        """
        for home in ("_parameters", "_buffers"):
            for _, t in self._named(home):
                moved = t.detach().to(target)
                if moved.dtype.kind != t.dtype.kind:
                    if t.dtype.kind == "f":
                        raise TypeError(f"a module computes in float32 or float64, not in {moved.dtype}")
                    continue
                t.backend, t._data, t.grad = moved.backend, moved.data, None
                t.bump_version()
        return self

    def _state(self, prefix=""):
        """(name, tensor) of every parameter and buffer, module by module; one that two modules share under both."""
        for path, module in self.named_modules(None, prefix, remove_duplicate=False):
            for name, t in (module._parameters | module._buffers).items():
                if t is not None and name not in module._not_in_state:
                    yield _join(path, name), t

    def state_dict(self, *, destination: Any = None, prefix: str = "", keep_vars: bool = False) -> dict[str, Array]:
        """Name -> array of every parameter and buffer; the arrays are the module's own, not copies.

        destination: a dict to which they are added; a new one if None.
        prefix: what every name begins with, such as "features.".
        keep_vars: whether the values are the Parameters and Tensors themselves.

        Weights that two modules share are listed under both names.
        """
        state = {} if destination is None else destination
        state.update((name, t if keep_vars else t.data) for name, t in self._state(prefix.removesuffix(".")))
        return state

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> IncompatibleKeys:
        """Copy arrays into the parameters and buffers of the same names.

        state: name -> array or Tensor.
        strict: whether a missing or an unexpected name is an error.

        Returns (missing_keys, unexpected_keys), a named tuple. Raises ValueError, before anything is changed, for
        shapes that differ, and for missing and unexpected names where strict.
        """
        own = dict(self._state())
        given_elsewhere = {id(t) for name, t in own.items() if name in state}  # under the other name of shared weights
        missing = [name for name, t in own.items() if name not in state and id(t) not in given_elsewhere]
        missing = [name for name in missing if not name.endswith("num_batches_tracked")]  # of before torch 0.4.1
        unexpected = [name for name in state if name not in own]
        values, faults = {}, []
        for name, t in own.items():
            if name in state:
                given = state[name].data if isinstance(state[name], Tensor) else state[name]
                values[name] = loaded(name, given, t)
        misshapen = [n for n, value in values.items() if value.shape != own[n].shape]
        if misshapen:
            described = (f"{n} (is {values[n].shape}, expected {own[n].shape})" for n in misshapen)
            faults = [f"misshapen: {', '.join(described)}"]
        if strict:
            faults += [f"missing: {', '.join(missing)}"] if missing else []
            faults += [f"unexpected: {', '.join(unexpected)}"] if unexpected else []
        if faults:
            raise ValueError(f"this state does not fit {type(self).__name__}: {'; '.join(faults)}")
        for name, value in values.items():
            own[name].data[...] = value
            own[name].bump_version()
        return IncompatibleKeys(missing, unexpected)

    def extra_repr(self) -> str:
        """What stands between the parentheses of the representation."""
        return ""

    def __repr__(self) -> str:
        lines = [f"({name}): {module!r}".replace("\n", "\n  ") for name, module in self._modules.items()]
        if not lines:
            return f"{type(self).__name__}({self.extra_repr()})"
        lines = [*self.extra_repr().splitlines(), *lines]
        return f"{type(self).__name__}(\n  " + "\n  ".join(lines) + "\n)"


def _join(prefix, name):
    return f"{prefix}.{name}" if prefix else name


class Sequential(SequentialMethods, Module):
    """Layers applied one after another.

        Sequential(a, b)      or, with names,      Sequential({"conv1": a, "relu1": b})

    layers: modules, or one dict of them.

    Raises TypeError for what is not a Module.
    """

    def __init__(self, *layers: Module | Mapping[str, Module]) -> None:
        super().__init__()
        named = layers[0] if len(layers) == 1 and isinstance(layers[0], dict) else dict(enumerate(layers))
        for name, layer in named.items():
            if not isinstance(layer, Module):
                raise TypeError(f"Sequential takes modules, but {name!r} is {type(layer).__name__}")
            self._modules[str(name)] = layer

    if TYPE_CHECKING:  # a layer by its name

        def __getattr__(self, name: str) -> Any: ...

    def forward(self, input: Tensor) -> Tensor:
        for layer in self._steps():
            input = layer(input)
        return input

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def __getitem__(self, index: Any) -> Any:
        layers = list(self._modules.items())
        return Sequential(dict(layers[index])) if isinstance(index, slice) else layers[index][1]
