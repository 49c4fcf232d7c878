"""The horizon law: how the interactions to a threshold grow with the horizon.

    affine        E = a + b x,  x = h - 1 or the variance horizon (h - 2 + 1/h) / 4
    proportional  E = b h
    free power    E = a + b (h - 1)^g

Both regressors are 0 at h = 1, so that a is the interactions at h = 1 and the knee, the horizon
where E is twice that, is where x = a / b. How the forms are fitted is in `horizon_forms`; intervals
come from leaving out seeds (`stats.intervals`).

The law presumes that the signal of a step's gradient does not depend on the horizon. Schedules with
a delay break that; they have a law of their own (`delay`). What it says of a group it says only

- where the horizon is shown to cost something (`costs`): else g and the knee mean nothing;
- where the runs lie on the form (`stats.fit_test`): a refused form has no numbers;
- of the affine form's knee, where that form is shown to hold: at an exponent of 0.85 its interval
  holds the truth in half of all sweeps only. The free power's own knee needs no such proof;
- where no estimate is at a bound of the search.
"""

import functools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import pandas as pd

from analysis.data.families import (
    COLUMNS,
    Group,
    is_reference,
    schedule_names,
    schedules_in_order,
    split,
)
from analysis.laws.horizon_forms import (
    EXPONENT_BOUNDS,
    FormFit,
    HorizonData,
    fit_form,
    horizon_data,
)
from analysis.laws.law import Fits, FittedLaw, Quantity, flat, leave_out_interval
from analysis.laws.multiplier import Multiplier
from analysis.laws.prediction_bands import horizon_bands
from analysis.laws.regressors import REGRESSORS, horizon_of
from analysis.stats import censored, intervals
from analysis.stats.censored import Values
from analysis.stats.intervals import LOG, Interval, arcsinh_scale

EXPONENT_MARGIN = (0.8, 1.25)
"""The affine form is claimed only where the interval of g lies within this range."""

KNEE_MARGIN = (4 / 3, 3.0)
"""The proportional form is claimed only where the interval of the knee does: its knee is at 2."""

_DECISIVE = 2.0  # difference of AICc below which forms are not distinguished
_NAMED_RUNS = 5  # ids of runs that an entry gives


