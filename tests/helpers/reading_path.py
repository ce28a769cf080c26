"""README's reading path: the files that it names, and their numbers of lines.

python tests/helpers/reading_path.py      writes the present numbers into README.md
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
_FILE = re.compile(r"\[`([\w/]+\.py)`\]\(minialex/\1\) \d+(?:,\d{3})*")  # a link, and the number of lines behind it


def files(text):
    """The files of the package that the text names with a number of lines, in its order."""
    return _FILE.findall(text)


def lines(file):
    """The number of lines of a file of the package."""
    return len((ROOT / "minialex" / file).read_text(encoding="utf-8").splitlines())


def updated(text):
    """The text with the present numbers: of each file, of each row of the table, of all."""
    rows = []
    for row in text.splitlines():
        if named := files(row):
            row = _FILE.sub(lambda match: f"[`{match[1]}`](minialex/{match[1]}) {lines(match[1]):,}", row)
            row = re.sub(r"[\d,]+ \|$", f"{sum(map(lines, named)):,} |", row)
        rows.append(row)
    total = f"These {sum(map(lines, files(text))):,} lines are"
    return re.sub(r"These [\d,]+ lines are", total, "\n".join(rows) + "\n")


if __name__ == "__main__":
    README.write_text(updated(README.read_text(encoding="utf-8")), encoding="utf-8")
