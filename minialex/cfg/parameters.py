"""A layer parameter file: the rates by which weights and biases are trained, and the settings of other layers.

    epsW, momW, wc, wball    learning rate, momentum, weight decay and norm constraint, a number for each input
    epsB, momB               of the bias, which has no decay and no constraint
    schedW, schedB           schedules of the rates, see schedules.py; cuda-convnet2 has them in epsW and epsB

A rate whose base is 0 freezes what it belongs to: no gradient, no decay, no velocity (src/weights.cu).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from . import keys, schedules
from .schedules import RateSchedule
from .settings import Settings, quoted, suggestion
from .text import sections

TRAINED = 1e-4  # rates up to this are those of the end of a training


@dataclass(frozen=True)
class Rates:
    """How a weight or a bias is trained.

    schedule: of its learning rate.
    momentum, decay: mom and wc.
    ball: wball, 0 for no constraint.
    """

    schedule: RateSchedule
    momentum: float
    decay: float = 0.0
    ball: float = 0.0

    @property
    def frozen(self):
        """Whether it is not trained."""
        return self.schedule.base == 0


@dataclass
class Parameters:
    """What a parameter file says.

    settings: {layer: Settings}.
    rates: {(layer, number of an input, or None for the bias): Rates}.
    notes: sentences on what has no effect.
    """

    settings: dict[str, Settings]
    rates: dict[tuple[str, int | None], Rates]
    notes: list[str]

    @property
    def is_second(self):
        """Whether the file is for cuda-convnet2: its rates are schedules, or it has updatePeriod."""
        texts = [one.word(key) for one in self.settings.values() for key in ("epsW", "epsB") if key in one]
        return any("[" in text for text in texts) or any("updatePeriod" in one for one in self.settings.values())

    @property
    def is_end(self):
        """Whether the file has the rates of the end of a training: all of the weights' are almost 0."""
        bases = [rates.schedule.base for (_, number), rates in self.rates.items() if number is not None]
        return bool(bases) and max(bases) <= TRAINED


def read(text, definition):
    """The Parameters in a text.Text.

    definition: the definition.Definition that they belong to.

    Raises ValueError, with the line, for layers and keys that look misspelled, and for what a layer needs.
    """
    named = {**definition.layers, **dict.fromkeys(definition.data), definition.cost.name: definition.cost}
    found = sections(text)
    notes = _of_no_layer(found, named, definition.cost.given.section.place.file)
    found = {name: section for name, section in found.items() if name in named}
    for name, section in found.items():
        kind = "data" if name in definition.data else named[name].kind
        notes += keys.check(section, kind, keys.PARAMETERS, "parameter")
    settings = {name: Settings(section) for name, section in found.items()}
    notes += keys.without_effect(found.values())
    rates = {}
    for name, layer in definition.layers.items():
        if layer.kind in ("fc", "conv", "local"):
            if name not in settings:
                raise ValueError(
                    f"{text.name}: there is no section [{name}], which {layer.given.section.place} needs for its "
                    "rates: epsW, epsB, momW, momB"
                )
            rates |= _rates(name, settings[name], len(layer.inputs), notes)
    return Parameters(settings, rates, notes)


def _of_no_layer(found, named, file):
    """Sentences on sections of no layer, which the programs ignore.

    found: {name: text.Section}.
    named: names of layers.
    file: name of the definition file.

    Raises ValueError for a name that is like that of a layer without a section.
    """
    others = [name for name in found if name not in named]
    for name in others:
        if close := suggestion(name, [one for one in named if one not in found]):
            raise ValueError(f"{found[name].place}: there is no layer [{name[:100]}] in {file}{close}")
    if not others:
        return []
    first = f"{found[others[0]].place}: there is no layer [{others[0][:100]}] in {file}: the section is ignored"
    return [first + (f", and those of {len(others) - 1} other layers that are not there" if len(others) > 1 else "")]


def _rates(name, settings, count, notes):
    """{(layer, number of an input or None): Rates} of a layer."""
    _refuse(settings, count)
    weights = _schedules(settings, "epsW", "schedW", count, notes)
    momenta, decays = settings.numbers("momW", count, None, 0), settings.numbers("wc", count, 0.0, 0)
    balls = settings.numbers("wball", count, 0.0, 0)
    found = {(name, i): Rates(*values) for i, values in enumerate(zip(weights, momenta, decays, balls))}
    (bias,) = _schedules(settings, "epsB", "schedB", 1, notes)
    return {**found, (name, None): Rates(bias, settings.number("momB", None, 0))}


def _refuse(settings, count):
    """Raise ValueError for rules that are not known, where they are switched on."""
    for key in ("superEps", "wcNormMax", "wcNormMin"):
        if any(settings.numbers(key, count, 0.0)):
            raise settings.fault(key, f"={quoted(settings.word(key))} is not known: leave it out, or set it to 0")
    if settings.whole("updatePeriod", 0) > 1:
        raise settings.fault("updatePeriod", ": a step of several batches is the option --accumulate of train")


def _schedules(settings, key, schedule_key, count, notes):
    """The Schedules of epsW or epsB, with those of schedW or schedB, for each input."""
    found = []
    scheduled = schedule_key in settings
    for text in settings.words(key, count):
        base = schedules.parse(settings, key, text)[0]
        positional = False
        if scheduled:
            if base.kind != "const":
                raise settings.fault(schedule_key, f" is a second schedule, beside that of {key}")
            base, positional = schedules.parse(settings, schedule_key, settings.word(schedule_key), base.base)
        found.append(base)
    if positional and not any("without names" in note for note in notes):
        place = settings.place(schedule_key)
        read = f"tgtFactor={found[0].factor:g},noiseStdev={found[0].noise:g}"
        read += f",numSteps={found[0].steps}" if found[0].kind in ("dexp", "jdexp") else ""
        notes.append(
            f"{place}: {schedule_key}={settings.word(schedule_key)} has numbers without names, which the released "
            f"program refuses; it is read as {found[0].kind}[{read}]"
        )
    return found


def with_initial_rates(parameters, definition):
    """Parameters with the rates of the beginning, for a file that was kept at the end of its training.

    parameters: the Parameters.
    definition: the Definition.

    0.01 for weights and 0.02 for biases where a filter over the images moves by several pixels, as in the networks for
    ImageNet; 0.001 and 0.002 else, as in those for CIFAR-10; of layers that begin with the weights of another network
    0.001, over the images 0.0001. Schedules stay. Sources: closing notes of layer-params-145.cfg and
    layer-params-146-2012-2011.cfg; layer-params-80sec.cfg.

    Returns (the Parameters, a sentence that says so).
    """
    large = any(
        max(layer.given.wholes("stride", len(layer.inputs), 1)) > 1
        for name, layer in definition.layers.items()
        if layer.kind in ("conv", "local") and definition.over_images(name)
    )
    weight, bias = (0.01, 0.02) if large else (0.001, 0.002)

    def initial(layer, number):
        if number is None:
            return bias
        if "initWFunc" in definition.layers[layer].given:
            return 0.0001 if definition.over_images(layer) else 0.001
        return weight

    rates = {
        key: replace(one, schedule=replace(one.schedule, base=initial(*key))) for key, one in parameters.rates.items()
    }
    taken = any("initWFunc" in layer.given for layer in definition.layers.values())
    others = ", 0.001 and 0.0001 where weights are those of another network" if taken else ""
    text = f"the file's learning rates are replaced by those of the beginning: {weight:g}, biases {bias:g}{others}"
    return replace(parameters, rates=rates), text
