"""From scored records to the tables of metrics.json: which records count for which figure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..records import Target
from .bootstrap import Resamples, draw
from .coverage import ENOUGH, measure_sets
from .delong import compare_areas
from .expected import expected_ece
from .metrics import Sampled, measure_group, sample
from .subgroups import Parting, measure_subgroups

PAIRED = ("auroc", "auprc", "brier")  # the figures that do not hang on where the threshold was put


@dataclass(frozen=True)
class Answers:
    """One way to answer n records on T targets.

    probability  float (n, T), NaN where this way has no answer; a score where `is_probability` is False
    decision     float (n, T), 0 or 1, NaN where there is none
    threshold    float (T,), NaN for a class of an exclusive group
    """

    probability: np.ndarray
    decision: np.ndarray
    threshold: np.ndarray
    is_probability: bool = True


@dataclass(frozen=True)
class Group:
    """One group of exclusive classes.

    classes         every class that occurs in the cohort or in the model
    truth, decided  object (n,), a class name; truth is None where unknown
    """

    classes: tuple[str, ...]
    truth: np.ndarray
    decided: np.ndarray


def group_of(
    group: str,
    ours: Sequence[str],
    targets: Mapping[str, Target],
    labels_of: Callable[[list[str]], np.ndarray],
    decision: np.ndarray,
) -> Group | None:
    """The exclusive group as a cohort has it: also classes that the model left out, whose records count as wrong.

    ours       the model's classes; decision  float (n, len(ours)), one 1 a row
    targets    the cohort's; labels_of(names) gives its labels, float (n, len(names))
    Returns None where cohort and model share no class.
    """
    theirs = [name for name, target in targets.items() if target.group == group or name in ours]
    if not set(ours) & set(theirs):
        return None
    labels = np.nan_to_num(np.asarray(labels_of(theirs), dtype=float))
    truth = np.array(theirs, dtype=object)[labels.argmax(axis=1)]
    truth[labels.max(axis=1) < 1] = None
    decided = np.array(ours, dtype=object)[np.nan_to_num(decision).argmax(axis=1)]
    return Group((*ours, *(name for name in theirs if name not in ours)), truth, decided)


@dataclass(frozen=True)
class Scored:
    """n records with known or unknown labels on T targets, and what the model says with M modalities.

    labels     float (n, T): 0, 1, NaN unknown
    patients   object (n,)
    present    bool (n, M), the usable modalities
    abstained  bool (n,), a gate kept the decision back
    fused      the model's answers; `single`, those with only one modality shown, the base rate where a record lacks it
    baselines  those of the plain methods, by name
    without    the model's answers with one modality hidden, by its name; none where that was not asked
    base       float (T,), the probability without any input; None where it is not known
    partings   the subgroups to look at, by name
    sets       the model's prediction sets by coverage, bool (n, T, 2): label 0 and label 1 of each target
    """

    targets: tuple[str, ...]
    modalities: tuple[str, ...]
    labels: np.ndarray
    patients: np.ndarray
    present: np.ndarray
    abstained: np.ndarray
    fused: Answers
    single: Mapping[str, Answers]
    baselines: Mapping[str, Answers] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    without: Mapping[str, Answers] = field(default_factory=dict)
    base: np.ndarray | None = None
    partings: Mapping[str, Parting] = field(default_factory=dict)
    sets: Mapping[float, np.ndarray] = field(default_factory=dict)

    def usable(self, t: int) -> np.ndarray:
        """bool (n,): the records that `fused` counts, with a known label on target t and a usable modality."""
        return self.present.any(axis=1) & ~np.isnan(self.labels[:, t])


def tabulate(scored: Scored, *, resamples: int = 1000, random_state: int = 0) -> dict[str, dict]:
    """{"targets": ..., "groups": ...} of metrics.json (DESIGN.md, section 2).

    `fused` and `single`: label known, at least one modality usable, gates not applied. `baselines`: those of them that
    the baseline has an answer for; n is 0 where it does not answer this target. `answered`: those not abstained on.
    `present`: by the exact set of usable modalities; sets that no such record has are left out. The resamples are of
    all patients, and the same for every figure.
    """
    # Ids as numbers, once: sorting texts would take longer than the figures.
    patients = np.unique(scored.patients.astype(str), return_inverse=True)[1]
    drawn = draw(patients, resamples=resamples, random_state=random_state)
    targets = {
        name: _target(_Figures(scored, t, patients, drawn), random_state) for t, name in enumerate(scored.targets)
    }
    groups = {}
    for name, group in scored.groups.items():
        rows = scored.present.any(axis=1) & np.array([label is not None for label in group.truth], dtype=bool)
        groups[name] = measure_group(group.truth[rows], group.decided[rows], drawn.of(rows), classes=group.classes)
        groups[name]["sets"] = _group_sets(scored, group, rows, drawn)
    return {"targets": targets, "groups": groups}


def compare_scored(a: Scored, b: Scored, *, resamples: int = 1000, random_state: int = 0) -> dict[str, dict]:
    """{target: {"a": M, "b": M, "delong", "difference": {figure: a less b}}} of two models.

    a, b  the same records and targets, usable for both or for neither
    """
    patients = np.unique(a.patients.astype(str), return_inverse=True)[1]
    drawn = draw(patients, resamples=resamples, random_state=random_state)
    found = {}
    for t, name in enumerate(a.targets):
        figures = _Figures(a, t, patients, drawn)
        ours, theirs = (figures.of(one.fused, figures.rows) for one in (a, b))
        found[name] = {
            "a": ours.document(),
            "b": theirs.document(),
            "delong": figures.tested(a.fused, b.fused, figures.rows),
            "difference": ours.minus(theirs),
        }
    return found


class _Figures:
    """The figures of one target, each computed once."""

    def __init__(self, scored: Scored, t: int, patients: np.ndarray, drawn: Resamples):
        self.scored, self.t, self.patients, self.drawn = scored, t, patients, drawn
        self.rows = scored.usable(t)
        self.labels = scored.labels[:, t]
        self._found: dict[tuple[int, bytes], Sampled] = {}

    def answered(self, answers: Answers, rows: np.ndarray) -> np.ndarray:
        """bool (n,): those of `rows` that have an answer."""
        return rows & ~np.isnan(answers.probability[:, self.t]) & ~np.isnan(answers.decision[:, self.t])

    def of(self, answers: Answers, rows: np.ndarray) -> Sampled:
        rows = self.answered(answers, rows)
        key = id(answers), rows.tobytes()
        if key not in self._found:
            self._found[key] = sample(
                self.labels[rows],
                answers.probability[rows, self.t],
                answers.decision[rows, self.t],
                self.drawn.of(rows),
                threshold=answers.threshold[self.t],
                is_probability=answers.is_probability,
            )
        return self._found[key]

    def tested(self, answers: Answers, others: Answers, rows: np.ndarray) -> dict:
        """The difference of the AUROCs by DeLong's test."""
        ours, theirs = (way.probability[rows, self.t] for way in (answers, others))
        return compare_areas(self.labels[rows], ours, theirs, self.patients[rows])

    def compared(self, answers: Answers, others: Answers, rows: np.ndarray) -> dict:
        """How much higher the figures of `answers` are than those of `others`, on the records that both answer."""
        rows = self.answered(answers, self.answered(others, rows))
        return {
            "n": int(rows.sum()),
            "delong": self.tested(answers, others, rows),
            **self.of(answers, rows).minus(self.of(others, rows), PAIRED),
        }


