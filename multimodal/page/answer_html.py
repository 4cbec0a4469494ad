"""The answer as HTML. Everything that came from outside (targets, messages, a cohort's words) is escaped here."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from types import MappingProxyType

import numpy as np
from PIL import Image

from ..model import ClinicalModel
from ..records import (
    REASONS,
    RULES,
    Change,
    MeasurementTable,
    Prediction,
    Problem,
    Rule,
    RuleScore,
    Target,
    TargetChange,
    TargetPrediction,
    ValueChange,
    span,
)
from .answering import placed
from .read_words import image_words, note_words
from .waterfall import waterfall

NOTICE = "Research use. Not a medical device."
TOP_CLASSES = 5
SHOWN_CHANGE = 0.005
START = """<div class="mm-start"><h3>What to do</h3>
<ol><li>Give what you have: a radiograph, a note, measurements. Any of them may be missing.</li>
<li>Press <b>Score</b>.</li>
<li>Here you then see a probability for each target, what moved it, and what was not used and why.</li></ol>
<p>Or click one of the ready examples.</p></div>"""


def answer_html(
    model: ClinicalModel, prediction: Prediction, places: Sequence[str], deleted: bool, change: Change | None = None
) -> str:
    """The whole answer. deleted: an upload was removed after it; change: since the answer before, where it was to the
    same patient."""
    plain, groups = _by_group(model.targets)
    parts = [_inputs(prediction), *(_read(found.facts) for found in prediction.provenance)]
    if not prediction.used:
        parts.append('<p class="mm-none"><b>No answer.</b> There is nothing usable to answer from.</p>')
        parts += [_decided(prediction), _scores(prediction)]
    else:
        if prediction.abstained:
            parts.append(f'<p class="mm-none"><b>The model does not decide.</b> {_silent(prediction)}</p>')
            parts.append(_decided(prediction))
        if plain:
            parts.append(_table(model, prediction, plain, "Probability"))
        for group, names in groups.items():
            ranked = sorted(names, key=lambda name: -(prediction.targets[name].probability or 0.0))
            more = f"the {TOP_CLASSES} most probable of {len(names)}" if len(names) > TOP_CLASSES else "exactly one of"
            parts.append(_table(model, prediction, ranked[:TOP_CLASSES], f"{escape(group)}: {more}"))
            plain = [*plain, *ranked[:TOP_CLASSES]]
        if change:
            parts.append(_changed(model, change, plain))
        parts += [_scores(prediction), _plots(model, prediction, plain)]
    parts.append(_problems("Not used", prediction.refused, places))
    parts.append(_problems("Used, but note", prediction.warnings, places))
    if deleted:
        parts.append("<p class='mm-quiet'>The uploaded image was deleted; to score it again, choose it again.</p>")
    parts.append(f"<p class='mm-quiet'>{NOTICE} Model {escape(prediction.model_id)}.</p>")
    return f'<div class="mm-answer">{"".join(parts)}</div>'


def mistakes_html(problems: Sequence[Problem], places: Sequence[str]) -> str:
    """What has to be corrected in the form before there can be an answer."""
    return f'<div class="mm-answer">{_problems("Please correct", problems, places)}</div>'


def preview_html(
    pixels: np.ndarray | None, problems: Sequence[Problem], facts: Mapping[str, str] = MappingProxyType({})
) -> str:
    """The picture as it is read, what was read of it, and a sentence for each problem.

    pixels  uint8 (side, side), or None
    """
    said = "".join(f"<p class='mm-{p.severity}'>{_sentence(p, 'The image')}</p>" for p in problems)
    if pixels is None:
        return f'<div class="mm-preview">{said}</div>'
    png = io.BytesIO()
    Image.fromarray(pixels).save(png, format="PNG")
    source = base64.b64encode(png.getvalue()).decode("ascii")
    shown = f'<img alt="The image as it is read" src="data:image/png;base64,{source}">'
    return f'<div class="mm-preview">{shown}{_read(facts)}{said}</div>'


def about_html(model: ClinicalModel) -> str:
    """What the model was trained on and how well it did there, out of fold."""
    summary, figures = model.summary_, model.figures_
    rows = []
    for name, target in model.targets.items():
        area = figures["targets"][name]["fused"]["auroc"]
        known = summary["labels"][name]
        count = f"{known['positive']:,} of {known['positive'] + known['negative']:,}"
        told = f"<b>{escape(_words(name))}</b><br>{escape(target.description)}"
        rows.append(f"<tr><td>{told}</td><td>{count}</td><td>{_interval(area)}</td></tr>")
    having = ", ".join(f"{name} in {count:,}" for name, count in summary["records_with"].items())
    return (
        f"<p>Model <code>{escape(model.model_id)}</code>, trained on the cohort <b>{escape(summary['cohort'])}</b>: "
        f"{summary['records']:,} records of {summary['patients']:,} patients ({escape(having)}).</p>"
        f"<p class='mm-quiet'>{escape(summary['provenance'])}</p>"
        "<table class='mm-table'><thead><tr><th>Target</th><th>Positive</th><th>AUROC, cross-fitted (95 %)</th></tr>"
        f"</thead><tbody>{''.join(rows)}</tbody></table>"
        "<p class='mm-quiet'>These figures are of that cohort; on other patients they may be lower.</p>"
    )


def codes_html(codes: Sequence[str], table: MeasurementTable) -> str:
    """The measurements `codes` of `table`, with the units and the values that are accepted."""
    rows = "".join(
        f"<tr><td><code>{escape(kind.code)}</code></td><td>{escape(kind.display)}</td>"
        f"<td>{escape(kind.unit if kind.kind == 'quantity' else kind.kind)}</td>"
        f"<td>{escape(', '.join(kind.units))}</td><td>{escape(span(kind))}</td></tr>"
        for kind in (table[code] for code in codes)
    )
    names = ("Code", "Name", "Unit", "Also accepted", "Values")
    head = f"<thead><tr>{''.join(f'<th>{name}</th>' for name in names)}</tr></thead>"
    return f"<table class='mm-table'>{head}<tbody>{rows}</tbody></table>"


def _by_group(targets: Mapping[str, Target]) -> tuple[list[str], dict[str, list[str]]]:
    """The targets by themselves, and those of each exclusive group."""
    plain = [name for name, target in targets.items() if not target.group]
    groups: dict[str, list[str]] = {}
    for name, target in targets.items():
        if target.group:
            groups.setdefault(target.group, []).append(name)
    return plain, groups


def _inputs(prediction: Prediction) -> str:
    used = "".join(f"<span class='mm-chip mm-used'>{escape(name)} used</span>" for name in prediction.used)
    missing = "".join(f"<span class='mm-chip'>{escape(name)} missing</span>" for name in prediction.missing)
    return f"<p class='mm-chips'>{used}{missing}</p>"


def _read(facts: Mapping[str, str]) -> str:
    words = image_words(facts) or note_words(facts)
    return f"<div class='mm-quiet mm-read'>Read: {escape(words)}</div>" if words else ""


def _table(model: ClinicalModel, prediction: Prediction, names: Sequence[str], heading: str) -> str:
    rows = "".join(_row(model.targets[name], prediction.targets[name], prediction.decided_by) for name in names)
    head = f"<thead><tr><th>Target</th><th>{heading}</th><th>Decision</th></tr></thead>"
    return f"<table class='mm-table mm-probs'>{head}<tbody>{rows}</tbody></table>"


def _row(target: Target, found: TargetPrediction, decided_by: str | None) -> str:
    share = found.probability or 0.0
    kind = f"risk within {target.horizon_hours:g} h" if target.horizon_hours else target.kind
    told = escape(": ".join(filter(None, (kind, target.description))))
    told = f"<div class='mm-quiet mm-told' title='{told}'>{told}</div>"
    mark = limit = ""
    if found.threshold is not None:
        mark = f"<i style='left:{100 * found.threshold:.2f}%'></i>"
        limit = f"<span class='mm-quiet'>threshold {found.threshold:.3f}</span>"
    limit += _set(target, found)
    bar = f"<div class='mm-bar'><b style='width:{100 * share:.2f}%'></b>{mark}</div>"
    return (
        f"<tr data-target='{escape(target.name)}'><td><b>{escape(_words(target.name))}</b>{told}</td>"
        f"<td><span class='mm-share'>{share:.3f}</span>{bar}{limit}</td>"
        f"<td>{_decision(target, found, decided_by)}</td></tr>"
    )


def _set(target: Target, found: TargetPrediction) -> str:
    """Which labels cannot be ruled out."""
    if found.prediction_set is None:
        return ""
    if target.group:
        said = {(0, 1): "cannot be ruled out", (1,): "all others are ruled out"}.get(found.prediction_set, "ruled out")
    else:
        said = {(0, 1): "neither can be ruled out", (1,): "negative is ruled out", (0,): "positive is ruled out"}.get(
            found.prediction_set, "neither label is usual"
        )
    return f"<div class='mm-quiet mm-set'>{said}</div>"


def _decision(target: Target, found: TargetPrediction, decided_by: str | None) -> str:
    if found.decision is None:
        return "<span class='mm-chip'>none</span>"
    if target.group:
        return "<span class='mm-chip mm-yes'>most probable</span>" if found.decision else ""
    by = f" by {RULES[decided_by].display}" if decided_by else ""
    return f"<span class='mm-chip{' mm-yes' if found.decision else ''}'>{_side(found)}{by}</span>"


def _decided(prediction: Prediction) -> str:
    """That a rule decided in the model's place, what, and why so."""
    if prediction.decided_by is None:
        return ""
    rule, score = RULES[prediction.decided_by], prediction.scores[prediction.decided_by]
    side = "at or above" if score.alert else "below"
    decided = "; ".join(
        f"{escape(_words(name))}: <b>{_side(found)}</b>"
        for name, found in prediction.targets.items()
        if found.decision is not None
    )
    return (
        f"<p class='mm-none'><b>{rule.display} decided, not the model:</b> it is {_number(score.value)}, {side} "
        f"{rule.threshold:g}. {decided}.</p>"
    )


