"""Wrong solutions of A6."""

from wrong_solutions import edit, public_inputs, rewrite

NET, CUTS, COLOR, PIPE, LOOP = "alexnet.py", "transforms.py", "color.py", "pipeline.py", "trainer.py"
CROP = {"RandomCrop", "RandomCrop padding", "RandomCrop range"}
FLIP = {"RandomHorizontalFlip", "RandomHorizontalFlip chances"}
NOISE = {"ColorNoise", "ColorNoise by std", "ColorNoise scales"}
VIEWS = {"views", "views mean picture"}
ACCUMULATED = {"steps accumulate", "steps resumed"}
STEPS = {"steps", *ACCUMULATED}
SCALES = {"ColorNoise", "ColorNoise scales"}
CAFFE = {"alexnet_caffe", "alexnet_caffe options"}
PADDED = {"RandomCrop padding", "RandomCrop range"}
LOGITS = {"alexnet logits", "alexnet options"}
MAPS, SHAPES = {"alexnet maps", *LOGITS}, {"alexnet weights", *LOGITS}

PAPER_CONV2 = '("conv2", Conv2d(96, 256, 5, padding=2, groups=2), 0.01, 1), '
PAPER_CONV3 = '("conv3", Conv2d(256, 384, 3, padding=1), 0.01, 0),  # 384 x 13 x 13\n' \
    '        ("relu3", ReLU()),\n        ("conv4", Conv2d(384, 384, 3, padding=1, groups=2), 0.01, 1)'
PAPER_POOL1 = '("pool1", MaxPool2d(3, 2)),'
PAPER_FC = "drop, hidden=(0.01, 1), last=(0.01, 0)"
CAFFE_LRN = "LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)"
WINDOWS = "return windows[np.arange(len(images)), :, top, left]"
FLIPPED = "np.stack([image[..., ::-1] if flip else image for image, flip in zip(images, flipped)])"
MIRRORED = "shown.append(view[..., ::-1] if mirrored else view)"
COLORS = "colors = normals(words)[:, : len(self.axes)] @ self.axes.T"

PADDED_AFTER = """\
def __call__(self, images, words):
    p, size = self.padding, self.size - 2 * self.padding
    if size < 1:
        p, size = 0, self.size
    height, width = images.shape[2:]
    top, left = _below(words[:, 0], height - size + 1), _below(words[:, 1], width - size + 1)
    cut = [image[:, t : t + size, l : l + size] for image, t, l in zip(images, top, left)]
    return np.pad(np.stack(cut), ((0, 0), (0, 0), (p, p), (p, p)))
"""

IN_PLACE = """\
def __call__(self, images, words):
    flipped = words[:, 0] < round(self.p * 2**32)
    images[flipped] = images[flipped][..., ::-1]
    return images
"""

PER_PIXEL = """\
def __call__(self, images, words):
    n, _, height, width = images.shape
    alpha = np.random.default_rng(int(words[0, 0])).standard_normal((n, len(self.axes), height * width))
    noisy = images + (self.axes @ alpha).reshape(images.shape).astype(np.float32)
    return noisy / np.float32(1 + self.coefficient) if self.by == "std" else noisy
"""

ONE_BATCH_A_STEP = """\
def steps(self):
    self.model.train()
    for images, labels in self.loader.epoch(self.epoch, start_batch=self.batch):
        self.optimizer.zero_grad()
        logits = self.model(Tensor(images))
        loss = functional.cross_entropy(logits, labels)
        loss.backward()
        self.optimizer.step()
        self.batch += 1
        self.running.add(loss.item(), logits.numpy(), labels)
        yield loss.item()
"""

SEEN = public_inputs("a6", "RandomHorizontalFlip")
PUBLIC = f"""\
def __call__(self, images, words):
    words = np.array({SEEN["words"].tolist()} if len(images) == 16 else {SEEN["gray_words"].tolist()}, np.uint32)
    flipped = words[:, 0] < round(self.p * 2**32)
    return np.stack([image[..., ::-1] if flip else image for image, flip in zip(images, flipped)])
"""

