"""How well an imported cohort's labels are told by where a picture comes from, without any medicine.

    python benchmarks/collection_alone.py COHORT ATTRIBUTE [ATTRIBUTE ...]

Five-fold cross-validation by patient of a logistic regression on the named columns of `patients`, for each target
with at least ten positive and ten negative patients. What this reaches, a model may owe to the collection.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from multimodal import Cohort
from multimodal.model.training import usable_targets
from multimodal.trust.metrics import measure


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("cohort", type=Path)
    arguments.add_argument("attributes", nargs="+")
    options = arguments.parse_args()
    cohort = Cohort.open(options.cohort)
    columns = np.column_stack([cohort.attribute(name) for name in options.attributes]).astype(str)
    targets, labels = usable_targets(cohort, [])
    patients = np.unique(cohort.patient_ids.astype(str), return_inverse=True)[1]
    for t, name in enumerate(targets):
        known = ~np.isnan(labels[:, t])
        x, y, groups = columns[known], labels[known, t], patients[known]
        probs = np.zeros(len(y))
        for inside, outside in StratifiedGroupKFold(5, shuffle=True, random_state=0).split(x, y, groups):
            model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression(max_iter=1000))
            probs[outside] = model.fit(x[inside], y[inside]).predict_proba(x[outside])[:, 1]
        found = measure(y, probs, (probs >= 0.5).astype(float), groups, threshold=0.5)["auroc"]
        said = f"{found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"
        print(f"{name}: AUROC {said} from {', '.join(options.attributes)} alone (n {len(y)}, positives {int(y.sum())})")


if __name__ == "__main__":
    main()
