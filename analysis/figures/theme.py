"""The style of figures: colours suited to colour-blind readers, markers, axes, and saving.

Ordered quantities (horizon, size) take colours from dark to light along plasma and viridis, and a
marker each; categories (laws, parts of a variance) take Okabe and Ito's colours and a line style
each, so that nothing is shown by colour alone.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import matplotlib as mpl
import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.mathtext import MathTextParser
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator
from PIL import Image

from analysis.data.csv_text import quoted
from analysis.figures.palette import (  # noqa: F401  figures take all of them from here
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
)
from mnist_horizon import files

FADED = 0.35
"""Opacity of unfinished runs."""

PANEL_WIDTH, PANEL_HEIGHT = 2.45, 2.05
DOTS_PER_INCH = 200

_MARKERS = "osD^vP*Xph<>"
_STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.0,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.3,
    "lines.markersize": 4.0,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "legend.title_fontsize": 7.5,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.minor.width": 0.5,
    "ytick.minor.width": 0.5,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.hashsalt": "mnist_horizon",
    "svg.fonttype": "path",
    "mathtext.default": "regular",
}


Drawn = tuple[Figure, pd.DataFrame]
"""A figure and the table of the numbers that are drawn in it."""

COLORS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, BLACK)
"""Colours of categories, in order of use."""


@dataclass(frozen=True)
class Look:
    """Colour and marker of one level of an ordered quantity."""

    color: str
    marker: str


def looks(values: Iterable[float], colormap: str) -> dict[float, Look]:
    """A colour from dark to light and a marker for each distinct value, in increasing order."""
    levels = sorted(set(values))
    places = np.linspace(0.02, 0.84, len(levels)) if len(levels) != 1 else np.array([0.3])
    colors = mpl.colormaps[colormap](places)
    return {
        level: Look(mpl.colors.to_hex(color), _MARKERS[number % len(_MARKERS)])
        for number, (level, color) in enumerate(zip(levels, colors, strict=True))
    }


def spread(values: Iterable[float], most: int) -> list[float]:
    """The distinct values in order; of more than `most` as many, evenly spread, with both ends."""
    levels = sorted(set(values))
    if len(levels) <= most:
        return levels
    places = np.linspace(0, len(levels) - 1, most).round().astype(int)
    return [levels[place] for place in places]


def horizon_looks(horizons: Iterable[float]) -> dict[float, Look]:
    """Looks of horizons, from short (dark) to long (light)."""
    return looks(horizons, "plasma")


def size_looks(sizes: Iterable[float]) -> dict[float, Look]:
    """Looks of sizes (widths or parameters), from small (dark) to large (light)."""
    return looks(sizes, "viridis")


@contextmanager
def style() -> Iterator[None]:
    """Draw with the project's style, whatever a user's matplotlibrc has (LaTeX, fonts, sizes)."""
    with mpl.style.context(["default", _STYLE]):
        yield


def panels(count: int) -> tuple[Figure, list[Axes]]:
    """A figure of `count` equal panels, filled row by row, that share both axes."""
    columns = count if count < 4 else 3 if count in (5, 6, 9) else 4
    rows = -(-count // columns)
    size = (max(columns * PANEL_WIDTH, 4.4), rows * PANEL_HEIGHT + 0.45)
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    axes: list[Axes] = []
    for index in range(count):
        first = axes[0] if axes else None
        axes.append(figure.add_subplot(rows, columns, index + 1, sharex=first, sharey=first))
    for index, axis in enumerate(axes):
        axis.tick_params(labelleft=index % columns == 0, labelbottom=index + columns >= count)
    return figure, axes


def single(width: float = 4.8, height: float = 3.3) -> tuple[Figure, Axes]:
    """A figure of one panel."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def row(count: int, width: float = 2.9, height: float = 2.9) -> tuple[Figure, list[Axes]]:
    """A figure of panels side by side with separate axes."""
    figure = Figure(figsize=(max(count * width, 4.4), height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, [figure.add_subplot(1, count, index + 1) for index in range(count)]


def legend(figure: Figure, handles: Sequence[Line2D], title: str = "", columns: int = 0) -> None:
    """A legend above all panels, so that it never covers data."""
    figure.legend(
        handles=handles,
        title=title or None,
        loc="outside upper center",
        ncols=columns or min(len(handles), 8 if figure.get_figwidth() > 6 else 3),
        handlelength=2.2,
        columnspacing=1.4,
    )


def key(look: Look, label: str, **settings: Any) -> Line2D:
    """A legend entry with a colour and marker."""
    return Line2D([], [], color=look.color, marker=look.marker, label=label, **settings)


def censored_key(label: str) -> Line2D:
    """A legend entry for right-censored runs."""
    settings: dict[str, Any] = {"color": GREY, "linestyle": "none", "label": label}
    return Line2D([], [], marker="^", markerfacecolor="none", **settings)


def kind_looks(names: Iterable[str]) -> dict[str, Look]:
    """A colour and a marker for each of a few unordered categories."""
    return {
        name: Look(COLORS[i % len(COLORS)], _MARKERS[i % len(_MARKERS)])
        for i, name in enumerate(names)
    }


def bars(rows: pd.DataFrame, value: str) -> np.ndarray:
    """Lengths of error bars from `value` to `low` and `high`, shape [2, row]; 0 for NaN ends."""
    lengths = [rows[value] - rows["low"], rows["high"] - rows[value]]
    return np.nan_to_num(np.array(lengths, dtype=float))


def draw_means(
    axis: Axes, rows: pd.DataFrame, look: Look, x: str = "horizon", y: str = "interactions"
) -> None:
    """Means over seeds with bars to `low` and `high`; `censored` rows as open triangles."""
    whole, bound = rows[~rows["censored"]], rows[rows["censored"]]
    style: dict[str, Any] = {"color": look.color, "marker": look.marker, "linestyle": "none"}
    size: dict[str, Any] = {"capsize": 1.5, "linewidth": 0.8, "markersize": 3.5}
    axis.errorbar(whole[x], whole[y], bars(whole, y), **style, **size)
    hollow: dict[str, Any] = {"markerfacecolor": "none", "gid": "censored"}
    axis.plot(bound[x], bound[y], "^", color=look.color, **hollow)


def power_of_ten(value: float, _position: int | None = None) -> str:
    """A tick label for a power of ten, as a plain number from 0.1 to 100."""
    exponent = round(float(np.log10(value))) if value > 0 else 0
    if value <= 0 or not np.isclose(value, 10.0**exponent, rtol=1e-6):
        return ""
    return f"{value:g}" if -1 <= exponent <= 2 else f"$10^{{{exponent}}}$"


def log_axis(axis: Axes, which: str) -> None:
    """A logarithmic axis with two tick labels or more.

    Ticked at powers of ten; at 1, 2 and 5 times these where it spans under 1.3 decades or holds
    fewer than two powers; to whole powers where it holds fewer than two of those as well.
    """
    ticks = axis.xaxis if which == "x" else axis.yaxis
    (axis.set_xscale if which == "x" else axis.set_yscale)("log")
    limits = axis.get_xlim() if which == "x" else axis.get_ylim()
    if limits[0] > 0 and _inside(limits, (1.0, 2.0, 5.0)) < 2:
        limits = 10 ** np.floor(np.log10(limits[0])), 10 ** np.ceil(np.log10(limits[1]))
        (axis.set_xlim if which == "x" else axis.set_ylim)(*limits)
    low, high = limits
    if low > 0 and (high / low < 20 or _inside(limits, (1.0,)) < 2):
        ticks.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ticks.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))
        ticks.set_minor_formatter(NullFormatter())
    else:
        ticks.set_major_locator(LogLocator(numticks=6))
        ticks.set_major_formatter(FuncFormatter(power_of_ten))
        ticks.set_minor_locator(LogLocator(subs=(2.0, 5.0)))  # all nine double a figure's time
        ticks.set_minor_formatter(NullFormatter())


