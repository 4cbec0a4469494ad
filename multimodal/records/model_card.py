"""The form of model_card.json: what a model is, what it is for, and how good it was found to be."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .documents import Figure, MeasuredCohort
from .forms import Form, Target


class CardTarget(Form):
    """One target of the model."""

    target: Target = Field(description="what is predicted")
    positive: int = Field(description="training records with label 1")
    negative: int = Field(description="training records with label 0")
    unknown: int = Field(description="training records without a label")
    assumed_prevalence: float = Field(description="what the probabilities assume: the answer without any input")
    rule: str | None = Field(description="by which the threshold was chosen; null in an exclusive group")
    threshold: float | None = Field(description="at or above it the decision is 1; null in an exclusive group")


class CardFigures(Form):
    """The figures of one way to answer one target."""

    n: int = Field(description="records with a known label and an answer")
    positives: int = Field(description="those of them with label 1")
    figures: dict[str, Figure] = Field(description="by name: auroc, auprc, brier, ece, sensitivity, specificity")


class CardSubgroup(Form):
    """The figures of one target in one subgroup."""

    target: str = Field(description="the target")
    column: str = Field(description="what divides the records, such as sex")
    group: str = Field(description="the subgroup")
    found: CardFigures | None = Field(description="its figures; null where it is too small")


class CardEvaluation(Form):
    """An evaluation of the model on patients whom it had not seen, or of its options by refits."""

    cohort: MeasuredCohort = Field(description="who was measured")
    by_refits: bool = Field(description="the figures are of refits with this model's options, not of this model")
    targets: dict[str, CardFigures] = Field(description="by target, with all that each record has")
    held_out: dict[str, dict[str, CardFigures]] = Field(description="by refits: each part that was held out, by target")
    subgroups: tuple[CardSubgroup, ...] = Field(description="subgroups")


class ReportingItem(Form):
    """One item of a reporting guideline."""

    checklist: Literal["TRIPOD+AI", "CLAIM"] = Field(description="the guideline")
    item: str = Field(description="its number there")
    asks: str = Field(description="what it asks for, in short; the guideline's own words hold")
    status: Literal["filled", "partly", "OPEN"] = Field(description="OPEN, and the rest of partly: for the authors")
    answer: str | None = Field(description="what the model and its evaluation say; null where nothing")


class ModelCard(Form):
    """model_card.json: made from a model folder, and from metrics.json where there is one."""

    schema_: Literal[1] = Field(alias="schema", description="the version of this form")
    model_id: str = Field(description="the model's id")
    use: str = Field(description="what it is meant for")
    not_for: tuple[str, ...] = Field(description="what it is not meant for")
    cohort: str = Field(description="the name of the training cohort")
    provenance: str = Field(description="where its data come from, under which licence")
    records: int = Field(description="training records")
    patients: int = Field(description="their patients")
    records_with: dict[str, int] = Field(description="by modality: training records that have it")
    targets: dict[str, CardTarget] = Field(description="by target")
    encoders: dict[str, tuple[str, ...]] = Field(description="by modality: the names of its encoders")
    versions: dict[str, str] = Field(description="of the libraries that it was made with")
    cross_fitted: dict[str, CardFigures] = Field(description="by target: each patient answered without itself")
    evaluation: CardEvaluation | None = Field(description="null: none was given")
    problems: tuple[str, ...] = Field(description="what was said when it was trained or recalibrated")
    options: str = Field(description="its options, as the TOML that `train --config` reads")
    items: tuple[ReportingItem, ...] = Field(description="the items of the guidelines, in their order")
