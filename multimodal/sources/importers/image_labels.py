"""Labels of pictures, as words or as 0 and 1, to targets.

Words are the classes of one exclusive group, however many there are: of two classes nothing but a guess would say which
is the disease, and a threshold, a sensitivity and a probability "of it" would all hang on that guess. A group of two
has the same softmax and the same most probable class, whichever comes first. Who means one target writes 0 and 1.
"""

from __future__ import annotations

import re
import unicodedata

import pandas as pd

from ...records import CohortError, Target, shown
from .upstream import named

MOST_CLASSES = 100
_UNKNOWN_WORDS = ("na", "n/a", "#n/a", "nan", "null", "?", "-")

Labels = tuple[dict[str, Target], pd.DataFrame]


def target_name(text: str, prefix: str) -> str:
    """`text` as [a-z][a-z0-9_]*: small letters, anything else "_", `prefix` before a digit; "" where none is left."""
    folded = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().casefold()
    name = re.sub(r"[^a-z0-9]+", "_", folded).strip("_")
    return f"{prefix}_{name}" if name[:1].isdigit() else name


def class_labels(classes: pd.Series, *, group: str, where: str) -> Labels:
    """The targets of an exclusive group, sorted by class, and their columns 1, 0, NaN (n rows, float).

    classes  text, "" unknown
    where    what the classes are, for messages and descriptions: "the folder", "the column label"
    Raises CohortError LAYOUT_UNCLEAR: fewer than two or over MOST_CLASSES classes, names that no target can have, two
    classes that would have one name.
    """
    words = sorted(set(classes) - {""})
    if len(words) < 2:
        found = f"holds one class only, {shown(words[0])}" if words else "holds no class"
        raise CohortError("LAYOUT_UNCLEAR", f"{where} {found}: there must be two or more.")
    if len(words) > MOST_CLASSES:
        message = (
            f"{where} holds {len(words):,} classes, over {MOST_CLASSES}: these are patients or free text, not classes."
        )
        raise CohortError("LAYOUT_UNCLEAR", message)
    names = _names(words, group, where)
    values = {name: (classes == word).astype("float64").mask(classes == "") for word, name in names.items()}
    targets = {
        name: Target(name=name, group=group, description=f"{where} says {shown(word)}") for word, name in names.items()
    }
    return targets, pd.DataFrame(values, index=classes.index)


def column_labels(cells: pd.Series, column: str) -> Labels:
    """The targets of a column and their columns 1, 0, NaN (n rows, float).

    0 and 1: one target, named by the column. Whole numbers (grades) and words: the classes of an exclusive group.
    Words with "|" between them: each word is a target by itself, 0 where other words stand. Empty: unknown.
    Raises CohortError LAYOUT_UNCLEAR for other numbers, words such as NA, and as class_labels.
    """
    where, prefix = f"the column {column}", target_name(column, "label") or "label"
    given = cells[cells != ""]
    if given.empty:
        raise CohortError("LAYOUT_UNCLEAR", f"{where} is empty: it says no label.")
    doubtful = sorted({cell for cell in given if cell.casefold() in _UNKNOWN_WORDS})
    if doubtful:
        message = f"{where} holds {named(doubtful)}: leave the cell empty where a label is unknown."
        raise CohortError("LAYOUT_UNCLEAR", message)
    if given.str.contains("|", regex=False).any():
        return _several_words(cells, prefix, where)
    numbers = pd.to_numeric(given, errors="coerce")
    if numbers.isna().any():
        return class_labels(cells, group=prefix, where=where)
    odd = sorted(set(given[(numbers < 0) | (numbers % 1 != 0)]))
    if odd:
        message = f"{where} holds {named(odd)}: a label is 0, 1, a class, or empty for unknown."
        raise CohortError("LAYOUT_UNCLEAR", message)
    if numbers.isin([0, 1]).all():
        values = pd.to_numeric(cells.replace("", None)).astype("float64")
        return {prefix: Target(name=prefix, description=f"{where} is 1")}, values.to_frame(prefix)
    grades = numbers.astype("int64").astype(str).reindex(cells.index, fill_value="")
    return class_labels(grades, group=prefix, where=where)


def is_binary(cells: pd.Series) -> bool:
    """Whether a column holds 0 and 1 (and empty cells), and nothing else."""
    return set(cells) <= {"", "0", "1", "0.0", "1.0"} and bool((cells != "").any())


def joined(parts: list[Labels], index: pd.Index) -> Labels:
    """The labels of several columns as one. Raises CohortError LAYOUT_UNCLEAR where two would have one name."""
    targets: dict[str, Target] = {}
    for found, _ in parts:
        for name, target in found.items():
            if name in targets:
                message = f"{targets[name].description!r} and {target.description!r} would both be the target {name}."
                raise CohortError("LAYOUT_UNCLEAR", message)
            targets[name] = target
    values = [frame for _, frame in parts]
    return targets, pd.concat(values, axis=1) if values else pd.DataFrame(index=index)


def _several_words(cells: pd.Series, prefix: str, where: str) -> Labels:
    held = cells.map(lambda cell: {word.strip() for word in cell.split("|")} - {""})
    names = _names(sorted(set().union(*held)), prefix, where)
    values = {
        name: held.map(lambda words, word=word: float(word in words)).mask(cells == "") for word, name in names.items()
    }
    targets = {name: Target(name=name, description=f"{where} lists {shown(word)}") for word, name in names.items()}
    return targets, pd.DataFrame(values, index=cells.index)


def _names(words: list[str], prefix: str, where: str) -> dict[str, str]:
    """{word: the name of its target}. Raises CohortError LAYOUT_UNCLEAR."""
    names: dict[str, str] = {}
    for word in words:
        name = target_name(word, prefix)
        if not name:
            message = f"{where} says {shown(word)}, of which no target's name can be made ([a-z][a-z0-9_]*): rename it."
            raise CohortError("LAYOUT_UNCLEAR", message)
        if name in names.values():
            other = next(one for one in names if names[one] == name)
            message = (
                f"{where} says {shown(other)} and {shown(word)}, which would both be the target {name}: rename one."
            )
            raise CohortError("LAYOUT_UNCLEAR", message)
        names[word] = name
    return names
