"""data_schemas/: the JSON Schemas and the data dictionary, made from the forms and tables of this room.

The same version writes the same bytes, so that a stale folder shows.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .changes import Change
from .documents import CohortDescription, Comparison, Metrics
from .forms import Form, PatientRecord, Prediction, Target
from .measurements import MeasurementKind, measurement_table
from .model_card import ModelCard
from .reasons import REASONS
from .rules import RULES, Rule

SCHEMAS: dict[str, type[Form]] = {
    "patient_record.schema.json": PatientRecord,
    "prediction.schema.json": Prediction,
    "target.schema.json": Target,
    "cohort.schema.json": CohortDescription,
    "metrics.schema.json": Metrics,
    "comparison.schema.json": Comparison,
    "model_card.schema.json": ModelCard,
    "change.schema.json": Change,
}
DICTIONARY = "data_dictionary.md"

_WHERE = {
    "PatientRecord": "A line of a JSONL cohort. In a cohort folder: a row of patients.csv, with the attributes as "
    "columns of their own; images, notes, measurements and labels are rows of the tables named after them.",
    "ImageRef": "Of a record's `images`; or a row of images.csv, after `record_id`.",
    "Note": "Of a record's `notes`; or a row of notes.csv, after `record_id`.",
    "Measurement": "Of a record's `measurements`; or a row of measurements.csv, after `record_id`.",
    "Target": "The targets of a cohort or a model.",
    "Prediction": "A line of `predict --out FILE.jsonl`.",
    "TargetPrediction": "Of a prediction's `targets`.",
    "RuleScore": "Of a prediction's `scores`; the rules stand below, under Bedside scores.",
    "RefusedItem": "Of a prediction's `refused` and `warnings`.",
    "Provenance": "Of a prediction's `provenance`.",
    "CohortDescription": "The file cohort.toml of a cohort folder.",
    "TargetEntry": "cohort.toml, [targets.NAME]; its labels: the column NAME of labels.csv (1, 0, empty for unknown).",
    "MeasurementEntry": "cohort.toml, [measurements.NAME].",
    "Change": "What `model.watch()` says of a record that it scored before.",
    "TargetChange": "Of a change's `targets`.",
    "ValueChange": "Of a change's `values`.",
    "Metrics": "The file metrics.json that `evaluate` writes.",
    "Comparison": "What `compare --json` prints.",
    "ModelCard": "The file model_card.json that `card` writes.",
}
_UNITS = {
    "age_years": "years",
    "horizon_hours": "hours",
    "time": "hours, where it is a number",
    "value": "that of `unit`",
    "probability": "0 to 1",
    "threshold": "0 to 1",
    "contributions": "log-odds",
    "baseline": "log-odds",
    "RuleScore.value": "points; of the shock index 1/(min mm[Hg])",
    "RuleScore.threshold": "as the value",
}
_LIMITS = {"exclusiveMinimum": "above", "minimum": "from", "maximum": "to"}
_COLUMNS = (
    ("record_id", "text", "the record's key"),
    ("model_id", "text", "the model's id"),
    ("TARGET.probability", "number", "calibrated, 0 to 1; empty: the record has no usable input"),
    ("TARGET.decision", "0 or 1", "empty: not decided"),
    ("TARGET.threshold", "number", "at or above it the decision is 1; empty in an exclusive group"),
    ("TARGET.prediction_set", "text", "the labels that cannot be ruled out: 0, 1, 0+1, none; empty: not decided"),
    ("TARGET.baseline", "number", "log-odds without any input"),
    ("TARGET.contribution.MODALITY", "number", "log-odds that the modality adds; empty where it is absent"),
    ("score.RULE", "number", "the bedside score; empty: the record's measurements do not allow it"),
    ("used, missing", "text", "modalities, joined by `+`"),
    ("refused, warnings", "text", "`CODE: where: message`, joined by `; `"),
    ("abstained", "text", "the reason code where the model does not decide"),
    ("decided_by", "text", "the rule that decided the risks where the model abstained; empty: none did"),
    ("provenance", "text", "what was read: JSON, a list of Provenance; empty: nothing is known"),
)


def write_schemas(folder: Path, sections: Sequence[str] = ()) -> None:
    """Write the JSON Schemas of SCHEMAS and the data dictionary into `folder`, which is made where it is missing.

    sections: paragraphs that other rooms add to the end of the dictionary
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in contents(sections).items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def contents(sections: Sequence[str] = ()) -> dict[str, str]:
    """{file name: its text} of all files; sections: see write_schemas."""
    schemas = {name: _schema_of(form) for name, form in SCHEMAS.items()}
    texts = {name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in schemas.items()}
    return texts | {DICTIONARY: _dictionary(list(schemas.values()), sections)}


def _schema_of(form: type[Form]) -> dict[str, Any]:
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **form.model_json_schema()}


