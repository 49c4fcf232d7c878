"""The horizon law: how the interactions to a threshold grow with the horizon.

    affine        E = a + b x,  x = h - 1 or the variance horizon (h - 2 + 1/h) / 4
    proportional  E = b h
    free power    E = a + b (h - 1)^g

Both regressors are 0 at h = 1, so that a is the interactions at h = 1 and the knee, the horizon
where E is twice that, is where x = a / b. Laws are fitted in log E, one value a run, by the
likelihood of `seed_model` (seeds as an effect, censored runs by their probability); intervals come
from leaving out seeds (`uncertainty`). Pooled over widths, each width has its own a and all share
the multiplier: `E = a_w (1 + x / x_knee)`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.data.crossings import choose_learning_rates
from analysis.stats import censored, intervals
from analysis.stats.censored import Fit, Values
from analysis.stats.intervals import Interval
from mnist_horizon.horizon import variance_horizon
from mnist_horizon.results import RUN_COLUMNS

REGRESSORS = ("h-1", "variance_horizon")
FORMS = ("affine", "proportional", "free")
_MULTIPLIER_BOUNDS = (-6.0, 16.0)
_EXPONENT_BOUNDS = (np.log(0.05), np.log(8.0))
_LOG_E_BOUNDS = (-5.0, 70.0)
_DECISIVE = 2.0  # difference of AICc below which forms are not told apart
_EXPONENT_MARGIN = (2 / 3, 3 / 2)  # "affine" is claimed only where g is pinned to this range


def regressor_values(horizon: np.ndarray, regressor: str) -> np.ndarray:
    """x of each horizon, shape [horizon]: `h - 1` or the variance horizon."""
    horizon = np.asarray(horizon, dtype=float)
    return horizon - 1 if regressor == "h-1" else variance_horizon(horizon)


def horizon_of(x: float, regressor: str) -> float:
    """The horizon h >= 1 at which the regressor is x >= 0."""
    if regressor == "h-1" or not np.isfinite(x):
        return x + 1
    half = 1 + 2 * x  # h^2 - 2 (1 + 2 x) h + 1 = 0
    return float(half + np.sqrt(half**2 - 1))


@dataclass(frozen=True)
class Law:
    """A form as a mean function of log E: one `log a` a width, then the form's own numbers.

    affine and free have `m`, the log multiplier at the largest horizon (`log E(h_max) / a`, any
    sign), and free has `log g`:  `log E = log a_w + log(1 + (e^m - 1) z^g)`, `z = x / x_max`.

    Attributes:
        form: one of `FORMS`.
        x: regressor of each run, shape [run] (h for the proportional form).
        x_max: the largest x of the whole data set.
        width: number of the width of each run, 0 to widths - 1, shape [run].
        widths: how many widths there are.
    """

    form: str
    x: np.ndarray
    x_max: float
    width: np.ndarray
    widths: int

    @property
    def bounds(self) -> list[tuple[float, float]]:
        """Bounds of the parameters, in their order."""
        own = {
            "proportional": [],
            "affine": [_MULTIPLIER_BOUNDS],
            "free": [_MULTIPLIER_BOUNDS, _EXPONENT_BOUNDS],
        }
        return [_LOG_E_BOUNDS] * self.widths + own[self.form]

    def __call__(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean of log E, shape [run], and derivatives, shape [run, parameter]."""
        levels = theta[: self.widths][self.width]
        derivatives = np.zeros((len(self.x), len(theta)))
        derivatives[np.arange(len(self.x)), self.width] = 1
        if self.form == "proportional":
            return levels + np.log(self.x), derivatives
        z = self.x / self.x_max
        log_multiplier = theta[self.widths]
        exponent = np.exp(theta[self.widths + 1]) if self.form == "free" else 1.0
        power = z**exponent
        gain = np.expm1(log_multiplier)
        inside = 1 + gain * power
        derivatives[:, self.widths] = np.exp(log_multiplier) * power / inside
        if self.form == "free":
            log_z = np.log(z, out=np.zeros_like(z), where=z > 0)
            derivatives[:, self.widths + 1] = gain * power * log_z * exponent / inside
        return levels + np.log(inside), derivatives

    def take(self, keep: np.ndarray) -> "Law":
        """The law at the runs where `keep`, shape [run], is true."""
        return Law(self.form, self.x[keep], self.x_max, self.width[keep], self.widths)


