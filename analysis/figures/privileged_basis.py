"""The figure of a privileged basis along training.
The function returns the figure and the table of the numbers that are drawn in it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from analysis.figures import theme


def kurtosis_along_training(table: pd.DataFrame) -> theme.Drawn:
    """Excess kurtosis over hidden units less that of random rotations, along training.

    A panel for each condition; bars are 95% intervals over seeds, the bands hold 95% of the
    rotations of the same activations. Layers are drawn slightly apart.

    Args:
        table: of `laws.privileged_basis.basis_table`.
    """
    table = table[table["stage"] == "before"].reset_index(drop=True)
    labels = list(dict.fromkeys(table["label"]))
    looks = theme.kind_looks(f"layer {layer}" for layer in sorted(table["layer"].unique()))
    with theme.style():
        figure, axes = theme.panels(len(labels))
        for axis, label in zip(axes, labels, strict=True):
            axis.set_title(label)
            for look, (place, (_, rows)) in zip(
                looks.values(),
                enumerate(table[table["label"] == label].groupby("layer")),
                strict=False,
            ):
                _draw_layer(axis, rows, look, shift=1.12**place)
        _interactions_axis(axes, table["interactions"].unique())
        figure.supxlabel("interactions (environment steps)", fontsize=8.5)
        figure.supylabel("excess kurtosis over units,\nless that of rotations", fontsize=8.5)
        keys = [theme.key(look, name) for name, look in looks.items()]
        band = Line2D([], [], color=theme.GREY, alpha=0.4, linewidth=6, label="random rotations")
        theme.legend(figure, [*keys, band], columns=len(keys) + 1)
    return figure, table


def _draw_layer(axis: Axes, rows: pd.DataFrame, look: theme.Look, shift: float) -> None:
    rows = rows.sort_values("interactions")
    band: dict[str, Any] = {"color": look.color, "alpha": 0.3, "linewidth": 0, "gid": "rotations"}
    axis.fill_between(rows["interactions"], rows["band_low"], rows["band_high"], **band)
    style: dict[str, Any] = {"capsize": 1.5, "elinewidth": 0.8, "markersize": 3.0}
    style |= {"color": look.color, "marker": look.marker, "linewidth": 1.0}
    bars = theme.bars(rows, "difference")
    axis.errorbar(rows["interactions"] * shift, rows["difference"], bars, **style)


def _interactions_axis(axes: Sequence[Axes], marks: np.ndarray) -> None:
    """Logarithmic from the first mark above 0, with 0 at the left."""
    positive = marks[marks > 0]
    if not len(positive):
        return
    low, high = float(positive.min()), float(positive.max())
    powers = 10.0 ** np.arange(np.ceil(np.log10(low * 1.5)), np.log10(high) + 0.01)
    for axis in axes:
        axis.set_xscale("symlog", linthresh=low, linscale=0.5)
        axis.set_xlim(-0.15 * low, 1.6 * high)
        axis.set_xticks([0.0, *powers], ["0", *map(theme.power_of_ten, powers)])
        axis.xaxis.set_minor_locator(NullLocator())
