"""The report's pictures: SVG as data URIs, so that the page stands alone. The same figures give the same bytes."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

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
    "legend.frameon": False,
    "legend.fontsize": 8,
    "svg.hashsalt": "multimodal",
}


def target_plot(curves: Mapping, found: Mapping) -> str:
    """ROC, calibration and AUROC per set of modalities of one target.

    curves  of `tabulate.curves`, this target's
    found   of metrics.json, this target's
    Returns the data URI of one SVG.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 3.3), layout="constrained")
        roc, calibration, sets = figure.subplots(1, 3)
        _draw_roc(roc, curves["roc"], found)
        _draw_calibration(calibration, curves["calibration"])
        _draw_sets(sets, found["present"])
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


def _draw_roc(axes: Axes, roc: Mapping, found: Mapping) -> None:
    axes.set(title="ROC", xlabel="1 − specificity", ylabel="sensitivity", xlim=(0, 1), ylim=(0, 1.01), aspect="equal")
    axes.plot((0, 1), (0, 1), color=GREY, linewidth=0.7)
    if not roc:
        _say(axes, "only one class:\nno curve")
        return
    area = found["fused"]["auroc"]["value"]
    axes.plot(*roc["fused"], color=FUSED, linewidth=2.2, zorder=5, label=f"fused {area:.2f}")
    singles = [name for name in roc if name != "fused"]
    for name, (colour, line) in zip(singles, SINGLE * len(singles)):
        area = found["single"][name]["auroc"]["value"]
        axes.plot(*roc[name], color=colour, linestyle=line, linewidth=1.3, label=f"{name} {area:.2f}")
    axes.legend(loc="lower right", title="AUROC", title_fontsize=8, alignment="left")


def _draw_calibration(axes: Axes, bins: Sequence[Mapping]) -> None:
    axes.set(title="Calibration", xlabel="predicted probability", ylabel="observed share")
    if not bins:
        _say(axes, "no records")
        return
    mean, observed, low, high = (np.array([b[key] for b in bins]) for key in ("mean", "observed", "low", "high"))
    # Rare events fill only the lower corner: the axes end where the bins do.
    end = min(1.0, 1.05 * max(mean.max(), high.max(), 0.05))
    axes.set(xlim=(0, end), ylim=(0, end * 1.01), aspect="equal")
    axes.plot((0, 1), (0, 1), color=GREY, linewidth=0.7)
    axes.errorbar(
        mean, observed, yerr=(observed - low, high - observed), color=FUSED, fmt="o", markersize=4, linewidth=1
    )


def _draw_sets(axes: Axes, present: Mapping) -> None:
    axes.set(title="By what the record has", xlabel="AUROC of fused, 95 % interval", box_aspect=1)
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
