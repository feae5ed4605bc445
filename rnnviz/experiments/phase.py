"""The phase map: where the gradient vanishes and where it explodes, over the weight scale and one more setting."""

from dataclasses import dataclass

import numpy as np

from rnnviz.errors import ConfigError
from rnnviz.experiments.comparison import VARIANTS, Comparison
from rnnviz.experiments.config import Config
from rnnviz.experiments.knobs import Checked, knob, knobs
from rnnviz.experiments.phase_distance import DISTANCE, LABEL

ROWS: dict[str, tuple] = {
    "length": (10, 20, 50, 100, 200),
    DISTANCE: (),  # they follow from the length
    "input_scale": (0.0, 0.1, 0.3, 1.0, 3.0, 10.0),
    "gate_bias": (-1.0, 0.0, 1.0, 2.0, 3.0, 5.0),
    "hidden_size": (4, 8, 16, 32, 64),
}
OCTAVES = (-2, 4)  # weight scales from 1/4 to 16: an LSTM explodes from 6 on


def label_of_rows(against: str) -> str:
    """The words of the other axis."""
    return LABEL if against == DISTANCE else knobs(Config)[against].label


@dataclass(frozen=True)
class Phase(Checked):
    """What a map is drawn over, beside the weight scale.

    Raises:
        ConfigError: for a value that is not allowed, or an even number of seeds.

    >>> Phase(per_octave=1).scales
    (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
    """

    against: str = knob(
        "length",
        "Weight scale against",
        "What stands on the other axis of the map.",
        choices={name: label_of_rows(name) for name in ROWS},
    )
    per_octave: int = knob(
        4,
        "Weight scales per doubling",
        "How fine the map is: so many columns from one weight scale to its double.",
        low=1,
        high=16,
        ladder=(1, 2, 4, 8, 16),
    )
    seeds: int = knob(
        5,
        "Networks per point",
        "So many networks are drawn for each point of the map, which shows the one in the middle: small networks "
        "differ. It must be odd, so that one is in the middle.",
        low=1,
        high=15,
        ladder=(1, 3, 5, 9, 15),
    )

    def __post_init__(self):
        super().__post_init__()
        if self.seeds % 2 == 0:
            raise ConfigError(f"seeds: must be odd, so that one of them is in the middle, got {self.seeds}.")

    @property
    def scales(self) -> tuple[float, ...]:
        """The weight scales of the columns, to three digits."""
        low, high = OCTAVES
        exponents = np.arange(low * self.per_octave, high * self.per_octave + 1) / self.per_octave
        return tuple(float(f"{scale:.3g}") for scale in 2.0**exponents)

    def grid(self, comparison: Comparison, config: Config) -> dict[str, tuple]:
        """{field: values} of the sweep behind the map.

        Raises:
            ConfigError: for a network that sets the field on the other axis itself.
        """
        biased = [name for name in comparison.cells if self.against in VARIANTS[name].changes]
        if biased:
            raise ConfigError(
                f"cells: must be networks without a gate bias of their own while the map is against that bias, got "
                f"{VARIANTS[biased[0]].label!r}."
            )
        most = knobs(Config)["seed"].high
        return {
            "cells": comparison.cells,
            **({"length": (config.length,)} if self.against == DISTANCE else {self.against: ROWS[self.against]}),
            "weight_scale": self.scales,
            "seed": tuple((config.seed + i) % (most + 1) for i in range(self.seeds)),
        }
