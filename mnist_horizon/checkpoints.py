"""Checkpoints: everything that a program needs to go on bit for bit, kept twice."""

import hashlib
import json
import logging
import shutil
from pathlib import Path
from typing import Any, Self

import jax
import numpy as np
import orbax.checkpoint as ocp

LOG = logging.getLogger(__name__)

KEPT = 2


class Checkpoints:
    """The checkpoints of one program, `WORKDIR/checkpoints/<program id>/`.

    A checkpoint is a pytree of arrays and the host's part as JSON, which carries the arrays'
    checksum: a damaged checkpoint is noticed, said in one line, and the one before is used.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        options = ocp.CheckpointManagerOptions(max_to_keep=KEPT, enable_async_checkpointing=False)
        self._manager = ocp.CheckpointManager(self._folder, options=options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._manager.close()

    def save(self, step: int, state: Any, host: dict[str, Any]) -> None:
        """Write a checkpoint and wait until it is whole; the oldest of more than two goes."""
        arrays = _numbered(state)
        content = json.dumps({"checksum": _checksum(arrays), **host})
        self._manager.save(
            step,
            args=ocp.args.Composite(
                state=ocp.args.StandardSave(arrays), host=ocp.args.JsonSave({"json": content})
            ),
        )
        self._manager.wait_until_finished()

    def restore(self, like: Any) -> tuple[Any, dict[str, Any]] | None:
        """The newest checkpoint that is whole, as the structure of `like`; None without one."""
        for step in sorted(self._manager.all_steps(), reverse=True):
            try:
                return self._restore(step, like)
            except (
                Exception
            ) as error:  # damage shows in many ways, all of them mean: the one before
                reason = " ".join(str(error).split())[:120]
                LOG.warning("checkpoint %s/%d is damaged (%s)", self._folder.name, step, reason)
                self._manager.delete(step)
        return None

    def _restore(self, step: int, like: Any) -> tuple[Any, dict[str, Any]]:
        template = jax.tree.map(np.asarray, _numbered(like))
        restored = self._manager.restore(
            step,
            args=ocp.args.Composite(
                state=ocp.args.StandardRestore(template), host=ocp.args.JsonRestore()
            ),
        )
        host = json.loads(restored["host"]["json"])
        if _checksum(restored["state"]) != host.pop("checksum"):
            raise ValueError("its arrays are not those that were saved")
        leaves = [restored["state"][f"{i:03d}"] for i in range(len(restored["state"]))]
        return jax.tree.unflatten(jax.tree.structure(like), leaves), host

    def remove(self) -> None:
        """Delete them all: the program is done."""
        self._manager.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def _numbered(state: Any) -> dict[str, np.ndarray]:
    """Leaves by number: their structure is the code's affair, and the checkpoint stays readable."""
    return {f"{i:03d}": np.asarray(leaf) for i, leaf in enumerate(jax.tree.leaves(state))}


def _checksum(arrays: dict[str, Any]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name}{array.dtype}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
