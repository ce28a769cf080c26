"""Local response normalisation and batch normalisation."""

from __future__ import annotations

from ..support import mistakes
from ..tensor import Tensor, check_dtypes, common_backend
from . import unusual


def local_response_norm(
    input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0, *, alpha_over: str = "window",
    within_channel: bool = False, groups: int = 1,
) -> Tensor:  # fmt: skip
    """Divide each activation by a power of the energy of its neighbours: lateral inhibition.

        y_i  = x_i d_i^-beta        d_i = k + a sum over j in window(i) of x_j^2
        gx_i = gy_i d_i^-beta  -  2 a beta x_i sum over the c whose window holds i of  gy_c x_c d_c^(-beta - 1)

        window(i): the n channels from i - n//2 to i - n//2 + n - 1 at the same pixel, as far as they exist

    input: (N, C, H, W), or (N, C, ...) across channels.
    size: n, in channels; within_channel, in pixels.
    alpha: the weight of the squares. a = alpha / n for alpha_over="window" (torch, Caffe, cuda-convnet), alpha for
        "element" (the paper).
    beta, k: the exponent and the constant. The paper: n = 5, alpha = 1e-4, beta = 0.75, k = 2.
    alpha_over: "window" or "element".
    within_channel: whether the window is n x n pixels of the same channel instead; a = alpha / n^2 for "window" then.
    groups: equal blocks of channels that windows do not cross, as on the two GPUs of 2012.

    Returns a Tensor of the input's shape. Raises ValueError for other shapes and impossible settings.
    Krizhevsky et al. 2012, section 3.3.
    """
    backend = common_backend(input)
    if input.ndim < 2 or size < 1 or groups < 1 or input.shape[1] % groups:
        raise ValueError(
            f"local_response_norm: size={size} must be at least 1, and groups={groups} divide {input.shape[1]} channels"
        )
    if alpha_over not in ("window", "element"):
        raise ValueError(f'alpha_over is "window" or "element", got {alpha_over!r}')
    divisor = 1 if alpha_over == "element" else size * size if within_channel else size
    settings = (size, alpha / divisor, beta, k, within_channel, groups)
    if input.ndim != 4 or input.dtype.kind != "f":
        return unusual.local_response_norm(input, size, alpha, beta, k, alpha_over, within_channel, groups)
    y, saved = backend.local_response_norm(input.data, *settings, input.records_grad)

    def backward(gy):
        return (backend.local_response_norm_backward(gy, saved, *settings),)

    return Tensor.from_operation(y, backward, input, name="local_response_norm")


def batch_norm(
    input: Tensor, running_mean: Tensor | None, running_var: Tensor | None, weight: Tensor | None = None,
    bias: Tensor | None = None, training: bool = False, momentum: float | None = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """Normalise every channel over the batch, then scale and shift it by learned weights.

        y = w z + b,   z = (x - mean) / sqrt(var + eps),   mean and var over all axes but the channels'
        gb = sum gy      gw = sum gy z      gz = gy w
        gx = (gz - mean(gz) - z mean(gz z)) / sqrt(var + eps) in training, gz / sqrt(var + eps) in evaluation

    input: (N, C, ...).
    running_mean, running_var: Tensors (C), or None. Evaluation uses them; training uses the batch's statistics and
        moves them:
        running = (1 - momentum) running + momentum batch, with the unbiased variance, as in torch.
    weight, bias: w and b, Tensors (C), or None for 1 and 0.
    training: whether to use the batch's statistics.
    momentum: how far the running statistics move in a batch.
    eps: keeps the divisor above 0.

    Returns a Tensor of the input's shape. Raises ValueError for a single value per channel in training, and for missing
    or misshapen statistics.
    Ioffe and Szegedy, "Batch normalization", 2015.
    """
    backend = common_backend(input, running_mean, running_var, weight, bias)
    check_dtypes("batch_norm", input, weight, bias)
    if input.ndim < 2:
        return unusual.batch_norm(input)
    channels = input.shape[1]
    for name, t in (("running_mean", running_mean), ("running_var", running_var), ("weight", weight), ("bias", bias)):
        if t is not None and t.shape != (channels,):
            hint = mistakes.about_channels(input.shape, t.numel())
            raise ValueError(f"batch_norm: {name} of shape {t.shape} for {channels} channels of {input.shape}{hint}")
    count = input.numel() // max(channels, 1)
    if not count:  # nothing to normalise, and nothing to learn from: accepted, as in torch
        training, running_mean = False, Tensor(backend.xp.ones(channels, input.dtype), backend=backend)
        running_var = running_mean
    if not training and (running_mean is None or running_var is None):
        raise ValueError("batch_norm in evaluation needs running_mean and running_var")
    if training and count == 1:
        raise ValueError(f"batch_norm in training needs more than one value for every channel, got input {input.shape}")
    statistics = None if training else (running_mean.data, running_var.data)  # type: ignore[union-attr]
    w, b = (None if t is None else t.data for t in (weight, bias))
    y, mean, variance, saved = backend.batch_norm(input.data, statistics, w, b, eps)
    if training and running_mean is not None:
        unbiased = variance * (count / (count - 1))
        for running, batch in ((running_mean, mean), (running_var, unbiased)):
            running.data += momentum * (batch - running.data)  # type: ignore[union-attr]

    def backward(gy):
        return backend.batch_norm_backward(gy, saved, w, training)

    return Tensor.from_operation(y, backward, input, weight, bias, name="batch_norm")
