"""Claims from the law of a delay: the best horizon, and what the ends of the range cost."""

from typing import Any

from analysis.page.claims import Claim, Entry
from analysis.page.horizon_claims import UNDECIDED, about_runs, fell_back_claims
from analysis.page.wording import in_words, is_determined, known, number, with_interval
from analysis.stats.fit_test import REFUSED


def delay_claims(entry: Entry) -> list[Claim]:
    """Claims of one entry of `delay_law`."""
    p = entry["fit_test"].get("theory")
    claims = [_best(entry, _rule(entry)[0].upper() + _rule(entry)[1:])]
    if p is not None and p < REFUSED:
        text = "The points do not lie on the curve of the theory of the gradient's noise"
        claims.append(Claim(f"{text} (p = {p:.1g}).", True, "misfit", "theory"))
    return claims + fell_back_claims(entry)


def delay_answer(entry: Entry) -> Claim:
    """One sentence: the best horizon, and how much more the shortest and the longest need."""
    return _best(entry, f"{about_runs(entry)}: {_rule(entry)}")


def _rule(entry: Entry) -> str:
    return in_words(entry["schedule"])


def _best(entry: Entry, of: str) -> Claim:
    numbers: dict[str, Any] = {}
    determined = is_determined(entry, "best_horizon")
    if entry["edge"]:
        where = (
            f"fewest interactions at h = {number(entry['best_horizon'])}, the {entry['edge']} "
            "horizon measured, so that the best may lie beyond"
        )
    elif determined:
        where = f"fewest interactions at h = {known(entry, 'best_horizon')}"
        numbers["best_horizon"] = (entry["best_horizon"], entry.get("best_horizon_ci"))
    else:
        where = f"the best horizon is {known(entry, 'best_horizon')}"
    if "predicted" in entry and is_determined(entry, "predicted"):
        where += f" (theory: {number(entry['predicted'])})"
        numbers["predicted"] = (entry["predicted"], entry.get("predicted_ci"))
    costs = [_cost(entry, name, numbers) for name in entry["costs"]]
    costs = [text for text in costs if text]
    if costs:
        where += f"; {', '.join(costs)}"
        where += " as many"
    if entry["verdict"] == UNDECIDED and determined and not entry["edge"]:
        where += ": undecided whether the best lies inside the range"
    decided = entry["verdict"] != UNDECIDED
    return Claim(f"{of}: {where}.", decided, "best_horizon", entry["verdict"], numbers)


def _cost(entry: Entry, name: str, numbers: dict[str, Any]) -> str:
    """What one end of the range needs over the best measured horizon; adds it to the numbers."""
    cost = entry["costs"][name]
    needs = f"h = {cost['horizons'][1]:g} needs"
    if "at_least" in cost:
        if cost["at_least"] <= 1:
            return ""
        numbers[name] = (cost["at_least"], [cost["at_least"], None])
        return f"{needs} at least {number(cost['at_least'])} times"
    if not is_determined(entry, name):
        return ""
    numbers[name] = (cost["ratio"], cost.get("ratio_ci"))
    return f"{needs} {with_interval(cost, 'ratio')} times"
