"""Plausible mistakes in A6, written without looking at its checks; see wrong_solutions.py."""

from wrong_solutions import edit, rewrite

STEPS = '''\
@whole_steps
def steps(self):
    self.model.train()
    waiting = 0
    for images, labels in self.loader.epoch(self.epoch, start_batch=self.batch):
        if waiting == 0:
            waiting = total = self._pictures_of_step()
            mean = 0.0
            self.optimizer.zero_grad()
        logits = self.model(Tensor(images))
        loss = functional.cross_entropy(logits, labels)
        loss.backward(len(labels) / total)
        mean += loss.item() * len(labels) / total
        self.running.add(loss.item(), logits.numpy(), labels)
        self.batch += 1
        waiting -= len(labels)
        if waiting == 0:
            self.optimizer.step()
            yield mean
'''


def steps(mistake, fails, *changes):
    """A short right loop with a mistake put in: pairs of a text, which must be there once, and what replaces it."""
    source = STEPS
    for old, new in changes:
        assert source.count(old) == 1, f"{mistake}: {source.count(old)} times {old!r}"
        source = source.replace(old, new)
    return rewrite(mistake, "trainer.py", "Trainer.steps", source, fails)


FRESH = (
    # ------------------------------------------------------------------------------------------ alexnet.py
    edit(
        "alexnet: conv4 without groups",
        "alexnet.py",
        '("conv4", Conv2d(384, 384, 3, padding=1, groups=2), 0.01, 1),',
        '("conv4", Conv2d(384, 384, 3, padding=1), 0.01, 1),',
        {"alexnet logits", "alexnet options", "alexnet weights"},
    ),
    edit(
        "alexnet: conv3 begins with biases of 1 like its neighbours",
        "alexnet.py",
        """("conv3", Conv2d(256, 384, 3, padding=1), 0.01, 0),  # 384 x 13 x 13
        ("relu3", ReLU()),
        ("conv4", Conv2d(384, 384, 3, padding=1, groups=2), 0.01, 1),""",
        """("conv3", Conv2d(256, 384, 3, padding=1), 0.01, 1),  # 384 x 13 x 13
        ("relu3", ReLU()),
        ("conv4", Conv2d(384, 384, 3, padding=1, groups=2), 0.01, 1),""",
        {"alexnet initial values"},
    ),
    edit(
        "alexnet: norm2 divides alpha by the window",
        "alexnet.py",
        '("norm2", norm_layer(norm, 256, paper_lrn())),',
        '("norm2", norm_layer(norm, 256, LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=2.0))),',
        {"alexnet logits"},
    ),
    edit(
        "alexnet: the last pool rounds up",
        "alexnet.py",
        '("pool5", MaxPool2d(3, 2)),',
        '("pool5", MaxPool2d(3, 2, ceil_mode=True)),',
        {"alexnet logits", "alexnet options", "alexnet maps"},
    ),
    edit(
        "alexnet: dropout always inverted",
        "alexnet.py",
        """    drop = dropout_at(dropout, inverted)
    return from_table(maps + fully_connected(maps, input_size, num_classes, drop, hidden=(0.01, 1)""",
        """    drop = dropout_at(dropout, True)
    return from_table(maps + fully_connected(maps, input_size, num_classes, drop, hidden=(0.01, 1)""",
        {"alexnet logits"},
    ),
    edit(
        "alexnet_caffe: conv2 without groups",
        "alexnet.py",
        '("conv2", Conv2d(96, 256, 5, padding=2, groups=2), 0.01, 0.1),',
        '("conv2", Conv2d(96, 256, 5, padding=2), 0.01, 0.1),',
        {"alexnet_caffe", "alexnet_caffe options"},
    ),
    edit(
        "alexnet_caffe: always 1000 classes",
        "alexnet.py",
        "fully_connected(maps, input_size, num_classes, drop, hidden=(0.005, 0.1), last=(0.01, 0))",
        "fully_connected(maps, input_size, 1000, drop, hidden=(0.005, 0.1), last=(0.01, 0))",
        {"alexnet_caffe", "alexnet_caffe options"},
    ),
    edit(
        "alexnet_caffe: fc6 and fc7 begin with the std of all other layers",
        "alexnet.py",
        "hidden=(0.005, 0.1)",
        "hidden=(0.01, 0.1)",
        {"alexnet_caffe initial values"},
    ),
    edit(
        "alexnet_caffe: norm1 is there whatever `norm` says",
        "alexnet.py",
        '("norm1", norm_layer(norm, 96, lrn())),',
        '("norm1", lrn()),',
        {"alexnet_caffe options"},
    ),
    # ------------------------------------------------------------------------------------------ transforms.py
    edit(
        "RandomCrop: the edge repeated in the padding",
        "transforms.py",
        "images = np.pad(images, ((0, 0), (0, 0), sides, sides))",
        'images = np.pad(images, ((0, 0), (0, 0), sides, sides), mode="edge")',
        {"RandomCrop padding"},
    ),
    rewrite(
        "RandomCrop: positions in the image without its padding",
        "transforms.py",
        "RandomCrop.__call__",
        '''\
def __call__(self, images, words):
    p, size = self.padding, self.size
    height, width = images.shape[2:]
    _check_fits(size, height + 2 * p, width + 2 * p)
    padded = np.pad(images, ((0, 0), (0, 0), (p, p), (p, p)))
    tops = _below(words[:, 0], max(1, height - size + 1))
    lefts = _below(words[:, 1], max(1, width - size + 1))
    return np.stack([x[:, i : i + size, j : j + size] for x, i, j in zip(padded, tops, lefts)])
''',
        {"RandomCrop padding"},
    ),
    rewrite(
        "RandomCrop: a crop larger than the image is no ValueError",
        "transforms.py",
        "RandomCrop.__call__",
        '''\
def __call__(self, images, words):
    p, size = self.padding, self.size
    if p:
        images = np.pad(images, ((0, 0), (0, 0), (p, p), (p, p)))
    tops = _below(words[:, 0], max(0, images.shape[2] - size) + 1)
    lefts = _below(words[:, 1], max(0, images.shape[3] - size) + 1)
    return np.stack([x[:, i : i + size, j : j + size] for x, i, j in zip(images, tops, lefts)])
''',
        {"RandomCrop range"},
    ),
    edit(
        "RandomHorizontalFlip: half of the images, whatever p",
        "transforms.py",
        "flipped = words[:, 0] < round(self.p * 2**32)",
        "flipped = words[:, 0] < 2**31",
        {"RandomHorizontalFlip chances"},
    ),
    rewrite(
        "RandomHorizontalFlip: flips the images where they are",
        "transforms.py",
        "RandomHorizontalFlip.__call__",
        '''\
def __call__(self, images, words):
    flipped = words[:, 0] < round(self.p * 2**32)
    images[flipped] = images[flipped][..., ::-1]
    return images
''',
        {"RandomHorizontalFlip", "RandomHorizontalFlip chances"},
    ),
    # ------------------------------------------------------------------------------------------ color.py
    rewrite(
        "ColorNoise: adds the colour to the images it was given",
        "color.py",
        "ColorNoise.__call__",
        '''\
def __call__(self, images, words):
    colors = normals(words)[:, : len(self.axes)] @ self.axes.T
    images += colors.astype(np.float32)[:, :, None, None]
    if self.by == "std":
        images /= np.float32(1 + self.coefficient)
    return images
''',
        {"ColorNoise", "ColorNoise by std", "ColorNoise scales"},
    ),
    edit(
        "ColorNoise: each axis divided by a colour's std, not each colour",
        "color.py",
        "np.reshape(std, (-1, 1))",
        "np.reshape(std, (1, -1))",
        {"ColorNoise by std"},
    ),
    edit(
        "ColorNoise: one colour for the whole batch",
        "color.py",
        "colors = normals(words)[:, : len(self.axes)] @ self.axes.T",
        "colors = normals(words[:1])[:, : len(self.axes)] @ self.axes.T",
        {"ColorNoise", "ColorNoise by std", "ColorNoise scales"},
    ),
    edit(
        "ColorNoise: float64",
        "color.py",
        "noisy = images + colors.astype(np.float32)[:, :, None, None]",
        "noisy = images + colors[:, :, None, None]",
        {"ColorNoise", "ColorNoise by std", "ColorNoise scales"},
    ),
    # ------------------------------------------------------------------------------------------ pipeline.py
    edit(
        "views: red and blue never exchanged",
        "pipeline.py",
        """                for transform in [*self._normalized(crop), *self._order()]:
                    view""",
        """                for transform in self._normalized(crop):
                    view""",
        {"views mean picture"},
    ),
    edit(
        "views: ten for every count but 1",
        "pipeline.py",
        """        if count not in (1, 10):
            raise ValueError(f"views must be 1, the centre crop, or 10, got {count}")
        crops: list = [CenterCrop(self.input_size)]
        if count == 10:""",
        """        crops: list = [CenterCrop(self.input_size)]
        count = 1 if count == 1 else 10
        if count == 10:""",
        {"views centre"},
    ),
    edit(
        "views: the left corners before the right ones",
        "pipeline.py",
        "for bottom in (0, 1) for right in (0, 1)]",
        "for right in (0, 1) for bottom in (0, 1)]",
        {"views", "views mean picture"},
    ),
    # ------------------------------------------------------------------------------------------ trainer.py
    steps(
        "steps: every batch weighs the same",
        {"steps accumulate", "steps books", "steps resumed"},
        ("loss.backward(len(labels) / total)", "loss.backward(1 / self.accumulate)"),
        ("mean += loss.item() * len(labels) / total", "mean += loss.item() / self.accumulate"),
    ),
    steps(
        "steps: the last batches of an epoch are lost where they are fewer than `accumulate`",
        {"steps accumulate", "steps resumed"},
        ("waiting = total =", "total ="),
        ("waiting -= len(labels)\n", "waiting = (waiting + 1) % self.accumulate\n"),
    ),
    steps(
        "steps: only the last batch of a step is in the metrics",
        {"steps books"},
        ("        self.running.add(loss.item(), logits.numpy(), labels)\n", ""),
        ("yield mean\n", "self.running.add(mean, logits.numpy(), labels)\n            yield mean\n"),
    ),
    steps(
        "steps: the batch is counted after the loss has been yielded",
        {"steps books"},
        ("        self.batch += 1\n", "        done = -(-(total - waiting + len(labels)) // self.loader.batch_size)\n"),
        ("            yield mean\n", "            yield mean\n            self.batch += done\n"),
    ),
)
