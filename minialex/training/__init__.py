"""The training loop as a library: the Trainer, recipes, schedules, evaluation, and diagnosis of failing runs."""
