"""torch as a contender, where it is installed: the same networks, built from torch's own layers."""

from __future__ import annotations

from collections import OrderedDict

from .. import nn
from ..models.layout import window_of
from .workloads import RECIPE

RIVALS = ("torch-eager", "torch-channels-last", "torch-compile")


class Torch:
    """torch in one of three modes.

    name: "torch-eager"; "torch-channels-last", with fused SGD; or "torch-compile", with fused SGD.
    threads: of torch.
    device: "cpu" or "cuda", where cuDNN tries its algorithms and takes the fastest.

    Raises ImportError where torch is not installed, OSError where it cannot be loaded, RuntimeError without the device.
    """

    def __init__(self, name, threads, device="cpu"):
        import torch

        if device == "cuda":
            if not torch.cuda.is_available():
                raise RuntimeError("torch finds no GPU")
            torch.backends.cudnn.benchmark = True
        torch.set_num_threads(threads)
        self.name, self.device = name, device

    def model(self, workload):
        """The workload's network in torch, on the device."""
        return twin(workload.build()).to(self.device)

    def network(self, workload, batch_size):
        """The workload's network with an optimiser and a batch of batch_size images; has .step() and .forward()."""
        import torch

        images, labels = (torch.from_numpy(array).to(self.device) for array in workload.batch(batch_size))
        return Network(self.name, self.model(workload), images, labels)

    def layer(self, model, layer, images, cotangent):
        """A function that runs forward and backward of one layer.

        model: what `model` returned.
        layer: a workloads.Layer.
        images, cotangent: NumPy arrays, the layer's input and the gradient of its output.
        """
        import torch

        module = model.get_submodule(layer.name)
        if isinstance(module, torch.nn.ReLU):
            module = torch.nn.ReLU()  # not in place: a leaf may not be overwritten
        x, gy = (torch.from_numpy(array).to(self.device) for array in (images, cotangent))
        x.requires_grad_(not layer.first)

        def run():
            x.grad = None
            module.zero_grad()
            module(x).backward(gy)

        return run

    def loss(self, logits, labels):
        """A function that runs cross-entropy, forward and backward. logits: (N, C); labels: (N,)."""
        import torch

        x, labels = (torch.from_numpy(array).to(self.device) for array in (logits, labels))
        x.requires_grad_()

        def run():
            x.grad = None
            torch.nn.functional.cross_entropy(x, labels).backward()

        return run

    def update(self, model):
        """A function that runs one optimiser step on all parameters of `model`."""
        import torch

        for p in model.parameters():
            p.grad = torch.full_like(p, 1e-3)
        return _sgd(model, self.name).step


class Network:
    """A network in training, with its optimiser and one batch.

    name: the mode, one of RIVALS.
    model: a torch module.
    images, labels: torch tensors on its device.
    """

    def __init__(self, name, model, images, labels):
        import torch

        layout = torch.channels_last if name == "torch-channels-last" else torch.contiguous_format
        self.model = model.to(memory_format=layout)
        self.optimizer = _sgd(self.model, name)
        self.images, self.labels = images.contiguous(memory_format=layout), labels
        if name == "torch-compile":
            self.model = torch.compile(self.model)

    def step(self):
        """Forward, loss, backward, update."""
        import torch

        torch.nn.functional.cross_entropy(self.model(self.images), self.labels).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def forward(self):
        """Forward pass in evaluation mode."""
        import torch

        self.model.eval()
        with torch.no_grad():
            self.model(self.images)
        self.model.train()


def use_tf32(wanted):
    """Let matrix products and convolutions on a GPU round their factors to 10 bits of mantissa (TF32), if `wanted`."""
    import torch

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = wanted


def versions():
    """The versions of torch, CUDA and cuDNN, as text."""
    import torch

    return f"{torch.__version__} (CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()})"


def _sgd(model, name):
    import torch

    how: dict = {"lr": RECIPE.lr, "momentum": RECIPE.momentum, "weight_decay": RECIPE.weight_decay}
    return torch.optim.SGD(model.parameters(), **how, fused=None if name == "torch-eager" else True)


