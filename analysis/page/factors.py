"""Sections of the page on what changes the cost of the horizon: schedule, size, batch, and so on.

There is a section only where the data have several schedules, sizes, and so on.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from analysis.data.families import label, rows_of, same_settings, slug, task_label
from analysis.data.measurements import Measurements
from analysis.data.noise import before_threshold, horizon_coefficients
from analysis.figures import batch as batch_figures
from analysis.figures import comparisons as comparison_figures
from analysis.figures import schedule as schedule_figures
from analysis.figures import size as size_figures
from analysis.figures import theme
from analysis.laws import AllFits, BatchLaw, ScheduleLaw
from analysis.page.claims import Claim
from analysis.page.factor_claims import (
    batch_law_claim,
    compared_claim,
    measured_noise_claims,
    schedule_claims,
    size_claims,
)
from analysis.page.page import FamilySection, PageFigure


def factor_sections(
    fits: AllFits, measured: Measurements, directory: Path
) -> Iterator[FamilySection]:
    """The sections that the fits allow, with their figures drawn into a folder."""
    yield from _schedules(fits["joint_law"], directory)
    yield from _sizes(fits, directory)
    yield from _batches(fits["batch_law"], measured, directory)
    yield from _compared(
        "The optimiser as a factor",
        [(f"{e['optimizer']}, learning rate of {e['rates']}", e) for e in _json(fits, "optimizer")],
        "multiplier_by_optimizer",
        "Scaling multiplier against horizon by optimiser, with the learning rate chosen at each "
        "horizon or once at h = 1 (always by the other seeds), and the knees of the affine laws.",
        lambda: comparison_figures.multiplier_by_optimizer(fits["optimizer_law"]),
        directory,
    )
    yield from _compared(
        "The task as a factor",
        [(entry["task"], entry) for entry in _json(fits, "task")],
        "multiplier_by_task",
        "Scaling multiplier against horizon by task under dense rewards, with the fitted free "
        "powers, and the knees of the affine laws. Bars are 95% intervals.",
        lambda: comparison_figures.multiplier_by_task(fits["task_law"]),
        directory,
    )


def _saved(name: str, caption: str, draw: Callable[[], theme.Drawn], directory: Path) -> PageFigure:
    theme.save(*draw(), directory, name)
    return PageFigure(directory / f"{name}.svg", caption)


def _json(fits: AllFits, factor: str) -> list[dict[str, Any]]:
    return [law.to_json() for law in fits[f"{factor}_law"]]


def _schedules(laws: Sequence[ScheduleLaw], directory: Path) -> Iterator[FamilySection]:
    """The law of horizon and schedule, a section for each group and width."""
    groups: dict[str, list[ScheduleLaw]] = {}
    for law in laws:
        columns = [name for name in ("batch", "optimizer") if law.group.get(name)]
        groups.setdefault(label(law.group, columns), []).append(law)
    for name, laws in groups.items():
        claims = {
            f"To a return of {law.threshold:g}, all schedules together:": schedule_claims(
                law.to_json()
            )
            for law in laws
        }
        suffix = f"-{slug(name)}" if len(groups) > 1 else ""
        figures = list(_schedule_figures(laws, suffix, directory))
        yield FamilySection(f"Horizon and schedule together: {name}", claims, figures)


def _schedule_figures(
    laws: Sequence[ScheduleLaw], suffix: str, directory: Path
) -> Iterator[PageFigure]:
    yield _saved(
        f"interactions_heat_map{suffix}",
        "Interactions needed over horizon and schedule. Hatched: some seeds are right-censored, "
        "the number is a lower bound. Dashed: equal cost by the fitted law.",
        lambda: schedule_figures.interactions_heat_map(laws),
        directory,
    )
    yield _saved(
        f"collapse{suffix}",
        "Interactions of all schedules and horizons against the law's B + B_noise, in which they "
        "fall on one line if the theory holds. Bars are 95% intervals over seeds, open triangles "
        "lower bounds; schedules whose rewards do not add up are not part of the fit.",
        lambda: schedule_figures.collapse(laws),
        directory,
    )
    best = [one for law in laws for one in law.best_horizons]
    if best:
        yield _saved(
            f"interactions_by_delay{suffix}",
            "Interactions against horizon by delay k (U-shaped), measured (marks, 95% intervals; "
            "open triangles are lower bounds) and by the law (lines). Stars: best horizons.",
            lambda: schedule_figures.interactions_by_delay(laws, best),
            directory,
        )
        yield _saved(
            f"best_horizon_against_delay{suffix}",
            "Best horizon of each delay, measured with 95% intervals (open: at the edge of what "
            "was measured), and by the law.",
            lambda: schedule_figures.best_horizon_against_delay(laws, best),
            directory,
        )
    if any(one.ratio is not None for law in laws for one in law.departures):
        yield _saved(
            f"departures{suffix}",
            "Interactions that each schedule needs over what the law fitted to the other schedules "
            "predicts, with 95% intervals; 1 where the theory holds.",
            lambda: schedule_figures.departures(laws),
            directory,
        )


def _sizes(fits: AllFits, directory: Path) -> Iterator[FamilySection]:
    """Whether sparsity changes the exponent in size or only the coefficient."""
    exponents = fits["size_exponents"]
    if not exponents:
        return
    by_task: dict[str, list[Any]] = {}
    claims: dict[str, list[Claim]] = {}
    for one in exponents:
        by_task.setdefault(task_label(one.group), []).append(one)
    for task, laws in by_task.items():
        named = f" on {task}" if len(by_task) > 1 else ""
        for threshold in sorted({one.threshold for one in laws}):
            rows = [one.to_json() for one in laws if one.threshold == threshold]
            heading = f"To a return of {threshold:g}{named}, size under each schedule:"
            claims[heading] = size_claims(rows)
    figures = [
        _saved(
            f"size_exponent_by_schedule{f'-{slug(task)}' if len(by_task) > 1 else ''}",
            "Exponent in size, from the smallest and the largest width, by schedule with 95% "
            "intervals: equal to that of dense where sparsity changes the coefficient only.",
            lambda laws=laws: size_figures.size_exponent_by_schedule(laws),  # type: ignore[misc]
            directory,
        )
        for task, laws in by_task.items()
    ]
    yield FamilySection("Does sparsity change the exponent in size?", claims, figures)


def _batches(
    laws: Sequence[BatchLaw], measured: Measurements, directory: Path
) -> Iterator[FamilySection]:
    """Interactions by batch with the law, for the first group of one width."""
    single = [law for law in laws if "width" in law.group]
    if not single:
        return
    first = single[0].group
    laws = [law for law in single if same_settings(law.group, first)]
    rows = rows_of(measured.crossings, first, "horizon", "batch")
    claims = {}
    for law in laws:
        reached = rows[rows["threshold"] == law.threshold]
        noise = measured.noise
        if len(noise):
            noise = before_threshold(noise, reached)
        coefficients = horizon_coefficients(noise)[0].to_dict("records") if len(noise) else []
        heading = f"To a return of {law.threshold:g}, over batches:"
        claims[heading] = [batch_law_claim(law.to_json()), *measured_noise_claims(coefficients)]
    figure = _saved(
        "interactions_by_batch",
        "Interactions against horizon by batch, measured (marks, 95% intervals; open triangles are "
        "lower bounds) and by the law S_min (B + n_0 + n_1 x), x the variance horizon (lines).",
        lambda: batch_figures.interactions_by_batch(rows, laws),
        directory,
    )
    yield FamilySection(f"The batch as a factor: {label(first)}", claims, [figure])


def _compared(
    title: str,
    entries: Sequence[tuple[str, dict[str, Any]]],
    figure: str,
    caption: str,
    draw: Callable[[], theme.Drawn],
    directory: Path,
) -> Iterator[FamilySection]:
    """The comparison of several horizon laws, by threshold."""
    if not entries:
        return
    claims: dict[str, list[Claim]] = {}
    for name, entry in entries:
        heading = f"To a return of {entry['threshold']:g}:"
        claims.setdefault(heading, []).append(compared_claim(name, entry))
    yield FamilySection(title, claims, [_saved(figure, caption, draw, directory)])
