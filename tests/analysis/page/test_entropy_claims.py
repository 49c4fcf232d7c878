"""Sentences on the course of entropy follow the entries."""

from typing import Any

from analysis.page.entropy_claims import course_claims


def entry(
    best: str = "entropy_sqrt_kl", ratio: tuple[float, list[float]] = (1.1, [1.05, 1.2])
) -> dict[str, Any]:
    over = {"ratio": 2.0, "ratio_ci": [1.5, 2.6]}
    close = {"ratio": 1.2, "ratio_ci": [0.9, 1.6]}
    return {
        "entropy_sqrt_kl": 0.15,
        "entropy_sqrt_kl_ci": [0.13, 0.17],
        "kl_log": 0.1,
        "kl_log_ci": [0.08, 0.12],
        "entropy": {
            "best": best,
            "least": "entropy_sqrt_kl",
            "over_least": {
                "entropy_linear": over,
                "entropy_log": over if best != "undecided" else close,
            },
        },
        "kl": {
            "best": "undecided",
            "least": "kl_log",
            "over_least": {"kl_linear": over, "kl_sqrt": close},
        },
        "roughness_ratio": ratio[0],
        "roughness_ratio_ci": ratio[1],
    }


def test_the_best_form_is_said_with_its_rivals():
    entropy, kl, rough = course_claims(entry())
    assert entropy.text == (
        "Until entropy has fallen by 80%, the second half of the course of entropy is predicted "
        "best as linear in the square root of KL, with an error of 0.15 of its change; as linear "
        "in interactions it has 2 [1.5, 2.6] times that, as linear in their logarithm it has 2 "
        "[1.5, 2.6] times that."
    )
    assert (entropy.about, entropy.verdict) == ("entropy_course", "entropy_sqrt_kl")
    assert kl.text.endswith("undecided whether better than as linear in their square root.")
    assert not kl.decided
    assert rough.verdict == "more"


def test_undecided_forms_and_roughness_are_said_so():
    entropy, _, rough = course_claims(entry("undecided", (1.0, [0.9, 1.2])), "digits")
    assert entropy.text.startswith("digits: until entropy")
    assert entropy.text.endswith("undecided whether better than as linear in their logarithm.")
    assert rough.text.endswith("undecided which moves more.")
    *_, open_ = course_claims(entry(ratio=(1.0, [0.1, 12.0])))
    assert "not determined by these runs" in open_.text
    assert not open_.numbers
