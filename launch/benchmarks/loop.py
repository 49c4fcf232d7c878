"""What a plain PyTorch loop reaches on this machine, and this trainer beside it.

The loop (`launch.benchmarks.torch_loop`) trains one run at a time. This trainer trains one run, and
several in one program. They are measured in turn (`turns`); the ratio is that of the medians.
"""

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax

from launch.benchmarks import cases
from launch.benchmarks.cases import Case
from launch.benchmarks.turns import speeds_in_turn
from mnist_horizon.errors import SweepError
from mnist_horizon.tasks import Task

HORIZON = 15.0
FILE = Path(__file__).with_name("torch_loop.py")


def compare(
    python: str, task: Task, shapes: Sequence[tuple[int, int]], runs: int, seconds: float
) -> list[dict[str, Any]]:
    """Rows of the table: for each network the loop, this trainer with one run, and with several.

    Args:
        python: a Python that has PyTorch.
        task: data of MNIST's shape.
        shapes: depth and width of each network.
        runs: how many this trainer updates together.
        seconds: about how long each measurement takes.

    Raises:
        SweepError: that Python cannot be started, or the loop fails in it.
    """
    rows = []
    for depth, width in shapes:
        one, many = (
            Case("mlp", depth, width, count, 1, cases.BATCH, "f32", jax.device_count())
            for count in (1, runs)
        )
        measured = {
            "PyTorch loop, one run": _loop(python, depth, width, seconds),
            "mnist_horizon, one run": _trainer(one, task, seconds),
            f"mnist_horizon, {runs} runs": _trainer(many, task, seconds),
        }
        speeds = speeds_in_turn(measured)
        slow = speeds["PyTorch loop, one run"]["interactions_per_second"]
        for name, row in speeds.items():
            ratio = row["interactions_per_second"] / slow
            rows.append({"network": one.label, "trainer": name, **row, "ratio": ratio})
    return rows


def _loop(python: str, depth: int, width: int, seconds: float) -> Callable[[], float]:
    """Measures the loop in a process of its own, which leaves this one's threads alone."""

    def measure(updates: int) -> float:
        settings = {
            "hidden": [width] * depth,
            "batch": cases.BATCH,
            "horizon": HORIZON,
            "updates": updates,
        }
        command = [python, "-W", "ignore", str(FILE), json.dumps(settings)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=True)
        except OSError as error:
            raise SweepError(f"--peer: {python}: {error.strerror}: name a Python") from None
        except subprocess.CalledProcessError as error:
            last = (error.stderr.strip().splitlines() or ["it failed"])[-1]
            raise SweepError(f"--peer: the loop in {python}: {last}") from None
        return float(done.stdout)

    updates = max(20, round(seconds * measure(20) / cases.BATCH))
    return lambda: measure(updates)


def _trainer(case: Case, task: Task, seconds: float) -> Callable[[], float]:
    """Measures this trainer's compiled update."""
    spec, program = case.spec(), case.program()
    updates = cases.Updates(spec, program, task, case.devices)
    updates.run(1)
    count = max(3, round(20 * seconds / updates.run(20)))
    return lambda: case.runs * count * spec.batch_size / updates.run(count)
