"""Run a sweep on SLURM, with the `--config` and `--workdir` of `launch.sweep`, which the jobs call.

    python -m launch.slurm --config=FILE --workdir=DIR --slurm.partition=NAME

The programs that are missing are packed into the tasks of one array job, of about equal work. A
task that is preempted or reaches its time limit saves its state, is requeued and resumes bit for
bit. The same command again submits only what is missing and neither queued nor running. The working
directory must be on a file system that the nodes share. Tasks start in the current folder.

    python -m launch.slurm ... --dry_run            the jobs, nothing submitted or written
    python -m launch.slurm --workdir=DIR --status   what is done, running, queued, failed, and why

Exit codes: 0 done; 2 the input is invalid, or SLURM does not answer, and nothing was submitted.
"""

import json
import subprocess
import sys
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import jax
import submitit
from absl import flags
from ml_collections import config_flags

from launch.slurm.job import Work
from launch.slurm.status import Queue, describe, states
from mnist_horizon import cli, files, tasks
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


def main(argv: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    del argv
    if not WORKDIR.value:
        raise SweepError("--workdir: name the folder for the results")
    folder = Path(WORKDIR.value).absolute()
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
        task, problem = tasks.load_or_stand_in(spec.task, spec.task_settings)
        if problem:
            print(f"the data are not there, so this is by their shapes alone: {problem}")
        live = Queue.ask(folder).programs() if folder.exists() else {}
        placed, rest = workdir.remaining_runs(folder, spec)
        missing = [program for program in placed if program.program_id not in live]
        missing += plan.plan(spec, rest, plan.memory_by_width(spec, task.task))
        print(describe_jobs(spec, pack(spec, task, missing, TASKS.value), settings))
        return cli.DONE
    task = tasks.load(spec.task, spec.task_settings)
    with workdir.lock(folder, "slurm", wait=True):
        live = Queue.ask(folder).programs()
        programs = workdir.prepare(
            folder, spec, plan.memory_by_width(spec, task.task), task.provenance
        )
        left = [program for program in programs if not workdir.is_done(folder, program)]
        missing = [program for program in left if program.program_id not in live]
        print(
            f"{len(programs)} programs: {len(programs) - len(left)} done, "
            f"{len(left) - len(missing)} queued or running, {len(missing)} to submit"
        )
        if missing:
            packed = pack(spec, task, missing, TASKS.value)
            print(f"submitted as job {submit(folder, packed, settings)}: {len(packed)} tasks")
    return cli.DONE


def pack(
    spec: SweepSpec, task: LoadedTask, programs: Iterable[Program], most: int
) -> list[list[Program]]:
    """Programs in at most this many tasks: the largest first, each to the task with least work."""
    shape, classes = task.task.train.images.shape[1:], task.task.classes
    work = {
        program: len(program.runs) * plan.work_per_interaction(spec, program.width, classes, shape)
        for program in programs
    }
    packed: list[list[Program]] = [[] for _ in range(min(most, len(work)))]
    for program in sorted(work, key=lambda p: (-work[p], p.program_id)):
        min(packed, key=lambda chosen: sum(work[p] for p in chosen)).append(program)
    return packed


def sbatch_settings() -> dict[str, Any]:
    """Parameters of submitit from the flags.

    Raises:
        SweepError: no partition, or an option of sbatch that is not NAME=VALUE.
    """
    if not PARTITION.value:
        raise SweepError("--slurm.partition: name one (sinfo lists them)")
    extra: dict[str, Any] = {"requeue": True}
    for option in EXTRA.value:
        name, equals, value = option.lstrip("-").partition("=")
        if not name or not equals:
            raise SweepError(f"--slurm.sbatch={option}: write NAME=VALUE")
        extra[name] = value
    settings = {
        "partition": PARTITION.value,
        "time": MINUTES.value,
        "array_parallelism": PARALLEL.value,
        "nodes": NODES.value,
        "ntasks_per_node": PER_NODE.value,
        "cpus_per_task": CPUS.value,
        "gpus_per_node": GPUS.value,
        "mem": f"{MEMORY.value}GB" if MEMORY.value else None,
        "setup": SETUP.value or None,
        "signal_delay_s": min(SECONDS_TO_SAVE, 30 * MINUTES.value),
        "additional_parameters": extra,
    }
    return {name: value for name, value in settings.items() if value is not None}


def describe_jobs(
    spec: SweepSpec, packed: Sequence[Sequence[Program]], settings: dict[str, Any]
) -> str:
    """Each task with its programs, runs and interactions, and the options of sbatch."""
    lines = []
    for index, programs in enumerate(packed):
        runs = sum(len(program.runs) for program in programs)
        interactions = spec.batch_size * sum(
            len(program.runs) * spec.updates(program.width) for program in programs
        )
        names = ", ".join(program.program_id for program in programs)
        lines.append(f"task {index}: {runs} runs, {interactions:,} interactions: {names}")
    options = {**settings, **settings["additional_parameters"]}
    del options["additional_parameters"]
    lines.append("sbatch: " + " ".join(f"{name}={value}" for name, value in options.items()))
    return "\n".join(lines if packed else ["nothing to submit"])


def submit(folder: Path, packed: Sequence[Sequence[Program]], settings: dict[str, Any]) -> str:
    """Submit one array job; its tasks are written first, so that every job is known.

    Raises:
        SweepError: SLURM refuses it.
    """
    name = f"mnist_horizon-{uuid.uuid4().hex[:12]}"
    place = files.inside(folder, "slurm", name)
    ids = [[program.program_id for program in programs] for programs in packed]
    files.write_text(place / "tasks.json", json.dumps(ids, indent=1))
    try:
        executor = submitit.SlurmExecutor(place, max_num_timeout=sys.maxsize)
        executor.update_parameters(job_name=name, **settings)
        with executor.batch():
            jobs = [
                executor.submit(Work(sweep_command(folder, names), folder, name, index))
                for index, names in enumerate(ids)
            ]
    except (OSError, RuntimeError, ValueError, subprocess.SubprocessError) as error:
        files.remove_folder(folder, "slurm", name)
        raise SweepError(f"SLURM refused the job: {_reason(error)}") from None
    return jobs[0].job_id.partition("_")[0]


def sweep_command(folder: Path, programs: Sequence[str]) -> tuple[str, ...]:
    """`-m launch.sweep` with this command's config, on some of the programs."""
    flag = flags.FLAGS["config"]
    changes = config_flags.get_override_values(flag)
    return (
        *("-m", "launch.sweep", f"--config={config_flags.get_config_filename(flag)}"),
        *(f"--config.{name}={value}" for name, value in changes.items()),
        *(f"--log={name}" for name in LOG.value),
        *(f"--workdir={folder}", f"--programs={','.join(programs)}"),
    )


def _reason(error: BaseException) -> str:
    message = getattr(error, "stderr", None) or str(error)
    text = message.decode() if isinstance(message, bytes) else str(message)
    return " ".join(text.split())[:300]


if __name__ == "__main__":
    cli.run(main, fields=config_settings)
