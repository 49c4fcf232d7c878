"""The data dictionary says of each column what the schema has, and what reading it does."""

import dataclasses
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mnist_horizon.results import ResultsError, conform, read_results
from mnist_horizon.results.dictionary import TABLES, markdown
from mnist_horizon.results.schema import READ_SCHEMA
from tests.docs import dictionary
from tests.docs.pages import CHECKOUT


def rows_of(kind: str) -> list[list[str]]:
    """Cells of a table: names, type, unit, what is read where a column is absent, meaning."""
    lines = markdown(TABLES[kind]).splitlines()[2:]
    return [line.removeprefix("| ").removesuffix(" |").split(" | ") for line in lines]


def test_the_page_has_what_the_schema_has():
    assert dictionary.PAGE.read_text() == dictionary.page(), "run python -m tests.docs"


@pytest.mark.parametrize("kind", TABLES)
def test_every_column_is_there_with_its_type_and_every_text_is_of_a_column(kind):
    table = TABLES[kind]
    rows = rows_of(kind)
    found = {name: row[1] for row in rows for name in re.findall(r"`(\w+)`", row[0])}
    assert found == {column.name: str(column.type) for column in table.schema}
    assert table.texts.keys() <= set(table.schema.names)


def test_a_column_without_a_text_is_refused():
    table = TABLES["noise"]
    longer = dataclasses.replace(table, schema=table.schema.append(pa.field("new", pa.int64())))
    with pytest.raises(KeyError, match="'new' has no text"):
        markdown(longer)


def test_what_is_read_where_a_column_is_absent_is_what_the_page_says(tmp_path):
    path = next((CHECKOUT / "docs" / "results" / "horizon" / "results").glob("*.parquet"))
    table = conform(pq.read_table(path).slice(0, 1), READ_SCHEMA)
    (tmp_path / "results").mkdir()
    for name, absent in [(row[0].strip("`"), row[3]) for row in rows_of("results")]:
        pq.write_table(table.drop_columns(name), tmp_path / "results" / "one.parquet")
        if absent == "required":
            with pytest.raises(ResultsError, match=name):
                read_results(tmp_path)
        else:
            (value,) = read_results(tmp_path).frame[name]
            shown = {"NaN": "nan"}.get(absent, absent.strip('`"'))
            assert str(value).lower().removesuffix(".0") == shown, name
