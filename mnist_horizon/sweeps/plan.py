"""A sweep as plain data: the runs of its axes, and the programs that hold them.

A **run** is one point of width x horizon x schedule x learning rate x seed (and KL coefficient,
where a sweep has several), with a readable id that never changes. A **program** is a set of runs
with the same static shapes, compiled once: `groups` of runs of one seed that share observations,
all groups with the same settings. Which program a run is in follows from the spec alone, unless an
earlier call of the same sweep already placed it.
"""

import functools
import hashlib
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mnist_horizon import networks, schedules, theory, training
from mnist_horizon.devices import memory
from mnist_horizon.devices.memory import ProgramMemory
from mnist_horizon.errors import SweepError
from mnist_horizon.files import check_name
from mnist_horizon.horizon import discount_from_horizon
from mnist_horizon.schedules import Schedule
from mnist_horizon.sweeps.spec import SweepSpec, check_network
from mnist_horizon.tasks import Task

ELEMENTWISE_FLOPS = 45_000
"""FLOPs of a product that take as long as the rest of an interaction: sampling, rewards, metrics.

From `launch/configs/horizon.py` on 2 cores: 0.61, 1.1, 1.6 and 4.5 microseconds per interaction at
widths 4, 13, 40 and 128 are 45,000 FLOPs and those counted, at 0.65 of the matrix product's speed.
"""


MOST_KEPT_BYTES = 2**30
"""Most bytes of policies that a sweep may keep along training."""

OWN_KL_COEF = -1.0
"""A variant's `kl_coef` in a sweep without the axis `kl_coefs`."""


@dataclass(frozen=True, order=True)
class Variant:
    """What distinguishes the runs of a group."""

    horizon: float
    schedule: Schedule
    learning_rate: float
    reference: str = ""
    """The algorithm, where it is not the sweep's own but one of `algorithms.REFERENCES`."""
    kl_coef: float = OWN_KL_COEF
    """One of `kl_coefs`, or that the sweep has one `kl_coef`."""


@dataclass(frozen=True, order=True)
class Run:
    """One point of the axes."""

    width: int
    variant: Variant
    seed: int

    def run_id(self, spec: SweepSpec) -> str:
        """Readable and stable: `digits-mlp1-w64-h31-periodic8-lr0.001-s0`.

        A reference's name is in place of horizon and schedule: `digits-mlp1-w4-exact-lr0.1-s0`.
        One of `kl_coefs` follows the rate: `-lr0.01-kl0.1-s0`; another activation than leaky ReLU
        the depth: `mlp1-tanh`.
        """
        return f"{_stem(spec, self.width, self.variant)}-s{self.seed}"


@dataclass(frozen=True)
class Program:
    """Runs compiled and updated together: every seed with every variant, at one width."""

    program_id: str
    width: int
    seeds: tuple[int, ...]
    variants: tuple[Variant, ...]

    @property
    def reference(self) -> str:
        """The variants' own: all have the same, since another algorithm is other code."""
        return self.variants[0].reference

    @property
    def runs(self) -> list[Run]:
        """The runs in the order of the arrays: groups (seeds) first, variants within."""
        pairs = itertools.product(self.seeds, self.variants)
        return [Run(self.width, variant, seed) for seed, variant in pairs]

    @property
    def run_count(self) -> int:
        """How many they are."""
        return len(self.seeds) * len(self.variants)


Blocks = list[tuple[tuple[Variant, ...], list[int]]]
"""Runs: of each block every variant with every seed."""


def holding(spec: SweepSpec, programs: Iterable[Program]) -> list[Program]:
    """Those of some programs that hold runs of the sweep."""
    widths, variants = set(spec.widths), set(itertools.chain(*_variants(spec)))
    return [
        program
        for program in programs
        if program.width in widths
        and any(0 <= seed < spec.seeds for seed in program.seeds)
        and any(variant in variants for variant in program.variants)
    ]


