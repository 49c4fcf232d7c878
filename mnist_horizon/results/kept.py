"""Policies kept along training (`policies_every`), which need no JAX to be read.

WORKDIR/kept/<program>-at<interactions>.npz   parameters of its runs, "first/kernel": [run, ...]
WORKDIR/kept/<program>-examples.npz           images, bytes or floats: test examples to compare on
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mnist_horizon import files
from mnist_horizon.results.errors import ResultsError, one_line
from mnist_horizon.results.records import read_programs

KEPT_EXAMPLES = 128
"""Most test examples that are kept beside the policies."""

_FOLDER = "kept"


@dataclass(frozen=True)
class KeptPolicy:
    """The policy of a run at one point of its training.

    Attributes:
        run_id: the run.
        interactions: how many it had used.
        params: arrays by layer and name, `params["first"]["kernel"]`.
        images: test examples, the same for all policies of a program, [example, ...]: bytes (0 to
            255), or floats, which networks see as they are.
    """

    run_id: str
    interactions: int
    params: Mapping[str, Mapping[str, np.ndarray]]
    images: np.ndarray


def save_kept(
    workdir: Path | str, program_id: str, interactions: int, params: Mapping[str, Any]
) -> None:
    """Write the parameters of a program's runs, arrays [run, ...] by layer and name.

    Raises:
        InputError: the id is not a plain name, or the path leads through a link.
    """
    arrays = {
        f"{layer}/{name}": np.asarray(array)
        for layer, group in params.items()
        for name, array in group.items()
    }
    _save(workdir, f"{program_id}-at{interactions}", arrays)


def save_examples(workdir: Path | str, program_id: str, images: np.ndarray) -> None:
    """Write the test examples on which a program's kept policies are compared.

    Raises:
        InputError: as `save_kept`.
    """
    _save(workdir, f"{program_id}-examples", {"images": np.asarray(images)})


def kept_files(workdir: Path | str, program_id: str) -> list[Path]:
    """The files of a program's kept policies and their examples, by name."""
    marks = [path for _, path in _marks(Path(workdir), program_id)]
    return sorted([*marks, *(Path(workdir) / _FOLDER).glob(f"{program_id}-examples.npz")])


def kept_policies(workdir: Path | str) -> Iterator[KeptPolicy]:
    """The policies kept in a working directory, finished or not, in order of their programs.

    A policy that is not finite (its run diverged) is left out.

    Raises:
        ResultsError: a file is damaged, or does not belong to its program.
    """
    records, _ = read_programs(workdir)  # their ids are plain names
    for record in records:
        program_id = record["program_id"]
        found = _marks(Path(workdir), program_id)
        if not found:
            continue
        images = _load(Path(workdir) / _FOLDER / f"{program_id}-examples.npz").get("images")
        if images is None:
            raise ResultsError(f"{workdir}: the examples of {program_id} hold no images")
        for interactions, path in found:
            arrays = _load(path)
            if any(np.shape(array)[:1] != (len(record["runs"]),) for array in arrays.values()):
                raise ResultsError(f"{path}: it does not hold the policies of {program_id}")
            for number, run_id in enumerate(record["runs"]):
                params = _nested(path, {name: array[number] for name, array in arrays.items()})
                if all(np.isfinite(array[number]).all() for array in arrays.values()):
                    yield KeptPolicy(run_id, interactions, params, images)


def _marks(workdir: Path, program_id: str) -> list[tuple[int, Path]]:
    """Interactions at which a program's policies were kept, and the files."""
    start = f"{program_id}-at"
    paths = (workdir / _FOLDER).glob(f"{start}*.npz")
    numbers = [(path.stem.removeprefix(start), path) for path in paths]
    return sorted((int(text), path) for text, path in numbers if text.isdecimal())


def _save(workdir: Path | str, name: str, arrays: Mapping[str, Any]) -> None:
    path = files.inside(workdir, _FOLDER, f"{files.check_name(name)}.npz")
    files.write_atomically(path, lambda file: np.savez(file, **arrays))


def _load(path: Path) -> dict[str, np.ndarray]:
    try:
        return files.read_arrays(path)
    except (OSError, ValueError) as error:
        raise ResultsError(f"{path}: cannot be read: {one_line(error)}") from None


def _nested(path: Path, arrays: Mapping[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    params: dict[str, dict[str, np.ndarray]] = {}
    for key, array in arrays.items():
        layer, slash, name = key.partition("/")
        if not slash or array.dtype.kind != "f":
            raise ResultsError(f"{path}: {key!r} is not a parameter")
        params.setdefault(layer, {})[name] = array
    return params
