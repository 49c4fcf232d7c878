"""Commands that run sweeps."""
