"""The leakage audit: what would make a cohort's figures too good, found before anything is trained.

CHECKS maps the name of a check to a function of a Material. It gives findings, or findings and lines of account.
"""

from __future__ import annotations

from collections.abc import Callable

from .features import single_features
from .files import file_properties
from .findings import CAUTION, LEAK, Audit, Finding
from .future import future_inputs
from .identifiers import identifiers
from .material import Material
from .overlap import overlap
from .sources import source_columns
from .words import own_words

Found = tuple[list[Finding], list[str]]


def _alone(check: Callable[[Material], list[Finding]]) -> Callable[[Material], Found]:
    return lambda material: (check(material), [])


CHECKS: dict[str, Callable[[Material], Found]] = {
    "patients, images and notes on both sides": overlap,
    "inputs after the prediction": future_inputs,
    "own words in notes": _alone(own_words),
    "single features": _alone(single_features),
    "identifiers and order": _alone(identifiers),
    "sources": _alone(source_columns),
    "file properties": _alone(file_properties),
}

__all__ = ["CAUTION", "CHECKS", "LEAK", "Audit", "Finding", "Material", "audited"]


def audited(material: Material, progress: Callable[[str, int, int], None] = lambda what, done, total: None) -> Audit:
    """All of CHECKS. progress(check, done, in all) before each."""
    findings, account = [], []
    for done, (name, check) in enumerate(CHECKS.items()):
        progress(name, done, len(CHECKS))
        found, lines = check(material)
        findings += found
        account += lines
    return Audit(sum(len(part) for _, part in material.parts()), findings, account)
