"""The same weights in other orders: groups or none, RGB or BGR, torch's axes or Keras's.

A convolution's weight is (O, I / groups, H, W) here, as in torch, and (H, W, I / groups, O) in Keras; a fully
connected layer's is (out, in) here and (in, out) there. Nothing is rounded: numbers only move.
"""

from __future__ import annotations

import math

import numpy as np


def merge_groups(weight, groups):
    """A convolution in groups as one without: w'[o, g(o) I/groups + i] = w[o, i], 0 for the channels of other groups.

    (O, I / groups, H, W) -> (O, I, H, W); g(o) = floor(o groups / O), the group of filter o.
    """
    filters, channels, *kernel = weight.shape
    merged = np.zeros((groups, filters // groups, groups, channels, *kernel), weight.dtype)
    for g in range(groups):
        merged[g, :, g] = weight.reshape(groups, -1, channels, *kernel)[g]
    return merged.reshape(filters, groups * channels, *kernel)


def split_groups(weight, groups):
    """`merge_groups` undone: (O, I, H, W) -> (O, I / groups, H, W).

    ValueError, with the largest weight that would be lost, unless every weight from one group to another is 0.
    """
    filters, channels, *kernel = weight.shape
    blocks = weight.reshape(groups, filters // groups, groups, channels // groups, *kernel)
    pairs = [(a, b) for a in range(groups) for b in range(groups) if a != b]
    across = np.max([np.abs(blocks[a, :, b]).max() for a, b in pairs], initial=0)
    if across != 0:  # NaN as well
        raise ValueError(
            f"{groups} groups would lose weights between them, the largest {across:.3g}; all of them must be 0"
        )
    return np.concatenate([blocks[g, :, g] for g in range(groups)])


def reverse_channels(weight):
    """The first convolution for pictures whose channels come in the opposite order: w'[o, c] = w[o, C - 1 - c]."""
    return np.ascontiguousarray(weight[:, ::-1])


def kernel_from_keras(kernel):
    """A convolution's (H, W, I, O) -> (O, I, H, W)."""
    return np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))


def kernel_to_keras(weight):
    """A convolution's (O, I, H, W) -> (H, W, I, O)."""
    return np.ascontiguousarray(weight.transpose(2, 3, 1, 0))


def dense_from_keras(kernel, maps=None):
    """A fully connected layer's (in, out) -> (out, in).

    maps: (C, H, W) of what was flattened in front of it, for Keras flattens place by place, torch map by map:
    w'[o, (c H + h) W + w] = k[(h W + w) C + c, o]
    """
    if maps is not None:
        channels, height, width = maps
        kernel = kernel.reshape(height, width, channels, -1).transpose(2, 0, 1, 3).reshape(math.prod(maps), -1)
    return np.ascontiguousarray(kernel.T)


def dense_to_keras(weight, maps=None):
    """`dense_from_keras` undone: (out, in) -> (in, out)."""
    if maps is not None:
        weight = weight.reshape(-1, *maps).transpose(0, 2, 3, 1).reshape(len(weight), -1)
    return np.ascontiguousarray(weight.T)
