"""Gradient descent by hand: no optimiser, the weights are changed under no_grad."""

import math

import torch
import torch.nn as nn


class Net(nn.Module):
    def __init__(self, hidden=16):
        super().__init__()
        self.w1 = nn.Parameter(torch.randn(1, hidden))
        self.b1 = nn.Parameter(torch.zeros(hidden))
        self.w2 = nn.Parameter(torch.randn(hidden, 1) / math.sqrt(hidden))
        self.b2 = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        h = torch.tanh(x.mm(self.w1) + self.b1)
        return h @ self.w2 + self.b2


def build():
    return Net()


def train(model, steps=20, learning_rate=1e-2, momentum=0.9):
    x = torch.linspace(-math.pi, math.pi, 64).unsqueeze(1)
    y = torch.sin(x)
    velocity = [torch.zeros_like(p) for p in model.parameters()]
    scale = torch.tensor(1.0, requires_grad=True)  # learned, too, and by another way of writing
    losses = []
    for _ in range(steps):
        y_pred = scale * model(x)
        loss = (y_pred - y).pow(2).mean()
        losses.append(loss.item())

        loss.backward()
        with torch.no_grad():
            for v, p in zip(velocity, model.parameters()):
                v.mul_(momentum).add_(p.grad)
                p -= learning_rate * v
            scale -= learning_rate * scale.grad
        model.zero_grad()
        scale.grad.zero_()
    return losses + [scale.item()]


if __name__ == "__main__":
    torch.manual_seed(0)
    losses = train(build(), steps=500)
    print(losses[0], losses[-2])
