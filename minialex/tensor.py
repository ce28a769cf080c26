"""Tensor: an array and, where it requires a gradient, the tape that leads back to what it was computed from."""

from __future__ import annotations

import operator

import numpy as np

from . import backends, tape
from .support import mistakes
from .support.types import Any, Array, ArrayLike, Callable, Dims, DType, Iterable, Self, Sequence, Shape, TypeAlias
from .tape import is_grad_enabled, no_grad  # noqa: F401  no_grad belongs to the tensor, a reader finds it here
from .tensor_methods import TensorMethods, sequence

Operand: TypeAlias = "Tensor | Array | float"  # what arithmetic takes


class Tensor(TensorMethods):
    """An array and, where `requires_grad`, the tape that leads back to what it was computed from.

    data: an array, number, nested list or Tensor; an array is not copied.
    requires_grad: whether backward() is to leave a gradient in `.grad`.
    dtype: float32, float64, an integer type or bool. If None, arrays keep theirs and Python floats become float32.
    backend: a backend or its name; the default one if None.

    Raises TypeError for any other type, and where requires_grad meets a type that is not floating-point.
    """

    __slots__ = ("__weakref__", "_data", "_grad_tensor", "_hooks", "_requires_grad", "_version", "backend", "node")

    def __init__(
        self, data: ArrayLike | Tensor, requires_grad: bool = False, dtype: DType | None = None, backend: Any = None
    ) -> None:
        source: Tensor | None = data if isinstance(data, Tensor) else None
        if source is not None:
            backend, data = backend or source.backend, source.data
        self.backend: Any = backends.get_backend(backend)
        try:
            self._data = self.backend.asarray(data, dtype)
        except ValueError as error:
            raise ValueError(mistakes.about_lists(data, error)) from None
        self._version: tape.Version = source._version if source is not None and self._data is data else tape.Version()
        self._hooks = None
        self._grad_tensor, self.node, self._requires_grad = None, None, False
        self.requires_grad_(bool(requires_grad))

    @classmethod
    def from_operation(
        cls, data: Any, backward: Callable[[Any], Sequence[Any]], *parents: Any, name: str = "operation",
        saves: Iterable[Any] | None = None, view: bool = False, backend: Any = None,
    ) -> Tensor:  # fmt: skip
        """The result of an operation, recorded on the tape.

        data: the result, an array.
        backward: gy -> a tuple with the gradient of each parent, in order, None allowed for one that needs none. Each
            is gy itself,
            a view, or a fresh array, of the parent's shape and dtype.
        parents: the input Tensors, None for an argument that was left out.
        name: of the operation, for messages and pictures.
        saves: arrays and tensors that backward keeps inside an object that the engine cannot search. What it keeps in
            variables,
            containers and attributes is found, and watched for changes, without being declared.
        view: whether `data` shares the first parent's memory.
        backend: of `data`, where it is not the parents'.

        Raises TypeError where backward keeps an object that cannot be searched and nothing is declared.
        """
        result = cls._holding(data, backend or parents[0].backend, parents[0]._version if view else tape.Version())
        result._version.viewed |= view
        result._requires_grad = is_grad_enabled() and any(p is not None and p._requires_grad for p in parents)
        if result._requires_grad:
            result.node = tape.Node(name, backward, parents, result, saves)
        return result

    @classmethod
    def _holding(cls, data, backend, version):
        """A leaf around an array as it is, contiguous or not."""
        result = cls.__new__(Tensor)
        result.backend, result._version = backend, version
        result._data = data if isinstance(data, backend.xp.ndarray) else backend.xp.asarray(data)
        result._hooks = None
        result._grad_tensor, result.node, result._requires_grad = None, None, False
        return result

    def check_in_place(self, name: str) -> None:
        """Raise RuntimeError where overwriting this tensor's array would lose a gradient.

        name: of the operation that is about to do so.
        """
        if self.records_grad and self.is_leaf:
            raise RuntimeError(
                f"{name} in place would lose the value of a leaf that requires a gradient: make a new tensor "
                "(inplace=False), or write under no_grad()"
            )
        if self.records_grad and self._version.viewed:
            raise RuntimeError(
                f"{name} in place would lose a gradient, since a view (reshape, ...) shares the array: "
                "make a new tensor (inplace=False)"
            )

    def rewritten_by(self, backward: Callable[[Any], Sequence[Any]], name: str) -> Tensor:
        """Record that an operation has overwritten this tensor's array; returns self.

        backward, name: as of from_operation. What the tensor was computed from becomes the operation's input.
        """
        self.bump_version()
        if self.records_grad:
            before, self.node = self.node, tape.Node(name, backward, (self,), self)
            self._keep_retaining(before)
        return self

    @property
    def data(self) -> Array:
        """The raw array, of `backend.xp`: here the world of arrays begins, torch's `.data` is a Tensor.

        Assigning to it counts as a change of the value; writing into it goes unseen.
        """
        return self._data

    @data.setter
    def data(self, value: Any) -> None:
        value = self.backend.asarray(value._data if isinstance(value, Tensor) else value, self.dtype)
        if value.shape != self.shape:
            raise ValueError(f"this tensor has shape {self.shape}, the new data {value.shape}")
        self._data = value
        self.bump_version()

    @property
    def version(self) -> int:
        """How often the value was changed in place; views share it."""
        return self._version.count

    def bump_version(self) -> None:
        """Count a change, to be called after writing into `.data`: backward then refuses to use the old value."""
        self._version.count += 1

    @property
    def records_grad(self) -> bool:
        """Whether an operation on this tensor must record its backward now."""
        return self.requires_grad and is_grad_enabled()

    @property
    def is_leaf(self) -> bool:
        """Whether the user made this tensor, rather than an operation that was recorded."""
        return self.node is None

    @property
    def edge(self) -> Any:
        """Where a gradient of this tensor goes: to the node that made it, or into `.grad` of a leaf."""
        return self.node or self

    def backward(
        self, gradient: Operand | None = None, retain_graph: bool | None = None, create_graph: bool = False,
        inputs: Any = None,
    ) -> None:  # fmt: skip
        """Add d(self)/d(leaf) to `.grad` of every leaf that requires a gradient.

            gradient of a leaf = sum over all paths of the product of local derivatives, contracted with `gradient`

        gradient: an array or Tensor of this shape; 1 if None, for a tensor of one element.
        retain_graph: keep what the operations saved, so that backward() may pass through them again.
        create_graph, inputs: torch's, refused.

        Raises RuntimeError where no gradient is required, none is given for several elements, the same part of the
        graph was used before, or a saved value has changed; ValueError for a gradient of another shape. Nothing is
        added then.
        """
        if not self.requires_grad:
            raise RuntimeError(
                "backward() from a tensor that requires no gradient: nothing below it has requires_grad=True, "
                "or it was computed under no_grad()"
            )
        if create_graph or inputs is not None:
            raise ValueError(
                "backward() computes first derivatives, for every leaf: create_graph and inputs are torch's alone; "
                "requires_grad_(False) takes a leaf out"
            )
        with tape.retaining_graph(bool(retain_graph)):
            tape.backward(self.edge, self._first_gradient(gradient))

    def _first_gradient(self, gradient):
        if gradient is None:
            if self.numel() != 1:
                raise RuntimeError(
                    f"backward() without a gradient needs a single element, this tensor has shape {self.shape}: "
                    "reduce it to a loss first (.mean(), .sum()), or pass a gradient of its shape"
                )
            return self.backend.xp.ones(self.shape, self.dtype)
        gradient = gradient.data if isinstance(gradient, Tensor) else gradient
        gradient = self.backend.asarray(gradient, self.dtype)
        if gradient.shape != self.shape:
            raise ValueError(f"backward() needs a gradient of the tensor's shape {self.shape}, got {gradient.shape}")
        return gradient

    def detach(self) -> Tensor:
        """A Tensor of the same array and version that is not connected to the tape."""
        return Tensor._holding(self._data, self.backend, self._version)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Switch the gradient of a leaf on or off, in place; returns self.

        requires_grad: on or off.

        Raises RuntimeError for a computed tensor, TypeError for integers.
        """
        if not self.is_leaf:
            raise RuntimeError("requires_grad can be set on leaves only; use detach() to cut a computed tensor off")
        if requires_grad and self.dtype.kind != "f":
            raise TypeError(f"only floating-point tensors can require gradients, this one is {self.dtype}")
        self._requires_grad = requires_grad
        return self

    @property
    def requires_grad(self) -> bool:
        """Whether backward() is to leave a gradient in `.grad`, or passes through here. Assigning: requires_grad_."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(bool(value))

    @property
    def grad(self) -> Tensor | None:
        """The gradient that backward() left, a Tensor, or None; the same one until it is replaced.

        Assigning takes None, or a Tensor or array of this tensor's backend, shape and dtype, which is not copied.
        """
        return self._grad_tensor

    @grad.setter
    def grad(self, value: Tensor | Array | None) -> None:
        self._grad_tensor = None if value is None else self._checked_grad(value)

    @property
    def _grad(self):
        """The array of `.grad`, or None: what optimisers and backends compute with."""
        return None if self._grad_tensor is None else self._grad_tensor._data

    @property
    def shape(self) -> Shape:
        return self._data.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._data.dtype

    @property
    def ndim(self) -> int:
        return self._data.ndim

    @property
    def T(self) -> Tensor:
        """The axes in the opposite order: of a matrix, the transpose."""
        return functional.permute(self, range(self.ndim)[::-1])

    def size(self, dim: int | None = None) -> Any:
        return self.shape if dim is None else self.shape[dim]

    def numel(self) -> int:
        """The number of elements."""
        return self._data.size

    def numpy(self, *, force: bool = False) -> Array:
        """The values as a NumPy array; shares memory on a CPU backend. force: torch's, of no effect."""
        return self.backend.to_numpy(self._data)

    def __array__(self, dtype: DType | None = None, copy: bool | None = None) -> Array:
        return np.array(self.numpy(), dtype, copy=copy)

    def item(self) -> Any:
        """The only element, as a Python number; ValueError where there are more."""
        if self.numel() != 1:
            raise ValueError(f"item() needs a tensor of one element, this one has shape {self.shape}")
        return self.numpy().reshape(()).item()

    def __float__(self) -> float:
        return float(self.item())

    def __bool__(self) -> bool:
        if self.numel() != 1:
            raise ValueError(f"a tensor of shape {self.shape} is neither true nor false: .any() or .all() of it is")
        return bool(self.item())

    def __len__(self) -> int:
        return len(self._data)

    def __repr__(self) -> str:
        text = np.array2string(self.numpy(), separator=", ", prefix="Tensor(", precision=4)
        dtype = "" if self.dtype == np.float32 else f", dtype={self.dtype}"
        grad = f", made_by={self.node.name}" if self.node else ", requires_grad=True" if self.requires_grad else ""
        return f"Tensor({text}{dtype}{grad})"

    def __add__(self, other: Operand) -> Tensor:
        return functional.add(self, other)

    def __sub__(self, other: Operand) -> Tensor:
        return functional.sub(self, other)

    def __mul__(self, other: Operand) -> Tensor:
        return functional.mul(self, other)

    def __truediv__(self, other: Operand) -> Tensor:
        return functional.div(self, other)

    def __pow__(self, exponent: Operand) -> Tensor:
        return functional.pow(self, exponent)

    def __matmul__(self, other: Operand) -> Tensor:
        return functional.matmul(self, other)

    def __radd__(self, other: Operand) -> Tensor:
        return functional.add(other, self)

    def __rsub__(self, other: Operand) -> Tensor:
        return functional.sub(other, self)

    def __rmul__(self, other: Operand) -> Tensor:
        return functional.mul(other, self)

    def __rtruediv__(self, other: Operand) -> Tensor:
        return functional.div(other, self)

    def __rpow__(self, base: Operand) -> Tensor:
        return functional.pow(base, self)

    def __rmatmul__(self, other: Operand) -> Tensor:
        return functional.matmul(other, self)

    def __neg__(self) -> Tensor:
        return functional.neg(self)

    def _compared(self, other, compare):
        """A tensor of truth values, without a gradient."""
        if isinstance(other, Tensor):
            common_backend(self, other)
            other = other.data
        elif isinstance(other, (np.ndarray, list, tuple)):
            other = self.backend.asarray(other)  # CuPy's arrays cannot be compared with NumPy's
        elif not isinstance(other, (int, float, np.generic, self.backend.xp.ndarray)):
            return NotImplemented  # x == None is False, x < None a TypeError
        mistakes.check_broadcast(compare.__name__, self.shape, np.shape(other))
        return Tensor(compare(self._data, other), backend=self.backend)

    def __lt__(self, other: Any) -> Tensor:
        return self._compared(other, operator.lt)

    def __le__(self, other: Any) -> Tensor:
        return self._compared(other, operator.le)

    def __gt__(self, other: Any) -> Tensor:
        return self._compared(other, operator.gt)

    def __ge__(self, other: Any) -> Tensor:
        return self._compared(other, operator.ge)

    def __eq__(self, other: Operand) -> Tensor:  # type: ignore[override]
        return self._compared(other, operator.eq)

    def __ne__(self, other: Operand) -> Tensor:  # type: ignore[override]
        return self._compared(other, operator.ne)

    __hash__ = object.__hash__  # a tensor is itself, whatever it is equal to

    def __getitem__(self, index: Any) -> Tensor:
        return functional.getitem(self, index)

    def __abs__(self) -> Tensor:
        return functional.abs(self)

    def exp(self) -> Tensor:
        return functional.exp(self)

    def log(self) -> Tensor:
        return functional.log(self)

    def sqrt(self) -> Tensor:
        return functional.sqrt(self)

    def tanh(self) -> Tensor:
        return functional.tanh(self)

    def sigmoid(self) -> Tensor:
        return functional.sigmoid(self)

    def abs(self) -> Tensor:
        return functional.abs(self)

    def pow(self, exponent: Operand) -> Tensor:
        return functional.pow(self, exponent)

    def clamp(self, min: Operand | None = None, max: Operand | None = None) -> Tensor:
        return functional.clamp(self, min, max)

    def relu(self) -> Tensor:
        return functional.relu(self)

    def matmul(self, other: Operand) -> Tensor:
        return functional.matmul(self, other)

    def sum(self, dim: Dims | None = None, keepdim: bool = False, *, dtype: DType | None = None) -> Tensor:
        return functional.sum(self, dim, keepdim, dtype=dtype)

    def mean(self, dim: Dims | None = None, keepdim: bool = False, *, dtype: DType | None = None) -> Tensor:
        return functional.mean(self, dim, keepdim, dtype=dtype)

    def var(
        self, dim: Dims | None = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: float = 1
    ) -> Tensor:
        return functional.var(self, dim, unbiased, keepdim, correction=correction)

    def max(self, dim: int | Tensor | None = None, keepdim: bool = False) -> Any:
        return functional.max(self, dim, keepdim)

    def min(self, dim: int | Tensor | None = None, keepdim: bool = False) -> Any:
        return functional.min(self, dim, keepdim)

    def logsumexp(self, dim: Dims, keepdim: bool = False) -> Tensor:
        return functional.logsumexp(self, dim, keepdim)

    def softmax(self, dim: int | None, dtype: DType | None = None) -> Tensor:
        return functional.softmax(self, dim, dtype)

    def log_softmax(self, dim: int | None, dtype: DType | None = None) -> Tensor:
        return functional.log_softmax(self, dim, dtype)

    def reshape(self, *shape: int | Sequence[int], **named: Sequence[int]) -> Tensor:
        return functional.reshape(self, sequence("reshape", "shape", shape, named))

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Tensor:
        return functional.flatten(self, start_dim, end_dim)

    def transpose(self, dim0: int, dim1: int) -> Tensor:
        return functional.transpose(self, dim0, dim1)

    def permute(self, *dims: int | Sequence[int], **named: Sequence[int]) -> Tensor:
        return functional.permute(self, sequence("permute", "dims", dims, named))


