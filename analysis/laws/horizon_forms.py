"""The forms of the horizon law, fitted to one group of runs.

    affine        E = a + b x,  x = h - 1 or the variance horizon (h - 2 + 1/h) / 4
    proportional  E = b h
    free power    E = a + b (h - 1)^g

They are fitted in log E, one value per run, by the likelihood of `stats.censored` (seeds as an
effect, censored runs by their probability). Pooled over widths, each width has its own a and all
share the multiplier: `E = a_w (1 + x / x_knee)`.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pandas as pd

from analysis.laws.regressors import regressor_values
from analysis.stats import censored, intervals
from analysis.stats.censored import Fit, Sample, Values
from analysis.stats.fit_test import REFUSED, Saturated
from analysis.stats.intervals import Interval

MULTIPLIER_BOUNDS = (-6.0, 16.0)
EXPONENT_BOUNDS = (float(np.log(0.05)), float(np.log(8.0)))
_LOG_E_BOUNDS = (-5.0, 70.0)


@dataclass(frozen=True)
class HorizonMean:
    """A form as a mean function of log E: one `log a` per width, then the form's own parameters.

    affine and free have `m`, the log multiplier at the largest horizon (`log(E(h_max) / a)`, any
    sign), and free has `log g`:  `log E = log a_w + log(1 + (e^m - 1) z^g)`, `z = x / x_max`.

    Attributes:
        form: "affine", "proportional" or "free".
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
        shape: dict[str, list[tuple[float, float]]] = {
            "proportional": [],
            "affine": [MULTIPLIER_BOUNDS],
            "free": [MULTIPLIER_BOUNDS, EXPONENT_BOUNDS],
        }
        return [_LOG_E_BOUNDS] * self.widths + shape[self.form]

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

    def take(self, keep: np.ndarray) -> "HorizonMean":
        """The mean at the runs where `keep`, shape [run], is true."""
        return replace(self, x=self.x[keep], width=self.width[keep])


