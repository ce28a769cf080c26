"""Text: read from files in any Unicode encoding, made printable, and formatted in columns."""

from __future__ import annotations

import codecs
import os
import re

LARGEST = 2**25  # bytes of a file of text; the largest list of ImageNet-21k has 20 MB


def aligned(rows, *, left=(0,), rules=(), indent=""):
    """Format rows of cells as lines of text, with two spaces between columns.

    rows: lists of strings, all of the same length.
    left: indices of the left-aligned columns; the others are right-aligned.
    rules: indices of the rows below which a line is drawn.
    indent: text that every line begins with.

    Returns the text.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for number, row in enumerate(rows):
        cells = [text.ljust(w) if c in left else text.rjust(w) for c, (text, w) in enumerate(zip(row, widths))]
        lines.append("  ".join(cells))
        if number in rules:
            lines.append("-" * (sum(widths) + 2 * len(widths) - 2))
    return "\n".join(f"{indent}{line}".rstrip() for line in lines)


def printable(text):
    r"""A name as people can read it on one line: what would move the cursor, or is no character at all, is escaped.

    Names of files may hold any bytes. Escaped are control characters (a line break becomes `\n`, an escape sequence's
    first character `\x1b`), marks that reverse the direction of writing, and bytes that are not UTF-8 (`\xe9`).

    text: a string.
    """
    return _UNPRINTABLE.sub(_escaped, text)


# Control characters, line separators, marks of direction, and surrogates, as which Python has bytes that are not UTF-8.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def _escaped(match):
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return match[0].encode("unicode_escape", "surrogatepass").decode() if code < 0xD800 else f"\\u{code:04x}"


def brief(error, most=200):
    """What an exception says, on one line, or its type; of a long text, such as one that quotes a name, the beginning.

    error: the exception.
    most: characters.
    """
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= most else f"{text[:most]}..."


def decoded(content, name):
    """The text in a file that was saved as UTF-8 or, with a byte-order mark, as UTF-16.

    content: the bytes of the file; marks are left out, of which files that were joined have several.
    name: of the file, for the message.

    Returns a string.
    Raises ValueError, with the line, where the content is neither, as Latin-1 or a file that is not text.
    """
    utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    encoding = "utf-16" if utf16 else "utf-8-sig"
    try:
        text, wrong = content.decode(encoding), None
    except UnicodeDecodeError as error:
        text, wrong = content[: error.start].decode(encoding, "ignore"), content[error.start]
    if "\0" in text:
        text, wrong = text[: text.index("\0")], 0
    if wrong is not None:
        line, kind = text.count("\n") + 1, "UTF-16" if utf16 else "UTF-8"
        raise ValueError(f"{name}, line {line}: the byte 0x{wrong:02x} is not text in {kind}; save the file as UTF-8")
    return text.replace("\ufeff", "")


def content(path, most=LARGEST):
    """The bytes of a file that should be small: a list of names, a recipe, a description.

    path: of the file; of a pipe, all that is written to it is read, and nothing where nobody has it open for writing.
    most: bytes.

    Raises OSError where it cannot be read, ValueError where it is longer.
    """
    with open(path, "rb", opener=_without_waiting) as file:
        read = file.read(most + 1)
    if len(read) > most:
        raise ValueError(f"{printable(str(path))} is longer than the {most:,} bytes that are read of a file of text")
    return read


def _without_waiting(path, flags):
    """Open a file; that of a pipe to which nobody writes would wait for ever."""
    number = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    if hasattr(os, "O_NONBLOCK"):
        os.set_blocking(number, True)
    return number


def read_text(path):
    """The text of a file; see `decoded` and `content`. path: of the file. Raises OSError where it cannot be read."""
    return decoded(content(path), printable(str(path)))


def read_lines(path):
    """The lines of a text file without the spaces around them; path, errors: as in `read_text`."""
    return [line.strip() for line in re.split("\r\n|\r|\n", read_text(path))]
