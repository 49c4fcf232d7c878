"""Run a sweep on SLURM, with the `--config` and `--workdir` of `launch.sweep`, which the jobs call.

    python -m launch.slurm --config=FILE --workdir=DIR --slurm.partition=NAME

The programs that are missing are packed into the tasks of one array job, of about equal work. A
task that is preempted or reaches its time limit saves its state, is requeued and resumes bit for
bit. The same command again submits only what is missing and neither queued nor running. The working
directory must be on a file system that the nodes share. Tasks start in the current folder.

    python -m launch.slurm ... --dry_run            the jobs, nothing submitted or written
    python -m launch.slurm --workdir=DIR --status   what is done, running, queued, failed, and why

Exit codes: 0 done; 2 the input is invalid, or SLURM does not answer or refuses the job, and nothing
was submitted or written.
"""

import heapq
import json
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import jax
from absl import flags
from ml_collections import config_flags

from launch.forecast import task_to_plan
from launch.slurm import sbatch
from launch.slurm.status import Queue, describe, states
from mnist_horizon import cli, files, tasks
from mnist_horizon.devices.memory import ProgramMemory
from mnist_horizon.errors import SweepError
from mnist_horizon.sweeps import SweepSpec, config_settings, plan, spec_from, workdir
from mnist_horizon.sweeps.live import LOGS
from mnist_horizon.sweeps.live import check as check_logs
from mnist_horizon.sweeps.plan import Program
from mnist_horizon.tasks import LoadedTask

CONFIG = cli.define_config()
WORKDIR = flags.DEFINE_string("workdir", None, "As in launch.sweep, on a file system of all nodes.")
LOG = flags.DEFINE_multi_enum("log", [], LOGS, "As in launch.sweep.")
DRY_RUN = flags.DEFINE_bool("dry_run", False, "Print the jobs; submit and write nothing.")
STATUS = flags.DEFINE_bool("status", False, "Print what is done, running, queued and failed.")

PARTITION = flags.DEFINE_string("slurm.partition", None, "The partition.")
MINUTES = flags.DEFINE_integer("slurm.minutes", 60, "Time limit of a job; it is requeued.", 2)
TASKS = flags.DEFINE_integer("slurm.tasks", 64, "Maximum number of tasks.", 1)
PARALLEL = flags.DEFINE_integer("slurm.parallel", 64, "Maximum number of tasks at a time.", 1)
NODES = flags.DEFINE_integer("slurm.nodes", 1, "Nodes that work on each program together.", 1)
PER_NODE = flags.DEFINE_integer("slurm.processes_per_node", 1, "Processes on each of them.", 1)
CPUS = flags.DEFINE_integer("slurm.cpus", None, "CPU cores of a process.", 1)
GPUS = flags.DEFINE_integer("slurm.gpus", None, "GPUs of a node.", 1)
MEMORY = flags.DEFINE_integer("slurm.mem_gb", None, "Memory of a node.", 1)
EXTRA = flags.DEFINE_multi_string(
    "slurm.sbatch", [], "Another option of sbatch, as in --slurm.sbatch=account=ours."
)
SETUP = flags.DEFINE_multi_string(
    "slurm.setup", [], "A shell line to run first, such as `module load`."
)

SECONDS_TO_SAVE = 90
"""How long before its limit a job is asked to save; a chunk of updates takes about two seconds."""

ATTEMPTS = 3
"""How often what is missing is asked anew where another command submits some of it meanwhile."""


