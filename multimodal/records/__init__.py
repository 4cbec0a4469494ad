"""The forms, the batch, the measurement table, the reason codes and the errors. This room knows nobody."""

from .batch import MODALITIES, Batch, ImageItem, NoteItem, empty_measurements
from .changes import Change, TargetChange, ValueChange, change_between
from .errors import CohortError, InputError, ItemError, ModelError, RecordError, UsageError
from .evidence import Evidence
from .forms import (
    ImageRef,
    Measurement,
    Note,
    PatientRecord,
    Prediction,
    Provenance,
    RuleScore,
    Target,
    TargetPrediction,
)
from .measurements import MeasurementKind, MeasurementTable, level_text, measurement_table, span
from .nearest import did_you_mean, shown
from .predictions import Predictions
from .reasons import REASONS, Problem, Reason
from .rules import RULES, Rule, RuleScores

__all__ = [
    "MODALITIES",
    "REASONS",
    "RULES",
    "Batch",
    "Change",
    "CohortError",
    "Evidence",
    "ImageItem",
    "ImageRef",
    "InputError",
    "ItemError",
    "Measurement",
    "MeasurementKind",
    "MeasurementTable",
    "ModelError",
    "Note",
    "NoteItem",
    "PatientRecord",
    "Prediction",
    "Predictions",
    "Problem",
    "Provenance",
    "Reason",
    "RecordError",
    "Rule",
    "RuleScore",
    "RuleScores",
    "Target",
    "TargetChange",
    "TargetPrediction",
    "UsageError",
    "ValueChange",
    "change_between",
    "did_you_mean",
    "empty_measurements",
    "level_text",
    "measurement_table",
    "shown",
    "span",
]
