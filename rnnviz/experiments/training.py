"""What to train: one frozen value, each field declared once, and the variants that it sets side by side."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from types import MappingProxyType
from typing import Any

from rnnviz.core.cells import CELLS
from rnnviz.core.initialisers import INITIALISERS
from rnnviz.errors import BudgetError, ConfigError
from rnnviz.experiments.comparison import VARIANTS, label_of
from rnnviz.experiments.config import Config
from rnnviz.experiments.knobs import Checked, knob
from rnnviz.experiments.tasks import TASKS, Material

MOST_VARIANTS = 4
EVERY = 25  # updates from one look at the held-out data to the next
LEARNERS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {name: VARIANTS[name].changes for name in ("rnn", "relu")}
    | {"irnn": {"cell": "rnn", "nonlinearity": "relu", "initialisation": "identity"}}
    | {name: VARIANTS[name].changes for name in ("lstm", "lstm_1", "lstm_3", "gru", "gru_3")}
)
LABELS = {
    name: "IRNN (ReLU, identity)" if name == "irnn" else label_of(Config(**changes))
    for name, changes in LEARNERS.items()
}
CLIPS = {"off": "Off", "norm": "By norm", "value": "By value"}
OPTIMISERS = {"adam": "Adam", "sgd": "SGD", "rmsprop": "RMSprop"}


@dataclass(frozen=True)
class Learner:
    """One of the variants that learn side by side.

    Attributes:
        cell: a name in `LEARNERS`.
        clip: a name in `CLIPS`.
        config: the network as `rnnviz.experiments.run` draws it.
        label: its words on the screen; what all variants share is left out.
    """

    cell: str
    clip: str
    config: Config
    label: str

    @property
    def name(self) -> str:
        """A word of its own among the variants of a `Training`, for files and events."""
        return f"{self.cell}-{self.config.initialisation}-{self.clip}"


@dataclass(frozen=True)
class Training(Checked):
    """One experiment in learning: a task, up to four variants, an optimiser.

    Every variant reads the same batches and starts from the same draws as far as its cell has them.

    Raises:
        RnnvizError: for a value that is not allowed; the sentence names the field, what is allowed and what came.

    >>> [learner.label for learner in Training(cells=("irnn",), clips=("off", "norm")).learners]
    ['IRNN (ReLU, identity), no clipping', 'IRNN (ReLU, identity), clipped by norm']
    """

    task: str = knob(
        "adding",
        "Task",
        "What the networks learn, and how far back they must remember for it.",
        choices={name: task.label for name, task in TASKS.items()},
    )
    cells: tuple[str, ...] = knob(
        ("lstm", "gru", "irnn", "rnn"),
        "Cells",
        "They read the same batches from the same seed. Cells × clippings × initialisations may make four variants.",
        choices=LABELS,
        low=1,
        many=4,
    )
    clips: tuple[str, ...] = knob(
        ("norm",),
        "Clipping",
        "torch's clip_grad_norm_ or clip_grad_value_ before each update; choose two to compare them.",
        choices=CLIPS,
        low=1,
        many=3,
    )
    clip_threshold: float = knob(
        1.0,
        "Clipping threshold",
        "The largest norm, or the largest entry, that clipping lets through.",
        low=1e-6,
        high=1e6,
        ladder=(0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0),
    )
    length: int = knob(
        30,
        "Length",
        "Steps of a sequence: the longer, the further the task's answer lies behind its question.",
        low=2,
        high=200,
        ladder=(10, 20, 30, 50, 75, 100, 150, 200),
    )
    updates: int = knob(
        1000,
        "Updates",
        "How many steps the optimiser takes, at most: a variant that has solved its task stops.",
        low=1,
        high=10_000,
        ladder=(200, 500, 1000, 2000, 5000),
    )
    initialisations: tuple[str, ...] = knob(
        ("uniform",),
        "Initialisation",
        "How the recurrent matrix is drawn; uniform is torch's own. An IRNN always starts from the identity.",
        choices={name: initialiser.label for name, initialiser in INITIALISERS.items()},
        low=1,
        many=4,
    )
    weight_scale: float = knob(
        1.0,
        "Weight scale",
        "Multiplies the recurrent matrix at the start.",
        low=0.0,
        high=5.0,
        ladder=(0.5, 0.7, 0.9, 1.0, 1.1, 1.2, 1.5, 2.0),
    )
    hidden_size: int = knob(
        32,
        "Hidden size",
        "Units H of each network.",
        low=1,
        high=128,
        ladder=(8, 16, 32, 64, 128),
    )
    optimiser: str = knob("adam", "Optimiser", "torch.optim's, with its own defaults.", choices=OPTIMISERS)
    learning_rate: float = knob(
        0.005,
        "Learning rate",
        "The size of a step.",
        low=1e-6,
        high=10.0,
        ladder=(0.0003, 0.001, 0.003, 0.005, 0.01, 0.03, 0.1),
    )
    batch_size: int = knob(
        32,
        "Batch",
        "Sequences per update.",
        low=1,
        high=256,
        ladder=(1, 8, 16, 32, 64, 128),
    )
    text: str = knob(
        "",
        "Your text",
        "For the next character: at least three times the length; leave it empty for the shipped sonnets.",
        low=0,
        high=20_000,
    )
    stop: bool = knob(
        True,
        "Stop when solved",
        "A variant that has solved its task on held-out data twice in a row stops, and leaves the time to the others.",
    )
    seed: int = knob(
        0,
        "Seed",
        "Fixes weights, batches and held-out data.",
        low=0,
        high=2**31 - 1,
    )

    def __post_init__(self):
        super().__post_init__()
        if len(self._variants) > MOST_VARIANTS:
            raise ConfigError(
                f"cells, clips, initialisations: together they must make at most {MOST_VARIANTS} variants, "
                f"got {len(self._variants)}."
            )

    @property
    def _variants(self) -> list[tuple[str, str, str]]:
        """(cell, clip, initialisation) of each; a cell with an initialisation of its own comes once."""
        every = product(self.cells, self.clips, self.initialisations)
        own = [(cell, clip, LEARNERS[cell].get("initialisation", drawn)) for cell, clip, drawn in every]
        return list(dict.fromkeys(own))

    @property
    def learners(self) -> tuple[Learner, ...]:
        """The variants: every cell with every clipping and every initialisation."""
        return tuple(
            Learner(cell, clip, self._config(cell, drawn), self._label(cell, clip, drawn))
            for cell, clip, drawn in self._variants
        )

    def _config(self, cell: str, drawn: str) -> Config:
        own = ("length", "hidden_size", "weight_scale", "seed")
        shared = Config(**{name: getattr(self, name) for name in own})
        return replace(shared, **{"initialisation": drawn, **LEARNERS[cell]})

    def _label(self, cell: str, clip: str, drawn: str) -> str:
        words = [LABELS[cell]]
        if len(self.initialisations) > 1 and "initialisation" not in LEARNERS[cell]:
            words.append(INITIALISERS[drawn].label)
        if len(self.clips) > 1:
            words.append("no clipping" if clip == "off" else f"clipped {CLIPS[clip].lower()}")
        return ", ".join(words)


TRAINING_BUDGET = 300.0  # seconds of one core
LONGEST_UPDATE = 0.3  # seconds, for which other visitors may have to wait

# What an update takes, in seconds, from measurements in which it took a third of that or more.
EACH = 1.3e-3  # whatever its size
STEP = {"rnn": 4e-5, "lstm": 8e-6, "gru": 1.4e-4}  # of each step
GATE = 7e-9  # of each gate of each unit in each sequence at each step
PRODUCT = 8e-11  # of each multiplication with a weight, forward, and twice backward
NUMBER = 9e-9  # to draw and read each number of the input, and to weigh each class, beyond what a cache holds
CACHED = 2_000_000  # such numbers
NARROWEST = 8  # units: fewer of them take as long
PROBED = 32  # sequences whose half update takes as long as a profile


def update_seconds(learner: Learner, material: Material, batch: int) -> float:
    """What one update takes on one core, estimated from counts of operations: what it really takes, to 3 times that.

    Args:
        learner: the variant.
        material: of its task.
        batch: sequences B.
    """
    cell, units = learner.config.cell, max(NARROWEST, learner.config.hidden_size)
    rows = material.steps * batch
    said = rows if material.task.every else batch
    gates = len(CELLS[cell].blocks) * rows * units
    products = gates * (units + material.input_size) + said * units * material.output_size
    numbers = rows * material.input_size + said * material.output_size
    fixed = EACH + STEP[cell] * material.steps
    return fixed + GATE * gates + PRODUCT * products + NUMBER * max(0, numbers - CACHED)


def training_seconds(training: Training, material: Material) -> float:
    """What a training takes on one core when no variant stops early, its looks at the held-out data among it.

    Like `update_seconds` an estimate, from what it really takes to some 3 times that.

    Args:
        training: what is asked.
        material: of its task.
    """
    looks, tried = 2 + training.updates // EVERY, material.held_out.inputs.shape[1] + PROBED
    return sum(
        training.updates * update_seconds(learner, material, training.batch_size)
        + looks * update_seconds(learner, material, tried) / 2
        for learner in training.learners
    )


def check_training_budget(training: Training, material: Material) -> None:
    """Refuse a training that would keep a server busy for too long, or other visitors waiting at an update.

    Raises:
        BudgetError: naming the fields to make smaller, what is allowed and what it would take.
    """
    longest = max(update_seconds(learner, material, training.batch_size) for learner in training.learners)
    if longest > LONGEST_UPDATE:
        raise BudgetError(
            f"length, hidden_size, batch_size: one update would take about {longest:.2g} s; allowed are "
            f"{LONGEST_UPDATE} s, so make one of them smaller."
        )
    seconds = training_seconds(training, material)
    if seconds > TRAINING_BUDGET:
        raise BudgetError(
            f"updates, length, hidden_size, batch_size: this training would take about {seconds:.0f} s; allowed are "
            f"{TRAINING_BUDGET:.0f} s, so make one of them smaller."
        )
