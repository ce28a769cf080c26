"""Whether the data loader keeps up with the network: images per second of the loader and of a training step.

The loader reads the same part of a folder again and again, which the system then caches: a slow disk will be slower.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from ..data import Loader, Normalize, folder, listing, packed
from ..data.pack import pack
from ..data.pipeline import Pipeline
from ..data.splitting import spread
from . import report
from .host import Host
from .measure import interleave, medians
from .workloads import WORKLOADS

WORKLOAD = WORKLOADS["alexnet"]


class LoaderBench:
    """Times the data loader on a folder of images, and AlexNet's training step.

    root: the folder, of image files or packed.
    contenders: a list of ours.Minialex.
    device: a host.Host or gpu.Gpu; on a GPU, the first of its precisions is used.
    batch_size: images per batch.
    threads: the loader is timed with 1, 2, 4 ... and this many threads, for decoding and for preparing batches.
    repeat: rounds, whose median counts.
    pictures: images in an epoch, taken evenly from the folder.
    watch: watch(text) is called before each run with its name.
    """

    def __init__(self, root, contenders, device, batch_size, threads, repeat, pictures, watch):
        self.root, self.contenders, self.device, self.batch_size = Path(root), contenders, device, batch_size
        self.counts, self.repeat, self.pictures = thread_counts(threads), repeat, pictures
        self.host, self.watch = Host(threads), watch

    def measure(self):
        """Measure both.

        Returns a dict with two lists of rows, "loaders" and "networks"; each row has its images_per_second, the median
        of all rounds.
        Raises ValueError or OSError for a folder that cannot be read.
        """
        with tempfile.TemporaryDirectory(prefix="minialex-bench-") as temporary:
            runs = {
                (source, count): self._epoch(dataset, count)
                for source, datasets in self._sources(Path(temporary) / "packed").items()
                for count, dataset in datasets.items()
            }
            taken = self._interleave(runs, self.host.seconds, self.host.warm_ups)
        loaders = [
            {"source": source, "threads": count, "images_per_second": self.pictures / median, "every_run": taken[row]}
            for row, median in medians(taken).items()
            for source, count in [row]
        ]
        self.device.use(self.device.precisions[0])
        steps = {(c.name,): c.network(WORKLOAD, self.batch_size).step for c in self.contenders}
        taken = self._interleave(steps, self.device.seconds, self.device.warm_ups)
        networks = [
            {"contender": row[0], "images_per_second": self.batch_size / median, "every_run": taken[row]}
            for row, median in medians(taken).items()
        ]
        return {
            "network": WORKLOAD.name,
            "batch_size": self.batch_size,
            "pictures": self.pictures,
            "loaders": loaders,
            "networks": networks,
        }

    def _sources(self, temporary):
        """{"files": {threads: data set}, "packed": ...} of the same images; only "packed" of a packed folder."""
        if (self.root / packed.INDEX).is_file():
            index = packed.read_index(self.root)
            chosen = spread(index.splits["train"].pictures, self.pictures)
            dataset = packed.PackedDataset(self.root, index, "train", chosen)
            self.pictures = len(dataset)
            return {"packed": dict.fromkeys(self.counts, dataset)}
        classes, train, _ = listing.read(self.root)
        train = train.some(spread(len(train.names), self.pictures))._replace(ignored=0)
        pack(temporary, classes, {"train": train}, workers=self.counts[-1])
        dataset = packed.PackedDataset(temporary, packed.read_index(temporary), "train")
        self.pictures = len(dataset)
        decoded = {n: folder.FolderDataset(train, classes, folder.SIZE, n) for n in self.counts}
        return {"files": decoded, "packed": dict.fromkeys(self.counts, dataset)}

    def _epoch(self, dataset, count):
        """A function that loads all images once, cropped, flipped, the mean image subtracted."""
        pipeline = Pipeline(Normalize.mean_image(dataset), WORKLOAD.size)
        loader = Loader(dataset, self.batch_size, pipeline.training_transforms(flip=True), shuffle=True, workers=count)

        def run():
            for _ in loader.epoch():
                pass

        return run

    def _interleave(self, runs, seconds, warm_ups):
        watch = lambda row: self.watch(" ".join(map(str, row)))  # noqa: E731
        return interleave(runs, self.repeat, seconds, warm_ups, watch)


def thread_counts(most):
    """The powers of two up to `most`, and `most` itself, in order."""
    return sorted({2**i for i in range(most.bit_length())} | {most})


def text(result):
    """The tables and verdicts as text. result: what LoaderBench.measure returns."""
    loaders = [["images from", "threads", "images/s"]]
    loaders += [[row["source"], str(row["threads"]), _rate(row)] for row in result["loaders"]]
    networks = [["training step", "images/s"], *([row["contender"], _rate(row)] for row in result["networks"])]
    shape = f"crops of {WORKLOAD.size} from {folder.SIZE} pixels, flips, mean image"
    return "\n".join(
        [
            f"loader alone, {result['pictures']:,} images in batches of {result['batch_size']}: {shape}",
            report.table(loaders),
            f"{result['network']} alone, batches of {result['batch_size']}",
            report.table(networks),
            *verdicts(result),
        ]
    )


def verdicts(result):
    """Yield a sentence for each source of images: whether it keeps up with the fastest network.

    result: what LoaderBench.measure returns.
    """
    network = max(result["networks"], key=lambda row: row["images_per_second"])
    for source in dict.fromkeys(row["source"] for row in result["loaders"]):
        rows = [row for row in result["loaders"] if row["source"] == source]
        enough = [row for row in rows if row["images_per_second"] >= network["images_per_second"]]
        best = max(rows, key=lambda row: row["images_per_second"])
        if enough:
            first = min(enough, key=lambda row: row["threads"])
            count = "1 thread loads" if first["threads"] == 1 else f"{first['threads']} threads load"
            times = first["images_per_second"] / network["images_per_second"]
            yield f"{source}: the network is the bottleneck; {count} {times:.1f} x what {network['contender']} consumes"
        else:
            share = f"{100 * best['images_per_second'] / network['images_per_second']:.0f} %"
            yield f"{source}: the loader is the bottleneck; it loads {share} of what {network['contender']} consumes"


def _rate(row):
    return f"{row['images_per_second']:,.1f}"
