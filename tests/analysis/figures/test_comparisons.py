import numpy as np
import pandas as pd
import pytest

from analysis.figures import comparisons
from analysis.laws.comparisons import fit_optimizer_laws, fit_task_laws
from analysis.laws.horizon import HorizonLaw
from tests.analysis.drawings import lines
from tests.analysis.horizon_runs import over_optimizers, over_tasks


def knees(laws: tuple[HorizonLaw, ...], *names: str) -> dict[str, float]:
    return {
        ", rate of ".join(law.labels[name] for name in names): law.quantities["knee"].value
        for law in laws
    }


@pytest.mark.parametrize(
    ("draw", "laws", "names"),
    [
        (comparisons.multiplier_by_task, lambda: fit_task_laws(over_tasks()), ["task"]),
        (
            comparisons.multiplier_by_optimizer,
            lambda: fit_optimizer_laws(over_optimizers()),
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
    law = laws[0]
    points = table[(table["what"] == "measured") & (table["name"] == drawn_knees.index[0])]
    log_e = pd.Series(law.data.values.log_e).groupby(law.data.horizon).mean()
    expected = np.exp(log_e.to_numpy()) / law.quantities["a"].value
    np.testing.assert_allclose(points["multiplier"], expected)