def memory_by_width(spec: SweepSpec, task: Task) -> dict[int, ProgramMemory]:
    """Memory that a run and a group need at each width of the sweep.

    Raises:
        SweepError: one run alone needs more than `max_program_bytes`, or the network does not
            suit the task (`check_network`), or more than `MOST_KEPT_BYTES` would be kept.
    """
    check_network(spec, task.classes, task.train.images.shape[1:])
    if (kept := kept_bytes(spec, task)) > MOST_KEPT_BYTES:
        raise SweepError(
            f"policies_every: policies of {kept / 1e6:,.0f} MB would be kept, more than "
            f"{MOST_KEPT_BYTES / 1e6:,.0f} MB: choose a larger one"
        )
    result = {width: memory_of_width(spec, width, task) for width in spec.widths}
    for number, width in enumerate(spec.widths):
        needed = result[width].total(groups=1, runs=1)
        if needed > spec.max_program_bytes:
            raise SweepError(
                f"widths[{number}]: a run of width {width} needs {needed / 1e6:,.0f} MB, more than "
                f"max_program_bytes = {spec.max_program_bytes / 1e6:,.0f} MB"
            )
    return result


def kept_bytes(spec: SweepSpec, task: Task) -> int:
    """Bytes on disk of the policies that a sweep keeps along training (`policies_every`)."""
    runs, shape = spec.run_count // len(spec.widths), task.train.images.shape[1:]
    return sum(
        runs
        * len(spec.kept_updates(width))
        * networks.count_parameters(spec.network_spec(width), task.classes, shape)
        * np.dtype(np.float32).itemsize
        for width in spec.widths
        if spec.policies_every
    )


def memory_of_width(spec: SweepSpec, width: int, task: Task) -> ProgramMemory:
    """Memory that a run and a group of this width need.

    Raises:
        SweepError: the network has no layers whose memory can be estimated.
    """
    try:
        return memory.program_memory(spec.train_spec(width), task, spec.noise.samples)
    except networks.NetworkError as error:
        raise SweepError(f"network.name: {error}") from None


def check_ids(spec: SweepSpec) -> None:
    """Refuse a sweep with run ids that cannot be names of files.

    Raises:
        InputError: the longest of them is too long, or a name in it is not plain.
    """
    schedule = max(spec.schedules, key=len)
    axes = (spec.horizons, spec.optimizer.learning_rates, spec.kl_coefs or (OWN_KL_COEF,))
    horizon, rate, kl_coef = (max(axis, key=lambda value: len(_digits(value))) for axis in axes)
    variant = Variant(horizon, schedules.parse(schedule), rate, kl_coef=kl_coef)
    check_name(Run(max(spec.widths), variant, spec.seeds).run_id(spec))


