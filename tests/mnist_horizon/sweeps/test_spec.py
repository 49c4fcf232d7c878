"""Settings become a spec or are refused; a spec survives JSON; what differs is named."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_horizon import settings
from mnist_horizon.errors import SweepError
from mnist_horizon.sweeps.spec import AXES, SweepSpec, config_settings, differences, spec_from
from tests.mnist_horizon.small_sweeps import all_runs, tiny

SMALL: dict[str, Any] = {
    "task": {"name": "digits"},
    "widths": (4,),
    "horizons": (1.0, 3.0),
    "seeds": 2,
    "budget": 2560,
    "batch": {"environments": 4, "rollout_length": 16},
}


def small(**changes: Any) -> SweepSpec:
    return spec_from({**SMALL, **changes})


@pytest.mark.parametrize("name", ["widths", "horizons", "seeds", "budget", "task"])
def test_a_field_without_a_default_is_asked_for(name: str) -> None:
    settings = {key: value for key, value in SMALL.items() if key != name}
    with pytest.raises(SweepError, match=rf"^{name}"):
        spec_from(settings)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": True}, "seeds: must be a whole number, not True"),
        ({"seeds": float("inf")}, "seeds: must be a whole number, not inf"),
        ({"budget": float("nan")}, "budget: must be a whole number, not nan"),
        ({"seeds": 10**9}, "seeds: makes more than"),
        ({"budget_width": 1, "widths": (4, 64)}, "budget_width: leaves width 64 fewer than 2"),
        ({"budget": 2**38}, "budget: makes 2"),
        ({"widths": "4"}, "widths: must be a list"),
        ({"widths": (4, 2.5)}, r"widths\[1\]: must be a whole number"),
        ({"horizons": (1.0, float("inf"))}, r"horizons\[1\]: must be a finite number"),
        (
            {"horizons": (1.0, 1e6)},
            r"horizons\[1\]: 1000000 would be run as 986894.059 in single precision: choose 98",
        ),
        ({"horizons": (1e20,)}, r"horizons\[0\]: 1e\+20 would be run as inf .* choose 33554431"),
        ({"batch": 64}, "batch: must be a group of fields"),
        ({"task_settings": {}}, "task_settings: unknown field"),
        ({"task": {"name": "teacher", "classes": 1}}, "task.classes must be at least 2"),
        ({"schedules": ("periodic:08",)}, r"schedules\[0\]: write 'periodic:8'"),
        ({"thresholds": (-0.5, -0.5)}, "thresholds: holds a value twice"),
        ({"thresholds": (float("nan"),)}, r"thresholds\[0\]: must be a finite number"),
        ({"evaluations": 1}, "evaluations: must be at least 2"),
        ({"phase_visible": 1}, "phase_visible: must be True or False"),
        ({"entropy_coef": -0.1}, "entropy_coef: must be at least 0"),
        ({"references": {"exact": [0.0]}}, r"references.exact\[0\]: must be above 0"),
        ({"references": {"exact": [0.1, 0.1]}}, "references.exact: holds a rate twice"),
        (
            {"references": {"exakt": [0.1]}},
            r"references.exakt: unknown field: did you mean references.exact\?$",
        ),
        ({"rollout_length": 8}, r"unknown field: did you mean batch.rollout_length\?$"),
        ({"batch": {"seeds": 8}}, r"batch.seeds: unknown field: did you mean seeds\?$"),
        ({"wxyz": 8}, "wxyz: unknown field; there are task, widths, horizons, seeds, budget, "),
        (
            {"algorithm": {"name": "exact"}},
            r"horizons: exact has no rewards to sum: must be \(1.0,\)",
        ),
        (
            {
                "algorithm": {"name": "exact"},
                "horizons": [1.0],
                "references": {"supervised": [0.1]},
            },
            "references: are runs beside those of RL",
        ),
    ],
)
def test_impossible_settings_are_refused_by_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SweepError, match=message) as caught:
        small(**changes)
    assert "\n" not in str(caught.value)


def test_every_field_says_what_it_means() -> None:
    for one in config_settings():
        assert re.fullmatch(r".{10,90}\.( \(task [a-z_/, ]+\))?", one.meaning), one.name


NAMED = [one for one in settings.of(SweepSpec) if one.choices and one.kind == "text"]


@pytest.mark.parametrize("one", NAMED, ids=lambda one: one.name)
def test_a_name_is_one_of_the_choices_that_are_listed(one: settings.Setting) -> None:
    *groups, name = one.name.split(".")
    value: Any = {name: "nothing"}
    for group in reversed(groups):
        value = {group: value}
    with pytest.raises(SweepError) as caught:
        small(**value)
    assert str(caught.value).startswith(f"{one.name}: ")
    assert ", ".join(one.choices) in str(caught.value)


def test_a_spec_survives_being_a_config() -> None:
    spec = small(task={"name": "mnist", "data_dir": "/here"}, schedules=("dense", "streak:2"))
    assert spec_from(spec.to_config()) == spec
    assert spec.to_config()["task"] == {"name": "mnist", "data_dir": "/here"}


def test_whole_numbers_and_floats_are_welcome_for_each_other() -> None:
    spec = small(budget=2.56e3, horizons=(1, 3))
    assert (spec.budget, spec.horizons) == (2560, (1.0, 3.0))
    assert isinstance(spec.budget, int)


def test_the_horizons_that_single_precision_holds_are_accepted() -> None:
    powers = (*(10.0**power for power in range(6)), 986894.059, 11184809.7, 33554431.0)
    assert small(horizons=powers).horizons == powers


def test_a_spec_survives_json() -> None:
    spec = small(schedules=("dense", "revealed:0.25"), optimizer={"learning_rates": (1e-3, 1e-2)})
    assert spec_from(spec.to_json()) == spec
    assert (
        spec_from(small(task={"name": "teacher", "classes": 5}).to_json()).task_settings["classes"]
        == 5
    )


def test_where_the_data_lie_is_no_part_of_the_spec_on_disk() -> None:
    here, there = (small(task={"name": "mnist", "data_dir": place}) for place in ("/a", "/b"))
    assert here.to_json() == there.to_json()
    assert "/a" not in str(here.to_json())


@pytest.mark.parametrize(
    "changes",
    [
        {"widths": (4, 8)},
        {"horizons": (7.0,)},
        {"seeds": 9},
        {"schedules": ("dense", "periodic:2")},
        {"optimizer": {"learning_rates": (0.5,)}},
        {"references": {"supervised": (0.5,)}},
        {"max_program_bytes": 10**6},
    ],
)
def test_axes_may_change(changes: dict[str, Any]) -> None:
    assert differences(small().to_json(), small(**changes).to_json()) == []


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"budget": 5120}, "budget: 2560 -> 5120"),
        ({"budget_width": 8}, "budget_width: 0 -> 8"),
        ({"baseline": "none"}, "baseline: 'expected_reward' -> 'none'"),
        ({"network": {"depth": 2}}, "network.depth: 1 -> 2"),
        ({"network": {"activation": "tanh"}}, "network.activation: 'leaky_relu' -> 'tanh'"),
        ({"policies_every": 3}, "policies_every: 0 -> 3"),
        ({"optimizer": {"rule": "mup"}}, "optimizer.rule: 'constant' -> 'mup'"),
        ({"batch": {"environments": 2, "rollout_length": 32}}, "batch.environments: 4 -> 2"),
        ({"task": {"name": "teacher"}}, "task.name: 'digits' -> 'teacher'"),
    ],
)
def test_what_is_no_axis_and_differs_is_named(changes: dict[str, Any], difference: str) -> None:
    assert difference in differences(small().to_json(), small(**changes).to_json())


def test_every_axis_is_a_field() -> None:
    settings = small(references={"exact": [1.0]}, kl_coefs=[0.1]).to_json()
    for axis in AXES:
        head, _, tail = axis.partition(".")
        assert tail in settings[head] if tail else head in settings


@given(budget=st.integers(200, 10**6), evaluations=st.integers(2, 100))
def test_evaluations_end_with_the_last_update(budget: int, evaluations: int) -> None:
    spec = small(budget=budget, evaluations=evaluations)
    marks = spec.evaluation_updates(4)
    assert marks == sorted(set(marks))
    assert marks[0] >= 1
    assert marks[-1] == spec.updates(4) == budget // 64
    assert len(marks) <= evaluations


@given(width=st.integers(1, 300), most=st.integers(0, 100))
def test_wide_runs_have_the_compute_of_the_budget_width(width: int, most: int) -> None:
    spec = small(widths=(width,), budget=10**6, budget_width=most)
    share = min(1.0, most / width) if most else 1.0
    assert spec.updates(width) == pytest.approx(10**6 * share / spec.batch_size, abs=1)
    assert spec.evaluation_updates(width)[-1] == spec.updates(width)


def test_rows_of_a_long_budget_begin_as_early() -> None:
    firsts = [small(budget=64 * updates).evaluation_updates(4)[0] for updates in (100, 1600, 10**5)]
    assert firsts == [1, 3, 4]


def test_fixed_settings_are_all_but_the_axes() -> None:
    spec = tiny(seeds=3, entropy_coef=0.5, references={"exact": (0.1,)})
    fixed, whole = spec.fixed_settings(), spec.to_json()
    for axis in ("widths", "horizons", "schedules", "seeds"):
        del whole[axis]
    assert whole["optimizer"].pop("learning_rates") == (3e-2,)
    assert whole.pop("references") == {"supervised": (), "exact": (0.1,)}
    assert fixed == whole
    assert fixed["entropy_coef"] == 0.5
    grown = tiny(seeds=9, widths=(2,), optimizer={"learning_rates": (1.0,)}, entropy_coef=0.5)
    assert grown.fixed_settings() == fixed


def test_a_sample_of_the_test_split_is_whole_where_the_split_is_smaller_or_it_is_zero() -> None:
    found = [small(test_sample=number).test_sample_of(360) for number in (0, 1, 360, 1000)]
    assert found == [360, 1, 360, 360]
    with pytest.raises(SweepError, match="test_sample: must be at least 0"):
        small(test_sample=-1)


def test_a_spec_without_a_sample_of_the_test_split_is_that_of_older_versions() -> None:
    """`sweep.json` and the column `settings` then have no such field, and it means 0."""
    whole, sampled = small().to_json(), small(test_sample=100).to_json()
    assert "test_sample" not in whole
    assert spec_from(whole).test_sample == 0
    assert spec_from(sampled).test_sample == 100
    assert differences(whole, small(test_sample=0).to_json()) == []
    assert differences(whole, sampled) == ["test_sample: 0 -> 100"]


def test_an_activation_is_named_where_it_is_not_the_usual_one() -> None:
    usual, tanh = small(), small(network={"activation": "tanh"})
    assert "activation" not in usual.to_json()["network"]
    assert spec_from(tanh.to_json()) == tanh
    assert tanh.train_spec(4).network.activation == "tanh"
    names = [all_runs(spec)[0].run_id(spec).split("-w")[0] for spec in (usual, tanh)]
    assert names == ["digits-mlp1", "digits-mlp1-tanh"]


def test_policies_are_kept_before_training_at_every_so_many_evaluations_and_at_the_end() -> None:
    spec = small(policies_every=3, evaluations=8)
    marks = spec.evaluation_updates(4)
    assert len(marks) == 8
    assert spec.kept_updates(4) == [0, marks[2], marks[5], marks[7]]
    assert small().kept_updates(4) == []
