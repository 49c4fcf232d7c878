"""Runs one program in chunks of updates that the host starts.

The host decides when to evaluate, save and report, never what is computed: all of a run's numbers
are in its state, so that chunks of any length give the same results.
"""

import dataclasses
import logging
import math
import operator
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pyarrow as pa

from mnist_horizon import files, frontier, results, tasks
from mnist_horizon.devices import hosts
from mnist_horizon.sweeps import plan, workdir
from mnist_horizon.sweeps.checkpoints import Checkpoints
from mnist_horizon.sweeps.compiling import Code
from mnist_horizon.sweeps.live import Live
from mnist_horizon.sweeps.plan import Program
from mnist_horizon.sweeps.progress import Progress
from mnist_horizon.sweeps.rows import run_columns, table_rows
from mnist_horizon.sweeps.spec import SweepSpec
from mnist_horizon.tasks import LoadedTask
from mnist_horizon.training import Metrics, RunState

LOG = logging.getLogger(__name__)

CHUNK_SECONDS = 2.0
FLUSH_SECONDS = 15.0
POLL_SECONDS = 0.05


Turns = Generator[Callable[[], bool], None, None]
"""Work on some devices that yields while they compute: whether that is over."""


class Interrupted(Exception):
    """The process was asked to stop; everything is checkpointed."""


@dataclass
class Journal:
    """The host's part of a program's state: the update, and the rows so far."""

    update: int = 0
    sums_from: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)
    noise: list[dict[str, Any]] = field(default_factory=list)
    diverged: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """For a checkpoint."""
        return dict(vars(self))


