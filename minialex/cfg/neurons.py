"""Neurons, the functions of single activations: `relu`, or with numbers `tanh[1.7,0.66]`.

Source: include/neuron.cuh; layer.py (the NeuronParsers, which take no exponents: tanh[1e-2,1] is refused here, too).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from .settings import quoted, suggestion

# name: (letters of its numbers, [(type or function, arguments)])
_NEURONS: dict[str, tuple[str, Callable[..., list]]] = {
    "ident": ("", lambda: []),
    "relu": ("", lambda: [("ReLU", {})]),
    "logistic": ("", lambda: [("Sigmoid", {})]),
    "tanh": ("ab", lambda a, b: [*_scaled(b), ("Tanh", {}), *_scaled(a)]),
    "linear": ("ab", lambda a, b: [*_scaled(a), *([("add", {"other": b})] if b else [])]),
    "brelu": ("a", lambda a: [("clamp", {"min": 0.0, "max": a})]),
    "abs": ("", lambda: [("abs", {})]),
    "square": ("", lambda: [("square", {})]),
    "sqrt": ("", lambda: [("sqrt", {})]),
    "softrelu": ("", lambda: [("Softplus", {"beta": 1.0, "threshold": 4.0})]),
}
FORMULAS = {
    "ident": "x",
    "relu": "max(0, x)",
    "logistic": "1 / (1 + e^-x)",
    "tanh": "a tanh(b x)",
    "linear": "a x + b",
    "brelu": "min(a, max(0, x))",
    "abs": "|x|",
    "square": "x^2",
    "sqrt": "sqrt(x)",
    "softrelu": "ln(1 + e^x), x above 4",
}
_NOT_READ = ("nrelu", "drelu", "abstanh", "log")


def _scaled(a):
    return [] if a == 1 else [("mul", {"other": a})]


def parse(settings, key="neuron"):
    """The neuron of a layer.

    settings, key: where it stands.

    Returns (its name, its numbers, [(type of a module or name of a function, arguments)]).
    Raises ValueError, with the place, for another one.
    """
    text = settings.word(key)
    match = re.fullmatch(r"(\w+)\s*(?:\[([\d,.\s-]*)\])?", text)
    name = match[1] if match else text
    if name in _NOT_READ:
        raise settings.fault(key, f"={name} is not known, as no network of 2012 uses it")
    if not match or name not in _NEURONS:
        raise settings.fault(key, f"={quoted(text)} is none of {', '.join(_NEURONS)}{suggestion(name, _NEURONS)}")
    letters, modules = _NEURONS[name]
    numbers = [settings.read_number(key, part.strip()) for part in match[2].split(",")] if match[2] else []
    if len(numbers) != len(letters):
        wanted = f"{name}[{','.join(letters)}]" if letters else f"{name} without numbers"
        raise settings.fault(key, f"={quoted(text)} should be {wanted}")
    return name, numbers, modules(*numbers)


def add(step):
    """Add the modules of a step's neuron, under the name NAME_neuron.

    step: a steps.Step, whose own entries are there.

    Returns the name of the last entry: that of the step where the neuron is ident.
    """
    kind, numbers, modules = parse(step.given)
    step.facts["neuron"] = (kind, numbers)
    name = step.name if step.kind != "neuron" else step.input.name
    base = f"{step.name}_neuron" if step.kind != "neuron" else step.name
    for i, (module, arguments) in enumerate(modules, 1):
        own = base if i == len(modules) else f"{base}.{i}"
        call = module[0].islower()
        entry = ["Call", {"function": module, **arguments}] if call else [module, arguments]
        step.entries.append([own, *entry, [name]])
        name = own
    return name
