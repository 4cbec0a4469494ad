"""report.html: one page that stands alone, reads in a minute, prints, and holds no identifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

import jinja2

from multimodal.records import Target

from ..model.baselines import DISPLAY
from .plots import confusion_plot, target_plot
from .summary import ACROSS, PROCEDURE, best_single, p_value, rules_shown, signed

FEW = 10  # events of the rarer class under which the page says that a figure hangs on few patients


@dataclass(frozen=True)
class About:
    """What the report says about the model beside its figures.

    audit  what the leakage audit found before the training, a sentence each
    """

    modalities: tuple[str, ...]
    targets: Mapping[str, Target]
    resamples: int
    audit: Sequence[str] = ()


def render(metrics: Mapping, curves: Mapping, about: About) -> str:
    """The page.

    metrics  as in metrics.json; curves as `trust.curves` gives them
    Every text is escaped; the pictures are inside; nothing is loaded from anywhere.
    """
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters["p"] = p_value
    environment.filters["signed"] = lambda value: signed(value).replace("-", "−")
    template = environment.from_string((resources.files(__package__) / "report.html.j2").read_text(encoding="utf-8"))
    return template.render(
        model_id=metrics["model_id"],
        cohort=metrics["cohort"],
        refits=metrics.get("refits"),
        procedure=PROCEDURE,
        across=ACROSS,
        rules=rules_shown(metrics),
        about=about,
        targets=[_target(name, found, curves[name], about.targets[name]) for name, found in metrics["targets"].items()],
        groups=[
            {"name": name, **group, "plot": confusion_plot(group["confusion"], group["classes"])}
            for name, group in metrics["groups"].items()
        ],
        subgroup_comparisons=metrics.get("subgroup_comparisons", 0),
    )


def _target(name: str, found: Mapping, curves: Mapping, target: Target) -> dict:
    """One target's section: its rows in the order in which they are read."""
    fused, best = found["fused"], best_single(found)
    compared = found["compared"]
    ways = [("fused", fused, "fused", None)]
    if found["answered"]["n"] < fused["n"]:
        ways.append(("fused, where it did not abstain", found["answered"], "", None))
    ways += [
        (f"{m} alone{' (best)' if m == best else ''}", figures, "", compared["single"].get(m))
        for m, figures in found["single"].items()
    ]
    ways += [
        (DISPLAY.get(b, b), figures, "baseline", compared["baselines"].get(b))
        for b, figures in found["baselines"].items()
        if figures["n"]
    ]
    return {
        "name": name,
        "target": target,
        "found": found,
        "fused": fused,
        "best": best,
        "less_best": compared["single"][best]["delong"] if best else None,
        "abstained": fused["n"] - found["answered"]["n"],
        "few": min(fused["positives"], fused["n"] - fused["positives"]) < FEW,
        "ways": ways,
        "crossed": {by: groups for by, groups in found["subgroups"].items() if " x " in by},
        "plain": {by: groups for by, groups in found["subgroups"].items() if " x " not in by},
        "sets": found["sets"],
        "plot": target_plot(curves, found),
    }
