"""What a terminal shows of a model: its figures, and what it is. Plain text, 80 columns, the same when piped."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from multimodal.model.seen_patients import begun_with
from multimodal.model.site_calibration import SUMMARY
from multimodal.records import RULES, shown

from ..model.baselines import DISPLAY
from ..model.trusting import stopped_line

if TYPE_CHECKING:
    from multimodal.leakage import Audit
    from multimodal.model import ClinicalModel

FIGURES = ("auprc", "sensitivity", "specificity", "brier", "ece")
PROCEDURE = (
    "Figures of the procedure, not of this model: everything was fitted again without the part that was then scored, "
    "by this model's options. No patient had to be left out for having been trained on."
)
ACROSS = (
    "Within all parts: pairs of records of the same part. The AUROC over all records, below, also compares answers of "
    "refits whose base rates differ, and so can lie lower, even under 0.5."
)
HEADS = ("AUPRC", "sens.", "spec.", "Brier", "ECE")


def figures_table(figures: Mapping) -> str:
    """`targets` and `groups` of metrics.json as a table: fused, each modality alone, the plain baselines.

    AUROC with its 95 % interval; `-` where undefined. A baseline that answers no record is left out.
    """
    lines = []
    for name, found in figures["targets"].items():
        fused = found["fused"]
        cut = "" if fused["threshold"] is None else f", threshold {fused['threshold']:.3f}"
        ways = [("fused", fused)]
        ways += [(f"{modality} alone", m) for modality, m in found["single"].items()]
        ways += [(f"{DISPLAY.get(baseline, baseline)} *", m) for baseline, m in found["baselines"].items() if m["n"]]
        rows = [(way, interval(m["auroc"]), *(_value(m[key]) for key in FIGURES)) for way, m in ways]
        head = (f"{name}: {fused['n']:,} records, {fused['positives']:,} positive{cut}",)
        lines += [*head, *_aligned([("* baseline", "AUROC [95 %]", *HEADS), *rows]), *_in_short(found), ""]
    for name, group in figures["groups"].items():
        lines.append(f"group {name}: {group['n']:,} records, {len(group['classes'])} classes")
        lines.append(f"  accuracy {interval(group['accuracy'])}, macro F1 {interval(group['macro_f1'])}")
        lines.append("")
    if rules := rules_shown(figures):
        said = f"Bedside scores are decided at their published thresholds: {rules}."
        lines.append(textwrap.fill(said, 80))
    return "\n".join(lines).rstrip()


def best_single(found: Mapping) -> str | None:
    """The modality with the highest AUROC by itself; None where none has one."""
    areas = {name: m["auroc"]["value"] for name, m in found["single"].items() if m["auroc"]["value"] is not None}
    return max(areas, key=areas.get) if areas else None


def _in_short(found: Mapping) -> list[str]:
    """Fused against the best modality, and the calibration error against what chance alone makes: one line each.

    Nothing for the figures of a model that an earlier version trained, which lack them.
    """
    lines = []
    best = best_single(found)
    if best is not None and "compared" in found:
        lines.append(f"  fused less {best} alone: AUROC {difference(found['compared']['single'][best]['delong'])}")
    if found.get("ece_expected") is not None:
        ece, limit = found["fused"]["ece"]["value"], found["ece_expected"]
        said = "within" if ece <= limit else "above"
        lines.append(f"  ECE {ece:.3f}: {said} the {limit:.3f} that 95 % of calibrated models keep at this n")
    return lines


def difference(tested: Mapping) -> str:
    """`+0.021 [+0.004, +0.038], p 0.013 (DeLong)`, `-` where undefined."""
    if tested["value"] is None:
        return "-"
    bounds = "" if tested["low"] is None else f" [{signed(tested['low'])}, {signed(tested['high'])}]"
    chance = "" if tested.get("p") is None else f", p {p_value(tested['p'])} (DeLong)"
    return f"{signed(tested['value'])}{bounds}{chance}"


def signed(value: float) -> str:
    """`+0.021`, `-0.004`, and `0.000` for what rounds to it."""
    return f"{value:+.3f}" if round(value, 3) else "0.000"


def p_value(p: float) -> str:
    """`0.013`, `<0.001`."""
    return "<0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def comparison_table(metrics: Mapping) -> str:
    """What `compare` found, as text: both models' figures and their differences, in 80 columns."""
    cohort, models = metrics["cohort"], metrics["models"]
    lines = [
        f"model a {models['a']}, model b {models['b']}",
        f"  {cohort['both']:,} of {cohort['records']:,} records have an input for both "
        f"({cohort['only_a']:,} for a only, {cohort['only_b']:,} for b only)",
        f"  {cohort['excluded_training_patients']:,} training patients of either left out",
    ]
    if trained := cohort.get("includes_training_patients"):
        lines.append(f"CAUTION: a model trained on {trained:,} of these patients; its figures are too good")
    for name, found in metrics["targets"].items():
        n, positives = found["a"]["n"], found["a"]["positives"]
        rows = [
            (key, _value(found["a"][key]), _value(found["b"][key]), difference(less))
            for key, less in found["difference"].items()
        ]
        lines += ["", f"{name}: {n:,} records, {positives:,} positive"]
        lines += _aligned([("", "a", "b", "a less b [95 %]"), *rows])
        lines.append(f"  AUROC, a less b: {difference(found['delong'])}")
    return "\n".join(lines)


