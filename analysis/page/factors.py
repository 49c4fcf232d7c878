"""What a report says of schedules, sizes, batches, optimisers and tasks together.

Only where the data have several of them; else there is no section, or a note that says what is
missing. `joint_law`, `size_exponents`, `optimizer_law` and `task_law` are the entries that it adds
to `fits.json`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.data.noise import horizon_coefficients, on_the_way
from analysis.figures import factors as factor_figures
from analysis.figures import schedule as schedule_figures
from analysis.figures import theme
from analysis.figures.runs import Drawn
from analysis.laws import factors
from analysis.laws.batch import BatchLaw
from analysis.laws.best_horizon import BestHorizon, best_horizons
from analysis.laws.horizon import HorizonLaw
from analysis.laws.schedule import JointLaw, fit_joint_laws
from analysis.page.claims import Claim
from analysis.page.page import FamilySection, PageFigure
from analysis.page.wording import interval, number, percent, with_interval

Entry = dict[str, Any]


@dataclass
class Factors:
    """Sections of the page, entries of `fits.json` and notes; empty where there is one of each."""

    sections: list[FamilySection] = field(default_factory=list)
    entries: dict[str, list[Entry]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def coefficients_before_rule(frame: pd.DataFrame) -> pd.DataFrame:
    """Results with entropy and KL coefficients as they were set, where they follow the schedule.

    Under `periodic` and `streak` a sweep scales them with the signal, so that they differ between
    horizons and would split a family of runs into one for each. Where the dense and revealed runs
    beside them have one coefficient, it stands for theirs.
    """
    sparse = frame["schedule"].isin(("periodic", "streak"))
    if not sparse.any():
        return frame
    keys = ["task", "task_settings", "network", "algorithm", "optimizer", "width", "batch"]
    keys = [name for name in keys if name in frame]
    for coefficient in ("entropy_coef", "kl_coef"):
        if coefficient in frame:
            dense = (
                frame[~sparse].groupby(keys, dropna=False)[coefficient].agg(["nunique", "first"])
            )
            known = frame[keys].merge(dense.reset_index(), on=keys, how="left")
            one = (known["nunique"] == 1).to_numpy() & sparse.to_numpy()
            values = np.where(one, known["first"].to_numpy(float), frame[coefficient])
            frame = frame.assign(**{coefficient: values})
    return frame


def add_factors(
    crossings: pd.DataFrame,
    one_rate: pd.DataFrame,
    horizon: Sequence[HorizonLaw],
    batch: Sequence[BatchLaw],
    noise: pd.DataFrame,
    directory: Path,
) -> Factors:
    """Fit and draw what several schedules, batches, optimisers or tasks allow.

    Args:
        crossings: interactions to threshold with every learning rate tried.
        one_rate: the same with one learning rate a run.
        horizon: horizon laws.
        batch: laws over several batches.
        noise: rows of noise tables; may be empty.
        directory: where figures are kept.
    """
    found = Factors()
    _add_schedules(found, one_rate, directory)
    _add_sizes(found, one_rate, directory)
    _add_batches(found, one_rate, batch, noise, directory)
    _add_optimizers(found, crossings, directory)
    _add_tasks(found, horizon, directory)
    return found


def _keep(name: str, caption: str, draw: Callable[[], Drawn], directory: Path) -> PageFigure:
    theme.save(*draw(), directory, name)
    return PageFigure(directory / f"{name}.svg", caption)


def _add_schedules(found: Factors, table: pd.DataFrame, directory: Path) -> None:
    """The joint law of horizon and schedule, a section a group and width."""
    laws, notes = fit_joint_laws(table)
    found.notes += notes
    groups: dict[str, list[JointLaw]] = {}
    for law in laws:
        groups.setdefault(_group_name(law.group), []).append(law)
    entries = []
    for label, own in groups.items():
        section = FamilySection(f"Horizon and schedule together: {label}")
        best: list[BestHorizon] = []
        for law in own:
            of_law, problems = best_horizons(law)
            best += of_law
            found.notes += [f"{label}: {problem}" for problem in problems]
            entries.append({**law.to_json(), "best_horizons": [one.to_json() for one in of_law]})
            heading = f"To a return of {law.threshold:g}, all schedules together:"
            section.claims[heading] = joint_claims(entries[-1])
        slug = f"-{_slug(label)}" if len(groups) > 1 else ""
        section.figures = _joint_figures(own, best, slug, directory)
        found.sections.append(section)
    if entries:
        found.entries["joint_law"] = entries


def _group_name(group: Entry) -> str:
    task = factors.task_label(group["task"], group.get("task_settings", ""))
    parts = [task, f"width {group['width']}", f"batch {group['batch']}"]
    if group.get("optimizer"):
        parts.append(str(group["optimizer"]))
    return ", ".join(parts)


def _slug(label: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in label.lower()).split())


def _joint_figures(
    laws: Sequence[JointLaw], best: Sequence[BestHorizon], slug: str, directory: Path
) -> list[PageFigure]:
    figures = [
        _keep(
            f"interactions_heat_map{slug}",
            "Interactions needed over horizon and schedule. Hatched: some seeds were not there "
            "yet, the number is a lower bound. Dashed: equal cost by the fitted joint law.",
            lambda: schedule_figures.interactions_heat_map(laws),
            directory,
        ),
        _keep(
            f"collapse{slug}",
            "Interactions of all schedules and horizons against the law's B + B_noise, in which "
            "they fall on one line if the theory holds. Bars are 95% intervals over seeds, open "
            "triangles lower bounds; streaks take no part in the fit.",
            lambda: schedule_figures.collapse(laws),
            directory,
        ),
    ]
    if best:
        figures += [
            _keep(
                f"interactions_by_delay{slug}",
                "The U of each delay k: interactions against horizon, measured (marks, 95% "
                "intervals; open triangles are lower bounds) and by the joint law (lines). Stars: "
                "best horizons.",
                lambda: schedule_figures.interactions_by_delay(laws, best),
                directory,
            ),
            _keep(
                f"best_horizon_against_delay{slug}",
                "Best horizon of each delay, measured with 95% intervals (open: at the edge of "
                "what was measured), and by the joint law.",
                lambda: schedule_figures.best_horizon_against_delay(laws, best),
                directory,
            ),
        ]
    if any(one.ratio is not None for law in laws for one in law.departures):
        figures.append(
            _keep(
                f"departures{slug}",
                "Interactions that each schedule needs over what the law fitted to the other "
                "schedules predicts, with 95% intervals; 1 where the theory holds.",
                lambda: schedule_figures.departures(laws),
                directory,
            )
        )
    return figures


def joint_claims(entry: Entry) -> list[Claim]:
    """Claims of one entry of `joint_law`: constants, slope, each schedule, each best horizon."""
    known = "s_min_ci" in entry
    claims = [
        Claim(
            f"E = S_min (B + B_noise) describes the pairs of horizon and schedule within "
            f"{percent(entry['error'])} (root mean square), with S_min = "
            f"{with_interval(entry, 's_min')} updates, noise scale tr(F v)/|m|^2 = "
            f"{with_interval(entry, 'noise_scale')} interactions, A/(F v) = "
            f"{with_interval(entry, 'ratio')} and an effective accuracy of "
            f"{with_interval(entry, 'accuracy')}.",
            known,
        ),
        _slope(entry),
    ]
    claims += [_departure(one) for one in entry["departures"]]
    return claims + [_best(one) for one in entry["best_horizons"]]


def _slope(entry: Entry) -> Claim:
    text = f"Interactions grow as (B + B_noise) to the {with_interval(entry, 'slope')}"
    ends = entry.get("slope_ci")
    if ends is None:
        return Claim(f"{text}; undecided whether it is 1 (the law): one seed.", False)
    if ends[0] <= 1 <= ends[1]:
        return Claim(f"{text}; 1 (the law) lies inside.", True)
    way = "less" if entry["slope"] < 1 else "more"
    return Claim(f"{text}: {way} than in proportion, which the law does not say.", True)


def _departure(one: Entry) -> Claim:
    name = one["schedule"]
    behind = f"{one['censored']} of {one['runs']} runs censored"
    if "ratio" not in one:
        bound = number(one["at_least"])
        text = f"{name} needs, at some horizon, at least {bound} times what the law predicts"
        return Claim(f"{text} ({behind}; too few runs get there to say more).", False)
    text = (
        f"{name} needs {with_interval(one, 'ratio')} times what the other schedules predict "
        f"({behind})"
    )
    ends = one.get("ratio_ci")
    if ends is None:
        return Claim(f"{text}: undecided, no interval.", False)
    if ends[0] <= 1 <= ends[1]:
        return Claim(f"{text}: as predicted, within its interval.", True)
    return Claim(f"{text}: the prediction fails.", True)


def _best(one: Entry) -> Claim:
    predicted = f"{number(one['predicted'])} {interval(one.get('predicted_ci'))} by the law"
    name = one["schedule"]
    if one["edge"]:
        text = f"{name} needs least at the {one['edge']} horizon measured ({one['measured']:g})"
        return Claim(f"{text}, so that its best horizon may lie beyond; {predicted}.", False)
    text = f"{name} has its best horizon at h = {with_interval(one, 'measured')}, {predicted}"
    ends = one.get("measured_ci")
    if ends is None:
        return Claim(f"{text}; undecided, no interval.", False)
    inside = ends[0] <= one["predicted"] <= ends[1]
    return Claim(f"{text}: {'as predicted' if inside else 'not as predicted'}.", True)


def _add_sizes(found: Factors, table: pd.DataFrame, directory: Path) -> None:
    """Whether sparsity moves the exponent in size or only the coefficient."""
    if table["schedule"].nunique() < 2:
        return
    rows = factors.size_exponents(table)
    if rows.empty:
        found.notes.append(
            "not said whether sparsity moves the exponent in size: it needs two widths that reach "
            "a threshold under dense and another schedule at the same horizon"
        )
        return
    found.entries["size_exponents"] = rows.to_dict("records")
    claims = {}
    for threshold, own in rows.groupby("threshold"):
        heading = f"To a return of {threshold:g}, size under each schedule:"
        claims[heading] = size_claims(own.to_dict("records"))
    section = FamilySection("Does sparsity move the exponent in size?", claims)
    tasks = rows["task"].unique()
    for task in tasks:
        name = f"size_exponent_by_schedule{f'-{_slug(task)}' if len(tasks) > 1 else ''}"
        caption = (
            "Exponent in size, from the smallest and the largest width, by schedule with 95% "
            "intervals: equal to that of dense where sparsity moves the coefficient only."
        )
        part = rows[rows["task"] == task]
        section.figures.append(
            _keep(name, caption, _size_drawing(part.reset_index(drop=True)), directory)
        )
    found.sections.append(section)


def _size_drawing(part: pd.DataFrame) -> Callable[[], Drawn]:
    return lambda: factor_figures.size_exponent_by_schedule(part)


def size_claims(rows: Sequence[Entry]) -> list[Claim]:
    """Claims of one threshold's `size_exponents`: that of dense, and each change from it."""
    claims = []
    for row in rows:
        ends = (row["exponent_low"], row["exponent_high"])
        exponent = f"{number(row['exponent'])} {interval(ends)}"
        text = f"{row['schedule']}: E falls as N to the minus {exponent}"
        if row["schedule"] == "dense":
            claims.append(Claim(f"{text}.", bool(np.isfinite(ends[0]))))
            continue
        change = (row["change_low"], row["change_high"])
        more = f"{number(row['change'])} {interval(change)} more than under dense"
        if not np.isfinite(change[0]):
            verdict = "undecided, no interval"
        elif change[0] <= 0 <= change[1]:
            verdict = "no change of the exponent is shown"
        else:
            verdict = "the exponent changes"
        claims.append(Claim(f"{text}, {more}: {verdict}.", verdict == "the exponent changes"))
    return claims


