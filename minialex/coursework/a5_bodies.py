"""Splices the bodies of a student's kernels into the library's own .cu file.

Nothing else of the student's file reaches the compiler. Comments are removed first, and the rest must be in the small
language of a5_language.py: its braces are the compiler's braces, every function that it calls is known by name, and
the only memory that it can name are its parameters, shared arrays and local arrays. This prevents shortcuts, but it is
no complete protection: native code can write wherever its process can. So the process runs as another user, and its
grade is computed elsewhere.
"""

from __future__ import annotations

import re

from . import a5_language

_IGNORED = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
_TOKEN = re.compile(r"[A-Za-z_]\w*|\.?\d(?:[eEpP][+-]|[\w.])*|::|->|&&|\|\||[-+*/%&|^]=|[^\s\w]")
_WORDS = {
    "asm", "auto", "catch", "class", "const_cast", "decltype", "delete", "dynamic_cast", "extern", "goto", "namespace",
    "new", "operator", "reinterpret_cast", "static", "struct", "template", "thread_local", "throw", "try", "typedef",
    "typeof", "union", "using", "volatile",
}  # fmt: skip
_RESERVED = re.compile(r"__(?!syncthreads$)|_[A-Z]")
_SHARED = (
    "`__shared__`: arrays in shared memory are declared as SHARED(REAL, name, size), or with two indices as "
    "SHARED2(REAL, name, rows, columns)"
)
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
    constants = _constants(library)
    for name in names:
        start, end = _extent(library, name, "the library's file")
        first, last = _extent(plain, name, file)
        if _parameters(plain, name) != _parameters(_IGNORED.sub(_blank, library), name):
            raise ValueError(f"{file}: the parameters of {name} must not be changed")
        line, body = plain.count("\n", 0, first) + 1, plain[first:last]
        for place in reversed(_checked(body, line, name, file, _signature(plain, name, file)[1], constants)):
            body = f"{body[:place]}+{body[place:]}"
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


def _constants(library):
    """{name: value} of the integers that a file declares for all of its kernels."""
    lists = re.findall(r"^const int ([^;]+);", library, re.M)
    return {name: int(value) for each in lists for name, value in re.findall(r"(\w+) = (\d+)", each)}


def _checked(body, line, name, file, parameters, constants):
    """The places of cells to be read at once, in order; ValueError for anything that a body may not use."""
    for pair in _PAIRS:
        if pair in body:
            at = line + body.count("\n", 0, body.index(pair))
            raise ValueError(f"{file}, line {at}: {name} may not use {pair}")
    tokens = a5_language.tokens(body, line)
    try:
        for token in tokens:
            if token.text in _SIGNS:
                raise a5_language.Refused(token.line, _SIGNS[token.text])
            if token.text in _WORDS or _RESERVED.match(token.text):
                message = _SHARED if token.text == "__shared__" else f"`{token.text}`"
                raise a5_language.Refused(token.line, message)
        return sorted(a5_language.check(tokens, parameters, constants))
    except a5_language.Refused as refused:
        raise ValueError(f"{file}, line {refused.line}: {name} may not use {refused}") from None
