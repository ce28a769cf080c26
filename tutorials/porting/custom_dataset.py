"""Samples of different sizes: a Dataset and a collate_fn of one's own, padding and a mask."""

import random

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset


class PointClouds(Dataset):
    """Sets of 3 to 9 points, on a circle (1) or anywhere (0)."""

    def __init__(self, count, transform=None):
        self.transform = transform
        self.samples = []
        rng = random.Random(0)
        for index in range(count):
            label = index % 2
            points = []
            for _ in range(rng.randint(3, 9)):
                x, y = rng.gauss(0, 1), rng.gauss(0, 1)
                norm = (x * x + y * y) ** 0.5
                points.append([x / norm, y / norm] if label else [x, y])
            self.samples.append((points, label))

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, idx):
        if torch.is_tensor(idx):
            idx = idx.tolist()
        points, label = self.samples[idx]
        points = torch.tensor(points, dtype=torch.float32)
        if self.transform:
            points = self.transform(points)
        return {"points": points, "label": label}


def centre(points):
    return points - points.mean(dim=0, keepdim=True)


def pad_collate(batch):
    lengths = torch.tensor([len(sample["points"]) for sample in batch])
    padded = torch.zeros(len(batch), int(lengths.max()), 2)
    for i, sample in enumerate(batch):
        padded[i, : lengths[i]] = sample["points"]
    mask = torch.arange(padded.size(1))[None, :] < lengths[:, None]
    labels = torch.tensor([sample["label"] for sample in batch], dtype=torch.float32)
    return padded, mask, labels


class PointNet(nn.Module):
    def __init__(self, hidden=16):
        super().__init__()
        self.point = nn.Sequential(nn.Linear(2, hidden), nn.ReLU(), nn.Linear(hidden, hidden))
        self.head = nn.Sequential(nn.Linear(2 * hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, points, mask):
        features = self.point(points)
        mask = mask.unsqueeze(-1)
        largest = features.masked_fill(~mask, float("-inf")).max(dim=1).values
        average = (features * mask).sum(dim=1) / mask.sum(dim=1)
        return self.head(torch.cat([largest, average], dim=-1)).squeeze(-1)


def build():
    return PointNet()


def train(model, epochs=2):
    loader = DataLoader(PointClouds(80, transform=centre), batch_size=8, shuffle=True, collate_fn=pad_collate)
    criterion = nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(epochs):
        correct = 0
        for points, mask, labels in loader:
            logits = model(points, mask)
            loss = criterion(logits, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            correct += ((torch.sigmoid(logits) > 0.5) == labels.bool()).sum().item()
        print(f"loss {losses[-1]:.3f}, accuracy {correct / len(loader.dataset):.2f}")
        losses.append(correct / len(loader.dataset))
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    train(build(), epochs=20)
