"""What a training has found so far: losses, gradient norms, held-out scores and film strips of every variant."""

import zipfile
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np

from rnnviz.core.archive import Foreign, about, open_archive, read_array, write_archive
from rnnviz.experiments.tasks import Material, material
from rnnviz.experiments.training import EVERY, Learner, Training

LARGEST_FILE = 10_000_000  # bytes
FORMAT = "rnnviz history 1"
ARRAYS = {  # of a course: type, and the name of each axis's size
    "loss": (np.float64, "U"),
    "norm_before": (np.float64, "U"),
    "norm_after": (np.float64, "U"),
    "evaluated": (np.int64, "E"),
    "held_out": (np.float64, "E"),
    "score": (np.float64, "E"),
    "profiled": (np.int64, "P"),
    "profile": (np.float64, "PT"),
}

STATES = {
    "waiting": "has not begun",
    "training": "learns",
    "solved": "has solved the task",
    "finished": "has made all its updates",
    "diverged": "has broken: its loss, an entry of its gradient or what it says in the end is no number any more",
    "stopped": "was ended before its time",
}


@dataclass(frozen=True, eq=False)
class Course:
    """The learning of one variant: U updates made, E evaluations, P profiles.

    Attributes:
        learner: which variant.
        loss: (U,) of each update's batch, before that update; finite, but for the last one of a diverged course.
        norm_before: (U,) the total gradient norm before clipping, as clip_grad_norm_ returns it: inf where float32
            cannot hold it, though every entry of the gradient is finite, but for the last one of a diverged course.
        norm_after: (U,) the same after clipping; equal to `norm_before` where nothing was clipped, and 0 where
            clip_grad_norm_ met an infinite norm, for then it multiplies the gradient by zero.
        evaluated: (E,) after how many updates the held-out data were tried: 0, every `EVERY`, and the last; before the
            last one in a course that broke in it.
        held_out: (E,) the loss on them.
        score: (E,) the task's own measure on them, see `Task.measure`.
        profiled: (P,) after how many updates the profile was taken; the first is 0.
        profile: (P, T) log10 of the norm of ∂L_T/∂(h_t, c_t) at the steps t = 1…T, over a fixed batch of held-out
            sequences, for the loss at the last step alone, by `rnnviz.bptt` from the weights at that moment.
        state: a name in `STATES`.
        seconds: spent on its updates so far.
    """

    learner: Learner
    loss: np.ndarray
    norm_before: np.ndarray
    norm_after: np.ndarray
    evaluated: np.ndarray
    held_out: np.ndarray
    score: np.ndarray
    profiled: np.ndarray
    profile: np.ndarray
    state: str
    seconds: float

    @property
    def updates(self) -> int:
        """U."""
        return len(self.loss)

    @property
    def broke_at(self) -> int | None:
        """The update, counted from 1, at which a diverged course broke: before it changed a weight, or by it."""
        return self.updates if self.state == "diverged" else None

    @property
    def solved_at(self) -> int | None:
        """After how many updates a solved course stopped."""
        return self.updates if self.state == "solved" else None

    @property
    def clipped(self) -> np.ndarray:
        """(U,) whether clipping changed the gradient of an update."""
        return self.norm_after < self.norm_before

    @property
    def clipped_share(self) -> float:
        """The share of the updates whose gradient was clipped; 0 before the first."""
        return float(self.clipped.mean()) if self.updates else 0.0

    @property
    def share(self) -> np.ndarray:
        """(P, T) log10 of the share of the signal at the last step that arrives at each step."""
        with np.errstate(invalid="ignore"):  # no signal at all: -inf - -inf
            return self.profile - self.profile[:, -1:]

    def horizon(self, share: float = 0.01) -> np.ndarray:
        """(P,) how many steps back from the last one the signal stays above a share of itself, without a gap."""
        below = ~(self.share[:, ::-1] >= np.log10(share))  # also where there is no number
        return np.maximum(np.where(below.any(axis=1), below.argmax(axis=1), below.shape[1]) - 1, 0)


