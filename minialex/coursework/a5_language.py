"""The language of kernel bodies: a part of C in which no address can be taken, made up or passed on.

A body is parsed before it is compiled. What kernels need is allowed: statements, declarations of numbers and of arrays
of constant size, and expressions of numbers. Everything else is refused. An array's name is always followed by its
indices, which the checked build or the compiler's sanitizer compares with its bounds; so a body can only reach its
parameters, shared memory and its own variables.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from ..backends.cuda.launch import Parameter

SHARED_BYTES = 48 << 10  # of a block's arrays in shared memory: CUDA's limit
LOCAL_BYTES = 16 << 10  # of a thread's variables: a quarter of its stack in the emulator
_WIDEST = 8  # bytes of the largest number
_DEEPEST = 60  # levels of parentheses, and of statements in each other
_TOKEN = re.compile(
    r"(?P<word>[A-Za-z_]\w*)|(?P<number>(?:0[xX][0-9a-fA-F]+|0[bB][01]+|\d+)(?:[uU]?[lL]{0,2}|[lL]{0,2}[uU])(?![\w.])"
    r"|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[fFlL]?(?![\w.]))|(?P<sign><<=|>>=|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||"
    r"::|->|[-+*/%&|^]=|[^\s\w])|(?P<other>\S\w*)",
    re.ASCII,
)
_NUMBERS = {"bool", "char", "short", "int", "long", "signed", "unsigned", "float", "double", "REAL", "size_t"}
_NUMBERS |= {f"{sign}int{bits}_t" for sign in ("", "u") for bits in (8, 16, 32, 64)}
_STRUCTS = {"Window", "Meeting", "Four", "uint3", "dim3"}
_WIDE = {"int", "long", "unsigned", "signed", "size_t", "int32_t", "int64_t", "uint32_t", "uint64_t"}  # 31 bits fit
_SIZES = {"Window": 48, "Meeting": 24, "Four": 32, "uint3": 16}  # bytes; of a number, 8
_SPELLED = {"and": "&&", "or": "||", "not": "!", "bitand": "&", "bitor": "|", "xor": "^", "compl": "~"}
_SPELLED |= {"and_eq": "&=", "or_eq": "|=", "xor_eq": "^=", "not_eq": "!="}
_MACROS = {"FOR_EACH_PLANE", "FOR_EACH_PLACE", "SHARED", "SHARED2", "REAL", "CHECKED", "EMULATOR", "errno"}
_CONSTANTS = {
    "true", "false", "INFINITY", "NAN", "HUGE_VAL", "HUGE_VALF", "FLT_MAX", "FLT_MIN", "FLT_EPSILON", "DBL_MAX",
    "DBL_MIN", "DBL_EPSILON", "INT_MAX", "INT_MIN", "UINT_MAX", "LLONG_MAX", "LLONG_MIN", "UCHAR_MAX", "M_PI",
}  # fmt: skip
_OF_NUMBERS = {"min", "max", "abs", "isnan", "isinf", "isfinite", "signbit", "thread_number", "thread_count"}
_OF_NUMBERS |= {"minus_power"}
_OF_REALS = {
    "fmin", "fmax", "fabs", "sqrt", "pow", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "fma", "fmod",
    "floor", "ceil", "round", "trunc", "tanh", "sin", "cos", "hypot", "copysign", "fdim", "cbrt",
}  # fmt: skip
_OF_NUMBERS |= _OF_REALS | {f"{name}f" for name in _OF_REALS}
_WINDOW = {"size", "kernel", "stride", "before", "dilation", "output"}
_MEETING = {"there", "stride", "dilation", "first", "last"}
_BINARY = ["||", "&&", "|", "^", "&", "==,!=", "<,>,<=,>=", "<<,>>", "+,-", "*,/,%"]  # the weakest first
_LEVELS = {sign: level for level, signs in enumerate(_BINARY) for sign in signs.split(",")}
_ASSIGN = {"=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="}
_COMPUTE: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.floordiv,
    "%": operator.mod,
}
_KEYWORDS = {"if", "else", "for", "while", "do", "switch", "case", "default", "break", "continue", "return", "sizeof"}
_NO_NAMES = _MACROS | _NUMBERS | _STRUCTS | _CONSTANTS | _KEYWORDS
_TYPES = _NUMBERS | _STRUCTS
_ADDRESS = "for an address: kernels need no pointers of their own, index the arrays"


class Refused(ValueError):
    """A token that a body may not use there; line: its number, message: which, and why."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


class Token(NamedTuple):
    """A word, number or sign of a body, with its line and the place where it starts."""

    text: str
    kind: str
    line: int
    start: int


