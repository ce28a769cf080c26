"""What a backend has to do with its machine, apart from arithmetic: threads, precision, transfers."""

from __future__ import annotations

import contextlib


class BackendUnavailable(RuntimeError):
    """What a backend needs and this machine lacks: one sentence, with what to do."""


class Backend:
    """A backend that leaves its threads to NumPy's BLAS and has nothing to prepare."""

    name = ""
    thread_owner = "BLAS"  # whose threads compute
    takes_bytes = False  # whether loaders should leave the transforms of images to `upload`
    sync_every = 1  # batches between two looks at the loss: a look waits until all that was asked for is computed

    def __reduce__(self):
        """A copy of a backend, or an unpickled one, is the backend of that name: tensors compare theirs by identity."""
        from . import get_backend

        return get_backend, (self.name,)

    @property
    def fuses_relu(self):
        """Whether it has conv2d_relu, see nn/fused.py."""
        return False

    def on_selected(self):
        """Called when this becomes the default backend."""
        from .. import threads  # only now: to compute on arrays takes no more than NumPy

        threads.release()

    def set_matmul_precision(self, precision):
        """Set the precision of matrix products.

        precision: "float32", or on a GPU "tf32", which rounds factors to 10 bits for tensor cores.

        Raises ValueError where there is no choice.
        """
        if precision != "float32":
            raise ValueError(f"only a GPU multiplies in {precision}: use backend=cupy, or matmul_precision=float32")

    def set_conv_ways(self, table):
        """Set how convolutions are computed.

        table: {layer: way}, see fast_cpu/ways.py; {} for the built-in choice.

        Raises ValueError for an unknown way, and where there is no choice.
        """
        if table:
            raise ValueError("only the numba backend has several ways to compute a convolution: use backend=numba")

    def upload(self, batches):
        """Batches whose images are where this backend computes.

        batches: an iterable of (images, labels), NumPy arrays; where this backend takes bytes, images may be RawImages.

        Returns an iterable of (images, labels).
        """
        return batches

    def announcing(self, say):
        """A context in which work that is done once, such as compiling, is announced.

        say: a function of one sentence, called before that work.
        """
        return contextlib.nullcontext()
