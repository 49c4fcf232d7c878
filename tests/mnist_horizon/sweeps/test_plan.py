"""Runs have readable ids of their own; programs hold every run once, and fit."""

import dataclasses
import hashlib
import time
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_horizon.devices.memory import ProgramMemory
from mnist_horizon.errors import InputError, SweepError
from mnist_horizon.files import LONGEST_NAME
from mnist_horizon.horizon import discount_from_horizon
from mnist_horizon.networks import NetworkSpec, backward_flops, forward_flops
from mnist_horizon.schedules import make, parse
from mnist_horizon.sweeps import SweepSpec, plan
from mnist_horizon.sweeps.plan import Program, Run, Variant
from mnist_horizon.tasks import Examples, Task
from tests.mnist_horizon.networks import user_networks
from tests.mnist_horizon.small_sweeps import all_runs, tiny
from tests.mnist_horizon.sweeps.test_spec import small

SHAPE = (8, 8)


def task_of(shape: tuple[int, ...]) -> Task:
    """A task whose arrays take no memory."""
    images = jax.ShapeDtypeStruct((100, *shape), jnp.uint8)
    examples = Examples(images, jax.ShapeDtypeStruct((100,), jnp.int32))
    return Task(train=examples, test=examples, classes=10)


def test_an_id_is_readable_and_stable() -> None:
    run = Run(64, Variant(31.0, make("periodic", 8.0), 1e-3), seed=0)
    assert run.run_id(small()) == "digits-mlp1-w64-h31-periodic8-lr0.001-s0"
    run = Run(8, Variant(1.5, make("dense"), 1e-5), seed=3)
    spec = small(network={"name": "cnn", "depth": 2})
    assert run.run_id(spec) == "digits-cnn2-w8-h1.5-dense-lr0.00001-s3"


def test_references_are_runs_and_programs_of_their_own() -> None:
    spec = small(references={"supervised": [0.01], "exact": [0.01, 0.02]}, entropy_coef=0.1)
    own = small(entropy_coef=0.1)
    runs, before = all_runs(spec), all_runs(own)
    added = set(runs) - set(before)
    assert set(before) < set(runs)
    assert spec.run_count == len(runs) == len(before) + len(spec.widths) * spec.seeds * 3
    assert min(run.run_id(spec) for run in added) == "digits-mlp1-w4-exact-lr0.01-s0"
    needs = plan.memory_by_width(spec, task_of(SHAPE))
    programs = plan.plan(spec, (), needs)
    assert {program.reference for program in programs} == {"", "supervised", "exact"}
    assert sorted(run for program in programs for run in program.runs) == runs
    assert set(plan.plan(own, (), needs)) < set(programs)
    for program in programs:
        assert {run.variant.reference for run in program.runs} == {program.reference}
        numbers = plan.run_params(spec, program)
        bonus = 0.0 if program.reference == "supervised" else np.float32(0.1)
        assert set(numbers.entropy_coef.tolist()) == {float(bonus)}


def test_a_reference_is_counted_without_a_value_net_and_measures_no_noise() -> None:
    spec = small(baseline="value_net", noise={"samples": 64}, references={"exact": [0.01]})
    exact = spec.of("exact")
    network = spec.network_spec(8)
    forward, backward = (count(network, 10, SHAPE) for count in (forward_flops, backward_flops))
    assert plan.flops_per_interaction(exact, 8, 10, SHAPE) == forward + backward
    assert plan.flops_per_interaction(spec, 8, 10, SHAPE) > 1.5 * (forward + backward)
    assert exact.noise.samples == 0
    assert exact.train_spec(8).baseline == "none"
    assert spec.of("") == spec


@given(
    horizons=st.lists(st.floats(1, 6e5), min_size=1, max_size=4, unique=True),
    rates=st.lists(st.floats(1e-8, 1e3), min_size=1, max_size=4, unique=True),
)
def test_two_runs_never_share_an_id(horizons: list[float], rates: list[float]) -> None:
    spec = small(horizons=horizons, optimizer={"learning_rates": rates})
    ids = [run.run_id(spec) for run in all_runs(spec)]
    assert len(set(ids)) == len(ids) == len(horizons) * len(rates) * 2
    assert not any("/" in name for name in ids)


SETTINGS = st.fixed_dictionaries(
    {
        "widths": st.lists(st.integers(1, 64), min_size=1, max_size=3, unique=True),
        "horizons": st.lists(st.integers(1, 99), min_size=1, max_size=5, unique=True),
        "schedules": st.lists(
            st.sampled_from(["dense", "revealed:0.5", "periodic:4", "streak:2"]),
            min_size=1,
            max_size=3,
            unique=True,
        ),
        "seeds": st.integers(1, 5),
        "max_program_bytes": st.integers(1_000, 100_000),
    }
)


