"""What a backend has to do with the machine it runs on, apart from arithmetic."""

from __future__ import annotations

import contextlib


class Host:
    """A backend that leaves its threads to NumPy's BLAS, and has nothing to prepare."""

    threading = "of BLAS"  # whose threads they are, in words

    def chosen(self):
        """Called when this becomes the default backend."""
        from .. import threads  # only now: to compute on arrays takes no more than NumPy

        threads.release()

    def announcing(self, say):
        """A context in which say(sentence) is called before work that only has to be done once, such as compiling."""
        return contextlib.nullcontext()
