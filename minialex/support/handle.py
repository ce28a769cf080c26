"""Handle: what registering a hook returns."""

from __future__ import annotations

import itertools
from typing import Any


class Handle:
    """Removes a hook from where it was registered: `remove()`, or the end of a `with handle:` block.

    hooks: the hooks by number.
    hook: the function to add.
    prepend: whether it is called before all others.
    """

    _numbers = itertools.count()

    def __init__(self, hooks: dict[int, Any], hook: Any, prepend: bool = False) -> None:
        self._hooks, self._number = hooks, next(self._numbers)
        others = dict(hooks) if prepend else {}
        for number in others:
            del hooks[number]
        hooks[self._number] = hook
        hooks.update(others)

    def remove(self) -> None:
        """Remove the hook; a second time does nothing."""
        self._hooks.pop(self._number, None)

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()
