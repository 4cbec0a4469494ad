"""Which levels a category has that names none: decided once, on the training records."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from ..records import Batch, MeasurementKind, MeasurementTable, Problem, level_text, measurement_table


def settle_levels(batch: Batch, *, min_records: int = 5) -> tuple[Batch, list[Problem]]:
    """The batch, whose table has the levels of every category; and LEVELS_RARE for each that loses some.

    Learnt are the levels that at least `min_records` records have (and one in 500 of the records): more would be
    columns that tell patients apart, and would keep rare words of theirs in the model. A category without any such
    level is free text: its values are left out. Upper and lower case are one level, spelt as most rows have it.
    """
    rows, table = batch.measurements, batch.table
    unsettled = {code for code, kind in table.items() if kind.kind == "category" and not kind.categories}
    if not unsettled:
        return batch, []
    enough = max(min_records, len(batch) / 500)
    names = {name: table.resolve(str(name).strip()) for name in pd.unique(rows["code"].dropna())}
    code = rows["code"].map(names)
    kinds: dict[str, MeasurementKind] = {}
    problems = []
    for own in sorted(unsettled & set(names.values())):
        mine = rows[code == own]
        found, kept = _levels(mine, enough)
        if len(kept) < found:
            less = f"{found - len(kept):,} of {found:,} levels are in fewer than {enough:g} training records: "
            told = "they are not learnt" if kept else "is it free text? The measurement is left out"
            problems.append(Problem("LEVELS_RARE", own, less + told))
        if kept:
            kinds[own] = replace(table[own], categories=kept)
    return without_free_text(replace(batch, table=table.extended(kinds))), problems


def without_free_text(batch: Batch) -> Batch:
    """Without the values of categories that have no levels: in training none was learnt, so in scoring none is read."""
    free_text = {code for code, kind in batch.table.items() if kind.kind == "category" and not kind.categories}
    if not free_text:
        return batch
    rows = batch.measurements
    names = {name: batch.table.resolve(str(name).strip()) for name in pd.unique(rows["code"].dropna())}
    return replace(batch, measurements=rows[~rows["code"].map(names).isin(free_text)].reset_index(drop=True))


def learnt_additions(table: MeasurementTable) -> dict[str, MeasurementKind]:
    """What the table of a settled batch adds to the package's; a category that is free text has no levels."""
    return {code: kind for code, kind in table.items() if measurement_table().get(code) != kind}


def _levels(rows: pd.DataFrame, enough: float) -> tuple[int, tuple[str, ...]]:
    """How many levels these rows have, and those that enough records have, sorted."""
    frame = pd.DataFrame({"record": rows["record"], "text": rows["value"].map(level_text)})
    frame = frame[frame["text"] != ""]
    if frame.empty:
        return 0, ()
    frame["level"] = frame["text"].str.casefold()
    records = frame.groupby("level")["record"].nunique()
    spelt = frame.groupby("level")["text"].agg(lambda texts: texts.value_counts().sort_index().idxmax())
    return len(records), tuple(sorted(spelt[records >= enough]))
