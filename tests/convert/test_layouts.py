"""Weights in other orders: groups or none, RGB or BGR, torch's axes or Keras's."""

from __future__ import annotations

import itertools

import converting
import numpy as np
import pytest

from minialex import Tensor, convert, functional, models, nn, no_grad
from minialex.convert import keras, layouts
from minialex.data import Normalize
from minialex.data.pipeline import Pipeline
from minialex.models.layout import layout


def logits(model, images):
    with no_grad():
        return model(Tensor(images)).numpy()


def assert_close(a, b, tolerance=1e-5):
    assert np.abs(a - b).max() <= tolerance * np.abs(a).max()


# ------------------------------------------------------------------------------------------------------------- groups


@pytest.mark.parametrize("groups, channels, filters", [(1, 3, 2), (2, 3, 2), (3, 2, 4)])
def test_merged_groups_by_a_loop(rng, groups, channels, filters):
    """channels and filters: of each group."""
    weight = rng.standard_normal((groups * filters, channels, 2, 3)).astype(np.float32)
    expected = np.zeros((groups * filters, groups * channels, 2, 3), np.float32)
    for g, o, i in itertools.product(range(groups), range(filters), range(channels)):
        expected[g * filters + o, g * channels + i] = weight[g * filters + o, i]
    converting.assert_same(layouts.merge_groups(weight, groups), expected)
    x = Tensor(rng.standard_normal((2, groups * channels, 5, 6)).astype(np.float32))
    with_groups = functional.conv2d(x, Tensor(weight), groups=groups).numpy()
    assert_close(with_groups, functional.conv2d(x, Tensor(layouts.merge_groups(weight, groups))).numpy())


@pytest.mark.parametrize("groups", [2, 3])
def test_split_undoes_merge(rng, groups):
    weight = rng.standard_normal((12, 2, 3, 3)).astype(np.float32)
    converting.assert_same(layouts.split_groups(layouts.merge_groups(weight, groups), groups), weight)


@pytest.mark.parametrize("lost", [-0.25, 1e-45, np.nan, np.inf])
@pytest.mark.parametrize("place", [(0, 3), (4, 0)])
def test_split_refuses_to_lose_a_weight(lost, place):
    weight = np.ones((6, 2, 1, 1), np.float32)
    merged = layouts.merge_groups(weight, 2)
    merged[1, 2] = -0.0  # a zero as well
    converting.assert_same(layouts.split_groups(merged, 2), weight)
    merged[place] = lost
    with pytest.raises(ValueError, match=f"2 groups would lose weights.* the largest {abs(np.float32(lost)):.3g};"):
        layouts.split_groups(merged, 2)


@pytest.mark.parametrize("options", [{}, {"norm": "bn", "dropout": "before", "inverted": True}], ids=["paper", "other"])
def test_a_merged_network_predicts_the_same_and_comes_back(options):
    saved = converting.a_checkpoint("alexnet", **options)
    merged = convert.merged(saved)
    assert merged.model == "alexnet_merged" and merged.trainer_state == {}
    network = merged.build_model().eval()
    assert all(layer.groups == 1 for layer in network.modules() if isinstance(layer, nn.Conv2d))
    images = converting.pictures(2, converting.size_of("alexnet"))
    assert_close(logits(saved.build_model().eval(), images), logits(network, images))
    back = convert.grouped(merged)
    assert back.model == "alexnet" and repr(back.build_model()) == repr(saved.build_model())
    converting.assert_same(back.weights, saved.weights)


def test_a_network_that_mixes_the_groups_stays_merged():
    saved = convert.merged(converting.a_checkpoint("alexnet"))
    saved.weights["conv4.weight"][200, 100, 1, 2] = -0.5  # filter of the second group, map of the first
    with pytest.raises(ValueError, match=r"^conv4: 2 groups would lose weights between them, the largest 0\.5;"):
        convert.grouped(saved)


