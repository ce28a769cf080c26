"""The summary of a layer definition file of cuda-convnet, with its parameter file or without."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from .. import cfg, cli, models
from ..cfg.explain import explain
from ..nn import init


@dataclasses.dataclass
class Described:
    """A network of .cfg files.

    program, network: the cfg.Program, and its cfg.Network.
    preset: a Preset, for titles.
    model: the Graph, whose weights are not initialised.
    size: pixels per side of its input.
    """

    program: cfg.Program
    network: cfg.Network
    preset: Any
    model: Any
    size: int

    def explain(self):
        """What the files say, in words."""
        return cli.with_options(explain(self.program, self.network))


def read(options):
    """The Described of summary's options, or None where MODEL is no .cfg file.

    options: the namespace of summary's parser.

    Raises OSError where a file cannot be read, ValueError as cfg.Program does.
    """
    if not Path(options.model).name.lower().endswith(".cfg"):
        if options.cfg_params:
            raise ValueError(f"cfg_params=... belongs to a layer definition file, not to {options.model}")
        return None
    if options.set:
        raise ValueError(f"{options.model} is a file, which says all of its network: leave out set=...")
    program = cfg.read(options.model, options.cfg_params)
    size = options.input_size or program.usual_size
    network = program.network(size, options.num_classes)
    needs_shapes = options.picture or not (options.explain or options.style == "torch")
    if needs_shapes and len(network.description["inputs"]) > 1:
        raise program.definition.cost.fault("compares labels within the network: explain=True or style=torch show it")
    with init.skipped():
        model = network.build()
    if not options.explain:
        for note in program.notes:
            cli.note(note)
    if network.assumed:
        cli.note(f"without cfg_params=..., {network.assumed} are taken to have their usual values")
    options.model = program.name
    preset = dataclasses.replace(models.graph.PRESET, summary=f"the network of {program.texts[0].name}")
    return Described(program, network, preset, model, size)
