"""Programs are side by side where that is shorter, and nothing else about them changes."""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import pytest
from hypothesis import given
from hypothesis import strategies as st

from launch.configs import horizon, paper, quickstart, smoke
from mnist_horizon.devices.memory import ProgramMemory
from mnist_horizon.schedules import parse
from mnist_horizon.sweeps import lanes, plan, spec_from
from mnist_horizon.sweeps.lanes import Cost, Lanes
from mnist_horizon.sweeps.plan import Program, Variant
from tests.mnist_horizon.small_sweeps import outputs, records

ROOM = 2**40


@pytest.fixture
def eight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jax, "device_count", lambda: 8)


def cost(
    name: str, seeds: int, variants: int, run: float, launch: float = 0.0, memory: int = 1
) -> Cost:
    dense = [Variant(1.0 + i, parse("dense"), 1e-3) for i in range(variants)]
    program = Program(name, 4, tuple(range(seeds)), tuple(dense))
    return Cost(program, launch, run, ProgramMemory(run=memory, group=0))


def programs(costs: Sequence[Cost]) -> list[Program]:
    return [cost.program for cost in costs]


def speed_up(costs: Sequence[Cost], chosen: Lanes) -> float:
    """Of the division over all programs on all devices."""
    alone = Lanes(1, frozenset(), chosen.costs)
    return alone.makespan(programs(costs)) / chosen.makespan(programs(costs))


@pytest.mark.usefixtures("eight")
def test_programs_of_one_run_share_the_devices() -> None:
    costs = [cost(f"p{i}", seeds=1, variants=1, run=1.0) for i in range(16)]
    chosen = lanes.choose(costs, ROOM)
    assert chosen.count == 8
    assert speed_up(costs, chosen) == 8
    assert chosen.busy(programs(costs)) == 1
    assert all(len(queue) == 2 for queue in chosen.phases(programs(costs))[0])


@pytest.mark.usefixtures("eight")
def test_what_fills_all_devices_stays_on_them() -> None:
    costs = [cost(f"p{i}", seeds=8, variants=3, run=1.0 + i) for i in range(9)]
    chosen = lanes.choose(costs, ROOM)
    assert chosen == Lanes(1, frozenset(), chosen.costs)
    assert chosen.phases(programs(costs)) == [[programs(costs)]]
    assert chosen.busy(programs(costs)) == 1


@pytest.mark.usefixtures("eight")
def test_large_programs_come_first_and_small_ones_share_the_launches() -> None:
    """Eight small programs that only launch, and one that computes: by hand 10/8 + 1, not 10/8 + 8.

    Each launch takes a second, on however many devices.
    """
    small = [cost(f"s{i}", seeds=8, variants=1, run=1e-6, launch=1.0) for i in range(8)]
    large = cost("l", seeds=8, variants=1, run=10.0, launch=1.0)
    costs = [*small, large]
    chosen = lanes.choose(costs, ROOM)
    assert chosen.count == 8
    assert chosen.of(large.program) == 1
    assert [chosen.of(cost.program) for cost in small] == [8] * 8
    assert chosen.makespan(programs(costs)) == pytest.approx((10 + 1) + 1, rel=1e-4)
    first, second = chosen.phases(programs(costs))
    assert first == [[large.program]]
    assert [len(queue) for queue in second] == [1] * 8


@pytest.mark.usefixtures("eight")
def test_a_lane_has_the_memory_that_the_limit_leaves() -> None:
    """A program on 1 of 8 devices must be an eighth of the largest that all of them take."""
    small = [cost(f"p{i}", 1, 1, run=1.0, memory=100) for i in range(8)]
    assert lanes.choose(small, 800).count == 8
    assert lanes.choose(small, 799).count == 4
    assert lanes.choose(small, 199).count == 1


