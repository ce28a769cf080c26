"""Train the torch twin of cifar_quick on CIFAR-10, as `python -m minialex.train --model cifar_quick` trains it.

Same initial weights, pictures, order, normalisation, rates, decay and schedule; torch's arithmetic throughout, and own
code for the metrics. For the same seed the losses agree to six digits at first; then rounding, which decides between
nearly equal pixels in the first pooling layer, drives the two apart (in float64 they stay together). The errors at the
end should be within a point of each other.

    python -m minialex.train --model cifar_quick --data-dir DIR --seed 0
    python tests/helpers/compare_cifar.py --data-dir DIR --seed 0
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # a plain checkout needs no install

import torch
import twins
from torch.nn import functional as F

from minialex import data, models, random
from minialex.training import schedule_text


def evaluate(network, loader):
    """(mean loss, top-1 error, top-5 error) over a loader's pictures; errors in percent."""
    network.eval()
    count = loss = first = five = 0
    with torch.no_grad():
        for images, labels in loader.epoch():
            logits, labels = network(torch.from_numpy(images)), torch.from_numpy(labels)
            best = logits.topk(5).indices == labels[:, None]
            count += len(labels)
            loss += F.cross_entropy(logits, labels, reduction="sum").item()
            first += len(labels) - best[:, 0].sum().item()
            five += len(labels) - best.sum().item()
    network.train()
    return loss / count, 100 * first / count, 100 * five / count


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data-dir", metavar="DIR", help="holds cifar-10-batches-bin (default: ~/.cache/minialex)")
    parser.add_argument("--epochs", type=int, metavar="N", help="passes over the pictures (default: the recipe's 10)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of weights and order (default: 0)")
    parser.add_argument("--threads", type=int, metavar="N", help="of torch (default: torch's choice)")
    parser.add_argument("--validation", type=int, metavar="N", help="pictures held out from training (default: 5000)")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N pictures (default: all)")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)

    recipe = models.PRESETS["cifar_quick"].recipe
    epochs = options.epochs or recipe.epochs
    splits = data.load("cifar10", data_dir=options.data_dir, validation=options.validation, limit=options.limit)
    random.manual_seed(options.seed)
    network = twins.twin(models.build("cifar_quick"))
    optimizer = twins.twin_optimizer(network, recipe)
    kind, milestones, gamma, *_ = schedule_text.parse_schedule(recipe.schedule)
    assert kind == "multistep" and recipe.normalization == "mean-image" and not recipe.crop_padding and not recipe.flip
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones, gamma)

    normalization = data.Normalize.mean_image(splits.train)
    loader = data.Loader(splits.train, recipe.batch_size, [normalization], shuffle=True, seed=options.seed)
    validation = splits.validation and data.Loader(splits.validation, recipe.batch_size, [normalization])
    threads, count = torch.get_num_threads(), len(splits.train)
    print(f"torch {torch.__version__}, {threads} threads, {count:,} training pictures, seed {options.seed}")
    for epoch in range(epochs):
        start, losses = time.perf_counter(), 0.0
        for images, labels in loader.epoch(epoch):
            losses += twins.train_step(network, optimizer, images, labels) * len(labels)
        schedule.step()
        line = f"epoch {epoch + 1}/{epochs}: training loss {losses / count:.4f}"
        if validation:
            loss, first, five = evaluate(network, validation)
            line += f", validation loss {loss:.4f}, top-1 error {first:.1f} %, top-5 error {five:.1f} %"
        print(f"{line}, {time.perf_counter() - start:.1f} s", flush=True)
    _, first, five = evaluate(network, data.Loader(splits.test, recipe.batch_size, [normalization]))
    print(f"test accuracy {100 - first:.1f} %, top-1 error {first:.1f} %, top-5 error {five:.1f} %")


if __name__ == "__main__":
    main()
