"""Small .cfg texts for tests, and their programs."""

from __future__ import annotations

import re

from minialex import cfg

DATA = "[data]\ntype=data\ndataIdx=0\n[labels]\ntype=data\ndataIdx=1\n"
COST = "[probs]\ntype=softmax\ninputs=fc\n[logprob]\ntype=cost.logreg\ninputs=labels,probs\n"
RATES = "epsW=0.01\nepsB=0.02\nmomW=0.9\nmomB=0.8\nwc=0.05\n"


def network(layers, last):
    """A definition file: layers, and on top of the one called `last` three classes."""
    return f"{DATA}{layers}\n[fc]\ntype=fc\ninputs={last}\noutputs=3\ninitW=0.3\n{COST}"


def rates(text, others=""):
    """A parameter file that gives RATES to every layer with weights of a definition file; others: further sections."""
    given = re.findall(r"\[(.+)\]", others)
    weighted = re.findall(r"\[(.+)\]\ntype=(?:conv|local|fc)\n", text)
    return "".join(f"[{name}]\n{RATES}" for name in weighted if name not in given) + others


def program(text, parameters=None, initial_rates=False):
    """The cfg.Program of texts."""
    second = None if parameters is None else cfg.Text("params.cfg", parameters)
    return cfg.Program(cfg.Text("layers.cfg", text), second, initial_rates)
