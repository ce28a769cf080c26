"""Names of torch that are missing here, and what to write instead: the text of the AttributeError."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from functools import cache
from typing import NoReturn

from . import missing_names  # not when it is needed: where a submission is graded, nothing can be imported any more

_NUMPY = "Tensor(np.{0}(x.numpy())), without a gradient"

TENSOR = {
    "subtract": "x - y",
    "multiply": "x * y",
    "divide": "x / y",
    "true_divide": "x / y",
    "floor_divide": "x // y",
    "remainder": "x % y",
    "fmod": "x % y, which has the sign of y",
    "negative": "-x",
    "log2": "x.log() / math.log(2)",
    "log10": "x.log() / math.log(10)",
    "log1p": "(1 + x).log()",
    "expm1": "x.exp() - 1",
    "logical_and": "x.bool() & y.bool()",
    "logical_or": "x.bool() | y.bool()",
    "logical_not": "~x.bool()",
    "bitwise_and": "x & y",
    "bitwise_or": "x | y",
    "bitwise_xor": "x ^ y",
    "bitwise_not": "~x",
    "mv": "x @ y",
    "inner": "x @ y.T",
    "addmm": "a + x @ y",
    "mT": "x.transpose(-2, -1)",
    "swapaxes": "x.transpose(dim0, dim1)",
    "swapdims": "x.transpose(dim0, dim1)",
    "movedim": "x.permute(dims)",
    "moveaxis": "x.permute(dims)",
    "reshape_as": "x.reshape(y.shape)",
    "ravel": "x.flatten()",
    "unflatten": "x.reshape(shape)",
    "tile": "x.repeat(repeats)",
    "select": "x[:, index]",
    "narrow": "x[:, start : start + length]",
    "take": "x.flatten()[index]",
    "take_along_dim": "x.gather(dim, index)",
    "clip": "x.clamp(min, max)",
    "clip_": "x.clamp_(min, max)",
    "maximum": "functional.maximum(x, y)",
    "minimum": "functional.minimum(x, y)",
    "prod": "x.log().sum().exp(), of positive numbers",
    "cumprod": "x.log().cumsum(dim).exp(), of positive numbers",
    "nansum": "x.masked_fill(x != x, 0).sum()",
    "relu_": "functional.relu(x, inplace=True)",
    "masked_fill_": "x[mask] = value",
    "index_fill_": "x[index] = value",
    "index_put_": "x[index] = value",
    "scatter_": "x[index] = value, with an index for each axis",
    "unsqueeze_": "x = x.unsqueeze(dim)",
    "squeeze_": "x = x.squeeze(dim)",
    "detach_": "x = x.detach()",
    "exp_": "x.copy_(x.exp())",
    "sqrt_": "x.copy_(x.sqrt())",
    "normal_": "nn.init.normal_(x, mean, std)",
    "uniform_": "nn.init.uniform_(x, a, b)",
    "new_zeros": "Tensor(np.zeros(shape, x.dtype), backend=x.backend)",
    "new_ones": "Tensor(np.ones(shape, x.dtype), backend=x.backend)",
    "new_full": "Tensor(np.full(shape, value, x.dtype), backend=x.backend)",
    "new_tensor": "Tensor(values, dtype=x.dtype, backend=x.backend)",
    "half": "x.float(): the types are float32 and float64",
    "bfloat16": "x.float(): the types are float32 and float64",
    "short": "x.to(np.int16)",
    "byte": "x.to(np.uint8)",
    "char": "x.to(np.int8)",
    "cuda": 'x.to("cupy")',
    "get_device": "x.backend",
    "is_cuda": 'x.backend.name == "cupy"',
    "pin_memory": "x: uploading pins what it needs",
    "is_contiguous": "x.data.flags.c_contiguous",
    "stride": "x.data.strides, which are in bytes",
    "data_ptr": "x.data",
    "nelement": "x.numel()",
    "ndimension": "x.dim()",
    "element_size": "x.dtype.itemsize",
    "nbytes": "x.data.nbytes",
    **{name: _NUMPY.format(name) for name in ("tan", "trunc")},
    **{name: _NUMPY.format(name) for name in ("unique", "median")},
    "nonzero": "Tensor(np.argwhere(x.numpy()))",
}

FUNCTIONAL = {
    "kl_div": "(p * (p.log() - log_q)).sum()",
    "cosine_similarity": "(x * y).sum(dim) / (x.norm(2, dim) * y.norm(2, dim))",
    "pairwise_distance": "(x - y).norm(2, -1)",
    "scaled_dot_product_attention": "functional.softmax(q @ k.transpose(-2, -1) / d**0.5, -1) @ v",
    "embedding": "weight[index]",
    "relu_": "functional.relu(x, inplace=True)",
    "relu6": "functional.clamp(x, 0, 6)",
    "hardtanh": "functional.clamp(x, -1, 1)",
    "hardsigmoid": "functional.clamp(x / 6 + 0.5, 0, 1)",
    "logsigmoid": "-functional.softplus(-x)",
    "softmin": "functional.softmax(-x, dim)",
    "softsign": "x / (1 + x.abs())",
    "mish": "x * functional.tanh(functional.softplus(x))",
    "selu": "1.0507009873554805 * functional.elu(x, 1.6732632423543772)",
    "celu": "functional.elu(x / alpha) * alpha, for alpha above 0",
    "hardswish": "x * functional.clamp(x / 6 + 0.5, 0, 1)",
    "threshold": "functional.where(x > threshold, x, value)",
    "prelu": "functional.where(x > 0, x, weight * x)",
    "upsample": "functional.interpolate",
    "pixel_shuffle": "x.reshape(n, c, r, r, h, w).permute(0, 1, 4, 2, 5, 3).reshape(n, c, r * h, r * w)",
    "conv_transpose2d": "functional.interpolate and functional.conv2d",
    "dropout1d": "functional.dropout2d, which takes (N, C, L) as well",
    "group_norm": "functional.batch_norm of x.reshape(1, n * groups, -1), in training",
    "instance_norm": "functional.batch_norm of x.reshape(1, n * c, -1), in training",
    "unfold": "x[:, :, i : i + h, j : j + w] for each place of the window, and functional.stack",
    "grid_sample": "functional.interpolate, or x[:, :, rows, columns]",
    "glu": "a * functional.sigmoid(b) with a, b = x.chunk(2, dim)",
    "layer_norm": "(x - x.mean(-1, True)) / (x.var(-1, correction=0, keepdim=True) + eps).sqrt()",
    "conv1d": "functional.conv2d with a height of 1",
    "max_pool1d": "functional.max_pool2d with a height of 1",
    "avg_pool1d": "functional.avg_pool2d with a height of 1",
    "numel": "x.numel()",
    "tile": "functional.repeat(x, repeats)",
    "broadcast_to": "functional.expand(x, shape)",
    "swapaxes": "functional.transpose(x, dim0, dim1)",
    "movedim": "functional.permute(x, dims)",
    "einsum": "functional.permute and @",
}

NN = {
    "Embedding": "weight[index] of an nn.Parameter",
    "KLDivLoss": "(p * (p.log() - log_q)).sum()",
    "ReLU6": "functional.clamp(x, 0, 6) in a Module of your own",
    "Hardtanh": "functional.clamp(x, -1, 1) in a Module of your own",
    "SELU": "1.0507009873554805 * functional.elu(x, 1.6732632423543772) in a Module of your own",
    "Hardswish": "x * functional.clamp(x / 6 + 0.5, 0, 1) in a Module of your own",
    "Hardsigmoid": "functional.clamp(x / 6 + 0.5, 0, 1) in a Module of your own",
    "Mish": "x * functional.tanh(functional.softplus(x)) in a Module of your own",
    "LogSigmoid": "-functional.softplus(-x) in a Module of your own",
    "Softsign": "x / (1 + x.abs()) in a Module of your own",
    "PReLU": "functional.where(x > 0, x, self.weight * x) in a Module of your own",
    "Softmax2d": "nn.Softmax(1)",
    "Dropout1d": "nn.Dropout2d, which takes (N, C, L) as well",
    "ConvTranspose2d": "nn.Upsample and nn.Conv2d",
    "UpsamplingNearest2d": "nn.Upsample(size, scale_factor)",
    "UpsamplingBilinear2d": 'nn.Upsample(size, scale_factor, "bilinear", align_corners=True)',
    "GroupNorm": "functional.batch_norm of x.reshape(1, n * groups, -1), in training, in a Module of your own",
    "InstanceNorm2d": "functional.batch_norm of x.reshape(1, n * c, -1), in training, in a Module of your own",
    "LayerNorm": "(x - x.mean(-1, True)) / (x.var(-1, correction=0, keepdim=True) + eps).sqrt()",
    "PixelShuffle": "x.reshape(n, c, r, r, h, w).permute(0, 1, 4, 2, 5, 3).reshape(n, c, r * h, r * w)",
    "ReflectionPad2d": "x[:, :, rows][:, :, :, columns], with the indices of the pixels",
    "ReplicationPad2d": "x[:, :, rows][:, :, :, columns], with the indices of the pixels",
    "Threshold": "functional.where(x > threshold, x, value) in a Module of your own",
    "ParameterDict": "self.register_parameter(name, parameter) for each",
    "ParameterList": "self.register_parameter(name, parameter) for each",
    "DataParallel": "minialex.parallel.data.DataParallel(model, group), in processes that mpiexec starts",
    "Conv1d": "nn.Conv2d with a height of 1",
    "MaxPool1d": "nn.MaxPool2d with a height of 1",
    "AvgPool1d": "nn.AvgPool2d with a height of 1",
    "Unflatten": "x.reshape(shape) in a Module of your own",
}

MODULE = {
    "half": "model.float(): the types are float32 and float64",
    "bfloat16": "model.float(): the types are float32 and float64",
    "cuda": 'model.to("cupy")',
    "compile": 'model.to("numba"), the compiled backend',
    "register_backward_hook": "model.register_full_backward_hook(hook)",
    "register_state_dict_post_hook": "model.state_dict() in a function of your own",
    "register_state_dict_pre_hook": "model.state_dict() in a function of your own",
    "register_load_state_dict_pre_hook": "model.load_state_dict(changed)",
    "register_load_state_dict_post_hook": "model.load_state_dict(changed)",
    "share_memory": "model: processes exchange its state_dict()",
    "to_empty": "model.to(target)",
}

OPTIM = {
    "NAdam": "optim.Adam",
    "RAdam": "optim.Adam",
    "Adamax": "optim.Adam",
    "Adagrad": "optim.Adam",
    "Adadelta": "optim.Adam",
    "SparseAdam": "optim.Adam",
}

LR_SCHEDULER = {
    "ChainedScheduler": "schedulers, each stepped by itself: their factors multiply",
    "ConstantLR": "LambdaLR(optimizer, lambda epoch: factor if epoch < total_iters else 1)",
    "CosineAnnealingWarmRestarts": (
        "LambdaLR(optimizer, lambda epoch: 0.5 + 0.5 * math.cos(math.pi * (epoch % T_0) / T_0)), of equal cycles"
    ),
    "CyclicLR": "LambdaLR(optimizer, lambda step: ...), or OneCycleLR for one cycle",
    "MultiplicativeLR": "LambdaLR(optimizer, lambda epoch: ...), of the product so far",
    "PolynomialLR": "LambdaLR(optimizer, lambda epoch: (1 - min(epoch, total_iters) / total_iters) ** power)",
}

DATA = {
    "ConcatDataset": "data.ArrayDataset of arrays joined with np.concatenate",
    "Sampler": "data.Loader(..., shuffle=True)",
    "RandomSampler": "data.Loader(..., shuffle=True)",
    "SequentialSampler": "data.Loader(..., shuffle=False)",
    "ImageFolder": 'data.load("folder", data_dir=...)',
    "CIFAR10": 'data.load("cifar10", data_dir=...)',
    "Compose": "a list of transforms, data.Loader(split, batch_size, [...])",
    "ToTensor": "data.Normalize: the images of a data set are arrays already",
    "ColorJitter": "data.ColorNoise",
}

TOP = {
    "mps": 'minialex.use_backend("numba")',
    "float16": "minialex.float32: the types are float32 and float64",
    "half": "minialex.float32: the types are float32 and float64",
    "bfloat16": "minialex.float32: the types are float32 and float64",
    "FloatTensor": "minialex.tensor(values, dtype=minialex.float32)",
    "DoubleTensor": "minialex.tensor(values, dtype=minialex.float64)",
    "LongTensor": "minialex.tensor(values, dtype=minialex.int64)",
    "BoolTensor": "minialex.tensor(values, dtype=minialex.bool)",
    "set_default_dtype": "dtype=minialex.float64 for each tensor, and model.double()",
    "get_default_dtype": "minialex.float32, which it is",
    "set_default_device": "minialex.use_backend(name)",
    "set_default_tensor_type": "minialex.use_backend(name)",
    "set_num_threads": "minialex.threads.set_count(number)",
    "get_num_threads": "minialex.threads.count()",
    "seed": "minialex.manual_seed(seed)",
    "initial_seed": "minialex.random.default_generator.seed",
    "get_rng_state": "minialex.random.default_generator.seed and .call",
    "set_rng_state": "minialex.random.default_generator.seed and .call",
    "use_deterministic_algorithms": "nothing, since all of them are deterministic",
    "set_printoptions": "np.set_printoptions(...)",
    "finfo": "np.finfo(dtype)",
    "iinfo": "np.iinfo(dtype)",
    "normal": "mean + std * minialex.randn(size)",
    "bernoulli": "minialex.rand_like(p) < p",
    "randint_like": "minialex.randint(low, high, x.shape)",
    "logspace": "base ** minialex.linspace(start, end, steps)",
    "concat": "minialex.cat(tensors, dim)",
    "meshgrid": "np.meshgrid(...), and minialex.tensor of each",
    "tril": "minialex.tensor(np.tril(x.numpy())), without a gradient",
    "triu": "minialex.tensor(np.triu(x.numpy())), without a gradient",
    "diag": "minialex.tensor(np.diag(x.numpy())), without a gradient",
    "multinomial": "np.random.default_rng(seed).choice(n, count, p=weights)",
    "autograd": "loss.backward() and x.grad; minialex.gradcheck checks gradients",
    "compile": 'model.to("numba"), the compiled backend',
    "jit": "the model itself; minialex.convert writes ONNX",
    "onnx": "minialex.convert, which writes ONNX",
    "hub": "minialex.models.build(name)",
    "amp": "nothing, since the types are float32 and float64",
    "autocast": "nothing, since the types are float32 and float64",
    "distributed": "minialex.parallel.launch.world(), a Group with the collectives, in processes that mpiexec starts",
    "multiprocessing": "the multiprocessing of Python",
    "profiler": "minialex.bench",
    "version": "minialex.__version__",
}

BACKENDS = {
    "cudnn": "nothing, since results are deterministic, and cuDNN is not used",
    "mps": 'minialex.use_backend("numba")',
}

WRITE = {"Tensor": TENSOR, "functional": FUNCTIONAL, "nn": NN, "Module": MODULE, "optim": OPTIM, "data": DATA}
WRITE |= {"backends": BACKENDS, "optim.lr_scheduler": LR_SCHEDULER}

# What to do where nothing of minialex comes close.
OTHERWISE = {
    "": "dir(minialex) lists what it has, and NumPy computes the rest of x.numpy(), without a gradient",
    "Tensor": "dir(minialex.Tensor) lists what it has, and NumPy computes the rest of x.numpy(), without a gradient",
    "functional": "dir(minialex.functional) lists what it has, Tensor.from_operation makes an operation of your own",
    "nn": "dir(minialex.nn) lists what it has, and a Module of your own computes with any of its functions",
    "nn.init": "dir(minialex.nn.init) lists what it has, and weight.copy_(array) under no_grad() sets any values",
    "nn.utils": "dir(minialex.nn.utils) lists what it has",
    "Module": "dir(minialex.nn.Module) lists what it has, and a subclass adds methods of your own",
    "optim": "dir(minialex.optim) lists what it has, and a subclass of optim.Optimizer takes steps of your own",
    "optim.lr_scheduler": "dir(minialex.optim) lists what it has, and LambdaLR takes any function of the epoch",
    "data": "dir(minialex.data) lists what it has, and a Dataset of your own has __len__ and __getitem__",
}


def refuse(place, name, owner=None) -> NoReturn:
    """Raise the AttributeError for a name that is missing.

    place: a key of OTHERWISE or WRITE.
    name: of the attribute.
    owner: the object whose attribute it would be; the module minialex.<place> if None.
    """
    if name in WRITE.get(place, ()):
        raise AttributeError(f"minialex has no {place}.{name}: write {WRITE[place][name]}", name=name, obj=None)
    if _is_torchs(place, name):
        raise _outside(place, name)
    if owner is None:
        owner, whose = sys.modules.get(f"minialex.{place}"), f"module 'minialex.{place}'"
    else:
        whose = f"{type(owner).__name__!r} object"
    raise AttributeError(f"{whose} has no attribute {name!r}", name=name, obj=owner)


def refuse_at_the_top(name: str, path: Iterable[str]) -> NoReturn:
    """Raise the AttributeError for a name that is missing in minialex itself.

    name: of the attribute.
    path: the folders of the package, for its modules that `import minialex` does not import.
    """
    package = sys.modules.get("minialex")
    advice = TOP.get(name) or FUNCTIONAL.get(name) or TENSOR.get(name)
    if advice:
        raise AttributeError(f"minialex has no {name}: write {advice}", name=name, obj=None)
    places = [os.path.join(folder, name) for folder in path]
    if any(os.path.isfile(f"{place}.py") or os.path.isdir(place) for place in places):
        raise AttributeError(
            f"minialex.{name} is imported by itself: write import minialex.{name}", name=name, obj=None
        )
    if any(_is_torchs(place, name) for place in ("Tensor", "functional")):
        raise _outside("", name)
    raise AttributeError(f"module 'minialex' has no attribute {name!r}", name=name, obj=package)


def _is_torchs(place, name):
    return not name.startswith("_") and name in _names_of_torch(place)  # protocols ask for names that begin so


@cache
def _names_of_torch(place):
    return frozenset(missing_names.NAMES.get(place, "").split())


def _outside(place, name):
    """The error for a name of torch that networks such as AlexNet do without."""
    full = f"{place}.{name}" if place else name
    return AttributeError(
        f"minialex has no {full}, which networks like AlexNet do without: {OTHERWISE[place]}", name=name, obj=None
    )
