"""The pictures of a training run: where they come from, and how the network is shown them."""

from __future__ import annotations

import functools

from .. import data
from ..data import Normalize
from ..data.pipeline import Pipeline
from ..support.errors import UserError, as_user_error

SMALL = 200  # pixels: networks of photographs take at least so many


class Pictures:
    """The splits of a data set, and their way to the network.

    configuration: of the run. preset: of the network. known: the Pipeline that is kept, when a run goes on or begins
    with trained weights: a first layer that has learned on one pixel scale would give garbage on another; without it
    the training pictures are measured. resize: that of the same weights. download: fetch data that is missing.

    Of photographs only the lists of files are read at first; `read()` reads them through. Raises UserError where data
    and network do not go together.
    """

    def __init__(self, configuration, preset, known=None, resize=None, download=False):
        self.configuration, self.recipe = configuration, configuration.recipe
        self.size = known.input_size if known else configuration.input_size or preset.input_size
        self.in_files = configuration.reads_files
        self.resize = self._resize(resize) if self.in_files else None
        self.splits = self._load(download)
        self._check_size()
        if known:
            self._check_mean(known.normalization.mean.shape)
        self._known, self._channel_order = known, preset.channel_order

    def read(self):
        """Read through a folder of photographs, and measure what is to be measured, now: Ctrl-C still stops at once."""
        with as_user_error():
            for split in self.splits:
                len(split or ())
            return self.pipeline, self._noise

    @functools.cached_property
    def pipeline(self):
        """How the network is shown pictures: as the weights have it, or with the training pictures' statistics."""
        return self._known or Pipeline(self._measured(), self.size, self._channel_order)

    @functools.cached_property
    def _noise(self):
        r = self.recipe
        if not r.color_noise:
            return []
        colors = data.statistics(self.splits.train)
        return [data.ColorNoise(r.color_noise, colors, r.color_noise_by, self.pipeline.normalization.std)]

    def _resize(self, of_weights):
        """Pixels of the shorter side: as asked, as the weights have it, or as the paper: 256 for networks of 224."""
        return self.configuration.resize or of_weights or (256 if self.size >= SMALL else round(self.size * 8 / 7))

    def _load(self, download):
        c = self.configuration
        options: dict = {"size": self.size} if "size" in data.DATASETS[self.recipe.dataset].options else {}
        if self.in_files:
            options = {"size": self.resize, "workers": c.workers, "strict": c.strict, "val_labels": c.val_labels}
        with as_user_error():
            return data.load(
                self.recipe.dataset,
                data_dir=c.data_dir,
                download=download,
                validation=c.validation,
                limit=c.limit,
                **options,
            )

    def _check_size(self):
        height, width = self.splits.train.image_shape[1:]
        if min(height, width) < self.size:
            advice = f"give resize={self.size} or more" if self.in_files else "choose another model=... or dataset=..."
            raise UserError(
                f"{self.configuration.model} takes pictures of {self.size}x{self.size}, those of "
                f"{self.recipe.dataset} are {height}x{width}: {advice}"
            )

    def _measured(self):
        pictures, kind = self.splits.train, self.recipe.normalization
        if kind == "channels":
            return Normalize.channels(pictures)
        return Normalize.mean_image(pictures, self.size if kind == "mean-image-center" else None)

    def _check_mean(self, mean):
        shape = self.splits.train.image_shape
        if mean[1:] not in ((1, 1), (self.size, self.size), shape[1:]) or mean[0] != shape[0]:
            raise UserError(
                f"the mean image that came with the weights is {mean[1]}x{mean[2]}, and the pictures of "
                f"{self.recipe.dataset} are {shape[1]}x{shape[2]}: {f'give resize={mean[1]}, or ' * self.in_files}"
                "start from other weights"
            )

    def transforms(self, epoch):
        """Of training, in this epoch."""
        r = self.recipe
        noise = self._noise if r.color_noise_until is None or epoch < r.color_noise_until else []
        return self.pipeline.training_transforms(crop_padding=r.crop_padding, flip=r.flip, noise=noise)

    def loader(self):
        """The Loader of training."""
        size, seed = self.recipe.batch_size, self.configuration.seed
        workers = self.configuration.workers or 1
        return data.Loader(self.splits.train, size, self.transforms, shuffle=True, seed=seed, workers=workers)

    def undistorted(self, dataset):
        """A Loader of a data set, in its order, as evaluation sees it."""
        return data.Loader(dataset, self.recipe.batch_size, self.pipeline.evaluation_transforms())

    def describe(self):
        """How training distorts them, in words: an empty text where it does not."""
        r, (height, width) = self.recipe, self.splits.train.image_shape[1:]
        words = []
        if r.crop_padding or (height, width) != (self.size, self.size):
            around = f" with {r.crop_padding} pixels around" if r.crop_padding else ""
            words.append(f"crops of {self.size}x{self.size} from {height}x{width}{around}")
        if r.flip:
            words.append("half of them mirrored")
        if r.color_noise:
            end = f" until epoch {r.color_noise_until}" if r.color_noise_until is not None else ""
            words.append(f"colour noise {r.color_noise:g} by {r.color_noise_by}{end}")
        return ", ".join(words)
