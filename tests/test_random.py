"""Philox against its published answers and a scalar implementation; what a draw depends on."""

from __future__ import annotations

import numpy as np
import pytest

from minialex import Tensor, functional, random
from minialex.nn import init

# counter, key, output: the known answers that the authors publish with Random123 (philox4x32, ten rounds)
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((2**32 - 1,) * 4, (2**32 - 1,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


def scalar_philox(counter, key):
    """Ten rounds on Python's integers, as in the paper's reference code."""
    (c0, c1, c2, c3), (k0, k1) = counter, key
    for _ in range(10):
        high0, low0 = divmod(0xD2511F53 * c0, 2**32)
        high1, low1 = divmod(0xCD9E8D57 * c2, 2**32)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
    return c0, c1, c2, c3


def scalar_word(i, seed, call):
    """Word i as the design defines it: word i % 4 of counter (i // 4 low, high, call low, high) under key seed."""
    block = i // 4
    counter = (block % 2**32, block // 2**32, call % 2**32, call // 2**32)
    return scalar_philox(counter, (seed % 2**32, seed // 2**32))[i % 4]


@pytest.mark.parametrize("counter, key, expected", KNOWN)
def test_known_answers(counter, key, expected):
    assert scalar_philox(counter, key) == expected
    assert tuple(random.philox(counter, key).tolist()) == expected


def test_many_counters_at_once():
    counters = np.array([counter for counter, _, _ in KNOWN]).T
    words = random.philox((*counters[:3], 7), (5, 6))  # a number broadcasts against arrays
    assert words.shape == (4, 3) and words.dtype == np.uint32
    for i, column in enumerate(counters.T.tolist()):
        assert tuple(words[:, i].tolist()) == scalar_philox((*column[:3], 7), (5, 6))


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1, 2**32, 2**32 + 1, 3 * 2**32 + 5, 2**64 - 1])
@pytest.mark.parametrize("call", [0, 1, 2**32 - 1, 2**32, 2**40 + 7])
def test_words_lie_as_the_design_says(seed, call):
    words = random.words(11, seed, call)
    assert words.dtype == np.uint32
    assert words.tolist() == [scalar_word(i, seed, call) for i in range(11)]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 8])
def test_fewer_words_are_the_first_of_more(count):
    assert random.words(count, 3, 4).tolist() == random.words(100, 3, 4).tolist()[:count]


def test_a_generator_counts_its_calls():
    generator = random.Generator(9)
    assert [generator.next_call() for _ in range(3)] == [0, 1, 2]
    assert (generator.seed, generator.call) == (9, 3)
    assert generator.manual_seed(10) is generator and (generator.seed, generator.call) == (10, 0)
    assert repr(generator) == "Generator(seed=10, call=0)"


def test_manual_seed_starts_the_default_generator_again():
    x = Tensor(np.ones(50))
    assert random.manual_seed(5) is random.default_generator
    first, second = functional.dropout(x).data, functional.dropout(x).data
    random.manual_seed(5)
    again = functional.dropout(x).data
    random.manual_seed(6)
    other = functional.dropout(x).data
    assert np.array_equal(first, again)
    assert not np.array_equal(first, second) and not np.array_equal(first, other)


def test_a_generator_of_its_own_leaves_the_default_one_alone():
    before = random.default_generator.call
    functional.dropout(Tensor(np.ones(5)), generator=random.Generator(1))
    init.normal_(Tensor(np.ones(5)), generator=random.Generator(1))
    assert random.default_generator.call == before


def test_numpy_draws_follow_seed_and_call_alone():
    draws = [random.Generator(3).numpy().random(4), random.Generator(4).numpy().random(4)]
    generator = random.Generator(3)
    draws += [generator.numpy().random(4), generator.numpy().random(4)]
    assert np.array_equal(draws[0], draws[2])
    assert len({tuple(d) for d in draws}) == 3


@pytest.mark.parametrize("a, b", [(0, 2**32), (2**32, 2**32 + 1), (2**63, 2**63 + 1), (2**64 - 2, 2**64 - 1)])
def test_all_64_bits_of_a_seed_count(a, b):
    assert not np.array_equal(random.Generator(a).numpy().random(4), random.Generator(b).numpy().random(4))
    assert not np.array_equal(random.words(4, a, 0), random.words(4, b, 0))


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, "7", None])
def test_a_bad_seed_is_refused(seed):
    with pytest.raises((ValueError, TypeError), match=r"a seed is a whole number from 0 to 2\^64 - 1"):
        random.Generator(seed)
    before = repr(random.default_generator)
    with pytest.raises((ValueError, TypeError)):
        random.manual_seed(seed)
    assert repr(random.default_generator) == before


def test_numpys_integers_are_seeds():
    generator = random.Generator(np.int64(7))
    assert generator.seed == 7 and type(generator.seed) is int
