"""Whether the gradient's noise is what the theory says."""

from collections.abc import Iterator

from analysis.data.noise import agreement, horizon_coefficients, noise_scale
from analysis.figures import noise as figures
from analysis.page.content import Content
from analysis.page.factor_claims import noise_claims
from analysis.page.section import Detail, PlannedFigure, Section


def sections(content: Content) -> Iterator[Section]:
    """One section, where noise was measured of the first family."""
    noise = content.main.select(content.measured.noise)
    if noise.empty:
        return
    width = noise["width"].max()
    noise = noise[noise["width"] == width]
    claims = noise_claims(agreement(noise)[0], horizon_coefficients(noise)[0])
    details = [Detail("Parts of the variance, and the knee that they predict", claims[1:])]
    if not noise_scale(noise)[0].empty:
        scale = PlannedFigure(
            "gradient_noise_scale",
            f"Gradient noise scale along training at width {width}, by horizon: the batch at which "
            "the noise of a gradient is as large as the gradient. Bars: 95% intervals over seeds.",
            lambda: figures.gradient_noise_scale(noise),
        )
        details.append(Detail("The gradient noise scale along training", figures=[scale]))
    yield Section(
        "noise",
        "Is the noise of the gradient what the theory says?",
        claims[:1],
        PlannedFigure(
            "gradient_variance",
            f"Variance of a step's policy gradient by horizon at width {width}, total and parts: "
            "measured (marks, 95% intervals over seeds) against the closed forms (lines). Bars "
            "that reach 0 end at 2% of the mark.",
            lambda: figures.gradient_variance(noise),
        ),
        details,
    )
