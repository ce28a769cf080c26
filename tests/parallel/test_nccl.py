"""NCCLGroup on the real CuPy, a fake GPU for each process and a fake NCCL: see tests/fake_cuda/README.md."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import fake_cuda
import numpy as np
import pytest
from ranks import NEEDS_MPI, finished, on_ranks, start

from minialex import Tensor, backends, functional, models, nn, optim, random
from minialex.parallel import operations
from minialex.parallel.nccl import NCCLGroup
from minialex.runs import checkpoint

pytestmark = pytest.mark.heavy


def on_gpus(size, function, file=__file__, **variables):
    """on_ranks, with so many fake GPUs on this machine unless FAKE_DEVICES says otherwise."""
    fake_cuda.require()
    on_ranks(size, file, function, env=fake_cuda.environment(**{"FAKE_DEVICES": size} | variables))


def in_every_order(function):
    """A function of a Group of MPI's made one that calls function(group of NCCL's, order, cupy, fake) in each order."""

    def each(world):
        import cupy
        import sitecustomize as fake

        with NCCLGroup(world) as group:
            for order in fake_cuda.ORDERS:
                fake.set_order(order)
                function(group, order, cupy, fake)

    return each


@NEEDS_MPI
@pytest.mark.parametrize("size", [1, 2, 3])
def test_collectives(size):
    on_gpus(size, "check_nccl", Path(__file__).with_name("test_group.py"))


# ---------------------------------------------------------------------------------------------- streams


@in_every_order
def check_streams(group, order, cupy, fake):
    x = cupy.full(1000, group.rank + 1, np.float32)
    fake.reset()
    x *= 2
    pending = group.start_all_reduce(x)
    pending.wait()
    x += 1
    gathered = group.all_gather(x)
    gathered *= 2
    assert not [name for name in fake.counters() if name.startswith("sync:")], "the host waited"
    total = group.size * (group.size + 1) + 1
    assert (x.get() == total).all() and (gathered.get() == 2 * total).all()


@in_every_order
def check_without_wait(group, order, cupy, fake):
    """What wait() is for: a kernel that does not wait comes too early where other streams' work is done last."""
    x = cupy.ones(1000, np.float32)
    pending = group.start_all_reduce(x)
    x += 1
    pending.wait()
    early = order in (1, 3)
    assert (x.get() == (2 * group.size if early else group.size + 1)).all(), order


@in_every_order
def check_memory(group, order, cupy, fake):
    """An array that the caller has forgotten keeps its memory until the transfer is complete."""
    for count in (1000, 1_000_000):
        pending = group.start_all_reduce(cupy.full(count, 7, np.float32))
        others = [cupy.full(count, group.rank, np.float32) for _ in range(3)]
        pending.wait()
        assert all((other == group.rank).all() for other in others), order


@in_every_order
def check_empty(group, order, cupy, fake):
    """Of nothing, NCCL hears nothing."""
    fake.reset()
    group.all_reduce(cupy.zeros((0, 3)))
    group.send_recv(cupy.zeros((0, 3)), 1 - group.rank, 1 - group.rank)
    group.all_gather(cupy.zeros(3 * group.rank), 0, [0, 3])
    group.reduce_scatter(cupy.zeros(3), 0, [0, 3])
    calls = {name: number for name, number in fake.counters().items() if name.startswith("nccl")}
    assert calls == {"ncclGroupStart": 2, "ncclGroupEnd": 2, "ncclBroadcast": 1, "ncclReduce": 1}


def check_exception(world):
    """Whoever leaves by an exception does not wait for the others."""
    import cupy
    import sitecustomize as fake

    fake.set_order(3)
    with contextlib.suppress(ZeroDivisionError), NCCLGroup(world) as group:
        if group.rank == 0:
            group.start_all_reduce(cupy.ones(3))
            raise ZeroDivisionError


@NEEDS_MPI
@pytest.mark.parametrize("function", ["streams", "without_wait", "memory", "empty", "exception"])
def test_two_gpus(function):
    on_gpus(2, f"check_{function}")


# ---------------------------------------------------------------------------------------------- gradients


LENGTHS = [1, 3, 2]  # along axis 1, of three ranks


