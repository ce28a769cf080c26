"""What notebooks show of tensors and modules: their `_repr_html_`, imported when one is displayed.

Everything is escaped, and bounded: a picture has at most PIXELS pixels, a table at most ROWS rows.
"""

from __future__ import annotations

import base64
import html
import math
import struct
import zlib
from collections.abc import Callable

import numpy as np

PIXELS, IMAGES = 2**16, 16  # of one picture, and tiles in it
ROWS = 200
VALUES = 200  # elements of a tensor that are printed
SIDE = 64  # pixels to which small tiles are enlarged
GAP = 2  # pixels between tiles
NOT_FINITE = (213, 94, 0)  # the colour of pixels that are NaN or infinite

layout_of: Callable | None = None  # set by models.layout: Module -> rows, or None where shapes are not known

_CELL = "text-align:{};padding:1px 12px 1px 0;border:none;white-space:nowrap"
_RULE = ";border-top:1px solid rgba(128,128,128,.5)"


def text(value):
    """A value as escaped text."""
    return html.escape(str(value))


def table(header, rows, *, left=(0,), last=None):
    """A table as HTML.

    header: the names of the columns; None for no header.
    rows: lists of values, at most ROWS of which are shown.
    left: indices of the left-aligned columns.
    last: a row below a line, such as the totals.
    """

    def line(tag, cells, rule=""):
        styled = (
            f'<{tag} style="{_CELL.format("left" if number in left else "right")}{rule}">{text(cell)}</{tag}>'
            for number, cell in enumerate(cells)
        )
        return f'<tr style="background:none">{"".join(styled)}</tr>'

    rows = list(rows)
    lines = [line("th", header)] if header else []
    lines += [line("td", row) for row in rows[:ROWS]]
    if len(rows) > ROWS:
        width = len(rows[0])
        lines.append(line("td", [f"... and {len(rows) - ROWS:,} more", *[""] * (width - 1)]))
    lines += [line("td", last, _RULE)] if last else []
    return f'<table style="border-collapse:collapse;border:none;margin:4px 0;font-size:90%">{"".join(lines)}</table>'


def block(heading, *parts):
    """A block of HTML with a heading, which is escaped; parts: HTML, empty ones are left out."""
    inner = "".join(f"<div>{part}</div>" for part in parts if part)
    return f'<div style="line-height:1.4"><div><b>{text(heading)}</b></div>{inner}</div>'


def inline(png, width, alt, *, pixelated=False):
    """A PNG file as an <img> that holds it.

    png: bytes of the file.
    width: on the screen, in pixels.
    alt: text for those who cannot see it.
    pixelated: whether an enlarged pixel is a square.
    """
    data = base64.b64encode(png).decode()
    style = f"width:{width}px;max-width:100%;margin:4px 0" + ";image-rendering:pixelated" * pixelated
    return f'<img alt="{text(alt)}" style="{style}" src="data:image/png;base64,{data}">'


def png(pixels):
    """A PNG file of pixels, uint8 (H, W, 3), as bytes."""
    height, width = pixels.shape[:2]

    def chunk(kind, content):
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    rows = b"".join(b"\0" + row.tobytes() for row in np.ascontiguousarray(pixels, np.uint8))  # 0: no filter
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits, RGB
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows, 9)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def of_tensor(tensor):
    """A Tensor as HTML: shape, dtype, statistics, and a picture or some of its values."""
    words = [str(tensor.dtype), f"on {tensor.backend.name}"]
    if tensor.node is not None:
        words.append(f"made by {tensor.node.name}")
    elif tensor.requires_grad:
        words.append("requires_grad" + ("" if tensor.grad is None else ", with a gradient"))
    heading = f"{type(tensor).__name__} {tuple(tensor.shape)}, {', '.join(words)}"
    if not tensor.numel():
        return block(heading, "no elements")
    names, values = zip(*_statistics(tensor.data, tensor.backend.xp))
    shown = _images(tensor) if _is_image_like(tensor) else _values(tensor)
    return block(heading, table(names, [values], left=()) if tensor.numel() > 1 else "", shown)


def _statistics(array, xp):
    """(name, text) pairs."""
    if array.dtype.kind == "b":
        return [("true", f"{int(array.sum()):,}"), ("false", f"{array.size - int(array.sum()):,}")]
    finite = array
    bad = []
    if array.dtype.kind == "f" and not bool(xp.isfinite(array).all()):
        finite = array[xp.isfinite(array)]
        counts = (("NaN", int(xp.isnan(array).sum())), ("infinite", int(xp.isinf(array).sum())))
        bad = [(name, f"{count:,}") for name, count in counts if count]
    if not finite.size:
        return bad
    mean, std = (float(function(finite, dtype=np.float64)) for function in (xp.mean, xp.std))
    numbers = ("min", float(finite.min())), ("max", float(finite.max())), ("mean", mean), ("std", std)
    zeros = float((finite == 0).mean())
    return [*((name, f"{x:.4g}") for name, x in numbers), ("zeros", f"{100 * zeros:.3g} %"), *bad]


def _values(tensor):
    array = tensor.data[tuple(slice(0, 1000) for _ in tensor.shape)] if tensor.numel() > 10**6 else tensor.data
    array = tensor.backend.to_numpy(array)
    shown = np.array2string(array, precision=4, threshold=VALUES, edgeitems=3, separator=", ", max_line_width=100)
    return f'<pre style="margin:4px 0;max-height:20em;overflow:auto">{text(shown)}</pre>'


