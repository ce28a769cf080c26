"""What a newcomer types in torch: tests/test_ports.py compares what each function returns between the libraries.

The text of this file is run twice, as it is and with its import lines changed as tutorials/coming_from_torch.md says.
"""

import copy
from collections import OrderedDict

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset


def fixed(module):
    """The module with weights that are no matter of chance."""
    with torch.no_grad():
        for i, p in enumerate(module.parameters()):
            p.copy_(torch.linspace(-0.5, 0.7 + 0.1 * i, p.numel()).view(p.shape))
    return module


def table(*shape):
    """Numbers in no order, without two that are equal."""
    count = int(np.prod(shape))
    return (torch.arange(count) * 37 % 101).float().view(*shape) / 50 - 1


def network():
    return fixed(nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)))


# ------------------------------------------------------------------------------ tensors


def tensors_are_made():
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    return [
        x, torch.tensor([1, 2, 3]), torch.tensor(2.5), torch.tensor([True, False]),
        torch.tensor([1, 2], dtype=torch.float64), torch.zeros(2, 3), torch.zeros((2, 3), dtype=torch.long),
        torch.ones(4), torch.full((2, 2), 7.0), torch.full((2,), 3), torch.eye(3), torch.arange(5),
        torch.arange(1, 10, 3), torch.arange(0.0, 1.0, 0.25), torch.linspace(0, 1, 5), torch.zeros_like(x),
        torch.ones_like(x), torch.empty(2, 5).shape, torch.rand(3, 2), torch.randn(2, 2), torch.rand_like(x).shape,
        torch.randn_like(x).shape, torch.full_like(x, 2.0), torch.randint(0, 10, (3, 3)), torch.randint(5, (4,)),
        torch.as_tensor([1.5]), torch.from_numpy(np.arange(3.0)), torch.tensor(np.float32([1, 2])),
    ]  # fmt: skip


def shapes_and_dtypes_are_asked_for():
    x = torch.ones(2, 3)
    batch, features = x.shape
    return [
        x.shape, x.size(), x.size(0), x.shape[-1], x.dim(), x.ndim, x.numel(), len(x), batch, features,
        x.dtype == torch.float32, x.dtype == torch.float, torch.arange(3).dtype == torch.int64,
        (x > 0).dtype == torch.bool, x.shape == (2, 3), x.shape == torch.Size([2, 3]), torch.is_tensor(x),
        isinstance(x, torch.Tensor), x.is_floating_point(), x.requires_grad, x.is_leaf, x.grad is None,
    ]  # fmt: skip


def elements_are_picked():
    x = table(4, 5)
    rows, labels = torch.arange(4), torch.tensor([0, 3, 1, 4])
    return [
        x[0], x[-1], x[1, 2], x[1:3], x[:, 1], x[:, -2:], x[::2], x[..., 0], x[None].shape, x[:, None].shape,
        x[x > 0.5], x[[0, 2]], x[rows, labels], x[torch.tensor([3, 3, 0])], x[:, [1, 1]], x[labels == 3],
        x[0, 0].item(),
        x[2].tolist(), x[1:, 1:][0, 0], x.index_select(1, labels), x.gather(1, labels.view(-1, 1)),
        torch.masked_select(x, x > 0),
    ]  # fmt: skip


def elements_are_set():
    x, y, z = torch.zeros(3, 4), torch.arange(12).view(3, 4), table(3, 4)
    x[0] = 1
    x[1, 2] = 5.0
    x[:, 3] += 2
    x[2, :2] = torch.tensor([7.0, 8.0])
    y[y % 2 == 0] = -1
    z[z < 0] = 0
    z[torch.tensor([0, 2])] *= 2
    x[1:] -= 0.5
    return [x, y, z]


