"""Checkpoints: everything that a program needs to resume bit for bit; the newest two are kept."""

import errno
import hashlib
import json
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from mnist_horizon import files
from mnist_horizon.devices import hosts
from mnist_horizon.files import check_name

LOG = logging.getLogger(__name__)

KEPT = 2


class PlainFiles(ocp.CheckpointHandler):
    """Arrays as `arrays.npz` and the host's part as `host.json`.

    Orbax writes a checkpoint completely or not at all, and deletes the oldest. Its own
    format for arrays would write from threads that print tracebacks when a disk is full.
    """

    def save(self, directory: os.PathLike[str], args: "Save") -> None:
        """Write both files and flush them to disk."""
        with (Path(directory) / "arrays.npz").open("xb") as file:
            np.savez(file, **args.arrays)
            file.flush()
            os.fsync(file.fileno())
        with (Path(directory) / "host.json").open("x") as file:
            json.dump(args.host, file)
            file.flush()
            os.fsync(file.fileno())

    def restore(self, directory: os.PathLike[str], args: "Restore | None" = None) -> "Save":
        """Read the whole of both files."""
        del args
        arrays = files.read_arrays(Path(directory) / "arrays.npz")
        return Save(arrays, files.read_json(Path(directory) / "host.json"))


@ocp.args.register_with_handler(PlainFiles, for_save=True)
@dataclass
class Save(ocp.args.CheckpointArgs):
    """What a checkpoint holds."""

    arrays: dict[str, Any] = field(default_factory=dict)
    host: dict[str, Any] = field(default_factory=dict)


@ocp.args.register_with_handler(PlainFiles, for_restore=True)
@dataclass
class Restore(ocp.args.CheckpointArgs):
    """Restoring takes no arguments: the folder is enough."""


class Checkpoints:
    """The checkpoints of one program, `WORKDIR/checkpoints/<program id>/`.

    A checkpoint is a pytree of arrays and the host's part as JSON, which carries the checksum of
    both: a damaged checkpoint is detected and logged, and the one before is used. Of several
    processes the first writes and reads, and the others receive what it read.
    """

    def __init__(self, workdir: Path, program_id: str) -> None:
        self._workdir = workdir.absolute()
        self._parts = "checkpoints", check_name(program_id)
        self._folder = self._workdir.joinpath(*self._parts)
        hosts.on_first(self._open)

    def _open(self) -> None:
        files.inside(self._workdir, *self._parts).mkdir(parents=True, exist_ok=True)
        for half_written in self._folder.glob("*.orbax-checkpoint-tmp*"):
            files.remove_folder(self._workdir, *self._parts, half_written.name)
        options = ocp.CheckpointManagerOptions(
            max_to_keep=KEPT,
            create=False,
            enable_async_checkpointing=False,
            lightweight_initialize=True,
            multiprocessing_options=ocp.options.MultiprocessingOptions(
                primary_host=0, active_processes={0}, barrier_sync_key_prefix="first"
            ),
        )
        self._manager = ocp.CheckpointManager(self._folder, options=options)

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *_: object) -> None:
        if hosts.is_first():
            self._manager.close()

    def save(self, step: int, state: Any, host: dict[str, Any]) -> None:
        """Write a checkpoint and wait until it is complete; only the newest two are kept.

        Raises:
            OSError: it cannot be written; earlier ones are unchanged.
        """
        hosts.on_first(lambda: self._save(step, _numbered(state), json.dumps(host)))

    def _save(self, step: int, arrays: dict[str, np.ndarray], text: str) -> None:
        content = {"host": text, "checksum": _checksum(arrays, text)}
        try:
            self._manager.save(step, args=Save(arrays, content))
            self._manager.wait_until_finished()
        except Exception as error:  # Orbax wraps what its handlers raise
            full = os.strerror(errno.ENOSPC)
            if full in str(error):
                raise OSError(errno.ENOSPC, full, str(self._folder)) from error
            raise OSError(f"cannot write a checkpoint: {_one_line(error)}") from error

    def restore(
        self, like: Any, check: Callable[[dict[str, Any]], object] = dict
    ) -> tuple[Any, dict[str, Any]] | None:
        """The newest complete checkpoint, in the structure of `like`; None without one.

        Args:
            like: a pytree with the shapes and types of the arrays.
            check: is called with the host's part, and raises an error where it is another's.

        Raises:
            OSError: one cannot be read, for a reason that may be temporary; it is kept.
        """
        newest = hosts.on_first(lambda: self._newest(like, check))
        if newest is None:
            return None
        leaves, text = newest
        return jax.tree.unflatten(jax.tree.structure(like), leaves), files.parse_json(text)

    def _newest(
        self, like: Any, check: Callable[[dict[str, Any]], object]
    ) -> tuple[list[np.ndarray], str] | None:
        for step in sorted(self._manager.all_steps(), reverse=True):
            try:
                leaves, text = self._restore(step, like)
                check(files.parse_json(text))
                return leaves, text
            except Exception as error:  # damage raises many errors; all mean: use the one before
                if isinstance(error, OSError | MemoryError) and not _is_missing(error):
                    raise  # the file may be intact, and readable later
                LOG.warning(
                    "checkpoint %s/%d is damaged, the one before is used: %s",
                    self._folder.name,
                    step,
                    _one_line(error),
                )
                self._manager.delete(step)
        return None

    def _restore(self, step: int, like: Any) -> tuple[list[np.ndarray], str]:
        saved = self._manager.restore(step, args=Restore())
        arrays, text = saved.arrays, saved.host["host"]
        if _checksum(arrays, text) != saved.host["checksum"]:
            raise ValueError("its content is not what was saved")
        expected = {name: (leaf.shape, leaf.dtype) for name, leaf in _named(like).items()}
        if expected != {name: (array.shape, array.dtype) for name, array in arrays.items()}:
            raise ValueError("its arrays are those of another program")
        return [arrays[name] for name in expected], text

    def remove(self) -> None:
        """Delete all checkpoints: the program is done."""
        if hosts.is_first():
            self._manager.close()
            files.remove_folder(self._workdir, *self._parts)


def _named(state: Any) -> dict[str, Any]:
    """Leaves by number: a checkpoint stays readable when the code's structures are renamed."""
    return {f"{i:03d}": leaf for i, leaf in enumerate(jax.tree.leaves(state))}


def _numbered(state: Any) -> dict[str, np.ndarray]:
    return {name: np.asarray(leaf) for name, leaf in _named(state).items()}


def _checksum(arrays: dict[str, Any], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name}{array.dtype}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _is_missing(error: OSError | MemoryError) -> bool:
    return isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:160]
