"""Claims on action-dependent baselines, from `laws.action_baselines.entries_of`."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from analysis.laws.action_baselines import FALL, THRESHOLD
from analysis.page.claims import Claim, Entry
from analysis.page.wording import NOT_DETERMINED, number, with_interval


def action_baseline_claims(entries: Mapping[str, Sequence[Entry]]) -> list[Claim]:
    """On the parts of the variance, each comparison, each biased loss, and runs that fell."""
    found = [*_parts(entries["parts"])]
    for of in dict.fromkeys(one["of"] for one in entries["ratios"]):
        found.append(_ratios([one for one in entries["ratios"] if one["of"] == of]))
    for of in dict.fromkeys(one["of"] for one in entries["bias"]):
        found.append(_bias([one for one in entries["bias"] if one["of"] == of]))
    return [*found, *_falls(entries["falls"])]


def _cells(entries: Sequence[Entry]) -> Iterator[tuple[str, Entry]]:
    """Each entry with its place, in the order of horizons; what all share is not named."""
    names = [name for name in ("width", "schedule") if len({one[name] for one in entries}) > 1]
    for one in sorted(entries, key=lambda one: (one["width"], one["schedule"], one["horizon"])):
        more = "".join(f", {name} {one[name]}" for name in names)
        yield f"h = {one['horizon']:g}{more}", one


def _parts(shares: Sequence[Entry]) -> Iterator[Claim]:
    action = [one for one in shares if one["part"] == "action" and one["share_ci"]]
    if not action:
        return
    numbers = {f"action at {at}": (one["share"], one["share_ci"]) for at, one in _cells(action)}
    said = ", ".join(f"{with_interval(one, 'share')} at {at}" for at, one in _cells(action))
    text = f"On the way to a return of {THRESHOLD:g} the actions' share of the gradient's variance"
    yield Claim(f"{text} is {said}.", True, "action_part", "measured", numbers)


def _ratios(entries: Sequence[Entry]) -> Claim:
    """One sentence for a comparison at all horizons; what is undecided has no number."""
    decided = [(at, one) for at, one in _cells(entries) if one["verdict"] != "undecided"]
    said = [f"{with_interval(one, 'ratio')} at {at}" for at, one in decided]
    numbers = {f"ratio at {at}": (one["ratio"], one["ratio_ci"]) for at, one in decided}
    open_at = [at for at, one in _cells(entries) if one["verdict"] == "undecided"]
    said += [f"not known to differ from 1 at {', '.join(open_at)}"] * bool(open_at)
    first = entries[0]
    text = f"{_upper(first['of'])}, against {first['over']}: the ratio of interactions to a return "
    text += f"of {THRESHOLD:g} is {', '.join(said)}"
    verdict = "decided" if numbers else "undecided"
    return Claim(f"{text}.", bool(numbers), "action_baseline", verdict, numbers)


WIDEST = 0.5
"""Of an interval of a cosine that determines it."""


def _bias(entries: Sequence[Entry]) -> Claim:
    """Direction and length of the mean gradient, at all horizons; what is wide has no number."""
    said: list[str] = []
    numbers: dict[str, tuple[float, Sequence[float]]] = {}
    for at, one in _cells(entries):
        known = {
            name: (one[name], one[f"{name}_ci"])
            for name in ("cosine", "first_cosine", "length")
            if one[f"{name}_ci"] and np.ptp(one[f"{name}_ci"]) <= WIDEST
        }
        numbers |= {f"{name} at {at}": pair for name, pair in known.items()}
        cosine, first, length = (
            with_interval(one, name) if name in known else NOT_DETERMINED
            for name in ("cosine", "first_cosine", "length")
        )
        start = f"after {number(one['interactions'])} interactions {first}"
        said.append(f"at {at} cosine {cosine} ({start}), length {length}")
    text = f"{_upper(entries[0]['of'])}: mean gradient against the exact one, averages along "
    text += f"training: {'; '.join(said)}"
    verdict = "measured" if numbers else "undecided"
    return Claim(f"{text}.", bool(numbers), "bias", verdict, numbers)


def _falls(entries: Sequence[Entry]) -> Iterator[Claim]:
    fell = [one for one in entries if one["fell"]]
    if fell:
        said = "; ".join(f"{one['fell']} of {one['runs']} with {one['of']}" for one in fell)
        text = f"Runs that end more than {FALL:g} below their highest return: {said}"
        others = "" if len(fell) == len(entries) else "; none of the other sweeps"
        yield Claim(f"{text}{others}.", True, "falls", "some")


def _upper(text: str) -> str:
    return text[0].upper() + text[1:]
