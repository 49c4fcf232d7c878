"""Synthetic worlds: sweeps drawn from a known truth, some of which break a premise of the page.

Every world is a function of a generator that returns tidy rows, as `data.measure` takes them, and
the truth of this draw. `WORLDS` is the registry.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
import pandas as pd

from analysis.data import THRESHOLDS
from analysis.laws.schedule import moments
from analysis.laws.synthetic import Design, HorizonTruth, Noise, PowerLawTruth, simulate
from mnist_horizon import theory
from mnist_horizon.schedules import parse
from tests.analysis.sparse_runs import theta
from tests.worlds.truth import Growth, Sizes, Truth

Drawn: TypeAlias = tuple[pd.DataFrame, Truth]

HORIZONS = (1, 3, 7, 15, 31, 63, 127)
SIZES = Design(horizons=(1, 7, 31), widths=(4, 12, 32, 96, 256), evaluations=40)
NOISY = Noise(seed=0.16, run=0.12, run_at_largest=0.3, evaluation=0.006)


@dataclass(frozen=True)
class World:
    """A world and its main question.

    Attributes:
        title: what holds in it, for the table.
        draw: rows and truth.
        main: a page is silent where no decided claim is about any of these.
        broken: whether a premise of the laws fails.
        thresholds: returns to reach.
    """

    title: str
    draw: Callable[[np.random.Generator], Drawn]
    main: tuple[str, ...] = ("cost",)
    broken: bool = False
    thresholds: tuple[float, ...] = THRESHOLDS


# Worlds of the horizon ---------------------------------------------------------------------------


@dataclass(frozen=True)
class ShapedTruth(HorizonTruth):
    """Interactions that any function of the horizon multiplies: `E = a m(h)`, m(1) = 1."""

    shape: Callable[[np.ndarray], np.ndarray] = np.ones_like

    def interactions(self, horizon: np.ndarray, width: int) -> np.ndarray:
        """Interactions to `threshold` without noise, shape [horizon]."""
        assert not isinstance(self.a, Mapping)
        return self.a * self.shape(np.asarray(horizon, dtype=float))


def horizon_world(
    rng: np.random.Generator,
    truth: HorizonTruth,
    design: Design | None = None,
    by_theory: bool = False,
) -> Drawn:
    """Runs of a truth over horizons; of a `ShapedTruth` no power of the horizon is true."""
    design = design or Design(horizons=HORIZONS)
    (width, *_) = design.widths

    def multiplier(horizon: np.ndarray) -> np.ndarray:
        return truth.interactions(horizon, width) / truth.interactions(np.ones(1), width)

    exponent = np.nan if isinstance(truth, ShapedTruth) else truth.exponent
    growth = Growth(multiplier, float(max(design.horizons)), exponent)
    return simulate(truth, design, rng), Truth(growth, by_theory=by_theory)


def pooled(rng: np.random.Generator) -> Drawn:
    """Three widths, of which a wider one needs fewer interactions."""
    truth = HorizonTruth(a={16: 60_000.0, 64: 40_000.0, 256: 28_000.0}, knee=15)
    return horizon_world(rng, truth, Design(horizons=HORIZONS, widths=(16, 64, 256)))


def u_shape(horizon: np.ndarray) -> np.ndarray:
    """A U in log h with its least, 0.38 times the cost of h = 1, at h = 6."""
    bend, best = 0.3, np.log(6)
    return np.exp(bend * ((np.log(horizon) - best) ** 2 - best**2))


def jump(horizon: np.ndarray) -> np.ndarray:
    """No cost up to h = 20, from there on three times the interactions."""
    return np.where(horizon < 20, 1.0, 3.0)


def delayed(rng: np.random.Generator, schedule: str, updates: float) -> Drawn:
    """A delay by theory: `E = S_min (B + B_noise)` with B = 256 and S_min `updates`."""
    parsed = parse(schedule)
    batch, of_policy = 256, moments(theta(updates, noise_scale=60.0, share=0.5, accuracy=0.4))

    def needed(horizon: np.ndarray) -> np.ndarray:
        return batch + theory.noise_over_signal(parsed, horizon, of_policy)

    first = float(needed(np.ones(1))[0])
    truth = ShapedTruth(a=updates * first, shape=lambda horizon: needed(horizon) / first)
    design = Design(horizons=HORIZONS, schedules=((parsed.kind, parsed.level),))
    frame, known = horizon_world(rng, truth, design, by_theory=True)
    return frame.assign(batch=batch), known


def collapsing(rng: np.random.Generator) -> Drawn:
    """Half of the runs fall to a return of 0.3 after they have reached 0.95."""
    truth = HorizonTruth(a=20_000.0, knee=15)
    frame, known = horizon_world(rng, truth, Design(horizons=HORIZONS[:-1]))
    runs = frame["run_id"].unique()
    chosen = rng.choice(runs, len(runs) // 2, replace=False)
    spoilt = [_fallen(frame.loc[frame["run_id"] == name, "return_mean"], rng) for name in chosen]
    fallen = [returns for returns in spoilt if returns is not None]
    for returns in fallen:
        frame.loc[returns.index, "return_mean"] = returns
    return frame, replace(known, fell_back=len(fallen))


def _fallen(returns: pd.Series, rng: np.random.Generator) -> pd.Series | None:
    """A run's returns with a fall over five rows after 0.95; None where it ends before that."""
    start = int(np.argmax(returns.to_numpy() >= 0.95))
    if returns.iloc[start] < 0.95 or start + 6 >= len(returns):
        return None
    after = np.arange(len(returns)) - start
    level = np.interp(after, [0, 5], [returns.iloc[start], 0.3])
    level = level + 0.003 * rng.standard_normal(len(returns))
    return returns.where(after <= 0, level)


