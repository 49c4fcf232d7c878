"""What is drawn in a figure, to be compared with the table of its numbers."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D


def lines(figure: Figure, gid: str | None = None) -> Iterator[Line2D]:
    """The lines of a figure with points in them, all or those of a kind."""
    for axis in figure.axes:
        for line in axis.get_lines():
            if len(line.get_xdata()) and (gid is None or line.get_gid() == gid):
                yield line


def drawn(figure: Figure, gid: str | None = None) -> np.ndarray:
    """All points of the lines of a figure, in order of x and y, shape [point, 2]."""
    points = np.concatenate([line.get_xydata() for line in lines(figure, gid)])
    return points[np.lexsort(points.T)]


def tabled(table: pd.DataFrame, x: str, y: str) -> np.ndarray:
    """The same of two columns of a table."""
    points = table[[x, y]].to_numpy(float)
    return points[np.lexsort(points.T)]


def artists(figure: Figure, gid: str) -> list[Artist]:
    """Everything of a kind in a figure."""
    return [
        artist for axis in figure.axes for artist in axis.get_children() if artist.get_gid() == gid
    ]