@dataclass(frozen=True)
class HorizonLaw(FittedLaw):
    """The law of one group, threshold and regressor.

    Attributes:
        group: every setting that is held fixed (without the width where widths are pooled).
        threshold: the return to reach.
        regressor: one of `REGRESSORS`.
        forms: the fitted forms by name: affine and proportional, and free from three horizons on.
        affine_in_h: the affine form in h - 1, of which proportional is a special case.
        multiplier: what the longest horizon costs, without a law.
        profiles: take the intervals of g and the knee from the profile likelihood; if false, only
            from leaving out seeds (quicker, symmetric in log).
        labels: what distinguishes the law from those that it is compared with.
    """

    group: dict[str, Any]
    threshold: float
    regressor: str
    forms: Mapping[str, FormFit]
    affine_in_h: FormFit
    multiplier: Multiplier
    profiles: bool = True
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def affine(self) -> FormFit:
        """The affine form."""
        return self.forms["affine"]

    @property
    def data(self) -> HorizonData:
        """The runs."""
        return self.affine.data

    @property
    def seeds(self) -> list[int]:
        """The seeds of its runs."""
        return self.data.seeds

    @property
    def runs(self) -> int:
        """How many runs there are."""
        return len(self.data.horizon)

    @property
    def censored(self) -> int:
        """How many of them are right-censored."""
        return int(self.data.values.right.sum())

    @property
    def measured(self) -> Interval:
        """Smallest and largest horizon of the data."""
        return float(self.data.horizon.min()), float(self.data.horizon.max())

    @property
    def a_by_width(self) -> dict[int, float]:
        """Interactions at h = 1 for each width."""
        levels = np.exp(self.affine.fit.theta[:-1]).tolist()
        return dict(zip(self.data.widths, levels, strict=True))

    @functools.cached_property
    def quantities(self) -> dict[str, Quantity]:
        """a (geometric mean over pooled widths), b per unit of the regressor, and the knee.

        The knee is infinite where E does not grow; an end of its interval that the data do not
        determine is 1 or infinite.
        """
        knee = knee_of(self.affine.fit.theta[-1], self.affine.mean.x_max, self.regressor)
        shown = self.costs and "affine" not in self.refused
        profiles = self.profiles and self.regressor == "h-1" and shown
        knee_ci = knee_interval(self.affine, profiles)
        return {**self._affine_numbers, "knee": Quantity(knee, knee_ci, least=1.0)}

    @functools.cached_property
    def _affine_numbers(self) -> dict[str, Quantity]:
        return affine_numbers(self.affine)

    @functools.cached_property
    def free_power(self) -> dict[str, Quantity]:
        """Exponent g and, where E grows, the knee of the free form; empty without one."""
        if "free" not in self.forms:
            return {}
        return free_numbers(self.forms["free"], self.profiles and self.allows("g"))

    @functools.cached_property
    def costs(self) -> bool:
        """Whether a longer horizon is shown to need more: by b, and by the measured multiplier."""
        slope = self._affine_numbers["b"].interval
        return slope is not None and slope[0] > 0 and self.multiplier.verdict == "more"

    @property
    def refused(self) -> tuple[str, ...]:
        """The forms that the runs do not lie on, by a test of fit."""
        return tuple(name for name, form in self.forms.items() if form.is_refused)

    def allows(self, name: str) -> bool:
        """Whether the runs can determine a number at all: see the module's docstring."""
        if name in ("multiplier", "a", "b"):
            return name == "multiplier" or "affine" not in self.refused
        if not self.costs or "free" in self.refused:
            return False
        if name == "knee":  # of the affine form: with another exponent its interval is wrong
            affine = self.verdict in ("affine", "proportional")
            return affine and not self.affine.is_at_bound(-1)
        free = self.forms.get("free")
        return free is not None and not free.is_at_bound(-1) and not free.is_at_bound(-2)

    @property
    def shown_knee(self) -> Quantity | None:
        """The knee that the runs determine: by the affine form where it is shown, or the power."""
        if self.determined["knee"]:
            return self.quantities["knee"]
        return self.free_power["knee"] if self.determined.get("free_knee") else None

    @property
    def drawn(self) -> dict[str, FormFit]:
        """The forms that may be drawn: those that the runs lie on, with no number at a bound."""
        return {
            name: form
            for name, form in self.forms.items()
            if not form.is_refused
            and (name == "proportional" or not form.is_at_bound(len(self.data.widths)))
            and (name != "free" or self.allows("g"))
        }

    @property
    def determined_quantities(self) -> dict[str, Quantity]:
        """a, b, the knee, g and the knee of the free form, and the measured multiplier."""
        free = {_FREE_NAMES[name]: one for name, one in self.free_power.items()}
        return {**free, **self.quantities, **self.multiplier.quantities}

    def is_determined(self, name: str, one: Quantity) -> bool:
        """Whether a number is determined, where the runs allow it at all."""
        return one.is_determined and self.allows(name)

    @property
    def determined_by(self) -> dict[str, str]:
        """Longer horizons; a larger budget where no run at the longest reached the return."""
        shortest, longest = self.measured
        if "free" in self.refused:
            another = "another law: the runs lie on none of the three"
            return dict.fromkeys(("a", "b", "knee", "g", "free_knee"), another)
        if self.data.horizon[self.data.values.exact].max() < longest:
            longer = f"a larger budget: no run at h = {longest:g} reached the return"
        else:
            longer = f"longer horizons than {longest:g}"
        low, high = self.quantities["knee"].ends or (None, None)
        below = shortest > 1 and low is None and high is not None
        knee = f"horizons below {shortest:g}" if below else longer
        return {"b": longer, "knee": knee, "free_knee": knee, "g": longer}

    @property
    def aicc(self) -> dict[str, float]:
        """AICc by form; differences of less than 2 are not evidence for either form."""
        known = {form: fit.aicc for form, fit in self.forms.items()}
        return {form: value for form, value in known.items() if value is not None}

    @functools.cached_property
    def heldout_error(self) -> dict[str, float]:
        """Root mean square error in log E of the largest horizons, by form (`FormFit`)."""
        known = {name: form.heldout_error for name, form in self.forms.items()}
        return {form: value for form, value in known.items() if value is not None}

    @property
    def r2(self) -> float | None:
        """Share of the variance of log E that the affine form explains, uncensored runs."""
        exact = self.data.values.exact
        values = self.data.values.log_e[exact]
        about_mean = np.sum((values - values.mean()) ** 2)
        if about_mean == 0:
            return None
        return float(1 - np.sum((values - self.affine.fit.means[exact]) ** 2) / about_mean)

    @functools.cached_property
    def verdict(self) -> str:
        """Which form the data select: "affine", "proportional", "free" or "undecided".

        Never a form that the runs do not lie on, nor one of which a number is at a bound.
        """
        if not self.allows("g") or not self.free_power["g"].is_bounded:
            return "undecided"
        exponent = 1.0 if self.regressor == "h-1" else equivalent_exponent(self.affine)
        knee_ci = knee_interval(self.affine_in_h, profiles=False)
        form = verdict(self.aicc, self.free_power, knee_ci, exponent)
        return "undecided" if form in self.refused else form

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        """Interactions by the affine form of rows with `horizon` and, of single widths, `width`."""
        horizon = rows["horizon"].to_numpy(float)
        if "width" not in rows:
            return self.affine.predict(horizon)
        levels = rows["width"].map(self.a_by_width).to_numpy(float)
        return levels * self.affine.multiplier(horizon)

    def without_seed(self, seed: int) -> Self:
        """The law at the parameters that it has without the runs of one seed."""
        fitted = {name: form for name, form in self.forms.items() if len(form.left_out)}
        return replace(self, forms={name: form.without_seed(seed) for name, form in fitted.items()})

    def _free_json(self) -> dict[str, Any]:
        """The free power as its own part of the entry, with what is determined of it."""
        if not self.free_power:
            return {}
        named = {_FREE_NAMES[name]: one for name, one in self.free_power.items()}
        names = {_FREE_NAMES[name]: name for name in self.free_power}
        determined = {names[name]: self.is_determined(name, one) for name, one in named.items()}
        needs = {names[name]: need for name, need in self.needs_of(named).items()}
        return {**flat(self.free_power), "determined": determined, "needs": needs}

    def details(self) -> dict[str, Any]:
        """What else the entry of `fits.json` holds."""
        return {
            **self.labels,
            "threshold": self.threshold,
            "regressor": self.regressor,
            "r2": self.r2,
            "free_power": self._free_json() or None,
            "aicc": self.aicc,
            "heldout_error": self.heldout_error,
            "fit_test": {name: form.fit_test for name, form in self.forms.items()},
            **self.multiplier.to_json(),
            "costs": self.costs,
            "runs": self.runs,
            "censored": self.censored,
            "fell_back": len(self.data.fell_back),
            "fell_back_runs": self.data.fell_back[:_NAMED_RUNS],
            "measured": self.measured,
            "verdict": self.verdict,
            "a_by_width": self.a_by_width,
            "bands": horizon_bands(self.forms, self.verdict),
        }


