"""The public checks of A6, and the runs that hidden ones share: the network, augmentation, views, training steps."""

from __future__ import annotations

import numpy as np

from ..data import color, transforms
from .declaration import Check

# Networks are built for small images and few classes, without drawing initial values: at 227 pixels and 1000 classes
# the weights alone would take 244 MB. layout() computes the sizes of the maps without a forward pass.


def texts(words):
    """An array of texts whose dtype does not depend on their lengths. words: the texts."""
    return np.array(words, "U40")


def run_on(run, **options):
    """A check's `run` with some arguments given."""
    return lambda lib, **inputs: run(lib, **inputs, **options)


# ------------------------------------------------------------------------------ the network

WEIGHTS = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8")
ROUNDED_DOWN = (98, 130, 158, 190)  # pixels for which every pool has to round if it rounds down, ...
ROUNDED_UP = (74, 106, 138)  # ... or if it rounds up; and for which padding in conv1 gives larger maps


def network(sizes, **options):
    """draw: classes and one of the sizes; options: passed to the network."""

    def draw(rng):
        return {"num_classes": int(rng.integers(5, 20)), "input_size": int(rng.choice(sizes)), **options}

    return draw


def network_with_numbers(sizes, **options):
    """draw: as `network`, with images, and numbers for `filled`."""

    def draw(rng):
        drawn = network(sizes, **options)(rng)
        return drawn | {
            "images": 50 * rng.standard_normal((1, 3, drawn["input_size"], drawn["input_size"]), np.float32),
            "numbers": rng.standard_normal(5001, np.float32),
            "seed": int(rng.integers(2**32)),
        }

    return draw


def built(lib, function, **arguments):
    """The network of `function`, "alexnet" or "alexnet_caffe", without initial values."""
    with lib.nn.init.skipped():
        return getattr(lib.models.alexnet, function)(**arguments)


def layers_run(lib, **arguments):
    """The names and classes of the layers, in order."""
    return {"layers": named(lib, built(lib, "alexnet", **arguments))}


def named(lib, model):
    """The names and classes of a network's layers. model: the network."""
    return texts([f"{name}: {lib.kind(layer)}" for name, layer in lib.listed(model.named_children())])


def maps(lib, model, input_size, *kinds):
    """{name: (channels, height, width) after it} of the layers of these classes. input_size: pixels."""
    rows = lib.models.layout.layout(model, (3, input_size, input_size))
    return {row.name: np.array(row.output) for row in rows if lib.kind(row.layer) in kinds}


def maps_run(lib, num_classes, input_size):
    """(channels, height, width) after every convolution and pool."""
    model = built(lib, "alexnet", num_classes=num_classes, input_size=input_size)
    return maps(lib, model, input_size, "Conv2d", "MaxPool2d")


def weights(lib, model):
    """The shape of every weight and the size of its bias; without the inputs of fc6, which follow from the maps."""
    sizes = {}
    for name, layer in lib.listed(model.named_children()):
        if lib.kind(layer) in ("Conv2d", "Linear"):
            weight = layer.weight.shape[:1] if name == "fc6" else layer.weight.shape
            bias = layer.bias
            sizes[name] = np.array((*weight, 0 if bias is None else bias.numel()))
    return sizes


def weights_run(lib, num_classes, input_size):
    """The shapes of the weights, which each network has for itself."""
    model = built(lib, "alexnet", num_classes=num_classes, input_size=input_size)
    other = built(lib, "alexnet", num_classes=num_classes + 1, input_size=input_size)
    ours, theirs = (dict(lib.listed(each.named_children()))["conv2"].weight for each in (model, other))
    return weights(lib, model) | {"shared_by_two_networks": lib.same(ours, theirs)}


def settings(lib, model, images, seed):
    """What normalisation and dropout do with images: in training, and in evaluation."""
    answers = {}
    for name, layer in lib.listed(model.named_children()):
        kind = lib.kind(layer)
        if kind == "LocalResponseNorm":
            channels = {"norm1": 96, "norm2": 256}[name]
            x = np.resize(images, (2, channels, 3, 2))
            answers[name] = layer(lib.Tensor(x)).numpy()
        elif kind == "Dropout":
            x = images[0, :, 0]
            lib.manual_seed(seed)
            answers[f"{name} in training"] = layer.train()(lib.Tensor(x)).numpy()
            answers[f"{name} in evaluation"] = layer.eval()(lib.Tensor(x)).numpy()
    return answers