@pytest.mark.parametrize(
    "change, model", [(convert.merged, "alexnet_merged"), (convert.grouped, "alexnet"), (convert.merged, "shapes_net")]
)
def test_networks_without_a_counterpart(change, model):
    saved = converting.a_checkpoint()
    saved.model = model
    with pytest.raises(ValueError, match=f"cannot (merge|group) {model}: only alexnet and alexnet_merged"):
        change(saved)


# -------------------------------------------------------------------------------------------------- order of channels


@pytest.mark.parametrize("mean_image", [False, True])
@pytest.mark.parametrize("name", ["shapes_net", "cifar_quick"])
def test_predictions_are_the_same_in_both_orders(rng, name, mean_image):
    saved = converting.a_checkpoint(name, mean_image)
    other = convert.in_channel_order(saved, "BGR")
    assert other.channel_order == "BGR" and other.trainer_state == {} and other.classes == saved.classes
    photographs = rng.integers(0, 256, (3, 3, 32, 32), np.uint8)
    shown = []
    for one in (saved, other):
        pipeline = Pipeline(Normalize.from_arrays(one.normalization), one.input_size, one.channel_order)
        shown.append(logits(one.build_model().eval(), pipeline.views(photographs, 1)[0]))
    assert_close(*shown)
    unlike = logits(other.build_model().eval(), converting.pictures(3, 32))
    assert np.abs(unlike - logits(saved.build_model().eval(), converting.pictures(3, 32))).max() > 0.1
    converting.assert_same(convert.in_channel_order(other, "RGB").weights, saved.weights)


def test_an_order_that_it_has_already_keeps_everything():
    saved = converting.a_checkpoint()
    assert convert.in_channel_order(saved, "RGB") is saved
    with pytest.raises(ValueError, match="RGB or BGR, got 'rgb'"):
        convert.in_channel_order(saved, "rgb")


# -------------------------------------------------------------------------------------------------------------- Keras


def test_kernels_by_a_loop(rng):
    kernel = rng.standard_normal((2, 3, 4, 5))  # H, W, I, O
    expected = np.empty((5, 4, 2, 3))
    for h, w, i, o in np.ndindex(2, 3, 4, 5):
        expected[o, i, h, w] = kernel[h, w, i, o]
    converting.assert_same(layouts.kernel_from_keras(kernel), expected)
    converting.assert_same(layouts.kernel_to_keras(expected), kernel)


def test_the_dense_layer_behind_the_maps_by_a_loop(rng):
    channels, height, width, out = 3, 2, 4, 5
    kernel = rng.standard_normal((height * width * channels, out))
    expected = np.empty((out, channels * height * width))
    for c, h, w, o in np.ndindex(channels, height, width, out):
        expected[o, (c * height + h) * width + w] = kernel[(h * width + w) * channels + c, o]
    converting.assert_same(layouts.dense_from_keras(kernel, (channels, height, width)), expected)
    converting.assert_same(layouts.dense_to_keras(expected, (channels, height, width)), kernel)
    converting.assert_same(layouts.dense_from_keras(kernel), np.ascontiguousarray(kernel.T))
    converting.assert_same(layouts.dense_to_keras(kernel.T), kernel)


def a_network_of_keras():
    model = nn.Sequential(
        {
            "conv1": nn.Conv2d(3, 4, (3, 2), stride=2),
            "norm1": nn.BatchNorm2d(4, eps=1e-3),
            "relu1": nn.ReLU(),
            "conv2": nn.Conv2d(4, 6, 2, groups=2),
            "flatten": nn.Flatten(),
            "fc3": nn.Linear(6 * 2 * 3, 5),
            "drop3": nn.Dropout(),
            "fc4": nn.Linear(5, 4),
        }
    )
    return converting.filled(model), layout(model, (3, 7, 9))