def rules_shown(figures: Mapping) -> str:
    """The bedside scores that answer a record of any target, each with its threshold; "" for none."""
    shown = {name for found in figures["targets"].values() for name, m in found["baselines"].items() if m["n"]}
    return ", ".join(f"{rule.display} {rule.threshold:g}" for name, rule in RULES.items() if name in shown)


def cross_fitted_table(model: ClinicalModel) -> str:
    """The figures of the training, with what they are and what was left out."""
    said = []
    for problem in model.problems_:
        word = "CAUTION" if problem.code in ("PRETRAINED_ON_HELD_OUT", "RECALIBRATED") else "left out"
        said.append(textwrap.fill(f"{word}: {problem}", 80, subsequent_indent="  "))
    for finding in model.audit_["findings"]:
        told = f"{finding['severity'].upper()}: {finding['code']}: {finding['what']}"
        said.append(textwrap.fill(told, 80, subsequent_indent="  "))
    head = (
        "Cross-fitted figures: each patient was answered by encoders, fusion and\n"
        "calibration that were fitted without that patient, and decided at a threshold\n"
        "that was chosen on the other folds."
    )
    kept_back = textwrap.fill(f"{stopped_line(model.summary_['gates'])}.", 80)
    return "\n".join([head, "", figures_table(model.figures_), "", kept_back, *([""] if said else []), *said])


def audit_text(found: Audit) -> str:
    """The findings of a leakage audit: what, which records, and what to do; then what was seen and is no finding."""
    lines = []
    for number, finding in enumerate(found.findings, start=1):
        lines.append(f"{number}. {finding.code}  {finding.severity}  {finding.count:,} records")
        told = [f"{finding.what}."]
        if finding.records:
            groups = [" = ".join(group) for group in finding.records]
            more = " ..." if sum(map(len, finding.records)) < finding.count else ""
            told.append(f"Records: {'; '.join(groups)}{more}")
        told.append(f"To do: {finding.remedy}")
        for text in told:
            wrapped = textwrap.wrap(text, 76, break_long_words=False, break_on_hyphens=False)
            lines += [f"   {line}" for line in wrapped]
        lines.append("")
    lines += [textwrap.fill(f"Seen, and no finding: {line}.", 80) for line in found.account]
    leaks = len(found.leaks)
    cautions = len(found.findings) - leaks
    lines.append(f"{found.records:,} records: {leaks} leaks, {cautions} cautions")
    return "\n".join(lines)


