"""What the encoders of a modality read: each item opened once, checked, and kept as arrays.

READERS maps a modality to `read(batch, options, workers=, own_words=()) -> inputs`: its section of the config, and the
targets' own words.
Inputs have
  len(inputs)       the number of records          .present   bool (n,), a usable item is there
  .take(rows)       the records at rows            .problems  (record index, Problem)
  .fingerprints()   (record, digest): records with the same digest hold the same item, and stay in one fold
  .provenance()     (record index, where, {name: text}): what an item says about itself, sorted by record, as read
  .latest()         (record index, code, value): the last value of each measurement, where there are such
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..records import Batch, Problem

if TYPE_CHECKING:
    from ..imaging import Preparation


@dataclass(frozen=True)
class ImageInputs:
    """The k usable pictures of n records, sorted by record; a volume is one picture of several slices.

    record   int (k,)
    pixels   uint8 (s, size, size), the slices; picture  int (s,), index into the k pictures of each, ascending
    kind     k texts; digest  k SHA-256 of the files; where  k places, for example images[0]
    facts    k dicts of text: what each picture says about itself
    properties  k dicts of what each file is beside its picture, see imaging.file_properties; or none, where there is no
             file
    """

    record: np.ndarray
    pixels: np.ndarray
    picture: np.ndarray
    kind: Sequence[str]
    digest: Sequence[str]
    where: Sequence[str]
    facts: Sequence[dict[str, str]]
    problems: Sequence[tuple[int, Problem]]
    n: int
    properties: Sequence[dict[str, float | str]] = ()

    def __len__(self) -> int:
        return self.n

    @property
    def present(self) -> np.ndarray:
        return np.bincount(self.record, minlength=self.n).astype(bool)

    def take(self, rows: np.ndarray) -> ImageInputs:
        place = _places(rows, self.n)
        kept = np.flatnonzero(place[self.record] >= 0)
        kept = kept[np.argsort(place[self.record[kept]], kind="stable")]
        taken = self._pictures(kept)
        return replace(taken, record=place[taken.record], problems=_moved(self.problems, place), n=len(rows))

    def without(self, dropped: np.ndarray) -> ImageInputs:
        """Without the pictures where `dropped`, bool (k,); the records stay."""
        return self._pictures(np.flatnonzero(~dropped))

    def fingerprints(self) -> list[tuple[int, str]]:
        return list(zip(self.record.tolist(), self.digest, strict=True))

    def provenance(self) -> list[tuple[int, str, dict[str, str]]]:
        return list(zip(self.record.tolist(), self.where, self.facts, strict=True))

    def latest(self) -> list[tuple[int, str, float | str]]:
        """Pictures have no measurements."""
        return []

    def _pictures(self, kept: np.ndarray) -> ImageInputs:
        """The pictures `kept`, int (m,), in that order, with all their slices; the records stay."""
        place = _places(kept, len(self.record))[self.picture]
        rows = np.flatnonzero(place >= 0)
        rows = rows[np.argsort(place[rows], kind="stable")]
        return replace(
            self,
            record=self.record[kept],
            pixels=self.pixels[rows],
            picture=place[rows],
            kind=[self.kind[i] for i in kept],
            digest=[self.digest[i] for i in kept],
            where=[self.where[i] for i in kept],
            facts=[self.facts[i] for i in kept],
            properties=[self.properties[i] for i in kept] if self.properties else (),
        )


@dataclass(frozen=True)
class VitalsInputs:
    """The checked measurements of n records, with their age and sex; feature columns are computed once per plan."""

    batch: Batch
    checked: Any
    _columns: dict[Any, np.ndarray] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.batch)

    @property
    def present(self) -> np.ndarray:
        from ..vitals import present

        return present(self.checked, len(self.batch))

    def having(self, codes: Collection[str]) -> np.ndarray:
        """bool (n,): the records with a usable measurement of `codes`: what a model learnt from."""
        from ..vitals import present

        return present(self.checked, len(self.batch), codes)

    @property
    def problems(self) -> Sequence[tuple[int, Problem]]:
        return self.checked.problems

    def take(self, rows: np.ndarray) -> VitalsInputs:
        place = _places(rows, len(self))
        values = self.checked.values.assign(record=place[self.checked.values["record"].to_numpy()])
        values = values[values["record"] >= 0].sort_values("record", kind="stable").reset_index(drop=True)
        checked = replace(self.checked, values=values, problems=_moved(self.checked.problems, place))
        return VitalsInputs(self.batch.take(rows), checked)

    def fingerprints(self) -> list[tuple[int, str]]:
        return []

    def provenance(self) -> list[tuple[int, str, dict[str, str]]]:
        return []

    def latest(self) -> list[tuple[int, str, float | str]]:
        """In the table's units; of a category its level; age_years and sex too, where they are known."""
        last = self.checked.values.groupby(["record", "code"], observed=True)["value"].last().reset_index()
        found = zip(last["record"].tolist(), last["code"].astype(str), last["value"].tolist(), strict=True)
        levels = self.checked.levels
        told = [(row, code, levels[code][int(value)] if code in levels else value) for row, code, value in found]
        ages = ((row, "age_years", age) for row, age in enumerate(self.batch.age_years.tolist()) if not np.isnan(age))
        sexes = ((row, "sex", sex) for row, sex in enumerate(self.batch.sex) if sex)
        return [*told, *ages, *sexes]

    def columns(self, plan: Any) -> np.ndarray:
        """float (n, F): the features of `plan`."""
        from ..vitals import features

        key = plan.to_json()
        if key not in self._columns:
            self._columns[key] = features(self.checked, self.batch, plan).values
        return self._columns[key]


def preparation_of(options: Mapping[str, Any]) -> Preparation:
    """How the section `image` of the config wants pictures to be prepared."""
    from ..imaging import Preparation

    return Preparation(**{field.name: options[field.name] for field in fields(Preparation)})


def read_images(
    batch: Batch, options: Mapping[str, Any], *, workers: int, own_words: Sequence[str] = ()
) -> ImageInputs:
    from ..imaging import load

    del own_words
    images = load(batch, preparation_of(options), workers=workers)
    return ImageInputs(
        record=images.record,
        pixels=images.slices,
        picture=images.picture,
        kind=images.kind,
        digest=images.digest,
        where=[batch.images[item].where for item in images.item],
        facts=images.facts,
        problems=images.problems,
        n=len(batch),
        properties=images.properties,
    )


def read_notes(batch: Batch, options: Mapping[str, Any], *, workers: int, own_words: Sequence[str] = ()) -> Any:
    from ..notes import load, own_headings

    del workers
    masked = own_words if options["mask_words"] else ()
    return load(batch, headings=own_headings(options["headings"]), own_words=masked)


def read_vitals(
    batch: Batch, options: Mapping[str, Any], *, workers: int, own_words: Sequence[str] = ()
) -> VitalsInputs:
    from ..vitals import check

    del own_words, workers
    return VitalsInputs(batch, check(batch, convert_suspect=options["convert_suspect"]))


READERS: dict[str, Callable[..., Any]] = {"image": read_images, "notes": read_notes, "vitals": read_vitals}


def _places(rows: np.ndarray, n: int) -> np.ndarray:
    """int (n,): where each record or picture goes, -1 where it is left out."""
    place = np.full(n, -1, dtype=np.int64)
    place[rows] = np.arange(len(rows))
    return place


def _moved(problems: Sequence[tuple[int, Problem]], place: np.ndarray) -> list[tuple[int, Problem]]:
    return [(int(place[row]), problem) for row, problem in problems if place[row] >= 0]
