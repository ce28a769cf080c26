"""`python -m minialex.data.pack D OUT`: decode a folder of images into large files of pixels, to train at GPU speed."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
import zlib
from pathlib import Path

import numpy as np

from .. import cli, threads
from ..support import files
from . import folder, listing, packed
from .moments import Sums

DESCRIPTION = f"""\
Decode every picture in the folder D once, as --dataset folder does, and write the pixels to shards in OUT: training
then maps them into memory and decodes nothing. A picture takes 3 x SIZE x SIZE bytes, ImageNet at 256 pixels 262 GB.

D holds train/CLASS/*.jpg and, optionally, val/CLASS/*.jpg, or val/*.JPEG with a file of labels. Without train and val,
D/CLASS/*.jpg are packed as train.
Damaged files are named, counted and left out. {packed.INDEX} is written last: an incomplete OUT is never mistaken for a
complete one, and the same command starts over."""

EXAMPLES = """\
examples:
  python -m minialex.data.pack ~/imagenet /fast/imagenet-256
  python -m minialex.data.pack ~/imagenet /fast/imagenet-256 --val-labels ~/caffe/val.txt --workers 16
  python -m minialex.train --dataset folder --data-dir /fast/imagenet-256"""

SHARD = 1024


def main(argv=None):
    """Run the command; argv: its arguments, sys.argv[1:] if None."""
    p = cli.Parser("data.pack", DESCRIPTION, EXAMPLES)
    count = cli.whole_number(1)
    p.add_argument("source", metavar="D", type=cli.folder, help="the folder of photographs")
    p.add_argument("out", metavar="OUT", type=cli.folder, help="a new or empty folder")
    text = "resize the shorter side to so many pixels, then crop the central square (default: %(default)s)"
    p.add_argument("--size", metavar="SIZE", type=count, default=folder.SIZE, help=text)
    text = "decoding threads (default: one per usable core, here %(default)s)"
    p.add_argument("--workers", metavar="N", type=count, default=threads.default_count(), help=text)
    text = "labels of a val/ that holds all its pictures in one folder (default: found in D by its usual name)"
    p.add_argument("--val-labels", metavar="FILE", help=text)
    p.add_argument("--shard", metavar="N", type=count, default=SHARD, help="pictures per file (default: %(default)s)")
    options = p.parse_args(argv)
    with cli.as_user_error():
        source, out = Path(options.source).expanduser(), Path(options.out).expanduser()
        classes, train, val = listing.read(source, options.val_labels)
        splits = pack(out, classes, {"train": train, "val": val}, options.size, options.workers, options.shard)
    for split, part in splits.items():
        print(f"{split}: {part['pictures']:,} pictures packed, {part['damaged']:,} damaged")
    print(f"use it with --dataset folder --data-dir {shlex.quote(str(out))}")


def pack(out, classes, listings, size=folder.SIZE, workers=1, shard=SHARD):
    """Decode images and write them to a folder of packed images, see packed.py.

    out: the folder, a Path; new, empty, or left incomplete by an interrupted call.
    classes: the names of the classes.
    listings: {"train": Listing, "val": Listing or None}.
    size: pixels per side.
    workers: threads that decode.
    shard: images per file.

    Returns the "splits" of pack.json: {split: {"pictures": count, "damaged": count, "shards": file names}}.
    Raises ValueError where the folder holds anything else or the disk is too small, OSError where no file can be read.
    """
    listings = {split: pictures for split, pictures in listings.items() if pictures is not None}
    _prepare_folder(out, sum(len(pictures.names) for pictures in listings.values()) * 3 * size * size)
    checks: dict = {}
    splits = {name: _write(out, name, given, size, workers, shard, checks) for name, given in listings.items()}
    index = {"format": packed.FORMAT, "size": size, "classes": list(classes), "splits": splits, "files": checks}
    files.write_text(out / packed.INDEX, json.dumps(index, indent=1) + "\n")
    return splits


def _write(out, split, pictures, size, workers, shard, checks):
    """Write the files of one split, add their lengths and checksums to `checks`; returns its entry in pack.json."""
    sums, places, damaged, shards = Sums(), [], [], []

    def images():
        for block in folder.blocks(pictures, size, workers):
            sums.add(block.sums)
            places.extend(block.places)
            damaged.extend(error for _, error in block.damaged)
            yield block.images

    def save(name, write, *array, **arrays):
        with files.replacing(out / name) as file:
            write(file, *array, **arrays)
        content = np.memmap(out / name, np.uint8, "r")
        checks[name] = {"bytes": len(content), "crc32": zlib.crc32(content.data)}

    for number, some in enumerate(_regrouped(images(), shard)):
        shards.append(packed.shard_name(split, number))
        save(shards[-1], np.save, some)
    folder.report(pictures, damaged)
    if not places:
        raise OSError(f"none of the {len(damaged)} pictures of {pictures.folder} can be read")
    save(packed.labels_name(split), np.save, pictures.labels[places])
    if split == "train":
        save(packed.STATISTICS, np.savez, **vars(sums))
    return {"pictures": len(places), "damaged": len(damaged), "shards": shards}


def _prepare_folder(out, needed):
    """Make the folder, or remove the files that an interrupted packing left in it."""
    present = sorted(path.name for path in out.iterdir()) if out.is_dir() else []
    ours = {packed.labels_name("train"), packed.labels_name("val"), packed.STATISTICS}
    left = {path.name for path in files.leftovers(out)}
    foreign = [name for name in present if name not in ours | left and not packed.is_shard(name)]
    if packed.INDEX in present:
        raise ValueError(f"{out} holds packed pictures already: choose another folder, or remove this one")
    if foreign:
        raise ValueError(f"{out} is not empty (it holds {foreign[0]}): choose a new folder")
    for name in present:
        (out / name).unlink()
    out.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(out).free
    if free < needed:
        raise ValueError(f"{out} has {free / 1e9:.1f} GB free, but the pictures take {needed / 1e9:.1f} GB")


def _regrouped(arrays, count):
    """The rows of all arrays in groups of `count`; the last group may be smaller."""
    kept: list = []
    for array in arrays:
        kept.append(array)
        while sum(map(len, kept)) >= count:
            joined = np.concatenate(kept)
            yield joined[:count]
            kept = [joined[count:]]
    if sum(map(len, kept)):
        yield np.concatenate(kept)


if __name__ == "__main__":
    sys.exit(cli.run(main))
