"""The texts that state measured numbers, and their templates."""

import re
from pathlib import Path

from tests.results.numbers import CHECKOUT, rendered

FOLDER = Path(__file__).parent
FINDS = re.compile(r"(?<=\n)## What it finds\n.*?(?=\n### )", re.DOTALL)
"""The part of README.md that has a template; all of RESULTS.md has one."""


def results() -> str:
    """RESULTS.md as the stored tables have it."""
    return rendered((FOLDER / "RESULTS.template.md").read_text())


def readme() -> str:
    """README.md with the section on what it finds as the stored tables have it."""
    section = rendered((FOLDER / "README.template.md").read_text())
    return FINDS.sub(lambda _: section, (CHECKOUT / "README.md").read_text())
