"""The pictures of a training run: where they come from, and how the network is shown them."""

from __future__ import annotations

from . import cli, data
from .data import Normalization
from .data.pipeline import Pipeline

SMALL = 200  # pixels: networks of photographs take at least so many


class Pictures:
    """The splits of a data set, and their way to the network.

    known: the Pipeline that is kept, when a run goes on or begins with trained weights: a first layer that has learned
    on pictures of one scale would make noise of others. Without it the training pictures are measured. resize: that of
    the same weights. preset: of the network. UserError where data and network do not go together.
    """

    def __init__(self, configuration, preset, known=None, resize=None, download=False):
        self.configuration, self.training = configuration, configuration.training
        self.size = known.input_size if known else configuration.input_size or preset.input_size
        self.in_files = "workers" in data.DATASETS[self.training.dataset].options
        self.resize = self._resize(resize) if self.in_files else None
        self.splits = self._load(download)
        self._check_size()
        if known:
            self._check_mean(known.normalization.mean.shape)
        with cli.blame_input():
            for split in self.splits:
                len(split or ())  # a folder is read through now, while Ctrl-C still stops at once
            self.pipeline = known or Pipeline(self._measured(), self.size, preset.channel_order)
        self._noise = []
        if self.training.color_noise:
            t, colors = self.training, data.statistics(self.splits.train)
            noise = data.ColorNoise(t.color_noise, colors, t.color_noise_by, self.pipeline.normalization.std)
            self._noise.append(noise)

    def _resize(self, of_weights):
        """Pixels of the shorter side: as asked, as the weights have it, or as the paper: 256 for networks of 224."""
        return self.configuration.resize or of_weights or (256 if self.size >= SMALL else round(self.size * 8 / 7))

    def _load(self, download):
        c = self.configuration
        options: dict = {"size": self.size} if "size" in data.DATASETS[self.training.dataset].options else {}
        if self.in_files:
            options = {"size": self.resize, "workers": c.workers, "strict": c.strict, "val_labels": c.val_labels}
        with cli.blame_input():
            return data.load(
                self.training.dataset,
                data_dir=c.data_dir,
                download=download,
                validation=c.validation,
                limit=c.limit,
                **options,
            )

    def _check_size(self):
        height, width = self.splits.train.image_shape[1:]
        if min(height, width) < self.size:
            advice = f"give --resize {self.size} or more" if self.in_files else "choose another --model or --dataset"
            raise cli.UserError(
                f"{self.configuration.model} takes pictures of {self.size}x{self.size}, those of "
                f"{self.training.dataset} are {height}x{width}: {advice}"
            )

    def _measured(self):
        pictures, kind = self.splits.train, self.training.normalization
        if kind == "channels":
            return Normalization.channels(pictures)
        return Normalization.mean_image(pictures, self.size if kind == "mean-image-center" else None)

    def _check_mean(self, mean):
        shape = self.splits.train.image_shape
        if mean[1:] not in ((1, 1), (self.size, self.size), shape[1:]) or mean[0] != shape[0]:
            raise cli.UserError(
                f"the mean image that came with the weights is {mean[1]}x{mean[2]}, and the pictures of "
                f"{self.training.dataset} are {shape[1]}x{shape[2]}: {f'give --resize {mean[1]}, or ' * self.in_files}"
                "start from other weights"
            )

    def transforms(self, epoch):
        """Of training, in this epoch."""
        t = self.training
        noise = self._noise if t.color_noise_until is None or epoch < t.color_noise_until else []
        return self.pipeline.training(crop_padding=t.crop_padding, flip=t.flip, noise=noise)

    def loader(self):
        """The Loader of training."""
        size, seed = self.training.batch_size, self.configuration.seed
        workers = self.configuration.workers or 1
        return data.Loader(self.splits.train, size, self.transforms, shuffle=True, seed=seed, workers=workers)

    def undistorted(self, dataset):
        """A Loader of a data set, in its order, as evaluation sees it."""
        return data.Loader(dataset, self.training.batch_size, self.pipeline.evaluation())

    def describe(self):
        """How training distorts them, in words: an empty text where it does not."""
        t, (height, width) = self.training, self.splits.train.image_shape[1:]
        words = []
        if t.crop_padding or (height, width) != (self.size, self.size):
            around = f" with {t.crop_padding} pixels around" if t.crop_padding else ""
            words.append(f"crops of {self.size}x{self.size} from {height}x{width}{around}")
        if t.flip:
            words.append("half of them mirrored")
        if t.color_noise:
            end = f" until epoch {t.color_noise_until}" if t.color_noise_until is not None else ""
            words.append(f"colour noise {t.color_noise:g} by {t.color_noise_by}{end}")
        return ", ".join(words)
