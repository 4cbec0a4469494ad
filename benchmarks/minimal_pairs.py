"""Minimal pairs of assertion: does "no", "absent", "possible", "history of" move the answer the right way?

    python benchmarks/minimal_pairs.py MODEL|FOLDER [--pairs CSV] [--wrong] [--set notes.key=value]

MODEL is a model with the targets effusion and opacity; of a FOLDER with indiana_reports.csv one is trained, on all of
it.
Each pair shares all but the wording of the assertion; `more` should get the higher probability. Two sets, written by
people who had not seen the rules: tests/notes/minimal_pairs.csv, on which nothing was tuned, and
tests/notes/minimal_pairs_tuned.csv, whose failures were mended.
Family history is counted apart: nothing in the reports teaches it.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from pathlib import Path

import numpy as np

from multimodal import ClinicalModel, Cohort
from multimodal.model import read_config
from multimodal.records import PatientRecord
from multimodal.sources import write_cohort
from multimodal.sources.importers import import_source

PAIRS = [Path(__file__).parents[1] / "tests" / "notes" / f"minimal_pairs{name}.csv" for name in ("", "_tuned")]
FAMILY = "family"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("model", type=Path)
    arguments.add_argument("--pairs", type=Path, action="append")
    arguments.add_argument("--wrong", action="store_true", help="print the numbers of the pairs that went wrong")
    arguments.add_argument("--set", action="append", default=[], metavar="notes.KEY=VALUE")
    options = arguments.parse_args()
    model = opened(options.model, options.set)
    for path in options.pairs or PAIRS:
        with path.open(encoding="utf-8", newline="") as stream:
            pairs = list(csv.DictReader(stream))
        right = directions(model, pairs)
        print(f"{path.name}: {sum(r for r, pair in zip(right, pairs) if pair['category'] != FAMILY)} of "
              f"{sum(pair['category'] != FAMILY for pair in pairs)} in the right direction")  # fmt: skip
        for category in dict.fromkeys(pair["category"] for pair in pairs):
            found = [r for r, pair in zip(right, pairs, strict=True) if pair["category"] == category]
            print(f"  {category:<18}{sum(found):>4} of {len(found)}")
        if options.wrong:
            print("  wrong:", *(pair["id"] for r, pair in zip(right, pairs, strict=True) if not r))


def opened(path: Path, assignments: list[str]) -> ClinicalModel:
    if (path / "manifest.json").is_file():
        return ClinicalModel.load(path)
    with tempfile.TemporaryDirectory() as folder:
        write_cohort(Path(folder, "cohort"), import_source("openi", path))
        return ClinicalModel(read_config(None, assignments)).fit(Cohort.open(Path(folder, "cohort")))


def directions(model: ClinicalModel, pairs: list[dict[str, str]]) -> list[bool]:
    """Whether each pair's `more` is more probable than its `less`."""
    texts = [pair[side] for pair in pairs for side in ("more", "less")]
    records = [PatientRecord(record_id=str(i), patient_id=str(i), notes=[{"text": t}]) for i, t in enumerate(texts)]
    found = model.predict(records)
    columns = np.array([found.targets.index(pair["target"]) for pair in pairs])
    rows = np.arange(len(pairs))
    return (found.probability[2 * rows, columns] > found.probability[2 * rows + 1, columns]).tolist()


if __name__ == "__main__":
    main()
