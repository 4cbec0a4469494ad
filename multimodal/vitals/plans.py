"""Which feature columns there are: decided once, on the training records, and saved with the model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import numpy as np

from .checking import Checked
from .groups import grouped

SUMMARIES = ("first", "last", "min", "max", "mean", "std", "slope", "count", "hours_since_last")
WINDOWS = ("early", "late")
FLAG_SUMMARIES = ("any", "last", "share", "count")
DERIVED = {
    "shock_index": ("heart_rate", "systolic_bp"),
    "pulse_pressure": ("systolic_bp", "diastolic_bp"),
    "pulse_pressure_invasive": ("systolic_bp_invasive", "diastolic_bp_invasive"),
    "pao2_fio2": ("pao2", "fio2"),
    "bun_creatinine": ("bun", "creatinine"),
}
_REPEATED_SHARE = 0.05


@dataclass(frozen=True)
class FeaturePlan:
    """The columns of the vitals features.

    series       quantities with all of SUMMARIES, and WINDOWS where `split_hours` is known
    single       quantities that are hardly ever measured twice in a record: just `last`
    flags        with FLAG_SUMMARIES
    categories   {code: levels}, one column a level, of the last value
    derived      names of DERIVED whose inputs are all there
    split_hours  the early window ends here, the late one begins; None where all values have about one time
    """

    series: tuple[str, ...] = ()
    single: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    derived: tuple[str, ...] = ()
    split_hours: float | None = None

    @property
    def summaries(self) -> tuple[str, ...]:
        """The summaries of a series, in column order."""
        return SUMMARIES + (WINDOWS if self.split_hours is not None else ())

    @property
    def names(self) -> tuple[str, ...]:
        """The feature columns, in order."""
        return (
            "age_years",
            "sex",
            *(f"{code}.{summary}" for code in self.series for summary in self.summaries),
            *(f"{code}.last" for code in self.single),
            *(f"{code}.{summary}" for code in self.flags for summary in FLAG_SUMMARIES),
            *(f"{code}={level}" for code, levels in self.categories.items() for level in levels),
            *self.derived,
        )

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> FeaturePlan:
        """Raises ValueError where the text is no plan."""
        read = json.loads(text)
        if not isinstance(read, dict) or set(read) != set(cls.__dataclass_fields__):
            raise ValueError("this is no plan of vitals features")
        return cls(
            series=tuple(read["series"]),
            single=tuple(read["single"]),
            flags=tuple(read["flags"]),
            categories={code: tuple(levels) for code, levels in read["categories"].items()},
            derived=tuple(read["derived"]),
            split_hours=read["split_hours"],
        )


def plan(checked: Checked, n_records: int, *, min_records: int = 5) -> FeaturePlan:
    """The plan that suits these training records.

    A code gets columns if at least `min_records` records have it (and one in 500 of the records). A quantity that
    fewer than one in twenty of its records have at two times is `single`. The windows part at the middle between the
    1st and 99th percentile of the times, if these lie at least an hour apart.
    """
    codes = tuple(checked.values["code"].cat.categories)
    groups = grouped(checked, codes)
    records = np.bincount(groups.code, minlength=len(codes))
    repeated = np.bincount(groups.code[groups.size > 1], minlength=len(codes))
    enough = records >= max(min_records, n_records / 500)
    kept = [code for code, there in zip(codes, enough) if there]
    often = {code for code, twice, all_ in zip(codes, repeated, records) if twice >= _REPEATED_SHARE * max(all_, 1)}
    kind = {code: checked.table[code].kind for code in kept}
    quantities = tuple(code for code in kept if kind[code] == "quantity")
    early, late = np.percentile(groups.hours, [1, 99]) if len(groups.hours) else (0.0, 0.0)
    return FeaturePlan(
        series=tuple(code for code in quantities if code in often),
        single=tuple(code for code in quantities if code not in often),
        flags=tuple(code for code in kept if kind[code] == "flag"),
        categories={code: checked.levels[code] for code in kept if kind[code] == "category"},
        derived=tuple(name for name, inputs in DERIVED.items() if set(inputs) <= set(quantities)),
        split_hours=float(early + late) / 2 if late - early >= 1 else None,
    )