def _target(figures: _Figures, random_state: int) -> dict:
    scored, rows, t = figures.scored, figures.rows, figures.t

    def expected(rows: np.ndarray) -> float | None:
        return expected_ece(scored.fused.probability[rows, t], random_state=random_state)

    fused = figures.of(scored.fused, rows)
    return {
        "fused": fused.document(),
        "answered": figures.of(scored.fused, rows & ~scored.abstained).document(),
        "single": {name: figures.of(answers, rows).document() for name, answers in scored.single.items()},
        "baselines": {name: figures.of(answers, rows).document() for name, answers in scored.baselines.items()},
        "present": {
            "+".join(shown): {
                "fused": figures.of(scored.fused, rows & exactly).document(),
                "ece_expected": expected(rows & exactly),
                "single": {name: figures.of(scored.single[name], rows & exactly).document() for name in shown},
            }
            for shown, exactly in _sets(scored)
            if (rows & exactly).any()
        },
        "compared": {
            kind: {
                name: found
                for name, answers in ways.items()
                if (found := figures.compared(scored.fused, answers, rows))["n"]
            }
            for kind, ways in (("single", scored.single), ("baselines", scored.baselines))
        },
        "without": {name: _without(figures, name, answers) for name, answers in scored.without.items()},
        "ece_expected": expected(rows),
        "prevalence": {
            "here": fused.counts["positives"] / fused.counts["n"] if fused.counts["n"] else None,
            "assumed": None if scored.base is None else float(scored.base[t]),
        },
        "subgroups": measure_subgroups(
            scored.partings, rows, lambda inside: figures.of(scored.fused, inside), expected
        ),
        "sets": _coverage(
            {level: sets[rows, t] for level, sets in scored.sets.items()},
            figures.labels[rows].astype(np.int64),
            ("label 0", "label 1"),
            _common_sets(scored, rows),
            figures.drawn.of(rows),
        ),
    }


