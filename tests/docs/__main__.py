"""Write the data dictionary into its page: `python -m tests.docs`."""

from tests.docs import dictionary

dictionary.PAGE.write_text(dictionary.page())
