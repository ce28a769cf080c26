"""Splices the bodies of a student's kernels into the library's own .cu file.

Nothing else of the student's file reaches the compiler. Comments are removed first, and the rest is restricted to a
simple subset: its braces are the compiler's braces, every function that it calls is known by name, and the only memory
that it can name are its parameters, shared arrays and local arrays. This prevents shortcuts, but it is no complete
protection: native code can write wherever its process can. So the process runs as another user, and its grade is
computed elsewhere.
"""

from __future__ import annotations

import re

_IGNORED = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
_TOKEN = re.compile(r"[A-Za-z_]\w*|\.?\d(?:[eEpP][+-]|[\w.])*|::|->|&&|\|\||[-+*/%&|^]=|[^\s\w]")
_TYPES = {"REAL", "bool", "char", "double", "float", "int", "long", "short", "unsigned", "signed", "void"}
_OTHER_TYPES = {"const", "Window", "Meeting", "Four", "Sums", "uint3", "dim3"}
_CALLED = {  # functions and words that may precede a parenthesis
    "if", "for", "while", "switch", "return", "sizeof", *_TYPES, "Meeting", "thread_number", "thread_count",
    "FOR_EACH_PLANE", "FOR_EACH_PLACE", "SHARED", "SHARED2", "__syncthreads", "load4", "store4", "tap", "minus_power",
    "min", "max", "fmin", "fmax", "fminf", "fmaxf", "fabs", "fabsf", "sqrt", "sqrtf", "pow", "powf", "exp", "expf",
    "log", "logf", "fma", "fmaf", "isnan", "isinf", "abs",
}  # fmt: skip
_MEMBERS = {"x", "y", "z", "v", "size", "kernel", "stride", "before", "dilation", "output", "first", "last", "there"}
_MEMBERS |= {"tap"}
_WORDS = {
    "asm", "auto", "catch", "class", "const_cast", "decltype", "delete", "dynamic_cast", "extern", "goto", "namespace",
    "new", "operator", "reinterpret_cast", "static", "struct", "template", "thread_local", "throw", "try", "typedef",
    "typeof", "union", "using", "volatile",
}  # fmt: skip
_RESERVED = re.compile(r"__(?!syncthreads$|restrict__$)|_[A-Z]")
_SIGNS = {
    "#": "a preprocessor line (#...): everything that the kernels need is included already",
    "\\": "a backslash",
    '"': "a string (also not in printf: use gdb instead)",
    "'": "a character in quotes",
    "`": "a backquote",
    "@": "an @",
    "$": "a $",
    "::": "::, a qualified name",
    "->": "->: kernels need no pointers of their own, index the arrays",
}
_PAIRS = ("/*", "*/", "//", "<%", "%>", "<:", ":>", "%:", "??")  # other spellings of braces and of #; comments


def spliced(library, student, names, file):
    """Replace the bodies of kernels in the library's source by a student's.

    Each body keeps the line numbers of the student's file.

    library: the source of a file with its headers.
    student: the source of the student's file.
    names: of the kernels.
    file: its name, for messages.

    Returns the new source.
    Raises ValueError, with the line, for a kernel that is missing, defined twice or has other parameters, and for a
    body that uses anything outside the allowed subset.
    """
    plain = _IGNORED.sub(_blank, student)
    for name in names:
        start, end = _extent(library, name, "the library's file")
        first, last = _extent(plain, name, file)
        if _parameters(plain, name) != _parameters(_IGNORED.sub(_blank, library), name):
            raise ValueError(f"{file}: the parameters of {name} must not be changed")
        line, body = plain.count("\n", 0, first) + 1, plain[first:last]
        _refuse(body, line, name, file)
        after = f'\n#line {library.count(chr(10), 0, end) + 1} "the library\'s {file}"\n'
        library = f'{library[:start]}\n#line {line} "{file}"\n{body}{after}{library[end:]}'
    return library


