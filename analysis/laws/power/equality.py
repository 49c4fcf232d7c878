"""Whether the exponents of the power law are those of other horizons, algorithms and networks.

The paper finds the same exponents at all horizons and for supervised learning (Hilton, Tang and
Schulman 2023). Each family of RL runs is compared over its horizons, and at its shortest one with
the references (`algorithms.REFERENCES`) of the same task, network, optimiser and batch, whether
they were run beside it or alone. Exponents that a horizon's own intervals do not determine are left
out: they would be compared with everything and differ from nothing.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, TypeVar

import numpy as np

from analysis.laws.equality import REFUSED, Equality, EqualityTest, Part, Verdict, change
from analysis.laws.law import FittedLaw, plain
from analysis.laws.power.exponents import EXPONENTS, condition, parts_left_out
from analysis.laws.power.shared import SharedPowerLaw
from analysis.laws.power.single import PowerLawFit
from analysis.stats.intervals import Interval
from mnist_horizon.algorithms import REFERENCES

_OF_A_HORIZON = ("horizon", "discount", "learning_rate")
_OF_REWARDS = (
    *("algorithm", "settings", "baseline", "gae_lambda", "entropy_coef", "kl_coef"),
    *("phase_visible", "flops_per_interaction"),
)
"""Settings that are of no matter to references."""

_OF_NETWORKS = ("network", "depth", "settings")
"""Columns that differ where networks are compared; `settings` holds them again."""

_MAY_DIFFER = ("network", "budget_width", "references")
"""Parts of `settings` that may differ between networks that are compared."""

Settings = dict[str, Any]
Law = PowerLawFit | SharedPowerLaw
Of = TypeVar("Of", bound=FittedLaw)
"""Laws of one horizon each, or of an algorithm without one."""


def compare_exponents(laws: Sequence[Law]) -> list[Equality]:
    """The exponents of each family over horizons, with references, and of both together.

    Args:
        laws: of `fit_power_laws`.
    """
    single = [one for one in laws if isinstance(one, PowerLawFit) and one.compute == "NE"]
    shared = [one for one in laws if isinstance(one, SharedPowerLaw) and one.compute == "NE"]
    found = []
    for group, of_rl in families_of(single):
        references = laws_of_references(single, of_rl[0])
        joint = next((one for one in shared if one.group == group), None)
        found += list(_of_family(group, of_rl, references, joint))
    return [*found, *_references_alone(single)]


def families_of(laws: Iterable[Of]) -> Iterator[tuple[Settings, list[Of]]]:
    """RL's fits by what they share, horizons in order."""
    of_rl = [one for one in laws if not _is_reference(one)]
    yield from _grouped(of_rl, _OF_A_HORIZON)


def _grouped(laws: Iterable[Of], varying: Sequence[str]) -> Iterator[tuple[Settings, list[Of]]]:
    groups: list[tuple[Settings, list[Of]]] = []
    for law in sorted(laws, key=_place):
        settings = _without(law.group, varying)
        same = next((others for known, others in groups if known == settings), None)
        if same is None:
            groups.append((settings, [law]))
        else:
            same.append(law)
    yield from groups


def _place(law: FittedLaw) -> tuple[float, int]:
    algorithm = law.group.get("algorithm", "")
    place = REFERENCES.index(algorithm) if algorithm in REFERENCES else -1
    return float(law.group["horizon"]), place


def _without(group: Mapping[str, Any], names: Sequence[str]) -> Settings:
    return {name: value for name, value in group.items() if name not in names}


def _is_reference(law: FittedLaw) -> bool:
    return law.group.get("algorithm") in REFERENCES


def _shared_with_references(law: FittedLaw) -> Settings:
    return _without(law.group, (*_OF_A_HORIZON, *_OF_REWARDS))


def laws_of_references(single: Sequence[Of], of_rl: Of) -> list[Of]:
    """One of each reference with the settings of RL runs, those of the same sweep first."""
    settings = of_rl.group.get("settings")
    fits = [
        one
        for one in single
        if _is_reference(one) and _shared_with_references(one) == _shared_with_references(of_rl)
    ]
    fits.sort(key=lambda one: one.group.get("settings") != settings)
    by_name = {name: [one for one in fits if one.group["algorithm"] == name] for name in REFERENCES}
    return [of_name[0] for of_name in by_name.values() if of_name]


def _references_alone(single: Sequence[PowerLawFit]) -> Iterator[Equality]:
    """References that no RL run stands beside, against each other."""
    of_rl = [_shared_with_references(one) for one in single if not _is_reference(one)]
    references = [one for one in single if _is_reference(one)]
    for settings, laws in _grouped(references, (*_OF_A_HORIZON, *_OF_REWARDS)):
        if settings not in of_rl:
            yield from _of_family(settings, [], laws_of_references(laws, laws[0]), None)


def _of_family(
    group: Settings,
    of_rl: Sequence[PowerLawFit],
    references: Sequence[PowerLawFit],
    joint: SharedPowerLaw | None,
) -> Iterator[Equality]:
    of_rl = [one for one in of_rl if _has_exponents(one)]
    references = [one for one in references if _has_exponents(one)]
    if len(of_rl) > 1:
        yield _equality(group, "horizons", of_rl, _by_models(joint))
    if references:
        beside = [*of_rl[:1], *references]
        if len(beside) > 1:
            yield _equality(group, "references", beside)
        if len(of_rl) > 1:
            yield _equality(group, "all", [*of_rl, *references])


def _by_models(joint: SharedPowerLaw | None) -> Verdict | None:
    """What the comparison of models says of equal exponents; None where it did not test them."""
    test = joint.comparison.test if joint else None
    if joint is None or test is None:
        return None
    if test.p > REFUSED:
        return "equal"
    return "differ" if joint.comparison.verdict == "free" else "undecided"


