"""submission_metadata.yml of Gradescope's "Export Submissions": who handed in which folder, and when.

    submission_409194023:
      :submitters:
      - :name: Ada Lovelace
        :sid: '123456789'
        :email: ada@example.edu
      :created_at: 2026-04-26 17:34:00.861687000 Z
      :score: 2.0
      :results:
        ...                                   megabytes of what autograders printed

Ruby wrote it: keys are symbols. Only the keys of the first two levels are read, line by line: what students' programs
printed is further in, so that it can neither be mistaken for a key nor fill the memory. A library for YAML would read
all of it, and refuses Ruby's tags (`!ruby/object:...`), which such files may have. Ruby breaks values after about 80
columns, and writes one that occurs twice as `&1 value` and `*1`.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from datetime import datetime

from . import rosters

NAME = "submission_metadata.yml"
LONGEST = 2**16  # bytes of a line; the rest of a longer one is skipped
MOST = 2**29  # bytes that are read
_TOP = re.compile(r"""(['"]?)([^\s'"#][^'"]*?)\1:\s*$""")
_KEY = re.compile(r"  :(\w+):\s*(.*)$")
_ITEM = re.compile(r"  (- |  ):(\w+):\s*(.*)$")
_ANCHOR = re.compile(r"&(\S+)\s+(.*)", re.S)
_ESCAPED = re.compile(r"\\(x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)")
_ESCAPES = {"0": "\0", "n": "\n", "t": "\t", "r": "\r", "e": "\x1b", "_": "\xa0", "N": "\x85"}


@dataclass
class Metadata:
    """What the file says about a submission.

    submitters: for each student {"name": ..., "sid": ..., "email": ...}.
    created_at: when it was handed in; None where the file does not say.
    """

    submitters: list[dict[str, str]] = field(default_factory=list)
    created_at: datetime | None = None


def metadata(file):
    """Read the file.

    file: open for reading, binary.

    Returns {name of the folder: Metadata}.
    """
    found: dict[str, Metadata] = {}
    anchors: dict[str, str] = {}
    current, section, name = Metadata(), "", ""
    for line in _lines(file):
        if line[:1].strip() and (top := _TOP.match(line)):
            current, section = Metadata(), ""
            found[top[2]] = current
        elif key := _KEY.match(line):
            section, name = key[1], ""
            if section == "created_at":
                current.created_at = rosters.parse_time(_value(key[2], anchors))
        elif section == "submitters" and (item := _ITEM.match(line)):
            name = item[2]
            if item[1] == "- " or not current.submitters:
                current.submitters.append({})
            current.submitters[-1][name] = item[3]
        elif section == "submitters" and name and line.startswith("      "):
            current.submitters[-1][name] = _continued(current.submitters[-1][name], line.strip())
    for one in found.values():
        one.submitters = [{name: _value(text, anchors) for name, text in each.items()} for each in one.submitters]
    return found


def _continued(text, line):
    """A value with its next line: a line break is a space, unless a backslash is before it in double quotes."""
    joined = text[:-1] + line if text[:1] == '"' and text[-1:] == "\\" else f"{text} {line}"
    return joined[:LONGEST]


def _value(text, anchors):
    """A value, which may be named, or be the name of an earlier one; anchors: {name: value}, kept up to date."""
    if text[:1] == "*":
        return anchors.get(text[1:].strip(), "")
    if not (named := _ANCHOR.fullmatch(text)):
        return _scalar(text)
    anchors[named[1]] = _scalar(named[2])
    return anchors[named[1]]


def _lines(file):
    left = MOST
    while left > 0 and (line := file.readline(LONGEST)):
        start = line
        left -= len(line)
        while line and not line.endswith(b"\n") and left > 0:  # of a longer line the beginning
            line = file.readline(LONGEST)
            left -= len(line)
        yield start.decode(errors="replace").rstrip("\r\n")


def _scalar(text):
    """A value: plain, 'quoted' or "quoted"."""
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    if len(text) >= 2 and text[0] == text[-1] == '"':
        plain = _ESCAPED.sub(_unescaped, text[1:-1])
        return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # pairs of \ud83e\udd8a are one
    return "" if text in ("~", "null") else text


def _unescaped(found):
    code = found[1]
    if len(code) == 1:
        return _ESCAPES.get(code, code)
    number = int(code[1:], 16)
    return chr(number) if number <= sys.maxunicode else "\ufffd"