def twin(model):
    """A torch.nn.Sequential with the layers of a minialex Sequential and copies of its weights.

    Dropout is torch's, with other masks and scaled in training; all other layers compute the same.

    model: a Sequential without nested ones.

    Raises TypeError for a layer without a counterpart in torch.
    """
    import torch

    with torch.device("meta"):  # no memory, no initial values
        copy = torch.nn.Sequential(OrderedDict((name, _layer(layer)) for name, layer in model.named_children()))
    copy.to_empty(device="cpu")
    with torch.no_grad():
        for theirs, ours in zip(copy.parameters(), model.parameters(), strict=True):
            theirs.copy_(torch.from_numpy(ours.numpy()))
    return copy.train(model.training)


def _layer(layer):
    import torch

    match layer:
        case nn.Conv2d():
            return _convolution(layer)
        case nn.Local2d() if layer.groups == 1:
            return _local(layer)
        case nn.Linear():
            return torch.nn.Linear(layer.in_features, layer.out_features, layer.bias is not None)
        case nn.ReLU():
            return torch.nn.ReLU(layer.inplace)
        case nn.MaxPool2d():
            return torch.nn.MaxPool2d(
                layer.kernel_size, layer.stride, layer.padding, layer.dilation, ceil_mode=layer.ceil_mode
            )
        case nn.AvgPool2d():
            return torch.nn.AvgPool2d(
                layer.kernel_size,
                layer.stride,
                layer.padding,
                layer.ceil_mode,
                layer.count_include_pad,
                layer.divisor_override,
            )
        case nn.AdaptiveAvgPool2d():
            return torch.nn.AdaptiveAvgPool2d(layer.output_size)
        case nn.LocalResponseNorm() if not layer.within_channel and layer.groups == 1:
            # torch divides alpha by the size of the window
            alpha = layer.alpha * (layer.size if layer.alpha_over == "element" else 1)
            return torch.nn.LocalResponseNorm(layer.size, alpha, layer.beta, layer.k)
        case nn.Dropout():
            return torch.nn.Dropout(layer.p)
        case nn.Flatten():
            return torch.nn.Flatten(layer.start_dim, layer.end_dim)
    raise TypeError(f"torch has no counterpart of {layer!r}")


def _local(layer):
    """torch has no such layer: the windows of all images, place by place, and one batched product."""
    import torch

    (top, bottom), (left, right) = window_of(layer, (layer.in_channels, *layer.input_size)).padding
    (height, width), (rows, columns) = layer.kernel_size, layer.stride

    class Local2d(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.empty(*layer.weight.shape))
            self.bias = None if layer.bias is None else torch.nn.Parameter(torch.empty(*layer.bias.shape))

        def forward(self, x):
            padded = torch.nn.functional.pad(x, (left, right, top, bottom))
            seen = padded.unfold(2, height, rows).unfold(3, width, columns).permute(2, 3, 0, 1, 4, 5)
            places = layer.output_size[0] * layer.output_size[1]
            weight = self.weight.reshape(places, layer.out_channels, -1)
            y = torch.bmm(seen.reshape(places, len(x), -1), weight.transpose(1, 2)).permute(1, 2, 0)
            y = y.reshape(len(x), layer.out_channels, *layer.output_size)
            return y if self.bias is None else y + self.bias

    return Local2d()


def _convolution(layer):
    """torch's convolution, after a padding layer where the padding is not the same on both sides."""
    import torch

    if layer.padding == "same":
        raise TypeError(f"torch has no counterpart of {layer!r}")
    margins = (0, 0) if layer.padding == "valid" else layer.padding
    (top, bottom), (left, right) = (m if isinstance(m, tuple) else (m, m) for m in margins)
    even = top == bottom and left == right
    convolution = torch.nn.Conv2d(
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,
        layer.stride,
        (top, left) if even else 0,
        layer.dilation,
        layer.groups,
        layer.bias is not None,
    )
    return convolution if even else torch.nn.Sequential(torch.nn.ZeroPad2d((left, right, top, bottom)), convolution)
