"""The law of horizon and reward schedule, fitted and compared with the theory.

    E(h, schedule) = S_min (B + B_noise(h, schedule)),   B_noise = (tr Cov + within) / |E[g]|^2

with B_noise by `theory.noise_over_signal`, which takes three numbers of a policy: the noise scale
`n = tr(F v) / |m|^2` (in interactions), the share of the score on right answers `tr K / tr F` and
the accuracy mu. With S_min they are the four fitted constants of a width and threshold; mu is an
effective one, between chance and the threshold. `A / (F v)` follows from them.

Fitted in log E, one value per run, by the likelihood of `stats.censored` (a seed's runs share an
effect, censored runs count by their probability), on the schedules whose rewards add up: all but
the streak. A schedule's **departure** is the ratio of the interactions that it needs to those that
the law of the *other* schedules predicts. Intervals come from leaving out seeds.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from analysis.data.families import label, schedule_names, schedules_in_order, split
from analysis.laws.best_horizon import BestHorizon, best_horizon_of
from analysis.laws.horizon_forms import fallen_back, left_censored
from analysis.laws.law import Fits, FittedLaw, Quantity, flat, leave_out_interval
from analysis.laws.prediction_bands import bands
from analysis.stats import censored
from analysis.stats.censored import Fit, Sample, Values
from analysis.stats.intervals import LOG, LOGIT, jackknife_interval
from mnist_horizon import theory
from mnist_horizon.moments import Moments
from mnist_horizon.schedules import Schedule

SLOPE = 4  # place of the slope's log among the parameters of `ScheduleMean`
_DERIVATIVE_STEP = 1e-4
_LOWEST_ACCURACY = 0.02
_SHARE_BOUNDS = (logit(0.01), logit(0.99))
_SCALES = {"s_min": LOG, "noise_scale": LOG, "ratio": LOG, "accuracy": LOGIT}


def moments(theta: np.ndarray) -> Moments:
    """Moments in units of |m|^2 from parameters, shape [..., parameter].

    `tr F = n / (mu (1 - mu))`, `tr K = share tr F`. The part of the state cancels in the total.
    """
    scale, share = np.exp(theta[..., 1]), expit(theta[..., 2])
    accuracy = expit(theta[..., 3])
    fisher = scale / (accuracy * (1 - accuracy))
    return Moments(accuracy, fisher, share * fisher, 1.0, 1.0)


def best_by_theory(schedule: Schedule, theta: np.ndarray, left_out: np.ndarray) -> Quantity:
    """The horizon that needs least by the theory.

    Args:
        schedule: the schedule.
        theta: parameters of `ScheduleMean`.
        left_out: the same without each seed in turn, shape [seed, parameter].
    """

    def best(theta: np.ndarray) -> float:
        at = moments(theta)
        accuracy = float(at.accuracy)
        signal = 1 / float(at.fisher * at.answer_variance)
        return theory.best_horizon(schedule, noise_ratio(theta), accuracy, signal)

    return Quantity(best(theta), leave_out_interval(best, theta, left_out, LOG))


def noise_ratio(theta: np.ndarray) -> float:
    """A / (F v) of parameters, shape [parameter]."""
    at = moments(theta)
    return float(at.centred / (at.fisher * at.answer_variance))


@dataclass(frozen=True)
class ScheduleMean:
    """log E as a function of log S_min, log n, logit of the share, logit of mu (and log slope).

    With a slope: `log E = log S_min + slope log(B + B_noise)`; the law has slope 1.

    Attributes:
        schedules: the distinct schedules.
        schedule: number of each run's schedule, shape [run].
        horizon: shape [run].
        batch: interactions per update, shape [run].
        threshold: the return to reach, an upper bound of the effective accuracy.
        free_slope: whether the slope is fitted.
    """

    schedules: tuple[Schedule, ...]
    schedule: np.ndarray
    horizon: np.ndarray
    batch: np.ndarray
    threshold: float
    free_slope: bool = False

    @property
    def bounds(self) -> list[tuple[float, float]]:
        """Bounds of the parameters, in their order."""
        typical = float(np.log(np.median(self.batch)))
        accuracy = (logit(_LOWEST_ACCURACY), logit(self.threshold))
        bounds = [(-30.0, 70.0), (typical - 9, typical + 9), _SHARE_BOUNDS, accuracy]
        return bounds + [(np.log(0.1), np.log(3.0))] * self.free_slope

    def needed(self, theta: np.ndarray) -> np.ndarray:
        """B + B_noise in interactions, shape [..., run], of parameters, shape [..., parameter]."""
        at = moments(np.asarray(theta)[..., None, :])
        total = np.empty((*np.shape(theta)[:-1], len(self.horizon)))
        for number, schedule in enumerate(self.schedules):
            here = self.schedule == number
            if here.any():
                total[..., here] = theory.noise_over_signal(schedule, self.horizon[here], at)
        return np.maximum(self.batch + total, 1e-9)

    def __call__(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean of log E, shape [run], and derivatives, shape [run, parameter]."""
        slope = np.exp(theta[SLOPE]) if self.free_slope else 1.0
        steps = np.zeros((7, len(theta)))
        for place in (1, 2, 3):
            steps[2 * place - 1, place], steps[2 * place, place] = (
                _DERIVATIVE_STEP,
                -_DERIVATIVE_STEP,
            )
        log_needed = np.log(self.needed(theta + steps))
        derivatives = np.ones((len(self.horizon), len(theta)))
        by_step = (log_needed[1::2] - log_needed[2::2]) / (2 * _DERIVATIVE_STEP)
        derivatives[:, 1:4] = slope * by_step.T
        if self.free_slope:
            derivatives[:, SLOPE] = slope * log_needed[0]
        return theta[0] + slope * log_needed[0], derivatives

    def take(self, keep: np.ndarray) -> "ScheduleMean":
        """The mean at the runs where `keep`, shape [run], is true."""
        columns = (self.schedule[keep], self.horizon[keep], self.batch[keep])
        return ScheduleMean(self.schedules, *columns, self.threshold, self.free_slope)

    def start(self, values: Values) -> list[np.ndarray]:
        """Starting points: noise scales well below and near the batch."""
        batch = float(np.log(np.median(self.batch)))
        level = float(np.median(values.log_e)) - batch - 1.0
        middle = [logit(0.4), logit(min(0.5, 0.9 * self.threshold))]
        more = [0.0] * self.free_slope
        return [np.array([level, batch + shift, *middle, *more]) for shift in (-3.0, 0.0)]


