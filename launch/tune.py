"""Search learning rates: `python -m launch.tune --config=FILE --workdir=DIR [--config.F=VALUE]`.

The config is a sweep's, with a group `tuning` of what to try (`launch/configs/tuned.py`). For each
width, horizon and algorithm it does successive halving; then it fits the rule, prints its fields as
lines for a config, and writes them with their spread to `rule.json`. The same command again
resumes; cells that are done are not computed again. `--dry_run` prints what would be run.

Exit codes: 0 done, or left to other processes; 2 the input is invalid, nothing was written; 3
interrupted, and 4 the working directory could not be written: the same command resumes; 5 an
unexpected error, with its traceback in WORKDIR/problems.log. What interrupts it, and that it does
not need its stderr, is as for `launch.sweep`.
"""

from mnist_horizon import interruption, terminal

if __name__ == "__main__":  # before the other imports, which take seconds
    terminal.keep_streams()
    interruption.end_at_once()

import logging as standard_logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags, logging

from mnist_horizon import cli, files, tasks
from mnist_horizon.errors import SweepError
from mnist_horizon.tuning import Tuning, tuning_from, tuning_settings

LOG = standard_logging.getLogger("mnist_horizon")

CONFIG = cli.define_config()
WORKDIR = flags.DEFINE_string("workdir", None, "Where tables and the rule go.")
DRY_RUN = flags.DEFINE_bool("dry_run", False, "Print cells, interactions and time; run nothing.")


def main(argv: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    del argv
    logging.set_verbosity(logging.FATAL)
    LOG.setLevel("INFO")
    LOG.propagate = False
    LOG.handlers = [standard_logging.StreamHandler(sys.stderr)]
    tuning = tuning_from(cli.settings_of(CONFIG.value))
    if not WORKDIR.value:
        raise SweepError("--workdir: name the folder for the results")
    # Imported only now, so that invalid settings are reported in half the time.
    from launch.forecast import task_to_plan
    from mnist_horizon import devices
    from mnist_horizon.sweeps.runner import Interrupted
    from mnist_horizon.tuning import workdir

    devices.use_cpu_cores()
    devices.keep_compiled()
    devices.check_devices()
    folder = cli.folder(WORKDIR.value)
    workdir.check(folder, tuning, is_written=not DRY_RUN.value)
    name, settings = tuning.sweep.task, tuning.sweep.task_settings
    if DRY_RUN.value:
        task, is_there = task_to_plan(name, settings)
        if is_there:
            workdir.check_task(folder, tuning, task)
        print(_describe(tuning, folder, task))
        return cli.DONE
    task = tasks.load(name, settings)
    workdir.check_task(folder, tuning, task)
    terminal.problems.folder = folder
    try:
        found = workdir.search(folder, tuning, task)
    except Interrupted:
        LOG.info("interrupted: cells that are done are saved, the same command continues")
        return cli.INTERRUPTED
    except OSError as error:
        LOG.error("error: %s, and the same command continues", files.remedy(error, folder))
        return cli.CANNOT_WRITE
    if found:
        print("\n".join(_summary(found, folder)))
    return cli.DONE


def _describe(tuning: Tuning, folder: Path, task: tasks.LoadedTask) -> str:
    """Cells that are left, with candidates, interactions of a run in each rung, and time."""
    from launch import forecast
    from mnist_horizon.sweeps import plan
    from mnist_horizon.tuning import workdir

    rows: list[Sequence[str]] = [("cell", "candidates", "seeds", "interactions by rung", "time")]
    speed = forecast.EFFICIENCY * forecast.product_speed()
    shape, total = task.task.train.images.shape[1:], 0.0
    for cell in workdir.missing(folder, tuning):
        counts, ends = tuning.rung_sizes(cell), tuning.rung_updates(cell)
        new = [end - start for start, end in zip((0, *ends), ends, strict=False)]
        updates = sum(count * more for count, more in zip(counts, new, strict=True))
        work = plan.work_per_interaction(tuning.spec, cell.width, task.task.classes, shape)
        interactions = updates * len(tuning.seeds) * tuning.sweep.batch_size
        seconds = interactions * work / speed + forecast.COMPILE_SECONDS
        total += seconds
        by_rung = ", ".join(f"{end * tuning.sweep.batch_size:,}" for end in ends)
        names = ", ".join(map(str, counts))
        rows.append((cell.name, names, str(len(tuning.seeds)), by_rung, f"{seconds:.0f} s"))
    lines = forecast.table_lines(rows)
    return "\n".join([*lines, f"{len(rows) - 1} cells left, at most {total / 60:.1f} minutes"])


def _summary(found: dict[str, Any], folder: Path) -> list[str]:
    """The rule as lines for a config, and how well it fits."""
    from mnist_horizon.tuning import rule, workdir

    spread = found["spread"]
    lines = [*rule.config_lines(found), ""]
    lines.append(f"spread of the rates about the rule: a factor {_factor(spread['rms_log_rate'])}")
    if spread["mean_cost"] is not None:
        lines.append(
            f"interactions at the rule's rates, in units of those at each cell's best: "
            f"{_factor(spread['mean_cost'])}, at most {_factor(spread['largest_cost'])}"
        )
    edge = [cell for cell in found["cells"] if cell["at_edge"]]
    if edge:
        names = ", ".join(f"{c['algorithm']} w{c['width']} h{c['horizon']:g}" for c in edge)
        lines.append(f"the best rate is the lowest or highest tried, so try more: {names}")
    return [*lines, f"written to {folder / workdir.RULE} and {folder / workdir.TABLE}"]


def _factor(log: float) -> str:
    import math

    return f"{math.exp(log):.3g}"


if __name__ == "__main__":
    cli.run(main, fields=tuning_settings)