def _has_exponents(law: PowerLawFit) -> bool:
    """Whether the seeds determine both exponents, were the law the right one."""
    quantities = law.constants.quantities
    return quantities["alpha_n"].is_determined and quantities["alpha_e"].is_determined


def _equality(
    group: Settings, among: Any, laws: Sequence[PowerLawFit], other: Verdict | None = None
) -> Equality:
    refused = [condition(one.estimate).name for one in laws if one.refusal]
    parts = [] if refused else _parts(laws)
    return Equality(
        group=group,
        among=among,
        exponents=EXPONENTS,
        conditions=tuple(condition(one.estimate) for one in laws),
        refused=tuple(refused),
        parts=tuple(parts),
        other=other,
    )


def _parts(laws: Sequence[PowerLawFit]) -> Iterator[Part]:
    """The test without parts of the data; where residuals refuse the law nothing hangs on them."""
    for name, conditions in parts_left_out([one.estimate for one in laws]):
        test = EqualityTest.of(conditions)
        if test is not None:
            yield Part(name, test.p)


@dataclass(frozen=True)
class NetworkChange:
    """Exponents of one network less those of another, beside what the horizon changes.

    Attributes:
        group: settings that both share.
        networks: the two, the second less the first.
        horizons: over which the change is averaged.
        changes: of each exponent, with its 95% interval.
        by_horizon: of each exponent, the least size that its change from the shortest to the
            longest horizon has with either network, and the largest that any horizon's has.
        refused: whether residuals refuse a law that is used.
    """

    group: Settings
    networks: tuple[str, str]
    horizons: tuple[float, ...]
    changes: dict[str, tuple[float, Interval | None]]
    by_horizon: dict[str, tuple[float, float]]
    refused: bool

    def verdict(self, name: str) -> str:
        """Whether the network changes an exponent `more` or `less` than the horizon does."""
        ends = self.changes[name][1]
        if self.refused or ends is None or name not in self.by_horizon:
            return "undecided"
        least, most = limits_of_size(ends)
        by_horizon = self.by_horizon[name]
        if least > by_horizon[1]:
            return "more"
        return "less" if most < by_horizon[0] else "undecided"

    def to_json(self) -> dict[str, Any]:
        """Its entry in `fits.json`; what is not bounded is null."""
        numbers: dict[str, Any] = {}
        for name, (value, ends) in self.changes.items():
            numbers |= {f"{name}_change": value, f"{name}_change_ci": ends}
        found = {
            "group": self.group,
            "networks": self.networks,
            "horizons": self.horizons,
            **numbers,
            "largest_change_by_horizon": self.by_horizon,
            "refused": self.refused,
            "verdict": {name: self.verdict(name) for name in self.changes},
        }
        return dict(plain(found))


def limits_of_size(ends: Interval) -> tuple[float, float]:
    """Least and largest absolute value in an interval."""
    low, high = ends
    return max(low, -high, 0.0), max(-low, high)


def compare_networks(laws: Sequence[Law]) -> list[NetworkChange]:
    """Every two networks whose runs share all else, at the horizons that both have.

    Args:
        laws: of `fit_power_laws`.
    """
    single = [one for one in laws if isinstance(one, PowerLawFit) and one.compute == "NE"]
    families = [
        (group, [one for one in of_rl if _has_exponents(one)])
        for group, of_rl in families_of(single)
    ]
    found = []
    for (first, before), (second, after) in combinations(families, 2):
        names = _network(first), _network(second)
        if names[0] != names[1] and _apart_from_network(first) == _apart_from_network(second):
            found += list(_network_change(first, (before, after), names))
    return found


def _apart_from_network(group: Settings) -> tuple[Settings, Settings]:
    """The columns and the `settings` in which two networks that are compared must agree."""
    settings = json.loads(group.get("settings", "{}"))
    return _without(group, _OF_NETWORKS), _without(settings, _MAY_DIFFER)


def _network(group: Settings) -> str:
    depth = f" of depth {group['depth']}" if group.get("depth") else ""
    return f"{group.get('network', '')}{depth}"


def _network_change(
    group: Settings, families: tuple[list[PowerLawFit], list[PowerLawFit]], names: tuple[str, str]
) -> Iterator[NetworkChange]:
    by_horizon = [{float(law.group["horizon"]): law for law in laws} for laws in families]
    common = sorted(by_horizon[0].keys() & by_horizon[1].keys())
    if not common:
        return
    before, after = ([condition(of[h].estimate) for h in common] for of in by_horizon)
    yield NetworkChange(
        group=_without(group, _OF_NETWORKS),
        networks=names,
        horizons=tuple(common),
        changes=change(EXPONENTS, before, after),
        by_horizon=_by_horizon([laws for laws in families if len(laws) > 1]),
        refused=any(law.refusal for laws in families for law in laws),
    )


def _by_horizon(families: Sequence[Sequence[PowerLawFit]]) -> dict[str, tuple[float, float]]:
    """Limits of the sizes of the changes from each family's shortest horizon, of each exponent."""
    limits: dict[str, list[list[tuple[float, float]]]] = {name: [] for name in EXPONENTS.names}
    for laws in families:
        first, *others = (condition(law.estimate) for law in laws)
        changes = [change(EXPONENTS, [first], [other]) for other in others]
        for name, of_families in limits.items():
            ends = [one[name][1] or (-np.inf, np.inf) for one in changes]
            of_families.append([limits_of_size(one) for one in ends])
    return {
        name: (min(one[-1][0] for one in found), max(end for one in found for _, end in one))
        for name, found in limits.items()
        if found
    }
