"""What an evaluation says of trust: calibration and prediction sets, per target and set of modalities.

    multimodal synthesize --patients 6000 --seed 0 --out build/six-thousand
    multimodal train build/six-thousand --holdout 0.6667 --out build/synthetic
    multimodal evaluate build/synthetic build/six-thousand --out build/synthetic-evaluation
    python benchmarks/trust.py build/synthetic-evaluation/metrics.json

or, of the cross-fitted figures of a training: `multimodal inspect MODEL --json > figures.json`, and that file.
Prints the calibration error beside the 95 % quantile of that of a perfectly calibrated model at this n, slope and
intercept; the coverage of the prediction sets beside the least that n records may show; and how many records the gates
kept back. What misses its mark is marked with *.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("metrics", type=Path)
    metrics = json.loads(arguments.parse_args().metrics.read_text(encoding="utf-8"))
    if cohort := metrics.get("cohort"):
        print(f"{cohort['records']:,} records, {cohort['no_input']:,} without input, {cohort['abstained']:,} abstained")
    else:
        print(f"cross-fitted; the gates stop {metrics['summary']['gates']['altogether']:,} records")
    for name, found in metrics["targets"].items():
        print(f"\n{name}")
        print(f"  {'':<22}{'n':>6}{'AUROC':>8}{'ECE':>8}{'chance':>9}{'slope':>8}{'shift':>8}")
        rows = {"all": (found["fused"], found["ece_expected"])}
        rows |= {name: (at["fused"], at["ece_expected"]) for name, at in found["present"].items()}
        for of, (m, expected) in rows.items():
            mark = "*" if expected is not None and m["ece"]["value"] > expected else ""
            shown = (m[key]["value"] for key in ("calibration_slope", "calibration_intercept"))
            values = "".join(f"{'-' if value is None else format(value, '.2f'):>8}" for value in shown)
            area = "-" if m["auroc"]["value"] is None else f"{m['auroc']['value']:.3f}"
            print(f"  {of:<22}{m['n']:>6}{area:>8}{m['ece']['value']:>8.3f}{expected:>8.3f}{mark:1}{values}")
        print_sets(found["sets"])
    for name, group in metrics["groups"].items():
        print(f"\ngroup {name}")
        print_sets(group["sets"])


def print_sets(sets: dict) -> None:
    """A line a part of the records, two columns a coverage."""
    first = next(iter(sets.values()))
    print(f"  {'prediction sets':<22}{'n':>6}" + "".join(f"{level:>10} at least    size   empty" for level in sets))
    for of, row in first.items():
        cells = ""
        for at in (rows[of] for rows in sets.values()):
            mark = "*" if at["coverage"]["value"] < at["least"] else ""
            cells += f"{at['coverage']['value']:>9.3f}{mark:1}{at['least']:>9.3f}{at['size']:>8.2f}{at['empty']:>8.3f}"
        print(f"  {of:<22}{row['n']:>6}{cells}")


if __name__ == "__main__":
    main()
