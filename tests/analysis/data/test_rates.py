"""What another rate changes is what the made runs differ by, paired by seed."""

import numpy as np
import pandas as pd
import pytest

from analysis.data.families import families
from analysis.data.rates import rate_changes

ENDS = np.geomspace(100, 1_000_000, 60)


def made(delays: dict[float, float], seeds: int = 4, highest: float = 0.95) -> pd.DataFrame:
    """Runs at rates by what they multiply the interactions with, at two widths."""
    random = np.random.default_rng(0)
    rows = []
    for width in (4, 64):
        for seed in range(seeds):
            own = random.normal() * 0.3  # common to the rates of a seed
            for rate, delay in delays.items():
                place = np.log(ENDS / (20_000 * delay)) - own
                returns = np.clip(0.5 + 0.2 * place, 0.1, highest)
                run = f"w{width}-lr{rate}-s{seed}"
                rows += [
                    {"run_id": run, "width": width, "seed": seed, "learning_rate": rate}
                    | {"interactions": int(end), "return_mean": value}
                    for end, value in zip(ENDS, returns, strict=True)
                ]
    fixed = {
        **{"task": "digits", "network": "mlp", "algorithm": "vpg", "schedule": "dense"},
        **{"schedule_level": 1.0, "parameters": 10, "flops_per_interaction": 1.0, "horizon": 1.0},
        "discount": 0.0,
    }
    return pd.DataFrame(rows).assign(**fixed)


def test_the_change_is_that_of_the_made_runs() -> None:
    table = rate_changes(families(made({0.007: 1.2, 0.01: 1.0, 0.014: 0.96})))
    assert len(table) == 2 * 3 * 2
    for _, row in table.iterrows():
        expected = 0.2 if row["factor"] < 1 else -0.04
        assert row["change"] == pytest.approx(expected, abs=0.03)
        assert row["low"] <= row["change"] <= row["high"]
        assert row["high"] - row["low"] < 0.05, "seeds differ by 30%, and are paired"
        assert (row["seeds"], row["censored"]) == (4, False)
    assert sorted(table["factor"].round(2).unique()) == [0.7, 1.4]


def test_a_return_that_is_not_reached_has_no_change() -> None:
    table = rate_changes(families(made({0.007: 1.0, 0.01: 1.0, 0.014: 1.0}, highest=0.8)))
    assert table["censored"].sum() == 2 * 2
    assert (table["threshold"][table["censored"]] == 0.85).all()
    assert table["change"].isna().equals(table["censored"].astype(bool))


@pytest.mark.parametrize("rates", [(0.01,), (0.01, 0.02)])
def test_without_a_middle_rate_there_is_nothing_to_compare(rates: tuple[float, ...]) -> None:
    assert rate_changes(families(made(dict.fromkeys(rates, 1.0)))).empty


def test_one_seed_has_no_interval() -> None:
    table = rate_changes(families(made({0.007: 1.2, 0.01: 1.0, 0.014: 1.2}, seeds=1)))
    assert table["change"].notna().all()
    assert table[["low", "high"]].isna().all().all()
