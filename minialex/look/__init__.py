"""What goes on inside a trained network: `look.feature_maps(model, images)` and the others; plotting draws it."""

from __future__ import annotations

from .inside import Maps, feature_maps, hidden_layer, hidden_values, input_gradient, nearest

__all__ = ["Maps", "feature_maps", "hidden_layer", "hidden_values", "input_gradient", "nearest"]
