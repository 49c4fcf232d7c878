"""What the page says in worlds of known truth; the worlds and the judge are in `tests/worlds`."""

import math

import numpy as np
import pytest

from analysis.data import interactions_to_threshold
from analysis.page.claims import Claim
from tests.launch import commands
from tests.worlds import draws as drawing
from tests.worlds.draws import Draw, all_draws, count, draw, format_table
from tests.worlds.judge import SENTENCES, judge
from tests.worlds.truth import Growth, Sizes, Truth
from tests.worlds.worlds import SIZES, WORLDS, SpoiltPowerLaw


def power(knee: float, g: float = 1.0, longest: float = 63.0) -> Growth:
    return Growth(lambda h: 1 + ((h - 1) / (knee - 1)) ** g, longest, g)


AFFINE = Truth(power(15))
NEAR_ONE = Truth(power(15, 0.85))
CONCAVE = Truth(power(15, 0.6))
PROPORTIONAL = Truth(power(2))
FLAT = Truth(power(math.inf))
U_SHAPE = Truth(Growth(lambda h: 1 + np.log(h / 6) ** 2, 63.0))
THEORY = Truth(U_SHAPE.growth, by_theory=True)
JUMP = Truth(Growth(lambda h: np.where(h < 20, 1.0, 3.0), 63.0))
FALLEN = Truth(power(15), fell_back=10)
SHARED = Truth(power(12), Sizes(0.55, {1.0: 0.42, 31.0: 0.42}, 3.7))
DRIFT = Truth(None, Sizes(0.55, {1.0: 0.42, 31.0: 0.25}, None))
OFF = Truth(power(12), Sizes(0.55, {1.0: 0.42}, 3.7, off_width=256, off_factor=1.3))
PLATEAU = Truth(power(12), Sizes(0.55, {1.0: 0.42}, 3.7, plateau=True))


def said(about: str, verdict: str = "", **numbers: object) -> Claim:
    """A decided claim; a number without an interval is given alone."""
    pairs = {name: n if isinstance(n, tuple) else (n, None) for name, n in numbers.items()}
    return Claim("as said", True, about, verdict, pairs)


@pytest.mark.parametrize(
    ("claim", "true_in", "false_in"),
    [
        (said("cost", "more"), [AFFINE, CONCAVE, JUMP], [FLAT, U_SHAPE]),
        (said("cost", "less"), [], [AFFINE, FLAT, U_SHAPE]),
        (said("form", "affine"), [AFFINE, NEAR_ONE], [CONCAVE, PROPORTIONAL, U_SHAPE, JUMP]),
        (said("form", "proportional"), [PROPORTIONAL], [AFFINE, FLAT, U_SHAPE]),
        (said("form", "free"), [CONCAVE, NEAR_ONE], [AFFINE, U_SHAPE, JUMP]),
        (said("form", "refused"), [U_SHAPE, JUMP], [AFFINE, CONCAVE, FLAT]),
        (said("exponent", "one"), [AFFINE, NEAR_ONE], [CONCAVE, U_SHAPE]),
        (said("exponent", "below"), [CONCAVE], [AFFINE, U_SHAPE, JUMP]),
        (said("exponent", "above"), [Truth(power(15, 1.4))], [AFFINE, U_SHAPE]),
        (said("misfit", "misfit"), [U_SHAPE, OFF, PLATEAU, DRIFT], [AFFINE, SHARED, FLAT]),
        (said("misfit", "none"), [AFFINE, SHARED], [U_SHAPE, OFF, DRIFT]),
        (said("fell_back", "some", fell_back=9), [FALLEN], [AFFINE]),
        (said("fell_back", "some", fell_back=7), [], [FALLEN, AFFINE]),
        (said("fell_back", "none"), [AFFINE], [FALLEN]),
        (said("best_horizon", "inside"), [THEORY, U_SHAPE], [FLAT]),
        (said("knee", "beyond"), [FLAT, Truth(power(100, 1.0))], [AFFINE, CONCAVE]),
        (said("misfit", "affine"), [CONCAVE, U_SHAPE], [AFFINE, PROPORTIONAL]),
        (said("misfit", "theory"), [U_SHAPE], [THEORY]),
        (said("exponent_change", "changes"), [DRIFT], [SHARED, OFF]),
        (said("exponent_change", "none"), [SHARED, OFF], [DRIFT]),
        (said("best_size_equal_over_horizons", "equal"), [SHARED], [DRIFT]),
        (said("best_size_equal_over_horizons", "differ"), [DRIFT], [SHARED]),
        (said("ratio_by_size", "same"), [SHARED], []),
        (said("ratio_by_size", "grows"), [], [SHARED, OFF]),
        (said("ratio_by_size", "falls"), [], [SHARED, OFF]),
        (said("off_law", "off", width=256, factor=1.25), [OFF], [SHARED, AFFINE]),
        (said("off_law", "off", width=256, factor=2.0), [], [OFF]),
        (said("off_law", "off", width=4, factor=1.3), [], [OFF]),
        (said("off_law", "none"), [SHARED, DRIFT], [OFF]),
        (said("plateau", "seen"), [PLATEAU], [SHARED, AFFINE]),
        (said("plateau", "none"), [SHARED], [PLATEAU]),
    ],
    ids=lambda one: f"{one.about}-{one.verdict}" if isinstance(one, Claim) else "",
)
def test_sentences_are_judged_by_the_truth(claim, true_in, false_in):
    assert [judge(claim, truth).sentence for truth in true_in] == [True] * len(true_in)
    assert [judge(claim, truth).sentence for truth in false_in] == [False] * len(false_in)


