"""Runs a sweep: programs one after another, in chunks that the host drives, losing nothing.

The host decides when to look (evaluations, checkpoints, progress), never what is computed: all of a
run's numbers are carried in its state, so that chunks of any length give the same results.
"""

import dataclasses
import json
import logging
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mnist_horizon import memory, networks, results, sweep, training, workdir
from mnist_horizon.checkpoints import Checkpoints
from mnist_horizon.horizon import discount_from_horizon
from mnist_horizon.progress import Progress
from mnist_horizon.spec import SweepSpec
from mnist_horizon.sweep import Program, Run
from mnist_horizon.tasks import LoadedTask, Task, identity_settings
from mnist_horizon.training import RunState

LOG = logging.getLogger(__name__)

CHUNK_SECONDS = 2.0
FLUSH_SECONDS = 15.0


class Interrupted(Exception):
    """The process was asked to stop; everything is checkpointed."""


@dataclass(frozen=True)
class Outcome:
    """How a sweep ended: runs that diverged, as `run id: update`, and programs left to others."""

    diverged: dict[str, int]
    busy: tuple[str, ...]


@dataclass
class Journal:
    """The host's part of a program: where it is, and the rows so far."""

    update: int
    sums_from: int
    rows: list[dict[str, Any]]
    diverged: dict[str, int]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """For a checkpoint."""
        return dict(vars(self))


def run_sweep(
    spec: SweepSpec, folder: Path, task: LoadedTask, checkpoint_seconds: float = 60.0
) -> Outcome:
    """Run what a sweep still lacks in its working directory.

    Args:
        spec: the sweep.
        folder: its working directory; made if absent.
        task: the task that the spec names, loaded.
        checkpoint_seconds: time between checkpoints of a program.

    Raises:
        SweepError: the directory holds another sweep.
        Interrupted: SIGTERM or SIGINT came; the same call goes on where this one stopped.
    """
    programs = workdir.prepare(folder, spec, memory.needs(spec, task.task))
    done = [bool(workdir.read_record(folder, program).get("done")) for program in programs]
    runs = sum(len(program.runs) for program in programs)
    skipped = sum(len(p.runs) for p, is_done in zip(programs, done, strict=True) if is_done)
    LOG.info("%d runs in %d programs; %d runs are done already", runs, len(programs), skipped)
    busy = []
    with _stop_requested() as stop, Progress(folder, spec, programs) as progress:
        for program, is_done in zip(programs, done, strict=True):
            if is_done:
                progress.skip(program)
                continue
            with workdir.lock(folder, program.program_id) as free:
                if not free:
                    busy.append(program.program_id)
                elif not workdir.read_record(folder, program).get("done"):
                    runner = ProgramRunner(spec, program, folder, task, checkpoint_seconds)
                    runner.run(stop, progress)
    records = [workdir.read_record(folder, program) for program in programs]
    diverged = {run: at for record in records for run, at in record.get("diverged", {}).items()}
    return Outcome(diverged, tuple(busy))


