"""Small fits run on one thread of the linear algebra library.

OpenBLAS uses all its threads even for products of a few numbers, and starting them takes ten times
as long as the fit.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import scipy.linalg  # noqa: F401  its library is limited only if it is loaded already
from threadpoolctl import ThreadpoolController

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_LIBRARIES = ThreadpoolController()


def on_one_thread(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Decorator of a function that fits a few numbers."""
    limited = _LIBRARIES.wrap(limits=1, user_api="blas")(function)
    return cast(Callable[Arguments, Result], limited)
