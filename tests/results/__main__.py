"""Write RESULTS.md and the section of README.md from their templates: `python -m tests.results`."""

from tests.results import texts
from tests.results.numbers import CHECKOUT

(CHECKOUT / "README.md").write_text(texts.readme())
(CHECKOUT / "RESULTS.md").write_text(texts.results())
