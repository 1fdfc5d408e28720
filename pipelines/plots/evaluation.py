"""Figures of how well a model does beside its baselines."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
from matplotlib import style
from matplotlib.ticker import NullLocator

from models.curves import Curves
from pipelines.plots.drawing import (
    ACCENT,
    MARKERS,
    PALE,
    QUIET,
    STYLE,
    WARM,
    as_svg,
    axes_of,
    colour_of,
    key,
    line,
    percent,
    share_of,
    short,
)

ROUND: Final = (1e-5, 1e-4, 1e-3, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999)
NEAR: Final = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
"""Probabilities marked on a scale of log-odds that reaches far, and on one that does not."""


def precision_recall(curves: Mapping[str, Curves], base_rate: float) -> str:
    """Precision against recall of the model, which comes first, and of the baselines.

    The first 2 % of recall, where precision jumps about, are left out.
    """
    with style.context(STYLE):
        figure, axes = axes_of(3.5)
        half = {name: _precision_at(c.precision_recall, 0.5) for name, c in curves.items()}
        for place, curve in enumerate(curves.values()):
            points = _settled(curve.precision_recall)
            line(axes, place, points["recall"], points["precision"])
        axes.set(xlim=(0, 1), xlabel="recall (share of the yes that is found)", ylabel="precision")
        axes.set_ylim(0, min(1.02, 1.1 * max(_settled(c.precision_recall)["precision"].max() for c in curves.values())))
        percent(axes.xaxis, axes.yaxis)
        key(axes, "precision when half is found", {name: share_of(p) for name, p in half.items()}, half)
        found = share_of(half[next(iter(curves))])
        return as_svg(
            figure,
            f"When half of the yes are found, {found} of the flagged are yes, against {share_of(base_rate)} of all",
        )


def money(curves: Mapping[str, Curves], reviewed: float = 0.01, asked: str = "orders") -> str:
    """The share of the yes' money caught against the share of what is asked about reviewed, highest score first."""
    with style.context(STYLE):
        figure, axes = axes_of(3.5)
        known = {name: c.money for name, c in curves.items() if c.money is not None}
        caught = {name: float(np.interp(reviewed, m["reviewed"], m["caught"])) for name, m in known.items()}
        start = min(reviewed, max(1e-3, min(float(m["reviewed"].iloc[1]) for m in known.values())))
        shares = np.geomspace(start, 1, 300)
        for place, points in enumerate(known.values()):
            line(axes, place, shares, np.interp(shares, points["reviewed"], points["caught"]))
        axes.axvline(reviewed, color=QUIET, linewidth=0.9, linestyle=(0, (2, 2)))
        axes.set(xscale="log", xlim=(start, 1), ylim=(0, 1.02), ylabel="share of the money caught")
        axes.set_xlabel(f"share of {asked} reviewed, highest score first (log scale)")
        axes.xaxis.set_minor_locator(NullLocator())
        percent(axes.xaxis, axes.yaxis)
        key(axes, f"caught at {share_of(reviewed)} reviewed", {name: share_of(c) for name, c in caught.items()}, caught)
        found = share_of(caught[next(iter(known))])
        return as_svg(figure, f"Reviewing {share_of(reviewed)} of {asked} catches {found} of the money")


def calibration(curve: Curves, logarithmic: bool | None = None) -> str:
    """Observed rate against predicted probability in equal-mass bins; the axes are logarithmic when both are small."""
    with style.context(STYLE):
        figure, axes = axes_of(3.5)
        bins = curve.calibration
        x, y, low, high = (bins[name].to_numpy(np.float64) for name in ("predicted", "observed", "low", "high"))
        within = (low <= x) & (x <= high)
        logarithmic = bool(np.median(x) < 0.05) if logarithmic is None else logarithmic
        top, floor = min(1.0, 1.3 * max(x.max(), high.max())), 0.0
        if logarithmic:
            floor = max(0.5 * min(v[v > 0].min() for v in (x, y, high) if (v > 0).any()), 1e-6)
            x = np.maximum(x, floor)
            axes.set(xscale="log", yscale="log")
            axes.xaxis.set_minor_locator(NullLocator())
            axes.yaxis.set_minor_locator(NullLocator())
        axes.plot([floor, top], [floor, top], color=QUIET, linewidth=0.9, linestyle=(0, (2, 2)))
        for inside, colour, marker in ((True, ACCENT, "o"), (False, WARM, "D")):
            m = within == inside
            axes.vlines(x[m], np.maximum(low[m], floor), high[m], color=colour, linewidth=1.6, alpha=0.5)
            face = np.where(y[m] > 0, colour, "white")
            axes.scatter(
                x[m], np.maximum(y[m], floor), s=30, c=face, edgecolor=colour, zorder=3, marker=marker, clip_on=False
            )
        axes.set(xlim=(floor, top), ylim=(floor, top), ylabel="observed rate, 95 % interval")
        axes.set_xlabel("predicted probability, mean of bin" + (" (both axes logarithmic)" if logarithmic else ""))
        percent(axes.xaxis, axes.yaxis)
        agree = f"all {len(x)}" if within.all() else f"{within.sum()} of {len(x)}"
        return as_svg(figure, f"The prediction lies within the interval of what was observed in {agree} bins")


