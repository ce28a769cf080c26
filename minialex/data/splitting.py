"""Dividing a folder's train/ and val/ into training, validation and test splits."""

from __future__ import annotations

import numpy as np

from .dataset import Splits

_HELD_OUT = 5000  # images that are held out by default, at most


def split(train, val, of_train, of_val, validation=None, limit=None):
    """Divide the images of train/ and val/, each sorted by class, into Splits.

    train, val: the number of images in each folder; val is 0 if there is no such folder.
    of_train, of_val: functions that make a data set from indices into the folder's images.
    validation, limit: as in folder.load.

    Returns Splits.
    Raises ValueError where no image is left for training or for the test.
    """
    test = of_val(spread(val, limit)) if val else None
    wanted = validation
    if wanted is None:
        wanted = 0 if val else min(_HELD_OUT, max(1, train // 10))
    if not 0 <= wanted < train:
        raise ValueError(f"validation must be from 0 to {train - 1} of the {train} training pictures, got {wanted}")
    if not wanted and test is None:
        raise ValueError("validation must be at least 1 where there is no folder val: the test needs held-out pictures")
    held_out = spread(train, wanted)
    training = np.setdiff1d(np.arange(train), held_out)
    validating = of_train(held_out[spread(wanted, limit)]) if wanted else None
    if validation is None and test is not None:
        validating = test
    testing = validating if test is None else test
    assert testing is not None
    return Splits(of_train(training[spread(len(training), limit)]), validating, testing)


def spread(count, wanted):
    """`wanted` of `count` indices, evenly spaced: of images sorted by class, the first ones are of one class only.

    wanted: None, or `count` or more, for all.

    Returns integers (n,).
    """
    return np.arange(count) if wanted is None or wanted >= count else np.arange(wanted) * count // wanted