def shapes_are_changed():
    x = table(2, 3, 4)
    return [
        x.view(6, 4), x.view(2, -1), x.reshape(-1), x.permute(2, 0, 1), x.transpose(0, 1), x[0].t(), x[0].T,
        x.flatten(1), torch.flatten(x, start_dim=1), x.unsqueeze(0).shape, x.unsqueeze(-1).shape, x[:1].squeeze(0),
        x[:1].squeeze().shape, x[:, :1].expand(-1, 3, -1), x[0].repeat(2, 1), torch.cat([x, x], dim=0),
        torch.cat((x, x), 1), torch.stack([x[0], x[1]]), torch.stack((x[0], x[1]), dim=-1), *x.chunk(2, dim=2),
        *x.split(3, dim=2), *torch.chunk(x, 3, 1), torch.squeeze(x[:, :1], 1), x.contiguous().view(24),
        torch.transpose(x, 1, 2), torch.permute(x, (2, 1, 0)), torch.reshape(x, (4, 6)), x.flip(0),
        torch.flip(x, dims=[1, 2]), torch.unsqueeze(x, 1).shape, *torch.unbind(x[0]), x.view(-1, 4)[1],
        torch.vstack([x[0], x[1]]),
    ]  # fmt: skip


def numbers_are_reduced():
    x = table(3, 4)
    largest = x.max(dim=1)
    values, indices = torch.max(x, 1)
    return [
        x.sum(), x.sum(0), x.sum(dim=1, keepdim=True), x.mean(), x.mean(1), x.std(), x.std(dim=0), x.var(),
        x.var(0, unbiased=False), x.max(), x.min(), x.min(1).values, largest.values, largest.indices, values, indices,
        x.argmax(), x.argmax(dim=1), x.argmin(0), torch.argmax(x, dim=1, keepdim=True), x.norm(), x.norm(dim=1),
        x.abs().max(), (x > 0).sum(), (x > 0).any(), (x > -2).all(), (x > 0).float().mean(), torch.sum(x, dim=0),
        torch.mean(x), torch.norm(x), x.cumsum(1), torch.cumsum(x, 0), x.logsumexp(1), x.softmax(-1),
        x.log_softmax(dim=0), x.amax(1), torch.sort(x, 1).values, x.sort(dim=1, descending=True)[1],
        torch.topk(x, 2)[0], x.topk(2, dim=0).indices, torch.all(x < 1), torch.any(x > 1),
        torch.min(x),
    ]  # fmt: skip


def arithmetic_is_written_in_many_ways():
    x, y = table(2, 3), table(3, 2).reshape(2, 3) + 1.5
    z = x.clone()
    z.add_(1).mul_(2)
    return [
        x + y, x - 1, 2 * x, x / y, x**2, y**0.5, -x, x // 0.3, x % 0.3, abs(x), 1 / y, 1 - x, x @ y.T, x.mm(y.t()),
        torch.matmul(x, y.T), torch.add(x, y), torch.mul(x, 2), torch.sub(x, y), torch.div(x, y), x.add(y), x.mul(y),
        x.pow(2), torch.exp(x), y.log(), y.sqrt(), torch.abs(x), torch.clamp(x, -0.5, 0.5), x.clamp(min=0),
        torch.relu(x), torch.sigmoid(x), torch.tanh(x), torch.pow(x, 2), x.sign(), torch.maximum(x, y),
        torch.minimum(x, y), torch.where(x > 0, x, y), x > 0, x == x, (x > 0) & (y > 1), ~(x > 0), x.eq(y), x.gt(0),
        torch.round(x), x.floor(), torch.sin(x), torch.cos(x), z, torch.square(x), y.rsqrt(), x.neg(),
        torch.mm(x, y.t()), x[0] @ y[0], torch.dot(x[0], y[0]), torch.bmm(x[None], y.T[None]), torch.outer(x[0], y[0]),
        torch.allclose(x, x + 1e-9), torch.equal(x, y), torch.isnan(x).any(), torch.isfinite(x).all(),
        x.exp().reciprocal(),
    ]  # fmt: skip


def dtypes_are_changed():
    x, n = torch.tensor([-1.7, 0.2, 2.9]), torch.arange(3)
    return [
        x.int(), x.long(), x.double(), x.bool(), n.float(), n.to(torch.float32), n.to(dtype=torch.float64),
        x.type(torch.int64), n / 2, n // 2, n * 0.5, n + x, n.float().mean(), (x > 0).long(), (x > 0).float(),
        x.to(torch.float64).dtype == torch.float64, n.type_as(x), n.double() + x, n.sum(), (x > 0).sum().item(),
        int(n[1]), float(x[0]), bool(n[0]), n.tolist(), x.to(n.dtype), n == 1.0,
    ]  # fmt: skip


def numpy_shares_memory():
    a = torch.ones(3)
    b = a.numpy()
    a.add_(1)
    c = np.zeros(2)
    d = torch.from_numpy(c)
    np.add(c, 1, out=c)
    e = torch.tensor(c)
    c += 1
    return [b, d, e, a.detach().cpu().numpy(), np.asarray(a), np.exp(a.numpy())]


