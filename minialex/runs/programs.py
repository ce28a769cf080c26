"""Runs whose network and training are those of a pair of .cfg files; the texts of both are in the configuration."""

from __future__ import annotations

from .. import cfg
from ..optim import Optimizer
from . import fine_tuning

LONG = 2**60  # steps


class OfFiles:
    """The program of a run, and its network for the run's pictures and classes.

    configuration: of the run, with cfg_definition.
    size: pixels per side.
    classes: how many the data has.

    Raises ValueError, with file and line, as cfg.Program does; and where the classes are not those of the file.
    """

    def __init__(self, configuration, size, classes):
        c = self.configuration = configuration
        self.program = program(c)
        wanted = self._outputs(classes)
        self.network = self._network(size, wanted)
        if self.network.outputs != (wanted or classes):
            cost, found = self.program.definition.cost, self.network.outputs
            raise cost.fault(f"compares {found:,} outputs with the data's {classes:,} classes", "inputs")

    def _network(self, size, wanted):
        try:
            return self.program.network(size, wanted, self.configuration.seed)
        except ValueError as error:
            usual = self.program.usual_size
            if size >= usual:
                raise
            advice = f"pictures have {size} pixels, those of such networks usually {usual}: "
            advice += f"input_size={usual}, for cifar10 resize={usual}"
            raise ValueError(f"{error}; {advice}") from None

    def _outputs(self, classes):
        """Outputs of the network: the file's, or those of num_classes."""
        own, wanted = self.program.classes, self.configuration.num_classes
        if self.program.definition.cost.kind != "cost.logreg":
            cost = self.program.definition.cost
            raise cost.fault(f"is a {cost.kind}, for which no data set here has targets: cfg.Program.loss computes it")
        if wanted is None and own is not None and own != classes:
            head = self.program.definition.head
            change = f"num_classes={classes} gives it as many" if classes < own else f"it needs num_classes={classes}"
            raise head.fault(
                f"has {own:,} outputs, but the data has {classes:,} classes: {change}"
                + (f", num_classes={own} leaves the others unused" if classes < own else ""),
                "outputs",
            )
        return wanted

    def initialise(self, model, start):
        """Draw the first values of a model, with those of the trained.Trained network `start`, or of None.

        Returns a text on what was taken from it.
        """
        weights = start.checkpoint.weights if start else None
        self.network.initialise(model, weights)
        if not start:
            return ""
        if not (taken := self.program.needs_weights):
            return fine_tuning.transfer(model, weights)
        return f"{', '.join(taken)} are taken, as the file says, the others are new"

    def optimizer(self, model) -> Optimizer:
        """The optimiser for a model; until the number of steps is set, rates stay as at first."""
        return self.program.optimizer(model, self.network, LONG, self.configuration.seed)

    def describe(self):
        """How it is trained, as text: the range of learning rates, momenta and decays."""
        rates = self.program.parameters.rates
        words = []
        for kind, of_weights in (("weights", True), ("biases", False)):
            chosen = [one for (_, number), one in rates.items() if (number is not None) == of_weights]
            schedules = [*dict.fromkeys(str(one.schedule) for one in chosen)]
            words.append(f"{kind} {_few(schedules)}")
        momenta = _few(sorted({f"{one.momentum:g}" for one in rates.values()}))
        decays = _few(sorted({f"{one.decay:g}" for (_, number), one in rates.items() if number is not None}, key=float))
        return (
            f"rates of {self.configuration.cfg_files[1]}: {', '.join(words)}; momentum {momenta}, weight decay {decays}"
        )


def program(configuration):
    """The cfg.Program of a configuration with cfg_definition."""
    c = configuration
    first, second = map(cfg.Text, c.cfg_files, (c.cfg_definition, c.cfg_parameters))
    return cfg.Program(first, second, c.cfg_initial_rates)


def _few(texts, most=3):
    return " / ".join([*texts[:most], *(["..."] if len(texts) > most else [])])
