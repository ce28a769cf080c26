"""What a network of .cfg files has that the paper does not tell, or tells differently: derived from the files alone.

Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks", 2012: the
normalisation in section 3.3, overlapping windows in 3.4, the architecture in 3.5, dropout in 4.2, initial values and
rates in 5.
"""

from __future__ import annotations

import math

from .program import LARGE

_NEURONS_OF_PAPER = 253_440  # of the first layer, by the paper's figure 2


def differences(program, network):
    """Sentences on what differs from the paper.

    program: a program.Program.
    network: its Network.

    Returns a list of texts.
    """
    steps = {step.name: step for step in network.steps}
    found = [*_normalization(program, steps), *_values(network)]
    if program.parameters is not None:
        found += _rates(program)
    if program.usual_size == LARGE:
        found += [*_pictures(program, network), *_architecture(program, network)]
    return found


def _listed(names, most=4):
    names = [*dict.fromkeys(names)]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _grouped(steps, key):
    groups: dict = {}
    for step in steps:
        groups.setdefault(key(step), []).append(step.name)
    return groups.items()


def _normalization(program, steps):
    across = [step for step in steps.values() if step.kind == "cmrnorm"]
    for (scale, size), names in _grouped(across, lambda s: (s.facts["scale"], s.facts["size"])):
        yield (
            f"{_listed(names)}: scale={scale:g} is divided by the {size} maps of the window, so alpha is "
            f"{scale / size:g}; the paper's alpha multiplies the plain sum, and is 0.0001"
        )
    for constant, names in _grouped(across, lambda s: s.facts["minDiv"]):
        if constant != 2:
            yield f"{_listed(names)}: the constant k is {constant:g}; the paper has 2"
    signed = [step.name for step in across if _signed(steps.get(step.inputs[0].name))]
    if signed:
        yield f"{_listed(signed)}: sums of both signs are normalised, before their ReLU; in the paper ReLU comes first"
    within = [step.name for step in steps.values() if step.kind in ("rnorm", "cnorm")]
    if within:
        yield f"{_listed(within)}: a normalisation within each map, by the pixels around; the paper has none"
    columns = [name for name in program.definition.layers if program.definition.over_images(name)]
    columns = [name for name in columns if steps[name].kind == "conv"]
    if across and len(columns) > 1:
        maps = steps[across[0].name].output.shape[0]
        yield (
            f"windows of the normalisation do not go from one of the {len(columns)} columns ({_listed(columns)}) to "
            f"the next: the first ones see {maps} maps; the paper speaks of the maps of a layer"
        )


def _signed(step):
    """Whether a layer computes sums of both signs."""
    return (
        step is not None and step.kind in ("conv", "fc", "local") and step.facts.get("neuron", ("ident",))[0] == "ident"
    )


def _values(network):
    weights = [one for one in network.learned.values() if one.input is not None and not one.function]
    for std, names in sorted(_by_value(weights).items()):
        if std != 0.01:
            yield f"{_listed(names)}: weights are at first from N(0, {std:g}^2); the paper has 0.01 in every layer"
    biases = [one for one in network.learned.values() if one.input is None and not one.function]
    for value, names in sorted(_by_value(biases).items()):
        if value not in (0, 1):
            yield f"{_listed(names)}: biases are {value:g} at first; the paper has 1 or 0"
    taken = [one.layer for one in network.learned.values() if one.function]
    if taken:
        yield f"{_listed(taken)}: the first values are those of another network, as in the paper's pre-trained ones"


def _by_value(learned):
    found: dict = {}
    for one in learned:
        found.setdefault(one.initial, []).append(one.layer)
    return found


def _rates(program):
    rates = program.parameters.rates
    pairs = [
        (layer, one.schedule.base, rates[layer, None].schedule.base)
        for (layer, number), one in rates.items()
        if number == 0
    ]
    if frozen := [layer for (layer, number), one in rates.items() if number is not None and one.frozen]:
        yield f"{_listed(frozen)}: frozen, by a rate of 0; the paper does not say that a layer's training ends earlier"
    higher = [layer for layer, weight, bias in pairs if bias > weight]
    if higher:
        yield f"{_listed(higher)}: biases learn faster than weights; the paper has one rate for all layers"
    bases = {weight for _, weight, _ in pairs if weight}
    if len(bases) > 1:
        values = ", ".join(f"{base:g}" for base in sorted(bases, reverse=True))
        yield f"layers have rates of their own, {values}; the paper has one for all"
    if any(one.decay for one in rates.values()):
        yield "weights alone decay, biases do not; the paper does not tell them apart"
    kinds = {one.schedule.kind for one in rates.values()} - {"const"}
    if kinds:
        listed = ", ".join(sorted(kinds))
        yield f"rates fall by a schedule ({listed}); in the paper by hand, three times by a factor of 10"


def _pictures(program, network):
    first = [s for s in network.steps if s.kind == "conv" and program.definition.over_images(s.name)]
    for step in first[:1]:
        window = step.facts["windows"][0]
        if window.beyond:
            yield (
                f"{step.name} takes {window.side} pixels, and zeros beyond them at the right and lower edges, "
                f"{window.beyond} of them; many copies of the network take {window.side + window.beyond} pixels instead"
            )
    neurons = sum(math.prod(step.output.shape) for step in first)
    if first and neurons != _NEURONS_OF_PAPER:
        yield f"the first layer has {neurons:,} neurons; the paper's figure says {_NEURONS_OF_PAPER:,}"
    low = [step.name for step in network.steps if step.kind in ("blur", "nailbed")]
    if low:
        yield f"{_listed(low)}: a second, blurred view of the picture; the paper has none"


def _architecture(program, network):
    depth: dict = {}
    for step in network.steps:
        below = max((depth.get(name, 0) for name in program.definition.layers[step.name].inputs), default=0)
        depth[step.name] = below + (step.kind == "conv")
    if (convolutions := max(depth.values())) != 5:
        yield f"{convolutions} convolutional layers, one above the other; the paper has 5"
    pools = [step for step in network.steps if step.kind == "pool"]
    if apart := [step.name for step in pools if step.facts["size"] == step.facts["stride"]]:
        yield f"{_listed(apart)}: windows do not overlap; the paper's overlap, 3 pixels wide and 2 apart (section 3.4)"
    after = [s.name for s in pools if s.facts.get("neuron", ("",))[0] == "relu"]
    if after:
        yield f"{_listed(after)}: ReLU comes after the largest value, which changes nothing but the work"
    if not any(step.kind == "cmrnorm" for step in network.steps):
        yield "there is no normalisation; the paper has it after the first two layers (section 3.3)"
    if not any(step.kind in ("hs", "dropout", "dropout2") for step in network.steps):
        yield "there is no dropout; the paper has it in the first two fully connected layers (section 4.2)"
