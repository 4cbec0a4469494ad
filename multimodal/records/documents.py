"""The forms of two files: cohort.toml, which describes a cohort, and metrics.json, which measures a model.

The JSON Schemas are made from them. `sources` reads cohort.toml with messages of its own and `evaluation` writes
metrics.json; tests hold both to these forms.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, create_model

from .forms import Form, Target

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]

_TARGET_FIELDS: dict[str, Any] = {
    name: (field.annotation, field) for name, field in Target.model_fields.items() if name != "name"
}
TargetEntry = create_model(
    "TargetEntry", __base__=Form, __doc__="One [targets.NAME] table: the fields of a Target.", **_TARGET_FIELDS
)


class MeasurementEntry(Form):
    """One [measurements.NAME] table: a cohort's own addition to the measurement table."""

    display: str = Field("", description="its name for people; empty: NAME")
    kind: Literal["quantity", "category", "flag"] = Field(
        "quantity",
        description="a number; a level without order; 0 or 1 (also yes, no, true, false, present, absent, positive, "
        "negative)",
    )
    unit: str = Field("1", description="of a quantity: UCUM or a common spelling; a value without a unit is in it")
    units: dict[str, float | Annotated[list[float], Field(min_length=2, max_length=2)]] = Field(
        {}, description="other accepted units: factor, or [factor, offset], to `unit`: value × factor + offset"
    )
    low: float | None = Field(None, description="lowest plausible value, in `unit`; left out: no limit")
    high: float | None = Field(None, description="highest plausible value, in `unit`; left out: no limit")
    categories: tuple[str | float, ...] = Field(
        (), description="the levels of a category, in any case; left out: those that enough training records have"
    )
    censored: bool = Field(False, description="`<5` and `>5` are read, at the limit; else they are refused")


class CohortDescription(Form):
    """cohort.toml: what a cohort says about itself."""

    schema_: Literal[1] = Field(alias="schema", description="the version of this form")
    name: str = Field("", description="the cohort's name; left out: that of its folder")
    provenance: str = Field("", description="where the data come from, under which licence")
    attributes: tuple[str, ...] = Field((), description="further columns of patients.csv, to be kept")
    ignore: tuple[str, ...] = Field((), description="further columns of any table, to be dropped")
    targets: dict[Name, TargetEntry] = Field({}, description="what is labelled; its columns stand in labels.csv")  # type: ignore[valid-type]
    measurements: dict[str, MeasurementEntry] = Field({}, description="additions to the measurement table")


class Figure(Form):
    """A figure with its 95 % interval (bootstrap of the patients); null where it is undefined."""

    value: float | None = Field(description="the figure on all records")
    low: float | None = Field(description="lower bound")
    high: float | None = Field(description="upper bound")


class Confusion(Form):
    """Decisions against labels, in records."""

    tp: int = Field(description="decided 1, is 1")
    fp: int = Field(description="decided 1, is 0")
    tn: int = Field(description="decided 0, is 0")
    fn: int = Field(description="decided 0, is 1")


class Measured(Form):
    """The figures of one way to answer one target, on n records."""

    n: int = Field(description="records with a known label and an answer")
    positives: int = Field(description="those of them with label 1")
    threshold: float | None = Field(
        description="of the decisions; null in an exclusive group, and where each refit chose its own"
    )
    confusion: Confusion = Field(description="decisions against labels")
    auroc: Figure = Field(description="area under the ROC curve")
    auprc: Figure = Field(description="average precision")
    brier: Figure = Field(description="mean squared error of the probability")
    ece: Figure = Field(description="expected calibration error, 10 bins of equal count")
    calibration_slope: Figure = Field(description="of labels on log-odds; below 1: too bold")
    calibration_intercept: Figure = Field(description="above 0: too low on the whole, slope held at 1")
    sensitivity: Figure = Field(description="tp / (tp + fn)")
    specificity: Figure = Field(description="tn / (tn + fp)")
    precision: Figure = Field(description="tp / (tp + fp)")
    f1: Figure = Field(description="2 tp / (2 tp + fp + fn)")
    accuracy: Figure = Field(description="(tp + tn) / n")


class Tested(Figure):
    """A difference of two AUROCs on the same records, with DeLong's interval; null where it is undefined."""

    p: float | None = Field(description="two-sided, of no difference; several records of a patient count together")


class Difference(Form):
    """How much higher the figures of one way to answer are than those of another, on the same records."""

    n: int = Field(description="records that both answer")
    delong: Tested = Field(description="of the AUROC, by DeLong's test")
    auroc: Figure = Field(description="of the AUROC, by the same resamples of the patients")
    auprc: Figure = Field(description="of the average precision")
    brier: Figure = Field(description="of the Brier score, where lower is better")