def _coverage(
    sets: Mapping[float, np.ndarray],
    truth: np.ndarray,
    classes: Sequence[str],
    present: Sequence[tuple[str, np.ndarray]],
    drawn: Resamples,
) -> dict[str, dict]:
    """{coverage: rows of measure_sets}: all records, each class, each set of modalities that enough records have."""
    parts = [(name, truth == c) for c, name in enumerate(classes)]
    return {f"{level:g}": measure_sets(held, truth, level, [*parts, *present], drawn) for level, held in sets.items()}


def _common_sets(scored: Scored, rows: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """(set of modalities, which of `rows` have exactly it) of the sets that enough of them have."""
    every = [("+".join(shown), exactly[rows]) for shown, exactly in _sets(scored)]
    return [(name, inside) for name, inside in every if inside.sum() >= ENOUGH]


def _group_sets(scored: Scored, group: Group, rows: np.ndarray, drawn: Resamples) -> dict[str, dict]:
    """The coverage of an exclusive group; a class that the model was not taught is in no set."""
    truth = np.array([group.classes.index(name) for name in group.truth[rows]], dtype=np.int64)
    places = {name: scored.targets.index(name) for name in group.classes if name in scored.targets}
    held = {}
    for level, sets in scored.sets.items():
        held[level] = np.zeros((len(truth), len(group.classes)), dtype=bool)
        for c, name in enumerate(group.classes):
            if name in places:
                held[level][:, c] = sets[rows, places[name], 1]
    return _coverage(held, truth, group.classes, _common_sets(scored, rows), drawn.of(rows))


def _without(figures: _Figures, name: str, hidden: Answers) -> dict:
    """What one modality is worth to the records that have it: the model's figures with it and with it hidden."""
    fused = figures.scored.fused
    rows = figures.rows & figures.scored.present[:, figures.scored.modalities.index(name)]
    both = {"with": figures.of(fused, rows).document(), "without": figures.of(hidden, rows).document()}
    return {
        "positives": both["with"]["positives"],
        **{key: {figure: found[figure] for figure in PAIRED} for key, found in both.items()},
        "difference": figures.compared(fused, hidden, rows),
    }


def _sets(scored: Scored) -> Iterator[tuple[tuple[str, ...], np.ndarray]]:
    """Every set of modalities, small ones first: (names, bool (n,) the records in which exactly it is usable)."""
    bits = 1 << np.arange(len(scored.modalities))
    held = scored.present @ bits
    for subset in sorted(range(1, 1 << len(bits)), key=lambda s: (s.bit_count(), s)):
        yield tuple(name for m, name in enumerate(scored.modalities) if subset >> m & 1), held == subset
