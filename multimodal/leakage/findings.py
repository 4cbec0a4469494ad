"""What an audit found: plain data, for the terminal, JSON and the saved model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ..records import REASONS

LEAK, CAUTION = "leak", "caution"
NAMED = 10
"""So many records or groups of records a finding names at most."""

Severity = Literal["leak", "caution"]


@dataclass(frozen=True)
class Finding:
    """One way in which figures may be too good.

    code      of REASONS
    severity  leak: a figure cannot be believed while it stands; caution: a figure may be partly that
    what      one sentence; no identifier, no text of a note
    count     how many records it concerns, all of them
    records   at most NAMED groups of record ids; those of one group share what was found
    target    whose label it tells; "" where it concerns no label
    figures   numbers behind it, by name
    """

    code: str
    severity: Severity
    what: str
    count: int
    records: tuple[tuple[str, ...], ...] = ()
    target: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert self.code in REASONS, self.code

    @property
    def remedy(self) -> str:
        return REASONS[self.code].remedy

    def __str__(self) -> str:
        return f"{self.code} ({self.severity}): {self.what}"

    def to_json(self, *, with_records: bool = True) -> dict[str, Any]:
        """with_records False: as a model folder keeps it, without identifiers."""
        told = {
            "code": self.code,
            "severity": self.severity,
            "target": self.target,
            "what": self.what,
            "count": self.count,
            "figures": dict(self.figures),
        }
        return told | ({"records": [list(group) for group in self.records]} if with_records else {})


@dataclass(frozen=True)
class Audit:
    """records: how many there are; findings in the order of CHECKS; account: lines on what was seen and is none."""

    records: int
    findings: Sequence[Finding]
    account: Sequence[str] = ()

    @property
    def leaks(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.severity == LEAK]

    def to_json(self) -> dict[str, Any]:
        """The form that `multimodal audit --json` prints."""
        found = [finding.to_json() | {"remedy": finding.remedy} for finding in self.findings]
        return {"records": self.records, "findings": found, "account": list(self.account)}