class Compared(Form):
    """The model less each other way to answer."""

    single: dict[str, Difference] = Field(description="by modality: less that one alone")
    baselines: dict[str, Difference] = Field(description="by plain method")


class Ranked(Form):
    """The figures that do not depend on a threshold."""

    auroc: Figure = Field(description="area under the ROC curve")
    auprc: Figure = Field(description="average precision")
    brier: Figure = Field(description="mean squared error of the probability")


class Hidden(Form):
    """What one modality is worth to the records that have it."""

    positives: int = Field(description="records with label 1, of the `n` of `difference`")
    with_: Ranked = Field(alias="with", description="the model as it is")
    without: Ranked = Field(description="with this modality hidden; where nothing else is left, the base rate")
    difference: Difference = Field(description="with it, less without it")


class Prevalence(Form):
    """How common the target is."""

    here: float | None = Field(description="the share of positives among the records of `fused`")
    assumed: float | None = Field(
        description="what the model answers without any input: the share among its training records; null where the "
        "figures are those of the training"
    )


class Subgroup(Form):
    """The model in one group of records, and against everybody else; null where the group is too small."""

    n: int | None = Field(description="records; null below 10")
    positives: int | None = Field(description="those of them with label 1; null below 10 records")
    suppressed: bool = Field(description="fewer than 20 records, or fewer than 5 of either class")
    fused: Measured | None = Field(description="the model")
    ece_expected: float | None = Field(description="as for all records, at this n")
    difference: dict[str, Figure] | None = Field(
        description="the group less all other records of the target, by figure; null also where there are none"
    )


class MeasuredSet(Form):
    """The figures on the records in which exactly one set of modalities is usable."""

    fused: Measured = Field(description="the model")
    ece_expected: float | None = Field(
        description="95 % quantile of the calibration error of a model whose very probabilities are true, at this n"
    )
    single: dict[str, Measured] = Field(description="by modality of the set: with only that one shown")


class Covered(Form):
    """The prediction sets of some records."""

    n: int = Field(description="records")
    coverage: Figure = Field(description="the share whose set holds the true label")
    least: float = Field(
        description="what so many records may show at the least of sets that keep to their coverage: 2 % below it, or "
        "two binomial standard errors"
    )
    size: float = Field(description="labels a set, on average")
    empty: float = Field(description="the share of empty sets")


class MeasuredTarget(Form):
    """All figures of one target."""

    fused: Measured = Field(description="the model, on every record with a usable modality; gates not applied")
    answered: Measured = Field(description="those of them that the model did not abstain on")
    single: dict[str, Measured] = Field(
        description="by modality: with only that one shown; a record that lacks it counts at the base rate"
    )
    baselines: dict[str, Measured] = Field(
        description="by plain method, fitted on the same patients; bedside rules at their published thresholds"
    )
    present: dict[str, MeasuredSet] = Field(description="by set of usable modalities, such as image+notes")
    compared: Compared = Field(description="the model less each other way, on the same records")
    without: dict[str, Hidden] = Field(description="by modality; empty for the figures of the training")
    ece_expected: float | None = Field(
        description="95 % quantile of the calibration error of a model whose very probabilities are true, on the "
        "records of `fused`; a larger error says that they are not"
    )
    prevalence: Prevalence = Field(description="how common the target is here and was in the training")
    subgroups: dict[str, dict[str, Subgroup]] = Field(
        description="by column, such as sex, age or `sex x age`, and by group; empty for the figures of the training"
    )
    sets: dict[str, dict[str, Covered]] = Field(
        description="prediction sets by coverage, such as 0.9: `all` records of `fused`, `label 0`, `label 1`, and "
        "every set of modalities that 50 of them have"
    )
    rule: str | None = Field(
        None, description="by which the threshold was chosen, as trust.threshold; null in an exclusive group"
    )


class MeasuredGroup(Form):
    """The figures of one group of exclusive classes."""

    n: int = Field(description="records with a known class")
    classes: tuple[str, ...] = Field(description="the classes, in the order of the confusion matrix")
    accuracy: Figure = Field(description="the share decided rightly")
    macro_f1: Figure = Field(description="mean F1 of the classes that occur")
    confusion: tuple[tuple[int, ...], ...] = Field(description="[i][j]: records of class i decided as class j")
    sets: dict[str, dict[str, Covered]] = Field(
        description="prediction sets by coverage: `all` records, those of each class, and every set of modalities that "
        "50 of them have"
    )