def main(argv: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    del argv
    if not WORKDIR.value:
        raise SweepError("--workdir: name the folder for the results")
    folder = cli.folder(WORKDIR.value).absolute()
    if STATUS.value:
        print(describe(states(folder, Queue.ask(folder))))
        return cli.DONE
    jax.config.update("jax_platforms", "cpu")  # a login node's accelerators are not used
    spec = spec_from(cli.settings_of(CONFIG.value))
    check_logs(folder, LOG.value)
    workdir.check(folder, spec, is_written=not DRY_RUN.value)
    files.inside(folder, "slurm")
    settings = sbatch_settings()
    if DRY_RUN.value:
        task, _ = task_to_plan(spec.task, spec.task_settings)
        missing = sweep_of(spec, folder, task).missing()[1]
        packed = pack(spec, task, missing, TASKS.value)
        print(describe_jobs(spec, packed, settings))
        sbatch.check_array(len(packed))
        return cli.DONE
    sweep = sweep_of(spec, folder, tasks.load(spec.task, spec.task_settings))
    for _ in range(ATTEMPTS):
        if submit_missing(sweep, settings):
            return cli.DONE
    raise SweepError(f"other commands submit programs of {folder}: give the same command again")


@dataclass(frozen=True)
class Sweep:
    """A sweep with its working directory and task.

    Attributes:
        spec: the sweep.
        folder: its working directory.
        task: the task that it names, loaded.
        needs: for each width, what a run and a group need.
    """

    spec: SweepSpec
    folder: Path
    task: LoadedTask
    needs: dict[int, ProgramMemory]

    def missing(self) -> tuple[str, list[Program]]:
        """How many programs are in which state, and those to submit; nothing is written."""
        live = Queue.ask(self.folder).programs()
        placed, new = workdir.planned(self.folder, self.spec, self.needs)
        left = [program for program in placed if not workdir.is_done(self.folder, program)] + new
        missing = [program for program in left if program.program_id not in live]
        total = len(placed) + len(new)
        counts = (
            f"{total} programs: {total - len(left)} done, {len(left) - len(missing)} queued or "
            f"running, {len(missing)} to submit"
        )
        return counts, missing


def sweep_of(spec: SweepSpec, folder: Path, task: LoadedTask) -> Sweep:
    """The sweep with what its runs need."""
    return Sweep(spec, folder, task, plan.memory_by_width(spec, task.task))


def submit_missing(sweep: Sweep, settings: dict[str, str | int | bool]) -> bool:
    """Submit the programs that are missing; False if another command changed them meanwhile.

    The job is on hold until all is written, and what SLURM refuses leaves nothing behind.

    Raises:
        SweepError: SLURM refuses the job.
    """
    counts, missing = sweep.missing()
    packed = pack(sweep.spec, sweep.task, missing, TASKS.value)
    sbatch.check_array(len(packed))
    if not packed:
        print(counts)
        return True
    place = files.inside(sweep.folder, "slurm", f"mnist_horizon-{uuid.uuid4().hex[:12]}")
    script = sbatch.script(place, SETUP.value, sweep_command(sweep.folder), len(packed) > 1)
    job = sbatch.hold(sbatch.options(place, settings, len(packed), PARALLEL.value), script)
    try:
        with workdir.lock(sweep.folder, "slurm", wait=True):
            workdir.prepare(sweep.folder, sweep.spec, sweep.needs, sweep.task.provenance)
            is_same = set(sweep.missing()[1]) == set(missing)
            if is_same:
                place.mkdir(mode=0o755, parents=True)  # where others write, logs may be redirected
                ids = [[program.program_id for program in programs] for programs in packed]
                files.write_text(place / "tasks.json", json.dumps(ids, indent=1))
                sbatch.release(job)
    except BaseException:
        sbatch.cancel(job)
        files.remove_folder(sweep.folder, "slurm", place.name)
        raise
    if is_same:
        print(f"{counts}\nsubmitted as job {job}: {len(packed)} tasks")
    else:
        sbatch.cancel(job)
    return is_same


def pack(
    spec: SweepSpec, task: LoadedTask, programs: Iterable[Program], most: int
) -> list[list[Program]]:
    """Programs in at most this many tasks: the largest first, each to the task with least work."""
    shape, classes = task.task.train.images.shape[1:], task.task.classes
    each = {width: plan.work_per_interaction(spec, width, classes, shape) for width in spec.widths}
    work = [(program.run_count * each[program.width], program) for program in programs]
    packed: list[list[Program]] = [[] for _ in range(min(most, len(work)))]
    loads = [(0.0, index) for index in range(len(packed))]
    for seconds, program in sorted(work, key=lambda pair: (-pair[0], pair[1].program_id)):
        load, index = loads[0]
        packed[index].append(program)
        heapq.heapreplace(loads, (load + seconds, index))
    return packed


def sbatch_settings() -> dict[str, str | int | bool]:
    """Options of sbatch from the flags.

    Raises:
        SweepError: no partition, or an option of sbatch that is not NAME=VALUE.
    """
    if not PARTITION.value:
        raise SweepError("--slurm.partition: name one (sinfo lists them)")
    settings: dict[str, str | int | bool | None] = {
        "partition": PARTITION.value,
        "time": MINUTES.value,
        "nodes": NODES.value,
        "ntasks-per-node": PER_NODE.value,
        "cpus-per-task": CPUS.value,
        "gpus-per-node": GPUS.value,
        "mem": f"{MEMORY.value}GB" if MEMORY.value else None,
        "signal": f"USR2@{min(SECONDS_TO_SAVE, 30 * MINUTES.value)}",
        "requeue": True,
    }
    for option in EXTRA.value:
        name, equals, value = option.lstrip("-").partition("=")
        if not name or not equals:
            raise SweepError(f"--slurm.sbatch={option}: write NAME=VALUE")
        settings[name.replace("_", "-")] = value
    return {name: value for name, value in settings.items() if value is not None}


def describe_jobs(
    spec: SweepSpec, packed: Sequence[Sequence[Program]], settings: dict[str, str | int | bool]
) -> str:
    """Each task with its programs, runs and interactions, and the options of sbatch."""
    lines = []
    for index, programs in enumerate(packed):
        runs = sum(program.run_count for program in programs)
        interactions = spec.batch_size * sum(
            program.run_count * spec.updates(program.width) for program in programs
        )
        names = ", ".join(program.program_id for program in programs)
        lines.append(f"task {index}: {runs} runs, {interactions:,} interactions: {names}")
    lines.append(" ".join(["sbatch:", *sbatch.flags_of(settings)]))
    return "\n".join(lines if packed else ["nothing to submit"])


def sweep_command(folder: Path) -> tuple[str, ...]:
    """`-m launch.sweep` with this command's config; a task adds its programs."""
    flag = flags.FLAGS["config"]
    changes = config_flags.get_override_values(flag)
    return (
        *("-m", "launch.sweep", f"--config={config_flags.get_config_filename(flag)}"),
        *(f"--config.{name}={value}" for name, value in changes.items()),
        *(f"--log={name}" for name in LOG.value),
        f"--workdir={folder}",
    )


if __name__ == "__main__":
    cli.run(main, fields=config_settings)
