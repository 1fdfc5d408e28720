"""Figures of how far averages can be relied on: rates slice by slice, money band by band, and how long answers take."""

from typing import Final

import numpy as np
import pandas as pd
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator
from numpy.typing import ArrayLike

from features.kernel import Int
from models.slices import slice_name
from pipelines.plots.drawing import (
    ACCENT,
    EDGE,
    INK,
    QUIET,
    STYLE,
    WARM,
    Floats,
    as_svg,
    axes_of,
    brief,
    percent,
    share_of,
    short,
)

WIDE: Final = 20
"""How many times the least of the rates the largest is where their axis is logarithmic."""
TOLD: Final = (0.5, 0.95)
"""Shares of answers whose age is told."""


def slices(found: pd.DataFrame) -> str:
    """Predicted and observed rate of each slice, as `models.slices.reliability` gives them."""
    with style.context(STYLE):
        figure, axes = axes_of(1.2 + 0.24 * (len(found) + found["slicing"].nunique() - 1))
        y = np.arange(len(found)) + (found["slicing"] != found["slicing"].shift()).cumsum().to_numpy() - 1
        numbers = found[["predicted", "observed", "low", "high"]].to_numpy(np.float64).T
        _pairs(axes, y, numbers, found["off"].to_numpy(np.bool_))
        names = [slice_name(row["slicing"], short(str(row["slice"]), 24)) for row in found.to_dict("records")]
        _rows(axes, y, names)
        _scale(axes, numbers)
        percent(axes.xaxis)
        axes.set_xlabel("predicted |, observed with its 95 % interval")
        off = int(found["off"].sum())
        return as_svg(figure, f"{off or 'None'} of {len(found)} slices {'is' if off < 2 else 'are'} off")


def losses(found: pd.DataFrame) -> str:
    """Predicted and observed loss of each band of the amount, as `models.loss.money` gives them, in whole currency."""
    with style.context(STYLE):
        bands, whole = found.iloc[:-1], found.iloc[-1]
        figure, axes = axes_of(1.3 + 0.3 * len(bands))
        y = np.arange(len(bands))
        _pairs(axes, y, bands[["predicted", "observed", "low", "high"]].to_numpy(np.float64).T / 100, bands["off"])
        _rows(axes, y, [str(band) for band in bands["band"]])
        axes.set_xlim(left=0)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: brief(value)))
        axes.set_xlabel("loss predicted |, observed with its 95 % interval")
        said = f"{whole['predicted'] / 100:,.0f} of loss predicted, {whole['observed'] / 100:,.0f} observed"
        return as_svg(figure, said)


def arrivals(curve: pd.DataFrame, mature_days: float) -> str:
    """The share of the answers that come which has come by each age, as `models.maturity.arrivals` gives it."""
    with style.context(STYLE):
        figure, axes = axes_of(3.0)
        days, answered = curve["days"].to_numpy(np.float64), curve["answered"].to_numpy(np.float64)
        share = answered / answered[-1]
        axes.step(days, share, where="post", color=ACCENT, linewidth=2.2)
        axes.axvline(mature_days, color=QUIET, linewidth=0.9, linestyle=(0, (2, 2)))
        axes.annotate(
            f"due at {mature_days:.3g} days",
            (mature_days, 0.04),
            (-4, 0),
            textcoords="offset points",
            ha="right",
            fontsize=8.5,
            color=QUIET,
        )
        axes.set(xlim=(0, 1.05 * max(days[-1], mature_days)), ylim=(0, 1.02), xlabel="days since the asking")
        axes.set_ylabel("share come by then")
        percent(axes.yaxis)
        half, most = (f"{days[np.searchsorted(share, part)]:.3g}" for part in TOLD)
        said = f"Half of the answers come within {half} days, {share_of(TOLD[1])} within {most}"
        return as_svg(figure, said)


def _pairs(axes: Axes, y: Floats | Int, numbers: Floats, off: ArrayLike) -> None:
    """What was predicted as a bar across, what was observed as a dot with its interval, warm where it is off."""
    predicted, observed, low, high = numbers
    for is_off, colour, marker in ((False, ACCENT, "o"), (True, WARM, "D")):
        m = np.asarray(off, np.bool_) == is_off
        axes.hlines(y[m], low[m], high[m], color=colour, linewidth=1.6, alpha=0.5)
        axes.scatter(observed[m], y[m], s=26, color=colour, marker=marker, zorder=3)
    axes.scatter(predicted, y, s=90, color=INK, marker="|", linewidth=1.6, zorder=4)


def _rows(axes: Axes, y: Floats | Int, names: list[str]) -> None:
    axes.set_yticks(y, names, fontsize=9, color=INK)
    axes.set_ylim(y[-1] + 0.7, -0.7)
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)


def _scale(axes: Axes, numbers: Floats) -> None:
    """A logarithmic axis where rates lie far apart, beginning at half of the least that is known."""
    least, most = float(numbers[:2][numbers[:2] > 0].min(initial=1.0)), float(numbers[:2].max(initial=0.0))
    if most > WIDE * least:
        axes.set_xscale("log")
        axes.set_xlim(left=least / 2)
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.set_xlim(left=0)
        axes.axvline(0, color=EDGE, linewidth=0.8)
