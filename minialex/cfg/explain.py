"""What a pair of .cfg files says, in words: layer by layer, how it is trained, and how it compares with the paper."""

from __future__ import annotations

import textwrap

from . import keys, paper
from .neurons import FORMULAS
from .steps import Learned

NOT_SAID = """\
What these files do not say, since it was given to the program as options, or was in the data:
  * the size of pictures, which this explanation takes to be {size} x {size} (input_size=... changes it)
  * that the mean image is subtracted and nothing is divided; crops, mirror images and colour noise
  * the batch of 128 pictures, and how many epochs: rates were lowered by hand, in these files, between runs"""
OTHERWISE = """\
What minialex does otherwise than the program:
  * the gradient of a largest value goes to the first of equal ones, there to each of them
  * pictures are shuffled for every epoch, and random numbers follow a seed
  * the gradient is the mean over the pictures of a step, in an epoch's last, shorter one, too; cuda-convnet2 divides by
    the usual number there"""
NAMES = {"cmrnorm": "local response normalisation across maps", "rnorm": "response normalisation within each map",
    "cnorm": "contrast normalisation within each map"}  # fmt: skip


def explain(program, network):
    """Explain a pair of files.

    program: a program.Program.
    network: its Network, of which the text is.

    Returns the text.
    """
    size, files = _size(network), " and ".join(text.name for text in program.texts if text)
    version = "cuda-convnet2 (2014)" if program.version == 2 else "cuda-convnet (2011 to 2012)"
    lines = [f"{files}, in the grammar of {version}: {network.parameters:,} numbers are learned", ""]
    lines += ["Layer by layer, with the size of what each computes:"]
    images = program.definition.images
    for name, index in program.definition.data.items():
        lines.append(
            f"  {name}: {f'the pictures, 3 x {size} x {size}' if name == images else f'labels (dataIdx={index})'}"
        )
    for step in network.steps:
        lines += _layer(step)
    lines += [f"  {_cost(program)}", "", *_training(program, network), ""]
    compared = paper.differences(program, network)
    lines += ["Compared with the paper (Krizhevsky et al. 2012):", *_points(compared), ""] if compared else []
    notes = [*program.notes, *keys.usual([layer.given.section for layer in program.definition.layers.values()])]
    lines += ["Notes on the files:", *_points(notes), ""] if notes else []
    return "\n".join([*map(_folded, lines), NOT_SAID.format(size=size), "", OTHERWISE])


def _folded(line):
    """A line in several of up to 120 characters, each but the first one indented further."""
    indent = " " * (len(line) - len(line.lstrip(" *")) + (0 if "*" in line[:5] else 2))
    return "\n".join(textwrap.wrap(line, 120, subsequent_indent=indent, break_on_hyphens=False)) if line else line


def _size(network):
    return next(value.shape[-1] for step in network.steps for value in step.inputs if value.shape)


def _points(texts):
    return [f"  * {text}" for text in texts]


def _by(shape):
    return " x ".join(f"{n:,}" for n in shape)


def _layer(step):
    """The lines on a layer."""
    sources = " and ".join(value.name for value in step.inputs)
    lines = [f"  {step.name}, of {sources}: {_WORDS[step.kind](step)}; {_by(step.output.shape)}"]
    if "neuron" in step.facts and step.kind != "neuron" and step.facts["neuron"][0] != "ident":
        lines.append(f"    then {_neuron(step)}")
    if step.learned:
        lines.append(f"    {_values(step.learned)}")
    return lines


def _neuron(step):
    name, numbers = step.facts["neuron"]
    letters = "".join(f", {letter} = {number:g}" for letter, number in zip("ab", numbers))
    return f"{name}: {FORMULAS[name]}{letters}"


def _values(learned: list[Learned]):
    """How many numbers a layer learns, and what they are at first."""
    *weights, bias = learned

    def first(one):
        if one.function:
            return f"those of {one.function[1][0]} in another network"
        return f"N(0, {one.initial:g}^2)" if one.input is not None else f"{one.initial:g}"

    drawn = [*dict.fromkeys(map(first, weights))]
    return (
        f"{sum(one.count for one in learned):,} numbers: weights at first {' and '.join(drawn)}, "
        f"{bias.count:,} biases {first(bias)}"
    )


def _filters(step):
    windows = step.facts["windows"]
    kind = "filters of its own at every place" if step.kind == "local" else "filters"
    texts = []
    for window in windows:
        seen = window.inputs // window.groups
        groups = f" in {window.groups} groups" if window.groups > 1 else ""
        random = " drawn at random" if window.connections else ""
        padding = f", padding {window.padding}" if window.padding else ""
        text = f"{window.filters} {kind} {window.size} x {window.size} x {seen}{random}{groups}, stride {window.stride}"
        texts.append(text + padding + _beyond(window.beyond))
    name = "locally connected layer of " if step.kind == "local" else "convolution of "
    return (
        name
        + ", plus ".join(texts)
        + ("; a bias for every place" if step.kind == "conv" and step.learned[-1].count > windows[0].filters else "")
    )


