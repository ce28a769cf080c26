"""Feature maps, input gradients and hidden activations of a trained network, and nearest neighbours among them."""

from __future__ import annotations

from .inside import Maps, feature_maps, hidden_layer, hidden_values, input_gradient, nearest

__all__ = ["Maps", "feature_maps", "hidden_layer", "hidden_values", "input_gradient", "nearest"]