@dataclass(frozen=True)
class HorizonData:
    """The runs of one group: what the laws are fitted to.

    Attributes:
        values: log interactions and how they are censored.
        horizon: horizon of each run, shape [run].
        seed: number of the seed of each run, 0 to seeds - 1, shape [run].
        width: number of the width of each run, shape [run].
        widths: the widths, increasing.
        batch: interactions an update of each run, shape [run]; 0 where not given.
    """

    values: Values
    horizon: np.ndarray
    seed: np.ndarray
    width: np.ndarray
    widths: tuple[int, ...]
    batch: np.ndarray

    @classmethod
    def from_columns(
        cls,
        interactions: np.ndarray,
        censored: np.ndarray,
        early: np.ndarray,
        horizon: np.ndarray,
        seed: np.ndarray,
        width: np.ndarray,
        batch: np.ndarray | None = None,
    ) -> "HorizonData":
        """Data from columns of a table of interactions to threshold, each of shape [run]."""
        horizon = np.asarray(horizon, dtype=float)
        seeds = np.unique(seed, return_inverse=True)[1]
        widths, number = np.unique(width, return_inverse=True)
        # With one seed an effect of the seed cannot be told from a itself.
        several = seeds.max() > 0
        pairs = np.stack([number, seeds], axis=1)
        block = np.unique(pairs, axis=0, return_inverse=True)[1].ravel() if several else 0 * seeds
        reach = np.log(horizon.max()) or 1.0
        values = Values(
            np.log(np.asarray(interactions, dtype=float)),
            np.asarray(censored, dtype=bool),
            np.asarray(early, dtype=bool),
            block,
            np.log(horizon) / reach,
        )
        batch = np.zeros_like(horizon) if batch is None else np.asarray(batch, dtype=float)
        return cls(values, horizon, seeds, number, tuple(int(w) for w in widths), batch)

    @property
    def seeds(self) -> int:
        """How many seeds there are."""
        return int(self.seed.max()) + 1

    @property
    def exact(self) -> np.ndarray:
        """Which runs have an uncensored value, shape [run]."""
        return ~(self.values.right | self.values.left)

    def law(self, form: str, regressor: str) -> Law:
        """The law of a form at these runs."""
        if form == "proportional":
            return Law(form, self.horizon, float(self.horizon.max()), self.width, len(self.widths))
        x = regressor_values(self.horizon, regressor if form == "affine" else "h-1")
        return Law(form, x, float(x.max()), self.width, len(self.widths))

    def starts(self, form: str) -> list[np.ndarray]:
        """Where to start: levels from the data, the multiplier from the ends, three exponents."""
        log_e = self.values.log_e
        levels, rises = [], []
        for number in range(len(self.widths)):
            here = self.width == number
            low = log_e[here & (self.horizon == self.horizon[here].min())].mean()
            levels.append(low)
            rises.append(log_e[here & (self.horizon == self.horizon[here].max())].mean() - low)
        rise = float(np.mean(rises))
        if form == "proportional":
            return [np.array(levels) - 1.0]
        if form == "affine":
            return [np.array([*levels, rise])]
        return [np.array([*levels, rise, np.log(g)]) for g in (0.5, 1.0, 1.6)]


