"""The table of an image folder: which column is what, and which picture each row names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ...records import CohortError, UsageError, did_you_mean, shown
from ..textfiles import SURPLUS, WHERE, TextTable, look_at
from .image_files import ending_of
from .image_labels import is_binary
from .upstream import named

SPELLINGS = {  # small letters and digits of a column's name
    "file": (
        "file", "filename", "filepath", "path", "image", "imagefile", "imagefilename", "imagename", "imagepath",
        "imageid", "imageindex", "img", "imgpath", "picture",
    ),
    "patient": ("patient", "patientid", "subject", "subjectid"),
    "label": ("label", "labels", "class", "classname", "diagnosis", "dx", "target", "finding", "findinglabels"),
    "split": ("split", "originalsplit", "subset", "partition"),
    "age_years": ("age", "ageyears", "patientage"),
    "sex": ("sex", "gender", "patientsex", "patientgender"),
    "view": ("view", "viewposition", "projection"),
}  # fmt: skip
OPTIONS = {"file": "--file-column", "patient": "--patient-column", "label": "--label-column"}


@dataclass(frozen=True)
class ImageTable:
    """A table of pictures, read.

    rows     file, patient, split, age_years, sex, view (text, "" where unknown) and row (its number in the file)
    labels   {column: its cells}, text
    has_patients  whether there is a column of patients
    account  which column was taken for what
    """

    rows: pd.DataFrame
    labels: dict[str, pd.Series]
    has_patients: bool
    account: list[str]


def read_image_table(file: Path, *, file_column: str, patient_column: str, label_columns: Sequence[str]) -> ImageTable:
    """The table at `file`; columns that are not given ("", ()) are found by their spelling.

    Without a column for the label, all columns of 0 and 1 are targets; with no further column at all there is none.
    Raises UsageError for a given column that is not there; CohortError: COHORT_NOT_FOUND, LAYOUT_UNCLEAR where no
    column, or more than one, may be meant, and what look_at and its reading raise.
    """
    if not file.is_file():
        raise CohortError("COHORT_NOT_FOUND", f"the table {shown(file.name)} is no file.")
    look = look_at(file)
    columns = [column for column in look.columns if column]
    given = {"file": [file_column], "patient": [patient_column], "label": list(label_columns)}
    roles = {role: _columns_of(role, columns, [name for name in given.get(role, ()) if name]) for role in SPELLINGS}
    if not roles["file"]:
        if not any(roles.values()):  # the first row may be a patient's, and is not shown
            message = f"the first row of {shown(file.name)} names no column that is known: is the header missing?"
            raise CohortError("LAYOUT_UNCLEAR", f"{message} If not, give --file-column.")
        message = f"{shown(file.name)} has no column that is called as a picture's file usually is"
        raise CohortError("LAYOUT_UNCLEAR", f"{message}: give --file-column, one of {named(columns)}.")
    cells, numbers, surplus = _cells(look)
    claimed = {column for found in roles.values() for column in found}
    others = [column for column in columns if column not in claimed]
    if not roles["label"]:
        roles["label"] = [column for column in others if is_binary(cells[column])]
        others = [column for column in others if column not in roles["label"]]
        if others and not roles["label"]:
            message = f"{shown(file.name)} has no column that is called as a label usually is, and none of 0 and 1"
            raise CohortError("LAYOUT_UNCLEAR", f"{message}: give --label-column, one of {named(others)}.")
    rows = pd.DataFrame(
        {
            role: cells[roles[role][0]] if roles[role] else pd.Series("", cells.index, dtype=object)
            for role in SPELLINGS
            if role != "label"
        }
    ).assign(row=numbers)
    account = [f"rows of {file.name}: {len(rows):,}", *map(str, look.problems)]
    taken = [f"{role} {named(found)}" for role, found in roles.items() if found]
    account.append(f"columns read: {'; '.join(taken)}" + (f"; left out: {named(others, 20)}" if others else ""))
    if surplus:
        account.append(f"rows with more cells than the header has, of which nothing is used: {surplus:,}")
    labels = {column: cells[column] for column in roles["label"]}
    return ImageTable(rows, labels, bool(roles["patient"]), account)


def _columns_of(role: str, columns: Sequence[str], given: Sequence[str]) -> list[str]:
    """The columns for `role`: those given, else the one with such a name, if any."""
    for name in given:
        if name not in columns:
            raise UsageError(f"{OPTIONS[role]}: the table has no column {shown(name)}{did_you_mean(name, columns)}")
    if given:
        return list(dict.fromkeys(given))
    found = [column for column in columns if re.sub(r"[^a-z0-9]", "", column.casefold()) in SPELLINGS[role]]
    if len(found) > 1:
        remedy = f"give {OPTIONS[role]}" if role in OPTIONS else "rename the others"
        raise CohortError("LAYOUT_UNCLEAR", f"the columns {named(found)} may all be the {role}: {remedy}.")
    return found


def _cells(look: TextTable) -> tuple[pd.DataFrame, pd.Series, int]:
    """All named columns as text, the rows' numbers in the file, and how many rows are longer than the header: their
    cells may be shifted, and are emptied."""
    columns = [column for column in look.columns if column]
    parts = [chunk.to_pandas() for chunk in look.chunks(columns)]
    if not parts:
        return pd.DataFrame(columns=columns, dtype=object), pd.Series(dtype=object), 0
    table = pd.concat(parts, ignore_index=True)
    # A first column without a name is the row numbers that pandas writes: no cell is shifted by it.
    surplus = table[SURPLUS] & (look.columns[0] != "")
    cells = table[columns].astype(object)
    cells.loc[surplus] = ""
    return cells, table[WHERE].str.rpartition(" ")[2], int(surplus.sum())


class PictureNames:
    """Finds the picture that a cell names: by its path; by its path from a folder below, or above, `names`' folder on;
    so by the name alone where it is the only one. Then the same without regard to case, and with no ending.

    Of `b/1.png` and `a/1.png` none is the other's end: a cell with a folder never finds a file of another folder.
    """

    def __init__(self, names: Iterable[str]):
        self._whole: dict[str, set[str]] = {}
        self._ends: dict[str, set[str]] = {}
        for name in names:
            folded = name.casefold()
            for spelling in {name, folded, folded[: len(folded) - len(ending_of(folded))]}:
                self._whole.setdefault(spelling, set()).add(name)
                parts = spelling.split("/")
                for start in range(len(parts)):
                    self._ends.setdefault("/".join(parts[start:]), set()).add(name)

    def find(self, cell: str) -> set[str]:
        """The pictures that `cell` may name: none, one, or several that it does not tell apart."""
        path = re.sub(r"^(\./)+", "", cell.replace("\\", "/")).rstrip("/")
        for spelling in (path, path.casefold()):
            if found := self._whole.get(spelling) or self._ends.get(spelling):
                return found
            parts = spelling.split("/")
            for start in range(1, len(parts)):
                if found := self._whole.get("/".join(parts[start:])):
                    return found
        return set()


def find_pictures(cells: pd.Series, names: Iterable[str]) -> dict[str, str]:
    """{cell: the picture that it names}, for the cells whose picture is there.

    cells  text, by the number of their row in the file, which messages name: a cell may hold a patient's name
    Raises CohortError LAYOUT_UNCLEAR where a cell fits several pictures, or two cells the same one.
    """
    pictures = PictureNames(names)
    found: dict[str, str] = {}
    rows_of: dict[str, list[str]] = {}
    for row, cell in cells.drop_duplicates().items():
        fitting = pictures.find(cell)
        if len(fitting) > 1:
            message = f"the file of row {row} may be {len(fitting)} pictures: write its path from the folder on."
            raise CohortError("LAYOUT_UNCLEAR", message)
        if fitting:
            (found[cell],) = fitting
            rows_of.setdefault(found[cell], []).append(row)
    for rows in rows_of.values():
        if len(rows) > 1:
            message = (
                f"the files of the rows {', '.join(rows[:3])} would be one picture: write paths from the folder on."
            )
            raise CohortError("LAYOUT_UNCLEAR", message)
    return found
