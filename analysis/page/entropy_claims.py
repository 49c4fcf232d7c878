"""Claims on the course of entropy and KL along training.

Entries are those of `entropy_course` in `fits.json`.
"""

from collections.abc import Mapping

from analysis.page.claims import Claim, Entry
from analysis.page.wording import is_above_one, is_determined, number, with_interval

FORMS: Mapping[str, str] = {
    "entropy_linear": "linear in interactions",
    "entropy_log": "linear in their logarithm",
    "entropy_sqrt_kl": "linear in the square root of KL",
    "kl_linear": "linear in interactions",
    "kl_log": "linear in their logarithm",
    "kl_sqrt": "linear in their square root",
}
_SUBJECTS = {"entropy": "entropy", "kl": "KL from the initial policy"}


def course_claims(entry: Entry, of: str = "") -> list[Claim]:
    """Which form predicts entropy and KL best, and how rough they are.

    Args:
        entry: of `entropy_course`.
        of: the family, where a page has several.
    """
    return [_form(entry, name, of) for name in _SUBJECTS] + [_roughness(entry, of)]


def _form(entry: Entry, name: str, of: str) -> Claim:
    found = entry[name]
    least = found["least"]
    start = f"{of}: until" if of else "Until"
    text = f"{start} entropy has fallen by 80%, the second half of the course of {_SUBJECTS[name]}"
    numbers = {least: (entry[least], entry.get(f"{least}_ci"))}
    error = f"an error of {number(entry[least])} of its change"
    rivals = {other: one for other, one in found["over_least"].items() if not is_above_one(one)}
    if found["best"] == "undecided":
        names = " or ".join(FORMS[other] for other in rivals)
        text += f" is predicted with the least error as {FORMS[least]}, {error}; undecided whether "
        return Claim(
            f"{text}better than as {names}.", False, f"{name}_course", "undecided", numbers
        )
    others = [
        f"as {FORMS[other]} it has {with_interval(one, 'ratio')} times that"
        for other, one in found["over_least"].items()
    ]
    text += f" is predicted best as {FORMS[least]}, with {error}; {', '.join(others)}."
    numbers |= {
        other: (one["ratio"], one["ratio_ci"]) for other, one in found["over_least"].items()
    }
    return Claim(text, True, f"{name}_course", least, numbers)


def _roughness(entry: Entry, of: str) -> Claim:
    start = f"{of}: from" if of else "From"
    text = f"{start} row to row, entropy moves about its course "
    if not is_determined(entry, "roughness_ratio"):
        text += "as much as KL or more or less: not determined by these runs."
        return Claim(text, False, "roughness", "undecided")
    low, high = entry["roughness_ratio_ci"]
    verdict = "more" if low > 1 else "less" if high < 1 else "undecided"
    text += f"{with_interval(entry, 'roughness_ratio')} times as much as KL, each in units of its "
    text += "change"
    text += "." if verdict != "undecided" else ": undecided which moves more."
    numbers = {"roughness_ratio": (entry["roughness_ratio"], entry["roughness_ratio_ci"])}
    return Claim(text, verdict != "undecided", "roughness", verdict, numbers)
