"""Whether a penalty on KL does what stopping early does, where a proxy of the reward is paid.

Gao, Schulman and Hilton (2022, arXiv 2210.10760, section 3.6) found that a penalty on the KL
divergence from the initial policy leaves the true ("gold") score at a given KL as it is: penalised
runs lie on the curve of the run without a penalty, as if that were stopped early. Here, for each
coefficient and seed,

    D(K) = G_coefficient(K) - G_0(K)

with G the gold score of the policy when its KL first reaches K, on the same test examples. Two
means of D are compared with 0: along the run (evenly in sqrt K, over the range of both) and at its
end (rows of the last half of training, each at its own K). Curves are *equivalent* within a margin
where two one-sided t tests over seeds (Schuirmann 1987, doi 10.1007/BF01068419) both reject at 5%,
for every coefficient and both means: each must pass, so that their number needs no correction.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd

from analysis.data.families import label, split
from analysis.laws.law import Fits, FittedLaw, Quantity, flat, plain
from analysis.stats.distributions import t_quantile, t_tail
from analysis.stats.intervals import mean_interval

MARGIN = 0.02
"""Differences in gold below this count as none: 2 answers in 100."""

LEVEL = 0.05
POINTS = 33
"""Places in sqrt K at which curves are compared."""

MEANS = ("along", "end")


@dataclass(frozen=True)
class EarlyStopping(FittedLaw):
    """The gold score of penalised runs against that of the run without a penalty, at the same KL.

    Attributes:
        group: every setting that is held fixed, the learning rate too.
        rows: the runs' rows (`data.frontier.gold_curves`).
        table: differences of each coefficient above 0 and seed (`differences`).
        margin: differences below it count as none.
        intervals: whether its numbers have intervals.
    """

    group: dict[str, Any]
    rows: pd.DataFrame
    table: pd.DataFrame
    margin: float = MARGIN
    intervals: bool = True

    @property
    def seeds(self) -> list[int]:
        """The seeds that have every coefficient."""
        return sorted(int(seed) for seed in self.table["seed"].unique())

    @functools.cached_property
    def quantities(self) -> dict[str, Quantity]:
        """Means over the coefficients of the differences in gold and proxy, and of the gaps.

        `gold_along` and `gold_end`, and the same of the proxy: penalised less unpenalised.
        `gold_fall`: what the unpenalised run loses of its highest gold until its end.
        `proxy_gap`, `proxy_gap_penalised`: how far below the optimum at the same KL the proxy of
        the unpenalised run is along its way, and that of penalised runs at their ends.
        `best_of_n_lead`, `best_of_n_lead_penalised`: the same of gold below that of best of n.
        """
        by_seed = self.table.groupby("seed").mean(numeric_only=True)
        names = [f"{value}_{mean}" for value in ("gold", "proxy") for mean in MEANS]
        names += ["gold_fall", "proxy_gap", "proxy_gap_penalised"]
        names += ["best_of_n_lead", "best_of_n_lead_penalised"]
        columns = {name: by_seed[name].to_numpy() for name in names}
        found = {
            name: _quantity(values) for name, values in columns.items() if np.isfinite(values).all()
        }
        if not self.intervals:
            found = {name: Quantity(one.value) for name, one in found.items()}
        return found

    def is_determined(self, name: str, one: Quantity) -> bool:
        """A number is determined where its interval excludes 0 or is as narrow as the margin."""
        if one.interval is None or not one.is_bounded:
            return False
        low, high = one.interval
        return low > 0 or high < 0 or high - low <= 2 * self.margin

    @functools.cached_property
    def coefficients(self) -> list[dict[str, Any]]:
        """Each coefficient: its KL and gold at the end, differences, and `p` of equivalence."""
        found = []
        for coefficient, rows in self.table.groupby("kl_coef"):
            numbers = {
                name: _quantity(rows[name].to_numpy())
                for name in ("gold_along", "gold_end", "proxy_along", "proxy_end", "kl", "gold")
                if np.isfinite(rows[name]).all()
            }
            p = {
                f"p_{mean}": equivalence_p(rows[f"gold_{mean}"].to_numpy(), self.margin)
                for mean in MEANS
            }
            found.append({"kl_coef": float(coefficient), **flat(numbers), **p})
        return found

    @property
    def verdict(self) -> str:
        """`equivalent`, `more` or `less` gold at the same KL (or `both`), or `undecided`."""
        p = [one[f"p_{mean}"] for one in self.coefficients for mean in MEANS]
        if all(value is not None and value < LEVEL for value in p):
            return "equivalent"
        signs = set(self._signs())
        if not signs:
            return "undecided"
        return "both" if len(signs) > 1 else signs.pop()

    def _signs(self) -> Iterator[str]:
        """Signs of the differences that are not 0, at 5% over all of them (Bonferroni)."""
        tests = [rows for _, rows in self.table.groupby("kl_coef")]
        for rows in tests:
            for mean in MEANS:
                values = rows[f"gold_{mean}"].to_numpy()
                level = LEVEL / (len(tests) * len(MEANS))
                low, high = _ends(values, level)
                if low > 0:
                    yield "more"
                if high < 0:
                    yield "less"

    @property
    def largest(self) -> dict[str, Any]:
        """The coefficient and mean whose difference in gold is the largest in size."""
        found = [
            {
                "kl_coef": one["kl_coef"],
                "mean": mean,
                "difference": one[f"gold_{mean}"],
                "difference_ci": one.get(f"gold_{mean}_ci"),
            }
            for one in self.coefficients
            for mean in MEANS
            if f"gold_{mean}" in one
        ]
        return max(found, key=lambda one: abs(one["difference"])) if found else {}

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        """Gold of the run without a penalty at rows with `kl_initial`, mean over seeds."""
        place = rows["kl_initial"].to_numpy(float)
        free = self.rows[self.rows["kl_coef"] == 0]
        curves = [Curve(run)("test_gold", place) for _, run in free.groupby("seed")]
        mean: np.ndarray = np.mean(curves, axis=0)
        return mean

    def without_seed(self, seed: int) -> Self:
        """The same of the other seeds; its numbers have no intervals."""
        rows, table = (one[one["seed"] != seed] for one in (self.rows, self.table))
        return replace(self, rows=rows, table=table, intervals=False)

    def details(self) -> dict[str, Any]:
        """What else the entry of `fits.json` holds."""
        return {
            "margin": self.margin,
            "verdict": self.verdict,
            "largest": plain(self.largest),
            "coefficients": [plain(one) for one in self.coefficients],
            "runs": int(self.rows["run_id"].nunique()),
        }


class Curve:
    """A run's scores when its KL first reaches a value: the run stopped early there."""

    def __init__(self, run: pd.DataFrame) -> None:
        """Take the rows at which the KL is higher than ever before.

        Args:
            run: one run's rows.
        """
        run = run.sort_values("interactions")
        kl = run["kl_initial"].to_numpy(float)
        highest = np.maximum.accumulate(np.concatenate([[-np.inf], kl]))
        self._rows = run[kl > highest[:-1]]
        self._place = np.sqrt(np.maximum(self._rows["kl_initial"].to_numpy(float), 0.0))

    @property
    def range(self) -> tuple[float, float]:
        """Smallest and largest sqrt KL."""
        return float(self._place[0]), float(self._place[-1])

    def __call__(self, column: str, kl: np.ndarray) -> np.ndarray:
        """A column at some KL, linear in sqrt KL; NaN above the range."""
        place = np.sqrt(np.maximum(kl, 0.0))
        values = self._rows[column].to_numpy(float)
        found: np.ndarray = np.interp(place, self._place, values, right=np.nan)
        return found