@dataclass(frozen=True)
class HorizonData:
    """The runs of one group: what the forms are fitted to.

    Attributes:
        values: log interactions and how they are censored.
        horizon: horizon of each run, shape [run].
        seed: seed of each run, shape [run].
        width: number of the width of each run, shape [run].
        widths: the widths, increasing.
        batch: interactions per update of each run, shape [run]; 0 where not given.
        fell_back: ids of the runs that reached the return and later fell below it.
    """

    values: Values
    horizon: np.ndarray
    seed: np.ndarray
    width: np.ndarray
    widths: tuple[int, ...]
    batch: np.ndarray
    fell_back: tuple[str, ...] = ()

    @classmethod
    def from_rows(cls, rows: pd.DataFrame) -> Self:
        """Data from rows of interactions to one threshold."""
        horizon = rows["horizon"].to_numpy(float)
        seed = rows["seed"].to_numpy(int)
        widths, number = np.unique(rows["width"].to_numpy(), return_inverse=True)
        # With one seed an effect of the seed cannot be distinguished from a.
        several = len(np.unique(seed)) > 1
        pairs = np.stack([number, seed], axis=1)
        block = np.unique(pairs, axis=0, return_inverse=True)[1].ravel() if several else 0 * seed
        values = Values(
            np.log(rows["interactions"].to_numpy(float)),
            rows["censored"].to_numpy(bool),
            left_censored(rows),
            block,
            np.log(horizon) / (np.log(horizon.max()) or 1.0),
        )
        batch = rows["batch"].to_numpy(float) if "batch" in rows else np.zeros_like(horizon)
        names = tuple(int(width) for width in widths)
        return cls(values, horizon, seed, number, names, batch, fallen_back(rows))

    @property
    def seeds(self) -> list[int]:
        """The distinct seeds."""
        return [int(seed) for seed in np.unique(self.seed)]

    def without_seed(self, seed: int) -> Self:
        """The runs of the other seeds; which of them fell back is not kept."""
        keep = self.seed != seed
        return replace(
            self,
            values=self.values.take(keep),
            horizon=self.horizon[keep],
            seed=self.seed[keep],
            width=self.width[keep],
            batch=self.batch[keep],
            fell_back=(),
        )

    @functools.cached_property
    def saturated(self) -> Saturated:
        """One mean for each width and horizon, against which the forms are tested."""
        horizon = np.unique(self.horizon, return_inverse=True)[1].ravel()
        pairs = horizon * len(self.widths) + self.width
        cell = np.unique(pairs, return_inverse=True)[1].ravel()
        return Saturated.of(self.values, cell, len(self.widths))

    def mean(self, form: str, regressor: str) -> HorizonMean:
        """The mean function of a form at these runs."""
        if form == "proportional":
            x = self.horizon
        else:
            x = regressor_values(self.horizon, regressor if form == "affine" else "h-1")
        return HorizonMean(form, x, float(x.max()), self.width, len(self.widths))

    def sample(self, form: str, regressor: str) -> Sample:
        """The runs with the mean function of a form."""
        return Sample(self.mean(form, regressor), self.values, self.seed)

    def starts(self, form: str) -> list[np.ndarray]:
        """Starting points: levels from the data, the multiplier from the ends, three exponents."""
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
class FormFit:
    """A form fitted to a group, and again without each seed.

    Attributes:
        data: the runs.
        sample: the runs with the form's mean function.
        fit: the maximum over all seeds.
        left_out: parameters without each seed in turn, shape [seed, parameter]; empty for one seed.
        regressor: of the affine form.
    """

    data: HorizonData
    sample: Sample
    fit: Fit
    left_out: np.ndarray
    regressor: str = "h-1"

    @property
    def mean(self) -> HorizonMean:
        """The form's mean function at the runs."""
        mean: HorizonMean = self.sample.mean
        return mean

    @property
    def aicc(self) -> float | None:
        """AICc on independent units; None where there are too few of them.

        Units are the runs, less the contrasts between seeds, which have no information on the form:
        points of one curve count once, and a seed's common effect is a parameter, not a value.
        """
        blocks = int(self.data.values.block.max()) + 1
        units = len(self.data.horizon) - (blocks - len(self.data.widths) if blocks > 1 else 0)
        spare = units - self.fit.free - 1
        if spare <= 0:
            return None
        penalty = 2 * self.fit.free * (1 + (self.fit.free + 1) / spare)
        return penalty - 2 * self.fit.log_likelihood

    @functools.cached_property
    def fit_test(self) -> float | None:
        """How often runs of this form would lie as far from it (`Saturated.p_value`)."""
        return self.data.saturated.p_value(self.fit)

    @property
    def is_refused(self) -> bool:
        """Whether the runs do not lie on this form."""
        return self.fit_test is not None and self.fit_test < REFUSED

    def is_at_bound(self, index: int) -> bool:
        """Whether a parameter is at a bound of its search, with all seeds or without one."""
        values = np.array([self.fit.theta[index], *self.left_out[:, index]])
        return bool(np.isin(values, self.mean.bounds[index]).any())

    @functools.cached_property
    def heldout_error(self) -> float | None:
        """Root mean square error in log E of the largest horizons, by a fit without them.

        One horizon is held out of up to 5, two of more; at least 3 with exact values must remain.
        The error of a horizon is the mean over its runs; for a right-censored run it is how far the
        prediction lies below its last place, at least 0. A horizon without an uncensored run has no
        error, because predictions beyond the last places can be neither confirmed nor rejected.
        None where no held-out horizon has one, or too few horizons remain.
        """
        data, exact = self.data, self.data.values.exact
        distinct = np.unique(data.horizon)
        train = data.horizon < distinct[-1 if len(distinct) <= 5 else -2]
        if len(np.unique(data.horizon[train & exact])) < 3:
            return None
        known = np.isin(data.width, np.unique(data.width[train & exact]))
        measured = np.isin(data.horizon, np.unique(data.horizon[~train & known & exact]))
        test = ~train & known & measured & ~data.values.left
        if not test.any():
            return None
        part = self.sample.take(train).fit([self.fit.theta], self.fit.spread)
        gap = data.values.log_e[test] - self.mean(part.theta)[0][test]
        gap = np.where(data.values.right[test], np.maximum(gap, 0), gap)
        by_horizon = [gap[data.horizon[test] == h].mean() for h in np.unique(data.horizon[test])]
        return float(np.sqrt(np.mean(np.square(by_horizon))))

    def predict(self, horizon: np.ndarray, width: int | None = None) -> np.ndarray:
        """Fitted interactions at horizons, shape [horizon].

        Args:
            horizon: where.
            width: one of the data's widths; by default the geometric mean over them.
        """
        levels = self.fit.theta[: self.mean.widths]
        level = levels.mean() if width is None else levels[self.data.widths.index(width)]
        return np.exp(level) * self.multiplier(horizon)

    def multiplier(self, horizon: np.ndarray) -> np.ndarray:
        """Fitted E(h) / E(1), shape [horizon]."""
        horizon = np.asarray(horizon, dtype=float)
        if self.mean.form == "proportional":
            return horizon
        theta, widths = self.fit.theta, self.mean.widths
        z = regressor_values(horizon, self.regressor) / self.mean.x_max
        exponent = np.exp(theta[widths + 1]) if self.mean.form == "free" else 1.0
        return 1 + np.expm1(theta[widths]) * z**exponent

    def profile(self, index: int) -> Callable[[float], float]:
        """Log likelihood maximised over all parameters but one, as a function of that one."""
        last = self.fit

        def at(value: float) -> float:
            nonlocal last
            start = last.theta.copy()
            start[index] = value
            last = self.sample.fit([start], last.spread, fixed={index: value})
            return last.log_likelihood

        return at

    @functools.cached_property
    def profile_of_last(self) -> Interval:
        """95% interval of the last parameter, by the profile likelihood (`profile_interval`)."""
        last, left_out = len(self.fit.theta) - 1, self.left_out[:, -1]
        estimate = float(self.fit.theta[-1])
        error = intervals.jackknife_error(estimate, left_out)
        return intervals.profile_interval(
            self.profile(last), estimate, error, len(left_out), self.mean.bounds[-1]
        )

    def without_seed(self, seed: int) -> Self:
        """The form at its parameters without one seed; these have no intervals."""
        theta = self.left_out[self.data.seeds.index(seed)]
        fit = replace(self.fit, theta=theta, means=self.mean(theta)[0])
        return replace(self, fit=fit, left_out=self.left_out[:0])

    def refit(self, data: HorizonData) -> Self:
        """The form fitted to other values of the same runs, starting from this fit."""
        sample = replace(self.sample, values=data.values)
        return type(self).of(data, sample, [self.fit.theta], self.regressor, self.fit.spread)

    @classmethod
    def of(
        cls,
        data: HorizonData,
        sample: Sample,
        starts: list[np.ndarray],
        regressor: str,
        spread: np.ndarray | None = None,
        leave_out: bool = True,
    ) -> Self:
        """Fit from some starts, and again without each seed (from the full fit: a warm start)."""
        full = sample.fit(starts, spread)
        others = sample.fits_without_each_seed(full) if leave_out else []
        left_out = censored.parameters(others, len(full.theta))
        return cls(data, sample, full, left_out, regressor)


