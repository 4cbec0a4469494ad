"""Every problem of every record of a cohort, found by the readers that training and scoring use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..encoders.inputs import READERS
from ..records import REASONS, Problem
from ..sources import Cohort
from .config import Config
from .scoring import read

BATCH = 256


@dataclass(frozen=True)
class Validation:
    """problems: (record_id, or None where it concerns the cohort as a whole; Problem), in the cohort's order.

    One problem may stand for several values of a record ("and N more"): `counts` counts the values.
    """

    records: int
    problems: Sequence[tuple[str | None, Problem]]

    @property
    def counts(self) -> dict[str, int]:
        """{code: how many items, values or records}, in the order of the table of reasons."""
        found: Counter[str] = Counter()
        for _, problem in self.problems:
            found[problem.code] += problem.times
        return {code: found[code] for code in REASONS if code in found}

    @property
    def refused(self) -> int:
        """How many of the problems refuse something; the values that they stand for are in `counts`."""
        return sum(problem.severity == "refuse" for _, problem in self.problems)

    def to_json(self) -> Mapping[str, Any]:
        """The form that `multimodal validate --json` prints."""
        problems = [
            {
                "record_id": record_id,
                "where": problem.where,
                "code": problem.code,
                "severity": problem.severity,
                "message": problem.message,
            }
            for record_id, problem in self.problems
        ]
        return {"records": self.records, "problems": problems, "counts": self.counts}


def validate(
    cohort: Cohort, *, config: Config | None = None, progress: Callable[[int, int], None] = lambda done, total: None
) -> Validation:
    """Open and decode every item of every record. progress(records done, records in all).

    A record without any usable modality has NO_INPUT beside its other problems.
    """
    config = config or Config()
    of_labels: dict[int, list[Problem]] = {}
    for row, problem in cohort.label_problems():
        of_labels.setdefault(row, []).append(problem)
    # After the labels: reading them may find problems of the cohort as a whole.
    found: list[tuple[str | None, Problem]] = [(None, problem) for problem in cohort.problems]
    done = 0
    progress(done, len(cohort))
    for batch in cohort.batches(BATCH):
        problems: list[list[Problem]] = [[] for _ in range(len(batch))]
        present = np.zeros(len(batch), dtype=bool)
        inputs = [read(batch, modality, config, cohort.targets.values()) for modality in READERS]
        for row, problem in [*batch.problems, *(one for read_in in inputs for one in read_in.problems)]:
            problems[row].append(problem)
        for read_in in inputs:
            present |= read_in.present
        for row, record_id in enumerate(batch.record_ids):
            problems[row] += of_labels.get(done + row, [])
            if not present[row]:
                problems[row].append(Problem("NO_INPUT", "", "no modality is usable"))
            found += [(str(record_id), problem) for problem in problems[row]]
        done += len(batch)
        progress(done, len(cohort))
    return Validation(len(cohort), found)