def differences(rows: pd.DataFrame) -> pd.DataFrame:
    """Each coefficient above 0 and seed: what the penalised run has above the other at the same KL.

    Args:
        rows: of runs that differ in coefficient and seed alone; one of them has no penalty.

    Returns:
        `kl_coef`, `seed`, `gold_along`, `gold_end`, `proxy_along`, `proxy_end`, `kl` and `gold` at
        the end, and the gaps (`EarlyStopping.quantities`).
    """
    free = dict(list(rows[rows["kl_coef"] == 0].groupby("seed")))
    falls = gold_falls(free)
    found = []
    for (coefficient, seed), run in rows[rows["kl_coef"] > 0].groupby(["kl_coef", "seed"]):
        if seed in free:
            compared = _compared(run, free[seed])
            found.append({"kl_coef": coefficient, "seed": seed, **compared, **falls[seed]})
    return pd.DataFrame(found)


def _compared(run: pd.DataFrame, free: pd.DataFrame) -> dict[str, float]:
    """Differences and gaps of one penalised run and the one without a penalty."""
    penalised, other = Curve(run), Curve(free)
    low = max(penalised.range[0], other.range[0])
    places = np.linspace(low, max(low, min(penalised.range[1], other.range[1])), POINTS) ** 2
    last = last_half(run)
    kl = last["kl_initial"].to_numpy(float)
    result = {"kl": float(kl.mean()), "gold": float(last["test_gold"].mean())}
    for name, column in (("gold", "test_gold"), ("proxy", "test_return")):
        along = penalised(column, places) - other(column, places)
        end = last[column].to_numpy(float) - other(column, kl)
        result |= {f"{name}_along": float(np.nanmean(along)), f"{name}_end": _mean(end)}
    way = np.linspace(*other.range, POINTS) ** 2
    gaps = [("proxy_gap", "proxy_optimum_proxy", "test_return")]
    gaps.append(("best_of_n_lead", "best_of_n_gold", "test_gold"))
    for name, best, column in gaps:
        result[name] = _mean(other(best, way) - other(column, way))
        result[f"{name}_penalised"] = _mean((last[best] - last[column]).to_numpy(float))
    return result