def _add_batches(
    found: Factors,
    table: pd.DataFrame,
    laws: Sequence[BatchLaw],
    noise: pd.DataFrame,
    directory: Path,
) -> None:
    """Interactions by batch with the law, for the first group of one width."""
    single = [law for law in laws if "width" in law.group]
    if not single:
        return
    first = {k: v for k, v in single[0].group.items() if k != "learning_rate"}
    own = [law for law in single if all(law.group[k] == v for k, v in first.items())]
    same = [table[k] == v for k, v in first.items() if k in table]
    rows = table[np.logical_and.reduce(same)]
    section = FamilySection(f"The batch as a factor: {_task(first)}, width {first['width']}")
    for law in own:
        knees = ", ".join(f"{number(knee)} at B = {batch}" for batch, knee in law.knees.items())
        entry = law.to_json()
        section.claims[f"To a return of {law.threshold:g}, over batches:"] = [
            Claim(
                f"E = S_min (B + n_0 + n_1 x) with S_min = {with_interval(entry, 's_min')} "
                f"updates, n_0 = {with_interval(entry, 'noise_constant')} and n_1 = "
                f"{with_interval(entry, 'noise_growth')} interactions; knee at h = {knees}.",
                law.s_min_ci is not None,
            ),
            *_measured_noise(noise, rows[rows["threshold"] == law.threshold]),
        ]
    caption = (
        "Interactions against horizon by batch, measured (marks, 95% intervals; open triangles are "
        "lower bounds) and by the law S_min (B + n_0 + n_1 x), x the variance horizon (lines)."
    )
    drawing = _keep(
        "interactions_by_batch",
        caption,
        lambda: factor_figures.interactions_by_batch(rows, own),
        directory,
    )
    section.figures.append(drawing)
    found.sections.append(section)


