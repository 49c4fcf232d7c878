"""The numbers of README.md and RESULTS.md, from the results that are kept in docs/results."""
