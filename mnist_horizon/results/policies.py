"""Final policies of runs."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from mnist_horizon import files
from mnist_horizon.results.errors import ResultsError, one_line


def save_policy(workdir: Path | str, run_id: str, params: Any) -> None:
    """Write a run's final policy parameters (a pytree of arrays) to `WORKDIR/policies/`.

    Raises:
        InputError: the id is not a plain name, or the path leads through a link.
    """
    from flax import serialization  # not at the top: reading tables does not need flax

    data = serialization.msgpack_serialize(serialization.to_state_dict(params))
    path = files.inside(workdir, "policies", policy_file(run_id))
    files.write_atomically(path, lambda file: file.write(data))


def load_policy(workdir: Path | str, run_id: str) -> dict[str, Any]:
    """Read a run's final policy parameters: nested dictionaries of NumPy arrays.

    Raises:
        InputError: the id is not a plain name.
        ResultsError: the run has no policy there, or its file is damaged or holds something else.
    """
    from flax import serialization

    path = Path(workdir) / "policies" / policy_file(run_id)
    try:
        files.check_regular(path)
        params = serialization.msgpack_restore(path.read_bytes())
        _check_arrays(params)
    except FileNotFoundError:
        raise ResultsError(f"{path}: not found: no finished run {run_id!r} there") from None
    except Exception as error:  # msgpack has exceptions of its own; all mean damaged bytes
        raise ResultsError(f"{path}: cannot be read: {one_line(error)}") from error
    return dict(params)


def _check_arrays(params: Any) -> None:
    """Refuse what is no dictionary of arrays, at any depth.

    Raises:
        ValueError: there is something else in it.
    """
    if not isinstance(params, dict):
        raise ValueError("it does not hold arrays alone")
    for value in params.values():
        if not isinstance(value, np.ndarray):
            _check_arrays(value)


def policy_checksum(workdir: Path | str, run_id: str) -> str:
    """sha256 of the file of a run's final policy.

    Raises:
        InputError: the id is not a plain name.
        ResultsError: the run has no policy there.
    """
    path = Path(workdir) / "policies" / policy_file(run_id)
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        raise ResultsError(f"{path}: not found: no finished run {run_id!r} there") from None


def policy_file(run_id: str) -> str:
    """Name of the file of a run's policy.

    Raises:
        InputError: the id is not a plain name.
    """
    return f"{files.check_name(run_id)}.msgpack"
