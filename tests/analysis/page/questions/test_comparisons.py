"""Tasks and optimisers are compared where there are several of them."""

import numpy as np
import pandas as pd
import pytest

from analysis.laws import fit_optimizer_laws, fit_task_laws
from analysis.page.questions import comparisons
from tests.analysis.horizon_runs import tasks_with_costs
from tests.analysis.page.questions.contents import content_of, names
from tests.analysis.sparse_runs import TRUTH, crossings


@pytest.fixture(scope="module", name="table")
def _table() -> pd.DataFrame:
    rng = np.random.default_rng
    one = crossings(TRUTH, rng(0), schedules=("dense",)).assign(task="one")
    noisier = TRUTH + np.array([0, 1.0, 0, 0])
    two = crossings(noisier, rng(1), schedules=("dense",)).assign(task="two")
    two["run_id"] += "-two"
    other = crossings(TRUTH, rng(2), schedules=("dense",)).assign(task="one", optimizer="sgd")
    other["run_id"] += "-sgd"
    return pd.concat([one, two, other], ignore_index=True).assign(score=0.5)


def test_each_factor_has_a_section_that_names_the_knees(table, tmp_path):
    laws = {"optimizer_law": fit_optimizer_laws(table), "task_law": fit_task_laws(table)}
    tasks, optimizers = comparisons.sections(content_of(table, **laws))
    assert [tasks.key, optimizers.key] == ["task", "optimizer"]
    assert names(tasks) == ["multiplier_by_task"]
    assert names(optimizers) == ["multiplier_by_optimizer"]
    (answer,) = tasks.answers
    assert answer.numbers["knee, two"][0] < answer.numbers["knee, one"][0]
    assert "for one" in answer.text
    tasks.figures[0].save(tmp_path)
    written = pd.read_csv(tmp_path / "multiplier_by_task.csv")
    assert set(written["name"]) == {"one", "two"}


def test_another_optimiser_leaves_the_comparison_of_tasks_alone(table):
    alone = fit_task_laws(table[table["optimizer"] != "sgd"]).entries
    among = fit_task_laws(table).entries
    assert [law.quantities for law in alone] == [law.quantities for law in among]


def test_no_factor_gives_no_section(table):
    assert not list(comparisons.sections(content_of(table[table["task"] == "two"])))


def test_four_tasks_with_measured_noise_are_compared_with_its_prediction():
    knees = {"one": 8.0, "two": 16.0, "three": 32.0, "four": 50.0}
    table = tasks_with_costs(knees, factor=1.5)
    (section,) = comparisons.sections(content_of(table, task_law=fit_task_laws(table)))
    detail = section.details[0]
    assert [figure.name for figure in detail.figures] == ["knee_predicted_against_measured"]
    (claim,) = detail.claims
    assert claim.about == "knee_prediction"
    assert "over 4 tasks" in claim.text
    assert claim.numbers["knee_ratio"][0] == pytest.approx(1 / 1.5, rel=0.02)
    (numbers,) = detail.tables
    assert len(numbers.rows) == 4
    three = table[table["task"] != "four"]
    (section,) = comparisons.sections(content_of(three, task_law=fit_task_laws(three)))
    assert names(section) == ["multiplier_by_task"]


def test_of_groups_that_differ_in_other_settings_the_one_with_most_tasks_is_shown():
    knees = {"one": 8.0, "two": 16.0, "three": 32.0, "four": 50.0, "five": 70.0}
    five = tasks_with_costs(knees).assign(optimizer="adam")
    four = tasks_with_costs({name: knees[name] for name in [*knees][:4]}).assign(optimizer="sgd")
    table = pd.concat([four.assign(run_id="sgd-" + four["run_id"]), five], ignore_index=True)
    content = content_of(table, task_law=fit_task_laws(table))
    (section,) = comparisons.sections(content)
    detail = section.details[0]
    assert ["over 5 tasks" in claim.text for claim in detail.claims] == [True]
    assert len(detail.tables[0].rows) == 5
