"""A6, AlexNet: the network from its table, its augmentation, a training step, ten views."""

from __future__ import annotations

from .a6_checks import CHECKS
from .declaration import Assignment, Question
from .targets import TARGETS

HINTS: dict[str, tuple[str, ...]] = {
    "alexnet": (
        "Section 3.5 of the paper and the handout's table have all the numbers. Write a list of rows for from_table; "
        "`fully_connected` in models/table.py makes the rows after the convolutions.",
        "A row with weights is (name, layer, std, bias). conv1 has no padding and stride 4, conv2 padding 2, the "
        "others 1. conv2, conv4 and conv5 are split over the two GPUs: groups=2. norm_layer(norm, channels, "
        "paper_lrn()) follows the ReLUs of conv1 and conv2, and a pool of 3 x 3 with stride 2 follows it.",
        "return from_table(maps + fully_connected(maps, input_size, num_classes, dropout_at(dropout, inverted), "
        "hidden=(0.01, 1), last=(0.01, 0))), where maps are the rows conv1, relu1, norm1, pool1, ... relu5, pool5; "
        "every std is 0.01, and the bias is 1 in conv2, conv4 and conv5, else 0.",
    ),
    "alexnet_caffe": (
        "The same rows as alexnet, with five differences: see ALEXNET_CAFFE.differs, further down in the file, and the "
        "function's docstring.",
        "Its pools round up, ceil_mode=True. Its LRN has k=1 and divides alpha by the window size, LocalResponseNorm's "
        "default, unlike paper_lrn(). Dropout is inverted, which is already this function's default.",
        "Biases that are 1 in the paper are 0.1 here; hidden=(0.005, 0.1), last=(0.01, 0); "
        "LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0); MaxPool2d(3, 2, ceil_mode=True).",
    ),
    "RandomCrop.__call__": (
        "How many positions are there for the top of a window of `size` rows in an image of H rows? Count for H = 5 "
        "and size = 4. _below(words, count) turns each word into a number from 0 to count - 1.",
        "Pad first, so that height and width include the margins. top comes from word 0 of each image, left from "
        "word 1: arrays of n numbers. Then cut a window out of each image.",
        "top = _below(words[:, 0], height - self.size + 1), left likewise; np.stack of image[:, t : t + size, "
        "l : l + size] for every image, t and l of zip(images, top, left).",
    ),
    "RandomHorizontalFlip.__call__": (
        "Each image has a word of its own. Below which threshold is a uniform number from 0 to 2^32 - 1 with "
        "probability p?",
        "words[:, 0] < round(self.p * 2**32) selects the images to flip. Left and right are the last axis.",
        "np.stack([image[..., ::-1] if flip else image for image, flip in zip(images, flipped)]): a new array, since "
        "the input must not be changed.",
    ),
    "ColorNoise.__init__": (
        "Which parts of c sum_i alpha_i lambda_i p_i are the same for every image? Compute them once.",
        "The axes p_i are the columns of statistics.vectors. Each is multiplied by c and by d_i^2 / 255 "
        '(by="eigenvalue") or d_i (by="std"), and each colour channel is divided by its std.',
        "self.axes = coefficient * statistics.vectors * scale / np.reshape(std, (-1, 1)): scale (C,) multiplies "
        "columns, std as a column divides rows. Keep coefficient and by as well.",
    ),
    "ColorNoise.__call__": (
        "How many random numbers does an image need? Not one for each pixel.",
        "normals(words) has four for each image, of which the first C are alpha. A matrix product with the axes turns "
        "them into a colour (n, C), which broadcasting adds to all pixels.",
        "colors = normals(words)[:, : len(self.axes)] @ self.axes.T, and y = images + colors[:, :, None, None] in "
        'float32; for by="std" divide y by 1 + coefficient.',
    ),
    "Pipeline.views": (
        "Four corners, the centre, and the mirror image of each of the five. Use CornerCrop and CenterCrop; "
        "self._normalized(crop) normalises before or after the crop, as necessary.",
        "For each crop apply [*self._normalized(crop), *self._order()] to the images, one transform after the other. "
        "This gives the first five views; the next five are the same with the last axis reversed.",
        "crops = [CornerCrop(size, bottom, right) for bottom in (0, 1) for right in (0, 1)] + [CenterCrop(size)]; "
        "np.stack of the views of all crops, then of their [..., ::-1], as float32. count = 1: only the centre; raise "
        "ValueError for any count but 1 and 10.",
    ),
    "Trainer.steps": (
        "One step: zero_grad(), forward, loss, backward, the optimiser's step(). Then yield the loss. A generator "
        "pauses at `yield` and continues when the next loss is requested.",
        "self.loader.epoch(self.epoch, start_batch=self.batch) yields images and labels. Count every batch, "
        "self.batch += 1 and self.running.add(loss.item(), logits.numpy(), labels), before you yield the loss. "
        "self._pictures_of_step() is the number of images in the step that starts at self.batch.",
        "A batch of n images has the share n / pictures of its step: loss.backward(share), and the step's loss is the "
        "sum of share * loss. Call zero_grad() before the first batch of a step, step() and yield after the last, when "
        "all images of the step have been seen.",
    ),
}

WRITTEN = (
    Question(
        "The paper says that its images are 224 x 224 and that the first layer's maps are 55 x 55. Which image size, "
        "kernel, stride and padding give 55? What is wrong with 224, and which two fixes are in use?",
        3,
        (
            "1: (224 - 11) / 4 + 1 is not an integer; without padding it is rounded down to 54",
            "1: 227 pixels and no padding give (227 - 11) / 4 + 1 = 55",
            "1: or 224 pixels with 3 pixels of padding in all (2 on both sides, as torchvision, also gives 55)",
        ),
    ),
    Question(
        "Where are the 61 million weights, and where are the multiplications? Give the share of either in the "
        "convolutions and in the fully connected layers, from `python -m minialex.summary alexnet`. Which layers would "
        "you change to make the network smaller, and which to make it faster?",
        4,
        (
            "1: weights: about 96 % are in fc6 to fc8, 4 % in the convolutions",
            "1: multiplications: about 92 % are in the convolutions",
            "1: smaller: the fully connected layers (fc6 first, 38 million of the weights)",
            "1: faster: the convolutions",
        ),
    ),
    Question(
        "In evaluation ten views are averaged. Does the paper average logits or probabilities, and why may it matter? "
        "Why does averaging help at all, though all ten views go through the same network?",
        3,
        (
            "1: the probabilities after softmax",
            "1: with logits, one very confident view (a large logit) outweighs the others; a probability is at most 1",
            "1: errors that depend on the position of the object differ between views, and average out",
        ),
    ),
)

ASSIGNMENT = Assignment("a6", "AlexNet", targets=TARGETS["a6"], checks=CHECKS, hints=HINTS, written=WRITTEN)
