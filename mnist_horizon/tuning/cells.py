"""Trains the candidates of one cell, rung after rung.

A rung is one program: its runs differ in numbers that are traced, so that cells of one width and
algorithm share its compilation. Candidates that are kept go on from their state.
"""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from mnist_horizon import devices, schedules, training
from mnist_horizon.devices import Layout, ProgramFunctions
from mnist_horizon.jax_settings import own_settings
from mnist_horizon.sweeps import plan
from mnist_horizon.sweeps.plan import Program, Variant
from mnist_horizon.sweeps.runner import Interrupted
from mnist_horizon.tasks import Task
from mnist_horizon.training import Metrics, RunParams, TrainSpec
from mnist_horizon.tuning import halving
from mnist_horizon.tuning.settings import Candidate, Cell, Tuning

Rows = list[dict[str, Any]]

NUMBERS = (
    *("width", "horizon", "rung", "seed", "decay_interactions", "entropy_coef", "learning_rate"),
    *("interactions", "return_mean", "score", "kept"),
)
"""Columns of a cell's rows that the rule is made of, besides `algorithm`."""


@own_settings()
def run_cell(tuning: Tuning, cell: Cell, task: Task, stop: Callable[[], bool]) -> Rows:
    """Search one cell: a row for each rung, candidate and seed.

    Args:
        tuning: the search.
        cell: one of its cells.
        task: the task that its sweep names.
        stop: asked between calls of the devices.

    Returns:
        Rows with `algorithm`, `width`, `horizon`, `rung` (from 0), `seed`, `learning_rate`,
        `decay_interactions`, `entropy_coef`, `interactions` (trained so far), `return_mean` (the
        last), `log_interactions_T` of each threshold T, `score` (their mean) and `kept`.

    Raises:
        Interrupted: it was asked to stop.
    """
    marks, seeds = tuning.marks(cell), tuning.seeds
    ends = np.array(marks, float) * tuning.sweep.batch_size
    thresholds = tuple(sorted(tuning.sweep.thresholds)) or halving.THRESHOLDS
    chosen = tuning.candidates(cell.algorithm)
    curves = np.zeros((len(seeds), len(chosen), 0))
    state: Any = None
    rows: Rows = []
    for number, last in enumerate(tuning.rung_updates(cell)):
        rung = _Rung(tuning, cell, task, chosen)
        placed = rung.place(state)
        for first, mark in list(itertools.pairwise([0, *marks]))[curves.shape[2] :]:
            if mark > last or halving.all_reached(ends[: curves.shape[2]], curves, thresholds):
                break
            if stop():
                raise Interrupted
            placed, returns = rung.advance(placed, first, mark - first)
            curves = np.concatenate([curves, returns[..., None]], axis=2)
        done = ends[: curves.shape[2]]
        score = functools.partial(halving.log_interactions, budget=ends[-1], thresholds=thresholds)
        logs = np.array([[score(done, run) for run in seed] for seed in curves])
        kept = halving.keep(chosen, logs.mean(axis=(0, 2)))
        names = [f"log_interactions_{threshold:g}" for threshold in thresholds]
        scored = {name: logs[..., i] for i, name in enumerate(names)}
        rows += _rows(cell, number, seeds, chosen, done[-1], curves[..., -1], scored, kept)
        state = rung.taken(placed, kept)
        curves, chosen = curves[:, kept], [chosen[i] for i in kept]
    return rows


def program_of(tuning: Tuning, cell: Cell, candidates: Sequence[Candidate]) -> Program:
    """The program of a rung; its variants are the candidates, but for decay and bonus."""
    is_own = cell.algorithm == tuning.sweep.algorithm.name
    schedule = schedules.parse(tuning.sweep.schedules[0] if is_own else "dense")
    reference = "" if is_own else cell.algorithm
    variants = tuple(
        Variant(cell.horizon, schedule, candidate.learning_rate, reference)
        for candidate in candidates
    )
    return Program(cell.name, cell.width, tuning.seeds, variants)


def run_params(tuning: Tuning, program: Program, candidates: Sequence[Candidate]) -> RunParams:
    """The traced numbers of a rung's runs, as arrays [program run]."""

    def column(values: Sequence[float]) -> Any:
        return np.tile(np.asarray(values, np.float32), len(program.seeds))

    batch, pairs = tuning.sweep.batch_size, zip(candidates, program.variants, strict=True)
    decays = [batch / c.decay_interactions if c.decay_interactions else 0.0 for c in candidates]
    return dataclasses.replace(
        plan.run_params(tuning.spec, program),
        entropy_coef=column(
            [plan.run_coefficient(c.entropy_coef, variant) for c, variant in pairs]
        ),
        decay=column(decays),
    )


class _Rung:
    """The program of a cell's candidates, on its devices."""

    def __init__(
        self, tuning: Tuning, cell: Cell, task: Task, candidates: Sequence[Candidate]
    ) -> None:
        program = program_of(tuning, cell, candidates)
        layout = devices.layout_here(len(program.seeds), len(candidates))
        train = tuning.spec.of(program.reference).train_spec(cell.width)
        self._functions = _functions(train, layout)
        self._shape = len(program.seeds), len(candidates)
        self._runs = self._functions.place_runs(run_params(tuning, program, candidates))
        self._keys = self._functions.place_keys(program.seeds)
        self._data = self._functions.place_task(task)

    def place(self, state: Any) -> Any:
        """A state by program run, from `taken`, on the devices; None is the initial one."""
        if state is None:
            return self._functions.init(self._keys, self._data, self._runs)
        return self._functions.pack(state)

    def advance(
        self, state: Any, first: int, updates: int
    ) -> tuple[Any, Float[np.ndarray, "seed candidate"]]:
        """Do updates from `first` on; the mean return over them, as float64."""
        numbers = np.int32(first), np.int32(updates), np.bool_(False)
        state, metrics = self._functions.update(state, self._runs, self._data, self._keys, *numbers)
        by_run = self._functions.unpack(vars(metrics))
        sums: Any = {name: np.asarray(values, np.float64) for name, values in by_run.items()}
        return state, Metrics(**sums).means["return_mean"].reshape(self._shape)

    def taken(self, state: Any, kept: Sequence[int]) -> Any:
        """The states of the candidates that are kept, by program run."""
        seeds, candidates = self._shape
        places = [seed * candidates + i for seed in range(seeds) for i in kept]
        return jax.tree.map(lambda leaf: leaf[places], self._functions.unpack(state))


@functools.lru_cache(maxsize=32)
def _functions(spec: TrainSpec, layout: Layout) -> ProgramFunctions:
    """Cells of one width and algorithm share the functions, so that they are compiled once."""
    return ProgramFunctions(training.make_train(spec), layout)


def _rows(
    cell: Cell,
    rung: int,
    seeds: Sequence[int],
    candidates: Sequence[Candidate],
    interactions: float,
    returns: Float[np.ndarray, "seed candidate"],
    logs: Mapping[str, Float[np.ndarray, "seed candidate"]],
    kept: Sequence[int],
) -> Rows:
    """A row for each candidate and seed of a rung."""
    scores = np.mean(list(logs.values()), axis=0)
    return [
        {
            **vars(cell),
            "rung": rung,
            "seed": seed,
            **vars(candidate),
            "interactions": int(interactions),
            "return_mean": float(returns[s, i]),
            **{name: float(values[s, i]) for name, values in logs.items()},
            "score": float(scores[s, i]),
            "kept": i in kept,
        }
        for i, candidate in enumerate(candidates)
        for s, seed in enumerate(seeds)
    ]
