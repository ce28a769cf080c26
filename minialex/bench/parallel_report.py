"""What `python -m minialex.bench --parallel` prints: tables in Markdown."""

from __future__ import annotations

from . import exchanges, scaling, workloads
from .scaling import RANKS

SCHEMES = ("data", "hybrid", "towers")
MEASURED = """\
x one: the speed relative to one process with all threads. sent: by each rank in a step, if the engine's collectives are
rings. alone: the step's exchanges by themselves. waited: seconds of the step in which a rank is in an exchange and does
not compute. Where that is less than "alone", the difference is hidden behind backward; where it is more, ranks wait for
slower ones. predicted: "alone" by the model, from the latency and bandwidth above; error: of it. Oversubscribed: more
ranks than cores, which wait for each other's turn on a core, and are not compared."""
SCALED = """\
step: seconds, of the rank with most to do. x: the speed relative to one rank; %: of as many times that as there are
ranks. -: the network cannot be divided among so many. Latencies are assumptions."""
KEPT = {
    "weights": "weights, velocities, gradients, MiB",
    "activations": "outputs, their gradients, MiB",
    "others": "pictures, scales of the norms, MiB",
}
MIB = 2**20


def markdown(rows, left=1):
    """A table. rows: of texts, the first is the heading; left: how many columns are flush left; the others are not."""
    widths = [max(3, *map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        [text.ljust(w) if c < left else text.rjust(w) for c, (text, w) in enumerate(zip(row, widths))] for row in rows
    ]
    lines.insert(1, ["-" * w if c < left else "-" * (w - 1) + ":" for c, w in enumerate(widths)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def fitted(engine):
    """{collective: Link} of the measured times. engine: what RanksBench.engine returns."""
    return {name: scaling.fit(times, name, engine["ranks"]) for name, times in engine["times"].items()}


def engine(measured, links):
    """The table of the engine's latencies and bandwidths, and how well they describe its times.

    measured: what RanksBench.engine returns.
    links: what `fitted` makes of it.
    """
    rows = [["collective", "latency, us", "bandwidth, GB/s", "error, mean %", "error, most %"]]
    for name, link in links.items():
        errors = [
            abs(exchanges.Exchange(name, size, measured["ranks"]).seconds({name: link}) / seconds - 1)
            for size, seconds in measured["times"][name]
        ]
        figures = (1e6 * link.latency, link.bandwidth / 1e9, 100 * sum(errors) / len(errors), 100 * max(errors))
        rows.append([name, *(f"{figure:,.1f}" for figure in figures)])
    sizes = [size for size, _ in measured["times"]["all_reduce"]]
    heading = f"The engine on {measured['ranks']} ranks, {sizes[0]:,} to {sizes[-1]:,} bytes, as a ring's"
    return f"{heading} messages of alpha + n / beta\n\n{markdown(rows)}"


def network(result, links):
    """The table of a network on ranks. result: what RanksBench.network returns; links: {collective: Link}."""
    one = result["rows"][0]["seconds"]
    rows = [["scheme", "ranks x threads", "step, s", "x one", "sent, MB", "alone, s", "waited, s", "hidden, s"]]
    rows[0] += ["predicted, s", "error, %"]
    for row in result["rows"]:
        name = row["scheme"] or "one process"
        line = [name, f"{row['ranks']} x {row['threads']}", f"{row['seconds']:.4f}"]
        line.append("oversubscribed" if row["oversubscribed"] else f"{one / row['seconds']:.2f}")
        line += [f"{row['bytes'] / 1e6:,.2f}", *(f"{row[what]:.4f}" for what in ("alone", "waited"))]
        line.append(f"{max(0.0, row['alone'] - row['waited']):.4f}")
        predicted = _predicted(row, result, links)
        error = f"{100 * (predicted / row['alone'] - 1):+.0f}" if predicted else "-"
        rows.append([*line, f"{predicted:.4f}", error])
    left_out = [f"left out: {sentence}" for sentence in result["left_out"]]
    return "\n\n".join([_title(result["network"], result["batch_size"]), markdown(rows), *left_out])


def _title(name, batch_size):
    return f"{name}, {batch_size} pictures in a batch: measured"


def _predicted(row, result, links):
    """Seconds of all exchanges of a step, by the model."""
    if row["scheme"] is None:
        return 0.0
    network, ranks = workloads.SHARED_OUT[result["network"]], row["ranks"]
    share = exchanges.share(row["scheme"], network, result["batch_size"], ranks - 1, ranks)
    return sum(exchange.seconds(links) for exchange in share.exchanges)


def scaled(model, links):
    """The table of predictions for more ranks.

    model: a scaling.Model.
    links: pairs of (Gbit/s, microseconds).
    """
    heading = ["scheme", "ranks"]
    for speed, latency in links:
        heading += [f"{speed:g} Gbit/s, {latency:g} us: step, s", "x", "%"]
    rows, refused = [heading], {}
    for scheme in SCHEMES:
        for ranks in RANKS:
            try:
                steps = model.on(scheme, ranks, [scaling.gigabit(*link) for link in links])
            except ValueError as error:
                refused[f"{scheme} on {ranks:,} ranks: {error}"] = None
                rows.append([scheme, f"{ranks:,}", *["-"] * 3 * len(links)])
                continue
            figures = [(f"{s.seconds:.4g}", f"{x:,.1f}", f"{100 * x / ranks:.0f}") for s, x in steps]
            rows.append([scheme, f"{ranks:,}", *(text for each in figures for text in each)])
    return "\n\n".join([title(model), markdown(rows), *refused])


def title(model):
    """What a model predicts, as a heading. model: a scaling.Model."""
    pictures = {"weak": f"{model.pictures} pictures on each rank", "strong": f"{model.pictures} pictures in a batch"}
    per_picture = f"{1e3 * model.seconds_per_picture:.3g} ms of computing for each"
    return f"{model.network.name}, {model.scaling} scaling, {pictures[model.scaling]}, {per_picture}: predicted"


def paper():
    """The table of the paper's machine."""
    paper = scaling.Paper()
    rows = [["", "one GTX 580", "two, a tower each"]]
    kept = [scaling.memory(paper.network, paper.batch, ranks) for ranks in (1, 2)]
    for what, name in KEPT.items():
        rows.append([name, *(f"{each[what] / MIB:,.0f}" for each in kept)])
    totals = [sum(each.values()) for each in kept]
    rows.append([f"together, of {paper.memory // MIB:,} MiB", *(f"{total / MIB:,.0f}" for total in totals)])
    steps = [paper.predicted(ranks) for ranks in (1, 2)]
    rows.append(["computing at the peak, s", *(f"{each.computing:.3f}" for each in steps)])
    rows.append(["exchanging, s", *(f"{each.waiting:.4f}" for each in steps)])
    rows.append(["predicted step, at least, s", *(f"{each.seconds:.3f}" for each in steps)])
    least, most = paper.seconds
    rows.append(["the paper's step, s", "-", f"{least:.3f} to {most:.3f}"])
    heading = f"{paper.network.name}, {paper.batch} pictures in a batch, on the paper's machine: predicted"
    return f"{heading}\n\n{markdown(rows)}\n\n{_judged(paper, totals, steps[1])}"


def _judged(paper, totals, step):
    """What follows from the table, in words."""
    left = [(paper.memory - total) / MIB for total in totals]
    least, most = (100 * step.computing / (seconds - step.waiting) for seconds in reversed(paper.seconds))
    return f"""\
This count of what the program of 2012 kept leaves {left[0]:,.0f} MiB of one GPU to its library, the driver and the next
batch, on the edge at best, and {left[1]:,.0f} MiB of each of two (counted in lesson 11).
Assumptions: {paper.peak / 1e12:.2f} TFLOP/s at the peak, PCI Express 2.0 x16 from GPU to GPU at \
{paper.link.bandwidth / 1e9:g} GB/s and {1e6 * paper.link.latency:g} us.
The paper's {paper.days[0]} to {paper.days[1]} days for {paper.epochs} epochs of {paper.pictures:,} pictures are \
{paper.epochs * paper.pictures / paper.batch:,.0f} steps: its GPUs computed at
{least:.0f} to {most:.0f} % of their peak, if the rest of the step was the exchanges."""