def evaluation_table(metrics: Mapping) -> str:
    """metrics.json as text: what was evaluated on whom, and the figures."""
    cohort, refits = metrics["cohort"], metrics.get("refits")
    of = "the configuration of model" if refits else "model"
    lines = [
        f"{of} {metrics['model_id']}: {cohort['records']:,} records of {cohort['patients']:,} patients",
        f"  {cohort['excluded_training_patients']:,} training patients left out, "
        f"{cohort['no_input']:,} records without input, {cohort['abstained']:,} abstained",
    ]
    if trained := cohort.get("includes_training_patients"):
        lines.append(f"CAUTION: the model trained on {trained:,} of these patients; the figures are too good")
    if refits:
        lines += ["", *_refits(refits)]
    return "\n".join([*lines, "", figures_table(metrics)])


def _refits(refits: Mapping) -> list[str]:
    """What was held out, and per part the figures of the refit that did not see it, beside those on what it saw."""
    how = f"each value of {shown(refits['left_out'])}" if refits["left_out"] is not None else "each fold of patients"
    lines = [textwrap.fill(f"{PROCEDURE} Held out in turn: {how}.", 80)]
    for part in refits["not_answered"]:
        lines.append(textwrap.fill(f"no figures of {shown(part['name'])} ({part['records']:,}): {part['why']}", 80))
    for target in dict.fromkeys(name for part in refits["parts"] for name in part["targets"]):
        rows = [("held out", "n", "positive", "AUROC, unseen", "AUROC, seen")]
        for part in refits["parts"]:
            if found := part["targets"].get(target):
                unseen, seen = found["unseen"], found["seen"]
                counts = f"{unseen['n']:,}", f"{unseen['positives']:,}"
                rows.append(
                    (shown(part["name"], 24)[1:-1], *counts, interval(unseen["auroc"]), interval(seen["auroc"]))
                )
        rows.append(("within all parts", "", "", interval(refits["within"][target]["auroc"]), ""))
        lines += ["", target, *_aligned(rows)]
    return [*lines, "", textwrap.fill(ACROSS, 80)]


def description(model: ClinicalModel) -> str:
    """What the model is, was trained on and predicts, and the weights of its encoders."""
    summary = model.summary_
    having = ", ".join(f"{name} {count:,}" for name, count in summary["records_with"].items())
    lines = [
        f"model {model.model_id}: research use, not a medical device",
        f"reads         {', '.join(model.modalities)}",
        f"trained on    {shown(summary['cohort'])}: {summary['records']:,} records of {summary['patients']:,} patients",
        f"  with        {having}",
        *_origin_of_weights(model),
        *_sites(model),
        "",
        "predicts",
    ]
    assumed = dict(zip(model.targets, model.assumed_prevalence))
    for name, target in model.targets.items():
        labels = summary["labels"][name]
        within = f" within {target.horizon_hours:g} h" if target.horizon_hours else ""
        group = f", group {target.group}" if target.group else ""
        counts = f"{labels['positive']:,} positive, {labels['negative']:,} negative, {labels['unknown']:,} unknown"
        lines.append(f"  {name} ({target.kind}{within}{group}): {counts}")
        rule = f", threshold by {model.rules[name]}" if model.rules[name] else ""
        lines.append(f"    assumes a prevalence of {assumed[name]:.3f}{rule}")
        if target.description:
            said = shown(target.description, 1000)[1:-1]
            lines.append(textwrap.fill(said, 80, initial_indent="    ", subsequent_indent="    "))
    lines += ["", "encoders, and what their log-odds weigh (learnt out of fold)"]
    weights = summary["encoder_weights"]
    for modality, named in weights.items():
        for encoder, by_target in named.items():
            lines.append(f"  {modality}: {encoder}")
            lines += _aligned([(f"  {name}", f"{weight:.3f}") for name, weight in by_target.items()])
    lines += ["", "calibration of the fusion (chosen out of fold)"]
    lines += _aligned(
        [
            ("  " + " | ".join(list(model.targets)[t] for t in unit), one.kind)
            for unit, one in zip(model.stack_.units, model.stack_.calibrators, strict=True)
        ]
    )
    lines += ["", "gates: where it makes no decision", *(f"  {line}" for line in _gates(model))]
    return "\n".join(lines)


