"""Data sets of samples, and their loader: names and arguments are those of torch.utils.data.

A data set is anything with `len()` and `[index]`, which gives a sample: a tuple, list or dict of arrays, Tensors,
numbers and texts. The library's own, of images and labels, are data sets too (see dataset.py); `Loader` in loader.py,
which training uses, also transforms images, on the GPU if there is one, and resumes in the middle of an epoch.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from .. import functional, random
from ..backends import get_backend
from ..support.arguments import refuse
from ..support.prefetch import prefetched
from ..support.types import Array, Indices, Shape
from ..tensor import Tensor
from .dataset import ImageDataset, Samples
from .loader import shuffled


class Dataset:
    """A base class for data sets, without any contents: define `__getitem__` and `__len__`."""

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no __getitem__()")


class TensorDataset(Dataset):
    """Tensors, or arrays, of which sample i is a tuple of their elements i.

    tensors: all as long along their first axis.

    Raises ValueError where their lengths differ, or there are none.
    """

    def __init__(self, *tensors: Tensor | Array) -> None:
        self.tensors = tuple(t if isinstance(t, Tensor) else Tensor(t) for t in tensors)
        shapes = [t.shape for t in self.tensors]
        if not shapes or () in shapes or len({shape[0] for shape in shapes}) > 1:
            raise ValueError(f"TensorDataset needs tensors that are equally long along axis 0, got {shapes}")

    def __len__(self) -> int:
        return len(self.tensors[0])

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        return tuple(t[index] for t in self.tensors)


class Subset(Dataset):
    """Some samples of a data set.

    dataset: a data set.
    indices: which of its samples, in order.
    """

    def __init__(self, dataset: Any, indices: Indices) -> None:
        self.dataset, self.indices = dataset, indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[int(self.indices[index])]

    # Of the library's own data sets a part is again one that `Loader` and training take.

    def fetch(self, indices: Indices) -> tuple[Array, Array]:
        """Images and labels at `indices`, integers (n,), of a subset of one of the library's own data sets."""
        return self.dataset.fetch(np.asarray(self.indices, np.int64)[np.asarray(indices, np.int64)])

    @property
    def labels(self) -> Array:
        """Their labels, int64 (n,)."""
        return self.dataset.labels[np.asarray(self.indices, np.int64)]

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        return self.dataset.classes

    @property
    def image_shape(self) -> Shape:
        """(C, H, W) of every image."""
        return self.dataset.image_shape


def random_split(dataset: Samples, lengths: Sequence[float], generator: random.Generator | None = None) -> list[Subset]:
    """Divide a data set at random into parts that have no sample in common.

    dataset: a data set.
    lengths: samples of each part; or shares that sum to 1, whose parts are rounded down, and the samples that this
        leaves over go to the first parts, one each.
    generator: a random.Generator; random.default_generator if None. Each call draws anew.

    Returns a list of Subsets. Raises ValueError for lengths that are not those of the data set.
    """
    count, lengths = len(dataset), list(lengths)
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        for share in lengths:
            if not 0 <= share <= 1:
                raise ValueError(f"random_split: a share is from 0 to 1, got {share}")
        lengths = [math.floor(count * share) for share in lengths]
        for i in range(count - int(sum(lengths))):
            lengths[i % len(lengths)] += 1
        if 0 in lengths:
            warnings.warn(f"random_split: part {lengths.index(0)} is empty, the lengths are {lengths}", stacklevel=2)
    if sum(lengths) != count or any(length < 0 for length in lengths):
        raise ValueError(f"random_split: {lengths} do not add up to the {count} samples of the data set")
    order = (generator or random.default_generator).numpy().permutation(count).tolist()
    ends = itertools.accumulate(lengths)
    return [Subset(dataset, order[end - length : end]) for end, length in zip(ends, lengths, strict=True)]


if TYPE_CHECKING:
    import typing_extensions

    Batch = typing_extensions.TypeVar("Batch", default=list[Tensor])
else:
    Batch = TypeVar("Batch")


