"""Data parallelism is training in one process, to rounding: any number of ranks, dropout, batch norm, short batches."""

from __future__ import annotations

import numpy as np
import pytest
from ranks import NEEDS_MPI, on_ranks

from minialex import Tensor, backends, functional, models, nn, optim, random
from minialex.data import ArrayDataset, Loader
from minialex.parallel import schemes, threads
from minialex.parallel.data import DataParallel
from minialex.parallel.group import Group, part
from minialex.training import diagnose
from minialex.training.evaluation import Diverged
from minialex.training.shared_trainer import SharedTrainer

BATCHES = [6, 5, 2, 6]  # pictures; with three ranks or four some have none


class Net(nn.Module):
    """A little of everything: two paths, dropout, batch norm; each instance with a generator of its own."""

    def __init__(self):
        super().__init__()
        generator = random.Generator(3)
        self.conv = nn.Conv2d(2, 4, 3, dtype=np.float64)
        self.bn = nn.BatchNorm2d(4, dtype=np.float64)
        self.drop = nn.Dropout(0.4, generator=generator)
        self.fc = nn.Linear(4 * 9, 5, dtype=np.float64)
        self.bn1 = nn.BatchNorm1d(5, momentum=None, dtype=np.float64)
        self.unused = nn.Linear(3, 2, dtype=np.float64)

    def forward(self, x):
        h = self.drop(functional.relu(self.bn(self.conv(x))))
        h = self.drop((h * h).flatten(1))
        return self.bn1(self.fc(h)) + self.fc(h)


def batches():
    rng = np.random.default_rng(0)
    return [(rng.standard_normal((n, 2, 5, 5)), rng.integers(0, 5, n)) for n in BATCHES]


_BUILT = {}


def model_of(seed=0):
    """A Net with the weights of this seed."""
    if seed not in _BUILT:
        rng = np.random.default_rng(seed)
        _BUILT[seed] = {name: rng.standard_normal(t.shape) * 0.5 for name, t in Net().state_dict().items()}
        _BUILT[seed] |= {name: np.abs(a) + 0.5 for name, a in _BUILT[seed].items() if "running_var" in name}
        _BUILT[seed] |= {name: np.array(0) for name in _BUILT[seed] if "tracked" in name}
    net = Net()
    net.load_state_dict(_BUILT[seed])
    return net


def trained(group, accumulate=1, seed=0, **options):
    """Weights after a few steps, and the losses; `accumulate` batches per step."""
    net = model_of(seed)
    parallel = DataParallel(net, group, overlap=accumulate == 1, **options)
    optimizer = optim.SGD(net.parameters(), 0.1, 0.9, weight_decay=0.01)
    losses = []
    for number, (images, labels) in enumerate(batches()):
        if number == 2:
            net.conv.requires_grad_(False)
        own = part(len(labels), group.rank, group.size)
        loss = functional.cross_entropy(net(Tensor(images[own])), labels)
        losses.append(loss.item())
        loss.backward(1 / accumulate)
        if (number + 1) % accumulate == 0:
            parallel.reduce()
            optimizer.step()
            optimizer.zero_grad()
    parallel.remove()
    return net.state_dict(), losses


def same(found, expected, tolerance=1e-12):
    weights, losses = found
    np.testing.assert_allclose(losses, expected[1], rtol=tolerance)
    assert weights.keys() == expected[0].keys()
    for name, array in expected[0].items():
        np.testing.assert_allclose(weights[name], array, rtol=0, atol=tolerance * max(1, np.abs(array).max()))


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("bucket", [1, 500, 1 << 20])
def test_ranks_train_as_one(size, accumulate, bucket):
    alone = trained(Group(), accumulate)
    found = threads.run(size, lambda group: trained(group, accumulate, bucket_bytes=bucket))
    for each in found:
        same(each, alone)
        for name, array in each[0].items():
            np.testing.assert_array_equal(array, found[0][0][name])


