"""The forms at the border: what goes in (PatientRecord) and what comes out (Prediction).

Every form is frozen and refuses fields that it does not have. A form that is broken raises RecordError, which lists
all its problems at once; the message never holds note text.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from .errors import RecordError
from .nearest import did_you_mean
from .reasons import Problem

Time = Annotated[
    float | str | None,
    Field(description="ISO 8601 timestamp, or hours relative to prediction_time (negative before); null: known then"),
]
Label = Literal[0, 1] | None


class Form(BaseModel):
    """A frozen form without extra fields; `Form(...)` and `Form.model_validate(...)` raise RecordError."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def __init__(self, **data: Any):
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise RecordError(_problems_of(error, type(self))) from None

    # Without this mark pydantic would call __init__ for nested forms too, and the inner error would lose its place.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @classmethod
    def model_validate(cls, obj: Any, **options: Any):
        try:
            return super().model_validate(obj, **options)
        except ValidationError as error:
            raise RecordError(_problems_of(error, cls)) from None


def _problems_of(error: ValidationError, form: type[Form]) -> list[Problem]:
    problems = []
    for item in error.errors(include_url=False, include_input=False, include_context=False):
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in item["loc"]).lstrip(".")
        if item["type"] == "extra_forbidden":
            name = str(item["loc"][-1])
            fields = _fields_at(form, item["loc"][:-1])
            problems.append(Problem("UNKNOWN_FIELD", where, f"there is no such field{did_you_mean(name, fields)}"))
        else:
            problems.append(Problem("BAD_VALUE", where, item["msg"][:1].lower() + item["msg"][1:]))
    return problems


def _fields_at(form: type[Form], location: tuple) -> list[str]:
    """The fields of the form that stands at `location` inside `form`."""
    children: dict[str, type[Form]] = {"images": ImageRef, "notes": Note, "measurements": Measurement}
    for part in location:
        form = children.get(part, form) if isinstance(part, str) else form
    return list(form.model_fields)


class ImageRef(Form):
    """One image: a file, or the folder of a series."""

    path: str = Field(min_length=1, description="file, or folder of a series; relative to the cohort")
    kind: Literal["radiograph", "ct", "mr", "photo", "other"] | None = Field(None, description="what made the image")
    view: str | None = Field(None, description="projection, for example PA, AP, lateral")
    time: Time = None


class Note(Form):
    """One note: its text, or the path of a text file."""

    text: str | None = Field(None, description="the note itself; give either text or path")
    path: str | None = Field(None, description="text file, relative to the cohort")
    kind: Literal["history", "radiology", "nursing", "discharge", "other"] | None = Field(
        None, description="who wrote the note, and what for"
    )
    time: Time = None

    @model_validator(mode="after")
    def _one_source(self):
        if (self.text is None) == (self.path is None):
            raise ValueError("give either text or path")
        return self

    def __repr__(self) -> str:
        return f"Note(kind={self.kind!r}, {len(self.text or '')} characters)"

    __str__ = __repr__


class Measurement(Form):
    """One measured value; without a unit the table's unit is assumed."""

    code: str = Field(min_length=1, description="a name of the measurement table, or a LOINC code")
    value: float | str = Field(description="a number, or text as a table holds it ('<5', a category)")
    unit: str | None = Field(None, description="UCUM or a common spelling; null: the table's unit is assumed")
    time: Time = None


class PatientRecord(Form):
    """What is known about one patient at one time; any modality may be missing."""

    record_id: str = Field(min_length=1, description="the key of the record; its prediction has the same one")
    patient_id: str = Field(min_length=1, description="whose record it is; a patient's records are never split")
    age_years: float | None = Field(None, ge=0, le=120, description="age at the prediction; null: unknown")
    sex: Literal["female", "male", "other"] | None = Field(None, description="null: unknown")
    prediction_time: str | None = Field(
        None, description="ISO 8601 timestamp of the moment at which is predicted; later inputs are refused"
    )
    split: str | None = Field(None, description="a name such as train or test; --split chooses by it")
    attributes: dict[str, str] = Field({}, description="further facts, kept beside the record; the model reads none")
    images: tuple[ImageRef, ...] = Field((), description="the images, in any order")
    notes: tuple[Note, ...] = Field((), description="the notes, in any order")
    measurements: tuple[Measurement, ...] = Field((), description="the measured values, in any order")
    labels: dict[str, Label] = Field(
        {}, description="by target: 1 yes, 0 no, null unknown; read in training and evaluation alone"
    )

    def __repr__(self) -> str:
        return (
            f"PatientRecord({self.record_id!r}, {len(self.images)} images, {len(self.notes)} notes, "
            f"{len(self.measurements)} measurements)"
        )

    __str__ = __repr__


