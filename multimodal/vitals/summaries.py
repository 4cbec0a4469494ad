"""Checked measurements to named feature columns, without a loop over records."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..records import Batch
from .checking import Checked
from .groups import Groups, grouped, last_of
from .plans import DERIVED, FeaturePlan

_SEX = {"female": 1.0, "male": 0.0}
_SAME_TIME = 1e-6


@dataclass(frozen=True)
class Features:
    """names: the columns; values: float (n, F), NaN where missing."""

    names: tuple[str, ...]
    values: np.ndarray


def features(checked: Checked, batch: Batch, plan: FeaturePlan) -> Features:
    """The plan's columns for each record of the batch that was checked.

    age_years; sex (female 1, male 0, else NaN); per series first, last, min, max, mean, std (sample, from two
    values), slope (least squares, per hour, from two times), count (0 where there is none), hours_since_last,
    early and late (means up to `split_hours` and after it); `last` of single quantities; flags; one-hot categories;
    derived quantities from last values. Values at the same time are averaged first. Everything but counts is NaN
    where nothing was measured. Codes without columns in the plan are ignored.
    """
    n = len(batch)
    names = plan.names
    place = {name: i for i, name in enumerate(names)}
    out = np.full((n, len(names)), np.nan)
    out[:, place["age_years"]] = batch.age_years
    for sex, number in _SEX.items():
        out[batch.sex == sex, place["sex"]] = number
    codes = checked.values["code"].cat.categories

    def write(groups: Groups, summary: str, per_group: np.ndarray) -> None:
        columns = np.array([place.get(f"{code}.{summary}", -1) for code in codes])[groups.code]
        out[groups.record, columns] = per_group

    for code in plan.series + plan.flags:
        out[:, place[f"{code}.count"]] = 0.0
    series = grouped(checked, plan.series)
    for summary, per_group in _summaries(series, plan).items():
        write(series, summary, per_group)
    single = grouped(checked, plan.single)
    write(single, "last", single.value[_last(single)])
    flags = grouped(checked, plan.flags)
    if len(flags.start):
        write(flags, "any", (np.maximum.reduceat(flags.value, flags.start) > 0).astype(float))
        write(flags, "last", flags.value[_last(flags)])
        write(flags, "share", flags.sums(flags.value) / flags.size)
        write(flags, "count", flags.size)
    for code, levels in plan.categories.items():
        columns = [place[f"{code}={level}"] for level in levels]
        out[:, columns] = _one_hot(checked, n, code, levels)
    last = {code: last_of(checked, n, code) for name in plan.derived for code in DERIVED[name]}
    for name in plan.derived:
        out[:, place[name]] = _derived(name, *(last[code] for code in DERIVED[name]))
    return Features(names, out)


def _last(groups: Groups) -> np.ndarray:
    return groups.start + groups.size - 1


def _summaries(groups: Groups, plan: FeaturePlan) -> dict[str, np.ndarray]:
    """Each summary of plan.summaries, float (g,)."""
    if not len(groups.start):
        return {}
    size, value, hours = groups.size, groups.value, groups.hours
    mean = groups.sums(value) / size
    from_mean = value - groups.spread(mean)
    from_middle = hours - groups.spread(groups.sums(hours) / size)
    squares = groups.sums(from_middle**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        std = np.where(size > 1, np.sqrt(groups.sums(from_mean**2) / (size - 1)), np.nan)
        slope = np.where(squares > _SAME_TIME, groups.sums(from_mean * from_middle) / squares, np.nan)
    found = {
        "first": value[groups.start],
        "last": value[_last(groups)],
        "min": np.minimum.reduceat(value, groups.start),
        "max": np.maximum.reduceat(value, groups.start),
        "mean": mean,
        "std": std,
        "slope": slope,
        "count": size,
        "hours_since_last": -hours[_last(groups)],
    }
    if plan.split_hours is not None:
        early = hours <= plan.split_hours
        for window, inside in (("early", early), ("late", ~early)):
            with np.errstate(divide="ignore", invalid="ignore"):
                found[window] = groups.sums(np.where(inside, value, 0.0)) / groups.sums(inside.astype(float))
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


def _derived(name: str, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if name.startswith("pulse_pressure"):
        return a - b
    return np.divide(a, b, out=np.full(len(a), np.nan), where=b > 0)
