"""`python -m minialex.ablate`: train a network and variants of it alike, and compare them."""

from __future__ import annotations

import dataclasses
import os
import shlex
import sys
from pathlib import Path
from textwrap import TextWrapper

from . import backends, cli, data, models
from .ablation import deltas, experiment, lab, race
from .ablation.words import WORDS
from .support import files, progress
from .support.errors import UserError, as_user_error
from .support.resources import cache_text

DESCRIPTION = """\
Train a network, and one variant of it for each word of --without and --adding, all with the same seeds, order of
pictures and recipe; then compare their test errors. Every run is a folder in OUT; runs that are done are kept, and the
same command continues with the others after Ctrl-C. The results are OUT/table.csv, table.md and ablation.png; those of
a race, such as --recipe figure1, are OUT/figure1.json, table.md and figure1.png."""

EXAMPLES = """\
examples:
  python -m minialex.ablate --base cifar_18pct --without lrn,overlap,relu --seeds 3 --epochs 20 --limit 10000
  python -m minialex.ablate --base alexnet_2012 --without lrn,overlap,groups,dropout,color --dataset folder --data-dir D
  python -m minialex.ablate --base alexnet_2012 --without groups,dropout --dataset cifar10 --resize 64 --input-size 56
  python -m minialex.ablate --recipe figure1 --data-dir D
  python -m minialex.ablate --recipe figure1 --limit 10000 --epochs 40
  python -m minialex.ablate --list"""
_RECIPE = (
    f"an experiment as a file: {', '.join(experiment.NAMES)} in minialex/ablation/recipes, or the path of a TOML file; "
    "other options override it (default: none)"
)
_OWN = "(default: from the recipe)"
_TRAINING_RECIPE = (
    "by which all variants are trained, as --recipe of train (default: that of the base's authors; options override it)"
)
_ONLY = "of the variants only these, which need not run with the others (default: all)"
_RATES = "of a race: learning rates to try for every variant (default: those of the recipe)"
_SEEDS = f"runs of each variant, at most {experiment.MOST_SEEDS}, with seeds from --seed on (default: 3)"
_DATA_DIR = f"folder of the data's files, as of train (default: {cache_text()})"


def main(argv=None):
    """Run the command; argv: its arguments, sys.argv[1:] if None. Returns the exit code."""
    options = parser().parse_args(argv)
    if options.list:
        print(word_table())
        return 0
    with as_user_error():
        planned = experiment_of(options).check()
    out = Path(options.out or os.path.join("runs", default_name(options, planned)))
    command = shlex.join(["python", "-m", "minialex.ablate", *map(str, sys.argv[1:] if argv is None else argv)])
    is_race = planned.target is not None
    runs = race.count(planned) if is_race else len(planned.all_variants()) * planned.seeds
    machine = {"data_dir": options.data_dir, "threads": options.threads, "download": bool(options.download)}
    with (
        cli.Interrupt() as interrupt,
        lab.Lab(out, planned, command, runs=runs, interrupt=interrupt, say=say, **machine) as opened,
    ):
        say(f"{runs} runs in {out}")
        try:
            return _race(planned, opened, options) if is_race else _ablation(planned, opened)
        except cli.Interrupted as signal:
            say(f"stopped; everything is saved, continue with:\n  {command}")
            interrupt.finish()
            return signal.exit_code


def _ablation(planned, opened):
    """Run an ablation and leave its table and picture. Returns the exit code."""

    def leave(found):
        rows, sentences = deltas.table(planned, found), deltas.notes(planned, found)
        files.write_text(opened.folder / "table.csv", deltas.as_csv(found))
        files.write_text(opened.folder / "table.md", deltas.as_markdown(rows, sentences))

    found = deltas.run(planned, opened, leave)
    say("\n" + deltas.as_text(deltas.table(planned, found), deltas.notes(planned, found)))
    from . import plotting  # Matplotlib takes a second to import

    others = [one for one in found if one.name != experiment.BASE]
    labels = [deltas.label(planned, one.name) for one in others]
    plotting.deltas(others, labels, opened.folder / "ablation.png")
    say(f"\n{opened.folder}: table.csv, table.md, ablation.png")
    return 0


def _race(planned, opened, options):
    """Run a race and leave its results, table and picture. Returns the exit code."""
    name = Path(options.recipe).stem if options.recipe else "race"
    told = race.run(planned, opened)
    files.write_text(opened.folder / f"{name}.json", race.as_json(told))
    files.write_text(opened.folder / "table.md", deltas.as_markdown(race.table(told), race.notes(told)))
    say("\n" + race.as_text(told))
    from . import plotting

    plotting.race(told, opened.folder / f"{name}.png")
    say(f"\n{opened.folder}: {name}.json, table.md, {name}.png")
    return 0


