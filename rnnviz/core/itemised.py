"""Itemised gradients ∂L_t/∂h_k: which loss sends how much to which step."""

import numpy as np

from rnnviz.core.arrays import finite_array
from rnnviz.core.backward import Block
from rnnviz.core.network import Network
from rnnviz.core.results import ItemisedFlow
from rnnviz.core.scaled import Scaled, log10_sum_of_squares
from rnnviz.core.stacked import walk_sources
from rnnviz.core.unroll import Unrolled, unroll

MOST_STEPS = 1000
SAMPLED_SOURCES = 200


def itemised(network: Network, inputs: np.ndarray, output_gradient: np.ndarray, initial_state=None) -> ItemisedFlow:
    """Follow the loss of every step back on its own, in one backward sweep with the sources stacked as rows.

    Above 1000 steps, 200 sources are followed, evenly spaced with the first and the last step among them.

    Args:
        network: what to run.
        inputs: (T, B, D).
        output_gradient: (T, B, K·H); its row t is ∂L_t/∂output_t of the loss of step t.
        initial_state: `h0`, or `(h0, c0)` for an LSTM, each (S, B, H) in torch's order; zero when None.

    Raises:
        RnnvizError: for a wrong shape or a value that is not finite.

    >>> import numpy as np
    >>> halve = Network("rnn", {"weight_ih_l0": [[1.0]], "weight_hh_l0": [[0.5]]}, nonlinearity="linear")
    >>> flow = itemised(halve, np.ones((3, 1, 1)), np.ones((3, 1, 1)))
    >>> (10 ** flow.log10_norm[0]).round(3).tolist()
    [[0.5, 1.0, 0.0, 0.0], [0.25, 0.5, 1.0, 0.0], [0.125, 0.25, 0.5, 1.0]]
    """
    unrolled = unroll(network, inputs, initial_state)
    return itemise(unrolled, finite_array("output_gradient", output_gradient, unrolled.output.shape))


def itemise(unrolled: Unrolled, output_gradient: np.ndarray) -> ItemisedFlow:
    """The backward half of `itemised`, for a network that has been run already."""
    gradient = Scaled.sparse(output_gradient)
    streams, steps = unrolled.network.streams, len(unrolled.output)
    sources = chosen_sources(steps)
    norms = np.full((len(streams), len(sources), steps + 1), -np.inf)

    def visit(s: int, block: Block, which: np.ndarray) -> None:
        rows = streams[s].in_order(np.arange(steps + 1))[block.rows]
        norms[s, which, rows[:, None]] = log10_sum_of_squares(block.parts[0].log10_norm(), axis=-1)

    with np.errstate(all="ignore"):
        walk_sources(unrolled, gradient, sources, visit)
    return ItemisedFlow(streams, sources, norms)


def chosen_sources(steps: int) -> np.ndarray:
    """The steps whose losses are followed, counted from 1."""
    count = steps if steps <= MOST_STEPS else SAMPLED_SOURCES
    return np.unique(np.linspace(1, steps, count).round().astype(int))