def test_every_sentence_rule_is_tested():
    (mark,) = test_sentences_are_judged_by_the_truth.pytestmark
    tested = {claim.about for claim, *_ in mark.args[1]}
    assert set(SENTENCES) - tested == set()


@pytest.mark.parametrize(
    ("truth", "about", "number", "true"),
    [
        (AFFINE, "cost", "multiplier", 1 + 62 / 14),
        (AFFINE, "knee", "knee", 15),
        (CONCAVE, "knee", "knee", 15),
        (JUMP, "knee", "knee", 20),
        (CONCAVE, "exponent", "g", 0.6),
        (U_SHAPE, "best_horizon", "best_horizon", 6),
        (THEORY, "best_horizon", "predicted", 6),
        (AFFINE, "best_horizon", "best_horizon", 1),
        (SHARED, "exponents", "alpha_n", 0.55),
        (SHARED, "exponents", "alpha_e", 0.42),
        (SHARED, "exponents", "optimal_size_exponent", 0.42 / 0.97),
        (SHARED, "e_c", "e_c_growth", 3.7),
        (OFF, "off_law", "factor", 1.3),
    ],
)
def test_intervals_hold_or_miss_the_true_number(truth, about, number, true):
    for ends, holds in (
        ([0.99 * true, 1.01 * true], True),
        ([1.02 * true, 1.1 * true], False),
        ([0.9 * true, 0.98 * true], False),
        ([None, 1.1 * true], True),
        ([1.1 * true, None], False),
    ):
        claim = said(about, "", **{number: (1.0, ends)})
        assert judge(claim, truth).intervals == {number: holds}


def test_numbers_are_those_of_the_horizon_that_the_claim_names():
    at = {"alpha_e": (0.25, [0.24, 0.26]), "optimal_size_exponent": (0.3, [0.3, 0.32])}
    long, short = (judge(said("exponents", horizon=h, **at), DRIFT) for h in (31.0, 1.0))
    assert set(long.intervals.values()) == {True}
    assert set(short.intervals.values()) == {False}
    cost = said("cost", "more", horizon=29.0, multiplier=(3.0, [2.9, 3.1]))
    assert judge(cost, AFFINE).intervals == {"multiplier": True}


