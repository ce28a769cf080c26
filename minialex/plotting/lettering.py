"""Text in figures: shown as it is written, in a font that has its characters.

Matplotlib sets what stands between two dollars as mathematics, and may be told to give all text to LaTeX. Names of
classes, layers and files are not mathematics, whatever they hold.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import sys
import warnings

import matplotlib
from matplotlib import font_manager, ticker
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text
from matplotlib.textpath import TextPath

from ..support.text import printable

_PREFERRED = ("cjk", "han sans", "hei", "gothic", "noto sans", "unifont", "unicode")  # parts of names of fonts
_REGULAR = (400, "normal", "regular", "book")
_reported: set[str] = set()  # characters that no font has, and that were said to be missing


def plain():
    """A context in which Matplotlib takes a text as it is, as do the tick labels that it makes only when it draws."""
    return matplotlib.rc_context({"text.parse_math": False, "text.usetex": False, "axes.formatter.use_mathtext": False})


def width_of(text, size, weight="normal"):
    """The width of a text in points.

    text: a string.
    size: of the type, in points.
    weight: Matplotlib's, "normal" or "bold".
    """
    if not text:
        return 0.0
    with plain(), _without_warnings():
        return (
            TextPath((0, 0), shown(text), size=size, prop=font_manager.FontProperties(weight=weight))
            .get_extents()
            .width
        )


def shown(text):
    """A text as figures show it: printable, but with its line breaks."""
    return "\n".join(map(printable, text.split("\n")))


@contextlib.contextmanager
def lettered(figure):
    """A context in which a figure's text is drawn: as it is, in fonts that have its characters.

    figure: Matplotlib's; its texts are changed.

    Characters that no installed font has are named on stderr, once; they are drawn as squares.
    """
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            _write_powers_plainly(axis)
    lacking: set[str] = set()
    for text in figure.findobj(Text):
        text.set_parse_math(False)
        text.set_usetex(False)
        text.set_text(shown(text.get_text()))
        if missing := _missing(text.get_text(), tuple(text.get_fontfamily())):
            fonts, absent = _fonts_with(frozenset(missing))
            lacking |= absent
            text.set_fontfamily([*text.get_fontfamily(), *fonts])
    _report(lacking)
    with plain(), _without_warnings():
        yield


class _Numbers(ticker.LogFormatterMathtext):
    """The labels of a logarithmic axis as numbers: 0.001 where Matplotlib writes 10 to a power, as mathematics."""

    def __call__(self, x, pos=None):
        return f"{x:g}" if super().__call__(x, pos) else ""


def _write_powers_plainly(axis):
    if isinstance(axis.get_major_formatter(), ticker.LogFormatterMathtext):
        axis.set_major_formatter(_Numbers())
        axis.set_minor_formatter(_Numbers(labelOnlyBase=False))


@contextlib.contextmanager
def _without_warnings():
    """Without Matplotlib's warnings of each character that a font lacks, and of a fallback that has no bold type."""
    log = logging.getLogger("matplotlib.font_manager")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
            yield
    finally:
        log.setLevel(level)


def _missing(text, families):
    """The characters of a text that its font lacks."""
    return {character for character in text if ord(character) > 126 and ord(character) not in _characters(families)}


@functools.cache
def _characters(families):
    """The characters, as code points, of the first of these families that is installed."""
    return _in_font(font_manager.findfont(font_manager.FontProperties(family=list(families))))


@functools.cache
def _in_font(path):
    try:
        font = FT2Font(path)
        font.set_size(10, 72)  # fails for fonts of bitmaps, such as those of emoji
        return frozenset(font.get_charmap())
    except (OSError, RuntimeError, ValueError):
        return frozenset()


@functools.lru_cache(maxsize=1000)
def _fonts_with(characters):
    """Families of installed fonts that have these characters between them, and the characters that none has."""
    found, left = [], set(characters)
    for font in _installed():
        if not left:
            break
        if has := {character for character in left if ord(character) in _in_font(font.fname)}:
            found.append(font.name)
            left -= has
    return found, left


@functools.cache
def _installed():
    """The installed upright fonts of normal weight, one of each family, those with many characters first."""

    def rank(font):
        name = font.name.lower()
        return next((place for place, part in enumerate(_PREFERRED) if part in name), len(_PREFERRED)), name

    plain = [f for f in font_manager.fontManager.ttflist if f.style == f.stretch == "normal" and f.weight in _REGULAR]
    families = {font.name: font for font in plain if not font.name.startswith("Last Resort")}  # that one has squares
    return sorted(families.values(), key=rank)


def _report(lacking):
    if new := sorted(lacking - _reported):
        _reported.update(new)
        some = "".join(new[:10]) + ("…" if len(new) > 10 else "")
        print(
            f"figures: no installed font has {some}: squares are drawn instead; names in tables and files are complete "
            "(a font with Chinese, Japanese and Korean is Noto Sans CJK)",
            file=sys.stderr,
        )
