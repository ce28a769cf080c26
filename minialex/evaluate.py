"""`python -m minialex.evaluate RUN`: error rates of trained networks on a data set, per class and in figures."""

from __future__ import annotations

import csv
import io
import json
import sys
import time
from pathlib import Path

import numpy as np

from . import backends, cli, convert, data, threads
from .convert.published import with_names
from .models import published
from .runs import trained
from .runs.fine_tuning import WithClasses
from .runs.report import cautions
from .support import files, progress
from .support.text import aligned, printable
from .training import evaluation

DESCRIPTION = """\
Top-1 and top-5 error and loss (mean of -ln p of the true class) of trained networks on a data set. By default the
test images of the data set that the first network was trained on are used. Several networks are also evaluated as an
ensemble, by the mean of their probabilities."""

EXAMPLES = f"""\
examples: python -m minialex.evaluate runs/first
          python -m minialex.evaluate runs/first --views 10 --out report
          python -m minialex.evaluate runs/first runs/second runs/third/last.npz --split validation
          python -m minialex.evaluate alexnet.npz --dataset folder --data-dir ilsvrc --views 10
          python -m minialex.evaluate --weights torchvision --dataset folder --data-dir ilsvrc

published weights, for --weights:
{published.overview()}

--out DIR writes summary.json, classes.csv (one row per class), confusion.png and mistakes.png; with several networks,
for the ensemble."""

FIGURES = ("top1_error", "top5_error", "loss")


