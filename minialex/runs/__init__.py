"""A training run and its folder: configuration, checkpoints, data."""
