"""Modules: layers and networks, with torch's names, arguments, representation and state_dict keys."""

from __future__ import annotations

import math

import numpy as np

from . import functional, init, tape
from .tensor import Tensor
from .window import pair


class Parameter(Tensor):
    """A leaf tensor that a Module lists among its parameters: what an optimiser changes."""

    __slots__ = ()

    def __init__(self, data, requires_grad=True, dtype=None, backend=None):
        super().__init__(data, requires_grad, dtype, backend)


class Module:
    """A piece of a network: parameters, buffers and modules found among its attributes, and a `forward`."""

    def __init__(self):
        for name in ("_parameters", "_buffers", "_modules"):
            object.__setattr__(self, name, {})
        object.__setattr__(self, "training", True)

    def forward(self, *inputs):
        """What the module computes; every kind of module writes its own."""
        raise NotImplementedError(f"{type(self).__name__} has no forward()")

    def __call__(self, *inputs, **options):
        with tape.at_work(self):
            return self.forward(*inputs, **options)

    def __setattr__(self, name, value):
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

    def __getattr__(self, name):  # called only for what is no ordinary attribute
        for home in ("_parameters", "_buffers", "_modules"):
            if name in self.__dict__.get(home, ()):
                return self.__dict__[home][name]
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def register_parameter(self, name, parameter):
        """A Parameter, or None for one that this module might have but does not."""
        self._parameters[name] = parameter

    def register_buffer(self, name, value):
        """A Tensor, or None, that belongs to the state but is not trained. TypeError for anything else."""
        if not isinstance(value, Tensor | None):
            raise TypeError(f"buffer {name!r} must be a Tensor or None, got {type(value).__name__}")
        self._buffers[name] = value

    def named_modules(self, prefix=""):
        """(name, module) of this module and all below it, in order; its own name is empty."""
        yield prefix, self
        for name, module in self.named_children():
            yield from module.named_modules(_join(prefix, name))

    def named_children(self):
        """(name, module) of the modules one level below."""
        return ((name, module) for name, module in self._modules.items() if module is not None)

    def _named(self, home):
        seen = set()  # a tensor that two modules share is listed once, under its first name
        for prefix, module in self.named_modules():
            for name, value in getattr(module, home).items():
                if value is not None and id(value) not in seen:
                    seen.add(id(value))
                    yield _join(prefix, name), value

    def named_parameters(self):
        """(name, Parameter) of this module and all below it."""
        return self._named("_parameters")

    def parameters(self):
        """Every Parameter of this module and all below it."""
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self):
        """(name, Tensor) of the state that is not trained."""
        return self._named("_buffers")

    def train(self, mode=True):
        """Training behaviour (dropout drops), or with False that of evaluation; returns self."""
        for _, module in self.named_modules():
            object.__setattr__(module, "training", mode)
        return self

    def eval(self):
        """Behave as in evaluation; returns self."""
        return self.train(False)

    def zero_grad(self):
        """Forget all gradients."""
        for parameter in self.parameters():
            parameter.grad = None

    def to(self, target):
        """Move all parameters and buffers to another backend or dtype, in place; returns self."""
        for home in ("_parameters", "_buffers"):
            for _, t in self._named(home):
                moved = t.detach().to(target)
                t.backend, t._data, t.grad = moved.backend, moved.data, None
                t.bump_version()
        return self

    def state_dict(self):
        """Name -> array of every parameter and buffer; the arrays are the module's own, not copies."""
        return {name: t.data for named in (self.named_parameters(), self.named_buffers()) for name, t in named}

    def load_state_dict(self, state, strict=True):
        """Copy arrays (or Tensors) into the parameters and buffers of the same names.

        Returns (missing names, unexpected names). ValueError, before anything is changed: misshapen ones always,
        missing and unexpected ones where strict.
        """
        own = dict(self.named_parameters()) | dict(self.named_buffers())
        missing = [name for name in own if name not in state]
        unexpected = [name for name in state if name not in own]
        values, faults = {}, []
        for name, t in own.items():
            if name in state:
                given = state[name].data if isinstance(state[name], Tensor) else state[name]
                try:
                    values[name] = t.backend.asarray(given, t.dtype)
                except (TypeError, ValueError) as error:
                    raise ValueError(f"{name} of this state is not numbers: {error}") from None
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
        return missing, unexpected

    def extra_repr(self):
        """What stands between the parentheses in the representation."""
        return ""

    def __repr__(self):
        lines = [f"({name}): {module!r}".replace("\n", "\n  ") for name, module in self._modules.items()]
        if not lines:
            return f"{type(self).__name__}({self.extra_repr()})"
        return f"{type(self).__name__}(\n  " + "\n  ".join(lines) + "\n)"


def _join(prefix, name):
    return f"{prefix}.{name}" if prefix else name


class Sequential(Module):
    """Layers applied one after another: `Sequential(a, b)`, or with names `Sequential({"conv1": a, "relu1": b})`."""

    def __init__(self, *layers):
        super().__init__()
        named = layers[0] if len(layers) == 1 and isinstance(layers[0], dict) else dict(enumerate(layers))
        for name, layer in named.items():
            if not isinstance(layer, Module):
                raise TypeError(f"Sequential takes modules, but {name!r} is {type(layer).__name__}")
            self._modules[str(name)] = layer

    def forward(self, x):
        for layer in self._modules.values():
            x = layer(x)
        return x

    def __len__(self):
        return len(self._modules)

    def __iter__(self):
        return iter(self._modules.values())

    def __getitem__(self, index):
        layers = list(self._modules.items())
        return Sequential(dict(layers[index])) if isinstance(index, slice) else layers[index][1]


