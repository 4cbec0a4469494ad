"""The feature columns of the vitals, for the data dictionary."""

from __future__ import annotations

from ..records import RULES
from ..records.schemas import markdown_table
from .derived import DERIVED, PER_RECORD
from .plans import AMOUNT_SUMMARIES, FLAG_SUMMARIES, SUMMARIES, WINDOW_SUMMARIES


def feature_sections() -> list[str]:
    """Paragraphs in Markdown: what each feature column is."""
    summaries = [
        *((f"CODE.{name}", "a quantity", meaning) for name, meaning in SUMMARIES.items()),
        *((f"CODE.{name}", "a quantity, over hours", meaning) for name, meaning in WINDOW_SUMMARIES.items()),
        *((f"CODE.{name}", "urine_output", meaning) for name, meaning in AMOUNT_SUMMARIES.items()),
        *((f"CODE.{name}", "a flag", meaning) for name, meaning in FLAG_SUMMARIES.items()),
        ("CODE=LEVEL", "a category", "1 if its last value is this level, else 0"),
    ]
    series = [
        (
            name,
            one.formula,
            one.unit,
            ", ".join(" or ".join(codes) for codes in one.inputs),
            "any age" if one.within_hours == float("inf") else f"{one.within_hours:g} h",
        )
        for name, one in DERIVED.items()
    ]
    per_record = [(name, one.formula, one.unit, ", ".join(one.inputs)) for name, one in PER_RECORD.items()]
    rules = ", ".join(f"`{name}`" for name in RULES if name not in DERIVED)
    return [
        "## Features of the vitals",
        "What forest, logistic regression, linear SVM and boosting read. CODE is a measurement or a derived quantity; "
        "of one that is hardly ever measured twice in a record there is only `CODE.last`. Values at the same moment "
        "are averaged first; what was not measured is missing, and its count is 0. Age (`age_years`), sex (`sex`: 1 "
        f"female, 0 male) and the bedside rules ({rules}) are columns too. `multimodal.vitals.features` makes them "
        "from a batch.",
        markdown_table(("column", "of", "meaning"), summaries),
        "## Derived quantities",
        "Series of their own: a value at each moment at which one of the inputs is measured and the others are no "
        "older than said.",
        markdown_table(("name", "formula", "unit", "inputs", "inputs hold for"), series),
        "One value a record, at the prediction:",
        markdown_table(("name", "formula", "unit", "inputs"), per_record),
    ]
