"""A profile of one training step, by operation."""

from __future__ import annotations

from .. import functional


def of_step(network, clock):
    """Time the operations of one training step, forward and, on the tape, backward.

    network: an ours.Network.
    clock: clock() returns seconds.

    Returns dicts, the slowest operation first: "operation", "forward", "backward" and "seconds" (both together, s),
    "calls", and "share" of the step from 0 to 1. "update" (the optimiser) and "the rest" have no forward and backward.
    """
    rows: dict = {}
    begin = clock()

    def forward(function, *inputs):
        start = clock()
        output = function(*inputs)
        row = rows.setdefault(output.node.name, {"forward": 0.0, "backward": 0.0, "calls": 0})
        row["forward"] += clock() - start
        row["calls"] += 1
        output.node.backward = _timed(output.node.backward, row, clock)
        return output

    x = network.images
    for layer in network.model:
        x = forward(layer, x)
    forward(functional.cross_entropy, x, network.labels).backward()
    start = clock()
    network.optimizer.step()
    end = clock()
    network.optimizer.zero_grad()

    total, alone = end - begin, {"forward": None, "backward": None, "calls": 1}
    table = [{"operation": name, **row, "seconds": row["forward"] + row["backward"]} for name, row in rows.items()]
    table.append({"operation": "update", **alone, "seconds": end - start})
    table.append({"operation": "the rest", **alone, "seconds": total - sum(row["seconds"] for row in table)})
    return sorted((row | {"share": row["seconds"] / total} for row in table), key=lambda row: -row["seconds"])


def _timed(backward, row, clock):
    def run(gy):
        start = clock()
        gradients = backward(gy)
        row["backward"] += clock() - start
        return gradients

    return run
