"""A working directory whose runs kept policies, made without training."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from mnist_horizon.horizon import discount_from_horizon
from mnist_horizon.results import save_examples, save_kept, write_results

UNITS, INPUTS, CLASSES = 16, (3, 4), 5
MARKS = (0, 64, 256)


def write_kept(
    workdir: Path,
    activation: str = "leaky_relu",
    seeds: int = 4,
    sparse: bool = False,
    network: str = "mlp",
    horizon: float = 1.0,
) -> Path:
    """Runs of two hidden layers whose kernels are random draws at every mark.

    Args:
        workdir: the directory.
        activation: in the settings of the runs.
        seeds: how many runs.
        sparse: whether in the last mark the inputs reach the first unit of the first layer alone.
        network: name of the network.
        horizon: of all runs.
    """
    rng = np.random.default_rng(0)
    runs = [f"digits-{network}2-h{horizon:g}-s{seed}" for seed in range(seeds)]
    suffix = "" if activation == "leaky_relu" else f"-{activation}"
    settings = {"network": {"name": network, "depth": 2}}
    if suffix:
        settings["network"]["activation"] = activation
    fixed = {
        **{"task": "digits", "network": network + suffix, "algorithm": "vpg", "schedule": "dense"},
        **{"schedule_level": 1.0, "width": UNITS, "depth": 2, "optimizer": "adam"},
        **{"parameters": 500, "flops_per_interaction": 3000.0, "horizon": horizon},
        **{"discount": discount_from_horizon(horizon), "settings": json.dumps(settings)},
    }
    rows = [
        {**fixed, "run_id": run, "seed": seed, "interactions": mark, "return_mean": mark / 512}
        for seed, run in enumerate(runs)
        for mark in MARKS[1:]
    ]
    write_results(workdir / "results" / "program.parquet", pd.DataFrame(rows))
    record = {"program_id": "program", "runs": runs, "done": True}
    (workdir / "programs").mkdir()
    (workdir / "programs" / "program.json").write_text(json.dumps(record))
    save_examples(workdir, "program", rng.integers(0, 256, (20, *INPUTS), dtype=np.uint8))
    shapes = {
        "first": (int(np.prod(INPUTS)), UNITS),
        "hidden1": (UNITS, UNITS),
        "last": (UNITS, CLASSES),
    }
    for mark in MARKS:
        params = {
            name: {
                "kernel": rng.standard_normal((seeds, *shape), dtype=np.float32),
                "bias": np.zeros((seeds, shape[-1]), np.float32),
            }
            for name, shape in shapes.items()
        }
        if sparse and mark == MARKS[-1]:
            params["first"]["kernel"][..., 1:] = 0
        save_kept(workdir, "program", mark, params)
    return workdir
