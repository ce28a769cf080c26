"""`python -m minialex.bench.kernels`: what CUDA kernels cost on AlexNet's layers, counted without a GPU."""

from __future__ import annotations

import math
import sys

import numpy as np

from .. import cli
from ..backends.cuda import emulator, instructions
from ..backends.cuda import launch as cuda_launch
from ..backends.cuda.backend import CudaBackend
from ..window import Window

DESCRIPTION = """\
Count what the kernels of im2col, LRN and the sums of channels do on AlexNet's layers, beside simpler ones of the same
results: instructions of the PTX that NVRTC makes of them, and what the emulator's checked build counts. No GPU is
needed, and the counts are the same on every machine; they need NVRTC (pip install 'minialex[compile]') and g++.

All but the first two columns are for an element: an entry of the columns, an element of the normalised array, a number
that is added up. They are counted in two blocks of each launch. A sector is 32 bytes of memory: 8 float32."""
EXAMPLES = """\
example:
  python -m minialex.bench.kernels"""

BATCH, SAMPLE = 128, 2
CONVOLUTIONS = {  # input without the batch, kernel, stride, padding
    "conv1": ((3, 227, 227), 11, 4, 0),
    "conv2": ((96, 27, 27), 5, 1, 2),
    "conv3": ((256, 13, 13), 3, 1, 1),
    "conv4": ((384, 13, 13), 3, 1, 1),
}
NORMS = {"norm1": (96, 55, 55), "norm2": (256, 27, 27)}
BIASES = {"conv1": (BATCH, 96, 55, 55), "conv2": (BATCH, 256, 27, 27), "conv3": (BATCH, 384, 13, 13)}
ROWS = {"fc6": (1024, 4096), "fc8": (1024, 1000)}
_COLUMNS = [  # heading in two lines, width
    ("blocks", "", 9),
    ("loads of", "a thread", 10),
    ("instruc-", "tions", 10),
    ("square", "roots", 8),
    ("divi-", "sions", 7),
    ("of whole", "numbers", 10),
    ("loads", "", 7),
    ("stores", "", 8),
    ("sectors", "", 9),
]


class Counting(emulator.EmulatorLauncher):
    """Runs a few blocks of each launch, and keeps what they did: the results are not complete.

    sample: how many blocks, spread evenly over the grid.
    launches: [(kernel's name, blocks of its grid, Instructions, Report)], which is added to.
    """

    def __init__(self, sample=SAMPLE):
        super().__init__()
        self.sample, self.launches = sample, []

    def empty(self, shape, dtype):
        """As of EmulatorLauncher, but beginning with a sector, as arrays on a GPU do."""
        size = np.dtype(dtype).itemsize * math.prod(shape if isinstance(shape, tuple) else (shape,))
        memory = np.zeros(size + 32, np.uint8)
        start = -memory.ctypes.data % 32
        return memory[start : start + size].view(dtype).reshape(shape)

    def launch(self, kernel, real, grid, block, values):
        """As of EmulatorLauncher."""
        blocks, text = math.prod(grid), cuda_launch.source(kernel.file)
        some = sorted({blocks * k // self.sample for k in range(self.sample)})
        executed = instructions.count(kernel, text, real, grid, block, values, some)
        report = emulator.run_checked(kernel, text, real, grid, block, values, some)
        self.launches.append((kernel.name, blocks, executed, report))


def main(argv=None):
    """Run the command: print the table. argv: the arguments, sys.argv's if None."""
    cli.Parser("bench.kernels", DESCRIPTION, EXAMPLES).parse_args(argv)
    print(f"{'layer':6}{'kernel':24}" + "".join(f"{first:>{width}}" for first, _, width in _COLUMNS))
    print(" " * 30 + "".join(f"{second:>{width}}" for _, second, width in _COLUMNS))
    try:
        for layer, launches in _layers():
            for launch in launches:
                print(_row(layer, *launch))
    except OSError as error:
        raise cli.UserError(str(error)) from error


def _layers():
    """(layer, its launches), layer by layer."""
    for layer, (shape, kernel, stride, padding) in CONVOLUTIONS.items():
        window = Window.over(shape, kernel, stride, padding)
        yield layer, _launches(_im2col_naive, (BATCH, *shape), window)
        yield layer, _launches(_im2col, (BATCH, *shape), window)
    for layer, shape in NORMS.items():
        yield layer, _launches(_normalized, (BATCH, *shape), ())
        yield layer, _launches(_normalized, (BATCH, *shape), CudaBackend.in_registers)
    for layer, gradient in {**BIASES, **ROWS}.items():
        yield layer, _launches(CudaBackend._channel_sums, gradient)[:1]


def _launches(run, shape, *options):
    launch = Counting()
    run(CudaBackend(np, launch), launch.empty(shape, np.float32), *options)
    return launch.launches


def _im2col(backend, x, window):
    taps, places = math.prod(window.kernel), math.prod(window.output)
    backend._im2col(x, backend.empty((x.shape[1] * taps, BATCH * places), x.dtype), window, 0, BATCH)


def _im2col_naive(backend, x, window):
    taps, places = math.prod(window.kernel), math.prod(window.output)
    columns, entries = backend.empty((x.shape[1] * taps, BATCH * places), x.dtype), x.shape[1] * taps * BATCH
    backend.launch.planes("im2col_naive", places, entries, x, columns, x.shape[1], window, 0, BATCH)


def _normalized(backend, x, in_registers):
    backend.in_registers = in_registers
    options = 5, 2e-5, 0.75, 2.0, False, 1
    _, saved = backend.local_response_norm(x, *options, True)
    backend.local_response_norm_backward(x, saved, *options)


def _row(layer, kernel, blocks, executed, report):
    stores = 2 if kernel == "lrn_across" else 1  # of an element: the scale, too
    elements = report.loads if kernel.endswith("sums") else report.stores // stores
    counted = executed.total, executed.square_roots, executed.divisions, executed.whole_divisions
    each = [f"{n / elements:.1f}" for n in counted[:1]] + [f"{n / elements:.2f}" for n in counted[1:]]
    each += [f"{n / elements:.2f}" for n in (report.loads, report.stores, report.sectors)]
    cells = f"{blocks:,}", f"{report.most_loads:,}", *each
    return f"{layer:6}{kernel:24}" + "".join(
        f"{cell:>{column[2]}}" for cell, column in zip(cells, _COLUMNS, strict=True)
    )


if __name__ == "__main__":
    sys.exit(cli.run(main))