def _measured_noise(noise: pd.DataFrame, crossings: pd.DataFrame) -> list[Claim]:
    """What was measured of the constants that the batch law fits, where noise was."""
    measured = on_the_way(noise, crossings) if len(noise) else noise
    if measured.empty:
        return []
    parts = []
    for row in horizon_coefficients(measured)[0].to_dict("records"):
        constants = []
        for symbol, name in (("n_0", "noise_constant"), ("n_1", "noise_growth")):
            ends = (row[f"{name}_low"], row[f"{name}_high"]) if row["seeds"] > 1 else None
            constants.append(f"{symbol} = {number(row[name])} {interval(ends)}")
        parts.append(f"{' and '.join(constants)} at B = {row['batch']}")
    text = "Measured, from a quarter of the interactions to this return up to it (geometric means)"
    return [Claim(f"{text}: {'; '.join(parts)}.", True)]


def _task(group: Entry) -> str:
    return factors.task_label(str(group["task"]), str(group.get("task_settings", "")))


def _add_optimizers(found: Factors, table: pd.DataFrame, directory: Path) -> None:
    """Horizon laws by optimiser, the rate chosen at each horizon and at the shortest."""
    if "optimizer" not in table or table["optimizer"].nunique() < 2:
        return
    laws = {key: own for key, own in factors.optimizer_laws(table).items() if own}
    if not laws:
        found.notes.append("no comparison of optimisers: no two of them share all other settings")
        return
    section = FamilySection("The optimiser as a factor")
    entries = []
    for (name, rates), own in laws.items():
        for law in own:
            entries.append({"optimizer": name, "rates": rates, **law.to_json()})
            heading = f"To a return of {law.threshold:g}, by optimiser:"
            text = f"{name}, learning rate of {rates}: {_law_text(entries[-1])}"
            section.claims.setdefault(heading, []).append(Claim(text, law.b_ci is not None))
    caption = (
        "Scaling multiplier against horizon by optimiser, with the learning rate chosen at each "
        "horizon or once at h = 1 (always by the other seeds), and the knees of the affine laws."
    )
    section.figures.append(
        _keep(
            "multiplier_by_optimizer",
            caption,
            lambda: factor_figures.multiplier_by_optimizer(laws),
            directory,
        )
    )
    found.sections.append(section)
    found.entries["optimizer_law"] = entries


