"""Reward schedules: which right answers are rewarded, and when.

A schedule is one class in one file of this folder, with one registration; `lottery` is the example
to start from::

    @register("lottery")
    class Lottery(Schedule):
        level_name = "p"

        def rewards(self, correct, uniform, phase, carried): ...
        def expected_reward(self, phase, accuracy): ...
        def state_value(self, phase, carried, probability, accuracy, discount): ...

It defines its rewards, their centring, the value of a state and, where closed forms are known, the
noise of its gradient (`Schedule` says what is required and what is optional). Every file here is
imported below, so that a new one needs no other edit. Users may define their own in a config file
or any module that is imported before `parse` or `make` is called.
"""

import importlib
import pkgutil

from mnist_horizon.schedules.choice import Choice, Reward
from mnist_horizon.schedules.registry import forms, kinds, make, parse, register
from mnist_horizon.schedules.schedule import (
    Estimator,
    Payments,
    Schedule,
    States,
    check_probability,
)

__all__ = [
    "Choice",
    "Estimator",
    "Payments",
    "Reward",
    "Schedule",
    "States",
    "check_probability",
    "forms",
    "kinds",
    "make",
    "parse",
    "register",
]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
