"""The section on a proxy: an answer for each learning rate, its figure and its table."""

from dataclasses import replace

import numpy as np
import pandas as pd

from analysis.data.frontier import gold_curves
from analysis.laws import Fits
from analysis.laws.early_stopping import fit_early_stopping
from analysis.page.questions import early_stopping
from tests.analysis.page.questions.contents import content_of, names
from tests.analysis.proxy_runs import frontiers_of, proxy_runs
from tests.analysis.sparse_runs import TRUTH, crossings


def content_with(frame):
    frontier = frontiers_of(frame)
    fits = fit_early_stopping(gold_curves(frame, frontier))
    table = crossings(TRUTH, np.random.default_rng(0), schedules=("dense",))
    content = content_of(table, early_stopping=fits)
    return replace(content, measured=replace(content.measured, frontier=frontier))


def test_one_rate_has_an_answer_a_figure_and_a_table(tmp_path):
    (section,) = early_stopping.sections(content_with(proxy_runs(np.random.default_rng(0))))
    assert [claim.verdict for claim in section.answers] == ["equivalent"]
    assert names(section) == ["gold_against_kl"]
    (detail,) = section.details
    (table,) = detail.tables
    assert [row[0] for row in table.rows] == ["0.1", "0.5"]
    assert all(len(row) == len(table.head) for row in table.rows)
    section.figures[0].save(tmp_path)
    assert "difference" in set(pd.read_csv(tmp_path / "gold_against_kl.csv")["what"])


def test_each_of_several_rates_has_its_own():
    frames = [proxy_runs(np.random.default_rng(6), learning_rate=rate) for rate in (1e-3, 1e-2)]
    (section,) = early_stopping.sections(content_with(pd.concat(frames, ignore_index=True)))
    assert len(section.answers) == len(section.details) == 2
    assert "learning rate 0.01" in section.answers[1].text
    assert len(set(names(section))) == 2


def test_tasks_are_told_apart_by_the_settings_that_differ():
    frames = [
        proxy_runs(np.random.default_rng(6)).assign(task_settings=f'{{"labels": {labels}}}')
        for labels in (20, 50)
    ]
    frames[1]["run_id"] += "-50"
    (section,) = early_stopping.sections(content_with(pd.concat(frames, ignore_index=True)))
    for claim, labels in zip(section.answers, ("labels 20", "labels 50"), strict=True):
        assert labels in claim.text
    assert len(set(names(section))) == 2


def test_without_a_proxy_there_is_no_section():
    table = crossings(TRUTH, np.random.default_rng(0), schedules=("dense",))
    assert not list(early_stopping.sections(content_of(table, early_stopping=Fits())))
