"""Write the tables of a working directory, each atomically."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mnist_horizon import files
from mnist_horizon.results.errors import ResultsError, one_line
from mnist_horizon.results.schema import (
    CROSSINGS_SCHEMA,
    FRONTIER_SCHEMA,
    READ_SCHEMA,
    REQUIRED_COLUMNS,
    REQUIRED_CROSSING_COLUMNS,
    REQUIRED_NOISE_COLUMNS,
    SCHEMA,
    conform,
)


def write_results(
    path: Path | str, rows: Sequence[Mapping[str, Any]] | pd.DataFrame, schema: pa.Schema = SCHEMA
) -> None:
    """Write a results table atomically (or, by `schema`, one of another kind).

    Args:
        path: `WORKDIR/results/<program>.parquet`; its folder is made.
        rows: one mapping or one row per evaluation; optional columns may be absent.
        schema: the columns to write, in this order.

    Raises:
        ResultsError: a required column is absent, a column is unknown or of a wrong type.
    """
    frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows))
    required: Sequence[str] = REQUIRED_COLUMNS
    if schema is FRONTIER_SCHEMA:
        required = FRONTIER_SCHEMA.names
    elif schema not in (SCHEMA, READ_SCHEMA):
        crossings = schema is CROSSINGS_SCHEMA
        required = REQUIRED_CROSSING_COLUMNS if crossings else REQUIRED_NOISE_COLUMNS
    missing = [name for name in required if name not in frame]
    unknown = [str(name) for name in frame if name not in schema.names]
    if missing or unknown:
        problem = f"lacks {', '.join(missing)}" if missing else f"has unknown {', '.join(unknown)}"
        raise ResultsError(f"{path}: the table to write {problem}")
    try:
        table = conform(pa.Table.from_pandas(frame, preserve_index=False), schema)
    except pa.ArrowException as error:
        raise ResultsError(f"{path}: cannot write: {one_line(error)}") from error
    files.write_atomically(Path(path), lambda file: pq.write_table(table, file, compression="zstd"))