def _side(found: TargetPrediction) -> str:
    return "positive" if found.decision else "negative"


def _scores(prediction: Prediction) -> str:
    """The bedside scores that could be computed."""
    rows = "".join(_score_row(RULES[name], score) for name, score in prediction.scores.items())
    if not rows:
        return ""
    head = "<thead><tr><th>Score</th><th>Value</th><th>Alert</th><th>Missing, counted as normal</th></tr></thead>"
    said = "Rules of the bedside for adults, from the measurements alone, for comparison."
    table = f"<table class='mm-table'>{head}<tbody>{rows}</tbody></table>"
    return f"<h3>Bedside scores</h3><p class='mm-quiet'>{said}</p>{table}"


def _changed(model: ClinicalModel, change: Change, names: Sequence[str]) -> str:
    """Each target before and now, and the measurements that are new."""
    rows = "".join(_changed_row(name, change.targets[name]) for name in names)
    head = "<thead><tr><th>Target</th><th>Probability</th><th>Moved by, in log-odds</th></tr></thead>"
    new = ", ".join(_new_value(model, code, value) for code, value in change.values.items())
    said = f"<p class='mm-quiet'>Newer measurements: {escape(new)}. Nothing else was read again.</p>"
    return f"<h3>Since the answer before</h3>{said}<table class='mm-table'>{head}<tbody>{rows}</tbody></table>"


