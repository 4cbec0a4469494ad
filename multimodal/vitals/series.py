"""Checked measurements to regular series: value, mask and time since the last value, per step and code.

Irregular times are put on a grid that is decided once, on the training records. What lies between two records in time
stays visible: a step without a value is masked, not imputed, and the time since the last value is an array of its own
(Che et al., Scientific Reports 8:6085, 2018, figure 3).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from ..records import Batch
from .checking import Checked
from .groups import grouped
from .knots import Knots
from .plans import FeaturePlan, plan
from .summaries import features

MAX_STEPS = 12  # of 48 hours in PhysioNet 2012, 24 steps take twice the time and say no more


@dataclass(frozen=True)
class SeriesPlan:
    """What a series consists of, decided on the training records.

    codes         quantities and flags, the columns of a step
    knots         the normal scores of each code
    steps         how many; step i stands at the time start_hours + i * step_hours, relative to the prediction
    static        the columns that have no time: age, sex, the last level of each category
    static_knots  the normal scores of each static column
    """

    codes: tuple[str, ...]
    knots: tuple[Knots, ...]
    steps: int
    start_hours: float
    step_hours: float
    static: FeaturePlan
    static_knots: tuple[Knots, ...]

    @classmethod
    def of(cls, checked: Checked, batch: Batch) -> SeriesPlan:
        """The plan that suits these training records.

        The codes are those that get features (see plans.plan). The grid reaches from the 1st to the 99th percentile of
        the times, its step is the median time between two moments of a record, or longer, for at most MAX_STEPS.
        """
        whole = plan(checked, len(np.unique(checked.values["record"])))
        codes = whole.series + whole.single + whole.flags
        groups = grouped(checked, codes)
        names = checked.values["code"].cat.categories
        of_value = np.asarray(names, dtype=object)[groups.spread(groups.code)]
        static = FeaturePlan(categories=whole.categories)
        columns = features(checked, batch, static).values
        steps, start_hours, step_hours = _grid(groups.spread(groups.record), groups.hours)
        return cls(
            codes=codes,
            knots=tuple(Knots.of(groups.value[of_value == code]) for code in codes),
            steps=steps,
            start_hours=start_hours,
            step_hours=step_hours,
            static=static,
            static_knots=tuple(Knots.of(column) for column in columns.T),
        )

    @property
    def learnt(self) -> tuple[str, ...]:
        """The measurements that are read."""
        return (*self.codes, *self.static.categories)

    def to_json(self) -> str:
        return json.dumps(asdict(self) | {"static": json.loads(self.static.to_json())})

    @classmethod
    def from_json(cls, text: str) -> SeriesPlan:
        read = json.loads(text)
        for name in ("knots", "static_knots"):
            read[name] = tuple(Knots(tuple(one["value"]), tuple(one["score"])) for one in read[name])
        static = FeaturePlan.from_json(json.dumps(read["static"]))
        return cls(**read | {"codes": tuple(read["codes"]), "static": static})


@dataclass(frozen=True)
class Steps:
    """Some records' series, as arrays; all float32.

    value   (n, S, C), the normal score at the step, else the last before it, else 0, the middle of the training
    mask    (n, S, C), 1 where the step has a value of its own
    delta   (n, S, C), in steps: since the last step before this one that had a value, or since the first step
    static  (n, D), normal scores and, behind them, 1 where one is missing
    """

    value: np.ndarray
    mask: np.ndarray
    delta: np.ndarray
    static: np.ndarray


@dataclass(frozen=True)
class Series:
    """The series of n records: only the cells that hold a value, sorted by record. Few of all cells do.

    first        int (n + 1,), where the cells of each record begin
    step, code   int (m,), of each cell
    value        float32 (m,), the mean of the normal scores that fall into it
    static       float32 (n, D), see Steps
    """

    plan: SeriesPlan
    first: np.ndarray
    step: np.ndarray
    code: np.ndarray
    value: np.ndarray
    static: np.ndarray

    @classmethod
    def of(cls, checked: Checked, batch: Batch, plan: SeriesPlan) -> Series:
        """Codes without a column in the plan are ignored; times outside the grid count for its nearest end."""
        groups = grouped(checked, plan.codes)
        column = _places(checked.values["code"].cat.categories, plan.codes)[groups.spread(groups.code)]
        record = groups.spread(groups.record)
        step = np.floor((groups.hours - plan.start_hours) / plan.step_hours + 0.5)
        step = step.clip(0, plan.steps - 1).astype(np.int64)
        score = np.zeros(len(column))
        order = np.argsort(column, kind="stable")
        for knots, mine in zip(plan.knots, np.split(order, np.searchsorted(column[order], range(1, len(plan.codes))))):
            score[mine] = knots.scores(groups.value[mine])
        # Sorted by record, code and time, so the values of a cell follow each other.
        key = (record * len(plan.codes) + column) * plan.steps + step
        new = np.flatnonzero(np.append(True, key[1:] != key[:-1])) if len(key) else np.zeros(0, dtype=np.int64)
        mean = np.add.reduceat(score, new) / np.diff(np.append(new, len(key))) if len(key) else score
        return cls(
            plan=plan,
            first=np.searchsorted(record[new], np.arange(len(batch) + 1)),
            step=step[new].astype(np.int32),
            code=column[new].astype(np.int32),
            value=mean.astype(np.float32),
            static=_static(features(checked, batch, plan.static).values, plan.static_knots),
        )

    def __len__(self) -> int:
        return len(self.static)

    def steps(self, rows: np.ndarray) -> Steps:
        """The arrays of the records at `rows`, int (n,), in that order."""
        shape = len(rows), self.plan.steps, len(self.plan.codes)
        sizes = self.first[rows + 1] - self.first[rows]
        owner = np.repeat(np.arange(len(rows)), sizes)
        cells = np.repeat(self.first[rows] - np.append(0, np.cumsum(sizes)[:-1]), sizes) + np.arange(sizes.sum())
        value, mask = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)
        at = owner, self.step[cells], self.code[cells]
        value[at], mask[at] = self.value[cells], 1.0
        index = np.arange(shape[1], dtype=np.int32)[:, None]
        last = np.maximum.accumulate(np.where(mask > 0, index, np.int32(-1)), axis=1)
        filled = np.where(last >= 0, np.take_along_axis(value, last.clip(0), axis=1), np.float32(0))
        before = np.zeros_like(last)
        before[:, 1:] = last[:, :-1].clip(0)
        return Steps(filled, mask, (index - before).astype(np.float32), self.static[rows])


def _grid(record: np.ndarray, hours: np.ndarray) -> tuple[int, float, float]:
    """steps, start and step in hours."""
    if not len(hours):
        return 1, 0.0, 1.0
    early, late = np.percentile(hours, [1, 99])
    order = np.lexsort((hours, record))
    record, hours = record[order], hours[order]
    gaps = np.diff(hours)[(np.diff(record) == 0) & (np.diff(hours) > 0)]
    if not len(gaps) or late <= early:
        return 1, float(late), 1.0
    steps = int(np.clip(round((late - early) / np.median(gaps)) + 1, 2, MAX_STEPS))
    return steps, float(early), float((late - early) / (steps - 1))


def _places(names: Sequence[str], codes: Sequence[str]) -> np.ndarray:
    """int: the place among `codes` of each of `names`, -1 where it has none."""
    place = {code: i for i, code in enumerate(codes)}
    return np.array([place.get(name, -1) for name in names], dtype=np.int64)


def _static(columns: np.ndarray, knots: Sequence[Knots]) -> np.ndarray:
    """float32 (n, 2 F) of float (n, F): normal scores, 0 where missing, and whether each is missing."""
    scores = np.stack([one.scores(column) for one, column in zip(knots, columns.T)], axis=1)
    missing = np.isnan(scores)
    return np.hstack([np.where(missing, 0.0, scores), missing]).astype(np.float32)
