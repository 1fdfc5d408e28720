"""Figures of a simulated marketplace: how far single signals reach, and what changes at its turn."""

from collections.abc import Mapping

import numpy as np
from matplotlib import style
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from pipelines.plots.drawing import (
    ACCENT,
    INK,
    PALE,
    QUIET,
    STYLE,
    WARM,
    as_svg,
    axes_of,
    key,
    line,
    percent,
    share_of,
    short,
)


def reach(found: Mapping[str, tuple[float, str]], limit: float) -> str:
    """The best single signal against each hidden cause as a bar from an AUC of one half, and the limit it must not pass.

    `found` holds for each cause the AUC and the signal's name.
    """
    with style.context(STYLE):
        names = sorted(found, key=lambda name: (-found[name][0], name))
        figure, axes = axes_of(1.2 + 0.25 * len(names))
        for place, name in enumerate(names):
            auc, signal = found[name]
            axes.barh(place, auc - 0.5, left=0.5, color=WARM if auc > limit else ACCENT, height=0.62)
            text = f"{auc:.2f}  {short(signal, 30)}"
            plain = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
            axes.annotate(
                text, (auc, place), (5, 0), textcoords="offset points", va="center", fontsize=8, color=QUIET, bbox=plain
            )
        axes.axvline(limit, color=WARM, linewidth=0.9, linestyle=(0, (2, 2)), zorder=1)
        axes.set(xlim=(0.5, 1.2), ylim=(len(names) - 0.4, -0.6), xlabel="AUC of the strongest single signal")
        axes.set_xticks([0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
        axes.set_yticks(range(len(names)), names, fontsize=9, color=INK)
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)
        over = sum(auc > limit for auc, _ in found.values())
        none = f"No signal alone separates a hidden cause beyond {limit:g}"
        return as_svg(figure, none if not over else f"Single signals separate {over} hidden causes beyond {limit:g}")


def turns(rates: Mapping[str, ArrayLike], turn: float, says: str, label: str) -> str:
    """Rates by month, the one that turns first and in front, with a line at the month of the turn; `says` what turns."""
    with style.context(STYLE):
        figure, axes = axes_of(3.1)
        known = {name: np.asarray(rate, np.float64) for name, rate in rates.items()}
        for place, rate in enumerate(known.values()):
            line(axes, place, np.arange(1, len(rate) + 1), rate)
        axes.axvline(turn, color=PALE, linewidth=0.9, linestyle=(0, (2, 2)))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(xlabel="month", ylabel=label, xlim=(1, max(map(len, known.values()))))
        axes.set_ylim(0, 1.1 * max(1e-6, max(np.nanmax(rate, initial=0) for rate in known.values())))
        percent(axes.yaxis)
        first = next(iter(known.values()))
        was = float(np.nanmean(first[: int(turn) - 1])) if turn > 2 else 0.0
        later = {
            name: float(np.nanmean(rate[int(np.ceil(turn)) - 1 :])) if rate.size > turn else 0.0
            for name, rate in known.items()
        }
        key(axes, "after the turn", {name: share_of(rate) for name, rate in later.items()}, later)
        return as_svg(figure, f"{says}: {share_of(was)} before, {share_of(next(iter(later.values())))} after")
