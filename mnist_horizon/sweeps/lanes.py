"""Which programs run side by side, each on some of the devices, rather than on all of them.

On all devices a program with fewer groups than devices computes padding, and one that is small is
over in the time that it takes to launch its kernels. The devices are then divided into equal lanes,
each with programs of its own: the largest programs run on all devices, one after another, and then
the others in the lanes. A small model of the time chooses which, and how many lanes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import jax

from mnist_horizon import devices
from mnist_horizon.devices import memory
from mnist_horizon.sweeps import plan
from mnist_horizon.sweeps.plan import Program
from mnist_horizon.sweeps.spec import SweepSpec
from mnist_horizon.tasks import Task

GAIN = 0.05
"""Lanes must save this share of the time: the model is not more exact than that."""

ROUNDING = 1e-9
"""Sums of the same times in another order differ by less than this share."""


@dataclass(frozen=True)
class Speed:
    """A device in the model: seconds to launch an update's kernels, and FLOP/s of its products."""

    launch_seconds: float
    flops: float


SPEEDS: Mapping[str, Speed] = {
    "cpu": Speed(0.0, 1e11),
    "gpu": Speed(2e-4, 2e13),
    "tpu": Speed(2e-4, 2e13),
}
"""By platform; of a lane's merits only the ratio of the two numbers matters.

Assumed: 40 to 50 kernels an update of 4 microseconds each, and products in f32 at the speed that
`launch/PERFORMANCE.md` has of one GPU. A CPU calls its functions in no time.
"""


@dataclass(frozen=True)
class Cost:
    """What the model knows of a program.

    Attributes:
        program: the program.
        launch: seconds to launch the kernels of all updates.
        run: seconds that one device needs for one run, launches left out.
        memory: of a run and of a group.
    """

    program: Program
    launch: float
    run: float
    memory: memory.ProgramMemory

    def seconds(self, lanes: int) -> float:
        """`launch + max over devices of (runs with padding) run`, on all devices / `lanes`."""
        layout = self._layout(lanes)
        return self.launch + layout.groups / layout.devices * layout.runs_per_group * self.run

    def bytes(self, lanes: int) -> int:
        """Of the program, on all devices / `lanes`."""
        layout = self._layout(lanes)
        return self.memory.total(layout.groups, layout.runs_per_group)

    def _layout(self, lanes: int) -> devices.Layout:
        seeds, variants = len(self.program.seeds), len(self.program.variants)
        return devices.layout_here(seeds, variants, lanes)


@dataclass(frozen=True)
class Lanes:
    """How a sweep's programs use the devices.

    Attributes:
        count: number of lanes; 1 where no program is in one.
        narrow: ids of the programs in lanes; the others run on all devices, before them.
        costs: of every program by id.
    """

    count: int
    narrow: frozenset[str]
    costs: Mapping[str, Cost]

    def phases(self, programs: Iterable[Program]) -> list[list[list[Program]]]:
        """Queues that are worked on side by side: one on all devices, then one for each lane.

        In the lanes, the longest program first, each to the lane that would be free first.

        Args:
            programs: those that are left of the sweep's; the order of those on all devices stays.
        """
        wide = [program for program in programs if program.program_id not in self.narrow]
        narrow = [program for program in programs if program.program_id in self.narrow]
        queues: list[list[Program]] = [[] for _ in range(self.count)]
        ends = [0.0] * self.count
        for program in sorted(narrow, key=lambda p: (-self.seconds(p), p.program_id)):
            lane = ends.index(min(ends))
            queues[lane].append(program)
            ends[lane] += self.seconds(program)
        return [queues for queues in ([wide], queues) if any(queues)]

    def of(self, program: Program) -> int:
        """Number of lanes beside which a program runs, itself included: 1 on all devices."""
        return self.count if program.program_id in self.narrow else 1

    def seconds(self, program: Program) -> float:
        """Of a program, by the model."""
        return self.costs[program.program_id].seconds(self.of(program))

    def makespan(self, programs: Sequence[Program]) -> float:
        """Seconds that these programs take together, by the model."""
        return sum(
            max(sum(map(self.seconds, queue)) for queue in queues)
            for queues in self.phases(programs)
        )

    def busy(self, programs: Sequence[Program]) -> float:
        """Share of the devices' time, in `makespan`, that is no padding, launching or waiting."""
        costs = [self.costs[program.program_id] for program in programs]
        work = sum(cost.run * cost.program.run_count for cost in costs)
        return work / (jax.device_count() * self.makespan(programs)) if programs else 1.0


