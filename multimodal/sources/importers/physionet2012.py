"""PhysioNet/CinC Challenge 2012: the first 48 hours of ICU stays, in-hospital death.

Upstream's files, for each set: set-?.tar.gz or the folder set-?/ (NNNNNN.txt), and Outcomes-?.txt.
A record is one stay, predicted 48 hours after admission. Values stay as they are: sentinels and impossible ones are
refused where they are read, by the same rules as everybody's.
"""

from __future__ import annotations

import io
import re
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from ...records import CohortError, Target, shown
from ..tables import CohortTables
from .assembly import summary
from .upstream import named, read_upstream, refuse_duplicates, upstream_file

PARAMETERS = {  # upstream's name: (code, unit in which its values stand)
    "HR": ("heart_rate", "/min"),
    "RespRate": ("respiratory_rate", "/min"),
    "Temp": ("temperature", "Cel"),
    "SaO2": ("arterial_oxygen_saturation", "%"),
    "SysABP": ("systolic_bp_invasive", "mm[Hg]"),
    "DiasABP": ("diastolic_bp_invasive", "mm[Hg]"),
    "MAP": ("mean_bp_invasive", "mm[Hg]"),
    "NISysABP": ("systolic_bp", "mm[Hg]"),
    "NIDiasABP": ("diastolic_bp", "mm[Hg]"),
    "NIMAP": ("mean_bp", "mm[Hg]"),
    "GCS": ("gcs_total", "{score}"),
    "Urine": ("urine_output", "mL"),
    "Weight": ("weight", "kg"),
    "Height": ("height", "cm"),
    "FiO2": ("fio2", "1"),
    "MechVent": ("mechanical_ventilation", "1"),
    "pH": ("ph_arterial", "[pH]"),
    "PaCO2": ("paco2", "mm[Hg]"),
    "PaO2": ("pao2", "mm[Hg]"),
    "HCT": ("hematocrit", "%"),
    "K": ("potassium", "meq/L"),
    "Platelets": ("platelets", "10*3/uL"),
    "Creatinine": ("creatinine", "mg/dL"),
    "BUN": ("bun", "mg/dL"),
    "HCO3": ("bicarbonate", "mmol/L"),
    "Mg": ("magnesium", "mmol/L"),
    "Na": ("sodium", "meq/L"),
    "Glucose": ("glucose", "mg/dL"),
    "WBC": ("wbc", "10*3/uL"),
    "Lactate": ("lactate", "mmol/L"),
    "Bilirubin": ("bilirubin_total", "mg/dL"),
    "AST": ("ast", "U/L"),
    "ALT": ("alt", "U/L"),
    "ALP": ("alp", "U/L"),
    "Albumin": ("albumin", "g/dL"),
    "TroponinT": ("troponin_t", "ug/L"),
    "TroponinI": ("troponin_i", "ug/L"),
    "Cholesterol": ("cholesterol", "mg/dL"),
    "ICUType": ("icu_type", "1"),
}
NOT_MEASURED = ("RecordID", "Age", "Gender")
SEX = {"0": "female", "1": "male"}
SCORES = {"SAPS-I": "saps_i", "SOFA": "sofa"}
PREDICTED_AT_HOURS = 48
HEADER = b"Time,Parameter,Value"
LARGEST_RECORD = 8 * 2**20  # bytes; upstream's are about 7 kB
TARGETS = (Target(name="in_hospital_death", kind="risk", description="died in hospital"),)
PROVENANCE = """\
PhysioNet/CinC Challenge 2012 (Silva et al. 2012; Goldberger et al. 2000), sets {sets}. Licence: published as open
access by PhysioNet; Open Data Commons Attribution License v1.0 as remembered, not verified.
One record an ICU stay, predicted 48 hours after admission; times are hours relative to that. Values are as upstream
gives them, sentinels (-1) and impossible ones included.
Age 90 is a top code (90 or older). SAPS-I and SOFA are attributes for comparison, no inputs; Length_of_stay and
Survival are left out."""