@dataclass(frozen=True)
class Thing:
    """A name's meaning, or an expression's.

    kind: "number", "array" with `indices` indices, "Window", "Meeting", "Four" or "uint3".
    indices: how many an array takes.
    assignable: whether it may stand before = or ++.
    value: of an integral constant, else None.
    memory: of an array: "global", "shared" or "local".
    cell: whether it is a cell of an array, and nothing else.
    """

    kind: str = "number"
    indices: int = 0
    assignable: bool = False
    value: int | None = None
    memory: str = ""
    cell: bool = False


_INDEX = Thing("uint3")
_NUMBER = Thing()


def tokens(body, line=1):
    """The Tokens of a body without comments.

    body: its text.
    line: the number of its first line.
    """
    found, at = [], 0
    for match in _TOKEN.finditer(body):
        line, at = line + body.count("\n", at, match.start()), match.start()
        text, kind = match.group(), match.lastgroup or ""
        found.append(Token(_SPELLED.get(text, text), "sign" if text in _SPELLED else kind, line, at))
    return found


def check(found, parameters, constants):
    """Check that a body stays within the language.

    found: its Tokens.
    parameters: the kernel's, as text.
    constants: {name: value} of the integers that its file declares.

    Returns the places where cells stand whose values have to be read at once, by a + before them: as alternatives of a
    conditional expression and as arguments. Elsewhere in C++ they are read anyway, but in the checked build, where a
    cell is an object, 0 beside it would make it an int, and no function would be found.
    Raises Refused for the first token that leaves the language.
    """
    known = {name: _INDEX for name in ("threadIdx", "blockIdx", "blockDim", "gridDim")}
    known |= {name: Thing(value=value) for name, value in constants.items()}
    for each in filter(str.strip, parameters.split(",")):
        parameter = Parameter.parse(each)
        if parameter.array:
            known[parameter.name] = Thing("array", 1, memory="global")
        else:
            known[parameter.name] = Thing(parameter.type if parameter.type == "Window" else "number", assignable=True)
    parser = _Parser(found, known)
    parser.body()
    return parser.read


