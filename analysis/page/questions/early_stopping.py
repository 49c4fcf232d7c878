"""Whether a KL penalty does what early stopping does, where a proxy of the reward is paid."""

from collections.abc import Iterator

import pandas as pd

from analysis.data.families import label, slug, task_labels
from analysis.figures import early_stopping as figures
from analysis.laws import EarlyStopping
from analysis.page.content import Content
from analysis.page.early_stopping_claims import early_stopping_claim, proxy_claims
from analysis.page.section import Detail, PlannedFigure, Section, Table
from analysis.page.wording import cell, number


def sections(content: Content) -> Iterator[Section]:
    """One section, where runs are paid a proxy; a detail for each learning rate and batch."""
    laws: list[EarlyStopping] = list(content.fits["early_stopping"])
    if not laws:
        return
    tasks = task_labels(pd.DataFrame([law.group for law in laws]))
    pairs = zip(laws, tasks, strict=True)
    names = [_name(law, task) for law, task in pairs] if len(laws) > 1 else [""]
    entries = [law.to_json() for law in laws]
    answers = [early_stopping_claim(*pair) for pair in zip(entries, names, strict=True)]
    details = []
    for law, entry, name in zip(laws, entries, names, strict=True):
        shown = [] if law is laws[0] else [_figure(content, law, name)]
        title = name or "Differences, and the best policies"
        details.append(Detail(title, proxy_claims(entry), shown, [_table(law)]))
    yield Section(
        "early-stopping",
        "Does a KL penalty do what stopping early does?",
        answers,
        _figure(content, laws[0], names[0]),
        details,
    )


def _name(law: EarlyStopping, task: str) -> str:
    """The task with the settings that the tasks of this page differ in, then the rest."""
    rate = f"learning rate {number(law.group['learning_rate'])}"
    group = label({**law.group, "task": task, "task_settings": ""})
    return f"{group}, batch {law.group.get('batch', 0)}, {rate}"


def _figure(content: Content, law: EarlyStopping, name: str) -> PlannedFigure:
    return PlannedFigure(
        f"gold_against_kl{f'-{slug(name)}' if name else ''}",
        f"{name}{'. ' if name else ''}Left: proxy and gold against KL without a penalty (solid), "
        "the policy with the most proxy at each KL (dashed) and best of n (dotted). Middle: gold "
        "against sqrt KL by coefficient, marks at the ends. Right: gold less that of the run "
        "without a penalty at the same KL, mean along the run (hollow) and at its end (filled), "
        f"95% intervals over seeds; band: the margin of {number(law.margin)}.",
        lambda: figures.gold_against_kl(law, content.measured.frontier),
    )


def _table(law: EarlyStopping) -> Table:
    """Each coefficient in numbers."""
    names = ("kl", "gold", "gold_along", "gold_end", "proxy_end")
    head = ("coefficient", "KL at the end", "gold at the end", "gold, along", "gold, end")
    rows = [
        (number(one["kl_coef"]), *(_cell(one, name) for name in names)) for one in law.coefficients
    ]
    caption = "Differences are at the same KL, less the run without a penalty, with 95% intervals."
    return Table((*head, "proxy, end"), rows, caption)


def _cell(one: dict[str, object], name: str) -> str:
    """A number with its interval; a dash where there is none."""
    known = f"{name}_ci" in one
    return cell({**one, "determined": {name: known}}, name)
