"""The figure of the batch as a factor.
Each function returns the figure and the table of the numbers that are drawn in it.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.data.crossings import means_over_seeds
from analysis.figures import theme
from analysis.laws.batch import BatchLaw


def interactions_by_batch(crossings: pd.DataFrame, laws: Sequence[BatchLaw]) -> theme.Drawn:
    """Interactions against horizon by batch, with S_min (B + n_0 + n_1 x), one panel per threshold.

    Args:
        crossings: interactions to threshold of the runs of these laws, of one width.
        laws: one per threshold, of that width.
    """
    looks = theme.size_looks(crossings["batch"].astype(float))
    parts = []
    with theme.style():
        figure, axes = theme.row(len(laws))
        for axis, law in zip(axes, laws, strict=True):
            axis.set_title(f"to a return of {law.threshold:g}")
            here = crossings[crossings["threshold"] == law.threshold]
            for batch, rows in here.groupby("batch"):
                look = looks[float(batch)]
                horizons = np.geomspace(rows["horizon"].min(), rows["horizon"].max(), 40)
                curve = law.predict(pd.DataFrame({"horizon": horizons, "batch": float(batch)}))
                axis.plot(horizons, curve, color=look.color, linewidth=1.1, gid="law")
                label = {"threshold": law.threshold, "batch": batch}
                parts.append(
                    pd.DataFrame({"horizon": horizons, "interactions": curve}).assign(
                        what="law", **label
                    )
                )
                means = means_over_seeds(rows, ["horizon"])
                theme.draw_means(axis, means, look)
                parts.append(means.assign(what="measured", **label))
            theme.log_axis(axis, "y")
            theme.horizon_axis(axis, here["horizon"])
        axes[0].set_ylabel("interactions (environment steps)")
        keys = [theme.key(look, f"B = {batch:g}") for batch, look in looks.items()]
        theme.legend(figure, keys, "lines: S$_{min}$ (B + n$_0$ + n$_1$ x)", columns=len(keys))
    return figure, pd.concat(parts, ignore_index=True)
