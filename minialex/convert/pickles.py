"""Reading pickles without running what they name: a stack machine of our own, for protocols 0 to 5.

A pickle is a program. This machine makes None, bools, numbers, texts, bytes, lists, tuples, sets and dicts, and calls
functions of a closed table, all of them ours; any other name is refused before anything is done with it. Python's own
Unpickler with a strict find_class would run no code either, but it takes the memory that a file only claims: ten bytes
(a memo place of 2^31, a bytearray of 2^40) are enough to use up a machine's. Here every object counts against a budget.

    stack       opcodes push values, and make one of several; MARK begins a new part of the stack
    memo        {number: value}, to which a value on top is written, and from which it is pushed again
    REDUCE      pops a tuple and a function, and pushes what the function makes of them
    BUILD       pops a state, and gives it to the value on top

https://github.com/python/cpython/blob/main/Lib/pickletools.py describes every opcode.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .pickle_machine import Call, Damaged, Dict, Machine, NotRun, Unbuilt

__all__ = ["Call", "Damaged", "Dict", "NotRun", "Unbuilt", "load"]

_EACH = 32  # bytes that any opcode counts, so that a file cannot take time with opcodes that make nothing


def load(content, names, persistent=None, start=0, memory=2**26):
    """Read one pickle.

    content: bytes or a bytearray.
    names: {"module.name": value} of what it may name; a Call may be called.
    persistent: a function of a persistent id that returns its value.
    start: of the pickle in `content`.
    memory: bytes that its objects may take.

    Returns the value and the place behind the pickle.
    Raises Damaged, and NotRun for another name than those in `names`.
    """
    machine = Machine(content, names, persistent, start, memory)
    while (opcode := machine.take(1)[0]) != ord("."):
        action = _ACTIONS.get(opcode)
        if action is None:
            raise machine.damaged(f"there is the opcode 0x{opcode:02x}, which no weights need")
        machine.spend(_EACH)
        action(machine)
    return machine.pop(), machine.at


_ACTIONS: dict[int, Callable[[Machine], Any]] = {
    # constants and containers
    ord("N"): lambda m: m.push(None),
    0x88: lambda m: m.push(True),
    0x89: lambda m: m.push(False),
    ord(")"): lambda m: m.push(()),
    ord("]"): lambda m: m.push([]),
    ord("}"): lambda m: m.push({}),
    0x8F: lambda m: m.push(set()),
    ord("t"): lambda m: m.push(tuple(m.marked())),
    ord("l"): lambda m: m.push(m.marked()),
    ord("d"): lambda m: m.push(dict(m.pairs(m.marked()))),
    0x91: lambda m: m.push(frozenset(map(m.hashable, m.marked()))),
    0x85: lambda m: m.tuple_of(1),
    0x86: lambda m: m.tuple_of(2),
    0x87: lambda m: m.tuple_of(3),
    # numbers
    ord("I"): lambda m: m.integer(m.line()),
    ord("L"): lambda m: m.push(m.parsed(int, m.line().removesuffix(b"L"))),
    ord("F"): lambda m: m.push(m.parsed(float, m.line())),
    ord("G"): lambda m: m.push(m.number(">d")),
    ord("J"): lambda m: m.push(m.number("<i")),
    ord("K"): lambda m: m.push(m.number("B")),
    ord("M"): lambda m: m.push(m.number("<H")),
    0x8A: lambda m: m.long(m.number("B")),
    0x8B: lambda m: m.long(m.number("<i")),
    # texts and bytes
    ord("V"): lambda m: m.push(m.decoded(m.line(None), "raw-unicode-escape")),
    ord("X"): lambda m: m.text(m.counted("<I")),
    0x8C: lambda m: m.text(m.counted("B")),
    0x8D: lambda m: m.text(m.counted("<Q")),
    ord("S"): lambda m: m.quoted(),
    ord("T"): lambda m: m.latin(m.counted("<I")),
    ord("U"): lambda m: m.latin(m.counted("B")),
    ord("B"): lambda m: m.push(bytes(m.counted("<I"))),
    ord("C"): lambda m: m.push(bytes(m.counted("B"))),
    0x8E: lambda m: m.push(bytes(m.counted("<Q"))),
    0x96: lambda m: m.push(bytes(m.counted("<Q"))),
    # the stack and the memo
    ord("("): lambda m: m.mark(),
    ord("0"): lambda m: m.pop() if m.stack else m.marked(),
    ord("1"): lambda m: m.marked(),
    ord("2"): lambda m: m.stack.append(m.top(object, "a value")),
    ord("p"): lambda m: m.put(m.parsed(int, m.line())),
    ord("q"): lambda m: m.put(m.number("B")),
    ord("r"): lambda m: m.put(m.number("<I")),
    0x94: lambda m: m.put(len(m.memo)),
    ord("g"): lambda m: m.get(m.parsed(int, m.line())),
    ord("h"): lambda m: m.get(m.number("B")),
    ord("j"): lambda m: m.get(m.number("<I")),
    # adding to containers
    ord("a"): lambda m: m.extend([m.pop()]),
    ord("e"): lambda m: m.extend(m.marked()),
    ord("s"): lambda m: m.set_items([m.pop(), m.pop()][::-1]),
    ord("u"): lambda m: m.set_items(m.marked()),
    0x90: lambda m: m.add(m.marked()),
    # names, calls and states
    ord("c"): lambda m: m.name(*m.named()),
    0x93: lambda m: m.stack_name(),
    ord("R"): lambda m: m.reduce(),
    0x81: lambda m: m.reduce(),
    ord("i"): lambda m: m.instance(marked_class=False),
    ord("o"): lambda m: m.instance(marked_class=True),
    ord("b"): lambda m: m.build(),
    ord("P"): lambda m: m.persist(m.decoded(m.line())),
    ord("Q"): lambda m: m.persist(m.pop()),
    # what the pickle says of itself
    0x80: lambda m: m.protocol(),
    0x95: lambda m: m.frame(),
}
