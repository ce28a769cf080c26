"""`python -m minialex.train`: train a network and leave a run folder."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shlex
import sys
import time

import numpy as np
from tqdm import tqdm

from . import __version__, backends, checkpoint, cli, data, diagnose, models, overfit, random, threads, trainer
from .configuration import Configuration, decay_text, parser
from .run_folder import RunFolder
from .tensor import Tensor, no_grad

OVERFIT_ADVICE = f"""\
Not all of them are right with a loss below {overfit.KNOWN}, without dropout: a network that cannot learn a few
pictures by heart will not learn the task. Try a higher and a lower --lr; look at the initial deviations
(--diagnose without --overfit shows every layer), at the normalisation and at the labels."""


def main(argv=None):
    """Train as the options say; the exit code."""
    options = parser().parse_args(argv)
    if options.resume:
        folder, configuration, saved = _reopen(options)
    else:
        folder, configuration, saved = _start(options)
    run = Run(configuration, folder, saved, options.download)
    with cli.Interrupt() as interrupt, _troubles_in_words(folder), run.backend.announcing(say):
        say(run.header())
        try:
            if configuration.overfit and not run.has_begun and not run.learns_by_heart(interrupt):
                return 1
            run.train(interrupt)
            run.test(interrupt)
        except cli.Interrupted as signal:
            run.stop()
            return signal.exit_code
    return 0


@contextlib.contextmanager
def _troubles_in_words(folder):
    try:
        yield
    except trainer.Diverged as error:
        left = f"the last good checkpoint is {folder.last}" if folder.last.exists() else "no checkpoint was saved yet"
        raise cli.UserError(f"{error}; {left}") from error
    except MemoryError as error:
        raise cli.UserError(
            f"out of memory ({error}): try a smaller --batch-size, with --accumulate for the same steps"
        ) from error


@contextlib.contextmanager
def _blame_checkpoint(path):
    """Turns what goes wrong with the content of a checkpoint into a UserError."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise cli.UserError(f"{path} does not fit this run and this version of minialex ({error})") from error


def _start(options):
    """A new run: (its folder, its configuration, no checkpoint)."""
    configuration = Configuration.from_options(options)
    with cli.blame_input():
        trainer.parse_schedule(configuration.training.schedule)
    name = f"{configuration.model}-{configuration.training.dataset}-{time.strftime('%Y%m%d-%H%M%S')}"
    return RunFolder.create(options.out or os.path.join("runs", name)), configuration, None


def _reopen(options):
    """An earlier run: (its folder, its configuration, its checkpoint if it came that far)."""
    for name, value in vars(options).items():
        if value is not None and name not in ("resume", "epochs", "data_dir", "threads"):
            raise cli.UserError(
                f"--{name.replace('_', '-')} cannot be changed when a run goes on; leave it out, or "
                "start a new run (only --epochs, --data-dir and --threads go with --resume)"
            )
    folder = RunFolder.open(options.resume)
    with cli.blame_input():
        configuration = folder.read_configuration(Configuration.from_dict)
        saved = checkpoint.load(folder.last, model=configuration.model) if folder.last.exists() else None
    if saved and not saved.training:
        raise cli.UserError(f"{folder.last} has weights but no state of training, as best.npz: it cannot go on")
    if options.data_dir:
        configuration.data_dir = os.path.abspath(options.data_dir)
    configuration.threads = options.threads or configuration.threads
    if options.epochs:
        finished = saved.training["epoch"] if saved else 0
        if options.epochs < finished:
            raise cli.UserError(f"the run has done {finished} epochs already: --epochs must be {finished} or more")
        configuration.training = dataclasses.replace(configuration.training, epochs=options.epochs)
    return folder, configuration, saved


