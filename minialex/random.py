"""Random numbers that are a pure function of where they are used: counter-based Philox4x32-10.

A counter-based generator has no state that advances: ten rounds of multiplying and mixing turn a 128-bit *counter*
under a 64-bit *key* into 128 random bits. Given (key, counter) the same bits can be drawn again, in any order, on any
machine, in any number of threads. Dropout uses this to store no mask, the data loader to resume in the middle of an
epoch.

Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

from __future__ import annotations

import math

import numpy as np

from .support.types import Any, Shape

_MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
_WEYL = 0x9E3779B9, 0xBB67AE85
_LOW = 0xFFFFFFFF


def philox(counter: Any, key: Any, xp: Any = np) -> Any:
    """Four random 32-bit words for every counter.

        ten rounds of   c0, c1, c2, c3 = high(M1 c2) ^ c1 ^ k0, low(M1 c2), high(M0 c0) ^ c3 ^ k1, low(M0 c0)
                        k0, k1 = k0 + W0, k1 + W1                                    (all modulo 2^32)

    counter: four unsigned integers below 2^32, or arrays of them that broadcast together.
    key: two integers below 2^32.
    xp: the array module, numpy or cupy.

    Returns uint32 (4, ...). The known answer for all zeros is 6627e8d5 e169c58d bc57ac4c 9b00dbd8.
    """
    c0, c1, c2, c3 = xp.broadcast_arrays(*(xp.asarray(c, dtype=xp.uint64) for c in counter))
    k0, k1 = key
    for _ in range(10):
        p0, p1 = c0 * xp.uint64(_MULTIPLIERS[0]), c2 * xp.uint64(_MULTIPLIERS[1])
        c0 = (p1 >> xp.uint64(32)) ^ c1 ^ xp.uint64(k0)
        c2 = (p0 >> xp.uint64(32)) ^ c3 ^ xp.uint64(k1)
        c1, c3 = p1 & xp.uint64(_LOW), p0 & xp.uint64(_LOW)
        k0, k1 = (k0 + _WEYL[0]) & _LOW, (k1 + _WEYL[1]) & _LOW
    return xp.stack([c0, c1, c2, c3]).astype(xp.uint32)


def words(count: int, seed: int, call: int, xp: Any = np, first: int = 0) -> Any:
    """Random 32-bit words: word i is number i % 4 of counter (i // 4, call) under the key `seed`.

    count: how many.
    seed, call: whole numbers below 2^64.
    xp: the array module, numpy or cupy.
    first: the number i of the first word.

    Returns uint32 (count,).
    """
    before = first % 4
    block = xp.arange(first // 4, (first + count + 3) // 4, dtype=xp.uint64)
    counter = (block & xp.uint64(_LOW), block >> xp.uint64(32), call & _LOW, call >> 32)
    return philox(counter, (seed & _LOW, seed >> 32), xp).T.reshape(-1)[before : before + count]


class Generator:
    """A stream of draws, numbered by `call`: (seed, call) names every one.

    seed: an int below 2^64.

    Saving and restoring (seed, call) is all that an exact resume needs. Raises ValueError for another seed.
    `first_picture` is for a process that has a part of each batch: the pictures before it, which others have.
    """

    first_picture = 0

    def __init__(self, seed: int = 0) -> None:
        self.manual_seed(seed)

    def manual_seed(self, seed: int) -> Generator:
        """Begin again with call 0 of a seed; returns self.

        seed: an int below 2^64.
        """
        if not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**64:
            raise ValueError(f"a seed is a whole number from 0 to 2^64 - 1, got {seed!r}")
        self.seed, self.call = int(seed), 0
        return self

    def next_call(self) -> int:
        """The number of this draw: 0, 1, 2, ..."""
        call, self.call = self.call, self.call + 1
        return call

    def elements_before(self, shape: Shape) -> tuple[int, ...]:
        """The number of elements in all pictures before `first_picture`, for a batch of this shape; () for none."""
        return (self.first_picture * math.prod(shape[1:]),) if self.first_picture else ()

    def numpy(self) -> np.random.Generator:
        """A NumPy generator for the next call, from which initial values are drawn."""
        return np.random.Generator(np.random.Philox(key=np.array([self.seed, self.next_call()], np.uint64)))

    def __repr__(self) -> str:
        return f"Generator(seed={self.seed}, call={self.call})"


default_generator = Generator(0)


def manual_seed(seed: int) -> Generator:
    """Seed the default generator, from which dropout and initial values are drawn; returns it.

    seed: an int below 2^64.
    """
    return default_generator.manual_seed(seed)
