"""Local contrast normalisation."""

from __future__ import annotations

from ...tensor import Tensor, check_dtypes, common_backend


def contrast_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """Divide each activation by a power of its neighbours' variance within the channel.

        y_i  = x_i D_i^-beta        D_i = k + a sum over j in window(i) of d_j^2        a = alpha / n^2
        d_j  = x_j - m_j            m_j = mean of x over window(j)

        gd_j = -2 a beta d_j sum over the i whose window holds j of  gy_i x_i D_i^(-beta - 1)
        gx_j = gy_j D_j^-beta  +  gd_j  -  sum over the i whose window holds j of  gd_i / c_i

        window(i): n x n pixels of the same channel, from i - n//2 to i - n//2 + n - 1 in each direction, of which the
        c_i that lie on the image count; a is that of whole windows everywhere

    input: (N, C, H, W).
    size: n, in pixels.
    alpha: the weight of the squares.
    beta, k: the exponent and the constant.

    The numerator is x, not d. Returns a Tensor of the input's shape. Raises ValueError for other shapes and a size
    below 1, TypeError for whole numbers.
    cuda-convnet's type=cnorm: ContrastNormLayer of its layer.cu.
    """
    backend = common_backend(input)
    check_dtypes("contrast_norm", input)
    if input.ndim != 4 or size < 1:
        raise ValueError(
            f"contrast_norm needs input (N, C, H, W) and a size of at least 1, got {input.shape} and {size}"
        )
    settings = size, alpha / (size * size), beta, k
    y, saved = backend.contrast_norm(input.data, *settings, input.records_grad)

    def backward(gy):
        return (backend.contrast_norm_backward(gy, saved, *settings),)

    return Tensor.from_operation(y, backward, input, name="contrast_norm")