def _inside(limits: tuple[float, float], factors: Sequence[float]) -> int:
    """How many of these multiples of powers of ten lie between limits."""
    low, high = np.log10(limits)
    powers = 10.0 ** np.arange(np.floor(low), np.ceil(high) + 1)
    ticks = np.outer(powers, factors)
    return int(np.sum((ticks >= limits[0] * (1 - 1e-9)) & (ticks <= limits[1] * (1 + 1e-9))))


def horizon_axis(axis: Axes, horizons: Iterable[float], label: str = "horizon h (steps)") -> None:
    """A logarithmic x axis ticked at the measured horizons."""
    axis.set_xscale("log")
    levels = sorted(set(horizons))
    thinned = _spaced(levels)
    axis.set_xticks(thinned, [f"{value:g}" for value in thinned])
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xlabel(label)


def _spaced(levels: list[float], ratio: float = 1.6) -> list[float]:
    """Levels that are at least a ratio apart; the largest is always kept."""
    kept: list[float] = []
    for level in levels:
        if not kept or level / kept[-1] >= ratio:
            kept.append(level)
    if kept and kept[-1] != levels[-1]:
        kept[-1] = levels[-1]
    return kept


def compact(value: float) -> str:
    """A number in three figures with k, M, G, T, P for thousands: 50,890 is 50.9k."""
    magnitude = abs(value)
    for scale, suffix in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if magnitude >= scale:
            return f"{value / scale:.3g}{suffix}"
    return f"{value:.3g}"


def _lay_out(figure: Figure) -> None:
    """Place axes and texts for good, with SVG's measures of texts.

    Otherwise Matplotlib draws each file twice, the first time for the layout alone.
    """
    dpi = figure.dpi
    FigureCanvasSVG(figure)
    figure.dpi = FigureCanvasSVG.fixed_dpi
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
    figure.set_layout_engine(None)
    figure.dpi = dpi


def save(figure: Figure, table: pd.DataFrame, directory: Path, name: str) -> None:
    """Write `name.png` (200 dpi), `name.svg` and `name.csv`, the numbers drawn, into `directory`.

    The same figure gives the same bytes: files carry no date and no random ids.
    """

    def write(ending: str, content: Callable[[BinaryIO], object]) -> None:
        files.write_atomically(directory / f"{name}.{ending}", content, is_locked=False)

    with style():
        _as_plain_text(figure)
        _lay_out(figure)
        about = {"Date": None, "Creator": None}
        write("svg", lambda file: figure.savefig(file, format="svg", metadata=about))
        figure.dpi = DOTS_PER_INCH
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
    # 256 colours are enough for lines and bands, and make the file three times smaller.
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    reduced = image.quantize(256, method=Image.Quantize.FASTOCTREE)
    dots = (DOTS_PER_INCH, DOTS_PER_INCH)
    write("png", lambda file: reduced.save(file, "png", optimize=True, dpi=dots))
    write("csv", lambda file: quoted(table).to_csv(file, index=False))


def _as_plain_text(figure: Figure) -> None:
    """Draw texts that are no formula as they are: a name from elsewhere may hold dollar signs."""
    for text in figure.findobj(Text):
        if "$" in text.get_text():
            try:
                MathTextParser("agg").parse(text.get_text())
            except (ValueError, RecursionError):
                text.set_parse_math(False)
