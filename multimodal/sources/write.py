"""Writing a cohort folder: whole or absent."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from ..records import InputError, MeasurementKind, Target, UsageError, shown
from .description import SCHEMA
from .tables import COLUMNS, KEYS, CohortTables

_REMARK = """\
What `multimodal codes` does not know is declared here, and is then a code as any other:

[measurements.dyspnoea]
kind = "flag"  # 0 or 1, no or yes
[measurements.smoking]
kind = "category"
categories = ["never", "former", "current"]  # another is refused
[measurements.hs_crp]
kind = "quantity"
display = "High-sensitivity CRP"
unit = "mg/L"
units = {"mg/dL" = 10}  # also accepted: value * factor, or [factor, offset]
low = 0  # what lies outside is refused
high = 500
censored = true  # "<0.3" is read as 0.3\
""".splitlines()


def write_cohort(folder: str | Path, tables: CohortTables, *, overwrite: bool = False, link: bool = False) -> None:
    """Write `tables` as a cohort folder: cohort.toml, CSV tables, files.

    link  files become hard links to their sources, not copies; the sources must lie on the same disk

    All is written into a folder beside it, which is then renamed. The cells are written exactly as they are: a cohort
    is data for a program, and a note that begins with "-" must come back as it was.
    Raises UsageError if the folder exists (with `overwrite`: if it is something other than a cohort), InputError if it
    cannot be written.
    """
    folder = Path(folder)
    refuse_existing(folder, overwrite)
    beside = folder.absolute().parent / f".{folder.absolute().name}.{os.getpid()}"
    partial, replaced = beside.with_name(beside.name + ".partial"), beside.with_name(beside.name + ".replaced")
    try:
        partial.parent.mkdir(parents=True, exist_ok=True)
        partial.mkdir()
        _write(partial, tables, os.link if link else shutil.copyfile)
        if folder.exists():
            folder.rename(replaced)
        partial.rename(folder)
    except OSError as error:
        hint = " Without --link the files are copied." if link else ""
        raise InputError(f"{shown(folder.name)} cannot be written ({error.strerror}): nothing was.{hint}") from error
    finally:
        if replaced.exists() and not folder.exists():
            replaced.rename(folder)
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)


def new_cohort(folder: str | Path) -> None:
    """An empty cohort folder: every table with its header, and one example record. Raises as `write_cohort`."""
    example = {"record_id": "example-1"}
    rows = {
        "patients": [{**example, "patient_id": "patient-1", "age_years": 64, "sex": "female"}],
        "measurements": [
            {**example, "code": "heart_rate", "value": 96, "unit": "/min", "time": -2},
            {**example, "code": "temperature", "value": 38.4, "unit": "Cel"},
        ],
        "notes": [{**example, "kind": "history", "text": "Cough and fever for three days."}],
        "images": [],
        "labels": [{**example, "pneumonia": ""}],
    }
    columns = {**COLUMNS, "labels": ("record_id", "pneumonia")}
    target = Target(name="pneumonia", description="Say how it was established")
    tables = {name: pd.DataFrame(rows[name], columns=list(columns[name])) for name in columns}
    targets = {"pneumonia": target}
    write_cohort(folder, CohortTables("my-cohort", "Say where the data are from", targets, tables, remark=_REMARK))


def refuse_existing(folder: str | Path, overwrite: bool) -> None:
    """Raise UsageError unless `folder` may be written: absent, or with `overwrite` a cohort or an empty folder."""
    folder = Path(folder)
    if not os.path.lexists(folder):
        return
    if not overwrite:
        raise UsageError(f"{shown(folder.name)} exists already: give another name, or pass --overwrite.")
    if folder.is_symlink() or not folder.is_dir():
        raise UsageError(f"{shown(folder.name)} is no folder: it is not overwritten.")
    if any(folder.iterdir()) and not (folder / "cohort.toml").is_file():
        raise UsageError(f"{shown(folder.name)} is no cohort folder: it is not overwritten.")


def _write(folder: Path, tables: CohortTables, transfer: Callable[[Path, Path], object]) -> None:
    (folder / "cohort.toml").write_text(_toml(tables), encoding="utf-8")
    for name, frame in tables.tables.items():
        allowed = {
            "patients": (*COLUMNS["patients"], *tables.attributes),
            "labels": ("record_id", *tables.targets),
        }.get(name, COLUMNS.get(name, ()))
        assert set(frame.columns) <= set(allowed), (name, set(frame.columns) - set(allowed))
        assert set(KEYS[name]) <= set(frame.columns), name
        columns = {
            column: _label_cells(frame[column]) if name == "labels" and column != "record_id" else frame[column]
            for column in frame.columns
        }
        pd.DataFrame(columns, index=frame.index).to_csv(folder / f"{name}.csv", index=False, encoding="utf-8")
    for path, source in tables.files.items():
        parts = PurePosixPath(path).parts
        assert not {"/", ".."} & set(parts), "a file outside the cohort"
        file = folder.joinpath(*parts)
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(source, bytes):
            file.write_bytes(source)
        else:
            transfer(source.resolve(), file)  # not the link itself, where the source is one


def _label_cells(cells: pd.Series) -> pd.Series:
    """1, 0 or empty, without a decimal point."""
    return pd.to_numeric(cells.replace("", None)).astype("Int8")


def _toml(tables: CohortTables) -> str:
    lines = [f"schema = {SCHEMA}", f"name = {_quoted(tables.name)}", f"provenance = {_quoted(tables.provenance)}"]
    if tables.attributes:
        lines.append(f"attributes = {_literal(list(tables.attributes))}")
    for name, target in tables.targets.items():
        lines += _toml_table("targets", name, target.model_dump(exclude={"name"}, exclude_defaults=True))
    for name, kind in tables.measurements.items():
        lines += _toml_table("measurements", name, _declaration(kind))
    lines += ["", *(f"# {line}".rstrip() for line in tables.remark)] if tables.remark else []
    return "\n".join(lines) + "\n"


def _declaration(kind: MeasurementKind) -> dict[str, Any]:
    """The keys of [measurements.NAME] that say what this kind is."""
    keys = ["display", "kind", *(("unit", "low", "high") if kind.kind == "quantity" else ())]
    keys += [key for key in ("units", "categories", "censored") if getattr(kind, key)]
    return {key: getattr(kind, key) for key in keys}


def _toml_table(kind: str, name: str, fields: Mapping[str, Any]) -> list[str]:
    return ["", f"[{kind}.{_quoted(name)}]", *(f"{key} = {_literal(value)}" for key, value in fields.items())]


def _literal(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_quoted(key)} = {_literal(item)}' for key, item in value.items())}}}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_literal, value))}]"
    return _quoted(value) if isinstance(value, str) else repr(value)


def _quoted(text: str) -> str:
    """A TOML basic string: JSON's escapes, and DEL, which JSON lets stand."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
