"""What a network is made of, in the formats that readers know: `python -m minialex.summary MODEL`."""
