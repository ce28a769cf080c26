"""The library as a check calls it: here, in this process, or in the process that runs a student's code.

A check is ordinary code, `run(lib, ...)`, whose `lib` stands for the package minialex:

    x = lib.Tensor(a, requires_grad=True)
    y = lib.functional.tanh(x)
    return {"y": y.numpy(), "gx": y.node.backward(gy)[0]}

`Here` is this process's library; remote.There is the library in a student's process, where every attribute and call of
this code becomes a request. Arrays, numbers and texts are copied between the two; other objects stay where they are.
Both watch the inputs: an array that a check passes must not change, unless it is `owned`. Functions that a check passes
run in the grader, which is how a check observes calls, their order and their arguments.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import itertools

import numpy as np

from .plugging import StandIn, replaced

PACKAGE = __package__.rpartition(".")[0]


class Here:
    """The library in this process.

    Everything but its methods is an attribute of the package, or one of its modules: `lib.backends.numpy_backend`.
    """

    def __init__(self):
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return self._stack.__exit__(*error)

    def __getattr__(self, name):
        package = importlib.import_module(PACKAGE)
        try:
            return getattr(package, name)
        except AttributeError:
            return importlib.import_module(f"{PACKAGE}.{name}")

    @property
    def numpy(self):
        """The module numpy, for functions that get it as an argument."""
        return np

    def listed(self, things, most=10_000):
        """A list of the items of any iterable. things: the iterable; most: of so many items."""
        return [*itertools.islice(things, most)]

    def kind(self, thing):
        """The name of an object's class. thing: the object."""
        return type(thing).__name__

    def same(self, one, other):
        """Whether two objects are one, an identity that two requests can compare. one, other: the objects."""
        return one is other

    def sharing(self, one, other):
        """Whether two arrays share memory. one, other: from `reference` or `owned`."""
        return bool(np.shares_memory(one, other))

    def reference(self, thing, name):
        """The array in an attribute itself, not a copy. thing: an object; name: of its attribute."""
        return getattr(thing, name)

    def owned(self, array):
        """A copy of an array that the called function may change; read it by `value`. array: the array."""
        return np.array(array)

    def array(self, array):
        """An array there that is passed several times, and must not change. array: the array."""
        return array

    def value(self, array):
        """A copy of an array as it is now. array: from `owned`, `array` or `reference`, or one to be changed later."""
        return np.array(array)

    def held(self, function, *arguments, **options):
        """What a call returns, of which arrays are not copied but read by `value`; of several results a list.

        function, arguments, options: what is called.
        """
        return function(*arguments, **options)

    def refused(self, function, *arguments, **options):
        """The names of the class and the bases of the exception that a call raises, an empty list if none.

        function, arguments, options: what is called.
        """
        try:
            function(*arguments, **options)
        except Exception as error:
            return [kind.__name__ for kind in type(error).__mro__]
        return []

    def replaced(self, path, function):
        """Replace a function of the library, also where others have imported it, until the check ends.

        path: "backends.numpy_backend.NumPyBackend.dropout" or "backends.numpy_backend._neighbours".
        function: of the grader; for a method, its first argument is the object.
        """
        self._stack.enter_context(replaced(path, function))

    def stand_in(self, length=None, **attributes):
        """An object with these attributes. length: what `len` returns for it; attributes: by name."""
        return StandIn(length, attributes)


def fingerprint(array):
    """SHA-256 of an array's bytes. array: the array."""
    return hashlib.sha256(array.tobytes()).hexdigest()
