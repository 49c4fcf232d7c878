"""Which runs belong together, how they are named, and the learning rate of each seed."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.data.crossings import interactions_to_threshold
from analysis.data.families import (
    _differing_settings,
    coefficient_as_given,
    families,
    has_several_rates,
    label,
    label_of_law,
    references_of,
    rows_of,
    same_settings,
    schedule_names,
    schedules_in_order,
    slug,
    split,
    task_label,
    task_labels,
    with_chosen_rates,
    with_rates_of_shortest_horizon,
    with_references,
    without_references,
)
from analysis.laws.synthetic import Design
from mnist_horizon.files import is_name
from mnist_horizon.horizon import discount_from_horizon
from mnist_horizon.schedules import make, parse
from tests.analysis.reference_runs import settings_of, sweep
from tests.analysis.report_sweeps import sweep_frame

TINY = Design(horizons=(1, 7), widths=(8,), seeds=2, evaluations=5)


def settings(**changes: Any) -> str:
    """The column `settings` of runs, with some of it changed (`optimizer.name="sgd"`)."""
    found: dict[str, Any] = {
        "task": {"name": "digits"},
        "batch": 256,
        "budget": 1000,
        "entropy_coef": 0.1,
        "optimizer": {"name": "adam", "decay_interactions": 0},
    }
    for path, value in changes.items():
        group, _, name = path.partition(".")
        if name:
            found[group][name] = value
        else:
            found[group] = value
    return json.dumps(found, sort_keys=True)


def delayed(**columns: Any) -> pd.DataFrame:
    """A sweep of `periodic:4` alone, its entropy coefficient 0.1 times the mean discount."""
    frame = sweep_frame(Design(horizons=(1, 3, 7, 15), widths=(8,), seeds=2, evaluations=6))
    schedule = make("periodic", 4.0)
    factor = schedule.mean_discount(frame["discount"].to_numpy(float))
    frame = frame.assign(schedule="periodic", schedule_level=4.0, entropy_coef=0.1 * factor)
    return frame.assign(**columns)


@pytest.mark.parametrize("columns", [{}, {"settings": settings()}], ids=["without", "settings"])
def test_delayed_rewards_with_a_scaled_coefficient_are_one_family(columns):
    frame = delayed(**columns)
    assert frame["entropy_coef"].nunique() == 4
    (family,) = families(frame)
    assert len(family.frame) == len(frame)
    (group,) = split(interactions_to_threshold(frame, (0.5,)), "horizon")
    assert sorted(group.rows["horizon"].unique()) == [1, 3, 7, 15]


def test_rows_with_settings_and_rows_without_are_told_apart():
    frame = delayed()
    known = frame.assign(run_id="s-" + frame["run_id"], settings=settings())
    both = pd.concat([frame.assign(settings=""), known], ignore_index=True)
    assert sorted(len(group.rows) for group in split(both, "horizon")) == [len(frame)] * 2


def test_runs_whose_settings_differ_are_two_families():
    """`decay_interactions` is no column: without `settings` the runs would be mixed."""
    frame = sweep_frame(TINY)
    decayed = frame.assign(run_id="d-" + frame["run_id"])
    kinds = {0: frame, 100: decayed}
    parts = [
        rows.assign(settings=settings(**{"optimizer.decay_interactions": decay}))
        for decay, rows in kinds.items()
    ]
    found = families(pd.concat(parts, ignore_index=True))
    assert len(found) == 2
    assert len({family.label for family in found}) == 2
    assert len({family.slug for family in found}) == 2
    assert {frozenset(family.frame["run_id"]) for family in found} == {
        frozenset(rows["run_id"]) for rows in kinds.values()
    }
    one, other = found
    assert one.matches(one.settings)
    assert not one.matches(other.settings)
    assert not same_settings(one.settings, other.settings)


def test_what_says_how_a_run_is_looked_at_is_no_identity():
    frame = sweep_frame(TINY)
    longer = frame.assign(run_id="l-" + frame["run_id"], settings=settings(budget=2000))
    both = pd.concat([frame.assign(settings=settings()), longer], ignore_index=True)
    assert len(families(both)) == 1


def test_a_setting_that_others_have_at_its_default_names_the_family():
    plain, other = '{"batch": 1}', '{"action_baseline": {"fraction": 0.5}, "batch": 1}'
    assert _differing_settings([plain, other]) == ["", ", action_baseline.fraction 0.5"]
    assert _differing_settings(["", other]) == ["", ""]  # an older table has none at all


@pytest.mark.parametrize(
    ("varying", "change"),
    [
        ("batch", {"batch": 512}),
        ("optimizer", {"optimizer.name": "sgd"}),
        ("task", {"task": {"name": "mnist"}}),
    ],
)
def test_what_may_vary_is_taken_out_of_the_settings_too(varying, change):
    frame = sweep_frame(TINY).assign(settings=settings(), optimizer="adam")
    changed = frame.assign(run_id="c-" + frame["run_id"], settings=settings(**change))
    if varying != "task":
        changed[varying] = next(iter(change.values()))
    both = pd.concat([frame, changed], ignore_index=True)
    assert len(list(split(both, "horizon"))) == 2
    (group,) = split(both, "horizon", varying)
    assert len(group.rows) == len(both)
    before, after = json.loads(settings()), json.loads(group.settings["settings"])
    gone = {"batch": before.pop, "task": before.pop, "optimizer": before["optimizer"].pop}
    gone[varying]("name" if varying == "optimizer" else varying)
    before.pop("budget")
    assert after == before


def test_families_hold_everything_but_size_horizon_and_seed():
    frame = sweep_frame(Design(horizons=(1,), widths=(8,), seeds=2, evaluations=5))
    sparse = frame.assign(
        run_id="sparse-" + frame["run_id"], schedule="revealed", schedule_level=0.25, seed=0
    )
    found = families(pd.concat([frame, sparse]))
    assert [family.label for family in found] == ["digits, dense", "digits, revealed:0.25"]
    assert [family.slug for family in found] == ["digits-dense", "digits-revealed-0.25"]
    assert found[1].matches({"schedule": "revealed", "width": 8})
    assert not found[1].matches({"schedule": "dense"})
    assert len(found[0].select(pd.concat([frame, sparse]))) == len(frame)
    assert families(frame)[0].slug == ""


def test_the_family_with_most_runs_is_first_and_columns_that_differ_are_named():
    frame = sweep_frame(TINY)
    larger = frame.assign(run_id="b-" + frame["run_id"], batch=512)
    found = families(pd.concat([frame[frame["seed"] == 0], larger]))
    labels = ["digits, dense, batch 512", "digits, dense, batch 256"]
    assert [family.label for family in found] == labels


def test_groups_by_threshold_and_without():
    frame = sweep_frame(TINY)
    table = interactions_to_threshold(frame, (0.5, 0.7))
    groups = list(split(table, "horizon"))
    assert [group.threshold for group in groups] == [0.5, 0.7]
    assert groups[0].label == "digits, dense, width 8, return 0.5"
    assert "threshold" not in groups[0].settings
    assert len(list(split(table, "horizon", by_threshold=False))) == 1
    assert len(list(split(table))) == 4
    assert list(split(table[:0], "horizon")) == []


def test_rows_of_a_group_are_found_again_by_its_settings():
    frame = sweep_frame(TINY)
    sparse = frame.assign(run_id="s-" + frame["run_id"], schedule="revealed", schedule_level=0.25)
    table = interactions_to_threshold(pd.concat([frame, sparse]), (0.5, 0.7))
    for group in split(table, "horizon"):
        rows = rows_of(table, group.settings, "horizon")
        assert len(rows) == 2 * len(group.rows)
        assert set(rows["run_id"]) == set(group.rows["run_id"])
    assert rows_of(table, {"task": "another"}, "horizon").empty


@pytest.mark.parametrize("name", ["entropy_coef", "kl_coef"])
def test_a_coefficient_by_rule_is_read_as_it_was_set(name):
    horizons = [1.0, 7.0, 31.0]
    frame = pd.DataFrame({"horizon": horizons}).assign(
        discount=discount_from_horizon(np.array(horizons)), task="one", width=8
    )
    parts = []
    for text in ("dense", "revealed:0.25", "periodic:4", "streak:2"):
        schedule = parse(text)
        factor = schedule.mean_discount(frame["discount"].to_numpy(float))
        rows = frame.assign(schedule=schedule.kind, schedule_level=schedule.level)
        parts.append(rows.assign(**{name: 0.1 * factor, "run_id": f"{text}"}))
    table = pd.concat(parts, ignore_index=True)
    assert table[name].nunique() > 3
    assert coefficient_as_given(table, name).tolist() == pytest.approx([0.1] * 12)


def test_a_coefficient_that_follows_no_rule_is_left_as_it_is():
    horizons = [1.0, 7.0, 31.0]
    table = pd.DataFrame({"horizon": horizons}).assign(
        discount=discount_from_horizon(np.array(horizons)),
        schedule="periodic",
        schedule_level=4.0,
        entropy_coef=[0.05, 0.02, 0.05],
    )
    assert coefficient_as_given(table, "entropy_coef").tolist() == [0.05, 0.02, 0.05]


def test_schedules_are_in_a_fixed_order_and_named_as_in_a_config():
    names = ["streak:2", "periodic:16", "dense", "revealed:0.0625", "periodic:4", "revealed:0.5"]
    parsed = [parse(name) for name in names]
    table = pd.DataFrame(
        {
            "schedule": [one.kind for one in parsed],
            "schedule_level": [float(one.level) for one in parsed],
        }
    )
    assert schedule_names(table).tolist() == names
    assert [str(one) for one in schedules_in_order(pd.concat([table, table]))] == [
        *("revealed:0.0625", "revealed:0.5", "dense", "periodic:4", "periodic:16", "streak:2")
    ]


def test_labels_and_slugs():
    group = {"task": "digits", "schedule": "periodic", "schedule_level": 4.0, "batch": 64}
    assert label(group, ["batch"]) == "digits, periodic:4, batch 64"
    assert label_of_law(group, 0.7) == "digits, periodic:4, all widths, return 0.7"
    assert label_of_law({**group, "width": 8}) == "digits, periodic:4, width 8"
    assert slug("Digits, periodic:4 (10 classes)") == "digits-periodic-4-10-classes"
    long = [slug(f"{'maze ' * 100}{end}") for end in "ab"]
    assert max(map(len, long)) < 140
    assert len({*long, slug("数字, dense"), slug("文字, dense"), slug("dense")}) == 5
    assert task_label({"task": "made", "task_settings": '{"classes": 4}'}) == "made (4 classes)"
    assert task_label({"task": "made", "task_settings": "no JSON"}) == "made"
    assert task_label({"task": "made"}) == "made"


def rates_table(scores: dict[float, list[float]], horizon: float = 3.0) -> pd.DataFrame:
    """A run for each rate and seed, with its score."""
    rows = [
        {
            "run_id": f"{horizon:g}-{rate}-{seed}",
            "seed": seed,
            "learning_rate": rate,
            "horizon": horizon,
            "width": 8,
            "threshold": 0.5,
            "score": score,
        }
        for rate, of_seeds in scores.items()
        for seed, score in enumerate(of_seeds)
    ]
    return pd.DataFrame(rows)


def test_a_seeds_learning_rate_is_chosen_on_the_other_seeds():
    # Seed 0 by seeds 1 and 2: 0.45 against 0.7; seed 1: 0.5 against 0.45; seed 2: 0.55 and 0.35.
    table = rates_table({0.1: [0.6, 0.5, 0.4], 0.2: [0.1, 0.6, 0.8]})
    kept, notes = with_chosen_rates(table)
    assert kept.sort_values("seed")["learning_rate"].tolist() == [0.2, 0.1, 0.1]
    assert len(notes) == 1
    assert "0.1, 0.2" in notes[0]


def test_a_rate_that_a_seed_lacks_is_not_chosen_for_it():
    table = rates_table({0.1: [0.3, 0.3, 0.3], 0.2: [0.9, 0.9, 0.9]})
    kept, _ = with_chosen_rates(table[table["run_id"] != "3-0.2-1"])
    assert kept.sort_values("seed")["learning_rate"].tolist() == [0.2, 0.1, 0.2]


def test_a_single_seed_takes_its_own_best_rate():
    kept, _ = with_chosen_rates(rates_table({0.1: [0.3], 0.2: [0.9], 0.4: [0.5]}))
    assert kept["learning_rate"].tolist() == [0.2]


def test_a_single_learning_rate_is_left_as_it_is():
    table = rates_table({0.1: [0.1, 0.2, 0.3]})
    kept, notes = with_chosen_rates(table)
    pd.testing.assert_frame_equal(kept, table)
    assert notes == []
    by_rule = pd.concat([table, rates_table({0.05: [0.1, 0.2, 0.3]}, horizon=9.0)])
    kept, notes = with_chosen_rates(by_rule)
    assert len(kept) == len(by_rule)
    assert notes == []


def test_the_same_runs_are_chosen_of_results_and_of_crossings():
    frame = sweep_frame(TINY)
    other = frame.assign(run_id=frame["run_id"] + "-b", learning_rate=3e-3)
    other["return_mean"] *= np.where(other["horizon"] == 1, 0.7, 1.05)
    both = pd.concat([frame.assign(learning_rate=1e-3), other], ignore_index=True)
    curves, _ = with_chosen_rates(both)
    crossings, _ = with_chosen_rates(interactions_to_threshold(both, (0.5, 0.7)))
    assert set(curves["run_id"]) == set(crossings["run_id"])
    chosen = curves.groupby("horizon")["learning_rate"].unique()
    assert [list(rates) for rates in chosen] == [[1e-3], [3e-3]]


def test_choosing_among_equal_rates_is_unbiased_where_the_best_run_is_not():
    rng = np.random.default_rng(0)
    chosen, best = [], []
    for _ in range(150):
        scores = {rate: list(0.3 * rng.standard_normal(4)) for rate in (0.1, 0.2, 0.3)}
        kept, _ = with_chosen_rates(rates_table(scores))
        chosen.append(kept["score"].mean())
        best.append(max(np.mean(values) for values in scores.values()))
    assert abs(np.mean(chosen)) < 0.5 * abs(np.mean(best))
    assert np.mean(best) > 0.08


def test_one_rate_for_all_horizons_is_that_of_the_shortest():
    short = rates_table({0.1: [0.3, 0.3], 0.2: [0.6, 0.6]}, horizon=1.0)
    # By a rule the rates at the longer horizon are half as large; the lower would be best there.
    long = rates_table({0.05: [0.8, 0.8], 0.1: [0.2, 0.2]}, horizon=7.0)
    kept = with_rates_of_shortest_horizon(pd.concat([short, long], ignore_index=True))
    assert kept.groupby("horizon")["learning_rate"].unique().map(list).tolist() == [[0.2], [0.1]]
    assert len(kept) == 4
    assert kept.columns.tolist() == short.columns.tolist()


def test_several_rates_are_told_from_rates_that_follow_the_horizon():
    at_one = rates_table({0.1: [0.3]}, horizon=1.0)
    by_rule = pd.concat([at_one, rates_table({0.05: [0.3]}, horizon=7.0)])
    assert not has_several_rates(by_rule)
    assert has_several_rates(rates_table({0.1: [0.3], 0.2: [0.3]}))
    assert not has_several_rates(at_one.drop(columns="learning_rate"))


@pytest.mark.parametrize("alone", [False, True])
def test_references_differ_from_their_group_in_the_algorithm_only(alone):
    table = sweep(np.random.default_rng(0), widths=(32, 64), alone=alone)
    found = list(with_references(table, "horizon"))
    assert [group.settings["width"] for group, _ in found] == [32, 64]
    for group, references in found:
        assert set(group.rows["algorithm"]) == {"vpg"}
        assert set(references["algorithm"]) == {"supervised", "exact"}
        assert set(references["width"]) == {group.settings["width"]}
        assert len(references) == 8
    (pooled, references) = next(with_references(table, "horizon", "width"))
    assert len(references) == 16
    same = references_of(table, pooled.settings, "horizon", "width")
    assert sorted(same["run_id"]) == sorted(references["run_id"])
    assert references_of(table, {**pooled.settings, "task": "other"}, "horizon", "width").empty


def test_references_of_other_settings_are_none():
    table = sweep(np.random.default_rng(0))
    other = table["settings"].where(table["algorithm"] == "vpg", settings_of("vpg", baseline="a"))
    assert not list(with_references(table.assign(settings=other), "horizon"))
    only = table[table["algorithm"] != "vpg"]
    assert not list(with_references(only, "horizon"))
    assert without_references(only).equals(only)
    assert set(without_references(table)["algorithm"]) == {"vpg"}
    assert len(list(split(table, "horizon"))) == 3  # never one group with RL


def test_an_algorithm_is_named_once():
    table = sweep(np.random.default_rng(0), alone=True)
    labels = {family.label: family.is_reference for family in families(table)}
    assert labels == {
        "synthetic, dense, algorithm vpg": False,
        "synthetic, dense, algorithm supervised": True,
        "synthetic, dense, algorithm exact": True,
    }


def test_tasks_of_the_same_label_are_named_by_the_settings_that_differ():
    made = [{"classes": 10, "size": 4, "noise": noise} for noise in (0.0, 0.2)]
    made += [{"classes": 4, "size": 4, "noise": 0.0}]
    rows = pd.DataFrame({"task": ["made"] * 3, "task_settings": [json.dumps(one) for one in made]})
    rows = pd.concat([rows, rows, pd.DataFrame({"task": ["digits"], "task_settings": ["{}"]})])
    rows.index = range(10, 17)
    named = task_labels(rows)
    three = ["made (10 classes), noise 0.0", "made (10 classes), noise 0.2", "made (4 classes)"]
    assert named.tolist() == [*three, *three, "digits"]
    assert named.index.tolist() == rows.index.tolist()
    assert task_labels(rows[["task"]]).unique().tolist() == ["made", "digits"]


def test_every_label_is_a_file_name_of_its_own():
    labels = [
        "\u6570\u5b57, dense",
        "\u6587\u5b57, dense",
        "x" * 5000,
        "x" * 5001,
        "../../a",
        "a\0b",
    ]
    found = [slug(text) for text in labels]
    assert len(set(found)) == len(labels)
    assert all(is_name(f"a-{name}") and len(name) < 120 for name in found)
    frame = sweep_frame(TINY)
    names = ["a, b", "a; b", "\u6570", "\u6587"]
    parts = [frame.assign(task=name, run_id=name + frame["run_id"]) for name in names]
    assert len({family.slug for family in families(pd.concat(parts))}) == 4
