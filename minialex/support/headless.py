"""Matplotlib, imported where there is no window, whatever MPLBACKEND names."""

from __future__ import annotations

import contextlib
import os

from .errors import UserError


def import_matplotlib():
    """Import Matplotlib; returns the module.

    A notebook sets MPLBACKEND for every process that it starts, also where its backend is not installed, and Matplotlib
    then cannot be imported. These figures are drawn by Agg alone. pyplot, if the user imports it, still uses what
    MPLBACKEND names, where that exists.

    Raises UserError where Matplotlib finds no folder that it can write to.
    """
    wanted = os.environ.pop("MPLBACKEND", None)
    try:
        import matplotlib
    except OSError as error:
        raise UserError(f"no figures can be drawn: {' '.join(str(error).split())}") from error
    finally:
        if wanted is not None:
            os.environ["MPLBACKEND"] = wanted
    if wanted is not None:
        with contextlib.suppress(ValueError):
            matplotlib.rcParams["backend"] = wanted
    return matplotlib
