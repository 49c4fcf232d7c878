import numpy as np
import pandas as pd
import pytest

from analysis.figures import comparisons
from analysis.laws.comparisons import fit_optimizer_laws, fit_task_laws
from analysis.laws.horizon import HorizonLaw
from tests.analysis.drawings import lines
from tests.analysis.horizon_runs import over_optimizers, over_tasks, tasks_with_costs


def knees(laws: tuple[HorizonLaw, ...], *names: str) -> dict[str, float]:
    return {
        ", rate of ".join(law.labels[name] for name in names): law.shown_knee.value
        for law in laws
        if law.shown_knee is not None
    }


@pytest.mark.parametrize(
    ("draw", "laws", "names"),
    [
        (comparisons.multiplier_by_task, lambda: fit_task_laws(over_tasks(4)), ["task"]),
        (
            comparisons.multiplier_by_optimizer,
            lambda: fit_optimizer_laws(over_optimizers(4)),
            ["optimizer", "rates"],
        ),
    ],
    ids=["task", "optimizer"],
)
def test_multipliers_and_knees_are_those_of_the_laws(draw, laws, names):
    laws = laws().entries
    figure, table = draw(laws)
    assert len(figure.axes) == 2
    drawn_knees = table[table["what"] == "knee"].set_index("name")["knee"]
    assert drawn_knees.to_dict() == knees(laws, *names)
    curves = table[table["what"] == "law"]
    assert curves[curves["horizon"] == 1]["multiplier"].tolist() == pytest.approx([1.0] * len(laws))
    assert len(list(lines(figure, "law"))) == len(laws)
    (law, *_) = [law for law in laws if law.shown_knee is not None]
    points = table[(table["what"] == "measured") & (table["name"] == drawn_knees.index[0])]
    log_e = pd.Series(law.data.values.log_e).groupby(law.data.horizon).mean()
    form = law.drawn.get("free", law.affine)
    expected = np.exp(log_e.to_numpy() - form.fit.theta[0])
    np.testing.assert_allclose(points["multiplier"], expected)


def test_a_law_that_the_runs_refuse_has_points_alone():
    table = over_tasks(4)
    step = (table["task"] == "one") & (table["horizon"] >= 15)
    table["interactions"] *= np.where(step, 4.0, 1.0)
    laws = fit_task_laws(table).entries
    assert laws[0].drawn == {}
    figure, numbers = comparisons.multiplier_by_task(laws)
    assert set(numbers.loc[numbers["what"] == "law", "name"]) == {"two"}
    assert set(numbers.loc[numbers["what"] == "knee", "name"]) <= {"two"}
    assert len(list(lines(figure, "law"))) == 1
    points = numbers[(numbers["what"] == "measured") & (numbers["name"] == "one")]
    assert points["multiplier"].iloc[0] == pytest.approx(1)


def test_predicted_knees_are_drawn_against_measured_ones_with_both_intervals():
    knees = {"one": 8.0, "two": 16.0, "three": 32.0, "four": 50.0}
    table = tasks_with_costs(knees, factor=1.5, spread=0.1)
    higher = table.assign(threshold=0.85, run_id=table["run_id"])
    higher.loc[higher["task"] == "four", "horizon_cost"] = np.nan  # three are too few
    laws = fit_task_laws(pd.concat([table, higher], ignore_index=True)).entries
    figure, numbers = comparisons.knee_predicted_against_measured(laws)
    (axis,) = figure.axes
    assert "0.7" in axis.get_title()
    assert axis.get_xscale() == axis.get_yscale() == "log"
    assert len(axis.containers) == 4
    by_task = numbers.set_index("task")
    for law in laws:
        if law.threshold != 0.7:
            continue
        row, predicted = by_task.loc[law.labels["task"]], law.predicted["predicted_knee"]
        assert row["measured"] == law.shown_knee.value
        assert (row["measured_low"], row["measured_high"]) == law.shown_knee.interval
        assert row["predicted"] == predicted.value
        assert (row["predicted_low"], row["predicted_high"]) == predicted.interval
        drawn = [c.lines[0].get_xydata()[0].tolist() for c in axis.containers]
        assert [predicted.value, law.shown_knee.value] in drawn
    (equal,) = lines(figure, "equal")
    assert equal.get_xdata().tolist() == equal.get_ydata().tolist()
