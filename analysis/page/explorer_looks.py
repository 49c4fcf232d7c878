"""What the explorer's charts and its data have in common: choices, lines and states, in words."""

from analysis.figures.palette import BLUE, VERMILION

AXES = {
    "h": ("horizon h (steps)", "h, logarithmic axes"),
    "h-1": ("h - 1 (steps)", "h - 1, linear axes"),
    "variance_horizon": ("variance horizon (h - 2 + 1/h) / 4", "variance horizon, linear axes"),
}
"""Choices of the horizontal axis: title of the axis, and the choice in words."""

LAWS = {
    "law of the horizon": ("solid blue line", BLUE, [1, 0]),
    "law of horizon and schedule": ("dashed orange line", VERMILION, [6, 3]),
}
"""Each kind of law: how its line looks in words, its colour and its dashes."""

STATES = ("reached", "right-censored", "above it at the first row")
"""What became of a run, as the page says it."""
