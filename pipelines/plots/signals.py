"""Figures of which signals weigh most, and how they move the odds."""

from collections.abc import Mapping

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import ArrayLike

from pipelines.plots.drawing import (
    ACCENT,
    EDGE,
    INK,
    PALE,
    QUIET,
    STYLE,
    WARM,
    WIDTH,
    Floats,
    as_svg,
    axes_of,
    brief,
    percent,
    share_of,
    short,
)


def signals(importance: Mapping[str, float], effect: Mapping[str, float] | None = None, most: int = 20) -> str:
    """The most important signals as bars; `effect` says how the answer moves with them, from -1 to 1."""
    with style.context(STYLE):
        best = sorted(importance, key=lambda name: (-importance[name], name))[:most]
        figure, axes = axes_of(1.1 + 0.25 * len(best))
        total = sum(importance.values()) or 1.0
        for place, name in enumerate(best):
            share = importance[name] / total
            colour, hint = (ACCENT, "") if effect is None else _direction(effect.get(name))
            axes.barh(place, share, color=colour, height=0.62)
            text = f"{share_of(share)}  {hint}".strip()
            axes.annotate(
                text, (share, place), (5, 0), textcoords="offset points", va="center", fontsize=8.5, color=QUIET
            )
        axes.set(xlim=(0, 1.4 * importance[best[0]] / total), ylim=(len(best) - 0.4, -0.6))
        axes.set_xlabel("share of all importance")
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.set_yticks(range(len(best)), [short(name) for name in best], fontsize=9, color=INK)
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)
        percent(axes.xaxis)
        together = share_of(sum(importance[name] for name in best) / total)
        return as_svg(
            figure, f"{best[0]} counts most; the first {len(best)} of {len(importance):,} signals make up {together}"
        )


def effects(moves: Mapping[str, tuple[ArrayLike, ArrayLike]], bins: int = 20, columns: int = 2) -> str:
    """How each signal moves the log-odds: mean in equal-mass bins of its value, the middle 80 % as a band.

    `moves` holds for each signal its values, NaN unknown, and its contributions to the log-odds, row by row.
    """
    with style.context(STYLE):
        rows = -(-len(moves) // columns)
        figure = Figure(figsize=(WIDTH, 0.7 + 1.7 * rows), layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
        span: dict[str, float] = {}
        for axes, (name, (values, contributions)) in zip(panels, moves.items(), strict=False):
            span[name] = _effect(axes, np.asarray(values, np.float64), np.asarray(contributions, np.float64), bins)
            axes.set_title(short(name, 32), loc="left", fontsize=7.5, fontweight="bold")
        for axes in panels[len(moves) :]:
            axes.set_visible(False)
        figure.supylabel("contribution to log-odds", fontsize=9.5, color=QUIET)
        widest = max(span, key=lambda name: span[name])
        return as_svg(figure, f"{widest} moves the odds most, {np.exp(span[widest]):,.1f}-fold")


def _effect(axes: Axes, values: Floats, contributions: Floats, bins: int) -> float:
    """Draws one signal and returns how far apart, in log-odds, its bins lie."""
    known = np.isfinite(values)
    v, c = values[known], contributions[known]
    edges = np.unique(np.quantile(v, np.arange(1, bins) / bins)) if len(v) else v
    groups = [m for m in (np.searchsorted(edges, v, side="right") == b for b in range(len(edges) + 1)) if m.any()]
    x, y = np.array([v[m].mean() for m in groups]), np.array([c[m].mean() for m in groups])
    axes.axhline(0, color=EDGE, linewidth=0.8)
    if len(x):
        low, high = np.array([np.percentile(c[m], (10, 90)) for m in groups]).T
        axes.fill_between(x, low, high, color=ACCENT, alpha=0.15, linewidth=0)
        axes.plot(x, y, color=ACCENT, linewidth=1.8, marker="o", markersize=2.6)
        if np.abs(x).max() > 15 * max(np.median(np.abs(x)), 1e-9):
            axes.set_xscale("symlog", linthresh=max(float(np.median(np.abs(x))), 1.0))
            axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: brief(value)))
    axes.tick_params(labelsize=8)
    if known.all():
        return float(np.ptp(y))
    unknown = float(contributions[~known].mean())
    axes.axhline(unknown, color=WARM, linewidth=1.0, linestyle=(0, (2, 2)))
    axes.annotate(
        f"unknown ({share_of(1 - known.mean())})",
        (1, unknown),
        (0, 2),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="right",
        fontsize=7.5,
        color=WARM,
    )
    return float(np.ptp(np.append(y, unknown)))


def _direction(effect: float | None) -> tuple[str, str]:
    if effect is None:
        return PALE, ""
    return (WARM, "▲ raises") if effect > 0.1 else (ACCENT, "▼ lowers") if effect < -0.1 else (PALE, "both ways")
