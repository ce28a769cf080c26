"""Training through backend.upload with the streams' work done in every order: the bits of the weights in each.

Every epoch is an upload of its own, and nothing waits for the GPU between two of them: the next one's arrays take
memory that work which is still queued reads.
"""

import hashlib
import json

import numpy as np
import sitecustomize as fake

from minialex import Tensor, backends, functional, nn, optim, random

backend = backends.use_backend("cupy")


def train(order):
    """A hash of the weights after three epochs of four batches."""
    fake.set_order(order)
    random.manual_seed(0)
    layers = nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 64, 5)
    model = nn.Sequential(*layers)
    optimizer, draw = optim.SGD(model.parameters(), lr=0.05, momentum=0.9), np.random.default_rng(1)
    batches = [(draw.standard_normal((8, 3, 16, 16), np.float32), draw.integers(0, 5, 8)) for _ in range(4)]
    for _ in range(3):
        for images, labels in backend.upload(iter(batches)):
            loss = functional.cross_entropy(model(Tensor(images * np.float32(0.5))), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    weights = [p.numpy() for p in model.parameters()]
    assert all(np.isfinite(w).all() for w in weights), f"in order {order} a weight is NaN"
    return hashlib.sha256(b"".join(w.tobytes() for w in weights)).hexdigest()


def leave(order):
    """Whether arrays that are made after a loop was left keep their values."""
    fake.set_order(order)
    for _ in backend.upload((np.full((8, 3, 16, 16), -1, np.float32), 0) for _ in range(4)):
        break
    arrays = [backend.xp.full((8, 3, 16, 16), k, np.float32) for k in range(6)]
    backend.xp.cuda.runtime.deviceSynchronize()
    return all(bool((a == k).all()) for k, a in enumerate(arrays))


ORDERS = range(4)
print(json.dumps({"weights": [train(order) for order in ORDERS], "left": [leave(order) for order in ORDERS]}))
