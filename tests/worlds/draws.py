"""Draws of the worlds, what the page says of each, and the table of how often that is false."""

import multiprocessing
import sys
import time
import traceback
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field

import numpy as np
from scipy.stats import binomtest

from analysis.data import Measurements, measure
from analysis.laws import fit_laws
from analysis.page.claims import Claim
from analysis.page.content import Content
from analysis.page.questions import sections
from mnist_horizon.results import Results
from tests.worlds.judge import Judgement, judge
from tests.worlds.worlds import WORLDS


def claims_of(measured: Measurements) -> list[Claim]:
    """Everything that the page claims of some measurements; the only place that knows how."""
    content = Content.of(measured, fit_laws(measured))
    return [claim for section in sections(content) for claim in section.claims]


@dataclass(frozen=True)
class Draw:
    """What was found in one draw of a world.

    Attributes:
        world: name of the world.
        number: which draw of it.
        judgements: of every decided claim.
        error: the traceback where the analysis failed; else empty.
        seconds: what it took.
    """

    world: str
    number: int
    judgements: tuple[Judgement, ...]
    error: str = ""
    seconds: float = 0.0

    @property
    def is_silent(self) -> bool:
        """Whether nothing decided is said about the world's main question."""
        return not any(one.about in WORLDS[self.world].main for one in self.judgements)

    @property
    def is_false(self) -> bool:
        """Whether any of its sentences is false."""
        return any(one.sentence is False for one in self.judgements)


def draw(name: str, number: int, seed: int) -> Draw:
    """One draw of a world, judged: it depends on its arguments alone.

    Any failure of the analysis is kept in the draw, so that a table has the other draws.
    """
    start = time.perf_counter()
    rng = np.random.default_rng([seed, zlib.crc32(name.encode()), number])
    frame, truth = WORLDS[name].draw(rng)
    try:
        measured = measure(Results(frame, ()), thresholds=WORLDS[name].thresholds)
        decided = [claim for claim in claims_of(measured) if claim.decided]
        judgements, error = tuple(judge(claim, truth) for claim in decided), ""
    except Exception:
        judgements, error = (), traceback.format_exc()
    return Draw(name, number, judgements, error, time.perf_counter() - start)


def all_draws(names: Sequence[str], draws: int, seed: int, processes: int) -> list[Draw]:
    """Draws of some worlds in a fixed order; progress goes to stderr."""
    jobs = [(name, number, seed) for name in names for number in range(draws)]
    found = []
    for done, one in enumerate(_unordered(jobs, processes), 1):
        found.append(one)
        state = "FAILED" if one.error else f"{len(one.judgements)} claims"
        took = f"{one.seconds:.1f} s"
        print(f"{done}/{len(jobs)} {one.world} {one.number}: {state}, {took}", file=sys.stderr)
    return sorted(found, key=lambda one: (names.index(one.world), one.number))


def _unordered(jobs: Sequence[tuple[str, int, int]], processes: int) -> Iterator[Draw]:
    if processes == 1:
        yield from (draw(*job) for job in jobs)
        return
    # Spawned: to fork a process that has threads (JAX's import may start some) can hang.
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        yield from (job.result() for job in as_completed([pool.submit(draw, *j) for j in jobs]))


@dataclass
class Counts:
    """Counts over draws.

    Attributes:
        draws: how many.
        decided: decided claims.
        sentences: sentences that were judged, `false` of them false.
        intervals: intervals that were judged, of which `missed` do not hold the truth.
        unjudged: decided claims of which nothing was judged.
        silent: draws that say nothing about the main question.
        with_false: draws with a false sentence.
        failed: draws in which the analysis failed.
        false_ones: world, `about` and verdict of what is false, with counts; others likewise.
        examples: a sentence for each of these.
    """

    draws: int = 0
    decided: int = 0
    sentences: int = 0
    false: int = 0
    intervals: int = 0
    missed: int = 0
    unjudged: int = 0
    silent: int = 0
    with_false: int = 0
    failed: int = 0
    false_ones: Counter[str] = field(default_factory=Counter)
    missed_ones: Counter[str] = field(default_factory=Counter)
    unjudged_ones: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)


def count(draws: Sequence[Draw]) -> Counts:
    """Add up some draws; a failed one counts neither as silent nor as false."""
    total = Counts()
    for one in draws:
        total.draws += 1
        total.failed += bool(one.error)
        total.silent += one.is_silent and not one.error
        total.with_false += one.is_false
        for judgement in one.judgements:
            _add(total, one.world, judgement)
    return total


def _add(total: Counts, world: str, one: Judgement) -> None:
    name = " ".join(filter(None, [one.about, one.verdict])) or "(about nothing)"
    missed = [number for number, held in one.intervals.items() if not held]
    total.decided += 1
    total.sentences += one.sentence is not None
    total.false += one.sentence is False
    total.intervals += len(one.intervals)
    total.missed += len(missed)
    total.unjudged += not one.is_judged
    listed = {
        "false_ones": [f"{world}: {name}"] * (one.sentence is False),
        "missed_ones": [f"{world}: {one.about} {number}" for number in missed],
        "unjudged_ones": [name] * (not one.is_judged) + [f"{name}: {n}" for n in one.unjudged],
    }
    for counter, names in listed.items():
        getattr(total, counter).update(names)
        total.examples.update({n: one.text for n in names if n not in total.examples})


def share(some: int, of: int) -> str:
    """A share with its binomial 95% interval (Wilson)."""
    if not of:
        return "0 of 0"
    low, high = binomtest(some, of).proportion_ci(0.95, method="wilson")
    return f"{some} of {of}, {some / of:.1%} [{low:.1%}, {high:.1%}]"


def format_table(draws: Sequence[Draw]) -> str:
    """The table over worlds, its totals, what was false and what was not judged."""
    head = ("draws", "decided", "false", "of", "missed", "of", "not judged", "silent", "failed")
    lines = [f"{'world':<40}" + "".join(f"{name:>11}" for name in head)]
    for name in dict.fromkeys(one.world for one in draws):
        here, world = count([one for one in draws if one.world == name]), WORLDS[name]
        title = f"{world.title}{' *' * world.broken}"
        numbers = (here.draws, here.decided, here.false, here.sentences, here.missed)
        numbers += (here.intervals, here.unjudged, here.silent, here.failed)
        lines.append(f"{title:<40}" + "".join(f"{number:>11}" for number in numbers))
    total = count(draws)
    lines += [
        "* a premise of the laws is broken",
        "",
        f"false sentences: {share(total.false, total.sentences)}",
        "   (claims of one draw share runs: the interval of the draws is the safer one)",
        f"draws with a false sentence: {share(total.with_false, total.draws - total.failed)}",
        f"intervals that miss the truth: {share(total.missed, total.intervals)}",
        f"silent draws: {share(total.silent, total.draws - total.failed)}",
        *_listed("false", total.false_ones, total.examples),
        *_listed("missed", total.missed_ones, total.examples),
        *_listed("not judged", total.unjudged_ones, total.examples),
    ]
    lines += [f"\n{one.world} {one.number} failed:\n{one.error}" for one in draws if one.error]
    return "\n".join(lines)


def _listed(title: str, counts: Counter[str], examples: Mapping[str, str]) -> list[str]:
    found = [f"  {n:>4}  {name}: {examples[name]!r}" for name, n in counts.most_common()]
    return [f"{title}, with an example:", *found] if found else []
