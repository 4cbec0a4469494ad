"""The plain part of a CSV file, read by arrow: many times as fast as the csv module, and alike.

What it does      reads blocks of lines for as long as they are plain: UTF-8; a line ends with a line feed, is not
                  empty, and has as many cells as the header; a quotation mark is the first or last character of a cell.
What it does not  repair or refuse anything: from the first other block on the csv module reads, which names the row.
"""

from __future__ import annotations

import codecs
from collections.abc import Collection, Iterator, Sequence
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv

BLOCK_BYTES = 4 << 20
LONGEST_LINE = 64 << 20


def plain_blocks(
    stream: BinaryIO,
    columns: Sequence[str],
    delimiter: str,
    wanted: Collection[str],
    *,
    block_bytes: int = BLOCK_BYTES,
) -> Iterator[tuple[int, pa.Table]]:
    """(where in the file the block ends, its rows: those of `columns` that are wanted, as texts) of each block.

    stream   stands at the start of the file, whose first line is the header
    columns  the names of all columns; where one has none, no block is plain
    """
    header = stream.readline(LONGEST_LINE)
    if "" in columns or not _plain(header.removeprefix(codecs.BOM_UTF8), delimiter):
        return
    end = len(header)
    options = pyarrow.csv.ConvertOptions(
        include_columns=[name for name in columns if name in wanted] or list(columns[:1]),
        column_types=dict.fromkeys(columns, pa.string()),
        strings_can_be_null=False,
    )
    parse = pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    while block := stream.read(block_bytes):
        block += stream.readline(LONGEST_LINE)
        if len(block) >= LONGEST_LINE or not _plain(block, delimiter):
            return
        read = pyarrow.csv.ReadOptions(use_threads=False, block_size=len(block), column_names=list(columns))
        try:
            rows = pyarrow.csv.read_csv(pa.BufferReader(block), read, parse, options)
        except pa.ArrowInvalid:
            return
        if len(rows) != block.count(b"\n") + (not block.endswith(b"\n")):
            return
        end += len(block)
        yield end, rows


def _plain(block: bytes, delimiter: str) -> bool:
    """Whether quotation marks, in turn, open and close a cell, and each carriage return stands before a line feed."""
    characters = np.frombuffer(b"\n" + block + b"\n", dtype=np.uint8)
    quotes = np.flatnonzero(characters == ord('"'))
    around = [ord(delimiter), ord("\n"), ord("\r")]
    opened = np.isin(characters[quotes[::2] - 1], around[:2]).all()
    closed = np.isin(characters[quotes[1::2] + 1], around).all()
    return bool(
        len(quotes) % 2 == 0 and opened and closed and block.count(b"\r") == block.count(b"\r\n") and b"\0" not in block
    )
