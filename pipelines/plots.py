"""Figures as SVG text: one accent for the model, greys for the baselines, titles that say the finding.

The same arrays give the same bytes. Text stays text, so a page shows it in its own typeface.
"""

import hashlib
import io
import re
import textwrap
from collections.abc import Mapping
from html import escape
from typing import Final

import numpy as np
import pandas as pd
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import ArrayLike, NDArray

from models.curves import Curves

Floats = NDArray[np.float64]

ACCENT: Final = "#0f6e84"
WARM: Final = "#b9541c"
INK: Final = "#1d2733"
QUIET: Final = "#5f6b7a"
PALE: Final = "#98a2af"
EDGE: Final = "#b8c0ca"
DASHES: Final = ("-", (0, (5, 2)), (0, (1.2, 1.6)), (0, (6, 2, 1.2, 2)))
"""Dashes of the baselines in turn, which are told apart without colour."""
NBSP: Final = "\N{NO-BREAK SPACE}"
MARKERS: Final = "osD^v"

STYLE: Final[dict[str, object]] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "redress",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 10.0,
    "text.color": INK,
    "axes.edgecolor": EDGE,
    "axes.labelcolor": QUIET,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.linewidth": 0.8,
    "grid.color": "#e4e8ed",
    "grid.linewidth": 0.7,
    "xtick.color": EDGE,
    "ytick.color": EDGE,
    "xtick.labelcolor": QUIET,
    "ytick.labelcolor": QUIET,
    "xtick.major.size": 3.0,
    "ytick.major.size": 0.0,
}
ROUND: Final = (1e-5, 1e-4, 1e-3, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999)
NEAR: Final = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
"""Probabilities marked on a scale of log-odds that reaches far, and on one that does not."""
WIDTH: Final = 5.5
LINE: Final = 56
"""Inches of a figure, and how many characters of its title fit on one line."""


def precision_recall(curves: Mapping[str, Curves], base_rate: float) -> str:
    """Precision against recall of the model, which comes first, and of the baselines.

    The first 2 % of recall, where precision jumps about, are left out.
    """
    with style.context(STYLE):
        figure, axes = _axes(3.5)
        half = {name: _precision_at(c.precision_recall, 0.5) for name, c in curves.items()}
        for place, curve in enumerate(curves.values()):
            points = _settled(curve.precision_recall)
            _plot(axes, place, points["recall"], points["precision"])
        axes.set(xlim=(0, 1), xlabel="recall (share of the yes that is found)", ylabel="precision")
        axes.set_ylim(0, min(1.02, 1.1 * max(_settled(c.precision_recall)["precision"].max() for c in curves.values())))
        _percent(axes.xaxis, axes.yaxis)
        _key(axes, "precision when half is found", {name: _share(p) for name, p in half.items()}, half)
        found = _share(half[next(iter(curves))])
        return _svg(
            figure,
            f"When half of the yes are found, {found} of the flagged are yes, against {_share(base_rate)} of all",
        )


def money(curves: Mapping[str, Curves], reviewed: float = 0.01, asked: str = "orders") -> str:
    """The share of the yes' money caught against the share of what is asked about reviewed, highest score first."""
    with style.context(STYLE):
        figure, axes = _axes(3.5)
        known = {name: c.money for name, c in curves.items() if c.money is not None}
        caught = {name: float(np.interp(reviewed, m["reviewed"], m["caught"])) for name, m in known.items()}
        start = min(reviewed, max(1e-3, min(float(m["reviewed"].iloc[1]) for m in known.values())))
        shares = np.geomspace(start, 1, 300)
        for place, points in enumerate(known.values()):
            _plot(axes, place, shares, np.interp(shares, points["reviewed"], points["caught"]))
        axes.axvline(reviewed, color=QUIET, linewidth=0.9, linestyle=(0, (2, 2)))
        axes.set(xscale="log", xlim=(start, 1), ylim=(0, 1.02), ylabel="share of the money caught")
        axes.set_xlabel(f"share of {asked} reviewed, highest score first (log scale)")
        axes.xaxis.set_minor_locator(NullLocator())
        _percent(axes.xaxis, axes.yaxis)
        _key(axes, f"caught at {_share(reviewed)} reviewed", {name: _share(c) for name, c in caught.items()}, caught)
        found = _share(caught[next(iter(known))])
        return _svg(figure, f"Reviewing {_share(reviewed)} of {asked} catches {found} of the money")


def calibration(curve: Curves, logarithmic: bool | None = None) -> str:
    """Observed rate against predicted probability in equal-mass bins; the axes are logarithmic when both are small."""
    with style.context(STYLE):
        figure, axes = _axes(3.5)
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
        _percent(axes.xaxis, axes.yaxis)
        agree = f"all {len(x)}" if within.all() else f"{within.sum()} of {len(x)}"
        return _svg(figure, f"The prediction lies within the interval of what was observed in {agree} bins")


