"""What a training step costs: launches, copies, bytes, and what the host waits for."""

import collections
import json

import numpy as np
import sitecustomize as fake

from minialex import Tensor, backends, data, functional, models, nn, random
from minialex.training import trainer
from minialex.training.recipe import make_optimizer

NAMES = "sync:stream", "sync:device", "sync:event", "sync:copy D2H", "copies:D2H", "bytes:H2D", "launches"
backend = backends.use_backend("cupy")
random.manual_seed(0)
model = models.build("shapes_net")
optimizer = make_optimizer(model, models.PRESETS["shapes_net"].recipe)
draw = np.random.default_rng(0)
images = Tensor(draw.standard_normal((8, 3, 32, 32), np.float32))


def counted(act):
    """What the fake counts while act() runs."""
    fake.reset()
    act()
    return fake.counters()


def step():
    """As in any loop; the loss is not read."""
    optimizer.zero_grad()
    functional.cross_entropy(model(images), labels).backward()
    optimizer.step()


labels = draw.integers(0, 10, 8)
step()  # compiles or loads the kernels
step()  # CuPy's pool has blocks of every size
found = {"step": counted(step)}
nn.utils.clip_grad_norm_(model.parameters(), 1.0)  # compiles its kernels
found["clip"] = counted(lambda: nn.utils.clip_grad_norm_(model.parameters(), 1.0))

pictures = data.load("shapes", limit=8 * 45).train
loader = data.Loader(pictures, 8, [data.Normalize.channels(pictures)], shuffle=True, seed=0)
run = trainer.Trainer(model, optimizer, None, loader)
fake.reset()
before, batches = collections.Counter(), []
for _ in run.steps():
    now = collections.Counter(fake.counters())
    batches.append({name: now[name] - before[name] for name in NAMES})
    before = now
found["batches"] = batches
found["end"] = counted(run.finish_epoch)
found["sync_every"] = backend.sync_every
print(json.dumps(found))
