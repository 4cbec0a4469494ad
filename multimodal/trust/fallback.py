"""A bedside rule that decides where the model abstains."""

from __future__ import annotations

import numpy as np

from ..records import RULES, did_you_mean

NONE = "none"
FALLBACKS = (NONE, *RULES)


def check_fallback(name: str) -> str:
    """`name`, if it is a rule of records.RULES or `none`. Raises ValueError, which lists them."""
    if name not in FALLBACKS:
        raise ValueError(f"a fallback is one of {', '.join(FALLBACKS)}{did_you_mean(name, FALLBACKS)}")
    return name


def fall_back(
    decision: np.ndarray, abstained: np.ndarray, alert: np.ndarray, risks: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The decisions with the rule's alert for the risks of the records that the model abstained on.

    decision   float (n, T), 0 or 1, NaN where there is none
    abstained  bool (n,);  alert  float (n,), 0 or 1, NaN where the rule cannot be computed
    risks      bool (T,), the targets that a rule says something about: no diagnosis, no class of an exclusive group
    Returns decisions (n, T), and bool (n,): the rule decided.
    """
    decided = abstained & ~np.isnan(alert) & risks.any()
    return np.where(decided[:, None] & risks, alert[:, None], decision), decided
