"""`python -m minialex.data.pack D OUT`: decode a folder of images into large files of pixels, to train at GPU speed."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import sys
import zlib
from pathlib import Path

import numpy as np

from .. import cli, threads
from ..support import files, lock
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
UNFINISHED = ".minialex-pack"  # in a folder that is not complete: the names of our files


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
    p.add_argument("--val-labels", metavar="FILE", type=cli.file, help=text)
    p.add_argument("--shard", metavar="N", type=count, default=SHARD, help="pictures per file (default: %(default)s)")
    options = p.parse_args(argv)
    with cli.as_user_error():
        source, out = Path(options.source), Path(options.out)
        classes, train, val = listing.read(source, options.val_labels)
        folder.say_unread(source, listing.unread(source))
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
    Raises ValueError where the folder holds anything else, another process packs into it, or the disk is too small,
    OSError where no file can be read.
    """
    listings = {split: pictures for split, pictures in listings.items() if pictures is not None}
    if not (out / lock.NAME).exists():
        _check_is_free(out)  # before anything is written to it
    with lock.Lock(out, "packing into"):
        written = _check_is_free(out)
        written.remove()
        _check_space(out, sum(len(pictures.names) for pictures in listings.values()) * 3 * size * size)
        checks: dict = {}
        splits = {name: _write(written, name, given, size, workers, shard, checks) for name, given in listings.items()}
        index = {"format": packed.FORMAT, "size": size, "classes": list(classes), "splits": splits, "files": checks}
        with written.file(packed.INDEX) as file:
            file.write((json.dumps(index, indent=1) + "\n").encode())
        written.forget()
    return splits


def _write(written, split, pictures, size, workers, shard, checks):
    """Write the files of one split, add their lengths and checksums to `checks`; returns its entry in pack.json."""
    sums, places, damaged, shards = Sums(), [], [], []

    def images():
        for block in folder.blocks(pictures, size, workers):
            sums.add(block.sums)
            places.extend(block.places)
            damaged.extend(error for _, error in block.damaged)
            yield block.images

    def save(name, write, *array, **arrays):
        with written.file(name) as file:
            write(file, *array, **arrays)
        content = np.memmap(written.out / name, np.uint8, "r")
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


class Written:
    """The files that this command has written to a folder that is not complete yet.

    The file UNFINISHED in it lists them: a line with the name before a file is begun, another with its inode when it
    is, a third with its length and time of modification when it is complete. A file that does not agree with its last
    line is not ours, unless it is empty and was to be begun.

    out: the folder, a Path.
    """

    def __init__(self, out):
        self.out, self.list = out, out / UNFINISHED
        self._known: dict[str, list[str]] = {}
        for line in self.list.read_text(encoding="utf-8", errors="replace").splitlines() if self.list.is_file() else ():
            name, *stamp = line.split() or [""]
            self._known[name] = stamp

    def __contains__(self, name):
        """Whether the file `name` in the folder is one of them, and as it was written."""
        of = name[1:].removesuffix(".partial") if name.endswith(".partial") else name
        try:
            status = os.lstat(self.out / name)
        except FileNotFoundError:
            return True
        last = self._known.get(of) if packed.is_name(of) or of == packed.INDEX else None
        as_it_was = [[str(status.st_ino)], [str(status.st_size), str(status.st_mtime_ns)]]
        return name == UNFINISHED or last in as_it_was or (last == [] and status.st_size == 0)

    @contextlib.contextmanager
    def file(self, name):
        """A context with the new binary file `name`; raises ValueError where there is one already."""
        path = self.out / name
        if os.path.lexists(path):
            raise ValueError(f"{path} was put there while {self.out} was packed: remove it, or choose a new folder")
        self._note(name)
        with files.replacing(path) as file:
            self._note(name, os.fstat(file.fileno()).st_ino)
            yield file
        status = os.lstat(path)
        self._note(name, status.st_size, status.st_mtime_ns)

    def remove(self):
        """Remove them all."""
        for name in os.listdir(self.out):
            if name not in (UNFINISHED, lock.NAME) and name in self:
                (self.out / name).unlink()
        self.forget()

    def forget(self):
        """Remove the list: all files are complete, or gone."""
        self.list.unlink(missing_ok=True)
        self._known = {}

    def _note(self, name, *stamp):
        self._known[name] = [str(number) for number in stamp]
        with open(self.list, "a", encoding="utf-8") as file:
            file.write(" ".join([name, *self._known[name]]) + "\n")


def _check_is_free(out):
    """Check that a folder holds nothing but what an interrupted call left there; returns that, a Written."""
    present = sorted(os.listdir(out)) if out.is_dir() else []
    if packed.INDEX in present:
        Written(out).forget()  # of a call that was killed when all was done
        raise ValueError(f"{out} holds packed pictures already: choose another folder, or remove this one")
    written = Written(out)
    if foreign := [name for name in present if name != lock.NAME and name not in written]:
        raise ValueError(f"{out} is not empty (it holds {foreign[0]}): choose a new folder")
    return written


def _check_space(out, needed):
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
