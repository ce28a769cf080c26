"""Grad-CAM: where in the image a class is seen, from a layer's activations and gradients, caught by hooks."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class GradCAM:
    def __init__(self, model, target_layer):
        self.model = model
        self.activations = None
        self.gradients = None
        self.handles = [
            target_layer.register_forward_hook(self._save_activations),
            target_layer.register_full_backward_hook(self._save_gradients),
        ]

    def _save_activations(self, module, input, output):
        self.activations = output.detach()

    def _save_gradients(self, module, grad_input, grad_output):
        self.gradients = grad_output[0].detach()

    def __call__(self, x, class_idx=None):
        logits = self.model(x)
        if class_idx is None:
            class_idx = logits.argmax(dim=1)
        self.model.zero_grad()
        score = logits.gather(1, class_idx.view(-1, 1)).sum()
        score.backward()
        weights = self.gradients.mean(dim=(2, 3), keepdim=True)
        cam = F.relu((weights * self.activations).sum(dim=1, keepdim=True))
        cam = F.interpolate(cam, size=x.shape[2:], mode="bilinear", align_corners=False)
        cam -= cam.amin(dim=(2, 3), keepdim=True)
        cam /= cam.amax(dim=(2, 3), keepdim=True) + 1e-8
        return cam.squeeze(1), class_idx

    def remove(self):
        for handle in self.handles:
            handle.remove()


def build():
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 2),
    )


def spots(count):
    """A bright square in a noisy image, large in class 1."""
    images = 0.2 * torch.rand(count, 1, 12, 12)
    labels = torch.arange(count) % 2
    for i in range(count):
        size, row, column = 2 + 2 * int(labels[i]), i % 8, (3 * i) % 8
        images[i, :, row : row + size, column : column + size] = 1
    return images, labels


def train(model, steps=20):
    images, labels = spots(16)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
    losses = []
    for _ in range(steps):
        loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

    model.eval()
    cam = GradCAM(model, model[3])
    heatmaps, classes = cam(images[:3])
    cam.remove()
    assert heatmaps.shape == (3, 12, 12)
    with torch.no_grad():
        model(images)  # without hooks now
    return losses + classes.tolist() + heatmaps.flatten().tolist()


if __name__ == "__main__":
    torch.manual_seed(0)
    print(train(build(), steps=100)[:100])
