"""What a search tries: the sweep's spec, and `tuning.*` beside it, checked once."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mnist_horizon.algorithms import REFERENCES
from mnist_horizon.errors import SweepError
from mnist_horizon.settings import Setting, of, setting
from mnist_horizon.sweeps.spec import NoiseChoice, SweepSpec, build, config_settings, spec_from

SHRINK = 3
"""Each rung has so many times the interactions of the one before, and of each three rates one."""

LEAST_RATES = 3
"""Fewest rates of a rung: the best one needs a neighbour on each side."""

RATES = tuple(float(f"{1.4e-3 * 2 ** (i / 2):.3g}") for i in range(15))
"""Tried by default: over two decades, 1.4 apart."""


def kept_rates(rates: int) -> int:
    """How many of so many rates a rung keeps: the best third, and at least `LEAST_RATES`."""
    return min(rates, max(LEAST_RATES, -(-rates // SHRINK)))


@dataclass(frozen=True, order=True)
class Cell:
    """What is searched on its own: a width, a horizon and an algorithm (references at h = 1)."""

    algorithm: str
    width: int
    horizon: float

    @property
    def name(self) -> str:
        """Of its file: `vpg-w40-h8`, `exact-w40`."""
        if self.algorithm in REFERENCES:
            return f"{self.algorithm}-w{self.width}"
        digits = np.format_float_positional(self.horizon, trim="-")
        return f"{self.algorithm}-w{self.width}-h{digits}"


@dataclass(frozen=True, order=True)
class Candidate:
    """A setting that is tried: the rate of the first update, E_0 of its decay, and the bonus."""

    decay_interactions: float
    entropy_coef: float
    learning_rate: float

    @property
    def pair(self) -> tuple[float, float]:
        """What all cells of an algorithm share: decay and bonus."""
        return self.decay_interactions, self.entropy_coef


@dataclass(frozen=True)
class TuningChoice:
    """`tuning.*`: the candidates, the seeds and the rungs of a search.

    Every rate is tried with every decay (E_0 in interactions; 0: none) and every entropy bonus, on
    `seeds` seeds from `first_seed` on, which no sweep uses. There are `rungs` rungs, each three
    times as long as the one before. The last one has the sweep's budget at h = 1, and at a horizon
    h that times `1 + (h - 1) / budget_horizon`, since interactions needed grow like this.
    """

    learning_rates: tuple[float, ...] = setting(RATES, "Rates to try.")
    decay_interactions: tuple[float, ...] = setting(
        (0.0, 200_000.0), "Values of optimizer.decay_interactions to try."
    )
    entropy_coefs: tuple[float, ...] = setting((0.0, 0.1), "Values of entropy_coef to try.")
    references: tuple[str, ...] = setting((), "Also search for the rates of these.", REFERENCES)
    seeds: int = setting(2, "Seeds of each candidate.")
    first_seed: int = setting(1000, "The first of them; sweeps use those from 0.")
    rungs: int = setting(3, "Rounds; each is three times as long, with a third of the rates.")
    budget_horizon: float = setting(
        16.0, "The budget at h is that at h = 1 times 1 + (h - 1) / budget_horizon."
    )


@dataclass(frozen=True)
class Tuning:
    """A search: what to try, and the sweep that it is for.

    Its `widths` and `horizons` are those searched at; its decay and entropy bonus are kept where
    the noise does not tell them from the best.
    """

    sweep: SweepSpec
    choice: TuningChoice = field(default_factory=TuningChoice)

    @property
    def seeds(self) -> tuple[int, ...]:
        """Numbers of the seeds."""
        return tuple(range(self.choice.first_seed, self.choice.first_seed + self.choice.seeds))

    @property
    def cells(self) -> list[Cell]:
        """What is searched, narrow before wide: their results come first."""
        own = self.sweep.algorithm.name
        cells = [Cell(own, w, h) for w in self.sweep.widths for h in self.sweep.horizons]
        cells += [Cell(name, w, 1.0) for w in self.sweep.widths for name in self.choice.references]
        return sorted(cells, key=lambda cell: (cell.width, cell.horizon, cell.algorithm))

    def candidates(self, algorithm: str) -> list[Candidate]:
        """All settings that an algorithm is tried with; cross-entropy has no bonus."""
        choice = self.choice
        bonuses = (0.0,) if algorithm == "supervised" else choice.entropy_coefs
        return sorted(
            Candidate(decay, bonus, rate)
            for decay in choice.decay_interactions
            for bonus in bonuses
            for rate in choice.learning_rates
        )

    def rung_updates(self, cell: Cell) -> list[int]:
        """Updates after which each rung ends."""
        longer = 1 + (cell.horizon - 1) / self.choice.budget_horizon
        last = max(1, round(self.sweep.updates(cell.width) * longer))
        shares = [SHRINK ** (self.choice.rungs - 1 - i) for i in range(self.choice.rungs)]
        return [max(1, last // share) for share in shares]

    def rung_sizes(self, cell: Cell) -> list[int]:
        """Candidates of each rung."""
        own = self.candidates(cell.algorithm)
        pairs, rates = len({candidate.pair for candidate in own}), len(self.choice.learning_rates)
        sizes = []
        for _ in range(self.choice.rungs):
            sizes.append(pairs * rates)
            rates = kept_rates(rates)
        return sizes

    def marks(self, cell: Cell) -> list[int]:
        """Updates after which returns are noted: log-spaced, and the ends of the rungs."""
        ends = self.rung_updates(cell)
        first = max(1, ends[-1] // 512)
        spaced = np.geomspace(first, ends[-1], min(self.sweep.evaluations, ends[-1]))
        return sorted({round(float(number)) for number in spaced} | {*ends})

    @property
    def spec(self) -> SweepSpec:
        """The spec of the search's runs: the sweep's, with rates as they are."""
        plain = dataclasses.replace(
            self.sweep.optimizer, rule="constant", critical_horizon=0.0, decay_interactions=0.0
        )
        return dataclasses.replace(self.sweep, optimizer=plain, noise=NoiseChoice())

    def to_json(self) -> dict[str, Any]:
        """What decides the results of a cell, as JSON values."""
        settings, choice = self.sweep.to_json(), dataclasses.asdict(self.choice)
        for name in ("widths", "horizons", "seeds", "references", "entropy_coef", "noise"):
            settings.pop(name, None)
        settings["optimizer"] = {"name": self.sweep.optimizer.name}
        del choice["references"]
        return {**settings, "tuning": {**choice, "schedules": settings.pop("schedules")}}


def tuning_settings() -> list[Setting]:
    """Every field of a search's config."""
    return [*config_settings(), *of(TuningChoice, "tuning.")]