class Linear(Module):
    """y = x W^T + b, weight (out_features, in_features). Initially both ~ U(-1/sqrt(in), 1/sqrt(in)), as in torch."""

    def __init__(self, in_features, out_features, bias=True):
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(np.empty((out_features, in_features), np.float32))
        self.register_parameter("bias", Parameter(np.empty(out_features, np.float32)) if bias else None)
        _torch_initial_values(self)

    def forward(self, x):
        return functional.linear(x, self.weight, self.bias)

    def extra_repr(self):
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Conv2d(Module):
    """Convolution, weight (out_channels, in_channels / groups, KH, KW); see functional.conv2d.

    Initially weight and bias ~ U(-1/sqrt(fan_in), 1/sqrt(fan_in)), as in torch.
    """

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True):
        super().__init__()
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(f"Conv2d: groups={groups} must divide both {in_channels} and {out_channels} channels")
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = pair(kernel_size, "kernel_size")
        self.stride, self.dilation = pair(stride, "stride"), pair(dilation, "dilation")
        self.padding = padding if isinstance(padding, str) or np.iterable(padding) else pair(padding, "padding")
        self.weight = Parameter(np.empty((out_channels, in_channels // groups, *self.kernel_size), np.float32))
        self.register_parameter("bias", Parameter(np.empty(out_channels, np.float32)) if bias else None)
        _torch_initial_values(self)

    def forward(self, x):
        return functional.conv2d(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)

    def extra_repr(self):
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        text += f", padding={self.padding}" if self.padding != (0, 0) else ""
        text += f", dilation={self.dilation}" if self.dilation != (1, 1) else ""
        text += f", groups={self.groups}" if self.groups != 1 else ""
        return text + ("" if self.bias is not None else ", bias=False")


def _torch_initial_values(layer):
    init.kaiming_uniform_(layer.weight, a=math.sqrt(5))
    if layer.bias is not None:
        bound = 1 / math.sqrt(math.prod(layer.weight.shape[1:]))
        init.uniform_(layer.bias, -bound, bound)


class ReLU(Module):
    """y = max(x, 0)"""

    def __init__(self, inplace=False):
        super().__init__()
        self.inplace = inplace

    def forward(self, x):
        return functional.relu(x, self.inplace)

    def extra_repr(self):
        return "inplace=True" if self.inplace else ""


class Tanh(Module):
    """y = tanh(x)"""

    def forward(self, x):
        return functional.tanh(x)


class MaxPool2d(Module):
    """Largest value in every window; see functional.max_pool2d."""

    def __init__(self, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation, self.ceil_mode = padding, dilation, ceil_mode

    def forward(self, x):
        return functional.max_pool2d(x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)

    def extra_repr(self):
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class AvgPool2d(Module):
    """Mean of every window; see functional.avg_pool2d."""

    def __init__(
        self, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None
    ):
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.ceil_mode = padding, ceil_mode
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override

    def forward(self, x):
        return functional.avg_pool2d(
            x,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )

    def extra_repr(self):
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class LocalResponseNorm(Module):
    """y = x / (k + a sum of squares over neighbours)^beta; see functional.local_response_norm."""

    def __init__(self, size, alpha=1e-4, beta=0.75, k=1.0, *, alpha_over="window", within_channel=False, groups=1):
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k
        self.ours = {"alpha_over": alpha_over, "within_channel": within_channel, "groups": groups}

    def forward(self, x):
        return functional.local_response_norm(x, self.size, self.alpha, self.beta, self.k, **self.ours)

    def extra_repr(self):
        defaults = {"alpha_over": "window", "within_channel": False, "groups": 1}
        ours = "".join(f", {name}={value}" for name, value in self.ours.items() if value != defaults[name])
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}{ours}"


class Dropout(Module):
    """Zero activities at random in training; inverted=False is the paper's form; see functional.dropout."""

    def __init__(self, p=0.5, *, inverted=True, generator=None):
        super().__init__()
        self.p, self.inverted, self.generator = p, inverted, generator

    def forward(self, x):
        return functional.dropout(x, self.p, self.training, inverted=self.inverted, generator=self.generator)

    def extra_repr(self):
        return f"p={self.p}" + ("" if self.inverted else ", inverted=False")


class Flatten(Module):
    """Join the axes start_dim ... end_dim into one: from maps to the fully connected layers."""

    def __init__(self, start_dim=1, end_dim=-1):
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x):
        return functional.flatten(x, self.start_dim, self.end_dim)

    def extra_repr(self):
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class CrossEntropyLoss(Module):
    """Softmax and negative log-likelihood; see functional.cross_entropy."""

    def __init__(
        self, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean", label_smoothing=0.0
    ):
        super().__init__()
        self.register_buffer("weight", None if weight is None else Tensor(weight))
        self.options = (size_average, ignore_index, reduce, reduction, label_smoothing)

    def forward(self, input, target):
        return functional.cross_entropy(input, target, self.weight, *self.options)