def caffe_run(lib, images, numbers, seed, **arguments):
    """Caffe's layers, pools, which round up, weights, and what normalisation and dropout do."""
    model = built(lib, "alexnet_caffe", **arguments)
    answers = maps(lib, model, arguments["input_size"], "MaxPool2d")
    return answers | weights(lib, model) | settings(lib, model, images, seed) | {"layers": named(lib, model)}


def numbers_of(numbers, rows, shape, place):
    """Rows of weights, made of the numbers. shape: of a row; place: where in the numbers they begin."""
    made = [np.resize(np.roll(numbers, place + 97 * row), shape) for row in range(rows)]
    return np.array(made) * np.float32(2 / np.sqrt(made[0].size))


ROWS = 7  # different rows of a weight, which makes messages small; it shares no divisor with the sizes of groups


def filled(lib, model, numbers):
    """Give a network weights made of the numbers.

    Those of fully connected layers would have 64 MB: these layers are computed here instead.
    """

    def linear(layer, input):
        x, (inputs, outputs) = input.numpy(), (layer.in_features, layer.out_features)
        if x.shape[1:] != (inputs,):
            raise ValueError(f"a linear layer of {inputs} inputs got {x.shape[1:]}")
        rows = numbers_of(numbers, ROWS, inputs, inputs + 3 * outputs)
        y = (x @ rows.T)[:, np.arange(outputs) % ROWS] + np.resize(np.roll(numbers, outputs), outputs)
        return lib.Tensor(y)

    lib.replaced("nn.layers.Linear.forward", linear)
    for name, layer in lib.listed(model.named_children()):
        if lib.kind(layer) not in ("Conv2d", "BatchNorm2d"):
            continue
        shape, place = layer.weight.shape, 100 * ord(name[-1]) + len(name)
        values, biases = lib.reference(layer.weight, "data"), lib.reference(layer.bias, "data")
        biases[...] = np.resize(np.roll(numbers, place), shape[0])
        if len(shape) == 1:
            values[...] = 1 + 0.3 * np.tanh(np.resize(np.roll(numbers, -place), shape[0]))
            continue
        for number, row in enumerate(numbers_of(numbers, ROWS, shape[1:], place)):
            values[number::ROWS] = row
    return model


def logits_run(lib, images, numbers, seed, function, others=(), **arguments):
    """What a network makes of an image, in training and in evaluation, with weights that the grader gives it.

    function: "alexnet" or "alexnet_caffe".
    others: arguments of further networks, of which only the layers are asked for; with them, of the first one only
        what it does in training.
    """
    model = filled(lib, built(lib, function, **arguments), numbers)
    answers = {}
    with lib.no_grad():
        lib.manual_seed(seed)
        answers["in_training"] = model.train()(lib.Tensor(images)).numpy()
        if not others:
            answers["in_evaluation"] = model.eval()(lib.Tensor(images)).numpy()
    for number, other in enumerate(others):
        answers[f"layers_{number}"] = named(lib, built(lib, function, **arguments | other))
    return answers


def initial_run(lib, function, row, **arguments):
    """The std of the initial weights and the values of the biases.

    row: random numbers. The generator's own are so many that drawing them would take a second; here all rows of a
        weight are the same, with mean 0 and std 1.
    """

    def standard_normal(shape=(1,), dtype=np.float64, **_):
        drawn = np.resize(row, shape[-1])
        return ((drawn - drawn.mean()) / drawn.std()).astype(dtype)

    drawing = lib.stand_in(standard_normal=standard_normal)
    lib.replaced("random.Generator.numpy", lambda generator: drawing)
    lib.replaced("nn.layers._Initialised.reset_parameters", lambda layer: None)
    model = getattr(lib.models.alexnet, function)(**arguments)
    answers: dict = {}
    for name, layer in lib.listed(model.named_children()):
        if lib.kind(layer) in ("Conv2d", "Linear"):
            some, biases = lib.reference(layer.weight, "data")[:16], layer.bias.numpy()
            std, mean = np.std(some, dtype=np.float64), np.mean(some, dtype=np.float64)
            answers[f"std of {name}"], answers[f"mean of {name} is 0"] = std, abs(mean) < 0.1 * std
            answers[f"bias of {name}"] = np.array([biases.min(), biases.max()])
    return answers


