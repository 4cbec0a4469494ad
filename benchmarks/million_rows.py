"""Seconds and memory of `multimodal predict` on a flat file of a million records with one measurement set each.

    python benchmarks/million_rows.py MODEL FOLDER [--records 1000000] [--form parquet] [--alone 200] [--json FILE]

The rows are simulated from a seed: vital signs, age and sex in each, 12 laboratory values of which a tenth is missing,
and one value in a thousand implausible. The command runs as a process of its own, into FOLDER. The plain way: `predict`
of one PatientRecord at a time, measured on `--alone` random rows and extrapolated. These rows must have the
probabilities of the file to 1e-5, or the program ends with 1.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from multimodal import ClinicalModel, PatientRecord
from multimodal.records import Measurement

CHUNK = 50_000
# {code: (mean, standard deviation, decimals)}
VITAL_SIGNS = {
    "heart_rate": (86, 18, 0),
    "respiratory_rate": (18, 4, 0),
    "temperature": (37, 0.7, 1),
    "systolic_bp": (124, 20, 0),
    "diastolic_bp": (66, 11, 0),
    "oxygen_saturation": (96, 2, 0),
    "gcs_total": (13, 2, 0),
}
LABORATORY = {
    "creatinine": (1.2, 0.4, 2),
    "bun": (22, 6, 0),
    "sodium": (139, 4, 0),
    "potassium": (4.1, 0.5, 1),
    "bicarbonate": (24, 3, 0),
    "glucose": (130, 25, 0),
    "hematocrit": (33, 5, 1),
    "wbc": (11, 2.5, 1),
    "platelets": (220, 50, 0),
    "magnesium": (0.8, 0.1, 2),
    "lactate": (1.8, 0.4, 1),
    "albumin": (3.3, 0.5, 1),
}
HIGHEST = {"oxygen_saturation": 100, "gcs_total": 15}
MISSING, IMPLAUSIBLE = 0.1, 0.001
COMMAND = "import sys; from multimodal.cli import main; main(sys.argv[1:])"


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("model", type=Path)
    arguments.add_argument("folder", type=Path, help="where the rows and the answers are written")
    arguments.add_argument("--records", type=int, default=1_000_000)
    arguments.add_argument("--form", choices=("parquet", "csv"), default="parquet", help="of the rows")
    arguments.add_argument("--alone", type=int, default=200, help="random rows that are answered one by one too")
    arguments.add_argument("--json", type=Path)
    options = arguments.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    rows = options.folder / f"rows-{options.records}.{options.form}"
    if not rows.exists():
        write_rows(rows, options.records)
    answers = options.folder / f"answers-{options.form}.parquet"
    started = time.perf_counter()
    command = [sys.executable, "-c", COMMAND, "predict", str(options.model), str(rows), "--out", str(answers)]
    subprocess.run([*command, "--overwrite", "--quiet"], check=True)
    seconds, used = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    model = ClinicalModel.load(options.model, device="cpu")
    drawn = np.sort(np.random.default_rng(1).permutation(options.records)[: options.alone])
    alone, plain_seconds = one_by_one(model, rows, drawn)
    columns = [f"{target}.probability" for target in model.targets]
    together = pq.read_table(answers, columns=["record_id", *columns])
    apart = np.abs(together.select(columns).take(drawn).to_pandas().to_numpy(dtype=float) - alone)
    agree = bool((apart <= 1e-5).all()) and pc.all(pc.equal(together["record_id"], read(rows)["record_id"])).as_py()
    found = {
        "records": options.records,
        "form": options.form,
        "seconds": round(seconds, 1),
        "processor_seconds": round(used.ru_utime + used.ru_stime, 1),
        "records_per_second": round(options.records / seconds),
        "peak_memory_mib": round(used.ru_maxrss / 1024),
        "plain_records_per_second": round(len(drawn) / plain_seconds, 1),
        "ratio": round(plain_seconds / len(drawn) * options.records / seconds, 1),
        "largest_difference_in_probability": float(apart.max()),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }
    print(json.dumps(found, indent=1))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0 if agree else 1


def write_rows(path: Path, records: int) -> None:
    """The flat file of the simulated records, Parquet or CSV."""
    writer = None
    for table in simulated(records):
        if writer is None:
            make = pq.ParquetWriter if path.suffix == ".parquet" else pyarrow.csv.CSVWriter
            writer = make(path, table.schema)
        writer.write_table(table)
    writer.close()


def simulated(records: int, seed: int = 0) -> Iterator[pa.Table]:
    """The records, CHUNK at a time; values do not know of each other."""
    rng = np.random.default_rng(seed)
    for low in range(0, records, CHUNK):
        n = min(CHUNK, records - low)
        frame = {
            "record_id": [f"R{i:07d}" for i in range(low, low + n)],
            "patient_id": [f"P{i:07d}" for i in range(low, low + n)],
            "age_years": rng.integers(18, 90, n),
            "sex": rng.choice(["female", "male"], n),
        }
        for code, (mean, deviation, decimals) in (VITAL_SIGNS | LABORATORY).items():
            spread = rng.normal(0, deviation, n).clip(-2.2 * deviation, 2.2 * deviation)
            values = (mean + spread).round(decimals).clip(max=HIGHEST.get(code))
            values[rng.random(n) < IMPLAUSIBLE] = 99_999
            if code in LABORATORY:
                values[rng.random(n) < MISSING] = np.nan
            frame[code] = values
        yield pa.Table.from_pandas(pd.DataFrame(frame), preserve_index=False)


def read(path: Path) -> pa.Table:
    return pq.read_table(path) if path.suffix == ".parquet" else pyarrow.csv.read_csv(path)


def one_by_one(model: ClinicalModel, rows: Path, drawn: np.ndarray) -> tuple[np.ndarray, float]:
    """Probabilities (k, T) of the rows `drawn`, each answered alone, and the seconds that it took."""
    records = [
        PatientRecord(
            **{name: row[name] for name in ("record_id", "patient_id", "age_years", "sex")},
            measurements=[
                Measurement(code=code, value=row[code]) for code in VITAL_SIGNS | LABORATORY if row[code] is not None
            ],
        )
        for row in read(rows).take(drawn).to_pylist()
    ]
    model.predict(records[:1])  # what happens once in a process is not counted
    started = time.perf_counter()
    answers = [model.predict([record]).probability for record in records]
    return np.concatenate(answers), time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
