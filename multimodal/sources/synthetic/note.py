"""The synthetic note: the evidence in graded, negated, hedged and historical wording, among sentences without any.

Each target has five findings, and every note names them all: only the wording before the finding tells its grade.
As many findings of no target stand in the same wording, so that the words alone, counted one by one, say little.
"""

from __future__ import annotations

import numpy as np

from .truth import TARGETS

# By grade: denied or long past, hedged, mild, marked. As long on average at every grade, so that length tells nothing.
WORDING = (("no", "previous"), ("query",), ("minor",), ("major",))
STEPS = len(WORDING) - 1
# The organ stands between wording and finding, so that pairs of words tell the grade: few enough to be learnt from
# two thousand notes.
FINDINGS = {
    "pneumonia": ("pulmonary", ("crackles", "consolidation", "secretions", "dullness", "wheeze")),
    "heart_failure": ("cardiac", ("enlargement", "congestion", "murmur", "oedema", "gallop")),
    "deterioration": ("circulatory", ("mottling", "instability", "pallor", "collapse", "cyanosis")),
}
UNRELATED = (
    ("abdominal", ("pain", "bloating", "guarding", "tenderness", "cramps")),
    ("cutaneous", ("rash", "itching", "bruising", "dryness", "scaling")),
)
IRRELEVANT = (
    "Mother died of pneumonia at 81.",
    "Brother has heart failure.",
    "Vaccinated against pneumonia.",
    "Attended a course on living with heart failure.",
    "Nursing plan for deterioration explained to the family.",
    "Lives with a partner on the second floor.",
    "Retired teacher, stopped smoking years ago.",
    "Medication list checked by the pharmacist.",
    "Allergies: none known.",
    "Walks with a stick.",
    "Arrived by ambulance.",
    "Seen with the ward team.",
    "Lines and monitoring leads in place.",
    "Interpreter not needed.",
    "Diet as tolerated.",
    "Plan discussed, questions answered.",
)


def write_note(grades: np.ndarray, random: np.random.Generator) -> str:
    """One note.

    grades  float (targets,) in [0, 1], in the order of TARGETS
    """
    sentences = []
    for target, grade in zip(TARGETS, grades):
        sentences += _sentences(*FINDINGS[target], grade, random)
    for organ, findings in UNRELATED:
        sentences += _sentences(organ, findings, random.random(), random)
    few = random.integers(1, 8)
    sentences += [IRRELEVANT[i] for i in random.permutation(len(IRRELEVANT))[:few]]
    return " ".join(sentences[i] for i in random.permutation(len(sentences)))


def _sentences(organ: str, findings: tuple[str, ...], grade: float, random: np.random.Generator) -> list[str]:
    """One sentence a finding; the steps are as even as can be, with sum round(grade * len(findings) * STEPS)."""
    total = round(grade * len(findings) * STEPS)
    steps = np.full(len(findings), total // len(findings))
    steps[random.permutation(len(findings))[: total % len(findings)]] += 1
    words = [WORDING[step][int(random.random() * len(WORDING[step]))] for step in steps]
    return [f"{word.capitalize()} {organ} {finding} noted." for word, finding in zip(words, findings)]