def with_row(draw):
    """draw: as the other one, with a row for `initial_run`."""
    return lambda rng: draw(rng) | {"row": rng.standard_normal(4099)}


def _teach_maps(inputs, got, expected):
    wrong = next(name for name in expected if not np.array_equal(got[name], expected[name]))
    if wrong.startswith("pool") and (got[wrong] > expected[wrong]).any():
        return f"the first wrong size is after {wrong}: the paper's pools are 3 x 3 with stride 2, and round down"
    if got[wrong][0] != expected[wrong][0]:
        return f"the first wrong number of maps is that of {wrong}: how many filters does it have in section 3.5?"
    return f"the first wrong size is after {wrong}: are its kernel, stride and padding those of the handout's table?"


def teach_weights(inputs, got, expected):
    """Which weights have another shape, and the likely reason."""
    wrong = next(name for name in expected if not np.array_equal(got[name], expected[name]))
    if wrong not in WEIGHTS:
        return None
    if wrong == "fc8":
        return "the last layer has num_classes outputs"
    if got[wrong][1] == 2 * expected[wrong][1]:
        return f"the filters of {wrong} see twice as many channels as they should: it is split over two GPUs, groups=2"
    if 2 * got[wrong][1] == expected[wrong][1]:
        return f"the filters of {wrong} see half of the channels: only conv2, conv4 and conv5 are split over two GPUs"
    return f"the first wrong weights are those of {wrong}; the last number is the size of its bias"


# ------------------------------------------------------------------------------ augmentation


def random_words(rng, pictures):
    """Four random words for each image. pictures: how many images."""
    return rng.integers(0, 2**32, (pictures, 4), dtype=np.uint32)


def crop_draw(rng):
    """Wide float32 images, and high uint8 ones; sizes that fit into both."""
    height, width = int(rng.integers(8, 10)), int(rng.integers(11, 13))
    return {
        "images": rng.standard_normal((16, 3, height, width), np.float32),
        "words": random_words(rng, 16),
        "high": rng.integers(0, 256, (5, 2, width + 1, height), dtype=np.uint8),
        "high_words": random_words(rng, 5),
        "size": int(rng.integers(4, 7)),
    }


def crop_run(lib, images, words, high, high_words, size, **options):
    """The crops of the same transform."""
    crop = lib.data.transforms.RandomCrop(size, **options)
    return {"y": crop(images, words), "of_high_images": crop(high, high_words)}


def teach_crop(inputs, got, expected):
    """What a crop without padding does wrong."""
    images, words, size = inputs["images"], inputs["words"], inputs["size"]
    first = transforms.RandomCrop(size)(images, np.broadcast_to(words[:1], words.shape))
    if np.array_equal(got["y"], first):
        return "all images have the same crop: each image has its own row of `words`"
    if np.array_equal(got["y"], transforms.RandomCrop(size)(images, words[:, [1, 0, 2, 3]])):
        return "word 0 determines the top and word 1 the left, here it is the other way round"
    if np.array_equal(got["y"], transforms.RandomCrop(size)(images, words[:, [0, 0, 2, 3]])):
        return "top and left come from the same word, so that all crops lie along a diagonal"
    if np.array_equal(got["y"], transforms.RandomCrop(size)(images[:, :, :-1, :-1], words)):
        return "an image of H rows has H - size + 1 positions for the crop's top: the last one is missing"
    return None


def flip_draw(rng):
    """float32 images, and uint8 ones in gray."""
    return {
        "images": rng.standard_normal((16, 3, 4, 5), np.float32),
        "words": random_words(rng, 16),
        "gray": rng.integers(0, 256, (7, 1, 3, 6), dtype=np.uint8),
        "gray_words": random_words(rng, 7),
    }


