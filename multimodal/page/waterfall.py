"""How each modality moved the log-odds: one small plot per target, from the base rate to the answer."""

from __future__ import annotations

import base64
import io

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from ..records import TargetPrediction

BASE, ANSWER = "#8a8f98", "#0b4f6c"
# Okabe and Ito's palette, told apart by colour-blind readers too.
COLOURS = ("#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
SHARES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97, 0.99, 0.997, 0.999)
STYLE = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.edgecolor": BASE,
    "xtick.color": "#444",
    "svg.hashsalt": "multimodal",
}


def waterfall(found: TargetPrediction, modalities: tuple[str, ...], *, exclusive: bool) -> str:
    """The steps from the baseline through each contribution to the answer, as the data URI of an SVG.

    modalities  all of the model, so that each keeps its colour
    exclusive   a class of a group: the axis shows its input to the softmax, which is no probability by itself
    """
    steps = list(found.contributions.items())
    ends = found.baseline + np.cumsum([0.0, *(value for _, value in steps)])
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(4.6, 0.62 + 0.27 * (len(steps) + 2)), layout="constrained")
        axes = figure.subplots()
        low, high = min(ends.min(), 0.0), max(ends.max(), 0.0)
        room = 0.16 * max(high - low, 2.0)
        axes.set(xlim=(low - room, high + room), ylim=(len(steps) + 1.6, -0.6))
        axes.axvline(0, color="#d5d8dc", linewidth=0.8, zorder=0)
        _point(axes, 0, ends[0], BASE, exclusive)
        for row, (name, value) in enumerate(steps, 1):
            start, end = ends[row - 1], ends[row]
            axes.plot((start, start), (row - 1, row + 0.32), color=BASE, linewidth=0.7, zorder=1)
            axes.barh(row, value, left=start, height=0.62, color=COLOURS[modalities.index(name) % len(COLOURS)])
            beyond, side = (max(start, end), "left") if value >= 0 else (min(start, end), "right")
            gap = 0.02 * (high - low + 2 * room) * (1 if side == "left" else -1)
            axes.text(beyond + gap, row, f"{value:+.2f}", ha=side, va="center", fontsize=8, color="#333")
        axes.plot((ends[-1],) * 2, (len(steps), len(steps) + 1), color=BASE, linewidth=0.7, zorder=1)
        _point(axes, len(steps) + 1, ends[-1], ANSWER, exclusive)
        axes.set_yticks(range(len(steps) + 2), ["base rate", *(name for name, _ in steps), "answer"])
        axes.tick_params(axis="y", length=0)
        if exclusive:
            axes.set_xlabel("log-odds, before the softmax", fontsize=8, color="#444")
        else:
            ticks = _ticks(low - room, high + room)
            axes.set_xticks(list(ticks), [f"{share:g}" for share in ticks.values()])
            axes.set_xlabel("probability, on the scale of log-odds", fontsize=8, color="#444")
        svg = io.BytesIO()
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return "data:image/svg+xml;base64," + base64.b64encode(svg.getvalue()).decode("ascii")


def _ticks(low: float, high: float) -> dict[float, float]:
    """{log-odds: probability} of round probabilities between two log-odds, not so many that they touch."""
    ticks: dict[float, float] = {}
    for share in SHARES:
        at = float(np.log(share / (1 - share)))
        if low <= at <= high and (not ticks or at - max(ticks) > 0.09 * (high - low)):
            ticks[at] = share
    return ticks


def _point(axes, row: int, at: float, colour: str, exclusive: bool) -> None:
    axes.plot(at, row, "o", color=colour, markersize=6, zorder=3)
    text = f"{at:.2f}" if exclusive else f"{1 / (1 + np.exp(-at)):.2f}"
    axes.annotate(text, (at, row), (7, 0), textcoords="offset points", va="center", fontsize=8, color=colour)
