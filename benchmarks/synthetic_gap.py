"""How close the model comes to the best reachable on the synthetic cohort, where the truth is known.

    python benchmarks/synthetic_gap.py [--train 2000] [--test 4000] [--seed 0] [--set section.key=value]

Trains with the defaults and prints, per target, the AUROC of the full set of modalities, cross-fitted on the training
patients and on fresh ones, beside the best reachable one; and the calibration error on the fresh ones.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from multimodal import ClinicalModel, Cohort, evaluate
from multimodal.model import read_config
from multimodal.sources import write_cohort
from multimodal.sources.synthetic import read_best, synthesize


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--train", type=int, default=2000)
    arguments.add_argument("--test", type=int, default=4000)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--set", action="append", default=[])
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_cohort(Path(folder, "cohort"), synthesize(options.train + options.test, options.seed))
        cohort = Cohort.open(Path(folder, "cohort"))
        first = set(list(dict.fromkeys(cohort.patient_ids))[: options.train])
        trained = np.array([patient in first for patient in cohort.patient_ids])
        started = time.perf_counter()
        model = ClinicalModel(read_config(None, options.set)).fit(
            cohort.take(np.flatnonzero(trained)), report=lambda line: print(line, file=sys.stderr)
        )
        print(f"trained on {options.train} patients in {time.perf_counter() - started:.0f} s")
        table("cross-fitted", model.figures_, cohort)
        if options.test:
            table("fresh patients", evaluate(model, cohort.take(np.flatnonzero(~trained))).metrics, cohort)


def table(title: str, figures: dict, cohort: Cohort) -> None:
    """One line a target: the full set, each modality alone, and what is reachable."""
    print(f"\n{title}: records with all modalities")
    print(f"{'target':<16}{'n':>6}{'fused':>8}{'best':>8}{'gap':>8}{'ECE':>8}   alone (best)")
    for name, found in figures["targets"].items():
        best = read_best(cohort.targets[name].description)
        everything = "+".join(next(iter(sorted(best, key=len, reverse=True))).split("+"))
        full = found["present"][everything]
        value = full["fused"]["auroc"]["value"]
        alone = "  ".join(f"{m} {one['auroc']['value']:.3f} ({best[m]:.3f})" for m, one in full["single"].items())
        ece = full["fused"]["ece"]["value"]
        gap = best[everything] - value
        print(f"{name:<16}{full['fused']['n']:>6}{value:>8.3f}{best[everything]:>8.3f}{gap:>8.3f}{ece:>8.3f}   {alone}")


if __name__ == "__main__":
    main()
