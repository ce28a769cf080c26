"""The measurements as text to read and as JSON to keep."""

from __future__ import annotations

import dataclasses
import json

from .. import __version__, files

FOOTNOTE = """\
floor: each layer's multiplications at the machine's GEMM peak, or its arrays once through memory at the bandwidth,
whichever takes longer, all layers added up; "computing" is the share of those where it is the multiplications.
Convolution by Winograd does fewer of them than are counted here, and what stays in the cache needs no bandwidth:
both may go below. GFLOP/s counts what the direct algorithm would do. MiB: the most memory of a process that does
nothing but two training steps, and what it had after its imports."""


def header(machine, contenders, repeat):
    """What runs where, a line a subject."""
    m, versions = machine, [f"Python {machine.python}", f"NumPy {machine.numpy} ({machine.blas})"]
    versions += [f"{name} {version}" for name, version in (("numba", m.numba), ("torch", m.torch)) if version]
    rounds = "one run of each" if repeat == 1 else f"medians of {repeat}, the contenders in turn"
    return f"""\
minialex {__version__}, {m.date}
  machine     {m.cpu}, {m.cores} core{"s" if m.cores > 1 else ""}, {m.threads} thread{"s" if m.threads > 1 else ""}
  measured    {m.gemm_peak / 1e9:.1f} GFLOP/s in float32 matrix products, {m.bandwidth / 1e9:.1f} GB/s copying memory
  software    {", ".join(versions)}
  contenders  {", ".join(contenders)}; {rounds}"""


def network(result):
    """The table of a network: training step, then forward pass."""
    lines = []
    for kind in ("training step", "forward pass"):
        rows = [row for row in result["rows"] if row["pass"] == kind]
        figures = ["seconds", "images/s", "GFLOP/s", "x torch", "floor s", "computing", "start MiB", "peak MiB"]
        lines.append([kind, *figures])
        for row in rows:
            lines.append([
                row["contender"], f"{row['seconds']:.4f}", f"{row['images_per_second']:,.1f}", f"{row['gflops']:.1f}",
                _optional(row["times_torch"], "{:.2f}"), f"{row['floor_seconds']:.4f}",
                f"{100 * row['floor_computing']:.0f} %",
                *(_optional(row.get(name), "{:,.0f}") for name in ("start_mib", "peak_mib")),
            ])  # fmt: skip
    return f"{_name(result)}, {result['parameters']:,} parameters\n{table(lines)}\n{FOOTNOTE}"


def layers(result):
    """The table of a network's layers, in milliseconds, with their sum."""
    rows, contenders = result["layers"], [*result["layers"][0]["seconds"]]
    compared = [c for c in contenders if c != "torch-eager" and "torch-eager" in contenders]
    total = {
        "layer": "sum",
        "output": [],
        "floor_seconds": sum(row["floor_seconds"] for row in rows),
        "floor_bound_by": "",
        "seconds": {c: sum(row["seconds"][c] for row in rows) for c in contenders},
    }
    times, ratios = [f"{c} ms" for c in contenders], [f"{c} x torch" for c in compared]
    lines = [["layer", "output", *times, "floor ms", "bound by", *ratios]]
    for row in (*rows, total):
        seconds = row["seconds"]
        times = [f"{1e3 * seconds[c]:.3f}" for c in contenders]
        ratios = [f"{seconds['torch-eager'] / seconds[c]:.2f}" for c in compared]
        floor = f"{1e3 * row['floor_seconds']:.3f}"
        shape = "x".join(str(n) for n in row["output"])
        lines.append([row["layer"], shape, *times, floor, row["floor_bound_by"], *ratios])
    title = f"{_name(result)}: forward and backward of each layer alone, then loss and update"
    return f"{title}\n{table(lines)}"


def profiles(result):
    """A table for each backend: one training step by operation."""
    blocks = []
    for backend, rows in result["profile"].items():
        lines = [["operation", "calls", "forward s", "backward s", "seconds", "share"]]
        for row in rows:
            each = [_optional(row[direction], "{:.4f}") for direction in ("forward", "backward")]
            share = f"{100 * row['share']:.1f} %"
            lines.append([row["operation"], str(row["calls"]), *each, f"{row['seconds']:.4f}", share])
        blocks.append(f"{_name(result)}: one training step of {backend} by operation\n{table(lines)}")
    return "\n\n".join(blocks)


def _name(result):
    return f"{result['network']}, batches of {result['batch_size']}"


def table(lines):
    """Rows of texts in columns, the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join(
        "  ".join(["", line[0].ljust(widths[0]), *(text.rjust(width) for text, width in zip(line[1:], widths[1:]))])
        for line in lines
    )


def _optional(value, form):
    return "-" if value is None else form.format(value)


def write_json(path, machine, repeat, networks):
    """Everything measured so far, times in seconds, into the file `path`."""
    document = {"minialex": __version__, "machine": dataclasses.asdict(machine), "repeat": repeat, "networks": networks}
    files.write_text(path, json.dumps(document, indent=1) + "\n")
