"""One training run on disk: its configuration, its folder, its checkpoints, its pictures."""