def test_alone_changes_nothing():
    """The hooks themselves leave no trace in one process's bits."""
    net = model_of()
    optimizer = optim.SGD(net.parameters(), 0.1, 0.9, weight_decay=0.01)
    for number, (images, labels) in enumerate(batches()):
        if number == 2:
            net.conv.requires_grad_(False)
        functional.cross_entropy(net(Tensor(images)), labels).backward()
        optimizer.step()
        optimizer.zero_grad()
    found, _ = trained(Group(), local_batch_norm=True)
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(found[name], array)


def test_rank_0_has_the_weights():
    """Ranks that were built otherwise take them over."""
    alone = trained(Group())
    for each in threads.run(2, lambda group: trained(group, seed=group.rank)):
        same(each, alone)


def test_local_batch_norm_sees_the_own_pictures():
    images = batches()[0][0]

    def each(group):
        net, own = model_of(), part(len(images), group.rank, group.size)
        parallel = DataParallel(net, group, local_batch_norm=True)
        net(Tensor(images[own]))
        parallel.remove()
        alone = model_of()
        alone(Tensor(images[own]))
        np.testing.assert_array_equal(net.bn.running_mean.numpy(), alone.bn.running_mean.numpy())
        return net.bn.running_var.numpy()

    first, second = threads.run(2, each)
    assert np.abs(first - second).max() > 1e-3


def test_everything_is_taken_off_again():
    def each(group):
        net = model_of()
        DataParallel(net, group).remove()
        images, labels = batches()[0]
        own = images[: group.rank + 2]
        loss = functional.cross_entropy(net(Tensor(own)), labels[: len(own)])  # each its own: nobody waits
        loss.backward()
        return len(own), net.conv.weight.grad is not None, random.default_generator.first_picture

    assert threads.run(2, each) == [(2, True, 0), (3, True, 0)]


def test_evaluation_has_the_logits_of_all():
    images, _ = batches()[0]

    def each(group):
        net = model_of().eval()
        DataParallel(net, group)
        return net(Tensor(images[part(len(images), group.rank, group.size)])).numpy()

    [alone] = threads.run(1, each)
    for logits in threads.run(3, each):
        np.testing.assert_allclose(logits, alone, rtol=1e-13)


@pytest.mark.parametrize("faulty", [(1,), (1, 2), (0,)])
def test_who_is_at_fault(faulty):
    images = batches()[0][0]
    for rank in faulty:
        images[part(len(images), rank, 3)][0, 0, 0, 0] = np.nan

    def each(group):
        net = model_of().eval()
        parallel = DataParallel(net, group)
        net(Tensor(images[part(len(images), group.rank, group.size)]))
        return parallel.first_at_fault()

    assert threads.run(3, each) == [faulty[0]] * 3


def test_a_picture_with_nan_is_reported_by_all():
    """One rank has it, all ranks look for it together: a rank that did not would leave the others waiting."""
    images, _ = batches()[0]
    images[-1, 0, 0, 0] = np.nan

    def each(group):
        net, own = model_of(), part(len(images), group.rank, group.size)
        parallel = DataParallel(net, group)
        text = diagnose.first_fault(net, images[own])
        parallel.remove()
        return text.partition(" is ")[0]

    with_nan, finite = "the input images contain NaN or inf", "bn (BatchNorm2d)"
    assert threads.run(3, each) == [finite, finite, with_nan]


def test_the_rank_that_has_seen_why_a_validation_diverged_says_so():
    images, labels = np.ones((4, 3, 4, 4), np.float32), np.arange(4) % 3
    images[3] = 3e38

    def each(group):
        model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(16, 3))
        model[0].weight.data[...] = 1
        shared = schemes.share_out("data", model, group)
        dataset = ArrayDataset(np.zeros((4, 3, 4, 4), np.uint8), labels, "abc")
        loader = Loader(dataset, 4, ranks=(group.rank, group.size))
        trainer = SharedTrainer(shared, group, optim.SGD(model.parameters(), 0.1), None, loader)
        with pytest.raises(Diverged) as error:
            trainer.finish_epoch([(images[part(4, group.rank, group.size)], labels)])
        return str(error.value)

    first, second = threads.run(2, each)
    assert first == second and "0 (Conv2d) is the first module whose output is not finite" in first


