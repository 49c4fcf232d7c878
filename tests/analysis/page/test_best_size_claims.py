"""Sentences on measured best sizes follow the entries and state no exponent that is open."""

from typing import Any

from analysis.page.best_size_claims import best_size_answer, best_size_claims


def entry(
    exponent: float, half: float, horizon: float = 1.0, algorithm: str = "vpg"
) -> dict[str, Any]:
    return {
        "group": {"algorithm": algorithm, "horizon": horizon},
        "optimal_size_exponent": exponent,
        "optimal_size_exponent_ci": [exponent - half, exponent + half],
        "return_mean": [0.5, 0.96],
        "compute": [1e8, 1e11],
        "alpha_n": 0.9,
        "alpha_n_ci": [0.8, 1.0],
        "alpha_e": 0.4,
        "alpha_e_ci": [0.3, 0.5],
        "determined": {"optimal_size_exponent": half < exponent, "alpha_n": algorithm == "vpg"},
        "needs": {} if half < exponent else {"optimal_size_exponent": "longer runs"},
    }


ENTRIES = [entry(0.27, 0.05), entry(0.3, 0.4, 128.0), entry(0.28, 0.04, algorithm="supervised")]


def test_each_determined_exponent_is_said_and_the_others_together():
    first, reference, open_ = best_size_claims(ENTRIES)
    assert first.text == (
        "At h = 1 the best size grows as the least compute to the power 0.27 [0.22, 0.32]: over a "
        "factor 1,000 in compute, to returns of 0.50 to 0.96. With the curvature of compute about "
        "the best size, alpha_N = 0.9 [0.8, 1] and alpha_E = 0.4 [0.3, 0.5]."
    )
    assert first.numbers["alpha_e"] == (0.4, [0.3, 0.5])
    assert "alpha" not in reference.text
    assert reference.text.startswith("For supervised the best size")
    assert open_.text == (
        "How the best size grows with compute is not determined at h = 128 (needed: longer runs)."
    )
    assert [one.decided for one in (first, reference, open_)] == [True, True, False]


def test_the_answer_lists_what_is_determined():
    answer = best_size_answer(ENTRIES)
    assert answer is not None
    assert "0.27 [0.22, 0.32] at h = 1 and 0.28 [0.24, 0.32] for supervised" in answer.text
    assert "0.3" not in answer.text.replace("0.32", "")
    assert best_size_answer([ENTRIES[1]]) is None
