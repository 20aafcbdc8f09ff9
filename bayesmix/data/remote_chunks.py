"""Rows of tables that stay where they are, some at a time and in their order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from bayesmix.data.remote_table import RemoteTable


def chunks(table: RemoteTable, size: int) -> Iterator[Any]:
    """Arrow tables of at most ``size`` rows, all of the types of the first.

    Raises
    ------
    DataError
        If the table cannot be read to its end.
    """
    schema = None
    with table.reporting():
        for part in _parts(table.frame, size):
            schema = part.schema if schema is None else schema
            for begin in range(0, part.num_rows, size):
                yield part.slice(begin, size).cast(schema)


def _parts(frame: Any, size: int) -> Iterable[Any]:
    """Arrow tables as an engine comes by them."""
    import pyarrow as pa

    native, engine = frame.to_native(), frame.implementation
    if engine.is_duckdb():
        return (pa.Table.from_batches([batch]) for batch in pa.RecordBatchReader.from_stream(native))
    if engine.is_polars():
        return (part.to_arrow() for part in _of_polars(native, size))
    if engine.is_dask():
        return (pa.Table.from_pandas(part.compute(), preserve_index=False) for part in native.partitions)
    if engine.is_pyspark():
        return _of_spark(native, size)
    return [frame.collect("pyarrow").to_native()]


def _of_polars(native: Any, size: int) -> Iterator[Any]:
    if hasattr(native, "collect_batches"):
        yield from native.collect_batches(chunk_size=size)
        return
    begin = 0  # of versions before there were batches
    while len(part := native.slice(begin, size).collect()):
        yield part
        begin += size


def _of_spark(native: Any, size: int) -> Iterator[Any]:
    import pyarrow as pa
    from pyspark.sql.pandas.types import to_arrow_schema

    schema, rows = to_arrow_schema(native.schema), native.toLocalIterator()
    while part := [row.asDict() for row in islice(rows, size)]:
        yield pa.Table.from_pylist(part, schema)
