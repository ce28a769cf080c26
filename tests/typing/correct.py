"""A user's script without mistakes: `mypy --strict` must find none. It is not run, but it could be."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import minialex
from minialex import data, functional, models, nn, no_grad, optim, plotting
from minialex.optim.lr_scheduler import LRScheduler
from minialex.runs import checkpoint
from minialex.tensor import Tensor
from minialex.training import Trainer, evaluation


class Block(nn.Module):
    """Two convolutions with a residual."""

    def __init__(self, channels: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, (3, 3), padding="same", bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.norm(self.conv1(x)))
        return functional.relu(x + self.dropout(self.conv2(y)))


class Net(nn.Module):
    mean: Tensor

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 5, 2, 2), nn.ReLU(inplace=True), nn.MaxPool2d(2))
        self.blocks = nn.ModuleList([Block(16), Block(16, dropout=0.1)])
        self.head = nn.Linear(16, classes)
        self.scale = nn.Parameter(np.ones(classes, np.float32))
        self.register_buffer("mean", Tensor(np.zeros((1, 3, 1, 1), np.float32)))
        self.seen = 0

    def forward(self, x: Tensor, *, features: bool = False) -> Tensor:
        x = self.stem(x - self.mean)
        for block in self.blocks:
            x = block(x)
        x = functional.adaptive_avg_pool2d(x, 1).flatten(1)
        self.seen += len(x)
        return x if features else self.head(x) * self.scale


class Squares(data.Dataset):
    """A data set of one's own."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return Tensor(np.full((3, 32, 32), index, np.float32)), index % 10


def train(net: nn.Module, loader: data.DataLoader, optimizer: optim.Optimizer, schedule: LRScheduler) -> list[float]:
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    losses: list[float] = []
    net.train()
    for epoch in range(3):
        total, correct, seen = 0.0, 0, 0
        for x, y in loader:
            logits = net(x)
            loss = criterion(logits, y)
            optimizer.zero_grad()
            loss.backward()
            norm = nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            total += loss.item() * len(x)
            correct += (logits.argmax(1) == y).sum().item()
            seen += x.shape[0]
        schedule.step()
        losses.append(total / seen)
        print(f"epoch {epoch}: loss {total / seen:.3f}, accuracy {correct / seen:.1%}, gradient {norm:.2f}")
        print(schedule.get_last_lr()[0], optimizer.param_groups[0]["lr"])
    return losses


@no_grad()
def accuracy(net: Net, loader: data.DataLoader) -> float:
    net.eval()
    right = [int((net(x).argmax(1) == y).sum()) for x, y in loader]
    return sum(right) / len(right)


def arithmetic(rng: np.random.Generator) -> Tensor:
    a = Tensor(rng.standard_normal((4, 3)), requires_grad=True, dtype=np.float32)
    b = 2 * a + a / 3 - 1.0 + a**2 @ Tensor(np.eye(3, dtype=np.float32))
    b += 0.5
    mask = (b > 0) & (b < 2)
    values, indices = b.topk(2, dim=1)
    largest = b.max(dim=1)
    rows, columns = b.shape
    count: int = b.numel() + len(b) + b.ndim + rows + columns + int(mask.sum())
    joined = functional.concatenate([values, largest.values.unsqueeze(1), b[:, :1]], 1)
    y = functional.where(mask, b, 0.0).sum(dim=(0, 1)) / count + joined.reshape(-1).mean() + joined.view(-1, 1).std()
    y.backward()
    if a.grad is not None:
        print(a.grad.abs().max().item(), a.grad.numpy().std(), a.data.dtype, a.dtype == np.float32, indices.tolist())
    with no_grad():
        a -= 0.1
        a.zero_()
    return -abs(y).clamp(min=0.0, max=1.0).detach().to(np.float64)


def parameters(net: Net) -> int:
    for name, parameter in net.named_parameters():
        if name.endswith("bias"):
            nn.init.constant_(parameter, 0.0)
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias) if hasattr(nn.init, "zeros_") else nn.init.constant_(module.bias, 0)
    nn.init.normal_(net.head.weight, std=0.01)
    print(net.stem[0].weight.shape, net.head.bias.numel(), net.blocks[1].conv1.kernel_size)
    return sum(p.numel() for p in net.parameters() if p.requires_grad)


def main(folder: Path) -> None:
    minialex.manual_seed(0)
    minialex.use_backend("numpy")
    print(minialex.tensor([1.0, 2.0]).shape, minialex.relu(minialex.randn(2, 3)).mean().item(), minialex.zeros(3).sum())
    net = Net().to(np.float32).train()
    dataset = Squares(100)
    kept, held = data.random_split(dataset, [0.9, 0.1], generator=minialex.Generator(1))
    loader = data.DataLoader(kept, batch_size=8, shuffle=True, num_workers=2)
    arrays = data.DataLoader(data.TensorDataset(Tensor(np.zeros((4, 2))), np.arange(4)), 2)
    dicts: data.DataLoader[dict[str, Tensor]] = data.DataLoader([{"x": 1.0}, {"x": 2.0}], 2)
    print([batch["x"].shape for batch in dicts], [y.dtype for _, y in arrays])
    groups = [{"params": net.stem.parameters(), "lr": 0.01}, {"params": [net.scale], "weight_decay": 0.0}]
    optimizer = optim.SGD(groups, lr=0.1, momentum=0.9, weight_decay=5e-4)
    schedule = optim.SequentialLR(
        optimizer, [optim.LinearLR(optimizer, 0.1, total_iters=2), optim.CosineAnnealingLR(optimizer, 10)], [2]
    )
    losses = train(net, loader, optimizer, schedule)
    best = max(losses + [accuracy(net, data.DataLoader(held, 10))])

    state = net.state_dict()
    np.savez(folder / "weights.npz", allow_pickle=False, **state)
    with np.load(folder / "weights.npz") as saved:
        net.load_state_dict(dict(saved))
    optimizer.load_state_dict(optimizer.state_dict())

    handle = net.head.register_forward_hook(lambda module, inputs, output: print(output.shape))
    print(net(Tensor(np.zeros((1, 3, 32, 32), np.float32)), features=True), best)
    handle.remove()

    splits = data.load("shapes", train_count=100, validation=20, test_count=20)
    normalize = data.Normalize.channels(splits.train)
    batches = data.Loader(splits.train, 10, [normalize, data.RandomHorizontalFlip()], shuffle=True, seed=1)
    for images, labels in batches:
        print(images.shape, int(labels[0]))
    model = models.build("shapes_net", num_classes=len(splits.train.classes))
    print(model.conv1.weight.shape)
    adam = optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.99))
    trainer = Trainer(model, adam, optim.StepLR(adam, 2), batches)
    while trainer.epoch < 2:
        for step in trainer.steps():
            print(step)
        print(trainer.finish_epoch(batches.epoch())["val_loss"])
    result = evaluation.validate(model, batches.epoch())
    print(result.top1_error, result.logits.argmax(1))
    plotting.curves(trainer.history, folder / "curves.png")
    plotting.confusion(result.labels, result.logits.argmax(1), splits.train.classes, folder / "confusion.png")
    plotting.filters(next(model.parameters()).numpy(), folder / "filters.png")
    print(checkpoint.load(folder / "run" / "best.npz").classes, arithmetic(np.random.default_rng(0)), parameters(net))


if __name__ == "__main__":
    main(Path("."))
