"""A minialex network's twin in torch: the same layers, weights, dropout masks and optimiser, of torch's own parts.

Nothing here calls minialex's arithmetic, so whatever the twin computes is an independent answer. Only what must be
common is taken over: initial weights, and the random words that dropout masks are made of.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch.nn import functional as F

from minialex import nn, random


def twin(model, generator=None):
    """A torch.nn.Sequential with the layers, names and weights of a minialex Sequential.

    generator: where dropout masks come from; by default a copy of the default generator as it stands now, so that
    twin and original draw the same ones. TypeError for a layer that has no twin.
    """
    if generator is None:
        generator = random.Generator(random.default_generator.seed)
        generator.call = random.default_generator.call
    layers = OrderedDict((name, _layer(layer, generator)) for name, layer in model.named_children())
    copy = torch.nn.Sequential(layers)
    copy.load_state_dict({name: torch.tensor(array) for name, array in model.state_dict().items()}, assign=True)
    for parameter in copy.parameters():
        parameter.requires_grad_()
    return copy.train(model.training)


def _layer(layer, generator):
    if isinstance(layer, nn.Conv2d):
        return _Conv2d(layer)
    if isinstance(layer, nn.Linear):
        return torch.nn.Linear(layer.in_features, layer.out_features, layer.bias is not None, device="meta")
    if isinstance(layer, nn.ReLU):
        return torch.nn.ReLU(layer.inplace)
    if isinstance(layer, nn.Tanh):
        return torch.nn.Tanh()
    if isinstance(layer, nn.MaxPool2d):
        return torch.nn.MaxPool2d(
            layer.kernel_size, layer.stride, layer.padding, layer.dilation, ceil_mode=layer.ceil_mode
        )
    if isinstance(layer, nn.AvgPool2d):
        return torch.nn.AvgPool2d(
            layer.kernel_size,
            layer.stride,
            layer.padding,
            layer.ceil_mode,
            layer.count_include_pad,
            layer.divisor_override,
        )
    if isinstance(layer, nn.LocalResponseNorm):
        return _LocalResponseNorm(layer)
    if isinstance(layer, nn.Dropout):
        return _Dropout(layer.p, layer.inverted, layer.generator or generator)
    if isinstance(layer, nn.Flatten):
        return torch.nn.Flatten(layer.start_dim, layer.end_dim)
    raise TypeError(f"{type(layer).__name__} has no twin in torch")


class _Conv2d(torch.nn.Conv2d):
    """torch's convolution after any padding that minialex knows."""

    def __init__(self, layer):
        super().__init__(
            layer.in_channels,
            layer.out_channels,
            layer.kernel_size,
            layer.stride,
            0,
            layer.dilation,
            layer.groups,
            layer.bias is not None,
            device="meta",
        )
        self.margins = layer.padding

    def forward(self, x):
        margins = self.margins
        if margins == "same":  # TensorFlow's rule, https://www.tensorflow.org/api_docs/python/tf/nn
            margins = []
            for n, k, s, d in zip(x.shape[2:], self.kernel_size, self.stride, self.dilation):
                left_over = n % s or s
                total = max(d * (k - 1) + 1 - left_over, 0)
                margins.append((total // 2, total - total // 2))
        elif margins == "valid":
            margins = (0, 0)
        (top, bottom), (left, right) = (m if isinstance(m, (tuple, list)) else (m, m) for m in margins)
        if top == bottom and left == right:
            return F.conv2d(x, self.weight, self.bias, self.stride, (top, left), self.dilation, self.groups)
        return super().forward(F.pad(x, (left, right, top, bottom)))


class _LocalResponseNorm(torch.nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.size, self.beta, self.k = layer.size, layer.beta, layer.k
        self.within_channel, self.groups = layer.within_channel, layer.groups
        cells = layer.size**2 if self.within_channel else layer.size
        self.alpha = layer.alpha * cells if layer.alpha_over == "element" else layer.alpha

    def forward(self, x):
        """torch divides alpha by the size of the window, and so does our code for the same map."""
        if self.within_channel:
            before, after = self.size // 2, (self.size - 1) // 2
            squares = F.pad(x * x, (before, after, before, after))
            return x / (self.k + self.alpha * F.avg_pool2d(squares, self.size, stride=1)) ** self.beta
        blocks = x.reshape(x.shape[0] * self.groups, -1, *x.shape[2:])
        return F.local_response_norm(blocks, self.size, self.alpha, self.beta, self.k).reshape(x.shape)


class _Dropout(torch.nn.Module):
    """Both forms of dropout, with minialex's masks."""

    def __init__(self, p, inverted, generator):
        super().__init__()
        self.p, self.inverted, self.generator = p, inverted, generator

    def forward(self, x):
        keep = 1 - self.p
        if not self.training:
            return x if self.inverted else x * keep
        if self.p == 0:
            return x
        words = random.words(x.numel(), self.generator.seed, self.generator.next_call())
        mask = torch.from_numpy(words < round(keep * 2**32)).reshape(x.shape)
        return x * mask / keep if self.inverted and keep else x * mask


class PaperSGD(torch.optim.Optimizer):
    """The update of Krizhevsky et al. 2012, section 5: v = m v - decay lr w - lr g, w = w + v."""

    def __init__(self, params, lr, momentum, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for w in group["params"]:
                v = self.state[w].setdefault("v", torch.zeros_like(w))
                v.mul_(group["momentum"])
                v.sub_(w, alpha=group["weight_decay"] * group["lr"])
                v.sub_(w.grad, alpha=group["lr"])
                w.add_(v)


def twin_optimizer(torch_model, training):
    """torch's optimiser for a twin, trained as the recipe `training` (models.Recipe) says."""
    groups = []
    for name, parameter in torch_model.named_parameters():
        group = {"params": [parameter], "lr": training.lr, "weight_decay": _decay(name, training.weight_decay)}
        if name.endswith("bias"):
            group["lr"] *= training.bias_lr
            group["weight_decay"] *= training.bias_decay
        groups.append(group)
    kind = {"sgd_paper": PaperSGD, "sgd": torch.optim.SGD}[training.optimizer]
    return kind(groups, lr=training.lr, momentum=training.momentum)


def _decay(name, decay):
    return next(d for layer, d in decay.items() if name.startswith(layer)) if isinstance(decay, dict) else decay


def train_step(torch_model, optimizer, images, labels):
    """One step of the twin on NumPy arrays; the loss before it."""
    optimizer.zero_grad()
    loss = F.cross_entropy(torch_model(torch.from_numpy(images)), torch.from_numpy(labels))
    loss.backward()
    optimizer.step()
    return loss.item()
