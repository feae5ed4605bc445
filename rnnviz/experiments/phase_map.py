"""What a phase map shows: the growth per step of every network in it, and where theory expects neither fate."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from rnnviz.errors import BudgetError, RnnvizError
from rnnviz.experiments.comparison import VARIANTS, Comparison, label_of
from rnnviz.experiments.config import Config
from rnnviz.experiments.cost import Cost
from rnnviz.experiments.critical import critical_scale
from rnnviz.experiments.phase import Phase
from rnnviz.experiments.phase_distance import DISTANCE, check_alone, distances, growth_up_to
from rnnviz.experiments.sweep import sweep
from rnnviz.experiments.sweep_result import SweepResult

ROOM = Cost(seconds=2.5, megabytes=400.0)  # on a server that others look at too


@dataclass(frozen=True, eq=False)
class Panel:
    """The map of one network, R rows by X weight scales.

    Attributes:
        name: of its variant.
        label: its words on the screen.
        growth: (R, X) growth per step of the network in the middle of all seeds; NaN where it is not a number.
        horizon: (R, X) the same network's memory horizon.
        seed: (R, X) the same network's seed.
        critical: (R,) the weight scale at which theory expects neither; NaN where it says nothing.
    """

    name: str
    label: str
    growth: np.ndarray
    horizon: np.ndarray
    seed: np.ndarray
    critical: np.ndarray

    @property
    def log10_growth(self) -> np.ndarray:
        """(R, X), -inf where nothing arrives."""
        with np.errstate(divide="ignore"):
            return np.log10(self.growth)


@dataclass(frozen=True, eq=False)
class PhaseMap:
    """What a sweep says about growth per step over the weight scale and one more field.

    Each point shows one network, the one in the middle of its seeds, so that its numbers can be run again.

    Attributes:
        result: a sweep over `cells`, `weight_scale`, `against`, and as one likes `seed`.
        against: the field on the other axis, or "distance": then each column shows one run, the one in the middle by
            its growth over the whole way, and its rows how its gradient grows up to that distance from the loss.
        asked: what was asked, where the map has fewer points, or networks for each; None where it has all.
    """

    result: SweepResult
    against: str
    asked: Phase | None = None

    @classmethod
    def of(cls, result: SweepResult) -> "PhaseMap":
        """The map of any sweep over `weight_scale`; the other field is the one that takes most values.

        Raises:
            RnnvizError: for a sweep over a single weight scale.
        """
        axes = {"cells": tuple(_variant_of(result.base)), "length": (result.base.length,), **result.axes}
        if sum(scale > 0 for scale in axes.get("weight_scale", ())) < 2:
            raise RnnvizError("weight_scale: must have two or more values above 0 for a map, got fewer.")
        others = [name for name in axes if name not in ("cells", "weight_scale", "seed")]
        added = {name: values for name, values in axes.items() if name not in result.axes}
        whole = replace(result, axes={**added, **result.axes})
        return cls(whole, max(others, key=lambda name: len(axes[name])))

    @cached_property
    def scales(self) -> np.ndarray:
        """(X,) the weight scales above 0, rising."""
        return np.array(self.result.axes["weight_scale"])[self._columns]

    @property
    def rows(self) -> tuple:
        """(R,) the values of the other field, or the distances from the loss."""
        return distances(self.result.axes["length"][0]) if self.against == DISTANCE else self.result.axes[self.against]

    @property
    def field(self) -> str:
        """The field that the runs of different rows differ in, if they do."""
        return "length" if self.against == DISTANCE else self.against

    @property
    def values(self) -> tuple:
        """(R,) the value of `field` in each row."""
        return self.result.axes["length"] * len(self.rows) if self.against == DISTANCE else self.rows

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of each point."""
        return self.result.axes.get("seed", (self.result.base.seed,))

    @cached_property
    def panels(self) -> tuple[Panel, ...]:
        """One for each network."""
        return tuple(self._panel(name) for name in self.result.axes["cells"])

    @property
    def told(self) -> int:
        """The row that a sentence speaks of: the longest sequence, or else what the base has, or the last.

        A gate bias that is left as it was drawn is about 0.
        """
        own = getattr(self.result.base, self.field) or 0.0
        return self.rows.index(own) if self.field != "length" and own in self.rows else len(self.rows) - 1

    def config(self, name: str, row: int, scale: float, seed: int) -> Config:
        """The settings of a point."""
        there = {self.field: self.values[row], "weight_scale": float(scale), "seed": int(seed)}
        return VARIANTS[name].config(replace(self.result.base, **there))

    def ignores(self, panel: Panel) -> bool:
        """Whether the other field changes nothing of a network, which has no such gate."""
        return self.against == "gate_bias" and VARIANTS[panel.name].changes["cell"] == "rnn"

    @cached_property
    def _columns(self) -> np.ndarray:
        scales = np.array(self.result.axes["weight_scale"])
        order = np.argsort(scales)
        return order[scales[order] > 0]

    def _panel(self, name: str) -> Panel:
        growth, horizon = self._each("growth_per_step", name), self._each("memory_horizon", name)
        middle = np.argsort(growth, axis=0)[(len(self.seeds) - 1) // 2]  # NaN stands behind all numbers
        growth, horizon = (np.take_along_axis(each, middle[None], axis=0)[0] for each in (growth, horizon))
        seed = np.array(self.seeds)[middle]
        if self.against == DISTANCE:
            growth = self._along(name, seed[0])
            horizon, seed = (np.repeat(each, len(self.rows), axis=0) for each in (horizon, seed))
        critical = np.array([self._critical(name, row) for row in range(len(self.rows))])
        return Panel(name, self._label(name), growth, horizon, seed, critical)

    def _along(self, name: str, seeds: np.ndarray) -> np.ndarray:
        """(R, X), of one run a column."""
        runs = [self.config(name, 0, scale, seed) for scale, seed in zip(self.scales, seeds, strict=True)]
        return np.stack([growth_up_to(config, self.rows) for config in runs], axis=1)

    def _label(self, name: str) -> str:
        """The network's name, without the bias that stands on the other axis."""
        config = VARIANTS[name].config(self.result.base)
        free = self.against == "gate_bias" and "gate_bias" not in VARIANTS[name].changes
        return label_of(replace(config, gate_bias=None) if free else config)

    def _each(self, measure: str, name: str) -> np.ndarray:
        """(seeds, R, X)."""
        apart = [{"seed": seed} for seed in self.seeds] if "seed" in self.result.axes else [{}]
        grids = [self.result.grid(self.field, "weight_scale", measure, cells=name, **where) for where in apart]
        return np.stack(grids)[:, :, self._columns]

    def _critical(self, name: str, row: int) -> float:
        return critical_scale([self.config(name, row, 1.0, seed) for seed in self.seeds])


def draw_map(comparison: Comparison, config: Config, phase: Phase) -> PhaseMap:
    """Run everything that a map shows: config → result.

    What can only be run one by one (several layers, both directions, a loss at every step) takes longer: such a map has
    one network a point, and fewer columns if need be.

    Raises:
        RnnvizError: for settings that do not go together, or that would take too long however coarse.

    >>> found = draw_map(Comparison(("linear",)), Config(hidden_size=4), Phase(per_octave=1, seeds=1))
    >>> found.panels[0].growth[-1].round(2).tolist()
    [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0]
    """
    coarser = [replace(phase, seeds=1, per_octave=min(most, phase.per_octave)) for most in (16, 4, 2, 1)]
    for asked in (phase, *coarser):
        try:
            grid = asked.grid(comparison, config)
            if phase.against == DISTANCE:
                check_alone(config, len(comparison.cells) * len(asked.scales), ROOM)
            result = sweep(grid, config, budget=ROOM)
        except BudgetError:
            continue
        return PhaseMap(result, phase.against, None if asked == phase else phase)
    raise BudgetError(
        f"length, hidden_size, layers: even the coarsest such map would take more than {ROOM}, so make one of them "
        "smaller, or compare fewer cells."
    )


def _variant_of(config: Config) -> list[str]:
    """The compared network that a config without `cells` is of; the plain one of its cell."""
    return [name for name, variant in VARIANTS.items() if variant.config(config) == config][:1] or [config.cell]
