"""Where a record comes from: an attribute that tells the label, and so lets a model read the place off its images."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .findings import Finding
from .material import Material
from .telling import by_level, enough, sampled, telling

MANY_LEVELS = 20
"""A column of numbers with more is read by its tenths."""


def source_columns(material: Material) -> list[Finding]:
    """LEAK_SOURCE, per target and attribute; an absent value is a level of its own."""
    findings = []
    for name, values in material.attributes.items():
        levels = _levels(values)
        for target in material.targets:
            rows, y = sampled(*material.known(target))
            patients = material.patients[rows]
            if len(set(levels[rows])) < 2 or not enough(y, patients):
                continue
            found = telling(by_level(levels[rows], y, patients), y, rows, patients, either=False)
            if found and found.severity:
                v = cramers_v(levels[rows], y)
                what = f"{target}: the attribute {name} alone tells the label, {found}, Cramer's V {v:.2f}"
                named = tuple((one,) for one in material.named(found.surest))
                figures = found.figures | {"cramers_v": round(v, 4)}
                findings.append(Finding("LEAK_SOURCE", found.severity, what, len(rows), named, target, figures))
    return findings


def _levels(values: np.ndarray) -> np.ndarray:
    numbers = pd.to_numeric(pd.Series(values, dtype=object).replace("", np.nan), errors="coerce")
    if numbers.nunique() <= MANY_LEVELS or numbers.notna().sum() < (values != "").sum():
        return np.asarray(values, dtype=str)
    return pd.qcut(numbers, 10, labels=False, duplicates="drop").astype("Int64").astype(str).to_numpy(dtype=str)


def cramers_v(levels: np.ndarray, y: np.ndarray) -> float:
    """How strongly levels (n,) and y (n,) go together, 0 to 1. Cramer, Mathematical Methods of Statistics, 1946."""
    table = pd.crosstab(levels, y).to_numpy(dtype=float)
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    chi2 = ((table - expected) ** 2 / expected).sum()
    return float(np.sqrt(chi2 / (table.sum() * max(min(table.shape) - 1, 1))))