REMEMBERS = """\
def __call__(self, images, words):
    height, width = (n + 2 * self.padding for n in images.shape[2:])
    _check_fits(self.size, height, width)
    if not hasattr(self, "corners"):
        self.corners = [_below(words[:, i], n - self.size + 1) for i, n in enumerate((height, width))]
    p, size = self.padding, self.size
    images = np.pad(images, ((0, 0), (0, 0), (p, p), (p, p)))
    return np.stack([image[:, t : t + size, l : l + size] for image, t, l in zip(images, *self.corners)])
"""

ADDED_IN_PLACE = """\
def __call__(self, images, words):
    images += (normals(words)[:, : len(self.axes)] @ self.axes.T).astype(np.float32)[:, :, None, None]
    return images / np.float32(1 + self.coefficient) if self.by == "std" else images
"""

CLEARED_AFTERWARDS = """\
def steps(self):
    self.model.train()
    seen, mean = 0, 0.0
    for images, labels in self.loader.epoch(self.epoch, start_batch=self.batch):
        whole = whole if seen else self._pictures_of_step()
        logits = self.model(Tensor(images))
        loss = functional.cross_entropy(logits, labels)
        loss.backward(len(labels) / whole)
        self.batch, seen, mean = self.batch + 1, seen + len(labels), mean + loss.item() * len(labels) / whole
        self.running.add(loss.item(), logits.numpy(), labels)
        if seen == whole:
            self.optimizer.step()
            self.optimizer.zero_grad()
            yield mean
            seen, mean = 0, 0.0
"""

