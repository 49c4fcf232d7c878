"""Statistics that do not depend on the laws.

Intervals over few seeds, maximum likelihood with censored values, a monotone link.
"""
