"""`python -m benchmarks`: print the tables."""

import torch

from benchmarks import engine
from benchmarks.measure import table

torch.set_num_threads(1)
print(f"torch {torch.__version__}, one thread; medians of 21 rounds, each pair in turn.")
print("A busy machine turns a close goal into a NO.\n")
print(table(list(engine.rows())))
