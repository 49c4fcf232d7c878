"""The two charts of the page's explorer, as Vega-Lite specifications made with Altair.

Their data have names and no values: the script of the page (`explorer.js`) fills them with what
the reader chose, so that the numbers are on the page once. Both have a parameter `marked`, the id
of the run that is highlighted in both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import altair as alt
import vl_convert

from analysis.figures.palette import BLACK, VERMILION
from analysis.page.explorer_looks import AXES, LAWS, STATES

_RUN, _HEIGHT = "#595959", 320
_ABOUT_RUN = ("run:N", "seed:Q", "horizon:Q")
_IS_MARKED = "datum.run === marked"


@dataclass(frozen=True)
class FixedParts:
    """What is the same in every report.

    Attributes:
        scripts: the text of Vega, Vega-Lite and Vega-Embed for one `<script>` (about 900 kB).
        charts: the specifications of the charts, by the name that `explorer.js` has for each.
    """

    scripts: str
    charts: Mapping[str, Any]


def fixed_parts() -> FixedParts:
    """What is the same in every report; it takes seconds, and needs no measurements."""
    scripts = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return FixedParts(scripts, {"crossings": crossings_chart(), "curves": curves_chart()})


def crossings_chart() -> dict[str, Any]:
    """Interactions to a threshold against horizon: runs, means over seeds and laws.

    Data by name: `runs` (run, seed, horizon, x, interactions, state), `means` (horizon, x,
    interactions, low, high, censored, seeds) and `laws` (law, x, interactions, low, high).

    Both axes are logarithmic, for the horizontal axis `h`; for the other `AXES` the script makes
    both linear, where an affine law is a straight line.
    """
    scale = alt.Scale(type="log", nice=False, padding=12)
    x = alt.X("x:Q", title=AXES["h"][0], scale=scale)
    y, low = (
        alt.Y(f"{name}:Q", title="interactions to the return", scale=scale)
        for name in ("interactions", "low")
    )
    # Runs are on top, where they can be pointed at.
    layers = (*_laws(x, y, low), *_means(x, y, low), _runs(x, y))
    return _specification(alt.layer(*layers))


def curves_chart() -> dict[str, Any]:
    """Return against interactions, one line a run, with the threshold.

    Data by name: `curves` (run, seed, horizon, interactions, return) and `threshold` (return).
    """
    x = alt.X("interactions:Q", title="interactions", scale=alt.Scale(type="log", nice=False))
    y = alt.Y("return:Q", title="return", scale=alt.Scale(zero=False))
    colour = alt.Color(
        "horizon:O",
        scale=alt.Scale(scheme="plasma"),
        legend=alt.Legend(title="horizon", orient="top", columns=8),
    )
    base = alt.Chart(alt.NamedData(name="curves")).encode(x=x, y=y, detail="run:N", color=colour)
    lines = base.mark_line().encode(
        opacity=_if(f"marked === '' || {_IS_MARKED}", 1, 0.25),
        strokeWidth=_if(_IS_MARKED, 3.5, 1.4),
    )
    # Large points that are not seen make the thin lines easy to point at, and have the tooltip.
    points = base.mark_point(size=90, opacity=0, filled=True).encode(
        tooltip=[*_ABOUT_RUN, _number("interactions"), alt.Tooltip("return:Q", format=".4g")]
    )
    threshold = (
        alt.Chart(alt.NamedData(name="threshold"))
        .mark_rule(color=BLACK, strokeDash=[4, 3])
        .encode(y="return:Q")
    )
    return _specification(alt.layer(lines, threshold, points))


def _if(test: str, then: Any, otherwise: Any) -> Any:
    """A visual value that depends on a test in Vega's expression language."""
    return alt.condition(test, alt.value(then), alt.value(otherwise))


def _number(name: str) -> alt.Tooltip:
    return alt.Tooltip(f"{name}:Q", format=",.4~r")


def _laws(x: alt.X, y: alt.Y, low: alt.Y) -> list[alt.Chart]:
    """Lines of laws with their 95% intervals."""
    names, looks = [*LAWS], [*LAWS.values()]
    colours = alt.Scale(domain=names, range=[colour for _, colour, _ in looks])
    dashes = alt.Scale(domain=names, range=[dash for _, _, dash in looks])
    # Without legends, which would name laws that are not drawn: the page says which lines are.
    base = alt.Chart(alt.NamedData(name="laws")).encode(
        x=x, color=alt.Color("law:N", scale=colours, legend=None)
    )
    band = base.mark_area(opacity=0.2).encode(y=low, y2="high:Q")
    line = base.mark_line().encode(
        y=y, strokeDash=alt.StrokeDash("law:N", scale=dashes, legend=None)
    )
    return [band.transform_filter("isValid(datum.low)"), line]


def _runs(x: alt.X, y: alt.Y) -> alt.Chart:
    """A dot per run; an open triangle that points to where a censored run's value lies."""
    shapes = alt.Scale(domain=[*STATES], range=["circle", "triangle-up", "triangle-down"])
    return (
        alt.Chart(alt.NamedData(name="runs"))
        .mark_point(cursor="pointer", opacity=0.8)
        .encode(
            x=x,
            y=y,
            shape=alt.Shape("state:N", scale=shapes, legend=None),
            stroke=_if(_IS_MARKED, VERMILION, _RUN),
            fill=_if(f"datum.state === '{STATES[0]}'", _RUN, "white"),
            size=_if(_IS_MARKED, 180, 36),
            tooltip=[*_ABOUT_RUN, _number("interactions"), "state:N"],
        )
    )


def _means(x: alt.X, y: alt.Y, low: alt.Y) -> list[alt.Chart]:
    """Geometric means over seeds: filled, or open where they are lower bounds."""
    base = alt.Chart(alt.NamedData(name="means")).encode(x=x)
    interval = (
        base.transform_filter("isValid(datum.low)")
        .mark_rule(color=BLACK, strokeWidth=1.5)
        .encode(y=low, y2="high:Q")
    )
    mark = base.mark_point(shape="diamond", size=80, stroke=BLACK, strokeWidth=1.3).encode(
        y=y,
        fill=_if("datum.censored", "white", BLACK),
        tooltip=["horizon:Q", _number("interactions"), _number("low"), _number("high"), "seeds:Q"],
    )
    return [interval, mark]


def _specification(chart: Any) -> dict[str, Any]:
    """The chart as a dictionary, in the page's font and on white, without a schema's address."""
    chart = (
        chart.properties(height=_HEIGHT, width="container")
        .add_params(alt.param(name="marked", value=""))
        .configure(
            background="white",
            font="system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif",
            aria=False,  # the page describes the charts in words
            autosize=alt.AutoSizeParams(type="fit", contains="padding"),
        )
        .configure_axis(titleFontWeight="normal", gridColor="#e6e6e6", **_TEXT)
        .configure_legend(**_TEXT)
    )
    # The tests check the specifications against Vega-Lite's schema, which takes half a second.
    specification: dict[str, Any] = chart.to_dict(validate=False)
    specification.pop("$schema", None)
    return specification


_TEXT: dict[str, Any] = {
    **{"labelFontSize": 12, "titleFontSize": 13},
    **{"labelColor": "#1b1b1b", "titleColor": "#1b1b1b"},
}
