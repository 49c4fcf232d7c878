"""How often what the page says is false, in worlds whose truth is known: `python -m tests.worlds`."""
