"""Local response normalisation and batch normalisation."""

from __future__ import annotations

from ..tensor import Tensor, check_dtypes, common_backend


def local_response_norm(
    input, size, alpha=1e-4, beta=0.75, k=1.0, *, alpha_over="window", within_channel=False, groups=1
):
    """Divide each activity by what its neighbours do: lateral inhibition.

    y_i  = x_i d_i^-beta        d_i = k + a sum over j in window(i) of x_j^2
    gx_i = gy_i d_i^-beta  -  2 a beta x_i sum over the c whose window holds i of  gy_c x_c d_c^(-beta - 1)

    window(i): the n = `size` channels from i - n//2 on at the same place, or, within_channel, the n x n places
    from i - n//2 on in the same channel; what lies outside is absent. a = alpha / n (alpha / n^2 within_channel)
    for alpha_over="window": torch, Caffe, cuda-convnet; a = alpha for "element": the paper, section 3.3, with
    n = 5, alpha = 1e-4, beta = 0.75, k = 2. groups: windows stay inside each of so many equal blocks of channels,
    as on the two GPUs of 2012. input (N, C, H, W); ValueError for other shapes and impossible settings.
    """
    if input.ndim != 4:
        raise ValueError(f"local_response_norm needs input (N, C, H, W), got {input.shape}")
    if size < 1 or groups < 1 or input.shape[1] % groups:
        raise ValueError(
            f"local_response_norm: size={size} must be at least 1, and groups={groups} divide {input.shape[1]} channels"
        )
    if alpha_over not in ("window", "element"):
        raise ValueError(f'alpha_over is "window" or "element", got {alpha_over!r}')
    divisor = 1 if alpha_over == "element" else size * size if within_channel else size
    settings = (size, alpha / divisor, beta, k, within_channel, groups)
    backend = common_backend(input)
    y, saved = backend.local_response_norm(input.data, *settings, input.records_grad)

    def backward(gy):
        return (backend.local_response_norm_backward(gy, saved, *settings),)

    return Tensor.from_operation(y, backward, input, name="local_response_norm")


def batch_norm(input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
    """Bring every channel to mean 0 and std 1, then to an std and a mean that are learned.

    y = w z + b,   z = (x - mean) / sqrt(var + eps),   mean and var over all axes but the channels'
    gb = sum gy      gw = sum gy z      gz = gy w
    gx = (gz - mean(gz) - z mean(gz z)) / sqrt(var + eps)  in training,  gz / sqrt(var + eps)  with running statistics

    input (N, C, ...). In training the batch's statistics are used, and the running ones, Tensors (C) or None, move:
    running = (1 - momentum) running + momentum batch's, with the unbiased variance, as in torch. In evaluation the
    running ones are used. ValueError for a single value a channel in training, and where statistics are missing.
    Ioffe and Szegedy, "Batch normalization", 2015.
    """
    backend = common_backend(input, running_mean, running_var, weight, bias)
    check_dtypes("batch_norm", input, weight, bias)
    if input.ndim < 2:
        raise ValueError(f"batch_norm needs input (N, C, ...), got {input.shape}")
    channels = input.shape[1]
    for name, t in (("running_mean", running_mean), ("running_var", running_var), ("weight", weight), ("bias", bias)):
        if t is not None and t.shape != (channels,):
            raise ValueError(f"batch_norm: {name} of shape {t.shape} for {channels} channels, expected ({channels},)")
    count = input.numel() // max(channels, 1)
    if not count:  # nothing to normalise, and nothing to learn from: accepted, as in torch
        training, running_mean = False, Tensor(backend.xp.ones(channels, input.dtype), backend=backend)
        running_var = running_mean
    if not training and (running_mean is None or running_var is None):
        raise ValueError("batch_norm in evaluation needs running_mean and running_var")
    if training and count == 1:
        raise ValueError(f"batch_norm in training needs more than one value for every channel, got input {input.shape}")
    statistics = None if training else (running_mean.data, running_var.data)
    w, b = (None if t is None else t.data for t in (weight, bias))
    y, mean, variance, saved = backend.batch_norm(input.data, statistics, w, b, eps)
    if training and running_mean is not None:
        unbiased = variance * (count / (count - 1))
        for running, batch in ((running_mean, mean), (running_var, unbiased)):
            running.data += momentum * (batch - running.data)

    def backward(gy):
        return backend.batch_norm_backward(gy, saved, w, training)

    return Tensor.from_operation(y, backward, input, weight, bias, name="batch_norm")
