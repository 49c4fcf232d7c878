"""Checkpoints: everything that a program needs to go on bit for bit, kept twice."""

import hashlib
import json
import logging
import shutil
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

LOG = logging.getLogger(__name__)

KEPT = 2


class Checkpoints:
    """The checkpoints of one program, `WORKDIR/checkpoints/<program id>/`.

    A checkpoint is a pytree of arrays and the host's part as JSON, which carries the checksum of
    both: a damaged checkpoint is noticed, said in one line, and the one before is used.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        for half_written in self._folder.glob("*.orbax-checkpoint-tmp*"):
            shutil.rmtree(half_written)
        options = ocp.CheckpointManagerOptions(
            max_to_keep=KEPT, enable_async_checkpointing=False, lightweight_initialize=True
        )
        self._manager = ocp.CheckpointManager(self._folder, options=options)

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *_: object) -> None:
        self._manager.close()

    def save(self, step: int, state: Any, host: dict[str, Any]) -> None:
        """Write a checkpoint and wait until it is whole; the oldest of more than two goes.

        Raises:
            OSError: it cannot be written; those before are left as they are.
        """
        arrays, text = _numbered(state), json.dumps(host)
        content = {"host": text, "checksum": _checksum(arrays, text)}
        try:
            self._manager.save(
                step,
                args=ocp.args.Composite(
                    state=ocp.args.StandardSave(arrays), host=ocp.args.JsonSave(content)
                ),
            )
            self._manager.wait_until_finished()
        except Exception as error:  # the storage libraries have many kinds for a disk that is full
            raise OSError(f"cannot write a checkpoint: {_one_line(error)}") from error

    def restore(self, like: Any) -> tuple[Any, dict[str, Any]] | None:
        """The newest checkpoint that is whole, as the structure of `like`; None without one."""
        for step in sorted(self._manager.all_steps(), reverse=True):
            try:
                return self._restore(step, like)
            except Exception as error:  # damage shows in many ways; all mean: the one before
                LOG.warning(
                    "checkpoint %s/%d is damaged, the one before is used: %s",
                    self._folder.name,
                    step,
                    _one_line(error),
                )
                self._manager.delete(step)
        return None

    def _restore(self, step: int, like: Any) -> tuple[Any, dict[str, Any]]:
        template = {name: np.empty(leaf.shape, leaf.dtype) for name, leaf in _named(like).items()}
        restored = self._manager.restore(
            step,
            args=ocp.args.Composite(
                state=ocp.args.StandardRestore(template), host=ocp.args.JsonRestore()
            ),
        )
        arrays, text = restored["state"], restored["host"]["host"]
        if _checksum(arrays, text) != restored["host"]["checksum"]:
            raise ValueError("its content is not what was saved")
        leaves = [arrays[name] for name in template]
        return jax.tree.unflatten(jax.tree.structure(like), leaves), json.loads(text)

    def remove(self) -> None:
        """Delete them all: the program is done."""
        self._manager.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def _named(state: Any) -> dict[str, Any]:
    """Leaves by number: their structure is the code's affair, and the checkpoint stays readable."""
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


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:160]
