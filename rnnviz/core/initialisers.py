"""How the parameters of a network are drawn: the recurrent matrix by choice, everything else as torch does.

Every block of every matrix has a random generator of its own, keyed by the seed and by what the block is for. Cells
compared under one seed therefore share the draws that they have in common: the RNN's matrix is the LSTM's candidate
block and the GRU's.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from rnnviz.core.cells import CELLS, Cell
from rnnviz.core.network import KINDS, Network

if TYPE_CHECKING:  # numpy loads its generators when the first is asked for
    from numpy.random import Generator


@dataclass(frozen=True)
class Initialiser:
    """A way to draw the recurrent matrix.

    Attributes:
        name: the word in a `Config`.
        label: the word on the screen.
        help: what to expect of it, one sentence.
        draw: (generator, H) -> (H, H), with spectral radius about 1 unless `help` says otherwise.
        noisy_biases: the biases are drawn as torch draws them, U(-1/√H, 1/√H); else they are zero.
    """

    name: str
    label: str
    help: str
    draw: Callable[[Generator, int], np.ndarray]
    noisy_biases: bool = True


def orthogonal(generator: Generator, size: int) -> np.ndarray:
    """Uniform over the orthogonal group: every singular value is 1. Source: Saxe et al. (2014)."""
    q, r = np.linalg.qr(generator.normal(size=(size, size)))
    return q * np.sign(np.diag(r))


def gaussian(generator: Generator, size: int) -> np.ndarray:
    """N(0, 1/H): spectral radius about 1, largest singular value about 2."""
    return generator.normal(size=(size, size)) / np.sqrt(size)


def identity(generator: Generator, size: int) -> np.ndarray:
    """The unit matrix. Source: Le, Jaitly and Hinton (2015)."""
    return np.eye(size)


def uniform(generator: Generator, size: int) -> np.ndarray:
    """U(-1/√H, 1/√H), torch's default: spectral radius about 0.58, largest singular value about 1.15."""
    return generator.uniform(-1.0, 1.0, size=(size, size)) / np.sqrt(size)


def sparse(generator: Generator, size: int) -> np.ndarray:
    """15 Gaussian outgoing connections a unit, rescaled to spectral radius 1.

    Source: Pascanu, Mikolov and Bengio (2013), "smart tanh" (they rescale to 0.95).
    """
    matrix = np.zeros((size, size))
    for unit in range(size):
        targets = generator.choice(size, min(15, size), replace=False)
        matrix[targets, unit] = generator.normal(size=len(targets))
    return matrix / np.abs(np.linalg.eigvals(matrix)).max()


def nonnormal(generator: Generator, size: int) -> np.ndarray:
    """Shears [[1, 2], [0, 1]] in a random orthogonal basis: every eigenvalue is 1, the largest singular value 2.41."""
    shear = np.eye(size)
    shear[range(0, size - 1, 2), range(1, size, 2)] = 2.0
    basis = orthogonal(generator, size)
    return basis @ shear @ basis.T


INITIALISERS = {
    initialiser.name: initialiser
    for initialiser in (
        Initialiser(
            "orthogonal",
            "Orthogonal",
            "Keeps every length in a linear network; a tanh still shrinks.",
            orthogonal,
        ),
        Initialiser(
            "gaussian",
            "Gaussian",
            "Spectral radius about 1, but some directions stretch twofold.",
            gaussian,
        ),
        Initialiser(
            "identity",
            "Identity",
            "Each unit keeps its own value and no bias; with ReLU this is the IRNN.",
            identity,
            noisy_biases=False,
        ),
        Initialiser(
            "uniform",
            "PyTorch's default",
            "What nn.RNN, nn.LSTM and nn.GRU start from: spectral radius 0.58.",
            uniform,
        ),
        Initialiser(
            "sparse",
            "Sparse",
            "15 connections a unit, rescaled to spectral radius 1.",
            sparse,
        ),
        Initialiser(
            "nonnormal",
            "Non-normal",
            "Every eigenvalue is 1, yet gradients grow before they fade.",
            nonnormal,
        ),
    )
}


