"""Claims on whether bits or noise say what a sparse reward costs.

Entries are those of `bits_law` in `fits.json`.
"""

import math

from analysis.page.claims import Claim, Entry
from analysis.page.wording import is_determined, number, with_interval


def bits_claim(entry: Entry) -> Claim:
    """Which of the two leaves less spread between schedules."""
    at = f"To a return of {entry['threshold']:g}"
    if "width" in entry["group"]:
        at += f" at width {entry['group']['width']:g}"
    text = f"{at}, schedules differ by a factor {_factor(entry, 'interactions')} in interactions"
    text += f", {_factor(entry, 'bits')} in the bits that their rewards can have told and "
    text += f"{_factor(entry, 'steps')} in interactions over noise (root mean square)"
    verdict = entry["verdict"]
    numbers = {}
    if is_determined(entry, "bits_over_steps"):
        numbers["bits_over_steps"] = (entry["bits_over_steps"], entry.get("bits_over_steps_ci"))
    if verdict == "undecided":
        return Claim(f"{text}: undecided which predicts better.", False, "bits", verdict, numbers)
    better = {"noise": "the noise", "bits": "the number of bits"}[verdict]
    text += f": {better} predicts better what a schedule costs; the spread of bits, in log, is "
    text += f"{with_interval(entry, 'bits_over_steps')} times that of noise."
    return Claim(text, True, "bits", verdict, numbers)


def _factor(entry: Entry, name: str) -> str:
    return number(math.exp(entry[f"{name}_spread"]))
