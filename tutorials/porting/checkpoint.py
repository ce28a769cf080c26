"""Saving model, optimiser and scheduler, and going on from the file as if nothing had happened."""

import os
import tempfile

import torch
from torch import nn, optim


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, bias=False)
        self.bn = nn.BatchNorm2d(6)
        self.pool = nn.MaxPool2d(2, 2)
        self.fc = nn.Linear(6 * 3 * 3, 4)
        self.register_buffer("scale", torch.ones(1))

    def forward(self, x):
        x = self.pool(torch.relu(self.bn(self.conv(x))))
        x = torch.flatten(x, start_dim=1)
        return self.fc(x) * self.scale


def build():
    return Net()


def make_optimizer(model):
    optimizer = optim.Adam(model.parameters(), lr=0.01, weight_decay=1e-4)
    scheduler = optim.lr_scheduler.MultiStepLR(optimizer, milestones=[5, 15], gamma=0.5)
    return optimizer, scheduler


def save_checkpoint(path, epoch, model, optimizer, scheduler, loss):
    torch.save(
        {
            "epoch": epoch,
            "model_state_dict": model.state_dict(),
            "optimizer_state_dict": optimizer.state_dict(),
            "scheduler_state_dict": scheduler.state_dict(),
            "loss": loss,
        },
        path,
    )


def load_checkpoint(path, model, optimizer, scheduler):
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(checkpoint["model_state_dict"])
    optimizer.load_state_dict(checkpoint["optimizer_state_dict"])
    scheduler.load_state_dict(checkpoint["scheduler_state_dict"])
    return checkpoint["epoch"] + 1, checkpoint["loss"]


def run_epochs(epochs, model, optimizer, scheduler, x, y):
    criterion = nn.CrossEntropyLoss()
    losses = []
    for epoch in epochs:
        optimizer.zero_grad()
        loss = criterion(model(x[epoch]), y[epoch])
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    return losses


def train(model, epochs=20):
    x, y = torch.randn(epochs, 10, 3, 8, 8), torch.randint(0, 4, (epochs, 10))
    optimizer, scheduler = make_optimizer(model)
    half = epochs // 2
    losses = run_epochs(range(half), model, optimizer, scheduler, x, y)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "checkpoint.pt")
        save_checkpoint(path, half - 1, model, optimizer, scheduler, losses[-1])

        resumed = build()
        optimizer, scheduler = make_optimizer(resumed)
        start, loss = load_checkpoint(path, resumed, optimizer, scheduler)
    assert (start, loss) == (half, losses[-1])
    losses += run_epochs(range(start, epochs), resumed, optimizer, scheduler, x, y)
    model.load_state_dict(resumed.state_dict())
    return losses + [scheduler.get_last_lr()[0], float(resumed.bn.num_batches_tracked)]


if __name__ == "__main__":
    torch.manual_seed(0)
    print(train(build()))