def scores(curve: Curves) -> str:
    """How the scores of yes and of no spread, each as shares of its own."""
    with style.context(STYLE):
        figure, axes = axes_of(3.1)
        steps = curve.histogram
        edges = np.append(steps["low"].to_numpy(), steps["high"].iloc[-1])
        odds = np.log(edges / (1 - edges))
        tallest = 0.0
        for place, (answer, colour, text) in enumerate((("no", PALE, QUIET), ("yes", ACCENT, ACCENT))):
            share = steps[answer].to_numpy() / steps[answer].sum()
            axes.stairs(share, odds, fill=True, color=colour, alpha=0.25)
            axes.stairs(share, odds, color=colour, linewidth=1.5)
            tallest = max(tallest, float(share.max()))
            name, spot = f"{steps[answer].sum():,} {answer}", (1.03, 0.94 - 0.1 * place)
            axes.annotate(name, spot, xycoords="axes fraction", va="center", color=text, fontweight="bold")
        axes.set(ylim=(0, 1.08 * tallest), xlim=(odds[0], odds[-1]), xlabel="probability (scale of log-odds)")
        axes.set_ylabel("share of each answer")
        marks = ROUND if edges[0] < 0.02 or edges[-1] > 0.98 else NEAR
        ticks = [t for t in marks if edges[0] <= t <= edges[-1]]
        axes.set_xticks([float(np.log(t / (1 - t))) for t in ticks], [share_of(t) for t in ticks])
        percent(axes.yaxis)
        return as_svg(figure, _apart(steps))


def folds(table: pd.DataFrame, label: str, form: str = ".3f") -> str:
    """One metric fold by fold: `table` has fold, predictor, estimate, low, high, the model's rows first."""
    with style.context(STYLE):
        figure, axes = axes_of(3.4)
        names, spans = list(dict.fromkeys(table["predictor"])), list(dict.fromkeys(table["fold"]))
        for place, name in enumerate(names):
            part = table[table["predictor"] == name]
            x = np.array([spans.index(fold) for fold in part["fold"]]) + 0.11 * (place - (len(names) - 1) / 2)
            axes.vlines(x, part["low"], part["high"], color=colour_of(place), linewidth=1.3, alpha=0.6)
            face, marker = "white" if place else ACCENT, MARKERS[place % len(MARKERS)]
            axes.scatter(
                x,
                part["estimate"],
                s=24 if place else 36,
                marker=marker,
                color=face,
                edgecolor=colour_of(place),
                zorder=3,
            )
        ticks = [short(str(fold), 12) for fold in spans]
        crowded = len("".join(ticks)) > 34
        axes.set_xticks(range(len(spans)), ticks, rotation=40 if crowded else 0, ha="right" if crowded else "center")
        axes.set(xlim=(-0.5, len(spans) - 0.5), ylabel=label)
        axes.grid(axis="x", visible=False)
        means = {name: float(table.loc[table["predictor"] == name, "estimate"].mean()) for name in names}
        key(axes, "mean of the folds", {name: f"{mean:{form}}" for name, mean in means.items()}, means, MARKERS)
        own = table.loc[table["predictor"] == names[0], "estimate"]
        return as_svg(
            figure,
            f"{label[:1].upper()}{label[1:]} from {own.min():{form}} to {own.max():{form}} over {len(own)} folds",
        )


def _precision_at(points: pd.DataFrame, recall: float) -> float:
    """The precision at the first kept point that reaches `recall`."""
    return float(points["precision"].to_numpy()[np.searchsorted(points["recall"].to_numpy(), recall)])


def _settled(points: pd.DataFrame) -> pd.DataFrame:
    return points.loc[points["recall"] >= min(0.02, float(points["recall"].max()))]


def _apart(steps: pd.DataFrame) -> str:
    """The finding of a histogram: how many of each answer lie above the step that best splits the yes in half."""
    above = {a: 1 - np.cumsum(steps[a].to_numpy()) / steps[a].sum() for a in ("no", "yes")}
    step = int(np.abs(above["yes"] - 0.5).argmin())
    yes, no, edge = (share_of(s) for s in (above["yes"][step], above["no"][step], steps["high"].iloc[step]))
    return f"{yes} of the yes score above {edge}, and {no} of the no"
