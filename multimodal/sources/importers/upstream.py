"""Upstream's files: found by name, read as text, refused with a sentence where one or its column is missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from ...records import CohortError, did_you_mean, shown
from ..textfiles import look_at


def upstream_file(path: Path, name: str) -> Path:
    """The file `name` in the folder `path`; `path` may also be that file. Raises CohortError COHORT_NOT_FOUND."""
    file = path if path.name == name and path.is_file() else path / name
    if file.is_file():
        return file
    if not path.exists():
        raise CohortError("COHORT_NOT_FOUND", f"{shown(path.name)} does not exist.")
    raise CohortError("COHORT_NOT_FOUND", f"upstream's file {name} is not in {shown(path.name)}.")


def read_upstream(file: Path, columns: Sequence[str], account: list[str]) -> pd.DataFrame:
    """The named columns of a CSV file as trimmed text, empty where empty; other columns are left out.

    A guessed encoding is written into `account`.
    Raises CohortError: COHORT_FORM for a file that is no table or lacks a column, BAD_ENCODING for binary content.
    """
    table = look_at(file)
    missing = [name for name in columns if name not in table.columns]
    if missing:
        guess = did_you_mean(missing[0], [name for name in table.columns if name])
        raise CohortError("COHORT_FORM", f"{file.name} lacks upstream's column {', '.join(missing)}{guess or '.'}")
    account.extend(str(problem) for problem in table.problems)
    parts = [chunk.select(list(columns)).to_pandas() for chunk in table.chunks(columns)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(columns), dtype=str)


def refuse_duplicates(ids: Iterable[str], where: str) -> None:
    """Raises CohortError DUPLICATE_RECORD where an id stands twice."""
    ids = pd.Series(list(ids), dtype=object)
    twice = ids[ids.duplicated()].unique()
    if len(twice):
        raise CohortError("DUPLICATE_RECORD", f"{where} holds {named(twice)} more than once.")


def named(items: Iterable[object], limit: int = 10) -> str:
    """The first `limit` items, escaped, and how many more there are."""
    items = list(items)
    more = f" and {len(items) - limit:,} more" if len(items) > limit else ""
    return ", ".join(shown(item, limit=80) for item in items[:limit]) + more
