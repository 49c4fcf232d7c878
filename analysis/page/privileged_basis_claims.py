"""Claims on a privileged basis of hidden units, from `laws.privileged_basis.basis_entries`."""

from collections.abc import Sequence

from analysis.laws.privileged_basis import MARGIN
from analysis.page.claims import Claim, Entry
from analysis.page.wording import interval, number


def privileged_basis_claims(entries: Sequence[Entry]) -> list[Claim]:
    """Two sentences on all conditions, at the end and before training; one for each and layer."""
    times = {"verdict": "At the end of training", "verdict_initial": "Before training"}
    summaries = [_summary(entries, name, when) for name, when in times.items()]
    return [*summaries, *(_claim(entry) for entry in entries)]


_KINDS = {
    "above": "a privileged basis of few large units",
    "below": "a privileged basis of units of more equal size than random directions",
    "none": f"none seen (excess kurtosis within {number(MARGIN)} of that of random rotations)",
    "undecided": "undecided",
}


def _summary(entries: Sequence[Entry], name: str, when: str) -> Claim:
    """Which conditions have which verdict; layers are named where they differ."""
    labels = list(dict.fromkeys(entry["label"] for entry in entries))
    parts = []
    for verdict, kind in _KINDS.items():
        found = []
        for label in labels:
            layers = {one["layer"]: one[name] for one in entries if one["label"] == label}
            chosen = [str(layer) for layer, of_layer in layers.items() if of_layer == verdict]
            only = f" (layer {' and '.join(chosen)})" if len(chosen) < len(layers) else ""
            found += [f"{label}{only}"] * bool(chosen)
        parts += [f"{kind}: {'; '.join(found)}"] * bool(found)
    verdicts = {entry[name] for entry in entries}
    text = f"{when}, by activation function and optimiser. {'. '.join(map(_sentence, parts))}."
    verdict = verdicts.pop() if len(verdicts) == 1 else "several"
    return Claim(text, verdict != "undecided", "privileged_basis_summary", verdict)


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _claim(entry: Entry) -> Claim:
    known = {name: (entry[name], entry[f"{name}_ci"]) for name in ("end", "initial")}
    where = f"{entry['label']}, hidden layer {entry['layer']}"
    if entry["end_ci"] is None:
        text = f"{where}: one seed gives no interval, so nothing is said of a privileged basis"
        return Claim(f"{text}.", False, "privileged_basis", "undecided")
    end = f"{number(entry['end'])} {interval(entry['end_ci'])}"
    text = {
        "none": f"no privileged basis is seen: the excess kurtosis over units is that of random "
        f"rotations within {number(MARGIN)}; it differs by {end}",
        "above": "a privileged basis of few large units: the excess kurtosis over units is above "
        f"that of random rotations by {end}",
        "below": "a privileged basis of units of more equal size: the excess kurtosis over units "
        f"differs from that of random rotations by {end}",
        "undecided": "whether there is a privileged basis is undecided: the excess kurtosis over "
        f"units less that of random rotations is in {interval(entry['end_ci'])}",
    }[entry["verdict"]]
    text = f"{where}: {text} after {_interactions(entry['interactions'])}"
    if entry["return"] is not None:
        text += f" (return {number(entry['return'])})"
    if entry["seeds"] < entry["seeds_initial"]:
        text += f", of the {entry['seeds']} of {entry['seeds_initial']} seeds that are finite"
    if entry["since"] is not None:
        text += f"; the sign is the same at every mark from {_interactions(entry['since'])} on"
    if entry["initial_ci"] is not None and entry["interactions"]:
        text += f". Before training it is {_initial(entry)}"
    is_decided = entry["verdict"] != "undecided"
    return Claim(f"{text}.", is_decided, "privileged_basis", entry["verdict"], known)


def _initial(entry: Entry) -> str:
    if entry["verdict_initial"] == "undecided":
        return f"in {interval(entry['initial_ci'])}"
    return f"{number(entry['initial'])} {interval(entry['initial_ci'])}"


def _interactions(count: int) -> str:
    return f"{number(count)} interactions"
