"""How a folder's train/ and val/ become training, validation and test."""

from __future__ import annotations

import numpy as np

from .dataset import Splits

_HELD_OUT = 5000  # pictures at most that are held out unasked


def split(train, val, of_train, of_val, validation=None, limit=None):
    """The Splits of folders that hold `train` and `val` pictures, sorted by class.

    of_train(indices), of_val(indices): make a data set of some of them. validation, limit: see folder.load.
    ValueError where that leaves nothing for training or for the test.
    """
    test = of_val(spread(val, limit)) if val else None
    wanted = validation
    if wanted is None:
        wanted = 0 if val else min(_HELD_OUT, max(1, train // 10))
    if not 0 <= wanted < train:
        raise ValueError(f"validation must be from 0 to {train - 1} of the {train} training pictures, got {wanted}")
    if not wanted and test is None:
        raise ValueError("without a folder val pictures must be held out for the test: validation must be at least 1")
    held_out = spread(train, wanted)
    training = np.setdiff1d(np.arange(train), held_out)
    validating = of_train(held_out[spread(wanted, limit)]) if wanted else None
    if validation is None and test is not None:
        validating = test
    return Splits(of_train(training[spread(len(training), limit)]), validating, validating if test is None else test)


def spread(count, wanted):
    """`wanted` of `count` indices, evenly spread: in the order of classes the first ones would be all of one."""
    return np.arange(count) if wanted is None or wanted >= count else np.arange(wanted) * count // wanted
