"""What a model folder and an evaluation say, in sentences: the answers to the items of the reporting guidelines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from multimodal.model.seen_patients import begun_with

from ..model.site_calibration import SUMMARY
from .summary import interval

if TYPE_CHECKING:
    from multimodal.model import ClinicalModel

MEASURES = (
    "AUROC, average precision (AUPRC), Brier score, expected calibration error (10 bins of equal count), and "
    "sensitivity, specificity, precision, F1 and accuracy at the threshold"
)
INTERVALS = "95 % intervals by bootstrap of the patients"


def use_of(model: ClinicalModel) -> str:
    modalities = ", ".join(model.modalities)
    return f"Research: probabilities for {', '.join(model.targets)} from {modalities}, with any of them missing."


def facts_of(model: ClinicalModel, versions: Mapping[str, str], metrics: Mapping[str, Any] | None) -> dict[str, str]:
    """{name of a fact: sentences}, "" where the artefacts say nothing; the names are those of reporting_items.csv."""
    found: dict[str, str] = {"use": f"{use_of(model)} It is not a medical device."}
    found |= _data(model) | _building(model) | _use(model, versions) | _figures(model) | _updating(model)
    return found | _evaluation(metrics)


def _data(model: ClinicalModel) -> dict[str, str]:
    summary, config = model.summary_, model.config_
    records, patients = summary["records"], summary["patients"]
    labels = "; ".join(
        f"{name} {one['positive']:,} positive, {one['negative']:,} negative, {one['unknown']:,} unknown"
        for name, one in summary["labels"].items()
    )
    lacking = "; ".join(
        f"{name} in {records - n:,} of {records:,} records ({(records - n) / records:.0%})"
        for name, n in summary["records_with"].items()
    )
    provenance = " ".join(summary["provenance"].split())
    targets = [
        f"{name} ({target.kind}"
        + (f" within {target.horizon_hours:g} h" if target.horizon_hours else "")
        + (f", a class of {target.group}" if target.group else "")
        + ")"
        + (f": {' '.join(target.description.split())}" if target.description else "")
        for name, target in model.targets.items()
    ]
    held_out = (
        f"{config.train.holdout:.0%} of the patients were left out of everything; " if config.train.holdout else ""
    )
    return {
        "study": f"Development of a model for {', '.join(model.targets)} on the cohort {summary['cohort']}",
        "sources": f"Cohort {summary['cohort']}" + (f": {provenance}" if provenance else ""),
        "flow": f"{records:,} records of {patients:,} patients; labels: {labels}",
        "outcome": "; ".join(targets),
        "missing": f"Not imputed but masked: a modality that is absent cannot change an answer. Absent: {lacking}. "
        "A label that is unknown carries no loss",
        "left_out": "; ".join(str(problem) for problem in model.problems_),
        "apart": "Patients; records that hold the same note or the same image file stay together too: "
        f"{summary['groups']:,} unrelated groups",
        "partition": f"{held_out}{config.fusion.folds} folds by patient, stratified by the rarest label; whatever "
        "stands on something fitted saw only answers to patients on whom that was not fitted",
    }


def _building(model: ClinicalModel) -> dict[str, str]:
    config = model.config_
    named = "; ".join(f"{modality}: {', '.join(encoders)}" for modality, encoders in model.encoders_.items())
    several = [modality for modality, encoders in model.encoders_.items() if len(encoders) > 1]
    options = {modality: getattr(config, modality).model_dump() for modality in model.modalities}
    begun = [f"{option} = {path.name}" for modality, option, path in begun_with(config) if modality in model.modalities]
    balanced = [f"{modality}.balance" for modality, one in options.items() if one.get("balance")]
    schedule = ("epochs", "batch_size", "learning_rate")
    steps = "; ".join(
        f"{modality}: {', '.join(f'{key} {one[key]}' for key in schedule)}" for modality, one in options.items()
    )
    return {
        "model": f"Late fusion. Encoders by modality ({named}) give log-odds, which are calibrated and added with "
        "learnt weights, plus an interaction that has to earn its place out of fold",
        "predictors": f"Modalities: {', '.join(model.modalities)}. Encoders: {named}",
        "times": "What is later than the time of the prediction is refused",
        "preparation": "Every input is checked; a value is used, converted or refused with a reason code, which stands "
        "with the answer. How each modality is prepared stands among the options",
        "training": f"Each encoder {config.fusion.folds} times without one fold and once on all. Of networks: {steps}. "
        f"Random state {config.train.seed}",
        "selection": "Per target the simplest fusion, unless a richer one has a held-out loss lower by more than one "
        "standard error; one modality alone where fusion was no better",
        "ensemble": f"The encoders of {', '.join(several)} are blended, with weights learnt out of fold"
        if several
        else "",
        "initial": f"Begun from {', '.join(begun)}" if begun else f"Random, from random state {config.train.seed}",
        "imbalance": f"Classes were weighted in training ({', '.join(balanced)}), the probabilities calibrated after"
        if balanced
        else "Nothing was done: classes were not weighted or drawn, and the probabilities keep the prevalence",
    }


def _use(model: ClinicalModel, versions: Mapping[str, str]) -> dict[str, str]:
    cuts = [
        f"{name} at {threshold:.3f} (by {rule})" if rule else f"{name}: the most probable class of its group"
        for (name, rule), threshold in zip(model.rules.items(), model.thresholds.tolist(), strict=True)
    ]
    trust = ", ".join(f"trust.{key} = {value}" for key, value in model.config_.trust.model_dump(mode="json").items())
    return {
        "output": f"A calibrated probability and a decision per target; decided 1: {'; '.join(cuts)}",
        "usability": "A record without usable input gets no probability; a refused item is named with its reason code; "
        f"where the model abstains, the decision is kept back. Options: {trust}",
        "explanation": "Exact Shapley values of the modalities on the log-odds: baseline + contributions = the "
        "log-odds of the probability. They say what moved the model, not what causes the disease",
        "software": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "whole_model": f"The model folder {model.model_id}: options, weights and versions, with a manifest of digests",
        "identifiers": "The model keeps keyed hashes of the patients' ids alone; no note, image or id is in it",
        "measures": f"{MEASURES}; each beside single modalities and plain baselines on the same patients",
        "uncertainty": INTERVALS,
    }


def _figures(model: ClinicalModel) -> dict[str, str]:
    figures = model.figures_["targets"]
    few = [name for name, one in model.summary_["labels"].items() if min(one["positive"], one["negative"]) < 100]
    return {
        "performance": f"Cross-fitted, {INTERVALS}: {_said(figures, lambda one: one['fused'])}",
        "limits": "It is as good as its labels, and its calibration holds for patients like those of the training. "
        + (f"Fewer than 100 records of one outcome: {', '.join(few)}. " if few else "")
        + "; ".join(str(problem) for problem in model.problems_),
    }


def _updating(model: ClinicalModel) -> dict[str, str]:
    sites = model.summary_.get(SUMMARY, ())
    told = [
        f"From model {one['from_model_id']} to {one['cohort'] or 'another site'}, on {one['records']:,} records of "
        f"{one['patients']:,} patients: "
        + "; ".join(
            f"{name} prevalence {t['prevalence']:.3f}, assumed before {t['assumed_before']:.3f}, shift "
            f"{t['shift']:+.3f}, temperature {t['temperature']:.3f}"
            for name, t in one["targets"].items()
        )
        for one in sites
    ]
    none = "The model was not updated"
    method = "Intercept and temperature per target on labelled patients of another site, nothing else"
    return {"updating": ". ".join(told) if sites else none, "updating_method": method if sites else none}


def _evaluation(metrics: Mapping[str, Any] | None) -> dict[str, str]:
    names = ("evaluation", "evaluation_sources", "evaluation_flow", "subgroups", "refits", "refits_method", "shift")
    found = dict.fromkeys((*names, "computed"), "")
    if metrics is None:
        return found
    cohort, refits = metrics["cohort"], metrics.get("refits")
    who = f"{cohort['records']:,} records of {cohort['patients']:,} patients"
    said = _said(metrics["targets"], lambda one: one["fused"])
    of = "Refits with this model's options (not this model)" if refits else "This model"
    found["evaluation"] = f"{of}, on {who}, {INTERVALS}: {said}"
    if trained := cohort.get("includes_training_patients"):
        found["evaluation"] += f". CAUTION: it trained on {trained:,} of these patients; the figures are too good"
    found["evaluation_flow"] = (
        f"Evaluation: {who}; {cohort['excluded_training_patients']:,} training patients left out, "
        f"{cohort['no_input']:,} records without input, {cohort['abstained']:,} abstained"
    )
    found["shift"] = f"Evaluation: {_said(metrics['targets'], lambda one: one['fused'], auroc=False)}"
    found["computed"] = "By the saved model on the evaluation's records, with the same code as any scoring"
    small = [
        f"{target}, {column} {group}: AUROC {interval(one['fused']['auroc'])}"
        for target, measured in metrics["targets"].items()
        for column, groups in measured.get("subgroups", {}).items()
        for group, one in groups.items()
        if one.get("fused")
    ]
    found["subgroups"] = f"Subgroups: {'; '.join(small)}" if small else ""
    if refits:
        how = f"each value of {refits['left_out']}" if refits["left_out"] is not None else f"{refits['folds']} folds"
        found["computed"] = "By refits with this model's options, each on the part that it was not fitted on"
        found["refits_method"] = f"Everything was fitted again without {how} in turn, and scored there"
        found["refits"] = "; ".join(
            f"{part['name']}, {_said(part['targets'], lambda one: one['unseen'])}" for part in refits["parts"]
        )
        within = [f"{name} AUROC {interval(one['auroc'])}" for name, one in refits["within"].items()]
        found["refits"] += f"; within all parts, {'; '.join(within)}"
    return found


def _said(targets: Mapping[str, Any], of: Callable[[Any], Mapping], *, auroc: bool = True) -> str:
    """`death: 30 of 200 positive, AUROC 0.812 [0.745, 0.865]`, for each target."""
    said: Sequence[str] = [
        f"{name}: {one['positives']:,} of {one['n']:,} positive"
        + (f", AUROC {interval(one['auroc'])}, calibration error {interval(one['ece'])}" if auroc else "")
        for name, one in ((name, of(found)) for name, found in targets.items())
    ]
    return "; ".join(said)
