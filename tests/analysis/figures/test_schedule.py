import numpy as np
import pandas as pd
import pytest

from analysis.figures import factors as factor_figures
from analysis.figures import schedule as schedule_figures
from analysis.laws.best_horizon import best_horizons
from analysis.laws.factors import size_exponents, task_laws, with_rate_of_shortest_horizon
from analysis.laws.horizon import fit_horizon_laws
from analysis.laws.schedule import fit_joint_laws
from analysis.page.factors import add_factors, coefficients_before_rule, joint_claims, size_claims
from tests.analysis.sparse_runs import HORIZONS, crossings, theta

TRUTH = theta(s_min=40.0, noise_scale=60.0, share=0.5, accuracy=0.4)
SCHEDULES = ("dense", "revealed:0.25", "periodic:4", "periodic:16", "streak:2")


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    return crossings(TRUTH, rng, schedules=SCHEDULES, budget=90_000, streak_costs=2.0)


@pytest.fixture(scope="module")
def laws(table):
    return fit_joint_laws(table)[0]


@pytest.fixture(scope="module")
def best(laws):
    return best_horizons(laws[0])[0]


def drawn(figure, gid):
    return [
        artist for axis in figure.axes for artist in axis.get_children() if artist.get_gid() == gid
    ]


def test_heat_map_shows_each_cell_and_hatches_the_censored(table, laws):
    figure, numbers = schedule_figures.interactions_heat_map(laws)
    assert len(numbers) == len(SCHEDULES) * len(HORIZONS)
    cell = numbers[(numbers["schedule"] == "dense") & (numbers["horizon"] == 7)].iloc[0]
    runs = table[(table["schedule"] == "dense") & (table["horizon"] == 7)]
    assert cell["interactions"] == pytest.approx(np.exp(np.log(runs["interactions"]).mean()))
    assert len(drawn(figure, "censored")) == numbers["censored"].sum() > 0


def test_delays_are_drawn_with_their_law_and_best_horizon(laws, best):
    figure, numbers = schedule_figures.interactions_by_delay(laws, best)
    assert len(drawn(figure, "law")) == 3
    stars = drawn(figure, "best")
    assert [float(star.get_xdata()[0]) for star in stars] == [one.measured for one in best]
    assert set(numbers["what"]) == {"measured", "law"}


def test_best_horizons_are_those_of_the_truth(best):
    for one, truth in zip(best, (6.28, 25.4), strict=True):
        assert one.predicted == pytest.approx(truth, rel=0.05)
        assert one.measured == pytest.approx(truth, rel=0.3)
        assert one.measured_ci[0] < one.measured < one.measured_ci[1]


def test_a_best_horizon_at_the_edge_is_said_to_be_there():
    short = crossings(TRUTH, np.random.default_rng(0), schedules=("dense", "periodic:16"))
    short = short[short["horizon"] <= 15]
    [law], _ = fit_joint_laws(short, departures=False)
    [one], _ = best_horizons(law)
    assert (one.edge, one.measured, one.measured_ci) == ("longest", 15.0, None)
    entry = {**law.to_json(), "best_horizons": [one.to_json()]}
    claim = joint_claims(entry)[-1]
    assert not claim.decided
    assert "may lie beyond" in claim.text
    _, numbers = schedule_figures.best_horizon_against_delay([law], [one])
    assert numbers["edge"].tolist() == ["longest"]


def test_collapse_puts_additive_schedules_on_the_line_and_streaks_above(laws):
    _, numbers = schedule_figures.collapse(laws)
    seen = numbers[~numbers["censored"]]
    gap = np.log(seen["interactions"] / (seen["s_min"] * seen["batch_and_noise"]))
    assert gap[seen["kind"] != "streak"].abs().max() < 0.25
    assert gap[seen["kind"] == "streak"].mean() == pytest.approx(np.log(2), abs=0.2)


def test_departures_are_those_of_the_laws(laws):
    _, numbers = schedule_figures.departures(laws)
    assert numbers["ratio"].tolist() == [one.ratio for one in laws[0].departures]


