"""Caffe's files, mutated: a .caffemodel, with its .prototxt and mean image or without them."""

from __future__ import annotations

import math
import os
import re

import caffe_files as files
import numpy as np
from fuzz import mutate, mutate_protobuf
from fuzz.fuzzing import Target

from minialex import Tensor, no_grad
from minialex.convert import formats

mutate.KINDS["protobuf"] = mutate_protobuf.of_protobuf
mutate.SAME["protobuf"] = mutate_protobuf.same_protobuf

TEXT = """
name: "Small"
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TEST }
        transform_param { crop_size: 8 mean_value: 104 mean_value: 117 mean_value: 123 scale: 0.5 } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
        convolution_param { num_output: 4 kernel_size: 3 pad: 1 stride: 1 weight_filler { type: "xavier" } } }
layer { name: "bn" type: "BatchNorm" bottom: "conv1" top: "bn" batch_norm_param { eps: 0.001 } }
layer { name: "sc" type: "Scale" bottom: "bn" top: "bn" scale_param { bias_term: true } }
layer { name: "relu1" type: "ReLU" bottom: "bn" top: "bn" relu_param { negative_slope: 0.1 } }
layer { name: "pool1" type: "Pooling" bottom: "bn" top: "pool1" pooling_param { pool: AVE kernel_size: 3 stride: 2 } }
layer { name: "twice" type: "Power" bottom: "pool1" top: "twice" power_param { power: 2 scale: 0.5 shift: 1 } }
layer { name: "sum" type: "Eltwise" bottom: "pool1" bottom: "twice" top: "sum" eltwise_param { coeff: 1 coeff: -1 } }
layer { name: "cat" type: "Concat" bottom: "sum" bottom: "pool1" top: "cat" concat_param { axis: 1 } }
layer { name: "shape" type: "Reshape" bottom: "cat" top: "shape" reshape_param { shape { dim: [0, 8, -1] } } }
layer { name: "fc" type: "InnerProduct" bottom: "shape" top: "fc" inner_product_param { num_output: 5 axis: 1 } }
layer { name: "drop" type: "Dropout" bottom: "fc" top: "fc" dropout_param { dropout_ratio: 0.3 } }
layer { name: "accuracy" type: "Accuracy" bottom: "fc" bottom: "label" top: "a" include { phase: TEST } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
"""


def samples(folder):
    rng = np.random.default_rng(5)

    def draw(*shape):
        return rng.standard_normal(shape).astype(np.float32)

    one, square = np.ones(1, np.float32), draw(4) ** 2
    described = [
        files.v2("conv1", "Convolution", "data", "conv1", {106: {1: 4, 3: 1, 4: 3}}, [draw(4, 3, 3, 3), draw(4)]),
        files.v2("bn", "BatchNorm", "conv1", "bn", {139: {3: 0.25}}, [draw(4), square, one]),
        files.v2("sc", "Scale", "bn", "bn", {142: {4: True}}, [draw(4), draw(4)]),
        files.v2("fc", "InnerProduct", "bn", "fc", {117: {1: 5}}, [draw(5, 128), draw(5)]),
    ]
    alone = [*described[:3], files.v2("fc", "InnerProduct", "bn", "fc", {117: {1: 5}}, [draw(5, 256), draw(5)])]
    train = [
        files.v1("data", 5, (), ("data", "label"), {11: {3: "mean.binaryproto", 5: 9}, 32: {1: 0}}),
        files.v1("conv1", 4, "data", "conv1", {10: {1: 6, 4: 3, 6: 2}}, [draw(6, 3, 3, 3), draw(6)]),
        files.v1("relu1", 18, "conv1", "conv1"),
        files.v1("norm1", 15, "conv1", "norm1", {18: {1: 3, 2: 0.5}}),
        files.v1("pool1", 17, "norm1", "pool1", {19: {2: 2, 3: 2}}),
        files.v1("conv2", 4, "pool1", "conv2", {10: {1: 4, 4: 1, 5: 2}}, [draw(4, 3, 1, 1), draw(4)]),
        files.v1("fc", 14, "conv2", "fc", {17: {1: 3}}, [draw(3, 16), draw(3)]),
        files.v1("drop", 6, "fc", "fc", {12: {1: 0.5}}),
        files.v1("loss", 21, ("fc", "label"), "loss"),
    ]
    shape = {143: {1: {1: [2, 3, 8, 8]}}}
    alone = files.net("Alone", files.v2("in", "Input", (), "data", shape), *alone)
    mean = files.blob(np.abs(draw(3, 10, 10)) * 100, legacy=True)
    return [
        {"net.caffemodel": alone},
        {"net.caffemodel": files.net("Small", *train), "mean.binaryproto": mean},
        {"net.caffemodel": files.net("Small", *described), "net.prototxt": TEXT.encode()},
        {"net.caffemodel": files.net("Small", *described), "net.prototxt": TEXT.encode(), "mean.binaryproto": mean},
    ]


def read(folder):
    """What is read; a network that is accepted with the size of its input must run, if it is small."""
    paths = {"prototxt": folder / "net.prototxt", "mean": folder / "mean.binaryproto"}
    paths = {key: path for key, path in paths.items() if os.path.lexists(path)}
    found = formats.read(folder / "net.caffemodel", **paths)
    graph, normalization = repr(found.network), found.normalization
    numbers = [int(number) for number in re.findall(r"\d{1,9}", graph)]
    if found.input_shape and math.prod(found.input_shape) < 5000 and max(numbers) < 300:
        with no_grad(), np.errstate(all="ignore"):
            try:
                found.network.eval()(Tensor(np.zeros((1, *found.input_shape), np.float32)))
            except Exception as error:
                raise AssertionError("a network that was accepted cannot run") from error
    state = found.network.state_dict()
    more = [found.input_shape, found.channel_order, found.resize, found.origin]
    return [state, graph, *more, normalization and normalization.to_arrays()]


TARGET = Target(
    samples,
    read,
    {"*.caffemodel": "protobuf", "*.binaryproto": "protobuf", "*.prototxt": "text"},
    {"*.caffemodel": "protobuf", "*.binaryproto": "protobuf", "*.prototxt": "text"},
    needs=("google.protobuf",),
)