def _beyond(pixels):
    if not pixels:
        return ""
    return f"; the last window goes {pixels} pixel{'s' * (pixels > 1)} beyond the right and lower edges"


def _pool(step):
    kinds = {"max": "largest value", "avg": "mean", "rand": "one value, drawn in proportion to its size,"}
    facts = step.facts
    overlap = facts["size"] - facts["stride"]
    how = f"; windows overlap by {overlap}" if overlap else "; windows do not overlap"
    start = f", from pixel {facts['start']}" if facts["start"] else ""
    clipped = f"{_beyond(facts['beyond'])}, and is clipped to the picture" if facts["beyond"] else ""
    window = f"{facts['size']} x {facts['size']} window, stride {facts['stride']}"
    return f"{kinds[facts['pool']]} of every {window}{start}{how}{clipped}"


def _norm(step):
    f = step.facts
    n, across = f["size"], step.kind == "cmrnorm"
    over = f"{n} maps around it" if across else f"{n} x {n} pixels around it"
    squares = "(x_j - mean of the pixels around j)^2" if step.kind == "cnorm" else "x_j^2"
    divisor = n if across else n * n
    formula = f"x ({f['minDiv']:g} + {f['scale']:g}/{divisor} sum of {squares})^-{f['pow']:g}"
    assumed = f" ({', '.join(step.assumed)} taken to be usual)" if step.assumed else ""
    ignored = "; minDiv is not read in this type of layer" if f["ignored"] and step.version == 1 else ""
    return f"{NAMES[step.kind]}: {formula}, j over the {over}{assumed}{ignored}"


def _dropout(step):
    keep = step.facts["keep"]
    if not step.facts["enable"]:
        return "switched off: nothing" if step.kind == "dropout" else f"dropout, switched off: all times {keep:g}"
    if step.kind == "dropout":
        return f"dropout: {keep:.0%} are kept in training, and divided by {keep:g}"
    return f"dropout: {keep:.0%} are kept in training, all are multiplied by {keep:g} in the test"


def _sum(step):
    return "sum of " + " + ".join(f"{factor:g} {v.name}" for factor, v in zip(step.facts["coeffs"], step.inputs))


def _concat(step):
    maps = len(step.output.shape) == 3
    return f"{'maps' if maps else 'numbers'} of its inputs one behind the other"


_WORDS = {
    "fc": lambda step: f"fully connected, {step.facts['outputs']:,} outputs",
    "conv": _filters,
    "local": _filters,
    "pool": _pool,
    **dict.fromkeys(("cmrnorm", "rnorm", "cnorm"), _norm),
    "softmax": lambda step: "probabilities, e^x / sum of e^x",
    "neuron": _neuron,
    "eltsum": _sum,
    **dict.fromkeys(("hs", "dropout", "dropout2"), _dropout),
    **dict.fromkeys(("concat", "pass"), _concat),
    "blur": lambda s: f"blurred by a Gaussian of {s.facts['size']} pixels, standard deviation {s.facts['stdev']:g}",
    "nailbed": lambda s: f"every {s.facts['stride']}th pixel, from pixel {s.facts['start']}",
    "href": lambda step: "mirrored, left to right",
}


def _cost(program):
    cost = program.definition.cost
    words = {
        "cost.logreg": "-ln of the probability of the label",
        "cost.crossent2": "-sum of t ln y + (1 - t) ln(1 - y)",
        "cost.sum2": "sum of the squares",
    }[cost.kind]
    topk = f"; it also counts labels that are not among the first {program.topk}" if program.topk else ""
    times = f", times {program.coefficient:g}" if program.coefficient != 1 else ""
    return f"{cost.name}, of {' and '.join(cost.inputs)}: the cost, {words}{times}, a mean over the batch{topk}"


def _training(program, network):
    """The lines on the rates of every layer; layers that are trained alike stand together."""
    if program.parameters is None:
        return ["How it is trained stands in the parameter file, which is not given (cfg_params=...)."]
    lines = [
        "How it is trained (V = momentum V - rate (gradient + decay W), W = W + V; a rate of 0 freezes what it is for):"
    ]
    alike: dict[str, list[str]] = {}
    for learned in network.learned.values():
        rates = program.parameters.rates[learned.layer, learned.input]
        if learned.input is None:
            text = f"biases of {{}}: {_rate(rates)}, no decay"
        else:
            ball = rates.ball * (learned.filter if program.version == 1 else 1)
            rule = f"wball={rates.ball:g} times its {learned.filter:,} numbers" if program.version == 1 else "wball"
            limit = f"; after the step, filters longer than {ball:g} ({rule}) are shortened to it" if ball else ""
            text = f"weights of {{}}: {_rate(rates)}, decay {rates.decay:g}{limit}"
        name = learned.layer
        several = sum(one.layer == name and one.input is not None for one in network.learned.values()) > 1
        alike.setdefault(text, []).append(f"{name}[{learned.input}]" if several and learned.input is not None else name)
    return lines + [f"  {text.format(', '.join(names))}" for text, names in alike.items()]


def _rate(rates):
    return "frozen" if rates.frozen else f"rate {rates.schedule}, momentum {rates.momentum:g}"