def last_half(run: pd.DataFrame) -> pd.DataFrame:
    """The rows of the last half of a run's training."""
    return run[run["interactions"] > run["interactions"].max() / 2]


def gold_falls(runs: dict[Any, pd.DataFrame]) -> dict[Any, dict[str, float]]:
    """For each seed how much lower its gold is at the end than at its highest place.

    The place is where the mean of the other seeds is highest: a maximum over a run's own rows
    would be above its end even where nothing falls.

    Args:
        runs: rows by seed.
    """
    table = pd.DataFrame(
        {seed: run.set_index("interactions")["test_gold"] for seed, run in runs.items()}
    ).dropna()
    falls = {}
    for seed in table:
        others = table.drop(columns=seed) if table.shape[1] > 1 else table
        place = others.mean(axis=1).idxmax()
        falls[seed] = {"gold_fall": float(table.loc[place, seed] - table[seed].iloc[-1])}
    return falls


def equivalence_p(values: np.ndarray, margin: float) -> float | None:
    """p value of two one-sided t tests that a mean over seeds lies within +-margin.

    Args:
        values: one per seed.
        margin: above 0.

    Returns:
        The larger p value of the two; None with fewer than 2 seeds or without a value.
    """
    count = len(values)
    if count < 2 or not np.isfinite(values).all():
        return None
    error = values.std(ddof=1) / np.sqrt(count)
    room = margin - abs(values.mean())
    if error == 0:
        return 0.0 if room > 0 else 1.0
    return t_tail(room / error, count - 1)


def fit_early_stopping(rows: pd.DataFrame) -> Fits:
    """Compare the runs of each group that differ in `kl_coef` and seed alone.

    Args:
        rows: of runs that are paid a proxy (`data.frontier.gold_curves`).
    """
    laws, notes = [], []
    for settings, runs in _groups(rows):
        if not (runs["kl_coef"] == 0).any() or not (runs["kl_coef"] > 0).any():
            notes.append(
                f"{label(settings)}: a proxy is paid, but gold at the same KL is compared only "
                "between a run with kl_coef 0 and one above it"
            )
            continue
        table = differences(runs)
        if len(table):
            complete = table.groupby("seed")["kl_coef"].transform("size")
            table = table[complete == table["kl_coef"].nunique()]
        if table.empty:
            notes.append(f"{label(settings)}: no seed has runs of every kl_coef")
            continue
        laws.append(EarlyStopping(settings, runs, table))
    return Fits(tuple(laws), tuple(notes))


def _groups(rows: pd.DataFrame) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """Settings and rows of runs that differ in coefficient and seed alone."""
    if rows.empty:
        return
    for group in split(rows, "kl_coef", by_threshold=False):
        for rate, runs in group.rows.groupby("learning_rate"):
            yield {**group.settings, "learning_rate": float(rate)}, runs


def _quantity(values: np.ndarray) -> Quantity:
    mean, low, high = mean_interval(values)
    return Quantity(mean, None if len(values) < 2 else (low, high))


def _ends(values: np.ndarray, level: float) -> tuple[float, float]:
    """Ends of the interval of a mean over seeds that misses it with this probability."""
    if len(values) < 2 or not np.isfinite(values).all():
        return -np.inf, np.inf
    half = t_quantile(1 - level / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)


def _mean(values: np.ndarray) -> float:
    """Mean of the values that are known; NaN without one."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")
