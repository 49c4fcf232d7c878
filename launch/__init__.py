"""Commands that run sweeps: `sweep` on this machine or many hosts, `slurm` as jobs of a queue.

`forecast` estimates what a sweep costs; `bench` and `benchmarks` measure speed; `configs`
has the named sweeps, one per file.
"""