def _new_value(model: ClinicalModel, code: str, value: ValueChange) -> str:
    kind = model.table[code]
    unit = f" {kind.unit}" if kind.kind == "quantity" and kind.unit not in ("", "1") else ""
    before, after = (_last_value(one) for one in (value.before, value.after))
    return f"{kind.display} {before} \N{RIGHTWARDS ARROW} {after}{unit}"


def _last_value(value: float | str | None) -> str:
    return f"{round(value, 4):.10g}" if isinstance(value, float) else value or "none"


def _changed_row(name: str, moved: TargetChange) -> str:
    seen = {modality: value for modality, value in moved.contributions.items() if abs(value) >= SHOWN_CHANGE}
    by = escape(", ".join(f"{modality} {value:+.2f}" for modality, value in seen.items())) or "nothing"
    shares = f"{_share(moved.before)} &rarr; {_share(moved.after)}"
    return f"<tr><td><b>{escape(_words(name))}</b></td><td>{shares}</td><td>{by}</td></tr>"


def _share(probability: float | None) -> str:
    return "none" if probability is None else f"{probability:.3f}"


def _score_row(rule: Rule, score: RuleScore) -> str:
    told = f"<span class='mm-quiet'>{rule.span}</span>"
    alert = "<span class='mm-chip mm-yes'>alert</span>" if score.alert else "<span class='mm-chip'>no alert</span>"
    limit = f"<span class='mm-quiet'>from {score.threshold:g}: {escape(rule.action)}</span>"
    missing = escape(", ".join(score.missing)) or "nothing"
    return (
        f"<tr><td><b>{rule.display}</b> {told}</td><td>{_number(score.value)}</td><td>{alert} {limit}</td>"
        f"<td>{missing}</td></tr>"
    )