def _law_text(entry: Entry) -> str:
    knee = f"knee at h = {with_interval(entry, 'knee')}" if entry.get("knee") else "no knee"
    free = entry.get("free_power") or {}
    power = f", free exponent {with_interval(free, 'g')}" if free else ""
    return f"{knee}{power} ({entry['censored']} of {entry['runs']} runs censored)."


def _add_tasks(found: Factors, laws: Sequence[HorizonLaw], directory: Path) -> None:
    """Knees and multipliers by task, under dense rewards."""
    by_task = factors.task_laws(laws)
    if not by_task:
        return
    section = FamilySection("The task as a factor")
    entries = []
    for name, own in by_task.items():
        for law in own:
            entries.append({"task": name, **law.to_json()})
            heading = f"To a return of {law.threshold:g}, by task:"
            text = f"{name}: {_law_text(entries[-1])}"
            section.claims.setdefault(heading, []).append(Claim(text, law.b_ci is not None))
    caption = (
        "Scaling multiplier against horizon by task under dense rewards, with the fitted free "
        "powers, and the knees of the affine laws. Bars are 95% intervals."
    )
    section.figures.append(
        _keep(
            "multiplier_by_task",
            caption,
            lambda: factor_figures.multiplier_by_task(by_task),
            directory,
        )
    )
    found.sections.append(section)
    found.entries["task_law"] = entries