@in_every_order
def check_operations(group, order, cupy, fake):
    draw = np.random.default_rng(order)
    inputs = np.split(draw.standard_normal((2, 6), np.float32), np.cumsum(LENGTHS)[:-1], 1)
    gradients = list(draw.standard_normal((3, 2, 6), np.float32))
    rank, lengths = group.rank, LENGTHS

    def both(operation, x, gradient, *arguments):
        x = Tensor(x, requires_grad=True, backend="cupy")
        y = operation(x, group, *arguments)
        y.backward(cupy.asarray(gradient))
        assert isinstance(y.data, cupy.ndarray) and isinstance(x.grad.data, cupy.ndarray)
        return y.numpy(), x.grad.numpy()

    y, gx = both(operations.all_gather, inputs[rank], gradients[rank], 1, lengths)
    np.testing.assert_array_equal(y, np.concatenate(inputs, 1))
    parts = np.split(sum(gradients), np.cumsum(lengths)[:-1], 1)
    np.testing.assert_allclose(gx, parts[rank], rtol=1e-5, atol=1e-6)
    y, gx = both(operations.gather_same, inputs[rank], gradients[0], 1, lengths)
    np.testing.assert_array_equal(y, np.concatenate(inputs, 1))
    np.testing.assert_array_equal(gx, np.split(gradients[0], np.cumsum(lengths)[:-1], 1)[rank])
    whole = list(draw.standard_normal((3, 2, 6), np.float32))
    y, gx = both(operations.all_reduce, whole[rank], gradients[rank])
    np.testing.assert_allclose(y, sum(whole), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(gx, sum(gradients), rtol=1e-5, atol=1e-6)


@NEEDS_MPI
def test_operations():
    on_gpus(3, "check_operations")


def train(images, labels, share, add):
    """The weights after three steps on these images; their share of the batch; add: sums a list of gradients."""
    random.manual_seed(0)
    model = models.build("shapes_net")
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for _ in range(3):
        loss = functional.cross_entropy(model(Tensor(images)), labels)
        optimizer.zero_grad()
        loss.backward(np.float32(share))
        add([parameter.grad.data for parameter in model.parameters()])
        optimizer.step()
    return [parameter.numpy() for parameter in model.parameters()]


@in_every_order
def check_training(group, order, cupy, fake):
    """In data parallel, each rank with half of the batch, as one process with all of it."""
    if order in (0, 3):
        return  # of the other two, one does the transfers as late as is permitted, one what they wait for
    backends.use_backend("cupy")
    draw = np.random.default_rng(1)
    images, labels = draw.standard_normal((6, 3, 32, 32), np.float32), draw.integers(0, 10, 6)

    def add(gradients):
        for pending in [group.start_all_reduce(gradient) for gradient in gradients]:
            pending.wait()

    own = slice(3 * group.rank, 3 * group.rank + 3)
    alone = train(images, labels, 1.0, lambda gradients: None)
    together = train(images[own], labels[own], 0.5, add)
    for found, expected in zip(together, alone, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
        assert (group.broadcast(cupy.asarray(found)).get() == found).all(), "the ranks' weights have other bits"


@NEEDS_MPI
def test_training_in_data_parallel():
    on_gpus(2, "check_training")


@NEEDS_MPI
@pytest.mark.parametrize("scheme", ["data", "hybrid", "towers"])
def test_the_command(tmp_path, scheme):
    """Two processes of the real CuPy end with one process's weights, and its losses on the way."""
    fake_cuda.require()
    words = "--backend", "cupy", "--limit", 22, "--batch-size", 12, "--validation", 6, "--lr", 0.05, "--epochs", 1
    code, output, errors = finished(
        start(
            2,
            "-m",
            "minialex.train",
            "--parallel",
            scheme,
            *words,
            "--out",
            tmp_path / "two",
            env=fake_cuda.environment(FAKE_DEVICES=2),
        )
    )
    assert code == 0, output + errors
    fake_cuda.run("-m", "minialex.train", *map(str, words), "--out", str(tmp_path / "one"))
    found, expected = (checkpoint.load(tmp_path / name / "last.npz") for name in ("two", "one"))
    assert found.weights.keys() == expected.weights.keys()
    for name, array in expected.weights.items():
        np.testing.assert_allclose(found.weights[name], array, rtol=0, atol=1e-5, err_msg=name)
    assert found.history[0]["train_loss"] == pytest.approx(expected.history[0]["train_loss"], rel=1e-5)
    assert found.history[0]["val_loss"] == pytest.approx(expected.history[0]["val_loss"], rel=1e-5)


# ---------------------------------------------------------------------------------------------- which GPU, refusals


def check_too_few(world):
    with pytest.raises(backends.BackendUnavailable, match=r"and 3 processes have 2: start fewer \(mpiexec -n 2\)"):
        NCCLGroup(world)


@NEEDS_MPI
def test_too_few_gpus():
    """All processes say so: none is left to wait for the others."""
    on_gpus(3, "check_too_few", FAKE_DEVICES=2)


def check_one_is_visible(world):
    os.environ["FAKE_FIRST_DEVICE"] = str(world.rank)  # read when CuPy is imported
    import cupy

    with NCCLGroup(world) as group:
        assert group.device == 0 and group.all_reduce(cupy.ones(1)).get() == [2]


@NEEDS_MPI
def test_each_process_may_see_only_its_own_gpu():
    on_gpus(2, "check_one_is_visible", FAKE_DEVICES=1)


ALONE = """
import cupy
from minialex.backends import BackendUnavailable
from minialex.parallel.group import Group
from minialex.parallel.nccl import NCCLGroup
host = Group()
try:
    ACT
except (BackendUnavailable, TypeError, ValueError) as error:
    print(error)
"""
REFUSALS = {  # what is done, the fake's variables, the sentence
    "no NCCL": (
        "NCCLGroup(host)",
        {"FAKE_WITHOUT": "nccl"},
        "NCCL, which connects GPUs, is missing: pip install nvidia-nccl-cu13",
    ),
    "no GPU": ("NCCLGroup(host)", {"FAKE_WITHOUT": "device"}, "CuPy finds no usable GPU: the driver shows no device"),
    "an array with gaps": (
        "NCCLGroup(host).all_reduce(cupy.zeros((4, 6))[:, ::2])",
        {},
        "an array of shape (4, 3) is not contiguous: give a copy of it",
    ),
    "another type": (
        "NCCLGroup(host).all_reduce(cupy.zeros(3, bool))",
        {},
        "NCCL sends whole and floating-point numbers, not bool: convert it by astype",
    ),
    "another length": (
        "NCCLGroup(host).all_gather(cupy.zeros((2, 3)), 1, [2])",
        {},
        "axis 1 of (2, 3) has not the length 2 of rank 0",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals(name):
    act, variables, sentence = REFUSALS[name]
    done = fake_cuda.run("-c", ALONE.replace("ACT", act), **variables)
    assert done.stdout.startswith(sentence) and done.stdout.count("\n") == 1 and not done.stderr


def test_an_end_is_the_hosts():
    assert fake_cuda.run("-c", ALONE.replace("ACT", "host.end = print; NCCLGroup(host).end(3)")).stdout == "3\n"