class MeasuredCohort(Form):
    """Who was measured."""

    records: int = Field(description="records that were scored")
    patients: int = Field(description="their patients")
    excluded_training_patients: int = Field(
        description="patients left out: the model, or the image weights it began with, trained on them"
    )
    no_input: int = Field(description="records without any usable modality")
    abstained: int = Field(description="records on which a gate kept the decision back")
    includes_training_patients: int | None = Field(
        None, description="only with --all-patients: so many patients the model trained on; the figures are too good"
    )


class RefittedTarget(Form):
    """One target in one refit."""

    unseen: Measured = Field(description="on the part that was held out")
    seen: Measured = Field(description="cross-fitted by patient, within the part that the refit was fitted on")


class RefittedPart(Form):
    """One part of the cohort, and the model that was refitted without it."""

    name: str = Field(description="the value of the column, or the fold")
    records: int = Field(description="records of the part that were scored")
    patients: int = Field(description="their patients")
    fitted_on: int = Field(description="records that the refit was fitted on")
    targets: dict[str, RefittedTarget] = Field(description="by target that the refit learnt")


class NotAnswered(Form):
    """A part of the cohort without which no model could be fitted."""

    name: str = Field(description="the value of the column, or the fold")
    records: int = Field(description="its records, which no figure counts")
    why: str = Field(description="the reason")


class WithinParts(Form):
    """How well the records of one and the same part are told apart."""

    pairs: int = Field(description="pairs of a positive and a negative of the same part")
    auroc: Figure = Field(description="the share of them in which the positive has the higher probability")


class Refits(Form):
    """Of `evaluate --leave-out` or `--nested`: figures of the procedure, by models refitted without each part."""

    left_out: str | None = Field(description="the column whose values were held out in turn; null for folds")
    folds: int | None = Field(description="the number of folds by patient; null for a column")
    within: dict[str, WithinParts] = Field(
        description="by target; the AUROC over all records also compares answers of refits whose base rates differ"
    )
    parts: tuple[RefittedPart, ...] = Field(description="each part that was held out")
    not_answered: tuple[NotAnswered, ...] = Field(description="parts without figures")
    related_left_out: int = Field(
        description="records that a refit was not fitted on as they are of the same patient as a held-out one, or "
        "share a note or an image with one; summed over the refits"
    )


class Metrics(Form):
    """metrics.json: how good a model is on a cohort."""

    schema_: Literal[1] = Field(alias="schema", description="the version of this form")
    model_id: str = Field(description="the model's id")
    cohort: MeasuredCohort = Field(description="who was measured")
    targets: dict[str, MeasuredTarget] = Field(description="by target")
    groups: dict[str, MeasuredGroup] = Field(description="by group of exclusive classes")
    subgroup_comparisons: int = Field(
        0,
        description="subgroups that were compared with everybody else, over all targets; at 95 % one in twenty "
        "intervals leaves out 0 by chance",
    )
    refits: Refits | None = Field(
        None, description="where it stands, no figure is of the model: its configuration was refitted for them"
    )


class ComparedCohort(Form):
    """On whom two models were compared."""

    records: int = Field(description="records that were scored")
    patients: int = Field(description="their patients")
    excluded_training_patients: int = Field(description="patients left out: either model trained on them")
    both: int = Field(description="records with an input that each model can use; only they are compared")
    only_a: int = Field(description="records that only model a can answer")
    only_b: int = Field(description="records that only model b can answer")
    includes_training_patients: int | None = Field(
        None, description="only with --all-patients: so many patients a model trained on; its figures are too good"
    )


class ComparedTarget(Form):
    """Two models on one target."""

    a: Measured = Field(description="model a, at its own threshold")
    b: Measured = Field(description="model b, at its own threshold")
    delong: Tested = Field(description="the AUROC of a less that of b, by DeLong's test")
    difference: dict[str, Figure] = Field(description="a less b, by figure, by the same resamples of the patients")


class ModelIds(Form):
    """The two models that were compared."""

    a: str = Field(description="the id of the first")
    b: str = Field(description="the id of the second")


class Comparison(Form):
    """What `compare --json` prints: two models on the same records."""

    schema_: Literal[1] = Field(alias="schema", description="the version of this form")
    models: ModelIds = Field(description="the two models")
    cohort: ComparedCohort = Field(description="on whom they were compared")
    targets: dict[str, ComparedTarget] = Field(description="by target that both models have")