@dataclass(frozen=True)
class FittedLaw:
    """A form fitted to a group, and refitted without each seed.

    Attributes:
        data: the runs.
        law: the mean function.
        fit: the maximum over all seeds.
        left_out: parameters without one seed each, shape [seed, parameter]; empty for one seed.
    """

    data: HorizonData
    law: Law
    fit: Fit
    left_out: np.ndarray

    @property
    def aicc(self) -> float | None:
        """AICc on independent units; None where there are too few of them.

        Units are the runs, less the contrasts between seeds, which say nothing on the form:
        points of one curve count once, and a seed's common effect is a parameter, not evidence.
        """
        blocks = int(self.data.values.block.max()) + 1
        units = len(self.data.horizon) - (blocks - len(self.data.widths) if blocks > 1 else 0)
        spare = units - self.fit.free - 1
        if spare <= 0:
            return None
        penalty = 2 * self.fit.free * (1 + (self.fit.free + 1) / spare)
        return penalty - 2 * self.fit.log_likelihood

    def predict(self, horizon: np.ndarray, width: int | None = None) -> np.ndarray:
        """Fitted interactions at horizons, shape [horizon].

        Args:
            horizon: where.
            width: one of the data's widths; by default the geometric mean over them.
        """
        levels = self.fit.theta[: self.law.widths]
        level = levels.mean() if width is None else levels[self.data.widths.index(width)]
        return np.exp(level) * self.multiplier(horizon, self.fit.theta)

    def multiplier(self, horizon: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """E(h) / E(1) of parameters of this law, shape [horizon]."""
        horizon = np.asarray(horizon, dtype=float)
        if self.law.form == "proportional":
            return horizon
        k = self.law.widths
        regressor = "h-1" if self.law.form == "free" else self._regressor()
        z = regressor_values(horizon, regressor) / self.law.x_max
        exponent = np.exp(theta[k + 1]) if self.law.form == "free" else 1.0
        return 1 + np.expm1(theta[k]) * z**exponent

    def _regressor(self) -> str:
        largest = float(self.data.horizon.max())
        return "h-1" if np.isclose(self.law.x_max, largest - 1, rtol=1e-9) else "variance_horizon"

    def profile(self, index: int) -> Callable[[float], float]:
        """Log likelihood maximised over all parameters but one, as a function of that one."""
        last = self.fit

        def at(value: float) -> float:
            nonlocal last
            start = last.theta.copy()
            start[index] = value
            found = censored.fit(
                self.law, self.data.values, [start], last.spread, fixed={index: value}
            )
            last = found
            return found.log_likelihood

        return at


def fit_form(
    data: HorizonData, form: str, regressor: str = "h-1", leave_out: bool = True
) -> FittedLaw:
    """Fit one form to a group, and again without each seed (from the full fit: a warm start)."""
    law = data.law(form, regressor)
    full = censored.fit(law, data.values, data.starts(form))
    left_out = _leave_out(law, data, full) if leave_out else np.empty((0, len(full.theta)))
    return FittedLaw(data, law, full, left_out)


def refit(law: FittedLaw, data: HorizonData) -> FittedLaw:
    """Fit a law to other values of the same runs, starting from the fit there is."""
    full = censored.fit(law.law, data.values, [law.fit.theta], law.fit.spread)
    return FittedLaw(data, law.law, full, _leave_out(law.law, data, full))


def _leave_out(law: Law, data: HorizonData, full: Fit) -> np.ndarray:
    """Parameters without each seed in turn, shape [seed, parameter]; none for a single seed."""
    if data.seeds < 2:
        return np.empty((0, len(full.theta)))
    parts = []
    for seed in range(data.seeds):
        keep = data.seed != seed
        part = censored.fit(law.take(keep), data.values.take(keep), [full.theta], full.spread)
        parts.append(part.theta)
    return np.array(parts)


@dataclass(frozen=True)
class HorizonLaw:
    """The law of one group, threshold and regressor; what could not be fitted is None.

    Attributes:
        group: every setting that is held fixed (without the width where widths are pooled).
        threshold: the return to reach.
        regressor: one of `REGRESSORS`.
        laws: the fitted forms by name, for curves and figures.
        a: interactions at h = 1 (geometric mean over pooled widths), with interval.
        b: interactions a unit of the regressor, with interval.
        r2: share of the variance of log E that the affine law explains, uncensored runs.
        knee: horizon where the affine E is twice that at h = 1; infinite if E does not grow. An
            end of its interval that the data do not determine is 1 or infinite.
        free_power: exponent g and the knee of the free form, each with its interval; an end that
            the data do not determine is 0 (1 for the knee) or infinite.
        aicc: by form; differences of less than 2 say nothing.
        heldout_error: by form: root mean square error in log E of the largest horizons,
            fitted without them; empty where none of their runs gets there.
        runs: how many there are, of them `censored`.
        measured: smallest and largest horizon of the data.
        verdict: "affine", "proportional", "free" or "undecided".
        a_by_width: interactions at h = 1 for each width.
    """

    group: dict[str, Any]
    threshold: float
    regressor: str
    laws: dict[str, FittedLaw]
    a: float
    b: float
    a_ci: Interval | None
    b_ci: Interval | None
    r2: float | None
    knee: float
    knee_ci: Interval | None
    free_power: dict[str, Any] | None
    aicc: dict[str, float]
    heldout_error: dict[str, float]
    runs: int
    censored: int
    measured: Interval
    verdict: str
    a_by_width: dict[int, float]

    def to_json(self) -> dict[str, Any]:
        """The entry of `fits.json`: absent what is not there.

        An end of an interval that the data do not determine, because the likelihood is still high
        where the search ends (exponents of 0.05 and 8), is null: `"g_ci": [0.4, null]`.
        """
        free_power = self.free_power and {
            name: intervals.ends_or_none(value, _LEAST[name]) if name in _LEAST else value
            for name, value in self.free_power.items()
        }
        entry: dict[str, Any] = {
            "group": self.group,
            "threshold": self.threshold,
            "regressor": self.regressor,
            "a": self.a,
            "b": self.b,
            "a_ci": self.a_ci,
            "b_ci": self.b_ci,
            "r2": self.r2,
            "knee": self.knee if np.isfinite(self.knee) else None,
            "knee_ci": self.knee_ci and intervals.ends_or_none(self.knee_ci, _LEAST["knee_ci"]),
            "free_power": free_power,
            "aicc": self.aicc,
            "heldout_error": self.heldout_error,
            "runs": self.runs,
            "censored": self.censored,
            "measured": self.measured,
            "verdict": self.verdict,
            "a_by_width": {str(width): a for width, a in self.a_by_width.items()},
        }
        return {key: _plain(value) for key, value in entry.items() if value is not None}


_LEAST = {"g_ci": 0.0, "knee_ci": 1.0}
"""What the lower end of an interval is where the data do not determine it."""


@dataclass(frozen=True)
class HorizonLaws:
    """All laws of a table, and one line for each that could not be fitted."""

    entries: tuple[HorizonLaw, ...]
    notes: tuple[str, ...]


def _plain(value: Any) -> Any:
    """Tuples as lists and infinities as None, for JSON."""
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return None if isinstance(value, float) and not np.isfinite(value) else value


def fit_horizon_laws(
    table: pd.DataFrame, regressors: Sequence[str] = REGRESSORS, profiles: bool = True
) -> HorizonLaws:
    """Fit the horizon law for each group of settings and threshold, per width and pooled.

    Args:
        table: interactions to threshold (`thresholds.interactions_to_threshold`).
        regressors: which of `REGRESSORS`.
        profiles: take the intervals of g and the knee from the profile likelihood; without, from
            leaving out seeds alone (quicker, symmetric in log).
    """
    table, notes = choose_learning_rates(table)
    entries = []
    for group, threshold, rows in groups(table):
        label = describe(group, threshold)
        data, problems = horizon_data(rows)
        notes += [f"{label}: {problem}" for problem in problems]
        if data is None:
            continue
        try:
            shared = _shared_fits(data)
            in_horizon = fit_form(data, "affine", "h-1")
            for regressor in regressors:
                affine = in_horizon if regressor == "h-1" else fit_form(data, "affine", regressor)
                laws = {"affine": affine, **shared}
                proportional_ci = knee_interval(in_horizon, "h-1", profiles=False)
                entry = _summarise(group, threshold, regressor, laws, proportional_ci, profiles)
                entries.append(entry)
                notes += [f"{label}: {gap}" for gap in _gaps(entry)]
        except (np.linalg.LinAlgError, FloatingPointError) as error:
            notes.append(f"{label}: no horizon law, the fit failed: {error}")
    return HorizonLaws(tuple(entries), tuple(dict.fromkeys(notes)))


def groups(
    table: pd.DataFrame, aside: Sequence[str] = ()
) -> Iterator[tuple[dict[str, Any], float, pd.DataFrame]]:
    """Groups of runs that differ in horizon and seed only: each width, then all widths together.

    Args:
        table: interactions to threshold.
        aside: more columns that may differ within a group.

    Yields:
        `(settings held fixed, threshold, rows)`; pooled groups lack `width` and what follows from
        it, and come only where there are several widths.
    """
    varying = ("run_id", "seed", "horizon", "discount", "learning_rate", *aside)
    by_width = ("width", "parameters", "flops_per_interaction")
    fixed = [name for name in RUN_COLUMNS if name in table and name not in varying]
    for names in (fixed, [name for name in fixed if name not in by_width]):
        for key, rows in table.groupby([*names, "threshold"], dropna=False, sort=True):
            if names is not fixed and rows["width"].nunique() < 2:
                continue
            group = dict(zip(names, (_native(value) for value in key), strict=False))
            if "learning_rate" in rows:
                rates = [float(rate) for rate in np.unique(rows["learning_rate"])]
                group["learning_rate"] = rates[0] if len(rates) == 1 else rates
            yield group, float(rows["threshold"].iloc[0]), rows


def describe(group: dict[str, Any], threshold: float) -> str:
    """A group in a few words, for notes."""
    schedule = group["schedule"]
    if schedule != "dense":
        schedule = f"{schedule}:{group['schedule_level']:g}"
    width = f"width {group['width']}" if "width" in group else "all widths"
    return f"{group['task']}, {schedule}, {width}, return {threshold:g}"


def horizon_data(rows: pd.DataFrame) -> tuple[HorizonData | None, list[str]]:
    """Data of one group, or None and why no law can be fitted; widths that never get there go."""
    problems = []
    early = rows["early"] if "early" in rows else pd.Series(False, index=rows.index)
    exact = ~(rows["censored"] | early)
    if not exact.any():
        what = (
            "no run reaches it (all are censored); a larger budget or another threshold is needed"
        )
        if not rows["censored"].any():
            what = "every run is past it at its first row; earlier evaluations are needed"
        return None, [f"no horizon law: {what}"]
    reached = rows["width"][exact].unique()
    if lost := sorted(set(rows["width"]) - set(reached)):
        problems.append(f"widths {', '.join(map(str, lost))} left out, no run of theirs reaches it")
        keep = rows["width"].isin(reached)
        rows, early, exact = rows[keep], early[keep], exact[keep]
    horizons = rows["horizon"][exact].nunique()
    if horizons < 2:
        what = (
            "1 horizon" if rows["horizon"].nunique() == 1 else "1 horizon with runs that reach it"
        )
        return None, [*problems, f"no horizon law: {what}; at least 2 are needed"]
    if horizons < 3:
        problems.append(f"no free exponent: {horizons} horizons; at least 3 are needed")
    if rows["seed"].nunique() < 2:
        problems.append("no intervals: 1 seed; at least 2 are needed (4 to be of use)")
    data = HorizonData.from_columns(
        rows["interactions"].to_numpy(float),
        rows["censored"].to_numpy(bool),
        early.to_numpy(bool),
        rows["horizon"].to_numpy(float),
        rows["seed"].to_numpy(),
        rows["width"].to_numpy(),
        rows["batch"].to_numpy(float) if "batch" in rows else None,
    )
    return data, problems


def _gaps(entry: HorizonLaw) -> list[str]:
    """What the data of a law leave open, a line each."""
    free = entry.free_power or {}
    low, high = np.exp(_EXPONENT_BOUNDS)
    gaps = []
    for name, key, interval in (
        (f"free exponent (searched from {low:g} to {high:g})", "g_ci", free.get("g_ci")),
        ("knee", "knee_ci", entry.knee_ci),
    ):
        ends = intervals.ends_or_none(interval, _LEAST[key]) if interval else []
        sides = [side for end, side in zip(ends, ("below", "above"), strict=False) if end is None]
        if sides:
            gaps.append(
                f"the data do not bound the {name} from {' nor from '.join(sides)}; more seeds, "
                "horizons or a larger budget are needed"
            )
    if not entry.heldout_error and len(np.unique(entry.laws["affine"].data.horizon)) > 3:
        gaps.append(
            "no held-out error: fitted without the largest horizons, fewer than 3 remain or no run "
            "that is held out gets there; more horizons or a larger budget are needed"
        )
    return gaps


def _shared_fits(data: HorizonData) -> dict[str, FittedLaw]:
    """The forms that do not depend on the regressor."""
    shared = {"proportional": fit_form(data, "proportional", leave_out=False)}
    if len(np.unique(data.horizon[data.exact])) >= 3:
        shared["free"] = fit_form(data, "free")
    return shared


def heldout_error(data: HorizonData, form: str, regressor: str) -> float | None:
    """Root mean square error in log E of the largest horizons, by a fit without them.

    One horizon is held out of up to 5, two of more; at least 3 with exact values must remain. The
    error of a horizon is the mean over its runs; a censored run counts as far as the prediction
    lies before the end of what was seen of it. A horizon of which no run has an exact value has no
    error, for a prediction beyond what was seen is neither right nor wrong.

    Returns:
        The error; None where no horizon that is held out has one, or too few horizons remain.
    """
    distinct = np.unique(data.horizon)
    limit = distinct[-1 if len(distinct) <= 5 else -2]
    train = data.horizon < limit
    if len(np.unique(data.horizon[train & data.exact])) < 3:
        return None
    law = data.law(form, regressor)
    part = censored.fit(law.take(train), data.values.take(train), data.starts(form))
    known = np.isin(data.width, np.unique(data.width[train & data.exact]))
    measured = np.isin(data.horizon, np.unique(data.horizon[~train & known & data.exact]))
    test = ~train & known & measured & ~data.values.left
    if not test.any():
        return None
    gap = data.values.log_e[test] - law(part.theta)[0][test]
    gap = np.where(data.values.right[test], np.maximum(gap, 0), gap)
    by_horizon = [gap[data.horizon[test] == h].mean() for h in np.unique(data.horizon[test])]
    return float(np.sqrt(np.mean(np.square(by_horizon))))


def _summarise(
    group: dict[str, Any],
    threshold: float,
    regressor: str,
    laws: dict[str, FittedLaw],
    proportional_ci: Interval | None,
    profiles: bool,
) -> HorizonLaw:
    """Numbers and intervals of a group's laws."""
    affine = laws["affine"]
    data = affine.data
    numbers = affine_numbers(affine)
    free_power = free_numbers(laws["free"], profiles) if "free" in laws else None
    aicc = {form: law.aicc for form, law in laws.items() if law.aicc is not None}
    heldout = {form: heldout_error(data, form, regressor) for form in laws}
    exponent = 1.0 if regressor == "h-1" else equivalent_exponent(affine)
    return HorizonLaw(
        group=group,
        threshold=threshold,
        regressor=regressor,
        laws=laws,
        a=numbers["a"],
        b=numbers["b"],
        a_ci=numbers["a_ci"],
        b_ci=numbers["b_ci"],
        r2=_r_squared(affine),
        knee=knee_of(affine.fit.theta[-1], affine.law.x_max, regressor),
        knee_ci=knee_interval(affine, regressor, profiles),
        free_power=free_power,
        aicc=aicc,
        heldout_error={form: value for form, value in heldout.items() if value is not None},
        runs=len(data.horizon),
        censored=int(data.values.right.sum()),
        measured=(float(data.horizon.min()), float(data.horizon.max())),
        verdict=verdict(aicc, free_power, proportional_ci, exponent),
        a_by_width=dict(zip(data.widths, np.exp(affine.fit.theta[:-1]).tolist(), strict=True)),
    )


def knee_of(log_multiplier: float, x_max: float, regressor: str) -> float:
    """The horizon at which E is twice that at h = 1; infinite where E does not grow."""
    gain = np.expm1(log_multiplier)
    return horizon_of(float(x_max / gain), regressor) if gain > 0 else float("inf")


def affine_numbers(affine: FittedLaw) -> dict[str, Any]:
    """a and b of an affine law with their intervals (None with one seed).

    a is symmetric in log; b on asinh(b x_max / 2a), which is linear about 0, where the sign of b is
    at stake, and log for large b.
    """
    x_max = affine.law.x_max

    def slope(theta: np.ndarray) -> float:
        return float(np.exp(theta[:-1].mean()) * np.expm1(theta[-1]) / x_max)

    a = float(np.exp(affine.fit.theta[:-1].mean()))
    b = slope(affine.fit.theta)
    if not len(affine.left_out):
        return {"a": a, "b": b, "a_ci": None, "b_ci": None}
    unit = 2 * a / x_max
    a_ci = intervals.jackknife_interval(
        a, np.exp(affine.left_out[:, :-1].mean(axis=1)), np.log, np.exp
    )
    b_ci = intervals.jackknife_interval(
        b,
        np.array([slope(theta) for theta in affine.left_out]),
        lambda value: np.arcsinh(value / unit),
        lambda value: np.sinh(value) * unit,
    )
    return {"a": a, "b": b, "a_ci": _floats(a_ci), "b_ci": _floats(b_ci)}


def knee_interval(affine: FittedLaw, regressor: str, profiles: bool) -> Interval | None:
    """95% interval of the knee, from that of the log multiplier at the largest horizon.

    An end that the data do not determine is 1 or infinite; None with one seed.
    """
    if not len(affine.left_out):
        return None
    low, high = _parameter_interval(affine, affine.law.widths, _MULTIPLIER_BOUNDS, profiles)
    x_max = affine.law.x_max
    return knee_of(high, x_max, regressor), knee_of(low, x_max, regressor)


def _parameter_interval(law: FittedLaw, index: int, limits: Interval, profiles: bool) -> Interval:
    """95% interval of a parameter; an end at the limit of the search is infinite."""
    estimate = float(law.fit.theta[index])
    left_out = law.left_out[:, index]
    if profiles:
        error = intervals.jackknife_error(estimate, left_out)
        low, high = intervals.profile_interval(
            law.profile(index), estimate, error, len(left_out), limits
        )
    else:
        low, high = intervals.jackknife_interval(estimate, left_out)
    return -np.inf if low <= limits[0] else low, np.inf if high >= limits[1] else high


def free_numbers(free: FittedLaw, profiles: bool) -> dict[str, Any]:
    """g and, where E grows, the knee of a free power, with intervals.

    Intervals are absent with one seed; the knee's also where g is at a limit of the search.
    """
    theta = free.fit.theta
    numbers: dict[str, Any] = {"g": float(np.exp(theta[-1]))}
    knees = [_log_free_knee(row, free.law.x_max) for row in (theta, *free.left_out)]
    if np.isfinite(knees[0]):
        numbers["knee"] = float(1 + np.exp(knees[0]))
    if len(free.left_out):
        ends = _parameter_interval(free, len(theta) - 1, _EXPONENT_BOUNDS, profiles)
        numbers["g_ci"] = _floats((np.exp(ends[0]), np.exp(ends[1])))
        at_limit = np.isin(np.array([theta[-1], *free.left_out[:, -1]]), _EXPONENT_BOUNDS)
        if np.all(np.isfinite(knees)) and not at_limit.any():
            low, high = intervals.jackknife_interval(knees[0], np.array(knees[1:]))
            numbers["knee_ci"] = _floats((1 + np.exp(low), 1 + np.exp(high)))
    return numbers


def _log_free_knee(theta: np.ndarray, x_max: float) -> float:
    """log(h - 1) where `1 + (e^m - 1) ((h - 1) / x_max)^g = 2`."""
    gain = np.expm1(theta[-2])
    return float(np.log(x_max) - np.log(gain) / np.exp(theta[-1])) if gain > 0 else float("inf")


def _r_squared(law: FittedLaw) -> float | None:
    exact = law.data.exact
    values = law.data.values.log_e[exact]
    about_mean = np.sum((values - values.mean()) ** 2)
    if about_mean == 0:
        return None
    return float(1 - np.sum((values - law.fit.means[exact]) ** 2) / about_mean)


def equivalent_exponent(affine: FittedLaw) -> float:
    """The g that a free power in h - 1 takes on the affine law's own curve at the same horizons.

    1 for the regressor h - 1; above 1 for the variance horizon, which starts out flat.
    """
    data = affine.data
    nothing = np.zeros(len(data.horizon), dtype=bool)
    curve = Values(affine.fit.means, nothing, nothing, 0 * data.values.block, data.values.spread)
    free = censored.fit(data.law("free", "h-1"), curve, data.starts("free"), np.full(3, -3.0))
    return float(np.exp(free.theta[-1]))


def verdict(
    aicc: dict[str, float],
    free_power: dict[str, Any] | None,
    knee_ci: Interval | None,
    affine_exponent: float = 1.0,
) -> str:
    """Which form the data single out: "affine", "proportional", "free", or "undecided".

    The forms are nested: proportional is affine in h - 1 with its knee at 2, affine is free with
    g = 1. A simpler form is claimed only where the data could have shown otherwise: "affine" needs
    a g pinned to [2/3, 3/2] of its own and proportional refuted, "proportional" also a knee pinned
    within a factor 1.5 of 2. A richer one needs its interval to leave the simpler out *and* AICc
    to be lower by 2.

    Args:
        aicc: by form.
        free_power: with `g_ci`.
        knee_ci: interval of the knee of the affine law in h - 1.
        affine_exponent: the g that the affine law's own curve has (1 for h - 1).
    """
    if free_power is None or "g_ci" not in free_power or knee_ci is None or len(aicc) < 3:
        return "undecided"
    low, high = (end / affine_exponent for end in free_power["g_ci"])
    if not low <= 1 <= high:
        better = aicc["free"] + _DECISIVE < min(aicc["affine"], aicc["proportional"])
        return "free" if better else "undecided"
    if low < _EXPONENT_MARGIN[0] or high > _EXPONENT_MARGIN[1]:
        return "undecided"
    if not knee_ci[0] <= 2 <= knee_ci[1]:
        better = aicc["affine"] + _DECISIVE < aicc["proportional"]
        return "affine" if better else "undecided"
    pinned = knee_ci[0] > 2 / 1.5 and knee_ci[1] < 2 * 1.5
    worse = aicc["proportional"] > aicc["affine"] + _DECISIVE
    return "proportional" if pinned and not worse else "undecided"


def _floats(interval: Interval) -> Interval:
    return float(interval[0]), float(interval[1])


def _native(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