def numbers_are_printed():
    loss, tensor = torch.tensor(1.23456), torch.tensor([1.5, 2.0])
    return [
        f"{loss:.3f}", "%.4f" % loss, "%.2f" % loss.item(), f"{loss.item():.1f}", f"{tensor[0]:>6.2f}",
        "{:.2f}".format(loss), f"{tensor.mean():.2e}",
    ]  # fmt: skip


# ------------------------------------------------------------------------------ gradients


def a_first_gradient():
    x = torch.ones(2, 2, requires_grad=True)
    y = x + 2
    z = y * y * 3
    out = z.mean()
    out.backward()
    return [
        x.grad,
        y.requires_grad,
        y.is_leaf,
        y.grad_fn is not None,
        x.grad_fn is None,
        z.detach().requires_grad,
        out.item(),
        out,
    ]


def a_gradient_of_a_vector():
    x = table(3).requires_grad_()
    y = x * 2
    while y.norm() < 20:
        y = y * 2
    y.backward(torch.tensor([0.1, 1.0, 0.001]))
    return [y, x.grad]


def gradients_add_up():
    w = torch.tensor([1.0, -2.0], requires_grad=True)
    found = []
    for _ in range(2):
        (w**2).sum().backward()
        found.append(w.grad.clone())
    w.grad.zero_()
    found.append(w.grad.clone())
    w.grad = None
    with torch.no_grad():
        found.append((w * 2).requires_grad)
    return found


def a_saliency_map():
    model = fixed(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(36, 5)))
    x = table(2, 3, 5, 5).requires_grad_()
    scores = model(x)
    scores.gather(1, torch.tensor([1, 4]).unsqueeze(1)).squeeze().sum().backward()
    saliency, _ = x.grad.abs().max(dim=1)
    return [scores, saliency]


def norms_of_gradients():
    model = network()
    F.cross_entropy(model(table(5, 4)), torch.arange(5) % 3).backward()
    total = torch.norm(torch.stack([torch.norm(p.grad.detach(), 2) for p in model.parameters()]), 2)
    nn.utils.clip_grad_value_(model.parameters(), 0.1)
    clipped = [p.grad for p in model.parameters()]
    return [total, clipped, nn.utils.clip_grad_norm_(model.parameters(), 0.05), [p.grad for p in model.parameters()]]


# ------------------------------------------------------------------------------ losses


def cross_entropy_with_options():
    logits, labels = table(4, 5), torch.tensor([0, 2, 4, 1])
    weight = torch.tensor([1.0, 2.0, 0.5, 1.0, 3.0])
    probabilities = F.softmax(table(4, 5) * 2, dim=1)
    return [
        F.cross_entropy(logits, labels),
        F.cross_entropy(logits, labels, label_smoothing=0.1),
        F.cross_entropy(logits, labels, weight=weight),
        F.cross_entropy(logits, labels, reduction="none"),
        F.cross_entropy(logits, labels, reduction="sum", ignore_index=4),
        F.cross_entropy(logits, probabilities),
        nn.CrossEntropyLoss(weight=weight, label_smoothing=0.2)(logits, labels),
        F.nll_loss(F.log_softmax(logits, dim=1), labels),
        nn.NLLLoss()(nn.LogSoftmax(dim=1)(logits), labels),
        -F.log_softmax(logits, dim=-1)[torch.arange(4), labels].mean(),
        F.cross_entropy(logits.view(1, 4, 5).permute(0, 2, 1), labels[None]),
        F.cross_entropy(logits[0], labels[0]),
    ]


def other_losses():
    x, y = table(3, 4), table(4, 3).view(3, 4)
    return [
        F.mse_loss(x, y), nn.MSELoss(reduction="sum")(x, y), F.l1_loss(x, y), nn.L1Loss()(x, y), F.smooth_l1_loss(x, y),
        F.huber_loss(x, y), nn.SmoothL1Loss()(x, y), F.binary_cross_entropy_with_logits(x, (y > 0).float()),
        nn.BCEWithLogitsLoss()(x, (y > 0).float()), nn.BCELoss()(torch.sigmoid(x), (y > 0).float()),
        F.binary_cross_entropy(torch.sigmoid(x), (y > 0).float()),
    ]  # fmt: skip


