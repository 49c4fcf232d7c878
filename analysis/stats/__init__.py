"""Statistics that know nothing of laws.

Intervals over few seeds, maximum likelihood with censored values, a monotone link.
"""
