"""Training from Python: a small sweep in a notebook that returns its curves and policies.

    curves = train("digits", widths=[32], horizons=[1, 3, 7, 15, 31], seeds=4, budget=200_000)
    curves.plot()
    curves.frame                          # tidy: one row per run and evaluation (`results.SCHEMA`)
    curves.policies[run_id].act(images)

It runs the trainer of `launch.sweep` in a working directory that is deleted once it has been read:
the same settings give the same numbers.
"""

import importlib
import importlib.util
import tempfile
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Float, Int, Key, Num

from mnist_horizon import devices, networks, optimizers, results, tasks
from mnist_horizon.errors import InputError
from mnist_horizon.networks import NetworkSpec
from mnist_horizon.schedules import Schedule
from mnist_horizon.sweeps import RATE_RULE, TEST_SAMPLE, SweepSpec, runner, spec_from
from mnist_horizon.tasks import LoadedTask, Task, TaskError
from mnist_horizon.tasks.registry import OBSERVATIONS
from mnist_horizon.tasks.scaling import AS_GIVEN

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DEFAULTS: Mapping[str, Any] = {
    "entropy_coef": 0.1,
    "batch": {"environments": 1, "rollout_length": 256},
    "optimizer": {"name": "adam", **RATE_RULE},
    "test_sample": TEST_SAMPLE,
}
"""Defaults of `train`, as in `launch/configs/quickstart.py`."""


GIVEN = "given"


@tasks.register(GIVEN)
@dataclass(frozen=True)
class Given:
    """The name in results of a task whose loaded data were passed to `train`."""

    def load(self) -> LoadedTask:
        """Refuse: data that were passed to `train` cannot be loaded by name.

        Raises:
            TaskError: always.
        """
        raise TaskError(f"task {GIVEN!r} cannot be loaded by name: pass its data to train")


@dataclass(frozen=True)
class Policy:
    """A trained policy.

    Attributes:
        params: the network's parameters.
        network: its shape.
        classes: number of actions.
    """

    params: dict[str, Any]
    network: NetworkSpec
    classes: int

    def probabilities(
        self, images: Num[np.ndarray | jax.Array, "batch *shape"]
    ) -> Float[jax.Array, "batch action"]:
        """pi(a | x) of each image; a visible phase is held at 0, the start of a reward window.

        Images are those of the task that was trained: scaled, where it has `observations` scaled
        (`tasks.scaled`).
        """
        inputs = networks.first_inputs(self.network, jnp.asarray(images))
        phase = None
        if self.network.phase_visible:
            phase = jnp.tile(jnp.array([1.0, 0.0]), (len(inputs), 1))
        logits = networks.apply(self.network, self.classes, self.params, inputs, phase)
        return jax.nn.softmax(logits)

    def act(
        self,
        images: Num[np.ndarray | jax.Array, "batch *shape"],
        key: Key[jax.Array, ""] | None = None,
    ) -> Int[jax.Array, "batch"]:
        """The most probable action of each image or, given a key, one drawn from the policy."""
        probabilities = self.probabilities(images)
        if key is None:
            return jnp.argmax(probabilities, axis=-1)
        return jax.random.categorical(key, jnp.log(probabilities))


@dataclass(frozen=True)
class Curves:
    """What `train` returns.

    Attributes:
        frame: tidy results, one row per run and evaluation (`results.SCHEMA`).
        policies: the final policy of each run that did not diverge, by run id.
        spec: the sweep's settings.
    """

    frame: pd.DataFrame
    policies: Mapping[str, Policy]
    spec: SweepSpec

    def __repr__(self) -> str:
        counts = (f"{self.frame[name].nunique()} {name}s" for name in ("width", "horizon", "seed"))
        return f"Curves({self.frame['run_id'].nunique()} runs: {', '.join(counts)})"

    def plot(self, axes: "Axes | None" = None) -> "Axes":
        """Return against interactions: a line for each horizon, a band from lowest to highest seed.

        Several widths or schedules get separate lines.

        Args:
            axes: where to draw; by default a new figure.
        """
        from matplotlib import pyplot

        if axes is None:
            axes = pyplot.figure(figsize=(6, 4)).add_subplot()
        varying = [name for name in _CURVE if self.frame[name].nunique() > 1] or ["horizon"]
        groups = self.frame.groupby(varying, sort=True)
        colors = pyplot.get_cmap("viridis")(np.linspace(0, 0.9, groups.ngroups))
        for color, (key, rows) in zip(colors, groups, strict=True):
            parts = zip(varying, key, strict=True)
            name = ", ".join(v if isinstance(v, str) else f"{_CURVE[n]} {v:g}" for n, v in parts)
            returns = rows.groupby("interactions")["return_mean"].agg(["mean", "min", "max"])
            axes.plot(returns.index, returns["mean"], color=color, label=name)
            axes.fill_between(
                returns.index, returns["min"], returns["max"], color=color, alpha=0.2, linewidth=0
            )
        axes.set_xscale("log")
        axes.set_xlabel("interactions (environment steps)")
        axes.set_ylabel("return")
        axes.legend()
        return axes

    def horizon_law(self, threshold: float = 0.85) -> Any:
        """The horizon law of these runs: interactions needed to reach a return, by horizon.

        Args:
            threshold: the return to reach.

        Returns:
            An `analysis.laws.HorizonLaw` in h - 1, all widths together: its `summary()` has a, b
            and the knee with their intervals.

        Raises:
            ImportError: the package `analysis` is not importable; it is part of a checkout.
            InputError: no law can be fitted to the runs; the message says why.
        """
        if importlib.util.find_spec("analysis") is None:
            raise ImportError(
                "the laws are in the package `analysis`, which is in a checkout of "
                "mnist_horizon but not in a wheel: run there, or install it with pip install -e ."
            )
        data, laws = (importlib.import_module(f"analysis.{name}") for name in ("data", "laws"))
        measured = data.measure(results.Results(self.frame, ()), thresholds=(threshold,))
        fits = laws.fit_horizon_laws(measured.crossings, regressors=("h-1",))
        if not fits.entries:
            raise InputError("; ".join(fits.notes))
        return fits.entries[-1]


