"""What the engine is measured on, without torch: for processes whose memory is measured."""

import numpy as np

from rnnviz import Network
from rnnviz.core.initialisers import draw_network

INPUT_SIZE, HIDDEN_SIZE = 4, 64


def drawn(cell: str) -> Network:
    """A network with torch's default initialisation."""
    return draw_network(cell, "tanh", (INPUT_SIZE, HIDDEN_SIZE, 1, 1), "uniform", 1.0, None, None, seed=0)


def data(steps: int, batch: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Inputs, and the gradient of a loss at the last step."""
    generator = np.random.default_rng(0)
    gradient = np.zeros((steps, batch, HIDDEN_SIZE))
    gradient[-1] = generator.normal(size=gradient.shape[1:])
    return generator.normal(size=(steps, batch, INPUT_SIZE)), gradient
