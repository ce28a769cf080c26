"""One file of HTML: a network, pictures, and the program that shows them; nothing else can run in it.

Names of classes and files are data: a block of JSON, which no browser runs, in which < is escaped so that none of them
can end it. The program writes texts as texts, never as HTML. A Content-Security-Policy allows this program and this
style by their SHA-256, pictures made in the page, and no address at all.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..data import Normalize
from ..data.transforms import CenterCrop
from ..support.text import printable
from .describing import computes
from .encoding import encoded

HERE = Path(__file__).parent

_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
{icon}<title>{title}</title>
<style>{style}</style>
</head>
<body>
<noscript>This page computes a network in your browser: allow it to run JavaScript.</noscript>
<main id="explorer"></main>
<script type="application/json" id="network">{data}</script>
<script>{program}</script>
</body>
</html>
"""


@dataclass(frozen=True)
class Picture:
    """A picture that a page shows.

    caption: where it comes from.
    pixels: uint8 (3, H, W), red first, as the network sees it: cropped.
    input: the same, preprocessed: float32 (C, H, W).
    label: the number of its class, None if unknown.
    """

    caption: str
    pixels: np.ndarray
    input: np.ndarray
    label: int | None = None


@dataclass(frozen=True)
class Reading:
    """How a page makes the network's input of a picture of one's own.

    resize: pixels of the shorter side, before the centre is cropped to the size of the input.
    normalization: a Normalize, for channels in the order RGB.
    channel_order: "RGB" or "BGR", what the network expects.
    """

    resize: int
    normalization: Normalize
    channel_order: str = "RGB"


def page(
    layers: list[dict[str, Any]], pictures: list[Picture], classes: list[str], title: str,
    reading: Reading | None = None, results: list[dict[str, Any]] | None = None, served: int | None = None,
    timeline: dict[str, Any] | None = None,
) -> str:  # fmt: skip
    """A page that shows a network at work.

    layers: the network, as `describe` returns it.
    pictures: at least one Picture, all of one size.
    classes: a name for each logit.
    title: of the page.
    reading: for pictures of one's own, which stay in the browser; None: the page takes none.
    results: of each picture, as `carried` returns it, for a network that the page does not compute (`computes`).
    served: where serving.py answers what the page asks: how many pictures it can have by their number; None: a file.
    timeline: the weights of several epochs, as of timeline.of; None without them.

    Returns HTML, which holds all that it needs.
    Raises ValueError without a picture, for another number of classes, and for a label that is none of them.
    """
    if not pictures:
        raise ValueError("a page needs at least one picture")
    if len(classes) != layers[-1]["output"][0]:
        raise ValueError(f"{len(classes)} class names were given for the network's {layers[-1]['output'][0]} logits")
    if wrong := [p for p in pictures if p.label is not None and not 0 <= p.label < len(classes)]:
        raise ValueError(f"{wrong[0].caption} has the label {wrong[0].label}, but classes are 0 to {len(classes) - 1}")
    alone = computes(layers)
    data = {
        "title": printable(title),
        "classes": [printable(name) for name in classes],
        "layers": layers,
        "pictures": [described(picture, number, alone) for number, picture in enumerate(pictures)],
        "timeline": timeline,
        "reading": _how(reading, layers[0]["output"][1]) if reading and alone else None,
        "computes": alone,
        "results": results,
        "served": None if served is None else {"pictures": served},
    }
    return document(data, title, is_served=served is not None)


def document(data: dict[str, Any], title: str, is_served: bool = False) -> str:
    """HTML that holds data, the program that shows it, and its style, and lets nothing else run.

    data: what JSON can hold; its key says what the program shows: layers, trace or block.
    title: of the page.
    is_served: whether the page may ask the address that it came from.
    """
    style, program = (_resource(name) for name in ("explorer.css", "explorer.js"))
    connect = "connect-src 'self'; " if is_served else ""
    policy = (
        f"default-src 'none'; script-src {_hash(program)}; style-src {_hash(style)}; img-src data:; "
        f"{connect}base-uri 'none'; form-action 'none'"
    )
    icon = '<link rel="icon" href="data:,">\n' if is_served else ""  # or else a browser asks for one
    return _PAGE.format(
        policy=policy, icon=icon, title=html.escape(printable(title)), style=style, data=_json(data), program=program
    )


def described(picture: Picture, number: int, whole: bool) -> dict[str, Any]:
    """A Picture as data of a page; number: by which serving.py knows it; whole: with its input, to compute with."""
    pixels = base64.b64encode(np.ascontiguousarray(picture.pixels, np.uint8).tobytes()).decode()
    shape = list(picture.pixels.shape)
    return {
        "id": number,
        "caption": printable(picture.caption),
        "shape": shape,
        "pixels": pixels,
        "input": encoded(picture.input) if whole else None,
        "label": picture.label,
    }


def _how(reading, side):
    mean = cropped(reading.normalization, side).mean
    std = np.broadcast_to(reading.normalization.std.ravel(), 3).tolist()
    blue_first = reading.channel_order == "BGR"
    return {"resize": reading.resize, "mean": encoded(mean), "std": std, "blueFirst": blue_first}


def cropped(normalization: Normalize, side: int) -> Normalize:
    """The same for crops of `side` pixels: of the mean of larger images, its centre is what a crop's pixels lose."""
    mean = normalization.mean
    return Normalize(CenterCrop(side)(mean[None])[0], normalization.std) if mean.shape[1] > side else normalization


def _json(data: Any) -> str:
    """JSON without < and >: no text in it can end the block, or begin a comment."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)  # which no browser reads
    return text.replace("<", "\\u003c").replace(">", "\\u003e")


def _resource(name: str) -> str:
    text = (HERE / name).read_text(encoding="utf-8")
    if "</" in text:
        raise AssertionError(f"{name} could end its own block")
    return text


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
