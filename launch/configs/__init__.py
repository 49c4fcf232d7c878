"""One named sweep a file; each file's docstring gives command, time and expected numbers."""
