"""What noise at h = 1 says of longer horizons, against sums over a made path."""

import numpy as np
import pandas as pd
import pytest

from analysis.data.horizon_cost import (
    COLUMN,
    cost_along_training,
    window_variance_horizon,
    with_horizon_cost,
)
from mnist_horizon.horizon import discount_from_horizon, variance_horizon

BATCH = 128


def made_path() -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Noise along 4,000 steps of a path on which the signal falls and the noise grows."""
    along = np.linspace(0, 1, 4000)
    noise = {
        "signal": 0.5 * np.exp(-3 * along),
        "action": 10 + 20 * along,
        "state": 3 + 0 * along,
        "fisher": 60 - 30 * along,
        "score_variance": 0.09 + 0.16 * along,
    }
    return noise, np.diff(along, prepend=0.0) * 50


def rows_of_path(every: int = 40) -> tuple[pd.DataFrame, float]:
    """The noise table of a run at h = 1 on the path, and the interactions to its end."""
    noise, steps = made_path()
    needed = steps * (BATCH + (noise["action"] + noise["state"]) / noise["signal"])
    places = np.cumsum(needed)
    columns = {name: values[1::every] for name, values in noise.items()}
    settings = {"run_id": "one", "schedule": "dense", "horizon": 1.0, "batch": BATCH}
    return pd.DataFrame({**columns, "interactions": places[1::every]}).assign(**settings), places[
        -1
    ]


def crossing(run_id: str, interactions: float, **changes: object) -> dict[str, object]:
    row = {"run_id": run_id, "interactions": interactions, "threshold": 0.7}
    return {**row, "censored": False, "left_censored": False, **changes}


@pytest.mark.parametrize("horizon", [3.0, 31.0])
def test_the_multiplier_is_what_adding_up_the_steps_of_the_path_gives(horizon):
    rows, end = rows_of_path()
    (found,) = with_horizon_cost(pd.DataFrame([crossing("one", end)]), rows)[COLUMN]
    noise, steps = made_path()
    x = variance_horizon(horizon)
    growing = noise["fisher"] * noise["score_variance"] * x
    scale = (noise["action"] + noise["state"] + growing) / noise["signal"]
    expected = np.sum(steps * (BATCH + scale)) / end
    assert found * x == pytest.approx(expected - 1, rel=0.01)
    # The plain mean of q over the path, not over interactions, would be off.
    plain = cost_along_training(rows)["q"].mean()
    assert abs(plain * x / (expected - 1) - 1) > 0.05


def test_only_uncensored_dense_runs_at_h_1_with_noise_before_the_return_have_a_cost():
    rows, end = rows_of_path()
    longer = rows.assign(run_id="long", horizon=7.0)
    sparse = rows.assign(run_id="sparse", schedule="revealed")
    first = float(rows["interactions"].iloc[0])
    table = pd.DataFrame(
        [
            crossing("one", end),
            crossing("long", end),
            crossing("sparse", end),
            crossing("unknown", end),
            crossing("one", end, censored=True),
            crossing("one", end, left_censored=True),
            crossing("one", first / 2),
        ]
    )
    costs = with_horizon_cost(table, pd.concat([rows, longer, sparse]))[COLUMN]
    assert costs.notna().tolist() == [True] + [False] * 6


def test_tables_without_f_and_v_give_no_column():
    rows, end = rows_of_path()
    table = pd.DataFrame([crossing("one", end)])
    for noise in (
        pd.DataFrame(),
        rows.drop(columns="fisher"),
        rows.assign(fisher=np.nan, score_variance=np.nan),
    ):
        assert COLUMN not in with_horizon_cost(table, noise)


def test_a_signal_measured_below_0_is_kept():
    rows, _ = rows_of_path()
    rows.loc[5, "signal"] = -1e-3
    assert len(cost_along_training(rows)) == len(rows)


@pytest.mark.parametrize("horizon", [1.0, 3.0, 15.0])
def test_the_end_of_a_rollout_cuts_the_sums(horizon):
    discount, steps = discount_from_horizon(horizon), 20
    sums = [sum(discount ** (2 * j) for j in range(1, steps - t)) for t in range(steps)]
    assert window_variance_horizon(discount, steps) == pytest.approx(np.mean(sums))
    assert window_variance_horizon(discount, 0) == pytest.approx(variance_horizon(horizon))
