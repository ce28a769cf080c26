"""Mutations of protobuf's wire format that keep the lengths of the messages around them right."""

from __future__ import annotations

import copy

from fuzz import mutate

NUMBERS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 17, 32, 77, 100, 106, 117, 121, 139, 142, 2**29 - 1)


def varint(value):
    value, out = value % 2**64, bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def tree(content, depth=0):
    """[[number, type, value]] of some bytes, where a value is an int, bytes or another such list; None for others."""
    fields, at = [], 0
    while at < len(content):
        tag, at = _integer(content, at)
        if tag is None or tag >> 3 == 0 or tag & 7 not in (0, 1, 2, 5):
            return None
        if tag & 7 == 0:
            value, at = _integer(content, at)
            if value is None:
                return None
        else:
            size, at = _integer(content, at) if tag & 7 == 2 else ({1: 8, 5: 4}[tag & 7], at)
            if size is None or at + size > len(content):
                return None
            value, at = content[at : at + size], at + size
            inner = tree(value, depth + 1) if tag & 7 == 2 and depth < 6 and 1 < size < 5000 else None
            value = value if inner is None else inner
        fields.append([tag >> 3, tag & 7, value])
    return fields


def _integer(content, at):
    value = shift = 0
    while at < len(content) and shift < 70:
        value |= (content[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if content[at - 1] < 128:
            return value, at
    return None, at


def encoded(fields):
    out = []
    for number, kind, value in fields:
        if isinstance(value, list):
            value = encoded(value)
        body = varint(value) if isinstance(value, int) else varint(len(value)) + value if kind == 2 else value
        out.append(varint(number << 3 | kind) + body)
    return b"".join(out)


def _lists(fields):
    yield fields
    for _, _, value in fields:
        if isinstance(value, list):
            yield from _lists(value)


def of_protobuf(rng, content, others=()):
    """One to three fields changed, repeated, removed or put elsewhere; or bytes, as of any file."""
    fields = tree(content)
    if not fields or rng.random() < 0.25:
        return mutate.of_bytes(rng, content, others)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        chosen = rng.choice([one for one in _lists(fields) if one] or [fields])
        if not chosen:
            break
        i, what = rng.randrange(len(chosen)), rng.random()
        number, kind, value = chosen[i]
        if what < 0.1:
            del chosen[i]
        elif what < 0.2:
            chosen.insert(rng.randrange(len(chosen) + 1), copy.deepcopy(chosen[i]))
        elif what < 0.25:
            times, size = rng.choice((2, 30, 3000)), len(encoded([chosen[i]]))
            chosen[i : i + 1] = [copy.deepcopy(chosen[i]) for _ in range(min(times, 2 + 100_000 // size))]
        elif what < 0.3:
            target = rng.choice([*_lists(fields)])
            target.append([number, kind, encoded(value) if isinstance(value, list) else value])
        elif what < 0.4:
            chosen[i] = [rng.choice(NUMBERS), kind, value]
        elif what < 0.45:
            chosen[i] = [number, 0, rng.choice(mutate.INTEGERS)]
        elif what < 0.5:
            chosen.append([rng.choice(NUMBERS), 2, rng.choice((b"", b"\0", b"\xff" * 9, b"\x80" * 50, b"\x0a" * 4000))])
        elif isinstance(value, int):
            near = value + rng.choice((-2, -1, 1, 2))
            chosen[i] = [number, kind, rng.choice((near, near, rng.choice(mutate.INTEGERS), rng.randrange(40)))]
        elif isinstance(value, bytes) and kind == 2:
            chosen[i] = [number, kind, mutate.of_bytes(rng, value, ()) if value else b"x"]
        elif kind in (1, 5):
            special = (b"\0\0\x80\x7f", b"\0\0\xc0\x7f", b"\0\0\x80\xbf", bytes(4), b"\xff\xff\x7f\x7f")
            chosen[i] = [number, kind, (rng.choice(special) * 2)[: 8 if kind == 1 else 4]]
        else:
            chosen[i] = [number, kind, []]
    return encoded(fields)


def same_protobuf(rng, content):
    """A field that nobody knows, at the end of the whole."""
    number = rng.randrange(5000, 9000) << 3
    return content + rng.choice((varint(number) + b"\5", varint(number | 2) + b"\3abc", varint(number | 5) + bytes(4)))
