"""Window: output sizes, padding in all its forms, ceil mode, counts; by hand, by loops, and by torch."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from minialex.window import Window, pair


def size(n, kernel, stride=1, padding=0, dilation=1, ceil_mode=False):
    """(output, (before, after)) of one direction; the other one is always 9 pixels under a 2-pixel kernel."""
    padding = padding if isinstance(padding, str) else ((0, 0), padding) if isinstance(padding, tuple) else (0, padding)
    w = Window.over((9, n), (2, kernel), (3, stride), padding, (1, dilation), ceil_mode)
    return w.output[1], w.padding[1]


# ------------------------------------------------------------------------------------------------------- output sizes

# fmt: off
BY_HAND = [
    # n, kernel, stride, padding, dilation -> output
    (227, 11, 4, 0, 1, 55),       # AlexNet's conv1: (227 - 11) / 4 + 1
    (224, 11, 4, 0, 1, 54),       # the size that the paper prints does not give 55
    (224, 11, 4, 2, 1, 55),       # torchvision's way out
    (227, 11, 4, 2, 1, 56),
    (224, 11, 4, (0, 3), 1, 55),  # the way out of 2012: 224 + 3 = 227
    (55, 3, 2, 0, 1, 27), (27, 3, 2, 0, 1, 13), (13, 3, 2, 0, 1, 6),
    (27, 5, 1, 2, 1, 27), (13, 3, 1, 1, 1, 13),
    (32, 3, 2, 0, 1, 15),
    (7, 3, 1, 0, 2, 3),           # dilated by 2, three taps reach over 5 pixels
    (9, 3, 2, 1, 3, 3),           # (9 + 2 - 7) / 2 + 1
    (5, 5, 3, 0, 1, 1), (1, 1, 1, 0, 1, 1), (1, 3, 1, 1, 1, 1), (4, 2, 5, 0, 1, 1),
    (6, 2, 1, (1, 2), 1, 8), (6, 2, 1, (2, 1), 1, 8), (6, 4, 3, (0, 1), 1, 2),
]

SAME = [
    # n, kernel, stride, dilation -> output = ceil(n / stride), before, after; total = (output - 1) stride + extent - n
    (227, 11, 4, 1, 57, 4, 4),    # 56 * 4 + 11 - 227 = 8
    (224, 11, 4, 1, 56, 3, 4),    # 55 * 4 + 11 - 224 = 7, the odd one behind
    (27, 5, 1, 1, 27, 2, 2),
    (28, 3, 2, 1, 14, 0, 1),      # 13 * 2 + 3 - 28 = 1
    (57, 3, 2, 1, 29, 1, 1),
    (10, 4, 1, 1, 10, 1, 2),      # an even kernel
    (10, 2, 1, 1, 10, 0, 1),
    (7, 2, 3, 1, 3, 0, 1),        # 2 * 3 + 2 - 7 = 1
    (9, 2, 4, 1, 3, 0, 1),
    (8, 1, 3, 1, 3, 0, 0),        # 2 * 3 + 1 - 8 < 0: never negative
    (8, 2, 4, 1, 2, 0, 0),
    (9, 3, 1, 2, 9, 2, 2),        # extent 5
    (9, 3, 2, 3, 5, 3, 3),        # extent 7: 4 * 2 + 7 - 9 = 6
]

CEIL = [
    # n, kernel, stride, padding -> floor, ceil
    (32, 3, 2, 0, 15, 16), (16, 3, 2, 0, 7, 8), (8, 3, 2, 0, 3, 4),  # the CIFAR networks of 2012
    (55, 3, 2, 0, 27, 27),        # nothing left over
    (6, 2, 2, 0, 3, 3), (7, 2, 2, 0, 3, 4), (6, 3, 2, 0, 2, 3), (10, 4, 3, 0, 3, 3), (11, 4, 3, 0, 3, 4),
    (4, 1, 3, 0, 2, 2),
    (5, 1, 3, 0, 2, 2),           # ceil(4 / 3) + 1 = 3, but window 3 would start at 6, outside
    (5, 2, 3, 1, 2, 2),           # padded 7: ceil(5 / 3) + 1 = 3, the third would start at 6 - 1 = 5, past the picture
    (6, 2, 3, 1, 3, 3),
    (7, 2, 3, 1, 3, 3),
    (3, 2, 2, 1, 2, 2),           # ceil(3 / 2) + 1 = 3 would start at 4 - 1 = 3, in the padding behind
]
# fmt: on


@pytest.mark.parametrize("n, kernel, stride, padding, dilation, expected", BY_HAND)
def test_sizes_worked_out_by_hand(n, kernel, stride, padding, dilation, expected):
    before_after = padding if isinstance(padding, tuple) else (padding, padding)
    assert size(n, kernel, stride, padding, dilation) == (expected, before_after)


@pytest.mark.parametrize("n, kernel, stride, dilation, expected, before, after", SAME)
def test_same_is_tensorflows_rule(n, kernel, stride, dilation, expected, before, after):
    assert size(n, kernel, stride, "same", dilation) == (expected, (before, after))


@pytest.mark.parametrize("n, kernel, stride, padding, floor, ceil", CEIL)
def test_ceil_mode_rounds_up_unless_a_window_would_start_outside(n, kernel, stride, padding, floor, ceil):
    before_after = (padding, padding)
    assert size(n, kernel, stride, before_after) == (floor, before_after)
    assert size(n, kernel, stride, before_after, ceil_mode=True) == (ceil, before_after)


def test_valid_is_no_padding():
    assert Window.over((9, 8), (2, 3), 2, "valid") == Window.over((9, 8), (2, 3), 2, 0)


def test_every_form_of_padding():
    forms = {1: ((1, 1), (1, 1)), (2, 1): ((2, 2), (1, 1)), ((0, 3), (2, 1)): ((0, 3), (2, 1))}
    for form, expected in forms.items():
        assert Window.over((9, 8), 3, 1, form).padding == expected
    assert Window.over((9, 8), 3, 1, [[0, 3], [2, 1]]).padding == ((0, 3), (2, 1))
    assert Window.over((9, 8), 3, 1, np.array([2, 1])).padding == ((2, 2), (1, 1))


def test_the_first_layer_of_2012():
    w = Window.over((128, 3, 224, 224), 11, 4, ((0, 3), (0, 3)))
    assert (w.output, w.padded, w.inside) == ((55, 55), (227, 227), (slice(0, 224), slice(0, 224)))


def test_vertical_and_horizontal_stay_apart():
    w = Window.over((5, 6, 20, 30), (3, 5), (2, 4), ((1, 0), (3, 2)), (4, 1))
    assert w.output == ((20 + 1 - 9) // 2 + 1, (30 + 5 - 5) // 4 + 1) == (7, 8)
    assert w.size == (20, 30) and w.inside == (slice(1, 21), slice(3, 33))


# ----------------------------------------------------------------------------------------------------- which pixels

GRID = [
    dict(shape=(7, 6), kernel_size=(3, 2), stride=(2, 3), padding=1),
    dict(shape=(7, 6), kernel_size=3, stride=2, padding=((0, 3), (2, 1)), dilation=(2, 1)),
    dict(shape=(8, 7), kernel_size=(5, 3), stride=(3, 2), padding="same"),
    dict(shape=(6, 8), kernel_size=3, stride=2, ceil_mode=True),
    dict(shape=(6, 7), kernel_size=(2, 4), stride=3, padding=(1, 2), ceil_mode=True),
    dict(shape=(9, 8), kernel_size=2, stride=3),
]


@pytest.mark.parametrize("options", GRID, ids=str)
def test_taps_meet_the_pixels_that_the_formula_says(options):
    """Every tap of every output place, against i s + u d - p worked out one by one."""
    w = Window.over(**options)
    (kh, kw), (sh, sw), (dh, dw) = w.kernel, w.stride, w.dilation
    (top, _), (left, _) = w.padding
    picture = np.arange(1, 1 + w.size[0] * w.size[1]).reshape(w.size)
    padded = np.zeros(w.padded, int)
    padded[w.inside] = picture
    taps = list(w.taps())
    assert len(taps) == kh * kw
    for (u, v), tap in zip(itertools.product(range(kh), range(kw)), taps):
        seen = padded[tap]
        assert seen.shape == w.output
        for i, j in np.ndindex(w.output):
            y, x = i * sh + u * dh - top, j * sw + v * dw - left
            inside = 0 <= y < w.size[0] and 0 <= x < w.size[1]
            assert seen[i, j] == (picture[y, x] if inside else 0)


@pytest.mark.parametrize("options", GRID, ids=str)
def test_counts_against_a_loop(options):
    w = Window.over(**options)
    (top, bottom), (left, right) = w.padding
    for include_padding in (False, True):
        t, b, l, r = (top, bottom, left, right) if include_padding else (0, 0, 0, 0)
        expected = np.zeros(w.output, int)
        for i, j, u, v in np.ndindex(*w.output, *w.kernel):
            y = i * w.stride[0] + u * w.dilation[0] - top
            x = j * w.stride[1] + v * w.dilation[1] - left
            expected[i, j] += -t <= y < w.size[0] + b and -l <= x < w.size[1] + r
        assert np.array_equal(w.counts(include_padding), expected)


def test_counts_by_hand():
    """Ceil mode over 6 pixels, windows of 3 every 2: the last one holds 2; padding 1 counts as pixels or not."""
    assert Window.over((6, 6), 3, 2, ceil_mode=True).counts(True).tolist() == [[9, 9, 6], [9, 9, 6], [6, 6, 4]]
    w = Window.over((3, 5), 3, 2, 1)
    assert w.counts(False).tolist() == [[4, 6, 4], [4, 6, 4]]
    assert w.counts(True).tolist() == [[9, 9, 9], [9, 9, 9]]


# ------------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    "options, said",
    [
        (dict(kernel_size=8), r"8x8 does not fit into pictures of 6x7"),
        (dict(kernel_size=(2, 4), dilation=(1, 3)), r"2x10 does not fit"),
        (dict(kernel_size=8, ceil_mode=True), r"8x8 does not fit"),
        (dict(kernel_size=0), r"kernel_size \(0, 0\).*at least 1"),
        (dict(kernel_size=2, stride=0), r"stride \(0, 0\).*at least 1"),
        (dict(kernel_size=2, stride=(1, -1)), r"stride \(1, -1\).*at least 1"),
        (dict(kernel_size=2, dilation=0), r"dilation \(0, 0\).*at least 1"),
        (dict(kernel_size=2, padding=-1), r"padding must not be negative"),
        (dict(kernel_size=2, padding=((0, 1), (-1, 0))), r"padding must not be negative"),
        (dict(kernel_size=2, padding="full"), r"\"valid\" or \"same\", got 'full'"),
    ],
    ids=str,
)
def test_impossible_numbers(options, said):
    with pytest.raises(ValueError, match=said):
        Window.over((1, 1, 6, 7), **options)


@pytest.mark.parametrize("name", ["kernel_size", "stride", "padding", "dilation"])
@pytest.mark.parametrize("value", [1.5, (1, 2, 3), (1.0, 2), None, ()], ids=str)
def test_what_is_no_whole_number_or_pair_is_named(name, value):
    with pytest.raises(TypeError, match=f"{name} is a whole number or a pair"):
        Window.over((6, 7), **{"kernel_size": 2, name: value})


def test_pair():
    assert pair(3, "n") == pair([3, 3], "n") == pair(np.int64(3), "n") == (3, 3)
    assert all(type(v) is int for v in pair(np.array([1, 2]), "n"))


def test_pools_are_padded_by_half_a_window_at_most():
    assert Window.over_pool((1, 1, 6, 7), (3, 4), padding=(1, 2)).stride == (3, 4)
    assert Window.over_pool((1, 1, 9, 9), 2, padding=1, dilation=2).padding == ((1, 1), (1, 1))
    with pytest.raises(ValueError, match="half the window"):
        Window.over_pool((1, 1, 6, 7), 3, padding=2)
    with pytest.raises(ValueError, match=r"\(N, C, H, W\), got \(6, 7\)"):
        Window.over_pool((6, 7), 3)


# -------------------------------------------------------------------------------------------------------------- torch


def test_sizes_and_counts_of_pools_against_torch(torch):
    """Every small window over every small picture: the sizes, and what count_include_pad divides by."""
    checked = 0
    for n, kernel, stride, ceil in itertools.product(range(1, 12), range(1, 5), range(1, 6), (False, True)):
        for padding in range(kernel // 2 + 1):
            x, options = torch.ones(1, 1, n, 3), dict(stride=(stride, 1), padding=(padding, 0), ceil_mode=ceil)
            try:
                expected = torch.nn.functional.avg_pool2d(x, (kernel, 1), **options, divisor_override=1)
            except RuntimeError:
                with pytest.raises(ValueError, match="does not fit"):
                    Window.over_pool(x.shape, (kernel, 1), **options)
                continue
            window = Window.over_pool(x.shape, (kernel, 1), **options)
            assert window.output == tuple(expected.shape[2:]), (n, kernel, options)
            assert np.array_equal(window.counts(False), expected[0, 0].numpy()), (n, kernel, options)
            averages = torch.nn.functional.avg_pool2d(x, (kernel, 1), **options, count_include_pad=True)[0, 0].numpy()
            shares = window.counts(False) / window.counts(True)
            np.testing.assert_allclose(averages, shares, rtol=1e-6, err_msg=str(window))
            checked += 1
    assert checked > 500


def test_sizes_of_convolutions_against_torch(torch):
    for n, kernel, stride, dilation in itertools.product(range(1, 14), range(1, 4), range(1, 4), range(1, 4)):
        for padding in range(4):
            x, w = torch.ones(1, 1, n, 1), torch.ones(1, 1, kernel, 1)
            options = dict(stride=(stride, 1), padding=(padding, 0), dilation=(dilation, 1))
            if n + 2 * padding < dilation * (kernel - 1) + 1:
                with pytest.raises(ValueError, match="does not fit"):
                    Window.over(x.shape, (kernel, 1), **options)
            else:
                expected = torch.nn.functional.conv2d(x, w, **options).shape[2:]
                assert Window.over(x.shape, (kernel, 1), **options).output == tuple(expected)
