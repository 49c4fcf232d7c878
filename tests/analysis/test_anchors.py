"""The calculator: multipliers, savings, C = F H K P^a, intervals, and what it refuses."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver

from analysis import anchors
from analysis.anchors import DENSE, MeasuredLaw
from mnist_horizon import theory
from mnist_horizon.errors import InputError
from mnist_horizon.schedules import make


@pytest.fixture(autouse=True)
def parsed_flags():
    flags.FLAGS.mark_as_parsed()
    with flagsaver.flagsaver(samples=4000):
        yield


def test_the_multiplier_is_1_at_h_1_and_2_at_the_knee():
    for law in (MeasuredLaw("affine", 15.0), MeasuredLaw("free power", 15.0, g=0.7)):
        np.testing.assert_allclose(law.multiplier(np.array([0.5, 1.0, 15.0])), [1, 1, 2])
    assert MeasuredLaw("affine", 15.0).multiplier(141.0) == pytest.approx(11.0)


def test_samples_have_the_ends_of_the_interval():
    law = MeasuredLaw("free power", 11.0, (6.0, 41.0), 0.8, (0.6, 1.2))
    drawn = law.sample(200_000, np.random.default_rng(0))
    np.testing.assert_allclose(np.quantile(drawn.knee, (0.025, 0.5, 0.975)), [6, 11, 41], rtol=0.03)
    np.testing.assert_allclose(
        np.quantile(drawn.g, (0.025, 0.5, 0.975)), [0.6, 0.8, 1.2], rtol=0.02
    )


def test_training_compute_by_hand():
    # F = 2, 10 steps of 3 seconds, K = 5, P^a = 100^0.5 = 10.
    found = anchors.training_compute(np.array(2.0), np.array(10.0), np.array(5.0), 100.0, 0.5, 3.0)
    assert found == 2 * 30 * 50


def test_the_published_ranges():
    assert anchors.RANGES == {"short": (1, 1e3), "medium": (1e3, 1e6), "long": (1e6, 1e9)}
    drawn = anchors.log_uniform(1.0, 1e3, np.random.default_rng(0))
    np.testing.assert_allclose(
        np.log10(np.quantile(drawn, (0.1, 0.5, 0.9))), [0.3, 1.5, 2.7], atol=0.1
    )


def test_dense_rewards_have_factor_1():
    horizons = np.array([1.0, 10.0])
    np.testing.assert_array_equal(
        anchors.schedule_factor(DENSE, horizons, np.array(15.0), 0.5, 1.0), [1.0, 1.0]
    )


@pytest.mark.parametrize("text", ["revealed", "periodic"])
def test_the_factor_of_a_schedule_is_the_theorys(text):
    schedule = make(text, {"revealed": 0.25, "periodic": 8.0}[text])
    moments = theory.moments_from_ratio(1.0, 0.5, 1e-9)
    batch = 3e9
    knee = theory.knee(moments, batch)
    for horizon in (1.0, 31.0):
        expected = theory.scaling_multiplier(schedule, horizon, moments, batch)
        expected /= theory.scaling_multiplier(DENSE, horizon, moments, batch)
        found = anchors.schedule_factor(schedule, np.array(horizon), np.array(knee), 0.5, 1.0)
        assert found == pytest.approx(expected, rel=1e-6)
        assert found > 1


def test_a_knee_shorter_than_the_theory_allows_is_refused():
    with pytest.raises(InputError, match="puts the knee at"):
        anchors.schedule_factor(make("revealed", 0.5), np.array(9.0), np.array(2.0), 0.5, 1.0)
    with pytest.raises(InputError, match="--variance_ratio"):
        anchors.schedule_factor(make("revealed", 0.5), np.array(9.0), np.array(20.0), 0.5, 3.0)


def law(threshold: float, **changes: Any) -> dict[str, Any]:
    return {
        "group": {"task": "digits", "schedule": "dense", "schedule_level": 1.0},
        "threshold": threshold,
        "regressor": "h-1",
        "knee": 21.0,
        "knee_ci": [16.0, 31.0],
        "free_power": {"g": 0.9, "g_ci": [0.8, 1.0], "knee": 20.0, "knee_ci": [15.0, 30.0]},
        "measured": [1.0, 127.0],
        "runs": 10,
        "censored": 0,
        **changes,
    }


@pytest.fixture
def fits(tmp_path) -> Path:
    path = tmp_path / "fits.json"
    shrinking = law(0.5, knee=None, knee_ci=[None, None], b=-3.0, b_ci=[-5.0, -2.0])
    path.write_text(json.dumps({"horizon_law": [shrinking, law(0.7)]}))
    return path


def run(capsys: pytest.CaptureFixture[str], **given: Any) -> str:
    with flagsaver.flagsaver(**given):
        anchors.main(["anchors"])
    return capsys.readouterr().out


ALL = {"flop_per_second": "1e15", "data_coefficient": "10", "parameters": 1e12}


def test_a_report_gives_both_laws(fits, capsys):
    text = run(capsys, fits=str(fits), horizons=["21", "201"], **ALL)
    assert "Law: digits, dense, all widths, return 0.7" in text
    assert "affine: knee 21 [16, 31]" in text
    assert "free power: knee 20 [15, 30], g 0.9 [0.8, 1]" in text
    (at_knee,) = [line for line in text.splitlines() if line.startswith("21 ")]
    assert at_knee.split()[1] == "2"
    (far,) = [line for line in text.splitlines() if line.startswith("201 ")]
    assert far.split()[1] == "11"
    assert re.search(r"It was measured up to h = 127\.", text)
    assert "It does not cover credit assignment through states" in text


@pytest.mark.parametrize(
    ("free", "says"),
    [
        ({"g_ci": [0.4, None], "needs": {"g": "longer horizons than 127"}}, "its g is"),
        ({"g_ci": [0.2, 2.5], "needs": {"g": "longer horizons than 127"}}, "its g is"),
        ({"knee_ci": [2.0, 31.0], "needs": {"knee": "longer horizons than 127"}}, "its knee is"),
    ],
)
def test_a_free_power_that_is_not_determined_is_left_out(tmp_path, capsys, free, says):
    path = tmp_path / "fits.json"
    free = law(0.7)["free_power"] | free
    path.write_text(json.dumps({"horizon_law": [law(0.7, free_power=free)]}))
    text = run(capsys, fits=str(path), **ALL)
    assert f"no free power, {says} not determined by these runs (needed: longer" in text
    assert "free power: knee" not in text


@pytest.mark.parametrize(
    "change",
    [
        {"knee_ci": [16.0, None]},
        {"knee_ci": [5.0, 51.0]},
        {"knee_ci": None},
        {"knee": None, "knee_ci": [None, None], "b": -1.0, "b_ci": [-3.0, 1.0]},
        {"determined": {"knee": False}},
    ],
)
def test_a_knee_that_is_not_determined_is_refused(tmp_path, change):
    path = tmp_path / "fits.json"
    change |= {"needs": {"knee": "about 9 seeds instead of 4, at this spread"}}
    path.write_text(json.dumps({"horizon_law": [law(0.7, free_power={}, **change)]}))
    says = r"knee at a return of 0\.7 is not determined by these runs \(needed: about 9 seeds"
    with pytest.raises(InputError, match=says) as error:
        anchors.measured_laws(path, 0.7)
    assert "\n" not in str(error.value)


def test_a_free_power_is_taken_where_the_affine_law_is_not_shown(tmp_path):
    path = tmp_path / "fits.json"
    path.write_text(json.dumps({"horizon_law": [law(0.7, determined={"knee": False})]}))
    laws, name, _ = anchors.measured_laws(path, 0.7)
    assert [one.name for one in laws] == ["free power"]
    assert "no affine law" in name


def test_a_multiplier_that_spans_a_factor_10_is_not_printed(capsys):
    given = {"knee": 15.0, "knee_ci": ["3", "200"], "horizons": ["2", "1000"]}
    near, far = (
        line for line in run(capsys, **given, **ALL).splitlines() if line[:5] in ("2    ", "1,000")
    )
    assert near.split()[1] == "1.07"
    assert far.count("not determined by these runs") == 2


def test_compute_by_a_law_that_does_not_reach_so_far_is_not_printed(tmp_path, capsys):
    """The free power is determined up to h = 1e3, and by far not up to 1e9; the affine law is."""
    path = tmp_path / "fits.json"
    path.write_text(json.dumps({"horizon_law": [law(0.7)]}))
    text = run(capsys, fits=str(path), **ALL)
    rows = [re.split(r"\s{2,}", line) for line in text.splitlines() if " to " in line]
    short, long = (next(row for row in rows if row[0].startswith(name)) for name in ("sh", "lo"))
    assert "not determined by these runs" not in short
    assert long[4:] == ["not determined by these runs"] * 2
    assert "not determined by these runs" not in long[:4]


def test_the_proportional_rule_is_that_of_the_anchors(capsys):
    text = run(capsys, knee=2.0, **ALL)
    # With the knee at 2 the law is proportional: nothing is saved. C = 1e15 H 10 (1e12)^0.8.
    (row,) = [line for line in text.splitlines() if line.startswith("medium")]
    cells = re.split(r"\s{2,}", row)
    assert cells[-1] == "1 [1, 1]"
    middle = 1e15 * 10 * 1e12**0.8 * 10**4.5
    assert float(cells[1].split()[0]) == pytest.approx(middle, rel=0.15)


def test_the_same_seed_gives_the_same_numbers(capsys):
    given = {"knee": 15.0, "knee_ci": ["10", "30"], **ALL, "data_coefficient": "1:100"}
    first, second = run(capsys, **given), run(capsys, **given)
    assert first == second
    assert first != run(capsys, seed=1, **given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"knee": 15.0, **ALL, "data_coefficient": None}, r"data_coefficient \(K\) is needed"),
        ({"knee": 15.0, **ALL, "flop_per_second": None}, r"flop_per_second \(F\) is needed"),
        ({"knee": 15.0, **ALL, "parameters": None}, r"parameters \(P\) is needed"),
        ({"knee": 15.0, **ALL, "data_coefficient": "ten"}, "'ten' is not a number"),
        ({"knee": 15.0, **ALL, "data_coefficient": "9:1"}, "positive number or low:high"),
        ({"knee": 1.0, **ALL}, "a knee is a horizon above 1"),
        ({"knee": 15.0, "knee_ci": ["20", "30"], **ALL}, "low,high about the knee"),
        ({**ALL}, "give one of --fits"),
        ({"knee": float("inf"), **ALL}, "a knee is a horizon above 1"),
        ({"knee": 15.0, "knee_ci": ["5", "inf"], **ALL}, "inf is not a finite number"),
        ({"knee": 15.0, "horizons": ["0.5"], **ALL}, "each at least 1"),
        ({"knee": 15.0, "horizons": [], **ALL}, "each at least 1"),
        ({"knee": 15.0, "horizons": ["nan"], **ALL}, "nan is not a finite number"),
        ({"knee": 15.0, **ALL, "parameters": -1.0}, "--P=-1: give a finite number above 0"),
        ({"knee": 15.0, **ALL, "data_exponent": float("nan")}, "--a=nan: give a finite number"),
        ({"knee": 15.0, "schedule": "sometimes", **ALL}, "unknown schedule 'sometimes'"),
        ({"knee": 15.0, "schedule": "periodic:4", **ALL}, "needs --accuracy"),
        ({"fits": "/nowhere/fits.json", **ALL}, "cannot be read as a fits.json"),
    ],
)
def test_what_is_wrong_is_one_line(given, message):
    with flagsaver.flagsaver(**given), pytest.raises(InputError, match=message) as error:
        anchors.main(["anchors"])
    assert "\n" not in str(error.value)


def test_a_threshold_without_a_law_or_a_knee_is_refused(fits):
    with pytest.raises(InputError, match=r"no horizon law there; it has 0\.5, 0\.7"):
        anchors.measured_laws(fits, 0.85)
    with pytest.raises(InputError, match="do not grow"):
        anchors.measured_laws(fits, 0.5)


def test_the_theory_of_a_schedule_starts_from_a_law_of_dense_rewards(tmp_path):
    """Also where another schedule has more runs: its sparsity would count twice."""
    groups = {"dense": ("dense", 1.0), "sparse": ("revealed", 0.1)}
    groups = {
        name: {"task": "digits", "schedule": kind, "schedule_level": level}
        for name, (kind, level) in groups.items()
    }
    path = tmp_path / "fits.json"
    dense = law(0.7, group=groups["dense"], runs=12, knee=10.0)
    sparse = law(0.7, group=groups["sparse"], runs=16, knee=5.0)
    for entries in ([dense, sparse], [sparse, dense]):
        path.write_text(json.dumps({"horizon_law": entries}))
        assert anchors.measured_laws(path, 0.7)[0][0].knee == 10.0
    path.write_text(json.dumps({"horizon_law": [sparse]}))
    with pytest.raises(InputError, match="no horizon law there; it has none"):
        anchors.measured_laws(path, 0.7)


def test_of_several_families_the_laws_are_of_one(tmp_path):
    """MNIST to 0.5 and digits to 0.7: a threshold that the larger family lacks is refused."""
    group = {"task": "mnist", "schedule": "dense", "schedule_level": 1.0}
    path = tmp_path / "fits.json"
    path.write_text(json.dumps({"horizon_law": [law(0.7), law(0.5, group=group, runs=30)]}))
    laws, name, _ = anchors.measured_laws(path, 0.5)
    assert name.startswith("mnist, dense")
    assert laws[0].knee == 21.0
    with pytest.raises(InputError, match=r"no horizon law there; it has 0\.5$"):
        anchors.measured_laws(path, 0.7)


@pytest.mark.parametrize(
    "change",
    [
        {"group": 3},
        {"knee": "15"},
        {"knee": 0.5, "knee_ci": [0.1, 0.9]},
        {"knee_ci": [1, 2, 3]},
        {"knee_ci": [31.0, 16.0]},
        {"free_power": [1]},
        {"free_power": {"determined": {"g": True, "knee": True}}},
        {"measured": []},
        {"determined": 3},
        {"knee": float("inf")},
    ],
)
def test_a_file_of_others_is_one_line(tmp_path, change):
    path = tmp_path / "fits.json"
    path.write_text(json.dumps({"horizon_law": [law(0.7, **change)]}))
    with pytest.raises(InputError, match=r"fits\.json") as error:
        anchors.measured_laws(path, 0.7)
    assert "\n" not in str(error.value)
