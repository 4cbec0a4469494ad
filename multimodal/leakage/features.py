"""One column or word that by itself tells the label almost without error: the label, or what was decided from it.

The rule: an AUROC of at least 0.95 with the lower end of its 99 % patient-bootstrap interval at 0.9 or more, and a
chance of less than 1 % that any of all the columns tried reached it: the tail of the Mann-Whitney statistic under its
normal approximation, times the number of columns and targets (Bonferroni), with patients counted and not records. At
20 positive and 20 negative patients, the fewest that are judged, and 5,000 columns an AUROC of 0.95 is 0.6 % by chance
for all of them together. Ties and small numbers make the normal tail too large, so the rule errs towards silence.
Nothing is fitted but the direction, so there is nothing to hold out.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse
from scipy.stats import norm, rankdata
from sklearn.feature_extraction.text import CountVectorizer

from ..vitals import plan
from .findings import LEAK, Finding
from .material import Material
from .telling import LEAK_VALUE, Telling, sampled, telling

CHANCE = 0.01
FEWEST = 10
"""Records that must have a value, or hold a word."""
MAX_WORDS = 20_000
SHOWN = 3


def single_features(material: Material) -> list[Finding]:
    """LEAK_FEATURE, one per target and modality; names at most SHOWN columns. Of words only their number is told."""
    findings = []
    for modality, columns in (("vitals", _vitals), ("notes", _words)):
        if modality not in material.inputs:
            continue
        names, values = columns(material)
        present = material.inputs[modality].present
        for target in material.targets:
            rows, y = material.known(target)
            rows, y = sampled(rows[present[rows]], y[present[rows]])
            tried = 2 * len(names) * len(material.targets)
            found = sorted(_suspects(values, rows, y, material.patients, tried), key=lambda one: -one[1].auroc)
            if not found:
                continue
            best = found[0][1]
            which = f"one of {len(found)} words or pairs of words"
            if modality == "vitals":
                which = ", ".join(names[i] for i in dict.fromkeys(i for i, _ in found[: 4 * SHOWN]))
            what = f"{target}: {which} of {len(names):,} tried tells the label by itself, {best}"
            named = tuple((one,) for one in material.named(best.surest))
            findings.append(Finding("LEAK_FEATURE", LEAK, what, len(best.rows), named, target, best.figures))
    return findings


def _vitals(material: Material) -> tuple[list[str], np.ndarray]:
    inputs = material.inputs["vitals"]
    columns = plan(inputs.checked, len(material))
    return list(columns.names), inputs.columns(columns)


def _words(material: Material) -> tuple[list[str], sparse.csc_matrix]:
    """Whether each record's notes hold each word and pair of words, NaN-free; records without notes hold none."""
    notes = material.inputs["notes"]
    texts = [""] * len(material)
    for row, text in zip(notes.record.tolist(), notes.text, strict=True):
        texts[row] += " " + text
    kept, _ = sampled(np.flatnonzero(notes.present), np.flatnonzero(notes.present))
    texts = [text if has else "" for text, has in zip(texts, np.isin(np.arange(len(texts)), kept), strict=True)]
    counter = CountVectorizer(binary=True, ngram_range=(1, 2), min_df=FEWEST, max_features=MAX_WORDS)
    try:
        held = counter.fit_transform(texts)
    except ValueError:  # scikit-learn has no matrix without columns
        return [], sparse.csc_matrix((len(texts), 0))
    return counter.get_feature_names_out().tolist(), held.tocsc()


def _suspects(
    values: np.ndarray | sparse.csc_matrix, rows: np.ndarray, y: np.ndarray, patients: np.ndarray, tried: int
) -> Iterator[tuple[int, Telling]]:
    """(column, how well it tells) of the columns, and of their being there at all, that break the rule."""
    if sparse.issparse(values):
        scores = _of_words(values[rows], y)
        shown = [
            (column, lambda column=column: values[rows, column].toarray().ravel().astype(float))
            for column in np.flatnonzero(np.abs(scores - 0.5) >= LEAK_VALUE - 0.5)
        ]
    else:
        shown = _of_columns(values[rows], y)
    for column, score_of in shown:
        score = score_of()
        there = ~np.isnan(score)
        of, judged, who = y[there], rows[there], patients[rows[there]]
        found = telling(score[there], of, judged, who, either=True)
        if found and found.severity == LEAK and _by_chance(found.auroc, of, who) * tried < CHANCE:
            yield int(column), found


def _of_words(held: sparse.csr_matrix, y: np.ndarray) -> np.ndarray:
    """The AUROC of holding each word, float (F,)."""
    positives = max(y.sum(), 1)
    rate, other = held.T @ y / positives, held.T @ (1 - y) / max(len(y) - y.sum(), 1)
    return (1 + rate - other) / 2


def _of_columns(values: np.ndarray, y: np.ndarray):
    """The columns (and whether each is there) whose AUROC is at least LEAK_VALUE, in either direction."""
    for column in range(values.shape[1]):
        one = values[:, column]
        there = ~np.isnan(one)
        for score in (one, there.astype(float)):
            known = ~np.isnan(score)
            of = y[known]
            positives, negatives = (of == 1).sum(), (of == 0).sum()
            if min(positives, negatives) < FEWEST:
                continue
            won = rankdata(score[known])[of == 1].sum() - positives * (positives + 1) / 2
            if abs(won / (positives * negatives) - 0.5) >= LEAK_VALUE - 0.5:
                yield column, lambda score=score: score


def _by_chance(auroc: float, y: np.ndarray, patients: np.ndarray) -> float:
    """Two-sided tail probability of an AUROC where the column knows nothing."""
    positives, negatives = (len(set(patients[y == label])) for label in (1, 0))
    spread = np.sqrt((positives + negatives + 1) / (12 * positives * negatives))
    return float(2 * norm.sf(abs(auroc - 0.5) / spread))
