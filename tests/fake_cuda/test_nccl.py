"""The fake NCCL itself: what the ranks call differently, and a rank that is not there, is an error and never a hang."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys

import pytest

import fake_cuda

pytestmark = pytest.mark.heavy

# In every rank, whose number is `rank`: each act with a communicator of its own, for a fault ends the one it is in.
RANK = """
import json, os, sys, time
import cupy
from cupy.cuda import nccl
identity, rank, size, before, acts = sys.argv[1], int(sys.argv[2]), 2, sys.argv[3], json.loads(sys.argv[4])
FLOAT, DOUBLE, SUM, MAX = nccl.NCCL_FLOAT32, nccl.NCCL_FLOAT64, nccl.NCCL_SUM, nccl.NCCL_MAX
cupy.cuda.Device(rank).use()
stream = cupy.cuda.Stream(non_blocking=True)
x, y, host = cupy.full(1 << 17, 1 / 3 + rank, cupy.float32), cupy.zeros(1 << 17, cupy.float32), cupy.zeros(8).get()
cupy.cuda.get_current_stream().synchronize()
there, other, s = x.data.ptr, y.data.ptr, stream.ptr
exec(before)
for number, act in enumerate(acts):
    try:
        comm = nccl.NcclCommunicator(size, f"/fake-nccl-{identity}-{number}".encode().ljust(128, bytes(1)), rank)
        exec(act)
        stream.synchronize()
    except nccl.NcclError:
        print(act)
