"""Properties of files and counts of items, which no disease has, and whether they tell the label."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from ..trust.metrics import auroc
from .findings import Finding
from .material import Material
from .telling import by_boosting, enough, sampled, telling

NAMED_FACTS = ("format", "mode", "transfer_syntax", "lossy", "modality")
SHOWN = 3


def file_properties(material: Material) -> list[Finding]:
    """LEAK_FILE, per target and kind of property, of the records that have such items."""
    findings = []
    for what_of, columns in PROPERTIES.items():
        frame = columns(material)
        if frame is None or not frame.shape[1]:
            continue
        x, there = frame.to_numpy(dtype=float), frame.notna().any(axis=1).to_numpy()
        for target in material.targets:
            rows, y = material.known(target)
            rows, y = sampled(rows[there[rows]], y[there[rows]])
            patients = material.patients[rows]
            if not enough(y, patients):
                continue
            found = telling(by_boosting(x[rows], y, patients), y, rows, patients, either=False)
            if found is None or found.severity is None:
                continue
            what = f"{target}: {what_of} alone tell the label, {found}; first {_first(frame.iloc[rows], y)}"
            named = tuple((one,) for one in material.named(found.surest))
            findings.append(Finding("LEAK_FILE", found.severity, what, len(rows), named, target, found.figures))
    return findings


def _first(frame: pd.DataFrame, y: np.ndarray) -> str:
    """The columns that tell most by themselves, each with its AUROC in the direction that it has."""
    told = []
    for name in frame:
        known = frame[name].notna().to_numpy()
        if len(np.unique(y[known])) == 2:
            value = auroc(y[known], frame[name].to_numpy(dtype=float)[known])
            told.append((max(value, 1 - value), name))
    return ", ".join(f"{name} ({value:.2f})" for value, name in sorted(told, reverse=True)[:SHOWN])


def _of_images(material: Material) -> pd.DataFrame | None:
    """The mean over a record's pictures of each number, and each named property of the first as a number of its own."""
    images = material.inputs.get("image")
    if images is None or not images.properties:
        return None
    views = {(one.record, one.where): one.view for one in material.batch.images}
    places = zip(images.record.tolist(), images.where, strict=True)
    named = [
        {name: facts.get(name, "") for name in NAMED_FACTS} | {"kind": kind, "view": views[place]}
        for facts, kind, place in zip(images.facts, images.kind, places, strict=True)
    ]
    frame = pd.DataFrame([{**told, **names} for told, names in zip(images.properties, named, strict=True)])
    if {"width", "height"} <= set(frame):
        frame["aspect"] = frame["width"] / frame["height"]
        frame["bytes a pixel"] = frame["bytes"] / (frame["width"] * frame["height"])
    numbers = frame.select_dtypes("number")
    by_record = numbers.groupby(images.record).mean()
    for name in frame.columns.difference(numbers.columns):
        codes = pd.Series(pd.factorize(frame[name].fillna(""), sort=True)[0], dtype=float)
        by_record[name] = codes.groupby(images.record).first()
    return by_record.reindex(range(len(material)))


def _of_notes(material: Material) -> pd.DataFrame | None:
    notes = material.inputs.get("notes")
    if notes is None:
        return None
    lengths = pd.DataFrame({"characters": [len(text) for text in notes.text]}, dtype=float)
    lengths["lines"] = [text.count("\n") for text in notes.text]
    return lengths.groupby(notes.record).sum().reindex(range(len(material)))


def _counts(material: Material) -> pd.DataFrame:
    batch, n = material.batch, len(material)
    rows = {"images": [one.record for one in batch.images], "notes": [one.record for one in batch.notes]}
    rows["measurements"] = batch.measurements["record"]
    return pd.DataFrame({name: np.bincount(np.asarray(of, dtype=np.int64), minlength=n) for name, of in rows.items()})


PROPERTIES: dict[str, Callable[[Material], pd.DataFrame | None]] = {
    "properties of the image files": _of_images,
    "lengths of the notes": _of_notes,
    "numbers of images, notes and measurements": _counts,
}
