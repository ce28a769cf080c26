"""Methods of Tensor that a reader of the engine may skip: torch's names, operators and protocols."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .backends.devices import device
from .support import absent
from .support.types import Array, Dims, DType
from .tensor_changes import TensorChanges

if TYPE_CHECKING:
    from .functional.selection import ValuesAndIndices
    from .tensor import Operand, Tensor

    Bool: TypeAlias = bool  # within the class these three names are methods
    Float: TypeAlias = float
    Int: TypeAlias = int

_OPERATORS = {  # NumPy's name -> Python's operator, and what the right operand then calls it
    "add": (operator.add, "__radd__"), "subtract": (operator.sub, "__rsub__"), "multiply": (operator.mul, "__rmul__"),
    "divide": (operator.truediv, "__rtruediv__"), "floor_divide": (operator.floordiv, "__rfloordiv__"),
    "remainder": (operator.mod, "__rmod__"), "power": (operator.pow, "__rpow__"),
    "matmul": (operator.matmul, "__rmatmul__"), "bitwise_and": (operator.and_, "__rand__"),
    "bitwise_or": (operator.or_, "__ror__"), "bitwise_xor": (operator.xor, "__rxor__"),
    "equal": (operator.eq, "__eq__"), "not_equal": (operator.ne, "__ne__"), "less": (operator.lt, "__gt__"),
    "less_equal": (operator.le, "__ge__"), "greater": (operator.gt, "__lt__"), "greater_equal": (operator.ge, "__le__"),
}  # fmt: skip


class _ArrayUfunc:
    """`__array_ufunc__`: what `array * tensor` and `array *= tensor` mean, which NumPy and CuPy ask for.

    NumPy asks the class: `call`. CuPy asks the tensor: None makes it leave `array * tensor` to Tensor.
    """

    def __get__(self, tensor, owner):
        return self.call if tensor is None else None

    @staticmethod
    def call(tensor, ufunc, method, *inputs, **options):
        """array * tensor is a Tensor, as tensor * array is; array *= tensor changes the array."""
        if method == "__call__" and not options and ufunc.__name__ in _OPERATORS:
            operate, reflected = _OPERATORS[ufunc.__name__]
            left, right = inputs
            return operate(left, right) if isinstance(left, TensorMethods) else getattr(right, reflected)(left)
        if method == "__call__" and options.keys() == {"out"} and isinstance(options["out"][0], np.ndarray):
            return ufunc(*(_plain(x) if isinstance(x, TensorMethods) else x for x in inputs), **options)
        raise TypeError(f"np.{ufunc.__name__} computes with arrays, got a Tensor: give it tensor.numpy()")


def _plain(tensor):
    """The array of a tensor for a library that does not know the tape."""
    if tensor.records_grad:
        raise RuntimeError("the gradient of this tensor would be lost in an array: pass tensor.detach()")
    return tensor._data


class TensorMethods(TensorChanges):
    """The base class of Tensor that holds them, and those of TensorChanges; it has no attributes of its own."""

    __slots__ = ()
    __array_ufunc__ = _ArrayUfunc()

    # ------------------------------------------------------------------------------ torch's names

    def to(
        self, target: Any = None, dtype: DType | None = None, non_blocking: Bool = False, copy: Bool = False, *,
        device: Any = None, memory_format: Any = None,
    ) -> Tensor:  # fmt: skip
        """The same values in another dtype or on another backend; differentiable.

        target: a dtype (`np.float64`), a backend, the name of one (`"cupy"`), "cpu", or a Tensor to be like.
        dtype: a dtype, where the target is a backend. The next two may stand in its place, as in torch.
        non_blocking: torch's; a transfer is complete when it returns.
        copy: whether to make a copy where nothing changes.
        device: a backend, in the place of the target.
        memory_format: as of functional.clone.
        """
        if isinstance(dtype, (bool, np.bool_)):
            dtype, non_blocking, copy = None, bool(dtype), non_blocking or copy
        like = isinstance(target, TensorMethods)
        y: Any = self
        for wanted in (target.backend, target.dtype) if like else (target, device, dtype):
            if wanted is not None:
                y = y.cpu() if isinstance(wanted, str) and wanted == "cpu" else functional.to(y, wanted)
        if functional.more.shaping.channels_last(memory_format, len(y.shape)) or (copy and y is self):
            return functional.clone(y, memory_format=memory_format)
        return y

    def view(self, *shape: Int | Sequence[Int], **named: Sequence[Int]) -> Tensor:
        """The same elements in another shape, without a copy.

        shape: ints, of which one may be -1, or a tuple of them.
        named: size=(...), torch's name of the shape.

        Raises RuntimeError where the elements would have to be copied: reshape does that.
        """
        if len(shape) == 1 and isinstance(shape[0], (type, np.dtype, str)):
            raise TypeError(f"view takes a shape, got {shape[0]!r}: .to(dtype) converts the values")
        y = functional.reshape(self, sequence("view", "size", shape, named))
        if y._version is not self._version:
            raise RuntimeError(f"view cannot give {self.shape} the shape {y.shape} without a copy: use reshape")
        return y

    def squeeze(self, dim: Dims | None = None) -> Tensor:
        return functional.squeeze(self, dim)

    def unsqueeze(self, dim: Int) -> Tensor:
        return functional.unsqueeze(self, dim)

    def expand(self, *sizes: Int | Sequence[Int], **named: Sequence[Int]) -> Tensor:
        return functional.expand(self, sequence("expand", "size", sizes, named))

    def repeat(self, *repeats: Int | Sequence[Int], **named: Sequence[Int]) -> Tensor:
        return functional.repeat(self, sequence("repeat", "repeats", repeats, named))

    def flip(self, *dims: Int | Sequence[Int], **named: Sequence[Int]) -> Tensor:
        return functional.flip(self, sequence("flip", "dims", dims, named))

    def split(self, split_size: Int | Sequence[Int], dim: Int = 0) -> tuple[Tensor, ...]:
        return functional.split(self, split_size, dim)

    def chunk(self, chunks: Int, dim: Int = 0) -> tuple[Tensor, ...]:
        return functional.chunk(self, chunks, dim)

    def gather(self, dim: Int, index: Tensor | Array, *, sparse_grad: Bool = False) -> Tensor:
        return functional.gather(self, dim, index, sparse_grad=sparse_grad)

    def masked_fill(self, mask: Tensor | Array, value: Any) -> Tensor:
        return functional.masked_fill(self, mask, value)

    def sort(self, dim: Int = -1, descending: Bool = False, *, stable: Bool = False) -> ValuesAndIndices:
        return functional.sort(self, dim, descending, stable=stable)

    def argsort(self, dim: Int = -1, descending: Bool = False, *, stable: Bool = False) -> Tensor:
        return functional.argsort(self, dim, descending, stable=stable)

    def topk(self, k: Int, dim: Int = -1, largest: Bool = True, sorted: Bool = True) -> ValuesAndIndices:
        return functional.topk(self, k, dim, largest, sorted)

    def argmax(self, dim: Int | None = None, keepdim: Bool = False) -> Tensor:
        """Index of the largest value, the first of equal ones; without a gradient.

        dim: the axis, or None for the index in the flattened tensor.
        keepdim: whether the axis, or all, stay with length 1.
        """
        return self._index_of(functional.max, dim, keepdim)

    def argmin(self, dim: Int | None = None, keepdim: Bool = False) -> Tensor:
        """Index of the smallest value; otherwise as argmax. dim, keepdim: as of argmax."""
        return self._index_of(functional.min, dim, keepdim)

    def _index_of(self, extreme: Any, dim: Int | None, keepdim: Bool) -> Tensor:
        functional.axes.check_keepdim(keepdim)
        x = self.detach()  # type: ignore[attr-defined]
        if dim is not None:
            return extreme(x, dim, keepdim).indices
        index = extreme(x.reshape(-1), 0).indices
        return index.reshape([1] * x.ndim) if keepdim else index

    def all(self, dim: Dims | None = None, keepdim: Bool = False) -> Tensor:
        """Whether all elements are true, or not 0, of the tensor or along axes; uint8 of uint8, as in torch, else bool.

        dim, keepdim: as of sum.
        """
        return self._truth(lambda true: functional.sum(~true, dim, keepdim) == 0, dim)

    def any(self, dim: Dims | None = None, keepdim: Bool = False) -> Tensor:
        """Whether any element is true, or not 0, of the tensor or along axes; as all. dim, keepdim: as of sum."""
        return self._truth(lambda true: functional.sum(true, dim, keepdim) > 0, dim)

    def _truth(self, reduce, dim):
        true = self.bool()
        result = true if dim in ((), []) else reduce(true)  # no axis here, all of them in sum: torch's rules
        return functional.to(result, np.uint8) if self.dtype == np.uint8 else result

    def norm(
        self, p: Float | str = "fro", dim: Dims | None = None, keepdim: Bool = False, dtype: DType | None = None
    ) -> Tensor:
        return functional.norm(self, p, dim, keepdim, dtype=dtype)

    def std(
        self, dim: Dims | None = None, unbiased: Bool | None = None, keepdim: Bool = False, *, correction: Float = 1
    ) -> Tensor:
        return functional.std(self, dim, unbiased, keepdim, correction=correction)

    def cumsum(self, dim: Int, *, dtype: DType | None = None) -> Tensor:
        return functional.cumsum(self, dim, dtype=dtype)

    def clone(self, *, memory_format: Any = None) -> Tensor:
        """A copy, through which the gradient passes. memory_format: as of to."""
        return functional.clone(self, memory_format=memory_format)

    def contiguous(self, memory_format: Any = None) -> Tensor:
        """The tensor itself where its array is in C order, else a copy that is. memory_format: as of to."""
        in_order = self._data.flags.c_contiguous and not functional.more.shaping.channels_last(
            memory_format, len(self.shape)
        )
        return self if in_order else functional.clone(self, memory_format=memory_format)  # type: ignore[return-value]

    def cpu(self, memory_format: Any = None) -> Tensor:
        """In the CPU's memory: the tensor itself, unless it is on a GPU. memory_format: as of to."""
        return self.to(self.backend if self.backend.xp is np else "numpy", memory_format=memory_format)

    def float(self, memory_format: Any = None) -> Tensor:
        """As float32. memory_format: as of to."""
        return self.to(np.float32, memory_format=memory_format)

    def double(self, memory_format: Any = None) -> Tensor:
        """As float64. memory_format: as of to."""
        return self.to(np.float64, memory_format=memory_format)

    def int(self, memory_format: Any = None) -> Tensor:
        """As int32: fractions are cut off; without a gradient. memory_format: as of to."""
        return self.to(np.int32, memory_format=memory_format)

    def long(self, memory_format: Any = None) -> Tensor:
        """As int64: fractions are cut off; without a gradient. memory_format: as of to."""
        return self.to(np.int64, memory_format=memory_format)

    def bool(self, memory_format: Any = None) -> Tensor:
        """Whether each element is other than 0; without a gradient. memory_format: as of to."""
        return self.to(np.bool_, memory_format=memory_format)

    def type(self, dtype: DType | None) -> Tensor:
        """In another dtype. dtype: np.float32, minialex.float64, ...; of this tensor `x.dtype` is it."""
        return functional.to(self, np.dtype(dtype))

    def is_floating_point(self) -> Bool:
        """Whether the elements are floating-point numbers."""
        return self.dtype.kind == "f"

    def dim(self) -> Int:
        """The number of axes."""
        return self._data.ndim

    def tolist(self) -> Any:
        """The values as nested lists of Python numbers; of a tensor without axes, the number."""
        return self.backend.to_numpy(self._data).tolist()

    # ------------------------------------------------------------------------------ names of operators and indices

    def add(self, other: Operand, *, alpha: Float = 1) -> Tensor:
        return functional.add(self, other, alpha=alpha)

    def sub(self, other: Operand, *, alpha: Float = 1) -> Tensor:
        return functional.sub(self, other, alpha=alpha)

    def mul(self, other: Operand) -> Tensor:
        return functional.mul(self, other)

    def div(self, other: Operand, *, rounding_mode: str | None = None) -> Tensor:
        return functional.div(self, other, rounding_mode=rounding_mode)

    def neg(self) -> Tensor:
        return functional.neg(self)

    def square(self) -> Tensor:
        return functional.square(self)

    def reciprocal(self) -> Tensor:
        return functional.reciprocal(self)

    def rsqrt(self) -> Tensor:
        return functional.rsqrt(self)

    def sin(self) -> Tensor:
        return functional.sin(self)

    def cos(self) -> Tensor:
        return functional.cos(self)

    def sign(self) -> Tensor:
        return functional.sign(self)

    def floor(self) -> Tensor:
        return functional.floor(self)

    def ceil(self) -> Tensor:
        return functional.ceil(self)

    def round(self, *, decimals: Int = 0) -> Tensor:
        return functional.round(self, decimals=decimals)

    def t(self) -> Tensor:
        return functional.t(self)

    def isnan(self) -> Tensor:
        return functional.isnan(self)

    def isinf(self) -> Tensor:
        return functional.isinf(self)

    def isfinite(self) -> Tensor:
        return functional.isfinite(self)

    def eq(self, other: Operand) -> Tensor:
        return functional.eq(self, other)

    def ne(self, other: Operand) -> Tensor:
        return functional.ne(self, other)

    def lt(self, other: Operand) -> Tensor:
        return functional.lt(self, other)

    def le(self, other: Operand) -> Tensor:
        return functional.le(self, other)

    def gt(self, other: Operand) -> Tensor:
        return functional.gt(self, other)

    def ge(self, other: Operand) -> Tensor:
        return functional.ge(self, other)

    def equal(self, other: Tensor) -> Bool:
        return functional.equal(self, other)

    def allclose(self, other: Tensor, rtol: Float = 1e-5, atol: Float = 1e-8, equal_nan: Bool = False) -> Bool:
        return functional.allclose(self, other, rtol, atol, equal_nan)

    def mm(self, mat2: Tensor) -> Tensor:
        return functional.mm(self, mat2)

    def bmm(self, mat2: Tensor) -> Tensor:
        return functional.bmm(self, mat2)

    def dot(self, tensor: Tensor) -> Tensor:
        return functional.dot(self, tensor)

    def outer(self, vec2: Tensor) -> Tensor:
        return functional.outer(self, vec2)

    def masked_select(self, mask: Tensor | Array) -> Tensor:
        return functional.masked_select(self, mask)

    def amax(self, dim: Dims = (), keepdim: Bool = False) -> Tensor:
        return functional.amax(self, dim, keepdim)

    def amin(self, dim: Dims = (), keepdim: Bool = False) -> Tensor:
        return functional.amin(self, dim, keepdim)

    def bincount(self, weights: Tensor | Array | None = None, minlength: Int = 0) -> Tensor:
        return functional.bincount(self, weights, minlength)

    def unbind(self, dim: Int = 0) -> tuple[Tensor, ...]:
        return functional.unbind(self, dim)

    def index_select(self, dim: Int, index: Any) -> Tensor:
        return functional.index_select(self, dim, index)

    def where(self, condition: Tensor | Array, other: Operand) -> Tensor:
        """These elements where the condition holds, the other's elsewhere. condition, other: as of functional.where."""
        return functional.where(condition, self, other)

    def view_as(self, other: Tensor) -> Tensor:
        """view(other.shape). other: a Tensor."""
        return self.view(other.shape)

    def expand_as(self, other: Tensor) -> Tensor:
        """expand(other.shape). other: a Tensor."""
        return self.expand(other.shape)

    def type_as(self, other: Tensor) -> Tensor:
        """In the other's dtype. other: a Tensor."""
        return functional.to(self, other.dtype)

    @property
    def device(self) -> Any:
        """torch's name of where the tensor is: the name of its backend, which `to` and `device=` take."""
        return device(self.backend.name)

    @property
    def grad_fn(self) -> Any:
        """torch's name of the node on the tape, None for a leaf."""
        return self.node

    # ------------------------------------------------------------------------------ operators and protocols

    def __and__(self, other: Operand) -> Tensor:
        return functional.bitwise_and(self, other)

    def __or__(self, other: Operand) -> Tensor:
        return functional.bitwise_or(self, other)

    def __xor__(self, other: Operand) -> Tensor:
        return functional.bitwise_xor(self, other)

    def __invert__(self) -> Tensor:
        return functional.bitwise_not(self)

    def __floordiv__(self, other: Operand) -> Tensor:
        return functional.floor_divide(self, other)

    def __mod__(self, other: Operand) -> Tensor:
        return functional.remainder(self, other)

    def __rand__(self, other: Operand) -> Tensor:
        return functional.bitwise_and(other, self)

    def __ror__(self, other: Operand) -> Tensor:
        return functional.bitwise_or(other, self)

    def __rxor__(self, other: Operand) -> Tensor:
        return functional.bitwise_xor(other, self)

    def __rfloordiv__(self, other: Operand) -> Tensor:
        return functional.floor_divide(other, self)

    def __rmod__(self, other: Operand) -> Tensor:
        return functional.remainder(other, self)

    def __int__(self) -> Int:
        return int(self.item())  # type: ignore[attr-defined]

    def __index__(self) -> Int:
        """For list[t] and range(t): the only element, a whole number."""
        if self._data.size != 1 or self.dtype.kind == "f":
            raise TypeError(f"an index is one whole number, got a tensor of {self.dtype} and shape {self.shape}")
        return operator.index(int(self))

    def __format__(self, spec: str) -> str:
        """f"{loss:.3f}": the only element; without a format, too, where there are no axes, as in torch."""
        if spec and self._data.size != 1:
            raise TypeError(f"{spec!r} formats one number, this tensor has shape {self.shape}: format its elements")
        return format(self.item(), spec) if spec or not self.shape else str(self)  # type: ignore[attr-defined]

    if not TYPE_CHECKING:  # to a type checker every name would be there

        def __getattr__(self, name):
            """Called where there is no such attribute: of a name of torch, what to write instead."""
            absent.refuse("Tensor", name, self)

    # ------------------------------------------------------------------------------ copies and protocols

    def _repr_html_(self):
        """For notebooks."""
        from .support import html

        return html.of_tensor(self)

    def __iter__(self) -> Iterator[Tensor]:
        if not self.shape:
            raise TypeError("a tensor without axes cannot be iterated over: item() is its value")
        return (self[i] for i in range(self.shape[0]))  # type: ignore[index]

    def __getstate__(self) -> dict[str, Any]:
        """For copy.deepcopy and pickle: values as NumPy arrays, the backend by its name. Only of leaves, as torch."""
        if self.node is not None:
            raise RuntimeError("only leaf tensors can be pickled or copied deeply: call detach() on a computed one")
        grad = None if self.grad is None else np.array(self.grad.numpy())
        data = np.array(self.backend.to_numpy(self._data))
        return {"data": data, "backend": self.backend.name, "requires_grad": self._requires_grad, "grad": grad}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["data"], state["requires_grad"], backend=state["backend"])  # type: ignore[misc]
        if state["grad"] is not None:
            self.grad = self.backend.asarray(state["grad"])

    @property
    def __cuda_array_interface__(self) -> Any:
        """For `cupy_array *= tensor` and other libraries on the GPU; AttributeError for a tensor on the CPU."""
        if self.backend.name != "cupy":
            raise AttributeError(f"a tensor on {self.backend.name} is not on a GPU")
        return _plain(self).__cuda_array_interface__


def sequence(method, name, numbers, named):
    """Numbers that a method was given one by one, as one tuple or list, or under torch's name of them.

    method: its name, for the message.
    name: torch's of the numbers.
    numbers, named: what the method was given.

    Raises TypeError for none, and for another name.
    """
    if named:
        if numbers or [*named] != [name]:
            unknown = " and ".join(set(named) - {name}) or f"numbers as well as {name}"
            raise TypeError(f"{method} takes numbers, one tuple of them, or {name}=(...), got {unknown}")
        numbers = (named[name],)
    if not numbers:
        raise TypeError(f"{method} takes numbers, or one tuple of them, and got nothing")
    return tuple(numbers[0]) if len(numbers) == 1 and hasattr(numbers[0], "__iter__") else numbers


if TYPE_CHECKING:
    functional: Any  # takes Tensors, and what these methods have is their base class
else:
    from . import functional  # the functions need Tensor, and its methods are the functions