def of_a_list(spec: SweepSpec, runs: Iterable[Run], needs: Mapping[int, ProgramMemory]) -> Any:
    """Programs of a list of runs, by the rule of `plan.plan` in its plainest form."""
    by_seed: dict[tuple[int, int, str], set[Variant]] = {}
    for run in runs:
        key = (run.width, run.seed, run.variant.reference)
        by_seed.setdefault(key, set()).add(run.variant)
    blocks: dict[tuple[int, tuple[Variant, ...]], list[int]] = {}
    for (width, seed, _), wanted in sorted(by_seed.items()):
        blocks.setdefault((width, tuple(sorted(wanted))), []).append(seed)
    for (width, variants), seeds in sorted(blocks.items()):
        need, limit = needs[width], spec.max_program_bytes
        for some in plan._split(variants, need.most_runs(limit)):
            groups = max(1, limit // need.total(1, len(some)))
            for some_seeds in plan._split(seeds, groups):
                names = [Run(width, v, seed).run_id(spec) for seed in some_seeds for v in some]
                digest = hashlib.sha256("\n".join(names).encode()).hexdigest()[:8]
                name = f"w{width}-{len(names)}runs-{digest}"
                yield Program(name, width, tuple(some_seeds), tuple(some))


@given(SETTINGS, st.data())
def test_programs_hold_each_run_once_and_fit(changes: dict[str, Any], data: st.DataObject) -> None:
    spec = small(**changes, references={"exact": [0.01]})
    runs = all_runs(spec)
    assert runs == sorted(runs)
    assert len(set(runs)) == len(runs) == spec.run_count
    chosen = [run for run in runs if data.draw(st.booleans())]
    needs = {width: ProgramMemory(run=1 + 10 * width, group=300) for width in spec.widths}
    placed = [
        Program(f"p{number}", run.width, (run.seed, 99), (run.variant,))
        for number, run in enumerate(set(runs) - set(chosen))
    ]
    programs = plan.plan(spec, placed, needs)
    assert programs == list(of_a_list(spec, chosen, needs))
    assert plan.holding(spec, [*placed, *programs]) == [*placed, *programs]
    held = [run for program in programs for run in program.runs]
    assert sorted(held) == sorted(chosen)
    assert len({program.program_id for program in programs}) == len(programs)
    for program in programs:
        assert plan.run_ids(spec, program) == [run.run_id(spec) for run in program.runs]
        need = needs[program.width].total(len(program.seeds), len(program.variants))
        assert need <= spec.max_program_bytes


def test_a_million_runs_are_planned_in_seconds() -> None:
    """In 2,500 programs, and what is left when half of these are placed."""
    rates = tuple(1e-3 * (1 + i / 100) for i in range(25))
    axes = {"widths": (4, 8), "horizons": tuple(range(1, 21)), "seeds": 1000}
    spec = small(**axes, optimizer={"learning_rates": rates}, max_program_bytes=400)
    needs = {width: ProgramMemory(run=1, group=1) for width in spec.widths}
    started = time.process_time()
    programs = plan.plan(spec, (), needs)
    assert sum(program.run_count for program in programs) == spec.run_count == 1_000_000
    assert len(programs) > 2000
    assert plan.plan(spec, programs[::2], needs) == programs[1::2]
    assert time.process_time() - started < 10


def test_a_sweep_that_fits_is_one_program_a_width() -> None:
    spec = small(widths=(4, 8), seeds=3)
    programs = plan.plan(spec, (), {4: ProgramMemory(1, 1), 8: ProgramMemory(1, 1)})
    assert [(p.width, p.seeds, len(p.variants)) for p in programs] == [
        (4, (0, 1, 2), 2),
        (8, (0, 1, 2), 2),
    ]


def test_memory_is_told_for_each_width() -> None:
    needs = plan.memory_by_width(small(widths=(4, 64)), task_of(SHAPE))
    assert list(needs) == [4, 64]
    assert needs[64].run > needs[4].run


def test_a_run_that_cannot_fit_is_refused() -> None:
    spec = small(widths=(4, 10**6), max_program_bytes=10**9)
    with pytest.raises(SweepError, match=r"widths\[1\]: a run of width 1000000 needs"):
        plan.memory_by_width(spec, task_of((28, 28)))


def test_a_network_that_cannot_take_the_observations_is_refused() -> None:
    message = r"network.name: 'cnn' needs square images, not .* \(64,\), as task 'digits' has them"
    with pytest.raises(SweepError, match=message):
        plan.memory_by_width(small(network={"name": "cnn"}), task_of((64,)))


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("convolution", {}, "its FLOPs cannot be counted"),
        ("table", {}, "its memory cannot be estimated"),
        ("attention", {"noise": {"samples": 64}}, "gradient noise is measured only where"),
    ],
)
def test_a_network_whose_cost_cannot_be_told_is_refused(
    name: str, changes: dict[str, Any], message: str
) -> None:
    assert user_networks.Convolution  # they are registered
    with pytest.raises(SweepError, match=f"^network.name: network '{name}': {message}"):
        plan.memory_by_width(small(network={"name": name}, **changes), task_of(SHAPE))