def _number(value: float) -> str:
    return f"{value:.3g}"


def _plots(model: ClinicalModel, prediction: Prediction, names: Sequence[str]) -> str:
    cards = []
    for name in names:
        found = prediction.targets[name]
        moved = ", ".join(f"{modality} {value:+.2f}" for modality, value in found.contributions.items())
        title = escape(_words(name))
        source = waterfall(found, model.modalities, exclusive=bool(model.targets[name].group))
        alt = escape(f"{_words(name)}: contributions in log-odds: {moved}")
        cards.append(f"<figure><figcaption>{title}</figcaption><img alt='{alt}' src='{source}'></figure>")
    said = "Each bar is what one modality adds to the log-odds of the base rate: to the right, more probable."
    return f"<h3>What moved it</h3><p class='mm-quiet'>{said}</p><div class='mm-plots'>{''.join(cards)}</div>"


def _problems(title: str, problems: Sequence, places: Sequence[str]) -> str:
    if not problems:
        return ""
    kind = "refuse" if title != "Used, but note" else "warn"
    items = "".join(f"<li class='mm-{kind}'>{_sentence(p, placed(p.where, places))}</li>" for p in problems)
    return f"<h3>{title}</h3><ul class='mm-problems'>{items}</ul>"


def _sentence(problem, place: str) -> str:
    """`Place: what was found. What to do. CODE`, escaped."""
    found = problem.message.rstrip(".")
    remedy = REASONS[problem.code].remedy
    return f"<b>{escape(place)}:</b> {escape(found)}. {escape(remedy)} <code>{escape(problem.code)}</code>"


def _silent(prediction: Prediction) -> str:
    """What the gate that named the reason found, and what to do."""
    for problem in prediction.warnings:
        if problem.code == prediction.abstained:
            return _sentence(problem, placed(problem.where, ()))
    return _meaning(prediction.abstained)


def _meaning(code: str) -> str:
    reason = REASONS.get(code)
    return escape(f"{reason.meaning[:1].upper()}{reason.meaning[1:]}. {reason.remedy}" if reason else code)


def _interval(area: Mapping[str, float | None]) -> str:
    if area["value"] is None:
        return "undefined"
    limits = "" if area["low"] is None else f" ({area['low']:.2f} to {area['high']:.2f})"
    return f"{area['value']:.2f}{limits}"


def _words(name: str) -> str:
    return name.replace("_", " ")