def empty(student, names, file):
    """The names of the kernels whose bodies contain only comments. student, names, file, Raises: as for `spliced`."""
    plain = _IGNORED.sub(_blank, student)
    return [name for name in names if not plain[slice(*_extent(plain, name, file))].strip()]


def _blank(match):
    """Replace a comment, or the contents of a string, by spaces; line breaks stay."""
    text = re.sub(r"[^\n]", " ", match.group())
    quote = match.group()[0]
    return text if quote == "/" else quote + text[1:-1] + quote


def _signature(text, name, where):
    found = [*re.finditer(rf"__global__\s+void\s+{re.escape(name)}\s*\(([^)]*)\)\s*\{{", text)]
    if len(found) != 1:
        raise ValueError(f"{where}: the kernel {name} is " + ("defined more than once" if found else "missing"))
    return found[0]


def _parameters(text, name):
    return " ".join(_TOKEN.findall(_signature(text, name, "")[1]))


def _extent(text, name, where):
    """(first, last) of a kernel's body, without its braces."""
    opening = _signature(text, name, where).end()
    depth = 1
    for token in re.compile(_IGNORED.pattern + "|[{}]", re.S).finditer(text, opening):
        depth += {"{": 1, "}": -1}.get(token.group(), 0)
        if depth == 0:
            return opening, token.start()
    raise ValueError(f"{where}: a brace of {name} is never closed")


def _refuse(body, line, name, file):
    """Raise ValueError for anything that a body may not use."""
    for pair in _PAIRS:
        if pair in body:
            at = line + body.count("\n", 0, body.index(pair))
            raise ValueError(f"{file}, line {at}: {name} may not use {pair}")
    called = _CALLED | _declared(body)
    tokens = [(m.group(), line + body.count("\n", 0, m.start())) for m in _TOKEN.finditer(body)]
    for i, (_, at) in enumerate(tokens):
        texts = [text for text, _ in tokens[max(0, i - 4) : i + 2]]
        if complaint := _complaint(texts[: min(i, 4)], texts[min(i, 4)], texts[min(i, 4) + 1 :], called):
            raise ValueError(f"{file}, line {at}: {name} may not use {complaint}")


def _declared(body):
    """Names of variables of type Meeting, which may precede a parenthesis in their declaration, and only there."""
    names = set()
    for declaration in re.findall(r"\bMeeting\b([^;{}]*);", body):
        shorter = None
        while shorter != declaration:  # remove the contents of parentheses, innermost first
            shorter, declaration = declaration, re.sub(r"\([^()]+\)", "()", declaration)
        names |= set(re.findall(r"(\w+)\s*\(\)", declaration))
    return {name for name in names if len(re.findall(rf"\b{name}\s*\(", body)) == 1}


def _complaint(earlier, token, later, called):
    """What is forbidden about a token, given its neighbours; None if it is allowed."""
    before, after = "".join(earlier[-1:]), "".join(later)
    if token in _SIGNS:
        return _SIGNS[token]
    if token in _WORDS or _RESERVED.match(token):
        return f"`{token}`"
    if before == "." and token not in _MEMBERS:
        return f"`.{token}`"
    if after == "(" and (token[0].isalpha() or token[0] == "_") and token not in called:
        return f"`{token}(...)`: it may call only functions of common.cuh, of its own file, and mathematical ones"
    if after == "(" and (token == "]" or (token == ")" and not _is_cast([*earlier, token]))):
        return "a call through an expression"
    if after == "[" and (token == ")" or token == "[" or token[0].isdigit()):
        return f"`{token}[`: only named arrays can be indexed"
    operand = re.match(r"[\w)\].]", before) and before not in {"return", *_TYPES, *_OTHER_TYPES}
    if (token in "*&" and (not operand or after in (")", ">", "*"))) or token + after == "&&)":
        return f"`{token}` for an address: kernels need no pointers of their own, index the arrays"
    return None


def _is_cast(tokens):
    """Whether the last closing parenthesis encloses a type: (REAL), (long long)."""
    inner = "".join(tokens[:-1]).rpartition("(")[2] and tokens[-2]
    return inner in _TYPES