@dataclass(frozen=True, eq=False)
class History:
    """All courses of a training, finished or not.

    Attributes:
        training: what was asked.
        courses: one for each of `training.learners`, in their order.
    """

    training: Training
    courses: tuple[Course, ...]

    @cached_property
    def material(self) -> Material:
        """The task's data, lag, chance level and goal."""
        return material(self.training)

    @property
    def done(self) -> bool:
        """Whether every course has come to its end."""
        return all(course.state not in ("waiting", "training") for course in self.courses)

    def save(self, path: str | Path | BinaryIO) -> None:
        """Write everything into one `.npz`, which `History.load` and `numpy.load` read without pickle.

        Args:
            path: the file's name, or an open binary file.

        Raises:
            RnnvizError: when there can be no such file, it may not be written, or it is open for text.
        """
        settings = {"format": FORMAT, "training": asdict(self.training), "courses": [_words(c) for c in self.courses]}
        arrays = {f"{c.learner.name}.{name}": getattr(c, name) for c in self.courses for name in ARRAYS}
        write_archive(path, settings, arrays)

    @classmethod
    def load(cls, path: str | Path | BinaryIO) -> "History":
        """Read what `save` has written, at most 10 MB.

        Args:
            path: the file's name, or an open binary file.

        Raises:
            RnnvizError: for a file that cannot be read, or is not what `save` writes.
        """
        with open_archive(path, "History.save", LARGEST_FILE) as archive:
            told = about(archive)
            if told["format"] != FORMAT:
                raise Foreign("has another format")
            training = Training(**told["training"])
            steps, learners = material(training).steps, training.learners
            names = {f"{learner.name}.{name}.npy" for learner in learners for name in ARRAYS} | {"settings.npy"}
            if sorted(archive.namelist()) != sorted(names) or len(told["courses"]) != len(learners):
                raise Foreign("has other arrays")
            read = [
                _course(archive, learner, words, training, steps)
                for learner, words in zip(learners, told["courses"], strict=True)
            ]
            return cls(training, tuple(read))


def _words(course: Course) -> dict:
    return {"name": course.learner.name, "state": course.state, "seconds": course.seconds}


def _course(archive: zipfile.ZipFile, learner: Learner, words: dict, training: Training, steps: int) -> Course:
    """One course, every size and every word of it checked."""
    looks = training.updates // EVERY + 3  # the first, the last, and that of a broken course beside the regular ones
    limits = {"U": training.updates, "E": looks, "P": looks, "T": steps}
    sizes, arrays = {"T": steps}, {}
    for name, (kind, axes) in ARRAYS.items():
        arrays[name] = read_array(archive, f"{learner.name}.{name}", kind, tuple(limits[axis] for axis in axes))
        for axis, size in zip(axes, arrays[name].shape, strict=True):
            if sizes.setdefault(axis, size) != size:
                raise Foreign("has arrays of sizes that do not go together")
    seconds = float(words["seconds"])
    course = Course(learner, **arrays, state=words["state"], seconds=seconds)
    fits = words["name"] == learner.name and course.state in STATES and 0.0 <= seconds < np.inf
    if not (fits and _has_come(course, training) and _has_numbers(course) and _has_looked(course)):
        raise Foreign("tells of something that cannot have been")
    return course


def _has_come(course: Course, training: Training) -> bool:
    """Whether a course in its state can have made so many updates."""
    made, ended = course.updates, course.updates == training.updates
    return {
        "waiting": made == 0,
        "training": made > 0 and not ended,
        "solved": made > 0 and training.stop and (ended or made % EVERY == 0),
        "finished": ended,
        "diverged": made > 0 and not np.isfinite(_end(course)).all() and (ended or _broke_within(course)),
        "stopped": not ended,
    }[course.state]


def _broke_within(course: Course) -> bool:
    """Whether the last update of a diverged course could not be made, so that no look came after it."""
    return course.state == "diverged" and course.updates not in course.evaluated


def _end(course: Course) -> list[float]:
    """The numbers one of which is none in a diverged course."""
    return [course.loss[-1], course.norm_before[-1]] if _broke_within(course) else list(course.held_out[-1:])


def _has_numbers(course: Course) -> bool:
    """Whether losses and norms are what they can be, but for those of the update that broke a course."""
    sound = slice(course.updates - _broke_within(course))
    norms = (course.norm_before[sound], course.norm_after[sound])
    is_loss = np.isfinite(course.loss[sound]).all() and (course.loss[sound] >= 0).all()
    return bool(is_loss and all((norm >= 0).all() for norm in norms))


def _has_looked(course: Course) -> bool:
    """Whether the looks are those that a course of so many updates has had; a profile may be missing."""
    last = course.updates - _broke_within(course)
    due = set(range(0, last + 1, EVERY)) | ({last} if course.state in ("solved", "finished", "diverged") else set())
    begun = course.updates > 0 or len(course.evaluated) > 0
    profiled = course.profiled.tolist()
    return course.evaluated.tolist() == sorted(due) * begun and profiled == sorted(due.intersection(profiled))
