"""A small residual network under OneCycleLR: the learning rate rises and falls once, a step a batch."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim


class BasicBlock(nn.Module):
    expansion = 1

    def __init__(self, in_planes, planes, stride=1):
        super(BasicBlock, self).__init__()
        self.conv1 = nn.Conv2d(in_planes, planes, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, kernel_size=3, stride=1, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)

        self.shortcut = nn.Sequential()
        if stride != 1 or in_planes != self.expansion * planes:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_planes, self.expansion * planes, kernel_size=1, stride=stride, bias=False),
                nn.BatchNorm2d(self.expansion * planes),
            )

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += self.shortcut(x)
        out = F.relu(out)
        return out


class ResNet(nn.Module):
    def __init__(self, num_blocks, num_classes=4):
        super(ResNet, self).__init__()
        self.in_planes = 4
        self.conv1 = nn.Conv2d(3, 4, kernel_size=3, stride=1, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.layer1 = self._make_layer(4, num_blocks[0], stride=1)
        self.layer2 = self._make_layer(8, num_blocks[1], stride=2)
        self.linear = nn.Linear(8 * BasicBlock.expansion, num_classes)

    def _make_layer(self, planes, num_blocks, stride):
        strides = [stride] + [1] * (num_blocks - 1)
        layers = []
        for stride in strides:
            layers.append(BasicBlock(self.in_planes, planes, stride))
            self.in_planes = planes * BasicBlock.expansion
        return nn.Sequential(*layers)

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.layer1(out)
        out = self.layer2(out)
        out = F.avg_pool2d(out, 4)
        out = out.view(out.size(0), -1)
        out = self.linear(out)
        return out


def build():
    return ResNet([1, 1])


def train(model, epochs=2, steps_per_epoch=10):
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4, nesterov=True)
    scheduler = optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.2, epochs=epochs, steps_per_epoch=steps_per_epoch, pct_start=0.3
    )
    inputs = torch.randn(steps_per_epoch, 8, 3, 8, 8)
    targets = torch.randint(0, 4, (steps_per_epoch, 8))
    inputs[..., 0] = inputs[..., 0] + targets.float().view(steps_per_epoch, 8, 1, 1)
    losses, rates, train_loss, correct, total = [], [], 0, 0, 0
    for epoch in range(epochs):
        model.train()
        for batch_idx in range(steps_per_epoch):
            outputs = model(inputs[batch_idx])
            loss = criterion(outputs, targets[batch_idx])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            rates.append(scheduler.get_last_lr()[0])
            scheduler.step()

            train_loss += loss.item()
            _, predicted = outputs.max(1)
            total += targets[batch_idx].size(0)
            correct += predicted.eq(targets[batch_idx]).sum().item()
            losses.append(loss.item())
        print("epoch %d: loss %.3f | acc %.1f%% (%d/%d)" % (epoch, train_loss, 100.0 * correct / total, correct, total))
    return losses + rates + [optimizer.param_groups[0]["momentum"]]


if __name__ == "__main__":
    torch.manual_seed(0)
    train(build(), epochs=4)
