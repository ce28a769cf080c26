"""The data of a training run: its splits, and the transforms between them and the network."""

from __future__ import annotations

import functools

from .. import backends, data
from ..data import Normalize
from ..data.pipeline import Pipeline
from ..support.errors import UserError, as_user_error

SMALL = 200  # pixels: networks for photographs have at least this input size


class Pictures:
    """The splits of a run's data set, and their loaders.

    configuration: of the run.
    preset: of the network.
    known: the Pipeline to keep when a run is resumed, or starts with trained weights, whose first layer needs the same
        normalisation; without it, the normalisation is computed from the training images.
    resize: of the same weights, see Checkpoint.
    download: whether to download missing files.

    Of an image folder only the file names are listed at first; `read` reads the images. `ranks` is that of data.Loader.

    Raises UserError where the data does not fit the network.
    """

    def __init__(self, configuration, preset, known=None, resize=None, download=False):
        self.configuration, self.recipe = configuration, configuration.recipe
        of_data = data.DATASETS[configuration.recipe.dataset].side
        self.size = known.input_size if known else configuration.input_size or preset.input_size or of_data
        self.in_files = configuration.reads_files
        self.resize = self._resize(resize) if self.in_files else configuration.resize
        self.splits = self._load(download)
        self._check_size()
        if known:
            self._check_mean(known.normalization.mean.shape)
        self._known, self._channel_order, self.ranks = known, preset.channel_order, (0, 1)

    def read(self):
        """Read an image folder and compute all statistics now, while Ctrl-C still stops at once.

        Returns the Pipeline and the list of noise transforms.
        Raises UserError where images cannot be read.
        """
        with as_user_error():
            for split in self.splits:
                len(split or ())
            return self.pipeline, self._noise

    @functools.cached_property
    def pipeline(self):
        """The Pipeline: that of the trained weights, or with the statistics of the training images."""
        return self._known or Pipeline(self._measured(), self.size, self._channel_order)

    @functools.cached_property
    def _noise(self):
        r = self.recipe
        if not r.color_noise:
            return []
        colors = data.statistics(self.splits.train)
        return [data.ColorNoise(r.color_noise, colors, r.color_noise_by, self.pipeline.normalization.std)]

    def _resize(self, of_weights):
        """Pixels of the shorter side: the configuration's, the weights', or the paper's ratio of 256 to 224."""
        return self.configuration.resize or of_weights or (256 if self.size >= SMALL else round(self.size * 8 / 7))

    def _load(self, download):
        c = self.configuration
        options: dict = {"size": self.size} if "size" in data.DATASETS[self.recipe.dataset].options else {}
        if data.DATASETS[self.recipe.dataset].enlarges:
            options = {"size": self.resize}
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
            if data.DATASETS[self.recipe.dataset].enlarges:
                larger = -(-self.size // height) * height
                advice = f"give resize={larger}, which enlarges them, or {advice}"
            raise UserError(
                f"{self.configuration.model} takes pictures of {self.size}x{self.size}, but those of "
                f"{self.recipe.dataset} are {height}x{width}: {advice}"
            )

    def _measured(self):
        pictures, kind = self.splits.train, self.recipe.normalization
        if kind == "channels":
            return Normalize.channels(pictures)
        return Normalize.mean_image(pictures, self.size if kind == "mean-image-center" else None)

    def _check_mean(self, mean):
        shape = self.splits.train.image_shape
        if self.recipe.random_resized_crop and mean[1:] not in ((1, 1), (self.size, self.size)):
            raise UserError(
                "the mean image of the weights is one of whole pictures, which a random-resized crop has not: choose a "
                "recipe with random_resized_crop = false, or start with other weights"
            )
        if mean[1:] not in ((1, 1), (self.size, self.size), shape[1:]) or mean[0] != shape[0]:
            raise UserError(
                f"the mean image of the weights is {mean[1]}x{mean[2]}, but the pictures of "
                f"{self.recipe.dataset} are {shape[1]}x{shape[2]}: {f'give resize={mean[1]}, or ' * self.in_files}"
                "start with other weights"
            )

    def transforms(self, epoch):
        """The training transforms of `epoch`, a number from 0."""
        r = self.recipe
        noise = self._noise if r.color_noise_until is None or epoch < r.color_noise_until else []
        return self.pipeline.training_transforms(
            crop_padding=r.crop_padding, flip=r.flip, noise=noise, random_resized_crop=r.random_resized_crop
        )

    def loader(self):
        """The training Loader."""
        size, seed = self.recipe.batch_size, self.configuration.seed
        workers = self.configuration.workers or 1
        as_bytes = backends.get_backend().takes_bytes
        options = {"shuffle": True, "seed": seed, "workers": workers, "as_bytes": as_bytes, "ranks": self.ranks}
        return data.Loader(self.splits.train, size, self.transforms, **options)

    def undistorted(self, dataset, ranks=(0, 1)):
        """A Loader of `dataset` in its own order, without augmentation. ranks: as of data.Loader."""
        transforms, as_bytes = self.pipeline.evaluation_transforms(), backends.get_backend().takes_bytes
        return data.Loader(dataset, self.recipe.batch_size, transforms, as_bytes=as_bytes, ranks=ranks)

    def describe(self):
        """The augmentation of the training images as text; empty where there is none."""
        r, (height, width) = self.recipe, self.splits.train.image_shape[1:]
        words = []
        if r.random_resized_crop:
            whole = hasattr(self.splits.train, "fetch_cropped")
            of = "whole pictures" if whole else f"pictures of {height}x{width}"
            words.append(f"random parts of {of}, resized to {self.size}x{self.size}")
        elif r.crop_padding or (height, width) != (self.size, self.size):
            around = f" padded by {r.crop_padding}" if r.crop_padding else ""
            words.append(f"crops of {self.size}x{self.size} from {height}x{width}{around}")
        if r.flip:
            words.append("half of them mirrored")
        if r.color_noise:
            end = f" until epoch {r.color_noise_until}" if r.color_noise_until is not None else ""
            words.append(f"colour noise {r.color_noise:g} by {r.color_noise_by}{end}")
        return ", ".join(words)
