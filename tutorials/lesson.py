"""What all lessons share: how large they run, the look of their figures, and where a figure goes.

MINIALEX_SIZE=smoke      the smallest sizes that still run every line; the default is quick, paper is the largest
MINIALEX_FIGURES=DIR     figures are also written there, as NAME.png; plain Python shows none otherwise
MINIALEX_OUTCOMES=1      what predictions are about is shown without a prediction
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # the package of this checkout, installed or not

import matplotlib
from exercises import check, compare, hint
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from minialex.plotting import style
from minialex.plotting.style import BLUE, GRID, INK, PALE, PURPLE, VERMILION, tint
from minialex.support.progress import Progress

__all__ = [
    "BLUE",
    "GRID",
    "INK",
    "PALE",
    "PURPLE",
    "SIZES",
    "VERMILION",
    "check",
    "compare",
    "hint",
    "panels",
    "pick",
    "pictures",
    "progress",
    "show",
    "stop",
    "tint",
]

SIZES = ("smoke", "quick", "paper")

matplotlib.rcParams.update(
    {
        "axes.titlelocation": "left",
        "axes.titlesize": 10,
        "axes.titleweight": "bold",
        "axes.titlecolor": INK,
        "axes.labelsize": 9,
        "axes.labelcolor": INK,
        "text.color": INK,
        "font.size": 9,
        "xtick.labelsize": 8,
        "ytick.labelsize": 8,
        "xtick.color": INK,
        "ytick.color": INK,
        "xtick.major.size": 0,
        "ytick.major.size": 0,
        "xtick.minor.size": 0,
        "ytick.minor.size": 0,
        "axes.grid": True,
        "grid.color": GRID,
        "grid.linewidth": 0.7,
        "axes.axisbelow": True,
        "axes.edgecolor": GRID,
        "axes.spines.left": False,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.spines.bottom": False,
        "axes.prop_cycle": matplotlib.cycler(color=[BLUE, VERMILION, PURPLE, INK]),
        "legend.frameon": False,
        "lines.linewidth": 1.8,
        "image.cmap": "gray",
    }
)


def pick(*, smoke, quick, paper=None):
    """The value for the size that runs: `steps = pick(smoke=10, quick=500)`; paper: as quick unless given."""
    size = os.environ.get("MINIALEX_SIZE") or "quick"
    if size not in SIZES:
        raise ValueError(f"MINIALEX_SIZE is one of {', '.join(SIZES)}, not {size!r}")
    return {"smoke": smoke, "quick": quick, "paper": quick if paper is None else paper}[size]


def panels(columns=1, rows=1, *, height=3.0, width=9.0, **options):
    """A figure and its axes, in reading order: `figure, left, right = panels(2)`.

    height, width: of the whole, in inches; options: of Figure.subplots, such as width_ratios.
    """
    figure = Figure(figsize=(width, height), dpi=style.DPI, layout="constrained")
    return figure, *figure.subplots(rows, columns, squeeze=False, **options).ravel()


def pictures(axes):
    """Make axes ready for a picture or a drawing: no ticks, no grid, pixels square."""
    axes.set(xticks=[], yticks=[], aspect="equal")
    axes.grid(False)


def progress(items, description, unit):
    """Yield the items of something that takes long, and show how far it is.

    description, unit: what is done with them, and what they are, such as "training" and "epochs".
    """
    items = list(items)
    with Progress(description, total=len(items), unit=unit) as bar:
        for item in items:
            yield item
            bar.update()


def stop(why):
    """End a lesson that cannot go on, with a sentence: plain Python exits, a notebook's other cells do nothing."""
    print(why)
    shell = _shell()
    if shell is None:
        raise SystemExit
    shell.input_transformers_cleanup.append(lambda lines: [])


def show(figure, name, description):
    """Put a finished figure under the cell; description: a sentence for those who cannot see it."""
    global _said
    folder = os.environ.get("MINIALEX_FIGURES")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        style.write(figure, Path(folder) / f"{name}.png")
    if _shell() is not None:
        from IPython.display import Image, display

        png = io.BytesIO()
        FigureCanvasAgg(figure).print_png(png)
        display(Image(png.getvalue(), alt=description))
    elif not _said:
        _said = True
        print(
            f"(Figures are written to {folder}.)" if folder else "(Figures: MINIALEX_FIGURES=DIR writes them to DIR.)"
        )


_said = False  # where figures are


def _shell():
    """The notebook's shell; None in plain Python."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None
