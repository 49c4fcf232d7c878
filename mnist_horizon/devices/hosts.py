"""Several processes, one per host, that run one sweep together over all of their devices.

Every process runs the same program and holds the same numbers on its host; only the first touches
the working directory, so that results are written once and no shared file system is needed. What
the first one reads or decides reaches the others through `on_first` and `synchronize`, between the
chunks of updates and never within them. In a single process both return their input.
"""

import os
import pickle
import struct
import sys
from collections.abc import Callable, Mapping
from importlib import util
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils
from jaxtyping import UInt8

from mnist_horizon.errors import SweepError, printable
from mnist_horizon.files import shown

Value = TypeVar("Value")

SHORTEST_MESSAGE = 1024
"""Bytes; messages are padded to a power of two times this, as each length is compiled once."""


def start(coordinator: str = "", processes: int = 0, process: int = -1) -> None:
    """Join the other processes, where there are any; call it before JAX starts.

    They are given by the three arguments, or found by JAX: the tasks of a SLURM step, the hosts of
    a TPU pod. JAX waits for all of them.

    Args:
        coordinator: address and port of the first process, as in `10.0.0.1:1234`.
        processes: number of processes.
        process: number of this process, from 0.

    Raises:
        SweepError: the arguments are incomplete or impossible, or the others do not connect.
    """
    given = (bool(coordinator), processes > 0, process >= 0)
    if any(given) and not all(given):
        raise SweepError("--coordinator, --num_processes and --process_id go together: give all")
    if all(given) and (process >= processes or not coordinator.rpartition(":")[2].isdigit()):
        raise SweepError(
            f"--coordinator={coordinator} --num_processes={processes} --process_id={process}: "
            "give HOST:PORT, a count, and a number below it"
        )
    chosen: dict[str, Any] = {}
    if all(given):
        chosen = {"coordinator_address": coordinator, "num_processes": processes}
        chosen["process_id"] = process
    elif not (is_slurm_step(os.environ) or is_tpu_host()):
        return
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    try:
        jax.distributed.initialize(**chosen)
    except (RuntimeError, ValueError) as error:
        reason = printable(" ".join(str(error).split()))[:200]
        raise SweepError(f"the processes did not connect to each other: {reason}") from None


def leave(code: int) -> NoReturn:
    """End this process at once, with this exit code, after the others were told.

    A function that another thread compiles cannot be stopped, and Python's own end would wait for
    it: a minute on some accelerators, longer than a scheduler waits before it kills.
    """
    if jax.process_count() > 1:
        jax.distributed.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def is_slurm_step(environment: Mapping[str, str]) -> bool:
    """Whether this process is one of several tasks of an `srun`.

    A batch script also has the number of its job's tasks but is not one of them: only `srun` sets
    that of the step.

    Raises:
        SweepError: it is no number.
    """
    name = "SLURM_STEP_NUM_TASKS"
    text = environment.get(name) or "1"
    if not text.isdecimal():
        raise SweepError(f"{name}={shown(text)} is no number of tasks: unset it outside of SLURM")
    return int(text) > 1


def is_tpu_host() -> bool:
    """Whether this machine has TPUs that JAX is to use."""
    chosen = os.environ.get("JAX_PLATFORMS", "tpu").split(",")
    has_chips = Path("/dev/accel0").exists() or Path("/dev/vfio/0").exists()
    return "tpu" in chosen and has_chips and util.find_spec("libtpu") is not None


def lanes(count: int) -> list[list[jax.Device]]:
    """All devices in equal parts, with as many of every process's devices in each.

    All processes then take part in every program, in the same order.

    Args:
        count: of parts; it divides the number of each process's devices.
    """
    parts: list[list[jax.Device]] = [[] for _ in range(count)]
    if count == 1:
        return [jax.devices()]
    for process in range(jax.process_count()):
        own = [device for device in jax.devices() if device.process_index == process]
        size = len(own) // count
        for number, part in enumerate(parts):
            part += own[number * size : (number + 1) * size]
    return parts


def is_first() -> bool:
    """Whether this process is the one that reads and writes."""
    return jax.process_index() == 0


def on_first(function: Callable[[], Value]) -> Value:
    """Call a function in the first process; all processes return its value or raise its error.

    Every process must call this at the same place. The value is pickled, so that it is exact.
    """
    if jax.process_count() == 1:
        return function()
    message = b""
    if is_first():
        try:
            message = pickle.dumps((function(), None))
        except Exception as raised:  # any error is sent, since the others wait for a value
            message = pickle.dumps((None, raised))
    value, error = pickle.loads(_from_first(message))
    if error is not None:
        raise error
    return value


def synchronize(seconds: float, is_asked: bool) -> tuple[float, bool]:
    """Agree among all processes on the seconds taken and on whether to stop.

    Args:
        seconds: by this process's clock.
        is_asked: whether this process was asked to stop.

    Returns:
        The first process's seconds, and whether any process was asked.
    """
    if jax.process_count() == 1:
        return seconds, is_asked
    message = np.frombuffer(struct.pack("<d?", seconds, is_asked), np.uint8)
    messages = multihost_utils.process_allgather(message)
    pairs = [struct.unpack("<d?", row.tobytes()) for row in messages]
    return pairs[0][0], any(asked for _, asked in pairs)


def fetch(arrays: Any) -> Any:
    """Arrays that are sharded over all processes, as NumPy arrays in each of them."""
    if jax.process_count() == 1:
        return jax.device_get(arrays)
    return multihost_utils.process_allgather(arrays, tiled=True)


def _from_first(message: bytes) -> bytes:
    """Bytes of the first process; the others' are ignored."""
    length = np.frombuffer(struct.pack("<q", len(message)), np.uint8)
    (size,) = struct.unpack("<q", _broadcast(length).tobytes())
    padded = SHORTEST_MESSAGE
    while padded < size:
        padded *= 2
    content = np.zeros(padded, np.uint8)
    content[: len(message)] = np.frombuffer(message, np.uint8)
    return _broadcast(content).tobytes()[:size]


def _broadcast(content: UInt8[np.ndarray, "byte"]) -> UInt8[np.ndarray, "byte"]:
    return np.asarray(multihost_utils.broadcast_one_to_all(content))
