"""The Python API from end to end on a small synthetic cohort: `python demos/research.py` (under two minutes).

For a cohort of your own, replace the two lines under "a cohort" by `cohort = Cohort.open("path/to/cohort")`.
"""

import tempfile
from pathlib import Path

import numpy as np

from multimodal import ClinicalModel, Cohort, Config, Measurement, Note, PatientRecord, evaluate
from multimodal.sources import write_cohort
from multimodal.sources.synthetic import synthesize

# Small encoders, few steps: enough to see every part at work. `ClinicalModel()` takes the defaults.
QUICK = Config.model_validate(
    {
        "image": {"size": 64, "min_steps": 80, "max_steps": 80},
        "notes": {"encoders": ["words"]},
        "vitals": {"encoders": ["forest", "logistic"]},
    }
)


def main(folder: Path) -> None:
    # A cohort.
    write_cohort(folder / "cohort", synthesize(300, seed=0))
    cohort = Cohort.open(folder / "cohort")
    print(cohort)

    # Train on some patients, answer the others: one prediction per record, in order, whatever is missing.
    train, test = cohort.split(test=0.3, seed=0)
    model = ClinicalModel(QUICK).fit(train, report=print)
    predictions = model.predict(test)
    columns = ["record_id", "pneumonia.probability", "pneumonia.decision", "used", "refused"]
    print(predictions.to_frame()[columns].head(8).to_string(index=False, max_colwidth=40))

    # How good is it, on patients that it has not seen?
    print(evaluate(model, test).summary())

    # Saved and loaded it gives the same answers.
    model.save(folder / "model")
    again = ClinicalModel.load(folder / "model")
    assert np.array_equal(again.predict(test).probability, predictions.probability, equal_nan=True)

    # One record made in Python, and what moved its answer.
    note = Note(text="Major pulmonary consolidation noted. Major pulmonary crackles noted.")
    vitals = [Measurement(code="heart_rate", value=120), Measurement(code="systolic_bp", value=100)]
    record = PatientRecord(record_id="visit-1", patient_id="patient-1", age_years=70, notes=[note], measurements=vitals)
    answer = again.predict([record])[0]
    found = answer.targets["pneumonia"]
    print(f"pneumonia {found.probability:.2f}, contributions {found.contributions}, missing {answer.missing}")
    # The bedside scores beside it, with their published thresholds.
    for rule, score in answer.scores.items():
        print(f"{rule} {score.value:.2f}: {'alert' if score.alert else 'no alert'} (from {score.threshold})")

    # The same patient an hour later: only the measurements are read again, and it is said what changed.
    watch = again.watch()
    watch.predict([record])
    newer = record.model_copy(update={"measurements": (*vitals, Measurement(code="heart_rate", value=150))})
    watch.predict([newer])
    (change,) = watch.changes_
    moved = change.targets["pneumonia"]
    print(f"read again {change.read_again}: pneumonia {moved.before:.2f} -> {moved.after:.2f}, {change.values}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(Path(folder))