def fit_form(
    data: HorizonData, form: str, regressor: str = "h-1", leave_out: bool = True
) -> FormFit:
    """Fit one form to a group, and with `leave_out` again without each seed."""
    sample = data.sample(form, regressor)
    return FormFit.of(data, sample, data.starts(form), regressor, leave_out=leave_out)


def left_censored(rows: pd.DataFrame) -> np.ndarray:
    """Which rows of crossings are left-censored, shape [run]; none where the table lacks it."""
    if "left_censored" not in rows:
        return np.zeros(len(rows), dtype=bool)
    return rows["left_censored"].to_numpy(bool)


def fallen_back(rows: pd.DataFrame) -> tuple[str, ...]:
    """Ids of the runs that reached the return and fell below it; none where the table lacks it."""
    if "fell_back" not in rows:
        return ()
    return tuple(map(str, rows.loc[rows["fell_back"].to_numpy(bool), "run_id"]))


def horizon_data(rows: pd.DataFrame) -> tuple[HorizonData | None, list[str]]:
    """Data of one group, or None, and why no law (or less of it) can be fitted.

    Widths of which all runs are censored are left out.
    """
    problems = []
    exact = ~(rows["censored"].to_numpy(bool) | left_censored(rows))
    if not exact.any():
        what = (
            "no run reaches it (all are censored); a larger budget or another threshold is needed"
        )
        if not rows["censored"].any():
            what = "every run is above it at its first row; earlier evaluations are needed"
        return None, [f"no horizon law: {what}"]
    reached = rows["width"][exact].unique()
    if lost := sorted(set(rows["width"]) - set(reached)):
        problems.append(f"widths {', '.join(map(str, lost))} left out, none of the runs reaches it")
        keep = rows["width"].isin(reached).to_numpy()
        rows, exact = rows[keep], exact[keep]
    horizons = rows["horizon"][exact].nunique()
    if horizons < 2:
        what = (
            "1 horizon" if rows["horizon"].nunique() == 1 else "1 horizon with runs that reach it"
        )
        return None, [*problems, f"no horizon law: {what}; at least 2 are needed"]
    if horizons < 3:
        problems.append(f"no free exponent: {horizons} horizons; at least 3 are needed")
    if rows["seed"].nunique() < 2:
        problems.append("no intervals: 1 seed; at least 2 are needed, better 4 or more")
    return HorizonData.from_rows(rows), problems
