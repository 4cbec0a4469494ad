"""Score a labelled cohort with a model and say how good it was, on patients whom the model has not seen."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from multimodal.records import CohortError, UsageError, shown

from ..model.trusting import levels
from ..trust.curves import curves
from ..trust.subgroups import Parting, by_age, by_value, comparisons, crossed
from ..trust.tabulate import Answers, Group, Scored, group_of, tabulate
from .report import About, render
from .summary import evaluation_table

if TYPE_CHECKING:
    from multimodal.model import ClinicalModel
    from multimodal.sources import Cohort

BATCH = 256
BY = ("sex", "age")
SEXES = ("female", "male", "other")
MOST_GROUPS = 20  # of one column: more are no subgroups but an identifier
FILES = ("metrics.json", "report.html")


@dataclass(frozen=True)
class Evaluation:
    """How good a model was on a cohort.

    metrics  what metrics.json holds (DESIGN.md, section 2)
    curves   what the report draws: see `trust.curves`
    about    what the report says about the model
    """

    metrics: Mapping
    curves: Mapping
    about: About

    def summary(self) -> str:
        """What a terminal shows of it: on whom, and each target's figures, in 80 columns."""
        return evaluation_table(self.metrics)

    def write(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """metrics.json and report.html in `folder`, both or nothing.

        Raises UsageError where `folder` exists; with `overwrite` only where it holds anything but these two files.
        """
        contents = (
            json.dumps(self.metrics, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
            render(self.metrics, self.curves, self.about),
        )
        write_together(folder, dict(zip(FILES, contents, strict=True)), overwrite=overwrite)


def write_together(folder: str | Path, contents: Mapping[str, str], *, overwrite: bool) -> None:
    """The files {name: text} in `folder`, all or none. Raises UsageError as `check_free`."""
    folder = Path(folder)
    check_free(folder, overwrite=overwrite, files=tuple(contents))
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Beside its place, so that the last step is one rename on one file system.
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as aside:
        new = Path(aside, "new")
        new.mkdir()
        for name, text in contents.items():
            (new / name).write_text(text, encoding="utf-8", newline="\n")
        if folder.exists():
            os.rename(folder, Path(aside, "old"))
        os.rename(new, folder)


def check_free(folder: Path, *, overwrite: bool = False, files: tuple[str, ...] = FILES) -> None:
    """Raise UsageError unless `folder` may be written: absent, or with `overwrite` one that holds only `files`."""
    if not os.path.lexists(folder):
        return
    if not overwrite:
        raise UsageError(f"{folder} exists; choose another folder, or give --overwrite")
    foreign = [] if folder.is_dir() and not folder.is_symlink() else [folder.name]
    foreign = foreign or sorted(item.name for item in folder.iterdir() if item.name not in files)
    if foreign:
        earlier = "evaluation" if files == FILES else "card"
        raise UsageError(f"{folder} is no earlier {earlier}, it holds {shown(foreign[0])}; choose another folder")


def evaluate(
    model: ClinicalModel,
    cohort: Cohort,
    *,
    split: str | None = None,
    all_patients: bool = False,
    by: Sequence[str] = BY,
    resamples: int = 1000,
    random_state: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """The figures of `model` on `cohort`, on the targets that both have.

    split         only the records of this split
    all_patients  keep the patients that the model trained on; every figure is marked then
    by            the subgroups: "sex", "age" (in bands), or attributes of the cohort; and each two of them together
    resamples     bootstrap resamples of the patients; 0 for no intervals
    progress      called with (records scored, records in all) after each batch
    Raises CohortError COHORT_FORM where they share no target, TRAINING_PATIENTS where only patients of the training
    are left; UsageError where no record has `split`, or a column of `by` is not there or has more than 20 values.
    """
    shared = [name for name in model.targets if name in cohort.targets]
    if not shared:
        ours = ", ".join(list(model.targets)[:10])
        raise CohortError("COHORT_FORM", f"the cohort has labels of none of the model's targets ({ours}).")
    cohort, known = unseen(cohort, [model], split=split, all_patients=all_patients)
    attributes = {name: _attribute(cohort, name) for name in by if name not in BY}
    scored, people = score_cohort(model, cohort, shared, progress)
    found = {"sex": lambda: by_value(people.sex, SEXES), "age": lambda: by_age(people.age_years)}
    partings = {name: attributes[name] if name in attributes else found[name]() for name in by}
    scored = replace(scored, partings=crossed(partings))
    counts = {
        "records": len(cohort),
        "patients": len(set(cohort.patient_ids)),
        "excluded_training_patients": 0 if all_patients else known,
        "no_input": int((~scored.present.any(axis=1)).sum()),
        "abstained": int(scored.abstained.sum()),
    }
    if all_patients:
        counts["includes_training_patients"] = known
    tables = tabulate(scored, resamples=resamples, random_state=random_state)
    metrics = {
        "schema": 1,
        "model_id": model.model_id,
        "cohort": counts,
        **tables,
        "subgroup_comparisons": comparisons(tables["targets"]),
    }
    for name, found in metrics["targets"].items():
        found["rule"] = model.rules[name]
    found = model.audit_["findings"]
    about = About(
        tuple(model.modalities),
        {name: model.targets[name] for name in shared},
        resamples,
        audit=tuple(f"{one['code']}: {one['what']}" for one in found),
    )
    return Evaluation(metrics, curves(scored, resamples=resamples, random_state=random_state), about)


def unseen(
    cohort: Cohort, models: Sequence[ClinicalModel], *, split: str | None, all_patients: bool
) -> tuple[Cohort, int]:
    """The records whose patients no model trained on, all of them with `all_patients`; and how many of the patients any
    model trained on. Raises CohortError TRAINING_PATIENTS where nobody else is left; UsageError where no record has
    `split`."""
    if split is not None:
        cohort = cohort.of_split(split)
    patients = np.asarray(cohort.patient_ids, dtype=object)
    trained = np.any([np.asarray(model.trained_on(patients), dtype=bool) for model in models], axis=0)
    known = len(set(patients[trained]))
    if all_patients or not known:
        return cohort, known
    if trained.all():
        who = "the model" if len(models) == 1 else "the models, one or the other,"
        raise CohortError("TRAINING_PATIENTS", f"{who} trained on all {known} patients.")
    return cohort.take(np.flatnonzero(~trained)), known


def _attribute(cohort: Cohort, name: str) -> Parting:
    """The records by an attribute of the cohort. Raises UsageError where it has none of that name, or too many."""
    values = cohort.attribute(name)
    if (count := len(set(values))) > MOST_GROUPS:
        raise UsageError(f"the column {shown(name)} has {count:,} values: one of subgroups has at most {MOST_GROUPS}")
    return by_value(values)


@dataclass(frozen=True)
class People:
    """sex  object (n,), "" unknown; age_years  float (n,), NaN unknown."""

    sex: np.ndarray
    age_years: np.ndarray


def score_cohort(
    model: ClinicalModel, cohort: Cohort, shared: list[str], progress: Callable[[int, int], None] | None
) -> tuple[Scored, People]:
    """Every record's answers on the shared targets, and what is known of whom it is."""
    places = [list(model.targets).index(name) for name in shared]
    modalities = tuple(model.modalities)
    total = len(cohort.record_ids)
    present, abstained = [np.empty((0, len(modalities)), dtype=bool)], [np.empty(0, dtype=bool)]
    sets = {level: [np.empty((0, len(model.targets), 2), dtype=bool)] for level in levels(model.config_)}
    sex, age_years = [np.empty(0, dtype=object)], [np.empty(0)]
    ways: dict[tuple[str, str], list[Answers]] = {}
    base = np.full((1, len(model.targets)), np.nan)
    done = 0
    for batch in cohort.batches(BATCH):
        scores = model.score(batch)
        held = np.asarray(scores.present, dtype=bool)
        present.append(held)
        # A record without input is counted as such; `abstained` counts what the gates kept back.
        abstained.append(np.array([reason is not None for reason in scores.abstained], dtype=bool) & held.any(axis=1))
        sex.append(batch.sex)
        age_years.append(batch.age_years)
        fused = model.probabilities(scores.value[-1])
        for level, found in sets.items():
            found.append(model.prediction_sets(fused, held, level))
        base = model.probabilities(scores.value[0][:1])
        for way, answers in _answers(model, scores, modalities, base).items():
            ways.setdefault(way, []).append(answers)
        done += len(batch)
        if progress is not None:
            progress(done, total)
    nothing = Answers(*(np.empty((0, len(model.targets))),) * 2, np.asarray(model.thresholds, dtype=float))
    joined = {way: _joined(parts) for way, parts in ways.items()}
    every = joined.get(("", "fused"), nothing)
    scored = Scored(
        targets=tuple(shared),
        modalities=modalities,
        labels=np.asarray(cohort.labels(shared), dtype=float),
        patients=np.asarray(cohort.patient_ids, dtype=object),
        present=np.concatenate(present),
        abstained=np.concatenate(abstained),
        fused=_columns(every, places),
        single={name: _columns(joined.get(("single", name), nothing), places) for name in modalities},
        without={name: _columns(joined.get(("without", name), nothing), places) for name in modalities},
        baselines={
            # The baselines are those of the training, whatever site the model was recalibrated to.
            name: _columns(_at_base_rate(model, part, model.probabilities(model.stack_.base[None])), places)
            for (kind, name), part in joined.items()
            if kind == "baselines"
        },
        groups=_groups(model, cohort, every),
        base=base[0, places],
        sets={level: np.concatenate(found)[:, places] for level, found in sets.items()},
    )
    return scored, People(np.concatenate(sex), np.concatenate(age_years))


def _answers(
    model: ClinicalModel, scores, modalities: tuple[str, ...], base: np.ndarray
) -> dict[tuple[str, str], Answers]:
    thresholds = np.asarray(model.thresholds, dtype=float)

    def answers(probability: np.ndarray) -> Answers:
        return Answers(probability, np.asarray(model.decisions(probability), dtype=float), thresholds)

    found = {("", "fused"): answers(model.probabilities(scores.value[-1]))}
    for m, name in enumerate(modalities):
        alone = model.probabilities(scores.value[1 << m])
        # Who lacks the modality gets one and the same number: a last digit of rounding must not break these ties.
        found["single", name] = answers(np.where(scores.present[:, [m]], alone, base))
        rest = scores.present[:, np.arange(len(modalities)) != m].any(axis=1)
        hidden = model.probabilities(scores.value[-1 - (1 << m)])  # the last set is that of all
        found["without", name] = answers(np.where(rest[:, None], hidden, base))
    return found | {("baselines", name): answered for name, answered in model.baselines(scores).items()}


def _at_base_rate(model: ClinicalModel, answers: Answers, base: np.ndarray) -> Answers:
    """A baseline's answers, with the base rate (1, T) where it has none because its input is absent.

    A target that it never answers stays without; a score that is no probability has no base rate.
    """
    gaps = np.isnan(answers.probability) & ~np.isnan(answers.probability).all(axis=0)
    if not (answers.is_probability and gaps.any()):
        return answers
    grouped = np.isnan(answers.threshold)
    decision = np.where(grouped, model.decisions(base), base >= answers.threshold)
    return replace(
        answers,
        probability=np.where(gaps, base, answers.probability),
        decision=np.where(gaps, decision, answers.decision),
    )


def _joined(parts: list[Answers]) -> Answers:
    return replace(
        parts[0],
        probability=np.concatenate([part.probability for part in parts]),
        decision=np.concatenate([part.decision for part in parts]),
    )


def _columns(answers: Answers, places: list[int]) -> Answers:
    return replace(
        answers,
        probability=answers.probability[:, places],
        decision=answers.decision[:, places],
        threshold=answers.threshold[places],
    )


def _groups(model: ClinicalModel, cohort: Cohort, fused: Answers) -> dict[str, Group]:
    """The exclusive groups: the class that each record has, also one that the model left out, and the one decided."""
    names = np.array(list(model.targets), dtype=object)
    found = {
        group: group_of(group, list(names[places]), cohort.targets, cohort.labels, fused.decision[:, places])
        for group, places in model.groups.items()
    }
    return {group: one for group, one in found.items() if one is not None}