def _dictionary(schemas: Sequence[Mapping[str, Any]], sections: Sequence[str]) -> str:
    forms: dict[str, Mapping[str, Any]] = {}
    for schema in schemas:
        for form in (schema, *schema.get("$defs", {}).values()):
            forms.setdefault(form["title"], form)
    parts = [
        "# Data dictionary",
        "Made by `make schemas` from the forms, the measurement table, the bedside rules and the reason codes; "
        "not written by hand.",
        *(_form_section(name, form) for name, form in forms.items()),
        "## Prediction files (.csv, .parquet)",
        "One row a record, in the order of the cohort.",
        markdown_table(("column", "type", "meaning"), _COLUMNS),
        "## Measurements",
        "A value in another accepted unit is converted: value × factor + offset. A value outside the range is refused. "
        "The LOINC code may stand in place of the code. Where `<5` is read, the value is kept at the limit.",
        markdown_table(
            ("code", "meaning", "LOINC", "kind", "unit (UCUM)", "also accepted", "lowest", "highest", "`<5` is read"),
            [_measurement_row(kind) for kind in measurement_table().values()],
        ),
        "## Bedside scores",
        "Each is computed where the measurements allow it, stands beside the model's answer and among the baselines "
        "of an evaluation, and may decide where the model abstains (`trust.fallback`, `--fallback`). An input is known "
        "by any of its measurements, and by the latest; of SOFA, by the worst of the last 24 hours. An input that is "
        "missing counts as normal, so the score is a lower bound, and is named. All are for adults.",
        markdown_table(
            ("rule", "name", "span", "alert from", "which means", "inputs", "needs", "source"),
            [_rule_row(name, rule) for name, rule in RULES.items()],
        ),
        "## Reason codes",
        "`refuse`: the item, record or cohort is not used. `warn`: it is used, and the fact is on record.",
        markdown_table(
            ("code", "severity", "meaning", "what to do"),
            [(code, reason.severity, reason.meaning, reason.remedy) for code, reason in REASONS.items()],
        ),
        *sections,
    ]
    return "\n\n".join(parts) + "\n"


def _form_section(name: str, form: Mapping[str, Any]) -> str:
    needed = form.get("required", ())
    rows = [
        (field, _type_of(described), _unit(name, field), "yes" if field in needed else "", described["description"])
        for field, described in form["properties"].items()
    ]
    meaning = " ".join(form["description"].split())
    head = [f"## {name}", meaning, *([_WHERE[name]] if name in _WHERE else [])]
    return "\n\n".join([*head, markdown_table(("field", "type", "unit", "needed", "meaning"), rows)])


def _unit(form: str, field: str) -> str:
    return _UNITS.get(f"{form}.{field}", _UNITS.get(field, ""))


def _type_of(described: Mapping[str, Any]) -> str:
    """The type of a JSON Schema property, in words."""
    if "$ref" in described:
        return described["$ref"].rpartition("/")[2]
    if "anyOf" in described:
        return " or ".join(_type_of(choice) for choice in described["anyOf"])
    if "enum" in described:
        return " or ".join(str(choice) for choice in described["enum"])
    if "const" in described:
        return str(described["const"])
    if described["type"] == "array":
        return f"list of {_type_of(described['items'])}"
    if described["type"] == "object":
        (value,) = described.get("patternProperties", {"": described.get("additionalProperties")}).values()
        return f"name: {_type_of(value)}"
    kinds = {
        "string": "text",
        "number": "number",
        "integer": "whole number",
        "boolean": "true or false",
        "null": "null",
    }
    kind = kinds[described["type"]]
    limits = [f"{word} {described[key]:g}" for key, word in _LIMITS.items() if key in described]
    return " ".join([kind, *limits])


def _rule_row(name: str, rule: Rule) -> tuple[str, ...]:
    inputs = "; ".join(f"{named}: {', '.join(codes)}" for named, codes in rule.inputs.items())
    return name, rule.display, rule.span, f"{rule.threshold:g}", rule.action, inputs, rule.needs, rule.source


def _measurement_row(kind: MeasurementKind) -> tuple[str, ...]:
    units = [
        f"{unit} (× {factor:.6g}{f' + {offset:.6g}' if offset else ''})"
        for unit, (factor, offset) in kind.units.items()
    ]
    if kind.kind == "quantity":
        what, limits = "quantity", [f"{limit:g}" if math.isfinite(limit) else "" for limit in (kind.low, kind.high)]
    else:
        what, limits = f"{kind.kind}: {', '.join(kind.categories) or '0, 1'}", ["", ""]
    censored = "yes" if kind.censored else ""
    return (kind.code, kind.display, kind.loinc, what, kind.unit, ", ".join(units), *limits, censored)


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; `|` in a cell is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
