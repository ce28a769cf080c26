"""`python -m minialex.bench`: how fast minialex is beside torch, and beside what the machine can do at all."""
