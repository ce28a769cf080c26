"""A profile of one training step, by operation."""

from __future__ import annotations

import numpy as np

from .. import functional


def of_step(network, clock, phases=()):
    """Time the operations of one training step, forward and, on the tape, backward.

    network: an ours.Network.
    clock: clock() returns seconds or, with phases, an array: seconds, then the thread time of each phase.
    phases: phases.PHASES, where the clock is that of phases.watched.

    Returns dicts, the slowest operation first: "operation", "forward", "backward" and "seconds" (both together, s),
    "calls", "share" of the step from 0 to 1 and, with phases, "phases" ({phase: s}). "update" (the optimiser) and "the
    rest" have no forward and backward.
    """

    def now():
        return np.array(clock(), ndmin=1)

    rows: dict = {}
    begin = now()

    def forward(function, *inputs):
        start = now()
        output = function(*inputs)
        row = rows.setdefault(output.node.name, {"forward": 0 * start, "backward": 0 * start, "calls": 0})
        row["forward"] += now() - start
        row["calls"] += 1
        output.node.backward = _timed(output.node.backward, row, now)
        return output

    x = network.images
    for layer in network.model:
        x = forward(layer, x)
    forward(functional.cross_entropy, x, network.labels).backward()
    start = now()
    network.optimizer.step()
    end = now()
    network.optimizer.zero_grad()

    spent = {name: row["forward"] + row["backward"] for name, row in rows.items()} | {"update": end - start}
    spent["the rest"] = end - begin - sum(spent.values())
    table, alone = [], {"forward": [None], "backward": [None], "calls": 1}
    for name, both in spent.items():
        row, (seconds, *each) = rows.get(name, alone), both.tolist()
        entry = {"operation": name, "forward": row["forward"][0], "backward": row["backward"][0], "calls": row["calls"]}
        entry |= {"seconds": seconds, "share": seconds / (end - begin)[0]}
        table.append(entry | ({"phases": dict(zip(phases, each, strict=True))} if phases else {}))
    return sorted(table, key=lambda row: -row["seconds"])


def _timed(backward, row, now):
    def run(gy):
        start = now()
        gradients = backward(gy)
        row["backward"] += now() - start
        return gradients

    return run
