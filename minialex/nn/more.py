"""Conveniences for modules that a reader of the core may skip."""

from __future__ import annotations

import contextlib


@contextlib.contextmanager
def evaluating(model):
    """Within `with evaluating(model):` it is in evaluation mode; afterwards each module is in the mode it was in."""
    before = [(module, module.training) for _, module in model.named_modules()]
    model.eval()
    try:
        yield model
    finally:
        for module, training in before:
            module.training = training
