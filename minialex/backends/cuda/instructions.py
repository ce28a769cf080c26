"""How many instructions a launch executes, counted in the PTX that NVRTC makes of a kernel; no GPU is needed.

PTX is NVIDIA's assembler: what a GPU executes is made from it nearly line by line. A count of its lines says little: of
a loop it shows one turn, or four where the compiler has unrolled it. So the threads of a launch are run, one after the
other, with its sizes and other whole numbers, and each instruction counts every time that a thread comes by. Numbers in
arrays are not computed: a kernel whose branches depend on them cannot be counted.

An instruction of PTX is a unit like a line of code: on a GPU most take one step, but a division or a square root takes
ten or more, one of 64-bit whole numbers a hundred. `Instructions` tells them apart.
"""

from __future__ import annotations

import math
import re
import struct
from collections import Counter
from dataclasses import dataclass
from functools import cache

import numpy as np

from . import compile as cuda_compile
from .launch import REALS

_LABEL = re.compile(r"\$\w+(?=:)")
_GUARD = re.compile(r"@(!?)%(p\d+)\s+")
_OPERAND = re.compile(r"\{[^}]*\}|\[[^\]]*\]|[^,{}\[\]]+")
_PARAMETER = re.compile(r"\[\w+_param_(\d+)(?:\+(\d+))?\]")
_FORMATS = {"s8": "b", "u8": "B", "s32": "i", "u32": "i", "b32": "i", "s64": "q", "u64": "q", "f32": "f", "f64": "d"}
_COMPARED = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_OPPOSITES = {"equ": "!=", "neu": "==", "ltu": ">=", "leu": ">", "gtu": "<=", "geu": "<"}  # true for a NaN, too
_SIGNS = {"add": "+", "sub": "-", "mul": "*", "and": "&", "or": "|", "xor": "^", "shl": "<<", "shr": ">>"}
_SPECIAL = {f"%{name}.{axis}": f"{name}_{axis}" for name in ("tid", "ntid", "ctaid", "nctaid") for axis in "xyz"}


@dataclass(frozen=True)
class Instructions:
    """What the threads of a launch execute.

    by_opcode: {opcode with its types, such as "sqrt.rn.ftz.f32": how many times}.
    threads: how many threads that were.
    """

    by_opcode: Counter
    threads: int

    @property
    def total(self):
        """All instructions."""
        return sum(self.by_opcode.values())

    @property
    def square_roots(self):
        """Square roots of floating-point numbers."""
        return self._of(r"r?sqrt\b")

    @property
    def divisions(self):
        """Divisions of floating-point numbers, reciprocals among them."""
        return self._of(r"(div|rcp)\b.*\.f\d")

    @property
    def whole_divisions(self):
        """Divisions of whole numbers, remainders among them."""
        return self._of(r"(div|rem)\b.*\.[su]\d")

    def _of(self, pattern):
        return sum(n for opcode, n in self.by_opcode.items() if re.match(pattern, opcode))


def count(kernel, text, real, grid, block, values, blocks=None):
    """The Instructions that a launch executes.

    kernel: a launch.Kernel.
    text: its source.
    real, grid, block, values: as of Launcher.launch; the numbers in arrays do not matter.
    blocks: numbers of those to run; None for all of the grid.

    Raises OSError without NVRTC, ValueError for a kernel whose branches depend on numbers in arrays.
    """
    program = _program(text, REALS[real], kernel.name)
    pairs = zip(kernel.parameters, values, strict=True)
    given = [number << 40 if p.array else np.asarray(value).tobytes() for number, (p, value) in enumerate(pairs, 1)]
    times, numbers = [0] * len(program.opcodes), range(math.prod(grid)) if blocks is None else blocks
    for number in numbers:
        place = number % grid[0], number // grid[0] % grid[1], number // (grid[0] * grid[1])
        for thread in np.ndindex(*block[::-1]):
            try:
                program.run(times, given, *thread[::-1], *block, *place, *grid)
            except _DependsOnDataError:
                raise ValueError(f"{kernel.name}: not counted, its branches depend on the numbers in arrays") from None
    by_opcode: Counter = Counter()
    for n, opcodes in zip(times, program.opcodes, strict=True):
        for opcode, many in opcodes.items():
            by_opcode[opcode] += n * many
    return Instructions(+by_opcode, len(numbers) * math.prod(block))


