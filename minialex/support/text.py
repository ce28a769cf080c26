"""Text in columns."""

from __future__ import annotations


def aligned(rows, *, left=(0,), rules=(), indent=""):
    """Rows of cells as lines of text, two spaces between columns.

    rows: lists of strings, of one length. left: numbers of the columns that are aligned to the left, the others to the
    right. rules: numbers of the rows below which a line is drawn. indent: what every line begins with.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for number, row in enumerate(rows):
        cells = [text.ljust(w) if c in left else text.rjust(w) for c, (text, w) in enumerate(zip(row, widths))]
        lines.append("  ".join(cells))
        if number in rules:
            lines.append("-" * (sum(widths) + 2 * len(widths) - 2))
    return "\n".join(f"{indent}{line}".rstrip() for line in lines)
