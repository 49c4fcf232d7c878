"""Results on disk: the tables of a working directory, how they are written and read.

    WORKDIR/sweep.json                   the spec of the sweep
    WORKDIR/programs/<program>.json      runs, whether they are done, provenance
    WORKDIR/results/<program>.parquet    tidy: one row per run and evaluation (`SCHEMA`)
    WORKDIR/crossings/<table>.parquet    interactions to thresholds of runs without curves, imported
    WORKDIR/noise/<program>.parquet      gradient noise: one row likewise (`NOISE_SCHEMA`)
    WORKDIR/frontier/<program>.parquet   best policies by KL from the initial one, where a proxy is
                                         paid (`FRONTIER_SCHEMA`)
    WORKDIR/policies/<run>.msgpack       final parameters
    WORKDIR/kept/<program>-*.npz         parameters along training, where the sweep keeps them

Everything is written to a temporary file in the same folder and renamed, so that a reader sees
either the old table or the new one. Tables written by other tools are read too: they need only
`REQUIRED_COLUMNS`, others take `DEFAULTS`.

Here: `schema` (the columns, and which settings are a run's identity), `dictionary` (what each
means), `reading` (one folder), `joining` (several), `writing`, `records` (sweep.json and
programs/), `policies`, `kept`.
Each is imported on first use: pandas takes a second, and not every command reads tables.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mnist_horizon.results.errors import ResultsError
    from mnist_horizon.results.kept import (
        KEPT_EXAMPLES,
        KeptPolicy,
        kept_files,
        kept_policies,
        save_examples,
        save_kept,
    )
    from mnist_horizon.results.policies import (
        load_policy,
        policy_checksum,
        policy_file,
        save_policy,
    )
    from mnist_horizon.results.reading import (
        Results,
        read_crossings,
        read_frontiers,
        read_noise,
        read_results,
    )
    from mnist_horizon.results.records import read_programs, read_sweep, record_problem
    from mnist_horizon.results.schema import (
        BIAS_COLUMNS,
        CROSSINGS_SCHEMA,
        DEFAULTS,
        DERIVED_COLUMNS,
        FRONTIER_SCHEMA,
        MEASURED_COLUMNS,
        NOISE_SCHEMA,
        OBSERVATION_SETTINGS,
        READ_SCHEMA,
        REQUIRED_COLUMNS,
        REQUIRED_CROSSING_COLUMNS,
        RUN_COLUMNS,
        SCHEMA,
        TASK_COLUMNS,
        conform,
        json_object,
        learning_settings,
    )
    from mnist_horizon.results.writing import write_results

__all__ = [
    "BIAS_COLUMNS",
    "CROSSINGS_SCHEMA",
    "DEFAULTS",
    "DERIVED_COLUMNS",
    "FRONTIER_SCHEMA",
    "KEPT_EXAMPLES",
    "MEASURED_COLUMNS",
    "NOISE_SCHEMA",
    "OBSERVATION_SETTINGS",
    "READ_SCHEMA",
    "REQUIRED_COLUMNS",
    "REQUIRED_CROSSING_COLUMNS",
    "RUN_COLUMNS",
    "SCHEMA",
    "TASK_COLUMNS",
    "KeptPolicy",
    "Results",
    "ResultsError",
    "conform",
    "json_object",
    "kept_files",
    "kept_policies",
    "learning_settings",
    "load_policy",
    "policy_checksum",
    "policy_file",
    "read_crossings",
    "read_frontiers",
    "read_noise",
    "read_programs",
    "read_results",
    "read_sweep",
    "record_problem",
    "save_examples",
    "save_kept",
    "save_policy",
    "write_results",
]

_MODULES = {
    "ResultsError": "errors",
    **dict.fromkeys(("load_policy", "policy_checksum", "policy_file", "save_policy"), "policies"),
    **dict.fromkeys(("KEPT_EXAMPLES", "KeptPolicy", "kept_files", "kept_policies"), "kept"),
    **dict.fromkeys(("save_examples", "save_kept"), "kept"),
    **dict.fromkeys(
        ("Results", "read_crossings", "read_frontiers", "read_noise", "read_results"), "reading"
    ),
    **dict.fromkeys(("read_programs", "read_sweep", "record_problem"), "records"),
    "write_results": "writing",
}
"""All other names are of `schema`."""


def __getattr__(name: str) -> Any:
    if name in __all__:
        module = importlib.import_module(f"{__name__}.{_MODULES.get(name, 'schema')}")
        return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
