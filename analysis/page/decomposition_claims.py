"""Claims from the parts of the interactions: task, objective, action noise, horizon."""

from typing import Any

from analysis.page.claims import Claim, Entry
from analysis.page.wording import interval, is_determined, number, with_interval


def decomposition_claims(entry: Entry) -> list[Claim]:
    """Claims of one entry of `decomposition`: its parts, and the ratio that the noise predicts."""
    return [_parts(entry), *_predicted(entry)]


def _parts(entry: Entry) -> Claim:
    """One sentence on the parts that are determined."""
    texts, numbers = [], {}
    for name, (first, more, fewer) in _TEXTS.items():
        if not is_determined(entry, name):
            continue
        value, ends = entry[name], entry[f"{name}_ci"]
        numbers[name] = (value, ends)
        if value < 0:
            value, ends = -value, [-ends[1], -ends[0]]
        amount = f"{number(value)} {interval(ends)}"
        texts.append(f"{first} {fewer if entry[name] < 0 else more}".format(amount))
    text = f"To a return of {entry['threshold']:g} at width {entry['group']['width']}, "
    if not texts:
        text += "these runs do not determine how many interactions the task, the objective, the "
        text += "noise of actions and the horizon take."
        return Claim(text, False, "decomposition", "undecided")
    return Claim(f"{text}{'; '.join(texts)}.", True, "decomposition", "known", numbers)


_TEXTS = {
    "task": ("supervised learning needs", "{} interactions", "{} interactions"),
    "objective": (
        "the exact gradient of the expected return needs",
        "{} interactions more than supervised learning",
        "{} interactions fewer than supervised learning",
    ),
    "action_noise": (
        "sampled actions and their rewards (h = 1)",
        "add {} interactions to the exact gradient's",
        "save {} interactions of the exact gradient's",
    ),
    "horizon": ("each further step of horizon", "adds {} interactions", "saves {} interactions"),
}
"""For each part what it is, and what it does where it is positive and where it is negative."""


def _predicted(entry: Entry) -> list[Claim]:
    """What sampled actions multiply the interactions by, and what the noise measured says."""
    if not is_determined(entry, "h1_over_exact"):
        return []
    text = f"To a return of {entry['threshold']:g} at width {entry['group']['width']}, RL at h = 1 "
    text += f"needs {with_interval(entry, 'h1_over_exact')} times the interactions of the exact "
    text += "gradient"
    ends: Any = entry["h1_over_exact_ci"]
    numbers = {"h1_over_exact": (entry["h1_over_exact"], ends)}
    verdict = "measured"
    if is_determined(entry, "predicted_h1_over_exact"):
        predicted: Any = entry["predicted_h1_over_exact_ci"]
        numbers["predicted_h1_over_exact"] = (entry["predicted_h1_over_exact"], predicted)
        text += "; by the part of the gradient's noise that comes from actions it would be "
        text += f"{with_interval(entry, 'predicted_h1_over_exact')} at equal learning rates"
        verdict = "undecided"
        if ends[0] > predicted[1] or ends[1] < predicted[0]:
            verdict = "more" if ends[0] > predicted[1] else "less"
            text += f", {'less' if verdict == 'more' else 'more'} than measured"
        text += _rates(entry)
    return [Claim(f"{text}.", True, "action_noise", verdict, numbers)]


def _rates(entry: Entry) -> str:
    """The learning rates, where those of the two sides differ."""
    own, exact = (entry["learning_rates"].get(side, []) for side in ("h1", "exact"))
    if own == exact:
        return ""
    named = (", ".join(f"{rate:g}" for rate in rates) for rates in (own, exact))
    return " (the rates are {} and, of the exact gradient, {})".format(*named)
