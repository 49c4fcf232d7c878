"""Parquet files from elsewhere: how much memory they need is known before it is taken."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mnist_horizon import files
from mnist_horizon.results.errors import ResultsError

MOST_BYTES = 2**32
"""Most memory that a table may need: a small file can hold a value a thousand million times."""


def column_names(path: Path) -> list[str]:
    """Names of the columns of a Parquet file.

    Raises:
        OSError, pa.ArrowException: it cannot be read, or is not a regular file.
    """
    files.check_regular(path)
    return list(pq.read_schema(path).names)


def read_table(path: Path, columns: Sequence[str] | None = None, filled: int = 0) -> pa.Table:
    """Read a Parquet file, or some of its columns, that may come from elsewhere.

    Args:
        path: the file.
        columns: of the file; by default all.
        filled: how many more columns the reader fills.

    Raises:
        ResultsError: it needs more than `MOST_BYTES`.
        OSError, pa.ArrowException: it cannot be read, or is not a regular file.
    """
    names = column_names(path) if columns is None else list(columns)
    physical = pq.read_metadata(path).schema
    fields = [physical.column(number) for number in range(len(physical))]
    # One file, not a data set: no partition columns are guessed from the path. Texts are read
    # with each of them stored once, so that what they would need is known before it is needed.
    texts = [one.path for one in fields if one.physical_type == "BYTE_ARRAY" and one.path in names]
    file = pq.ParquetFile(path, read_dictionary=texts)
    groups = (file.metadata.row_group(number) for number in range(file.metadata.num_row_groups))
    needed = 8 * file.metadata.num_rows * (len(names) + filled)
    _check_bytes(max(needed, sum(group.total_byte_size for group in groups)))
    table = file.read(columns=names)
    once = [field.name for field in table.schema if pa.types.is_dictionary(field.type)]
    _check_bytes(needed + sum(_text_bytes(table[name]) for name in once if name in texts))
    for name in once:
        text = table[name].cast(table[name].type.value_type)
        table = table.set_column(table.column_names.index(name), name, text)
    return table


def _check_bytes(needed: int) -> None:
    if needed > MOST_BYTES:
        raise ResultsError(f"it would need {needed / 1e9:,.1f} GB of memory")


def _text_bytes(column: pa.ChunkedArray) -> int:
    """Bytes of a column of texts of which each is stored once, when it is stored in every row."""
    sizes = (pc.binary_length(part.dictionary).take(part.indices) for part in column.chunks)
    return sum(pc.sum(size).as_py() or 0 for size in sizes)
