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
all of it, and refuses Ruby's tags (`!ruby/object:...`), which such files may have.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime

from . import rosters

NAME = "submission_metadata.yml"
LONGEST = 2**16  # bytes of a line; the rest of a longer one is skipped
MOST = 2**29  # bytes that are read
_TOP = re.compile(r"""(['"]?)([^\s'"#][^'"]*?)\1:\s*$""")
_KEY = re.compile(r"  :(\w+):\s*(.*)$")
_ITEM = re.compile(r"  (- |  ):(\w+):\s*(.*)$")


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
    current, section = Metadata(), ""
    for line in _lines(file):
        if line[:1].strip() and (top := _TOP.match(line)):
            current, section = Metadata(), ""
            found[top[2]] = current
        elif key := _KEY.match(line):
            section = key[1]
            if section == "created_at":
                current.created_at = rosters.parse_time(_scalar(key[2]))
        elif section == "submitters" and (item := _ITEM.match(line)):
            if item[1] == "- " or not current.submitters:
                current.submitters.append({})
            current.submitters[-1][item[2]] = _scalar(item[3])
    return found


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
        try:
            return str(json.loads(re.sub(r"\\x([0-9A-Fa-f]{2})", r"\\u00\1", text)))
        except ValueError:
            return text[1:-1]
    return "" if text in ("~", "null") else text
