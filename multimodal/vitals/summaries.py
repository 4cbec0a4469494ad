"""Checked measurements to named feature columns, without a loop over records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..records import RULES, Batch
from .checking import Checked
from .derived import PER_RECORD, derived_groups
from .groups import DAY_HOURS, SAME_TIME, Groups, grouped
from .plans import AMOUNT_SUMMARIES, FLAG_SUMMARIES, FeaturePlan
from .scores import rule_scores

_SEX = {"female": 1.0, "male": 0.0}
_RECENT_HALF_LIFE_HOURS = 6.0


@dataclass(frozen=True)
class Features:
    """names: the columns; values: float (n, F), NaN where missing."""

    names: tuple[str, ...]
    values: np.ndarray


def features(checked: Checked, batch: Batch, plan: FeaturePlan) -> Features:
    """The plan's columns for each record of the batch that was checked.

    age_years; sex (female 1, male 0, else NaN); `CODE.SUMMARY` of each series (SUMMARIES and WINDOW_SUMMARIES of
    plans.py say which), derived series and flag; `CODE.last` of what is measured once; `CODE=LEVEL`, one-hot; bedside
    scores. Values at the same time are averaged first. Everything but counts is NaN where nothing was measured. Codes
    without columns in the plan are ignored.
    """
    n = len(batch)
    out = np.full((n, len(plan.names)), np.nan)
    place = {name: i for i, name in enumerate(plan.names)}
    out[:, place["age_years"]] = batch.age_years
    for sex, number in _SEX.items():
        out[batch.sex == sex, place["sex"]] = number
    for code in plan.series + plan.derived + plan.flags:
        out[:, place[f"{code}.count"]] = 0.0
    codes = tuple(checked.values["code"].cat.categories)

    def write(groups: Groups, of: tuple[str, ...], summaries: Mapping[str, np.ndarray]) -> None:
        """of: the names that the codes of the groups are indexes into."""
        for summary, per_group in summaries.items():
            columns = np.array([place.get(f"{name}.{summary}", -1) for name in of], dtype=np.int64)[groups.code]
            out[groups.record, columns] = per_group

    for groups, of in ((grouped(checked, plan.series), codes), (derived_groups(checked, plan.derived), plan.derived)):
        write(groups, of, summaries_of(groups, plan.split_hours))
    for groups, of in (
        (grouped(checked, plan.single), codes),
        (derived_groups(checked, plan.single_derived), plan.single_derived),
    ):
        write(groups, of, {"last": groups.value[groups.last]})
    amounts = grouped(checked, plan.amounts)
    in_day = np.where(amounts.hours > -DAY_HOURS, amounts.value, 0.0)
    write(amounts, codes, dict(zip(AMOUNT_SUMMARIES, (amounts.sums(amounts.value), amounts.sums(in_day)))))
    flags = grouped(checked, plan.flags)
    if len(flags.start):
        ever = (np.maximum.reduceat(flags.value, flags.start) > 0).astype(float)
        share, since = flags.sums(flags.value) / flags.size, -flags.hours[flags.start]
        write(flags, codes, dict(zip(FLAG_SUMMARIES, (ever, flags.value[flags.last], share, flags.size, since))))
    for code, levels in plan.categories.items():
        columns = [place[f"{code}={level}"] for level in levels]
        out[:, columns] = _one_hot(checked, n, code, levels)
    rules = rule_scores(checked, n).value if {*plan.per_record} & {*RULES} else None
    for name in plan.per_record:
        out[:, place[name]] = (
            rules[:, list(RULES).index(name)] if name in RULES else PER_RECORD[name].of(checked, batch)
        )
    return Features(plan.names, out)


def summaries_of(groups: Groups, split_hours: float | None) -> dict[str, np.ndarray]:
    """Each of SUMMARIES, and of WINDOW_SUMMARIES where the windows part at `split_hours`; float (g,)."""
    if not len(groups.start):
        return {}
    size, value, hours = groups.size, groups.value, groups.hours
    first, last = groups.start, groups.last
    mean = groups.sums(value) / size
    from_mean = value - groups.spread(mean)
    from_middle = hours - groups.spread(groups.sums(hours) / size)
    squares = groups.sums(from_middle**2)
    weight = np.exp2((hours - groups.spread(hours[last])) / _RECENT_HALF_LIFE_HOURS)
    several = size > 1
    with np.errstate(divide="ignore", invalid="ignore"):
        found = {
            "first": value[first],
            "last": value[last],
            "min": np.minimum.reduceat(value, first),
            "max": np.maximum.reduceat(value, first),
            "mean": mean,
            "std": np.where(several, np.sqrt(groups.sums(from_mean**2) / (size - 1)), np.nan),
            "slope": np.where(squares > SAME_TIME, groups.sums(from_mean * from_middle) / squares, np.nan),
            "change": np.where(several, value[last] - value[first], np.nan),
            "recent": groups.sums(weight * value) / groups.sums(weight),
            "count": size,
            "hours_since_first": -hours[first],
            "hours_since_last": -hours[last],
        }
    return found if split_hours is None else found | _windows(groups, split_hours)


def _windows(groups: Groups, split_hours: float) -> dict[str, np.ndarray]:
    found = {}
    early = groups.hours <= split_hours
    for window, inside in (("early", early), ("late", ~early)):
        there = groups.sums(inside.astype(float))
        with np.errstate(divide="ignore", invalid="ignore"):
            found[f"{window}_mean"] = groups.sums(np.where(inside, groups.value, 0.0)) / there
        for summary, reduce, neutral in (("min", np.minimum, np.inf), ("max", np.maximum, -np.inf)):
            extreme = reduce.reduceat(np.where(inside, groups.value, neutral), groups.start)
            found[f"{window}_{summary}"] = np.where(there > 0, extreme, np.nan)
    return found


def _one_hot(checked: Checked, n: int, code: str, levels: tuple[str, ...]) -> np.ndarray:
    """float (n, levels): 1 at the last level, 0 at others; NaN without one; all 0 for a level that is not planned."""
    rows = checked.values
    mine = np.flatnonzero((rows["code"] == code).to_numpy())
    last = np.full(n, -1)
    # In time order, so the latest of a record is written last.
    last[rows["record"].to_numpy()[mine]] = rows["value"].to_numpy()[mine].astype(int)
    seen = checked.levels.get(code, ())
    to_plan = np.array([levels.index(level) if level in levels else len(levels) for level in seen] + [len(levels) + 1])
    hot = np.eye(len(levels) + 2, len(levels))
    hot[len(levels) + 1] = np.nan
    return hot[to_plan[last]]
