"""Bedside scores, from each record's last values. For comparison and as baselines, not for care."""

from __future__ import annotations

import numpy as np

from ..records import Batch
from .checking import Checked
from .groups import last_of

# (upper end, points): the points up to and including that end; the last entry has no end.
_RESPIRATION = ((8, 3), (11, 1), (20, 0), (24, 2), (np.inf, 3))
_SATURATION_1 = ((91, 3), (93, 2), (95, 1), (np.inf, 0))
_SYSTOLIC = ((90, 3), (100, 2), (110, 1), (219, 0), (np.inf, 3))
_PULSE = ((40, 3), (50, 1), (90, 0), (110, 1), (130, 2), (np.inf, 3))
_TEMPERATURE = ((35.0, 3), (36.0, 1), (38.0, 0), (39.0, 1), (np.inf, 2))
_ROOM_AIR = 0.215


def news2(checked: Checked, batch: Batch) -> np.ndarray:
    """National Early Warning Score 2, float (n,), 0 to 20; NaN where it cannot be told.

    Saturation is scored on scale 1 (the chart's scale 2, for hypercapnic failure, needs a clinician's decision).
    Values are rounded as they are charted: whole numbers, temperature to a tenth. Consciousness is the ACVPU letter,
    or, without one, altered where the Glasgow coma scale is below 15. Oxygen: the flag, a FiO2 above room air, an
    oxygen flow above 0, or ventilation.
    A parameter that is missing gives 0 points, so the score is a lower bound; but systolic pressure, pulse,
    temperature, and one of respiration and saturation must be there, else it is NaN.
    Royal College of Physicians. National Early Warning Score (NEWS) 2. London: RCP, 2017, chart 1.
    """
    n = len(batch)
    respiration = last_of(checked, n, "respiratory_rate")
    saturation = last_of(checked, n, "oxygen_saturation", "arterial_oxygen_saturation")
    systolic = last_of(checked, n, "systolic_bp", "systolic_bp_invasive")
    pulse = last_of(checked, n, "heart_rate")
    temperature = last_of(checked, n, "temperature")
    points = (
        _points(_whole(respiration), _RESPIRATION)
        + _points(_whole(saturation), _SATURATION_1)
        + _points(_whole(systolic), _SYSTOLIC)
        + _points(_whole(pulse), _PULSE)
        + _points(np.floor(temperature * 10 + 0.5 + 1e-9) / 10, _TEMPERATURE)
        + 2 * _on_oxygen(checked, n)
        + 3 * (_altered(checked, n) == 1)
    )
    known = ~np.isnan(systolic) & ~np.isnan(pulse) & ~np.isnan(temperature)
    known &= ~np.isnan(respiration) | ~np.isnan(saturation)
    return np.where(known, points, np.nan)


def qsofa(checked: Checked, batch: Batch) -> np.ndarray:
    """Quick SOFA, float (n,), 0 to 3: respiration >= 22 /min, systolic <= 100 mm[Hg], altered consciousness.

    NaN where fewer than two of the three are known; the third, if missing, gives 0 points.
    Singer et al., JAMA 315(8):801, 2016.
    """
    n = len(batch)
    respiration = last_of(checked, n, "respiratory_rate")
    systolic = last_of(checked, n, "systolic_bp", "systolic_bp_invasive")
    altered = _altered(checked, n)
    points = (_whole(respiration) >= 22).astype(float) + (_whole(systolic) <= 100) + (altered == 1)
    known = (~np.isnan(np.stack([respiration, systolic, altered]))).sum(axis=0)
    return np.where(known >= 2, points, np.nan)


def shock_index(checked: Checked, batch: Batch) -> np.ndarray:
    """Heart rate / systolic pressure, float (n,), in 1/(min mm[Hg]); NaN where one is missing.

    Allgöwer and Burri, Dtsch Med Wochenschr 92(43):1947, 1967.
    """
    n = len(batch)
    return last_of(checked, n, "heart_rate") / last_of(checked, n, "systolic_bp", "systolic_bp_invasive")


def _whole(values: np.ndarray) -> np.ndarray:
    """Rounded to whole numbers, halves up, as people chart."""
    return np.floor(values + 0.5)


def _points(values: np.ndarray, bands: tuple[tuple[float, int], ...]) -> np.ndarray:
    """float (n,): the points of each value's band; 0 where the value is NaN."""
    ends = np.array([end for end, _ in bands[:-1]])
    points = np.array([score for _, score in bands], dtype=float)
    return np.where(np.isnan(values), 0.0, points[np.searchsorted(ends, values, side="left").clip(0, len(ends))])


def _altered(checked: Checked, n: int) -> np.ndarray:
    """float (n,): 1 where consciousness is altered, 0 where not, NaN where unknown."""
    letter = last_of(checked, n, "consciousness_acvpu")
    coma = last_of(checked, n, "gcs_total")
    altered = np.where(np.isnan(letter), coma < 15, letter > 0).astype(float)
    return np.where(np.isnan(letter) & np.isnan(coma), np.nan, altered)


def _on_oxygen(checked: Checked, n: int) -> np.ndarray:
    """bool (n,): on supplemental oxygen by the flag, FiO2, flow or ventilation."""
    return (
        (last_of(checked, n, "supplemental_oxygen") > 0)
        | (last_of(checked, n, "fio2") > _ROOM_AIR)
        | (last_of(checked, n, "oxygen_flow") > 0)
        | (last_of(checked, n, "mechanical_ventilation") > 0)
    )
