"""Bedside scores of each record; records.RULES says what they are. For comparison and as baselines, not for care."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ..records import RULES, Batch, RuleScores
from .checking import Checked
from .groups import DAY_HOURS, Groups, grouped

# (upper end, points): the points up to and including that end; the last entry has no end.
_RESPIRATION = ((8, 3), (11, 1), (20, 0), (24, 2), (np.inf, 3))
_SATURATION_1 = ((91, 3), (93, 2), (95, 1), (np.inf, 0))
_SYSTOLIC = ((90, 3), (100, 2), (110, 1), (219, 0), (np.inf, 3))
_PULSE = ((40, 3), (50, 1), (90, 0), (110, 1), (130, 2), (np.inf, 3))
_TEMPERATURE = ((35.0, 3), (36.0, 1), (38.0, 0), (39.0, 1), (np.inf, 2))
_ROOM_AIR = 0.215

_BILIRUBIN = ((1.1, 0), (1.9, 1), (5.9, 2), (11.9, 3), (np.inf, 4))
_CREATININE = ((1.1, 0), (1.9, 1), (3.4, 2), (4.9, 3), (np.inf, 4))
_COMA = ((5, 4), (9, 3), (12, 2), (14, 1), (np.inf, 0))
_SOFA_COMPONENTS = 3

Series = Mapping[str, Groups]
"""{code: the values of each record that has it}, for every code of RULES."""


def news2(checked: Checked, batch: Batch) -> np.ndarray:
    """National Early Warning Score 2, float (n,), 0 to 20; NaN where it cannot be told.

    Saturation is scored on scale 1 (the chart's scale 2, for hypercapnic failure, needs a clinician's decision).
    Values are rounded as they are charted: whole numbers, temperature to a tenth. Consciousness is the ACVPU letter,
    or, where it is later, altered where the Glasgow coma scale is below 15. Oxygen: by what was told last, the flag, a
    FiO2 above room air, an oxygen flow above 0, or ventilation.
    A parameter that is missing gives 0 points, so the score is a lower bound; but systolic pressure, pulse,
    temperature, and one of respiration and saturation must be there, else it is NaN.
    Royal College of Physicians. National Early Warning Score (NEWS) 2. London: RCP, 2017, chart 1.
    """
    return _news2(_series(checked), len(batch))[0]


def qsofa(checked: Checked, batch: Batch) -> np.ndarray:
    """Quick SOFA, float (n,), 0 to 3: respiration >= 22 /min, systolic <= 100 mm[Hg], altered consciousness.

    NaN where fewer than two of the three are known; the third, if missing, gives 0 points.
    Singer et al., JAMA 315(8):801, 2016.
    """
    return _qsofa(_series(checked), len(batch))[0]


def shock_index(checked: Checked, batch: Batch) -> np.ndarray:
    """Heart rate / systolic pressure, float (n,), in 1/(min mm[Hg]); NaN where one is missing.

    Allgöwer and Burri, Dtsch Med Wochenschr 92(43):1947, 1967.
    """
    return _shock_index(_series(checked), len(batch))[0]


def sofa(checked: Checked, batch: Batch) -> np.ndarray:
    """Sequential Organ Failure Assessment, float (n,), 0 to 24, of the last 24 hours before the prediction.

    Each component has the points of its worst value at -24 hours or later; at the same time the mean counts. A
    component that is missing gives 0 points, so the score is a lower bound; NaN where fewer than three of the six are
    known.
    Respiration  PaO2 / FiO2, each PaO2 with the latest FiO2 at or before it; 3 and 4 points need ventilation then.
    Circulation  the lower of invasive and non-invasive mean pressure, and the highest dose of each vasopressor; that a
                 dose ran for an hour is not checked. Known by a mean pressure or by a dose above 0.
    Kidneys      the worse of creatinine and the sum of urine, which counts only where its charting began at -24 hours
                 or before: else a part of the day would pass for the whole.
    Bilirubin and creatinine are rounded to a tenth, the coma scale to a whole number, as they are charted.
    Vincent et al., Intensive Care Med 22:707, 1996, table 3; a bilirubin of 12.0 and a creatinine of 5.0 mg/dL, which
    the table leaves between two rows, give the points of the upper one.
    """
    return _sofa(_series(checked), len(batch))[0]


def rule_scores(checked: Checked, n: int) -> RuleScores:
    """Every rule of the n records, and which of its inputs were missing."""
    scores, series = RuleScores.none(n), _series(checked)
    for r, (name, score) in enumerate(_SCORES.items()):
        value, missing = score(series, n)
        scores.value[:, r] = value
        scores.missing[:, r, : len(RULES[name].inputs)] = missing & ~np.isnan(value)[:, None]
    return scores


def _series(checked: Checked) -> Series:
    wanted = tuple({code: None for rule in RULES.values() for codes in rule.inputs.values() for code in codes})
    groups, names = grouped(checked, wanted), list(checked.values["code"].cat.categories)
    of_value = groups.spread(groups.code)
    return {code: groups.where(of_value == (names.index(code) if code in names else -1)) for code in wanted}


def _news2(series: Series, n: int) -> tuple[np.ndarray, np.ndarray]:
    last = _last_inputs(series, n, "news2")
    points = (
        _points(_whole(last["respiratory rate"]), _RESPIRATION)
        + _points(_whole(last["oxygen saturation"]), _SATURATION_1)
        + _points(_whole(last["systolic pressure"]), _SYSTOLIC)
        + _points(_whole(last["pulse"]), _PULSE)
        + _points(_tenth(last["temperature"]), _TEMPERATURE)
        + 2 * _on_oxygen(series, n)
        + 3 * (_altered(series, n) == 1)
    )
    missing = _missing(last)
    lacks = dict(zip(last, missing.T))
    known = ~(lacks["systolic pressure"] | lacks["pulse"] | lacks["temperature"])
    known &= ~(lacks["respiratory rate"] & lacks["oxygen saturation"])
    return np.where(known, points, np.nan), missing


def _qsofa(series: Series, n: int) -> tuple[np.ndarray, np.ndarray]:
    last = _last_inputs(series, n, "qsofa")
    fast, low = _whole(last["respiratory rate"]) >= 22, _whole(last["systolic pressure"]) <= 100
    points = fast.astype(float) + low + (_altered(series, n) == 1)
    missing = _missing(last)
    return np.where(missing.sum(axis=1) <= 1, points, np.nan), missing


def _shock_index(series: Series, n: int) -> tuple[np.ndarray, np.ndarray]:
    last = _last_inputs(series, n, "shock_index")
    return last["pulse"] / last["systolic pressure"], _missing(last)


def _sofa(series: Series, n: int) -> tuple[np.ndarray, np.ndarray]:
    codes = [code for codes in RULES["sofa"].inputs.values() for code in codes]
    day = {code: series[code].where(series[code].hours >= -DAY_HOURS) for code in codes}
    # An amount is of the time before it: what stands at -24 hours is of the day before.
    day["urine_output"] = series["urine_output"].where(series["urine_output"].hours > -DAY_HOURS)
    creatinine = _points(_tenth(_highest(day, n, "creatinine")), _CREATININE, missing=np.nan)
    # In the order of RULES["sofa"].inputs; NaN where a component is unknown.
    components = np.stack(
        [
            _respiration_points(day, n),
            _platelet_points(_lowest(day, n, "platelets")),
            _points(_tenth(_highest(day, n, "bilirubin_total")), _BILIRUBIN, missing=np.nan),
            _circulation_points(day, n),
            _points(_whole(_lowest(day, n, "gcs_total")), _COMA, missing=np.nan),
            np.fmax(creatinine, _urine_points(series["urine_output"], day["urine_output"], n)),
        ],
        axis=1,
    )
    missing = np.isnan(components)
    enough = (~missing).sum(axis=1) >= _SOFA_COMPONENTS
    return np.where(enough, np.nansum(components, axis=1), np.nan), missing


_SCORES: Mapping[str, Callable[[Series, int], tuple[np.ndarray, np.ndarray]]] = {
    "news2": _news2,
    "qsofa": _qsofa,
    "shock_index": _shock_index,
    "sofa": _sofa,
}
"""Of each rule of RULES, in their order: its value, float (n,), and its missing inputs, bool (n, inputs)."""


def _last_of_each(series: Series, n: int, codes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Each record's last value of each code, float (n, codes), NaN where it has none; and whether it is the latest of
    all of them, bool (n, codes)."""
    value, hours = np.full((n, len(codes)), np.nan), np.full((n, len(codes)), -np.inf)
    for place, code in enumerate(codes):
        groups = series[code]
        value[groups.record, place], hours[groups.record, place] = groups.value[groups.last], groups.hours[groups.last]
    return value, ~np.isnan(value) & (hours == hours.max(axis=1, initial=-np.inf)[:, None])


