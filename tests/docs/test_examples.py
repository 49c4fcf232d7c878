"""The examples of a user's own tasks run, and costs are costs from the rewards to the report."""

import importlib.util
import json
from types import ModuleType

import pytest

from analysis.report import write_report
from mnist_horizon.errors import SweepError
from mnist_horizon.sweeps import runner, spec_from
from mnist_horizon.sweeps.spec import check_scores
from tests.docs.pages import CHECKOUT


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, CHECKOUT / "examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_costs_are_costs_up_to_the_report(tmp_path, capsys):
    curves = example("bandit").main(budget=40_000, seeds=2, workdir=tmp_path / "run")
    frame = curves.frame
    assert frame["return_mean"].between(-5, 0).all()
    first, last = (frame.groupby("run_id")["return_mean"].nth(place) for place in (0, -1))
    assert first.max() < -0.8, "at random answers the mean cost is 1.6"
    assert last[frame["horizon"] == 1].min() > -0.1
    assert "h = 31: mean cost" in capsys.readouterr().out
    write_report([tmp_path / "run"], tmp_path / "report")
    fits = json.loads((tmp_path / "report" / "fits.json").read_text())
    assert {law["threshold"] for law in fits["horizon_law"]} == {-0.5, -0.3, -0.1}


def test_regression_learns_by_squared_error():
    frame = example("regression").main(budget=60_000, seeds=1).frame
    last = frame[frame["horizon"] == 1].groupby("run_id")["return_mean"].nth(-1)
    assert last.min() > -0.2, "the best constant has -0.43"


def test_a_step_pays_later_only_where_a_horizon_sees_it():
    last = example("sequential").main(updates=200, seeds=2, horizons=(1.0, 7.0))
    assert float(last[1.0].max()) < 0
    assert float(last[7.0].min()) > 0.08


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schedules": ("dense", "streak:2")}, r"schedules\[1\]: 'streak:2' needs scores between"),
        ({"references": {"supervised": [0.1]}}, "references.supervised: the right answer"),
        ({"stop_at_return": 0.5}, "stop_at_return: must be 0 for none.*from -5 to 0"),
    ],
)
def test_what_costs_do_not_define_is_refused(changes, message, tmp_path):
    loaded = example("bandit").Wine().load()
    fields = {"task": {"name": "wine"}, "widths": [4], "horizons": [1.0], "seeds": 1}
    spec = spec_from({**fields, "budget": 10_000, **changes})
    with pytest.raises(SweepError, match=message):
        runner.run_sweep(spec, tmp_path / "run", loaded)
    assert not (tmp_path / "run").exists()
    check_scores(spec_from({**fields, "budget": 10_000, "stop_at_return": -0.1}), loaded.task)
