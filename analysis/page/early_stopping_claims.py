"""Claims on a proxy of the reward: a KL penalty against early stopping, and what is exploited."""

from analysis.page.claims import Claim, Entry
from analysis.page.wording import interval, is_determined, number, with_interval


def early_stopping_claim(entry: Entry, of: str = "") -> Claim:
    """One sentence: whether penalised runs have the gold of the unpenalised run at the same KL."""
    largest = entry["largest"]
    numbers = {}
    if largest:
        numbers["difference"] = (largest["difference"], largest.get("difference_ci"))
    where = _largest(entry) if largest else ""
    margin = number(entry["margin"])
    verdict = entry["verdict"]
    text = {
        "equivalent": "A KL penalty does what stopping early does: at the same KL the gold score "
        f"of penalised runs is that of the run without a penalty, within {margin}",
        "more": "A KL penalty can do more than stopping early: there are coefficients with "
        "a higher gold score at the same KL, and none shown to have a lower one",
        "less": "A KL penalty can do less than stopping early: there are coefficients with "
        "a lower gold score at the same KL, and none shown to have a higher one",
        "both": "A KL penalty is not stopping early: at the same KL the gold score of penalised "
        "runs is higher for some coefficients or parts of a run, and lower for others",
        "undecided": "It is undecided whether a KL penalty does what stopping early does, "
        f"within {margin} of gold",
    }[verdict]
    text = f"{text}{where}"
    text = f"{of}: {text[0].lower()}{text[1:]}" if of else text
    return Claim(f"{text}.", verdict != "undecided", "early_stopping", verdict, numbers)


def _largest(entry: Entry) -> str:
    """The largest difference, in brackets; of undecided signs only where it has an interval."""
    largest = entry["largest"]
    if largest.get("difference_ci") is None:
        return ""
    place = {"along": "on the way", "end": "at the end"}[largest["mean"]]
    return (
        f" (the largest difference, {place} with coefficient {number(largest['kl_coef'])}: "
        f"{number(largest['difference'])} {interval(largest['difference_ci'])})"
    )


def proxy_claims(entry: Entry) -> list[Claim]:
    """What a penalty does to the proxy, whether gold falls, and how far from the best both are."""
    found = []
    if is_determined(entry, "proxy_end"):
        text = f"{with_interval(entry, 'proxy_end')} proxy at the end of penalised runs"
        text = f"Against the run without a penalty at the same KL: {text}, mean of the coefficients"
        found.append(_claim(entry, text, "proxy_end", "proxy"))
    low = (entry.get("gold_fall_ci") or [None])[0]
    if low is not None and low > 0:
        text = f"The gold score falls by {with_interval(entry, 'gold_fall')} from its highest place"
        text += " to the end of the run without a penalty, while its proxy is what is trained"
        found.append(_claim(entry, text, "gold_fall", "overoptimised"))
    for name, text in _GAPS.items():
        if is_determined(entry, name):
            found.append(_claim(entry, f"{text}: {with_interval(entry, name)}", name, "gap"))
    return found


_GAPS = {
    "proxy_gap": "Proxy that the best policy has at the same KL above the run without a penalty, "
    "mean along the run",
    "proxy_gap_penalised": "The same above penalised runs, mean over their ends",
    "best_of_n_lead": "Gold that best of n has at the same KL above the run without a penalty, "
    "mean along the run",
    "best_of_n_lead_penalised": "The same above penalised runs, mean over their ends",
}


def _claim(entry: Entry, text: str, name: str, verdict: str) -> Claim:
    return Claim(f"{text}.", True, name, verdict, {name: (entry[name], entry.get(f"{name}_ci"))})
