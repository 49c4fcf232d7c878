"""Tasks as a factor: the horizon's multiplier on several labelled data sets.

    for T in mnist fashion_mnist digits teacher10 teacher100; do
        python -m launch.sweep --config=launch/configs/tasks.py:$T --workdir=runs/task_$T
    done
    python -m analysis.report runs/task_*

`teacher10` and `teacher100` are fixed random networks with 10 and 100 classes; any other name is
that of a task.
"""

import ml_collections

from launch.configs import horizon


def get_config(task: str = "digits") -> ml_collections.ConfigDict:
    """One width, 7 horizons, 4 seeds."""
    config = horizon.get_config()
    if task.startswith("teacher"):
        classes = int(task.removeprefix("teacher") or "10")
        config.task = ml_collections.ConfigDict({"name": "teacher", "classes": classes})
    elif task != "mnist":
        config.task = ml_collections.ConfigDict({"name": task})
    config.widths = (64,)
    config.noise.samples = 0
    return config
