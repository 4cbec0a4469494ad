"""DeLong's test: how far two ways to answer the same records differ in AUROC, and whether chance explains it.

What it does: the covariance of any number of paired areas, of records that are independent or that share patients.
What it does not: say anything of two areas on different records; small samples, where the normal approximation is rough
(fewer than some ten records of the rarer class).

DeLong, DeLong and Clarke-Pearson, Biometrics 44:837, 1988; by midranks, in n log n: Sun and Xu, IEEE Signal Processing
Letters 21:1389, 2014; several records a patient: Obuchowski, Biometrics 53:567, 1997.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata

UNKNOWN = {"value": None, "low": None, "high": None, "p": None}
NOTHING = 1e-12  # a variance below it is a rounding error


def placements(y: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The share of the other class that each record is on the right side of; ties count half.

    y  0/1 (n,), both classes; scores  float (k, n), higher for class 1
    Returns float (k, n). Its mean over the records of either class is the area under the ROC curve.
    """
    case = y == 1
    among_all = rankdata(scores, axis=1)
    out = np.empty(scores.shape)
    # The rank among all less the rank among its own class: how many of the other class lie below.
    out[:, case] = (among_all[:, case] - rankdata(scores[:, case], axis=1)) / (~case).sum()
    out[:, ~case] = 1 - (among_all[:, ~case] - rankdata(scores[:, ~case], axis=1)) / case.sum()
    return out


def areas(y: np.ndarray, scores: np.ndarray, patients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The areas (k,) of k scores of the same n records, and their covariance (k, k).

    y         0/1 (n,), both classes; scores  float (k, n); patients  (n,), whose record each is
    Returns   the covariance of DeLong where every patient has one record, of Obuchowski else; NaN where fewer than two
              patients have a record of either class.
    """
    case = np.asarray(y) == 1
    found = placements(y, scores)
    area = found[:, case].mean(axis=1)
    ids, patient_of = np.unique(patients, return_inverse=True)

    def by_patient(rows: np.ndarray) -> tuple[np.ndarray, int]:
        """float (k, P), each patient's sum of deviations over the records of one class, and how many have any."""
        deviations = found[:, rows] - area[:, None]
        sums = np.stack([np.bincount(patient_of[rows], one, minlength=len(ids)) for one in deviations])
        return sums / rows.sum(), len(np.unique(patient_of[rows]))

    cases, with_cases = by_patient(case)
    controls, with_controls = by_patient(~case)
    if min(with_cases, with_controls) < 2:
        return area, np.full((len(area), len(area)), np.nan)
    across = cases @ controls.T
    covariance = with_cases / (with_cases - 1) * cases @ cases.T
    covariance += with_controls / (with_controls - 1) * controls @ controls.T
    covariance += len(ids) / (len(ids) - 1) * (across + across.T)
    return area, covariance


def compare_areas(y: np.ndarray, a: np.ndarray, b: np.ndarray, patients: np.ndarray) -> dict:
    """How much larger the AUROC of score a is than that of score b.

    y  0/1 (n,); a, b  float (n,), of the same records; patients  (n,), whose record each is
    Returns {"value", "low", "high", "p"}: the difference, its 95 % interval and the two-sided p of no difference; all
    null for one class only. Where the variance is 0 or unknown there is no interval, and p is 1 for equal areas only.
    """
    if not 0 < np.sum(y) < len(y):
        return dict(UNKNOWN)
    area, covariance = areas(np.asarray(y), np.stack([a, b]).astype(float), patients)
    difference = float(area[0] - area[1])
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    if not variance > NOTHING:
        same = variance <= NOTHING and abs(difference) < NOTHING
        return {"value": difference, "low": None, "high": None, "p": 1.0 if same else None}
    error = float(np.sqrt(variance))
    half = float(ndtri(0.975)) * error
    p = float(2 * ndtr(-abs(difference) / error))
    return {"value": difference, "low": difference - half, "high": difference + half, "p": p}
