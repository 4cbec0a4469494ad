"""A fitted model and labelled patients of another site -> the same model with that site's intercept and temperature."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from ..records import CohortError, Problem
from ..trust.site import SiteMap, fit_site
from ..trust.thresholds import named_probability
from .saved import write_model

if TYPE_CHECKING:
    from ..sources import Cohort
    from .clinical_model import ClinicalModel

FOR_INTERCEPT = 3  # patients with and without the outcome; with fewer, chance alone decides what is found
FOR_TEMPERATURE = 10
SUMMARY = "recalibrated"


def calibrated_to(
    model: ClinicalModel, cohort: Cohort, progress: Callable[[int, int], None] = lambda done, total: None
) -> ClinicalModel:
    """A new model whose probabilities hold at the site of `cohort`: per target (or exclusive group) an intercept and a
    temperature on its labelled records of patients whom the model has not seen.

    A target with fewer than 10 patients with or without the outcome (in a group: of a class) gets an intercept alone;
    with fewer than 3 it stays as it was, TOO_FEW_LABELS. A threshold is carried along, so that it decides as before;
    that of a rule which names a probability itself is that probability.
    A model that was recalibrated before is recalibrated from where it stands: the maps compose.
    Raises CohortError COHORT_FORM if cohort and model share no target, TRAINING_PATIENTS if only patients whom the
    model has seen are left, SITE_TOO_SMALL if there are too few for every target.
    """
    shared = [name for name in model.targets if name in cohort.targets]
    if not shared:
        raise CohortError("COHORT_FORM", "the cohort has labels of none of the model's targets.")
    patients = np.asarray(cohort.patient_ids, dtype=object)
    seen = np.asarray(model.trained_on(patients), dtype=bool)
    if len(seen) and seen.all():
        raise CohortError("TRAINING_PATIENTS", f"the model trained on all {len(set(patients)):,} patients.")
    cohort, unseen = cohort.take(np.flatnonzero(~seen)), patients[~seen]
    value, present = _values(model, cohort, progress)
    labels = np.full((len(unseen), len(model.targets)), np.nan)
    labels[:, [list(model.targets).index(name) for name in shared]] = cohort.labels(shared)

    site, used = SiteMap.identity(len(model.targets)), np.zeros(len(unseen), dtype=bool)
    problems: list[Problem] = []
    told: dict[str, Any] = {}
    for unit in model.stack_.units:
        columns = list(unit)
        rows = present & ~np.isnan(labels[:, columns]).any(axis=1)
        if len(columns) > 1:
            rows &= labels[:, columns].sum(axis=1) == 1
        y = labels[rows][:, columns]
        fewest = _fewest_patients(y, unseen[rows])
        names = [list(model.targets)[t] for t in unit]
        if fewest < FOR_INTERCEPT:
            message = f"{fewest} patients of its rarest outcome, fewer than {FOR_INTERCEPT}: not recalibrated"
            problems.append(Problem("TOO_FEW_LABELS", ", ".join(names), message))
            continue
        slope = fewest >= FOR_TEMPERATURE
        base = model.stack_.baseline[columns]
        site = site.with_unit(unit, *fit_site(value[rows][:, columns], base, y, slope=slope))
        used |= rows
        for c, name in enumerate(names):
            told[name] = {
                "records": int(rows.sum()),
                "patients": len(set(unseen[rows])),
                "positive": int(y[:, c].sum()),
                "prevalence": float(y[:, c].mean()),
                "fitted": "intercept and temperature" if slope else "intercept",
            }
    if not told:
        raise CohortError("SITE_TOO_SMALL", "; ".join(f"{one.where}: {one.message}" for one in problems) + ".")
    about = {
        "from_model_id": model.model_id,
        "cohort": cohort.name,
        "records": int(used.sum()),
        "patients": len(set(unseen[used])),
        "excluded_training_patients": len(set(patients[seen])),
    }
    return _with_site(model, site, told, about, problems, unseen[used])


def _values(model: ClinicalModel, cohort: Cohort, progress: Callable) -> tuple[np.ndarray, np.ndarray]:
    """Of all records: log-odds float (n, T) with everything shown, and bool (n,): it has some usable input."""
    value, present = [np.zeros((0, len(model.targets)))], [np.zeros(0, dtype=bool)]
    done = 0
    for batch in cohort.batches():
        scores = model.score(batch)
        value.append(scores.value[-1])
        present.append(scores.present.any(axis=1))
        done += len(batch)
        progress(done, len(cohort))
    return np.concatenate(value), np.concatenate(present)


def _fewest_patients(y: np.ndarray, patients: np.ndarray) -> int:
    """Of the outcome that the fewest patients have: 0 and 1 of one target, or the classes of a group; y (n, C)."""
    outcomes = [y[:, 0] == 0, y[:, 0] == 1] if y.shape[1] == 1 else list(y.T == 1)
    return min(len(set(patients[rows])) for rows in outcomes)


def _with_site(
    model: ClinicalModel,
    site: SiteMap,
    told: Mapping[str, Mapping[str, Any]],
    about: Mapping[str, Any],
    problems: Sequence[Problem],
    patients: np.ndarray,
) -> ClinicalModel:
    """The model with the map on top; told: per recalibrated target what it was fitted on; about: on whom altogether."""
    new = copy(model)
    new.stack_ = replace(model.stack_, site=model.stack_.site.then(site))
    new.thresholds_ = site.threshold(model.thresholds_, model.stack_.baseline)
    for t, (name, rule) in enumerate(model.rules.items()):
        named = named_probability(rule) if rule else None
        if name in told and named is not None:
            new.thresholds_[t] = named
    before, after = model.assumed_prevalence, new.assumed_prevalence
    targets = {
        name: {
            **told[name],
            "assumed_before": float(before[t]),
            "assumed_prevalence": float(after[t]),
            "shift": float(site.shift[t]),
            "temperature": float(site.temperature[t]),
        }
        for t, name in enumerate(model.targets)
        if name in told
    }
    new.summary_ = model.summary_ | {SUMMARY: [*model.summary_.get(SUMMARY, ()), {**about, "targets": targets}]}
    counts = f"on {about['records']:,} records of {about['patients']:,} patients, from model {about['from_model_id']}"
    message = f"intercept and temperature {counts}; the figures of the training are older"
    new.problems_ = [*model.problems_, *problems, Problem("RECALIBRATED", ", ".join(told), message)]
    new.patients_ = model.patients_.joined(patients)
    with TemporaryDirectory() as folder:
        new.model_id_ = write_model(new, Path(folder))
    return new