class _DependsOnDataError(Exception):
    pass


class _Unknown:
    """A number from an array, and whatever is computed from one."""

    def _unknown(self, *_):
        return self

    def __bool__(self):
        raise _DependsOnDataError

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __and__ = __rand__ = __or__ = __ror__ = _unknown
    __xor__ = __rxor__ = __lshift__ = __rlshift__ = __rshift__ = __rrshift__ = __invert__ = __neg__ = _unknown
    __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = _unknown
    __hash__ = None  # type: ignore[assignment]


_UNKNOWN = _Unknown()


@dataclass(frozen=True)
class _Program:
    """run: counts -> None, a thread; opcodes: of each piece of the program, which `run` counts by its number."""

    run: object
    opcodes: list


@cache
def _program(text, real, kernel):
    """A kernel's PTX as a Python function.

    Its pieces end where a branch ends or enters one. Whole numbers are kept as Python's, within the range of their
    signed type; what an unsigned instruction reads is taken modulo 2^32 or 2^64 first.
    """
    ptx = cuda_compile.ptx(text, real)
    start = ptx.index("{\n", ptx.index(f".entry {kernel}("))
    pieces = _pieces(ptx[start : ptx.index("\n}\n", start)])
    numbers = {label: i for i, (label, _) in enumerate(pieces)}
    codes = [
        [f"counts[{i}] += 1", *(line for s in statements for line in _python(s, numbers)), f"at = {i + 1}"]
        for i, (_, statements) in enumerate(pieces)
    ]
    special = ", ".join(f"{name}_{axis}" for name in ("tid", "ntid", "ctaid", "nctaid") for axis in "xyz")
    lines = [
        f"def run(counts, given, {special}):",
        "    at = 0",
        "    while True:",
        *_search(codes, 0, len(codes), "        "),
    ]
    scope = {"unknown": _UNKNOWN, "quotient": _quotient, "negated": _negated, "read": struct.unpack_from}
    scope |= {"inf": math.inf, "nan": math.nan}
    exec("\n".join(lines), scope)
    return _Program(scope["run"], [Counter(_opcode(s) for s in statements) for _, statements in pieces])


def _pieces(body):
    """[(label or None, its statements)]: straight lines of code."""
    body = re.sub(r"//[^\n]*|^\s*\.(?:reg|loc|pragma|shared|local|param)\b[^\n]*", "", body, flags=re.M)
    pieces: list = [(None, [])]
    for statement in re.split(r";|(?<=:)", body):
        statement = " ".join(statement.split()).lstrip("{} ")
        if label := _LABEL.match(statement):
            pieces.append((label[0], []))
        elif statement:
            pieces[-1][1].append(statement)
            if re.search(r"\bbra\b", statement):
                pieces.append((None, []))
    return pieces


def _search(codes, first, last, indent):
    """Lines that find piece `at` among `first` to `last` by halving, and run it."""
    if last - first == 1:
        return [indent + line for line in codes[first]]
    middle = (first + last) // 2
    halves = [_search(codes, *half, indent + "    ") for half in ((first, middle), (middle, last))]
    return [f"{indent}if at < {middle}:", *halves[0], f"{indent}else:", *halves[1]]


def _opcode(statement):
    return _GUARD.sub("", statement).split()[0]


def _python(statement, numbers):
    """Lines of Python that do what a statement of PTX does to whole numbers and predicates."""
    guard = _GUARD.match(statement)
    opcode, _, rest = _GUARD.sub("", statement).partition(" ")
    name, *kinds = opcode.split(".")
    operands = [_operand(o.strip()) for o in _OPERAND.findall(rest) if o.strip()]
    if name == "bra":
        lines = [f"at = {numbers[rest.strip()]}", "continue"]
    elif name in ("ret", "exit"):
        lines = ["return"]
    elif name in ("st", "bar", "membar"):
        lines = []
    elif name == "call":
        lines = [f"raise ValueError('it calls {rest.split(',')[1].strip()}, whose instructions are not counted')"]
    else:
        packed = any("{" in o for o in operands)  # bits of floating-point numbers, in halves
        value = _loaded(rest, kinds) if name == "ld" else "unknown" if packed else _value(name, kinds, operands[1:])
        lines = [f"{register} = {value}" for register in operands[0].strip("{}").split(",")]
    if guard and lines:
        lines = [f"if {'not ' if guard[1] else ''}{guard[2]}:", *("    " + line for line in lines)]
    return lines


