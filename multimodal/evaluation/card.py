"""The model card: MODEL_CARD.md and model_card.json, made from a model folder and from an evaluation of it.

It says what the artefacts say, and marks as OPEN what only the authors can answer. The items are those of TRIPOD+AI
(Collins et al., BMJ 2024;385:e078378) and CLAIM (Mongan et al., Radiol Artif Intell 2020;2:e200029; update: Tejani et
al., Radiol Artif Intell 2024;6:e240300), in reporting_items.csv: each with its number, a few words of ours on what it
asks, the facts that answer it (card_facts.py), and whether they are the whole answer.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from math import isnan
from pathlib import Path
from typing import Any

from multimodal.records import InputError, UsageError
from multimodal.records.documents import Metrics
from multimodal.records.model_card import (
    CardEvaluation,
    CardFigures,
    CardSubgroup,
    CardTarget,
    ModelCard,
    ReportingItem,
)

from ..model import ClinicalModel, as_toml
from .card_facts import facts_of, use_of
from .evaluate import write_together
from .summary import interval

OPEN = "OPEN"
NOT_FOR = (
    "diagnosis, treatment or triage of patients: it is research software and no medical device",
    "patients unlike those of its training, or of another hospital, before it was evaluated there",
    "an explanation of a disease: a contribution says what moved the model, not what makes ill",
)
FIGURES = ("auroc", "auprc", "brier", "ece", "sensitivity", "specificity")
CARD_FILES = ("MODEL_CARD.md", "model_card.json")


@dataclass(frozen=True)
class Item:
    """One row of reporting_items.csv."""

    checklist: str
    item: str
    asks: str
    facts: tuple[str, ...]
    whole: bool


def reporting_items() -> list[Item]:
    """All items of the guidelines, in their order."""
    text = (resources.files(__package__) / "reporting_items.csv").read_text(encoding="utf-8")
    return [
        Item(row["checklist"], row["item"], row["asks"], tuple(row["facts"].split()), row["whole"] == "yes")
        for row in csv.DictReader(text.splitlines())
    ]


def make_card(model: Path, evaluation: Path | None = None) -> ModelCard:
    """The card of the model in a folder, and of what `evaluate` wrote about it into another.

    Raises ModelError as `ClinicalModel.load`; UsageError where `evaluation` holds no metrics.json of this model.
    """
    loaded = ClinicalModel.load(model, device="cpu")
    versions = json.loads((model / "model.json").read_text(encoding="utf-8"))["versions"]
    metrics = _read_metrics(evaluation, loaded.model_id) if evaluation is not None else None
    facts = facts_of(loaded, versions, metrics)
    summary = loaded.summary_
    prevalence = dict(zip(loaded.targets, loaded.assumed_prevalence.tolist(), strict=True))
    thresholds = dict(zip(loaded.targets, loaded.thresholds.tolist(), strict=True))
    return ModelCard(
        schema=1,
        model_id=loaded.model_id,
        use=use_of(loaded),
        not_for=NOT_FOR,
        cohort=summary["cohort"],
        provenance=summary["provenance"],
        records=summary["records"],
        patients=summary["patients"],
        records_with=summary["records_with"],
        targets={
            name: CardTarget(
                target=target,
                **summary["labels"][name],
                assumed_prevalence=prevalence[name],
                rule=loaded.rules[name],
                threshold=None if isnan(thresholds[name]) else thresholds[name],
            )
            for name, target in loaded.targets.items()
        },
        encoders={modality: tuple(named) for modality, named in loaded.encoders_.items()},
        versions=versions,
        cross_fitted={name: _figures(found["fused"]) for name, found in loaded.figures_["targets"].items()},
        evaluation=None if metrics is None else _evaluation(metrics),
        problems=tuple(str(problem) for problem in loaded.problems_),
        options=as_toml(loaded.config_),
        items=tuple(_answered(item, facts) for item in reporting_items()),
    )


def _read_metrics(folder: Path, model_id: str) -> Mapping[str, Any]:
    path = folder / "metrics.json"
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
        Metrics.model_validate(metrics)
    except (OSError, InputError, ValueError):
        raise UsageError(f"{folder} holds no metrics.json that this version wrote: run `evaluate` again") from None
    if metrics["model_id"] != model_id:
        raise UsageError(f"{path} is of model {metrics['model_id']}, not of {model_id}")
    return metrics


def _figures(found: Mapping[str, Any]) -> CardFigures:
    return CardFigures(n=found["n"], positives=found["positives"], figures={name: found[name] for name in FIGURES})


def _evaluation(metrics: Mapping[str, Any]) -> CardEvaluation:
    refits = metrics.get("refits")
    return CardEvaluation(
        cohort=metrics["cohort"],
        by_refits=bool(refits),
        targets={name: _figures(found["fused"]) for name, found in metrics["targets"].items()},
        held_out={
            part["name"]: {name: _figures(found["unseen"]) for name, found in part["targets"].items()}
            for part in (refits["parts"] if refits else ())
        },
        subgroups=tuple(
            CardSubgroup(
                target=target, column=column, group=group, found=_figures(one["fused"]) if one["fused"] else None
            )
            for target, found in metrics["targets"].items()
            for column, groups in found.get("subgroups", {}).items()
            for group, one in groups.items()
        ),
    )


def _answered(item: Item, facts: Mapping[str, str]) -> ReportingItem:
    answer = ". ".join(facts[name].rstrip(".") for name in item.facts if facts[name]) or None
    status = OPEN if answer is None else "filled" if item.whole else "partly"
    return ReportingItem(checklist=item.checklist, item=item.item, asks=item.asks, status=status, answer=answer)


def markdown_of(card: ModelCard) -> str:
    """MODEL_CARD.md: every text of others escaped, one line each."""
    counts = f"{card.records:,} records of {card.patients:,} patients"
    parts = [
        f"# Model card: {card.model_id}",
        "Made by `multimodal card` from the model folder, and from an evaluation where one was given. "
        f"{OPEN}: to be answered by the authors.",
        "## Intended use",
        escaped(card.use),
        "Not for:",
        "\n".join(f"- {escaped(use)}" for use in card.not_for),
        "## Data",
        f"Cohort {escaped(card.cohort)}: {counts}. {escaped(card.provenance)}",
        _table(
            ("modality", "records with it", "missing"),
            [(name, f"{n:,}", f"{1 - n / card.records:.1%}") for name, n in card.records_with.items()],
        ),
        _table(
            ("target", "kind", "positive", "negative", "unknown", "assumed prevalence", "threshold", "by", "meaning"),
            [_target_row(name, one) for name, one in card.targets.items()],
        ),
        "## How it was built",
        *(f"{escaped(_fact(card, number))}." for number in ("12c", "15")),
        "## Performance",
        "Cross-fitted: each patient was answered by encoders, fusion and calibration fitted without that patient.",
        _figures_table(("target",), [((name,), found) for name, found in card.cross_fitted.items()]),
        *_evaluation_parts(card.evaluation),
        "## Updates, limits, gates",
        *(f"{escaped(_fact(card, number))}." for number in ("24", "26", "27a")),
        *(
            ["What was said in training:", "\n".join(f"- {escaped(one)}" for one in card.problems)]
            * bool(card.problems)
        ),
        "## Reporting items",
        "TRIPOD+AI: Collins et al., BMJ 2024;385:e078378. CLAIM: Tejani et al., Radiol Artif Intell 2024;6:e240300. "
        "What an item asks is said in a few words; the guideline's own hold.",
        _table(
            ("guideline", "item", "asks", "answer"),
            [(one.checklist, one.item, one.asks, _item_answer(one)) for one in card.items],
            marked={3},
        ),
        "## Options",
        "\n".join(f"    {line}" for line in card.options.rstrip().splitlines()),
        "## Versions",
        _table(("library", "version"), list(card.versions.items())),
    ]
    return "\n\n".join(parts) + "\n"


def _fact(card: ModelCard, number: str) -> str:
    answers = {one.item: one.answer for one in card.items if one.checklist == "TRIPOD+AI"}
    return (answers[number] or OPEN).rstrip(".")


def _item_answer(item: ReportingItem) -> str:
    if item.answer is None:
        return f"**{OPEN}**"
    return escaped(item.answer) + (f" **{OPEN}: the rest**" if item.status == "partly" else "")


def _target_row(name: str, one: CardTarget) -> tuple[str, ...]:
    threshold = "-" if one.threshold is None else f"{one.threshold:.3f}"
    counts = (f"{count:,}" for count in (one.positive, one.negative, one.unknown))
    horizon = f" within {one.target.horizon_hours:g} h" if one.target.horizon_hours else ""
    kind = f"{one.target.kind}{horizon}"
    return (name, kind, *counts, f"{one.assumed_prevalence:.3f}", threshold, one.rule or "-", one.target.description)


def _evaluation_parts(found: CardEvaluation | None) -> list[str]:
    if found is None:
        return ["No evaluation was given: `evaluate` measures it on patients whom it has not seen."]
    who = f"{found.cohort.records:,} records of {found.cohort.patients:,} patients"
    what = "Refits with this model's options (not this model), on" if found.by_refits else "Evaluation of this model on"
    said = [f"{what} {who}."]
    if found.cohort.includes_training_patients:
        said[0] += f" CAUTION: it trained on {found.cohort.includes_training_patients:,} of them."
    said.append(_figures_table(("target",), [((name,), one) for name, one in found.targets.items()]))
    if found.held_out:
        rows = [((part, name), one) for part, targets in found.held_out.items() for name, one in targets.items()]
        said += ["By what was held out:", _figures_table(("held out", "target"), rows)]
    if found.subgroups:
        rows = [((one.target, one.column, one.group), one.found) for one in found.subgroups]
        said += ["Subgroups:", _figures_table(("target", "column", "group"), rows)]
    return said


def _figures_table(head: tuple[str, ...], rows: Iterable[tuple[tuple[str, ...], CardFigures | None]]) -> str:
    cells = [
        (*names, f"{one.n:,}", f"{one.positives:,}", *(interval(one.figures[name].model_dump()) for name in FIGURES))
        if one
        else (*names, "too small", *("-",) * (1 + len(FIGURES)))
        for names, one in rows
    ]
    return _table((*head, "n", "positive", *FIGURES), cells)


def _table(
    head: tuple[str, ...], rows: Iterable[tuple[str, ...]], marked: frozenset[int] | set[int] = frozenset()
) -> str:
    """A Markdown table; the columns `marked` hold Markdown already."""
    lines = [head, ("---",) * len(head)]
    lines += [tuple(cell if i in marked else escaped(cell) for i, cell in enumerate(row)) for row in rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def escaped(text: str) -> str:
    """On one line, so that Markdown shows the text itself: no markup, HTML, table cell, link or mention of its own."""
    plain = re.sub(r"([\\`*_{}\[\]#|~!@])", r"\\\1", " ".join(text.split()))
    plain = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # GitHub makes links of bare addresses; and a text that begins a line may not begin a list.
    plain = re.sub(r"(?i)(://|www\.)", lambda found: found[0].replace(":", "&#58;").replace(".", "&#46;"), plain)
    return re.sub(r"^([-+=]|\d+[.)](?=\s|$))", lambda found: found[0][:-1] + "\\" + found[0][-1], plain)


def write_card(card: ModelCard, folder: Path, *, overwrite: bool = False) -> None:
    """MODEL_CARD.md and model_card.json in `folder`, both or nothing. Raises UsageError as `check_free`."""
    state = json.dumps(card.model_dump(mode="json", by_alias=True), indent=1, ensure_ascii=False, allow_nan=False)
    contents = dict(zip(CARD_FILES, (markdown_of(card), state + "\n"), strict=True))
    write_together(folder, contents, overwrite=overwrite)
