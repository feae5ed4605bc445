"""What networks learn here: each task's data, the lag it asks for, its chance level, and when it counts as solved.

A task is one `Task` value and the function that prepares its data: in `task_made` when its sequences are drawn as they
are needed, in `task_real` when they are windows of real data.
"""

from typing import TYPE_CHECKING

from rnnviz.experiments.task_made import ADDING, COPY, ORDER, SINE
from rnnviz.experiments.task_real import CHARACTERS, CO2, SUNSPOTS
from rnnviz.experiments.task_types import NOTHING, Batch, Material, Task

if TYPE_CHECKING:
    from rnnviz.experiments.training import Training

__all__ = ["NOTHING", "TASKS", "Batch", "Material", "Task", "material"]

TASKS: dict[str, Task] = {task.name: task for task in (ADDING, COPY, ORDER, SINE, SUNSPOTS, CO2, CHARACTERS)}


def material(training: "Training") -> Material:
    """A training's task made ready.

    Raises:
        RnnvizError: for a text or a series too short for the length that is asked, or a text that teaches nothing.
    """
    return TASKS[training.task].prepare(training)
