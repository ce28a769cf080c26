"""Wrong options and damaged data: one clear sentence, exit code 2, no traceback, nothing half written.

Every case runs the command, most of them in this process. What stands beside a case is looked for in its sentence:
what was wrong, and what there is, or what to do.
"""

from __future__ import annotations

import functools
import io
import os
import re
import sys

import numpy as np
import pytest
from refusals import SMALL, must_refuse, no_figures, start, the_sentence
from tiny_runs import run

from minialex import __main__ as front
from minialex import cli, data, functional, gradcheck, models, nn
from minialex.data import cifar10
from minialex.runs import checkpoint
from minialex.tensor import Tensor


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """must_refuse, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return functools.partial(must_refuse, capsys)


# Options

OPTIONS = {  # one for each kind of option, and for each way to be wrong
    "unknown model": ("--model vgg", "--model: .*'vgg'.*shapes_net.*cifar_quick.*alexnet"),
    "unknown data set": ("--dataset mnist", "--dataset: .*'mnist'.*shapes.*cifar10"),
    "unknown backend": ("--backend tpu", "--backend: .*'tpu'.*numpy"),
    "unknown optimizer": ("--optimizer lion", "--optimizer: .*'lion'.*sgd.*sgd_paper.*adam.*adamw"),
    "a name with a line break": ("--dataset a\nb", "--dataset: .*shapes.*cifar10"),
    "schedule": ("--schedule step", "'step' is not a schedule; expected constant, cosine, .*step:30:0.1"),
    "unknown option": ("--colour blue", "--colour.*--help lists the options"),
    "abbreviated option": ("--epoch 3", "--epoch.*--help lists the options"),
    "stray word": ("shapes_net", "shapes_net.*--help lists the options"),
    "option without its value": ("--lr", "--lr: expected one argument"),
    "whole number too small": ("--batch-size 0", "--batch-size: '0' is not a whole number of at least 1"),
    "whole number with a fraction": ("--epochs 2.5", "--epochs: '2.5' is not a whole number of at least 1"),
    "whole number in words": ("--batch-size all", "--batch-size: 'all' is not a whole number"),
    "whole number of 5000 digits": (f"--batch-size {'9' * 5000}", "--batch-size: '9+' is not a whole number"),
    "more images than a data set has": (f"--validation {10**30}", "shapes.*at most 4294967296 pictures"),
    "more images than are limited to": ("--limit 10 --overfit 11", "--overfit 11: there are only 10 training pictures"),
    "seed of 65 bits": (f"--seed {2**64}", "--seed: '18446744073709551616' is not a whole number from 0 to 1844.*615"),
    "number that is NaN": ("--lr nan", "--lr: 'nan' is not a number of at least 0"),
    "number that is infinite": ("--lr inf", "--lr: 'inf' is not a number of at least 0"),
    "number too large for a float": ("--lr 1e999", "--lr: '1e999' is not a number of at least 0"),
    "number with a comma": ("--lr 0,1", "--lr: '0,1' is not a number of at least 0"),
    "number too large": ("--momentum 1", "--momentum: '1' is not a number of at least 0 and below 1"),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_options(refused, case):
    text, expected = OPTIONS[case]
    assert re.search(expected, refused(*text.split(" ")))


def test_every_number_has_its_range(refused):
    counts = "batch-size", "epochs", "limit", "accumulate", "overfit", "resize", "num-classes", "input-size", "threads"
    for option in (*counts, "workers"):
        assert f"--{option}: '0' is not a whole number of at least 1" in refused(f"--{option}", 0)
    for option in "validation", "seed":
        assert f"--{option}: '-1' is not a whole number" in refused(f"--{option}", -1)
    for option in "lr", "momentum", "weight-decay":
        assert f"--{option}: '-0.1' is not a number of at least 0" in refused(f"--{option}", -0.1)


def test_gradcheck_and_the_list_of_commands(refused):
    message = refused("conv2d", "conv5d", main=gradcheck.main)
    assert re.search("unknown operation 'conv5d'; choose from .*conv2d.*relu", message)
    assert re.search("unknown backend 'tpu'; choose from numpy", refused("--backend", "tpu", main=gradcheck.main))
    assert re.search("--tolerance.*--help lists", refused("--tolerance", "1", main=gradcheck.main))
    assert re.search("no command 'fly'; choose from train, .*gradcheck", refused("fly", main=front.main))
    assert re.search("no command '--fly'; choose from train, .*gradcheck", refused("--fly", main=front.main))


@pytest.mark.heavy
def test_as_processes(tmp_path):
    """The same through the front door: what the shell sees."""
    for module, arguments, expected in (
        ("minialex", ["fly"], "no command 'fly'"),
        ("minialex.gradcheck", ["conv5d"], "unknown operation 'conv5d'"),
        ("minialex.train", ["--model", "vgg"], "'vgg'"),
        ("minialex.train", ["--resume", "nowhere"], "there is no run folder nowhere"),
        ("minialex.train", ["--out", __file__], "exists and is not empty"),
    ):
        done = start(["-m", module, *arguments], cwd=tmp_path)
        assert expected in the_sentence(done.returncode, done.stderr) and done.stdout == ""
    assert not list(tmp_path.iterdir())


# Data

NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


@pytest.fixture
def cifar(tmp_path, monkeypatch):
    """A folder of CIFAR-10 in miniature: files of three pictures, so 15 to train on."""
    monkeypatch.setattr(cifar10, "RECORDS", 3)
    folder = tmp_path / cifar10.FOLDER
    folder.mkdir()
    for f, name in enumerate((*cifar10.TRAINING_FILES, cifar10.TEST_FILE)):
        pixels = np.random.default_rng(f).integers(0, 256, (3, 3072), np.uint8)
        np.concatenate([np.array([[f], [f + 1], [f + 2]], np.uint8), pixels], axis=1).tofile(folder / name)
    (folder / cifar10.NAMES_FILE).write_text("\n".join(NAMES) + "\n")
    return folder


CIFAR = ("--model", "cifar_quick", "--validation", 3, "--batch-size", 6, "--epochs", 1)
CIFAR += ("--backend", "numpy", "--data-dir", ".")  # numpy has nothing to compile


def with_label(content, label):
    return content[: 2 * 3073] + bytes([label]) + content[2 * 3073 + 1 :]


BATCH, TEST, META = "data_batch_3.bin", "test_batch.bin", "batches.meta.txt"
DAMAGED_DATA = {
    "missing": (BATCH, None, "3.bin does not exist; .*--data-dir, or download it .*--download"),
    "cut short": (BATCH, lambda content: content[:-1], "3.bin is cut short: 9218 bytes where 9219 were .*--download"),
    "empty": (TEST, lambda content: b"", "test_batch.bin is cut short: 0 bytes where 9219 were .*--download"),
    "too long": (BATCH, lambda content: content + b"x", "3.bin is too long: 9220 bytes where 9219 were .*--download"),
    "label 10": (BATCH, lambda content: with_label(content, 10), "3.bin .*record 2 has label 10 where 0 to 9 were"),
    "label 255": (TEST, lambda content: with_label(content, 255), "test_batch.bin .*record 2 has label 255 where 0"),
    "no names": (META, None, "meta.txt does not exist; .*--download"),
    "names cut short": (META, lambda content: content[:20], "meta.txt lists 2 class names where 10 were .*--download"),
    "names empty": (META, lambda content: b"", "meta.txt lists 0 class names where 10 were .*--download"),
    "names no text": (META, lambda content: b"\xff\xfe" + content, "meta.txt lists 0 class names where 10 were"),
    "names twice": (META, lambda content: b"cat " * 10, "meta.txt lists 1 class names where 10 were"),
}


@pytest.mark.parametrize("case", DAMAGED_DATA)
def test_damaged_data(refused, cifar, case):
    name, damage, expected = DAMAGED_DATA[case]
    content = (cifar / name).read_bytes()
    (cifar / name).unlink()
    if damage:
        (cifar / name).write_bytes(damage(content))
    assert re.search(expected, refused(*CIFAR))


def test_data_folders(refused, cifar, tmp_path):
    for place in ("nowhere", cifar / "test_batch.bin"):
        message = refused(*CIFAR[:-1], place)
        assert re.search(f"{place}.* does not exist; .*--data-dir, or download it .*--download", message)
    message = refused(*CIFAR[:-1], cifar / "test_batch.bin", "--download")
    assert re.search("test_batch.bin.*: (Not a directory|File exists)", message)
    (cifar / "test_batch.bin").rename(tmp_path / "elsewhere")
    (cifar / "test_batch.bin").mkdir()
    assert re.search("test_batch.bin does not exist; .*--download", refused(*CIFAR))


@pytest.mark.parametrize("count", [15, 16, 10**30])
def test_more_validation_pictures_than_there_are(refused, cifar, count):
    message = refused(*CIFAR[:2], "--data-dir", ".", "--validation", count)
    assert f"validation must be from 0 to 14 of the 15 training pictures, got {count}" in message


def test_pictures_of_a_wrong_size_for_the_network(refused, cifar):
    message = refused("--model", "alexnet", "--dataset", "cifar10", "--data-dir", ".", "--validation", 3)
    assert re.search(
        "227x227, but .* cifar10 are 32x32: give --resize 256, .* or choose another --model or --dataset", message
    ), message


# Classes and outputs


def test_more_classes_than_outputs(rng):
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))
    images = Tensor(rng.standard_normal((4, 3, 2, 2)).astype(np.float32))
    for label in (3, 9, -1):
        with pytest.raises(ValueError, match=rf"label {label} at \(2,\) is no class: there are 0 to 2"):
            functional.cross_entropy(model(images), np.array([0, 1, label, 2]))
    with pytest.raises(ValueError, match="label 3 of image 1 is not one of 3 classes"):
        data.ArrayDataset(np.zeros((2, 3, 4, 4), np.uint8), np.array([0, 3]), ("a", "b", "c"))


def test_a_run_goes_on_with_other_classes_or_fewer_outputs(refused, cifar, monkeypatch):
    no_figures(monkeypatch)
    assert run(*CIFAR, "--out", "r") == 0
    names = cifar / cifar10.NAMES_FILE
    names.write_text(names.read_text().replace("truck", "tractor"))
    message = refused("--resume", "r", "--epochs", 2)
    assert re.search(
        "was trained on the classes airplane, .*, truck, but the data now has airplane, .*, tractor", message
    )
    names.write_text("\n".join(NAMES))
    saved = checkpoint.load("r/last.npz")
    saved.weights = dict(models.build("cifar_quick", num_classes=7).state_dict())
    checkpoint.save("r/last.npz", saved)
    assert re.search(r"last.npz .*fc10\.weight \(is \(7, 64\), ", refused("--resume", "r", "--epochs", 2))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_output_that_cannot_be_written():
    with open("/dev/full", "w") as full:
        done = start(["-m", "minialex"], stdout=full)
    assert "No space left on device" in the_sentence(done.returncode, done.stderr)


def test_a_name_that_the_terminal_cannot_show(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    assert cli.run(lambda argv: print("runs/çarpı")) == 0
    assert raw.getvalue().strip() == rb"runs/\xe7arp\u0131"


def test_out_of_memory(refused, monkeypatch):
    def greedy(*arguments, **options):
        return np.empty(2**62, np.uint8)

    monkeypatch.setattr(data, "load", greedy)
    assert re.search("out of memory .*smaller --batch-size", refused())


def test_the_wrong_rate(refused):
    message = refused(*SMALL, "--lr", "1e12", "--epochs", 2, "--out", "r", leaves="r")
    assert re.search("loss .*became (nan|inf) .*lower learning rate .--lr", message)
