"""The text of a .cfg file: sections of keys and values, each with its file and line.

    # a comment; also after ";"
    [conv1]
    type=conv              ; a comment behind white space and ";"
    initW: 0.01,
        0.01               an indented line goes on with the value above it

Keys are the same in capitals and small letters, names and values are not. A section that stands there several times is
one, in which the last value of a key counts. `%` is a character like any other.
The files of cuda-convnet were read by Python 2's ConfigParser.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ..support.text import content, decoded, printable

MOST_BYTES = 2**20  # of a file; the longest of 2012 has 6 kB
_HEADER = re.compile(r"\[([^\]]+)\]")
_OPTION = re.compile(r"([^:=\s][^:=]*)[:=](.*)")
_INLINE_COMMENT = re.compile(r"(^|\s);.*")


class Place(NamedTuple):
    """Where something stands: a file's name, and a line, from 1."""

    file: str
    line: int

    def __str__(self):
        return f"{self.file}, line {self.line}"


class Value(NamedTuple):
    """The text of a value, without white space around it, and its Place."""

    text: str
    place: Place


@dataclass
class Section:
    """A section: its name, the Place of its header, and {key in small letters: Value}."""

    name: str
    place: Place
    values: dict[str, Value] = field(default_factory=dict)


class Text(NamedTuple):
    """A file: its name, for messages, and what it holds."""

    name: str
    text: str


def read(path):
    """The Text of a .cfg file.

    path: of the file.

    Raises OSError where it cannot be read, ValueError where it is too long or no text.
    """
    name = printable(Path(path).name)
    return Text(name, decoded(content(path, MOST_BYTES), name))


def sections(text):
    """The sections of a file.

    text: a Text.

    Returns {name: Section}, in the order in which they begin.
    Raises ValueError, with the line, for a line that is no header, no `key=value` and no comment.
    """
    found: dict[str, Section] = {}
    section, key = None, ""
    for number, line in enumerate(re.split("\r\n|\r|\n", text.text), 1):
        place, stripped = Place(text.name, number), line.strip()
        if not stripped or stripped[0] in "#;":
            continue
        header, option = _HEADER.match(line), _OPTION.match(line)
        if line[0].isspace() and section is not None and key:
            before = section.values[key]
            section.values[key] = Value(f"{before.text} {_without_comment(stripped)}".strip(), before.place)
        elif header:
            name = header[1].strip()
            if not name or name == "DEFAULT" or printable(name) != name:
                raise ValueError(f"{place}: [{printable(name)[:100]}] is no name of a layer")
            section, key = found.setdefault(name, Section(name, place)), ""
        elif option and section is not None:
            key = option[1].rstrip().lower()
            section.values[key] = Value(_without_comment(option[2].strip()), place)
        else:
            what = "stands before the first section, [name]" if option else "is neither [name] nor key=value"
            raise ValueError(f"{place}: {_shown(stripped)} {what}")
    return found


def _without_comment(text):
    return _INLINE_COMMENT.sub("", text).strip()


def _shown(text, most=60):
    text = printable(text)
    return repr(text if len(text) <= most else f"{text[:most]}...")
