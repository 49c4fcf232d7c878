"""A sweep as plain data: a validated spec, the runs of its axes, and the programs that hold them.

A **run** is one point of width x horizon x schedule x learning rate x seed, with a readable id that
never changes. A **program** is a set of runs with the same static shapes, compiled once: `groups`
of runs of one seed that share observations, all groups with the same settings. Which program a run
is in follows from the spec alone, unless an earlier call of the same sweep already placed it.
"""

import dataclasses
import hashlib
import itertools
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np

from mnist_horizon import networks, schedules, tasks, training
from mnist_horizon.advantages import BASELINES
from mnist_horizon.horizon import discount_from_horizon
from mnist_horizon.networks import NetworkSpec
from mnist_horizon.schedules import Schedule
from mnist_horizon.training import TrainSpec

AXES = ("widths", "horizons", "schedules", "seeds", "optimizer.learning_rates")


class SweepError(ValueError):
    """The user's input is at fault; the message is one line and names the field."""


@dataclass(frozen=True)
class NetworkChoice:
    """`network.*`: the family whose widths are swept."""

    name: str = "mlp"
    depth: int = 1


@dataclass(frozen=True)
class AlgorithmChoice:
    """`algorithm.*`: VPG, or PPO with its epochs, minibatches and clip."""

    name: str = "vpg"
    gae_lambda: float = 1.0
    epochs: int = 4
    minibatches: int = 4
    clip: float = 0.2


@dataclass(frozen=True)
class OptimizerChoice:
    """`optimizer.*`: learning rates are those of width 64 at h = 1, dense.

    `rule` carries them to other widths (`networks.RULES`), `critical_horizon` to other horizons
    (`horizon_factor`; 0: the same rate at every horizon), `decay_interactions` along training
    (`training.decay`; 0: constant).
    """

    name: str = "adam"
    learning_rates: tuple[float, ...] = (1e-3,)
    rule: str = "constant"
    critical_horizon: float = 0.0
    decay_interactions: float = 0.0


@dataclass(frozen=True)
class BatchChoice:
    """`batch.*`: interactions an update = environments x rollout length."""

    environments: int = 1
    rollout_length: int = 512


@dataclass(frozen=True)
class NoiseChoice:
    """`noise.*`: interactions used to measure the gradient's noise at each evaluation; 0: none."""

    samples: int = 0


