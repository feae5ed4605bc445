"""The sample of the page "Your model", made by this script: a small LSTM at three moments of learning to add.

`python docs/train_sample.py` writes assets/models/*.safetensors, which the page reads as it reads a visitor's file, and
one sequence of the task for `rnnviz trace --inputs`.
"""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from rnnviz.core.initialisers import generator_for
from rnnviz.experiments.task_made import adding

FOLDER = Path(__file__).parents[1] / "assets" / "models"
SEED, LENGTH, UNITS, BATCH, EVERY, MOST = 0, 40, 16, 32, 50, 4000
MIDWAY, SOLVED = 0.08, 0.004  # mean squared error on held-out sequences; always saying 1 makes 0.167


class Adder(nn.Module):
    """An LSTM whose last state a linear head reads."""

    def __init__(self):
        super().__init__()
        self.lstm, self.head = nn.LSTM(2, UNITS), nn.Linear(UNITS, 1)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(T, B, 2) -> (B,)."""
        return self.head(self.lstm(inputs)[0][-1])[:, 0]


def error(model: Adder, *words: str, count: int) -> torch.Tensor:
    """Mean squared error on sequences drawn under some words."""
    batch = adding(generator_for(SEED, *words), count, LENGTH)
    return nn.functional.mse_loss(model(torch.from_numpy(batch.inputs)), torch.from_numpy(batch.targets))


def main() -> None:
    """Train, and save the weights before the first update, midway and when the task is solved."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    FOLDER.mkdir(exist_ok=True)
    sequence = adding(generator_for(SEED, "inputs"), 1, LENGTH).inputs[:, 0]
    np.savetxt(FOLDER / "adding_inputs.csv", sequence, "%.6g", ",", header="number,mark", comments="")
    model, wanted = Adder(), {"before": 1.0, "midway": MIDWAY, "solved": SOLVED}
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    for update in range(MOST):
        if update % EVERY == 0:
            with torch.no_grad():
                held_out = float(error(model, "held out", count=256))
            print(update, f"{held_out:.4f}")
            if wanted and held_out < wanted[name := next(iter(wanted))]:
                del wanted[name]
                save_file(model.state_dict(), FOLDER / f"adding_{name}.safetensors")
            if not wanted:
                return
        optimiser.zero_grad()
        error(model, "batch", str(update), count=BATCH).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()


if __name__ == "__main__":
    main()