def _last(series: Series, n: int, codes: Sequence[str]) -> np.ndarray:
    """float (n,): each record's latest value of any of `codes`, as `groups.last_of`."""
    value, latest = _last_of_each(series, n, codes)
    first = latest.argmax(axis=1)  # at the same time the code named first counts
    return np.where(latest.any(axis=1), value[np.arange(n), first], np.nan)


def _last_inputs(series: Series, n: int, rule: str) -> dict[str, np.ndarray]:
    """{input of the rule: float (n,)}: its latest value by any of its codes, NaN where it is missing."""
    return {name: _last(series, n, codes) for name, codes in RULES[rule].inputs.items()}


def _missing(last: Mapping[str, np.ndarray]) -> np.ndarray:
    """bool (n, inputs)."""
    return np.isnan(np.stack(list(last.values()), axis=1))


def _whole(values: np.ndarray) -> np.ndarray:
    """Rounded to whole numbers, halves up, as people chart."""
    return np.floor(values + 0.5)


def _tenth(values: np.ndarray) -> np.ndarray:
    """Rounded to tenths, halves up."""
    return np.floor(values * 10 + 0.5 + 1e-9) / 10


def _points(values: np.ndarray, bands: tuple[tuple[float, int], ...], missing: float = 0.0) -> np.ndarray:
    """float (n,): the points of each value's band; `missing` where the value is NaN."""
    ends = np.array([end for end, _ in bands[:-1]])
    points = np.array([score for _, score in bands], dtype=float)
    return np.where(np.isnan(values), missing, points[np.searchsorted(ends, values, side="left").clip(0, len(ends))])


