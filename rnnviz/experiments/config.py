"""What a user may ask for: one frozen value, each field declared once."""

from dataclasses import asdict, dataclass
from typing import Any

from rnnviz.core.activations import ACTIVATIONS
from rnnviz.core.cells import CELLS
from rnnviz.core.initialisers import INITIALISERS
from rnnviz.core.signal import SIGNAL_CLIPS, SignalClip, Truncation
from rnnviz.errors import ConfigError
from rnnviz.experiments.inputs import SIGNALS
from rnnviz.experiments.knobs import Checked, knob

CLIPS = {
    "off": "Off",
    "norm": "Norm, after the sweep",
    "value": "Value, after the sweep",
    "preactivation_value": "Signal: pre-activations",
    "hidden_value": "Signal: states by value",
    "hidden_norm": "Signal: states by norm",
}


@dataclass(frozen=True)
class Config(Checked):
    """One experiment: a cell, a sequence, a loss, and what is done to the gradient.

    Every field has a label, a help text, bounds or choices, and a ladder of curated values: `rnnviz.knobs(Config)`.

    Raises:
        RnnvizError: for a value that is not allowed; the sentence names the field, what is allowed and what came.

    >>> Config(cell="lstm", length=50).weight_scale
    1.0
    >>> Config(length=0)
    Traceback (most recent call last):
    rnnviz.errors.ConfigError: length: must be a whole number from 1 to 10000, got 0.
    """

    cell: str = knob(
        "rnn",
        "Cell",
        "The recurrent cell. Gates let the LSTM and the GRU carry a gradient further, if their biases let them.",
        choices={name: cell.label for name, cell in CELLS.items()},
    )
    nonlinearity: str = knob(
        "tanh",
        "Activation",
        "Of the RNN cell alone. Its slope multiplies the gradient at every step; LSTM and GRU have their own.",
        choices={name: name for name in ACTIVATIONS},
    )
    bidirectional: bool = knob(
        False,
        "Both directions",
        "A second chain reads the sequence backwards; its gradient travels from the first step to the last.",
    )
    layers: int = knob(
        1,
        "Layers",
        "Recurrent layers stacked on each other; each reads the states of the one below.",
        low=1,
        high=4,
        ladder=(1, 2, 3, 4),
    )
    length: int = knob(
        100,
        "Sequence length",
        "Steps T. A factor per step acts T times: 0.9 hardly matters once, and 0.9^100 is 3e-5.",
        low=1,
        high=10_000,
        ladder=(5, 10, 20, 50, 100, 200, 500, 1000),
    )
    hidden_size: int = knob(
        32,
        "Hidden size",
        "Units H. More units average chance away; the growth per step hardly depends on it.",
        low=1,
        high=256,
        ladder=(2, 4, 8, 16, 32, 64, 128),
    )
    initialisation: str = knob(
        "orthogonal",
        "Initialisation",
        "How the recurrent matrix is drawn, before the weight scale multiplies it.",
        choices={name: initialiser.label for name, initialiser in INITIALISERS.items()},
    )
    weight_scale: float = knob(
        1.0,
        "Weight scale",
        "Multiplies the recurrent matrix. Small values make gradients vanish; large ones can make them explode, or "
        "saturate the units, and then they vanish too.",
        low=0.0,
        high=20.0,
        ladder=(0.25, 0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.5, 2.0, 3.0, 5.0),
    )
    gate_bias: float | None = knob(
        None,
        "Forget/update-gate bias",
        "Bias of the gate that keeps the memory: the LSTM's forget, the GRU's update gate. 1 to 3 let gradients pass.",
        kind=float,
        low=-20.0,
        high=20.0,
        ladder=(0.0, 1.0, 2.0, 3.0, 5.0),
        optional=True,
    )
    chrono: float | None = knob(
        None,
        "Chrono initialisation",
        "Spreads the gates' biases so that units remember for 1 to this many steps. Takes the place of the gate bias.",
        kind=float,
        low=3.0,
        high=100_000.0,
        ladder=(20.0, 100.0, 1000.0),
        optional=True,
    )
    signal: str = knob(
        "noise",
        "Input signal",
        "What the network reads.",
        choices={name: signal.label for name, signal in SIGNALS.items()},
    )
    text: str = knob(
        "to be or not to be, that is the question",
        "Your text",
        "Read character by character, one unit for each different one; the run is no longer than the text.",
        low=1,
        high=2000,
    )
    input_scale: float = knob(
        1.0,
        "Input scale",
        "Multiplies the input. A strong input saturates the units, and saturated units pass little gradient.",
        low=0.0,
        high=100.0,
        ladder=(0.0, 0.1, 0.3, 1.0, 3.0, 10.0),
    )
    input_size: int = knob(
        4,
        "Input size",
        "Channels D of noise, impulse, sine and random walk; a text or a series brings its own.",
        low=1,
        high=64,
        ladder=(1, 2, 4, 8, 16),
    )
    loss: str = knob(
        "last",
        "Loss",
        "At the last step alone (many-to-one), or at every step (many-to-many), where new gradient enters on the way.",
        choices={"last": "Last step", "every": "Every step"},
    )
    head: str = knob(
        "final_states",
        "Head reads",
        "With both directions and a loss at the last step: each chain's own last state (h_n), or the output at the "
        "last step, where the backward chain has seen one input only.",
        choices={"final_states": "Final state of each direction", "last_output": "Output at the last step"},
    )
    clip: str = knob(
        "off",
        "Clipping",
        "After the sweep it rescales the parameters' gradient and leaves the curve through time alone; on the signal "
        "it bends the curve.",
        choices=CLIPS,
    )
    clip_threshold: float = knob(
        1.0,
        "Clipping threshold",
        "The largest norm, or the largest entry, that clipping lets through.",
        low=1e-12,
        high=1e12,
        ladder=(0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0),
    )
    truncation: str = knob(
        "off",
        "Truncation",
        "How far back a loss may reach: in chunks that are cut apart, or in a window that slides with each loss.",
        choices={"off": "Off", "chunked": "Chunks", "sliding": "Sliding window"},
    )
    truncation_steps: int = knob(
        10,
        "Truncation steps",
        "The length of a chunk or of the window.",
        low=1,
        high=10_000,
        ladder=(1, 2, 5, 10, 20, 50, 100),
    )
    seed: int = knob(
        0,
        "Seed",
        "Fixes every draw. Cells compared under one seed share their input, their readout and their matching weights.",
        low=0,
        high=2**31 - 1,
    )

    def __post_init__(self):
        super().__post_init__()
        if self.gate_bias is not None and self.chrono is not None:
            raise ConfigError(
                f"chrono: takes the place of gate_bias, so that one of the two must be None, got {self.chrono} and "
                f"{self.gate_bias}."
            )

    @property
    def settings(self) -> dict[str, Any]:
        """{field: value} of everything that was asked."""
        return asdict(self)

    @property
    def directions(self) -> int:
        """K."""
        return 2 if self.bidirectional else 1

    @property
    def signal_clip(self) -> SignalClip | None:
        """What clips the signal at every step, if anything does."""
        return SignalClip(self.clip, self.clip_threshold) if self.clip in SIGNAL_CLIPS else None

    @property
    def truncated(self) -> Truncation | None:
        """How far back a loss may reach, if it is limited."""
        return None if self.truncation == "off" else Truncation(self.truncation, self.truncation_steps)
