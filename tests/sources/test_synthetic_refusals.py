"""The synthetic cohort lists what is wrong with it; written, opened and read, exactly that is refused."""

from __future__ import annotations

from multimodal import imaging, notes, vitals
from multimodal.records import REASONS
from multimodal.sources import Cohort, write_cohort
from multimodal.sources.synthetic import read_best, synthesize


def test_the_readers_refuse_exactly_what_the_cohort_expects(tmp_path):
    """300 patients: every kind of damage occurs. Warnings (an assumed unit, a lossy picture) are not listed."""
    write_cohort(tmp_path / "cohort", synthesize(300, 0))
    cohort = Cohort.open(tmp_path / "cohort")
    batch = next(iter(cohort.batches(len(cohort))))
    expected = [
        {item.split(":")[1] for item in text.split()} - {"NO_INPUT"} for text in cohort.attribute("expected_refusals")
    ]

    refused = [set() for _ in expected]
    for found in (batch, imaging.load(batch, imaging.Preparation(size=32)), notes.load(batch), vitals.check(batch)):
        for record, problem in found.problems:
            if REASONS[problem.code].severity == "refuse":
                refused[record].add(problem.code)

    assert refused == expected
    assert len(set().union(*expected)) == 12


def test_the_best_reachable_auroc_survives_the_way_through_cohort_toml(tmp_path):
    tables = synthesize(3, 0)
    write_cohort(tmp_path / "cohort", tables)

    opened = Cohort.open(tmp_path / "cohort").targets
    for name, target in tables.targets.items():
        assert opened[name] == target
        assert len(read_best(opened[name].description)) == 7
