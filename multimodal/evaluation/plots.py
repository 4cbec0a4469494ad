"""The report's pictures: SVG as data URIs, so that the page stands alone. The same figures give the same bytes."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import cycle

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..model.baselines import DISPLAY

FUSED = "#0b4f6c"
# Okabe and Ito's palette, told apart by colour-blind readers too; the line styles say it once more.
SINGLE = (("#d55e00", "--"), ("#009e73", "-."), ("#cc79a7", ":"), ("#e69f00", (0, (5, 1))), ("#56b4e9", (0, (1, 1))))
GREY = "#8a8f98"
STYLE = {
    "font.family": "sans-serif",
    "font.size": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "xtick.color": "#444",
    "ytick.color": "#444",
    "legend.edgecolor": "none",
    "legend.framealpha": 0.75,
    "legend.borderpad": 0.2,
    "legend.fontsize": 8,
    "svg.hashsalt": "multimodal",
}


def target_plot(curves: Mapping, found: Mapping) -> str:
    """Six pictures of one target: ROC, precision and recall, calibration, decision curve, by set, differences.

    curves  of `trust.curves`, this target's
    found   of metrics.json, this target's
    Returns the data URI of one SVG.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 6.1), layout="constrained")
        # A layout of its own for each row: the long names of the lower one would narrow the upper.
        (roc, precision, calibration), (decision, sets, differences) = (
            row.subplots(1, 3) for row in figure.subfigures(2, 1, hspace=0.04)
        )
        _draw_roc(roc, curves["roc"], found)
        _draw_precision(precision, curves["precision_recall"], found)
        _draw_calibration(calibration, curves["calibration"], curves["smooth"], found)
        _draw_decision(decision, curves["net_benefit"])
        _draw_sets(sets, found["present"])
        _draw_differences(differences, found)
        return _data_uri(figure)


def confusion_plot(confusion: Sequence[Sequence[int]], classes: Sequence[str]) -> str:
    """A group's confusion as a heat map: counts, coloured by the share of the true class. Returns a data URI."""
    counts = np.array(confusion, dtype=float)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(9.6, 2.4 + 0.38 * len(classes))
    with matplotlib.rc_context(STYLE | {"font.size": 8 if len(classes) <= 12 else 7}):
        figure = Figure(figsize=(side + 0.6, side), layout="constrained")
        axes = figure.subplots()
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="equal")
        for (i, j), count in np.ndenumerate(counts):
            if count:
                colour = "white" if shares[i, j] > 0.55 else "#222"
                axes.text(j, i, f"{int(count)}", ha="center", va="center", color=colour)
        axes.set_xticks(range(len(classes)), classes, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(classes)), classes)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set(xlabel="decided", ylabel="true")
        return _data_uri(figure)


def _lines(names: Iterable[str]) -> Iterator[tuple[str, dict]]:
    """Every way with the style of its line: fused first and strong, then each modality in its own colour."""
    yield "fused", {"color": FUSED, "linewidth": 2, "zorder": 5}
    for name, (colour, line) in zip((name for name in names if name != "fused"), cycle(SINGLE)):
        yield name, {"color": colour, "linestyle": line, "linewidth": 1.2}


def _of(found: Mapping, way: str) -> Mapping:
    return found["fused"] if way == "fused" else found["single"][way]


def _draw_roc(axes: Axes, roc: Mapping, found: Mapping) -> None:
    axes.set(title="ROC", xlabel="1 − specificity", ylabel="sensitivity", xlim=(0, 1), ylim=(0, 1.01), aspect="equal")
    axes.plot((0, 1), (0, 1), color=GREY, linewidth=0.7)
    if not roc:
        _say(axes, "only one class:\nno curve")
        return
    for way, style in _lines(roc):
        axes.plot(*roc[way], label=f"{way} {_of(found, way)['auroc']['value']:.2f}", **style)
    axes.legend(loc="lower right", title="AUROC", title_fontsize=8, alignment="left")


def _draw_precision(axes: Axes, points: Mapping, found: Mapping) -> None:
    axes.set(title="Precision and recall", xlabel="recall (sensitivity)", ylabel="precision")
    axes.set(xlim=(0, 1), ylim=(0, 1.02), box_aspect=1)
    if not points:
        _say(axes, "only one class:\nno curve")
        return
    axes.axhline(found["fused"]["positives"] / found["fused"]["n"], color=GREY, linewidth=0.7)
    for way, style in _lines(points):
        axes.plot(*points[way], label=f"{way} {_of(found, way)['auprc']['value']:.2f}", **style)
    axes.legend(loc="best", title="AUPRC", title_fontsize=8, alignment="left")