_CURVE = {"schedule": "", "schedule_level": "level", "width": "width", "horizon": "h ="}


def train(
    task: str | Task | LoadedTask | object,
    *,
    widths: Iterable[int] = (64,),
    horizons: Iterable[float | int] = (1.0,),
    schedules: Iterable[str | Schedule] = ("dense",),
    seeds: int = 4,
    budget: float | int = 200_000,
    observations: str = AS_GIVEN,
    progress: bool = True,
    workdir: Path | str | None = None,
    **settings: Any,
) -> Curves:
    """Train policies over widths, horizons, schedules and seeds, and return their curves.

    Args:
        task: the name of a task, an object of a task's class, or the data of a task.
        widths: of the networks.
        horizons: horizon lengths h, each a discount `1 - 2 / (h + 1)`.
        schedules: names such as `"periodic:4"`, or schedules.
        seeds: number of seeds; runs of a seed share observations and sampling noise.
        budget: interactions (environment steps) of each run.
        observations: how they are scaled by the training split (`tasks.scaled`): `"standardised"`,
            `"standardised_together"`, `"unit_range"`; by default bytes are divided by 255 and
            floats are as they are.
        progress: whether to show a progress bar.
        workdir: keep the sweep in this working directory, as `launch.sweep` does, and resume what
            is there; by default nothing is kept on disk.
        **settings: any other field of a sweep, as in a config file: `network="cnn"`,
            `optimizer={"learning_rates": [1e-2]}`, `algorithm={"name": "ppo", "epochs": 2}`,
            `baseline`, `entropy_coef`, `evaluations`, `test_sample`, `precision`, ... A network may
            be given as its class, an optimiser as its function; both are then registered under
            their names.

    Raises:
        InputError: a setting is unknown, of the wrong type or impossible; the message is one line.
        KeyboardInterrupt: the training was interrupted.
    """
    name, task_settings, loaded = _task(task, observations)
    axes = {
        "widths": tuple(widths),
        "horizons": tuple(map(float, horizons)),
        "schedules": tuple(map(str, schedules)),
        "seeds": seeds,
        "budget": budget,
    }
    spec = spec_from({**_merged(settings), **axes, "task": {"name": name, **task_settings}})
    devices.use_cpu_cores()
    devices.keep_compiled()
    devices.check_devices()
    loaded = loaded or tasks.load(spec.task, spec.task_settings)
    with tempfile.TemporaryDirectory(prefix="mnist_horizon-") as temporary:
        folder = Path(workdir or temporary)
        try:
            outcome = runner.run_sweep(spec, folder, loaded, bar=progress)
        except runner.Interrupted:
            raise KeyboardInterrupt from None
        if outcome.diverged:
            warnings.warn(f"not finite, so stopped: {', '.join(outcome.diverged)}", stacklevel=2)
        frame = results.read_results(folder).frame
        policies = {
            run: Policy(
                results.load_policy(folder, run), spec.network_spec(width), loaded.task.classes
            )
            for run, width in frame.groupby("run_id")["width"].first().items()
            if run not in outcome.diverged
        }
    return Curves(frame, policies, spec)


def _task(task: Any, observations: str) -> tuple[str, dict[str, Any], LoadedTask | None]:
    """The task's name, its settings and, if data were passed, the loaded task."""
    scaling = {} if observations == AS_GIVEN else {OBSERVATIONS: observations}
    if isinstance(task, str):
        return task, scaling, None
    if isinstance(task, Task):
        task = LoadedTask(task, provenance={})
    if isinstance(task, LoadedTask):
        return GIVEN, scaling, tasks.describe(GIVEN, scaling, task)
    return tasks.name_of(type(task)), {**vars(task), **scaling}, None


def _merged(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults updated by `settings`; a name or object stands for a group of that name."""
    merged: dict[str, Any] = {**DEFAULTS}
    for field, value in settings.items():
        if field in _REGISTRIES and callable(value):
            value = {"name": _REGISTRIES[field].name_of(value)}
        elif field in _GROUPS and isinstance(value, str):
            value = {"name": value}
        default = merged.get(field)
        if isinstance(default, Mapping) and isinstance(value, Mapping):
            value = {**default, **value}
        merged[field] = value
    return merged


_GROUPS = ("network", "algorithm", "optimizer")
_REGISTRIES: Mapping[str, Any] = {"network": networks, "optimizer": optimizers}