def a_loss_of_ones_own():
    """The focal loss."""
    logits = table(4, 5).requires_grad_()
    ce = F.cross_entropy(logits, torch.tensor([0, 2, 4, 1]), reduction="none")
    pt = torch.exp(-ce)
    loss = ((1 - pt) ** 2 * ce).mean()
    loss.backward()
    return [loss, logits.grad]


def mixed_images():
    model, x, y = network(), table(6, 4), torch.arange(6) % 3
    lam, index = 0.3, torch.tensor([3, 4, 5, 0, 2, 1])
    output = model(lam * x + (1 - lam) * x[index])
    loss = lam * F.cross_entropy(output, y) + (1 - lam) * F.cross_entropy(output, y[index])
    loss += 1e-3 * sum(p.abs().sum() for p in model.parameters())
    loss.backward()
    return [loss, [p.grad for p in model.parameters()]]


def distillation():
    student, teacher, labels, T = network(), copy.deepcopy(network()), torch.arange(5) % 3, 2.0
    teacher[0].weight.data[0] = 1.0
    x = table(5, 4)
    with torch.no_grad():
        soft = F.softmax(teacher(x) / T, dim=1)
    out = student(x)
    loss = -(soft * F.log_softmax(out / T, dim=1)).sum(1).mean() * T * T + F.cross_entropy(out, labels)
    loss.backward()
    return [loss, student[0].weight.grad, teacher[0].weight.grad is None]


# ------------------------------------------------------------------------------ modules


def accuracy_without_gradients():
    model, loader = network(), DataLoader(TensorDataset(table(10, 4), torch.arange(10) % 3), batch_size=4)
    model.eval()
    correct = total = 0
    with torch.no_grad():
        for inputs, labels in loader:
            outputs = model(inputs)
            _, predicted = torch.max(outputs, 1)
            total += labels.size(0)
            correct += (predicted == labels).sum().item()
    return [correct, total, 100 * correct // total, outputs.requires_grad, model.training, len(loader)]


def accuracy_of_the_best_k():
    output, target, batch_size = table(6, 5), torch.arange(6) % 5, 6
    _, pred = output.topk(3, 1, True, True)
    pred = pred.t()
    correct = pred.eq(target.view(1, -1).expand_as(pred))
    return [correct[:k].reshape(-1).float().sum(0, keepdim=True).mul_(100.0 / batch_size) for k in (1, 3)]


def a_confusion_matrix():
    labels, preds = torch.tensor([0, 1, 2, 2, 1, 0, 2]), torch.tensor([0, 2, 2, 1, 1, 0, 2])
    counted = torch.bincount(labels * 3 + preds, minlength=9).reshape(3, 3)
    looped = torch.zeros(3, 3, dtype=torch.int64)
    for t, p in zip(labels, preds):
        looped[t, p] += 1
    return [
        counted, looped, counted[range(3), range(3)].float() / counted.sum(1),
    ]  # fmt: skip


def named_layers():
    model = fixed(nn.Sequential(OrderedDict([("fc1", nn.Linear(4, 6)), ("relu", nn.ReLU()), ("fc2", nn.Linear(6, 3))])))
    return [
        model(table(2, 4)), list(model.state_dict()), [n for n, _ in model.named_parameters()],
        [n for n, _ in model.named_children()], [n for n, _ in model.named_modules()], model.fc2.weight.shape,
        model[0].bias.shape, len(model), str(model), len(list(model.modules())),
        sum(p.numel() for p in model.parameters() if p.requires_grad), model.fc1.in_features,
        [type(m).__name__ for m in model],
    ]  # fmt: skip


def a_state_is_filtered():
    model, pretrained = network(), network().state_dict()
    pretrained = {k: v + 1 for k, v in pretrained.items() if not k.startswith("2.")}
    result = model.load_state_dict(pretrained, strict=False)
    merged = model.state_dict()
    merged.update({"2.bias": torch.zeros(3)})
    model.load_state_dict(merged)
    missing, unexpected = result
    return [missing, unexpected, result.missing_keys, result.unexpected_keys, [p for p in model.parameters()]]


def weights_of_one_module_in_another():
    a, b = network(), fixed(nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)))
    with torch.no_grad():
        a[0].weight.fill_(0.5)
        a[2].bias.zero_()
    b.load_state_dict(a.state_dict())
    state = copy.deepcopy(a.state_dict())
    with torch.no_grad():
        a[0].weight.add_(1.0)
    return [b[0].weight, state["0.weight"], a[0].weight, a.state_dict()["0.weight"] is not None]