def _draw_calibration(axes: Axes, bins: Sequence[Mapping], smooth: Mapping, found: Mapping) -> None:
    axes.set(title="Calibration", xlabel="predicted probability", ylabel="observed share")
    if not bins:
        _say(axes, "no records")
        return
    mean, observed, low, high = (np.array([b[key] for b in bins]) for key in ("mean", "observed", "low", "high"))
    # Rare events fill only the lower corner: the axes end where the bins do.
    end = min(1.0, 1.05 * max(mean.max(), high.max(), 0.05))
    axes.set(xlim=(0, end), ylim=(0, end * 1.01), aspect="equal")
    axes.plot((0, 1), (0, 1), color=GREY, linewidth=0.7)
    if smooth:
        if smooth["low"]:
            axes.fill_between(smooth["mean"], smooth["low"], smooth["high"], color=FUSED, alpha=0.15, linewidth=0)
        axes.plot(smooth["mean"], smooth["observed"], color=FUSED, linewidth=1.6)
    bars = (observed - low, high - observed)
    axes.errorbar(mean, observed, yerr=bars, color="#222", ecolor=GREY, fmt="o", markersize=3.2, linewidth=0.8)
    error, limit = found["fused"]["ece"]["value"], found["ece_expected"]
    axes.text(0.03, 0.97, f"ECE {error:.3f}\n(chance ≤ {limit:.3f})", transform=axes.transAxes, va="top", fontsize=8)


def _draw_decision(axes: Axes, found: Mapping) -> None:
    axes.set(title="Decision curve", xlabel="threshold probability", ylabel="net benefit", box_aspect=1)
    if not found:
        _say(axes, "no records")
        return
    at = found["threshold"]
    if found["low"]:
        axes.fill_between(at, found["low"], found["high"], color=FUSED, alpha=0.15, linewidth=0)
    for way, style in _lines(found["ways"]):
        axes.plot(at, found["ways"][way], label=way, **style)
    axes.plot(at, found["all"], color="#444", linewidth=0.9, label="treat all")
    axes.axhline(0, color=GREY, linewidth=0.9, label="treat none")
    top = max(max(values) for values in (*found["ways"].values(), found["all"]))
    # Room above for the legend; what treating all costs beyond a fifth of the gain needs no room below.
    axes.set(xlim=(0, at[-1]), ylim=(-0.2 * max(top, 0.02), 1.6 * max(top, 0.02)))
    axes.legend(loc="upper right", ncol=2, columnspacing=1)


def _draw_differences(axes: Axes, found: Mapping) -> None:
    """What is gained in AUROC against each other way, and by each modality where it is there."""
    axes.set(title="AUROC of fused, less …", xlabel="difference, 95 % interval (DeLong)", box_aspect=1)
    rows = [
        *((f"{name} alone", less["delong"]) for name, less in found["compared"]["single"].items()),
        *((DISPLAY.get(name, name), less["delong"]) for name, less in found["compared"]["baselines"].items()),
        *((f"{name} hidden", hidden["difference"]["delong"]) for name, hidden in found["without"].items()),
    ]
    rows = [(name, less) for name, less in rows if less["value"] is not None]
    if not rows:
        _say(axes, "only one class:\nno difference")
        axes.set_yticks([])
        return
    axes.axvline(0, color=GREY, linewidth=0.7)
    for i, (_, less) in enumerate(rows):
        if less["low"] is not None:
            axes.plot((less["low"], less["high"]), (i, i), color=FUSED, linewidth=1.2)
        axes.plot(less["value"], i, "o", color=FUSED, markersize=4)
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.set(ylim=(len(rows) - 0.5, -0.5))
    axes.tick_params(axis="y", length=0)


def _draw_sets(axes: Axes, present: Mapping) -> None:
    axes.set(title="AUROC by what the record has", xlabel="AUROC of fused, 95 % interval", box_aspect=1)
    shown = [(name, at["fused"]) for name, at in present.items() if at["fused"]["auroc"]["value"] is not None]
    if not shown:
        _say(axes, "no set of modalities\nwith both classes")
        axes.set_yticks([])
        return
    lowest = 0.5
    for i, (_, m) in enumerate(shown):
        area = m["auroc"]
        if area["low"] is not None:
            axes.plot((area["low"], area["high"]), (i, i), color=FUSED, linewidth=1.2)
        axes.plot(area["value"], i, "o", color=FUSED, markersize=5)
        lowest = min(lowest, area["value"], area["value"] if area["low"] is None else area["low"])
    axes.axvline(0.5, color=GREY, linewidth=0.7)
    names = [f"{name}\nn = {m['n']}" for name, m in shown]
    axes.set_yticks(range(len(shown)), names)
    axes.set(ylim=(len(shown) - 0.5, -0.5), xlim=(max(0.0, lowest - 0.03), 1.01))
    axes.tick_params(axis="y", length=0)


def _say(axes: Axes, text: str) -> None:
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color="#666")


def _data_uri(figure: Figure) -> str:
    svg = io.BytesIO()
    figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return "data:image/svg+xml;base64," + base64.b64encode(svg.getvalue()).decode("ascii")