def _operand(text):
    if text in _SPECIAL:
        return _SPECIAL[text]
    if re.fullmatch(r"0[fd][0-9A-Fa-f]+", text):
        return repr(struct.unpack(">f" if text[1] == "f" else ">d", bytes.fromhex(text[2:]))[0])
    if re.fullmatch(r"[A-Za-z_]\w*", text):
        return str(1 << 50)  # the address of a shared array
    return text.replace("%", "").replace(" ", "")


def _loaded(rest, kinds):
    parameter = _PARAMETER.search(rest)
    if kinds[0] != "param" or not parameter:
        return "unknown"
    index, offset = int(parameter[1]), int(parameter[2] or 0)
    if kinds[-1] == "u64" and not offset:
        return f"given[{index}] if type(given[{index}]) is int else read('<q', given[{index}])[0]"
    return f"read('<{_FORMATS[kinds[-1]]}', given[{index}], {offset})[0]"


def _value(name, kinds, operands):
    """A Python expression of what an instruction computes; `unknown` for floating-point numbers."""
    kind = kinds[-1]
    floating, signed = kind[0] == "f", kind[0] == "s"
    if name in ("mov", "cvta"):
        return operands[0]
    if name == "setp" and kinds[0] in _OPPOSITES:
        return f"negated({operands[0]} {_OPPOSITES[kinds[0]]} {operands[1]})"
    if name == "setp":
        left, right = operands if floating or signed else [_unsigned(o, kind) for o in operands]
        return f"{left} {_COMPARED[kinds[0]]} {right}" if kinds[0] in _COMPARED else "unknown"
    if name == "selp":
        return f"unknown if {operands[2]} is unknown else {operands[0]} if {operands[2]} else {operands[1]}"
    if floating or any(k[0] == "f" and k[1:].isdigit() for k in kinds):
        return "unknown"
    if kind == "pred":
        return f"negated({operands[0]})" if name == "not" else f"{operands[0]} {_SIGNS[name]} {operands[1]}"
    bits = int(kind[1:])
    if name == "cvt":
        source = operands[0] if kind[0] == "s" else _unsigned(operands[0], kind)
        return _wrapped(source, int(kinds[-2][1:]))
    if not signed and name in ("mul", "div", "rem", "shr", "min", "max", "mad"):
        operands = [_unsigned(o, kind) for o in operands]
    if name == "mad":
        return _wrapped("{} * {} + {}".format(*operands), bits * (2 if "wide" in kinds else 1))
    if name == "mul" and "hi" in kinds:
        return _wrapped(f"({operands[0]} * {operands[1]} >> {bits})", bits)
    if name in _SIGNS:
        wide = name == "mul" and "wide" in kinds
        return _wrapped(f"({operands[0]} {_SIGNS[name]} {operands[1]})", bits * (2 if wide else 1))
    if name in ("div", "rem"):
        quotient = f"quotient({operands[0]}, {operands[1]})"
        return _wrapped(quotient if name == "div" else f"{operands[0]} - {quotient} * {operands[1]}", bits)
    if name in ("min", "max"):
        return _wrapped(f"{name}({operands[0]}, {operands[1]})", bits)
    if name in ("neg", "not", "abs"):
        return _wrapped({"neg": "-", "not": "~", "abs": "abs"}[name] + f"({operands[0]})", bits)
    raise NotImplementedError(f"PTX has an instruction that is not known here: {name}.{'.'.join(kinds)}")


def _unsigned(value, kind):
    return f"({value} & {(1 << int(kind[1:])) - 1})"


def _wrapped(value, bits):
    half = 1 << bits - 1
    return f"({value} + {half} & {2 * half - 1}) - {half}"


def _negated(a):
    return a if a is _UNKNOWN else not a


def _quotient(a, b):
    """Rounded towards zero, as in C."""
    if a is _UNKNOWN or b is _UNKNOWN:
        return _UNKNOWN
    return a // b if (a < 0) == (b < 0) else -(-a // b)
