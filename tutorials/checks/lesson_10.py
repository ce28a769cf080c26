"""What the exercises of lesson 10 expect, and what goes wrong in them."""

from __future__ import annotations

from exercises import Exercise


def blocks(n, size):
    """Solution of 10.1."""
    return -(-n // size)


def sectors(first, stride):
    """Solution of 10.2."""
    return len({(first + t * stride) // 8 for t in range(32)})


def loads(rows, columns, depth, side):
    """Solution of 10.3."""
    return 2 * rows * columns * depth // side


def pixel(k, place, kernel, out, stride, padding):
    """Solution of 10.5."""
    c, u, v = k // kernel**2, k // kernel % kernel, k % kernel
    return c, place // out * stride + u - padding, place % out * stride + v - padding


def _taps_swapped(k, place, kernel, out, stride, padding):
    c, u, v = k // kernel**2, k % kernel, k // kernel % kernel
    return c, place // out * stride + u - padding, place % out * stride + v - padding


def _places_swapped(k, place, kernel, out, stride, padding):
    c, u, v = k // kernel**2, k // kernel % kernel, k % kernel
    return c, place % out * stride + u - padding, place // out * stride + v - padding


def _stride_on_taps(k, place, kernel, out, stride, padding):
    c, u, v = k // kernel**2, k // kernel % kernel, k % kernel
    return c, place // out + u * stride - padding, place % out + v * stride - padding


EXERCISES = {
    "10.1": Exercise(
        blocks,
        (
            (lambda n, size: n // size, "Rounded down: the last elements get no thread. Round up."),
            (lambda n, size: n // size + 1, "One too many where size divides n. Add size - 1 before dividing."),
            (lambda n, size: n / size, "Blocks come whole: round up."),
            (lambda n, size: n * size, "A block does `size` elements at once: divide."),
            (lambda n, size: size // n + 1, "The other way round: n elements are dealt out to blocks of size."),
        ),
        cases=((90, 32), (96, 32), (1, 256), (257, 256)),
        right="The threads of the last block that find nothing are what `if (i >= n) return;` is for.",
        hints=("Blocks come whole. What if size does not divide n?", "Divide and round up.", "(n + size - 1) // size."),
    ),
    "10.2": Exercise(
        sectors,
        (
            (lambda first, stride: 32, "A sector that two threads want is fetched once for the warp: count it once."),
            (
                lambda first, stride: max(4 * stride, 1),
                "A warp of 32 never fetches more than 32; and where x begins counts.",
            ),
            (
                lambda first, stride: sectors(0, stride),
                "`first` moves the run: it may begin in the middle of a sector.",
            ),
            (lambda first, stride: 4, "That is the best case. With a stride the wanted floats lie further apart."),
            (
                lambda first, stride: len({(first + t * stride) // 32 for t in range(32)}),
                "A sector has 32 bytes, and a float has four of them: eight floats.",
            ),
        ),
        cases=((0, 1), (3, 1), (0, 2), (0, 3), (5, 0), (6, 9)),
        right="Cases with a `first` of their own are why arrays begin at multiples of 32 bytes.",
        hints=(
            "A sector that several threads want is fetched once.",
            "Float number f lies in sector f // 8. How many different ones do the 32 threads need?",
            "The number of elements of the set of (first + t * stride) // 8, for t from 0 to 31.",
        ),
    ),
    "10.3": Exercise(
        loads,
        (
            (
                lambda rows, columns, depth, side: 2 * rows * columns * depth,
                "That is a thread for each entry, no tiles.",
            ),
            (lambda rows, columns, depth, side: rows * columns * depth // side, "There are two strips, of A and of B."),
            (
                lambda rows, columns, depth, side: 2 * rows * columns * depth // side**2,
                "A strip of one tile is `side` rows wide: 2 * side * depth loads for a tile.",
            ),
            (lambda rows, columns, depth, side: 2 * depth // side, "That is for one entry of C. There are many."),
            (
                lambda rows, columns, depth, side: depth * (rows + columns),
                "Each number once would do only if one tile were all of C. Every tile loads strips of its own.",
            ),
        ),
        cases=((16, 16, 8, 8), (64, 32, 48, 16), (128, 128, 128, 64)),
        right="Divided by all products this is 2 / side.",
        hints=(
            "How many tiles has C, and what does one of them load?",
            "A tile needs a strip of `side` rows of A and one of `side` columns of B, each `depth` long.",
            "(rows // side) * (columns // side) tiles, each with 2 * side * depth loads.",
        ),
    ),
    "10.4": Exercise(
        [2, 3, 5],
        (
            ([2, 5], "In line 3 a thread overwrites its cell. Has its neighbour read it yet, in line 2?"),
            ([2, 3, 4, 5], "Line 4 touches only the thread's own cell, which nobody else reads before line 5."),
            ([5], "Line 2 reads another thread's cell as well; and line 3 overwrites one that another reads."),
            ([2, 3], "Line 5 reads another thread's cell, which lines 3 and 4 have just changed."),
            ([1, 2, 4], "A barrier *after* a line is one before the next: before which lines are yours?"),
        ),
        right="Read after another's write, and write after another's read: both need one.",
        hints=(
            "A barrier is needed where a thread touches a cell that another touched since the last one, and one of "
            "them writes.",
            "For each line ask: whose cell does it read or write, and who wrote or read that cell before?",
            "Lines 2 and 5 read what others wrote; which line overwrites what a neighbour may still have to read?",
        ),
    ),
    "10.5": Exercise(
        pixel,
        (
            (_taps_swapped, "u and v are swapped: v is the last that k counts, so it changes fastest."),
            (_places_swapped, "i and j are swapped: place = i * out + j, so j is the remainder."),
            (
                _stride_on_taps,
                "The stride moves the window: it belongs to i and j. Inside a window pixels are neighbours.",
            ),
            (
                lambda k, place, kernel, out, stride, padding: pixel(k, place, kernel, out, stride, 0),
                "The window begins `padding` pixels before the picture: subtract it.",
            ),
            (
                lambda k, place, kernel, out, stride, padding: pixel(k, place, kernel, out, stride, -padding),
                "Subtract the padding: the first window begins outside the picture, at -padding.",
            ),
            (
                lambda k, place, kernel, out, stride, padding: (
                    pixel(k, place, kernel, out, stride, padding)[1:]
                    + pixel(k, place, kernel, out, stride, padding)[:1]
                ),
                "The channel comes first: (channel, row, column).",
            ),
        ),
        cases=((0, 0, 3, 13, 1, 1), (23, 30, 3, 13, 1, 1), (47, 58, 5, 7, 2, 2), (362, 100, 11, 55, 4, 0)),
        right="`Entry` in kernels/conv2d.cu does this, and returns 0 outside the picture.",
        hints=(
            "Both numbers are written like the time of day: split them by // and %.",
            "k holds c, u, v, with v counting fastest; place holds i, j, with j counting fastest.",
            "v = k % kernel, u = k // kernel % kernel, c = k // kernel**2; the row is i * stride + u - padding.",
        ),
    ),
}
