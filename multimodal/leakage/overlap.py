"""Patients, pictures and notes on both sides of a split, or of two patients where one is meant."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .findings import CAUTION, LEAK, NAMED, Finding
from .material import Material
from .note_twins import same_notes
from .pairs import equal_pairs, groups_of, record_pairs
from .picture_twins import same_pictures

SAME_AGE_YEARS = 1.0
MANY_VALUES = 8
"""So many quantities of a record must be equal, with their times, for two records to be those of one patient."""


def overlap(material: Material) -> tuple[list[Finding], list[str]]:
    """The findings LEAK_PATIENT, LEAK_TWICE, LEAK_IMAGE and LEAK_NOTE, and lines on what is none."""
    patients, halves = material.everyone("patient_ids"), material.halves()
    account: list[str] = []
    pairs = {"image": np.zeros((0, 2), np.int64), "notes": np.zeros((0, 2), np.int64)}
    if pictures := material.of_modality("image"):
        pairs["image"] = same_pictures(pictures)
    if notes := material.of_modality("notes"):
        found = same_notes(notes, patients)
        pairs["notes"] = found.pairs
        if found.templates:
            account.append(
                f"{found.template_records:,} records hold one of {found.templates:,} short or frequent notes "
                "that several patients share: templates, counted apart"
            )
    pairs["vitals"] = _same_measurements(material)
    pairs = {name: one[patients[one[:, 0]] != patients[one[:, 1]]] for name, one in pairs.items()}
    twice = _one_person(material, pairs, patients)
    findings = [*_in_both_halves(material, patients, halves), *_entered_twice(material, pairs, twice, halves)]
    for modality, code, what in (("image", "LEAK_IMAGE", "picture"), ("notes", "LEAK_NOTE", "note")):
        other = pairs[modality][~twice[modality]]
        across = _parted(other, halves)
        findings += _shared(material, other[across], code, LEAK, f"the same {what} stands on both sides of the split")
        findings += _shared(material, other[~across], code, CAUTION, f"several patients have the same {what}")
    return findings, account


def _in_both_halves(material: Material, patients: np.ndarray, halves: np.ndarray) -> list[Finding]:
    frame = pd.DataFrame({"patient": patients, "half": halves})
    frame = frame[frame["half"] != ""]
    sides = frame.groupby("patient", sort=False)["half"].nunique()
    both = sides.index[sides > 1]
    if not len(both):
        return []
    rows = frame.index[frame["patient"].isin(both)]
    groups = [material.named(found.index) for _, found in frame.loc[rows].groupby("patient", sort=False)]
    what = f"{len(both):,} patients have records on both sides of the split"
    return [Finding("LEAK_PATIENT", LEAK, what, len(rows), _shortened(groups))]


def _entered_twice(
    material: Material, pairs: dict[str, np.ndarray], twice: dict[str, np.ndarray], halves: np.ndarray
) -> list[Finding]:
    found = np.concatenate([pairs[name][twice[name]] for name in pairs])
    if not len(found):
        return []
    names = {"image": "picture", "notes": "note", "vitals": "measurements"}
    shared = " or ".join(names[name] for name in pairs if twice[name].any())
    across = " and stand on both sides of the split" if _parted(found, halves).any() else ""
    groups = _groups(found, len(halves))
    what = f"records of two patient ids agree in sex, age and {shared}{across}: {len(groups):,} times"
    concerned = sum(len(group) for group in groups)
    return [Finding("LEAK_TWICE", LEAK, what, concerned, _shortened([material.named(group) for group in groups]))]


def _shared(material: Material, pairs: np.ndarray, code: str, severity: str, what: str) -> list[Finding]:
    if not len(pairs):
        return []
    groups = _groups(pairs, len(material.halves()))
    concerned = sum(len(group) for group in groups)
    what = f"{what}: {len(groups):,} times, in {concerned:,} records"
    return [Finding(code, severity, what, concerned, _shortened([material.named(group) for group in groups]))]


def _one_person(material: Material, pairs: dict[str, np.ndarray], patients: np.ndarray) -> dict[str, np.ndarray]:
    """{modality: bool (m,)}: the pairs between two ids of which some pair agrees in sex and in age."""
    sex, age = material.everyone("sex"), material.everyone("age_years")
    codes = np.unique(patients.astype(str), return_inverse=True)[1]
    keys = {name: np.sort(codes[one], axis=1) @ np.array([len(codes) + 1, 1]) for name, one in pairs.items()}
    agreeing = []
    for name, one in pairs.items():
        a, b = one.T
        with np.errstate(invalid="ignore"):
            same = (sex[a] == sex[b]) & (sex[a] != "") & (np.abs(age[a] - age[b]) <= SAME_AGE_YEARS)
        agreeing.append(keys[name][same.astype(bool)])
    ids = np.unique(np.concatenate(agreeing))
    return {name: np.isin(keys[name], ids) for name in pairs}


def _same_measurements(material: Material) -> np.ndarray:
    """Pairs of records all of whose measurements are equal, at least MANY_VALUES of them quantities."""
    digests, record = [], []
    for offset, inputs in material.of_modality("vitals"):
        values = inputs.checked.values
        quantities = {code for code in values["code"].cat.categories if inputs.checked.table[code].kind == "quantity"}
        values = values[values["code"].isin(quantities)]
        each = pd.util.hash_pandas_object(values[["code", "value", "hours"]].astype({"code": str}), index=False)
        frame = pd.DataFrame({"record": values["record"], "hash": each})
        # A sum does not mind the order; it wraps around.
        summed = frame.groupby("record")["hash"].agg(["sum", "size"])
        summed = summed[summed["size"] >= MANY_VALUES]
        digests.append(summed["sum"].to_numpy(dtype=np.uint64))
        record.append(offset + summed.index.to_numpy(dtype=np.int64))
    if not digests or not sum(map(len, digests)):
        return np.zeros((0, 2), dtype=np.int64)
    return record_pairs(equal_pairs(np.concatenate(digests)), np.concatenate(record))


def _parted(pairs: np.ndarray, halves: np.ndarray) -> np.ndarray:
    """bool (m,): pairs on different sides."""
    a, b = halves[pairs].reshape(-1, 2).T
    return ((a != b) & (a != "") & (b != "")).astype(bool)


def _groups(pairs: np.ndarray, n: int) -> list[np.ndarray]:
    """The records that hang together by pairs, in the order of their first record."""
    group = groups_of(pairs, n)
    rows = np.unique(pairs)
    found: dict[int, list[int]] = {}
    for row in rows.tolist():
        found.setdefault(int(group[row]), []).append(row)
    return [np.array(one) for one in found.values()]


def _shortened(groups: list[tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    return tuple(group[:NAMED] for group in groups[:NAMED])
