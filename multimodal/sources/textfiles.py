"""Table files as text: CSV (also .gz; comma, semicolon or tab) and Parquet, in chunks of bounded size.

Every cell is text as it stands in the file, so that `NA`, leading zeros and `1e5` survive; an empty cell is "".
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..records import CohortError, ItemError, Problem, shown
from ..records.encoding import encoding_of
from .plain_csv import LONGEST_LINE, plain_blocks

WHERE = "#where"  # the place of a row, for messages: `notes.csv row 7`
SURPLUS = "#surplus"  # the row has more cells than the header: its cells may be shifted
ATTRIBUTE = "@"  # stands before an attribute's name, so that it is never taken for a field
VERBATIM = ("text", "note")  # columns whose spaces are kept
CHUNK_ROWS = 65_536
CHUNK_CHARACTERS = 8 << 20
SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet")


class Chunk(NamedTuple):
    """Some rows: columns by name, as texts; the number of each row; whether it has text beyond the named columns."""

    columns: dict[str, pa.Array | pa.ChunkedArray]
    rows: np.ndarray
    surplus: np.ndarray


@dataclass(frozen=True)
class TextTable:
    """A table file, looked at but not yet read.

    columns   its header, trimmed
    problems  ENCODING_GUESSED where it applies
    """

    path: Path
    columns: tuple[str, ...]
    problems: list[Problem] = field(default_factory=list)
    encoding: str = "utf-8-sig"
    delimiter: str = ","

    @property
    def size(self) -> int:
        """About the bytes that the table takes as text."""
        packed = {".gz": 8, ".parquet": 4}.get(self.path.suffix.lower(), 1)
        return self.path.stat().st_size * packed

    def chunks(self, columns: Collection[str], attributes: Collection[str] = ()) -> Iterator[pa.Table]:
        """The rows as string columns: those of `columns`, "" where the file lacks one, then those of `attributes`
        behind ATTRIBUTE, WHERE and SURPLUS.

        Raises CohortError COHORT_FORM where the file is damaged.
        """
        read = _parquet_chunks if self.path.suffix.lower() == ".parquet" else _csv_chunks
        for found, rows, surplus in read(self, {*columns, *attributes}):
            where = pc.binary_join_element_wise(f"{self.path.name} row", pc.cast(pa.array(rows), pa.string()), " ")
            table = {}
            for kept, names in (("", columns), (ATTRIBUTE, attributes)):
                for name in names:
                    cells = found[name] if name in found else pa.repeat(pa.scalar("", pa.string()), len(rows))
                    table[kept + name] = cells if name in VERBATIM else pc.utf8_trim_whitespace(cells)
            yield pa.table(table | {WHERE: where, SURPLUS: pa.array(surplus)})


def look_at(path: Path) -> TextTable:
    """The table at `path`: its columns, encoding and delimiter; the rows are not read.

    Raises CohortError: BAD_ENCODING; COHORT_FORM for a damaged file or the same column twice.
    """
    if path.suffix.lower() == ".parquet":
        with _damage_named(path):
            names = pq.read_schema(path).names
        # The index that pandas stores beside the columns is none of them.
        columns = tuple("" if name.startswith("__index_level_") else name.strip() for name in names)
        return TextTable(path, _distinct(path, columns))
    with _damage_named(path):
        try:
            with _opened(path) as stream:
                encoding, problems = encoding_of(iter(lambda: stream.read(1 << 20), b""))
        except ItemError as error:
            raise CohortError(error.code, f"{path.name}: {error.problem.message}.") from None
        with _opened(path) as stream, io.TextIOWrapper(stream, encoding=encoding, newline="") as lines:
            first = lines.readline(LONGEST_LINE)
    rows = {delimiter: next(csv.reader([first], delimiter=delimiter), []) for delimiter in ",;\t"}
    delimiter = max(rows, key=lambda d: ("record_id" in [cell.strip() for cell in rows[d]], len(rows[d])))
    columns = tuple(cell.strip() for cell in rows[delimiter])
    problems = [Problem(problem.code, path.name, problem.message) for problem in problems]
    return TextTable(path, _distinct(path, columns), problems, encoding, delimiter)


def _distinct(path: Path, columns: tuple[str, ...]) -> tuple[str, ...]:
    twice = sorted({name for name in columns if name and columns.count(name) > 1})
    if twice:
        raise CohortError("COHORT_FORM", f"{path.name}: column {', '.join(map(shown, twice))} stands twice.")
    return columns


def _opened(path: Path):
    return gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb")


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """Turns what a damaged file raises into CohortError COHORT_FORM."""
    try:
        yield
    except (EOFError, zlib.error, pa.ArrowException, OSError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise CohortError("COHORT_FORM", f"{path.name} cannot be read ({reason}).") from error


def _csv_chunks(table: TextTable, wanted: Collection[str]) -> Iterator[Chunk]:
    """Row numbers are as a spreadsheet shows them: the header is row 1.

    As long as the file is plain, arrow reads it; from the first block on that is not, the csv module.
    """
    with _damage_named(table.path), _opened(table.path) as stream:
        end = number = 0
        if table.encoding == "utf-8-sig":
            for block_end, rows in plain_blocks(stream, table.columns, table.delimiter, wanted):
                number = max(number, 1)
                found = dict(zip(rows.column_names, rows.columns))
                yield Chunk(found, np.arange(number + 1, number + 1 + len(rows)), np.zeros(len(rows), dtype=bool))
                end, number = block_end, number + len(rows)
        stream.seek(end)
        yield from _csv_rows(table, stream, number)


def _csv_rows(table: TextTable, stream: BinaryIO, number: int) -> Iterator[Chunk]:
    """The rows from where `stream` stands on, before which there are `number` rows."""
    csv.field_size_limit(LONGEST_LINE)  # the limit is the process's: a note may be longer than the default 128 KiB
    encoding = "utf-8" if number and table.encoding == "utf-8-sig" else table.encoding
    with io.TextIOWrapper(stream, encoding=encoding, newline="") as lines:
        read = [0]
        rows: list[list[str]] = []
        numbers: list[int] = []
        reader = csv.reader(_bounded(lines, read, table.path), delimiter=table.delimiter, strict=True)
        while True:
            try:
                row = next(reader, None)
            except csv.Error as error:
                message = f"{table.path.name} row {number + 1} cannot be read ({error})."
                remedy = "Double each quotation mark inside quoted text, and close the last."
                raise CohortError("COHORT_FORM", f"{message} {remedy}") from None
            if rows and (row is None or len(rows) >= CHUNK_ROWS or read[0] > CHUNK_CHARACTERS):
                found, surplus = _columns_of(rows, table.columns)
                yield Chunk(found, np.array(numbers), surplus)
                rows, numbers, read[0] = [], [], 0
            if row is None:
                return
            number += 1
            if number > 1 and row:
                rows.append(row)
                numbers.append(number)


def _columns_of(rows: list[list[str]], columns: tuple[str, ...]) -> tuple[dict[str, pa.Array], np.ndarray]:
    """Rows as columns by name, "" where a row is short; whether a row has text beyond the named columns."""
    width = len(columns)
    surplus = np.zeros(len(rows), dtype=bool)
    if set(map(len, rows)) != {width}:
        for i, row in enumerate(rows):
            surplus[i] = any(cell.strip() for cell in row[width:])
            rows[i] = (row + [""] * width)[:width]
    cells = list(zip(*rows))
    for j in (j for j, name in enumerate(columns) if not name):
        surplus |= np.array([bool(cell.strip()) for cell in cells[j]])
    return {name: pa.array(cells[j], pa.string()) for j, name in enumerate(columns) if name}, surplus


def _bounded(lines: io.TextIOWrapper, read: list[int], path: Path) -> Iterator[str]:
    """The lines, counted in read[0]; a line without end is refused before it fills the memory."""
    while line := lines.readline(LONGEST_LINE):
        if len(line) >= LONGEST_LINE:
            raise CohortError("COHORT_FORM", f"{path.name}: a line of more than {LONGEST_LINE >> 20} MiB.")
        read[0] += len(line)
        yield line


def _parquet_chunks(table: TextTable, wanted: Collection[str]) -> Iterator[Chunk]:
    """Row numbers are from 1; there is no surplus."""
    done = 0
    with _damage_named(table.path), pq.ParquetFile(table.path) as file:
        names = dict(zip(table.columns, file.schema_arrow.names))  # in the file they may have spaces around them
        read = {name: names[name] for name in table.columns if name in wanted}
        for batch in file.iter_batches(batch_size=CHUNK_ROWS // 8, columns=list(read.values())):
            found = {name: _as_text(table.path, name, batch.column(own)) for name, own in read.items()}
            yield Chunk(found, np.arange(done + 1, done + 1 + len(batch)), np.zeros(len(batch), dtype=bool))
            done += len(batch)


def _as_text(path: Path, name: str, cells: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(cells.type):
        cells = cells.dictionary_decode()
    if pa.types.is_boolean(cells.type):
        cells = cells.cast(pa.int8())
    if pa.types.is_nested(cells.type) or pa.types.is_binary(cells.type):
        raise CohortError("COHORT_FORM", f"{path.name}: column {shown(name)} is no column of plain values.")
    return pc.fill_null(cells.cast(pa.string()), "")
