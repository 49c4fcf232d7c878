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
written (a full disk): its files are complete, and the same command resumes from there; 5 an
unexpected error, with its traceback in WORKDIR/problems.log.

SIGTERM, SIGINT (Ctrl-C), SIGHUP, SIGUSR1, SIGUSR2 and SIGXCPU interrupt it: the chunk of updates in
flight is finished and a checkpoint written. Losing stderr (a full disk, a closed terminal) does
not: the training goes on, and WORKDIR/problems.log has a line.
"""

from mnist_horizon import interruption, terminal

if __name__ == "__main__":  # before the other imports, which take seconds
    terminal.keep_streams()
    interruption.end_at_once()

import logging as standard_logging
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml
from absl import flags, logging
from tqdm import tqdm

from mnist_horizon import cli, files, tasks
from mnist_horizon.errors import SweepError, printable
from mnist_horizon.sweeps import SweepSpec, config_settings, live, spec_from

LOG = standard_logging.getLogger("mnist_horizon")

CONFIG = cli.define_config()
WORKDIR = flags.DEFINE_string("workdir", None, "Where results, policies and checkpoints go.")
DRY_RUN = flags.DEFINE_bool(
    "dry_run", False, "Print programs, cost and expected time; run nothing."
)
SHOW_CONFIG = flags.DEFINE_bool(
    "show_config", False, "Print every field of the config, defaults too, as YAML; run nothing."
)
TARGET = flags.DEFINE_string(
    "target",
    "",
    "With --dry_run: a chip, as in h100 or v5e:4, to compile every program for; none is needed.",
)
LOGS = flags.DEFINE_multi_enum(
    "log", [], live.LOGS, "Show the runs there as they go on too; may be given for each."
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
    if SHOW_CONFIG.value:
        print(yaml.safe_dump(spec.to_config(), sort_keys=False, default_flow_style=None), end="")
        return cli.DONE
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
    interruption.end_at_once()  # JAX has set a handler of its own where it joined processes
    devices.check_devices()
    if not hosts.is_first():
        LOG.setLevel(standard_logging.CRITICAL)  # only the first process logs
    folder = cli.folder(WORKDIR.value)
    hosts.on_first(lambda: _check(folder, spec))
    if DRY_RUN.value:
        if hosts.is_first():
            _describe(spec, folder)
        return cli.DONE
    if hosts.is_first():
        terminal.problems.folder = folder
    task = tasks.load(spec.task, spec.task_settings)
    try:
        only = PROGRAMS.value or None
        outcome = runner.run_sweep(
            spec, folder, task, CHECKPOINT_SECONDS.value, only, logs=LOGS.value
        )
    except runner.Interrupted:
        LOG.info("interrupted: all is saved, the same command continues")
        hosts.leave(cli.INTERRUPTED)
    except OSError as error:
        LOG.error("error: %s, and the same command continues", files.remedy(error, folder))
        return cli.CANNOT_WRITE
    for program in outcome.busy:
        LOG.info("%s is left to the process that works on it", program)
    LOG.info("results in %s; peak memory %s", folder / "results", forecast.size(cli.peak_bytes()))
    if not outcome.busy and not PROGRAMS.value:
        LOG.info("%s", _next(folder))
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


def _describe(spec: SweepSpec, folder: Path) -> None:
    """Print what would be run, on this machine or on the target's chips; the data may be missing.

    Raises:
        SweepError: the target is unknown, or a program does not fit into its memory.
    """
    from launch import forecast, targets
    from mnist_horizon.devices.targets import parse
    from mnist_horizon.sweeps import workdir

    if workdir.is_finished(folder, spec):
        print(f"done: all {spec.run_count} runs; {_next(folder)}")
        return
    task, _ = forecast.task_to_plan(spec.task, spec.task_settings)
    if TARGET.value:
        target = parse(TARGET.value)
        print(targets.describe(spec, target, targets.compile_sweep(spec, folder, task, target)))
    else:
        costs, division = forecast.forecast(spec, folder, task, forecast.product_speed())
        print(forecast.describe(spec, task, costs, division))
    print(f"peak memory of this process so far: {forecast.size(cli.peak_bytes())}")


def _next(folder: Path) -> str:
    """What to do when a sweep is done."""
    return f"next: python -m analysis.report {shlex.quote(str(folder))}"


def _check(folder: Path, spec: SweepSpec) -> None:
    """Refuse a working directory that does not suit the command, without touching it.

    Raises:
        InputError: it holds another sweep or cannot be written, or has not all `--programs`; or a
            log cannot be used.
    """
    from mnist_horizon.sweeps import workdir

    live.check(folder, LOGS.value)
    workdir.check(folder, spec, is_written=not DRY_RUN.value)
    placed = {path.stem for path in folder.glob("programs/*.json")}
    if unknown := [name for name in PROGRAMS.value if name not in placed]:
        raise SweepError(f"--programs: {unknown[0]} is not a program of {folder}")


class _PlainLines(standard_logging.Handler):
    """Messages as lines on stderr, above a progress bar if there is one."""

    def emit(self, record: standard_logging.LogRecord) -> None:
        tqdm.write(printable(record.getMessage()), file=sys.stderr)


def _log_plainly() -> None:
    logging.set_verbosity(logging.FATAL)  # this command reports the errors of libraries itself
    LOG.setLevel("INFO")
    LOG.propagate = False
    LOG.handlers = [_PlainLines()]


if __name__ == "__main__":
    cli.run(main, fields=config_settings)
