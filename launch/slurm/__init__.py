"""A sweep as jobs of SLURM: `python -m launch.slurm --config=FILE --workdir=DIR`.

`job` is what a task of a job array does, `status` the state of a sweep's jobs in the queue.
"""
