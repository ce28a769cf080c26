"""A convolutional network for small images: DataLoader, dropout, a step schedule, a test after every epoch."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, TensorDataset, random_split


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, kernel_size=3)
        self.conv2 = nn.Conv2d(6, 8, kernel_size=3)
        self.dropout1 = nn.Dropout(0.25)
        self.dropout2 = nn.Dropout(0.5)
        self.fc1 = nn.Linear(8 * 4 * 4, 32)
        self.fc2 = nn.Linear(32, 10)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = F.max_pool2d(x, 2)
        x = self.dropout1(x)
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        x = self.dropout2(x)
        return F.log_softmax(self.fc2(x), dim=1)


def digits(count, size=12):
    """Noisy images of ten classes; a bright row and a bright column tell which."""
    labels = torch.arange(count) % 10
    images = 0.3 * torch.randn(count, 1, size, size)
    for label in range(10):
        images[labels == label, 0, label + 1] += 1.0
        images[labels == label, 0, :, 10 - label] += 1.0
    return TensorDataset(images, labels)


def train_epoch(model, device, loader, optimizer):
    model.train()
    losses = []
    for data, target in loader:
        data, target = data.to(device), target.to(device)
        optimizer.zero_grad()
        loss = F.nll_loss(model(data), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test(model, device, loader):
    model.eval()
    test_loss, correct = 0, 0
    with torch.no_grad():
        for data, target in loader:
            data, target = data.to(device), target.to(device)
            output = model(data)
            test_loss += F.nll_loss(output, target, reduction="sum").item()
            pred = output.argmax(dim=1, keepdim=True)
            correct += pred.eq(target.view_as(pred)).sum().item()
    return test_loss / len(loader.dataset), correct / len(loader.dataset)


def build():
    return Net()


def train(model, epochs=2):
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = model.to(device)
    train_set, test_set = random_split(digits(200), [160, 40])
    train_loader = DataLoader(train_set, batch_size=16, shuffle=True, num_workers=0, pin_memory=True)
    test_loader = DataLoader(test_set, batch_size=20)
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scheduler = StepLR(optimizer, step_size=1, gamma=0.7)
    losses, results = [], []
    for epoch in range(1, epochs + 1):
        losses += train_epoch(model, device, train_loader, optimizer)
        test_loss, accuracy = test(model, device, test_loader)
        print(f"epoch {epoch}: test loss {test_loss:.4f}, accuracy {100.0 * accuracy:.0f}%")
        results += [test_loss, accuracy]
        scheduler.step()
    return losses + results


if __name__ == "__main__":
    torch.manual_seed(1)
    train(build(), epochs=8)