"""
numbers = itertools.count()


def run(*acts, before="", ranks=(0, 1), **variables):
    """(exit code, acts that raised NcclError, what is on stderr) of each rank; all run at once."""
    fake_cuda.require()
    environment = fake_cuda.environment(**{"FAKE_DEVICES": 2, "FAKE_PATIENCE": 30} | variables)
    identity = f"test-{os.getpid()}-{next(numbers)}"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", RANK, identity, str(rank), before, json.dumps(acts)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ranks
    ]
    done = [process.communicate(timeout=120) for process in started]
    return [
        (process.returncode, output.splitlines(), errors)
        for process, (output, errors) in zip(started, done, strict=True)
    ]


FAULTS = {  # what each rank does, and what is said by a rank
    "another type": (
        "comm.allReduce(there, there, 8, DOUBLE if rank else FLOAT, SUM, s)",
        "it calls ncclAllReduce of 8 float32, and rank 1 calls ncclAllReduce of 8 float64",
    ),
    "another count": (
        "comm.allReduce(there, there, 8 + rank, FLOAT, SUM, s)",
        "it calls ncclAllReduce of 9 float32, and rank 0 calls ncclAllReduce of 8 float32",
    ),
    "another call": (
        "rank and comm.allGather(there, other, 8, FLOAT, s) or comm.allReduce(there, there, 8, FLOAT, SUM, s)",
        "it calls ncclAllGather of 8 float32, and rank 0 calls ncclAllReduce of 8 float32",
    ),
    "another root": (
        "comm.broadcast(there, there, 8, FLOAT, rank, s)",
        "it calls ncclBroadcast of 8 float32 with root 1, and rank 0 calls ncclBroadcast of 8 float32 with root 0",
    ),
    "another size of what is sent": (
        "rank and comm.recv(there, 9, FLOAT, 0, s) or comm.send(there, 8, FLOAT, 1, s)",
        "it calls ncclSend of 9 float32, and rank 0 calls ncclSend of 8 float32",
    ),
    "bytes where elements are counted": (
        "comm.allReduce(there, there, 4 * x.size, FLOAT, SUM, s)",
        "ncclAllReduce of 524288 float32 reaches outside of the memory of device",
    ),
    "a part beyond the end": (
        "comm.allGather(there, other, x.size, FLOAT, s)",
        "ncclAllGather of 131072 float32 reaches outside of the memory of device",
    ),
    "memory of the host": (
        "comm.allReduce(host.ctypes.data, there, 8, FLOAT, SUM, s)",
        "ncclAllReduce of 8 float32 reaches outside of the memory of device",
    ),
    "no such type": ("comm.allReduce(there, there, 8, 10, SUM, s)", "ncclAllReduce with type 10"),
    "no such rank": ("comm.broadcast(there, there, 8, FLOAT, 2, s)", "and rank 2 is not permitted"),
    "another operation": ("comm.allReduce(there, there, 8, FLOAT, MAX, s)", "by operation 2 on float32"),
}
ABSENT = {  # (what each rank does before the communicator is made, and with it, FAKE_PATIENCE, what is said by a rank)
    "a rank that dies": (
        "",
        "rank and os._exit(0); comm.allReduce(there, there, 8, FLOAT, SUM, s)",
        30,
        "rank 1, for which ncclAllReduce of 8 float32 waits, has ended",
    ),
    "a rank that does not call": (
        "",
        "rank or comm.allReduce(there, there, 8, FLOAT, SUM, s); time.sleep(2)",
        1,
        "rank 1, for which ncclAllReduce of 8 float32 waits, does not come",
    ),
    "both send before they receive": (
        "",
        "comm.send(there, 8, FLOAT, 1 - rank, s); comm.recv(other, 8, FLOAT, 1 - rank, s)",
        1,
        "for which ncclSend of 8 float32 waits, does not come",
    ),
    "one device for two ranks": ("cupy.cuda.Device(0).use()", "", 30, "has the same device 0"),
    "another number of ranks": ("size += rank", "", 2, "another rank was told of"),
    "one rank twice": ("rank = 0", "", 2, "another process has this rank"),
}


@pytest.fixture(scope="module")
def faults():
    """All of FAULTS, one after the other in the same two processes."""
    return run(*(act for act, _ in FAULTS.values()))


@pytest.mark.parametrize("name", FAULTS)
def test_what_nccl_refuses_and_what_ranks_call_differently(faults, name):
    act, message = FAULTS[name]
    assert any(message in errors for _, _, errors in faults), faults
    assert all(code == fake_cuda.FAILED and act in raised for code, raised, _ in faults)


@pytest.mark.parametrize("name", ABSENT)
def test_who_does_not_come(name):
    before, act, patience, message = ABSENT[name]
    done = run(act, before=before, FAKE_PATIENCE=patience)
    assert any(message in errors and code == fake_cuda.FAILED and raised == [act] for code, raised, errors in done), (
        done
    )


def test_a_rank_that_never_starts():
    [(code, raised, errors)] = run("", ranks=[0], FAKE_PATIENCE=1)
    assert code == fake_cuda.FAILED and raised == [""] and "rank 1 does not come" in errors


def test_a_function_that_is_not_simulated():
    assert all("ncclBcast is not simulated" in errors for _, _, errors in run("comm.bcast(there, 8, FLOAT, 0, s)"))


RIGHT = """
for n in (0, 1, 8, x.size):
    nccl.groupStart()
    comm.send(there, n, FLOAT, 1 - rank, s)
    comm.recv(other, n, FLOAT, 1 - rank, s)
    nccl.groupEnd()
    comm.allReduce(there, there, n, FLOAT, SUM, s)
    stream.synchronize()
    mine, theirs = cupy.float32(1 / 3 + rank), cupy.float32(4 / 3 - rank)
    assert (y[:n] == theirs).all() and (x[:n] == mine + theirs).all() and (x[n:] == mine).all()
    x.fill(mine)
    y.fill(0)
    cupy.cuda.get_current_stream().synchronize()
"""


@pytest.mark.parametrize("order", fake_cuda.ORDERS)
def test_a_right_program_is_not_accused(order):
    """With nothing, with little, and with more than a pipe holds."""
    assert run(RIGHT, FAKE_LAZY=order) == [(0, [], "")] * 2