@pytest.mark.parametrize(
    ("claim", "truth"),
    [
        (said("knee", knee=(9.0, [8.0, 10.0])), FLAT),
        (said("knee", knee=(9.0, None)), U_SHAPE),
        (said("exponent", "undecided", g=(0.5, [0.4, 0.6])), JUMP),
        (said("exponent", "one", g=(1.0, [0.9, 1.1])), FLAT),
        (said("best_horizon", measured=(3.0, [1.0, 63.0])), FLAT),
        (said("exponents", alpha_e=(0.3, [0.2, 0.4])), DRIFT),
    ],
)
def test_to_state_a_number_that_does_not_exist_is_false(claim, truth):
    assert judge(claim, truth).sentence is False


def test_what_is_not_judged_is_named():
    known = said("cost", "more", b=(3.0, [2.0, 4.0]))
    assert judge(known, AFFINE).unjudged == ("b",)
    unheard = judge(said("weather", "fine", rain=(1.0, [0.0, 2.0])), AFFINE)
    assert not unheard.is_judged
    assert unheard.unjudged == ("rain",)
    assert judge(said("cost", "sideways"), AFFINE).sentence is None
    assert judge(said("cost", "more", multiplier=(2.0, [1.0, 3.0])), DRIFT).sentence is None
    table = format_table([Draw("affine", 0, (judge(known, AFFINE), unheard))])
    assert "cost more: b" in table
    assert "weather fine: 'as said'" in table


def test_there_are_enough_worlds_and_enough_of_them_break_a_premise():
    assert len(WORLDS) >= 14
    assert sum(world.broken for world in WORLDS.values()) >= 4
    for name, world in WORLDS.items():
        _, truth = world.draw(np.random.default_rng(0))
        assert world.broken == (not truth.fits or truth.fell_back > 0), name


# Runs that fall back are censored, and where exponents change there is no single multiplier.
@pytest.mark.parametrize("name", sorted(WORLDS.keys() - {"collapse", "drift"}))
def test_runs_need_what_the_truth_says(name):
    world = WORLDS[name]
    frame, truth = world.draw(np.random.default_rng(1))
    table = interactions_to_threshold(frame, world.thresholds[:1])
    table = table[~table.groupby("horizon")["censored"].transform("any")]
    assert table["horizon"].nunique() >= 3
    log_e = np.log(table["interactions"]).groupby([table["horizon"], table["width"]]).mean()
    log_ratio = (log_e.unstack() - log_e.unstack().loc[1.0]).mean(axis=1)
    true = np.log(truth.growth.multiplier(log_ratio.index.to_numpy()))
    assert log_ratio.to_numpy() == pytest.approx(true, abs=0.25)  # 3 standard deviations, 4 seeds


def test_alpha_e_falls_with_the_horizon_where_it_should():
    truth = SpoiltPowerLaw(drift=0.4)
    large, interactions = 1e12, np.array([1e4, 1e6])
    for horizon, alpha_e in ((1.0, 0.42), (31.0, 0.252)):
        law = truth.at(horizon)
        levels = law.beta * np.log(truth.performance(large, interactions, horizon))
        assert np.diff(levels) == pytest.approx(alpha_e * np.log(100), rel=1e-3)
    sizes = np.geomspace(500, 50_000, 2001)
    for horizon in (1.0, 31.0):  # the best size at the middle of the curves stays the same
        law = truth.at(horizon)
        left = law.middle**-law.beta - (law.n_c / sizes) ** law.alpha_n
        compute = sizes * law.e_c(horizon) * np.maximum(left, 1e-30) ** (-1 / law.alpha_e)
        assert sizes[np.argmin(compute)] == pytest.approx(5337, rel=0.01)


