"""What counts of a student's .cu file: the bodies of the kernels that were asked for, put into the library's own file.

Nothing else of the file reaches the compiler. Comments are taken out first, and what is left must be plain: then its
braces are the compiler's braces, every function that it calls has a name, and the only memory that it can name is its
parameters', the shared arrays' and its own arrays'. It is a fence against shortcuts, not a wall: native code can write
wherever its process can. So the process is another user's, holds nothing, and its grade is computed elsewhere.
"""

from __future__ import annotations

import re

_IGNORED = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
_TOKEN = re.compile(r"[A-Za-z_]\w*|\.?\d(?:[eEpP][+-]|[\w.])*|::|->|&&|\|\||[-+*/%&|^]=|[^\s\w]")
_TYPES = {"REAL", "bool", "char", "double", "float", "int", "long", "short", "unsigned", "signed", "void"}
_OTHER_TYPES = {"const", "Window", "Meeting", "Four", "Sums", "uint3", "dim3"}
_CALLED = {  # what a body may call; words that a parenthesis may follow
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
    "#": "a preprocessor line (#...): what the kernels need is included already",
    "\\": "a backslash",
    '"': "text in quotes (printf among them: look with gdb instead)",
    "'": "text in quotes",
    "`": "a backquote",
    "@": "an @",
    "$": "a $",
    "::": "::, a name from elsewhere",
    "->": "->: a kernel needs no pointers of its own, its arrays are indexed",
}
_PAIRS = ("/*", "*/", "//", "<%", "%>", "<:", ":>", "%:", "??")  # other spellings of braces and of #; comments


def spliced(library, student, names, file):
    """`library`, the source of a file with its headers, with the bodies of the kernels `names` from a student's file.

    Each body keeps the line numbers that it has in the student's file. ValueError, in one sentence with the line, for
    a kernel that is missing, there twice or has other parameters, and for a body that uses what no kernel needs.
    """
    plain = _IGNORED.sub(_blank, student)
    for name in names:
        start, end = _extent(library, name, "the library's file")
        first, last = _extent(plain, name, file)
        if _parameters(plain, name) != _parameters(_IGNORED.sub(_blank, library), name):
            raise ValueError(f"{file}: the parameters of {name} must stay as they were given")
        line, body = plain.count("\n", 0, first) + 1, plain[first:last]
        _refuse(body, line, name, file)
        after = f'\n#line {library.count(chr(10), 0, end) + 1} "the library\'s {file}"\n'
        library = f'{library[:start]}\n#line {line} "{file}"\n{body}{after}{library[end:]}'
    return library


def empty(student, names, file):
    """Those of the kernels `names` whose bodies hold nothing but comments. ValueError as in `spliced`."""
    plain = _IGNORED.sub(_blank, student)
    return [name for name in names if not plain[slice(*_extent(plain, name, file))].strip()]


def _blank(match):
    """Spaces in place of a comment, and between the quotes of a text; lines stay lines."""
    text = re.sub(r"[^\n]", " ", match.group())
    quote = match.group()[0]
    return text if quote == "/" else quote + text[1:-1] + quote


def _signature(text, name, where):
    found = [*re.finditer(rf"__global__\s+void\s+{re.escape(name)}\s*\(([^)]*)\)\s*\{{", text)]
    if len(found) != 1:
        raise ValueError(f"{where}: the kernel {name} is " + ("there more than once" if found else "missing"))
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
    """ValueError for what a body may not use."""
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
    """Names of variables of the type Meeting, which a parenthesis follows where they are declared, and only there."""
    names = set()
    for declaration in re.findall(r"\bMeeting\b([^;{}]*);", body):
        shorter = None
        while shorter != declaration:  # what stands inside of parentheses goes, from within
            shorter, declaration = declaration, re.sub(r"\([^()]+\)", "()", declaration)
        names |= set(re.findall(r"(\w+)\s*\(\)", declaration))
    return {name for name in names if len(re.findall(rf"\b{name}\s*\(", body)) == 1}


def _complaint(earlier, token, later, called):
    """What a kernel may not do with a token between its neighbours; None for what it may."""
    before, after = "".join(earlier[-1:]), "".join(later)
    if token in _SIGNS:
        return _SIGNS[token]
    if token in _WORDS or _RESERVED.match(token):
        return f"`{token}`"
    if before == "." and token not in _MEMBERS:
        return f"`.{token}`"
    if after == "(" and (token[0].isalpha() or token[0] == "_") and token not in called:
        return f"`{token}(...)`: it may call the functions of common.cuh, of its own file and of mathematics"
    if after == "(" and (token == "]" or (token == ")" and not _is_cast([*earlier, token]))):
        return "a call of what is not named"
    if after == "[" and (token == ")" or token == "[" or token[0].isdigit()):
        return f"`{token}[`: only an array has an index"
    operand = re.match(r"[\w)\].]", before) and before not in {"return", *_TYPES, *_OTHER_TYPES}
    if (token in "*&" and (not operand or after in (")", ">", "*"))) or token + after == "&&)":
        return f"`{token}` for an address: a kernel needs no pointers of its own, its arrays are indexed"
    return None


def _is_cast(tokens):
    """Whether the parenthesis that closes last is around a type: (REAL), (long long)."""
    inner = "".join(tokens[:-1]).rpartition("(")[2] and tokens[-2]
    return inner in _TYPES
