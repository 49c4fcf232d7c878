"""Tasks as a factor: the horizon's multiplier on several labelled data sets.

    for T in mnist fashion_mnist digits teacher4 teacher10; do
        python -m launch.sweep --config=launch/configs/tasks.py:$T --workdir=runs/task_$T
    done
    python -m analysis.report runs/task_*

Time on 2 cores: half a minute to 2 minutes each with other load. Expected to 0.7: knees of 13
(mnist), 19 (digits), 21 and 13 (teachers of 4 and of 10 classes); exponents whose intervals hold 1.

`teacher4` and `teacher10` are fixed random networks with 4 and 10 classes; any other name is that
of a task.
"""

import ml_collections

from launch.configs import choose, horizon

TEACHERS = {"teacher4": 4, "teacher10": 10}


def get_config(task: str = "digits") -> ml_collections.ConfigDict:
    """One width, 7 horizons, 4 seeds."""
    config = horizon.get_config()
    if task.startswith("teacher"):
        classes = TEACHERS[choose(task, TEACHERS)]
        config.task = ml_collections.ConfigDict(
            {"name": "teacher", "classes": classes, "dimensions": 16, "hidden_width": 16}
        )
    elif task != "mnist":
        config.task = ml_collections.ConfigDict({"name": task})
    config.widths = (64,)
    config.noise.samples = 0
    return config