def flip_run(lib, images, words, gray, gray_words):
    """Flips with the probability that is the default."""
    flip = lib.data.transforms.RandomHorizontalFlip()
    return {"y": flip(images, words), "in_gray": flip(gray, gray_words)}


def _teach_flip(inputs, got, expected):
    images, y = inputs["images"], expected["y"]
    flipped = (y != images).any(axis=(1, 2, 3), keepdims=True)
    if np.array_equal(got["y"], np.where(flipped, images[:, :, ::-1], images)):
        return "this exchanges top and bottom: left and right are the last axis"
    if np.array_equal(got["y"], np.where(flipped, images, images[..., ::-1])):
        return "the wrong images are flipped: flip where the word is below p 2^32"
    same = (got["y"] == got["y"][:1]).all() or np.array_equal(got["y"], images[..., ::-1])
    if same or np.array_equal(got["y"], images):
        return "all images are treated alike: each has its own word"
    return None


def noise_draw(channels, by, std):
    """draw: images of so many channels. by, std: arguments of ColorNoise; std(rng) returns it; None: left out."""

    def draw(rng):
        vectors, _ = np.linalg.qr(rng.standard_normal((channels, channels)))
        return {
            "images": rng.standard_normal((5, channels, 4, 6), np.float32) * 5,
            "words": random_words(rng, 5),
            "more_images": rng.standard_normal((1, channels, 1, 3), np.float32) * 5,
            "more_words": random_words(rng, 1),
            "stds": np.sort(rng.uniform(10, 80, channels)),
            "vectors": vectors,
            "coefficient": rng.uniform(0.2, 0.5),
            **({"by": by} if by else {}),
            **({"std": std(rng)} if std else {}),
        }

    return draw


def noise_run(lib, images, words, more_images, more_words, stds, vectors, coefficient, **options):
    """The noise of one transform on two batches."""
    statistics = lib.data.moments.Statistics(np.zeros((len(vectors), 4, 6)), stds, vectors, stds)
    noise = lib.data.color.ColorNoise(coefficient, statistics, **options)
    return {"y": noise(images, words), "of_another_batch": noise(more_images, more_words)}


def _teach_noise(inputs, got, expected):
    moved, right = got["y"] - inputs["images"], expected["y"] - inputs["images"]
    if np.ptp(moved, axis=(2, 3)).max() > 1e-3:
        return "pixels of one image get different colours: the noise is one colour for the whole image"
    if np.ptp(moved, axis=0).max() < 1e-3:
        return "all images get the same colour: each has its own words"
    if np.allclose(moved * 255, right, atol=1e-3):
        return "255 times too small: the eigenvalues are for pixels from 0 to 1, but these pixels go from 0 to 255"
    colors, c = color.normals(inputs["words"])[:, :3], inputs["coefficient"]
    vectors, d = inputs["vectors"], inputs["stds"]
    if np.allclose(moved[:, :, 0, 0], c * (colors * d) @ vectors.T, atol=1e-3):
        return "alpha is multiplied by the std d: section 4.1 uses the eigenvalue, the square of it"
    if np.allclose(moved[:, :, 0, 0], c * (colors * d * d / 255) @ vectors, atol=1e-3):
        return "the axes p_i are the columns of statistics.vectors, not the rows"
    return None


# ------------------------------------------------------------------------------ ten views


def views_draw(count, mean="one colour", order="RGB"):
    """draw: images and a pipeline's settings; mean: "one colour", or a mean image of "whole" images or of "crops"."""

    def draw(rng):
        size = int(rng.integers(5, 7))
        height, width = size + 3, size + 5  # centres that are rounded up and down
        sides = {"one colour": (1, 1), "whole": (height, width), "crops": (size, size)}[mean]
        return {
            "images": rng.integers(0, 256, (2, 3, height, width), dtype=np.uint8),
            "count": count,
            "mean": rng.uniform(90, 150, (3, *sides)),
            "std": rng.uniform(30, 60, (3, 1, 1)),
            "size": size,
            "order": order,
        }

    return draw


