"""README.md and RESULTS.md state what the tables in docs/results give."""

import re

import pytest

from tests.results import texts
from tests.results.numbers import CHECKOUT, NAMED, RESULTS, numbers

TEMPLATES = sorted(texts.FOLDER.glob("*.template.md"))


@pytest.mark.slow
def test_results_are_those_of_the_stored_tables() -> None:
    assert (CHECKOUT / "RESULTS.md").read_text() == texts.results()


@pytest.mark.slow
def test_the_readme_states_those_of_the_stored_tables() -> None:
    assert (CHECKOUT / "README.md").read_text() == texts.readme()


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_templates_name_numbers_that_are_made(template) -> None:
    named = {name.strip() for name in NAMED.findall(template.read_text())}
    assert named
    assert named <= set(numbers())


def test_every_number_that_is_made_is_stated() -> None:
    texts_ = " ".join(template.read_text() for template in TEMPLATES)
    assert set(numbers()) <= {name.strip() for name in NAMED.findall(texts_)}


def test_no_interval_is_written_into_a_template() -> None:
    for template in TEMPLATES:
        assert not re.search(r"\d \[[\d.-]", template.read_text()), template.name


def test_stored_tables_are_small() -> None:
    """A clone stays quick: less than 5 MB for each sweep or folder of sweeps."""
    for folder in RESULTS.iterdir():
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        assert size < 5e6, f"{folder.name}: {size / 1e6:.1f} MB"
