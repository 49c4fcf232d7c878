"""Training from Python: the numbers of the command, parts as objects, policies that act."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import flax
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import mnist_horizon as mh
from mnist_horizon import api
from mnist_horizon.errors import InputError
from mnist_horizon.networks.mlp import MLP
from mnist_horizon.optimizers.sgd import sgd
from mnist_horizon.schedules.periodic import Periodic
from mnist_horizon.tasks import Task
from tests.mnist_horizon.small_sweeps import TINY, run, tiny

QUICK: dict[str, Any] = {
    "widths": [4],
    "horizons": [1, 3],
    "seeds": 2,
    "budget": 10 * 64,
    "evaluations": 4,
    "batch": {"environments": 4, "rollout_length": 16},
    "optimizer": {"learning_rates": [3e-2]},
    "progress": False,
}


def train(task: Any = "digits", **changes: Any) -> mh.Curves:
    return mh.train(task, **{**QUICK, **changes})


@pytest.fixture(scope="module")
def curves() -> mh.Curves:
    return train(widths=[8], budget=100 * 64)


def test_the_numbers_are_those_of_a_working_directory(tmp_path: Path) -> None:
    run(
        tiny(
            entropy_coef=0.1,
            optimizer={**api.DEFAULTS["optimizer"], **TINY["optimizer"]},
            test_sample=api.DEFAULTS["test_sample"],
        ),
        tmp_path,
    )
    stored = mh.results.read_results(tmp_path).frame
    given = {name: value for name, value in TINY.items() if name != "task"}
    found = mh.train("digits", **given, progress=False).frame
    pd.testing.assert_frame_equal(found, stored)


def test_a_policy_gives_probabilities_and_acts(curves: mh.Curves) -> None:
    images = np.asarray(mh.tasks.load("digits", {}).task.test.images[:64])
    policy = curves.policies[curves.frame["run_id"].iloc[0]]
    probabilities = np.asarray(policy.probabilities(images))
    assert probabilities.shape == (64, 10)
    np.testing.assert_allclose(probabilities.sum(-1), 1, rtol=1e-5)
    np.testing.assert_array_equal(policy.act(images), probabilities.argmax(-1))
    drawn = np.asarray(policy.act(np.repeat(images[:1], 4000, 0), jax.random.key(0)))
    shares = np.bincount(drawn, minlength=10) / 4000
    np.testing.assert_allclose(shares, probabilities[0], atol=5 * 0.5 / np.sqrt(4000))


def test_a_policy_is_as_good_as_its_run_says(curves: mh.Curves) -> None:
    task = mh.tasks.load("digits", {}).task
    last = curves.frame.sort_values("interactions").groupby("run_id").last()
    for name, policy in curves.policies.items():
        right = np.mean(np.asarray(policy.act(task.test.images) == task.test.labels))
        assert right == pytest.approx(last.loc[name, "test_accuracy"], abs=1e-6)


def test_curves_are_described_and_drawn(curves: mh.Curves) -> None:
    assert repr(curves) == "Curves(4 runs: 1 widths, 2 horizons, 2 seeds)"
    axes = curves.plot()
    assert axes.get_legend_handles_labels()[1] == ["h = 1", "h = 3"]
    assert "interactions" in axes.get_xlabel()
    line = axes.lines[0].get_xydata()
    rows = curves.frame[curves.frame["horizon"] == 1.0]
    expected = rows.groupby("interactions")["return_mean"].mean()
    np.testing.assert_allclose(np.asarray(line)[:, 1], expected)


def test_parts_may_be_given_as_objects() -> None:
    by_name = train("teacher", schedules=["periodic:2"], network="mlp", optimizer="sgd").frame
    by_object = train(
        mh.tasks.get("teacher")(),
        schedules=[Periodic(2)],
        network=MLP,
        optimizer=sgd,
    ).frame
    pd.testing.assert_frame_equal(by_object, by_name)


@pytest.mark.parametrize("part", [lambda loaded: loaded, lambda loaded: loaded.task])
def test_a_task_that_is_loaded_gives_the_numbers_of_its_name(part: Any) -> None:
    by_name = train("digits").frame
    given = train(part(mh.tasks.load("digits", {}))).frame
    assert set(given["task"]) == {"given"}
    np.testing.assert_array_equal(given["return_mean"], by_name["return_mean"])


@flax.struct.dataclass
class Costs(Task):
    """A wrong answer costs its distance from the label."""

    def score(self, labels: Any, actions: Any) -> Any:
        return -jnp.abs(labels - actions).astype(jnp.float32)


def test_floats_and_costs_have_columns_that_hold_what_they_say() -> None:
    """The policies act on observations that were standardised by hand as their runs did."""
    generator = np.random.default_rng(0)
    values = generator.normal(300, 20, (2, 64, 3, 2)).astype(np.float32)
    labels = generator.integers(0, 4, (2, 64))
    given = Costs(*map(mh.tasks.make_examples, values, labels), classes=4)
    by_hand = (values[1] - values[0].mean(axis=0)) / values[0].std(axis=0)
    found = train(given, observations="standardised", thresholds=(-0.5,), horizons=[1])
    assert set(found.frame["task_settings"]) == {'{"observations": "standardised"}'}
    last = found.frame.groupby("run_id").last()
    for name, policy in found.policies.items():
        actions, right = np.asarray(policy.act(by_hand)), labels[1]
        assert last.loc[name, "test_accuracy"] == pytest.approx((actions == right).mean())
        cost = -np.abs(actions - right).mean()
        assert last.loc[name, "test_score"] == pytest.approx(cost, rel=1e-6)
        assert last.loc[name, "test_score"] < 0 < last.loc[name, "test_accuracy"]


def test_tasks_without_scores_of_their_own_have_no_such_column(curves: mh.Curves) -> None:
    assert curves.frame["test_score"].isna().all()


def test_a_working_directory_is_kept_where_it_is_asked_for(tmp_path: Path) -> None:
    found = train(workdir=tmp_path / "kept").frame
    stored = mh.results.read_results(tmp_path / "kept").frame
    pd.testing.assert_frame_equal(found, stored)


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"widths": [0]}, "widths"),
        ({"schedules": ["sometimes:3"]}, "sometimes"),
        ({"learning_rate": 1e-3}, "learning_rate"),
        ({"network": "transformer"}, "transformer"),
        ({"budget": -1}, "budget"),
        ({"observations": "normal"}, "task.observations must be one of as_given, standardised"),
    ],
)
def test_a_wrong_setting_is_one_line(changes: dict[str, Any], part: str) -> None:
    with pytest.raises(InputError) as error:
        train(**changes)
    assert part in str(error.value)
    assert "\n" not in str(error.value)


def test_laws_need_the_checkout(curves: mh.Curves, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="checkout"):
        curves.horizon_law()


def test_runs_without_a_law_say_why(curves: mh.Curves) -> None:
    with pytest.raises(InputError):
        curves.horizon_law(threshold=0.999)


@pytest.mark.slow
def test_the_horizon_law_of_a_small_sweep() -> None:
    curves = mh.train("digits", widths=[32], horizons=[1, 3, 7, 15, 31], seeds=4, progress=False)
    knee = curves.horizon_law(0.85).quantities["knee"]
    assert knee.interval is not None
    low, high = knee.interval
    assert 1 < low < knee.value < high < 100


def test_the_public_face_lists_what_it_has() -> None:
    assert set(mh.__all__) <= set(dir(mh))
    for name in mh.__all__:
        part = getattr(mh, name)
        assert isinstance(part, ModuleType) or part.__doc__, name
    with pytest.raises(AttributeError, match="nothing"):
        _ = mh.nothing
