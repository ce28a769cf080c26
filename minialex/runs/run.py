"""A training run: data, network, optimizer, and the folder for the results."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shlex
from collections.abc import Callable, Iterable
from typing import Any

from .. import backends, cfg, data, models, random, threads
from ..models.layout import in_order
from ..parallel.group import Group
from ..support.errors import UserError, as_user_error
from ..support.progress import folded, write
from ..support.types import FileName
from ..training import diagnose, evaluation, overfit, trainer
from ..training.display import TrainingProgress
from ..training.range_test import lr_find
from ..training.recipe import frozen_modules, make_optimizer, make_schedule, set_initial_values
from ..training.shared_trainer import SharedTrainer
from . import checkpoint, fine_tuning, kept, programs, report, shared_out, trained
from .configuration import Configuration
from .folder import RunFolder, first_filters
from .pictures import Pictures
from .watched import WatchedFolder

# Settings that may change when a run is resumed: its length, the place of its data, how many threads and processes.
RESUMABLE = ("epochs", "data_dir", "val_labels", "threads", "workers", "parallel")

SEARCHES_ALONE = "lr_find=True is for one process: leave out parallel=... and start one"

OVERFIT_ADVICE = f"""\
Not all of them are classified correctly with a loss below {overfit.TARGET_LOSS}, without dropout: a network that cannot
memorise a few pictures will not learn the task. Try a higher and a lower learning rate; check the initial activations
(diagnose=True without overfit=... shows every layer), the normalisation and the labels."""


class Run:
    """A training run with all its objects: data, model, optimizer, trainer and folder.

        run = Run(configuration, RunFolder.create("runs/first"))
        run.train()
        run.test()

    configuration: a Configuration.
    folder: a RunFolder.
    start: a trained.Trained network whose weights this one starts with, or None.
    saved: a Checkpoint to continue from, or None; see also Run.resume.
    download: whether to download missing files.
    say: a function that is called with each line of output.
    world: the Group of processes among which the run is shared out; each of them makes its Run, the first one writes.

    Raises UserError where configuration, data and weights do not fit together, before any image file is read.
    """

    def __init__(
        self, configuration: Configuration, folder: RunFolder, *, start: trained.Trained | None = None,
        saved: checkpoint.Checkpoint | None = None, download: bool = False, say: Callable[[str], object] = write,
        world: Group | None = None,
    ) -> None:  # fmt: skip
        self.configuration, self.folder, self.say = configuration, folder, say
        self.world = shared_out.group(configuration, world or Group())
        self.after_save: Callable[[], object] = lambda: None
        self._filters: Any = None  # of the first convolution, whole, when the run was last saved
        self.backend = _use_machine(configuration)
        origin = saved or (start and start.checkpoint)
        path = folder.last if saved else start and start.path
        with as_user_error():
            preset = models.get_preset(configuration.model)

        with _blame(path) if origin else contextlib.nullcontext():
            pipeline = origin.pipeline() if origin else None
        with self.world.one_first():  # which may download, or unpack
            self.pictures = Pictures(configuration, preset, pipeline, origin and origin.resize, download)
        self.splits = self.pictures.splits
        with as_user_error():
            self.classes = fine_tuning.class_names(self.splits.train.classes, configuration.num_classes)
        if saved and saved.classes != self.classes:
            raise UserError(
                f"the run was trained on the classes {', '.join(saved.classes)}, but the data now has "
                f"{', '.join(self.classes)}"
            )

        self.files = self._files()
        random.manual_seed(configuration.seed)
        self.arguments = self._arguments(origin)
        with _blame(path) if origin else as_user_error():
            self.model = models.build(configuration.model, **self.arguments)
        kept.check(self.model, configuration.keep_every)
        if isinstance(preset, models.own.Own):
            with as_user_error():
                preset.check(self.model, self._shape(), len(self.classes))
        recipe, ordered = configuration.recipe, self._in_order(self.model)
        set_initial_values(ordered, recipe)
        self.transferred = ""
        if self.files:
            with as_user_error():
                self.transferred = self.files.initialise(self.model, start)
        elif start:
            with _blame(path):
                self.transferred = fine_tuning.transfer(self.model, start.checkpoint.weights)
        self.parameters = sum(p.numel() for p in self.model.parameters())
        with as_user_error():
            frozen = frozen_modules(ordered, recipe, configuration.freeze)
            self.scheme = shared_out.scheme(configuration, self.model, self.world)
            self.model = self.scheme.model
            optimizer = self._optimizer(self.model)
        schedule = cfg.EveryStep(optimizer) if self.files else make_schedule(self.model, recipe, optimizer)

        with self.world.one_first():
            self.pictures.read()  # last, after everything that can raise a UserError: reading image files takes long
        self.pictures.ranks = shared_out.ranks(self.scheme)
        empty = shared_out.has_empty_parts(self.splits, recipe.batch_size, self.scheme.pictures)
        if empty and isinstance(preset, models.own.Own):
            with as_user_error():
                preset.check_empty(self.model, self._shape())
        loader = self.pictures.loader()
        self.trainer = SharedTrainer(
            self.scheme,
            self.world,
            optimizer,
            schedule,
            loader,
            configuration.accumulate,
            frozen,
            recipe.clip_grad_norm,
        )
        self.trainer.recording = True
        if isinstance(optimizer, cfg.SGD2012):
            optimizer.total_steps = recipe.epochs * self.steps_per_epoch()
        if saved:
            with _blame(path):
                self.model.load_state_dict(self.scheme.own_state(saved.weights))
                self.trainer.load_state_dict(saved.trainer_state)
                saved.check_course(self.trainer)
            self.trainer.history = saved.history

    @classmethod
    def resume(
        cls, path: FileName, *, epochs: int | None = None, model: Any=None, say: Callable[[str], object] = write,
        world: Group | None = None, **changes: Any,
    ) -> Run:  # fmt: skip
        """The run in a folder, ready to continue where it stopped, with the same result as without the interruption.

        path: of the run folder.
        epochs: a new number of epochs; None to keep it.
        model: "FILE.py:FUNCTION" where the run has a network of the user's own: the file is executed.
        say, world: as in Run; the number of processes may be another one than before.
        changes: new values of data_dir, val_labels, threads, workers and parallel.

        Returns a Run.
        Raises FileNotFoundError where there is no run, UserError where it cannot continue, or is being trained now.
        """
        kind = WatchedFolder if world and world.rank else RunFolder
        with kind.open(path).released_on_error() as folder:
            with as_user_error():
                configuration = folder.read_configuration()
                if model and models.own.register(model) != configuration.model:
                    raise UserError(f"{path} is a run of {configuration.model}, not of {model}")
                models.get_preset(configuration.model)
                saved = checkpoint.load(folder.last, model=configuration.model) if folder.last.exists() else None
                start = trained.load(configuration.weights) if configuration.weights and not saved else None
            if saved and not saved.trainer_state:
                raise UserError(
                    f"{folder.last} has weights but no training state, like best.npz: the run cannot continue"
                )
            if saved:
                _check_unchanged(configuration, saved, folder)
            if epochs:
                finished = saved.trainer_state.get("epoch", 0) if saved else 0
                if epochs < finished:
                    raise UserError(
                        f"the run has finished {finished} epochs already: epochs=... must be at least {finished}"
                    )
                changes["recipe"] = dataclasses.replace(configuration.recipe, epochs=epochs)
            if world and world.size != configuration.processes:
                changes = {"threads": shared_out.threads_of(threads.count(), world)} | changes
                changes["processes"] = world.size
            if change := models.own.changed(configuration.model, configuration.model_sha256):
                say(f"note: {change}")
                changes["model_sha256"] = models.own.REGISTERED[configuration.model].sha256
            configuration = dataclasses.replace(configuration, **changes).check()
            folder.remove_leftovers()  # now that it is known to be a run's folder
            return cls(configuration, folder, start=start, saved=saved, say=say, world=world)

    def _files(self):
        """The programs.OfFiles of a run whose network is that of .cfg files, else None."""
        c = self.configuration
        if c.cfg_definition is None:
            return None
        with as_user_error():
            return programs.OfFiles(c, self.pictures.size, len(self.splits.train.classes))

    def _optimizer(self, model):
        return self.files.optimizer(model) if self.files else make_optimizer(model, self.configuration.recipe)

    def _arguments(self, origin):
        """The model's arguments: those of the checkpoint, changed by the configuration and the data."""
        arguments = dict(origin.arguments) if origin else {}
        if self.files:
            arguments = {"description": self.files.network.description}
        if self.configuration.input_size or self.configuration.model not in models.PRESETS:
            arguments["input_size"] = self.pictures.size
        return arguments | self.configuration.arguments | {"num_classes": len(self.classes)}

    def _shape(self):
        """(C, H, W) of the network's input."""
        return self.splits.train.image_shape[0], self.pictures.size, self.pictures.size

    def _in_order(self, model):
        """The network for what depends on the order in which its layers run; a published one is in order already."""
        return model if self.configuration.model in models.PRESETS else in_order(model, self._shape())

    @property
    def has_begun(self) -> bool:
        """Whether any batch has been trained on."""
        return self.trainer.epoch > 0 or self.trainer.batch > 0

    def passes_overfit_check(self, watch: Callable[[Iterable[Any]], Iterable[Any]] = iter) -> bool:
        """Whether a copy of the network can memorise `configuration.overfit` training images; prints the result.

        watch: a function that wraps the iterator of batches, such as cli.Interrupt.watch.

        The run itself is not changed. Raises UserError where there are too few images, or the loss diverges.
        """
        c, recipe, wanted = self.configuration, self.configuration.recipe, self.configuration.overfit or 0
        if wanted > len(self.splits.train):
            raise UserError(f"overfit={wanted}: there are only {len(self.splits.train)} training pictures")
        call = random.default_generator.call
        network = overfit.without_dropout(models.build(c.model, **self.arguments))
        random.default_generator.call = call
        network.load_state_dict(self.scheme.whole_state(self.model.state_dict()))
        freezing = frozen_modules(self._in_order(network), recipe, c.freeze)
        frozen = [modules for epoch, modules in freezing if epoch == 0]
        for module in (module for modules in frozen for module in modules):
            module.requires_grad_(False)
        images, labels = self.some_pictures(wanted)
        loader = self.pictures.undistorted(data.ArrayDataset(images, labels, self.classes))
        try:
            result = overfit.overfit_batch(network, self._optimizer(network), loader, c.accumulate, watch)
        except trainer.Diverged as error:
            raise UserError(f"overfit={wanted}: {error}") from error
        self.say(f"memorised {result.right} of {wanted} pictures after {result.steps} steps, loss {result.loss:.4f}")
        failed = self.world.agree(not result.knows)[0]  # another machine may round otherwise
        if failed:
            self.say(OVERFIT_ADVICE)
        return not failed

    def find_lr(self) -> Any:
        """Make a learning-rate range test, see training.lr_find; the run itself is not changed. Returns a RangeTest."""
        if self.world.size > 1:
            raise UserError(SEARCHES_ALONE)
        if self.files:
            raise UserError("lr_find=True is for one learning rate; a parameter file has one for every layer")
        t = self.trainer
        frozen = [module for epoch, modules in t.freezing if epoch == 0 for module in modules]
        options: dict[str, Any] = {"accumulate": t.accumulate, "clip_grad_norm": t.clip_grad_norm, "frozen": frozen}
        return lr_find(t.model, t.optimizer, t.loader, **options)

    def some_pictures(self, count: int) -> Any:
        """The first `count` images of the first epoch, not augmented: uint8 (n, C, H, W), and their labels."""
        return self.splits.train.fetch(self.trainer.loader.order(0)[:count])

    def train(
        self, interrupt: Any = None, enough: Callable[[list[dict[str, Any]]], bool] | None = None, *, live: Any = None
    ) -> None:  # fmt: skip
        """Train until all epochs are done, printing and saving the results.

        interrupt: a cli.Interrupt, whose check() and watch() can stop the run where it is safe to save; or None.
        enough: a function of Trainer.history, asked before every epoch, that says whether to end there; or None.
        live: a training.Live of `model`, which draws the training in a notebook's cell; or None.

        Raises Diverged where a loss or a weight becomes NaN or infinite.
        """
        with self.folder:
            self._train(interrupt, enough, live)

    def _train(self, interrupt, enough, live):
        t, epochs = self.trainer, self.configuration.recipe.epochs
        self.folder.write_configuration(self.configuration)
        self.folder.write_metrics(t.history)
        self.folder.keep_steps(self.steps_done())
        if t.epoch >= epochs:
            self.say(f"this run has finished its epochs ({epochs}); to train longer:")
            self.say(f"  {self.command()} --epochs {2 * epochs}")
        with TrainingProgress(t, epochs, shown=not self.world.rank) as bar:
            while t.epoch < epochs and not (enough and t.batch == 0 and enough(t.history)):
                for loss in t.steps():
                    bar.show()
                    if live:
                        live.on_step(t, t.step_row(loss))
                    if interrupt:
                        interrupt.check()
                    save, write = self.world.agree(self.folder.save_is_due(), self.folder.steps_are_due())
                    if save:
                        self.save()
                    elif write:
                        self.folder.write_steps(t.recorded_steps())
                layers = self.measure_layers() if self.configuration.diagnose else None
                row = t.finish_epoch(self.validation_batches(interrupt.watch if interrupt else iter))
                if live:
                    live.on_epoch(t, row)
                self.say(folded(report.epoch_line(row, epochs, len(self.classes))))
                if layers:
                    row["layers"] = layers
                    self.say(diagnose.table(layers))
                if hint := diagnose.chance_hint(t.history, len(self.classes), self.steps_per_epoch()):
                    self.say(hint)
                best = "val_loss" in row and row is trainer.best_row(t.history)
                if self.world.agree(best)[0]:  # another machine may round a loss otherwise
                    self.folder.save_best(self.snapshot())
                every = self.configuration.keep_every
                if every and t.epoch % every == 0:  # before last.npz: a run that is killed between them repeats it
                    self.folder.keep(self.snapshot(), t.epoch)
                self.save()
                self.draw(now=t.epoch == epochs)
                if interrupt:
                    interrupt.check()

    def measure_layers(self) -> Any:
        """Statistics of each layer, see diagnose.measure."""
        images, labels = self.some_pictures(self.configuration.recipe.batch_size)
        shown = self.pictures.pipeline.views(images, 1)[0]
        return diagnose.measure(self.model, self.trainer.optimizer, shown, labels)

    def steps_per_epoch(self) -> int:
        """The number of optimizer steps in an epoch."""
        return -(-len(self.trainer.loader) // self.configuration.accumulate)

    def validation_batches(self, watch: Callable[[Iterable[Any]], Iterable[Any]] = iter) -> Any:
        """Batches of the validation images, or None where there are none; watch: wraps the iterator."""
        return self.batches(self.splits.validation, watch) if self.splits.validation else None

    def batches(self, dataset: Any, watch: Callable[[Iterable[Any]], Iterable[Any]] = iter) -> Any:
        """Batches of `dataset` in its own order, without augmentation; watch: wraps the iterator."""
        return watch(self.pictures.undistorted(dataset, self.pictures.ranks).epoch())

    def test(self, watch: Callable[[Iterable[Any]], Iterable[Any]] = iter) -> Any:
        """Evaluate the current weights on the test images, print the result and draw it.

        watch: wraps the batches.

        Returns the Evaluation.
        """
        result = evaluation.validate(self.model, self.batches(self.splits.test, watch), "the test loss")
        accuracy = 100 * (result.pictures - result.top1_errors) / result.pictures  # rounded as in confusion.png
        errors = report.errors(result.top1_error, result.top5_error, len(self.classes))
        self.say(folded(f"test accuracy {accuracy:.1f} %, {errors} ({result.pictures:,} pictures)"))
        with self.folder:
            self.folder.draw_test(fine_tuning.WithClasses(self.splits.test, self.classes), result)
        return result

    def stop(self) -> None:
        """Save everything needed to resume the run, and print how to; the figures are left to `draw`."""
        t = self.trainer
        with self.folder:
            self.folder.write_configuration(self.configuration)
            self.save()
        self.say(f"stopped after {t.epoch} epochs and {t.batch} batches; everything is saved, continue with:")
        self.say(f"  {self.command()}")

    def snapshot(self) -> checkpoint.Checkpoint:
        """A Checkpoint of the current state; raises Diverged where weights are NaN or infinite."""
        self.trainer.check_weights()
        return checkpoint.Checkpoint(
            model=self.configuration.model,
            arguments=self.arguments,
            weights=self.scheme.whole_state(self.model.state_dict()),
            input_size=self.pictures.size,
            normalization=self.pictures.pipeline.normalization.to_arrays(),
            classes=self.classes,
            configuration=self.configuration.to_dict(),
            trainer_state=self.trainer.state_dict(),
            history=self.trainer.history,
            channel_order=self.pictures.pipeline.channel_order,
            resize=self.pictures.resize,
        )

    def save(self) -> None:
        """Write steps.csv, last.npz and metrics.csv; the steps first, so that none is missing when the run resumes."""
        snapshot = self.snapshot()
        self._filters = first_filters(self.model, snapshot.weights)
        with self.folder:
            self.folder.write_steps(self.trainer.recorded_steps())
            self.folder.save(snapshot)
            self.folder.write_metrics(self.trainer.history)
        self.after_save()

    def draw(self, *, now: bool = False) -> None:
        """Draw the figures of what was saved; now: whether to do so in any case, see RunFolder.draw."""
        with self.folder:
            self.folder.draw(self.trainer.history, self._filters, now=now)

    def command(self) -> str:
        """The command line that continues this run."""
        own = models.own.REGISTERED.get(self.configuration.model)
        model = own and f"{own.path}:{self.configuration.model.rpartition(':')[2]}"
        words = ["--resume", str(self.folder.path), *(["--model", model] if model else [])]
        start = f"mpiexec -n {self.world.size} " if self.world.size > 1 else ""
        return f"{start}python -m minialex.train {shlex.join(words)}"

    def steps_done(self) -> Any:
        """The number of optimizer steps so far, over all epochs."""
        return self.trainer.step_row(None)["step"]

    def _repr_html_(self):
        """For notebooks."""
        from .page import of_run

        return of_run(self)

    def header(self) -> str:
        """The description of the run, one line per topic."""
        return report.header(self)


def _use_machine(configuration):
    """Use the configuration's backend, threads, precision and ways of convolution; returns the backend."""
    if configuration.threads:
        threads.set_count(configuration.threads)
    with as_user_error():
        backend = backends.use_backend(configuration.backend)
        backend.set_matmul_precision(configuration.matmul_precision)
        backend.set_conv_ways(configuration.conv_ways)
    return backend


def _check_unchanged(configuration, saved, folder):
    """Raise UserError where config.json was edited, as in a setting that decides what the rest of the run computes.

    configuration: from config.json.
    saved: the Checkpoint in last.npz, which holds the settings of the run so far.
    folder: the RunFolder of both.
    """
    with _blame(folder.last):
        before = Configuration.from_dict(saved.configuration).to_dict()
    for name, value in configuration.to_dict().items():
        if value != before[name] and name not in (*RESUMABLE, "processes", "model_sha256"):
            was, now = json.dumps(before[name]), json.dumps(value)
            raise UserError(
                f'{folder.path / "config.json"} has "{name}": {now}, but the run was trained with {was} so far: put '
                f"{was} back, or start a new run with {now}"
            )


@contextlib.contextmanager
def _blame(path):
    """Turn a ValueError that is caused by the content of a checkpoint into a UserError."""
    try:
        yield
    except ValueError as error:
        raise UserError(f"{path} does not fit this run or this version of minialex ({error})") from error
