"""Cold start: from the start of a Python process to the end of its first update.

A separate process does what `launch.sweep` does until then, with nothing compiled before: imports,
the task (noise of MNIST's size), the program, its compilation, one update.
"""

import dataclasses
import json
import os
import subprocess
import sys
import time

from launch.benchmarks.cases import Case
from mnist_horizon.errors import SweepError


def cold_start(case: Case) -> float:
    """Seconds from the start of a process to the end of its first update of a case.

    Raises:
        SweepError: the process failed; the message has its last line.
    """
    command = [
        sys.executable,
        "-m",
        "launch.benchmarks.start",
        json.dumps(dataclasses.asdict(case)),
    ]
    started = time.time()
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env={**os.environ, "JAX_ENABLE_COMPILATION_CACHE": "false"},
    )
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise SweepError(f"the process that measures the cold start failed: {last[0]}")
    return float(done.stdout) - started


def main(case: Case) -> None:
    """Do the first update of a case and print the time at its end."""
    from launch.benchmarks import cases
    from mnist_horizon import devices

    devices.use_cpu_cores()
    task = cases.mnist_shaped_task()
    cases.Updates(case.spec(), case.program(), task, case.devices).run(1)
    print(time.time())


if __name__ == "__main__":
    main(Case(**json.loads(sys.argv[1])))