def plan(
    spec: SweepSpec, placed: Iterable[Program], needs: Mapping[int, ProgramMemory]
) -> list[Program]:
    """Programs for the runs that no placed one holds, within `max_program_bytes` if one run is.

    Seeds that need the same variants are put together; a program that would be too large is split
    by seeds first, so that groups stay whole. Runs are never listed one by one: a sweep may have a
    million of them.

    Args:
        spec: the sweep.
        placed: programs that hold some of its runs already, and may hold others.
        needs: for each width, what a run and a group need (`memory_by_width`).
    """
    programs = []
    for width, blocks in _missing_by_width(spec, placed):
        need, limit = needs[width], spec.max_program_bytes
        for variants, seeds in sorted(blocks):
            for some_variants in _split(variants, need.most_runs(limit)):
                groups = max(1, limit // need.total(1, len(some_variants)))
                stems = _stems(spec, width, some_variants)
                for some_seeds in _split(seeds, groups):
                    name = _program_id(width, some_seeds, stems)
                    programs.append(Program(name, width, tuple(some_seeds), tuple(some_variants)))
    return programs


def holds_all(spec: SweepSpec, placed: Iterable[Program]) -> bool:
    """Whether some programs hold every run of the sweep."""
    return not any(blocks for _, blocks in _missing_by_width(spec, placed))


def run_ids(spec: SweepSpec, program: Program) -> list[str]:
    """The ids of a program's runs (`Run.run_id`), in their order."""
    stems = _stems(spec, program.width, program.variants)
    return [f"{stem}-s{seed}" for seed in program.seeds for stem in stems]


def run_learning_rate(spec: SweepSpec, variant: Variant) -> float:
    """Learning rate of a run at width 64: `rate (1 + (h - 1) / h_c)^(-1/2)`; the rate if h_c is 0.

    Adam divides by the gradient's standard deviation, which grows as the square root of the
    horizon once noise of the future dominates; a constant rate would take steps of the same length
    in ever noisier directions. `h_c` (`optimizer.critical_horizon`) is the horizon at which that
    noise equals the rest at the batch used (McCandlish et al. 2018, arXiv 1812.06162, section 2.2,
    for the form). Under a sparse schedule h is the dense horizon with the same noise over signal^2.
    """
    critical = spec.optimizer.critical_horizon
    if not critical:
        return variant.learning_rate
    horizon = theory.equivalent_horizon(variant.schedule, variant.horizon)
    return variant.learning_rate * (1 + (horizon - 1) / critical) ** -0.5


def run_coefficient(coefficient: float, variant: Variant) -> float:
    """Coefficient of a run's entropy bonus or KL penalty, in proportion to its schedule's signal.

    Under `periodic:k` the reward's gradient is s1 times the dense one (`Schedule.mean_discount`),
    so the same coefficient would act like tau / s1. The trainer also multiplies by the
    slope of the mean reward in the accuracy mu (`k mu^(k-1)` for a streak) at each update's mu.
    """
    discount = discount_from_horizon(variant.horizon)
    return coefficient * float(variant.schedule.mean_discount(discount))


def run_kl_coef(spec: SweepSpec, variant: Variant) -> float:
    """Coefficient of a run's KL penalty as the user gave it, of the axis or of the sweep."""
    return spec.kl_coef if variant.kl_coef == OWN_KL_COEF else variant.kl_coef


def run_params(spec: SweepSpec, program: Program) -> training.RunParams:
    """The traced numbers of a program's runs, as arrays [program run]."""

    def column(values: Sequence[float]) -> Any:
        return np.tile(np.asarray(values, np.float32), len(program.seeds))

    chosen, spec = program.variants, spec.of(program.reference)
    decay_interactions = spec.optimizer.decay_interactions
    decay = spec.batch_size / decay_interactions if decay_interactions else 0.0
    return training.RunParams(
        reward=schedules.Choice.of([run.variant.schedule for run in program.runs]),
        discount=column([discount_from_horizon(v.horizon) for v in chosen]),
        gae_lambda=column([spec.algorithm.gae_lambda] * len(chosen)),
        learning_rate=column([run_learning_rate(spec, v) for v in chosen]),
        entropy_coef=column([run_coefficient(spec.entropy_coef, v) for v in chosen]),
        kl_coef=column([run_coefficient(run_kl_coef(spec, v), v) for v in chosen]),
        decay=column([decay] * len(chosen)),
    )


def flops_per_interaction(spec: SweepSpec, width: int, classes: int, shape: tuple[int, ...]) -> int:
    """Counted training FLOPs per interaction: policy, value net, passes of PPO, KL reference.

    All but PPO need one forward and one backward pass; PPO one forward to act, and both again for
    each of its epochs; the reference policy of a KL penalty one forward.
    """
    network = spec.network_spec(width)
    train = spec.train_spec(width)
    outputs = [classes] + [1] * (train.baseline == "value_net")
    forward = sum(networks.forward_flops(network, out, shape) for out in outputs)
    backward = sum(networks.backward_flops(network, out, shape) for out in outputs)
    reference = networks.forward_flops(network, classes, shape) * train.kl_penalty
    if spec.algorithm.name == "ppo":
        return forward + train.epochs * (forward + backward) + reference
    return forward + backward + reference


def work_per_interaction(
    spec: SweepSpec, width: int, classes: int, shape: tuple[int, ...]
) -> float:
    """What an interaction costs in time, as FLOPs of the large products: for forecasts."""
    return float(flops_per_interaction(spec, width, classes, shape) + ELEMENTWISE_FLOPS)


def _split(items: Sequence[Any], size: int) -> list[Sequence[Any]]:
    """Parts of nearly equal length, at most `size` long."""
    parts = math.ceil(len(items) / size)
    bounds = [round(i * len(items) / parts) for i in range(parts + 1)]
    return [items[low:high] for low, high in itertools.pairwise(bounds)]


def _variants(spec: SweepSpec) -> list[tuple[Variant, ...]]:
    """The variants of each seed, sorted: of the sweep's own algorithm, then of each reference."""
    axes = itertools.product(
        sorted(spec.horizons),
        sorted(map(schedules.parse, spec.schedules)),
        sorted(spec.optimizer.learning_rates),
        sorted(spec.kl_coefs or (OWN_KL_COEF,)),
    )
    own = tuple(Variant(h, schedule, rate, kl_coef=kl) for h, schedule, rate, kl in axes)
    dense = schedules.parse("dense")
    references = [
        tuple(Variant(1.0, dense, rate, name) for rate in sorted(rates))
        for name, rates in vars(spec.references).items()
        if rates
    ]
    return [own, *references]


def _missing_by_width(spec: SweepSpec, placed: Iterable[Program]) -> Iterator[tuple[int, Blocks]]:
    """For each width in order, the runs that no placed program holds, as variants and seeds."""
    placed, by_algorithm = list(placed), _variants(spec)
    for width in sorted(spec.widths):
        here = [program for program in placed if program.width == width]
        blocks = (_missing(variants, spec.seeds, here) for variants in by_algorithm)
        yield width, list(itertools.chain(*blocks))


def _missing(variants: tuple[Variant, ...], seeds: int, placed: Sequence[Program]) -> Blocks:
    """Those of some variants that no program of a width holds, with the seeds that lack them."""
    held: dict[int, list[int]] = {}
    for number, program in enumerate(placed):
        for seed in program.seeds:
            held.setdefault(seed, []).append(number)
    alike: dict[tuple[int, ...], list[int]] = {}
    for seed in range(seeds):
        alike.setdefault(tuple(held.get(seed, ())), []).append(seed)
    result: dict[tuple[Variant, ...], list[int]] = {}
    for numbers, some_seeds in alike.items():
        taken = {variant for number in numbers for variant in placed[number].variants}
        left = tuple(v for v in variants if v not in taken) if taken else variants
        if left:
            result.setdefault(left, []).extend(some_seeds)
    return [(left, sorted(some_seeds)) for left, some_seeds in result.items()]


def _stems(spec: SweepSpec, width: int, variants: Iterable[Variant]) -> list[str]:
    """What the ids of each variant's runs begin with; each number is written once."""
    digits = functools.cache(_digits)
    return [_stem(spec, width, variant, digits) for variant in variants]


def _stem(
    spec: SweepSpec, width: int, variant: Variant, digits: Callable[[float], str] | None = None
) -> str:
    """A run's id (`Run.run_id`) without its seed."""
    digits = digits or _digits
    family = f"{spec.network.name}{spec.network.depth}{spec.network.suffix}"
    schedule = str(variant.schedule).replace(":", "")
    rewards = variant.reference or f"h{digits(variant.horizon)}-{schedule}"
    task, kl_coef = spec.task.replace("/", "_"), variant.kl_coef
    penalty = "" if kl_coef == OWN_KL_COEF else f"-kl{digits(kl_coef)}"
    rate = digits(variant.learning_rate)
    return f"{task}-{family}-w{width}-{rewards}-lr{rate}{penalty}"


def _program_id(width: int, seeds: Sequence[int], stems: Sequence[str]) -> str:
    """Follows from the ids of the program's runs (`run_ids`), one a line."""
    digest = hashlib.sha256()
    for number, seed in enumerate(seeds):
        names = "\n".join([f"{stem}-s{seed}" for stem in stems])
        digest.update(f"\n{names}".encode() if number else names.encode())
    return f"w{width}-{len(seeds) * len(stems)}runs-{digest.hexdigest()[:8]}"


def _digits(number: float) -> str:
    """The shortest digits that identify the number: `31`, `0.012`, `0.00001`."""
    return np.format_float_positional(number, trim="-")
