"""The validated spec of a sweep: every setting that decides its numbers, checked once.

Settings come from a config or from a `sweep.json`; an error in them is one line that names the
field.
"""

import dataclasses
import functools
import math
import operator
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np

from mnist_horizon import networks, optimizers, schedules, tasks, theory
from mnist_horizon.action_baselines import NORMALISED
from mnist_horizon.algorithms import ALGORITHMS, REFERENCES
from mnist_horizon.baselines import BASELINES
from mnist_horizon.errors import InputError, SweepError
from mnist_horizon.horizon import single_precision_fault
from mnist_horizon.networks import NetworkSpec
from mnist_horizon.results import ResultsError, policy_checksum
from mnist_horizon.training import TrainSpec

MOST_RUNS = 1_000_000
LARGEST_INTEGER = 2**63 - 1
AXES = (
    *("widths", "horizons", "schedules", "seeds", "optimizer.learning_rates"),
    *(f"references.{name}" for name in REFERENCES),
    "kl_coefs",
)
ABSENT: Mapping[str, Any] = {
    "test_sample": 0,
    "budget_width": 0,
    "references": {"supervised": (), "exact": ()},
    "kl_coefs": (),
    "initial_policy": {"run": "", "sha256": ""},
    "network.activation": networks.LEAKY_RELU,
    "policies_every": 0,
    "thresholds": (),
    "action_baseline.error": 0.0,
    "action_baseline": {"fraction": 0.0, "normalise": "none"},
}
"""Fields that a spec on disk is without at this value: those of older versions lack them."""

NO_NUMBERS = ("max_program_bytes", "thresholds")
"""Fields that decide how a sweep is run or reported, and no number of its runs."""


@dataclass(frozen=True)
class NetworkChoice:
    """`network.*`: the family whose widths are swept."""

    name: str = "mlp"
    depth: int = 1
    activation: str = networks.LEAKY_RELU

    @property
    def suffix(self) -> str:
        """What names the activation in results where it is another than `networks.LEAKY_RELU`."""
        return "" if self.activation == networks.LEAKY_RELU else f"-{self.activation}"


@dataclass(frozen=True)
class AlgorithmChoice:
    """`algorithm.*`: VPG, PPO with its epochs, minibatches and clip, or a reference alone."""

    name: str = "vpg"
    gae_lambda: float = 1.0
    epochs: int = 4
    minibatches: int = 4
    clip: float = 0.2


@dataclass(frozen=True)
class OptimizerChoice:
    """`optimizer.*`: learning rates are those of width 64 at h = 1, dense.

    `rule` adapts them to other widths (`networks.RULES`), `critical_horizon` to other horizons
    and schedules (`run_learning_rate`; 0: the same rate everywhere), `decay_interactions` along
    training (`training.decay`; 0: constant).
    """

    name: str = "adam"
    learning_rates: tuple[float, ...] = (1e-3,)
    rule: str = "constant"
    critical_horizon: float = 0.0
    decay_interactions: float = 0.0


@dataclass(frozen=True)
class ReferenceChoice:
    """`references.*`: runs that RL is compared with (`algorithms.REFERENCES`), in the same sweep.

    For each of them its learning rates, those of width 64; none: no such runs. They see the same
    examples as the sweep's other runs of the same seed.
    """

    supervised: tuple[float, ...] = ()
    exact: tuple[float, ...] = ()


RATE_RULE: Mapping[str, Any] = {
    "learning_rates": (2e-2,),
    "rule": "capped_sqrt_width",
    "critical_horizon": 42.0,
    "decay_interactions": 200_000.0,
}
"""`optimizer.*` for Adam, within a factor 2 of the best at both ends of widths and horizons.

`launch/configs/tuned.py` searches for better ones.
"""


TEST_SAMPLE = 1000
"""`test_sample` of the named sweeps: the standard error of an accuracy of 0.9 is 0.01 there.

It is one part of a split of 10,000 (`training.EVALUATION_PART`), and takes as long as an update.
"""


@dataclass(frozen=True)
class BatchChoice:
    """`batch.*`: interactions per update = environments x rollout length."""

    environments: int = 1
    rollout_length: int = 512


