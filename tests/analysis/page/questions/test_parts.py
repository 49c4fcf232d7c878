"""The section on parts is there where runs have references, and nowhere else."""

import numpy as np
import pandas as pd

from analysis.laws import fit_decompositions, fit_horizon_laws
from analysis.page.questions import horizons, parts, schedules
from tests.analysis.page.questions.contents import content_of, names
from tests.analysis.reference_runs import settings_of, sweep


def test_the_section_has_figures_sentences_and_a_table():
    table = sweep(np.random.default_rng(0), widths=(32, 64))
    content = content_of(table, decomposition=fit_decompositions(table))
    (section,) = parts.sections(content)
    assert names(section) == ["interactions_by_part", "ratios_by_width"]
    assert [claim.about for claim in section.answers] == ["decomposition"]
    (detail,) = section.details
    assert len(detail.tables[0].rows) == 2
    assert [claim.about for claim in detail.claims] == ["action_noise"]
    for figure in section.figures:
        assert len(figure.draw()[1])


def test_a_sweep_without_references_has_none():
    table = sweep(np.random.default_rng(0), names=())
    content = content_of(table, decomposition=fit_decompositions(table))
    assert not list(parts.sections(content))


def test_references_are_never_what_the_page_is_about():
    table = sweep(np.random.default_rng(0), horizons=(1.0, 3.0, 7.0))
    more = [
        table[table["algorithm"] != "vpg"].assign(seed=lambda t, n=n: t["seed"] + 10 * n)
        for n in range(1, 9)
    ]
    more = [rows.assign(run_id=rows["run_id"] + f"-{n}") for n, rows in enumerate(more)]
    table = pd.concat([table, *more], ignore_index=True)  # far more runs than those of RL
    content = content_of(
        table, horizon_law=fit_horizon_laws(table), decomposition=fit_decompositions(table)
    )
    assert [family.settings["algorithm"] for family in content.families] == ["vpg"]
    assert content.main.slug == ""  # figures are named as without references
    assert {family.settings["algorithm"] for family in content.references} == {
        *("supervised", "exact")
    }
    assert {law.group["algorithm"] for law in content.fits["horizon_law"]} == {"vpg"}
    (section,) = horizons.sections(content)
    _, drawn = section.figure.draw()
    assert set(drawn.loc[drawn["horizon"] == 0, "what"]) == {"supervised", "exact"}
    assert "as h = 0" in section.figure.caption
    assert list(parts.sections(content))


def test_a_rare_reward_is_compared_with_rl_not_with_references():
    table = sweep(np.random.default_rng(0), horizons=(1.0, 3.0))
    rare = table[table["algorithm"] == "vpg"].assign(schedule="revealed", schedule_level=0.1)
    rare = rare.assign(run_id=rare["run_id"] + "-rare", interactions=10 * rare["interactions"])
    both = pd.concat([table, rare], ignore_index=True)
    (section,) = schedules.sections(content_of(both))
    (number,) = section.answers[0].numbers.values()
    assert round(number[0], 6) == 10


def test_several_families_have_figures_of_their_own():
    vpg = sweep(np.random.default_rng(0))
    ppo = vpg.assign(
        run_id=vpg["run_id"] + "-ppo",
        settings=settings_of("ppo"),
        algorithm=vpg["algorithm"].replace("vpg", "ppo"),
    )
    table = pd.concat([vpg, ppo], ignore_index=True)
    (section,) = parts.sections(content_of(table, decomposition=fit_decompositions(table)))
    assert len(set(names(section))) == 4
    assert len(section.details) == 2