def import_physionet2012(path: Path) -> CohortTables:
    """All sets in the folder `path` (or that one set-?.tar.gz or set-?/) as a cohort with in_hospital_death.

    Nothing of an archive is ever written: members called set-?/NNNNNN.txt are read in memory, others ignored.
    Raises CohortError where there is no set, an archive or record is damaged, or Outcomes-?.txt or a column is missing.
    """
    sets = _sets(path)
    ids, bodies, outcomes, account = [], [], [], []
    for letter, source in sets.items():
        file = upstream_file(source.parent, f"Outcomes-{letter}.txt")
        outcomes.append(read_upstream(file, ["RecordID", "In-hospital_death", *SCORES], account))
        before = len(ids)
        for record_id, raw in _records(source, account):
            ids.append(record_id)
            bodies.append(_body(raw, record_id))
        if len(ids) == before:
            raise CohortError("COHORT_FORM", f"{source.name} holds no set-{letter}/NNNNNN.txt.")
    outcome = pd.concat(outcomes, ignore_index=True)
    refuse_duplicates(ids, "the sets")
    refuse_duplicates(outcome["RecordID"], "Outcomes")
    rows, notices = _rows(ids, bodies)
    account += notices
    outcome = outcome.set_index("RecordID")
    all_ids = outcome.index.union(pd.Index(ids, dtype=outcome.index.dtype), sort=False)
    account += _unmatched(outcome.index, pd.Index(ids, dtype=outcome.index.dtype))
    outcome = outcome.reindex(all_ids)
    tables = {
        "patients": _patients(outcome, rows),
        "measurements": _measurements(rows),
        "labels": pd.DataFrame(
            {"record_id": all_ids, "in_hospital_death": _label(outcome["In-hospital_death"]).to_numpy()}
        ),
    }
    later = int((tables["measurements"]["time"] > 0).sum())
    if later:
        account.append(f"values after 48 hours, refused as FUTURE_INPUT when read: {later:,}")
    unknown = rows.loc[~rows["Parameter"].isin([*PARAMETERS, *NOT_MEASURED]), "Parameter"].value_counts()
    if len(unknown):
        account.append(
            f"parameters that the challenge does not have, kept and refused when read: {named(unknown.index)}"
        )
    empty = len(all_ids) - tables["measurements"].query("time > -48")["record_id"].nunique()
    account.append(f"records without any value after the first minute: {empty:,}")
    return CohortTables(
        name="physionet2012",
        provenance=PROVENANCE.format(sets=", ".join(sets)),
        targets={target.name: target for target in TARGETS},
        tables=tables,
        attributes=tuple(SCORES.values()),
        account=summary(tables, TARGETS) + account,
    )


def _sets(path: Path) -> dict[str, Path]:
    """{letter: archive or folder}; the archive where both are there."""
    pattern = re.compile(r"set-([a-z])(\.tar\.gz)?")
    if not path.exists():
        raise CohortError("COHORT_NOT_FOUND", f"{shown(path.name)} does not exist.")
    candidates = (
        [path] if pattern.fullmatch(path.name) else sorted(path.glob("set-?")) + sorted(path.glob("set-?.tar.gz"))
    )
    sets = {}
    for candidate in candidates:
        match = pattern.fullmatch(candidate.name)
        if match and (candidate.is_file() if match[2] else candidate.is_dir()):
            sets[match[1]] = candidate
    if not sets:
        raise CohortError("COHORT_NOT_FOUND", f"neither set-?.tar.gz nor a folder set-? is in {shown(path.name)}.")
    return dict(sorted(sets.items()))


def _records(source: Path, account: list[str]) -> Iterator[tuple[str, bytes]]:
    """(record id, content) of each NNNNNN.txt of a set; what else is there is counted in `account`."""
    ignored, too_large = 0, []
    for name, size, read in _folder(source) if source.is_dir() else _archive(source):
        match = re.fullmatch(r"(?:\./)?set-[a-z]/(\d{6})\.txt", name)
        if not match:
            ignored += 1
        elif size > LARGEST_RECORD:
            too_large.append(match[1])
        else:
            yield match[1], read()
    if ignored:
        account.append(f"{source.name}: files other than set-?/NNNNNN.txt ignored: {ignored:,}")
    if too_large:
        account.append(f"{source.name}: records over 8 MiB, kept without values: {named(too_large)}")


def _folder(source: Path):
    for file in sorted(source.iterdir()):
        if file.is_file():
            yield f"{source.name}/{file.name}", file.stat().st_size, file.read_bytes


def _archive(source: Path):
    try:
        with tarfile.open(source, "r:gz") as archive:
            for member in archive:
                if member.isreg():
                    yield member.name, member.size, lambda member=member: archive.extractfile(member).read()
                elif not member.isdir():
                    yield "", 0, bytes
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise CohortError("COHORT_FORM", f"{source.name} is damaged or no tar.gz archive.") from error


def _body(raw: bytes, record_id: str) -> bytes:
    """The lines below the header."""
    head, _, body = raw.removeprefix(b"\xef\xbb\xbf").partition(b"\n")
    if head.strip() != HEADER:
        raise CohortError("COHORT_FORM", f"{record_id}.txt does not begin with {HEADER.decode()}.")
    # A line that looks like the marks of _rows is made one that is refused there.
    body = re.sub(rb"(?m)^#", b"?#", body)
    return body if body.endswith(b"\n") else body + b"\n"


