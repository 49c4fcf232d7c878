import numpy as np
import pytest

from analysis.laws.regressors import horizon_of, regressor_values


def test_regressors_and_their_inverse():
    np.testing.assert_allclose(regressor_values(np.array([1, 3]), "h-1"), [0, 2])
    np.testing.assert_allclose(regressor_values(np.array([1, 3]), "variance_horizon"), [0, 1 / 3])
    for regressor in ("h-1", "variance_horizon"):
        x = float(regressor_values(np.array([17.0]), regressor)[0])
        assert horizon_of(x, regressor) == pytest.approx(17.0)
        assert horizon_of(np.inf, regressor) == np.inf