# Worlds of sizes ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class SpoiltPowerLaw(PowerLawTruth):
    """A power law of which one premise may fail.

    Attributes:
        drift: share by which alpha_E at h = 31 is below that at h = 1, linear in log h. N_c moves
            with it so that the best size at the middle of the curves stays the same.
        slow: factors on the interactions that sizes need, by their parameters.
        plateau: interactions in which nothing is learned, in units of those that the best size
            needs to the middle of its curve at the same horizon.
    """

    drift: float = 0.0
    slow: Mapping[int, float] = field(default_factory=dict)
    plateau: float = 0.0

    def at(self, horizon: float) -> PowerLawTruth:
        """The plain power law of one horizon."""
        alpha_e = self.alpha_e * (1 - self.drift * np.log(horizon) / np.log(31))
        plain = PowerLawTruth(
            **{name: getattr(self, name) for name in PowerLawTruth.__dataclass_fields__}
        )
        law = replace(plain, alpha_e=alpha_e)
        return replace(law, n_c=self.n_c * best_size(plain) / best_size(law))

    def performance(
        self, parameters: float, interactions: np.ndarray, horizon: float
    ) -> np.ndarray:
        """Intrinsic performance I of a size after these interactions, shape [row]."""
        law = self.at(horizon)
        needed = law.middle / best_size(law) * law.e_c(horizon) / law.e_c(1.0)
        useful = interactions / self.slow.get(int(parameters), 1.0) - self.plateau * needed
        return law.performance(parameters, np.maximum(useful, 1e-3), horizon)


def best_size(law: PowerLawTruth) -> float:
    """Parameters of the size that needs the least compute to the middle of its curve."""
    share = law.middle**law.beta * (1 + law.alpha_n / law.alpha_e)
    return law.n_c * share ** (1 / law.alpha_n)


def size_world(
    rng: np.random.Generator, truth: SpoiltPowerLaw, noise: Noise | None = None, shift: float = 0.0
) -> Drawn:
    """Runs of five widths and three horizons, with `shift` added to every return."""
    frame = simulate(truth, SIZES, rng, noise)
    frame["return_mean"] += shift
    shortest, *_, longest = (float(horizon) for horizon in SIZES.horizons)
    alpha_e = {float(horizon): truth.at(horizon).alpha_e for horizon in SIZES.horizons}
    slow = {width: truth.slow.get(SIZES.size(width), 1.0) for width in SIZES.widths}
    off = next((width for width, factor in slow.items() if factor != 1), None)
    sizes = Sizes(
        alpha_n=truth.alpha_n,
        alpha_e=alpha_e,
        e_c_ratio=None if truth.drift else truth.e_c(longest) / truth.e_c(shortest),
        off_width=off,
        off_factor=slow.get(off, 1.0) if off else 1.0,
        plateau=truth.plateau > 0,
    )
    known = HorizonTruth(knee=truth.knee)
    growth = Growth(lambda h: known.interactions(h, 0) / known.a, longest, 1.0)
    return frame, Truth(None if truth.drift else growth, sizes)


