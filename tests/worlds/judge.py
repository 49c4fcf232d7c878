"""Whether a claim of the page is true in a world, by its `about`, `verdict` and `numbers` alone.

A claim is judged twice: its **sentence** (its verdict, or that a number exists at all) is true or
false; each of its **intervals** holds the true number or misses it, which 5% may. What is not
judged is named, so that nothing is left out in silence.

What counts as true, beyond the plain meaning of the words:

| about | verdict | true where |
|---|---|---|
| cost | more, less | at no measured horizon against the verdict, and the longest differs |
| form | affine | the true g is in [0.8, 1.25], and the law is not proportional |
| form | proportional | g is 1 and the knee is at 2 (within 0.1) |
| form | free | there is a true g, and it is not 1 |
| form | refused | the runs follow no law of this form |
| exponent | one | the true g is in [0.8, 1.25] |
| exponent | below, above | the true g is below 1, above 1 |
| knee, exponent, exponents, best_horizon | any | the number exists (see below) |
| misfit, plateau | any but none | a fitted law does not describe the runs; there is a plateau |
| knee | beyond | the cost does not double within the measured horizons |
| misfit | affine, theory | the true g is not 1, the runs do not follow the theory |
| fell_back | any | the count is right within a fifth, at least 1; where no run fell back, exactly |
| off_law | any | the width is right; a factor without an interval is right within 10% |
| best_size_equal_over_horizons | equal | no exponent of the best size differs by over 0.1 |
| best_size_equal_over_horizons | differ | an exponent changes with the horizon |
| ratio_by_size | same | no exponent changes with the horizon |
| best_horizon | inside | the best horizon lies inside the measured range |

A number does not exist, and to state it is false: a knee where E does not just rise, g where no
power of the horizon holds or E does not grow, a best horizon where all cost the same, one alpha_E
for all horizons where it changes with them. The multiplier of `cost` is judged at the claim's
number `horizon`, or else at the longest horizon; exponents at their `horizon`, or else as those
that all horizons share.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from analysis.laws.equality import MARGIN
from analysis.page.claims import Claim
from tests.worlds.truth import Growth, Sizes, Truth

ABOUT_ONE = (0.8, 1.25)
"""Exponents g for which "affine" and "one" count as true."""

COUNT_MARGIN = 0.2
FACTOR_MARGIN = 1.1
NONE = ("none", "fits")
"""Verdicts by which a claim says that it found nothing."""


@dataclass(frozen=True)
class Judgement:
    """A decided claim against the truth.

    Attributes:
        about: of the claim.
        verdict: of the claim.
        sentence: whether it is true; None where there is nothing to judge.
        intervals: whether each interval holds the true number, by the number's name.
        unjudged: names of numbers that were not judged.
        text: of the claim, for readers of the table.
    """

    about: str
    verdict: str
    sentence: bool | None
    intervals: Mapping[str, bool]
    unjudged: tuple[str, ...] = ()
    text: str = ""

    @property
    def is_judged(self) -> bool:
        """Whether anything of it was judged."""
        return self.sentence is not None or bool(self.intervals)


def judge(claim: Claim, truth: Truth) -> Judgement:
    """Judge a decided claim."""
    intervals: dict[str, bool] = {}
    unjudged: list[str] = []
    exists = True
    for name, (_, ends) in claim.numbers.items():
        if (claim.about, name) in SETTINGS:
            continue
        true = _true_number(claim, name, truth)
        if true is not None and math.isnan(true):
            exists = False
        elif true is None or ends is None:
            unjudged.append(name)
        else:
            low, high = ends
            intervals[name] = (low is None or low <= true) and (high is None or true <= high)
    rule = SENTENCES.get(claim.about)
    sentence = rule(claim, truth) if rule else None
    sentence = sentence if exists else False
    named = (claim.about, claim.verdict)
    return Judgement(*named, sentence, intervals, tuple(unjudged), claim.text)


def _value(claim: Claim, name: str) -> float | None:
    """A number of a claim without its interval."""
    return claim.numbers[name][0] if name in claim.numbers else None


SETTINGS = {
    *(("cost", "horizon"), ("exponents", "horizon"), ("e_c", "horizon")),
    ("best_size", "horizon"),
    *(("off_law", "width"), ("off_law", "horizon"), ("fell_back", "fell_back")),
}
"""Numbers that say of what the claim speaks, or that its sentence is judged by."""


def _multiplier(claim: Claim, growth: Growth) -> float:
    horizon = _value(claim, "horizon") or growth.longest
    return float(growth.multiplier(np.array([horizon]))[0])


OF_GROWTH: Mapping[tuple[str, str], Callable[[Claim, Growth], float | None]] = {
    ("cost", "multiplier"): _multiplier,
    ("cost", "knee"): lambda claim, growth: growth.knee,
    ("knee", "knee"): lambda claim, growth: growth.knee,
    ("form", "knee"): lambda claim, growth: growth.knee,
    ("form", "g"): lambda claim, growth: growth.g,
    ("exponent", "g"): lambda claim, growth: growth.g,
    ("best_horizon", "best_horizon"): lambda claim, growth: growth.best,
    ("best_horizon", "predicted"): lambda claim, growth: growth.best,
}
"""The true number of each that a claim on the horizon states."""

OF_SIZES: Mapping[tuple[str, str], Callable[[Claim, Sizes], float | None]] = {
    ("exponents", "alpha_n"): lambda claim, sizes: sizes.alpha_n,
    ("exponents", "alpha_e"): lambda claim, sizes: sizes.alpha_e_at(_value(claim, "horizon")),
    ("exponents", "optimal_size_exponent"): lambda claim, sizes: sizes.size_exponent_at(
        _value(claim, "horizon")
    ),
    ("ratio_by_size", "exponent_change"): lambda claim, sizes: None if sizes.changes else 0.0,
    ("best_size", "alpha_n"): lambda claim, sizes: sizes.alpha_n,
    ("best_size", "alpha_e"): lambda claim, sizes: sizes.alpha_e_at(_value(claim, "horizon")),
    ("best_size", "optimal_size_exponent"): lambda claim, sizes: sizes.size_exponent_at(
        _value(claim, "horizon")
    ),
    ("e_c", "e_c_growth"): lambda claim, sizes: sizes.e_c_ratio,
    ("exponent_change", "e_c_growth"): lambda claim, sizes: sizes.e_c_ratio,
    ("off_law", "factor"): lambda claim, sizes: sizes.off_factor,
}
"""The true number of each that a claim on sizes states."""


def _true_number(claim: Claim, name: str, truth: Truth) -> float | None:
    of_growth = OF_GROWTH.get((claim.about, name))
    if of_growth and truth.growth:
        return of_growth(claim, truth.growth)
    of_sizes = OF_SIZES.get((claim.about, name))
    return of_sizes(claim, truth.sizes) if of_sizes and truth.sizes else None


def _cost(claim: Claim, truth: Truth) -> bool | None:
    growth = truth.growth
    return growth and {"more": growth.rises, "less": growth.falls}.get(claim.verdict)


def _form(claim: Claim, truth: Truth) -> bool | None:
    growth = truth.growth
    if growth is None:
        return None
    g, proportional = growth.g, growth.is_proportional
    return {
        "affine": ABOUT_ONE[0] <= g <= ABOUT_ONE[1] and not proportional,
        "proportional": proportional,
        "free": not math.isnan(g) and g != 1,
        "refused": not growth.law_holds,
    }.get(claim.verdict)


def _exponent(claim: Claim, truth: Truth) -> bool | None:
    if truth.growth is None:
        return None
    g = truth.growth.g  # comparisons with NaN are false: there is no exponent
    known = {"one": ABOUT_ONE[0] <= g <= ABOUT_ONE[1], "below": g < 1, "above": g > 1}
    return known.get(claim.verdict)


def _knee(claim: Claim, truth: Truth) -> bool | None:
    if truth.growth is None:
        return None
    if claim.verdict == "beyond":
        return not truth.growth.knee <= truth.growth.longest
    return False if math.isnan(truth.growth.knee) else None


def _misfit(claim: Claim, truth: Truth) -> bool | None:
    if claim.verdict == "affine":
        return None if truth.growth is None else truth.growth.g != 1
    if claim.verdict == "theory":
        return not truth.by_theory
    return truth.fits == (claim.verdict in NONE)


def _fell_back(claim: Claim, truth: Truth) -> bool:
    found = _value(claim, "fell_back")
    found = 0.0 if found is None and claim.verdict in NONE else found
    margin = max(1.0, COUNT_MARGIN * truth.fell_back) if truth.fell_back else 0.0
    return found is not None and abs(found - truth.fell_back) <= margin


def _best_horizon(claim: Claim, truth: Truth) -> bool | None:
    if truth.growth is None:
        return None
    if math.isnan(truth.growth.best):
        return False
    return {"inside": truth.growth.best < truth.growth.longest}.get(claim.verdict)


def _exponent_change(claim: Claim, truth: Truth) -> bool | None:
    if truth.sizes is None:
        return None
    return {"changes": truth.sizes.changes, "none": not truth.sizes.changes}.get(claim.verdict)


def _off_law(claim: Claim, truth: Truth) -> bool:
    off = truth.sizes.off_width if truth.sizes else None
    if claim.verdict in NONE:
        return off is None
    if off is None or _value(claim, "width") != off:
        return False
    factor, ends = claim.numbers.get("factor", (None, None))
    if factor is None or ends is not None:
        return True
    assert truth.sizes is not None
    return 1 / FACTOR_MARGIN <= factor / truth.sizes.off_factor <= FACTOR_MARGIN


def _plateau(claim: Claim, truth: Truth) -> bool:
    return (truth.sizes is not None and truth.sizes.plateau) == (claim.verdict not in NONE)


def _best_size_equal(claim: Claim, truth: Truth) -> bool | None:
    if truth.sizes is None:
        return None
    exponents = [truth.sizes.size_exponent_at(horizon) for horizon in truth.sizes.alpha_e]
    equal = max(exponents) - min(exponents) <= MARGIN
    return {"equal": equal, "differ": truth.sizes.changes}.get(claim.verdict)


def _ratio_by_size(claim: Claim, truth: Truth) -> bool | None:
    # Where exponents change with the horizon, by how much the ratio does depends on the return.
    if truth.sizes is None or truth.sizes.changes:
        return None
    return {"same": True, "grows": False, "falls": False}.get(claim.verdict)


SENTENCES: Mapping[str, Callable[[Claim, Truth], bool | None]] = {
    "cost": _cost,
    "form": _form,
    "exponent": _exponent,
    "knee": _knee,
    "misfit": _misfit,
    "fell_back": _fell_back,
    "best_horizon": _best_horizon,
    "exponent_change": _exponent_change,
    "off_law": _off_law,
    "plateau": _plateau,
    "best_size_equal_over_horizons": _best_size_equal,
    "ratio_by_size": _ratio_by_size,
}
"""How the sentence of each `about` is judged; others have numbers alone."""