class Target(Form):
    """What is predicted: a diagnosis (now) or a risk (within a horizon)."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="the target's key")
    kind: Literal["diagnosis", "risk"] = Field("diagnosis", description="is so now, or will be within the horizon")
    group: str | None = Field(None, description="exclusive classes share one group; their probabilities sum to 1")
    horizon_hours: float | None = Field(None, gt=0, description="of a risk: how far it looks ahead; null: not said")
    description: str = Field("", description="one sentence for people")
    words: tuple[Annotated[str, Field(pattern=r"\w")], ...] = Field(
        (), description="the target's own words, for masking them in notes"
    )


class TargetPrediction(Form):
    """One target's answer. `baseline + sum(contributions)` is the log-odds of `probability`,
    or, in an exclusive group, this class's input to the softmax."""

    probability: float | None = Field(None, ge=0, le=1, description="calibrated; null: the record has no usable input")
    decision: Label = Field(None, description="1 at or above the threshold, else 0; null: not decided")
    threshold: float | None = Field(None, description="null in an exclusive group: the most probable class is decided")
    prediction_set: tuple[Literal[0, 1], ...] | None = Field(
        None,
        description="the labels that cannot be ruled out at the coverage `trust.coverage`; of a class of an exclusive "
        "group 1 while the class cannot, 0 while another cannot; empty: neither is usual; null: it does not decide",
    )
    contributions: dict[str, float] = Field({}, description="log-odds by each modality that is present")
    baseline: float = Field(description="log-odds without any input")


class RefusedItem(Form):
    """One problem of a record, as it stands in a Prediction."""

    code: str = Field(description="a reason code")
    where: str = Field(description="the item: a field, or a file and its row; empty: the record")
    message: str = Field(description="what was found; never note text")


class Provenance(Form):
    """What was read of one input: of an image, what its file says about it; of a note, how much."""

    where: str = Field(description="the item: a field, or a file and its row")
    facts: dict[str, str] = Field(
        {},
        description="by name, what is known of: format, transfer_syntax, mode (of a picture file's pixels), modality, "
        "view, laterality, body_part (DICOM code strings); lossy, burned_in, derived (yes); of a volume slices "
        "(16 of 132), spacing_mm (between slices x rows x columns), orientation, gantry_tilt_deg; of a note sentences, "
        "sections (of the headings found), chunks_used (what the BERT read: all of the note)",
    )


class RuleScore(Form):
    """A bedside rule on one record, as far as its measurements allow. For comparison."""

    value: float = Field(description="the score; a lower bound where an input was missing")
    threshold: float = Field(description="the published value at or above which the rule calls for action")
    alert: Literal[0, 1] = Field(description="1 at or above the threshold, else 0")
    missing: tuple[str, ...] = Field((), description="inputs of the rule that were missing and counted as normal")


class Prediction(Form):
    """The one answer to one record."""

    record_id: str = Field(description="the record's key")
    model_id: str = Field(description="the model's: 16 hex digits of the SHA-256 of its manifest")
    targets: dict[str, TargetPrediction] = Field(description="the answer to each target of the model")
    used: tuple[str, ...] = Field((), description="modalities that were used, in the order image, notes, vitals")
    missing: tuple[str, ...] = Field(
        (), description="modalities of the model that the record lacks, or whose items were refused"
    )
    refused: tuple[RefusedItem, ...] = Field((), description="items that were not used, and why")
    warnings: tuple[RefusedItem, ...] = Field(
        (), description="items that were used all the same, and what is odd about them"
    )
    abstained: str | None = Field(None, description="the reason code where the model does not decide")
    scores: dict[str, RuleScore] = Field({}, description="by rule, each bedside score that could be computed")
    decided_by: str | None = Field(
        None, description="the rule that decided the risks where the model abstained (trust.fallback); null: none did"
    )
    provenance: tuple[Provenance, ...] = Field((), description="what was read of the inputs that were used")
