"""What an encoder says about records: log-odds, never probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from .reasons import Problem


@dataclass(frozen=True)
class Evidence:
    """One encoder's evidence on n records and T targets.

    log_odds   float (n, T), uncalibrated; NaN where not present
    present    bool (n,), whether the record has a usable input for this encoder
    problems   (record index, Problem)
    embedding  float (n, D) or None; NaN where not present
    facts      (record index, where, {name: text}): what was read of an input, where the encoder alone knows
    novelty    {measure: float (n,)}, how unusual the input is in the encoder's own space; larger is stranger
    """

    log_odds: np.ndarray
    present: np.ndarray
    problems: Sequence[tuple[int, Problem]] = ()
    embedding: np.ndarray | None = None
    facts: Sequence[tuple[int, str, Mapping[str, str]]] = ()
    novelty: Mapping[str, np.ndarray] = field(default_factory=dict)
