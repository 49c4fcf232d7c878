"""The course of entropy: the form that was put in predicts best; noise is measured."""

import numpy as np
import pytest

from analysis.laws.entropy_course import (
    ENTROPY_FORMS,
    FALLEN,
    EntropyCourse,
    course_of,
    fit_entropy_courses,
)
from tests.analysis.entropy_runs import entropy_runs, linear, logarithmic


def fitted(*args, **settings) -> EntropyCourse:
    (law,) = fit_entropy_courses(entropy_runs(*args, **settings)).entries
    return law


def test_a_straight_fall_is_linear_in_interactions() -> None:
    law = fitted(linear, np.random.default_rng(0), kl_noise=0.05)
    assert law.verdict(ENTROPY_FORMS) == "entropy_linear"
    one = law.quantities["entropy_linear"]
    assert one.value < 0.01
    assert law.quantities["entropy_log"].value > 10 * one.value


def test_entropy_that_follows_kl_is_linear_in_its_root() -> None:
    law = fitted(logarithmic, np.random.default_rng(0), kl_noise=1e-4, noise=1e-4)
    assert law.verdict(ENTROPY_FORMS) == "entropy_sqrt_kl"
    entry = law.to_json()
    assert entry["entropy"]["best"] == "entropy_sqrt_kl"
    low, high = entry["entropy"]["over_least"]["entropy_linear"]["ratio_ci"]
    assert 1 < low < high


@pytest.mark.parametrize("factor", [3.0, 1.0])
def test_the_roughness_is_that_of_the_noise(factor: float) -> None:
    # Changes are 0.8 of 2.07 nats of entropy, and of KL about 1.5: noise in units of each.
    law = fitted(linear, np.random.default_rng(1), noise=0.01 * factor, kl_noise=0.01)
    one = law.quantities["roughness_ratio"]
    courses = law.courses
    changes = [np.ptp(c.kl) / np.ptp(c.entropy) for c in courses]
    assert one.value == pytest.approx(factor * np.mean(changes), rel=0.25)


def test_a_course_ends_where_entropy_has_fallen() -> None:
    frame = entropy_runs(linear, np.random.default_rng(0), noise=0.0)
    course = course_of(frame[frame["run_id"] == "h1-s0"])
    assert course is not None
    fallen = (course.entropy[0] - course.entropy[-1]) / (2.3 * 0.9)
    assert FALLEN - 0.02 < fallen < FALLEN + 0.15
    assert course.seen.sum() > 5
    assert course.ends[course.seen].max() <= course.ends[-1] / 2


def test_entropy_that_does_not_fall_has_no_course() -> None:
    frame = entropy_runs(lambda share: np.ones_like(share), np.random.default_rng(0))
    assert not fit_entropy_courses(frame).entries
    assert not fit_entropy_courses(frame.drop(columns="entropy")).entries
    few = entropy_runs(linear, np.random.default_rng(0))
    assert course_of(few[few["run_id"] == "h1-s0"].tail(6)) is None
