"""Weight decay of weights alone: biases and normalisation have a parameter group without it."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Block(nn.Module):
    def __init__(self, width, dropout=0.1):
        super().__init__()
        self.norm = nn.BatchNorm2d(width)
        self.conv = nn.Conv2d(width, width, 3, padding=1, groups=2)
        self.act = nn.GELU()
        self.drop = nn.Dropout(dropout)

    def forward(self, x):
        return x + self.drop(self.act(self.conv(self.norm(x))))


class Net(nn.Module):
    def __init__(self, width=8, depth=2, num_classes=5):
        super().__init__()
        self.stem = nn.Conv2d(3, width, kernel_size=2, stride=2)
        self.blocks = nn.ModuleList([Block(width) for _ in range(depth)])
        self.head = nn.Linear(width, num_classes)
        self.apply(self._init_weights)

    def _init_weights(self, module):
        if isinstance(module, (nn.Linear, nn.Conv2d)):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean(dim=(-2, -1)))


def configure_optimizer(model, weight_decay, learning_rate):
    decay, no_decay = [], []
    for name, param in model.named_parameters():
        if not param.requires_grad:
            continue
        if param.ndim == 1 or name.endswith(".bias"):
            no_decay.append(param)
        else:
            decay.append(param)
    groups = [{"params": decay, "weight_decay": weight_decay}, {"params": no_decay, "weight_decay": 0.0}]
    print(f"{sum(p.numel() for p in decay):,} numbers with weight decay, {sum(p.numel() for p in no_decay):,} without")
    return torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.95))


def build():
    return Net()


def train(model, steps=20):
    optimizer = configure_optimizer(model, weight_decay=0.1, learning_rate=1e-2)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps, eta_min=1e-4)
    x, y = torch.randn(steps, 8, 3, 8, 8), torch.randint(5, (steps, 8))
    x += y[:, :, None, None, None] / 2 - 1
    losses = []
    model.train()
    for step in range(steps):
        logits = model(x[step])
        loss = F.cross_entropy(logits, y[step], label_smoothing=0.1)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    return losses + [group["lr"] for group in optimizer.param_groups]


if __name__ == "__main__":
    torch.manual_seed(0)
    losses = train(build(), steps=100)
    print(losses[0], losses[-3])
