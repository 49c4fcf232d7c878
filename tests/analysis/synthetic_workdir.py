"""A working directory with the results of a simulated sweep."""

from pathlib import Path

import numpy as np

from analysis.laws.synthetic import Design, HorizonTruth, Noise, PowerLawTruth, simulate
from mnist_horizon.results import write_results


def write_workdir(
    workdir: Path | str,
    truth: HorizonTruth | PowerLawTruth,
    design: Design,
    rng: np.random.Generator,
    noise: Noise | None = None,
) -> None:
    """Write a simulated sweep's results to `WORKDIR/results/`, where results are read from."""
    frame = simulate(truth, design, rng, noise)
    write_results(Path(workdir) / "results" / "synthetic.parquet", frame)
