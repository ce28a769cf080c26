"""What a backend has to do with the machine it runs on, apart from arithmetic."""

from __future__ import annotations

import contextlib


class Backend:
    """A backend that leaves its threads to NumPy's BLAS, and has nothing to prepare."""

    thread_owner = "BLAS"  # whose threads compute
    sync_every = 1  # batches between two looks at the loss: a look waits until all that was asked for is computed

    def on_selected(self):
        """Called when this becomes the default backend."""
        from .. import threads  # only now: to compute on arrays takes no more than NumPy

        threads.release()

    def set_matmul_precision(self, precision):
        """Matrix products in "float32", or on a GPU "tf32"; ValueError where there is no choice."""
        if precision != "float32":
            raise ValueError(f"only a GPU multiplies in {precision}: use backend=cupy, or matmul_precision=float32")

    def upload(self, batches):
        """The batches (images, labels), each with its images where this backend computes: here they are."""
        return batches

    def announcing(self, say):
        """A context in which say(sentence) is called before work that only has to be done once, such as compiling."""
        return contextlib.nullcontext()