def main(argv=None):
    """Run the command: print the error rates, write tables and figures to --out. argv: the arguments, or sys.argv's."""
    options = _parse(argv)
    if options.threads:
        threads.set_count(options.threads)
    with cli.as_user_error():
        backend = backends.use_backend(options.backend)
        cli.register(options.model)
        named = [convert.load_published(options.weights, options.weights_dir)] if options.weights else []
        networks = named + [convert.load(path) for path in options.networks]
        name, pictures, notes = _pictures(options, networks)
        _check_fit(networks, name, pictures, options.views)
    for network in networks:
        cli.note(network.note)
    if options.out:
        Path(options.out).mkdir(parents=True, exist_ok=True)  # fails now rather than after hours of work
    views = f"{options.views} view{'s' if options.views > 1 else ''}"
    print(f"{len(pictures):,} {options.split} images of {name}, {views}, {backend.name} backend")
    print("\n".join([*(f"note: {text}" for text in notes), ""]), flush=True)

    batch_size = max(1, options.batch_size // options.views)
    loader = data.Loader(pictures, batch_size)
    start = time.perf_counter()
    try:
        with backend.announcing(progress.write):
            batches = _with_progress(loader.epoch(), len(pictures))
            results = evaluation.evaluate(networks, batches, pictures.classes, options.views)
    except evaluation.NotFinite as error:
        raise cli.UserError(str(error)) from error
    seconds = time.perf_counter() - start

    figures = [{name: getattr(verdicts, name) for name in FIGURES} for verdicts in results]
    top5 = len(pictures.classes) > 5
    names = [*(printable(str(n.path)) for n in networks), f"the average of {len(networks)}"]
    print(_errors(names, figures, top5))
    classes = evaluation.by_class(results[-1], pictures.classes)
    print(_worst_classes(classes, options.classes, top5), end="")
    print(f"\n{seconds:.1f} s, {len(pictures) / seconds:,.1f} images/s")
    if options.out:
        summary = {"dataset": name, "split": options.split, "pictures": len(pictures), "views": options.views}
        summary["networks"] = [{"network": str(n.path)} | row for n, row in zip(networks, figures)]
        summary["average"] = figures[-1]
        _write(Path(options.out), summary, classes, pictures, results[-1], options.split)
        print(f"written to {options.out}: summary.json, classes.csv, confusion.png, mistakes.png")


def _pictures(options, networks):
    """(name of the data set, its images of the split, notes about them), at the size that the networks expect.

    Options that are not given are those of the first network's run.
    """
    first = networks[0]
    given = {key: getattr(options, key) for key in (*trained.CARRIED, "workers")}
    name, splits = first.splits(options.dataset, **given)
    sizes = [network.size_of(name) for network in networks]
    if "size" in data.DATASETS[name].options and len({*sizes}) > 1:
        wanted = ", ".join(f"{n.path}: {size}" for n, size in zip(networks, sizes))
        raise ValueError(f"the networks expect images of different sizes ({wanted}): evaluate each alone")
    pictures = getattr(splits, options.split)
    if pictures is None:
        raise ValueError(f"{name} has no {options.split} images: choose another --split")
    if options.weights:
        pictures = with_names(pictures)
    if list(pictures.classes) == first.classes[: len(pictures.classes)]:  # the network may have spare classes
        pictures = WithClasses(pictures, first.classes)
    return (
        name,
        pictures,
        [*cautions(splits, options.limit or first.checkpoint.configuration.get("limit"))]
        if options.split == "test"
        else [],
    )


def _check_fit(networks, name, pictures, views):
    """Raise ValueError, before anything is computed, for a network that these images do not fit."""
    height, width = pictures.image_shape[1:]
    for network in networks:
        network.columns(pictures.classes)
        size = network.pipeline.input_size
        if size > min(height, width):
            raise ValueError(
                f"{network.path} expects images of {size}x{size}, but those of {name} are {height}x{width}: "
                "choose another --dataset"
            )
        evaluation.views_of(network.pipeline, np.zeros((1, *pictures.image_shape), np.uint8), views)


def _with_progress(batches, total):
    with progress.Progress("evaluating", total, "images") as bar:
        for images, labels in batches:
            yield images, labels
            bar.update(len(labels))


def _errors(names, figures, top5):
    """The table of the networks' error rates; the average is left out where there is only one network.

    names, figures: of the networks, and of their average.
    top5: whether there is a top-5 error.
    """
    rows = [("network", "top-1 error", *["top-5 error"] * top5, "loss")]
    for name, row in list(zip(names, figures))[: len(figures) if len(figures) > 2 else 1]:
        errors = [_percent(row[f"top{k}_error"]) for k in (1, 5)[: 1 + top5]]
        rows.append((name, *errors, f"{row['loss']:.4f}"))
    return aligned(rows)


def _worst_classes(classes, count, top5):
    """The table of the classes with the largest top-1 error; ties are ordered by loss."""
    seen = [row for row in classes if row["pictures"]]
    worst = sorted(seen, key=lambda row: (-row["top1_error"], -row["loss"]))[:count]
    if not worst:
        return ""
    rows = [("class", "images", "top-1 error", *["top-5 error"] * top5, "loss", "precision", "most often predicted")]
    for row in worst:
        errors, precision = (_percent(row[f"top{k}_error"]) for k in (1, 5)[: 1 + top5]), row["precision"]
        rival = f"{row['mistaken_for']} ({row['times']:,})" if row["times"] else "-"
        shown = "-" if precision is None else _percent(precision)
        rows.append((row["class"], f"{row['pictures']:,}", *errors, f"{row['loss']:.4f}", shown, rival))
    which = "Every class" if len(worst) == len(seen) else f"The {len(worst)} worst of {len(seen):,} classes"
    return f"\n{which}, worst first:\n\n{aligned(rows, left=(0, 5 + top5))}\n"


def _percent(share):
    return f"{100 * share:.2f} %"


def _write(folder, summary, classes, pictures, verdicts, split):
    from . import plotting  # Matplotlib takes a second to import

    files.write_text(folder / "summary.json", json.dumps(summary, indent=2) + "\n")
    text = io.StringIO()
    writer = csv.DictWriter(text, classes[0], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(classes)
    files.write_text(folder / "classes.csv", text.getvalue())
    title = split.capitalize()
    plotting.confusion(verdicts.labels, verdicts.predicted, pictures.classes, folder / "confusion.png", title=title)
    plotting.mistakes(pictures, verdicts, folder / "mistakes.png")


def _parse(argv):
    parser = cli.Parser("evaluate", DESCRIPTION, EXAMPLES)

    def option(name, metavar, text, **how):
        parser.add_argument(name, metavar=metavar, help=text, **how)

    count = cli.whole_number(1)
    run = "(default: as in the first network's run)"
    networks = "folder of a training run, whose best weights are used, or a file of weights; several are also averaged"
    option("networks", "RUN", networks, nargs="*" if cli.names_weights(argv) else "+", type=cli.folder)
    cli.weights_options(parser, "RUN, or averaged with it")
    cli.own_model_option(parser)
    option("--dataset", "NAME", f"{', '.join(data.DATASETS)} {run}", choices=tuple(data.DATASETS))
    option("--data-dir", "DIR", f"folder of data sets in files {run}", type=cli.folder)
    parser.add_argument(
        "--split", choices=("test", "validation", "train"), default="test", help="which images (default: %(default)s)"
    )
    views = (
        "1, the centre crop; 10, the paper's: four corners, the centre, and their mirror images; or 9, cuda-convnet's "
        "for CIFAR: a grid of 3 x 3 crops (default: %(default)s)"
    )
    parser.add_argument("--views", type=int, choices=(1, 9, 10), default=1, help=views)
    option("--limit", "N", f"at most N images {run}", type=count)
    option("--validation", "N", f"training images held out for validation {run}", type=cli.whole_number(0))
    option("--val-labels", "FILE", f"labels of a validation folder that has no folder per class {run}", type=cli.file)
    batch = "views per batch (default: %(default)s)"
    option("--batch-size", "N", batch, type=count, default=100)
    cli.backend_option(parser)
    option("--threads", "N", "compute threads (default: the usable cores)", type=count)
    option("--workers", "N", "threads that decode images (default: chosen by the data set)", type=count)
    option("--classes", "N", "print the N worst classes (default: %(default)s)", type=count, default=10)
    option(
        "--out", "DIR", "folder for tables and figures; existing files are replaced (default: none)", type=cli.folder
    )
    return parser.parse_args(argv, mixed=True)


if __name__ == "__main__":
    sys.exit(cli.run(main))