_FREE_NAMES = {"g": "g", "knee": "free_knee"}


def fit_horizon_laws(
    table: pd.DataFrame, regressors: Sequence[str] = REGRESSORS, profiles: bool = True
) -> Fits:
    """Fit the horizon law for each group of settings and threshold, per width and pooled.

    Rows of schedules with a delay are left out, with a note for each schedule; references, which
    have no horizon, without a note.

    Args:
        table: interactions to threshold, one run per seed (`data.crossings`).
        regressors: which of `REGRESSORS`.
        profiles: as of `HorizonLaw`.
    """
    entries: list[HorizonLaw] = []
    table, notes = without_delays(table[~is_reference(table)])
    singles = list(split(table, "horizon"))
    pooled = [one for one in split(table, "horizon", "width") if one.rows["width"].nunique() > 1]
    for group in [*singles, *pooled]:
        data, problems = horizon_data(group.rows)
        notes += [f"{group.label}: {problem}" for problem in problems]
        if data is None:
            continue
        try:
            for law in _laws(group, data, regressors, profiles):
                law.to_json()  # whatever may fail is computed here, where failures are noted
                entries.append(law)
                notes += [f"{group.label}: {gap}" for gap in _gaps(law)]
        except (np.linalg.LinAlgError, FloatingPointError) as error:
            notes.append(f"{group.label}: no horizon law, the fit failed: {error}")
    return Fits(tuple(entries), tuple(dict.fromkeys(notes)))