def spoiled(group, change):
    """The group, whose transfers of gradients are changed: change(number of the message, array)."""
    start, sent = group.start_all_reduce, [0]

    def start_all_reduce(array):
        if array.dtype == np.float64 and array.size > 20:
            sent[0] += 1
            change(sent[0], array)
        return start(array)

    group.start_all_reduce = start_all_reduce
    return group


def forgotten_bucket(number, array):
    if number == 1:
        array[...] = 0


def mean_of_ranks(number, array):
    array /= 3


@pytest.mark.parametrize("change", [forgotten_bucket, mean_of_ranks])
def test_a_bucket_that_is_lost_or_weighed_wrong_is_seen(change):
    alone = trained(Group())
    found = threads.run(3, lambda group: trained(spoiled(group, change), bucket_bytes=500))
    with pytest.raises(AssertionError):
        same(found[0], alone)


def test_masks_of_each_rank_for_itself_are_seen(monkeypatch):
    monkeypatch.setattr(random.Generator, "elements_before", lambda generator, shape: ())
    alone = trained(Group())
    with pytest.raises(AssertionError):
        same(threads.run(2, trained)[0], alone)


# ------------------------------------------------------------------------------ processes

NETWORKS = {
    "shapes_net": {"model": "shapes_net", "side": 32},
    "cifar_quick": {"model": "cifar_quick", "side": 32},
    "alexnet": {"model": "alexnet", "side": 67, "input_size": 67},
}


def ten_steps(group, name, dtype, backend):
    """Weights of a preset after ten steps, of batches of 12, the last of 5."""
    side, arguments = NETWORKS[name]["side"], {"num_classes": 10}
    if name == "alexnet":
        arguments["input_size"] = 67
    backends.use_backend(backend)
    random.manual_seed(1)
    model = models.build(NETWORKS[name]["model"], **arguments).train()
    model = narrow(model, 8) if name == "alexnet" else model
    model.to(np.dtype(dtype))
    parallel = DataParallel(model, group)
    optimizer = optim.SGD(model.parameters(), 0.01, 0.9, weight_decay=0.001)
    rng = np.random.default_rng(2)
    random.manual_seed(4)
    for step in range(10):
        count = 5 if step == 9 else 12
        images, labels = rng.standard_normal((count, 3, side, side)).astype(dtype), rng.integers(0, 10, count)
        own = part(count, group.rank, group.size)
        functional.cross_entropy(model(Tensor(images[own])), labels).backward()
        parallel.reduce()
        optimizer.step()
        optimizer.zero_grad()
    parallel.remove()
    return model.state_dict()


def narrow(model, times):
    """A Sequential network with an eighth, say, of the widths: new layers, with weights drawn as by default."""
    for layer in model.modules():
        for key, child in list(layer.named_children()):
            if isinstance(child, nn.Conv2d):
                wide = child.in_channels if child.in_channels == 3 else child.in_channels // times
                new = nn.Conv2d(wide, child.out_channels // times, child.kernel_size, child.stride, child.padding,
                                groups=child.groups)  # fmt: skip
                setattr(layer, key, new)
            elif isinstance(child, nn.Linear):
                wide = child.out_features if child.out_features == 10 else child.out_features // times
                setattr(layer, key, nn.Linear(child.in_features // times, wide))
    return model


def steps_beside_one(group, name, dtype, backend):
    """On every rank: ten steps of all ranks, and ten of this process alone."""
    together = ten_steps(group, name, dtype, backend)
    again = ten_steps(group, name, dtype, backend)
    alone = ten_steps(Group(), name, dtype, backend)
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    for key, array in alone.items():
        scale = max(np.abs(array).max(), 1)
        np.testing.assert_allclose(together[key], array, rtol=0, atol=tolerance * scale, err_msg=key)
        np.testing.assert_array_equal(together[key], again[key])


@NEEDS_MPI
@pytest.mark.heavy
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("size", "name"),
    [(1, "shapes_net"), (2, "shapes_net"), (3, "shapes_net"), (4, "shapes_net"), (2, "cifar_quick"), (2, "alexnet")],
)
def test_processes_train_as_one(size, name, dtype):
    on_ranks(size, __file__, "steps_beside_one", name, dtype, "numba" if dtype == "float32" else "numpy")