@dataclass(frozen=True)
class _Offset:
    """A known mean plus one number."""

    known: np.ndarray
    bounds: tuple[tuple[float, float], ...] = ((-12.0, 12.0),)

    def take(self, keep: np.ndarray) -> "_Offset":
        return _Offset(self.known[keep])

    def __call__(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.known + theta[0], np.ones((len(self.known), 1))


@dataclass(frozen=True)
class ScheduleData(Sample):
    """The runs of one width and threshold over horizons and schedules."""

    mean: ScheduleMean
    fell_back: tuple[str, ...] = ()

    @classmethod
    def from_rows(cls, rows: pd.DataFrame, threshold: float) -> Self:
        """Data from rows of interactions to one threshold, of one width."""
        schedules = schedules_in_order(rows)
        number = {str(schedule): place for place, schedule in enumerate(schedules)}
        horizon = rows["horizon"].to_numpy(float)
        seed = rows["seed"].to_numpy(int)
        values = Values(
            np.log(rows["interactions"].to_numpy(float)),
            rows["censored"].to_numpy(bool),
            left_censored(rows),
            np.unique(seed, return_inverse=True)[1],
            np.log(horizon) / (np.log(horizon.max()) or 1.0),
        )
        place = schedule_names(rows).map(number).to_numpy(int)
        batch = rows["batch"].to_numpy(float)
        mean = ScheduleMean(tuple(schedules), place, horizon, batch, threshold)
        return cls(mean, values, seed, fallen_back(rows))

    @property
    def additive(self) -> np.ndarray:
        """Which runs are of schedules whose rewards add up, shape [run]."""
        adds_up = np.array([schedule.adds_up for schedule in self.mean.schedules])
        return adds_up[self.mean.schedule]

    def fit_law(self, start: Fit | None = None, free_slope: bool = False) -> Fit:
        """The law at the runs of additive schedules, started from another fit if one is given."""
        part = self.take(self.additive)
        part = replace(part, mean=replace(part.mean, free_slope=free_slope))
        if start is None:
            return part.fit(part.mean.start(part.values))
        theta = start.theta if len(start.theta) > SLOPE or not free_slope else [*start.theta, 0.0]
        return part.fit([np.asarray(theta)], start.spread)

    def departure(self, number: int, start: Fit) -> float | None:
        """log of what a schedule needs over what the law of the other schedules predicts.

        None where fewer than two seeds of the schedule reach the threshold (one, where there is
        only one), or the others do not allow a fit.
        """
        here = self.mean.schedule == number
        others = self.take(self.additive & ~here)
        reached = len(np.unique(self.seed[here & self.values.exact]))
        if reached < min(2, len(self.seeds)) or others.problems():
            return None
        theta = others.fit_law(start).theta
        predicted = _Offset(self.mean.take(here)(theta)[0])
        offset = censored.fit(predicted, self.values.take(here), [np.zeros(1)], start.spread)
        return float(offset.theta[0])

    def lower_bound(self, number: int, fit: Fit) -> float:
        """Lower bound of what a schedule needs over the law's prediction, from all its runs.

        The largest over horizons of the geometric mean over seeds.
        """
        part = self.take(self.mean.schedule == number)
        gap = part.values.log_e - part.mean(fit.theta)[0]
        return float(np.exp(pd.Series(gap).groupby(part.mean.horizon).mean().max()))

    def problems(self) -> list[str]:
        """Why no law can be fitted; empty where it can."""
        use = self.additive & self.values.exact
        pairs = zip(self.mean.schedule[use], self.mean.horizon[use], strict=True)
        cells = {(int(schedule), float(horizon)) for schedule, horizon in pairs}
        problems = []
        if len({schedule for schedule, _ in cells}) < 2:
            problems.append("fewer than 2 schedules whose rewards add up with runs that reach it")
        if len({horizon for _, horizon in cells}) < 2:
            problems.append("fewer than 2 horizons with runs that reach it")
        if len(cells) < 6:
            count = len(cells)
            problems.append(f"{count} pairs of horizon and schedule reach it, at least 6 needed")
        return problems


@dataclass(frozen=True)
class Departure:
    """The ratio of what a schedule needs to what the law of the other schedules predicts.

    Attributes:
        schedule: the schedule.
        ratio: measured over predicted; None where fewer than two seeds reach the threshold.
        at_least: where there is no ratio, its lower bound at some horizon.
        runs: how many runs there are, `censored` of them right-censored.
    """

    schedule: Schedule
    ratio: Quantity | None
    at_least: float | None
    runs: int
    censored: int

    def to_json(self) -> dict[str, Any]:
        """The entry in the law of `fits.json`."""
        entry = {"schedule": str(self.schedule), "runs": self.runs, "censored": self.censored}
        return entry | (flat({"ratio": self.ratio}) if self.ratio else {"at_least": self.at_least})


@dataclass(frozen=True)
class ScheduleLaw(FittedLaw):
    """`E = S_min (B + B_noise(h, schedule))` of one width and threshold.

    Attributes:
        group: settings held fixed.
        threshold: the return to reach.
        data: the runs, also those of schedules whose rewards do not add up.
        fit: the law, from the schedules whose rewards add up.
        left_out: parameters without each seed in turn, shape [seed, parameter].
        slope: of log E against the law's log(B + B_noise); the law has 1.
        slopes_left_out: the same without each seed in turn, shape [seed].
        departures: of each schedule from the law of the others.
        best_horizons: of each delay, measured and by the law.
        notes: what could not be measured.
    """

    group: dict[str, Any]
    threshold: float
    data: ScheduleData
    fit: Fit
    left_out: np.ndarray
    slope: float
    slopes_left_out: np.ndarray
    departures: tuple[Departure, ...] = ()
    best_horizons: tuple[BestHorizon, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def seeds(self) -> list[int]:
        """The seeds of its runs."""
        return self.data.seeds

    @functools.cached_property
    def quantities(self) -> dict[str, Quantity]:
        """s_min (updates), noise_scale n (interactions), ratio A / (F v), accuracy mu, slope."""

        def of(name: str) -> Callable[[np.ndarray], float]:
            return lambda theta: constants(theta)[name]

        numbers = {
            name: Quantity(
                of(name)(self.fit.theta),
                leave_out_interval(of(name), self.fit.theta, self.left_out, scale),
            )
            for name, scale in _SCALES.items()
        }
        ends = jackknife_interval(self.slope, self.slopes_left_out, LOG)
        return {**numbers, "slope": Quantity(self.slope, ends)}

    @property
    def determined_by(self) -> dict[str, str]:
        """Longer horizons and more schedules; for a best horizon, horizons about it."""
        longer = f"longer horizons than {self.data.mean.horizon.max():g}"
        more = "more schedules whose rewards add up"
        of_law = {"s_min": longer, "noise_scale": longer, "slope": longer}
        best = {"measured": "horizons on both sides of the best", "predicted": more}
        return {**of_law, **best, "ratio": more, "accuracy": more, "departure": "a larger budget"}

    @property
    def error(self) -> float:
        """Root mean square over (horizon, schedule) of the mean log error of exact runs."""
        part = self.data.take(self.data.additive)
        gap = part.values.log_e - part.mean(self.fit.theta)[0]
        cells = pd.DataFrame({"s": part.mean.schedule, "h": part.mean.horizon, "gap": gap})
        means = cells[part.values.exact].groupby(["s", "h"])["gap"].mean()
        return float(np.sqrt(np.mean(means**2)))

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        """Interactions of rows with `horizon`, `schedule` and `schedule_level`.

        At their `batch` or, without that column, at the median batch of the law's runs.
        """
        schedules = schedules_in_order(rows)
        number = {str(schedule): place for place, schedule in enumerate(schedules)}
        batch = np.full(len(rows), np.median(self.data.mean.batch))
        if "batch" in rows:
            batch = rows["batch"].to_numpy(float)
        place = schedule_names(rows).map(number).to_numpy(int)
        horizon = rows["horizon"].to_numpy(float)
        mean = ScheduleMean(tuple(schedules), place, horizon, batch, self.threshold)
        return np.exp(mean(self.fit.theta)[0])

    def curve(self, schedule: Schedule, horizon: np.ndarray) -> np.ndarray:
        """Interactions under a schedule by the law, shape [horizon], at the median batch."""
        named = {"schedule": schedule.kind, "schedule_level": schedule.level}
        return self.predict(pd.DataFrame({"horizon": horizon}).assign(**named))

    def best_horizon(self, schedule: Schedule) -> Quantity:
        """The horizon that needs least by the law; its interval is None without a delay."""

        left_out = self.left_out if schedule.period > 1 else self.left_out[:0]
        return best_by_theory(schedule, self.fit.theta, left_out)

    def without_seed(self, seed: int) -> Self:
        """The law at the parameters that it has without the runs of one seed."""
        place = self.seeds.index(seed)
        return replace(
            self,
            fit=replace(self.fit, theta=self.left_out[place]),
            left_out=self.left_out[:0],
            slope=float(self.slopes_left_out[place]),
            slopes_left_out=self.slopes_left_out[:0],
            departures=(),
            best_horizons=(),
        )

    def _departure_entry(self, one: Departure) -> dict[str, Any]:
        """A departure's entry, with what would determine its ratio where it is not determined."""
        needs = self.needs_of({"departure": one.ratio} if one.ratio else {})
        return {**one.to_json(), "needs": {"ratio": needs["departure"]} if needs else {}}

    def details(self) -> dict[str, Any]:
        """What else the entry of `fits.json` holds."""
        return {
            "threshold": self.threshold,
            "error": self.error,
            "departures": [self._departure_entry(one) for one in self.departures],
            "best_horizons": [
                {**one.to_json(), "needs": self.needs_of(one.quantities)}
                for one in self.best_horizons
            ],
            "runs": len(self.data.seed),
            "censored": int(self.data.values.right.sum()),
            "fell_back": len(self.data.fell_back),
            "measured": (float(self.data.mean.horizon.min()), float(self.data.mean.horizon.max())),
            "bands": bands(_theory_numbers, self.fit.theta, self.left_out),
        }


def fit_schedule_laws(table: pd.DataFrame, departures: bool = True) -> Fits:
    """Fit the law for each width and threshold with several schedules.

    Args:
        table: interactions to threshold, one run per seed (`data.crossings`).
        departures: also fit each schedule's departure (this takes most of the time).
    """
    if "batch" not in table:
        return Fits()
    laws: list[ScheduleLaw] = []
    notes: list[str] = []
    table, unknown = _with_closed_forms(table)
    notes += unknown
    for group in split(table, "horizon", "schedule"):
        data = ScheduleData.from_rows(group.rows, group.threshold)
        if len(data.mean.schedules) < 2:
            continue
        name = f"law of horizon and schedule, {label(group.settings)}, return {group.threshold:g}"
        if not 0 < group.threshold < 1:
            notes.append(
                f"{name}: not fitted, its noise is that of answers that are right or wrong"
            )
        elif group.settings["batch"] <= 0:
            notes.append(f"{name}: not fitted, the batch is not given")
        elif problems := data.problems():
            notes.append(f"{name}: not fitted, {'; '.join(problems)}")
        else:
            law = _fit_group(group.settings, group.threshold, data, departures)
            laws.append(law)
            notes += [f"{name}: {note}" for note in law.notes]
    return Fits(tuple(laws), tuple(notes))


def _with_closed_forms(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Rows of schedules whose noise is known, and a note on the others."""
    unknown = {str(one) for one in schedules_in_order(table) if not theory.has_closed_form(one)}
    if not unknown:
        return table, []
    note = f"law of horizon and schedule: no closed form of the noise of {', '.join(unknown)}"
    return table[~schedule_names(table).isin(unknown)], [note]


def _fit_group(
    group: dict[str, Any], threshold: float, data: ScheduleData, departures: bool
) -> ScheduleLaw:
    """Fit one width and threshold, and again without each seed."""
    full = data.fit_law()
    parts = data.without_each_seed()
    fits = [part.fit_law(full) for part in parts]
    left_out = censored.parameters(fits, len(full.theta))
    sloped = data.fit_law(full, free_slope=True)
    slopes = [float(np.exp(part.fit_law(sloped, True).theta[SLOPE])) for part in parts]
    law = ScheduleLaw(
        group=group,
        threshold=threshold,
        data=data,
        fit=full,
        left_out=left_out,
        slope=float(np.exp(sloped.theta[SLOPE])),
        slopes_left_out=np.array(slopes),
        departures=tuple(
            _departure(data, parts, [full, *fits], number)
            for number in range(len(data.mean.schedules) * departures)
        ),
    )
    return _with_best_horizons(law)


def _with_best_horizons(law: ScheduleLaw) -> ScheduleLaw:
    """The law with the best horizon of each delay among its runs, and notes on those without."""
    known, notes = [], []
    for number, schedule in enumerate(law.data.mean.schedules):
        if not schedule.adds_up or schedule.period == 1:
            continue
        part = law.data.take(law.data.mean.schedule == number)
        predicted = law.best_horizon(schedule)
        best = best_horizon_of(schedule, part, part.mean.horizon, law.threshold, predicted)
        if best is None:
            notes.append(
                f"no best horizon of {schedule}: no horizon at which all seeds reach the return, "
                "or fewer than 3 horizons"
            )
        else:
            known.append(best)
    return replace(law, best_horizons=tuple(known), notes=tuple(notes))


def constants(theta: np.ndarray) -> dict[str, float]:
    """The law's constants at some parameters: s_min, noise_scale, ratio, accuracy."""
    numbers = (np.exp(theta[0]), np.exp(theta[1]), noise_ratio(theta), expit(theta[3]))
    return {name: float(number) for name, number in zip(_SCALES, numbers, strict=True)}


def _theory_numbers(theta: np.ndarray) -> dict[str, float]:
    """What the closed forms take: the constants, and the share of the score on right answers."""
    return {**constants(theta), "share": float(expit(theta[2]))}


def _departure(
    data: ScheduleData, parts: Sequence[ScheduleData], fits: Sequence[Fit], number: int
) -> Departure:
    """A schedule's departure with its interval; `fits` are of all seeds and without each."""
    here = data.mean.schedule == number
    counts = int(here.sum()), int((here & data.values.right).sum())
    schedule = data.mean.schedules[number]
    departure = data.departure(number, fits[0])
    if departure is None:
        return Departure(schedule, None, data.lower_bound(number, fits[0]), *counts)
    left_out = [p.departure(number, fit) for p, fit in zip(parts, fits[1:], strict=True)]
    known = [float(np.exp(value)) for value in left_out if value is not None]
    ratio = float(np.exp(departure))
    ends = jackknife_interval(ratio, known, LOG) if len(known) == len(left_out) else None
    return Departure(schedule, Quantity(ratio, ends), None, *counts)
