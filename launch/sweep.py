"""Run a sweep: `python -m launch.sweep --config=FILE --workdir=DIR [--config.FIELD=VALUE ...]`.

The same command again resumes the sweep, or reports that all is done. Several processes may be
given the same command at once: each works on programs that no other works on. `--dry_run` prints
what would be run; with `--target=v5e|v5p|v6e|a100|h100|h200[:CHIPS]` it compiles every program for
such chips, none of which is needed, and prints memory, kernels and a forecast
(docs/accelerators.md).

Processes on several hosts work on each program together, over all of their devices, where they are
the tasks of an `srun`, the hosts of a TPU pod, or are given `--coordinator`, `--num_processes` and
`--process_id`: the same command on every host, and the first one reads and writes the directory.

Exit codes: 0 done, or left to other processes; 1 done, and some runs diverged (they are named);
2 the input is invalid, nothing was written; 3 interrupted, and 4 the working directory could not be
written (a full disk): its files are complete, and the same command resumes from there.
"""

import errno
import logging as standard_logging
import sys
from collections.abc import Sequence
from pathlib import Path

from absl import flags, logging
from tqdm import tqdm

from mnist_horizon import cli, tasks
from mnist_horizon.errors import SweepError
from mnist_horizon.sweeps import SweepSpec, spec_from

LOG = standard_logging.getLogger("mnist_horizon")

CONFIG = cli.define_config()
WORKDIR = flags.DEFINE_string("workdir", None, "Where results, policies and checkpoints go.")
DRY_RUN = flags.DEFINE_bool(
    "dry_run", False, "Print programs, cost and expected time; run nothing."
)
TARGET = flags.DEFINE_string(
    "target",
    "",
    "With --dry_run: a chip, as in h100 or v5e:4, to compile every program for; none is needed.",
)
CHECKPOINT_SECONDS = flags.DEFINE_float(
    "checkpoint_seconds", 60.0, "Time between checkpoints.", lower_bound=0.0
)

PROGRAMS = flags.DEFINE_list("programs", [], "Only these programs of the working directory.")
COORDINATOR = flags.DEFINE_string("coordinator", "", "HOST:PORT of the first of several processes.")
NUM_PROCESSES = flags.DEFINE_integer("num_processes", 0, "Number of processes.", lower_bound=0)
PROCESS_ID = flags.DEFINE_integer("process_id", -1, "Number of this process, from 0.")


def main(argv: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    del argv
    _log_plainly()
    spec = spec_from(cli.settings_of(CONFIG.value))
    if not WORKDIR.value:
        raise SweepError("--workdir: name the folder for the results")
    if TARGET.value and not DRY_RUN.value:
        raise SweepError("--target: only with --dry_run: nothing runs on a chip that is not here")
    # Imported only now, so that invalid settings are reported in half the time.
    from launch import forecast
    from mnist_horizon import devices
    from mnist_horizon.devices import hosts
    from mnist_horizon.sweeps import runner

    if TARGET.value:
        _stay_on_the_host()
    devices.use_cpu_cores()
    devices.keep_compiled()
    hosts.start(COORDINATOR.value, NUM_PROCESSES.value, PROCESS_ID.value)
    devices.check_devices()
    if not hosts.is_first():
        LOG.setLevel(standard_logging.CRITICAL)  # only the first process logs
    folder = cli.folder(WORKDIR.value)
    hosts.on_first(lambda: _check(folder, spec))
    task = tasks.load(spec.task, spec.task_settings)
    if DRY_RUN.value and hosts.is_first():
        _describe(spec, folder, task)
    if DRY_RUN.value:
        return cli.DONE
    try:
        only = PROGRAMS.value or None
        outcome = runner.run_sweep(spec, folder, task, CHECKPOINT_SECONDS.value, only)
    except runner.Interrupted:
        LOG.info("interrupted: all is saved, the same command continues")
        hosts.leave(cli.INTERRUPTED)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        reason = f"{place}{error.strerror}" if error.strerror else str(error)
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = f"make room in {folder}" if is_full else f"check {folder}"
        LOG.error("error: %s: %s, and the same command continues", reason, remedy)
        return cli.CANNOT_WRITE
    for program in outcome.busy:
        LOG.info("%s is left to the process that works on it", program)
    LOG.info("results in %s; peak memory %s", folder / "results", forecast.size(cli.peak_bytes()))
    if outcome.diverged:
        runs = ", ".join(f"{run} (update {at})" for run, at in outcome.diverged.items())
        LOG.error("error: not finite, so stopped: %s: try a lower learning rate", runs)
        return cli.FAILED
    return cli.DONE


def _stay_on_the_host() -> None:
    """Use no accelerator, and compile anew what is timed."""
    import jax

    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_enable_compilation_cache", False)


def _describe(spec: SweepSpec, folder: Path, task: tasks.LoadedTask) -> None:
    """Print what would be run, on this machine or on the target's chips.

    Raises:
        SweepError: the target is unknown, or a program does not fit into its memory.
    """
    from launch import forecast, targets
    from mnist_horizon.devices.targets import parse

    if TARGET.value:
        target = parse(TARGET.value)
        print(targets.describe(spec, target, targets.compile_sweep(spec, folder, task, target)))
    else:
        costs = forecast.forecast(spec, folder, task, forecast.product_speed())
        print(forecast.describe(spec, task, costs, forecast.divide(spec, folder, task)))
    print(f"peak memory of this process so far: {forecast.size(cli.peak_bytes())}")


def _check(folder: Path, spec: SweepSpec) -> None:
    """Refuse a working directory that does not suit the command, without touching it.

    Raises:
        InputError: it holds another sweep or cannot be written, or has not all `--programs`.
    """
    from mnist_horizon.sweeps import workdir

    workdir.check(folder, spec)
    placed = {path.stem for path in folder.glob("programs/*.json")}
    if unknown := [name for name in PROGRAMS.value if name not in placed]:
        raise SweepError(f"--programs: {unknown[0]} is not a program of {folder}")


class _PlainLines(standard_logging.Handler):
    """Messages as lines on stderr, above a progress bar if there is one."""

    def emit(self, record: standard_logging.LogRecord) -> None:
        tqdm.write(record.getMessage(), file=sys.stderr)


def _log_plainly() -> None:
    logging.set_verbosity(logging.FATAL)  # this command reports the errors of libraries itself
    LOG.setLevel("INFO")
    LOG.propagate = False
    LOG.handlers = [_PlainLines()]


if __name__ == "__main__":
    cli.run(main)
