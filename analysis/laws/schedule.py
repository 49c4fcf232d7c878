"""The joint law of horizon and reward schedule, fitted and set against what theory predicts.

    E(h, schedule) = S_min (B + B_noise(h, schedule)),   B_noise = (tr Cov + within) / |E[g]|^2

with B_noise by `theory.noise_over_signal`, which takes three numbers of a policy: the noise scale
`n = tr(F v) / |m|^2` (in interactions), the share of the score on right answers `tr K / tr F` and
the accuracy mu. With S_min they are the four fitted constants of a width and threshold; mu is an
effective one, between chance and the threshold. `A / (F v)` follows from them.

Fitted in log E, one value a run, by the likelihood of `seed_model` (a seed's runs share an effect,
censored runs count by their probability), on the schedules whose rewards add up: all but the
streak. A schedule's **departure** is what it needs over what the law predicts from the *other*
schedules, so that it can fail. Intervals come from leaving out seeds (`uncertainty`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from analysis.data.crossings import choose_learning_rates
from analysis.laws.horizon import describe
from analysis.stats import censored, intervals
from analysis.stats.censored import Fit, Values
from analysis.stats.intervals import Interval
from mnist_horizon import theory
from mnist_horizon.moments import Moments
from mnist_horizon.results import RUN_COLUMNS
from mnist_horizon.schedules import Schedule, make

SLOPE = 4  # place of the slope's log among the parameters of `JointMean`
_FOLLOWS_RULE = ("learning_rate", "entropy_coef", "kl_coef")
_VARYING = (
    *("run_id", "seed", "horizon", "discount", "schedule", "schedule_level"),
    *_FOLLOWS_RULE,
)
_DERIVATIVE_STEP = 1e-4
_LOWEST_ACCURACY = 0.02
_SHARE_BOUNDS = (logit(0.01), logit(0.99))
_CONSTANTS = ("s_min", "noise_scale", "ratio", "accuracy")


def schedule_names(table: pd.DataFrame) -> pd.Series:
    """The schedule of each row as a config writes it."""
    pairs = zip(table["schedule"], table["schedule_level"].astype(float), strict=True)
    return pd.Series([str(make(*pair)) for pair in pairs], index=table.index, dtype=object)


def in_order(schedules: Sequence[Schedule]) -> list[Schedule]:
    """Schedules from the rarest reveal over `dense` to the longest delay, streaks last."""
    return sorted(schedules, key=lambda s: (not s.adds_up, s.period, s.level))


def moments(theta: np.ndarray) -> Moments:
    """Moments in units of |m|^2 from parameters, shape [..., parameter].

    `tr F = n / (mu (1 - mu))`, `tr K = share tr F`. What the state adds cancels in the total.
    """
    scale, share = np.exp(theta[..., 1]), expit(theta[..., 2])
    accuracy = expit(theta[..., 3])
    fisher = scale / (accuracy * (1 - accuracy))
    return Moments(accuracy, fisher, share * fisher, 1.0, 1.0)


def noise_ratio(theta: np.ndarray) -> float:
    """A / (F v) of parameters, shape [parameter]."""
    found = moments(theta)
    return float(found.centred / (found.fisher * found.answer_variance))


@dataclass(frozen=True)
class JointMean:
    """log E as a function of log S_min, log n, logit of the share, logit of mu (and log slope).

    With a slope: `log E = log S_min + slope log(B + B_noise)`; the law has slope 1.

    Attributes:
        schedules: the distinct schedules.
        schedule: number of each run's schedule, shape [run].
        horizon: shape [run].
        batch: interactions an update, shape [run].
        threshold: the return to reach, above which no effective accuracy lies.
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
        own = [(-30.0, 70.0), (typical - 9, typical + 9), _SHARE_BOUNDS, accuracy]
        return own + [(np.log(0.1), np.log(3.0))] * self.free_slope

    def needed(self, theta: np.ndarray) -> np.ndarray:
        """B + B_noise in interactions, shape [..., run], of parameters, shape [..., parameter]."""
        found = moments(np.asarray(theta)[..., None, :])
        total = np.empty((*np.shape(theta)[:-1], len(self.horizon)))
        for number, schedule in enumerate(self.schedules):
            here = self.schedule == number
            if here.any():
                total[..., here] = theory.noise_over_signal(schedule, self.horizon[here], found)
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

    def take(self, keep: np.ndarray) -> "JointMean":
        """The mean at the runs where `keep`, shape [run], is true."""
        columns = (self.schedule[keep], self.horizon[keep], self.batch[keep])
        return JointMean(self.schedules, *columns, self.threshold, self.free_slope)

    def start(self, values: Values) -> list[np.ndarray]:
        """Where to start: the noise scale well below, near and above the batch."""
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

    def __call__(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.known + theta[0], np.ones((len(self.known), 1))


@dataclass(frozen=True)
class JointData:
    """The runs of one width and threshold over horizons and schedules.

    Attributes:
        mean: the mean function at these runs.
        values: log interactions and how they are censored.
        seed: number of the seed of each run, shape [run].
    """

    mean: JointMean
    values: Values
    seed: np.ndarray

    @classmethod
    def from_rows(cls, rows: pd.DataFrame, threshold: float) -> "JointData":
        """Data from rows of interactions to one threshold, of one width."""
        names = schedule_names(rows)
        found = {str(s): s for s in _schedules(rows)}
        number = {name: place for place, name in enumerate(found)}
        horizon = rows["horizon"].to_numpy(float)
        seed = np.unique(rows["seed"], return_inverse=True)[1]
        early = rows["early"].to_numpy(bool) if "early" in rows else np.zeros(len(rows), dtype=bool)
        values = Values(
            np.log(rows["interactions"].to_numpy(float)),
            rows["censored"].to_numpy(bool),
            early,
            seed,
            np.log(horizon) / (np.log(horizon.max()) or 1.0),
        )
        place = names.map(number).to_numpy(int)
        batch = rows["batch"].to_numpy(float)
        return cls(JointMean(tuple(found.values()), place, horizon, batch, threshold), values, seed)

    @property
    def additive(self) -> np.ndarray:
        """Which runs are of schedules whose rewards add up, shape [run]."""
        adds_up = np.array([schedule.adds_up for schedule in self.mean.schedules])
        return adds_up[self.mean.schedule]

    @property
    def exact(self) -> np.ndarray:
        """Which runs have an uncensored value, shape [run]."""
        return ~(self.values.right | self.values.left)

    def take(self, keep: np.ndarray) -> "JointData":
        """The runs where `keep`, shape [run], is true."""
        seed = np.unique(self.seed[keep], return_inverse=True)[1]
        return JointData(self.mean.take(keep), self.values.take(keep), seed)

    def without_each_seed(self) -> list["JointData"]:
        """The data without each seed in turn; none for a single seed."""
        if self.seed.max() == 0:
            return []
        return [self.take(self.seed != seed) for seed in range(int(self.seed.max()) + 1)]

    def fit(self, start: Fit | None = None, free_slope: bool = False) -> Fit:
        """The law at the runs of additive schedules, from a fit there is or from scratch."""
        part = self.take(self.additive)
        mean = replace(part.mean, free_slope=free_slope)
        if start is None:
            return censored.fit(mean, part.values, mean.start(part.values))
        theta = start.theta if len(start.theta) > 4 or not free_slope else [*start.theta, 0.0]
        return censored.fit(mean, part.values, [np.asarray(theta)], start.spread)

    def departure(self, number: int, start: Fit) -> float | None:
        """log of what a schedule needs over what the law predicts from the other schedules.

        None where fewer than two seeds of the schedule reach the threshold (one, where there is
        only one), or the others do not allow a fit.
        """
        own = self.mean.schedule == number
        others = self.take(self.additive & ~own)
        reached = len(np.unique(self.seed[own & self.exact]))
        if reached < min(2, self.seed.max() + 1) or others.problems():
            return None
        theta = others.fit(start).theta
        predicted = self.mean.take(own)(theta)[0]
        found = censored.fit(_Offset(predicted), self.values.take(own), [np.zeros(1)], start.spread)
        return float(found.theta[0])

    def lower_bound(self, number: int, fit: Fit) -> float:
        """The least that a schedule needs over the law's prediction, from how far runs were seen.

        The largest over horizons of the geometric mean over seeds.
        """
        part = self.take(self.mean.schedule == number)
        gap = part.values.log_e - part.mean(fit.theta)[0]
        return float(np.exp(pd.Series(gap).groupby(part.mean.horizon).mean().max()))

    def problems(self) -> list[str]:
        """Why no joint law can be fitted; empty where it can."""
        use = self.additive & self.exact
        cells = {
            (int(s), float(h))
            for s, h in zip(self.mean.schedule[use], self.mean.horizon[use], strict=True)
        }
        found = []
        if len({schedule for schedule, _ in cells}) < 2:
            found.append("fewer than 2 of dense, revealed and periodic with runs that reach it")
        if len({horizon for _, horizon in cells}) < 2:
            found.append("fewer than 2 horizons with runs that reach it")
        if len(cells) < 6:
            found.append(f"{len(cells)} pairs of horizon and schedule reach it, at least 6 needed")
        return found


def _schedules(rows: pd.DataFrame) -> list[Schedule]:
    pairs = rows[["schedule", "schedule_level"]].drop_duplicates().itertuples(index=False)
    return in_order([make(kind, float(level)) for kind, level in pairs])


@dataclass(frozen=True)
class Departure:
    """What a schedule needs over what the law of the others predicts.

    Attributes:
        schedule: the schedule.
        ratio: measured over predicted; None where fewer than two seeds reach the threshold.
        ratio_ci: its 95% interval; None with one seed.
        at_least: where there is no ratio, what it is at least at some horizon.
        runs: how many there are, of them `censored`.
    """

    schedule: Schedule
    ratio: float | None
    ratio_ci: Interval | None
    at_least: float | None
    runs: int
    censored: int


@dataclass(frozen=True)
class JointLaw:
    """`E = S_min (B + B_noise(h, schedule))` of one width and threshold.

    Attributes:
        group: settings held fixed.
        threshold: the return to reach.
        data: the runs, those of streaks too.
        fit: the law, from the schedules whose rewards add up.
        left_out: parameters without one seed each, shape [seed, parameter].
        numbers: s_min (updates), noise_scale n (interactions), ratio A / (F v), accuracy mu.
        intervals: of these; empty with one seed.
        error: root mean square over (horizon, schedule) of the mean log error, additive schedules.
        slope: of log E against the law's log(B + B_noise), with interval; the law has 1.
        slope_ci: its interval; None with one seed.
        departures: of each schedule from the law of the others.
    """

    group: dict[str, Any]
    threshold: float
    data: JointData
    fit: Fit
    left_out: np.ndarray
    numbers: dict[str, float]
    intervals: dict[str, Interval]
    error: float
    slope: float
    slope_ci: Interval | None
    departures: tuple[Departure, ...]

    def predict(self, schedule: Schedule, horizon: np.ndarray) -> np.ndarray:
        """Interactions by the law, shape [horizon], at the data's median batch."""
        horizon = np.asarray(horizon, dtype=float)
        same = np.zeros(len(horizon), dtype=int)
        batch = np.full(len(horizon), np.median(self.data.mean.batch))
        mean = JointMean((schedule,), same, horizon, batch, self.threshold)
        return np.exp(mean(self.fit.theta)[0])

    def best_horizon(self, schedule: Schedule) -> tuple[float, Interval | None]:
        """The horizon that needs least by the law, and its interval over seeds."""

        def best(theta: np.ndarray) -> float:
            found = moments(theta)
            accuracy = float(found.accuracy)
            signal = 1 / float(found.fisher * found.answer_variance)
            return theory.best_horizon(schedule, noise_ratio(theta), accuracy, signal)

        value = best(self.fit.theta)
        if not len(self.left_out) or schedule.period == 1:
            return value, None
        left_out = np.array([best(theta) for theta in self.left_out])
        low, high = intervals.jackknife_interval(value, left_out, np.log, np.exp)
        return value, (float(low), float(high))

    def to_json(self) -> dict[str, Any]:
        """The entry of `fits.json`."""
        entry: dict[str, Any] = {"group": self.group, "threshold": self.threshold}
        for name, number in self.numbers.items():
            entry[name] = number
            if name in self.intervals:
                entry[f"{name}_ci"] = list(self.intervals[name])
        entry |= {"error": self.error, "slope": self.slope}
        if self.slope_ci is not None:
            entry["slope_ci"] = list(self.slope_ci)
        entry["departures"] = [
            {
                "schedule": str(one.schedule),
                **({} if one.ratio is None else {"ratio": one.ratio}),
                **({} if one.ratio_ci is None else {"ratio_ci": list(one.ratio_ci)}),
                **({} if one.at_least is None else {"at_least": one.at_least}),
                "runs": one.runs,
                "censored": one.censored,
            }
            for one in self.departures
        ]
        censored = int(self.data.values.right.sum())
        return entry | {"runs": len(self.data.seed), "censored": censored}


def sparsity_groups(
    table: pd.DataFrame,
) -> Iterator[tuple[dict[str, Any], float, pd.DataFrame]]:
    """Groups of runs of one width that differ in horizon, schedule and seed, several schedules.

    The learning rate and the entropy coefficient may follow the schedule by rule; they do not
    split a group.
    """
    fixed = [name for name in RUN_COLUMNS if name in table and name not in _VARYING]
    for key, rows in table.groupby([*fixed, "threshold"], dropna=False, sort=True):
        if rows[["schedule", "schedule_level"]].drop_duplicates().shape[0] > 1:
            values = [value.item() if isinstance(value, np.generic) else value for value in key]
            yield dict(zip(fixed, values[:-1], strict=True)), float(key[-1]), rows


def fit_joint_laws(
    table: pd.DataFrame, departures: bool = True
) -> tuple[list[JointLaw], list[str]]:
    """Fit the joint law for each width and threshold with several schedules; laws and notes.

    Args:
        table: interactions to threshold (`thresholds.interactions_to_threshold`).
        departures: also fit each schedule's departure (most of the time goes there).
    """
    if "batch" not in table:
        return [], []
    table, notes = choose_learning_rates(table)
    laws = []
    for group, threshold, rows in sparsity_groups(table):
        label = "joint law, " + describe({**group, "schedule": "dense"}, threshold)
        label = label.replace(", dense", "")
        data = JointData.from_rows(rows, threshold)
        if group["batch"] <= 0:
            notes.append(f"{label}: not fitted, the batch is not given")
        elif problems := data.problems():
            notes.append(f"{label}: not fitted, {'; '.join(problems)}")
        else:
            laws.append(_fit_group(group, threshold, data, departures))
    return laws, notes


def _fit_group(
    group: dict[str, Any], threshold: float, data: JointData, departures: bool
) -> JointLaw:
    """Fit one width and threshold, and again without each seed."""
    full = data.fit()
    parts = data.without_each_seed()
    fits = [part.fit(full) for part in parts]
    left_out = np.array([fit.theta for fit in fits]).reshape(len(fits), len(full.theta))
    numbers = _numbers(full.theta)
    found: dict[str, Interval] = {}
    if len(left_out):
        scales = {"accuracy": (logit, expit)}
        for name in _CONSTANTS:
            values = np.array([_numbers(theta)[name] for theta in left_out])
            scale = scales.get(name, (np.log, np.exp))
            low, high = intervals.jackknife_interval(numbers[name], values, *scale)
            found[name] = (float(low), float(high))
    sloped = data.fit(full, free_slope=True)
    slopes = np.array([part.fit(sloped, free_slope=True).theta[SLOPE] for part in parts])
    slope_ci = None
    if len(slopes):
        low, high = intervals.jackknife_interval(sloped.theta[SLOPE], slopes)
        slope_ci = (float(np.exp(low)), float(np.exp(high)))
    return JointLaw(
        group=group,
        threshold=threshold,
        data=data,
        fit=full,
        left_out=left_out,
        numbers=numbers,
        intervals=found,
        error=_error(data, full),
        slope=float(np.exp(sloped.theta[SLOPE])),
        slope_ci=slope_ci,
        departures=tuple(
            _departure(data, parts, [full, *fits], number)
            for number in range(len(data.mean.schedules) * departures)
        ),
    )


def _numbers(theta: np.ndarray) -> dict[str, float]:
    constants = (np.exp(theta[0]), np.exp(theta[1]), noise_ratio(theta), expit(theta[3]))
    return {name: float(value) for name, value in zip(_CONSTANTS, constants, strict=True)}


def _error(data: JointData, fit: Fit) -> float:
    """Root mean square over (horizon, schedule) of the mean log error of exact runs."""
    part = data.take(data.additive)
    gap = part.values.log_e - part.mean(fit.theta)[0]
    cells = pd.DataFrame({"s": part.mean.schedule, "h": part.mean.horizon, "gap": gap})
    means = cells[part.exact].groupby(["s", "h"])["gap"].mean()
    return float(np.sqrt(np.mean(means**2)))


def _departure(
    data: JointData, parts: Sequence[JointData], fits: Sequence[Fit], number: int
) -> Departure:
    """A schedule's departure with its interval; `fits` are of all seeds and without each."""
    own = data.mean.schedule == number
    runs, censored = int(own.sum()), int((own & data.values.right).sum())
    schedule = data.mean.schedules[number]
    found = data.departure(number, fits[0])
    if found is None:
        bound = data.lower_bound(number, fits[0])
        return Departure(schedule, None, None, bound, runs, censored)
    left_out = [p.departure(number, fit) for p, fit in zip(parts, fits[1:], strict=True)]
    known = [value for value in left_out if value is not None]
    ends = None
    if len(known) == len(left_out) > 1:
        low, high = intervals.jackknife_interval(found, np.array(known))
        ends = (float(np.exp(low)), float(np.exp(high)))
    return Departure(schedule, float(np.exp(found)), ends, None, runs, censored)