def initial_values():
    def init_weights(m):
        if isinstance(m, nn.Linear):
            nn.init.constant_(m.weight, 0.01)
            nn.init.constant_(m.bias, 0.5)
        elif isinstance(m, nn.Conv2d):
            nn.init.ones_(m.weight)
            nn.init.zeros_(m.bias)

    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 2))
    model.apply(init_weights)
    gains = [nn.init.calculate_gain("relu"), nn.init.calculate_gain("tanh"), nn.init.calculate_gain("leaky_relu", 0.2)]
    return [model(table(1, 1, 4, 4)), gains, nn.init.xavier_uniform_(torch.empty(3, 5)).shape]


def layers_begin_anew():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Conv2d(1, 2, 3))
    model[:2](table(5, 3))
    reset = [hasattr(layer, "reset_parameters") for layer in model.children()]
    model[1].reset_parameters()
    return [reset, model[1].state_dict()["running_mean"], model[1].num_batches_tracked]


def a_moving_average_of_weights():
    model, decay = network(), 0.9
    ema = copy.deepcopy(model)
    for p in ema.parameters():
        p.requires_grad_(False)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        F.cross_entropy(model(table(5, 4)), torch.arange(5) % 3).backward()
        optimizer.step()
        with torch.no_grad():
            for ema_p, p in zip(ema.parameters(), model.parameters()):
                ema_p.mul_(decay).add_(p, alpha=1 - decay)
    return [list(ema.parameters()), list(model.parameters())]


def early_stopping():
    model, best, best_state, patience, bad = network(), float("inf"), None, 2, 0
    optimizer = optim.SGD(model.parameters(), lr=1.0)
    losses = []
    for epoch in range(20):
        model.train()
        loss = F.cross_entropy(model(table(5, 4)), torch.arange(5) % 3)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if loss < best:
            best, best_state, bad = loss.item(), copy.deepcopy(model.state_dict()), 0
        else:
            bad += 1
            if bad >= patience:
                break
    model.load_state_dict(best_state)
    return [losses, best, epoch, list(model.parameters())]


def training_and_evaluation_modes():
    model = fixed(
        nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(12, 2))
    )
    x = table(3, 2, 4, 4)
    model[3].p = 0.0
    trained = model(x)
    model.eval()
    evaluated = model(x)
    modes = [m.training for m in model.modules()]
    model.train()
    bn = model[1]
    return [
        trained,
        evaluated,
        modes,
        model.training,
        bn.running_mean,
        bn.running_var,
        bn.num_batches_tracked,
        list(model.state_dict()),
    ]


def frozen_batch_norm():
    model = fixed(nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.AdaptiveAvgPool2d(1), nn.Flatten()))
    model.train()
    for m in model.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.eval()
            m.weight.requires_grad = False
            m.bias.requires_grad = False
    model(table(3, 2, 4, 4)).sum().backward()
    return [model[1].running_mean, model[1].weight.grad is None, model[0].weight.grad]


def features_by_hooks():
    model, found = network(), {}

    def keep(name):
        def hook(module, input, output):
            found[name] = output.detach()

        return hook

    handles = [layer.register_forward_hook(keep(name)) for name, layer in model.named_children()]
    model(table(2, 4))
    for handle in handles:
        handle.remove()
    model(table(3, 4))
    features = nn.Sequential(*list(model.children())[:-1])
    return [found["0"], found["1"], found["2"], features(table(2, 4))]


def a_module_of_ones_own():
    class Scaled(nn.Module):
        def __init__(self, size):
            super().__init__()
            self.linear = nn.Linear(size, size)
            self.scale = nn.Parameter(torch.ones(size))
            self.register_buffer("shift", torch.zeros(size))
            self.layers = nn.ModuleList(nn.Linear(size, size) for _ in range(2))
            self.choices = nn.ModuleDict({"relu": nn.ReLU(), "tanh": nn.Tanh()})
            self.depth = 2

        def forward(self, x, activation="relu", *, twice=False):
            x = self.linear(x) * self.scale + self.shift
            for layer in self.layers:
                x = self.choices[activation](layer(x))
            return (x, x) if twice else x

        def extra_repr(self):
            return f"depth={self.depth}"

    model = fixed(Scaled(3))
    a, b = model(table(2, 3), activation="tanh", twice=True)
    return [
        model(table(2, 3)),
        a,
        b,
        list(model.state_dict()),
        str(model),
        [n for n, _ in model.named_buffers()],
        model.get_submodule("layers.1").bias,
    ]