def common_backend(*tensors: Any) -> Any:
    """The backend that all tensors are on.

    tensors: Tensors, or None for an argument, other than the first, that was left out.

    Raises ValueError where there are two, TypeError for what is not a Tensor.
    """
    for t in tensors:
        if not isinstance(t, Tensor) and (t is not None or t is tensors[0]):
            raise TypeError(mistakes.not_a_tensor(t))
    backend = tensors[0].backend
    for t in tensors:
        if t is not None and t.backend is not backend:
            raise ValueError(
                f"one operation cannot mix backends: one tensor is on {backend.name}, another on {t.backend.name}; "
                f'move one with .to("{backend.name}")'
            )
    return backend


def records_grad(*tensors: Any) -> list[bool]:
    """For each tensor, whether an operation must record its backward now.

    tensors: Tensors, or None for an argument that was left out, which needs no gradient.
    """
    enabled = is_grad_enabled()
    return [t is not None and t.requires_grad and enabled for t in tensors]


def check_dtypes(name: str, *tensors: Any) -> None:
    """Raise TypeError unless all tensors have one dtype, of floating-point numbers; only arithmetic converts.

    name: of the operation.
    tensors: the operation's input, and the weight and the bias if it has some: Tensors, or None.
    """
    first = tensors[0].dtype
    for t in tensors:
        if t is not None and t.dtype != first:
            raise TypeError(mistakes.about_dtypes(name, [t if t is None else t.dtype for t in tensors]))
    if first.kind != "f":
        raise TypeError(f"{name} computes with floating-point numbers, got {first}: convert with .to(np.float32)")


from . import functional  # noqa: E402  the functions need Tensor, and Tensor's methods are the functions