class ProgramRunner:
    """One program from its first update, or its last checkpoint, to its results."""

    def __init__(
        self,
        spec: SweepSpec,
        program: Program,
        folder: Path,
        task: LoadedTask,
        checkpoint_seconds: float,
    ) -> None:
        self.spec, self.program, self.folder, self.task = spec, program, folder, task
        self.checkpoint_seconds = checkpoint_seconds
        self.columns = [_run_columns(spec, run, task.task) for run in program.runs]
        self.runs = jax.tree.map(jnp.asarray, sweep.run_params(spec, program))
        self.keys = jax.vmap(jax.random.key)(jnp.asarray(program.seeds))
        train = training.make_train(spec.train_spec(program.width))
        self._init = jax.jit(train.init)
        self._update = jax.jit(train.update, donate_argnums=0)
        self._evaluate = jax.jit(train.evaluate)

    def run(self, stop: Callable[[], bool], progress: Progress) -> None:
        """Run to the end, or raise `Interrupted` with everything checkpointed."""
        state = self._init(self.keys, self.task.task, self.runs)
        journal = Journal(0, 0, [], {}, 0.0)
        with Checkpoints(self.folder / "checkpoints" / self.program.program_id) as checkpoints:
            if (found := checkpoints.restore(state)) is not None:
                state, journal = jax.tree.map(jnp.asarray, found[0]), Journal(**found[1])
                LOG.info("%s goes on at update %d", self.program.program_id, journal.update)
            progress.start(self.program, journal.update)
            last_saved = last_flushed = time.monotonic()
            for newest in self._chunks(state, journal, progress):
                state = newest
                now = time.monotonic()
                if stop() or now - last_saved > self.checkpoint_seconds:
                    self._flush(journal)
                    checkpoints.save(journal.update, state, journal.to_json())
                    last_saved = last_flushed = time.monotonic()
                    if stop():
                        raise Interrupted
                elif now - last_flushed > FLUSH_SECONDS:
                    self._flush(journal)
                    last_flushed = time.monotonic()
            self._finish(state, journal)
            checkpoints.remove()
        progress.finish(self.program)

    def _chunks(self, state: RunState, journal: Journal, progress: Progress) -> Iterator[RunState]:
        """States after each chunk; `journal` goes along."""
        marks = self.spec.evaluation_updates()
        chunk = 1
        while journal.update < marks[-1] and not self._all_past_threshold(journal):
            mark = next(mark for mark in marks if mark > journal.update)
            count = min(chunk, mark - journal.update)
            started = time.monotonic()
            state = self._update(
                state,
                self.runs,
                self.task.task,
                self.keys,
                jnp.int32(journal.update),
                jnp.int32(count),
            )
            self._note_divergence(state, journal)
            seconds = time.monotonic() - started
            journal.update += count
            journal.seconds += seconds
            # The first chunk holds the compilation, so growth is by doubling, never by a ratio.
            if seconds < CHUNK_SECONDS / 2 and count == chunk:
                chunk *= 2
            elif seconds > 2 * CHUNK_SECONDS:
                chunk = max(1, chunk // 2)
            if journal.update == mark:
                state = self._write_rows(state, journal)
            progress.advance(count, journal.rows)
            yield state

    def _write_rows(self, state: RunState, journal: Journal) -> RunState:
        """Add a row for each run, and begin new sums."""
        updates = journal.update - journal.sums_from
        measured = self._evaluate(state, self.task.task, self.keys)
        sums = jax.device_get({**vars(state.sums), **measured})
        flat = {name: np.asarray(value, np.float64).reshape(-1) for name, value in sums.items()}
        for i, columns in enumerate(self.columns):
            if columns["run_id"] in journal.diverged:
                continue
            row = {
                "interactions": journal.update * self.spec.batch_size,
                "updates": journal.update,
                "return_mean": flat["return_"][i] / updates,
                "reward_mean": flat["reward"][i] / updates,
                "train_accuracy": flat["accuracy"][i] / updates,
                "entropy": flat["entropy"][i] / updates,
                "test_accuracy": flat["test_accuracy"][i],
                "kl_initial": flat["kl_initial"][i],
            }
            journal.rows.append({"run": i, **{k: _plain(v) for k, v in row.items()}})
        journal.sums_from = journal.update
        return dataclasses.replace(state, sums=jax.tree.map(jnp.zeros_like, state.sums))

    def _note_divergence(self, state: RunState, journal: Journal) -> None:
        """Name, once, each run whose numbers are no longer finite; it gets no more rows."""
        diverged = np.asarray(jax.device_get(state.diverged_at)).reshape(-1)
        for columns, update in zip(self.columns, diverged, strict=True):
            if update >= 0 and columns["run_id"] not in journal.diverged:
                journal.diverged[columns["run_id"]] = int(update)
                LOG.error(
                    "run %s diverged: not finite at update %d; it is stopped, the others go on",
                    columns["run_id"],
                    update,
                )

    def _all_past_threshold(self, journal: Journal) -> bool:
        """Whether every run that can still learn has been past `stop_at_return`."""
        threshold = self.spec.stop_at_return
        if threshold <= 0 or not journal.rows:
            return False
        past = {row["run"] for row in journal.rows if row["return_mean"] >= threshold}
        return len(past | self._diverged_numbers(journal)) == len(self.columns)

    def _diverged_numbers(self, journal: Journal) -> set[int]:
        names = [columns["run_id"] for columns in self.columns]
        return {names.index(run) for run in journal.diverged}

    def _flush(self, journal: Journal) -> None:
        """Write the rows so far, for those who look on."""
        if journal.rows:
            rows = [
                {**self.columns[row["run"]], **{k: v for k, v in row.items() if k != "run"}}
                for row in journal.rows
            ]
            path = self.folder / "results" / f"{self.program.program_id}.parquet"
            results.write_results(path, sorted(rows, key=_row_order))

    def _finish(self, state: RunState, journal: Journal) -> None:
        """Results, policies, and only then the record that says done."""
        self._flush(journal)
        params = jax.device_get(state.params)
        axes = training.run_axes(params)
        pairs = np.ndindex(len(self.program.seeds), len(self.program.variants))
        for columns, (group, run) in zip(self.columns, pairs, strict=True):
            policy = jax.tree.map(
                lambda leaf, axis, group=group, run=run: np.take(leaf[group], run, axis=axis),
                params,
                axes,
            )
            results.save_policy(self.folder, columns["run_id"], policy)
        facts = {
            "done": True,
            "interactions": journal.update * self.spec.batch_size,
            "seconds": round(journal.seconds, 3),
            "diverged": journal.diverged,
            "task": self.task.provenance,
            **workdir.provenance(),
        }
        workdir.write_record(self.folder, self.spec, self.program, facts)


def _row_order(row: Mapping[str, Any]) -> tuple[str, int]:
    return row["run_id"], row["interactions"]


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, int | np.integer) else float(value)


