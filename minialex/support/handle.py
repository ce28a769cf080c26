"""Handle: what registering a hook returns."""

from __future__ import annotations

import itertools


class Handle:
    """Removes a hook from where it was registered: `remove()`, or the end of a `with handle:` block.

    hooks: the hooks by number.
    hook: the function to add.
    prepend: whether it is called before all others.
    """

    _numbers = itertools.count()

    def __init__(self, hooks, hook, prepend=False):
        self._hooks, self._number = hooks, next(self._numbers)
        others = dict(hooks) if prepend else {}
        for number in others:
            del hooks[number]
        hooks[self._number] = hook
        hooks.update(others)

    def remove(self):
        """Remove the hook; a second time does nothing."""
        self._hooks.pop(self._number, None)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.remove()