def layers_are_exchanged():
    model = network()
    model[2] = fixed(nn.Linear(6, 5))
    model.add_module("out", nn.Softmax(dim=1))
    smaller = nn.Sequential(*list(model)[:2])
    return [
        model(table(2, 4)), smaller(table(2, 4)), len(model), model[-1].dim, model[:2](table(2, 4)),
        [*model.state_dict()],
    ]  # fmt: skip


def functions_of_layers():
    x, w = table(2, 4, 5, 5), table(6, 2, 3, 3)
    return [
        F.conv2d(x, w, None, stride=2, padding=1, groups=2), F.max_pool2d(x, 2),
        F.max_pool2d(x, kernel_size=3, stride=2, padding=1), F.avg_pool2d(x, 2), F.adaptive_avg_pool2d(x, 1),
        F.adaptive_avg_pool2d(x, (2, 3)), F.linear(table(3, 4), table(2, 4)), F.relu(x), F.leaky_relu(x, 0.1),
        F.softmax(x, dim=1), F.pad(x, (1, 1, 2, 0)), F.one_hot(torch.tensor([0, 2]), num_classes=3), F.gelu(x),
        F.silu(x), F.elu(x), F.softplus(x), F.interpolate(x, scale_factor=2),
        F.interpolate(x, size=(7, 3), mode="bilinear", align_corners=False), F.local_response_norm(x, 3),
        F.batch_norm(x, torch.zeros(4), torch.ones(4)), F.dropout(x, 0.5, training=False), F.normalize(x, dim=1),
        F.log_softmax(x, 1), F.sigmoid(x), F.tanh(x),
    ]  # fmt: skip


def a_gram_matrix():
    x = table(2, 3, 4, 5).requires_grad_()
    n, c, h, w = x.size()
    features = x.view(n, c, h * w)
    gram = torch.matmul(features, features.transpose(1, 2)) / (c * h * w)
    (gram**2).sum().backward()
    return [gram, x.grad]


def two_layers_by_hand():
    N, D_in, H, D_out = 8, 5, 7, 2
    x, y, w1, w2 = table(N, D_in), table(N, D_out), table(D_in, H), table(H, D_out)
    losses = []
    for _ in range(5):
        h = x.mm(w1)
        h_relu = h.clamp(min=0)
        y_pred = h_relu.mm(w2)
        losses.append((y_pred - y).pow(2).sum().item())
        grad_y_pred = 2.0 * (y_pred - y)
        grad_w2 = h_relu.t().mm(grad_y_pred)
        grad_h = grad_y_pred.mm(w2.t()).clone()
        grad_h[h < 0] = 0
        grad_w1 = x.t().mm(grad_h)
        w1 -= 1e-3 * grad_w1
        w2 -= 1e-3 * grad_w2
    return [losses, w1, w2]


# ------------------------------------------------------------------------------ optimisers and data


def learning_rates_are_changed():
    model = network()
    optimizer = optim.SGD(
        [{"params": model[0].parameters()}, {"params": model[2].parameters(), "lr": 0.5}], lr=0.1, momentum=0.9
    )
    before = [g["lr"] for g in optimizer.param_groups]
    for group in optimizer.param_groups:
        group["lr"] *= 0.1
    model(table(5, 4)).sum().backward()
    optimizer.step()
    optimizer.param_groups[0]["lr"] = 1e-3
    return [
        before,
        [g["lr"] for g in optimizer.param_groups],
        optimizer.param_groups[0]["momentum"],
        list(model.parameters()),
    ]


