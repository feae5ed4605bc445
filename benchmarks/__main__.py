"""`python -m benchmarks`: print the tables."""

import torch

from benchmarks import engine
from benchmarks.measure import table

torch.set_num_threads(1)
print(f"torch {torch.__version__}, one thread; medians of at least 20 calls, each pair measured in turn\n")
print(table(list(engine.rows())))
