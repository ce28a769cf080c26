"""What a lesson's notebook hides: what predictions are about, and code that only draws.

A cell with the tag `outcome` tells what the last `prediction = ...` before it was about. In the notebook its text is
behind a fold, its code is collapsed, and its outputs are packed away in its metadata, where nobody reads them by
accident and `pages.py` finds them.
"""

from __future__ import annotations

import base64
import json
import re
import zlib

FOLD = "<details><summary>After your prediction: what came out</summary>\n\n{}\n\n</details>"
_FIGURE = re.compile(r"^figure, .* = (panels|sheet|sheet_of)\(")
_HELPER = re.compile(r"^def \w+\((axes|figure)\b")


def tags(cell):
    """The tags of a cell."""
    return cell["metadata"].get("tags", [])


def drawn_from(source):
    """The number of the first line of code that only draws, up to the last one; None where there is none."""
    lines = source.splitlines()
    for number, line in enumerate(lines):
        if _FIGURE.match(line) or _HELPER.match(line):
            return number
    return 0 if re.search(r"^show\(", source, re.MULTILINE) else None


def fold(cell):
    """Hide in a cell of an executed notebook what is to be hidden, in place."""
    if cell["cell_type"] == "markdown":
        if "outcome" in tags(cell):
            cell["source"] = FOLD.format(cell["source"])
        return
    outcome = "outcome" in tags(cell)
    if outcome or drawn_from(cell["source"]) == 0:
        cell["metadata"]["jupyter"] = {"source_hidden": True}
    if outcome:
        cell["metadata"]["minialex"] = {"outcome": _packed(cell["outputs"])}
        cell["outputs"] = []


def unfolded(cell):
    """(source, outputs) of a cell of a notebook, with nothing hidden."""
    if cell["cell_type"] == "markdown":
        source = "".join(cell["source"])
        before, after = FOLD.split("{}")
        return (source.removeprefix(before).removesuffix(after) if "outcome" in tags(cell) else source), []
    packed = cell["metadata"].get("minialex", {}).get("outcome")
    return "".join(cell["source"]), cell["outputs"] if packed is None else _unpacked(packed)


def _packed(outputs):
    return base64.b64encode(zlib.compress(json.dumps(outputs).encode(), 9)).decode()


def _unpacked(text):
    return json.loads(zlib.decompress(base64.b64decode(text)))
