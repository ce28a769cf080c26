"""What only the fake GPU can show: what a step costs, what the host waits for, and that no order of streams matters."""

from __future__ import annotations

import pytest

import fake_cuda

# A step of shapes_net on 8 images that lie on the GPU, labels on the host: 10 parameters, 5 layers with weights.
STEP = {"launches": 58, "cublas:calls": 14, "memset": 0, "copies:H2D": 1, "bytes:H2D": 8 * 8, "copies:D2D": 0}
IMAGES = 8 * 3 * 32 * 32 * 4  # bytes of a batch


@pytest.fixture(scope="module")
def counted():
    return fake_cuda.program("counted.py", FAKE_DRY=1)  # what is launched does not depend on what it computes


def test_a_step_waits_for_nothing(counted):
    """Forward, backward, optimiser: all of it is queued, and as much as is known."""
    step = counted["step"]
    assert not [name for name in step if name.startswith("sync:") or name in ("copies:D2H", "cudaMalloc", "cudaFree")]
    assert {name: step.get(name, 0) for name in STEP} == STEP


def test_clipping_waits_for_nothing(counted):
    """Not even for the norm, which only a reader of the result waits for."""
    clip = counted["clip"]
    assert clip["launches"] > 10 and not [name for name in clip if name.startswith(("sync:", "copies:D2H"))]


def test_a_trainer_waits_for_its_losses_alone(counted):
    """Every sync_every batches, and at the end of an epoch: for the loss and the logits of each batch since."""
    every, batches = counted["sync_every"], counted["batches"]
    assert len(batches) == 45 > 2 * every
    for number, batch in enumerate(batches, 1):
        reads = 2 * every if number % every == 0 else 0
        waits = batch["copies:D2H"], batch["sync:copy D2H"], batch["sync:stream"], batch["sync:device"]
        assert waits == (reads, reads, reads, 0), number
        assert batch["launches"] == STEP["launches"] + 1, number  # the loss times the batch's share of a step
        ahead = {1: 2, 45: 0}.get(number, 1)  # batches that are sent while this one is computed
        assert batch["bytes:H2D"] == ahead * IMAGES + 8 * 8, number
    # For copies out of pinned arrays that are filled once more.
    assert sum(batch["sync:event"] for batch in batches) <= len(batches)
    assert counted["end"]["copies:D2H"] == 2 * (45 % every)


@pytest.fixture(scope="module")
def orders():
    return fake_cuda.program("orders.py")


def test_the_weights_do_not_depend_on_the_order_of_streams(orders):
    assert len(orders["weights"]) == len(fake_cuda.ORDERS) and len(set(orders["weights"])) == 1


def test_a_loop_that_is_left_early_leaves_no_copy_behind(orders):
    assert orders["left"] == [True] * len(fake_cuda.ORDERS)
