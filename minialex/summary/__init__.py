"""Summaries of a network in several formats: `python -m minialex.summary MODEL`."""
