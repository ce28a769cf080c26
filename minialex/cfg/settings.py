"""The values of a layer as numbers, words and lists, each checked, with the file and line in every message."""

from __future__ import annotations

import difflib
import re

from ..support.text import printable

MOST_INPUTS = 100  # of a layer
_WHOLE = re.compile(r"[-+]?\d{1,12}")
_NUMBER = re.compile(r"[-+]?(\d{1,30}\.?\d{0,30}|\.\d{1,30})([eE][-+]?\d{1,3})?")
_FLAGS = {"1": True, "yes": True, "true": True, "on": True, "0": False, "no": False, "false": False, "off": False}
LARGEST = 1e30  # number
MAY_BE_EMPTY = ("neuron", "initwfunc", "initbfunc", "initcfunc", "weightsource")  # which says as much as leaving it out


def suggestion(word, known):
    """ "; did you mean ...?" for a word that is like a known one, else "". word: a text; known: texts."""
    lower = {one.lower(): one for one in known}
    close = difflib.get_close_matches(word.lower()[:100], lower, 1, 0.7)
    return f"; did you mean {lower[close[0]]}?" if close else ""


def quoted(text, most=60):
    """A text from a file, for a message; text: the text; most: characters."""
    text = printable(text)
    return f"'{text if len(text) <= most else text[:most] + '...'}'"


class Settings:
    """The values of a layer: those of its section in the definition file, or in the parameter file.

    section: a text.Section.
    """

    def __init__(self, section):
        self.section = section

    def __contains__(self, key):
        value = self.section.values.get(key.lower())
        return value is not None and (value.text != "" or key.lower() not in MAY_BE_EMPTY)

    def place(self, key):
        """The Place of a key; of the section where it has not the key."""
        value = self.section.values.get(key.lower())
        return value.place if value else self.section.place

    def fault(self, key, what):
        """The ValueError for a key; what: what is wrong, after the file, the line, the layer and the key."""
        return ValueError(f"{self.place(key)}: [{self.section.name}] {key}{what}")

    def word(self, key, default=None):
        """The text of a key.

        key: its name, in any spelling of capitals.
        default: what it is where it is missing; None if it must not be.
        """
        if key not in self:
            return self._default(key, default)
        text = self.section.values[key.lower()].text
        if not text:
            raise self.fault(key, " has no value")
        return text

    def _default(self, key, default):
        if default is None:
            raise ValueError(f"{self.section.place}: [{self.section.name}] has no {key}, which it needs")
        return default

    def words(self, key, count=None, default=None):
        """The items of a list, separated by commas outside of brackets.

        count: how many there should be; a single one stands for all. None for any number.
        default: the item where the key is missing; None if it must not be.
        """
        if key not in self:
            return [self._default(key, default)] * (count or 1)
        items = [item.strip() for item in _split(self.word(key))]
        if "" in items and any(items):
            raise self.fault(key, f"={quoted(self.word(key))} has an empty item")
        if count is None and len(items) > MOST_INPUTS:
            raise self.fault(key, f" has {len(items):,} items; at most {MOST_INPUTS} are known")
        if count is not None and len(items) == 1:
            return items * count
        if count is not None and len(items) != count:
            raise self.fault(key, f" has {len(items)} items, but the layer has {count} inputs")
        return items

    def whole(self, key, default=None, least=0, most=1_000_000):
        """A whole number from `least` to `most`."""
        return self._default(key, default) if key not in self else self._whole(key, self.word(key), least, most)

    def wholes(self, key, count, default=None, least=0, most=1_000_000):
        """A whole number from `least` to `most` for each input."""
        return [
            item if isinstance(item, int) else self._whole(key, item, least, most)
            for item in self.words(key, count, default)
        ]

    def _whole(self, key, text, least, most):
        number = int(text) if _WHOLE.fullmatch(text) else None
        if number is None or not least <= number <= most:
            raise self.fault(key, f"={quoted(text)} should be a whole number from {least:,} to {most:,}")
        return number

    def number(self, key, default=None, least=-LARGEST):
        """A number of at least `least`."""
        return self._default(key, default) if key not in self else self.read_number(key, self.word(key), least)

    def numbers(self, key, count, default=None, least=-LARGEST):
        """A number of at least `least` for each input."""
        return [
            float(item) if isinstance(item, (int, float)) else self.read_number(key, item, least)
            for item in self.words(key, count, default)
        ]

    def read_number(self, key, text, least=-LARGEST):
        """The number in a text; key: to which it belongs."""
        number = float(text) if _NUMBER.fullmatch(text) else None
        if number is None or not least <= number <= LARGEST:
            least = f" of at least {least:g}" if least > -LARGEST else ""
            raise self.fault(key, f"={quoted(text)} should be a number{least}")
        return number

    def flag(self, key, default):
        """true or false, in the words of ConfigParser."""
        if key not in self:
            return default
        text = self.word(key).lower()
        if text not in _FLAGS:
            raise self.fault(key, f"={quoted(text)} should be true or false")
        return _FLAGS[text]

    def flags(self, key, count, default):
        """true or false for each input."""
        if key not in self:
            return [default] * count
        items = [item.lower() for item in self.words(key, count)]
        if wrong := [item for item in items if item not in _FLAGS]:
            raise self.fault(key, f"={quoted(wrong[0])} should be true or false")
        return [_FLAGS[item] for item in items]


def _split(text):
    """The parts of a text between commas that stand in no brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += {"[": 1, "(": 1, "]": -1, ")": -1}.get(character, 0)
        if character == "," and depth <= 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts
