"""Scoring patients again: newer measurements alone, by `watch`, against scoring everything from scratch.

    python benchmarks/watch.py MODEL COHORT [--records 100]

The first records that have all of the model's modalities get one more heart rate. Both ways must give the same
probabilities to 1e-5, or the program ends with 1.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from multimodal import ClinicalModel, Cohort, Measurement


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("model", type=Path)
    arguments.add_argument("cohort", type=Path)
    arguments.add_argument("--records", type=int, default=100)
    options = arguments.parse_args()
    model, cohort = ClinicalModel.load(options.model), Cohort.open(options.cohort)
    whole = np.flatnonzero(model.predict(cohort).present.all(axis=1))[: options.records]
    records = [cohort[int(row)] for row in whole]
    pulse = Measurement(code="heart_rate", value=130, unit="/min")
    newer = [one.model_copy(update={"measurements": (*one.measurements, pulse)}) for one in records]
    first, then = (Cohort.from_records(part, root=cohort.root, targets=model.targets) for part in (records, newer))
    watch = model.watch()
    watch.predict(first)
    started = time.perf_counter()
    again = watch.predict(then)
    by_watch, started = time.perf_counter() - started, time.perf_counter()
    scratch = model.predict(then)
    by_scratch = time.perf_counter() - started
    apart = float(np.abs(again.probability - scratch.probability).max())
    read = {change.read_again for change in watch.changes_}
    print(f"{len(records)} records, read again: {read}; largest difference in probability {apart:.1e}")
    print(f"from scratch {by_scratch:.2f} s, by watch {by_watch:.2f} s: {by_scratch / by_watch:.1f} times")
    sys.exit(int(apart > 1e-5))


if __name__ == "__main__":
    main()