def _is_image_like(tensor):
    return tensor.ndim == 4 and min(tensor.shape[2:]) > 1 and tensor.dtype.kind in "fui"


def _images(tensor):
    """The first images of (N, 3 or 1, H, W), or the first channels of the first sample of any other."""
    count, channels, height, width = tensor.shape
    if channels in (1, 3):
        total, what = count, "images"
        array = tensor.data[:IMAGES]
    else:
        total, what = channels, "channels of the first sample"
        array = tensor.data[0, :IMAGES, None]
    tiles = tensor.backend.to_numpy(array).astype(np.float64)
    step = max(1, math.ceil(math.sqrt(len(tiles) * height * width / PIXELS)))
    tiles = _shrunk(tiles, step)
    finite = np.isfinite(tiles)
    low, high = (tiles[finite].min(), tiles[finite].max()) if finite.any() else (0.0, 0.0)
    scale = f"black is {low:.3g}, white {high:.3g}"
    if tensor.dtype.kind in "ui" and low >= 0 and high <= 255:
        low, high, scale = 0.0, 255.0, "values from 0 to 255"
    with np.errstate(invalid="ignore"):
        shades = np.where(finite, (tiles - low) / (high - low or 1.0) * 255, 0).round().astype(np.uint8)
    shades = np.broadcast_to(shades, (len(tiles), 3, *tiles.shape[2:])).transpose(0, 2, 3, 1).copy()
    shades[~finite.all(axis=1)] = NOT_FINITE
    enlarged = max(1, SIDE // max(tiles.shape[2:]))
    sheet = _sheet(shades.repeat(enlarged, axis=1).repeat(enlarged, axis=2))
    number = f"{len(tiles)} of {total:,}" if len(tiles) < total else f"{total:,}"
    note = f"{number} {what}" if total > 1 else "1 image"
    lost = "" if finite.all() else "; orange: NaN or infinite"
    caption = f"{note}, {scale}" + (f", every {step}th pixel is a mean of {step}x{step}" if step > 1 else "") + lost
    return (
        inline(png(sheet), sheet.shape[1], caption, pixelated=True)
        + f'<div style="font-size:90%">{text(caption)}</div>'
    )


def _shrunk(tiles, step):
    """Means over blocks of step x step pixels; what is over at the right and the bottom is cut off."""
    if step == 1:
        return tiles
    count, channels, height, width = tiles.shape
    rows, columns = max(1, height // step), max(1, width // step)
    tiles = tiles[:, :, : rows * step, : columns * step]
    blocks = tiles.reshape(count, channels, rows, tiles.shape[2] // rows, columns, tiles.shape[3] // columns)
    return blocks.mean(axis=(3, 5))


def _sheet(tiles):
    """Tiles (n, H, W, 3) in rows of 8, with white lines between them, as one image (H', W', 3)."""
    count, height, width, _ = tiles.shape
    columns = min(count, 8)
    rows = -(-count // columns)
    sheet = np.full((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3), 255, np.uint8)
    for number, tile in enumerate(tiles):
        y, x = number // columns * (height + GAP), number % columns * (width + GAP)
        sheet[y : y + height, x : x + width] = tile
    return sheet


def of_module(module):
    """A Module as HTML: its layers with their output shapes where these are known, else with their settings."""
    parameters = {id(p): p for p in module.parameters()}.values()
    total = sum(p.numel() for p in parameters)
    frozen = sum(p.numel() for p in parameters if not p.requires_grad)
    size = sum(p.data.nbytes for p in parameters)
    memory = f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size / 1e3:,.1f} kB"
    words = [f"{total:,} parameters", memory, f"in {'training' if module.training else 'evaluation'} mode"]
    if frozen:
        words.insert(1, f"{frozen:,} of them frozen")
    heading = f"{type(module).__name__}: {', '.join(words)}"
    rows = layout_of(module) if layout_of else None
    if rows:
        cells = [
            (row.name, f"{type(row.layer).__name__}({row.layer.extra_repr()})", _by(row.output), *_counts(row))
            for row in rows
        ]
        sums = ["total", "", "", f"{sum(row.parameters for row in rows):,}", f"{sum(row.macs for row in rows):,}"]
        note = f"input {_by(rows[0].input)}; parameters include running statistics, MACs are for one image"
        header = ("layer", "type", "output", "parameters", "MACs")
        return block(heading, table(header, cells, left=(0, 1, 2), last=sums), text(note))
    cells, seen = [], set()  # a module or parameter that is used twice counts once
    for name, part in module.named_modules():
        own = {id(p): p for p in part._parameters.values() if p is not None and id(p) not in seen}
        if (own or not list(part.children())) and id(part) not in seen:
            count = sum(p.numel() for p in own.values())
            cells.append((name or "-", f"{type(part).__name__}({part.extra_repr()})", f"{count:,}" if count else "-"))
        seen |= own.keys() | {id(part)}
    return block(heading, table(("layer", "type", "parameters"), cells, left=(0, 1), last=("total", "", f"{total:,}")))


def _by(shape):
    return " × ".join(f"{n:,}" for n in shape)


def _counts(row):
    return [f"{n:,}" if n else "-" for n in (row.parameters, row.macs)]
