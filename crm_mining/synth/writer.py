"""Files that grow chunk by chunk: CSV or Parquet, all columns text."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

FORMATS = ("csv", "parquet")


_CSV_ROWS = 200_000  # written at a time, so that the text of a large table need not fit into one string


def _csv_lines(table: pa.Table) -> bytes:
    """Write rows as CSV, with quotes only where a value needs them (Arrow's own writer quotes every text)."""
    columns = []
    for column in table.columns:
        quoted = pc.binary_join_element_wise('"', pc.replace_substring(column, '"', '""'), '"', "")
        needs_quotes = pc.match_substring_regex(column, '[,"\r\n]')
        columns.append(pc.fill_null(pc.if_else(needs_quotes, quoted, column), ""))
    lines = pc.binary_join_element_wise(*columns, ",")
    return ("\n".join(lines.to_pylist()) + "\n").encode()


class WorldWriter:
    """Write tables under a directory, each piece appended to what was written before in the same run.

    A table's first piece replaces a file that an earlier run left; an empty value is an empty field in CSV and null
    in Parquet.
    """

    def __init__(self, directory: Path, file_format: str) -> None:
        """Remember where and how to write; nothing is touched before the first piece."""
        self._directory = directory
        self._format = file_format
        self._csv: dict[str, BinaryIO] = {}
        self._parquet: dict[str, pq.ParquetWriter] = {}

    def __enter__(self) -> WorldWriter:
        """Start writing."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all files."""
        for file in self._csv.values():
            file.close()
        for writer in self._parquet.values():
            writer.close()

    def append(self, name: str, table: pa.Table) -> None:
        """Append rows to the table `name`, such as 'raw/shop/orders'."""
        path = self._directory / f"{name}.{self._format}"
        if name not in self._csv and name not in self._parquet:
            for other in FORMATS:  # a world of the other format must not linger beside this one
                path.with_suffix(f".{other}").unlink(missing_ok=True)
        if self._format == "csv":
            is_new = name not in self._csv
            if is_new:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._csv[name] = path.open("wb")
            if is_new:
                self._csv[name].write((",".join(table.column_names) + "\n").encode())
            for start in range(0, table.num_rows, _CSV_ROWS):
                self._csv[name].write(_csv_lines(table.slice(start, _CSV_ROWS)))
            return
        if name not in self._parquet:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._parquet[name] = pq.ParquetWriter(path, table.schema, compression="zstd", compression_level=1)
        self._parquet[name].write_table(table)
