"""torch's names for where tensors are: a script's `device` is a backend here.

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device)

"cuda" is the cupy backend, "cpu" any of the others: what is on the CPU stays on its backend there. New tensors are made
on the default backend, a GPU's after use_backend("cuda").
"""

from __future__ import annotations

from . import get_backend, is_gpu_name


class device(str):
    """A name for a place of tensors, wherever the name of a backend is expected.

    type: "cpu", "cuda", "cuda:0", or the name of a backend.
    index: of the GPU, 0 or None: there is one.

    Raises ValueError for another name or index.
    """

    def __new__(cls, type, index=None):
        name = str(type) if index is None else f"{type}:{index}"
        if name != "cpu" and not is_gpu_name(name):
            name = get_backend(name).name
        return super().__new__(cls, name)

    @property
    def type(self):
        """ "cuda" or "cpu"."""
        return "cuda" if is_gpu_name(self) else "cpu"

    @property
    def index(self):
        """The number of the GPU, if the name has one."""
        return 0 if self.endswith(":0") else None


class cuda:
    """torch.cuda, as far as scripts ask it before they choose a device."""

    @staticmethod
    def is_available():
        """Whether the cupy backend can be used here."""
        return bool(cuda.device_count())

    @staticmethod
    def device_count():
        """How many GPUs can be used: one or none."""
        try:
            get_backend("cupy")
        except ValueError:
            return 0
        return 1
