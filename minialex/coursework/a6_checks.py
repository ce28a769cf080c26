"""The checks of A6: AlexNet, its augmentation, its training step, its ten views."""

from __future__ import annotations

import contextlib

import numpy as np

from .. import nn, optim
from ..data import color, pipeline, transforms
from ..data.moments import Statistics
from ..models import alexnet as networks
from ..models.layout import layout
from ..nn import init
from ..training import trainer
from .declaration import Check

# Networks are built for small images and few classes, without drawing initial values: at 227 pixels and 1000 classes
# the weights alone would take 244 MB. No forward pass is needed either, since layout() computes all sizes.


def _texts(words):
    """An array of texts whose dtype does not depend on their lengths."""
    return np.array(words, "U40")


# ------------------------------------------------------------------------------ the network


def _network_draw(**options):
    """draw: sizes for which pooling has to round, so that rounding up is detected; options: passed to the network."""

    def draw(rng):
        size = int(rng.choice((119, 127, 135)))
        return {"num_classes": int(rng.integers(5, 20)), "input_size": size, **options}

    return draw


def _alexnet(**arguments):
    with init.skipped():
        return networks.alexnet(**arguments)


def _layers_run(**arguments):
    layers = _alexnet(**arguments).named_children()
    return {"layers": _texts([f"{name}: {type(layer).__name__}" for name, layer in layers])}


def _maps_run(num_classes, input_size):
    """(channels, height, width) after every convolution and pool."""
    rows = layout(_alexnet(num_classes=num_classes, input_size=input_size), (3, input_size, input_size))
    return {row.name: np.array(row.output) for row in rows if isinstance(row.layer, (nn.Conv2d, nn.MaxPool2d))}


def _weights_run(num_classes, input_size):
    """The shape of every weight and the size of its bias; without the inputs of fc6, which follow from the maps."""
    sizes = {}
    for name, layer in _alexnet(num_classes=num_classes, input_size=input_size).named_children():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            weight = layer.weight.shape[:1] if name == "fc6" else layer.weight.shape
            sizes[name] = np.array((*weight, 0 if layer.bias is None else layer.bias.numel()))
    return sizes


