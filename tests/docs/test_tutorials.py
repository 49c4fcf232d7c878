"""The tutorials run as they are written."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from mnist_horizon import cli, tasks
from mnist_horizon.results import read_results
from mnist_horizon.sweeps import runner, spec_from
from tests.docs.pages import CHECKOUT, python_blocks, run


def test_train_and_look() -> None:
    namespace = run("docs/train_and_look.md")
    assert len(namespace["frame"].run_id.unique()) == 6


def test_foreign_results() -> None:
    namespace = run("docs/foreign_results.md")
    assert namespace["lines"][0] == "144 rows of 9 runs, to returns of 0, 150, 300"
    for name, thresholds in (("report", [0, 150, 300]), ("crossings_report", [0.9])):
        fits = json.loads((namespace["folder"] / name / "fits.json").read_text())
        laws = [law for law in fits["horizon_law"] if law["regressor"] == "h-1"]
        assert [law["threshold"] for law in laws] == thresholds
        for law in laws:
            assert 18 < law["knee"] < 24, "as the page says, 21"
    assert "run_id: horizon, seed" in "\n".join(namespace["lines"])


def test_add_a_part() -> None:
    run("docs/add_a_part.md", name="parity")


def test_a_new_task_takes_thirty_lines_and_learns(tmp_path: Path) -> None:
    (block,) = [code for _, code in python_blocks("docs/add_a_part.md") if "@register(" in code]
    assert len([line for line in block.splitlines() if line.strip()]) <= 30
    namespace: dict[str, Any] = {"__name__": "parity"}
    exec(compile(block, str(CHECKOUT / "docs" / "add_a_part.md"), "exec"), namespace)
    spec = spec_from(cli.settings_of(namespace["get_config"]()))
    runner.run_sweep(spec, tmp_path / "run", tasks.load(spec.task, spec.task_settings))
    frame = read_results(tmp_path / "run").frame
    last = frame.sort_values("interactions").groupby("run_id").tail(1)
    assert len(last) == 12
    assert last.return_mean[last.horizon == 1].min() > 0.9, "parity of two digits is learnt"


def test_own_tasks(tmp_path: Path) -> None:
    namespace = run("docs/own_tasks.md")
    assert abs(namespace["scaled"].train.images.std() - 1) < 1e-3
    images = np.random.default_rng(0).integers(0, 256, (2, 30, 28, 28), dtype=np.uint8)
    labels = np.arange(30) % 10
    path = tmp_path / "mnist.npz"
    np.savez(path, x_train=images[0], y_train=labels, x_test=images[1], y_test=labels)
    loaded = tasks.load("arrays", {"path": str(path)})
    assert tasks.identity_settings("arrays", {"path": str(path)}) == {"classes": 10}
    np.testing.assert_array_equal(loaded.task.test.images, images[1])
    np.testing.assert_array_equal(loaded.task.test.labels, labels)


def test_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CHECKOUT)
    names = run("docs/queries.md")
    assert names["runs"].shape == (5, 7)
    assert (names["runs"] == 4).all(axis=None)
    assert names["settings"][0]["batch.rollout_length"] == 512
    assert names["returns"]["mean"].loc[40, [1.0, 127.0]].round(3).tolist() == [0.958, 0.929]
    assert names["curves"].shape == (46, 4)
    assert names["never"][["width", "horizon"]].to_numpy().tolist() == [[4, 127]]
    costs: dict[str, float] = {}
    flops: dict[str, float] = {}
    for row in pq.read_table("docs/results/horizon/results").to_pylist():
        if row["width"] == 13 and row["horizon"] == 31:
            reached = row["interactions"] if row["return_mean"] >= 0.7 else np.inf
            costs[row["run_id"]] = min(costs.get(row["run_id"], np.inf), reached)
            flops[row["run_id"]] = row["flops_per_interaction"]
    median = np.median([*costs.values()])
    assert names["cost"].loc[13, 31.0] == median
    assert names["flops"].loc[13, 31.0] == median * flops.popitem()[1]
    assert (names["cheapest"] == 13).all()
