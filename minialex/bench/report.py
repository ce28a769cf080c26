"""Reports of the measurements, as text tables and as JSON."""

from __future__ import annotations

import dataclasses
import json

from .. import __version__
from ..support import files
from ..support.text import aligned

FLOOR = """\
floor: the time of each layer's multiplications at the machine's GEMM peak, or of moving its arrays once at the
measured bandwidth, whichever is longer, summed over the layers; "computing" is the share of compute-bound layers in it.
{counted}
GFLOP/s counts the operations of the direct algorithm.
MiB: {memory}"""
OF_COPY = """\
Times are GPU time, without Python's. "of copy": bytes per second of the floor's traffic, relative to a copy; for layers
without weights."""
ON_HOST = {
    "counted": """\
It is that of the numba backend's algorithms: a convolution by Winograd's counts its own multiplications, and as arrays
its tiles and transformed filters, too. Arrays in the cache need no bandwidth, and can be faster than the floor.""",
    "memory": "memory of a process after its imports (start), and at most while it does two training steps (peak).",
}
ON_GPU = {
    "counted": """\
It is that of the direct algorithms: Winograd's convolution needs fewer multiplications, and cached arrays need no
bandwidth, so that both can be faster.""",
    "memory": """\
largest total of the arrays of two training steps (peak), and memory that the library's pool took from the GPU (pool).
A step's time includes Python's.""",
}

THREAD_TIME = """\
seconds x threads. transforms: Winograd's, of tiles and of filters; other: all else that is shared among the threads;
serial: the calling thread between such work; waiting: threads without work."""


def header(machine, contenders, repeat):
    """The machine and the contenders, one line per topic.

    machine: a machine.Machine or gpu.Machine.
    contenders: their names.
    repeat: rounds.
    """
    rounds = "one run of each" if repeat == 1 else f"medians of {repeat}, the contenders in turn"
    return f"""\
minialex {__version__}, {machine.date}
  machine     {machine.place}
  measured    {machine.measured}
  software    {machine.software}
  contenders  {", ".join(contenders)}; {rounds}"""


def network(result):
    """The table of a network, training step then forward pass. result: what Bench.network returns."""
    lines, on_gpu = [], "precision" in result
    unit, scale = ("ms", 1e3) if on_gpu else ("s", 1)
    memory = ("peak_mib", "pool_mib") if on_gpu else ("start_mib", "peak_mib")
    for kind in ("training step", "forward pass"):
        rows = [row for row in result["rows"] if row["pass"] == kind]
        figures = ["ms" if on_gpu else "seconds", "images/s", "GFLOP/s", "x torch", f"floor {unit}", "computing"]
        figures += [name.replace("_mib", " MiB") for name in memory]
        lines.append([kind, *figures])
        for row in rows:
            lines.append(
                [
                    row["contender"],
                    f"{scale * row['seconds']:.4f}",
                    f"{row['images_per_second']:,.1f}",
                    f"{row['gflops']:.1f}",
                    _optional(row["times_torch"], "{:.2f}"),
                    f"{scale * row['floor_seconds']:.4f}",
                    _percent(row["floor_computing"]),
                    *(_optional(row.get(name), "{:,.0f}") for name in memory),
                ]
            )
    footnote = FLOOR.format(**(ON_GPU if on_gpu else ON_HOST))
    return f"{title(result)}, {result['parameters']:,} parameters\n{table(lines)}\n{footnote}"


def layers(result):
    """The table of a network's layers, in milliseconds, with their sum. result: its "layers" are Bench.layers'."""
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
    shares = [f"{c} of copy" for c in contenders if "precision" in result]
    lines = [["layer", "output", *times, "floor ms", "bound by", *ratios, *shares]]
    for row in (*rows, total):
        seconds = row["seconds"]
        times = [f"{1e3 * seconds[c]:.3f}" for c in contenders]
        ratios = [f"{seconds['torch-eager'] / seconds[c]:.2f}" for c in compared]
        floor = f"{1e3 * row['floor_seconds']:.3f}"
        shape = "x".join(str(n) for n in row["output"])
        lines.append([row["layer"], shape, *times, floor, row["floor_bound_by"], *ratios])
        if "precision" in result:
            lines[-1] += [_percent(row.get("of_bandwidth", {}).get(c)) for c in contenders]
    heading = f"{title(result)}: forward and backward of each layer alone, then loss and update"
    footnote = f"\n{OF_COPY}" if "precision" in result else ""
    return f"{heading}\n{table(lines)}{footnote}\n{_furthest(rows, contenders)}"


def _furthest(rows, contenders):
    """Where each of minialex's backends loses most: the three layers furthest above their floor."""
    texts = []
    for contender in (c for c in contenders if not c.startswith("torch")):
        lost = sorted(((row["seconds"][contender] - row["floor_seconds"], row["layer"]) for row in rows), reverse=True)
        listed = ", ".join(f"{layer} {1e3 * seconds:+.3f} ms" for seconds, layer in lost[:3])
        texts.append(f"furthest above the floor, {contender}: {listed}")
    return "\n".join(texts)


def profiles(result):
    """A table for each backend, one training step by operation; one more where its threads were watched.

    result: its "profile" is {backend: what profile.of_step returns}.
    """
    blocks = []
    for backend, rows in result["profile"].items():
        lines = [["operation", "calls", "forward s", "backward s", "seconds", "share"]]
        for row in rows:
            each = [_optional(row[direction], "{:.4f}") for direction in ("forward", "backward")]
            share = f"{100 * row['share']:.1f} %"
            lines.append([row["operation"], str(row["calls"]), *each, f"{row['seconds']:.4f}", share])
        blocks.append(f"{title(result)}: one training step of {backend} by operation\n{table(lines)}")
        if "phases" in rows[0]:
            blocks.append(f"{title(result)}: the threads of {backend} in this step\n{_thread_time(rows)}")
    return "\n\n".join(blocks)


def _thread_time(rows):
    """The table of a profile's phases, with their sums and what share of all they are."""
    phases = [*rows[0]["phases"]]
    each = [(row["operation"], [row["phases"][phase] for phase in phases]) for row in rows]
    sums = [sum(column) for column in zip(*(seconds for _, seconds in each))]
    lines = [["operation", *phases, "sum"]]
    lines += [[name, *(f"{s:.4f}" for s in (*seconds, sum(seconds)))] for name, seconds in (*each, ("sum", sums))]
    lines.append(["share", *(f"{100 * s / sum(sums):.1f} %" for s in (*sums, sum(sums)))])
    return f"{table(lines)}\n{THREAD_TIME}"


def title(result):
    """The network, batch size and, on a GPU, precision of matrix products. result: what Bench.network returns."""
    precision = f", {result['precision']}" if "precision" in result else ""
    return f"{result['network']}, batches of {result['batch_size']}{precision}"


def table(lines):
    """Aligned columns, the first flush left, the others flush right. lines: rows of texts."""
    return aligned(lines, indent="  ")


def _percent(share):
    return "-" if share is None else f"{100 * share:.0f} %"


def _optional(value, form):
    return "-" if value is None else form.format(value)


def write_json(path, machine, repeat, **measured):
    """Write all measurements so far to a JSON file, times in seconds.

    path: the file.
    machine: a machine.Machine or gpu.Machine.
    repeat: rounds.
    measured: further entries, networks=[...] or loader={...}.
    """
    document = {"minialex": __version__, "machine": dataclasses.asdict(machine), "repeat": repeat, **measured}
    files.write_text(path, json.dumps(document, indent=1) + "\n")