class _Parser:
    def __init__(self, found, known):
        self.found, self.at, self.scopes, self.depth = found, 0, [known, {}], 0
        self.local = self.shared = 0  # bytes of arrays
        self.read: list[int] = []

    # ------------------------------------------------------------------------------------------ tokens

    @property
    def next(self):
        return self.found[self.at].text if self.at < len(self.found) else ""

    @property
    def after(self):
        return self.found[self.at + 1].text if self.at + 1 < len(self.found) else ""

    def take(self):
        self.at += 1
        return self.found[self.at - 1].text

    def took(self, *texts):
        if self.next in texts and self.next:
            return self.take()
        return None

    def expect(self, text):
        if not self.took(text):
            raise self.unexpected(f"`{text}`")

    def refused(self, message, at=None):
        at = min(self.at if at is None else at, len(self.found) - 1)
        return Refused(self.found[at].line if self.found else 1, message)

    def unexpected(self, wanted):
        if self.next in ("*", "&", "&&"):
            return self.refused(f"`{self.next}` {_ADDRESS}")
        if self.next == "[":
            before = self.found[self.at - 1].text if self.at else ""
            return self.refused(f"`{before}[`: only named arrays can be indexed, as often as they have dimensions")
        if self.next == "(":
            return self.refused("a call through an expression")
        if not self.next:
            return self.refused(f"its end here: expected {wanted}")
        return self.refused(f"`{self.next}` here: expected {wanted}", self.at - (wanted == "`;`" and self.at > 0))

    def deeper(self):
        self.depth += 1
        if self.depth > _DEEPEST:
            raise self.refused(f"more than {_DEEPEST} levels of statements and parentheses in each other")

    # ------------------------------------------------------------------------------------------ names

    def name(self):
        """A name to be declared."""
        text = self.next
        if not text or self.found[self.at].kind != "word" or text in _NO_NAMES:
            raise self.unexpected("a name")
        return self.take()

    def declare(self, name, thing):
        self.scopes[-1][name] = thing

    def meaning(self, name):
        return next((scope[name] for scope in reversed(self.scopes) if name in scope), None)

    def count(self, of, name, elements, width):
        """Add the bytes of an array to those of the body."""
        used, most = getattr(self, of) + elements * width, SHARED_BYTES if of == "shared" else LOCAL_BYTES
        setattr(self, of, used)
        if used > most:
            whose = "a block's shared arrays" if of == "shared" else "a thread's local variables"
            raise self.refused(f"`{name}`: {whose} have {most} bytes together at most, with it they have {used}")

    # ------------------------------------------------------------------------------------------ statements

    def body(self):
        while self.next:
            self.statement()

    def block(self):
        """A statement with a scope of its own."""
        self.scopes.append({})
        self.statement()
        self.scopes.pop()

    def statement(self):
        self.deeper()
        word = self.next
        if word in ("break", "continue", "return"):
            self.take()
            self.expect(";")
        elif word in _STATEMENTS:
            self.take()
            _STATEMENTS[word](self)
        elif self.starts_declaration():
            self.declaration()
            self.expect(";")
        elif not self.took(";"):
            self.expression()
            self.expect(";")
        self.depth -= 1

    def compound(self):
        self.scopes.append({})
        while self.next != "}":
            if not self.next:
                raise self.unexpected("`}`")
            self.statement()
        self.take()
        self.scopes.pop()

    def condition(self):
        self.expect("(")
        if self.starts_declaration():
            self.declaration()
            if self.took(";"):
                self.expression()
        else:
            self.expression()
        self.expect(")")

    def if_(self):
        self.scopes.append({})
        while True:
            self.took("constexpr")
            self.condition()
            self.block()
            if not self.took("else"):
                break
            if not self.took("if"):
                self.block()
                break
        self.scopes.pop()

    def while_(self):
        self.scopes.append({})
        self.condition()
        self.block()
        self.scopes.pop()

    def do(self):
        self.block()
        self.expect("while")
        self.expect("(")
        self.expression()
        self.expect(")")
        self.expect(";")

    def for_(self):
        self.scopes.append({})
        self.expect("(")
        if self.starts_declaration():
            self.declaration()
        elif self.next != ";":
            self.expression()
        self.expect(";")
        if self.next != ";":
            self.expression()
        self.expect(";")
        if self.next != ")":
            self.expression()
        self.expect(")")
        self.block()
        self.scopes.pop()

    def each(self):
        self.scopes.append({})
        self.expect("(")
        name = self.name()
        self.expect(",")
        self.number(self.assignment())
        self.expect(")")
        self.declare(name, Thing(assignable=True))
        self.block()
        self.scopes.pop()

    def case(self):
        self.number(self.conditional())
        self.expect(":")

    def default(self):
        self.expect(":")

    def barrier(self):
        self.expect("(")
        self.expect(")")
        self.expect(";")

    def share(self):
        two = self.found[self.at - 1].text == "SHARED2"
        self.expect("(")
        words, _ = self.type()
        if words[0] in _STRUCTS:
            raise self.refused(f"`{words[0]}` in shared memory: only numbers", self.at - 1)
        self.expect(",")
        name = self.name()
        elements = 1
        for _ in range(1 + two):
            self.expect(",")
            elements *= self.size(name, self.conditional())
        self.expect(")")
        self.expect(";")
        self.count("shared", name, elements, _WIDEST)
        self.declare(name, Thing("array", 1 + two, memory="shared"))

    # ------------------------------------------------------------------------------------------ declarations

    def starts_declaration(self):
        qualified = self.next in ("const", "constexpr")
        return qualified or (self.next in _TYPES and self.after not in ("(", "{"))

    def type(self):
        """(its words, whether constant); kind: one struct, or some words for a number."""
        words, constant = [], False
        while self.next in _TYPES or self.next in ("const", "constexpr"):
            word = self.take()
            constant |= word in ("const", "constexpr")
            words += [word] if word not in ("const", "constexpr") else []
        if not words or (len(words) > 1 and any(word in _STRUCTS for word in words)):
            raise self.unexpected("a type")
        return words, constant

    def declaration(self):
        words, constant = self.type()
        while True:
            self.declarator(words, constant)
            if not self.took(","):
                break

    def declarator(self, words, constant):
        kind = words[0] if words[0] in _STRUCTS else "number"
        kind = "uint3" if kind == "dim3" else kind
        name, sizes, open_ended = self.name(), [], False
        while kind == "number" and self.took("["):
            if not sizes and self.took("]"):
                open_ended = True
                break
            sizes.append(self.size(name, self.conditional()))
            self.expect("]")
        if sizes or open_ended:
            elements = 0
            self.took("=")
            if open_ended or self.next == "{":
                elements = self.braces()
            given = elements if open_ended else 1
            for size in sizes:
                given *= size
            self.count("local", name, given, _WIDEST)
            self.declare(name, Thing("array", max(1, len(sizes)), memory="local"))
            return
        self.count("local", name, 1, _SIZES.get(kind, _WIDEST))
        value = None
        if kind == "Meeting":
            if self.took("="):
                self.of_kind(self.assignment(), kind)
            else:
                self.meeting()
        elif kind == "Four" and "{" in (self.next, self.next == "=" and self.after):
            self.took("=")
            self.braces()
        elif self.took("="):
            value = self.of_kind(self.assignment(), kind).value
        elif self.next in ("(", "{") and kind == "number":
            closing = ")" if self.take() == "(" else "}"
            value = None if self.next == closing else self.number(self.assignment()).value
            self.expect(closing)
        value = value if constant and all(word in _WIDE for word in words) else None
        self.declare(name, Thing(kind, assignable=not constant, value=value))

    def size(self, name, thing):
        if thing.value is None or thing.value < 1:
            raise self.refused(f"a size of `{name}` that is no positive constant, such as 16 or SIDE", self.at - 1)
        return thing.value

    def braces(self):
        """The initial values of an array; returns how many there are."""
        self.deeper()
        self.expect("{")
        count = 0
        while self.next != "}":
            if self.next == "{":
                self.braces()
            else:
                self.number(self.assignment())
            count += 1
            if not self.took(","):
                break
        self.expect("}")
        self.depth -= 1
        return count

    def meeting(self):
        """The arguments of a Meeting: a Window, the axis and the pixel."""
        closing = {"(": ")", "{": "}"}.get(self.next)
        if not closing:
            raise self.unexpected("`(`")
        self.take()
        self.of_kind(self.assignment(), "Window")
        for _ in range(2):
            self.expect(",")
            self.number(self.assignment())
        self.expect(closing)

    # ------------------------------------------------------------------------------------------ expressions

    def of_kind(self, thing, kind):
        if thing.kind != kind:
            wanted = "a number" if kind == "number" else f"a {kind}"
            whole = "a whole array" if thing.kind == "array" else f"a whole {thing.kind}"
            raise self.refused(f"{'a number' if thing.kind == 'number' else whole}: expected {wanted}", self.at - 1)
        return thing

    def number(self, thing):
        return self.of_kind(thing, "number")

    def argument(self, parse):
        """A number that has to be read at once."""
        at = self.at
        if self.number(parse()).cell:
            self.read.append(self.found[at].start)

    def expression(self):
        thing = self.assignment()
        while self.took(","):
            thing = replace(self.assignment(), assignable=False, value=None, cell=False)
        return thing

    def assignment(self):
        self.deeper()
        left = self.conditional()
        if self.next in _ASSIGN:
            sign = self.take()
            if not left.assignable:
                raise self.refused(f"`{sign}` here: only variables and cells of arrays can be assigned to", self.at - 1)
            right = self.assignment()
            self.of_kind(right, left.kind if sign == "=" else "number")
            if sign != "=":
                self.number(left)
            left = replace(left, value=None, cell=False)
        self.depth -= 1
        return left

    def conditional(self):
        thing = self.binary(0)
        if self.took("?"):
            self.deeper()
            self.number(thing)
            self.argument(self.expression)
            self.expect(":")
            self.argument(self.assignment)
            self.depth -= 1
            return _NUMBER
        return thing

    def binary(self, weakest):
        left = self.unary()
        while (level := _LEVELS.get(self.next, -1)) >= weakest:
            self.number(left)
            sign = self.take()
            right = self.number(self.binary(level + 1))
            left = Thing(value=_computed(sign, left.value, right.value))
        return left

    def unary(self):
        self.deeper()
        sign = self.took("+", "-", "!", "~", "++", "--")
        if sign:
            thing = self.number(self.unary())
            if sign in ("++", "--"):
                self.changed(thing, sign)
            value = thing.value
            known = value if sign == "+" else -value if sign == "-" and value is not None else None
            thing = Thing(value=known)
        elif self.next == "(" and (self.after in _NUMBERS or self.after == "const"):
            self.take()
            words, _ = self.type()
            self.expect(")")
            value = self.number(self.unary()).value
            thing = Thing(value=value if all(word in _WIDE for word in words) else None)
        else:
            thing = self.postfix()
        self.depth -= 1
        return thing

    def changed(self, thing, sign):
        if not thing.assignable:
            raise self.refused(f"`{sign}` here: only variables and cells of arrays can be changed", self.at - 1)

    def postfix(self):
        thing = self.primary()
        if self.next in ("[", "(", "."):
            raise self.unexpected("an operator or `;`")
        while sign := self.took("++", "--"):
            self.changed(self.number(thing), sign)
            thing = _NUMBER
        return thing

    def primary(self):
        if not self.next:
            raise self.unexpected("an expression")
        token = self.found[self.at]
        if token.kind == "number":
            return Thing(value=_literal(self.take()))
        if token.text == "(":
            self.take()
            thing = self.expression()
            self.expect(")")
            return thing
        if token.kind != "word" or (token.text in _KEYWORDS and token.text != "sizeof"):
            raise self.unexpected("an expression")
        if token.text == "sizeof":
            self.take()
            self.expect("(")
            self.type()
            self.expect(")")
            return _NUMBER
        if token.text in _NUMBERS and self.after == "(":
            self.take()
            self.take()
            self.number(self.expression())
            self.expect(")")
            return _NUMBER
        return self.call() if self.after == "(" else self.named()

    def call(self):
        name = self.take()
        if self.meaning(name) or not (name in _OF_NUMBERS or name in _SPECIAL):
            raise self.refused(
                f"`{name}(...)`: it may call only functions of common.cuh and mathematical ones", self.at - 1
            )
        if name == "Meeting":
            self.meeting()
            return Thing("Meeting")
        self.expect("(")
        for i, kind in enumerate(_SPECIAL.get(name, ())):
            if i:
                self.expect(",")
            if kind in ("global", "shared"):
                thing = self.meaning(self.next)
                if not thing or (thing.kind, thing.indices, thing.memory) != ("array", 1, kind):
                    raise self.unexpected(f"the name of a {kind} array")
                self.take()
            else:
                self.of_kind(self.assignment(), kind)
        if name not in _SPECIAL and self.next != ")":
            self.argument(self.assignment)
            while self.took(","):
                self.argument(self.assignment)
        self.expect(")")
        return Thing("Four") if name == "load4" else _NUMBER

    def named(self):
        name = self.take()
        thing = self.meaning(name)
        if name in _CONSTANTS and not thing:
            return _NUMBER
        if not thing:
            raise self.refused(f"`{name}`: it is not declared in the kernel", self.at - 1)
        if thing.kind == "array":
            if self.next == ".":
                raise self.refused(f"`.{self.after}`: of an array only cells can be used")
            for _ in range(thing.indices):
                if self.next != "[":
                    many = "an index" if thing.indices == 1 else f"{thing.indices} indices"
                    raise self.refused(f"`{name}` without {many}: {_ARRAYS}", self.at - 1)
                self.index()
            return Thing(assignable=True, cell=True)
        if thing.kind == "number" or self.next != ".":
            return thing
        self.take()
        member = self.take() if self.next else ""
        if (thing.kind == "Window" and member in _WINDOW) or (thing.kind, member) == ("Four", "v"):
            if self.next != "[":
                raise self.refused(f"`{name}.{member}` without an index: {_ARRAYS}", self.at - 1)
            self.index()
            return Thing(assignable=thing.assignable)
        if (thing.kind, member) == ("Meeting", "tap"):
            self.expect("(")
            self.number(self.assignment())
            self.expect(")")
            return _NUMBER
        if (thing.kind == "Meeting" and member in _MEETING) or (thing.kind == "uint3" and member in ("x", "y", "z")):
            return Thing(assignable=thing.assignable)
        raise self.refused(f"`.{member}`", self.at - 1)

    def index(self):
        self.expect("[")
        self.number(self.expression())
        self.expect("]")


