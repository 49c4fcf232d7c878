"""Tasks as a factor: the horizon's multiplier on several labelled data sets.

    for T in mnist fashion_mnist kmnist digits graded_digits teacher4 teacher10 teacher30 \\
             teacher10-hard teacher10-noise0.1 teacher10-noise0.2 teacher10-noise0.4; do
        python -m launch.sweep --config=launch/configs/tasks.py:$T --workdir=runs/task_$T
    done
    python -m analysis.report runs/task_*

TIMES

`teacher4`, `teacher10` and `teacher30` are fixed random networks of 16 inputs with 4, 10 and 30
classes; any other name without a hyphen is that of a task. `-hard` gives the teacher 64 inputs:
the labels are as certain, but the student has four times as many directions to learn.
`-noise0.2` draws a label with probability 0.2 uniformly from all classes, once for each of 60,000
examples: too many to be memorised at this width, so that the highest return falls, here to 0.82.
Labels of the images are not made noisy: the 1,437 digits would be memorised.
"""

import ml_collections

from launch.configs import choose, horizon

CLASSES = {"teacher4": 4, "teacher10": 10, "teacher30": 30}
VARIANTS = {
    "hard": {"dimensions": 64},
    **{f"noise{share:g}": {"label_noise": share} for share in (0.1, 0.2, 0.4)},
}
"""Settings of the teacher that follow its name and a hyphen."""


def get_config(task: str = "digits") -> ml_collections.ConfigDict:
    """One width, 7 horizons, 4 seeds; the noise is measured often, for the predicted knee."""
    config = horizon.get_config()
    if task.startswith("teacher"):
        config.task = ml_collections.ConfigDict(_teacher(task))
    elif task != "mnist":
        config.task = ml_collections.ConfigDict({"name": task})
    config.widths = (64,)
    config.noise.samples = 1024
    config.noise.every = 2
    return config


def _teacher(task: str) -> dict[str, str | int | float]:
    name, hyphen, variant = task.partition("-")
    settings = {"name": "teacher", "classes": CLASSES[choose(name, CLASSES)]}
    settings |= {"dimensions": 16, "hidden_width": 16, "label_noise": 0.0}
    return settings | (VARIANTS[choose(variant, VARIANTS)] if hyphen else {})
