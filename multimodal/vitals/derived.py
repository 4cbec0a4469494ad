"""Quantities that clinicians derive from several measurements: as series in time, and once per record.

A derived series has a value at every moment at which one of its inputs is measured and the others are known: each from
its last value, if that is no older than `within_hours`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..records import Batch
from ..records.rules import SYSTOLIC
from .checking import Checked
from .groups import DAY_HOURS, SAME_TIME, Groups, changes, grouped, in_runs, last_of

DIASTOLIC = ("diastolic_bp_invasive", "diastolic_bp")
MEAN_PRESSURE = ("mean_bp_invasive", "mean_bp")
SATURATION = ("oxygen_saturation", "arterial_oxygen_saturation")
AMOUNTS = ("urine_output",)
"""Codes whose values are amounts since the value before: they are summed."""


ADULT_YEARS = 18
LEAST_URINE_HOURS = 6.0
SEVERE_COMA = 8


@dataclass(frozen=True)
class Derived:
    """One derived series.

    formula       for people; `of` computes it from float arrays of the inputs, NaN or infinite where it has no value
    inputs        for each its codes; where several are measured at one moment, the one named first counts
    """

    formula: str
    unit: str
    inputs: tuple[tuple[str, ...], ...]
    within_hours: float
    of: Callable[..., np.ndarray]


DERIVED: Mapping[str, Derived] = {
    "systolic": Derived("systolic pressure, invasive if there is one", "mm[Hg]", (SYSTOLIC,), 0, lambda a: a),
    "diastolic": Derived("diastolic pressure, invasive if there is one", "mm[Hg]", (DIASTOLIC,), 0, lambda a: a),
    "mean_pressure": Derived("mean pressure, invasive if there is one", "mm[Hg]", (MEAN_PRESSURE,), 0, lambda a: a),
    "pulse_pressure": Derived(
        "systolic - diastolic, by cuff", "mm[Hg]", (("systolic_bp",), ("diastolic_bp",)), 0, lambda a, b: a - b
    ),
    "pulse_pressure_invasive": Derived(
        "systolic - diastolic, invasive",
        "mm[Hg]",
        (("systolic_bp_invasive",), ("diastolic_bp_invasive",)),
        0,
        lambda a, b: a - b,
    ),
    "shock_index": Derived("heart rate / systolic", "/min/mm[Hg]", (("heart_rate",), SYSTOLIC), 4, lambda a, b: a / b),
    "pao2_fio2": Derived("PaO2 / FiO2", "mm[Hg]", (("pao2",), ("fio2",)), 12, lambda a, b: a / b),
    "saturation_fio2": Derived("oxygen saturation / FiO2", "%", (SATURATION, ("fio2",)), 12, lambda a, b: a / b),
    "bun_creatinine": Derived("BUN / creatinine", "1", (("bun",), ("creatinine",)), 12, lambda a, b: a / b),
    "anion_gap_derived": Derived(
        "sodium - chloride - bicarbonate",
        "meq/L",
        (("sodium",), ("chloride",), ("bicarbonate",)),
        12,
        lambda a, b, c: a - b - c,
    ),
    "osmolality_derived": Derived(
        "2 sodium + glucose / 18 + BUN / 2.8",
        "mosm/kg",
        (("sodium",), ("glucose",), ("bun",)),
        12,
        lambda a, b, c: 2 * a + b / 18 + c / 2.8,
    ),
    "ast_alt": Derived("AST / ALT", "1", (("ast",), ("alt",)), 12, lambda a, b: a / b),
    "neutrophils_lymphocytes": Derived(
        "neutrophils / lymphocytes", "1", (("neutrophils",), ("lymphocytes",)), 12, lambda a, b: a / b
    ),
    "body_mass_index": Derived(
        "weight / height^2", "kg/m2", (("weight",), ("height",)), np.inf, lambda a, b: a / (b / 100) ** 2
    ),
}


def derived_groups(checked: Checked, names: Sequence[str]) -> Groups:
    """The derived series `names` of all records; the code of a group is an index into `names`."""
    parts = [_series(checked, DERIVED[name]) for name in names]
    record, hours, value = (np.concatenate([part[i] for part in parts]) if parts else np.zeros(0) for i in range(3))
    code = np.repeat(np.arange(len(parts)), [len(part[0]) for part in parts])
    order = np.lexsort((hours, code, record))
    return in_runs(record[order].astype(np.int64), code[order], hours[order], value[order])


def _series(checked: Checked, derived: Derived) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """record, hours, value of one derived series, (m,) each, by record and hours."""
    inputs = [_moments(checked, codes) for codes in derived.inputs]
    which = np.repeat(np.arange(len(inputs)), [len(one[0]) for one in inputs])
    record, hours, value = (np.concatenate([one[i] for one in inputs]) for i in range(3))
    order = np.lexsort((which, hours, record))
    record, hours, value, which = record[order], hours[order], value[order], which[order]
    moment = changes(record) | changes(hours)
    ends = np.flatnonzero(np.append(moment[1:], True)) if len(moment) else np.zeros(0, dtype=np.int64)
    known, arguments = np.ones(len(ends), dtype=bool), []
    for place in range(len(inputs)):
        # The last row of this input up to each moment, if it is of the same record and not too old.
        last = np.maximum.accumulate(np.where(which == place, np.arange(len(which)), -1))[ends]
        known &= (last >= 0) & (record[last] == record[ends])
        known &= hours[ends] - hours[last] <= derived.within_hours + SAME_TIME
        arguments.append(value[last])
    with np.errstate(divide="ignore", invalid="ignore"):
        found = derived.of(*arguments)
    known &= np.isfinite(found)
    return record[ends[known]], hours[ends[known]], found[known]


def _moments(checked: Checked, codes: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """record, hours, value of an input, one row a moment: of several codes the one named first counts."""
    groups = grouped(checked, codes)
    names = list(checked.values["code"].cat.categories)
    rank = np.full(len(names), len(codes))
    for i, code in enumerate(codes):
        if code in names:
            rank[names.index(code)] = i
    record, of_code = groups.spread(groups.record), groups.spread(rank[groups.code])
    if len(codes) > 1:
        order = np.lexsort((of_code, groups.hours, record))
        order = order[changes(record[order]) | changes(groups.hours[order])]
        return record[order], groups.hours[order], groups.value[order]
    return record, groups.hours, groups.value


def egfr(checked: Checked, batch: Batch) -> np.ndarray:
    """Glomerular filtration rate of the last creatinine, age and sex, mL/min/{1.73_m2}, float (n,), NaN where unknown.

    CKD-EPI 2021 without race, for adults: Inker et al., N Engl J Med 385:1737, 2021.
    """
    creatinine = last_of(checked, len(batch), "creatinine")
    female = batch.sex == "female"
    ratio = creatinine / np.where(female, 0.7, 0.9)
    low = np.minimum(ratio, 1) ** np.where(female, -0.241, -0.302)
    rate = 142 * low * np.maximum(ratio, 1) ** -1.2 * 0.9938**batch.age_years * np.where(female, 1.012, 1.0)
    adult = batch.age_years >= ADULT_YEARS
    return np.where(adult & (female | (batch.sex == "male")), rate, np.nan)


def urine_rate(checked: Checked, batch: Batch) -> np.ndarray:
    """Urine of the last day per weight and hour, mL/kg/h, float (n,); NaN without urine or weight.

    Where the first value is less than a day old, what came after it, over the hours since then: an amount is of the
    time before it. NaN where these are fewer than 6.
    """
    n = len(batch)
    groups = grouped(checked, ("urine_output",))
    since_first = -groups.hours[groups.start]
    counted = groups.hours > -DAY_HOURS
    counted[groups.start[since_first < DAY_HOURS]] = False
    amount = np.where(groups.sums(counted) > 0, groups.sums(np.where(counted, groups.value, 0.0)), np.nan)
    rate = np.full(n, np.nan)
    rate[groups.record] = np.where(
        since_first >= LEAST_URINE_HOURS, amount / np.clip(since_first, LEAST_URINE_HOURS, DAY_HOURS), np.nan
    )
    return rate / last_of(checked, n, "weight")


def age_by_coma(checked: Checked, batch: Batch) -> np.ndarray:
    """Age times what the last coma scale lacks of 15, float (n,): the old bear a coma worse than the young."""
    return batch.age_years * (15 - last_of(checked, len(batch), "gcs_total"))


def age_by_bun(checked: Checked, batch: Batch) -> np.ndarray:
    """Age times the last urea nitrogen, float (n,); with confusion the core of CURB-65: Lim et al., Thorax 58:377,
    2003."""
    return batch.age_years * last_of(checked, len(batch), "bun")


def severe_coma_share(checked: Checked, batch: Batch) -> np.ndarray:
    """The share of moments at which the coma scale was 8 or less, float (n,). Teasdale & Jennett, Lancet 2:81, 1974."""
    groups = grouped(checked, ("gcs_total",))
    share = np.full(len(batch), np.nan)
    share[groups.record] = groups.sums(groups.value <= SEVERE_COMA) / groups.size
    return share


@dataclass(frozen=True)
class PerRecord:
    """One derived quantity with one value a record, at the prediction. of(checked, batch) -> float (n,)"""

    formula: str
    unit: str
    inputs: tuple[str, ...]
    of: Callable[[Checked, Batch], np.ndarray]


PER_RECORD: Mapping[str, PerRecord] = {
    "egfr_ckd_epi": PerRecord(
        "CKD-EPI 2021, of the last creatinine, age and sex", "mL/min/{1.73_m2}", ("creatinine",), egfr
    ),
    "age_by_coma": PerRecord("age x (15 - last Glasgow coma scale)", "a", ("gcs_total",), age_by_coma),
    "age_by_bun": PerRecord("age x last BUN", "a.mg/dL", ("bun",), age_by_bun),
    "severe_coma_share": PerRecord("share of Glasgow coma scales <= 8", "1", ("gcs_total",), severe_coma_share),
    "urine_rate": PerRecord(
        "urine of the last 24 h / weight / hours", "mL/kg/h", ("urine_output", "weight"), urine_rate
    ),
}
