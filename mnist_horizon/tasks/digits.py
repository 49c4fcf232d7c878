"""1,797 real handwritten digits of 8x8 pixels that come with scikit-learn: no download needed."""

import hashlib
import importlib.resources
from dataclasses import dataclass

import numpy as np

from mnist_horizon.settings import setting
from mnist_horizon.tasks.registry import register
from mnist_horizon.tasks.task import LoadedTask, Task, TaskError, make_examples


@register("digits")
@dataclass(frozen=True)
class Digits:
    """The test set of UCI's Optical Recognition of Handwritten Digits (Alpaydin and Kaynak 1998).

    Pixels 0 to 16 are scaled to 0 to 255, so that one normalisation serves every task. The split
    is stratified by class and fixed by `split_seed`.
    """

    test_fraction: float = setting(0.2, "Share of the examples in the test split.")
    split_seed: int = setting(0, "The seed of the split.")

    def __post_init__(self) -> None:
        """Refuse impossible settings."""
        if not 0.01 <= self.test_fraction <= 0.99:  # each class needs an example on both sides
            raise TaskError(f"task.test_fraction must be in 0.01 to 0.99, not {self.test_fraction}")
        if not 0 <= self.split_seed < 2**32:
            raise TaskError(f"task.split_seed must be in 0 to 2^32 - 1, not {self.split_seed}")

    def load(self) -> LoadedTask:
        """Read, scale and split the digits."""
        import sklearn  # takes seconds to import, and the other tasks do not need it
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split

        data = load_digits()
        images = np.rint(data.images * (255 / 16)).astype(np.uint8)
        train, test = train_test_split(
            np.arange(len(images)),
            test_size=self.test_fraction,
            random_state=self.split_seed,
            stratify=data.target,
        )
        source = importlib.resources.files("sklearn.datasets.data") / "digits.csv.gz"
        return LoadedTask(
            task=Task(
                train=make_examples(images[train], data.target[train]),
                test=make_examples(images[test], data.target[test]),
                classes=10,
            ),
            provenance={
                "source": "scikit-learn load_digits",
                "files": [
                    {
                        "file": "digits.csv.gz",
                        "sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
                        "known_as": None,
                    }
                ],
                "versions": {"scikit-learn": sklearn.__version__},
            },
        )
