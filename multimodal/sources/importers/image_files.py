"""The pictures of a folder: which files are some, which folders are one series, which are the same."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ...records import CohortError, shown

ENDINGS = (
    ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".dcm", ".dicom", ".nii", ".nii.gz",
)  # fmt: skip
_DICOM_ENDINGS = (".dcm", ".dicom")
_MASK = re.compile(r"(.+)_mask(_\d+)?", re.IGNORECASE)
_MASK_FOLDERS = ("mask", "masks")

Pictures = dict[str, tuple[Path, ...]]


@dataclass(frozen=True)
class Listing:
    """What a folder holds, at any depth.

    pictures  {path below the folder, with "/": its file}, sorted
    dicom     which of them are DICOM by name, or by content where the name has no ending of a picture
    account   what was passed over, counted
    """

    pictures: dict[str, Path]
    dicom: frozenset[str]
    account: list[str]

    def series(self, depth: int = 0) -> Pictures:
        """{path of a folder with two or more DICOM files: these files}, of folders more than `depth` levels down."""
        found: dict[str, list[Path]] = {}
        for name in self.dicom:
            if name.count("/") > depth:
                found.setdefault(_folder(name), []).append(self.pictures[name])
        return {name: tuple(sorted(files)) for name, files in sorted(found.items()) if len(files) > 1}


def list_pictures(folder: Path) -> Listing:
    """The files of `folder` that are pictures by name (ENDINGS), or without such a name DICOM by content.

    Hidden files and folders (and __MACOSX) are passed over, and folders that are links are not followed. No picture
    is decoded: a broken one is kept, and refused when it is read.
    Raises CohortError: COHORT_NOT_FOUND, COHORT_FORM for a folder that cannot be read.
    """
    if not folder.is_dir():
        raise CohortError("COHORT_NOT_FOUND", f"{shown(folder.name)} is no folder.")
    pictures, dicom, others, hidden, links = {}, set(), Counter(), 0, 0
    try:
        for place, folders, names in os.walk(folder, onerror=_refuse):
            links += sum(os.path.islink(os.path.join(place, name)) for name in folders)
            hidden += sum(map(_is_hidden, folders))
            folders[:] = [name for name in folders if not _is_hidden(name)]
            for name in names:
                file = Path(place, name)
                ending = ending_of(name)
                if _is_hidden(name):
                    hidden += 1
                elif not file.is_file() or not (ending or _is_dicom(file)):
                    others[file.suffix.lower() or "no ending"] += 1
                else:
                    # Bytes that are no UTF-8 are escaped: no table can hold them.
                    below = file.relative_to(folder).as_posix().encode("utf-8", "backslashreplace").decode()
                    pictures[below] = file
                    if not ending or ending in _DICOM_ENDINGS:
                        dicom.add(below)
    except OSError as error:
        _refuse(error)
    account = []
    if others:
        commonest = sorted(others.items(), key=lambda item: (-item[1], item[0]))[:10]
        kinds = ", ".join(f"{shown(kind)[1:-1]} {count:,}" for kind, count in commonest)
        account.append(f"files that are no pictures, left out: {others.total():,} ({kinds})")
    if hidden:
        account.append(f"hidden files and folders, left out: {hidden:,}")
    if links:
        account.append(f"folders that are links, not followed: {links:,}")
    return Listing(dict(sorted(pictures.items())), frozenset(dicom), account)


def _refuse(error: OSError) -> None:
    raise CohortError("COHORT_FORM", f"the folder cannot be read ({error.strerror}).") from error


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _is_dicom(file: Path) -> bool:
    """Whether the content begins as DICOM does; an index (DICOMDIR) is no picture."""
    if file.name.upper() == "DICOMDIR":
        return False
    with file.open("rb") as stream:
        return stream.read(132)[128:] == b"DICM"


def ending_of(name: str) -> str:
    """The ending of a picture's name in small letters, "" where it has none of ENDINGS."""
    return next((ending for ending in sorted(ENDINGS, key=len, reverse=True) if name.lower().endswith(ending)), "")


def stem_of(name: str) -> str:
    """The last part of a path, without a picture's ending."""
    last = name.rpartition("/")[2]
    return last[: len(last) - len(ending_of(last))] or last


def masks(names: Iterable[str], depth: int) -> set[str]:
    """The paths that are masks of other pictures: `x_mask.png`, `x_mask_1.png` beside `x`, and what lies in a folder
    mask or masks, `depth` or more levels down, while a picture of the same name lies above or beside that folder."""
    names = list(names)
    beside = {(_folder(name), stem_of(name)) for name in names}
    images = {(folder, stem) for folder, stem in beside if not _is_mask_folder(folder)}
    images |= {(_folder(folder), stem) for folder, stem in images}
    found = set()
    for name in names:
        folder, stem = _folder(name), stem_of(name)
        pair = _MASK.fullmatch(stem)
        below = _is_mask_folder(folder) and folder.count("/") >= depth
        if (pair and (folder, pair[1]) in beside) or (below and (_folder(folder), stem) in images):
            found.add(name)
    return found


def _folder(name: str) -> str:
    return name.rpartition("/")[0]


def _is_mask_folder(folder: str) -> bool:
    return folder.rpartition("/")[2].lower() in _MASK_FOLDERS


def places_of(names: Iterable[str]) -> dict[str, str]:
    """{path below the folder: a path below `images/`}: the same where it is safe, and no two differ only in case."""
    places: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for name in names:
        parts = (re.sub(r"[^A-Za-z0-9 ._+@=()-]+", "-", part) for part in re.split(r"[/\\]", name))
        safe = [part for part in (part.strip(". ")[-150:].strip(". ") for part in parts) if part]
        place = "/".join(["images", *safe[len(safe) > 1 and safe[0] == "images" :]])
        base = "images/image" if place == "images" else place
        place = base
        while counts[place.casefold()]:
            counts[base.casefold()] += 1
            path = PurePosixPath(base)
            place = str(path.with_name(f"{path.stem}-{counts[base.casefold()]}{path.suffix}"))
        counts[place.casefold()] += 1
        places[name] = place
    return places


def identical(pictures: Mapping[str, Sequence[Path]]) -> list[list[str]]:
    """The names whose files have the same bytes, in groups of two or more; only files of equal sizes are opened."""
    by_size: dict[tuple[int, ...], list[str]] = {}
    for name, files in pictures.items():
        by_size.setdefault(tuple(sorted(file.stat().st_size for file in files)), []).append(name)
    groups: dict[tuple[str, ...], list[str]] = {}
    for names in by_size.values():
        if len(names) > 1:
            for name in names:
                groups.setdefault(tuple(sorted(map(_digest, pictures[name]))), []).append(name)
    return [names for names in groups.values() if len(names) > 1]


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def passed_over(names: Iterable[str], what: str) -> list[str]:
    """One line of the account, or none: how many, for a file's name may be a patient's."""
    count = sum(1 for _ in names)
    return [f"{what}: {count:,}"] if count else []