def choose(
    costs: Sequence[Cost], max_program_bytes: int, lane_counts: Sequence[int] | None = None
) -> Lanes:
    """The division into lanes with the shortest time by the model.

    A program is in a lane only if it takes no more of a device's memory there than a program of
    `max_program_bytes` on all of them. The choice depends on all programs of a sweep, so that it
    stays when some of them are done.

    Args:
        costs: of all the sweep's programs, done or not.
        max_program_bytes: the limit of a program on all devices.
        lane_counts: to choose from; by default those that divide each process's devices.
    """
    if lane_counts is None:
        each = jax.device_count() // jax.process_count()
        lane_counts = [count for count in range(2, each + 1) if each % count == 0]
    by_id = {cost.program.program_id: cost for cost in costs}
    largest_first = sorted(costs, key=lambda cost: (-cost.seconds(1), cost.program.program_id))
    best = Lanes(1, frozenset(), by_id)
    programs = [cost.program for cost in costs]
    shortest = ((1 - GAIN) * best.makespan(programs), 0, 0)
    candidates = []
    for count in lane_counts:
        fitting = [c for c in largest_first if count * c.bytes(count) <= max_program_bytes]
        bounds = _least_seconds(largest_first, fitting, count)
        candidates += [(least, count, first, fitting) for first, least in enumerate(bounds)]
    # In the order of their bounds, so that few of the divisions of many programs are tried.
    for least, count, first, fitting in sorted(candidates, key=lambda candidate: candidate[:3]):
        if least > shortest[0]:
            break
        names = frozenset(cost.program.program_id for cost in fitting[first:])
        lanes = Lanes(count, names, by_id)
        # Of divisions that take equally long, the one with the fewest lanes.
        if (found := (lanes.makespan(programs), count, first)) < shortest:
            best, shortest = lanes, found
    return best


def _least_seconds(costs: Sequence[Cost], fitting: Sequence[Cost], count: int) -> list[float]:
    """Seconds that no division with the last programs of `fitting` in lanes can go below.

    For each place in `fitting` at which it may begin. The lanes need the time of the longest
    program, and their share of all of them; less what rounding may add up to.
    """
    wide = sum(cost.seconds(1) for cost in costs)
    total = longest = 0.0
    bounds = []
    for cost in reversed(fitting):
        seconds = cost.seconds(count)
        wide -= cost.seconds(1)
        total, longest = total + seconds, max(longest, seconds)
        bounds.append((1 - ROUNDING) * (wide + max(total / count, longest)))
    return bounds[::-1]


def for_sweep(spec: SweepSpec, programs: Iterable[Program], task: Task) -> Lanes:
    """How these programs of a sweep, done or not, use the devices of this process and its peers.

    Raises:
        SweepError: the memory of a program cannot be estimated.
    """
    speed, shape = SPEEDS.get(jax.default_backend(), SPEEDS["gpu"]), task.train.images.shape[1:]
    programs = list(programs)
    by_width = {}
    for width in {program.width for program in programs}:
        work = plan.work_per_interaction(spec, width, task.classes, shape)
        need = plan.memory_of_width(spec, width, task)
        updates = spec.updates(width)
        run = updates * spec.batch_size * work / speed.flops
        by_width[width] = (updates * speed.launch_seconds, run, need)
    costs = [Cost(program, *by_width[program.width]) for program in programs]
    return choose(costs, spec.max_program_bytes)