def views_run(lib, images, count, mean, std, size, order):
    """The views, and those of a single image, which is as high as the others are wide unless the mean is of whole."""
    pipeline = lib.data.pipeline.Pipeline(lib.data.transforms.Normalize(mean, std), size, order)
    answers = {"views": pipeline.views(images, count)}
    single = images[1:] if mean.shape[1] == images.shape[2] else images[1:].transpose(0, 1, 3, 2).copy()
    return answers | {"of_one_image": pipeline.views(single, count)}


def _teach_views(inputs, got, expected):
    views, right = got["views"], expected["views"]
    if np.array_equal(views[5:], views[:5]):
        return "the second five are the first five again: they should be their mirror images"
    if np.array_equal(views[:5], right[:5]):
        return "the first five are correct, their mirror images are not: left and right are the last axis"
    same = [any(np.array_equal(view, other) for other in right) for view in views]
    if all(same):
        return "each view is correct, but the order must be top left, top right, bottom left, bottom right, centre"
    return f"view {same.index(False)} is not one of the ten"


# ------------------------------------------------------------------------------ training steps

BATCH, FEATURES, CLASSES = 4, 5, 7


def steps_draw(pictures, dtype=np.float64, **options):
    """draw: so many images, a small network, and the numbers of three steps that are replayed."""
    accumulate = options.get("accumulate", 1)
    count = -(-pictures // (BATCH * accumulate))

    def draw(rng):
        return {
            "images": rng.standard_normal((pictures, FEATURES)).astype(dtype),
            "labels": rng.integers(0, CLASSES, pictures),
            "weight": rng.standard_normal((CLASSES, FEATURES)).astype(dtype),
            "bias": rng.standard_normal(CLASSES).astype(dtype),
            "lr": 0.5,
            "momentum": rng.uniform(0.5, 0.9),
            "accumulate": 1,
            "epoch": 0,
            "batch": 0,
            "replayed": np.sort(rng.permutation(count)[:3]),
            **options,
        }

    return draw


class Trained:
    """A Trainer of a small network, in the student's process, and what it does at every step.

    lib: the library.
    inputs: of `steps_draw`.
    """

    def __init__(self, lib, images, labels, weight, bias, lr, momentum, accumulate, epoch, batch):
        self.lib, self.images = lib, images
        self.asked: list = []  # the arguments of the loader's `epoch`
        self.batches = {}  # of two epochs, each with its own order
        for number in (epoch, epoch + 1):
            parts = [self.part(number, i) for i in range(-(-len(images) // BATCH))]
            self.batches[number] = [(lib.array(images[part]), lib.array(labels[part])) for part in parts]
        self.model = lib.nn.Sequential(lib.nn.Linear(FEATURES, CLASSES)).to(images.dtype)
        self.layer = self.model[0]
        self.layer.weight.data, self.layer.bias.data = lib.owned(weight), lib.owned(bias)
        loader = lib.stand_in(len(self.batches[epoch]), epoch=self._epoch, batch_size=BATCH, dataset=images)
        self.optimizer = lib.optim.SGD(self.model.parameters(), lr, momentum, velocity="paper")
        self.trainer = lib.training.trainer.Trainer(self.model.eval(), self.optimizer, None, loader, accumulate)
        self.trainer.epoch, self.trainer.batch = epoch, batch
        if batch:  # the gradients of a step that was not finished are still there
            lib.functional.cross_entropy(self.model(lib.Tensor(images[:2])), labels[:2]).backward()

    def _epoch(self, epoch=0, start_batch=0):
        """An iterator over the batches of an epoch."""
        self.asked.append((int(epoch), int(start_batch)))
        return self.lib.data.dataloader.itertools.chain(self.batches[epoch][start_batch:])

    def part(self, epoch, number):
        """The indices of a batch."""
        order = np.roll(np.arange(len(self.images)), 3 * epoch)
        return order[number * BATCH : (number + 1) * BATCH]

    def rest(self):
        """Go through the rest of the epoch; returns (loss, state after the step) for each step."""
        seen = []
        for loss, _ in zip(self.trainer.steps(), range(100), strict=False):
            if not isinstance(loss, (int, float, np.number)):
                raise TypeError(f"steps yielded a {self.lib.kind(loss)} as a step's loss, expected a number")
            seen.append((float(loss), self.state()))
        return seen

    def state(self):
        """The weights and velocities as they are now, a row (inputs and bias) for each class."""
        velocities = self.optimizer.state
        found = [velocities.get(i, {}).get("momentum_buffer") for i in (0, 1)]
        weight, bias = self.lib.value(self.layer.weight.data), self.lib.value(self.layer.bias.data)
        v = [np.zeros_like(w) if v is None else self.lib.value(v) for w, v in zip((weight, bias), found, strict=True)]
        return np.column_stack([weight, bias]), np.column_stack(v)


def step_by_hand(images, labels, state, lr, momentum):
    """The weights after a step, computed from the state before it and all its images.

    g = (softmax(x W^T + b) - one-hot)^T x / N      v = momentum v + lr g      w = w - v
    """
    (w, v), x = state, np.column_stack([images, np.ones(len(images))])
    logits = x @ w.T
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(labels)), labels] -= 1
    return w - (momentum * v + lr * (p.T @ x) / len(x))


def steps_run(lib, images, labels, weight, bias, lr, momentum, accumulate, epoch, batch, replayed):
    """Losses and weights after each step; and how far three steps are from those that the grader computes itself.

    replayed: the numbers of these steps, each of which is computed from the student's state before it.
    """
    training = Trained(lib, images, labels, weight, bias, lr, momentum, accumulate, epoch, batch)
    states, losses = [training.state()], []
    for loss, state in training.rest():
        losses.append(loss)
        states.append(state)
    answers = {"losses": losses, "weights": np.array([w for w, _ in states[1:]])}
    for step in replayed:
        if step + 1 >= len(states):  # there are fewer steps than expected, as `losses` shows
            continue
        first, after = batch + step * accumulate, -(-len(images) // BATCH)
        seen = [training.part(epoch, number) for number in range(first, min(first + accumulate, after))]
        own = np.concatenate(seen)
        right = step_by_hand(images[own], labels[own], states[step], lr, momentum)
        answers[f"error of step {step}"] = np.round(states[step + 1][0] - right, 9)
    return answers


def teach_steps(inputs, got, expected):
    """What is wrong with the first two steps."""
    if got["weights"].shape != expected["weights"].shape:
        return None
    weights, right = got["weights"][:, :, :-1], expected["weights"][:, :, :-1]
    if np.allclose(weights[-1], inputs["weight"]):
        return "the weights have not moved: backward() computes gradients, the optimiser's step() uses them"
    if np.allclose(weights[0], inputs["weight"]) and np.allclose(weights[1], right[0]):
        return "the loss is yielded before the optimiser's step: the caller may save the weights or stop there"
    if np.allclose(weights[0], right[0]) and not np.allclose(weights[1], right[1]):
        return "the first step is correct, the second is not: are old gradients cleared (zero_grad)?"
    if np.allclose(weights, right):
        return "the weights are correct, the losses are not: each is the mean loss of the step's images, a number"
    return None


CHECKS = (
    Check("alexnet layers", 6, network(ROUNDED_DOWN), layers_run),
    Check("alexnet maps", 6, network(ROUNDED_DOWN), maps_run, teach=_teach_maps),
    Check("alexnet weights", 4, network((130,)), weights_run, teach=teach_weights),
    Check("alexnet_caffe", 4, network_with_numbers(ROUNDED_UP[:2]), caffe_run, teach=teach_weights),
    Check("RandomCrop", 6, crop_draw, crop_run, teach=teach_crop),
    Check("RandomHorizontalFlip", 5, flip_draw, flip_run, teach=_teach_flip),
    Check("ColorNoise", 6, noise_draw(3, None, None), noise_run, rtol=1e-5, teach=_teach_noise),
    Check("views", 7, views_draw(10), views_run, teach=_teach_views),
    Check("steps", 6, steps_draw(38), steps_run, teach=teach_steps),
)