def learning_rates_are_scheduled():
    def rates(make, step=lambda s, i: s.step()):
        optimizer = optim.SGD(network().parameters(), lr=0.1)
        scheduler, found = make(optimizer), []
        for i in range(12):
            optimizer.step()
            step(scheduler, i)
            found.append(optimizer.param_groups[0]["lr"])
        return found

    s = optim.lr_scheduler
    return [
        rates(lambda o: s.StepLR(o, 4, 0.5)),
        rates(lambda o: s.MultiStepLR(o, [2, 7], gamma=0.1)),
        rates(lambda o: s.ExponentialLR(o, gamma=0.9)),
        rates(lambda o: s.CosineAnnealingLR(o, T_max=10)),
        rates(lambda o: s.LambdaLR(o, lr_lambda=lambda epoch: min(1.0, (epoch + 1) / 5))),
        rates(lambda o: s.OneCycleLR(o, max_lr=1.0, total_steps=13)),
        rates(
            lambda o: s.SequentialLR(o, [s.LinearLR(o, 0.1, total_iters=3), s.CosineAnnealingLR(o, 9)], milestones=[3])
        ),
        rates(
            lambda o: s.ReduceLROnPlateau(o, "min", factor=0.5, patience=2),
            lambda sch, i: sch.step(1.0 if i < 9 else 0.5),
        ),
    ]


def all_optimisers():
    def trained(make):
        model = network()
        optimizer = make(model.parameters())
        for _ in range(4):
            optimizer.zero_grad()
            F.cross_entropy(model(table(5, 4)), torch.arange(5) % 3).backward()
            optimizer.step()
        return list(model.parameters())

    return [
        trained(lambda p: optim.SGD(p, lr=0.1)),
        trained(lambda p: optim.SGD(p, 0.1, momentum=0.9, weight_decay=0.01, nesterov=True)),
        trained(lambda p: optim.Adam(p, lr=0.01, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1)),
        trained(lambda p: optim.AdamW(p, lr=0.01)),
        trained(lambda p: optim.RMSprop(p, lr=0.01, momentum=0.5)),
        trained(lambda p: torch.optim.Adam(list(p), 0.01)),
    ]


def a_data_set_of_ones_own():
    class Squares(Dataset):
        def __init__(self, n):
            self.n = n

        def __len__(self):
            return self.n

        def __getitem__(self, i):
            return torch.tensor([float(i), float(i * i)]), i % 2

    data = Squares(7)
    x, y = next(iter(DataLoader(data, batch_size=3)))
    batches = [[b[0], b[1]] for b in DataLoader(Subset(data, [6, 0, 3]), batch_size=2, drop_last=False)]
    loader = DataLoader(data, batch_size=4, shuffle=True)
    return [x, y, batches, [[a, b] for _, (a, b) in enumerate(loader)], len(loader), len(loader.dataset), data[2][0]]


def a_last_layer_shares_weights():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder, self.decoder = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
            self.decoder.weight = self.encoder.weight

        def forward(self, x):
            return self.decoder(torch.tanh(self.encoder(x)))

    model = fixed(Tied())
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    model(table(3, 4)).pow(2).mean().backward()
    optimizer.step()
    copied = copy.deepcopy(model)
    return [
        len(list(model.parameters())),
        list(model.state_dict()),
        model.encoder.weight,
        copied.decoder.weight is copied.encoder.weight,
    ]


def errors_are_of_the_same_kind():
    leaf = torch.ones(2, requires_grad=True)

    def kind(f):
        try:
            f()
        except Exception as error:
            return type(error).__name__
        return "none"

    return [
        kind(lambda: leaf.add_(1)), kind(lambda: leaf.backward()), kind(lambda: torch.ones(2).sum().backward()),
        kind(lambda: network().no_such_layer), kind(lambda: torch.ones(3)[5]), kind(lambda: optim.SGD([], lr=0.1)),
        kind(lambda: torch.full((2,), 3) / None), kind(lambda: len(torch.tensor(1.0))),
        kind(lambda: iter(torch.tensor(1.0))),
    ]  # fmt: skip


def data_loaders_are_written_out():
    data = torch.utils.data.TensorDataset(table(6, 2), torch.arange(6))
    train, test = torch.utils.data.random_split(data, [4, 2])
    batches = list(torch.utils.data.DataLoader(train, batch_size=3))
    return [len(batches), len(test), [tuple(x.shape) for x, _ in batches]]


def a_device_is_chosen():
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = network().to(device)
    x = table(2, 4).to(device)
    hidden = torch.zeros(2, 3, device=device)
    return [
        model(x) + hidden,
        torch.ones(2, device=x.device),
        next(model.parameters()).device.type,
        f"{device}",
        device.type,
    ]
