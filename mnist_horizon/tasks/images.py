"""MNIST and the data sets in its form, by name: from a folder of IDX files or from TFDS.

The images are [28, 28], upright. EMNIST's are stored transposed, in its own IDX files as in TFDS;
they are transposed back here, so that all images are upright.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Integer, UInt8

from mnist_horizon.tasks import checksums, folders, tfds_source
from mnist_horizon.tasks.checksums import PARTS
from mnist_horizon.tasks.file_kinds import kind_of_file
from mnist_horizon.tasks.idx import IdxFile, check_same, read_pair
from mnist_horizon.tasks.registry import register
from mnist_horizon.tasks.task import Examples, LoadedTask, Task, TaskError, make_examples

ENVIRONMENT_VARIABLE = "MNIST_HORIZON_DATA"
SIDE = 28
CLASSES = 10
FOLDERS_OF_OTHERS = ("qmnist", "notmnist", "medmnist")
"""Data sets that may lie beside these in files of the same names, by `folders.plain`."""

Split = tuple[UInt8[np.ndarray, "example height width"], Integer[np.ndarray, "example"]]


@dataclass(frozen=True)
class ImageTask:
    """A data set of ten classes of 28x28 images, searched for in this order.

    1. the folder `data_dir`, if it is set;
    2. the folder of the data set's name in the folder `MNIST_HORIZON_DATA` (an environment
       variable), if it exists (`emnist_digits` for emnist/digits), or torchvision's there
       (`EMNIST`);
    3. what tensorflow-datasets has prepared, or can prepare (see `tfds_source.read`).

    In a folder the IDX files may be below, in the places that `folders` knows.

    TFDS keeps the examples in a shuffled order of its own: the same data, but runs of a seed do
    not equal those from IDX files bit for bit.
    """

    data_dir: str = field(default="", metadata={"place": True})

    name: ClassVar[str]
    transposed: ClassVar[bool] = False
    own_prefix: ClassVar[str] = ""
    other_names: ClassVar[tuple[str, ...]] = ()
    """Of folders that hold it, in any spelling, beside its own."""

    def load(self) -> LoadedTask:
        """Read both splits from the first place that has them.

        Raises:
            TaskError: the files are missing, damaged or another data set's; or there is no source.
        """
        folder = self._folder()
        if folder is not None:
            splits, provenance = self._read_folder(folder)
        else:
            splits, provenance = tfds_source.read(self.name, alternatives=self._alternatives())
        train, test = (self._examples(*split) for split in splits)
        return LoadedTask(task=Task(train, test, classes=CLASSES), provenance=provenance)

    def _examples(
        self,
        images: UInt8[np.ndarray, "example height width"],
        labels: Integer[np.ndarray, "example"],
    ) -> Examples:
        upright = images.transpose(0, 2, 1) if self.transposed else images
        return make_examples(np.ascontiguousarray(upright), labels)

    def _folder(self) -> Path | None:
        if self.data_dir:
            folder = Path(os.path.expanduser(self.data_dir))  # noqa: PTH111  Path's raises
            if os.path.isfile(folder):  # noqa: PTH113
                kind = kind_of_file(folder) or "a file: name the folder of the four IDX files"
                raise TaskError(f"task.data_dir: {folder} is not a folder but {kind}")
            if not os.path.isdir(folder):  # noqa: PTH112
                raise TaskError(f"task.data_dir: there is no folder {folder}")
            return folder
        collection = os.environ.get(ENVIRONMENT_VARIABLE)
        if not collection:
            return None
        if not os.path.isdir(collection):  # noqa: PTH112
            raise TaskError(f"{ENVIRONMENT_VARIABLE}: there is no folder {collection}")
        return folders.named(Path(collection), self._folder_name(), self._names_of_folders())

    def _folder_name(self) -> str:
        return self.name.replace("/", "_")

    def _read_folder(self, folder: Path) -> tuple[list[Split], dict[str, Any]]:
        found = folders.find(folder, self._wanted())
        splits, files = [], []
        for split in ("train", "t10k"):
            parts = [f"{split}-images", f"{split}-labels"]
            images_path, labels_path = (found[part][0] for part in parts)
            pair = read_pair(images_path, labels_path, CLASSES, (SIDE, SIDE))
            for file, part in zip(pair, parts, strict=True):
                check_same(file, found[part][1:])
                files.append(self._describe(file, part))
            splits.append((pair[0].array, pair[1].array))
        return splits, {"source": "IDX files", "files": files, "versions": {}}

    def _wanted(self) -> folders.Wanted:
        names = {part: self._file_names(part) for part in PARTS}
        own, tasks = self._names_of_folders(), ImageTask.__subclasses__()
        others = {*FOLDERS_OF_OTHERS}.union(*(task._names_of_folders() for task in tasks))
        return folders.Wanted(names, own, others - own)

    @classmethod
    def _names_of_folders(cls) -> set[str]:
        return {folders.plain(name) for name in (cls.name, *cls.other_names)}

    def _file_names(self, part: str) -> list[str]:
        suffix = "idx3-ubyte" if part.endswith("images") else "idx1-ubyte"
        stems = [part]
        if self.own_prefix:
            stems.append(f"{self.own_prefix}{part.replace('t10k', 'test')}")
        stems = [f"{stem}{mark}{suffix}" for stem in stems for mark in "-."]
        return [stem + ending for stem in stems for ending in (".gz", "")]

    def _describe(self, file: IdxFile, part: str) -> dict[str, Any]:
        """Entry of the provenance; refuses a known file of another data set or part."""
        known = checksums.find(file.sha256, file.content_sha256)
        if known is not None and (known.data_set, known.part) != (self.name, part):
            raise TaskError(f"{file.path}: is the file {known.name}, not {self.name} {part}")
        return {
            "file": file.path.name,
            "sha256": file.sha256,
            "known_as": known.name if known else None,
        }

    def _alternatives(self) -> str:
        return (
            "set task.data_dir to a folder with its IDX files "
            f"(train-images-idx3-ubyte.gz and so on), or {ENVIRONMENT_VARIABLE} to a folder "
            f"that has them in {self._folder_name()}/"
        )


@register("mnist")
@dataclass(frozen=True)
class Mnist(ImageTask):
    """MNIST, 60,000 and 10,000 handwritten digits (LeCun, Cortes and Burges 1998)."""

    name: ClassVar[str] = "mnist"


@register("fashion_mnist")
@dataclass(frozen=True)
class FashionMnist(ImageTask):
    """Fashion-MNIST, 60,000 and 10,000 pictures of clothes (Xiao, Rasul and Vollgraf 2017)."""

    name: ClassVar[str] = "fashion_mnist"


@register("kmnist")
@dataclass(frozen=True)
class Kmnist(ImageTask):
    """Kuzushiji-MNIST, 60,000 and 10,000 hiragana characters (Clanuwat and others 2018)."""

    name: ClassVar[str] = "kmnist"


@register("emnist/digits")
@dataclass(frozen=True)
class EmnistDigits(ImageTask):
    """EMNIST Digits, 240,000 and 40,000 handwritten digits (Cohen and others 2017)."""

    name: ClassVar[str] = "emnist/digits"
    other_names: ClassVar[tuple[str, ...]] = ("EMNIST",)
    transposed: ClassVar[bool] = True
    own_prefix: ClassVar[str] = "emnist-digits-"
