"""Progress of a sweep: a bar on a terminal, plain lines elsewhere, and `progress.jsonl` always."""

import json
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from tqdm import tqdm

from mnist_horizon.sweep import Program, SweepSpec

LINE_SECONDS = 10.0


class Progress:
    """Counts interactions over a sweep; the ETA assumes that every run spends its budget."""

    def __init__(self, folder: Path, spec: SweepSpec, programs: Sequence[Program]) -> None:
        self._spec, self._file = spec, (folder / "progress.jsonl").open("a")
        total = sum(self._interactions(program, spec.updates) for program in programs)
        is_terminal = sys.stderr.isatty()
        # A program that stopped early leaves interactions that never come; only time tells of it.
        self._bar = tqdm(
            total=total,
            unit=" interactions",
            unit_scale=True,
            smoothing=0.1,
            file=sys.stderr,
            disable=not is_terminal,
            dynamic_ncols=True,
        )
        self._plain = not is_terminal
        self._total, self._done, self._fresh = total, 0, 0
        self._started = self._last_line = time.monotonic()
        self._program: Program | None = None
        self._update = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()
        self._file.close()

    def skip(self, program: Program) -> None:
        """A program was done before."""
        self._count(self._interactions(program, self._spec.updates), is_fresh=False)

    def start(self, program: Program, update: int) -> None:
        """A program begins, or goes on, at this update."""
        self._program, self._update = program, update
        self._count(self._interactions(program, update), is_fresh=False)

    def advance(self, updates: int, rows: Sequence[dict[str, Any]]) -> None:
        """Some updates were done; `rows` are the program's so far, the newest last."""
        assert self._program is not None
        self._update += updates
        self._count(self._interactions(self._program, updates), is_fresh=True)
        newest = [row for row in rows if row["updates"] == rows[-1]["updates"]]
        mean = sum(row["return_mean"] for row in newest) / len(newest) if newest else math.nan
        rate = self._fresh / (time.monotonic() - self._started)
        self._bar.set_postfix_str(f"{self._program.program_id}, return {mean:.3f}", refresh=False)
        if newest and newest[-1]["updates"] == self._update:
            self._record(mean, rate)
        if self._plain and time.monotonic() - self._last_line > LINE_SECONDS:
            self._last_line = time.monotonic()
            left = (self._total - self._done) / rate
            print(
                f"{self._program.program_id}: {self._done / self._total:.0%} of the sweep, "
                f"{rate:.3g} interactions/s, {left:.0f} s left, mean return {mean:.3f}",
                file=sys.stderr,
                flush=True,
            )

    def finish(self, program: Program) -> None:
        """A program is done, perhaps before its budget was spent."""
        rest = self._spec.updates - self._update
        self._count(self._interactions(program, rest), is_fresh=False)

    def _record(self, mean: float, rate: float) -> None:
        assert self._program is not None
        entry = {
            "time": time.time(),
            "program_id": self._program.program_id,
            "update": self._update,
            "interactions": self._done,
            "of": self._total,
            "interactions_per_second": rate,
            "return_mean": None if math.isnan(mean) else mean,
        }
        self._file.write(json.dumps(entry) + "\n")
        self._file.flush()

    def _count(self, interactions: int, is_fresh: bool) -> None:
        self._done += interactions
        self._fresh += interactions * is_fresh
        self._bar.update(interactions)

    def _interactions(self, program: Program, updates: int) -> int:
        return len(program.runs) * updates * self._spec.batch_size