def keras_forward(arrays, x):
    """What Keras computes with its weights: x (N, H, W, C), everything place by place, flattened as it lies."""
    kernel, bias, gamma, beta, mean, variance, kernel2, bias2, dense, bias3, dense4, bias4 = arrays
    x = keras_convolution(x, kernel, stride=2) + bias
    x = np.maximum(gamma * (x - mean) / np.sqrt(variance + 1e-3) + beta, 0)
    halves = [keras_convolution(x[..., 2 * g : 2 * g + 2], kernel2[..., 3 * g : 3 * g + 3], 1) for g in (0, 1)]
    x = np.concatenate(halves, axis=-1) + bias2
    return (x.reshape(len(x), -1) @ dense + bias3) @ dense4 + bias4


def keras_convolution(x, kernel, stride):
    height, width = kernel.shape[:2]
    rows, columns = range(0, x.shape[1] - height + 1, stride), range(0, x.shape[2] - width + 1, stride)
    return np.array(
        [
            [[np.tensordot(image[i : i + height, j : j + width], kernel, 3) for j in columns] for i in rows]
            for image in x
        ]
    )


def test_a_network_computes_the_same_with_its_weights_in_keras(rng):
    model, rows = a_network_of_keras()
    arrays = keras.to_keras(model.state_dict(), rows)
    x = rng.standard_normal((2, 3, 7, 9)).astype(np.float32)
    assert_close(logits(model, x), keras_forward(arrays, x.transpose(0, 2, 3, 1)))
    back = keras.from_keras(arrays, rows)
    assert back.pop("norm1.num_batches_tracked") == 0
    state = model.state_dict()
    converting.assert_same(back, {name: state[name] for name in back})
    assert state.keys() - back.keys() == {"norm1.num_batches_tracked"}


def test_keras_lists_what_a_layer_has_and_a_shared_layer_once(rng):
    bare, norm = nn.Conv2d(3, 3, 3, padding=1, bias=False), nn.BatchNorm2d(3, affine=False)
    model = nn.Sequential({"a": bare, "norm": norm, "again": bare, "flat": nn.Flatten(), "fc": nn.Linear(60, 2)})
    norm.running_mean.data[:] = rng.standard_normal(3)
    rows = layout(model, (3, 4, 5))
    arrays = keras.to_keras(model.state_dict(), rows)
    assert [a.shape for a in arrays] == [(3, 3, 3, 3), (3,), (3,), (60, 2), (2,)]
    back, state = keras.from_keras(arrays, rows), model.state_dict()
    converting.assert_same(back, {name: state[name] for name in back})
    assert state.keys() - back.keys() == {"again.weight"}
    scaled = nn.Graph([("gain", nn.Parameter([2.0]), ()), ("y", nn.Multiply(), ("x", "gain"))], ["x"])
    with pytest.raises(ValueError, match="layer gain: only the weights of Conv2d, Linear and"):
        keras.to_keras(scaled.state_dict(), layout(scaled, (3, 4, 5)))


def test_arrays_of_another_network_of_keras():
    model, rows = a_network_of_keras()
    arrays = keras.to_keras(model.state_dict(), rows)
    with pytest.raises(ValueError, match="there are 11 arrays where this network has 12 in Keras"):
        keras.from_keras(arrays[:-1], rows)
    arrays[6] = arrays[6].transpose(3, 2, 0, 1)
    with pytest.raises(ValueError, match=r"kernel of conv2 has shape \(6, 2, 2, 2\) where Keras has \(2, 2, 2, 6\)"):
        keras.from_keras(arrays, rows)


def test_the_published_networks_of_keras_have_maps_before_fc6():
    """6 x 6 x 256: the columns of fc6, and of no other layer, are permuted."""
    rows = layout(converting.build("alexnet_keras_bn10", input_size=227), (3, 227, 227))
    with_maps = [(name, maps) for name, _, maps in keras._layers(rows) if maps]
    assert with_maps == [("fc6", (256, 6, 6))] and models.PRESETS["alexnet_keras_bn10"].input_size == 227
