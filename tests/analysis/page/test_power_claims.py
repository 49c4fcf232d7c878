"""Sentences of the power law follow the numbers of the fits, and say what is undecided."""

import re

import numpy as np
import pytest

from analysis.page import power_claims


@pytest.mark.parametrize(
    ("aicc", "verdict", "sentence", "decided"),
    [
        (
            {"shared": 1.0, "free": 9.0},
            "shared",
            "best where only the coefficient.*does not show that there is none",
            False,
        ),
        ({"shared": 9.0, "free": 1.0}, "free", "best where everything changes", True),
        ({"shared": 2.0, "free": 1.0}, "undecided", "Undecided between", False),
        ({"shared": None, "free": 1.0}, "undecided", "too few runs", False),
    ],
)
def test_the_claim_on_exponents_follows_aicc(aicc, verdict, sentence, decided):
    numbers = {"alpha_n": 0.5, "alpha_e": 0.4}
    e_c = [{"horizon": h, "e_c": float(h), "e_c_ci": [0.5 * h, 2.0 * h]} for h in (1, 31)]
    intervals = {f"{name}_ci": [0.3, 0.6] for name in numbers}
    entry = {"joint": True, "aicc": aicc, "verdict": verdict, "e_c_by_horizon": e_c}
    shared, ratio = power_claims.power_law_claims([{**numbers, **intervals, **entry}])
    assert re.search(sentence, shared.text)
    assert shared.decided is decided
    assert "E_c at h = 31 is 31 times that at h = 1" in ratio.text


@pytest.mark.parametrize(
    ("ends", "decided"),
    [([0.3, 0.6], True), ([2e-6, 50.0], False), ([None, 0.6], False), (None, False)],
)
def test_an_exponent_that_is_not_pinned_is_open(ends, decided):
    entry = {"group": {"horizon": 7.0}, "alpha_n": 0.5, "alpha_n_ci": [0.4, 0.6], "alpha_e": 0.4}
    entry |= {"optimal_size_exponent": 0.4, "optimal_size_exponent_ci": [0.3, 0.5]}
    (claim,) = power_claims.power_law_claims([{**entry, "alpha_e_ci": ends}])
    assert claim.decided is decided


def test_the_power_law_is_told_at_the_shortest_and_the_longest_horizon():
    ends = {f"{name}_ci": [0.4, 0.6] for name in ("alpha_n", "alpha_e", "optimal_size_exponent")}
    numbers = {"alpha_n": 0.5, "alpha_e": 0.5, "optimal_size_exponent": 0.5, **ends}
    entries = [{"group": {"horizon": h}, **numbers} for h in (7.0, 31.0, 1.0)]
    found = [claim.text for claim in power_claims.power_law_claims(entries)]
    assert [re.match(r"At h = (\d+)", text)[1] for text in found] == ["1", "31"]
    assert np.all([claim.decided for claim in power_claims.power_law_claims(entries)])
