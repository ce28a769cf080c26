"""Dividing a folder's images into training, validation and test splits."""

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


def split_by_chance(labels, of, validation=None, limit=None, seed=0):
    """Divide images that nobody has divided: of every class a tenth for the test and a tenth for validation.

    labels: of the images, integers (N,), sorted by class.
    of: a function that makes a data set from indices of images; the training split says in its `division` how it was
        made.
    validation: images for validation instead, of all classes together, 0 for none.
    limit: as in folder.load.
    seed: of the choice.

    A class of at least 3 images has at least one in each split, a smaller one is for training only.
    Returns Splits.
    Raises ValueError where no image is left for training or for the test.
    """
    tests, validations, rest = [], [], []
    for label in np.unique(labels):
        members = np.random.default_rng([seed, int(label)]).permutation(np.flatnonzero(labels == label))
        tenth = max(1, round(len(members) / 10)) if len(members) >= 3 else 0
        tests.append(members[:tenth])
        validations.append(members[tenth : 2 * tenth])
        rest.append(members[tenth:])
    testing, validating, others = (np.concatenate(parts) for parts in (tests, validations, rest))
    if not len(testing):
        raise ValueError(
            f"no class has the 3 pictures that dividing it takes, the largest has {np.bincount(labels).max()}: "
            "add some, or divide them yourself into folders train and val"
        )
    if validation is not None:
        if not 0 <= validation < len(others):
            raise ValueError(
                f"validation must be from 0 to {len(others) - 1}, those not for the test, got {validation}"
            )
        validating = others[spread(len(others), validation)]
    parts = [np.sort(part) for part in (np.setdiff1d(others, validating), validating, testing)]
    train, held_out, test = (of(part[spread(len(part), limit)]) if len(part) else None for part in parts)
    assert train is not None and test is not None
    train.division = f"divided by chance, of every class a tenth for the test (seed {seed}): there is no folder train"
    return Splits(train, held_out, test)


def spread(count, wanted):
    """`wanted` of `count` indices, evenly spaced: of images sorted by class, the first ones are of one class only.

    wanted: None, or `count` or more, for all.

    Returns integers (n,).
    """
    return np.arange(count) if wanted is None or wanted >= count else np.arange(wanted) * count // wanted
