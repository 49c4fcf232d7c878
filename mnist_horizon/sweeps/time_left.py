"""The time that a sweep still needs, from what its programs have taken so far."""

import bisect
import time
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from mnist_horizon.sweeps.plan import Program
from mnist_horizon.sweeps.spec import SweepSpec

PRIOR_SECONDS = 2.0
"""How much the speed at all widths counts at each: the first chunks there are short and slow."""


@dataclass
class _Mean:
    """The mean of some seconds."""

    total: float = 0.0
    count: int = 0

    def add(self, seconds: float, count: int = 1) -> None:
        self.total += seconds
        self.count += count

    @property
    def value(self) -> float:
        return self.total / self.count if self.count else 0.0


@dataclass
class _Width:
    """Of the programs of one width: what is left, and what was measured after their first chunks.

    Work is in the unit of the costs; a program's time counts by its share of the devices.
    """

    work_left: float = 0.0
    evaluations_left: int = 0
    work: float = 0.0
    update_seconds: float = 0.0
    evaluation: _Mean = field(default_factory=_Mean)


@dataclass
class _Running:
    """A program that has begun: its update, its share of the devices, and when it last advanced."""

    update: int
    share: float
    is_new: bool
    last: float
    is_measured: bool = False
    besides: float = 0.0


class TimeLeft:
    """Estimates the time left, the sum of

    - the updates left, at the speed of those so far of the same width, and for a short while of
      those of all widths;
    - the evaluations left, at the mean time of one so far of the same width, else of all widths;
    - for each program left, what one has taken besides: to compile, for its first chunk of updates,
      in which everything is done for the first time, and for its files. Programs of the same shapes
      are compiled once.

    There is no estimate before the second chunk of updates. It assumes that every run spends its
    budget: where a sweep stops at a return, it ends earlier.
    """

    def __init__(
        self, spec: SweepSpec, programs: Sequence[Program], cost: Mapping[int, float]
    ) -> None:
        """Begin with nothing done.

        Args:
            spec: the sweep.
            programs: all of its programs.
            cost: of an interaction at each width, in any unit.
        """
        self._spec, self._cost = spec, cost
        self._marks = {p.width: spec.evaluation_updates(p.width) for p in programs}
        self._widths = {width: _Width() for width in self._marks}
        for program in programs:
            self._count(program, 0, self._marks[program.width][-1], sign=1)
        self._waiting = Counter(map(_shape, programs))
        self._seen: set[Hashable] = set()
        self._besides = {True: _Mean(), False: _Mean()}
        self._running: dict[str, _Running] = {}

    def skip(self, program: Program) -> None:
        """Leave out a program that was done before, or by another process."""
        self._waiting[_shape(program)] -= 1
        self._count(program, 0, self._marks[program.width][-1])

    def start(self, program: Program, update: int, share: float) -> None:
        """Begin or continue a program at this update, on this share of the devices."""
        shape = _shape(program)
        self._waiting[shape] -= 1
        is_new = shape not in self._seen
        self._running[program.program_id] = _Running(update, share, is_new, time.monotonic())
        self._seen.add(shape)
        self._count(program, 0, update)

    def advance(self, program: Program, updates: int, seconds: float, evaluating: float) -> None:
        """Count updates that took `seconds`, and an evaluation after them if that is not 0."""
        running, width = self._running[program.program_id], self._widths[program.width]
        now = time.monotonic()
        if running.is_measured:
            width.work += self._work(program, updates)
            width.update_seconds += seconds * running.share
            if evaluating:
                width.evaluation.add(evaluating * running.share)
        else:
            running.besides = (now - running.last) * running.share
            running.is_measured = True
        self._count(program, running.update, running.update + updates)
        running.update += updates
        running.last = now

    def finish(self, program: Program) -> None:
        """Count a program as done, possibly before its budget was spent."""
        running = self._running.pop(program.program_id)
        files = (time.monotonic() - running.last) * running.share
        self._besides[running.is_new].add(running.besides + files)
        self._count(program, running.update, self._marks[program.width][-1])

    @property
    def seconds(self) -> float | None:
        """The estimate; None before there is one."""
        measured = [width for width in self._widths.values() if width.work]
        if not measured:
            return None
        everywhere = _Width(
            work=sum(width.work for width in measured),
            update_seconds=sum(width.update_seconds for width in measured),
        )
        for width in measured:
            everywhere.evaluation.add(width.evaluation.total, width.evaluation.count)
        return self._besides_left() + sum(
            _seconds(width, everywhere) for width in self._widths.values()
        )

    def _besides_left(self) -> float:
        """What the programs left take besides updates and evaluations."""
        means = {}
        for is_new, done in self._besides.items():
            begun = [r.besides for r in self._running.values() if r.is_new == is_new and r.besides]
            means[is_new] = _Mean(done.total + sum(begun), done.count + len(begun)).value
        new = sum(count > 0 for shape, count in self._waiting.items() if shape not in self._seen)
        left = new * means[True] + (self._waiting.total() - new) * means[False]
        now = time.monotonic()
        for running in self._running.values():
            if not running.is_measured:
                left += max(0.0, means[running.is_new] - (now - running.last) * running.share)
        return left

    def _count(self, program: Program, first: int, last: int, sign: int = -1) -> None:
        """Take the updates from one to another, and their evaluations, from what is left."""
        width, marks = self._widths[program.width], self._marks[program.width]
        width.work_left += sign * self._work(program, last - first)
        evaluations = bisect.bisect_right(marks, last) - bisect.bisect_right(marks, first)
        width.evaluations_left += sign * evaluations

    def _work(self, program: Program, updates: int) -> float:
        return len(program.runs) * updates * self._spec.batch_size * self._cost[program.width]


def _seconds(width: _Width, everywhere: _Width) -> float:
    """Of the updates and evaluations that are left at a width."""
    speed = everywhere.work / everywhere.update_seconds
    evaluation = width.evaluation if width.evaluation.count else everywhere.evaluation
    return (
        width.work_left
        * (width.update_seconds + PRIOR_SECONDS)
        / (width.work + PRIOR_SECONDS * speed)
        + width.evaluations_left * evaluation.value
    )


def _shape(program: Program) -> Hashable:
    """What programs that are compiled once have in common."""
    return program.width, len(program.seeds), len(program.variants), program.reference
