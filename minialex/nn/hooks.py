"""Hooks of modules: functions that are called before and after `forward`, and when gradients pass through a module.

For the gradients, inputs and outputs of the module pass through an operation that does nothing but wait until the
gradients of all of them have arrived, and hands these to the hooks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..support.handle import Handle
from ..tape import Version, no_grad
from ..tensor import Tensor


class HookMethods:
    """A base class of Module: how hooks are registered. It has no attributes of its own."""

    _hooks: dict[str, dict[int, Any]]

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> Handle:
        """Call hook(module, inputs) before every forward; a result that is not None replaces the inputs.

        hook: a function of the module and the tuple of its inputs; it returns None, a tuple of all inputs, or the one.
        prepend: whether it is called before the hooks that are there.
        with_kwargs: whether it is hook(module, inputs, options), with the keyword arguments, and returns both or None.

        Returns a handle: `handle.remove()`, or the end of a `with handle:` block, removes the hook.
        """
        return self._add_hook("forward pre", (hook, with_kwargs), prepend)

    def register_forward_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> Handle:
        """Call hook(module, inputs, output) after every forward; a result that is not None replaces the output.

        hook: a function of the module, the tuple of its inputs and its output.
        prepend: whether it is called before the hooks that are there.
        with_kwargs: whether it is hook(module, inputs, options, output), with the keyword arguments.

        Returns a handle, as register_forward_pre_hook does.
        """
        return self._add_hook("forward", (hook, with_kwargs), prepend)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> Handle:
        """Call hook(module, grad_input, grad_output) when backward() has the gradients of the module's inputs.

        hook: a function of the module and two tuples of Tensors, the gradients of its inputs and of its outputs, with
            None where there is none; what it returns, unless None, replaces the gradients of the inputs.
        prepend: whether it is called before the hooks that are there.

        In and out of the module go views, which are not written to: an in-place ReLU in such a module, or behind it,
        raises RuntimeError, as in torch. Inputs given by keyword are not seen.
        Returns a handle, as register_forward_pre_hook does.
        """
        return self._add_hook("backward", hook, prepend)

    def register_full_backward_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> Handle:
        """Call hook(module, grad_output) when backward() arrives at the module.

        hook: a function of the module and a tuple of Tensors, the gradients of its outputs, with None where there is
            none; what it returns, unless None, replaces them.
        prepend: whether it is called before the hooks that are there.

        Returns a handle, and raises, as register_full_backward_hook does.
        """
        return self._add_hook("backward pre", hook, prepend)

    def _add_hook(self, kind, hook, prepend):
        return Handle(self._hooks.setdefault(kind, {}), hook, prepend)

    def _hooks_of(self, kind):
        return tuple(self._hooks.get(kind, {}).values())


class HookedCall:
    """A call of a module that has hooks: what they make of its inputs, and in the end of its output.

    module: the Module.
    inputs, options: of the call.
    """

    def __init__(self, module: Any, inputs: Any, options: Any) -> None:
        for hook, with_kwargs in module._hooks_of("forward pre"):
            given = hook(module, inputs, options) if with_kwargs else hook(module, inputs)
            if given is None:
                continue
            if not with_kwargs:
                inputs = given if isinstance(given, tuple) else (given,)
            elif isinstance(given, tuple) and len(given) == 2:
                inputs, options = given
            else:
                raise TypeError("a forward pre-hook with kwargs returns None or the pair (inputs, options)")
        self.module, self.inputs, self.options = module, inputs, options
        self.watches_gradients = bool(module._hooks_of("backward") or module._hooks_of("backward pre"))
        self.grad_output: tuple[Any, ...] = ()
        self.waits = False  # whether gradients of inputs will come
        if self.watches_gradients:
            self.inputs, self.waits = _together(inputs, self._inputs_arrived)

    def finish(self, output: Any) -> Any:
        """The output as the hooks leave it. output: what forward returned."""
        for hook, with_kwargs in self.module._hooks_of("forward"):
            arguments = (self.inputs, self.options) if with_kwargs else (self.inputs,)
            replaced = hook(self.module, *arguments, output)
            output = output if replaced is None else replaced
        if not self.watches_gradients:
            return output
        if isinstance(output, (tuple, list)):
            together, _ = _together(tuple(output), self._outputs_arrived)
            return together if type(output) is tuple else type(output)(together)
        return _together((output,), self._outputs_arrived)[0][0]

    def _outputs_arrived(self, gradients):
        self.grad_output = gradients
        for hook in self.module._hooks_of("backward pre"):
            self.grad_output = _replaced(hook(self.module, self.grad_output), self.grad_output)
        if not self.waits:
            for hook in self.module._hooks_of("backward"):
                hook(self.module, (None,) * len(self.inputs), self.grad_output)
        return self.grad_output

    def _inputs_arrived(self, gradients):
        for hook in self.module._hooks_of("backward"):
            gradients = _replaced(hook(self.module, gradients, self.grad_output), gradients)
        return gradients


def _replaced(given, before):
    """The gradients that a hook returned, in the place of those that it was given."""
    if given is None:
        return before
    given = given if isinstance(given, tuple) else (given,)
    if len(given) != len(before):
        raise RuntimeError(f"a backward hook returned {len(given)} gradients in the place of {len(before)}")
    return given


def _together(values, hook):
    """The same values, with one call of `hook` when the gradients of all of them have arrived.

    values: a tuple; what requires no gradient passes.
    hook: a function of a tuple of gradients, Tensors or None, a member for each value; returns such a tuple.

    Returns (tuple of values, whether any has a gradient).
    """
    places = [i for i, v in enumerate(values) if isinstance(v, Tensor) and v.records_grad]
    if not places:
        return values, False
    tensors = [values[i] for i in places]
    like = [(i, t.backend, t.shape, t.dtype) for i, t in zip(places, tensors, strict=True)]
    xp = tensors[0].backend.xp
    signal = xp.zeros((), tensors[0].dtype)
    arrived = {}

    def all_arrived(_):
        given: list = [None] * len(values)
        for i, backend, _, _ in like:
            if i in arrived:
                given[i] = Tensor._holding(arrived[i].copy(), backend, Version())
        with no_grad():
            after = hook(tuple(given))
        result = []
        for i, backend, shape, dtype in like:
            if after[i] is None:
                result.append(backend.xp.zeros(shape, dtype))
            elif after[i] is given[i] and not given[i].version:
                result.append(arrived[i])
            else:
                result.append(_array(after[i], backend, shape, dtype))
        arrived.clear()
        return tuple(result)

    joint = Tensor.from_operation(signal, _later, *tensors, name="hooks")
    joint.node.backward = all_arrived  # only now: what hooks lead to is nothing that an operation has saved
    result = list(values)
    for i in places:

        def passed(gy, i=i):
            arrived[i] = gy
            return (xp.zeros_like(signal),)

        y = Tensor.from_operation(values[i].data, _later, joint, name="hooked")
        y._version = values[i]._version
        y._version.viewed = True
        y.node.backward = passed
        result[i] = y
    return tuple(result), True


def _array(gradient, backend, shape, dtype):
    array = backend.asarray(gradient.data if isinstance(gradient, Tensor) else gradient, dtype)
    if array.shape != shape:
        raise ValueError(f"a backward hook returned a gradient of shape {array.shape}, expected {shape}")
    return array.copy()


def _later(gy):
    raise AssertionError("replaced before it is called")
