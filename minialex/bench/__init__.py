"""Benchmarks: `python -m minialex.bench` compares minialex with torch and with the machine's limits."""
