"""Rearranging weights: with groups or without, RGB or BGR, torch's order of axes or Keras's.

A convolution's weight is (O, I / groups, H, W) here, as in torch, and (H, W, I / groups, O) in Keras; a fully
connected layer's is (out, in) here and (in, out) there. Values are moved, never rounded.
"""

from __future__ import annotations

import math

import numpy as np


def merge_groups(weight, groups):
    """The weight of a convolution without groups that computes the same as one with groups.

        w'[o, g(o) I/groups + i] = w[o, i]    g(o) = floor(o groups / O), the group of filter o

    weight: (O, I / groups, H, W).
    groups: the number of groups.

    Returns (O, I, H, W), 0 for the channels of other groups.
    """
    filters, channels, *kernel = weight.shape
    merged = np.zeros((groups, filters // groups, groups, channels, *kernel), weight.dtype)
    for g in range(groups):
        merged[g, :, g] = weight.reshape(groups, -1, channels, *kernel)[g]
    return merged.reshape(filters, groups * channels, *kernel)


def split_groups(weight, groups):
    """The inverse of `merge_groups`.

    weight: (O, I, H, W).
    groups: the number of groups.

    Returns (O, I / groups, H, W).
    Raises ValueError, with the largest weight that would be lost, unless all weights between groups are 0.
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
    """The weight (O, C, H, W) of a convolution for channels in reverse order: w'[o, c] = w[o, C - 1 - c]."""
    return np.ascontiguousarray(weight[:, ::-1])


def kernel_from_keras(kernel):
    """A convolution's `kernel` in Keras's order, (H, W, I, O), as a weight (O, I, H, W)."""
    return np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))


def kernel_to_keras(weight):
    """A convolution's `weight` (O, I, H, W) as a kernel in Keras's order, (H, W, I, O)."""
    return np.ascontiguousarray(weight.transpose(2, 3, 1, 0))


def dense_from_keras(kernel, maps=None):
    """A fully connected layer's kernel in Keras's order as a weight.

        w'[o, (c H + h) W + w] = k[(h W + w) C + c, o]

    kernel: (in, out).
    maps: (C, H, W), the maps flattened before the layer, if any: Keras flattens (H, W, C), torch (C, H, W).

    Returns (out, in).
    """
    if maps is not None:
        channels, height, width = maps
        kernel = kernel.reshape(height, width, channels, -1).transpose(2, 0, 1, 3).reshape(math.prod(maps), -1)
    return np.ascontiguousarray(kernel.T)


def features_from_keras(values, maps=None):
    """Numbers of each feature in Keras's order, (features,), in ours; maps: as of `dense_from_keras`."""
    if maps is None:
        return values
    channels, height, width = maps
    return np.ascontiguousarray(values.reshape(height, width, channels).transpose(2, 0, 1)).ravel()


def features_to_keras(values, maps=None):
    """The inverse of `features_from_keras`; maps: as there."""
    return values if maps is None else np.ascontiguousarray(values.reshape(maps).transpose(1, 2, 0)).ravel()


def dense_to_keras(weight, maps=None):
    """The inverse of `dense_from_keras`: a `weight` (out, in) as (in, out); maps: as there."""
    if maps is not None:
        weight = weight.reshape(-1, *maps).transpose(0, 2, 3, 1).reshape(len(weight), -1)
    return np.ascontiguousarray(weight.T)