def scores(curve: Curves) -> str:
    """How the scores of yes and of no spread, each as shares of its own."""
    with style.context(STYLE):
        figure, axes = _axes(3.1)
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
        axes.set_xticks([float(np.log(t / (1 - t))) for t in ticks], [_share(t) for t in ticks])
        _percent(axes.yaxis)
        return _svg(figure, _apart(steps))


def signals(importance: Mapping[str, float], effect: Mapping[str, float] | None = None, most: int = 20) -> str:
    """The most important signals as bars; `effect` says how the answer moves with them, from -1 to 1."""
    with style.context(STYLE):
        best = sorted(importance, key=lambda name: (-importance[name], name))[:most]
        figure, axes = _axes(1.1 + 0.25 * len(best))
        total = sum(importance.values()) or 1.0
        for place, name in enumerate(best):
            share = importance[name] / total
            colour, hint = (ACCENT, "") if effect is None else _direction(effect.get(name))
            axes.barh(place, share, color=colour, height=0.62)
            text = f"{_share(share)}  {hint}".strip()
            axes.annotate(
                text, (share, place), (5, 0), textcoords="offset points", va="center", fontsize=8.5, color=QUIET
            )
        axes.set(xlim=(0, 1.4 * importance[best[0]] / total), ylim=(len(best) - 0.4, -0.6))
        axes.set_xlabel("share of all importance")
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.set_yticks(range(len(best)), [_short(name) for name in best], fontsize=9, color=INK)
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)
        _percent(axes.xaxis)
        together = _share(sum(importance[name] for name in best) / total)
        return _svg(
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
            axes.set_title(_short(name, 32), loc="left", fontsize=7.5, fontweight="bold")
        for axes in panels[len(moves) :]:
            axes.set_visible(False)
        figure.supylabel("contribution to log-odds", fontsize=9.5, color=QUIET)
        widest = max(span, key=lambda name: span[name])
        return _svg(figure, f"{widest} moves the odds most, {np.exp(span[widest]):,.1f}-fold")


def folds(table: pd.DataFrame, label: str, form: str = ".3f") -> str:
    """One metric fold by fold: `table` has fold, predictor, estimate, low, high, the model's rows first."""
    with style.context(STYLE):
        figure, axes = _axes(3.4)
        names, spans = list(dict.fromkeys(table["predictor"])), list(dict.fromkeys(table["fold"]))
        for place, name in enumerate(names):
            part = table[table["predictor"] == name]
            x = np.array([spans.index(fold) for fold in part["fold"]]) + 0.11 * (place - (len(names) - 1) / 2)
            axes.vlines(x, part["low"], part["high"], color=_colour(place), linewidth=1.3, alpha=0.6)
            face, marker = "white" if place else ACCENT, MARKERS[place % len(MARKERS)]
            axes.scatter(
                x,
                part["estimate"],
                s=24 if place else 36,
                marker=marker,
                color=face,
                edgecolor=_colour(place),
                zorder=3,
            )
        ticks = [_short(str(fold), 12) for fold in spans]
        crowded = len("".join(ticks)) > 34
        axes.set_xticks(range(len(spans)), ticks, rotation=40 if crowded else 0, ha="right" if crowded else "center")
        axes.set(xlim=(-0.5, len(spans) - 0.5), ylabel=label)
        axes.grid(axis="x", visible=False)
        means = {name: float(table.loc[table["predictor"] == name, "estimate"].mean()) for name in names}
        _key(axes, "mean of the folds", {name: f"{mean:{form}}" for name, mean in means.items()}, means, MARKERS)
        own = table.loc[table["predictor"] == names[0], "estimate"]
        return _svg(
            figure,
            f"{label[:1].upper()}{label[1:]} from {own.min():{form}} to {own.max():{form}} over {len(own)} folds",
        )


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
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _brief(value)))
    axes.tick_params(labelsize=8)
    if known.all():
        return float(np.ptp(y))
    unknown = float(contributions[~known].mean())
    axes.axhline(unknown, color=WARM, linewidth=1.0, linestyle=(0, (2, 2)))
    axes.annotate(
        f"unknown ({_share(1 - known.mean())})",
        (1, unknown),
        (0, 2),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="right",
        fontsize=7.5,
        color=WARM,
    )
    return float(np.ptp(np.append(y, unknown)))


