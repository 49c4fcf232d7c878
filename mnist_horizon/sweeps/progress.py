"""Progress of a sweep: a bar on a terminal, log lines elsewhere, and `progress.jsonl` always."""

import json
import logging
import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from mnist_horizon import files, terminal
from mnist_horizon.sweeps.plan import Program
from mnist_horizon.sweeps.spec import SweepSpec
from mnist_horizon.sweeps.time_left import TimeLeft

LOG = logging.getLogger(__name__)

FIRST_LINES_SECONDS, LATER_LINES_SECONDS = 10.0, 60.0


@dataclass
class _Started:
    """A program that is being run: where it is, and what this process has done of it."""

    program: Program
    update: int
    share: float
    interactions: int = 0
    seconds: float = 0.0


class Progress:
    """Counts a sweep's work, and tells it with the time left (`TimeLeft`).

    Work is interactions times what one costs at its width, as the widths of a sweep differ in speed
    a hundredfold. What is told on stderr may be lost, which is no error (`terminal`).
    """

    def __init__(
        self,
        folder: Path | None,
        spec: SweepSpec,
        programs: Sequence[Program],
        cost: Mapping[int, float],
        bar: bool | None = None,
    ) -> None:
        """Begin with nothing done.

        Args:
            folder: where `progress.jsonl` is; with None nothing is written or shown.
            spec: the sweep.
            programs: all of its programs.
            cost: of an interaction at each width, in any unit.
            bar: whether to show a bar; by default where stderr is a terminal.
        """
        self._spec, self._cost = spec, cost
        self._path = files.inside(folder, "progress.jsonl") if folder else None
        self._interactions = sum(self._size(p, spec.updates(p.width)) for p in programs)
        self._work = sum(self._size(p, spec.updates(p.width)) * cost[p.width] for p in programs)
        self._interactions_done, self._work_done = 0, 0.0
        self._time_left = TimeLeft(spec, programs, cost)
        self._begin, self._last_line = time.monotonic(), -math.inf
        self._running: dict[str, _Started] = {}
        self._newest: _Started | None = None
        stderr = terminal.tolerant(sys.stderr)
        self._bar = tqdm(
            total=self._work,
            bar_format="{percentage:3.0f}%|{bar}| {desc}",
            file=stderr,
            disable=folder is None or not (stderr.isatty() if bar is None else bar),
            dynamic_ncols=True,
        )

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._bar.close()
        if kind is None and self.is_complete:
            LOG.info("100%% of the sweep, in %s", duration(time.monotonic() - self._begin))

    def skip(self, program: Program) -> None:
        """Count a program that was done before, or by another process."""
        self._time_left.skip(program)
        self._count(program, self._spec.updates(program.width))

    def start(self, program: Program, update: int, share: float = 1.0) -> None:
        """Start or resume a program at this update, on this share of the devices."""
        self._newest = self._running[program.program_id] = _Started(program, update, share)
        self._time_left.start(program, update, share)
        self._count(program, update)
        self._show(program, "compiling")
        self._bar.refresh()

    def advance(
        self,
        program: Program,
        updates: int,
        seconds: float,
        rows: Sequence[Mapping[str, Any]],
        evaluating: float = 0.0,
    ) -> None:
        """Count updates.

        Args:
            program: that did them.
            updates: their number.
            seconds: that they and an evaluation after them took.
            rows: the program's so far, the newest last.
            evaluating: seconds of the evaluation; 0 without one.
        """
        started = self._newest = self._running[program.program_id]
        size = self._size(program, updates)
        started.update += updates
        started.interactions += size
        started.seconds += seconds
        self._time_left.advance(program, updates, seconds - evaluating, evaluating)
        self._count(program, updates)
        newest = [row for row in rows if row["updates"] == rows[-1]["updates"]]
        mean = sum(row["return_mean"] for row in newest) / len(newest) if newest else math.nan
        self._show(
            program, f"{self.interactions_per_second:.3g} interactions/s", f"mean return {mean:.3f}"
        )
        if newest and newest[-1]["updates"] == started.update:
            self._record(started, mean)

    def finish(self, program: Program) -> None:
        """Count a program as done, possibly before its budget was spent."""
        self._time_left.finish(program)
        left = self._spec.updates(program.width) - self._running.pop(program.program_id).update
        self._count(program, left)

    @property
    def interactions_per_second(self) -> float:
        """Of the updates in this process of the program that advanced last."""
        if self._newest is None:
            return 0.0
        return self._newest.interactions / max(self._newest.seconds, 1e-9)

    @property
    def seconds_left(self) -> float | None:
        """Until the sweep is done, as `TimeLeft` estimates it; None before there is an estimate."""
        return self._time_left.seconds

    @property
    def is_complete(self) -> bool:
        """Whether all programs are done."""
        return self._interactions_done == self._interactions

    def _show(self, program: Program, *texts: str) -> None:
        """Tell what a program does: on the bar, else in a line where the last one is old enough."""
        left = self.seconds_left
        first, *others = texts
        time_left = [] if left is None else [f"{duration(left)} left"]
        text = ", ".join([program.program_id, first, *time_left, *others])
        self._bar.set_description_str(text, refresh=False)
        now = time.monotonic()
        pause = min(LATER_LINES_SECONDS, max(FIRST_LINES_SECONDS, (now - self._begin) / 10))
        if self._bar.disable and now - self._last_line >= pause:
            self._last_line = now
            LOG.info("%.0f%% of the sweep: %s", 100 * self._work_done / self._work, text)

    def _record(self, started: _Started, mean: float) -> None:
        entry = {
            "time": time.time(),
            "program_id": started.program.program_id,
            "update": started.update,
            "interactions": self._interactions_done,
            "of": self._interactions,
            "interactions_per_second": self.interactions_per_second,
            "seconds_left": self.seconds_left,
            "share": started.share,
            "return_mean": None if math.isnan(mean) else mean,
        }
        if self._path is not None:
            files.append_line(self._path, json.dumps(entry))

    def _count(self, program: Program, updates: int) -> None:
        size = self._size(program, updates)
        self._interactions_done += size
        self._work_done += size * self._cost[program.width]
        self._bar.update(size * self._cost[program.width])

    def _size(self, program: Program, updates: int) -> int:
        return len(program.runs) * updates * self._spec.batch_size


def duration(seconds: float) -> str:
    """Seconds as `1:05`, or `2:01:05` with hours."""
    hours, rest = divmod(round(seconds), 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