def without_delays(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Rows of schedules whose signal does not depend on the horizon, and a note on each other."""
    if "schedule" not in table:
        return table, []
    delays = [one for one in schedules_in_order(table) if one.period > 1]
    notes = [
        f"{schedule}: no horizon law, a right answer is paid up to {schedule.period - 1} steps "
        "later, so that a short horizon loses signal; its law is in delay_law"
        for schedule in delays
    ]
    names = schedule_names(table) if delays else pd.Series(dtype=object)
    kept = table[~names.isin([str(one) for one in delays])] if delays else table
    return kept.reset_index(drop=True), notes


def _laws(
    group: Group, data: HorizonData, regressors: Sequence[str], profiles: bool
) -> Iterator[HorizonLaw]:
    """The law for each regressor; forms that do not depend on it are fitted once."""
    shared = {"proportional": fit_form(data, "proportional", leave_out=False)}
    if len(np.unique(data.horizon[data.values.exact])) >= 3:
        shared["free"] = fit_form(data, "free")
    in_h = fit_form(data, "affine", "h-1")
    multiplier = Multiplier.of(data)
    for regressor in regressors:
        affine = in_h if regressor == "h-1" else fit_form(data, "affine", regressor)
        forms = {"affine": affine, **shared}
        yield HorizonLaw(
            group.settings, group.threshold, regressor, forms, in_h, multiplier, profiles
        )


def _gaps(law: HorizonLaw) -> list[str]:
    """What the data of a law do not determine, one line each."""
    low, high = np.exp(EXPONENT_BOUNDS)
    gaps = []
    for name, quantity in (
        (f"free exponent (searched from {low:g} to {high:g})", law.free_power.get("g")),
        ("knee", law.quantities["knee"]),
    ):
        ends = (quantity.ends if quantity and law.costs else None) or []
        sides = [side for end, side in zip(ends, ("below", "above"), strict=False) if end is None]
        if sides:
            gaps.append(
                f"the data do not bound the {name} from {' or from '.join(sides)}; more seeds, "
                "horizons or a larger budget are needed"
            )
    if not law.heldout_error and len(np.unique(law.data.horizon)) > 3:
        gaps.append(
            "no held-out error: without the largest horizons fewer than 3 remain, or no held-out "
            "run reaches the return; more horizons or a larger budget are needed"
        )
    return gaps


def knee_of(log_multiplier: float, x_max: float, regressor: str) -> float:
    """The horizon at which E is twice that at h = 1; infinite where E does not grow."""
    gain = np.expm1(log_multiplier)
    return horizon_of(float(x_max / gain), regressor) if gain > 0 else math.inf


def affine_numbers(affine: FormFit) -> dict[str, Quantity]:
    """a and b of an affine form with their intervals (None with one seed).

    a is symmetric in log; b on asinh(b x_max / 2a), which is linear about 0, where the sign of b is
    uncertain, and log for large b.
    """
    x_max = affine.mean.x_max

    def level(theta: np.ndarray) -> float:
        return float(np.exp(theta[:-1].mean()))

    def slope(theta: np.ndarray) -> float:
        return float(level(theta) * np.expm1(theta[-1]) / x_max)

    theta, left_out = affine.fit.theta, affine.left_out
    a, b = level(theta), slope(theta)
    return {
        "a": Quantity(a, leave_out_interval(level, theta, left_out, LOG)),
        "b": Quantity(b, leave_out_interval(slope, theta, left_out, arcsinh_scale(2 * a / x_max))),
    }


def knee_interval(affine: FormFit, profiles: bool) -> Interval | None:
    """95% interval of the knee, from that of the log multiplier at the largest horizon.

    An end that the data do not determine is 1 or infinite; None with one seed.
    """
    ends = _interval_of_last(affine, profiles)
    if ends is None:
        return None
    high, low = (knee_of(end, affine.mean.x_max, affine.regressor) for end in ends)
    return low, high


def _interval_of_last(form: FormFit, profiles: bool) -> Interval | None:
    """95% interval of a form's last parameter; an end at the limit of the search is infinite."""
    left_out, limits = form.left_out[:, -1], form.mean.bounds[-1]
    if len(left_out) < 2:
        return None
    if profiles:
        ends = form.profile_of_last
    else:
        ends = intervals.jackknife_interval(float(form.fit.theta[-1]), left_out) or limits
    return (
        -math.inf if ends[0] <= limits[0] else float(ends[0]),
        math.inf if ends[1] >= limits[1] else float(ends[1]),
    )


def free_numbers(free: FormFit, profiles: bool) -> dict[str, Quantity]:
    """g and, where E grows, the knee of a free power, with intervals.

    There are no intervals with one seed, and none of the knee where g is at a bound of the search.
    """
    theta, left_out = free.fit.theta, free.left_out
    ends = _interval_of_last(free, profiles)
    g_ci = None if ends is None else (float(np.exp(ends[0])), float(np.exp(ends[1])))
    numbers = {"g": Quantity(float(np.exp(theta[-1])), g_ci, least=0.0)}
    knees = [_log_free_knee(one, free.mean.x_max) for one in (theta, *left_out)]
    if np.isfinite(knees[0]):
        knee_ci = None
        if np.all(np.isfinite(knees)) and not free.is_at_bound(-1):
            logs = intervals.jackknife_interval(knees[0], knees[1:])
            knee_ci = logs and (float(1 + np.exp(logs[0])), float(1 + np.exp(logs[1])))
        numbers["knee"] = Quantity(float(1 + np.exp(knees[0])), knee_ci, least=1.0)
    return numbers


def _log_free_knee(theta: np.ndarray, x_max: float) -> float:
    """log(h - 1) where `1 + (e^m - 1) ((h - 1) / x_max)^g = 2`."""
    gain = np.expm1(theta[-2])
    return float(np.log(x_max) - np.log(gain) / np.exp(theta[-1])) if gain > 0 else math.inf


def equivalent_exponent(affine: FormFit) -> float:
    """The g of a free power in h - 1 fitted to the affine form's own curve at the same horizons.

    1 for the regressor h - 1; above 1 for the variance horizon, which is flat near h = 1.
    """
    data = affine.data
    no_run = np.zeros(len(data.horizon), dtype=bool)
    curve = Values(affine.fit.means, no_run, no_run, 0 * data.values.block, data.values.spread)
    mean, spread = data.mean("free", "h-1"), np.full(3, -3.0)
    free = censored.fit(mean, curve, data.starts("free"), spread)
    return float(np.exp(free.theta[-1]))


def verdict(
    aicc: Mapping[str, float],
    free_power: Mapping[str, Quantity],
    knee_ci: Interval | None,
    affine_exponent: float = 1.0,
) -> str:
    """Which form the data select: "affine", "proportional", "free", or "undecided".

    The forms are nested: proportional is affine in h - 1 with its knee at 2, affine is free with
    g = 1. A simpler form is claimed only where the data could have rejected it: "affine" needs the
    interval of g / affine_exponent inside `EXPONENT_MARGIN`, an AICc that is not above that of the
    free power, and proportional rejected, "proportional" also the interval of the knee inside
    `KNEE_MARGIN`. A richer one needs its interval to exclude the simpler one *and* AICc to be lower
    by 2.

    Args:
        aicc: by form.
        free_power: with `g`.
        knee_ci: interval of the knee of the affine law in h - 1.
        affine_exponent: the g that the affine law's own curve has (1 for h - 1).
    """
    g_ci = free_power["g"].interval if "g" in free_power else None
    if g_ci is None or knee_ci is None or len(aicc) < 3:
        return "undecided"
    low, high = (end / affine_exponent for end in g_ci)
    if not low <= 1 <= high:
        better = aicc["free"] + _DECISIVE < min(aicc["affine"], aicc["proportional"])
        return "free" if better else "undecided"
    if low < EXPONENT_MARGIN[0] or high > EXPONENT_MARGIN[1]:
        return "undecided"
    if not knee_ci[0] <= 2 <= knee_ci[1]:
        better = aicc["affine"] + _DECISIVE < aicc["proportional"]
        return "affine" if better and aicc["affine"] <= aicc["free"] else "undecided"
    narrow = knee_ci[0] > KNEE_MARGIN[0] and knee_ci[1] < KNEE_MARGIN[1]
    worse = aicc["proportional"] > aicc["affine"] + _DECISIVE
    return "proportional" if narrow and not worse else "undecided"


def main_entries(entries: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """The entries of `fits.json` in h - 1 that represent each family of runs.

    One per threshold: pooled over widths where there is such an entry, else of the width with most
    uncensored runs. The family with most runs comes first.
    """
    by_family: dict[str, dict[float, Mapping[str, Any]]] = {}
    for entry in entries:
        if entry["regressor"] == "h-1":
            chosen = by_family.setdefault(_family(entry["group"]), {})
            before = chosen.get(entry["threshold"])
            if before is None or _rank(entry) > _rank(before):
                chosen[entry["threshold"]] = entry
    ordered = [[chosen[threshold] for threshold in sorted(chosen)] for chosen in by_family.values()]
    return sorted(ordered, key=lambda one: -max(entry["runs"] for entry in one))


def _family(group: Mapping[str, Any]) -> str:
    """A key that entries of one family share: all fixed settings except the width and the rates."""
    varying = {*COLUMNS["width"], "learning_rate"}
    return json.dumps({name: group[name] for name in group if name not in varying}, sort_keys=True)


def _rank(entry: Mapping[str, Any]) -> tuple[bool, int]:
    return "width" not in entry["group"], entry["runs"] - entry["censored"]