class Run:
    """A configuration brought to life: data, network, optimiser, and the folder they write to.

    saved: the checkpoint to go on from, or None for a fresh start.
    """

    def __init__(self, configuration, folder, saved, download=False):
        self.configuration, self.folder = configuration, folder
        self.preset, recipe = models.PRESETS[configuration.model], configuration.training
        if configuration.threads:
            threads.set_count(configuration.threads)
        with cli.blame_input():
            self.backend = backends.use_backend(configuration.backend)
            self.backend.set_matmul_precision(configuration.matmul_precision)
        self.splits = _load_data(configuration, download)
        self.classes = list(self.splits.train.classes)
        self.arguments = {"num_classes": len(self.classes)}
        if saved and saved.classes != self.classes:
            raise cli.UserError(
                f"the run was trained on the classes {', '.join(saved.classes)}; the data now has "
                f"{', '.join(self.classes)}"
            )

        random.manual_seed(configuration.seed)
        self.model = models.build(configuration.model, **self.arguments)
        optimizer = models.optimizer(self.model, recipe)
        schedule = trainer.make_schedule(recipe.schedule, optimizer, recipe.epochs)
        self.check_pictures()
        with _blame_checkpoint(folder.last) if saved else contextlib.nullcontext():
            self.normalization = _normalization(recipe, self.splits.train, saved)
        transforms = [self.normalization]
        if recipe.crop_padding:
            transforms.append(data.RandomCrop(self.preset.input_size, recipe.crop_padding))
        if recipe.flip:
            transforms.append(data.RandomHorizontalFlip())
        loader = data.Loader(self.splits.train, recipe.batch_size, transforms, shuffle=True, seed=configuration.seed)
        self.trainer = trainer.Trainer(self.model, optimizer, schedule, loader, configuration.accumulate)
        if saved:
            with _blame_checkpoint(folder.last):
                self.model.load_state_dict(saved.weights)
                self.trainer.load_state_dict(saved.training)
            self.trainer.history = saved.history

    @property
    def has_begun(self):
        return self.trainer.epoch > 0 or self.trainer.batch > 0

    def learns_by_heart(self, interrupt):
        """--overfit: whether a copy of the network learns some pictures by heart. The run itself is left untouched."""
        c, recipe, wanted = self.configuration, self.configuration.training, self.configuration.overfit
        if wanted > len(self.splits.train):
            raise cli.UserError(f"--overfit {wanted}: there are only {len(self.splits.train)} training pictures")
        call = random.default_generator.call
        network = overfit.without_dropout(models.build(c.model, **self.arguments))
        random.default_generator.call = call
        network.load_state_dict(self.model.state_dict())
        images, labels = self.some_pictures(wanted)
        pictures = data.ArrayDataset(images, labels, self.classes)
        loader = data.Loader(pictures, recipe.batch_size, [self.normalization])
        optimizer = models.optimizer(network, recipe)
        try:
            result = overfit.learn_by_heart(network, optimizer, loader, c.accumulate, interrupt.watch)
        except trainer.Diverged as error:
            raise cli.UserError(f"--overfit {wanted}: {error}") from error
        knows, right, steps, loss = result
        say(f"knows {right} of {wanted} pictures after {steps} steps, loss {loss:.4f}")
        if not knows:
            say(OVERFIT_ADVICE)
        return knows

    def some_pictures(self, count):
        """The first pictures of the first epoch, undistorted: (uint8 images, labels), always the same."""
        return self.splits.train.fetch(self.trainer.loader.order(0)[:count])

    def train(self, interrupt):
        """The loop over epochs and steps. A signal stops it by cli.Interrupted where saving is safe."""
        t, epochs = self.trainer, self.configuration.training.epochs
        self.folder.write_configuration(self.configuration.to_dict())
        self.folder.write_metrics(t.history)
        if t.epoch >= epochs:
            say(f"this run has finished its epochs ({epochs}); to go on longer:")
            say(f"  {self.command()} --epochs {2 * epochs}")
        with self.progress_bar() as bar:
            while t.epoch < epochs:
                bar.set_description(f"epoch {t.epoch + 1}/{epochs}", refresh=False)
                for _ in t.steps():
                    bar.set_postfix_str(f"loss {t.running.loss:.3f}", refresh=False)
                    bar.update(self.pictures_done() - bar.n)
                    interrupt.check()
                    if self.folder.save_is_due():
                        self.save()
                layers = self.measure_layers() if self.configuration.diagnose else None
                row = t.finish_epoch(self.validation_batches(interrupt))
                say(self.epoch_line(row))
                if layers:
                    row["layers"] = layers
                    say(diagnose.table(layers))
                if hint := diagnose.chance_hint(t.history, len(self.classes), self.steps_per_epoch()):
                    say(hint)
                if "val_loss" in row and row is trainer.best_row(t.history):
                    self.folder.save_best(self.snapshot())
                self.save()
                self.draw(now=t.epoch == epochs)
                interrupt.check()

    def measure_layers(self):
        """--diagnose: figures of each layer, see diagnose.measure."""
        images, labels = self.some_pictures(self.configuration.training.batch_size)
        return diagnose.measure(self.model, self.trainer.optimizer, self.normalization(images), labels)

    def steps_per_epoch(self):
        return -(-len(self.trainer.loader) // self.configuration.accumulate)

    def check_pictures(self):
        """UserError, with the layer that cannot take them, for pictures of another size than the network's."""
        height, width = self.splits.train.image_shape[1:]
        if height == width == self.preset.input_size:
            return
        try:
            with no_grad():
                blank = np.zeros((1, *self.splits.train.image_shape), np.float32)
                self.model.eval()(Tensor(blank))  # eval: dropout would draw
        except ValueError as error:
            name, dataset, size = self.configuration.model, self.configuration.training.dataset, self.preset.input_size
            raise cli.UserError(
                f"{name} takes pictures of {size}x{size}, those of {dataset} are {height}x{width}: {error}; "
                "choose another --model or --dataset"
            ) from error

    def validation_batches(self, interrupt):
        """Batches without distortion, or None where there are no validation pictures."""
        return self.batches(self.splits.validation, interrupt) if self.splits.validation else None

    def batches(self, dataset, interrupt):
        loader = data.Loader(dataset, self.configuration.training.batch_size, (self.normalization,))
        return interrupt.watch(loader.epoch())

    def test(self, interrupt):
        """Measure the weights as they are, and print the last line of the run."""
        result = trainer.evaluate(self.model, self.batches(self.splits.test, interrupt), "the test loss")
        accuracy = 100 - 100 * result.top1_error
        errors = _errors(result.top1_error, result.top5_error)
        self.folder.draw_test(self.splits.test, result)
        say(f"test accuracy {accuracy:.1f} %, {errors} ({result.pictures:,} pictures)")

    def stop(self):
        """Leave everything as --resume needs it, and say so."""
        t = self.trainer
        self.folder.write_configuration(self.configuration.to_dict())
        self.save()
        self.draw(now=True)
        say(f"stopped after {t.epoch} epochs and {t.batch} batches; everything is saved, go on with:")
        say(f"  {self.command()}")

    def snapshot(self):
        """The Checkpoint of this moment. Diverged if its weights are worth nothing."""
        self.trainer.check_weights()
        c = self.configuration
        return checkpoint.Checkpoint(
            model=c.model,
            arguments=self.arguments,
            weights=self.model.state_dict(),
            input_size=self.preset.input_size,
            normalization=self.normalization.to_arrays(),
            classes=self.classes,
            configuration=c.to_dict(),
            training=self.trainer.state_dict(),
            history=self.trainer.history,
        )

    def save(self):
        self.folder.save(self.snapshot())
        self.folder.write_metrics(self.trainer.history)

    def draw(self, *, now=False):
        self.folder.draw(self.trainer.history, self.model, now=now)

    def command(self):
        """The command line that goes on with this run."""
        return f"python -m minialex.train --resume {shlex.quote(str(self.folder.path))}"

    def pictures_done(self):
        return self.trainer.epoch * len(self.splits.train) + self.trainer.running.pictures

    def progress_bar(self):
        """Over the whole run, on stderr; silent where that is no terminal."""
        total = self.configuration.training.epochs * len(self.splits.train)
        return tqdm(
            desc=f"epoch {self.trainer.epoch + 1}",
            total=total,
            initial=self.pictures_done(),
            unit=" images",
            disable=None,
            leave=False,
            bar_format="{desc}{percentage:3.0f}% |{bar}| {rate_noinv_fmt}, {remaining} left{postfix}",
        )

    def header(self):
        """What will run, a line a subject."""
        c, t, splits, progress = self.configuration, self.configuration.training, self.splits, self.trainer
        shape = "x".join(str(n) for n in splits.train.image_shape)
        parameters = sum(p.numel() for p in self.model.parameters())
        validation = f"{len(splits.validation):,} validation" if splits.validation else "no validation"
        workers = f"{threads.count()} thread{'s' if threads.count() > 1 else ''} {self.backend.threading}"
        biases = f" (of biases {t.lr * t.bias_lr:g})" if t.bias_lr != 1 else ""
        momentum = f", momentum {t.momentum:g}" if t.optimizer.startswith("sgd") else ""
        decay = decay_text(t) + ("" if t.bias_decay else " (not of biases)")
        place = f", going on from epoch {progress.epoch + 1}, batch {progress.batch + 1}" if self.has_begun else ""
        steps = f", {c.accumulate} batches a step" if c.accumulate > 1 else ""
        return f"""\
minialex {__version__}
  model      {c.model}, {parameters:,} parameters, pictures {shape}, {len(self.classes)} classes
  data       {t.dataset}: {len(splits.train):,} training, {validation} and {len(splits.test):,} test pictures
  backend    {self.backend.name}, {self.configuration.matmul_precision}, {workers}
  optimizer  {t.optimizer}, lr {t.lr:g}{biases}{momentum}, weight decay {decay}, schedule {t.schedule}
  epochs     {t.epochs} of {len(progress.loader):,} batches of {t.batch_size} pictures{steps}, seed {c.seed}{place}
  folder     {self.folder.path}"""

    def epoch_line(self, row):
        """One epoch's metrics."""
        result = f"training error {100 * row['train_error']:.1f} %, no validation pictures"
        if "val_loss" in row:
            result = f"validation loss {row['val_loss']:.4f}, {_errors(row['val_top1_error'], row['val_top5_error'])}"
        epochs = self.configuration.training.epochs
        number = str(row["epoch"]).rjust(len(str(epochs)))
        speed = f"{row['images_per_second']:,.0f} images/s, {row['seconds']:.1f} s"
        return f"epoch {number}/{epochs}: training loss {row['train_loss']:.4f}, {result}, {speed}"


def _errors(top1, top5):
    return f"top-1 error {100 * top1:.1f} %, top-5 error {100 * top5:.1f} %"


def _load_data(configuration, download):
    """The data set's splits, at the size that the network takes where the data set leaves the choice."""
    name = configuration.training.dataset
    drawn = "size" in data.DATASETS[name].options
    with cli.blame_input():
        return data.load(
            name,
            data_dir=configuration.data_dir,
            download=download,
            size=models.PRESETS[configuration.model].input_size if drawn else None,
            validation=configuration.validation,
            limit=configuration.limit,
        )


def _normalization(recipe, pictures, saved):
    """As the recipe says, measured on the training pictures; a resumed run keeps the one it had."""
    if saved:
        return data.Normalization.from_arrays(saved.normalization)
    if recipe.normalization == "mean-image":
        return data.Normalization.mean_image(pictures)
    return data.Normalization.channels(pictures)


def say(line):
    """Print to stdout at once, above the progress bar if there is one."""
    tqdm.write(line, file=sys.stdout)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(cli.run(main))