def test_the_traced_numbers_are_those_of_the_runs() -> None:
    spec = small(
        horizons=(1.0, 31.0),
        schedules=("dense", "periodic:4"),
        optimizer={"learning_rates": (1e-2,), "critical_horizon": 15.0},
        entropy_coef=0.1,
        kl_coef=0.2,
        algorithm={"gae_lambda": 0.9},
    )
    (program,) = plan.plan(spec, (), {4: ProgramMemory(1, 1)})
    numbers = plan.run_params(spec, program)
    for i, run in enumerate(program.runs):
        variant = run.variant
        flat = {
            name: np.ravel(value)[i] for name, value in vars(numbers).items() if name != "reward"
        }
        assert flat["discount"] == np.float32(discount_from_horizon(variant.horizon))
        assert flat["learning_rate"] == np.float32(plan.run_learning_rate(spec, variant))
        assert flat["gae_lambda"] == np.float32(0.9)
        delayed = variant.schedule.period > 1
        assert flat["kl_coef"] == np.float32(plan.run_coefficient(0.2, variant))
        assert flat["entropy_coef"] == np.float32(plan.run_coefficient(0.1, variant))
        assert (flat["entropy_coef"] < np.float32(0.1)) == delayed
        assert np.ravel(numbers.reward.period)[i] == variant.schedule.period


@pytest.mark.parametrize(
    ("schedule", "horizon", "expected"),
    [
        ("dense", 31.0, 0.1),
        ("revealed:0.25", 3.0, 0.1),
        ("periodic:4", 1.0, 0.1 / 4),
        ("periodic:4", 3.0, 0.1 * (1 + 1 / 2 + 1 / 4 + 1 / 8) / 4),
        ("streak:4", 3.0, 0.1 * (1 + 1 / 2 + 1 / 4 + 1 / 8) / 4),
        ("streak:2", 1.0, 0.1 / 2),
    ],
)
def test_a_coefficient_shrinks_with_the_delay(
    schedule: str, horizon: float, expected: float
) -> None:
    variant = Variant(horizon, parse(schedule), 0.5)
    assert plan.run_coefficient(0.1, variant) == pytest.approx(expected)


def test_the_learning_rate_falls_with_the_horizon() -> None:
    spec = small(optimizer={"critical_horizon": 15.0})
    dense = make("dense")
    assert plan.run_learning_rate(spec, Variant(1.0, dense, 0.5)) == 0.5
    assert plan.run_learning_rate(spec, Variant(46.0, dense, 0.5)) == pytest.approx(0.25)
    assert plan.run_learning_rate(small(), Variant(46.0, dense, 0.5)) == 0.5


@pytest.mark.parametrize(
    ("changes", "forward_passes", "backward_passes", "values"),
    [
        ({}, 1, 1, 0),
        ({"baseline": "value_net"}, 1, 1, 1),
        ({"kl_coef": 0.1}, 2, 1, 0),
        ({"algorithm": {"name": "ppo", "epochs": 3, "minibatches": 4}}, 4, 3, 0),
    ],
)
def test_flops_are_those_of_the_passes(
    changes: dict[str, Any], forward_passes: int, backward_passes: int, values: int
) -> None:
    network = NetworkSpec("mlp", 1, 4)
    forward, backward = forward_flops(network, 10, SHAPE), backward_flops(network, 10, SHAPE)
    value = forward_flops(network, 1, SHAPE) + backward_flops(network, 1, SHAPE)
    expected = forward_passes * forward + backward_passes * backward + values * value
    assert plan.flops_per_interaction(small(**changes), 4, 10, SHAPE) == expected


def test_ids_too_long_for_a_file_are_refused() -> None:
    spec = tiny(optimizer={"learning_rates": (1e-2, 1.2345678912345e-37)})
    ids = [run.run_id(spec) for run in all_runs(spec)]
    for added in range(0, LONGEST_NAME - max(map(len, ids)) + 1, 10):
        plan.check_ids(dataclasses.replace(spec, task="digits" + added * "x"))
    longer = dataclasses.replace(spec, task="digits" + (added + 10) * "x")
    with pytest.raises(InputError, match=r"not a plain name: .* at most 200 characters"):
        plan.check_ids(longer)
