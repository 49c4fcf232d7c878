"""How often the page says what is false, where the truth is known: `python -m tests.worlds`."""
