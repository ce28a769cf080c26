"""Right solutions of A6 in ten styles: for each all eight functions."""

from right_solutions import imports, right
from wrong_solutions import rewrite

PLACES = {
    "alexnet": ("alexnet.py", "alexnet"),
    "alexnet_caffe": ("alexnet.py", "alexnet_caffe"),
    "crop": ("transforms.py", "RandomCrop.__call__"),
    "flip": ("transforms.py", "RandomHorizontalFlip.__call__"),
    "noise_init": ("color.py", "ColorNoise.__init__"),
    "noise": ("color.py", "ColorNoise.__call__"),
    "views": ("pipeline.py", "Pipeline.views"),
    "steps": ("trainer.py", "Trainer.steps"),
}


def style(name, added=None, **sources):
    """All eight functions, each with the source given for it; added: {file: imports}."""
    assert set(sources) == set(PLACES), name
    new = [rewrite(each, *PLACES[each], source.lstrip("\n"), set()) for each, source in sources.items()]
    return right(name, *(imports(file, lines) for file, lines in (added or {}).items()), *new)


RIGHT = (
    style(
        "tables of numbers, and loops over images",
        alexnet="""
def alexnet(num_classes=1000, input_size=227, *, norm="lrn", dropout="after", inverted=False):
    numbers = [(96, 11, 4, 0, 1, 0), (256, 5, 1, 2, 2, 1)]
    numbers += [(384, 3, 1, 1, 1, 0), (384, 3, 1, 1, 2, 1), (256, 3, 1, 1, 2, 1)]
    rows, channels = [], 3
    for i, (filters, kernel, stride, padding, groups, bias) in enumerate(numbers, 1):
        layer = Conv2d(channels, filters, kernel, stride=stride, padding=padding, groups=groups)
        rows.append((f"conv{i}", layer, 0.01, bias))
        rows.append((f"relu{i}", ReLU()))
        if i <= 2:
            rows.append((f"norm{i}", norm_layer(norm, filters, paper_lrn())))
        if i in (1, 2, 5):
            rows.append((f"pool{i}", MaxPool2d(3, 2)))
        channels = filters
    drop = dropout_at(dropout, inverted)
    rows += fully_connected(rows, input_size, num_classes, drop, hidden=(0.01, 1), last=(0.01, 0))
    return from_table(rows)
""",
        alexnet_caffe="""
def alexnet_caffe(num_classes=1000, input_size=227, *, norm="lrn", dropout="after", inverted=True):
    rows = []
    for i, inputs, filters, kernel, stride, padding, groups, bias in (
        (1, 3, 96, 11, 4, 0, 1, 0),
        (2, 96, 256, 5, 1, 2, 2, 0.1),
        (3, 256, 384, 3, 1, 1, 1, 0),
        (4, 384, 384, 3, 1, 1, 2, 0.1),
        (5, 384, 256, 3, 1, 1, 2, 0.1),
    ):
        rows += [(f"conv{i}", Conv2d(inputs, filters, kernel, stride, padding, groups=groups), 0.01, bias)]
        rows += [(f"relu{i}", ReLU())]
        if i < 3:
            rows += [(f"norm{i}", norm_layer(norm, filters, LocalResponseNorm(5)))]
        if i != 3 and i != 4:
            rows += [(f"pool{i}", MaxPool2d(3, 2, ceil_mode=True))]
    drop = dropout_at(dropout, inverted)
    rows += fully_connected(rows, input_size, num_classes, drop, hidden=(0.005, 0.1), last=(0.01, 0))
    return from_table(rows)
""",
        crop="""
def __call__(self, images, words):
    n, channels, height, width = images.shape
    p, size = self.padding, self.size
    _check_fits(size, height + 2 * p, width + 2 * p)
    canvas = np.zeros((n, channels, height + 2 * p, width + 2 * p), images.dtype)
    canvas[:, :, p : p + height, p : p + width] = images
    out = np.empty((n, channels, size, size), images.dtype)
    for i in range(n):
        top = int(words[i, 0]) * (height + 2 * p - size + 1) >> 32
        left = int(words[i, 1]) * (width + 2 * p - size + 1) >> 32
        for row in range(size):
            out[i, :, row] = canvas[i, :, top + row, left : left + size]
    return out
""",
        flip="""
def __call__(self, images, words):
    out = images.copy()
    for i in range(len(images)):
        if int(words[i][0]) < round(self.p * 2**32):
            out[i] = images[i, :, :, ::-1]
    return out
""",
        noise_init="""
def __init__(self, coefficient, statistics, by="eigenvalue", std=1.0):
    self.coefficient = coefficient
    self.by = by
    channels = len(statistics.stds)
    stds = np.broadcast_to(np.ravel(std), channels)
    self.axes = np.zeros((channels, channels))
    for color in range(channels):
        for axis in range(channels):
            d = statistics.stds[axis]
            factor = 255 * (d / 255) ** 2 if by == "eigenvalue" else d
            self.axes[color, axis] = coefficient * factor * statistics.vectors[color, axis] / stds[color]
""",
        noise="""
def __call__(self, images, words):
    alpha = normals(words)
    out = np.empty(images.shape, np.float32)
    for i, image in enumerate(images):
        for c in range(len(image)):
            added = sum(alpha[i, axis] * self.axes[c, axis] for axis in range(len(self.axes)))
            out[i, c] = image[c] + np.float32(added)
            if self.by == "std":
                out[i, c] /= np.float32(1 + self.coefficient)
    return out
""",
        views="""
def views(self, images, count):
    if count != 1 and count != 10:
        raise ValueError(f"1 or 10 views, not {count}")
    size = self.input_size
    out = np.empty((count, *images.shape[:2], size, size), np.float32)
    crops = [CenterCrop(size)]
    if count == 10:
        crops = [CornerCrop(size, 0, 0), CornerCrop(size, 0, 1), CornerCrop(size, 1, 0), CornerCrop(size, 1, 1), *crops]
    for i in range(len(crops)):
        view = images
        for transform in self._normalized(crops[i]):
            view = transform(view)
        for transform in self._order():
            view = transform(view)
        out[i] = view
        if count == 10:
            out[i + 5] = view[:, :, :, ::-1]
    return out
""",
        steps="""
@whole_steps
def steps(self):
    self.model.train()
    seen = 0
    for images, labels in self.loader.epoch(self.epoch, start_batch=self.batch):
        if seen == 0:
            total = self._pictures_of_step()
            step_loss = 0.0
            self.optimizer.zero_grad()
        logits = self.model(Tensor(images))
        loss = functional.cross_entropy(logits, labels)
        loss.backward(len(labels) / total)
        self.running.add(loss.item(), logits.numpy(), labels)
        step_loss += loss.item() * len(labels) / total
        seen += len(labels)
        self.batch += 1
        if seen == total:
            seen = 0
            self.optimizer.step()
            yield step_loss
""",
    ),
    style(
        "dataclasses and fancy indexing",
        added={"alexnet.py": "import dataclasses\n", "trainer.py": "import numpy as np\n"},
        alexnet="""
@dataclasses.dataclass(frozen=True)
class _Conv:
    inputs: int
    filters: int
    kernel: int
    stride: int = 1
    padding: int = 0
    groups: int = 1
    bias: float = 0

    def row(self, name):
        layer = Conv2d(
            self.inputs, self.filters, self.kernel, stride=self.stride, padding=self.padding, groups=self.groups
        )
        return name, layer, 0.01, self.bias


def _convolutions(bias):
    return {
        "1": _Conv(3, 96, 11, stride=4),
        "2": _Conv(96, 256, 5, padding=2, groups=2, bias=bias),
        "3": _Conv(256, 384, 3, padding=1),
        "4": _Conv(384, 384, 3, padding=1, groups=2, bias=bias),
        "5": _Conv(384, 256, 3, padding=1, groups=2, bias=bias),
    }


def _maps(norm, bias, lrn, rounded_up):
    for number, conv in _convolutions(bias).items():
        yield conv.row("conv" + number)
        yield "relu" + number, ReLU()
        if number in "12":
            yield "norm" + number, norm_layer(norm, conv.filters, lrn())
        if number in "125":
            yield "pool" + number, MaxPool2d(3, 2, ceil_mode=rounded_up)


def alexnet(num_classes=1000, input_size=227, *, norm="lrn", dropout="after", inverted=False):
    maps = list(_maps(norm, 1, paper_lrn, False))
    drop = dropout_at(dropout, inverted)
    return from_table([*maps, *fully_connected(maps, input_size, num_classes, drop, (0.01, 1), (0.01, 0))])
""",
        alexnet_caffe="""
def alexnet_caffe(num_classes=1000, input_size=227, *, norm="lrn", dropout="after", inverted=True):
    maps = list(_maps(norm, 0.1, lambda: LocalResponseNorm(5, 1e-4, 0.75, 1.0, alpha_over="window"), True))
    drop = dropout_at(dropout, inverted)
    return from_table([*maps, *fully_connected(maps, input_size, num_classes, drop, (0.005, 0.1), (0.01, 0))])
""",
        crop="""
def __call__(self, images, words):
    images = np.pad(images, [(0, 0), (0, 0), (self.padding,) * 2, (self.padding,) * 2])
    n, channels, height, width = images.shape
    _check_fits(self.size, height, width)
    rows = _below(words[:, 0], height - self.size + 1)[:, None] + np.arange(self.size)
    columns = _below(words[:, 1], width - self.size + 1)[:, None] + np.arange(self.size)
    image, channel = np.arange(n)[:, None, None, None], np.arange(channels)[None, :, None, None]
    return images[image, channel, rows[:, None, :, None], columns[:, None, None, :]]
""",
        flip="""
def __call__(self, images, words):
    width = images.shape[3]
    columns = np.arange(width)
    order = np.where((words[:, 0] < round(self.p * 2**32))[:, None], columns[::-1], columns)
    return images[np.arange(len(images))[:, None], :, :, order].transpose(0, 2, 3, 1)
""",
        noise_init="""
def __init__(self, coefficient, statistics, by="eigenvalue", std=1.0):
    self.coefficient, self.by = coefficient, by
    if by == "eigenvalue":
        scale = 255 * np.square(statistics.stds / 255)
    elif by == "std":
        scale = statistics.stds
    else:
        raise KeyError(by)
    columns = statistics.vectors * scale[None, :]
    self.axes = columns * coefficient / np.asarray(std, np.float64).reshape(-1, 1)
""",
        noise="""
def __call__(self, images, words):
    channels = images.shape[1]
    alphas = normals(words)[:, np.arange(channels)]
    colors = (self.axes[None] * alphas[:, None, :]).sum(axis=2)
    shifted = images + colors.astype(np.float32)[..., None, None]
    return shifted / np.float32(1 + self.coefficient) if self.by == "std" else shifted
""",
        views="""
def views(self, images, count):
    if count not in {1, 10}:
        raise ValueError(f"count is 1 or 10, got {count}")
    size = self.input_size
    corners = [CornerCrop(size, *which) for which in ((0, 0), (0, 1), (1, 0), (1, 1))] if count == 10 else []
    shown = []
    for crop in [*corners, CenterCrop(size)]:
        view = images
        for transform in self._normalized(crop) + self._order():
            view = transform(view)
        shown.append(view)
    shown = np.stack(shown).astype(np.float32)
    return shown if count == 1 else np.concatenate([shown, shown[:, :, :, :, np.arange(size)[::-1]]])
""",
        steps="""
@whole_steps
def steps(self):
    self.model.train()
    loader, done = self.loader.epoch(self.epoch, start_batch=self.batch), False
    batches = iter(loader)
    while not done:
        group = []
        for batch in batches:
            group.append(batch)
            if len(group) == self.accumulate:
                break
        done = len(group) < self.accumulate
        if not group:
            return
        self.optimizer.zero_grad()
        sizes = np.array([len(labels) for _, labels in group])
        losses = []
        for (images, labels), weight in zip(group, sizes / sizes.sum(), strict=True):
            logits = self.model(Tensor(images))
            loss = functional.cross_entropy(logits, labels)
            loss.backward(float(weight))
            losses.append(loss.item())
            self.running.add(losses[-1], logits.numpy(), labels)
            self.batch += 1
        self.optimizer.step()
        yield float(np.average(losses, weights=sizes))
""",
    ),
    style(
        "match",
        alexnet="""
def alexnet(num_classes=1000, input_size=227, *, norm="lrn", dropout="after", inverted=False):
    def layers():
        channels = 3
        for word in "c96/11 r n p c256/5 r n p c384/3 r c384/3g r c256/3 r p".split():
            match word.partition("/"):
                case ("r", _, _):
                    yield ReLU()
                case ("n", _, _):
                    yield norm_layer(norm, channels, paper_lrn())
                case ("p", _, _):
                    yield MaxPool2d(kernel_size=3, stride=2)
                case (filters, _, "11"):
                    yield Conv2d(channels, channels := int(filters[1:]), 11, stride=4)
                case (filters, _, "5"):
                    yield Conv2d(channels, channels := int(filters[1:]), 5, padding=2, groups=2)
                case (filters, _, kernel):
                    halved = kernel.endswith("g") or filters == "c256"
                    yield Conv2d(channels, channels := int(filters[1:]), 3, padding=1, groups=1 + halved)

    names = "conv1 relu1 norm1 pool1 conv2 relu2 norm2 pool2 conv3 relu3 conv4 relu4 conv5 relu5 pool5".split()
    maps = []
    for name, layer in zip(names, layers(), strict=True):
        match name:
            case "conv1" | "conv3":
                maps.append((name, layer, 0.01, 0.0))
            case "conv2" | "conv4" | "conv5":
                maps.append((name, layer, 0.01, 1.0))
            case _:
                maps.append((name, layer))
    rows = fully_connected(maps, input_size, num_classes, dropout_at(dropout, inverted), (0.01, 1.0), (0.01, 0.0))
    return from_table(maps + rows)
""",
        alexnet_caffe="""
def alexnet_caffe(num_classes=1000, input_size=227, *, norm="lrn", dropout="after", inverted=True):
    maps, channels = [], 3
    for number, filters in enumerate((96, 256, 384, 384, 256), start=1):
        match number:
            case 1:
                row = Conv2d(channels, filters, 11, stride=4), 0.01, 0
            case 2:
                row = Conv2d(channels, filters, 5, padding=2, groups=2), 0.01, 0.1
            case 3:
                row = Conv2d(channels, filters, 3, padding=1), 0.01, 0
            case 4 | 5:
                row = Conv2d(channels, filters, 3, padding=1, groups=2), 0.01, 0.1
        maps.extend([(f"conv{number}", *row), (f"relu{number}", ReLU())])
        match number:
            case 1 | 2:
                lrn = LocalResponseNorm(5, k=1.0, beta=0.75, alpha=0.0001)
                maps.append((f"norm{number}", norm_layer(norm, filters, lrn)))
                maps.append((f"pool{number}", MaxPool2d(3, 2, ceil_mode=True)))
            case 5:
                maps.append((f"pool{number}", MaxPool2d(3, 2, ceil_mode=True)))
        channels = filters
    rows = fully_connected(maps, input_size, num_classes, dropout_at(dropout, inverted), (0.005, 0.1), (0.01, 0))
    return from_table(maps + rows)
""",
        crop="""
def __call__(self, images, words):
    match self.padding:
        case 0:
            padded = images
        case p:
            padded = np.pad(images, ((0, 0), (0, 0), (p, p), (p, p)), constant_values=0)
    *_, height, width = padded.shape
    _check_fits(self.size, height, width)
    tops, lefts = _below(words[:, 0], height - self.size + 1), _below(words[:, 1], width - self.size + 1)
    pieces = [x[:, t : t + self.size, l : l + self.size] for x, t, l in zip(padded, tops, lefts)]
    return np.array(pieces)
""",
        flip="""
def __call__(self, images, words):
    threshold, out = round(self.p * 2**32), []
    for image, (first, *_) in zip(images, words.tolist()):
        match first < threshold:
            case True:
                out.append(np.flip(image, axis=2))
            case False:
                out.append(image)
    return np.stack(out)
""",
        noise_init="""
def __init__(self, coefficient, statistics, by="eigenvalue", std=1.0):
    self.coefficient, self.by = coefficient, by
    match by:
        case "eigenvalue":
            scale = 255 * (statistics.stds / 255) ** 2
        case "std":
            scale = statistics.stds
        case _:
            raise KeyError(f"by is eigenvalue or std, got {by}")
    divided = np.diag(1 / (np.ones(len(scale)) * np.ravel(std)))
    self.axes = divided @ statistics.vectors @ np.diag(coefficient * scale)
""",
        noise="""
def __call__(self, images, words):
    c = images.shape[1]
    colors = (self.axes @ normals(words)[:, :c].T).T
    noisy = np.add(images, colors.reshape(-1, c, 1, 1), dtype=np.float64)
    match self.by:
        case "std":
            noisy = noisy / (1 + self.coefficient)
    return noisy.astype(np.float32)
""",
        views="""
def views(self, images, count):
    size = self.input_size
    match count:
        case 1:
            crops, mirrored = [CenterCrop(size)], [1]
        case 10:
            crops = [CornerCrop(size, 0, 0), CornerCrop(size, 0, 1), CornerCrop(size, 1, 0), CornerCrop(size, 1, 1)]
            crops, mirrored = [*crops, CenterCrop(size)], [1, -1]
        case _:
            raise ValueError(f"there are 1 or 10 views, not {count}")
    found = []
    for direction in mirrored:
        for crop in crops:
            first, second = self._normalized(crop)
            view = second(first(images))
            for transform in self._order():
                view = transform(view)
            found.append(view[..., ::direction])
    return np.asarray(found, np.float32)
""",
        steps="""
@whole_steps
def steps(self):
    self.model.train()
    parts = []
    for images, labels in self.loader.epoch(self.epoch, start_batch=self.batch):
        match parts:
            case []:
                total = self._pictures_of_step()
                self.optimizer.zero_grad()
        logits = self.model(Tensor(images))
        loss = functional.cross_entropy(logits, labels)
        (loss * (len(labels) / total)).backward()
        parts.append((len(labels), loss.item()))
        self.running.add(loss.item(), logits.numpy(), labels)
        self.batch += 1
        match sum(n for n, _ in parts) == total:
            case True:
                self.optimizer.step()
                yield sum(n * value for n, value in parts) / total
                parts = []
""",
    ),
    style(
        "itertools, and generators that delegate",
        added={
            "alexnet.py": "import itertools\n",
            "pipeline.py": "import itertools\n",
            "trainer.py": "import itertools\n",
            "transforms.py": "import itertools\n",
        },
        alexnet="""
def _convolution(number, filters, bias, *size, **options):
    yield f"conv{number}", Conv2d(filters[number - 1], filters[number], *size, **options), 0.01, bias
    yield f"relu{number}", ReLU()


def _all_maps(norm, bias, lrn, **rounding):
    filters = [3, 96, 256, 384, 384, 256]
    yield from _convolution(1, filters, 0, 11, stride=4)
    yield "norm1", norm_layer(norm, 96, lrn())
    yield "pool1", MaxPool2d(3, 2, **rounding)
    yield from _convolution(2, filters, bias, 5, padding=2, groups=2)
    yield "norm2", norm_layer(norm, 256, lrn())
    yield "pool2", MaxPool2d(3, 2, **rounding)
    yield from _convolution(3, filters, 0, 3, padding=1)
    yield from itertools.chain(*(_convolution(i, filters, bias, 3, padding=1, groups=2) for i in (4, 5)))
    yield "pool5", MaxPool2d(3, 2, **rounding)


def alexnet(num_classes=1000, input_size=227, *, norm="lrn", dropout="after", inverted=False):
    def table():
        maps = [*_all_maps(norm, 1, paper_lrn)]
        yield from maps
        drop = dropout_at(dropout, inverted)
        yield from fully_connected(maps, input_size, num_classes, drop, hidden=(0.01, 1), last=(0.01, 0))

    return from_table(table())
""",
        alexnet_caffe="""
def alexnet_caffe(num_classes=1000, input_size=227, *, norm="lrn", dropout="after", inverted=True):
    maps = tuple(_all_maps(norm, 0.1, lambda: LocalResponseNorm(5, k=1), ceil_mode=True))
    drop = dropout_at(dropout, inverted)
    last = fully_connected(maps, input_size, num_classes, drop, hidden=(0.005, 0.1), last=(0.01, 0))
    return from_table(itertools.chain(maps, last))
""",
        crop="""
def __call__(self, images, words):
    p = self.padding
    height, width = images.shape[2] + 2 * p, images.shape[3] + 2 * p
    _check_fits(self.size, height, width)

    def crops():
        tops, lefts = map(_below, (words[:, 0], words[:, 1]), (height - self.size + 1, width - self.size + 1))
        for image, top, left in zip(images, tops, lefts):
            whole = np.pad(image, ((0, 0), (p, p), (p, p)))
            yield whole[:, top:, left:][:, : self.size, : self.size]

    return np.stack([*crops()])
""",
        flip="""
def __call__(self, images, words):
    steps = itertools.starmap(lambda first, *_: -1 if first < round(self.p * 2**32) else 1, words.tolist())
    return np.stack([image[:, :, ::step] for image, step in zip(images, steps)])
""",
        noise_init="""
def __init__(self, coefficient, statistics, by="eigenvalue", std=1.0):
    def columns():
        for d, axis in zip(statistics.stds, statistics.vectors.T):
            scale = {"eigenvalue": d**2 / 255, "std": d}[by]
            yield coefficient * scale * axis / np.ravel(std)

    self.coefficient, self.by, self.axes = coefficient, by, np.stack([*columns()], axis=1)
""",
        noise="""
def __call__(self, images, words):
    def noisy():
        for image, alpha in zip(images, normals(words)):
            color = sum(a * axis for a, axis in zip(alpha, self.axes.T)).astype(np.float32)
            image = image + color[:, None, None]
            yield image / np.float32(1 + self.coefficient) if self.by == "std" else image

    return np.stack(list(noisy())).astype(np.float32, copy=False)
""",
        views="""
def views(self, images, count):
    if count not in (1, 10):
        raise ValueError(f"views: 1 or 10, got {count}")

    def five():
        if count == 10:
            yield from itertools.starmap(CornerCrop, itertools.product([self.input_size], (0, 1), (0, 1)))
        yield CenterCrop(self.input_size)

    def through(crop):
        view = images
        for transform in itertools.chain(self._normalized(crop), self._order()):
            view = transform(view)
        return view

    plain = list(map(through, five()))
    mirrored = [np.flip(view, -1) for view in plain] if count == 10 else []
    return np.stack(plain + mirrored).astype(np.float32)
""",
        steps="""
@whole_steps
def steps(self):
    self.model.train()
    yield from self._steps_of(iter(self.loader.epoch(self.epoch, start_batch=self.batch)))

def _steps_of(self, batches):
    while group := list(itertools.islice(batches, self.accumulate)):
        self.optimizer.zero_grad()
        pictures = sum(len(labels) for _, labels in group)
        losses = [loss for batch in group for loss in self._learn(batch, pictures)]
        self.optimizer.step()
        yield sum(losses)

def _learn(self, batch, pictures):
    images, labels = batch
    logits = self.model(Tensor(images))
    loss = functional.cross_entropy(logits, labels)
    loss.backward(len(labels) / pictures)
    self.batch += 1
    self.running.add(loss.item(), logits.numpy(), labels)
    yield loss.item() * len(labels) / pictures
""",
    ),
    style(
        "functools, operator and np.take",
        added={
            "alexnet.py": "import functools\n",
            "color.py": "import operator\nfrom functools import reduce\n",
            "pipeline.py": "from functools import partial, reduce\n",
            "trainer.py": "from operator import itemgetter\n",
        },
        alexnet="""
_same = functools.partial(Conv2d, kernel_size=3, padding=1)


def alexnet(num_classes=1000, input_size=227, *, norm="lrn", dropout="after", inverted=False):
    pool = functools.partial(MaxPool2d, 3, stride=2)
    plain, one = (0.01, 0), (0.01, 1)
    table = [
        ("conv1", Conv2d(3, 96, (11, 11), (4, 4)), *plain),
        ("relu1", ReLU()),
        ("norm1", norm_layer(norm, 96, paper_lrn())),
        ("pool1", pool()),
        ("conv2", Conv2d(96, 256, (5, 5), padding=(2, 2), groups=2), *one),
        ("relu2", ReLU()),
        ("norm2", norm_layer(norm, 256, paper_lrn())),
        ("pool2", pool()),
        ("conv3", _same(256, 384), *plain),
        ("relu3", ReLU()),
        ("conv4", _same(384, 384, groups=2), *one),
        ("relu4", ReLU()),
        ("conv5", _same(384, 256, groups=2), *one),
        ("relu5", ReLU()),
        ("pool5", pool()),
    ]
    return from_table(
        table + fully_connected(table, input_size, num_classes, dropout_at(dropout, inverted), hidden=one, last=plain)
    )
""",
        alexnet_caffe="""
def alexnet_caffe(num_classes=1000, input_size=227, *, norm="lrn", dropout="after", inverted=True):
    pool = functools.partial(MaxPool2d, 3, stride=2, ceil_mode=True)
    lrn = functools.partial(LocalResponseNorm, 5, alpha=1e-4, beta=0.75, k=1.0)
    plain, tenth = (0.01, 0), (0.01, 0.1)
    table = [
        ("conv1", Conv2d(3, 96, 11, 4), *plain),
        ("relu1", ReLU()),
        ("norm1", norm_layer(norm, 96, lrn())),
        ("pool1", pool()),
        ("conv2", Conv2d(96, 256, 5, padding=2, groups=2), *tenth),
        ("relu2", ReLU()),
        ("norm2", norm_layer(norm, 256, lrn())),
        ("pool2", pool()),
        ("conv3", _same(256, 384), *plain),
        ("relu3", ReLU()),
        ("conv4", _same(384, 384, groups=2), *tenth),
        ("relu4", ReLU()),
        ("conv5", _same(384, 256, groups=2), *tenth),
        ("relu5", ReLU()),
        ("pool5", pool()),
    ]
    dense = fully_connected(table, input_size, num_classes, dropout_at(dropout, inverted), (0.005, 0.1), plain)
    return from_table(table + dense)
""",
        crop="""
def __call__(self, images, words):
    p = self.padding
    padded = np.pad(images, ((0, 0), (0, 0), (p, p), (p, p)), mode="constant")
    _check_fits(self.size, *padded.shape[2:])
    span, cut = np.arange(self.size), []
    tops = _below(np.take(words, 0, axis=1), padded.shape[2] - self.size + 1)
    lefts = _below(np.take(words, 1, axis=1), padded.shape[3] - self.size + 1)
    for image, top, left in zip(padded, tops, lefts):
        cut.append(np.take(np.take(image, top + span, axis=1), left + span, axis=2))
    return np.stack(cut)
""",
        flip="""
def __call__(self, images, words):
    below = np.less(np.take(words, 0, axis=1), round(self.p * 2**32))
    columns = np.arange(images.shape[-1])
    mirrored = np.take(images, columns[::-1], axis=-1)
    return np.where(below[:, None, None, None], mirrored, images)
""",
        noise_init="""
def __init__(self, coefficient, statistics, by="eigenvalue", std=1.0):
    self.coefficient, self.by = coefficient, by
    scales = {"eigenvalue": lambda d: d * d / 255, "std": lambda d: d}
    factors = [statistics.vectors, scales[by](statistics.stds), coefficient, 1 / np.reshape(std, (-1, 1))]
    self.axes = reduce(operator.mul, factors)
""",
        noise="""
def __call__(self, images, words):
    alpha = np.take(normals(words), range(len(self.axes)), axis=1)
    colors = reduce(np.add, [np.outer(a, axis) for a, axis in zip(alpha.T, self.axes.T)])
    noisy = operator.add(images, np.float32(colors)[:, :, np.newaxis, np.newaxis])
    return noisy if self.by == "eigenvalue" else np.divide(noisy, 1 + self.coefficient, dtype=np.float32)
""",
        views="""
def views(self, images, count):
    makers = [partial(CornerCrop, bottom=b, right=r) for b in range(2) for r in range(2)]
    chosen = {1: [CenterCrop], 10: [*makers, CenterCrop]}.get(count)
    if chosen is None:
        raise ValueError("count must be 1 or 10")
    chains = [[*self._normalized(make(self.input_size)), *self._order()] for make in chosen]
    shown = [reduce(lambda view, transform: transform(view), chain, images) for chain in chains]
    if count == 10:
        shown += [np.take(view, range(self.input_size)[::-1], axis=3) for view in shown]
    return np.stack(shown, dtype=np.float32)
""",
        steps="""
@whole_steps
def steps(self):
    self.model.train()
    self.optimizer.zero_grad()
    group, total = [], self._pictures_of_step()
    for images, labels in self.loader.epoch(self.epoch, start_batch=self.batch):
        logits = self.model(Tensor(images))
        loss = functional.cross_entropy(logits, labels, reduction="sum") / total
        loss.backward()
        mean = loss.item() * total / len(labels)
        self.running.add(mean, logits.numpy(), labels)
        group.append((loss.item(), len(labels)))
        self.batch += 1
        if sum(map(itemgetter(1), group)) < total:
            continue
        self.optimizer.step()
        yield sum(map(itemgetter(0), group))
        self.optimizer.zero_grad()
        group, total = [], self._pictures_of_step()
""",
    ),
    style(
        "collections, warnings and pprint",
        added={
            "alexnet.py": "import collections\nimport pprint\n",
            "color.py": "import warnings\n",
            "pipeline.py": "import collections\n",
            "trainer.py": "import collections\n",
            "transforms.py": "import warnings\n",
        },
        alexnet="""
_Row = collections.namedtuple("_Row", "name layer std bias", defaults=(None, None))


def _strip(rows):
    # rows without initial values are pairs
    return [tuple(row) if row.std is not None else (row.name, row.layer) for row in rows]


def alexnet(num_classes=1000, input_size=227, *, norm="lrn", dropout="after", inverted=False):
    rows = collections.deque()
    rows.append(_Row("conv1", Conv2d(3, 96, 11, stride=4), 0.01, 0))
    rows.extend([_Row("relu1", ReLU()), _Row("norm1", norm_layer(norm, 96, paper_lrn()))])
    rows.append(_Row("pool1", MaxPool2d(3, 2)))
    rows.append(_Row("conv2", Conv2d(96, 256, 5, padding=2, groups=2), 0.01, 1))
    rows.extend([_Row("relu2", ReLU()), _Row("norm2", norm_layer(norm, 256, paper_lrn()))])
    rows.append(_Row("pool2", MaxPool2d(3, 2)))
    rows.extend([_Row("conv3", Conv2d(256, 384, 3, padding=1), 0.01, 0), _Row("relu3", ReLU())])
    rows.extend([_Row("conv4", Conv2d(384, 384, 3, padding=1, groups=2), 0.01, 1), _Row("relu4", ReLU())])
    rows.extend([_Row("conv5", Conv2d(384, 256, 3, padding=1, groups=2), 0.01, 1), _Row("relu5", ReLU())])
    rows.append(_Row("pool5", MaxPool2d(3, 2)))
    maps, drop = _strip(rows), dropout_at(dropout, inverted)
    return from_table(maps + fully_connected(maps, input_size, num_classes, drop, (0.01, 1), (0.01, 0)))
""",
        alexnet_caffe="""
def alexnet_caffe(num_classes=1000, input_size=227, *, norm="lrn", dropout="after", inverted=True):
    layers = collections.OrderedDict()
    layers["conv1"] = Conv2d(3, 96, 11, stride=4)
    layers["relu1"] = ReLU()
    layers["norm1"] = norm_layer(norm, 96, LocalResponseNorm(5, 1e-4, 0.75, 1.0))
    layers["pool1"] = MaxPool2d(3, 2, ceil_mode=True)
    layers["conv2"] = Conv2d(96, 256, 5, padding=2, groups=2)
    layers["relu2"] = ReLU()
    layers["norm2"] = norm_layer(norm, 256, LocalResponseNorm(5, 1e-4, 0.75, 1.0))
    layers["pool2"] = MaxPool2d(3, 2, ceil_mode=True)
    layers["conv3"] = Conv2d(256, 384, 3, padding=1)
    layers["relu3"] = ReLU()
    layers["conv4"] = Conv2d(384, 384, 3, padding=1, groups=2)
    layers["relu4"] = ReLU()
    layers["conv5"] = Conv2d(384, 256, 3, padding=1, groups=2)
    layers["relu5"] = ReLU()
    layers["pool5"] = MaxPool2d(3, 2, ceil_mode=True)
    bias = collections.defaultdict(lambda: 0.1, conv1=0, conv3=0)
    maps = [(n, x, 0.01, bias[n]) if n.startswith("conv") else (n, x) for n, x in layers.items()]
    assert len(maps) == 15, pprint.pformat(maps)
    drop = dropout_at(dropout, inverted)
    return from_table(maps + fully_connected(maps, input_size, num_classes, drop, (0.005, 0.1), (0.01, 0)))
""",
        crop="""
def __call__(self, images, words):
    height, width = images.shape[2:]
    _check_fits(self.size, height + 2 * self.padding, width + 2 * self.padding)
    top = _below(words[:, 0], height + 2 * self.padding - self.size + 1) - self.padding
    left = _below(words[:, 1], width + 2 * self.padding - self.size + 1) - self.padding
    if len(words) != len(images):
        warnings.warn("four words for each image", stacklevel=2)
    out = np.zeros((*images.shape[:2], self.size, self.size), images.dtype)
    for n, (t, l) in enumerate(zip(top, left)):
        rows, columns = np.arange(t, t + self.size), np.arange(l, l + self.size)
        inside_rows, inside_columns = (rows >= 0) & (rows < height), (columns >= 0) & (columns < width)
        part = images[n][:, rows[inside_rows]][:, :, columns[inside_columns]]
        out[n][np.ix_(range(images.shape[1]), inside_rows, inside_columns)] = part
    return out
""",
        flip="""
def __call__(self, images, words):
    out = np.empty_like(images)
    for old, new, word in zip(images, out, words):
        new[...] = np.fliplr(old.transpose(1, 2, 0)).transpose(2, 0, 1) if word[0] < round(self.p * 2**32) else old
    return out
""",
        noise_init="""
def __init__(self, coefficient, statistics, by="eigenvalue", std=1.0):
    if coefficient < 0:
        warnings.warn("a negative coefficient", stacklevel=2)
    self.coefficient, self.by = coefficient, by
    lengths = {"eigenvalue": statistics.stds**2 / 255, "std": statistics.stds}[by]
    vectors = statistics.vectors.copy()
    vectors *= lengths
    vectors *= coefficient
    vectors /= np.reshape(std, (-1, 1))
    self.axes = vectors
""",
        noise="""
def __call__(self, images, words):
    alpha = normals(words)
    colors = np.stack([self.axes @ row[: len(self.axes)] for row in alpha]).astype(np.float32)
    with warnings.catch_warnings():
        noisy = images.astype(np.float32, copy=True)
        noisy += colors[:, :, None, None]
        if self.by == "std":
            noisy *= np.float32(1 / (1 + self.coefficient))
    return noisy
""",
        views="""
def views(self, images, count):
    if count != 1 and count != 10:
        raise ValueError(f"count: {count}")
    shown = collections.deque()
    for bottom, right in ((1, 1), (1, 0), (0, 1), (0, 0)) if count == 10 else ():
        shown.appendleft(CornerCrop(self.input_size, bottom, right))
    shown.append(CenterCrop(self.input_size))
    arrays = []
    while shown:
        view = images.copy()
        for transform in [*self._normalized(shown.popleft()), *self._order()]:
            view = transform(view)
        arrays.append(view)
    arrays.extend([view[..., ::-1] for view in arrays[:]] if count == 10 else [])
    return np.concatenate([view[None] for view in arrays]).astype(np.float32)
""",
        steps="""
@whole_steps
def steps(self):
    self.model.train()
    waiting = collections.deque(maxlen=self.accumulate)
    last = len(self.loader) - 1
    for images, labels in self.loader.epoch(self.epoch, start_batch=self.batch):
        waiting.append((images, labels))
        if len(waiting) < self.accumulate and self.batch + len(waiting) - 1 < last:
            continue
        pictures = math.fsum(len(labels) for _, labels in waiting)
        self.optimizer.zero_grad()
        shares = []
        while waiting:
            images, labels = waiting.popleft()
            logits = self.model(Tensor(images))
            loss = functional.cross_entropy(logits, labels)
            loss.backward(len(labels) / pictures)
            self.running.add(loss.item(), logits.numpy(), labels)
            self.batch += 1
            shares.append(len(labels) / pictures * loss.item())
        self.optimizer.step()
        yield math.fsum(shares)
""",
    ),
    style(
        "windows by strides, and functions in functions",
        alexnet="""
def alexnet(num_classes=1000, input_size=227, *, norm="lrn", dropout="after", inverted=False):
    table = []

    def conv(number, inputs, outputs, kernel, bias, **options):
        table.append((f"conv{number}", Conv2d(inputs, outputs, kernel, **options), 0.01, bias))
        table.append((f"relu{number}", ReLU()))

    def norm_and_pool(number, channels):
        layer = norm_layer(norm, channels, paper_lrn())
        if layer is not None:
            table.append((f"norm{number}", layer))
        table.append((f"pool{number}", MaxPool2d(3, 2)))

    conv(1, 3, 96, 11, 0, stride=4)
    norm_and_pool(1, 96)
    conv(2, 96, 256, 5, 1, padding=2, groups=2)
    norm_and_pool(2, 256)
    conv(3, 256, 384, 3, 0, padding=1)
    conv(4, 384, 384, 3, 1, padding=1, groups=2)
    conv(5, 384, 256, 3, 1, padding=1, groups=2)
    table.append(("pool5", MaxPool2d(3, 2)))
    drop = dropout_at(dropout, inverted)
    table.extend(fully_connected(table, input_size, num_classes, drop, hidden=(0.01, 1), last=(0.01, 0)))
    return from_table(table)
""",
        alexnet_caffe="""
def alexnet_caffe(num_classes=1000, input_size=227, *, norm="lrn", dropout="after", inverted=True):
    def conv(number, bias, *shape, **options):
        return [(f"conv{number}", Conv2d(*shape, **options), 0.01, bias), (f"relu{number}", ReLU())]

    def normed(number, channels):
        return [(f"norm{number}", norm_layer(norm, channels, LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1)))]

    def pooled(number):
        return [(f"pool{number}", MaxPool2d(3, stride=2, padding=0, ceil_mode=True))]

    maps = (
        conv(1, 0, 3, 96, 11, stride=4) + normed(1, 96) + pooled(1)
        + conv(2, 0.1, 96, 256, 5, padding=2, groups=2) + normed(2, 256) + pooled(2)
        + conv(3, 0, 256, 384, 3, padding=1)
        + conv(4, 0.1, 384, 384, 3, padding=1, groups=2)
        + conv(5, 0.1, 384, 256, 3, padding=1, groups=2) + pooled(5)
    )
    drop = dropout_at(dropout, inverted)
    return from_table(maps + fully_connected(maps, input_size, num_classes, drop, (0.005, 0.1), (0.01, 0)))
""",
        crop="""
def __call__(self, images, words):
    p, size = self.padding, self.size
    padded = np.ascontiguousarray(np.pad(images, ((0, 0), (0, 0), (p, p), (p, p))))
    n, channels, height, width = padded.shape
    _check_fits(size, height, width)
    rows, columns = height - size + 1, width - size + 1
    shape = n, rows, columns, channels, size, size
    by_image, by_channel, by_row, by_column = padded.strides
    strides = by_image, by_row, by_column, by_channel, by_row, by_column
    windows = np.lib.stride_tricks.as_strided(padded, shape, strides, writeable=False)
    return windows[np.arange(n), _below(words[:, 0], rows), _below(words[:, 1], columns)]
""",
        flip="""
def __call__(self, images, words):
    def flipped(image, word):
        return image[:, :, ::-1] if word < round(self.p * 2**32) else image

    return np.concatenate([flipped(image, word)[None] for image, word in zip(images, words[:, 0])])
""",
        noise_init="""
def __init__(self, coefficient, statistics, by="eigenvalue", std=1.0):
    def scale(d):
        return d if by == "std" else d * d / 255

    if by not in ("eigenvalue", "std"):
        raise KeyError(by)
    self.coefficient, self.by = coefficient, by
    self.axes = np.apply_along_axis(lambda row: row * scale(statistics.stds) * coefficient, 1, statistics.vectors)
    self.axes = self.axes / np.asarray(std).reshape((-1, 1))
""",
        noise="""
def __call__(self, images, words):
    def color(image_words):
        return self.axes.dot(normals(image_words[None])[0, : len(self.axes)])

    colors = np.array([color(image_words) for image_words in words], np.float32)
    noisy = images + np.broadcast_to(colors[:, :, None, None], images.shape)
    return noisy / np.float32(1 + self.coefficient) if self.by == "std" else noisy
""",
        views="""
def views(self, images, count):
    def seen(crop, step):
        view = images
        for transform in (*self._normalized(crop), *self._order()):
            view = transform(view)
        return np.asarray(view[..., ::step], np.float32)

    size = self.input_size
    if count == 1:
        return seen(CenterCrop(size), 1)[np.newaxis]
    if count == 10:
        corners = [CornerCrop(size, number // 2, number % 2) for number in range(4)]
        return np.stack([seen(crop, step) for step in (1, -1) for crop in (*corners, CenterCrop(size))])
    raise ValueError(f"either 1 view or 10, got {count}")
""",
        steps="""
@whole_steps
def steps(self):
    def learn(images, labels, pictures):
        logits = self.model(Tensor(images))
        loss = functional.cross_entropy(logits, labels)
        loss.backward(len(labels) / pictures)
        self.running.add(loss.item(), logits.numpy(), labels)
        return loss.item() * len(labels)

    self.model.train()
    batches = iter(self.loader.epoch(self.epoch, start_batch=self.batch))
    while self.batch < len(self.loader):
        pictures, total = self._pictures_of_step(), 0.0
        self.optimizer.zero_grad()
        for _ in range(min(self.accumulate, len(self.loader) - self.batch)):
            total += learn(*next(batches), pictures)
            self.batch += 1
        self.optimizer.step()
        yield total / pictures
""",
    ),
    style(
        "einsum, transposed axes and broadcasting",
        alexnet="""
def alexnet(num_classes=1000, input_size=227, *, norm="lrn", dropout="after", inverted=False):
    channels, kernels, halves = (3, 96, 256, 384, 384, 256), (11, 5, 3, 3, 3), (1, 2, 1, 2, 2)
    convs = [
        Conv2d(i, o, k, stride=4 if k == 11 else 1, padding=0 if k == 11 else k // 2, groups=g)
        for i, o, k, g in zip(channels, channels[1:], kernels, halves)
    ]
    maps = []
    for number, (conv, half) in enumerate(zip(convs, halves), 1):
        maps += [(f"conv{number}", conv, 0.01, half - 1), (f"relu{number}", ReLU())]
        maps += [(f"norm{number}", norm_layer(norm, channels[number], paper_lrn()))] * (number < 3)
        maps += [(f"pool{number}", MaxPool2d(3, 2))] * (number not in (3, 4))
    drop = dropout_at(dropout, inverted)
    return from_table(maps + fully_connected(maps, input_size, num_classes, drop, hidden=(0.01, 1), last=(0.01, 0)))
""",
        alexnet_caffe="""
def alexnet_caffe(num_classes=1000, input_size=227, *, norm="lrn", dropout="after", inverted=True):
    channels, kernels, halves = (3, 96, 256, 384, 384, 256), (11, 5, 3, 3, 3), (1, 2, 1, 2, 2)
    maps = []
    for number, (i, o, k, g) in enumerate(zip(channels, channels[1:], kernels, halves), 1):
        stride, padding = (4, 0) if k == 11 else (1, k // 2)
        maps.append((f"conv{number}", Conv2d(i, o, k, stride=stride, padding=padding, groups=g), 0.01, (g - 1) / 10))
        maps.append((f"relu{number}", ReLU()))
        if number < 3:
            maps.append((f"norm{number}", norm_layer(norm, o, LocalResponseNorm(size=5, k=1.0))))
        if number not in (3, 4):
            maps.append((f"pool{number}", MaxPool2d(3, 2, ceil_mode=True)))
    drop = dropout_at(dropout, inverted)
    return from_table(maps + fully_connected(maps, input_size, num_classes, drop, hidden=(0.005, 0.1), last=(0.01, 0)))
""",
        crop="""
def __call__(self, images, words):
    p, size = self.padding, self.size
    padded = np.pad(images, ((0, 0), (0, 0), (p, p), (p, p)))
    height, width = padded.shape[2:]
    _check_fits(size, height, width)
    rows = _below(words[:, 0], height - size + 1)[:, None, None, None] + np.arange(size)[:, None]
    columns = _below(words[:, 1], width - size + 1)[:, None, None, None] + np.arange(size)
    return np.take_along_axis(np.take_along_axis(padded, rows, axis=2), columns, axis=3)
""",
        flip="""
def __call__(self, images, words):
    mirror = words[:, 0] < round(self.p * 2**32)
    columns = np.arange(images.shape[3])
    order = np.where(mirror[:, None], images.shape[3] - 1 - columns, columns)
    return np.take_along_axis(images, order[:, None, None, :], axis=3)
""",
        noise_init="""
def __init__(self, coefficient, statistics, by="eigenvalue", std=1.0):
    d = statistics.stds
    self.by, self.coefficient = by, coefficient
    scale = {"eigenvalue": 255 * (d / 255) ** 2, "std": d}[by]
    one_each = np.broadcast_to(np.reshape(std, -1), d.shape)
    self.axes = np.einsum("ci,i,c->ci", statistics.vectors, coefficient * scale, 1 / one_each)
""",
        noise="""
def __call__(self, images, words):
    colors = np.einsum("ni,ci->nc", normals(words)[:, : images.shape[1]], self.axes)
    noisy = (images.transpose(2, 3, 0, 1) + colors.astype(np.float32)).transpose(2, 3, 0, 1)
    if self.by == "std":
        noisy = noisy / np.float32(1 + self.coefficient)
    return noisy
""",
        views="""
def views(self, images, count):
    if count not in (1, 10):
        raise ValueError(f"views are 1 or 10, got {count}")
    crops = [CornerCrop(self.input_size, i >> 1, i & 1) for i in range(4)] * (count == 10)
    crops.append(CenterCrop(self.input_size))
    shown = np.zeros((count, *images.shape[:2], self.input_size, self.input_size), np.float32)
    for into, crop in zip(shown, crops):
        before, after = self._normalized(crop)
        view = after(before(images))
        into[:] = self._order()[0](view) if self._order() else view
    if count > 1:
        shown[5:] = np.flip(shown[:5], axis=4)
    return shown
""",
        steps="""
@whole_steps
def steps(self):
    self.model.train()
    rows = []
    for images, labels in self.loader.epoch(self.epoch, start_batch=self.batch):
        if not rows:
            pictures = self._pictures_of_step()
            self.optimizer.zero_grad()
        logits = self.model(Tensor(images))
        loss = functional.cross_entropy(logits, labels)
        loss.backward(len(labels) / pictures)
        rows.append([len(labels), loss.item()])
        self.running.add(rows[-1][1], logits.numpy(), labels)
        self.batch += 1
        if len(rows) == self.accumulate or self.batch == len(self.loader):
            self.optimizer.step()
            counts, losses = zip(*rows)
            yield math.fsum(n * x for n, x in zip(counts, losses)) / sum(counts)
            rows = []
""",
    ),
    style(
        "copies of everything that is given, and checks of it",
        added={"alexnet.py": "import copy\n", "color.py": "import copy\n", "trainer.py": "import copy\n"},
        alexnet="""
def alexnet(num_classes=1000, input_size=227, *, norm="lrn", dropout="after", inverted=False):
    if norm not in ("lrn", "bn", "none"):
        raise ValueError(f"norm: {norm!r}")
    drop = dropout_at(dropout, inverted)
    relu, pool = ReLU(), MaxPool2d(3, 2)
    maps = [
        ("conv1", Conv2d(3, 96, 11, stride=4, padding=0, groups=1), 0.01, 0.0),
        ("relu1", copy.deepcopy(relu)),
        ("norm1", norm_layer(norm, 96, paper_lrn())),
        ("pool1", copy.deepcopy(pool)),
        ("conv2", Conv2d(96, 256, 5, stride=1, padding=2, groups=2), 0.01, 1.0),
        ("relu2", copy.deepcopy(relu)),
        ("norm2", norm_layer(norm, 256, paper_lrn())),
        ("pool2", copy.deepcopy(pool)),
        ("conv3", Conv2d(256, 384, 3, stride=1, padding=1, groups=1), 0.01, 0.0),
        ("relu3", copy.deepcopy(relu)),
        ("conv4", Conv2d(384, 384, 3, stride=1, padding=1, groups=2), 0.01, 1.0),
        ("relu4", copy.deepcopy(relu)),
        ("conv5", Conv2d(384, 256, 3, stride=1, padding=1, groups=2), 0.01, 1.0),
        ("relu5", copy.deepcopy(relu)),
        ("pool5", copy.deepcopy(pool)),
    ]
    rest = fully_connected(list(maps), input_size, num_classes, drop, hidden=(0.01, 1.0), last=(0.01, 0.0))
    return from_table(list(maps) + list(rest))
""",
        alexnet_caffe="""
def alexnet_caffe(num_classes=1000, input_size=227, *, norm="lrn", dropout="after", inverted=True):
    lrn, pool = LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0), MaxPool2d(3, 2, ceil_mode=True)
    first = [
        ("conv1", Conv2d(3, 96, 11, stride=4), 0.01, 0),
        ("relu1", ReLU()),
        ("norm1", norm_layer(norm, 96, copy.copy(lrn))),
        ("pool1", copy.copy(pool)),
    ]
    second = [
        ("conv2", Conv2d(96, 256, 5, padding=2, groups=2), 0.01, 0.1),
        ("relu2", ReLU()),
        ("norm2", norm_layer(norm, 256, copy.copy(lrn))),
        ("pool2", copy.copy(pool)),
    ]
    third = [("conv3", Conv2d(256, 384, 3, padding=1), 0.01, 0), ("relu3", ReLU())]
    fourth = [("conv4", Conv2d(384, 384, 3, padding=1, groups=2), 0.01, 0.1), ("relu4", ReLU())]
    fifth = [
        ("conv5", Conv2d(384, 256, 3, padding=1, groups=2), 0.01, 0.1),
        ("relu5", ReLU()),
        ("pool5", copy.copy(pool)),
    ]
    maps = [*first, *second, *third, *fourth, *fifth]
    drop = dropout_at(dropout, inverted)
    return from_table([*maps, *fully_connected(maps, input_size, num_classes, drop, (0.005, 0.1), (0.01, 0))])
""",
        crop="""
def __call__(self, images, words):
    images, words = np.array(images, copy=True), np.array(words, copy=True)
    if images.ndim != 4 or words.shape != (len(images), 4):
        raise ValueError(f"images (N, C, H, W) and words (N, 4), got {images.shape} and {words.shape}")
    if self.padding > 0:
        around = ((0, 0), (0, 0), (self.padding, self.padding), (self.padding, self.padding))
        images = np.pad(images, around, mode="constant", constant_values=0)
    height, width = images.shape[2:]
    _check_fits(self.size, height, width)
    tops, lefts = _below(words[:, 0], height - self.size + 1), _below(words[:, 1], width - self.size + 1)
    crops = [image[:, t : t + self.size, l : l + self.size].copy() for image, t, l in zip(images, tops, lefts)]
    return np.stack(crops)
""",
        flip="""
def __call__(self, images, words):
    images, threshold = images.copy(), round(self.p * 2**32)
    flipped = words[:, 0].astype(np.int64) < threshold
    images[flipped] = images[flipped, :, :, ::-1].copy()
    return images
""",
        noise_init="""
def __init__(self, coefficient, statistics, by="eigenvalue", std=1.0):
    if by not in {"eigenvalue", "std"}:
        raise KeyError(by)
    statistics = copy.deepcopy(statistics)
    self.coefficient, self.by = float(coefficient), str(by)
    d, p = np.array(statistics.stds, np.float64), np.array(statistics.vectors, np.float64)
    lengths = d**2 / 255 if by == "eigenvalue" else d.copy()
    self.axes = self.coefficient * (p * lengths) / np.reshape(np.array(std, np.float64), (-1, 1))
""",
        noise="""
def __call__(self, images, words):
    images, words = np.array(images, np.float32), words.copy()
    alpha = normals(words)[:, : len(self.axes)]
    colors = np.matmul(alpha, self.axes.T).astype(np.float32)
    images = images + colors[:, :, None, None]
    if self.by == "std":
        images = images / np.float32(1 + self.coefficient)
    return images.copy()
""",
        views="""
def views(self, images, count):
    if isinstance(count, bool) or count not in (1, 10):
        raise ValueError(f"the number of views is 1 or 10, got {count!r}")
    size, shown = self.input_size, []
    where = ["top left", "top right", "bottom left", "bottom right", "centre"] if count == 10 else ["centre"]
    for place in where:
        crop = CenterCrop(size) if place == "centre" else CornerCrop(size, "bottom" in place, "right" in place)
        view = np.array(images, copy=True)
        for transform in self._normalized(crop):
            view = transform(view)
        for transform in self._order():
            view = transform(view)
        shown.append(np.array(view, np.float32, copy=True))
    if count == 10:
        shown = shown + [view[:, :, :, ::-1].copy() for view in shown]
    result = np.stack(shown, axis=0)
    assert result.shape == (count, *images.shape[:2], size, size)
    return result
""",
        steps="""
@whole_steps
def steps(self):
    self.model.train()
    epoch = copy.copy(self.epoch)
    remaining, total, mean = 0, 0, 0.0
    for images, labels in self.loader.epoch(epoch, start_batch=self.batch):
        images, labels = images.copy(), labels.copy()
        if remaining == 0:
            total = remaining = self._pictures_of_step()
            mean = 0.0
            self.model.zero_grad()
        weight = len(labels) / total
        logits = self.model(Tensor(images))
        loss = functional.cross_entropy(logits, labels)
        loss.backward(weight)
        value = float(loss.item())
        mean = mean + weight * value
        self.running.add(value, logits.numpy().copy(), labels.copy())
        self.batch = self.batch + 1
        remaining = remaining - len(labels)
        if remaining == 0:
            self.optimizer.step()
            yield mean
""",
    ),
    style(
        "Sequential and initial values without the table",
        added={
            "alexnet.py": "from ..nn import Dropout, Flatten, Linear, init\nfrom .table import Sequential as Network\n"
        },
        alexnet="""
def _initial(layer, std, bias):
    init.normal_(layer.weight, 0, std)
    init.constant_(layer.bias, bias)
    return layer


def alexnet(num_classes=1000, input_size=227, *, norm="lrn", dropout="after", inverted=False):
    dropout_at(dropout, inverted)
    layers = {
        "conv1": _initial(Conv2d(3, 96, 11, stride=4), 0.01, 0),
        "relu1": ReLU(),
        "norm1": norm_layer(norm, 96, paper_lrn()),
        "pool1": MaxPool2d(3, 2),
        "conv2": _initial(Conv2d(96, 256, 5, padding=2, groups=2), 0.01, 1),
        "relu2": ReLU(),
        "norm2": norm_layer(norm, 256, paper_lrn()),
        "pool2": MaxPool2d(3, 2),
        "conv3": _initial(Conv2d(256, 384, 3, padding=1), 0.01, 0),
        "relu3": ReLU(),
        "conv4": _initial(Conv2d(384, 384, 3, padding=1, groups=2), 0.01, 1),
        "relu4": ReLU(),
        "conv5": _initial(Conv2d(384, 256, 3, padding=1, groups=2), 0.01, 1),
        "relu5": ReLU(),
        "pool5": MaxPool2d(3, 2),
        "flatten": Flatten(),
    }
    layers = {name: layer for name, layer in layers.items() if layer is not None}
    side = (input_size - 11) // 4 + 1
    for _ in range(3):
        side = (side - 3) // 2 + 1
    inputs = 256 * side * side
    for number in (6, 7):
        if dropout == "before":
            layers[f"drop{number}"] = Dropout(0.5, inverted=inverted)
        layers[f"fc{number}"] = _initial(Linear(inputs, 4096), 0.01, 1)
        layers[f"relu{number}"] = ReLU()
        if dropout == "after":
            layers[f"drop{number}"] = Dropout(0.5, inverted=inverted)
        inputs = 4096
    layers["fc8"] = _initial(Linear(4096, num_classes), 0.01, 0)
    return Network(layers)
""",
        alexnet_caffe="""
def alexnet_caffe(num_classes=1000, input_size=227, *, norm="lrn", dropout="after", inverted=True):
    drop = dropout_at(dropout, inverted)
    layers, side, channels = {}, input_size, 3
    numbers = (1, 96, 11, 0), (2, 256, 5, 0.1), (3, 384, 3, 0), (4, 384, 3, 0.1), (5, 256, 3, 0.1)
    for number, filters, kernel, bias in numbers:
        options = {"stride": 4} if number == 1 else {"padding": kernel // 2, "groups": 1 if number == 3 else 2}
        layers[f"conv{number}"] = _initial(Conv2d(channels, filters, kernel, **options), 0.01, bias)
        side = (side - 11) // 4 + 1 if number == 1 else side
        layers[f"relu{number}"] = ReLU()
        if number <= 2 and norm != "none":
            layers[f"norm{number}"] = norm_layer(norm, filters, LocalResponseNorm(5, 1e-4, 0.75, 1.0))
        if number in (1, 2, 5):
            layers[f"pool{number}"] = MaxPool2d(3, 2, ceil_mode=True)
            side = -(-(side - 3) // 2) + 1
        channels = filters
    rows = [("flatten", Flatten())]
    rows += [("drop6", drop("before")), ("fc6", _initial(Linear(channels * side * side, 4096), 0.005, 0.1))]
    rows += [("relu6", ReLU()), ("drop6", drop("after"))]
    rows += [("drop7", drop("before")), ("fc7", _initial(Linear(4096, 4096), 0.005, 0.1))]
    rows += [("relu7", ReLU()), ("drop7", drop("after")), ("fc8", _initial(Linear(4096, num_classes), 0.01, 0))]
    norm_layer(norm, 1, None)
    return Network(layers | {name: layer for name, layer in rows if layer is not None})
""",
        crop="""
def __call__(self, images, words):
    side = self.size
    if self.padding:
        n, c, h, w = images.shape
        larger = np.zeros((n, c, h + 2 * self.padding, w + 2 * self.padding), dtype=images.dtype)
        larger[..., self.padding : -self.padding, self.padding : -self.padding] = images
        images = larger
    spare = [n - side for n in images.shape[2:]]
    if side <= 0 or min(spare) < 0:
        raise ValueError(f"a crop of {side} pixels does not fit into {images.shape[2:]}")
    corners = [(int(a) * (spare[0] + 1) // 2**32, int(b) * (spare[1] + 1) // 2**32) for a, b, *_ in words]
    out = np.empty((*images.shape[:2], side, side), images.dtype)
    for i, (top, left) in enumerate(corners):
        out[i] = images[i, :, top : top + side, left : left + side]
    return out
""",
        flip="""
def __call__(self, images, words):
    out = []
    for image, word in zip(images, words[:, 0]):
        if word < round(self.p * 2**32):
            image = np.swapaxes(np.swapaxes(image, 0, 2)[::-1], 0, 2)
        out.append(image)
    return np.stack(out, axis=0)
""",
        noise_init="""
def __init__(self, coefficient, statistics, by="eigenvalue", std=1.0):
    self.coefficient, self.by = coefficient, by
    self.lengths = {"eigenvalue": statistics.stds / 255 * statistics.stds, "std": statistics.stds}[by]
    self.divisors = np.reshape(std, (-1, 1))
    self.axes = statistics.vectors @ np.diag(self.lengths) * coefficient / self.divisors
""",
        noise="""
def __call__(self, images, words):
    alpha = normals(words)[:, : self.axes.shape[1]]
    color = np.tensordot(alpha, self.axes, axes=([1], [1])).astype(np.float32)
    divisor = np.float32({"eigenvalue": 1, "std": 1 + self.coefficient}[self.by])
    return (images + color.reshape(*color.shape, 1, 1)) / divisor
""",
        views="""
def views(self, images, count):
    size = self.input_size
    if count not in range(1, 11, 9):
        raise ValueError(f"1 or 10, got {count}")
    mean_first = len({*self.normalization.mean.shape[1:]} | {1, size}) > 2
    if mean_first:
        images = self.normalization(images)
    if self.channel_order == "BGR" and mean_first:
        images = images[:, ::-1]
    corners = [CornerCrop(size, b, r) for b in (0, 1) for r in (0, 1)]
    cut = [crop(images) for crop in [*corners, CenterCrop(size)][-count if count == 1 else 0 :]]
    if not mean_first:
        cut = [self.normalization(view) for view in cut]
        cut = [view[:, ::-1] if self.channel_order == "BGR" else view for view in cut]
    if count == 10:
        cut += [view[..., ::-1] for view in cut]
    return np.stack(cut).astype(np.float32)
""",
        steps="""
@whole_steps
def steps(self):
    self.model.train(True)
    parameters = list(self.model.parameters())
    batches = self.loader.epoch(self.epoch, start_batch=self.batch)
    losses, counts, pictures = [], [], 0
    for images, labels in batches:
        if not counts:
            pictures = self._pictures_of_step()
            for parameter in parameters:
                parameter.grad = None
        logits = self.model(Tensor(images))
        loss = functional.cross_entropy(logits, labels)
        loss.backward(len(labels) / pictures)
        losses.append(loss.item())
        counts.append(len(labels))
        self.running.add(losses[-1], logits.numpy(), labels)
        self.batch += 1
        if sum(counts) >= pictures:
            self.optimizer.step()
            mean = sum(n * loss for n, loss in zip(counts, losses)) / sum(counts)
            losses, counts = [], []
            yield mean
""",
    ),
)