def tuning_from(settings: Mapping[str, Any]) -> Tuning:
    """Validate the settings of a config: those of a sweep, and the group `tuning`.

    Raises:
        SweepError: a field is unknown, missing, of the wrong type or impossible.
    """
    sweep = dict(settings)
    choice = sweep.pop("tuning", {})
    if not isinstance(choice, Mapping):
        raise SweepError(f"tuning: must be a group of fields, not {choice!r}")
    tuning = Tuning(spec_from(sweep), build(TuningChoice, choice, "tuning."))
    _check_choice(tuning)
    _check_sweep(tuning.sweep)
    return tuning


def _check_choice(tuning: Tuning) -> None:
    choice, own = tuning.choice, tuning.sweep.algorithm.name
    _check_list("learning_rates", choice.learning_rates, least=float(np.finfo(np.float32).tiny))
    _check_list("decay_interactions", choice.decay_interactions)
    _check_list("entropy_coefs", choice.entropy_coefs)
    for number, name in enumerate(choice.references):
        known = name in REFERENCES and own not in REFERENCES
        message = f"must be one of {', '.join(REFERENCES)}, beside RL, not {name!r}"
        _require(known, f"references[{number}]", message)
    _require(len({*choice.references}) == len(choice.references), "references", "holds one twice")
    _require(len(choice.learning_rates) >= LEAST_RATES, "learning_rates", "give at least 3")
    for name, low, high in (("seeds", 1, 1000), ("rungs", 1, 12)):
        value = getattr(choice, name)
        _require(low <= value <= high, name, f"must be in {low} to {high}, not {value}")
    used = tuning.sweep.seeds
    message = f"must be at least {used}, as sweeps use the seeds below, and below 2^31"
    _require(used <= choice.first_seed < 2**31 - choice.seeds, "first_seed", message)
    _require(choice.budget_horizon > 0, "budget_horizon", "must be above 0")
    longest = max(tuning.rung_updates(cell)[-1] for cell in tuning.cells)
    _require(longest < 2**31, "budget_horizon", "makes 2^31 updates or more")


def _check_list(name: str, values: Sequence[float], least: float = 0.0) -> None:
    _require(len(values) > 0, name, "must not be empty")
    _require(len({*values}) == len(values), name, f"holds a value twice: {list(values)}")
    largest = float(np.finfo(np.float32).max)
    for number, value in enumerate(values):
        message = f"must be from {least:.3g} on and finite in single precision, not {value:g}"
        _require(least <= value <= largest, f"{name}[{number}]", message)


def _check_sweep(sweep: SweepSpec) -> None:
    """Refuse what a search has no use for, or would leave out silently."""
    if len(sweep.schedules) != 1:
        raise SweepError("schedules: a search is for one schedule: give one")
    if len(sweep.optimizer.learning_rates) != 1:
        raise SweepError("optimizer.learning_rates: give the one preferred; those to try: tuning")
    if sweep.optimizer.rule == "mup":
        raise SweepError("optimizer.rule: 'mup' is no factor common to all layers: choose another")
    if any(vars(sweep.references).values()):
        raise SweepError("references: name those to search for in tuning.references")
    if sweep.stop_at_return:
        raise SweepError("stop_at_return: a search decides itself when to stop: set it to 0")


def _require(condition: bool, name: str, message: str) -> None:
    if not condition:
        raise SweepError(f"tuning.{name}: {message}")
