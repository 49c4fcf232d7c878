"""The data dictionary in `docs/results_on_disk.md`, made of the schema and its texts."""

import re

from mnist_horizon.results import dictionary
from tests.docs.pages import CHECKOUT

PAGE = CHECKOUT / "docs" / "results_on_disk.md"
SECTIONS = {
    "results": "## Columns of a results table\n",
    "crossings": "## Columns of a table of crossings\n",
    "noise": "## Columns of a noise table\n",
    "frontier": "## Columns of a frontier table\n",
}
"""Headings by the kind of table; the first table of a section is made."""


def page() -> str:
    """The page with its tables as schema and texts have them."""
    text = PAGE.read_text()
    for kind, heading in SECTIONS.items():
        before, section = text.split(heading)
        old = re.search(r"(?:^\|.*\n)+", section, flags=re.MULTILINE)
        assert old is not None, f"no table below {heading!r}"
        made = dictionary.markdown(dictionary.TABLES[kind])
        text = before + heading + section[: old.start()] + made + section[old.end() :]
    return text
