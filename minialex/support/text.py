"""Formatting text in columns."""

from __future__ import annotations


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
