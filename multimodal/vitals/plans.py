"""Which feature columns there are: decided once, on the training records, and saved with the model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import numpy as np

from ..records import RULES
from .checking import Checked
from .derived import AMOUNTS, DERIVED, PER_RECORD, derived_groups
from .groups import Groups, grouped
from .scores import rule_scores

SUMMARIES = {
    "first": "the first value",
    "last": "the last value",
    "min": "the smallest value",
    "max": "the largest value",
    "mean": "the mean",
    "std": "sample standard deviation, from two moments",
    "slope": "least squares, per hour, from two moments",
    "change": "the last value minus the first, from two moments",
    "recent": "mean, each value weighted by half for every 6 hours before the prediction",
    "count": "moments at which it was measured; 0 where it was not",
    "hours_since_first": "hours from the first value to the prediction",
    "hours_since_last": "hours from the last value to the prediction",
}
WINDOW_SUMMARIES = {
    f"{window}_{summary}": f"{meaning} of the {half} half of the hours that the training records span"
    for window, half in (("early", "first"), ("late", "second"))
    for summary, meaning in (("mean", "mean"), ("min", "smallest value"), ("max", "largest value"))
}
AMOUNT_SUMMARIES = {"total": "the sum of all values", "total_24h": "the sum of the values of the last 24 hours"}
FLAG_SUMMARIES = {
    "any": "1 if it was ever 1",
    "last": "the last value",
    "share": "the share of moments at which it was 1",
    "count": "moments at which it was told; 0 where it was not",
    "hours_since_first": "hours from the first moment to the prediction",
}
LEVELS = ("first", "last", "min", "max", "mean", "recent", *WINDOW_SUMMARIES, *AMOUNT_SUMMARIES, "any", "share")
"""Summaries that are values of the quantity itself."""
_REPEATED_SHARE = 0.05


@dataclass(frozen=True)
class FeaturePlan:
    """The columns of the vitals features.

    series       quantities with all of SUMMARIES, and WINDOW_SUMMARIES where `split_hours` is known
    derived      names of DERIVED with the same
    single       quantities and flags that are hardly ever measured twice in a record: just `last`
    single_derived  names of DERIVED with just `last`
    amounts      codes that have AMOUNT_SUMMARIES too
    flags        with FLAG_SUMMARIES
    categories   {code: levels}, one column a level, of the last value
    per_record   names of PER_RECORD and of RULES: one column each, at the prediction
    split_hours  the early window ends here, the late one begins; None where all values have about one time
    """

    series: tuple[str, ...] = ()
    derived: tuple[str, ...] = ()
    single: tuple[str, ...] = ()
    single_derived: tuple[str, ...] = ()
    amounts: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    per_record: tuple[str, ...] = ()
    split_hours: float | None = None

    @property
    def summaries(self) -> tuple[str, ...]:
        """The summaries of a series, in column order."""
        return (*SUMMARIES, *(WINDOW_SUMMARIES if self.split_hours is not None else ()))

    @property
    def names(self) -> tuple[str, ...]:
        """The feature columns, in order."""
        return (
            "age_years",
            "sex",
            *(f"{code}.{summary}" for code in (*self.series, *self.derived) for summary in self.summaries),
            *(f"{code}.last" for code in (*self.single, *self.single_derived)),
            *(f"{code}.{summary}" for code in self.amounts for summary in AMOUNT_SUMMARIES),
            *(f"{code}.{summary}" for code in self.flags for summary in FLAG_SUMMARIES),
            *(f"{code}={level}" for code, levels in self.categories.items() for level in levels),
            *self.per_record,
        )

    @property
    def learnt(self) -> tuple[str, ...]:
        """The measurements that are read."""
        inputs = [code for name in (*self.derived, *self.single_derived) for of in DERIVED[name].inputs for code in of]
        own = (*self.series, *self.single, *self.flags, *self.categories)
        return tuple(dict.fromkeys((*own, *inputs)))

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> FeaturePlan:
        """Raises ValueError where the text is no plan."""
        read = json.loads(text)
        if not isinstance(read, dict) or set(read) != set(cls.__dataclass_fields__):
            raise ValueError("this is no plan of vitals features")
        return cls(
            categories={code: tuple(levels) for code, levels in read["categories"].items()},
            split_hours=read["split_hours"],
            **{name: tuple(read[name]) for name in read if name not in ("categories", "split_hours")},
        )


def plan(checked: Checked, n_records: int, *, min_records: int = 5) -> FeaturePlan:
    """The plan that suits these training records.

    A code, derived quantity or rule gets columns if at least `min_records` records have it (and one in 500 of them).
    One that fewer than one in twenty of its records have at two times is `single`. The windows part at the middle
    between the 1st and 99th percentile of the times, if these lie at least an hour apart.
    """
    least = max(min_records, n_records / 500)
    codes = tuple(checked.values["code"].cat.categories)
    groups = grouped(checked, codes)
    often, rarely = _split_by_repeats(groups, codes, least)
    # What a cohort calls as we call a derived quantity is the cohort's.
    names = tuple(name for name in DERIVED if name not in checked.table)
    derived = derived_groups(checked, names)
    derived_often, derived_rarely = _split_by_repeats(derived, names, least)
    kind = {code: checked.table[code].kind for code in (*often, *rarely)}
    early, late = np.percentile(groups.hours, [1, 99]) if len(groups.hours) else (0.0, 0.0)
    series = tuple(code for code in often if kind[code] == "quantity")
    return FeaturePlan(
        series=series,
        derived=derived_often,
        single=tuple(code for code in rarely if kind[code] != "category"),
        single_derived=derived_rarely,
        amounts=tuple(code for code in AMOUNTS if code in series),
        flags=tuple(code for code in often if kind[code] == "flag"),
        categories={code: checked.levels[code] for code in sorted(kind) if kind[code] == "category"},
        per_record=(
            *_usable_rules(checked, least),
            *(name for name, one in PER_RECORD.items() if kind.keys() >= {*one.inputs}),
        ),
        split_hours=float(early + late) / 2 if late - early >= 1 else None,
    )


def _split_by_repeats(groups: Groups, names: tuple[str, ...], least: float) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names that at least `least` records have: those measured at several times in a record, and the others."""
    records = np.bincount(groups.code, minlength=len(names))
    repeated = np.bincount(groups.code[groups.size > 1], minlength=len(names))
    often = repeated >= _REPEATED_SHARE * np.maximum(records, 1)
    return (
        tuple(name for name, there, again in zip(names, records >= least, often) if there and again),
        tuple(name for name, there, again in zip(names, records >= least, often) if there and not again),
    )


def _usable_rules(checked: Checked, least: float) -> list[str]:
    """The rules that at least `least` records allow; one that is a derived series is there already."""
    n = int(checked.values["record"].max()) + 1 if len(checked.values) else 0
    known = (~np.isnan(rule_scores(checked, n).value)).sum(axis=0)
    return [name for name, there in zip(RULES, known) if there >= least and name not in DERIVED]
