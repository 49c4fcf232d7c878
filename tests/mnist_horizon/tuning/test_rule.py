"""The rule is what the cells were made with, to within their noise; its costs are the scores'."""

import math

import numpy as np
import pandas as pd
import pytest

from mnist_horizon.networks import REFERENCE_WIDTH, RULES
from mnist_horizon.tuning import Tuning, rule
from tests.mnist_horizon.tuning.small import small

RATES = tuple(1e-3 * 2 ** (i / 2) for i in range(16))
CHOICE = {
    "learning_rates": RATES,
    "decay_interactions": (0.0, 1e5),
    "entropy_coefs": (0.0, 0.1),
    "references": ("supervised", "exact"),
    "seeds": 3,
}
CURVATURE = 0.3
TRUTH = {"vpg": 0.02, "exact": 0.03, "supervised": 0.01}


def wide(**changes: object) -> Tuning:
    return small(CHOICE, widths=(4, 16, 64, 256), horizons=(1.0, 8.0, 32.0, 128.0), **changes)


def made(
    tuning: Tuning, width_rule: str, critical: float, noise: float, seed: int = 0
) -> pd.DataFrame:
    """Searches in which the score is quadratic in the log rate about a known rule's rate.

    A decay is better by 0.2, a bonus by 0.1; one rung with all candidates, and one with those
    within a factor 2 of the best.
    """
    random = np.random.default_rng(seed)
    rows = []
    for cell in tuning.cells:
        best = TRUTH[cell.algorithm] * RULES[width_rule](REFERENCE_WIDTH / cell.width)
        if cell.algorithm == "vpg":
            best *= (1 + (cell.horizon - 1) / critical) ** -0.5
        shared = noise * random.normal(size=3)
        for candidate in tuning.candidates(cell.algorithm):
            away = math.log(candidate.learning_rate / best)
            score = 10 + CURVATURE * away**2 - 0.2 * (candidate.decay_interactions > 0)
            score -= 0.1 * (candidate.entropy_coef > 0)
            for number in range(3):
                value = score + 3 * shared[number] + noise * random.normal()
                row = {**vars(cell), **vars(candidate), "seed": number, "kept": True}
                rows.append({**row, "rung": 0, "score": value + 1})
                if abs(away) < math.log(2.1):
                    rows.append({**row, "rung": 1, "score": value})
    return pd.DataFrame(rows)


@pytest.mark.parametrize("width_rule", rule.UNIFORM_RULES)
def test_the_rule_is_recovered_from_made_cells(width_rule: str) -> None:
    tuning = wide()
    found = rule.fit(tuning, made(tuning, width_rule, 20.0, noise=0.005))
    config = found["config"]
    assert config["optimizer.rule"] == width_rule
    assert config["optimizer.learning_rates"][0] == pytest.approx(0.02, rel=0.1)
    assert config["references.exact"][0] == pytest.approx(0.03, rel=0.15)
    assert config["references.supervised"][0] == pytest.approx(0.01, rel=0.15)
    assert config["optimizer.critical_horizon"] == pytest.approx(20, rel=0.4)
    assert (config["optimizer.decay_interactions"], config["entropy_coef"]) == (1e5, 0.1)
    # Rates are 1.4 apart, so each is off by up to half of log 1.4 = 0.35.
    assert found["spread"]["rms_log_rate"] < 0.2
    assert 0 <= found["spread"]["mean_cost"] < 0.03


def test_rates_that_do_not_fall_with_the_horizon_get_no_critical_horizon() -> None:
    tuning = wide()
    found = rule.fit(tuning, made(tuning, "constant", 1e9, noise=0.0))
    assert not 0 < found["config"]["optimizer.critical_horizon"] < 1e4


def test_the_free_exponent_of_the_width_tells_whether_the_rules_suffice() -> None:
    tuning = wide()
    found = rule.fit(tuning, made(tuning, "sqrt_width", 20.0, noise=0.005))["width_exponent"]
    assert found["p"] == pytest.approx(0.5, abs=3 * found["standard_error"] + 0.03)


def test_noise_makes_ties_and_the_rate_in_use_does_not_matter() -> None:
    tuning = wide(optimizer={"learning_rates": (1.0,)})
    quiet, noisy = (made(tuning, "constant", 1e9, noise) for noise in (0.0, 0.1))
    for (_, exact), (_, rows) in zip(
        quiet.groupby(rule.CELL), noisy.groupby(rule.CELL), strict=True
    ):
        best = rule.best_rate(rows, (1e5, 0.1))
        low, high = rule.best_rate(exact, (1e5, 0.1)).tied
        assert low == high
        assert best.tied[0] <= best.tied[1]
        assert best.rate < 0.1
    wide_ties = [rule.best_rate(rows, (1e5, 0.1)).tied for _, rows in noisy.groupby(rule.CELL)]
    assert sum(low < high for low, high in wide_ties) > len(wide_ties) / 2


def test_the_best_rate_is_interpolated_between_those_tried() -> None:
    for _, rows in made(wide(), "constant", 1e9, noise=0.0).groupby(rule.CELL):
        best = rule.best_rate(rows, (1e5, 0.1))
        assert best.rate == pytest.approx(TRUTH[best.cell.algorithm], rel=0.01)
        assert not best.at_edge


def test_the_cost_of_a_rate_is_its_score_above_the_best_also_where_it_was_dropped() -> None:
    """Rungs have scores of their own; a dropped rate is compared in the last rung it was in."""
    tuning = wide()
    table = made(tuning, "constant", 1e9, noise=0.0)
    rows = table[(table["algorithm"] == "exact") & (table["width"] == 4)]
    best = rule.best_rate(rows, (1e5, 0.1))
    tried = min(RATES, key=lambda rate: abs(math.log(rate / 0.03)))
    away = [math.log(rate / 0.03) ** 2 for rate in (tried, RATES[0])]
    assert best.cost(RATES[0]) == pytest.approx(CURVATURE * (away[1] - away[0]))
    assert best.cost(tried) == 0
    assert best.cost(2 * RATES[-1]) is None


def test_the_best_at_the_edge_of_what_was_tried_is_told() -> None:
    tuning = wide()
    table = made(tuning, "constant", 1e9, noise=0.0)
    table = table[table["learning_rate"] > 0.04]
    assert all(cell["at_edge"] for cell in rule.fit(tuning, table)["cells"])


def test_what_the_sweep_has_is_kept_where_the_noise_does_not_tell_it_from_the_best() -> None:
    own = {"optimizer": {"learning_rates": (0.02,), "decay_interactions": 0.0}}
    for noise, expected in ((0.001, (1e5, 0.1)), (20.0, (0.0, 0.0))):
        tuning = wide(**own, entropy_coef=0.0)
        table = made(tuning, "constant", 1e9, noise)
        assert rule.best_pair(tuning, table[table["algorithm"] == "vpg"]) == expected


def test_a_rule_reads_as_lines_of_a_config() -> None:
    fields = {"optimizer.learning_rates": [0.02], "optimizer.rule": "constant", "entropy_coef": 0.1}
    assert rule.config_lines({"config": fields}) == [
        "config.optimizer.learning_rates = (0.02,)",
        "config.optimizer.rule = 'constant'",
        "config.entropy_coef = 0.1",
    ]
