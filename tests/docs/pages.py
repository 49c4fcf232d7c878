"""Python blocks of a page, to be run as they stand there."""

import re
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]


def python_blocks(page: str) -> list[tuple[int, str]]:
    """The page's blocks of Python in order: how many lines stand before each, and its code."""
    text = (CHECKOUT / page).read_text()
    found = re.finditer(r"^```python\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    return [(text[: match.start(1)].count("\n"), match[1]) for match in found]


def run(page: str, name: str = "tutorial") -> dict[str, Any]:
    """Run the page's blocks in one namespace; a traceback shows the page's own lines."""
    namespace: dict[str, Any] = {"__name__": name}
    blocks = python_blocks(page)
    assert blocks, f"{page} has no Python"
    for before, code in blocks:
        exec(compile("\n" * before + code, str(CHECKOUT / page), "exec"), namespace)
    return namespace
