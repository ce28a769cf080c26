"""A6, AlexNet: the network from its table, its augmentation, a training step, ten views."""

from __future__ import annotations

from .a6_checks import CHECKS
from .declaration import Assignment, Question, Target

HINTS: dict[str, tuple[str, ...]] = {
    "alexnet": (
        "Section 3.5 of the paper and the handout's table have every number. Write a list of rows as from_table takes "
        "them; what `fully_connected` in models/table.py makes of the maps you need not write again.",
        "A row with weights is (name, layer, std, bias). conv1 has no padding and stride 4, conv2 padding 2, the "
        "others 1. conv2, conv4 and conv5 are split over the two GPUs: groups=2. norm_layer(norm, channels, "
        "paper_lrn()) stands behind the ReLUs of conv1 and conv2, and a pool of 3 x 3 with stride 2 behind it.",
        "return from_table(maps + fully_connected(maps, input_size, num_classes, dropout_at(dropout, inverted), "
        "hidden=(0.01, 1), last=(0.01, 0))), where maps are the rows conv1, relu1, norm1, pool1, ... relu5, pool5; "
        "every std is 0.01, and the bias is 1 in conv2, conv4 and conv5, else 0.",
    ),
    "alexnet_caffe": (
        "The same rows as alexnet, with five differences: ALEXNET_CAFFE.differs, further down in the file, and the "
        "function's docstring tell of them.",
        "Its pools round up, ceil_mode=True. Its LRN has k=1 and alpha over the window, LocalResponseNorm's default, "
        "so paper_lrn() is not it. Dropout is inverted, which is this function's default already.",
        "Biases that are 1 in the paper are 0.1 here; hidden=(0.005, 0.1), last=(0.01, 0); "
        "LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0); MaxPool2d(3, 2, ceil_mode=True).",
    ),
    "RandomCrop.__call__": (
        "How many places are there for the top of a window of `size` rows in a picture of H rows? Count for H = 5 and "
        "size = 4. _below(words, count) makes of each word a number from 0 to count - 1.",
        "Pad first, so that height and width include the margins. top comes from word 0 of each picture, left from "
        "word 1: arrays of n numbers. Then cut a window out of each picture.",
        "top = _below(words[:, 0], height - self.size + 1), left likewise; np.stack of image[:, t : t + size, "
        "l : l + size] for every image, t and l of zip(images, top, left).",
    ),
    "RandomHorizontalFlip.__call__": (
        "Each picture has a word of its own. A number drawn evenly from 0 to 2^32 - 1 is below what in p of all cases?",
        "words[:, 0] < round(self.p * 2**32) says which pictures are flipped. Left and right are the last axis.",
        "np.stack([image[..., ::-1] if flip else image for image, flip in zip(images, flipped)]): a new array, since "
        "the one that came in is not yours.",
    ),
    "ColorNoise.__init__": (
        "Which of all that c sum_i alpha_i lambda_i p_i needs is the same for every picture? That can be made once.",
        "The axes p_i are the columns of statistics.vectors. Each is multiplied by c and by d_i^2 / 255 "
        '(by="eigenvalue") or d_i (by="std"), and each colour channel is divided by its std.',
        "self.axes = coefficient * statistics.vectors * scale / np.reshape(std, (-1, 1)): scale (C,) multiplies "
        "columns, std as a column divides rows. Keep coefficient and by as well.",
    ),
    "ColorNoise.__call__": (
        "How many random numbers does a picture need? Not one for each pixel.",
        "normals(words) has four for each picture, of which the first C are alpha. A matrix product with the axes "
        "makes a colour (n, C) of them, which broadcasting adds to all pixels.",
        "colors = normals(words)[:, : len(self.axes)] @ self.axes.T, and y = images + colors[:, :, None, None] in "
        'float32; for by="std" divide y by 1 + coefficient.',
    ),
    "Pipeline.views": (
        "Four corners, the centre, and the mirror image of each of the five. CornerCrop and CenterCrop cut; "
        "self._normalized(crop) knows whether to normalise before or after.",
        "For each crop send the pictures through [*self._normalized(crop), *self._order()], one transform after the "
        "other. The first five views are these, the next five the same with the last axis reversed.",
        "crops = [CornerCrop(size, bottom, right) for bottom in (0, 1) for right in (0, 1)] + [CenterCrop(size)]; "
        "np.stack of the views of all crops, then of their [..., ::-1], as float32. count = 1: the centre alone; any "
        "other count than 1 and 10 is a ValueError.",
    ),
    "Trainer.steps": (
        "One step: gradients forgotten, forward, loss, backward, the optimiser's step. Then hand out the loss. A "
        "generator stops at `yield` and goes on when the next loss is asked for.",
        "self.loader.epoch(self.epoch, start_batch=self.batch) gives images and labels. Book every batch: "
        "self.batch += 1 and self.running.add(loss.item(), logits.numpy(), labels), before you hand out the loss. "
        "self._pictures_of_step() says how many pictures the step that begins at self.batch has.",
        "A batch of n pictures has the share n / pictures of its step: loss.backward(share), and the step's loss is "
        "the sum of share * loss. zero_grad() before the first batch of a step, step() and yield after the last, "
        "which is when the pictures of the step have all been seen.",
    ),
}

WRITTEN = (
    Question(
        "The paper says that its pictures are 224 x 224 and that the first layer's maps are 55 x 55. Which sizes of "
        "picture, kernel, stride and padding give 55? What is wrong with 224, and which two repairs are in use?",
        3,
        (
            "1: (224 - 11) / 4 + 1 is no whole number; without padding it is 54",
            "1: 227 pixels and no padding give (227 - 11) / 4 + 1 = 55",
            "1: or 224 pixels with 3 pixels of padding in all (2 on both sides, as torchvision, also gives 55)",
        ),
    ),
    Question(
        "Where are the 61 million weights, and where are the multiplications? Give both shares for the convolutions "
        "and for the fully connected layers, from `python -m minialex.summary alexnet`. What follows for making the "
        "network smaller, and for making it faster?",
        4,
        (
            "1: weights: about 96 % are in fc6 to fc8, 4 % in the convolutions",
            "1: multiplications: about 92 % are in the convolutions",
            "1: smaller: the fully connected layers (fc6 first, 38 million of the weights)",
            "1: faster: the convolutions",
        ),
    ),
    Question(
        "Ten views are averaged in evaluation. Is the average taken of logits or of probabilities in the paper, and "
        "why may it matter? Why does averaging help at all, though all ten views go through the same network?",
        3,
        (
            "1: of the softmax's probabilities",
            "1: of logits, one view that is very sure (a large logit) outweighs the others; a probability is at most 1",
            "1: errors that depend on the place of the object differ from view to view, and average out",
        ),
    ),
)

ASSIGNMENT = Assignment(
    "a6",
    "AlexNet",
    targets=(
        Target("models/alexnet.py", ("alexnet", "alexnet_caffe")),
        Target("data/transforms.py", ("RandomCrop.__call__", "RandomHorizontalFlip.__call__")),
        Target("data/color.py", ("ColorNoise.__init__", "ColorNoise.__call__")),
        Target("data/pipeline.py", ("Pipeline.views",)),
        Target("training/trainer.py", ("Trainer.steps",)),
    ),
    checks=CHECKS,
    hints=HINTS,
    written=WRITTEN,
)
