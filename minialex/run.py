"""A training run: data, network, optimiser, and the folder that they write to."""

from __future__ import annotations

import contextlib
import shlex
import sys

from tqdm import tqdm

from . import (
    __version__,
    backends,
    checkpoint,
    cli,
    data,
    diagnose,
    fine_tuning,
    init,
    models,
    overfit,
    random,
    threads,
    trainer,
)
from .configuration import decay_text
from .data import Normalization
from .data.pipeline import Pipeline
from .models import training
from .pictures import Pictures

OVERFIT_ADVICE = f"""\
Not all of them are right with a loss below {overfit.KNOWN}, without dropout: a network that cannot learn a few
pictures by heart will not learn the task. Try a higher and a lower --lr; look at the initial deviations
(--diagnose without --overfit shows every layer), at the normalisation and at the labels."""


@contextlib.contextmanager
def _blame(path):
    """Turns what goes wrong with the content of a checkpoint into a UserError."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise cli.UserError(f"{path} does not fit this run and this version of minialex ({error})") from error


def _pipeline(source):
    """How the network in a Checkpoint was shown pictures."""
    return Pipeline(Normalization.from_arrays(source.normalization), source.input_size, source.channel_order)


class Run:
    """A configuration brought to life: data, network, optimiser, and the folder they write to.

    saved: the checkpoint to go on from, or None for a fresh start. start: the Trained network that this one begins
    with, if it does. download: fetch data that is missing.
    """

    def __init__(self, configuration, folder, saved, start=None, download=False):
        self.configuration, self.folder = configuration, folder
        recipe = configuration.training
        if configuration.threads:
            threads.set_count(configuration.threads)
        with cli.blame_input():
            self.backend = backends.use_backend(configuration.backend)
            self.backend.set_matmul_precision(configuration.matmul_precision)
        source, path = (saved, folder.last) if saved else (start and start.checkpoint, start and start.path)
        self.arguments = dict(source.arguments) if source else {}
        if configuration.input_size:
            self.arguments["input_size"] = configuration.input_size
        with _blame(path) if source else cli.blame_input(), init.skipped():
            outline = models.build(configuration.model, **self.arguments)
            known = _pipeline(source) if source else None
        with cli.blame_input():  # what is wrong with the network is said before photographs are read through
            training.freezing(outline, recipe, configuration.freeze)
            models.optimizer(outline, recipe)
        del outline
        preset = models.PRESETS[configuration.model]
        self.pictures = Pictures(configuration, preset, known, source and source.resize, download)
        self.splits = self.pictures.splits
        with cli.blame_input():
            self.classes = fine_tuning.class_names(self.splits.train.classes, configuration.num_classes)
        if saved and saved.classes != self.classes:
            raise cli.UserError(
                f"the run was trained on the classes {', '.join(saved.classes)}; the data now has "
                f"{', '.join(self.classes)}"
            )
        self.arguments["num_classes"] = len(self.classes)

        random.manual_seed(configuration.seed)
        self.model = models.build(configuration.model, **self.arguments)
        training.set_initial_values(self.model, recipe)
        self.transferred = ""
        if start:
            with _blame(path):
                self.transferred = fine_tuning.transfer(self.model, start.checkpoint.weights)
        optimizer = models.optimizer(self.model, recipe)
        schedule = training.schedule(self.model, recipe, optimizer)
        freezing, loader = training.freezing(self.model, recipe, configuration.freeze), self.pictures.loader()
        self.trainer = trainer.Trainer(self.model, optimizer, schedule, loader, configuration.accumulate, freezing)
        if saved:
            with _blame(folder.last):
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
        frozen = [modules for epoch, modules in training.freezing(network, recipe, c.freeze) if epoch == 0]
        for module in (module for modules in frozen for module in modules):
            module.requires_grad_(False)
        images, labels = self.some_pictures(wanted)
        loader = self.pictures.undistorted(data.ArrayDataset(images, labels, self.classes))
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
        shown = self.pictures.pipeline.views(images, 1)[0]
        return diagnose.measure(self.model, self.trainer.optimizer, shown, labels)

    def steps_per_epoch(self):
        return -(-len(self.trainer.loader) // self.configuration.accumulate)

    def validation_batches(self, interrupt):
        """Batches without distortion, or None where there are no validation pictures."""
        return self.batches(self.splits.validation, interrupt) if self.splits.validation else None

    def batches(self, dataset, interrupt):
        return interrupt.watch(self.pictures.undistorted(dataset).epoch())

    def test(self, interrupt):
        """Measure the weights as they are, and print the last line of the run."""
        result = trainer.evaluate(self.model, self.batches(self.splits.test, interrupt), "the test loss")
        accuracy = 100 - 100 * result.top1_error
        errors = _errors(result.top1_error, result.top5_error)
        self.folder.draw_test(fine_tuning.WithClasses(self.splits.test, self.classes), result)
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
            input_size=self.pictures.size,
            normalization=self.pictures.pipeline.normalization.to_arrays(),
            classes=self.classes,
            configuration=c.to_dict(),
            training=self.trainer.state_dict(),
            history=self.trainer.history,
            channel_order=self.pictures.pipeline.channel_order,
            resize=self.pictures.resize,
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
        shape = f"{splits.train.image_shape[0]}x{self.pictures.size}x{self.pictures.size}"
        parameters = sum(p.numel() for p in self.model.parameters())
        validation = f"{len(splits.validation):,} validation" if splits.validation else "no validation"
        workers = f"{threads.count()} thread{'s' if threads.count() > 1 else ''} {self.backend.threading}"
        biases = f" (of biases {t.lr * t.bias_lr:g})" if t.bias_lr != 1 else ""
        momentum = f", momentum {t.momentum:g}" if t.optimizer.startswith("sgd") else ""
        decay = decay_text(t) + ("" if t.bias_decay else " (not of biases)")
        place = f", going on from epoch {progress.epoch + 1}, batch {progress.batch + 1}" if self.has_begun else ""
        tests, batches = len(splits.test), len(progress.loader)
        steps = f", {c.accumulate} batches a step" if c.accumulate > 1 else ""
        lines = [
            ("model", f"{c.model}, {parameters:,} parameters, pictures {shape}, {len(self.classes)} classes"),
            ("weights", self._beginning()),
            ("frozen", self._frozen()),
            ("data", f"{t.dataset}: {len(splits.train):,} training, {validation} and {tests:,} test pictures"),
            ("pictures", self.pictures.describe()),
            ("backend", f"{self.backend.name}, {c.matmul_precision}, {workers}"),
            ("recipe", self._recipe()),
            ("optimizer", f"{t.optimizer}, lr {t.lr:g}{biases}{momentum}, weight decay {decay}, schedule {t.schedule}"),
            ("epochs", f"{t.epochs} of {batches:,} batches of {t.batch_size} pictures{steps}, seed {c.seed}{place}"),
            ("folder", str(self.folder.path)),
        ]
        return "\n".join([f"minialex {__version__}", *(f"  {name:9s}  {text}" for name, text in lines if text)])

    def _beginning(self):
        c = self.configuration
        if not c.weights:
            return ""
        return f"of {c.weights}, with their normalisation of pictures" + (self.transferred and f"; {self.transferred}")

    def _frozen(self):
        t = self.configuration.training
        late = [f"{layer} after {epochs} epochs" for layer, epochs in t.freeze_from.items()]
        return ", ".join([*self.configuration.freeze, *late])

    def _recipe(self):
        c, t = self.configuration, self.configuration.training
        special = [f"{layer} {schedule}" for layer, schedule in t.layer_schedules.items()]
        special += [f"biases {t.bias_schedule}"] if t.bias_schedule else []
        rates = f"; rates of their own: {', '.join(special)}" if special else ""
        absent = training.absent_layers(self.model, t)
        lacking = f"; this network has no {', '.join(absent)}" if absent else ""
        return f"{c.recipe}{rates}{lacking}" if c.recipe else ""

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


def say(line):
    """Print to stdout at once, above the progress bar if there is one."""
    tqdm.write(line, file=sys.stdout)
    sys.stdout.flush()
