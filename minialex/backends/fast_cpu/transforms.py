"""The matrices of Winograd's convolution, and products with them in straight lines of code.

`winograd.py` derives the matrices. Here they become fast: a matrix is written out as a line of Python for each of its
rows, without its zeros, and Numba compiles those lines. Points come in pairs p and -p, whose rows (or, in a transpose,
columns) differ in signs only, so that what they have in common is computed once. Six rows of F(4, 3)'s B^T thus become

    o0 = number(1.265625) * d0 - number(2.8125) * d2 + d4
    e1, f1 = -number(2.25) * d2 + d4, -number(1.6875) * d1 + number(0.75) * d3
    o1, o2 = e1 + f1, e1 - f1
    ...
"""

from __future__ import annotations

import functools
import math

import numpy as np

INFINITY = math.inf

# By size of the tile: those that lose least in float32 among the multiples of 1/8 up to 6. High powers cost digits, so
# that points near 1 are good, but points close to each other are bad. Seven do without infinity: 3 and -3 nearly are.
POINTS = {
    6: (0.0, 3 / 4, -3 / 4, 3 / 2, -3 / 2, INFINITY),
    7: (0.0, 5 / 8, -5 / 8, 9 / 8, -9 / 8, 3.0, -3.0),
    8: (0.0, 1 / 2, -1 / 2, 1.0, -1.0, 2.0, -2.0, INFINITY),
}


@functools.cache
def matrices(outputs, taps):
    """A^T (m, n), G (n, r) and B^T (n, n) of F(m, r), n = m + r - 1.

    outputs, taps: m and r.

    Raises KeyError where POINTS has no n points.
    """
    size = outputs + taps - 1
    points = POINTS[size]
    finite = [p for p in points if p != INFINITY]
    at, g, bt = np.zeros((outputs, size)), np.zeros((size, taps)), np.zeros((size, size))
    for j, p in enumerate(points):
        others = [q for q in finite if q != p]
        bt[j, : len(others) + 1] = np.poly(others)[::-1]
        if p == INFINITY:
            at[-1, j] = g[j, -1] = 1
        else:
            at[:, j] = p ** np.arange(outputs)
            g[j] = p ** np.arange(taps) / math.prod(p - q for q in others)
    return at, g, bt


def product(matrix, transposed=False):
    """Lines of Python that compute o0, o1, ... = matrix @ (d0, d1, ...).

    matrix: (rows, columns).
    transposed: whether it is the columns of p and -p that differ in signs only, rather than the rows.
    """
    return _by_columns(matrix) if transposed else _by_rows(matrix)


def _by_rows(matrix):
    lines, k = [], 0
    while k < len(matrix):
        if k + 1 < len(matrix) and _differ_in_signs(matrix[k], matrix[k + 1]):
            same = matrix[k] == matrix[k + 1]
            lines += [f"e{k} = {_sum(matrix[k] * same)}", f"f{k} = {_sum(matrix[k] * ~same)}"]
            lines += [f"o{k} = e{k} + f{k}", f"o{k + 1} = e{k} - f{k}"]
            k += 2
        else:
            lines.append(f"o{k} = {_sum(matrix[k])}")
            k += 1
    return lines


def _by_columns(matrix):
    lines, terms, k = [], [], 0
    while k < matrix.shape[1]:
        column = matrix[:, k]
        if k + 1 < matrix.shape[1] and _differ_in_signs(column, matrix[:, k + 1]):
            same = column == matrix[:, k + 1]
            lines += [f"e{k} = d{k} + d{k + 1}", f"f{k} = d{k} - d{k + 1}"]
            terms += [(column * same, f"e{k}"), (column * ~same, f"f{k}")]
            k += 2
        else:
            terms.append((column, f"d{k}"))
            k += 1
    sums = [_join([(column[row], name) for column, name in terms]) for row in range(len(matrix))]
    return lines + [f"o{row} = {text}" for row, text in enumerate(sums)]


def _differ_in_signs(a, b):
    return np.array_equal(abs(a), abs(b)) and not np.array_equal(a, b)


def _sum(row):
    return _join([(factor, f"d{k}") for k, factor in enumerate(row)])


