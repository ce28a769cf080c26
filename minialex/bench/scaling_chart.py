"""The predicted efficiency on more and more ranks, as curves."""

from __future__ import annotations

from ..plotting.curves import name_ends
from ..plotting.style import BLUE, DPI, GRID, INK, PURPLE, STYLE, VERMILION, Figure, write
from . import parallel_report, scaling

RANKS = tuple(2**k for k in range(11))  # 1 to 1,024
COLORS = dict(zip(parallel_report.SCHEMES, (BLUE, VERMILION, PURPLE)))


def draw(models, links, path):
    """Draw the efficiency of every scheme over the number of ranks: a row for each model, a panel for each link.

    models: a list of scaling.Model.
    links: pairs of (Gbit/s, microseconds).
    path: the file to write, PNG or SVG by its suffix.

    Returns the Figure.
    """
    figure = Figure(figsize=(3.6 * len(links), 3.3 * len(models)), dpi=DPI, layout="constrained")
    for sheet, model in zip(figure.subfigures(len(models), 1, squeeze=False)[:, 0], models):
        sheet.suptitle(parallel_report.title(model), x=0.01, ha="left", fontsize=10, color=INK, fontweight="bold")
        curves = {scheme: curve(model, scheme, links) for scheme in COLORS}
        for number, (axes, (speed, latency)) in enumerate(zip(sheet.subplots(1, len(links), squeeze=False)[0], links)):
            lines = {scheme: [(ranks, each[number]) for ranks, each in c] for scheme, c in curves.items()}
            _panel(axes, f"{speed:g} Gbit/s, {latency:g} µs", lines)
    return write(figure, path)


def curve(model, scheme, links):
    """Pairs of (ranks, efficiency in % for each link), for as many ranks as the network can be divided among.

    model, links: as of draw.
    scheme: of exchanges.share.
    """
    points = []
    for ranks in RANKS[scheme == "towers" :]:  # those need two
        try:
            steps = model.on(scheme, ranks, [scaling.gigabit(*link) for link in links])
        except ValueError:
            break
        points.append((ranks, [100 * speed_up / ranks for _, speed_up in steps]))
    return points


def _panel(axes, title, lines):
    axes.set_xscale("log", base=2)
    axes.set_xlim(1, 1.3 * RANKS[-1])
    axes.set_ylim(0, 104)
    for scheme, points in lines.items():
        if points:
            axes.plot(*zip(*points), color=COLORS[scheme], linewidth=1.8, marker="o", markersize=3, clip_on=False)
    ends = {scheme: points[-1] for scheme, points in lines.items() if points}
    labels = {s: s if ranks == RANKS[-1] else f"{s}, to {ranks}" for s, (ranks, _) in ends.items()}
    name_ends(axes, [(labels[s], COLORS[s], RANKS[-1], efficiency) for s, (_, efficiency) in ends.items()])
    axes.set_title(title, loc="left", fontsize=10, color=INK, fontweight="bold")
    axes.set_xlabel("ranks", **STYLE)
    axes.set_ylabel("efficiency, %", **STYLE)
    axes.set_xticks([1, 8, 64, 1024], ["1", "8", "64", "1,024"])
    axes.minorticks_off()
    axes.tick_params(labelsize=8, colors=INK, length=0)
    axes.grid(color=GRID, linewidth=0.7)
    axes.spines[:].set_visible(False)