class DataLoader(Generic[Batch]):
    """Batches of a data set as Tensors on the default backend: `for x, y in loader`.

    dataset: a data set: anything with `len()` and `[index]`.
    batch_size: samples in a batch.
    shuffle: whether each iteration has a new random order.
    sampler, batch_sampler: torch's, refused: a Subset chooses samples, and orders them.
    num_workers: threads that call the data set ahead of the batch in use; 0 for none. The batches do not depend on it,
        unless samples are drawn from a random generator that is shared.
    collate_fn: a function of a list of samples that makes a batch of them; `default_collate` if None.
    pin_memory, timeout, multiprocessing_context, prefetch_factor, persistent_workers, pin_memory_device: torch's; they
        say how its processes work, not what comes of it, and change nothing here.
    drop_last: whether to leave out a last batch that is not full.
    worker_init_fn: torch's, refused: threads share what the data set holds.
    generator: a random.Generator; random.default_generator if None. The order of an iteration is a function of its
        seed and the number of the iteration: `epoch`, which counts them and can be set.
    in_order: torch's, True only.

    To a type checker a batch is a list of Tensors; of other samples annotate the loader, such as
    `loader: DataLoader[dict[str, Tensor]] = DataLoader(dataset)`.

    Raises ValueError for a batch_size below 1, a negative num_workers, or nothing to shuffle.
    """

    def __init__(
        self, dataset: Samples, batch_size: int = 1, shuffle: bool | None = None, sampler: None = None,
        batch_sampler: None = None, num_workers: int = 0, collate_fn: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False, drop_last: bool = False, timeout: float = 0, worker_init_fn: None = None,
        multiprocessing_context: Any = None, generator: random.Generator | None = None, *,
        prefetch_factor: int | None = None, persistent_workers: bool = False, pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:  # fmt: skip
        advice = "DataLoader(Subset(dataset, indices), ...) chooses samples and orders them"
        refuse("DataLoader", advice, sampler=(sampler, None), batch_sampler=(batch_sampler, None))
        advice = "workers are threads, which share what the data set holds"
        refuse("DataLoader", advice, worker_init_fn=(worker_init_fn, None))
        refuse("DataLoader", in_order=(in_order, True))
        if batch_size is None or batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        if num_workers < 0:
            raise ValueError(f"num_workers must be a number of threads, 0 for none, got {num_workers}")
        if shuffle and not len(dataset):
            raise ValueError("there are no samples to shuffle: the data set is empty")
        self.dataset, self.batch_size, self.shuffle, self.drop_last = dataset, batch_size, bool(shuffle), drop_last
        self.num_workers, self.generator = num_workers, generator
        self.collate_fn = default_collate if collate_fn is None else collate_fn
        self.epoch = 0

    def __len__(self) -> int:
        """The number of batches in an iteration."""
        count = len(self.dataset)
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        epoch, self.epoch = self.epoch, self.epoch + 1
        count, size = len(self.dataset), self.batch_size
        order = np.arange(count)
        if self.shuffle:
            order = shuffled(count, (self.generator or random.default_generator).seed, epoch)
        batches = [order[start * size : (start + 1) * size].tolist() for start in range(len(self))]
        whole = _whole_batches(self.dataset) if self.collate_fn is default_collate else None
        fetch, collate = whole or (self._samples, self.collate_fn)
        fetched = prefetched(fetch, batches, self.num_workers) if self.num_workers else map(fetch, batches)
        return map(collate, fetched)

    def _samples(self, indices):
        return [self.dataset[i] for i in indices]


def _whole_batches(dataset):
    """(what fetches many samples at once, what makes a batch of them), or None where the data set has no such way.

    fetch may run in a thread, and so must not compute on the GPU; collate runs in the thread that wants the batch.
    """
    if type(dataset) is Subset:
        whole = _whole_batches(dataset.dataset)
        return whole and ((lambda indices: whole[0]([int(dataset.indices[i]) for i in indices])), whole[1])
    if type(dataset) is TensorDataset:
        return list, lambda indices: [_on_default(t[indices]) for t in dataset.tensors]
    if isinstance(dataset, ImageDataset) and type(dataset).__getitem__ is ImageDataset.__getitem__:
        return dataset.fetch, lambda batch: [Tensor(array) for array in batch]
    return None


def _on_default(tensor):
    return tensor.to(get_backend())


def default_collate(batch: Sequence[Any]) -> Any:
    """Make a batch of samples: Tensors with an axis more, at the front, in the structure of a sample.

    batch: a list of samples, all alike: Tensors, arrays or numbers, or tuples, lists and dicts of such.

    Returns a Tensor for these, a list for tuples and lists, a dict for dicts; texts stay as they are. Python's integers
    become int64, its floats float32. Raises TypeError for any other sample, ValueError where samples are not alike.
    """
    first = batch[0]
    if isinstance(first, Tensor):
        _check_alike([t.shape for t in batch])
        return _on_default(functional.stack(batch))
    if isinstance(first, (np.ndarray, np.generic)):
        _check_alike([np.shape(array) for array in batch])
        return Tensor(np.stack(batch))
    if isinstance(first, (bool, int, float)):
        return Tensor(list(batch))
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, dict):
        _check_alike([sorted(map(str, sample)) for sample in batch])
        return {key: default_collate([sample[key] for sample in batch]) for key in first}
    if isinstance(first, (tuple, list)):
        _check_alike([len(sample) for sample in batch])
        columns = [default_collate(column) for column in zip(*batch, strict=True)]
        return type(first)(*columns) if hasattr(first, "_fields") else columns
    raise TypeError(
        f"a batch is made of Tensors, arrays, numbers, texts, and tuples, lists and dicts of them, not of "
        f"{type(first).__name__}: convert it in the data set, or give a collate_fn"
    )


def _check_alike(found):
    different = [other for other in found if other != found[0]]
    if different:
        raise ValueError(
            f"the samples of a batch differ, {found[0]} and {different[0]}: make them alike in the data set, or give a "
            "collate_fn"
        )