def _join(terms):
    """The text of a sum of (factor, name); number() makes a factor one of the array's own type."""
    text = ""
    for factor, name in terms:
        if factor:
            size = abs(float(factor))
            text += (" - " if factor < 0 else " + ") + (name if size == 1 else f"number({size!r}) * {name}")
    return text.removeprefix(" + ") if text.startswith(" + ") else "-" + text.removeprefix(" - ")


def over_runs(name, matrix, step, transposed=False, rows=None, added=False):
    """The source of a function that multiplies a matrix by vectors whose entries lie in long runs of memory.

        name(d, at, a, b, o, to, oa, ob, length)

    Entry k of vector q stands at d[at + a (k % step) + b (k // step) + q], and that of its product goes to
    o[to + oa (k % step) + ob (k // step) + q]. With b = a step that is every a-th number.

    name: of the function.
    matrix, transposed: as for `product`.
    rows: those to compute; all if None.
    added: whether to add to what is there.
    """
    rows = range(len(matrix)) if rows is None else rows
    body = [f"d{k} = x{k}[q]" for k in range(matrix.shape[1])] + _only(rows, product(matrix, transposed))
    body += [f"y{k}[q] {'+=' if added else '='} o{k}" for k in rows]
    return _function(
        f"{name}(d, at, a, b, o, to, oa, ob, length)",
        [f"x{k} = d[at + a * {k % step} + b * {k // step} :]" for k in range(matrix.shape[1])]
        + [f"y{k} = o[to + oa * {k % step} + ob * {k // step} :]" for k in rows]
        + _loop(body),
    )


def over_products(name, matrix, step, maps):
    """As `over_runs`, for A^T: the vectors' entries are products that are made on the way, sums over a few maps.

        name(d, at, a, between, u, which, gap, o, to, oa, ob, length)

    Entry k of vector q is the sum over c of u[which + gap k + c] d[at + a k + between c + q].

    maps: how many.
    """
    entries = range(matrix.shape[1])
    sums = [" + ".join(f"f{k}_{c} * x{k}_{c}[q]" for c in range(maps)) for k in entries]
    body = [f"d{k} = {text}" for k, text in enumerate(sums)] + product(matrix, True)
    body += [f"y{k}[q] = o{k}" for k in range(len(matrix))]
    return _function(
        f"{name}(d, at, a, between, u, which, gap, o, to, oa, ob, length)",
        [f"f{k}_{c} = u[which + gap * {k} + {c}]" for k in entries for c in range(maps)]
        + [f"x{k}_{c} = d[at + a * {k} + between * {c} :]" for k in entries for c in range(maps)]
        + [f"y{k} = o[to + oa * {k % step} + ob * {k // step} :]" for k in range(len(matrix))]
        + _loop(body),
    )


def over_gradients(name, matrix, step, maps):
    """As `over_runs`, for A, without storing the product o: its gradient's share in gU is summed on the way.

        name(d, at, a, b, v, there, va, between, gu, which, gap, length)

    gu[which + gap k + c] += the sum over q of o[k, q] v[there + va k + between c + q], two entries k at a time: more
    sums than the processor has registers would have to wait for memory.
    """
    entries, lines = range(matrix.shape[1]), product(matrix)
    text = [f"x{k} = d[at + a * {k % step} + b * {k // step} :]" for k in entries]
    for rows in np.array_split(range(len(matrix)), -(-len(matrix) // 2)):
        each = [(k, c) for k in rows for c in range(maps)]
        text += [f"v{k}_{c} = v[there + va * {k} + between * {c} :]" for k, c in each]
        text += [f"s{k}_{c} = number(0)" for k, c in each]
        body = [f"d{k} = x{k}[q]" for k in entries] + _only(rows, lines)
        text += _loop(body + [f"s{k}_{c} += o{k} * v{k}_{c}[q]" for k, c in each])
        text += [f"gu[which + gap * {k} + {c}] += s{k}_{c}" for k, c in each]
    return _function(f"{name}(d, at, a, b, v, there, va, between, gu, which, gap, length)", text)


def _only(rows, lines):
    """Those lines that compute these rows, and what rows have in common."""
    names = {f"o{k}" for k in rows}
    return [line for line in lines if line[0] != "o" or line.split()[0] in names]


def _loop(body):
    return ["for q in range(length):", *(f"    {line}" for line in body)]


def _function(signature, lines):
    return "\n".join([f"def {signature}:", "    number = d.dtype.type", *(f"    {line}" for line in lines)])