@dataclass(frozen=True)
class NoiseChoice:
    """`noise.*`: the gradient's noise is measured with `samples` interactions (0: not at all).

    It is done at every `every`-th evaluation. With 1024 samples it costs as much as 4 updates of
    512 interactions at width 405, and as 8 to 20 at widths 40 and 4.
    """

    samples: int = 0
    every: int = 8


@dataclass(frozen=True)
class InitialPolicy:
    """`initial_policy.*`: the final policy of another sweep's run, from which all runs begin.

    `sha256` is that of its file, recorded when it is first read; the working directory is no part
    of a sweep's identity.
    """

    workdir: str = ""
    run: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class ActionBaseline:
    """`action_baseline.*`: phi(x, a), and what is divided by sigma.

    phi = `fraction` E[A | x, a] + `error` [a = 0]; `normalise` is one of
    `action_baselines.NORMALISED`. Noise is measured before normalisation.
    """

    fraction: float = 0.0
    error: float = 0.0
    normalise: str = "none"


@dataclass(frozen=True)
class SweepSpec:
    """Everything that decides a sweep's numbers.

    Runs wider than `budget_width` have `budget * budget_width / width` interactions, which with one
    hidden layer is the compute of that width; 0: the budget at every width.

    A run's last row is measured on the whole test split, the rows before on a fixed sample of
    `test_sample` examples of it (`tasks.in_sampling_order`; 0: on the whole split as well).

    `kl_coefs` are an axis in place of `kl_coef`; the penalty's reference is the initial policy.

    Policies are kept at update 0, at every `policies_every`-th evaluation and at the end
    (`results.kept_policies`; 0: those at the end alone).

    `thresholds` are the returns whose interactions a report gives (none: 0.5, 0.7 and 0.85), for a
    task whose scores are in another range. They decide no number of a run. `stop_at_return` is 0
    for no early end.
    """

    task: str
    task_settings: dict[str, Any]
    widths: tuple[int, ...]
    horizons: tuple[float, ...]
    seeds: int
    budget: int
    budget_width: int = 0
    schedules: tuple[str, ...] = ("dense",)
    network: NetworkChoice = field(default_factory=NetworkChoice)
    algorithm: AlgorithmChoice = field(default_factory=AlgorithmChoice)
    references: ReferenceChoice = field(default_factory=ReferenceChoice)
    baseline: str = "expected_reward"
    optimizer: OptimizerChoice = field(default_factory=OptimizerChoice)
    entropy_coef: float = 0.0
    kl_coef: float = 0.0
    kl_coefs: tuple[float, ...] = ()
    initial_policy: InitialPolicy = field(default_factory=InitialPolicy)
    action_baseline: ActionBaseline = field(default_factory=ActionBaseline)
    batch: BatchChoice = field(default_factory=BatchChoice)
    noise: NoiseChoice = field(default_factory=NoiseChoice)
    stop_at_return: float = 0.0
    thresholds: tuple[float, ...] = ()
    evaluations: int = 40
    test_sample: int = 0
    policies_every: int = 0
    precision: str = "f32"
    phase_visible: bool = False
    max_program_bytes: int = 8 * 2**30

    @property
    def batch_size(self) -> int:
        """Interactions per update, B."""
        return self.batch.environments * self.batch.rollout_length

    def updates(self, width: int) -> int:
        """Updates per run of this width: its interactions over the batch."""
        least = max(width, self.budget_width) if self.budget_width else 1
        return self.budget * (self.budget_width or 1) // (least * self.batch_size)

    @property
    def run_count(self) -> int:
        """Runs of the sweep: the product of its axes."""
        axes: tuple[Sequence[Any], ...] = (self.widths, self.horizons, self.schedules)
        axes = (*axes, self.optimizer.learning_rates, self.kl_coefs or (self.kl_coef,))
        references = len(self.widths) * sum(map(len, vars(self.references).values()))
        return (math.prod(len(axis) for axis in axes) + references) * self.seeds

    def of(self, reference: str) -> "SweepSpec":
        """What decides the numbers of a reference's runs, or with "" of the sweep's own.

        A reference has neither a value net nor a measurement of gradient noise, and cross-entropy
        neither bonus nor penalty.
        """
        name = reference or self.algorithm.name
        changes: dict[str, Any] = {}
        if reference:
            changes["algorithm"] = dataclasses.replace(self.algorithm, name=reference)
            changes |= {"noise": NoiseChoice(), "kl_coefs": ()}
            changes["action_baseline"] = ActionBaseline()
        if name == "supervised":
            changes |= {"entropy_coef": 0.0, "kl_coef": 0.0}
        return dataclasses.replace(self, **changes)

    def network_spec(self, width: int) -> NetworkSpec:
        """The family's member of this width."""
        return NetworkSpec(
            self.network.name,
            self.network.depth,
            width,
            self.precision,
            self.phase_visible,
            self.network.activation,
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
            baseline="none" if self.algorithm.name in REFERENCES else self.baseline,
            optimizer=self.optimizer.name,
            rule=self.optimizer.rule,
            kl_penalty=self.kl_coef > 0 or bool(self.kl_coefs),
            action_fraction=self.action_baseline.fraction,
            action_error=self.action_baseline.error,
            action_normalise=self.action_baseline.normalise,
        )

    def evaluation_updates(self, width: int) -> list[int]:
        """Updates after which a row is written: log-spaced over three decades, or from the fourth.

        Supervised learning is past a return of 0.5 after a few updates, however long the budget is.
        """
        updates = self.updates(width)
        first = min(max(1, updates // 512), 4)
        spaced = np.geomspace(first, updates, min(self.evaluations, updates))
        return sorted({round(float(number)) for number in spaced})

    def kept_updates(self, width: int) -> list[int]:
        """Updates after which policies are kept, of a run that spends its budget."""
        every, marks = self.policies_every, self.evaluation_updates(width)
        return sorted({0, *marks[every - 1 :: every], marks[-1]}) if every else []

    def test_sample_of(self, count: int) -> int:
        """Of a test split of `count` examples, how many a row that is not a run's last takes."""
        return min(self.test_sample, count) if self.test_sample else count

    def to_json(self) -> dict[str, Any]:
        """The spec as JSON values; `spec_from` reads it back.

        Places (a task's `data_dir`, the initial policy's folder) are left out, since results may
        move to other machines, and so are the fields that have the value of `ABSENT`.
        """
        settings = dataclasses.asdict(self)
        del settings["initial_policy"]["workdir"]
        for path, value in ABSENT.items():
            *groups, field_name = path.split(".")
            place = functools.reduce(operator.getitem, groups, settings)
            if place[field_name] == value:
                del place[field_name]
        name, task_settings = settings.pop("task"), settings.pop("task_settings")
        return {"task": {"name": name, **tasks.identity_settings(name, task_settings)}, **settings}

    def fixed_settings(self) -> dict[str, Any]:
        """`to_json` without the axes: what all runs of the sweep share, as the user gave it."""
        settings = self.to_json()
        for axis in AXES:
            *groups, name = axis.split(".")
            place = settings
            for group in groups:
                place = place.get(group, {})
            place.pop(name, None)
        settings.pop("thresholds", None)
        if not settings.get("references", True):
            del settings["references"]
        return settings


def spec_from(settings: Mapping[str, Any]) -> SweepSpec:
    """Validate the settings of a config (or a `sweep.json`) into a spec.

    Raises:
        SweepError: a field is unknown, missing, of the wrong type or impossible.
    """
    _check_form(settings, "")
    settings = dict(settings)
    if "task_settings" in settings:
        raise SweepError("task_settings: unknown field; a task's settings are task.NAME")
    task = settings.pop("task", None)
    if not isinstance(task, Mapping) or not isinstance(task.get("name"), str):
        raise SweepError("task.name: give the name of a task, such as 'digits'")
    task_settings = {key: value for key, value in task.items() if key != "name"}
    try:
        task_settings = tasks.settings_of(task["name"], task_settings)
    except tasks.TaskError as error:
        raise SweepError(str(error)) from None
    flat = {**settings, "task": task["name"], "task_settings": task_settings}
    spec = build(SweepSpec, flat, "")
    _check(spec)
    return with_checksum(spec)


def with_checksum(spec: SweepSpec) -> SweepSpec:
    """The spec with the checksum of its initial policy, where its folder is given.

    Raises:
        SweepError: there is no such policy, or it is not the one recorded.
    """
    given = spec.initial_policy
    if not given.workdir:
        is_whole = bool(given.run) == bool(given.sha256)
        _require(is_whole, "initial_policy.workdir", "name the folder of the policy's sweep")
        return spec
    _require(given.run != "", "initial_policy.run", f"name a run of the sweep in {given.workdir}")
    message = f"a policy has one width: must be one, not {list(spec.widths)}"
    _require(len(spec.widths) == 1, "widths", message)
    try:
        found = policy_checksum(given.workdir, given.run)
    except (ResultsError, InputError) as error:
        raise SweepError(f"initial_policy: {error}") from None
    message = f"{given.run} in {given.workdir} is not the policy that was recorded"
    _require(given.sha256 in ("", found), "initial_policy.sha256", message)
    return dataclasses.replace(spec, initial_policy=dataclasses.replace(given, sha256=found))


def check_network(spec: SweepSpec, classes: int, shape: tuple[int, ...]) -> None:
    """Refuse a network that does not suit the task, or whose cost or noise cannot be computed.

    Raises:
        SweepError: with the message of the network (`networks.Network.check_observations`), or that
            of its counts and measurements.
    """
    network = spec.network_spec(spec.widths[0])
    try:
        networks.check_observations(network, shape)
    except networks.NetworkError as error:
        raise SweepError(f"network.name: {error}, as task {spec.task!r} has them") from None
    try:
        networks.check_activation(network, classes, shape)
    except networks.NetworkError as error:
        raise SweepError(f"network.activation: {error}") from None
    try:
        networks.forward_flops(network, classes, shape)
        if spec.noise.samples:
            networks.check_noise_is_measurable(network, classes, shape)
    except networks.NetworkError as error:
        raise SweepError(f"network.name: {error}") from None


def check_scores(spec: SweepSpec, task: tasks.Task) -> None:
    """Refuse what is defined for scores between 0 and 1, or from 0, where the task has others.

    Raises:
        SweepError: one line names the setting.
    """
    splits = (task.train, task.test)
    paid = [task.pays(split.labels, split.paid) for split in splits]
    low, high = float(min(one.min() for one in paid)), float(max(one.max() for one in paid))
    scores = f"task {spec.task!r} has scores from {low:g} to {high:g}"
    for number, text in enumerate(spec.schedules):
        message = f"{text!r} needs scores between 0 and 1; {scores}"
        is_defined = schedules.parse(text).adds_up or (low >= 0 and high <= 1)
        _require(is_defined, f"schedules[{number}]", message)
    is_supervised = spec.algorithm.name == "supervised" or bool(spec.references.supervised)
    name = "references.supervised" if spec.references.supervised else "algorithm.name"
    message = f"the right answer of supervised learning needs scores of 0 or more; {scores}"
    _require(low >= 0 or not is_supervised, name, message)
    stop = spec.stop_at_return
    message = f"must be 0 for none, or a return that can be reached, not {stop:g}; {scores}"
    _require(stop == 0 or low <= stop <= high, "stop_at_return", message)


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Fields that are not axes and differ between two `to_json`s, as `field: old -> new`.

    Fields that decide no number of a run (`NO_NUMBERS`) are not part of the experiment.
    """
    old, new = {**ABSENT, **_flat(old)}, {**ABSENT, **_flat(new)}
    return [
        f"{name}: {old.get(name)!r} -> {new.get(name)!r}"
        for name in sorted({*old, *new} - {*AXES, *NO_NUMBERS})
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


def _check_form(value: Any, name: str) -> None:
    """Refuse what no field can hold: invalid names, integers beyond 64 bits."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if not isinstance(key, str) or not key.isidentifier():
                inside = f" in {name}" * bool(name)
                raise SweepError(f"{key!r}{inside}: unknown field; names are of letters and _")
            _check_form(inner, f"{name}.{key}" if name else key)
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            _check_form(inner, f"{name}[{number}]")
    elif isinstance(value, int):
        _require_64_bits(value, name)


def _require_64_bits(value: int, name: str) -> None:
    _require(abs(value) <= LARGEST_INTEGER, name, "must be below 2^63 in size")


def build(cls: type, settings: Mapping[str, Any], prefix: str) -> Any:
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
        return build(wanted, value, f"{name}.")
    if get_origin(wanted) is tuple:
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise SweepError(f"{name}: must be a list, not {value!r}")
        element = get_args(wanted)[0]
        return tuple(_convert(item, element, f"{name}[{i}]") for i, item in enumerate(value))
    if get_origin(wanted) is dict:
        return dict(value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    is_finite = is_number and math.isfinite(value)
    if wanted is float and is_finite:
        return float(value)
    if wanted is int and is_finite and value == (whole := int(value)):
        _require_64_bits(whole, name)
        return whole  # 2e6 is accepted as a budget
    if wanted in (bool, str) and isinstance(value, wanted):
        return value
    kind = {float: "a finite number", int: "a whole number", bool: "True or False", str: "text"}
    raise SweepError(f"{name}: must be {kind[wanted]}, not {value!r}")


def _check(spec: SweepSpec) -> None:
    """Refuse impossible values, naming the field."""
    _check_names(spec)
    _check_axes(spec)
    _check_numbers(spec)
    _check_action_baseline(spec)
    batch, parts = spec.batch_size, spec.algorithm.minibatches
    divides = spec.algorithm.name != "ppo" or batch % parts == 0
    message = f"must divide the batch of {batch} interactions, not {parts}"
    _require(divides, "algorithm.minibatches", message)
    message = f"must hold 2 updates of {batch} interactions: at least {2 * batch}"
    _require(spec.updates(min(spec.widths)) >= 2, "budget", message)
    message = f"leaves width {max(spec.widths)} fewer than 2 updates of {batch} interactions"
    _require(spec.updates(max(spec.widths)) >= 2, "budget_width", message)
    _require(
        spec.budget // batch < 2**31, "budget", "makes 2^31 updates or more: choose a larger batch"
    )
    _require(spec.run_count <= MOST_RUNS, "seeds", f"makes more than {MOST_RUNS:,} runs")


def _check_names(spec: SweepSpec) -> None:
    names: list[tuple[str, str, Collection[str]]] = [
        ("network.name", spec.network.name, networks.names()),
        ("network.activation", spec.network.activation, networks.ACTIVATIONS),
        ("algorithm.name", spec.algorithm.name, ALGORITHMS),
        ("baseline", spec.baseline, BASELINES),
        ("optimizer.name", spec.optimizer.name, optimizers.names()),
        ("optimizer.rule", spec.optimizer.rule, networks.RULES),
        ("precision", spec.precision, networks.PRECISIONS),
        ("action_baseline.normalise", spec.action_baseline.normalise, NORMALISED),
    ]
    for name, value, choices in names:
        _require(value in choices, name, f"must be one of {', '.join(choices)}, not {value!r}")


def _check_axes(spec: SweepSpec) -> None:
    axes: list[tuple[str, Sequence[Any]]] = [
        ("widths", spec.widths),
        ("horizons", spec.horizons),
        ("schedules", spec.schedules),
        ("optimizer.learning_rates", spec.optimizer.learning_rates),
        ("kl_coefs", spec.kl_coefs),
    ]
    for name, values in axes:
        _require(len(values) > 0 or name == "kl_coefs", name, "must not be empty")
        _require(len(set(values)) == len(values), name, f"holds a value twice: {list(values)}")
    for number, text in enumerate(spec.schedules):
        try:
            schedule = schedules.parse(text)
        except ValueError as error:
            raise SweepError(f"schedules[{number}]: {error}") from None
        canonical = str(schedule)
        _require(canonical == text, f"schedules[{number}]", f"write {canonical!r}, not {text!r}")
        if spec.optimizer.critical_horizon:
            _check_noise_is_known(f"schedules[{number}]", schedule)
    for number, horizon in enumerate(spec.horizons):
        _require(horizon >= 1, f"horizons[{number}]", f"must be at least 1, not {horizon:g}")
        fault = single_precision_fault(horizon)
        _require(not fault, f"horizons[{number}]", fault)
    _check_rates("optimizer.learning_rates", spec.optimizer.learning_rates)
    _check_references(spec)
    for number, value in enumerate(spec.kl_coefs):
        _require(value >= 0, f"kl_coefs[{number}]", f"must be at least 0, not {value:g}")
    _require(not (spec.kl_coefs and spec.kl_coef), "kl_coef", "must be 0 beside kl_coefs")
    has_loss = spec.algorithm.name != "supervised"
    _require(has_loss or not spec.kl_coefs, "kl_coefs", "supervised learning has no penalty")


def _check_rates(name: str, rates: Sequence[float]) -> None:
    for number, rate in enumerate(rates):
        single = np.finfo(np.float32)
        is_single = float(single.tiny) <= rate <= float(single.max)
        message = f"must be above 0 and finite in single precision, not {rate:g}"
        _require(is_single, f"{name}[{number}]", message)


def _check_references(spec: SweepSpec) -> None:
    """Refuse what has no meaning for algorithms that see every action's score."""
    for name, rates in vars(spec.references).items():
        _check_rates(f"references.{name}", rates)
        _require(len(set(rates)) == len(rates), f"references.{name}", "holds a rate twice")
    alone = spec.algorithm.name
    if alone in REFERENCES:
        for field_name, values, only in (
            ("horizons", spec.horizons, 1.0),
            ("schedules", spec.schedules, "dense"),
        ):
            message = f"{alone} has no rewards to sum: must be ({only!r},), not {values!r}"
            _require(values == (only,), field_name, message)
        message = f"are runs beside those of RL: set none with algorithm.name {alone!r}"
        _require(not any(vars(spec.references).values()), "references", message)


def _check_action_baseline(spec: SweepSpec) -> None:
    """Refuse an action-dependent baseline where E[A | x, a] is not used, or not known."""
    chosen = spec.action_baseline
    if chosen == ActionBaseline():
        return
    name, alone = "action_baseline", spec.algorithm.name
    _require(alone == "vpg", name, f"is for algorithm.name 'vpg' only, not {alone!r}")
    has_correction = chosen.fraction > 0 or chosen.error != 0 or chosen.normalise == "both"
    message = "'advantage' leaves a correction as it is, and fraction 0 has none: choose 'both'"
    _require(has_correction, f"{name}.normalise", message)
    message = f"needs baseline 'expected_reward' or 'state', not {spec.baseline!r}"
    _require(spec.baseline in ("expected_reward", "state"), name, message)
    message = f"needs algorithm.gae_lambda 1, not {spec.algorithm.gae_lambda:g}"
    _require(spec.algorithm.gae_lambda == 1, name, message)
    for text in spec.schedules:
        own = type(schedules.parse(text)).expected_advantages
        message = f"E[A | x, a] is not known for schedule {text!r}"
        _require(own is not schedules.Schedule.expected_advantages, name, message)


def _check_noise_is_known(name: str, schedule: schedules.Schedule) -> None:
    """A learning rate that falls with the noise needs the noise of the schedule."""
    try:
        theory.equivalent_horizon(schedule, 1.0)
    except ValueError as error:
        raise SweepError(f"{name}: {error}: set optimizer.critical_horizon to 0") from None


def _check_numbers(spec: SweepSpec) -> None:
    lowest: list[tuple[str, float, float]] = [
        *((f"widths[{i}]", width, 1) for i, width in enumerate(spec.widths)),
        ("network.depth", spec.network.depth, 1),
        ("seeds", spec.seeds, 1),
        ("budget_width", spec.budget_width, 0),
        ("batch.environments", spec.batch.environments, 1),
        ("batch.rollout_length", spec.batch.rollout_length, 1),
        ("algorithm.epochs", spec.algorithm.epochs, 1),
        ("algorithm.minibatches", spec.algorithm.minibatches, 1),
        ("evaluations", spec.evaluations, 2),
        ("test_sample", spec.test_sample, 0),
        ("policies_every", spec.policies_every, 0),
        ("noise.samples", spec.noise.samples, 0),
        ("noise.every", spec.noise.every, 1),
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
        ("action_baseline.fraction", spec.action_baseline.fraction),
    ):
        _require(0 <= value <= 1, name, f"must be in 0 to 1, not {value:g}")
    message = f"holds a value twice: {list(spec.thresholds)}"
    _require(len(set(spec.thresholds)) == len(spec.thresholds), "thresholds", message)


def _require(condition: bool, name: str, message: str) -> None:
    if not condition:
        raise SweepError(f"{name}: {message}")