_ARRAYS = "an array has no address that could be passed on, only cells"
_SPECIAL: dict[str, tuple[str, ...]] = {
    "Meeting": (),
    "load4": ("global", "number"),
    "store4": ("global", "number", "Four"),
    "block_sum": ("number", "shared"),
}
_STATEMENTS: dict[str, Callable[[_Parser], None]] = {
    "{": _Parser.compound,
    "if": _Parser.if_,
    "while": _Parser.while_,
    "switch": _Parser.while_,
    "do": _Parser.do,
    "for": _Parser.for_,
    "case": _Parser.case,
    "default": _Parser.default,
    "FOR_EACH_PLANE": _Parser.each,
    "FOR_EACH_PLACE": _Parser.each,
    "__syncthreads": _Parser.barrier,
    "SHARED": _Parser.share,
    "SHARED2": _Parser.share,
}


def _literal(text):
    """The value of an integer, but of an octal one."""
    digits = re.sub(r"[uUlL]+$", "", text)
    try:
        return int(digits, 0) if digits.isdigit() or digits[:2].lower() in ("0x", "0b") else None
    except ValueError:
        return None


def _computed(sign, left, right):
    """The value of an operation on small positive integers, else None."""
    if left is None or right is None or sign not in _COMPUTE or not 0 <= left < 2**31 or not 0 <= right < 2**31:
        return None
    return None if sign in "/%" and right == 0 else _COMPUTE[sign](left, right)
