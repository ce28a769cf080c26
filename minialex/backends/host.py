"""What a backend has to do with the machine it runs on, apart from arithmetic."""

from __future__ import annotations

import contextlib


class Host:
    """A backend that leaves its threads to NumPy's BLAS, and has nothing to prepare."""

    threading = "of BLAS"  # whose threads they are, in words
    look_every = 1  # batches between two looks at the loss: a look waits until all that was asked for is computed

    def chosen(self):
        """Called when this becomes the default backend."""
        from .. import threads  # only now: to compute on arrays takes no more than NumPy

        threads.release()

    def set_matmul_precision(self, precision):
        """"float32", or "tf32" on a GPU: ValueError elsewhere."""
        if precision != "float32":
            raise ValueError(f"matrix products in {precision} are made by GPUs: use --backend cupy, or leave it out")

    def upload(self, batches):
        """The batches (images, labels), each with its images where this backend computes: here they are."""
        return batches

    def announcing(self, say):
        """A context in which say(sentence) is called before work that only has to be done once, such as compiling."""
        return contextlib.nullcontext()
