"""The power law of intrinsic performance: curves, level sets, frontier, single and shared laws.

`single` fits each horizon separately and calls `shared` for one law over the horizons.
"""

from analysis.laws.power.curves import FitError
from analysis.laws.power.shared import SharedPowerLaw
from analysis.laws.power.single import PowerLawFit, fit_power_law, fit_power_laws

__all__ = ["FitError", "PowerLawFit", "SharedPowerLaw", "fit_power_law", "fit_power_laws"]