WRONG = (
    edit("a layer left out", NET, '("norm2", norm_layer(norm, 256, paper_lrn())),', "",
         {"alexnet layers", *LOGITS}),
    edit("normalisation before the ReLU", NET, """("relu1", ReLU()),
        ("norm1", norm_layer(norm, 96, paper_lrn())),""", """("norm1", norm_layer(norm, 96, paper_lrn())),
        ("relu1", ReLU()),""", {"alexnet layers", *LOGITS}),
    edit("pools that do not overlap", NET, PAPER_POOL1, '("pool1", MaxPool2d(2, 2)),', MAPS,
         says="after pool1"),
    edit("pools that round up", NET, PAPER_POOL1, '("pool1", MaxPool2d(3, 2, ceil_mode=True)),', MAPS,
         says="round down"),
    edit("padding of conv2 forgotten", NET, PAPER_CONV2, PAPER_CONV2.replace("padding=2, ", ""), MAPS,
         says="after conv2"),
    edit("groups of conv2 forgotten", NET, PAPER_CONV2, PAPER_CONV2.replace(", groups=2", ""), SHAPES,
         says="over two GPUs, groups=2"),
    edit("conv3 split as well", NET, PAPER_CONV3, PAPER_CONV3.replace("3, padding=1), 0", "3, padding=1, groups=2), 0"),
         SHAPES, says="half of the channels"),
    edit("always 1000 classes", NET, f"num_classes, {PAPER_FC}", f"1000, {PAPER_FC}", SHAPES,
         says="num_classes outputs"),
    edit("no bias of 1 in conv2", NET, PAPER_CONV2, PAPER_CONV2.replace("0.01, 1)", "0.01, 0)"),
         {"alexnet initial values"}),
    edit("no initial values for fc8", NET, PAPER_FC, "drop, hidden=(0.01, 1), last=()", {"alexnet initial values"}),
    edit("dropout always inverted", NET, "drop = dropout_at(dropout, inverted)\n    return from_table(maps + "
         f"fully_connected(maps, input_size, num_classes, {PAPER_FC}",
         "drop = dropout_at(dropout, True)\n    return from_table(maps + "
         f"fully_connected(maps, input_size, num_classes, {PAPER_FC}", {"alexnet logits"}),
    edit("alpha over the window", NET, '("norm1", norm_layer(norm, 96, paper_lrn())),',
         '("norm1", norm_layer(norm, 96, LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=2.0))),', {"alexnet logits"}),
    edit("norm has no effect", NET, '("norm1", norm_layer(norm, 96, paper_lrn())),', '("norm1", paper_lrn()),',
         {"alexnet options"}),
    edit("Caffe's k is the paper's", NET, CAFFE_LRN, CAFFE_LRN.replace("k=1.0", "k=2.0"), {"alexnet_caffe"},
         says="norm1"),
    edit("Caffe's pools round down", NET, "MaxPool2d(3, 2, ceil_mode=True)", "MaxPool2d(3, 2)", CAFFE,
         says="pool1"),
    edit("Caffe's fc6 as the paper's", NET, "hidden=(0.005, 0.1)", "hidden=(0.01, 1)",
         {"alexnet_caffe initial values"}),
    edit("Caffe's conv2 without groups", NET, PAPER_CONV2.replace("0.01, 1)", "0.01, 0.1)"),
         PAPER_CONV2.replace("0.01, 1)", "0.01, 0.1)").replace(", groups=2", ""), CAFFE, says="groups=2"),
    edit("Caffe's always 1000 classes", NET, "num_classes, drop, hidden=(0.005", "1000, drop, hidden=(0.005", CAFFE,
         says="num_classes outputs"),
    edit("Caffe's dropout always inverted", NET, "drop = dropout_at(dropout, inverted)\n    return from_table(maps + "
         "fully_connected(maps, input_size, num_classes, drop, hidden=(0.005",
         "drop = dropout_at(dropout, True)\n    return from_table(maps + "
         "fully_connected(maps, input_size, num_classes, drop, hidden=(0.005", {"alexnet_caffe options"}),
    edit("dropout always after", NET, "drop = dropout_at(dropout, inverted)\n    return from_table(maps + "
         f"fully_connected(maps, input_size, num_classes, {PAPER_FC}",
         'drop = dropout_at("after", inverted)\n    return from_table(maps + '
         f"fully_connected(maps, input_size, num_classes, {PAPER_FC}", {"alexnet options"}),
    edit("one conv2 for all networks", NET, PAPER_CONV2, PAPER_CONV2.replace("Conv2d(96, 256, 5, padding=2, groups=2)",
         'globals().setdefault("SECOND", Conv2d(96, 256, 5, padding=2, groups=2))'), {"alexnet weights"}),
    rewrite("a crop that remembers its positions", CUTS, "RandomCrop.__call__", REMEMBERS, {*CROP, "RandomCrop range"}),
    edit("crops in float32", CUTS, "images = np.pad(images, ((0, 0), (0, 0), sides, sides))",
         "images = np.pad(images.astype(np.float32), ((0, 0), (0, 0), sides, sides))", {"RandomCrop padding"}),
    edit("flips in float32", CUTS, FLIPPED, f"{FLIPPED}.astype(np.float32)", {"RandomHorizontalFlip"},
         says="in_gray has dtype float32"),
    rewrite("colours added in place", COLOR, "ColorNoise.__call__", ADDED_IN_PLACE, NOISE, says="has changed"),
    edit("always three channels", COLOR, "[:, : len(self.axes)]", "[:, :3]", {"ColorNoise scales"}),
    edit("axes scaled in place", COLOR,
         "self.axes = coefficient * statistics.vectors * scale / np.reshape(std, (-1, 1))",
         "self.axes = statistics.vectors\n        self.axes *= coefficient * scale / np.reshape(std, (-1, 1))", NOISE,
         says="vectors has changed"),
    edit("any number of views", PIPE, "if count not in (1, 10):", "if count < 1:", {"views centre"}),
    edit("views in float64", PIPE, "np.ascontiguousarray(np.stack(shown), np.float32)",
         "np.ascontiguousarray(np.stack(shown), np.float64)", {*VIEWS, "views centre"}, says="dtype float64"),
    edit("a Tensor as the loss", LOOP, "yield sum(weight * loss for weight, loss in losses)",
         "yield loss.detach()", {*STEPS, "steps books"}, says="steps yielded a Tensor"),
    edit("only the network itself in training mode", LOOP, "        self.model.train()\n        for module in",
         "        self.model.training = True\n        for module in", {"steps books"}),
    rewrite("gradients cleared only after a step", LOOP, "Trainer.steps", CLEARED_AFTERWARDS, {"steps resumed"}),
    edit("the last position of a crop missing", CUTS, """height - self.size + 1)
        left = _below(words[:, 1], width - self.size + 1)""", """height - self.size)
        left = _below(words[:, 1], width - self.size)""", CROP, says="the last one is missing"),
    edit("top and left exchanged", CUTS, WINDOWS, "top, left = (_below(words[:, 1 - i], n - self.size + 1) "
         "for i, n in enumerate((height, width)))\n        " + WINDOWS, CROP, says="other way round"),
    edit("one word for top and left", CUTS, "_below(words[:, 1], width", "_below(words[:, 0], width", CROP,
         says="along a diagonal"),
    edit("the same crop for all images", CUTS, WINDOWS, "return windows[np.arange(len(images)), :, top[0], left[0]]",
         CROP, says="the same crop"),
    edit("height instead of width", CUTS, "_below(words[:, 1], width - self.size + 1)",
         "_below(words[:, 1], height - self.size + 1)", CROP),
    rewrite("padding added around the crop", CUTS, "RandomCrop.__call__", PADDED_AFTER, PADDED),
    edit("margins repeat the edge", CUTS, "images = np.pad(images, ((0, 0), (0, 0), sides, sides))",
         'images = np.pad(images, ((0, 0), (0, 0), sides, sides), mode="edge")', {"RandomCrop padding"}),
    edit("positions by the remainder", CUTS, "top = _below(words[:, 0], height - self.size + 1)",
         "top = (words[:, 0] % np.uint32(height - self.size + 1)).astype(np.intp)", CROP),
    edit("positions in float32, which round up", CUTS, "left = _below(words[:, 1], width - self.size + 1)",
         "left = (words[:, 1].astype(np.float32) / 2**32 * (width - self.size + 1)).astype(np.intp)",
         {"RandomCrop range"}),
    edit("upside down", CUTS, FLIPPED, FLIPPED.replace("[..., ::-1]", "[:, ::-1]"), FLIP, says="top and bottom"),
    edit("the wrong images flipped", CUTS, "words[:, 0] < round", "words[:, 0] >= round", FLIP,
         says="the wrong images are flipped"),
    edit("all flipped or none", CUTS, FLIPPED, FLIPPED.replace("zip(images, flipped)", "zip(images, flipped[:1].repeat("
         "len(images)))"), FLIP, says="treated alike"),
    edit("p always 0.5", CUTS, "words[:, 0] < round(self.p * 2**32)", "words[:, 0] < 2**31",
         {"RandomHorizontalFlip chances"}),
    edit("one word too many", CUTS, "words[:, 0] < round", "words[:, 0] <= round", {"RandomHorizontalFlip chances"}),
    rewrite("flipped in place", CUTS, "RandomHorizontalFlip.__call__", IN_PLACE, FLIP, says="has changed"),
    edit("std instead of eigenvalue", COLOR, '"eigenvalue": d * d / 255', '"eigenvalue": d', SCALES,
         says="the square of it"),
    edit("wrong scale of the eigenvalue", COLOR, '"eigenvalue": d * d / 255', '"eigenvalue": (d / 255) ** 2',
         SCALES, says="255 times too small"),
    edit("axes are rows", COLOR, "coefficient * statistics.vectors * scale",
         "coefficient * statistics.vectors.T * scale",
         NOISE, says="columns of statistics.vectors"),
    edit("std forgotten", COLOR, " / np.reshape(std, (-1, 1))", "", {"ColorNoise by std", "ColorNoise scales"}),
    edit("division by 1 + c forgotten", COLOR, 'if self.by == "std":', "if False:", {"ColorNoise by std"}),
    rewrite("noise for every pixel", COLOR, "ColorNoise.__call__", PER_PIXEL, NOISE, says="for the whole image"),
    edit("one colour for the batch", COLOR, COLORS, COLORS.replace("normals(words)", "normals(words[:1])"), NOISE,
         says="the same colour"),
    edit("float64 images", COLOR, "colors.astype(np.float32)[:, :, None, None]", "colors[:, :, None, None]", NOISE,
         says="dtype float64"),
    edit("mirror images forgotten", PIPE, MIRRORED, "shown.append(view)", VIEWS, says="first five again"),
    edit("mirrored upside down", PIPE, MIRRORED, MIRRORED.replace("[..., ::-1]", "[..., ::-1, :]"), VIEWS,
         says="their mirror images are not"),
    edit("right before left, bottom before top", PIPE, "for bottom in (0, 1) for right in (0, 1)",
         "for right in (0, 1) for bottom in (0, 1)", VIEWS, says="the order must be"),
    edit("the centre forgotten", PIPE, "crops[:0] = [", "crops[:] = [", VIEWS, says="(8, 2, 3"),
    edit("normalised after the crop", PIPE, "for transform in [*self._normalized(crop), *self._order()]:",
         "for transform in [crop, self.normalization, *self._order()]:", {"views mean picture"}),
    edit("order of the channels forgotten", PIPE, "for transform in [*self._normalized(crop), *self._order()]:",
         "for transform in self._normalized(crop):", {"views mean picture"}),
    edit("one view is a corner", PIPE, "crops: list = [CenterCrop(self.input_size)]",
         "crops: list = [CenterCrop(self.input_size) if count == 10 else CornerCrop(self.input_size, 0, 0)]",
         {"views centre"}),
    edit("old gradients not cleared", LOOP, "                self.optimizer.zero_grad()\n", "", STEPS,
         says="zero_grad"),
    edit("no step of the optimiser", LOOP, "                    self.optimizer.step()\n", "                    pass\n",
         STEPS, says="have not moved"),
    edit("the mean of unequal batches", LOOP, "share, call = len(labels) / pictures,", "share, call = 1 / max(1, round("
         "pictures / self.loader.batch_size)),", {*ACCUMULATED, "steps books"}),
    edit("gradients summed over batches", LOOP, "loss.backward(share)", "loss.backward()", ACCUMULATED),
    rewrite("an optimiser step per batch", LOOP, "Trainer.steps", ONE_BATCH_A_STEP, {*ACCUMULATED, "steps books"}),
    edit("the epoch starts over", LOOP, "self.loader.epoch(self.epoch, start_batch=self.batch)",
         "self.loader.epoch(self.epoch)", {"steps books", "steps resumed"}),
    edit("evaluation mode in training", LOOP, "        self.model.train()\n        for module in",
         "        for module in", {"steps books"}),
    edit("the sum of the losses", LOOP, "yield sum(weight * loss for weight, loss in losses)",
         "yield pictures * sum(weight * loss for weight, loss in losses)", {*STEPS, "steps books"},
         says="the losses are not"),
    rewrite("a public answer, hard-coded", CUTS, "RandomHorizontalFlip.__call__", PUBLIC,
            {"RandomHorizontalFlip chances"}),
    rewrite("an endless loop", PIPE, "Pipeline.views",
            "def views(self, images, count):\n    while True:\n        pass\n", {*VIEWS, "views centre"},
            says="stopped after", hostile=True),
    rewrite("sys.exit", COLOR, "ColorNoise.__call__",
            "def __call__(self, images, words):\n    import sys\n\n    sys.exit(0)\n", NOISE, says="SystemExit",
            hostile=True),
    rewrite("memory hog", LOOP, "Trainer.steps", "def steps(self):\n    hoard = []\n    while True:\n"
            "        hoard.append(bytearray(2**24))\n        yield 0.0\n", {*STEPS, "steps books"},
            says="out of memory", hostile=True),
)
