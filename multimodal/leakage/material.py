"""What an audit looks at: one cohort as it was read, and perhaps another beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..records import Batch, Target


@dataclass(frozen=True)
class Material:
    """n records of a cohort.

    batch       as the source gave them
    inputs      {modality: what encoders.inputs.READERS made of the batch}; a modality may be absent
    half        object (n,), str: on which side of a split each record stands, "" on none
    targets     T of them; labels  float (n, T), 0 or 1, NaN unknown
    attributes  {name: object (n,), "" unknown}
    against     another part or cohort, whose patients and items must not be among these; its labels are not looked at
    """

    batch: Batch
    inputs: Mapping[str, Any]
    half: np.ndarray
    targets: Mapping[str, Target]
    labels: np.ndarray
    attributes: Mapping[str, np.ndarray]
    against: Material | None = None

    def __len__(self) -> int:
        return len(self.batch)

    @property
    def patients(self) -> np.ndarray:
        return self.batch.patient_ids

    def parts(self) -> list[tuple[int, Material]]:
        """(number of its first record, part) of this and what it is held against."""
        return [(0, self), *([(len(self), self.against)] if self.against else [])]

    def everyone(self, of: str) -> np.ndarray:
        """A column of the batch, over all parts."""
        return np.concatenate([getattr(part.batch, of) for _, part in self.parts()])

    def halves(self) -> np.ndarray:
        return np.concatenate([part.half for _, part in self.parts()])

    def named(self, rows: Sequence[int] | np.ndarray) -> tuple[str, ...]:
        ids = self.everyone("record_ids")
        return tuple(str(ids[row]) for row in rows)

    def known(self, target: str) -> tuple[np.ndarray, np.ndarray]:
        """The records whose label is known, int (k,), and their labels, float (k,)."""
        y = self.labels[:, list(self.targets).index(target)]
        rows = np.flatnonzero(~np.isnan(y))
        return rows, y[rows]

    def of_modality(self, modality: str) -> list[tuple[int, Any]]:
        """(number of the first record of its part, inputs) where the modality was read."""
        return [(offset, part.inputs[modality]) for offset, part in self.parts() if modality in part.inputs]
