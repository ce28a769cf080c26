"""Arguments of torch that are here for the order and the names only: what they were given is checked, not ignored."""

from __future__ import annotations


def refuse(place, instead="", **given):
    """Raise ValueError where an argument that is not supported has another value than torch's default.

    place: the function or class, for the message.
    instead: what to write, after a colon in the message.
    given: name=(value, torch's default) of each argument.
    """
    for name, (value, default) in given.items():
        if value is not default and not (type(value) is type(default) and value == default):
            advice = f": {instead}" if instead else f": leave it out, {name}={default!r} is the only way there is"
            raise ValueError(f"{place} does not support {name}={value!r}{advice}")