def _gates(model: ClinicalModel) -> list[str]:
    """The limits of the gates."""
    gates = model.gates_
    if not gates.rate:
        return ["switched off (trust.false_alarms = 0)"]
    lines = [f"SET_UNVALIDATED  a set of inputs that fewer than {gates.min_records} training records have"]
    for modality in model.modalities:
        limits = gates.inputs[modality].limits if modality in gates.inputs else {}
        said = ", ".join(f"{name} {limit:.3g}" for name, limit in limits.items())
        lines.append(f"NOVEL_INPUT      {modality} beyond {said or 'no limit: too few training records'}")
    several = f"{min(gates.records)} inputs or more" if gates.records else "no limit: too few training records"
    lines.append(f"NOVEL_RECORD     {several} together more unusual than the training's")
    pairs = ", ".join(gates.pairs) or "no limit: too few training records"
    lines.append(f"CONTRADICTION    between {pairs}")
    lines.append(f"each limit stops at most {100 * gates.rate:.3g} % of records like the training's;")
    return [part for line in lines for part in textwrap.wrap(line, 78, subsequent_indent=" " * 17)]


def _origin_of_weights(model: ClinicalModel) -> list[str]:
    lines = []
    for modality, option, _ in begun_with(model.config_):
        if modality in model.modalities:
            seen = model.pretraining_patients_.get(option)
            known = "whom it learnt from is unknown"
            if seen:
                known = f"learnt from {' and '.join(f'{len(whom.hashes):,}' for whom in seen)} patients"
            lines.append(f"began from    {option}: {known}")
    return lines


def _sites(model: ClinicalModel) -> list[str]:
    """Each site that the model was recalibrated to."""
    told = [
        f"recalibrated  to {shown(one['cohort'])}: {one['records']:,} records of {one['patients']:,} patients, from "
        f"model {one['from_model_id']}"
        for one in model.summary_.get(SUMMARY, ())
    ]
    return [textwrap.fill(line, 80, subsequent_indent=" " * 14) for line in told]


def site_table(model: ClinicalModel) -> list[tuple[str, ...]]:
    """Of the last site that the model was recalibrated to, a row per target: name, records, patients, positive, the
    prevalence there, those assumed before and now, what was added to the log-odds, temperature."""
    return [
        (
            name,
            *(f"{one[count]:,}" for count in ("records", "patients", "positive")),
            *(f"{one[figure]:.3f}" for figure in ("prevalence", "assumed_before", "assumed_prevalence")),
            f"{one['shift']:+.3f}",
            f"{one['temperature']:.3f}" if one["fitted"] != "intercept" else "1, not fitted",
        )
        for name, one in model.summary_[SUMMARY][-1]["targets"].items()
    ]


def facts(model: ClinicalModel) -> dict[str, Any]:
    """The same for a program: what `train --json` and `inspect --json` print."""
    return {
        "model_id": model.model_id,
        "modalities": model.modalities,
        "predicts": {name: target.model_dump(mode="json") for name, target in model.targets.items()},
        "rules": model.rules,
        "assumed_prevalence": dict(zip(model.targets, model.assumed_prevalence.tolist(), strict=True)),
        **model.figures_,
        "summary": model.summary_,
        "problems": [problem._asdict() for problem in model.problems_],
        "audit": model.audit_,
        "config": model.config_.model_dump(mode="json"),
    }


def interval(figure: Mapping) -> str:
    """`0.861 [0.820, 0.894]`, `-` where undefined."""
    if figure["value"] is None:
        return "-"
    bounds = "" if figure["low"] is None else f" [{figure['low']:.3f}, {figure['high']:.3f}]"
    return f"{figure['value']:.3f}{bounds}"


def _value(figure: Mapping) -> str:
    return "-" if figure["value"] is None else f"{figure['value']:.3f}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