@dataclass(frozen=True)
class SweepSpec:
    """Everything that decides a sweep's numbers."""

    task: str
    task_settings: dict[str, Any]
    widths: tuple[int, ...]
    horizons: tuple[float, ...]
    seeds: int
    budget: int
    schedules: tuple[str, ...] = ("dense",)
    network: NetworkChoice = field(default_factory=NetworkChoice)
    algorithm: AlgorithmChoice = field(default_factory=AlgorithmChoice)
    baseline: str = "expected_reward"
    optimizer: OptimizerChoice = field(default_factory=OptimizerChoice)
    entropy_coef: float = 0.0
    kl_coef: float = 0.0
    batch: BatchChoice = field(default_factory=BatchChoice)
    noise: NoiseChoice = field(default_factory=NoiseChoice)
    stop_at_return: float = 0.0
    evaluations: int = 40
    precision: str = "f32"
    phase_visible: bool = False
    max_program_bytes: int = 8 * 2**30

    @property
    def batch_size(self) -> int:
        """Interactions an update, B."""
        return self.batch.environments * self.batch.rollout_length

    @property
    def updates(self) -> int:
        """Updates a run: the budget over the batch."""
        return self.budget // self.batch_size

    def network_spec(self, width: int) -> NetworkSpec:
        """The family's member of this width."""
        return NetworkSpec(
            self.network.name, self.network.depth, width, self.precision, self.phase_visible
        )

    def train_spec(self, width: int) -> TrainSpec:
        """The static part of a program of this width."""
        is_ppo = self.algorithm.name == "ppo"
        return TrainSpec(
            network=self.network_spec(width),
            environments=self.batch.environments,
            rollout_length=self.batch.rollout_length,
            algorithm=self.algorithm.name,
            epochs=self.algorithm.epochs if is_ppo else 1,
            minibatches=self.algorithm.minibatches if is_ppo else 1,
            clip=self.algorithm.clip,
            baseline=self.baseline,
            optimizer=self.optimizer.name,
            rule=self.optimizer.rule,
            decay_interactions=self.optimizer.decay_interactions,
            kl_penalty=self.kl_coef > 0,
        )

    def evaluation_updates(self) -> list[int]:
        """Updates after which a row is written: log-spaced over the last three decades or so."""
        first = max(1, self.updates // 512)
        spaced = np.geomspace(first, self.updates, self.evaluations)
        return sorted({round(float(number)) for number in spaced})

    def to_json(self) -> dict[str, Any]:
        """The spec as JSON can hold it; `spec_from` reads it back."""
        settings = dataclasses.asdict(self)
        name, task_settings = settings.pop("task"), settings.pop("task_settings")
        return {"task": {"name": name, **task_settings}, **settings}


@dataclass(frozen=True, order=True)
class Variant:
    """What tells the runs of a group apart."""

    horizon: float
    schedule: Schedule
    learning_rate: float


@dataclass(frozen=True, order=True)
class Run:
    """One point of the axes."""

    width: int
    variant: Variant
    seed: int

    def run_id(self, spec: SweepSpec) -> str:
        """Readable and stable: `digits-mlp1-w64-h31-periodic8-lr0.001-s0`."""
        family = f"{spec.network.name}{spec.network.depth}"
        schedule = str(self.variant.schedule).replace(":", "")
        task = spec.task.replace("/", "_")
        return (
            f"{task}-{family}-w{self.width}-h{self.variant.horizon:g}-{schedule}"
            f"-lr{self.variant.learning_rate:g}-s{self.seed}"
        )


@dataclass(frozen=True)
class Program:
    """Runs compiled and updated together: every seed with every variant, at one width."""

    program_id: str
    width: int
    seeds: tuple[int, ...]
    variants: tuple[Variant, ...]

    @property
    def runs(self) -> list[Run]:
        """The runs in the order of the arrays: groups (seeds) first, variants within."""
        pairs = itertools.product(self.seeds, self.variants)
        return [Run(self.width, variant, seed) for seed, variant in pairs]


def spec_from(settings: Mapping[str, Any]) -> SweepSpec:
    """Validate the settings of a config (or a `sweep.json`) into a spec.

    Raises:
        SweepError: a field is unknown, missing, of the wrong type or impossible.
    """
    settings = dict(settings)
    task = settings.pop("task", None)
    if not isinstance(task, Mapping) or not isinstance(task.get("name"), str):
        raise SweepError("task.name: give the name of a task, such as 'digits'")
    task_settings = {key: value for key, value in task.items() if key != "name"}
    try:
        task_settings = tasks.settings_of(task["name"], task_settings)
    except tasks.TaskError as error:
        raise SweepError(str(error)) from None
    flat = {**settings, "task": task["name"], "task_settings": task_settings}
    spec = _build(SweepSpec, flat, "")
    _check(spec)
    return spec


def all_runs(spec: SweepSpec) -> list[Run]:
    """Every run of the sweep, sorted."""
    axes = itertools.product(spec.horizons, spec.schedules, spec.optimizer.learning_rates)
    variants = [Variant(h, schedules.parse(schedule), rate) for h, schedule, rate in axes]
    return sorted(
        Run(width, variant, seed)
        for width, variant, seed in itertools.product(spec.widths, variants, range(spec.seeds))
    )


def plan(spec: SweepSpec, runs: Iterable[Run], bytes_per_run: Mapping[int, int]) -> list[Program]:
    """Programs that hold exactly these runs, each within `max_program_bytes`.

    Seeds that lack the same variants go together; a program that would be too large is cut along
    its seeds first, so that groups stay whole.
    """
    by_seed: dict[tuple[int, int], set[Variant]] = {}
    for run in runs:
        by_seed.setdefault((run.width, run.seed), set()).add(run.variant)
    blocks: dict[tuple[int, tuple[Variant, ...]], list[int]] = {}
    for (width, seed), wanted in sorted(by_seed.items()):
        blocks.setdefault((width, tuple(sorted(wanted))), []).append(seed)
    programs = []
    for (width, variants), seeds in sorted(blocks.items()):
        room = max(1, spec.max_program_bytes // bytes_per_run[width])
        for some_variants in _cut(variants, room):
            for some_seeds in _cut(seeds, max(1, room // len(some_variants))):
                programs.append(_program(spec, width, tuple(some_seeds), tuple(some_variants)))
    return programs


def run_learning_rate(spec: SweepSpec, variant: Variant) -> float:
    """Learning rate of a run at width 64: the axis' value times the horizon's factor."""
    return variant.learning_rate * horizon_factor(variant.horizon, spec.optimizer.critical_horizon)


def horizon_factor(horizon: float, critical_horizon: float) -> float:
    """Learning rate in units of the rate at h = 1: `(1 + (h - 1) / h_c)^(-1/2)`; 1 where h_c is 0.

    Adam divides by the gradient's standard deviation, which grows as the square root of the
    horizon once noise of the future rules; a constant rate would take steps of the same length in
    ever noisier directions. `h_c` is the horizon at which that noise equals the rest at the batch
    used (McCandlish et al. 2018, arXiv 1812.06162, section 2.2, for the form).
    """
    return (1 + (horizon - 1) / critical_horizon) ** -0.5 if critical_horizon else 1.0


def run_params(spec: SweepSpec, program: Program) -> training.RunParams:
    """The traced numbers of a program's runs, as arrays [group, run]."""
    shape = (len(program.seeds), len(program.variants))

    def column(values: Sequence[float], dtype: type = np.float32) -> Any:
        return np.broadcast_to(np.asarray(values, dtype), shape)

    chosen = program.variants
    return training.RunParams(
        reward=schedules.RewardParams(
            reveal_probability=column([v.schedule.reveal_probability for v in chosen]),
            period=column([v.schedule.period for v in chosen], np.int32),
            streak=column([v.schedule.is_streak for v in chosen], np.bool_),
        ),
        discount=column([discount_from_horizon(v.horizon) for v in chosen]),
        gae_lambda=column([spec.algorithm.gae_lambda] * len(chosen)),
        learning_rate=column([run_learning_rate(spec, v) for v in chosen]),
        entropy_coef=column([spec.entropy_coef] * len(chosen)),
        kl_coef=column([spec.kl_coef] * len(chosen)),
    )


def flops_per_interaction(spec: SweepSpec, width: int, classes: int, shape: tuple[int, ...]) -> int:
    """Counted training FLOPs an interaction: policy, value net, passes of PPO, KL reference.

    VPG needs one forward and one backward pass; PPO one forward to act, and both again for each of
    its epochs; the reference policy of a KL penalty one forward.
    """
    network = spec.network_spec(width)
    train = spec.train_spec(width)
    outputs = [classes] + [1] * (spec.baseline == "value_net")
    forward = sum(networks.forward_flops(network, out, shape) for out in outputs)
    backward = sum(networks.backward_flops(network, out, shape) for out in outputs)
    reference = networks.forward_flops(network, classes, shape) * train.kl_penalty
    if spec.algorithm.name == "ppo":
        return forward + train.epochs * (forward + backward) + reference
    return forward + backward + reference


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Fields that are no axes and differ between two `to_json`s, as `field: old -> new`.

    Where the data lie, and how many runs go into a program, are no part of the experiment.
    """
    old, new = _flat(old), _flat(new)
    ignored = {*AXES, "max_program_bytes"}
    task = new.get("task.name")
    if task == old.get("task.name") and task in tasks.names():
        known = tasks.identity_settings(task, {})
        ignored |= {f for f in new if f.startswith("task.") and f[5:] not in {"name", *known}}
    return [
        f"{name}: {old.get(name)!r} -> {new.get(name)!r}"
        for name in sorted({*old, *new} - ignored)
        if old.get(name) != new.get(name)
    ]


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = list(value) if isinstance(value, tuple) else value
    return flat


def _cut(items: Sequence[Any], size: int) -> list[Sequence[Any]]:
    """Parts of nearly equal length, at most `size` long."""
    parts = math.ceil(len(items) / size)
    bounds = [round(i * len(items) / parts) for i in range(parts + 1)]
    return [items[low:high] for low, high in itertools.pairwise(bounds)]


def _program(
    spec: SweepSpec, width: int, seeds: tuple[int, ...], variants: tuple[Variant, ...]
) -> Program:
    program = Program("", width, seeds, variants)
    names = "\n".join(run.run_id(spec) for run in program.runs)
    digest = hashlib.sha256(names.encode()).hexdigest()[:8]
    return dataclasses.replace(program, program_id=f"w{width}-{len(program.runs)}runs-{digest}")


def _build(cls: type, settings: Mapping[str, Any], prefix: str) -> Any:
    """Make a (nested) dataclass from settings, checking names and types."""
    hints = get_type_hints(cls)
    fields = {item.name: item for item in dataclasses.fields(cls)}
    for name in settings:
        if name not in fields:
            accepted = ", ".join(n for n in fields if n != "task_settings")
            raise SweepError(f"{prefix}{name}: unknown field; there are {accepted}")
    values = {}
    for name, item in fields.items():
        if name in settings:
            values[name] = _convert(settings[name], hints[name], prefix + name)
        elif item.default is item.default_factory is dataclasses.MISSING:
            raise SweepError(f"{prefix}{name}: missing; give it in the config")
    return cls(**values)


def _convert(value: Any, wanted: Any, name: str) -> Any:
    if dataclasses.is_dataclass(wanted) and isinstance(wanted, type):
        if not isinstance(value, Mapping):
            raise SweepError(f"{name}: must be a group of fields, not {value!r}")
        return _build(wanted, value, f"{name}.")
    if get_origin(wanted) is tuple:
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise SweepError(f"{name}: must be a list, not {value!r}")
        element = get_args(wanted)[0]
        return tuple(_convert(one, element, f"{name}[{i}]") for i, one in enumerate(value))
    if get_origin(wanted) is dict:
        return dict(value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if wanted is float and is_number and math.isfinite(value):
        return float(value)
    if wanted is int and is_number and value == (whole := int(value)):
        return whole  # 2e6 is welcome as a budget
    if wanted in (bool, str) and isinstance(value, wanted):
        return value
    kind = {float: "a finite number", int: "a whole number", bool: "True or False", str: "text"}
    raise SweepError(f"{name}: must be {kind[wanted]}, not {value!r}")


def _check(spec: SweepSpec) -> None:
    """Refuse impossible values, naming the field."""
    _check_names(spec)
    _check_axes(spec)
    _check_numbers(spec)
    batch, parts = spec.batch_size, spec.algorithm.minibatches
    divides = spec.algorithm.name != "ppo" or batch % parts == 0
    message = f"must divide the batch of {batch} interactions, not {parts}"
    _require(divides, "algorithm.minibatches", message)
    message = f"must hold 2 updates of {batch} interactions: at least {2 * batch}"
    _require(spec.updates >= 2, "budget", message)


def _check_names(spec: SweepSpec) -> None:
    names: list[tuple[str, str, Collection[str]]] = [
        ("network.name", spec.network.name, networks.NETWORKS),
        ("algorithm.name", spec.algorithm.name, training.ALGORITHMS),
        ("baseline", spec.baseline, BASELINES),
        ("optimizer.name", spec.optimizer.name, training.OPTIMIZERS),
        ("optimizer.rule", spec.optimizer.rule, networks.RULES),
        ("precision", spec.precision, networks.PRECISIONS),
    ]
    for name, value, choices in names:
        _require(value in choices, name, f"must be one of {', '.join(choices)}, not {value!r}")


def _check_axes(spec: SweepSpec) -> None:
    axes: list[tuple[str, Sequence[Any]]] = [
        ("widths", spec.widths),
        ("horizons", spec.horizons),
        ("schedules", spec.schedules),
        ("optimizer.learning_rates", spec.optimizer.learning_rates),
    ]
    for name, values in axes:
        _require(len(values) > 0, name, "must not be empty")
        _require(len(set(values)) == len(values), name, f"holds a value twice: {list(values)}")
    for number, text in enumerate(spec.schedules):
        try:
            canonical = str(schedules.parse(text))
        except ValueError as error:
            raise SweepError(f"schedules[{number}]: {error}") from None
        _require(canonical == text, f"schedules[{number}]", f"write {canonical!r}, not {text!r}")
    for number, rate in enumerate(spec.optimizer.learning_rates):
        _require(rate > 0, f"optimizer.learning_rates[{number}]", f"must be above 0, not {rate:g}")


def _check_numbers(spec: SweepSpec) -> None:
    lowest: list[tuple[str, float, float]] = [
        *((f"widths[{i}]", width, 1) for i, width in enumerate(spec.widths)),
        *((f"horizons[{i}]", horizon, 1) for i, horizon in enumerate(spec.horizons)),
        ("network.depth", spec.network.depth, 1),
        ("seeds", spec.seeds, 1),
        ("batch.environments", spec.batch.environments, 1),
        ("batch.rollout_length", spec.batch.rollout_length, 1),
        ("algorithm.epochs", spec.algorithm.epochs, 1),
        ("algorithm.minibatches", spec.algorithm.minibatches, 1),
        ("evaluations", spec.evaluations, 2),
        ("noise.samples", spec.noise.samples, 0),
        ("optimizer.critical_horizon", spec.optimizer.critical_horizon, 0),
        ("optimizer.decay_interactions", spec.optimizer.decay_interactions, 0),
        ("entropy_coef", spec.entropy_coef, 0),
        ("kl_coef", spec.kl_coef, 0),
        ("max_program_bytes", spec.max_program_bytes, 1),
    ]
    for name, value, low in lowest:
        _require(value >= low, name, f"must be at least {low}, not {value:g}")
    _require(
        spec.algorithm.clip > 0, "algorithm.clip", f"must be above 0, not {spec.algorithm.clip}"
    )
    for name, value in (
        ("algorithm.gae_lambda", spec.algorithm.gae_lambda),
        ("stop_at_return", spec.stop_at_return),
    ):
        _require(0 <= value <= 1, name, f"must lie in 0 to 1, not {value:g}")


def _require(condition: bool, name: str, message: str) -> None:
    if not condition:
        raise SweepError(f"{name}: {message}")