class ProgramRunner:
    """One program from its first update, or its last checkpoint, to its results."""

    def __init__(
        self,
        spec: SweepSpec,
        program: Program,
        folder: Path,
        task: LoadedTask,
        checkpoint_seconds: float,
        code: Code,
        share: float,
        live: Live,
    ) -> None:
        """Place the program's numbers and data on its devices.

        Args:
            spec: the sweep.
            program: one of its programs.
            folder: the working directory.
            task: the task, loaded.
            checkpoint_seconds: time between checkpoints.
            code: the program's functions, compiled or being compiled.
            share: of all devices that this program has.
            live: is given the rows.
        """
        self.spec, self.program, self.folder, self.task = spec, program, folder, task
        self.checkpoint_seconds = checkpoint_seconds
        self.marks = spec.evaluation_updates(program.width)
        noise = spec.of(program.reference).noise
        self._kept_marks = spec.kept_updates(program.width)
        self._noisy_marks = range(0, len(self.marks) if noise.samples else 0, noise.every)
        self.columns = [run_columns(spec, run, task.task) for run in program.runs]
        self.code, self.share, self.live = code, share, live
        self.functions = code.functions
        self.runs = self.functions.place_runs(plan.run_params(spec, program))
        self.keys = self.functions.place_keys(program.seeds)
        data, self.test_count = task.task, len(task.task.test.labels)
        if spec.test_sample_of(self.test_count) < self.test_count:
            data = dataclasses.replace(data, test=tasks.in_sampling_order(data.test))
        self._ordered = data
        self.data = self.functions.place_task(data)

    def run(self, stop: Callable[[], bool], progress: Progress, begun: Callable[[], None]) -> Turns:
        """Run to the end, or raise `Interrupted` with everything checkpointed.

        Yields while the devices compute, or something is compiled: whether that is over. Until
        then the host may turn to the programs on other devices.

        Args:
            stop: whether to stop.
            progress: is told of every chunk.
            begun: is called when all is compiled and the first update is about to start.
        """
        name = self.program.program_id
        if file := hosts.on_first(lambda: workdir.damaged(self.folder, self.program)):
            LOG.warning("%s is missing or damaged: %s is run again", file, name)
        with Checkpoints(self.folder, name) as checkpoints:
            shapes = self.functions.program_shapes(self.code.state)
            restored = checkpoints.restore(shapes, self._journal)
            journal = self._journal(restored[1]) if restored else Journal()
            progress.start(self.program, journal.update, self.share)
            yield from self._until_compiled(stop)
            begun()
            state = self._first_state(restored)
            yield from self._updates(state, journal, checkpoints, stop, progress)
            checkpoints.remove()
        progress.finish(self.program)
        self.live.finish(self.program)

    def _journal(self, host: dict[str, Any]) -> Journal:
        """The journal in a checkpoint.

        Raises:
            ValueError, TypeError, LookupError: it is not one of this program.
        """
        journal = Journal(**host)
        for row in journal.rows:  # checkpoints of older versions do not say it: it was all
            row.setdefault("test_examples", self.test_count)
        rows = [*journal.rows, *journal.noise]
        numbers = [journal.seconds, *(value for row in rows for value in row.values())]
        counts = [journal.update, journal.sums_from, *journal.diverged.values()]
        counts += [row["run"] for row in rows]
        names = {columns["run_id"] for columns in self.columns}
        if (
            not all(isinstance(number, int | float) for number in numbers)
            or not all(isinstance(count, int) and count >= 0 for count in counts)
            or not (journal.sums_from <= journal.update <= self.marks[-1])
            or not names.issuperset(journal.diverged)
        ):
            raise ValueError("its rows are those of another program")
        self._tables(journal)
        return journal

    def _until_compiled(self, stop: Callable[[], bool]) -> Turns:
        """Wait for all functions, so that the speed of updates does not include their compilation.

        Raises:
            Interrupted: a process was asked to stop; nothing is lost.
        """
        while hosts.synchronize(0.0, not self.code.is_ready())[1]:
            if hosts.synchronize(0.0, stop())[1]:
                raise Interrupted
            yield lambda: self.code.is_ready() or stop()
            self.code.wait(POLL_SECONDS)

    def _first_state(self, restored: tuple[Any, dict[str, Any]] | None) -> RunState:
        """The state of the last checkpoint, or the initial one."""
        if restored is None:
            initial: RunState = self.code["init"](self.keys, self.data, self.runs)
            if self._kept_marks:
                self._keep(initial, 0)
            return initial
        update = restored[1]["update"]
        LOG.info("%s continues at update %d", self.program.program_id, update)
        return self.functions.pack(restored[0])

    def _updates(
        self,
        state: RunState,
        journal: Journal,
        checkpoints: Checkpoints,
        stop: Callable[[], bool],
        progress: Progress,
    ) -> Turns:
        """Do all updates that are left, chunk by chunk, and write what comes of them."""
        chunk = 1
        unsaved = unflushed = 0.0
        while not self._is_over(journal):
            started = time.monotonic()
            count = min(chunk, self._next_mark(journal) - journal.update)
            state, metrics = self._advance(state, journal, count)
            pending: Any = metrics.updates
            yield pending.is_ready
            pending.block_until_ready()
            updated = time.monotonic()
            is_evaluated = self._note(state, metrics, journal)
            ended = time.monotonic()
            seconds = ended - started
            evaluating = ended - updated if is_evaluated else 0.0
            report = partial(progress.advance, self.program, count, seconds, journal.rows)
            hosts.on_first(partial(report, evaluating))  # all processes raise its errors
            seconds, is_stopping = hosts.synchronize(seconds, stop())
            journal.seconds += seconds
            unsaved, unflushed = unsaved + seconds, unflushed + seconds
            chunk = _next_chunk(chunk, seconds, is_whole=count == chunk)
            if is_stopping or unsaved >= self.checkpoint_seconds:
                self._flush(journal)
                state_by_run = self.functions.unpack(state)
                checkpoints.save(journal.update, state_by_run, journal.to_json())
                unsaved = unflushed = 0.0
                if is_stopping:
                    raise Interrupted
            elif unflushed >= FLUSH_SECONDS:
                self._flush(journal)
                unflushed = 0.0
        self._finish(state, journal)

    def _is_over(self, journal: Journal) -> bool:
        """Whether the budget is spent, or at an evaluation all runs are past the threshold.

        Between evaluations nothing ends a program: how far a chunk goes depends on the speed.
        """
        is_evaluated = journal.update == journal.sums_from
        return journal.update >= self.marks[-1] or (
            is_evaluated and self._all_past_threshold(journal)
        )

    def _next_mark(self, journal: Journal) -> int:
        return next(mark for mark in self.marks if mark > journal.update)

    def _advance(self, state: RunState, journal: Journal, count: int) -> tuple[RunState, Metrics]:
        """Start `count` updates on the devices; `journal` counts them."""
        continues = np.bool_(journal.update != journal.sums_from)
        numbers = np.int32(journal.update), np.int32(count), continues
        journal.update += count
        started: tuple[RunState, Metrics] = self.code["update"](
            state, self.runs, self.data, self.keys, *numbers
        )
        return started

    def _note(self, state: RunState, metrics: Metrics, journal: Journal) -> bool:
        """Note what updates gave, and do the evaluation that is due after them; was it done?"""
        self._note_divergence(state, journal)
        if journal.update not in self.marks:
            return False
        self._write_rows(state, metrics, journal)
        self.live.add(self.program, journal.rows)
        if self.marks.index(journal.update) in self._noisy_marks:
            self._write_noise(state, journal)
        if journal.update in self._kept_marks:
            self._keep(state, journal.update)
        return True

    def _write_rows(self, state: RunState, metrics: Metrics, journal: Journal) -> None:
        """Add a row for each run, of the updates since the rows before."""
        sums: Any = self._by_run(vars(metrics))  # in float64, unlike the devices'
        means = Metrics(**sums).means
        examples = self._test_examples(journal, means["return_mean"].tolist())
        scores = self.code["evaluate"](state, self.data, self.keys, np.int32(examples))
        measured = means | self._by_run(scores)
        for i, columns in enumerate(self.columns):
            row = {name: float(values[i]) for name, values in measured.items()}
            if not all(map(math.isfinite, row.values())):
                self._stop_run(columns["run_id"], journal.update, journal)
            if columns["run_id"] not in journal.diverged:
                counts = {
                    "interactions": journal.update * self.spec.batch_size,
                    "updates": journal.update,
                    "test_examples": examples,
                }
                journal.rows.append({"run": i, **counts, **row})
        journal.sums_from = journal.update

    def _write_noise(self, state: RunState, journal: Journal) -> None:
        """Measure the gradient's noise, for a row of the noise table for each run."""
        number = np.int32(journal.update)
        measure = self.code["measure"]
        flat = self._by_run(measure(state, self.runs, self.data, self.keys, number))
        for i, columns in enumerate(self.columns):
            if columns["run_id"] not in journal.diverged:
                row = {name: float(value[i]) for name, value in flat.items()}
                count = journal.update * self.spec.batch_size
                journal.noise.append({"run": i, "interactions": count, **row})

    def _keep(self, state: RunState, update: int) -> None:
        """Write the policies at an update, with the first of them the examples."""
        params = self.functions.unpack(state.params)
        hosts.on_first(lambda: self._write_kept(params, update))

    def _write_kept(self, params: Any, update: int) -> None:
        name, interactions = self.program.program_id, update * self.spec.batch_size
        if update == 0:
            images = tasks.in_sampling_order(self.task.task.test).images[: results.KEPT_EXAMPLES]
            results.save_examples(self.folder, name, np.asarray(images))
        results.save_kept(self.folder, name, interactions, params)

    def _by_run(self, arrays: dict[str, Any]) -> dict[str, np.ndarray]:
        """Arrays of the layout as float64 by the program's runs."""
        by_run = self.functions.unpack(arrays)
        return {name: np.asarray(value, np.float64) for name, value in by_run.items()}

    def _note_divergence(self, state: RunState, journal: Journal) -> None:
        """Stop the runs whose policy or rewards were not finite at one of the updates."""
        diverged = self.functions.unpack(state.diverged_at)
        for columns, update in zip(self.columns, diverged, strict=True):
            if update >= 0:
                self._stop_run(columns["run_id"], int(update), journal)

    def _stop_run(self, run_id: str, update: int, journal: Journal) -> None:
        """Note and log, once, that a run diverged: it gets no more rows and no policy."""
        if run_id not in journal.diverged:
            journal.diverged[run_id] = update
            LOG.error("run %s is not finite at update %d: it stops, others do not", run_id, update)

    def _test_examples(self, journal: Journal, returns: Sequence[float]) -> int:
        """On how many examples the next rows are measured: all, if they are the last ones.

        The last are those of the last update, and those whose returns end the program.
        """
        is_last = journal.update >= self.marks[-1] or self._all_past_threshold(journal, returns)
        return self.test_count if is_last else self.spec.test_sample_of(self.test_count)

    def _all_past_threshold(self, journal: Journal, returns: Sequence[float] = ()) -> bool:
        """Whether every run that can still learn has been past `stop_at_return`.

        `returns` are those of the program's runs that are no rows yet.
        """
        threshold = self.spec.stop_at_return
        if threshold == 0 or not (journal.rows or len(returns)):
            return False
        past = {row["run"] for row in journal.rows if row["return_mean"] >= threshold}
        past |= {run for run, value in enumerate(returns) if value >= threshold}
        return len(past | self._diverged_numbers(journal)) == len(self.columns)

    def _diverged_numbers(self, journal: Journal) -> set[int]:
        names = [columns["run_id"] for columns in self.columns]
        return {names.index(run) for run in journal.diverged}

    def _flush(self, journal: Journal) -> None:
        """Write the rows so far, so that an unfinished sweep can be read."""
        hosts.on_first(lambda: self._write_tables(journal))

    def _write_tables(self, journal: Journal) -> list[Path]:
        """Write the tables that have rows; returns their files."""
        written = []
        for kind, rows, schema in self._tables(journal):
            if rows:
                path = files.inside(self.folder, kind, f"{self.program.program_id}.parquet")
                results.write_results(path, rows, schema)
                written.append(path)
        return written

    def _tables(self, journal: Journal) -> list[tuple[str, list[dict[str, Any]], pa.Schema]]:
        """The folder, rows and schema of each table."""
        kinds = (
            ("results", journal.rows, results.SCHEMA),
            ("noise", journal.noise, results.NOISE_SCHEMA),
        )
        return [(kind, table_rows(rows, self.columns, form), form) for kind, rows, form in kinds]

    def _finish(self, state: RunState, journal: Journal) -> None:
        """Results, policies, and only then the record that marks the program as done."""
        params = self.functions.unpack(state.params)
        hosts.on_first(lambda: self._write_end(params, journal))

    def _write_end(self, params: Any, journal: Journal) -> None:
        written = self._write_tables(journal)
        for i, columns in enumerate(self.columns):
            if columns["run_id"] in journal.diverged:
                continue
            policy = jax.tree.map(operator.itemgetter(i), params)
            results.save_policy(self.folder, columns["run_id"], policy)
            written.append(self.folder / "policies" / results.policy_file(columns["run_id"]))
        if self._kept_marks:
            self._write_kept(params, journal.update)
            written += results.kept_files(self.folder, self.program.program_id)
        if self.task.task.has_gold:
            written.append(self._write_frontier())
        facts = {
            "interactions": journal.update * self.spec.batch_size,
            "seconds": round(journal.seconds, 3),
            "diverged": journal.diverged,
            "cut": {
                "groups": self.functions.layout.groups,
                "runs_per_group": self.functions.layout.runs_per_group,
                "devices": self.functions.layout.devices,
            },
        }
        workdir.write_done(
            self.folder, self.spec, self.program, written, self.task.provenance, facts
        )

    def _write_frontier(self) -> Path:
        """Write the table of the best policies by KL from the initial ones."""
        train = self.spec.of(self.program.reference).train_spec(self.program.width)
        examples = self.spec.test_sample_of(self.test_count)
        found = frontier.of_seeds(train, self._ordered, self.program.seeds, examples)
        full = ({**columns, **row} for columns in self.columns for row in found[columns["seed"]])
        schema = results.FRONTIER_SCHEMA
        rows = [{name: row[name] for name in schema.names} for row in full]
        path = files.inside(self.folder, "frontier", f"{self.program.program_id}.parquet")
        results.write_results(path, rows, schema)
        return path


def _next_chunk(chunk: int, seconds: float, is_whole: bool) -> int:
    """Updates of the next chunk, so that one takes about `CHUNK_SECONDS`.

    Signals, checkpoints and progress are handled between chunks. A chunk that is shortened by an
    evaluation is not used for the estimate.
    """
    if is_whole and seconds < CHUNK_SECONDS / 2:
        return chunk * 2
    return max(1, chunk // 2) if seconds > 2 * CHUNK_SECONDS else chunk