def _run_columns(spec: SweepSpec, run: Run, task: Task) -> dict[str, Any]:
    """Columns that hold one value a run."""
    shape, variant = task.train.images.shape[1:], run.variant
    settings = identity_settings(spec.task, spec.task_settings)
    return {
        "run_id": run.run_id(spec),
        "task": spec.task,
        "task_settings": json.dumps(settings, sort_keys=True),
        "network": spec.network.name,
        "algorithm": spec.algorithm.name,
        "baseline": spec.baseline,
        "optimizer": spec.optimizer.name,
        "schedule": variant.schedule.kind,
        "schedule_level": variant.schedule.level,
        "precision": spec.precision,
        "depth": spec.network.depth,
        "width": run.width,
        "parameters": networks.count_parameters(spec.network_spec(run.width), task.classes, shape),
        "environments": spec.batch.environments,
        "rollout_length": spec.batch.rollout_length,
        "batch": spec.batch_size,
        "flops_per_interaction": float(
            sweep.flops_per_interaction(spec, run.width, task.classes, shape)
        ),
        "horizon": variant.horizon,
        "discount": discount_from_horizon(variant.horizon),
        "gae_lambda": spec.algorithm.gae_lambda,
        "learning_rate": sweep.run_learning_rate(spec, variant),
        "entropy_coef": sweep.run_entropy_coef(spec, variant),
        "kl_coef": spec.kl_coef,
        "phase_visible": spec.phase_visible,
        "seed": run.seed,
    }


@contextmanager
def _stop_requested() -> Iterator[Callable[[], bool]]:
    """Whether SIGTERM or SIGINT came; the chunk in flight is finished first."""
    received: list[int] = []
    kinds = (signal.SIGTERM, signal.SIGINT)
    before = {kind: signal.signal(kind, lambda kind, _: received.append(kind)) for kind in kinds}
    try:
        yield lambda: bool(received)
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
