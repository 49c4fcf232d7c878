"""Runs begin from a policy of another sweep; one that does not fit is refused in one line."""

import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from mnist_horizon import results
from mnist_horizon.errors import SweepError
from mnist_horizon.sweeps import spec_from
from mnist_horizon.sweeps.runner import Interrupted
from tests.mnist_horizon.small_sweeps import all_runs, outputs, run, tiny
from tests.mnist_horizon.sweeps.test_runner import stop_after

RUN = "digits-mlp1-w4-h1-dense-lr0.03-s0"


@pytest.fixture(scope="module", name="source")
def _source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("initial")
    run(tiny(horizons=(1.0,), seeds=1), folder)
    return folder


def proxy(source: Path, **changes: Any) -> Any:
    settings = {
        "task": {"name": "proxy", "error": "bonus", "size": 0.5},
        "horizons": (1.0,),
        "kl_coefs": (0.0, 0.3),
        "initial_policy": {"workdir": str(source), "run": RUN},
    }
    return tiny(**{**settings, **changes})


@pytest.fixture(scope="module", name="finished")
def _finished(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("proxy")
    run(proxy(source), folder)
    return folder


def test_all_runs_begin_from_the_policy_and_gold_is_measured_beside(source, finished):
    frame = results.read_results(finished).frame
    assert sorted(frame["run_id"].unique()) == [
        f"proxy-mlp1-w4-h1-dense-lr0.03-kl{kl}-s{seed}" for kl in ("0", "0.3") for seed in (0, 1)
    ]
    first = frame[frame["updates"] == 1]
    assert first["kl_initial"].max() < 0.1
    assert first["gold_mean"].min() > results.read_results(source).frame["return_mean"].iloc[0]
    # A bonus of 0.5 for class 0: pay is the score and half of the probability of that class.
    paid = frame["test_return"] - frame["test_gold"]
    assert paid.between(0, 0.5).all()
    assert (frame["return_mean"] > frame["gold_mean"]).all()
    last = frame[frame["updates"] == 20].groupby("kl_coef")["kl_initial"].mean()
    assert last[0.3] < last[0.0]


def test_the_frontier_begins_at_the_initial_policy_of_the_runs(finished):
    table = results.read_frontiers(finished).frame
    frame = results.read_results(finished).frame
    assert set(table["run_id"]) == set(frame["run_id"])
    start = table[(table["kind"] == "best_of_n") & (table["parameter"] == 1)]
    assert start["kl"].abs().max() < 1e-9
    assert start["gold"].nunique() == 1  # one initial policy
    # No run has more pay at its KL than the optimum; places between tabulated ones are chords.
    for run_id, rows in frame.groupby("run_id"):
        best = table[(table["run_id"] == run_id) & (table["kind"] == "proxy_optimum")]
        best = best.sort_values("kl")
        most = np.interp(rows["kl_initial"], best["kl"], best["proxy"])
        assert (rows["test_return"] <= most + 0.01).all()


def test_stopped_at_any_time_it_ends_with_the_same_bytes(source, finished, tmp_path, monkeypatch):
    stop_after(7, monkeypatch)
    with pytest.raises(Interrupted):
        run(proxy(source), tmp_path)
    monkeypatch.undo()
    run(proxy(source), tmp_path)
    assert outputs(tmp_path) == outputs(finished)
    assert [path.read_bytes() for path in sorted(tmp_path.glob("frontier/*"))] == [
        path.read_bytes() for path in sorted(finished.glob("frontier/*"))
    ]


def test_another_policy_cannot_take_its_place(source, finished, tmp_path):
    recorded = json.loads((finished / "sweep.json").read_text())["initial_policy"]
    assert recorded == {"run": RUN, "sha256": results.policy_checksum(source, RUN)}
    policy = results.load_policy(source, RUN)
    changed = jax.tree.map(lambda leaf: leaf + 1, policy)
    results.save_policy(tmp_path, RUN, changed)
    with pytest.raises(SweepError, match=r"other settings \(initial_policy.sha256"):
        run(proxy(tmp_path), finished)
    both = {"initial_policy": {"workdir": str(tmp_path), **recorded}}
    with pytest.raises(SweepError, match="is not the policy that was recorded"):
        proxy(source, **both)


def test_a_policy_that_does_not_fit_is_refused_before_anything_is_written(source, tmp_path):
    given = {"workdir": str(source), "run": RUN}
    for changes, message in (
        ({"widths": (8,)}, "is no policy of the network mlp of depth 1 and width 8"),
        ({"network": {"depth": 2}}, "is no policy of the network mlp of depth 2"),
        ({"task": {"name": "teacher", "dimensions": 3, "examples": 9}}, "for task 'teacher'"),
    ):
        folder = tmp_path / "sweep"
        with pytest.raises(SweepError, match=message) as error:
            run(proxy(source, initial_policy=given, **changes), folder)
        assert "\n" not in str(error.value)
        assert not (folder / "sweep.json").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"initial_policy": {"run": RUN}}, "initial_policy.workdir: name the folder"),
        ({"initial_policy": {"workdir": "x"}}, "initial_policy.run: name a run"),
        ({"initial_policy": {"workdir": "x", "run": "none"}}, "no finished run 'none'"),
        ({"initial_policy": {"workdir": "x", "run": "../a"}}, "initial_policy: "),
        ({"widths": (4, 8)}, "widths: a policy has one width"),
        ({"kl_coefs": (0.0, -0.1)}, r"kl_coefs\[1\]: must be at least 0"),
        ({"kl_coefs": (0.1, 0.1)}, "kl_coefs: holds a value twice"),
        ({"kl_coefs": (0.1,), "kl_coef": 0.1}, "kl_coef: must be 0 beside kl_coefs"),
        (
            {"kl_coefs": (0.1,), "algorithm": {"name": "supervised"}},
            "kl_coefs: supervised learning has no penalty",
        ),
    ],
)
def test_impossible_settings_are_refused_in_one_line(source, changes, message):
    with pytest.raises(SweepError, match=message) as error:
        proxy(source, **changes)
    assert "\n" not in str(error.value)


def test_ids_and_settings_of_sweeps_without_the_axis_stay():
    spec = tiny(kl_coef=0.2)
    assert not {"kl_coefs", "initial_policy"} & {*spec.to_json(), *spec.fixed_settings()}
    assert spec_from(spec.to_json()) == spec
    assert not any("-kl" in one.run_id(spec) for one in all_runs(spec))
    swept = tiny(kl_coefs=(0.0, 0.2))
    assert swept.run_count == 2 * spec.run_count == len(all_runs(swept))
    assert swept.fixed_settings() == tiny().fixed_settings()


@pytest.mark.parametrize("kind", ["complex64", "float64", "int32"])
def test_a_policy_of_other_types_is_refused(source, tmp_path, kind):
    policy = results.load_policy(source, RUN)
    changed = jax.tree.map(lambda leaf: np.zeros(leaf.shape, kind), policy)
    results.save_policy(tmp_path, RUN, changed)
    with pytest.raises(SweepError, match="other names, shapes or types"):
        run(proxy(tmp_path), tmp_path / "sweep")
    assert not (tmp_path / "sweep").exists()
