"""How the batch enters the cost of the horizon."""

from collections.abc import Iterator

from analysis.data.families import label, rows_of, same_settings
from analysis.data.noise import before_threshold, horizon_coefficients
from analysis.figures import batch as figures
from analysis.laws import BatchLaw
from analysis.page.claims import Claim
from analysis.page.content import Content
from analysis.page.factor_claims import batch_claims, batch_law_claim, measured_noise_claims
from analysis.page.section import Detail, PlannedFigure, Section, triangles


def sections(content: Content) -> Iterator[Section]:
    """One section, where there are several batches."""
    single = [law for law in content.fits["batch_law"] if "width" in law.group]
    if not single:
        return
    group = max((law.group for law in single), key=lambda one: one["width"] == content.width)
    laws = [law for law in single if same_settings(law.group, group)]
    rows = rows_of(content.measured.crossings, group, "horizon", "batch")
    answer = min(laws, key=lambda law: law.threshold != content.threshold)
    yield Section(
        "batch",
        "What of the cost depends on the batch?",
        batch_claims(answer.to_json()),
        PlannedFigure(
            "interactions_by_batch",
            f"Interactions against horizon by batch, {label(group)}: measured (marks, 95% "
            f"intervals{triangles(rows, 'lower bounds')}) and by the law S_min (B + n_0 + n_1 x), "
            "x the variance horizon (lines).",
            lambda: figures.interactions_by_batch(rows, laws),
        ),
        [Detail("Constants of the law", [one for law in laws for one in _claims(content, law)])],
    )


def _claims(content: Content, law: BatchLaw) -> list[Claim]:
    """The law's constants, and what was measured of them."""
    noise = content.measured.noise
    if len(noise):
        rows = rows_of(content.measured.crossings, law.group, "horizon", "batch")
        noise = before_threshold(noise, rows[rows["threshold"] == law.threshold])
    found = horizon_coefficients(noise)[0].to_dict("records") if len(noise) else []
    return [batch_law_claim(law.to_json()), *measured_noise_claims(found)]
