"""The sections of a note: where a heading begins one, and what kind it is of.

A heading stands at the beginning of a line or of a sentence, before a colon, or alone on its line. HEADINGS lists the
known ones by kind; `notes.headings` of the config adds a user's own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

HEADINGS: dict[str, tuple[str, ...]] = {
    "complaint": ("chief complaint", "cc", "presenting complaint", "主诉"),
    "history": ("history", "history of present illness", "hpi", "clinical history", "interval history", "subjective",
                "clinical information", "patient history", "brief history", "现病史", "病史"),
    "past": ("past medical history", "past history", "pmh", "pmhx", "medical history", "past surgical history", "psh",
             "surgical history", "既往史"),
    "family": ("family history", "fh", "fhx", "family medical history", "家族史"),
    "social": ("social history", "sh", "shx", "个人史"),
    "medications": ("medications", "medication", "current medications", "meds", "home medications",
                    "medications on admission", "discharge medications", "用药"),
    "allergies": ("allergies", "allergy", "过敏史"),
    "review": ("review of systems", "ros"),
    "indication": ("indication", "indications", "reason for exam", "reason for examination", "reason for study",
                   "clinical indication", "适应证"),
    "technique": ("technique", "procedure", "protocol", "exam type", "检查方法"),
    "comparison": ("comparison", "comparisons", "compared with"),
    "findings": ("findings", "finding", "results", "observations",
                 "检查所见", "影像所见", "影像学表现", "所见"),
    "impression": ("impression", "impressions", "conclusion", "conclusions", "opinion", "interpretation",
                   "印象", "诊断意见", "影像诊断", "结论"),
    "exam": ("physical exam", "physical examination", "exam", "examination", "objective", "vital signs",
             "体格检查", "查体"),
    "laboratory": ("labs", "laboratory data", "laboratory", "lab results", "pertinent results", "实验室检查"),
    "assessment": ("assessment", "assessment and plan", "assessment & plan", "a/p", "diagnosis", "diagnoses",
                   "discharge diagnosis", "初步诊断", "诊断"),
    "plan": ("plan", "recommendation", "recommendations", "disposition", "治疗计划"),
    "course": ("hospital course", "brief hospital course", "course", "emergency department course", "ed course",
               "诊疗经过"),
    "immunizations": ("immunizations", "immunization"),
}  # fmt: skip
ENDED_BY_CAPITALS = ("past", "family")
_CAPITALS = re.compile(r"^[ \t]{0,8}(?P<heading>[A-Z][A-Z/&() -]{2,40})[:：]", re.MULTILINE)
_RELATIVE = re.compile(r"(?:GRAND|STEP|HALF-)?(?:MOTHER|FATHER|BROTHER|SISTER|PARENT|SON|DAUGHTER|AUNT|UNCLE|COUSIN)")
KIND = re.compile(r"[a-z][a-z0-9_]*")


class Section(NamedTuple):
    """kind: a key of HEADINGS or a user's own, "" before the first heading; start, stop: its body in the text."""

    kind: str
    start: int
    stop: int


def own_headings(entries: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """("HEADING=kind", ...) -> ((heading, kind), ...). Raises ValueError for one written otherwise."""
    found = []
    for entry in entries:
        heading, equals, kind = (part.strip() for part in entry.rpartition("="))
        if not (equals and heading and KIND.fullmatch(kind)):
            raise ValueError(f"{entry!r}: write it as HEADING=kind, for example Befund=findings")
        found.append((heading, kind))
    return tuple(found)


def sections(text: str, own: tuple[tuple[str, str], ...] = ()) -> list[Section]:
    """The sections of a text, in order; those without a body are left out. Headings belong to no section.

    own: see own_headings; they go before the known ones.

    >>> [section.kind for section in sections("HISTORY: Cough. FINDINGS: Clear lungs.")]
    ['history', 'findings']
    """
    pattern, kinds = _headings(own)
    found, kind, start = [], "", 0
    for match in pattern.finditer(text):
        found += _until_another(text, Section(kind, start, match.start(match.lastgroup)))
        kind, start = kinds[match.lastgroup], match.end()
    found += _until_another(text, Section(kind, start, len(text)))
    return [section for section in found if text[section.start : section.stop].strip()]


def _until_another(text: str, section: Section) -> list[Section]:
    """A section of the past or the family ends at a heading in capitals, known or not: what follows is of today."""
    if section.kind in ENDED_BY_CAPITALS:
        for match in _CAPITALS.finditer(text, section.start, section.stop):
            if match.start() > section.start and not _RELATIVE.match(match["heading"]):
                return [Section(section.kind, section.start, match.start()), Section("", match.start(), section.stop)]
    return [section]


@lru_cache(maxsize=16)
def _headings(own: tuple[tuple[str, str], ...]) -> tuple[re.Pattern[str], dict[str, str]]:
    """A pattern that matches a heading in a group of its own, and the kind of each group."""
    by_kind: dict[str, list[str]] = {}
    for heading, kind in (*own, *((heading, kind) for kind, named in HEADINGS.items() for heading in named)):
        by_kind.setdefault(kind, []).append(heading)
    before_colon, inline, alone, kinds = [], [], [], {}
    for place, (kind, headings) in enumerate(by_kind.items()):
        named = "|".join(r"\s{1,3}".join(re.escape(word) for word in heading.split()) for heading in headings)
        before_colon.append(f"(?P<c{place}>{named})")
        inline.append(f"(?P<i{place}>{named})")
        alone.append(f"(?P<a{place}>{named})")
        kinds |= {f"{group}{place}": kind for group in "cia"}
    # At the beginning of a line it may go on: "Physical exam on discharge:", "Findings/Impression:".
    more = r"(?:[ ]?/[ ]?[a-z]+|[ ](?:on|by|at|upon|during|and)[ ][a-z]+(?:[ ][a-z]+)?)?"
    blanks, colon = r"[ \t]{0,8}", r"[ \t]{0,3}[:：]"
    pattern = (
        rf"^{blanks}(?:{'|'.join(before_colon)}){more}{colon}"
        rf"|(?:(?<=[.;!?])[ \t]{{1,8}}|(?<=[。；]){blanks})(?:{'|'.join(inline)}){colon}"
        rf"|^{blanks}(?:{'|'.join(alone)})[ \t]{{0,3}}(?=\r?$)"
    )
    return re.compile(pattern, re.IGNORECASE | re.MULTILINE), kinds