def _initial_values(build, **arguments):
    """name -> (std of the weights, value of the biases) that the network passes to `init`."""
    stds, values = {}, {}

    def normal_(tensor, mean=0.0, std=1.0, generator=None):
        stds[id(tensor)] = std if mean == 0 else np.nan
        return tensor

    def constant_(tensor, val):
        values[id(tensor)] = val
        return tensor

    with init.skipped(), contextlib.ExitStack() as stack:
        for function in (normal_, constant_):
            stack.callback(setattr, init, function.__name__, getattr(init, function.__name__))
            setattr(init, function.__name__, function)
        model = build(**arguments)
    layers = [(name, layer) for name, layer in model.named_children() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    return {
        name: np.array((stds.get(id(layer.weight), np.nan), values.get(id(layer.bias), np.nan)), np.float64)
        for name, layer in layers
    }


def _initial_run(**arguments):
    return _initial_values(networks.alexnet, **arguments)


def _caffe_initial_run(**arguments):
    return _initial_values(networks.alexnet_caffe, **arguments)


def _settings(model):
    """The parameters of LRN and dropout layers."""
    numbers = {}
    for name, layer in model.named_children():
        if isinstance(layer, nn.LocalResponseNorm):
            over_element = layer.alpha_over == "element"
            numbers[name] = np.array((layer.size, layer.alpha, layer.beta, layer.k, over_element), np.float64)
        elif isinstance(layer, nn.Dropout):
            numbers[name] = np.array((layer.p, layer.inverted), np.float64)
    return numbers


def _settings_run(**arguments):
    return _settings(_alexnet(**arguments))


def _caffe_run(num_classes, input_size):
    """The output shapes of the pools, which round up, and the parameters of LRN and dropout."""
    with init.skipped():
        model = networks.alexnet_caffe(num_classes=num_classes, input_size=input_size)
    rows = layout(model, (3, input_size, input_size))
    pools = {row.name: np.array(row.output) for row in rows if isinstance(row.layer, nn.MaxPool2d)}
    return pools | _settings(model)


def _options_run(**arguments):
    """The layers that the options affect, in their order among the fully connected ones."""
    told = []
    for name, layer in _alexnet(**arguments).named_children():
        if isinstance(layer, (nn.Dropout, nn.BatchNorm2d, nn.LocalResponseNorm, nn.Linear)):
            told.append(f"{name}: {type(layer).__name__} {getattr(layer, 'inverted', '')}")
    return {"layers": _texts(told)}


def _teach_maps(inputs, got, expected):
    wrong = next(name for name in expected if not np.array_equal(got[name], expected[name]))
    if wrong.startswith("pool") and (got[wrong] > expected[wrong]).any():
        return f"the first wrong size is after {wrong}: the paper's pools are 3 x 3 with stride 2, and round down"
    if got[wrong][0] != expected[wrong][0]:
        return f"the first wrong number of maps is that of {wrong}: how many filters does it have in section 3.5?"
    return f"the first wrong size is after {wrong}: are its kernel, stride and padding those of the handout's table?"


def _teach_weights(inputs, got, expected):
    wrong = next(name for name in expected if not np.array_equal(got[name], expected[name]))
    if wrong == "fc8":
        return "the last layer has num_classes outputs"
    if got[wrong][1] == 2 * expected[wrong][1]:
        return f"the filters of {wrong} see twice as many channels as they should: it is split over two GPUs, groups=2"
    if 2 * got[wrong][1] == expected[wrong][1]:
        return f"the filters of {wrong} see half of the channels: only conv2, conv4 and conv5 are split over two GPUs"
    return f"the first wrong weights are those of {wrong}; the last number is the size of its bias"


# ------------------------------------------------------------------------------ augmentation


def _words(rng, pictures):
    return rng.integers(0, 2**32, (pictures, 4), dtype=np.uint32)


def _edge_words(rng, pictures):
    """Only the smallest and the largest words, for crops in the corners."""
    corners = np.array([0, 2**32 - 1], np.uint32)
    return corners[(np.arange(pictures)[:, None] >> np.arange(4) + rng.integers(0, 2)) % 2]


def _crop_draw(paddings, words=_words):
    def draw(rng):
        height, width = int(rng.integers(8, 10)), int(rng.integers(11, 13))
        return {
            "images": rng.standard_normal((16, 3, height, width), np.float32),
            "words": words(rng, 16),
            "size": int(rng.integers(4, 7)),
            "padding": int(rng.choice(paddings)),
        }

    return draw


def _crop_run(images, words, size, padding):
    return {"y": transforms.RandomCrop(size, padding)(images, words)}


def _teach_crop(inputs, got, expected):
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


def _flip_draw(chances, near=False):
    """draw: images to flip with probability p; near: words close to the threshold."""

    def draw(rng):
        p, words = float(rng.choice(chances)), _words(rng, 16)
        if near:
            words[:8, 0] = round(p * 2**32) + rng.permutation(np.arange(8) - 4)
        return {"images": rng.standard_normal((16, 3, 4, 5), np.float32), "words": words, "p": p}

    return draw


def _flip_run(images, words, p):
    given = images.copy()
    y = transforms.RandomHorizontalFlip(p)(given, words)
    return {"y": np.array(y), "written_to": not np.array_equal(given, images)}


def _teach_flip(inputs, got, expected):
    images, y = inputs["images"], expected["y"]
    if got["written_to"]:
        return "the input images have changed: they belong to the data set, which is used again in the next epoch"
    flipped = (y != images).any(axis=(1, 2, 3), keepdims=True)
    if np.array_equal(got["y"], np.where(flipped, images[:, :, ::-1], images)):
        return "this exchanges top and bottom: left and right are the last axis"
    if np.array_equal(got["y"], np.where(flipped, images, images[..., ::-1])):
        return "the wrong images are flipped: flip where the word is below p 2^32"
    same = (got["y"] == got["y"][:1]).all() or np.array_equal(got["y"], images[..., ::-1])
    if same or np.array_equal(got["y"], images):
        return "all images are treated alike: each has its own word"
    return None


def _noise_draw(by, stds):
    def draw(rng):
        vectors, _ = np.linalg.qr(rng.standard_normal((3, 3)))
        return {
            "images": rng.standard_normal((5, 3, 4, 6), np.float32) * 5,
            "words": _words(rng, 5),
            "stds": np.sort(rng.uniform(10, 80, 3)),
            "vectors": vectors,
            "coefficient": rng.uniform(0.1, 0.5),
            "by": by,
            "std": rng.uniform(20, 70, (3, 1, 1)) if stds else np.ones((3, 1, 1)),
        }

    return draw


def _noise_run(images, words, stds, vectors, coefficient, by, std):
    statistics = Statistics(np.zeros((3, 4, 6)), stds, vectors, stds)
    return {"y": color.ColorNoise(coefficient, statistics, by, std)(images, words)}


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


def _views_draw(count, whole_mean=False, orders=("RGB",)):
    """draw: images and a pipeline's settings; whole_mean: a mean image instead of one colour."""

    def draw(rng):
        height, width = int(rng.integers(8, 10)), int(rng.integers(11, 13))
        return {
            "images": rng.integers(0, 256, (2, 3, height, width), dtype=np.uint8),
            "count": count,
            "mean": rng.uniform(90, 150, (3, height, width) if whole_mean else (3, 1, 1)),
            "std": rng.uniform(30, 60, (3, 1, 1)),
            "size": int(rng.integers(5, 7)),
            "order": str(rng.choice(orders)),
        }

    return draw


def _views_run(images, count, mean, std, size, order):
    shown = pipeline.Pipeline(transforms.Normalize(mean, std), size, order).views(images, count)
    return {"views": shown}


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


# ------------------------------------------------------------------------------ a training step


class _Batches:
    """A Loader of given images that records the arguments of `epoch`."""

    def __init__(self, images, labels, batch_size):
        self.dataset, self.labels, self.batch_size = images, labels, batch_size
        self.asked = (-1, -1)

    def __len__(self):
        return -(-len(self.dataset) // self.batch_size)

    def epoch(self, epoch=0, start_batch=0):
        self.asked = epoch, start_batch
        for start in range(start_batch * self.batch_size, len(self.dataset), self.batch_size):
            part = slice(start, start + self.batch_size)
            yield self.dataset[part], self.labels[part]


def _steps_draw(pictures, lr=0.5, **options):
    def draw(rng):
        return {
            "images": rng.standard_normal((pictures, 5)),
            "labels": rng.integers(0, 3, pictures),
            "weight": rng.standard_normal((3, 5)),
            "bias": rng.standard_normal(3),
            "lr": lr,
            "momentum": rng.uniform(0.5, 0.9),
            "accumulate": 1,
            "epoch": 0,
            "batch": 0,
            **options,
        }

    return draw


def _trained(images, labels, weight, bias, lr, momentum, accumulate, epoch, batch):
    """The state of a small network and its Trainer whenever `steps` yields a loss, and at the end."""
    model = nn.Sequential(nn.Linear(5, 3)).to(np.float64)
    model[0].weight.data, model[0].bias.data = weight.copy(), bias.copy()
    loader = _Batches(images, labels, 4)
    optimizer = optim.SGD(model.parameters(), lr, momentum, velocity="paper")
    training = trainer.Trainer(model.eval(), optimizer, None, loader, accumulate)
    training.epoch, training.batch = epoch, batch
    seen = [(loss, model[0].weight.numpy().copy(), training.batch, model.training) for loss in training.steps()]
    training._read_losses()
    losses, weights, batches, modes = map(np.array, zip(*seen, strict=True))
    return training, loader, {"losses": losses, "weights": weights}, {"batches": batches, "training": modes}


def _steps_run(**inputs):
    return _trained(**inputs)[2]


def _books_run(**inputs):
    """The Trainer's own metrics, at a learning rate of 0, so that they do not depend on the updates."""
    training, loader, _, account = _trained(**inputs)
    return account | {
        "asked_of_the_loader": np.array(loader.asked),
        "pictures": training.running.pictures,
        "loss": training.running.loss,
        "top1_error": training.running.top1_error,
    }


def _teach_steps(inputs, got, expected):
    weights, right = got["weights"], expected["weights"]
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
    Check("alexnet layers", 7, _network_draw(), _layers_run),
    Check("alexnet maps", 6, _network_draw(), _maps_run, teach=_teach_maps),
    Check("alexnet weights", 4, _network_draw(), _weights_run, teach=_teach_weights),
    Check("alexnet_caffe", 3, _network_draw(), _caffe_run),
    Check("RandomCrop", 6, _crop_draw((0,)), _crop_run, teach=_teach_crop),
    Check("RandomHorizontalFlip", 5, _flip_draw((0.5,)), _flip_run, teach=_teach_flip),
    Check("ColorNoise", 6, _noise_draw("eigenvalue", False), _noise_run, rtol=1e-5, teach=_teach_noise),
    Check("views", 7, _views_draw(10), _views_run, teach=_teach_views),
    Check("steps", 6, _steps_draw(16), _steps_run, teach=_teach_steps),
    Check("alexnet initial values", 4, _network_draw(), _initial_run, public=False),
    Check("alexnet settings", 3, _network_draw(), _settings_run, public=False),
    Check("alexnet options", 2, _network_draw(norm="bn", dropout="before", inverted=True), _options_run, public=False),
    Check("alexnet_caffe initial values", 2, _network_draw(), _caffe_initial_run, public=False),
    Check("RandomCrop padding", 3, _crop_draw((1, 2, 3)), _crop_run, public=False),
    Check("RandomCrop range", 3, _crop_draw((0,), _edge_words), _crop_run, public=False, teach=_teach_crop),
    Check("RandomHorizontalFlip chances", 3, _flip_draw((0.2, 0.3, 0.7), near=True), _flip_run, public=False),
    Check("ColorNoise by std", 4, _noise_draw("std", True), _noise_run, public=False, rtol=1e-5),
    Check("views mean picture", 4, _views_draw(10, whole_mean=True, orders=("BGR",)), _views_run, public=False),
    Check("views centre", 2, _views_draw(1), _views_run, public=False),
    Check("steps accumulate", 5, _steps_draw(18, accumulate=3), _steps_run, public=False),
    Check("steps books", 5, _steps_draw(18, lr=0.0, epoch=2, batch=1), _books_run, public=False),
)
