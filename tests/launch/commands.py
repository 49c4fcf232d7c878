"""Commands as processes of their own, forked from a server that has the imports behind it.

A Python that imports JAX and its kin takes seconds to start. Python's own fork server does so once;
each command is then a fresh process (no JAX backend is started yet) that may be killed.
"""

import multiprocessing
import multiprocessing.process
import os
import runpy
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent.parent

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["mnist_horizon.sweeps.runner", "ml_collections.config_flags"])


@dataclass
class Command:
    """A started `python -m MODULE ARGUMENTS`, with its output in files."""

    folder: Path
    process: multiprocessing.process.BaseProcess = field(repr=False)

    def wait(self, seconds: float | None = 300) -> int:
        """Its exit code, or minus the signal that ended it."""
        self.process.join(seconds)
        assert self.process.exitcode is not None, f"still running: {self.err}"
        return self.process.exitcode

    @property
    def out(self) -> str:
        """What it has written to stdout."""
        return (self.folder / "stdout").read_text()

    @property
    def err(self) -> str:
        """What it has written to stderr."""
        return (self.folder / "stderr").read_text()


def start(
    folder: Path,
    *arguments: str,
    module: str = "launch.sweep",
    stderr: str = "",
    environment: Mapping[str, str] | None = None,
) -> Command:
    """Start a command; `stderr` may name a terminal instead of a file in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "stdout").write_text("")
    (folder / "stderr").write_text("")
    target = stderr or str(folder / "stderr")
    process = _FORKS.Process(
        target=_main, args=(module, arguments, str(folder), target, dict(environment or {}))
    )
    process.start()
    return Command(folder, process)


def run(folder: Path, *arguments: str, module: str = "launch.sweep") -> Command:
    """Start a command and wait for its end."""
    command = start(folder, *arguments, module=module)
    command.wait()
    return command


def _main(
    module: str,
    arguments: tuple[str, ...],
    folder: str,
    stderr: str,
    environment: Mapping[str, str],
) -> None:
    os.chdir(CHECKOUT)
    os.environ.pop("XLA_FLAGS", None)
    os.environ.update(environment)
    os.setsid()  # signals of the terminal that runs the tests are not for it
    for name, number in ((f"{folder}/stdout", 1), (stderr, 2)):
        os.dup2(os.open(name, os.O_WRONLY | os.O_APPEND | os.O_NOCTTY), number)
    sys.stdout = os.fdopen(1, "w", buffering=1)
    sys.stderr = os.fdopen(2, "w", buffering=1)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
