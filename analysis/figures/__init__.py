"""Figures, one function each, from fitted laws and tables to a Matplotlib figure.

A module has the figures of one subject; `theme` has sizes, colours and how a figure is saved with
the table of what it shows. Captions are in `analysis.page`.
"""