def draw_network(
    cell: str,
    nonlinearity: str,
    sizes: tuple[int, int, int, int],
    initialisation: str,
    weight_scale: float,
    gate_bias: float | None,
    chrono: float | None,
    seed: int,
) -> Network:
    """Draw a network.

    Args:
        cell: as for `Network`.
        nonlinearity: as for `Network`.
        sizes: (D, H, layers, directions).
        initialisation: a name in `INITIALISERS`.
        weight_scale: multiplies every recurrent matrix after its draw.
        gate_bias: total bias of the gate that keeps the memory (the LSTM's forget, the GRU's update gate); None leaves
            it as drawn. Source: Jozefowicz, Zaremba and Sutskever (2015) for 1.
        chrono: the longest dependency T_max; the keeping gate's bias is log U(1, T_max - 1) and the LSTM's input gate
            gets its negative; None for no chrono initialisation. Source: Tallec and Ollivier (2018), equation 16.
        seed: of every draw.
    """
    input_size, size, layers, directions = sizes
    parameters = {}
    for layer in range(layers):
        width = directions * size if layer else input_size
        for suffix in (f"l{layer}", f"l{layer}_reverse")[:directions]:
            drawn = _draw_stream(cell, suffix, width, size, initialisation, seed)
            weights = {kind: values.copy() for kind, values in drawn.items()}
            weights["weight_hh"] *= weight_scale
            _set_gate_bias(weights, CELLS[cell], size, gate_bias, chrono, generator_for(seed, suffix, "chrono"))
            parameters |= {f"{kind}_{suffix}": weights[kind] for kind in KINDS}
    return Network(cell, parameters, nonlinearity)


def generator_for(seed: int, *words: str) -> Generator:
    """A generator of its own for everything that is drawn."""
    return np.random.default_rng([seed, *(zlib.crc32(word.encode()) for word in words)])


@lru_cache(maxsize=16)  # while a weight scale is dragged the draw stays the same
def _draw_stream(cell: str, suffix: str, width: int, size: int, initialisation: str, seed: int):
    """The four parameters of one stream, each block drawn by itself."""
    initialiser, bound = INITIALISERS[initialisation], 1.0 / np.sqrt(size)

    def stacked(kind: str, draw: Callable[[Generator], np.ndarray]) -> np.ndarray:
        return np.concatenate([draw(generator_for(seed, suffix, kind, block)) for block in CELLS[cell].blocks])

    noise = bound if initialiser.noisy_biases else 0.0
    return {
        "weight_ih": stacked("weight_ih", lambda generator: generator.uniform(-bound, bound, (size, width))),
        "weight_hh": stacked("weight_hh", lambda generator: initialiser.draw(generator, size)),
        "bias_ih": stacked("bias_ih", lambda generator: generator.uniform(-noise, noise, size)),
        "bias_hh": stacked("bias_hh", lambda generator: generator.uniform(-noise, noise, size)),
    }


def _set_gate_bias(weights, cell: Cell, size: int, gate_bias, chrono, generator: Generator) -> None:
    """Give the keeping gate its bias, in one of the two bias vectors; a cell without gates has none."""
    if cell.keep_gate is None or (gate_bias is None and chrono is None):
        return
    keep = np.full(size, gate_bias) if chrono is None else np.log(generator.uniform(1.0, chrono - 1.0, size))
    for gate, bias in ((cell.keep_gate, keep), (cell.write_gate if chrono is not None else None, -keep)):
        if gate is not None:
            rows = slice(cell.blocks.index(gate) * size, (cell.blocks.index(gate) + 1) * size)
            weights["bias_ih"][rows], weights["bias_hh"][rows] = bias, 0.0
