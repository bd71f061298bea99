"""All tasks by name. Each is one record, in ``glue.py`` or ``packaged.py``; the rest of the suite names no task."""

from adkd.base.errors import unknown
from adkd.data import glue, packaged
from adkd.data.records import HIDDEN, Task

__all__ = ["HIDDEN", "TASKS", "Task", "task"]

TASKS: dict[str, Task] = {task.name: task for task in (*glue.TASKS, *packaged.TASKS)}


def task(name: str) -> Task:
    """The task of that name.

    Raises:
        InputError: no task has that name.
    """
    if name not in TASKS:
        raise unknown("task", name, TASKS)
    return TASKS[name]
