"""Gradients of several small batches add up to that of a large one, and are clipped, before each step."""

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


def build():
    return nn.Sequential(nn.Linear(10, 24), nn.GELU(), nn.Linear(24, 24), nn.SiLU(), nn.Linear(24, 1))


def regression(count):
    x = torch.randn(count, 10)
    y = x[:, 0] * x[:, 1] + 3.0 * (x[:, 2] > 0).float() - x[:, 3:5].abs().sum(dim=1)
    return TensorDataset(x, y)


def train(model, epochs=1, accumulation_steps=4, max_norm=0.5):
    loader = DataLoader(regression(320), batch_size=4, shuffle=True)
    criterion = nn.MSELoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, betas=(0.9, 0.99))
    losses, norms = [], []
    for _ in range(epochs):
        running = 0.0
        optimizer.zero_grad()
        for i, (inputs, targets) in enumerate(loader):
            loss = criterion(model(inputs).squeeze(-1), targets) / accumulation_steps
            loss.backward()
            running += loss.item()
            if (i + 1) % accumulation_steps == 0 or i + 1 == len(loader):
                norm = nn.utils.clip_grad_norm_(model.parameters(), max_norm=max_norm)
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                losses.append(running)
                norms.append(float(norm))
                running = 0.0
    return losses + norms


if __name__ == "__main__":
    torch.manual_seed(0)
    history = train(build(), epochs=5)
    print(history[0], history[len(history) // 2 - 1])