def _altered(series: Series, n: int) -> np.ndarray:
    """float (n,): 1 where consciousness is altered, 0 where not, NaN where unknown; by the later of letter and coma
    scale, the letter at the same time."""
    value, latest = _last_of_each(series, n, ("consciousness_acvpu", "gcs_total"))
    altered = np.where(latest[:, 0], value[:, 0] > 0, value[:, 1] < 15).astype(float)
    return np.where(latest.any(axis=1), altered, np.nan)


def _on_oxygen(series: Series, n: int) -> np.ndarray:
    """bool (n,): on supplemental oxygen by what was told last: the flag, FiO2, flow or ventilation."""
    value, latest = _last_of_each(series, n, RULES["news2"].inputs["oxygen"])
    room_air = np.array([_ROOM_AIR if code == "fio2" else 0.0 for code in RULES["news2"].inputs["oxygen"]])
    return (latest & (value > room_air)).any(axis=1)


def _lowest(series: Series, n: int, code: str) -> np.ndarray:
    return _each(series[code], n, np.minimum)


def _highest(series: Series, n: int, code: str) -> np.ndarray:
    return _each(series[code], n, np.maximum)


def _each(groups: Groups, n: int, summary: np.ufunc) -> np.ndarray:
    """float (n,): the lowest, highest or sum of each record's values; NaN where it has none."""
    out = np.full(n, np.nan)
    if len(groups.start):
        out[groups.record] = summary.reduceat(groups.value, groups.start)
    return out


def _respiration_points(day: Series, n: int) -> np.ndarray:
    """float (n,): of the worst PaO2 / FiO2, in mm[Hg]; NaN where no PaO2 has a FiO2."""
    gas = day["pao2"]
    record = gas.spread(gas.record)
    ratio = gas.value / _latest_before(day["fio2"], record, gas.hours)
    ventilated = _latest_before(day["mechanical_ventilation"], record, gas.hours) > 0
    points = (ratio < 400).astype(float) + (ratio < 300) + (ventilated & (ratio < 200)) + (ventilated & (ratio < 100))
    out, known = np.full(n, np.nan), ~np.isnan(ratio)
    np.fmax.at(out, record[known], points[known])
    return out


def _latest_before(groups: Groups, record: np.ndarray, hours: np.ndarray) -> np.ndarray:
    """float (k,): the latest value of each `record` at or before its `hours`; NaN where there is none."""
    owner = groups.spread(groups.record)
    # One axis for record and time: records lie further apart than the hours of a day reach.
    place = np.searchsorted(_axis(owner, groups.hours), _axis(record, hours), side="right") - 1
    found, mine = np.full(len(record), np.nan), place >= 0
    mine[mine] = owner[place[mine]] == record[mine]
    found[mine] = groups.value[place[mine]]
    return found


def _axis(record: np.ndarray, hours: np.ndarray) -> np.ndarray:
    return record * (4 * DAY_HOURS) + hours


def _platelet_points(platelets: np.ndarray) -> np.ndarray:
    """float (n,): below 150, 100, 50 and 20 in 10*3/uL a point each; NaN where unknown."""
    points = (platelets[:, None] < [150, 100, 50, 20]).sum(axis=1)
    return np.where(np.isnan(platelets), np.nan, points)


def _circulation_points(day: Series, n: int) -> np.ndarray:
    """float (n,): mean pressure below 70 mm[Hg], or the vasopressors, in ug/kg/min; NaN where nothing is known."""
    pressure = np.fmin(_lowest(day, n, "mean_bp"), _lowest(day, n, "mean_bp_invasive"))
    dopamine, dobutamine = _highest(day, n, "dopamine"), _highest(day, n, "dobutamine")
    # The same doses of both have the same points.
    adrenaline = np.fmax(_highest(day, n, "epinephrine"), _highest(day, n, "norepinephrine"))
    ladder = (
        (pressure < 70, 1),
        ((dopamine > 0) | (dobutamine > 0), 2),
        ((dopamine > 5) | (adrenaline > 0), 3),
        ((dopamine > 15) | (adrenaline > 0.1), 4),
    )
    points = np.max([np.where(reached, rung, 0.0) for reached, rung in ladder], axis=0)
    return np.where(np.isnan(pressure) & (points == 0), np.nan, points)


def _urine_points(charted: Groups, day: Groups, n: int) -> np.ndarray:
    """float (n,): of a day's urine below 500 and 200 mL; NaN where the charting does not reach back a whole day."""
    total, whole_day = _each(day, n, np.add), np.zeros(n, dtype=bool)
    whole_day[charted.record] = charted.hours[charted.start] <= -DAY_HOURS
    points = np.where(total < 200, 4.0, np.where(total < 500, 3.0, 0.0))
    return np.where(whole_day & ~np.isnan(total), points, np.nan)