@pytest.mark.usefixtures("eight")
@given(
    shapes=st.lists(
        st.tuples(st.integers(1, 9), st.integers(1, 9), st.floats(0.01, 100)),
        min_size=1,
        max_size=12,
    ),
    launch=st.sampled_from([0.0, 0.1, 10.0]),
    left=st.integers(0, 2**12 - 1),
)
def test_every_program_has_one_place_that_stays_when_others_are_done(
    shapes: list[tuple[int, int, float]], launch: float, left: int
) -> None:
    costs = [cost(f"p{i}", *shape, launch=launch) for i, shape in enumerate(shapes)]
    chosen = lanes.choose(costs, ROOM)
    assert chosen.narrow == lanes.choose(costs[::-1], ROOM).narrow
    assert speed_up(costs, chosen) >= 1
    assert 0 < chosen.busy(programs(costs)) <= 1 + 1e-9
    some = [program for i, program in enumerate(programs(costs)) if left >> i & 1]
    queues = [queue for phase in chosen.phases(some) for queue in phase]
    assert sorted(p.program_id for q in queues for p in q) == sorted(p.program_id for p in some)
    for phase in chosen.phases(some):
        assert {chosen.of(program) for queue in phase for program in queue} == {len(phase)}


def tried_one_by_one(costs: Sequence[Cost]) -> Lanes:
    """The best of all divisions, each worked out: what `choose` must find."""
    by_id = {cost.program.program_id: cost for cost in costs}
    largest_first = sorted(costs, key=lambda cost: (-cost.seconds(1), cost.program.program_id))
    best = Lanes(1, frozenset(), by_id)
    shortest = (1 - lanes.GAIN) * best.makespan(programs(costs))
    for count in (2, 4, 8):
        for first in range(len(costs)):
            names = frozenset(cost.program.program_id for cost in largest_first[first:])
            tried = Lanes(count, names, by_id)
            if (seconds := tried.makespan(programs(costs))) < shortest:
                best, shortest = tried, seconds
    return best


@pytest.mark.usefixtures("eight")
@given(
    shapes=st.lists(
        st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([0.1, 0.3, 1.0, 7.0])),
        min_size=1,
        max_size=14,
    ),
    launch=st.sampled_from([0.0, 0.1, 10.0]),
)
def test_the_division_is_the_best_of_all(
    shapes: list[tuple[int, int, float]], launch: float
) -> None:
    costs = [cost(f"p{i}", *shape, launch=launch) for i, shape in enumerate(shapes)]
    assert lanes.choose(costs, ROOM) == tried_one_by_one(costs)


