"""The leakage audit on public collections: what it finds, and how long it takes.

    python benchmarks/leakage.py DATA [--only composite,openi,...]

DATA holds the folders covid-chestxray, hannover, composite, physionet2012 and openi-reports. Per collection: seconds
to read it, seconds for all checks, and the findings as `multimodal audit` prints them; hannover's pictures are looked
for in covid-chestxray, with which it shares 82. Times are of this machine, on as many threads as it is given.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from multimodal import Cohort, audit
from multimodal.evaluation.summary import audit_text
from multimodal.sources import write_cohort
from multimodal.sources.importers import import_source

FOLDERS = {"covid-chestxray": "covid-chestxray", "hannover": "hannover", "physionet2012": "physionet2012"}
FOLDERS |= {"openi": "openi-reports"}
RUNS = {
    "covid-chestxray": None,
    "hannover": None,
    "covid-chestxray against hannover": ("covid-chestxray", "hannover"),
    "composite": None,
    "physionet2012": None,
    "openi": None,
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("data", type=Path)
    arguments.add_argument("--only", default=",".join(RUNS), help="which of them, by comma")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for run in options.only.split(","):
            first, second = RUNS[run] or (run, None)
            cohort = _opened(first, options.data, Path(folder))
            against = second and _opened(second, options.data, Path(folder))
            _run(run, cohort, against)


def _run(run: str, cohort: Cohort, against: Cohort | None) -> None:
    began: list[tuple[str, float]] = []
    start = time.perf_counter()
    found = audit(cohort, against=against, progress=lambda what, *_: began.append((what, time.perf_counter())))
    end = time.perf_counter()
    checks = next(moment for what, moment in began if not what.startswith("reading"))
    print(f"== {run}: read in {checks - start:.1f} s, checked in {end - checks:.1f} s\n")
    print(audit_text(found), end="\n\n")


def _opened(name: str, data: Path, folder: Path) -> Cohort:
    """The collection as a cohort, imported once where it is none."""
    if name not in FOLDERS:
        return Cohort.open(data / name)
    if not (folder / name).exists():
        write_cohort(folder / name, import_source(name, data / FOLDERS[name]))
    return Cohort.open(folder / name)


if __name__ == "__main__":
    main()
