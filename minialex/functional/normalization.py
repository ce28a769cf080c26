"""Local response normalisation."""

from __future__ import annotations

from ..tensor import Tensor


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
    backend = input.backend
    y, saved = backend.local_response_norm(input.data, *settings, input.needs_grad)

    def backward(gy):
        return (backend.local_response_norm_backward(gy, saved, *settings),)

    return Tensor.from_operation(y, backward, input)
