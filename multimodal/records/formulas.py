"""Spreadsheet formulas: data on the way in, neutralised on the way out to CSV."""

from __future__ import annotations

import pandas as pd

# What Excel, LibreOffice and Google Sheets take for a formula, or skip before one (OWASP, "CSV Injection").
_FIRST = r"^[=+\-@\t\r]"


def neutralised(cells: pd.Series) -> pd.Series:
    """The column with an apostrophe before each text that a spreadsheet would run; numbers (`-48.0`) stay."""
    if not (pd.api.types.is_string_dtype(cells) or pd.api.types.is_object_dtype(cells)):
        return cells
    is_text = cells.map(lambda cell: isinstance(cell, str)).astype(bool)
    texts = cells[is_text].astype(str)
    risky = texts[texts.str.contains(_FIRST)]
    risky = risky[pd.to_numeric(risky, errors="coerce").isna()]
    if not len(risky):
        return cells
    return cells.where(~cells.index.isin(risky.index), "'" + cells.astype(str))
