"""Identifiers and order: numbers that were given by someone who knew the label, and names where none belong."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from .findings import CAUTION, NAMED, Finding
from .material import Material
from .telling import ENOUGH, by_boosting, enough, sampled, telling

OWN_SHARE = 0.95
"""Of the patients that have a value, so many have one that nobody else has."""
SHORTEST = 4
"""Characters of an id that is looked for in texts; it must hold a digit too."""
_NUMBER = re.compile(r"\d+")
_DECIMAL = re.compile(r"[+-]?\d*[.,]\d+|[+-]?\d{1,4}")


def identifiers(material: Material) -> list[Finding]:
    """LEAK_IDENTIFIER: order and ids that tell a label, ids in texts, attributes that name a patient."""
    return [*_order(material), *_in_texts(material), *_own_values(material)]


def _order(material: Material) -> list[Finding]:
    ids = {"place": np.arange(len(material), dtype=float)}
    for name, column in (("record_id", material.batch.record_ids), ("patient_id", material.patients)):
        numbers = [_NUMBER.findall(one) for one in column]
        ids[f"last number of {name}"] = np.array([float(found[-1][-15:]) if found else np.nan for found in numbers])
        ids[f"first number of {name}"] = np.array([float(found[0][-15:]) if found else np.nan for found in numbers])
        ids[f"length of {name}"] = np.array([len(one) for one in column], dtype=float)
        beginnings = [_NUMBER.split(one, maxsplit=1)[0] for one in column]
        ids[f"beginning of {name}"] = pd.factorize(pd.Series(beginnings))[0].astype(float)
    x, findings = np.stack(list(ids.values()), axis=1), []
    for target in material.targets:
        rows, y = sampled(*material.known(target))
        patients = material.patients[rows]
        if not enough(y, patients):
            continue
        found = telling(by_boosting(x[rows], y, patients), y, rows, patients, either=False)
        if found and found.severity:
            what = f"{target}: the order of the records, or the pattern of their ids, tells the label, {found}"
            named = tuple((one,) for one in material.named(found.surest))
            # No model reads these, so its figures may still be right: it says how the cohort was put together.
            findings.append(Finding("LEAK_IDENTIFIER", CAUTION, what, len(rows), named, target, found.figures))
    return findings


def _in_texts(material: Material) -> list[Finding]:
    """Records whose own id stands in their notes or attributes, oftener than the id of the record before."""
    texts: list[list[str]] = [[] for _ in range(len(material))]
    if notes := material.inputs.get("notes"):
        for row, text in zip(notes.record.tolist(), notes.text, strict=True):
            texts[row].append(text)
    for values in material.attributes.values():
        for row, value in enumerate(values):
            texts[row].append(value)
    joined = ["\n".join(found) for found in texts]
    own = [set(pair) for pair in zip(material.batch.record_ids, material.patients, strict=True)]
    held = [_holds(text, ids) for text, ids in zip(joined, own, strict=True)]
    others = sum(_holds(text, ids) for text, ids in zip(joined, [*own[1:], *own[:1]], strict=True))
    rows = np.flatnonzero(held)
    if len(rows) <= 3 * others:  # as often by chance
        return []
    what = f"the notes or attributes of {len(rows):,} records hold the record's or the patient's own id"
    return [Finding("LEAK_IDENTIFIER", CAUTION, what, len(rows), tuple((one,) for one in material.named(rows[:NAMED])))]


def _holds(text: str, ids: set[str]) -> bool:
    return any(
        len(one) >= SHORTEST
        and any(character.isdigit() for character in one)
        and one in text
        and re.search(rf"(?<![^\W_]){re.escape(one)}(?![^\W_])", text) is not None
        for one in ids
    )


def _own_values(material: Material) -> list[Finding]:
    findings = []
    for name, values in material.attributes.items():
        given = pd.DataFrame({"patient": material.patients, "value": values})
        given = given[(given["value"] != "") & ~given["value"].astype(str).str.fullmatch(_DECIMAL)].drop_duplicates()
        patients = given["patient"].nunique()
        if patients < ENOUGH:
            continue
        alone = given.groupby("value")["patient"].transform("size") == 1
        own = given[alone]["patient"].nunique()
        if own >= OWN_SHARE * patients:
            what = f"the attribute {name} has a value of its own for {own:,} of {patients:,} patients, as names have"
            rows = given.index[alone][:NAMED]
            named = tuple((one,) for one in material.named(rows))
            findings.append(Finding("LEAK_IDENTIFIER", CAUTION, what, own, named))
    return findings