def wide_is_slow(rng: np.random.Generator, factor: float) -> Drawn:
    """The largest width alone needs `factor` times the interactions, as at a bad rate."""
    return size_world(rng, SpoiltPowerLaw(slow={SIZES.size(SIZES.widths[-1]): factor}))


def _horizon(title: str, truth: HorizonTruth, **design: object) -> World:
    chosen = Design(**{"horizons": HORIZONS, **design})
    return World(title, functools.partial(horizon_world, truth=truth, design=chosen))


def _no_law(title: str, shape: Callable[[np.ndarray], np.ndarray], *main: str) -> World:
    truth = ShapedTruth(shape=shape)
    design = Design(horizons=(1, 2, 4, 7, 15, 31, 63))
    return World(title, functools.partial(horizon_world, truth=truth, design=design), main, True)


def _delay(schedule: str, updates: float) -> World:
    draw = functools.partial(delayed, schedule=schedule, updates=updates)
    return World(f"{schedule} by theory: a U", draw, ("best_horizon",), True)


def _sizes(
    title: str,
    truth: SpoiltPowerLaw | None = None,
    main: Sequence[str] = ("exponents",),
    broken: bool = False,
    **more: object,
) -> World:
    draw = functools.partial(size_world, truth=truth or SpoiltPowerLaw(), **more)
    return World(title, draw, tuple(main), broken)


def _slow_width(factor: float) -> World:
    draw = functools.partial(wide_is_slow, factor=factor)
    title = f"power law, E of the largest width x {factor:g}"
    return World(title, draw, ("off_law", "misfit"), True)


WORLDS: dict[str, World] = {
    "affine": _horizon("affine, knee 15", HorizonTruth(knee=15)),
    "pooled": World("affine, knee 15, three widths", pooled),
    "proportional": _horizon(
        "proportional", HorizonTruth(a=13_000.0, knee=2), horizons=HORIZONS[:-1]
    ),
    "flat": _horizon("the horizon does nothing", HorizonTruth(knee=np.inf)),
    "concave": _horizon("power g = 0.6", HorizonTruth(knee=15, exponent=0.6)),
    "near_one": _horizon("power g = 0.85", HorizonTruth(knee=15, exponent=0.85)),
    "convex": _horizon("power g = 1.4", HorizonTruth(knee=25, exponent=1.4)),
    "censored": _horizon("affine, long horizons censored", HorizonTruth(knee=15), budget=200_000),
    "few_runs": _horizon(
        "affine, 2 seeds, 3 horizons", HorizonTruth(knee=15), horizons=(1, 15, 63), seeds=2
    ),
    "below_knee": _horizon(
        "affine, knee 30, horizons to 7", HorizonTruth(knee=30), horizons=(1, 3, 5, 7)
    ),
    "u_dense": _no_law("dense, a U, best at 6", u_shape, "form", "misfit", "best_horizon"),
    "jump": _no_law("flat to h = 20, then x 3", jump, "form", "misfit"),
    "periodic_4": _delay("periodic:4", 40.0),
    "periodic_16": _delay("periodic:16", 20.0),
    "collapse": World("affine, half of the runs fall back", collapsing, ("fell_back",), True),
    "sizes": _sizes("power law, shared exponents"),
    "drift": _sizes(
        "power law, alpha_E falls by 40%",
        SpoiltPowerLaw(drift=0.4),
        main=["exponent_change"],
        broken=True,
    ),
    "off_1.3": _slow_width(1.3),
    "off_2": _slow_width(2.0),
    "plateau": _sizes(
        "power law, early plateau", SpoiltPowerLaw(plateau=1.0), main=["plateau"], broken=True
    ),
    "shifted": replace(
        _sizes("power law, returns - 0.5", shift=-0.5),
        thresholds=tuple(round(threshold - 0.5, 6) for threshold in THRESHOLDS),
    ),
    "noisy": _sizes("power law, twice the noise", noise=NOISY),
}
"""Every world by its name."""
