"""The types of layers without weights, and the table of all types.

Each function adds a layer's entries to its steps.Step, and returns the shape of its output.
"""

from __future__ import annotations

from .filters import filtering, fully_connected
from .windows import blur, mirror, nailbed, pooling

USUAL_SCALE, USUAL_POWER = 1e-4, 0.75  # of a normalisation while there is no parameter file


def normalizing(step):
    """Response normalisation across maps (cmrnorm), within each (rnorm), and contrast normalisation (cnorm).

        cmrnorm   y = x (minDiv + scale/size sum of x_j^2 over `size` maps j around it)^-pow
        rnorm     y = x (1 + scale/size^2 sum of x_j^2 over size x size pixels of its map)^-pow
        cnorm     as rnorm, with x_j less the mean of the pixels around it in the sum

    cuda-convnet2 has minDiv in the place of the 1, too. layer.py (parse_norm); cudaconv3/src/conv_util.cu.
    """
    given = step.given
    if "size" in given and "sizeX" in given:
        raise given.fault("sizeX", " is the older name of size: give one of them")
    size = given.whole("sizeX" if "sizeX" in given else "size", None, 1, 1024)
    if given.flag("blocked", False):
        raise given.fault("blocked", "=true is not known: windows slide from map to map")
    name, shape = step.maps(step.input, "channels", given.whole("channels", None, 1) if "channels" in given else None)
    scale, power = step.setting("scale", USUAL_SCALE, 0), step.setting("pow", USUAL_POWER, 0)
    across = step.kind == "cmrnorm"
    has_constant = any(one is not None and "minDiv" in one for one in (step.rates, given))
    constant = step.setting("minDiv", None, 0) if has_constant and (across or step.version == 2) else 1.0
    arguments = {"size": size, "alpha": scale, "beta": power, "k": constant}
    if step.kind == "rnorm":
        arguments["within_channel"] = True
    step.add("ContrastNorm" if step.kind == "cnorm" else "LocalResponseNorm", arguments, [name])
    step.facts |= {
        "size": size,
        "scale": scale,
        "pow": power,
        "minDiv": constant,
        "ignored": has_constant and not across,
    }
    return shape


def dropping(step):
    """Dropout: hs and dropout2 multiply by `keep` in the test, dropout divides by it in training.

    Where enable=false, hs and dropout2 still multiply by `keep`, dropout does nothing.
    """
    where = step.rates if step.rates is not None and "keep" in step.rates else step.given
    keep = where.number("keep", 0.5 if step.kind != "hs" else None, 0)
    if not 0 < keep <= 1:
        raise where.fault("keep", f"={keep:g} should be above 0 and at most 1")
    chosen = step.rates if step.rates is not None and "enable" in step.rates else step.given
    enabled, inverted = chosen.flag("enable", True), step.kind == "dropout"
    step.facts |= {"keep": keep, "enable": enabled}
    if enabled:
        step.add("Dropout", {"p": 1 - keep, "inverted": inverted})
    elif inverted:
        step.add("Identity")
    else:
        step.call("mul", other=keep)
    return step.known(step.input)


def joining(step):
    """Inputs one behind the other: maps of one size along the channels, anything else as vectors."""
    shapes = [step.known(value) for value in step.inputs]
    if len(shapes) == 1:
        step.add("Identity")
        return shapes[0]
    if all(len(shape) == 3 and shape[1:] == shapes[0][1:] for shape in shapes):
        step.add("Concat", {"dim": 1}, [value.name for value in step.inputs])
        return sum(shape[0] for shape in shapes), *shapes[0][1:]
    vectors = [step.vector(value) for value in step.inputs]
    step.add("Concat", {"dim": 1}, [name for name, _ in vectors])
    return (sum(n for _, n in vectors),)


def adding(step):
    """Sum of the inputs, each times its coefficient; labels among them have the shape of the others."""
    where = step.rates if step.rates is not None and "coeffs" in step.rates else step.given
    factors = where.numbers("coeffs", len(step.inputs), 1.0)
    shapes = {value.shape for value in step.inputs if value.shape is not None}
    if len(shapes) != 1:
        found = ", ".join(map(str, sorted(shapes))) or "labels alone"
        raise step.fault(f"its inputs should have one shape, got {found}", "inputs")
    names = []
    for i, (value, factor) in enumerate(zip(step.inputs, factors)):
        names.append(value.name if factor == 1 else step.call("mul", [value.name], f"scaled{i}", other=factor))
    step.add("Add", {}, names)
    step.facts["coeffs"] = factors
    return shapes.pop()


def softmax(step):
    """Probabilities e^x_i / sum of e^x_j."""
    name, n = step.vector(step.input)
    step.add("Softmax", {"dim": 1}, [name])
    return (n,)


def neuron(step):
    """A neuron as a layer of its own; its function is added by neurons.add."""
    step.given.word("neuron")
    return step.known(step.input)


LAYERS = {
    "fc": fully_connected,
    "conv": filtering,
    "local": filtering,
    "pool": pooling,
    "cmrnorm": normalizing,
    "rnorm": normalizing,
    "cnorm": normalizing,
    "softmax": softmax,
    "neuron": neuron,
    "eltsum": adding,
    "hs": dropping,
    "dropout": dropping,
    "dropout2": dropping,
    "concat": joining,
    "pass": joining,
    "blur": blur,
    "nailbed": nailbed,
    "href": mirror,
}
