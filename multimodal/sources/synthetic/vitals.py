"""The synthetic measurements: physiological series whose level shows the evidence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .truth import TARGETS


@dataclass(frozen=True)
class Series:
    """How one code is drawn.

    level, span  the value at grade 0.5 is `level`, at grade g `level + span * (g - 0.5)`
    target       whose grade it shows; None: it shows none, and its grade is drawn
    often        measured 4 to 9 times in 24 hours, like a bedside observation; otherwise 2 or 3 times
    other_unit   (unit, factor, offset, share of the records): recorded = value * factor + offset
    """

    code: str
    unit: str
    level: float
    span: float
    decimals: int
    target: str | None = None
    often: bool = False
    other_unit: tuple[str, float, float, float] | None = None


SERIES = (
    Series("temperature", "Cel", 37.6, 3.2, 1, "pneumonia", True, ("[degF]", 1.8, 32.0, 0.15)),
    Series("respiratory_rate", "/min", 20.0, 18.0, 1, "pneumonia", True),
    Series("wbc", "10*3/uL", 11.0, 14.0, 1, "pneumonia"),
    Series("albumin", "g/dL", 3.5, -2.0, 1, "pneumonia"),
    Series("heart_rate", "/min", 86.0, 60.0, 0, "heart_failure", True),
    Series("sodium", "meq/L", 137.0, -16.0, 0, "heart_failure"),
    Series("creatinine", "mg/dL", 1.3, 1.4, 2, "heart_failure", False, ("umol/L", 88.42, 0.0, 0.2)),
    Series("bun", "mg/dL", 24.0, 32.0, 0, "heart_failure"),
    Series("oxygen_saturation", "%", 93.0, -9.0, 1, "deterioration", True),
    Series("systolic_bp", "mm[Hg]", 122.0, -56.0, 0, "deterioration", True),
    Series("lactate", "mmol/L", 2.2, 2.8, 1, "deterioration"),
    Series("bicarbonate", "mmol/L", 23.5, -11.0, 1, "deterioration"),
    Series("glucose", "mg/dL", 130.0, 90.0, 0, None, False, ("mmol/L", 0.0555, 0.0, 0.2)),
    Series("potassium", "meq/L", 4.1, 1.6, 1),
    Series("hematocrit", "%", 37.0, 16.0, 1),
    Series("platelets", "10*3/uL", 230.0, 180.0, 0),
)
# In grades, of which one standard deviation of evidence spans about 0.14.
PATIENT_SD, DRIFT_SD, TIME_SD = 0.035, 0.04, 0.045
HOURS = 24.0
NO_UNIT_SHARE = 0.03


def measure(grades: np.ndarray, present: np.ndarray, random: np.random.Generator) -> pd.DataFrame:
    """The series of all records, as columns record (its index), code, value (text), unit (text or None), hours (< 0).

    grades   float (records, targets) in [0, 1]
    present  bool (records,): the others are not measured
    A code that shows no target's grade is missing for a third of the records.
    """
    columns = []
    for series in SERIES:
        if series.target is None:
            grade = np.clip(random.normal(0.5, 0.15, len(grades)), 0, 1)
            measured = present & (random.random(len(grades)) > 1 / 3)
        else:
            grade = grades[:, TARGETS.index(series.target)]
            measured = present
        columns.append(_series(series, grade, np.flatnonzero(measured), random))
    table = pd.concat(columns, ignore_index=True)
    return table.sort_values(["record", "hours", "code"], kind="stable", ignore_index=True)


def _series(series: Series, grade: np.ndarray, records: np.ndarray, random: np.random.Generator) -> pd.DataFrame:
    own = grade + random.normal(0, PATIENT_SD, len(grade))
    drift = random.normal(0, DRIFT_SD, len(grade))
    counts = random.integers(4, 10, len(records)) if series.often else random.integers(2, 4, len(records))
    record = np.repeat(records, counts)
    hours = np.round(-HOURS * random.random(len(record)), 2) - 0.01
    shown = own[record] + drift[record] * (hours / HOURS + 0.5) + random.normal(0, TIME_SD, len(record))
    value = series.level + series.span * (shown - 0.5)
    unit = np.full(len(record), series.unit, dtype=object)
    decimals = np.full(len(record), series.decimals)
    if series.other_unit is None:
        # An assumed unit must be the right one: leave it out only where no other is in use.
        unit[random.random(len(record)) < NO_UNIT_SHARE] = None
    else:
        other, factor, offset, share = series.other_unit
        use = (random.random(len(grade)) < share)[record]
        value = np.where(use, value * factor + offset, value)
        unit[use] = other
        decimals[use] = 1
    text = [f"{v:.{n}f}" for v, n in zip(value.tolist(), decimals.tolist())]
    return pd.DataFrame({"record": record, "code": series.code, "value": text, "unit": unit, "hours": hours})
