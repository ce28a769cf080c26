"""Where a training step's time goes, by operation."""

from __future__ import annotations

from .. import functional


def of_step(network, clock):
    """The operations of one training step of an ours.Network, the slowest first, as dicts; clock() in seconds.

    "forward", "backward", "seconds" (both), "share" of the step, "calls". Backward is timed on the tape, where each
    operation has left a Node. The optimiser's "update" and "the rest" have only their seconds.
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