def _rows(ids: list[str], bodies: list[bytes]) -> tuple[pd.DataFrame, list[str]]:
    """All records' lines as one table (record_id, hours, Parameter, Value), read at once for speed."""
    # Each record's lines follow a line `#,INDEX,`, so that a damaged line cannot shift the others.
    joined = b"".join(part for index, body in enumerate(bodies) for part in (b"#,%d,\n" % index, body))
    rows = pd.read_csv(
        io.BytesIO(joined),
        names=["Time", "Parameter", "Value", "more"],
        dtype={"Time": "category", "Parameter": "category", "Value": "category", "more": str},
        keep_default_na=False,
        quoting=3,
        on_bad_lines="skip",
        encoding_errors="replace",
    )
    mark = (rows["Time"] == "#").to_numpy()
    index = pd.to_numeric(rows["Parameter"].where(mark), errors="coerce").ffill().to_numpy(dtype=np.int64)
    lines = sum(body.count(b"\n") - len(re.findall(rb"(?m)^\r?$\n", body)) for body in bodies)
    times = rows["Time"].cat.categories.astype(str)
    clock = times.str.extract(r"^\s*(\d{1,4}):([0-5]\d)\s*$").astype("float64")
    hours = (clock[0] + clock[1] / 60).to_numpy()[rows["Time"].cat.codes]
    parameter, value = (_text(rows[name]) for name in ("Parameter", "Value"))
    good = ~mark & np.isfinite(hours) & (parameter != "") & (rows["more"].fillna("") == "").to_numpy()
    table = pd.DataFrame(
        {
            "record_id": np.array(ids, dtype=object)[index[good]],
            "hours": hours[good],
            "Parameter": parameter[good],
            "Value": value[good],
        }
    )
    account = []
    if refused := lines - int(good.sum()):
        account.append(f"lines that are not Time,Parameter,Value refused: {refused:,}")
    other = table[(table["Parameter"] == "RecordID") & (table["Value"] != table["record_id"])]["record_id"]
    if len(other):
        account.append(f"records whose RecordID is not their file's name, which counts: {named(other)}")
    return table, account


def _text(column: pd.Series) -> np.ndarray:
    categories = np.array([str(item).strip() for item in column.cat.categories] + [""], dtype=object)
    return categories[column.cat.codes.to_numpy()]  # code -1, a missing cell, is the last: ""


def _patients(outcome: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    first = rows[rows["Parameter"].isin(["Age", "Gender"])].drop_duplicates(["record_id", "Parameter"])
    age = first[first["Parameter"] == "Age"].set_index("record_id")["Value"].replace("-1", "")
    sex = first[first["Parameter"] == "Gender"].set_index("record_id")["Value"].map(SEX)
    ids = outcome.index
    patients = pd.DataFrame({"record_id": ids, "patient_id": ids, "age_years": age.reindex(ids).to_numpy()})
    patients = patients.assign(sex=sex.reindex(ids).to_numpy(), prediction_time="", split="")
    for column, name in SCORES.items():
        patients[name] = outcome[column].replace("-1", "").to_numpy()
    return patients.fillna("")


def _measurements(rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows[~rows["Parameter"].isin(NOT_MEASURED)]
    codes, names = pd.factorize(rows["Parameter"])
    code = np.array([PARAMETERS.get(name, (name, ""))[0] for name in names], dtype=object)
    unit = np.array([PARAMETERS.get(name, (name, ""))[1] for name in names], dtype=object)
    return pd.DataFrame(
        {
            "record_id": rows["record_id"].to_numpy(),
            "code": code[codes],
            "value": rows["Value"].to_numpy(),
            "unit": unit[codes],
            "time": (rows["hours"] - PREDICTED_AT_HOURS).round(4).to_numpy(),
        }
    )


def _label(death: pd.Series) -> pd.Series:
    return death.map({"1": 1, "0": 0}).astype("Int64")


def _unmatched(with_outcome: pd.Index, with_file: pd.Index) -> list[str]:
    account = []
    if len(lacking := with_outcome.difference(with_file)):
        account.append(f"records with an outcome but no file, kept without values: {len(lacking):,} ({named(lacking)})")
    if len(lacking := with_file.difference(with_outcome)):
        account.append(f"records without an outcome, label unknown: {len(lacking):,} ({named(lacking)})")
    return account