@pytest.mark.usefixtures("eight")
@pytest.mark.parametrize("launch", [0.0, 0.1])
def test_of_many_programs_few_divisions_are_tried(
    launch: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With and without a gain; one by one they are 900."""
    costs = [cost(f"p{i}", 1 + i % 3, 1, run=0.1 + i % 7, launch=launch) for i in range(300)]
    tried, makespan = [], Lanes.makespan
    monkeypatch.setattr(Lanes, "makespan", lambda *given: tried.append(given) or makespan(*given))
    assert lanes.choose(costs, ROOM).count > 1
    full = [cost(f"p{i}", 8, 1 + i % 3, run=0.1 + i % 7) for i in range(300)]
    assert lanes.choose(full, ROOM).count == 1
    assert len(tried) < 50


def of_config(module: Any, platform: str) -> Lanes:
    """The division of a named sweep, on MNIST's shape, by the model of a platform."""
    spec = spec_from(module.get_config().to_dict())
    needs = dict.fromkeys(spec.widths, ProgramMemory(1, 1))
    speed = lanes.SPEEDS[platform]
    costs = []
    for program in plan.plan(spec, (), needs):
        work = plan.work_per_interaction(spec, program.width, 10, (28, 28))
        updates = spec.updates(program.width)
        run = updates * spec.batch_size * work / speed.flops
        launches = updates * speed.launch_seconds
        costs.append(Cost(program, launches, run, ProgramMemory(1, 1)))
    return lanes.choose(costs, ROOM)


@pytest.mark.parametrize("module", [smoke, quickstart, horizon, paper])
def test_named_sweeps_keep_their_cut_on_two_cores(
    module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jax, "device_count", lambda: 2)
    assert of_config(module, "cpu").count == 1


CHILD = """
import json, signal, sys
from pathlib import Path
import jax
jax.config.update("jax_num_cpu_devices", 8)
from mnist_horizon.sweeps import lanes, program_runner, runner
from mnist_horizon.sweeps.progress import Progress
from tests.mnist_horizon.small_sweeps import run, tiny

folder, how, settings = Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
spec = tiny(**settings)
if how == "alone":
    lanes.choose = lambda costs, *_: lanes.Lanes(
        1, frozenset(), {cost.program.program_id: cost for cost in costs}
    )
else:
    run(spec, folder.with_name("compiled"))  # so that all begin at the same time
order = []
advance = Progress.advance
def noted(self, program, *rest):
    order.append(program.program_id)
    if how == "stopped" and len(order) == 12:
        signal.raise_signal(signal.SIGTERM)
    advance(self, program, *rest)
Progress.advance = noted
program_runner._next_chunk = lambda *_, **__: 1
try:
    diverged = run(spec, folder).diverged
except runner.Interrupted:
    diverged = "interrupted"
print(json.dumps({"diverged": diverged, "order": order}))
"""

ONE_RUN = {"widths": [2, 3, 4, 6], "seeds": 1, "horizons": [3.0]}
"""Four programs of one run: on one device each, alone as beside others, so that bits are equal."""


def on_eight(folder: Path, how: str, settings: dict[str, Any] = ONE_RUN) -> dict[str, Any]:
    """What a process with eight devices says of a sweep that it ran in a folder."""
    command = [sys.executable, "-c", CHILD, str(folder), how, json.dumps(settings)]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    found = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert found.returncode == 0, found.stderr
    return dict(json.loads(found.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The four programs one after another."""
    folder = tmp_path_factory.mktemp("alone")
    order = on_eight(folder, "alone")["order"]
    assert [name for i, name in enumerate(order) if name not in order[:i]] == [
        name for i, name in enumerate(order) if i == 0 or order[i - 1] != name
    ], "one was begun before another's end"
    return folder


@pytest.mark.slow
def test_programs_in_lanes_give_the_same_bytes(alone: Path, tmp_path: Path) -> None:
    order = on_eight(tmp_path / "w", "lanes")["order"]
    changes = sum(a != b for a, b in itertools.pairwise(order))
    assert changes > 3, "they were not side by side"
    assert outputs(tmp_path / "w") == outputs(alone)
    cuts = [record["cut"] for record in records(tmp_path / "w").values()]
    assert cuts == [{"groups": 1, "runs_per_group": 1, "devices": 1}] * 4
    updates: dict[str, list[int]] = {}
    for line in map(json.loads, (tmp_path / "w" / "progress.jsonl").open()):
        updates.setdefault(line["program_id"], []).append(line["update"])
    assert all(marks == sorted(set(marks)) for marks in updates.values())
    assert len(updates) == 4
    assert line["interactions"] == line["of"]


@pytest.mark.slow
def test_lanes_that_are_stopped_all_save_and_go_on(alone: Path, tmp_path: Path) -> None:
    stopped = on_eight(tmp_path / "w", "stopped")
    assert stopped["diverged"] == "interrupted"
    begun = set(stopped["order"])
    assert len(begun) > 1
    assert {path.parent.name for path in (tmp_path / "w").glob("checkpoints/*/[0-9]*")} == begun
    assert on_eight(tmp_path / "w", "lanes")["diverged"] == {}
    assert outputs(tmp_path / "w") == outputs(alone)
    assert not list((tmp_path / "w").glob("checkpoints/*"))


@pytest.mark.slow
def test_divergence_and_the_threshold_end_programs_in_lanes(tmp_path: Path) -> None:
    bad = {**ONE_RUN, "optimizer": {"learning_rates": [1e38]}}
    assert len(on_eight(tmp_path / "bad" / "w", "lanes", bad)["diverged"]) == 4
    early = {**ONE_RUN, "stop_at_return": 0.02}
    order = on_eight(tmp_path / "early" / "w", "lanes", early)["order"]
    assert sorted(order) == sorted(records(tmp_path / "early" / "w"))
    assert all(record["done"] for record in records(tmp_path / "early" / "w").values())
