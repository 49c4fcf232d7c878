"""Student's t and Fisher's F.

`scipy.stats` has the same numbers, and takes as long to import as all else that a fit needs.
"""

from scipy.special import fdtrc, fdtri, stdtr, stdtrit


def t_quantile(probability: float, freedom: float) -> float:
    """The value that Student's t with these degrees of freedom is below with a probability.

    NaN without a degree of freedom.
    """
    return float(stdtrit(freedom, probability))


def t_tail(value: float, freedom: float) -> float:
    """The probability that Student's t is above a value."""
    return float(stdtr(freedom, -value))


def f_tail(value: float, numerator: float, denominator: float) -> float:
    """The probability that Fisher's F, with these degrees of freedom, is above a value >= 0."""
    return float(fdtrc(numerator, denominator, value))


def f_quantile(probability: float, numerator: float, denominator: float) -> float:
    """The value that Fisher's F, with these degrees of freedom, is below with a probability."""
    return float(fdtri(numerator, denominator, probability))