def test_one_width_is_slow_and_a_plateau_delays_all():
    plain, interactions = SpoiltPowerLaw(), np.array([1e5])
    wide, narrow = (SIZES.size(width) for width in (256, 4))
    slow = SpoiltPowerLaw(slow={wide: 2.0})
    assert slow.performance(wide, 2 * interactions, 7) == plain.performance(wide, interactions, 7)
    assert slow.performance(narrow, interactions, 7) == plain.performance(narrow, interactions, 7)
    late = SpoiltPowerLaw(plateau=1.0).performance(wide, interactions, 1)
    (delay,) = interactions - [1e8 / 5337]  # the least compute of the middle, over its best size
    assert late == pytest.approx(plain.performance(wide, np.array([delay]), 1), rel=1e-3)


def test_half_of_the_runs_fall_back_after_they_have_learned():
    frame, truth = WORLDS["collapse"].draw(np.random.default_rng(0))
    runs = frame.groupby("run_id")["return_mean"]
    fallen = (runs.max() > 0.94) & (runs.last() < 0.4)
    assert fallen.sum() == truth.fell_back
    assert truth.fell_back == pytest.approx(len(runs) / 2, abs=2)
    assert (runs.last()[~fallen] > 0.85).all()


def test_a_draw_depends_on_its_world_number_and_seed_alone():
    frames = [WORLDS["few_runs"].draw(np.random.default_rng(0))[0] for _ in range(2)]
    assert frames[0].equals(frames[1])
    first, second, other = (draw("few_runs", number, 0) for number in (0, 0, 1))
    assert not first.error
    assert first.judgements == second.judgements
    assert first.judgements != other.judgements


@pytest.mark.parametrize("name", ["affine", "u_dense", "collapse"])
def test_the_page_of_a_world_is_judged(name):
    (one,) = all_draws([name], draws=1, seed=0, processes=1)
    assert not one.error
    assert count([one]).decided == len(one.judgements) > 0
    assert WORLDS[name].title in format_table([one])


def test_an_analysis_that_fails_is_counted_apart(monkeypatch):
    def fails(measured: object) -> list[Claim]:
        raise ZeroDivisionError("in the fit")

    monkeypatch.setattr(drawing, "claims_of", fails)
    draws = all_draws(["few_runs"], draws=2, seed=0, processes=1)
    total = count(draws)
    assert (total.failed, total.silent, total.with_false) == (2, 0, 0)
    assert "ZeroDivisionError: in the fit" in format_table(draws)


def test_draws_are_counted(monkeypatch):
    claims = [said("cost", "less", multiplier=(2.0, [1.0, 2.0])), said("knee", knee=(9, [8, 20]))]
    open_one = Claim("not decided", False, "form", "undecided")
    monkeypatch.setattr(drawing, "claims_of", lambda measured: [*claims, open_one])
    total = count(all_draws(["affine", "collapse"], draws=1, seed=0, processes=1))
    assert (total.draws, total.decided, total.sentences, total.false) == (2, 4, 2, 2)
    assert (total.intervals, total.missed, total.unjudged) == (4, 2, 0)
    assert (total.silent, total.with_false) == (1, 2)  # of runs that fell back nothing is said


@pytest.mark.slow
def test_the_command_prints_the_same_table_whatever_the_processes(tmp_path):
    arguments = ("--worlds=few_runs", "--draws=2", "--processes=2")
    done = commands.run(tmp_path / "two", *arguments, module="tests.worlds")
    assert done.process.exitcode == 0, done.err
    assert done.out == format_table(all_draws(["few_runs"], 2, seed=0, processes=1)) + "\n"
    assert "2/2 few_runs" in done.err


@pytest.mark.slow
def test_an_unknown_world_is_refused_in_one_line(tmp_path):
    done = commands.run(tmp_path, "--worlds=affine,nowhere", module="tests.worlds")
    assert done.process.exitcode == 2
    assert "'nowhere' is none of affine" in done.err
    assert done.err.count("\n") == 1


@pytest.mark.slow
def test_at_most_one_decided_sentence_in_twenty_is_false():
    total = count(draws := all_draws(list(WORLDS), draws=2, seed=0, processes=2))
    assert total.failed == 0, format_table(draws)
    assert total.sentences > 3 * total.draws, format_table(draws)
    assert total.false <= 0.05 * total.sentences, format_table(draws)