def _axes(height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.add_subplot()


def _plot(axes: Axes, place: int, x: ArrayLike, y: ArrayLike) -> None:
    """The line of the predictor at `place`, the model being 0 and in front."""
    dashes = "-" if place == 0 else DASHES[(place - 1) % len(DASHES)]
    axes.plot(x, y, color=_colour(place), linestyle=dashes, linewidth=1.4 if place else 2.4, zorder=2.5 if place else 3)


def _colour(place: int) -> str:
    return (QUIET, PALE)[(place - 1) % 2] if place else ACCENT


def _key(axes: Axes, heading: str, shown: Mapping[str, str], value: Mapping[str, float], markers: str = "") -> None:
    """Names and numbers beside the axes, the highest first, each with its own line or marker."""
    axes.annotate(heading, (1.03, 0.97), xycoords="axes fraction", fontsize=8.5, color=QUIET)
    places = {name: place for place, name in enumerate(shown)}
    for row, name in enumerate(sorted(shown, key=lambda name: -value[name])):
        place, y = places[name], 0.89 - 0.085 * row
        if markers:
            face, marker = "white" if place else ACCENT, markers[place % len(markers)]
            axes.scatter(
                1.065, y, s=24, c=face, marker=marker, edgecolor=_colour(place), transform=axes.transAxes, clip_on=False
            )
        else:
            _plot(axes, place, [1.03, 1.1], [y, y])
            axes.lines[-1].set(transform=axes.transAxes, clip_on=False)
        text, weight = f"{shown[name]}  {_short(name, 24)}", "normal" if place else "bold"
        axes.annotate(text, (1.12, y), xycoords="axes fraction", va="center", fontsize=9, fontweight=weight)


def _percent(*axes: Axis) -> None:
    for axis in axes:
        axis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.6g}{NBSP}%"))


def _share(share: float) -> str:
    """A share in percent with two digits that count.

    >>> [_share(s) for s in (0, 0.00012, 0.0234, 0.5, 1)]
    ['0\xa0%', '0.012\xa0%', '2.3\xa0%', '50\xa0%', '100\xa0%']
    """
    digits = 0 if share == 0 else min(max(1 - int(np.floor(np.log10(abs(100 * share)) + 1e-9)), 0), 4)
    text = f"{100 * share:.{digits}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text}{NBSP}%"


def _brief(value: float) -> str:
    """A number on an axis, thousands and millions as k and M.

    >>> [_brief(v) for v in (0.05, 400, 2500, 20_000, 1.5e6)]
    ['0.05', '400', '2500', '20k', '1.5M']
    """
    size, unit = next((s for s in ((1e6, "M"), (1e4, "k")) if abs(value) >= s[0]), (1.0, ""))
    return f"{value / (1e3 if unit == 'k' else size):.4g}{unit}"


def _short(name: str, most: int = 34) -> str:
    """A name with its middle left out where it is too long: how it ends, the window, tells it from its neighbours.

    >>> _short("seller_orders_count_30d", 15)
    'seller_…unt_30d'
    """
    half = (most - 1) // 2
    return name if len(name) <= most else f"{name[: most - 1 - half]}…{name[-half:]}"


def _direction(effect: float | None) -> tuple[str, str]:
    if effect is None:
        return PALE, ""
    return (WARM, "▲ raises") if effect > 0.1 else (ACCENT, "▼ lowers") if effect < -0.1 else (PALE, "both ways")


def _precision_at(points: pd.DataFrame, recall: float) -> float:
    """The precision at the first kept point that reaches `recall`."""
    return float(points["precision"].to_numpy()[np.searchsorted(points["recall"].to_numpy(), recall)])


def _settled(points: pd.DataFrame) -> pd.DataFrame:
    return points.loc[points["recall"] >= min(0.02, float(points["recall"].max()))]


def _apart(steps: pd.DataFrame) -> str:
    """The finding of a histogram: how many of each answer lie above the step that best splits the yes in half."""
    above = {a: 1 - np.cumsum(steps[a].to_numpy()) / steps[a].sum() for a in ("no", "yes")}
    step = int(np.abs(above["yes"] - 0.5).argmin())
    yes, no, edge = (_share(s) for s in (above["yes"][step], above["no"][step], steps["high"].iloc[step]))
    return f"{yes} of the yes score above {edge}, and {no} of the no"


def _svg(figure: Figure, title: str) -> str:
    """The figure as an SVG element that can stand in a page: titled, without prologue, its ids its own."""
    wrapped = textwrap.fill(title, LINE)
    figure.suptitle(wrapped, x=0.01, ha="left", fontsize=11.5, fontweight="bold", linespacing=1.25)
    out = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(out, format="svg", metadata=nothing)
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", out.getvalue()[out.getvalue().index("<svg") :], flags=re.DOTALL)
    name = hashlib.sha256(svg.encode()).hexdigest()[:8]
    svg = re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escape(title)}" ', 1)