def test_claims_say_which_prediction_fails(laws, best):
    entry = {**laws[0].to_json(), "best_horizons": [one.to_json() for one in best]}
    texts = {claim.text.split(" ")[0]: claim.text for claim in joint_claims(entry)}
    assert "the prediction fails" in texts["streak:2"]
    assert "at h = " in texts["periodic:16"]


def test_size_exponents_see_a_schedule_of_its_own_exponent():
    rng = np.random.default_rng
    wide = theta(s_min=20.0, noise_scale=60.0, share=0.5, accuracy=0.4)
    table = pd.concat(
        [
            crossings(TRUTH, rng(0), schedules=SCHEDULES, width=16),
            crossings(wide, rng(1), schedules=SCHEDULES, width=64, streak_costs=2.0),
        ]
    )
    rows = size_exponents(table).set_index("schedule")
    # Four times the parameters need half the interactions: an exponent of 1/2, streaks of 0.
    assert rows.loc["dense", "exponent"] == pytest.approx(0.5, abs=0.15)
    assert rows.loc["periodic:4", "change"] == pytest.approx(0, abs=0.1)
    assert rows.loc["streak:2", "change"] == pytest.approx(-0.5, abs=0.1)
    claims = size_claims(rows.reset_index().to_dict("records"))
    assert [claim.text for claim in claims if "the exponent changes" in claim.text] != []
    _, numbers = factor_figures.size_exponent_by_schedule(rows.reset_index())
    assert len(numbers) == len(SCHEDULES)


def test_one_rate_for_all_horizons_is_that_of_the_shortest():
    rng = np.random.default_rng(0)
    slow = crossings(TRUTH, rng, schedules=("dense",)).assign(learning_rate=0.1)
    fast = slow.assign(
        learning_rate=0.2,
        run_id=slow["run_id"] + "-fast",
        interactions=slow["interactions"] * np.where(slow["horizon"] == 1, 0.5, 3.0),
    )
    kept = with_rate_of_shortest_horizon(pd.concat([slow, fast], ignore_index=True))
    assert kept["learning_rate"].unique().tolist() == [0.2]
    assert len(kept) == len(slow)


@pytest.mark.slow
def test_tasks_and_optimisers_are_compared_in_the_report(tmp_path):
    rng = np.random.default_rng
    one = crossings(TRUTH, rng(0), schedules=("dense",)).assign(task="one")
    noisier = TRUTH + np.array([0, 1.0, 0, 0])
    two = crossings(noisier, rng(1), schedules=("dense",)).assign(task="two")
    other = crossings(TRUTH, rng(2), schedules=("dense",)).assign(task="one", optimizer="sgd")
    other["run_id"] += "-sgd"
    table = pd.concat([one, two, other], ignore_index=True)
    laws = fit_horizon_laws(pd.concat([one, two]), profiles=False).entries
    knees = {name: found[0].knee for name, found in task_laws(laws).items()}
    assert knees["two"] < knees["one"]
    found = add_factors(table, table, laws, [], pd.DataFrame(), tmp_path)
    assert [section.label for section in found.sections] == [
        "The optimiser as a factor",
        "The task as a factor",
    ]
    assert (tmp_path / "multiplier_by_task.csv").exists()
    written = pd.read_csv(tmp_path / "multiplier_by_task.csv")
    drawn_knees = written[written["what"] == "knee"].set_index("name")["knee"]
    assert drawn_knees.to_dict() == pytest.approx(knees)


@pytest.mark.parametrize("name", ["entropy_coef", "kl_coef"])
def test_a_coefficient_by_rule_is_read_as_it_was_set(name):
    frame = pd.DataFrame(
        {
            "task": "one",
            "schedule": ["dense", "periodic", "periodic", "streak"],
            name: [0.1, 0.05, 0.02, 0.07],
        }
    )
    assert coefficients_before_rule(frame)[name].tolist() == [0.1] * 4
    alone = frame[frame["schedule"] == "periodic"]
    assert coefficients_before_rule(alone)[name].tolist() == [0.05, 0.02]
