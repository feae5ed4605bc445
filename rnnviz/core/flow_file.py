"""A `GradientFlow` in a file, with the weights of its streams, so that whatever it can tell can be told again."""

from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZipFile

import numpy as np

from rnnviz.core.archive import Foreign, about, open_archive, read_array, write_archive
from rnnviz.core.network import Network, network_with
from rnnviz.core.results import GradientFlow

FORMAT = "rnnviz flow 1"
LARGEST_FILE = 500_000_000  # bytes
MOST = 10_000_000  # of any axis
ALWAYS = {  # array: its axes
    "hidden": "SRBH",
    "adjoint": "SRBH",
    "log10_norm": "SRB",
    "joint_log10_norm": "SRB",
    "input_gradient": "TBD",
    "output": "TBO",
    "loss_log10_norm": "STB",
}
OF_A_CELL_STATE = {"cell": "SRBH", "cell_adjoint": "SRBH", "cell_log10_norm": "SRB"}


def save_flow(flow: GradientFlow, path: str | Path | BinaryIO) -> None:
    """See `GradientFlow.save`."""
    first = flow.streams[0]
    names = list(flow.parameter_gradients)
    settings = {"format": FORMAT, "cell": first.cell.name, "nonlinearity": first.activation.name, "parameters": names}
    arrays = {name: getattr(flow, name) for name in ALWAYS}
    if first.cell.has_cell_state:
        arrays |= {name: getattr(flow, name) for name in OF_A_CELL_STATE}
    arrays |= {f"gate.{name}": values for name, values in flow.gates.items()}
    arrays |= {f"weights.{name}": values for name, values in network_with(flow.streams).parameters.items()}
    arrays |= {f"gradient.{name}": flow.parameter_gradients[name] for name in names}
    arrays |= {f"steps.{name}": flow.parameter_step_log10_norms[name] for name in names}
    arrays["parameter_log10_norms"] = np.array([flow.parameter_log10_norms[name] for name in names])
    write_archive(path, settings, arrays | {"saturated": flow.saturated, "lengths": flow.lengths})


def load_flow(path: str | Path | BinaryIO) -> GradientFlow:
    """Read what `GradientFlow.save` has written, at most 500 MB.

    Args:
        path: the file's name, or an open binary file.

    Raises:
        RnnvizError: for a file that cannot be read, or is not what `save` writes.
    """
    with open_archive(path, "GradientFlow.save", LARGEST_FILE) as archive:
        return read_flow(archive)


def read_flow(archive: ZipFile) -> GradientFlow:
    """The flow in an open archive."""
    told = about(archive)
    if told["format"] != FORMAT:
        raise Foreign("has another format")
    network = _network(archive, told)
    sizes = _sizes(archive, network)

    def array(name: str, axes: str, kind: type = np.float64) -> np.ndarray:
        return read_array(archive, name, kind, tuple(sizes[axis] for axis in axes), exactly=True)

    first, names = network.streams[0], _known(told["parameters"], network)
    fields: dict[str, Any] = {name: array(name, axes) for name, axes in ALWAYS.items()}
    has_cell = first.cell.has_cell_state
    fields |= {name: array(name, axes) if has_cell else None for name, axes in OF_A_CELL_STATE.items()}
    norms = read_array(archive, "parameter_log10_norms", np.float64, (len(names),), exactly=True)
    return GradientFlow(
        **fields,
        streams=network.streams,
        gates={name: array(f"gate.{name}", "STBH") for name in first.cell.gates},
        saturated=array("saturated", "SRB", np.bool_),
        lengths=_lengths(array("lengths", "B", np.int64), sizes["T"]),
        parameter_gradients={name: _like_parameter(archive, name, network) for name in names},
        parameter_log10_norms=dict(zip(names, norms.tolist(), strict=True)),
        parameter_step_log10_norms={name: array(f"steps.{name}", "T") for name in names},
    )


def _lengths(lengths: np.ndarray, steps: int) -> np.ndarray:
    if not len(lengths) or lengths.min() < 1 or lengths.max() != steps:
        raise Foreign("tells of something that cannot have been")
    return lengths


def _network(archive: ZipFile, told: dict) -> Network:
    names = [name[8:-4] for name in archive.namelist() if name.startswith("weights.")]
    axes = {name: 2 if name.startswith("weight") else 1 for name in names}
    arrays = {name: read_array(archive, f"weights.{name}", np.float64, (MOST,) * axes[name]) for name in names}
    return Network(told["cell"], arrays, told["nonlinearity"])


def _sizes(archive: ZipFile, network: Network) -> dict[str, int]:
    """{axis: its size}; T and B are those of the output, and everything else has to go together with them."""
    with archive.open("output.npy") as file:
        if np.lib.format.read_magic(file) != (1, 0):
            raise Foreign("has other arrays")
        steps, batch, _ = np.lib.format.read_array_header_1_0(file)[0]
    size, directions = network.hidden_size, network.directions
    return {
        "S": len(network.streams), "R": steps + 1, "T": steps, "B": batch, "H": size, "D": network.input_size,
        "O": directions * size,
    }  # fmt: skip


def _known(names: list[str], network: Network) -> list[str]:
    if not set(names) <= set(network.parameters) or len(set(names)) < len(names):
        raise Foreign("has other arrays")
    return names


def _like_parameter(archive: ZipFile, name: str, network: Network) -> np.ndarray:
    return read_array(archive, f"gradient.{name}", np.float64, network.parameters[name].shape, exactly=True)