def experiment_of(options):
    """The Experiment of the command's options, which override a recipe's.

    options: the namespace from parser().parse_args().

    Raises FileNotFoundError, UserError or ValueError where they do not fit together.
    """
    found = experiment.read(options.recipe) if options.recipe else experiment.Experiment()
    names = (
        "base",
        "without",
        "adding",
        "seeds",
        "seed",
        "dataset",
        "limit",
        "validation",
        "resize",
        "input_size",
        "num_classes",
    )
    given = {name: getattr(options, name) for name in (*names, "training_recipe", "backend")}
    found = dataclasses.replace(found, **{name: value for name, value in given.items() if value is not None})
    train = {name: getattr(options, name) for name in ("epochs", "batch_size", "lr", "schedule")}
    found.train = found.train | {name: value for name, value in train.items() if value is not None}
    found.set = found.set | cli.arguments(found.base, options.set)
    if options.only:
        known = [*found.without, *found.adding, *found.variants]
        if unknown := [name for name in options.only if name not in known]:
            raise UserError(f"--only {unknown[0]}: there is no such variant, only {', '.join(known) or 'the base'}")
        found.without = [word for word in found.without if word in options.only]
        found.adding = [word for word in found.adding if word in options.only]
        found.variants = {name: one for name, one in found.variants.items() if name in options.only}
    if options.rates:
        if found.target is None:
            raise UserError("--rates is for a race, such as --recipe figure1: leave it out")
        found.variants = {name: dataclasses.replace(one, rates=options.rates) for name, one in found.variants.items()}
    return found


def default_name(options, planned):
    """The name of OUT in runs/, which is the same for the same command."""
    first = Path(options.recipe).stem if options.recipe else planned.base
    return f"ablate-{first}-{planned.recipe().dataset}"


def word_table():
    """All words, what each changes, and what was measured in 2012, as text."""
    lines = []
    for name, word in WORDS.items():
        option = "--adding" if word.adds else "--without"
        p = word.published
        told = f"; 2012: {p.top1:+.2f} and {p.top5:+.2f} points ({p.source})" if p else ""
        wrapper = TextWrapper(118, initial_indent="", subsequent_indent=" " * 26)
        lines.append(wrapper.fill(f"{f'{option} {name}':<26}{word.meaning}{told}"))
    return "\n".join(lines)


def say(text):
    """Print `text` to stdout at once, above the progress bar if there is one."""
    progress.write(cli.with_options(text))


def parser():
    """The parser of `ablate`; options that are not given are None, and the recipe decides."""
    epilog = f"{EXAMPLES}\n\nthe words; 2012 is top-1 and top-5 error on ImageNet:\n{word_table()}"
    p = cli.Parser("ablate", DESCRIPTION, epilog)
    count, natural = cli.whole_number(1), cli.whole_number(0)

    def option(group, name, metavar, text, **how):
        group.add_argument(name, metavar=metavar, help=text, **how)

    what = p.add_argument_group("experiment")
    option(what, "--recipe", "NAME", _RECIPE)
    presets = f"the network: {', '.join(models.PRESETS)} (default: that of the recipe; else alexnet_2012)"
    option(what, "--base", "NAME", presets, choices=tuple(models.PRESETS))
    option(what, "--without", "WORDS", "a variant for each of these words, see below (default: none)", type=_names)
    option(what, "--adding", "WORDS", "a variant for each of these words, see below (default: none)", type=_names)
    option(what, "--only", "NAMES", _ONLY, type=_names)
    option(what, "--seeds", "N", _SEEDS, type=cli.whole_number(1, experiment.MOST_SEEDS))
    option(what, "--seed", "N", "the first seed (default: 0)", type=natural)
    option(what, "--rates", "RATES", _RATES, type=_rates)
    cli.set_option(what)
    where = "folder for all runs; the same command continues there (default: runs/ablate-NAME-DATASET)"
    option(what, "--out", "DIR", where, type=cli.folder)
    what.add_argument("--list", action="store_true", help="print the words with their meanings, and end (default: off)")

    pictures = p.add_argument_group("data")
    option(pictures, "--dataset", "NAME", f"{', '.join(data.DATASETS)} {_OWN}", choices=tuple(data.DATASETS))
    option(pictures, "--data-dir", "DIR", _DATA_DIR, type=cli.folder)
    pictures.add_argument("--download", action="store_true", help="download missing files (default: off)")
    option(pictures, "--limit", "N", "use at most N pictures of each split (default: all)", type=count)
    option(pictures, "--validation", "N", "pictures for validation (default: 0; of a folder as train)", type=natural)
    resize = "resize or enlarge pictures, as of train: cifar10 to 64, 96, ... (default: as train)"
    option(pictures, "--resize", "PIXELS", resize, type=count)
    option(pictures, "--input-size", "PIXELS", "pixels per side of the input (default: the model's)", type=count)
    option(pictures, "--num-classes", "C", "number of classes (default: that of the data)", type=count)

    training = p.add_argument_group("training")
    option(training, "--training-recipe", "NAME", _TRAINING_RECIPE)
    option(training, "--epochs", "N", f"passes over the training pictures {_OWN}", type=count)
    option(training, "--batch-size", "N", f"pictures in a batch {_OWN}", type=count)
    option(training, "--lr", "RATE", f"learning rate {_OWN}", type=cli.real_number(0))
    option(training, "--schedule", "TEXT", f"of the learning rate, as of train {_OWN}")

    machine = p.add_argument_group("machine")
    known = ("auto", *backends.available())
    option(machine, "--backend", "NAME", f"{', '.join(known)} (default: auto)", choices=known)
    option(machine, "--threads", "N", "threads that compute (default: all that this process may use)", type=count)
    return p


def _names(text):
    """An argparse type: names separated by commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def _rates(text):
    """An argparse type: learning rates separated by commas."""
    return [cli.real_number(0)(one) for one in _names(text)]


if __name__ == "__main__":
    sys.exit(cli.run(main))
