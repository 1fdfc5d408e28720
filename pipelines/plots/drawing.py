"""Drawing: the look of all figures, axes with keys, numbers as they print, and the figure as SVG text."""

import hashlib
import io
import re
import textwrap
from collections.abc import Mapping
from html import escape
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

ACCENT: Final = "#0f6e84"
WARM: Final = "#b9541c"
INK: Final = "#1d2733"
QUIET: Final = "#5f6b7a"
PALE: Final = "#98a2af"
EDGE: Final = "#b8c0ca"
DASHES: Final = ("-", (0, (5, 2)), (0, (1.2, 1.6)), (0, (6, 2, 1.2, 2)), (0, (3, 1.2)), (0, (9, 2)))
"""Dashes of the baselines in turn, which are told apart without colour."""
NBSP: Final = "\N{NO-BREAK SPACE}"
MARKERS: Final = "osD^vPX"

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
WIDTH: Final = 5.5
LINE: Final = 56
"""Inches of a figure, and how many characters of its title fit on one line."""


def axes_of(height: float) -> tuple[Figure, Axes]:
    """A figure of the usual width with one pair of axes."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.add_subplot()


def line(axes: Axes, place: int, x: ArrayLike, y: ArrayLike) -> None:
    """The line of the predictor at `place`, the model being 0 and in front."""
    dashes = "-" if place == 0 else DASHES[(place - 1) % len(DASHES)]
    axes.plot(
        x, y, color=colour_of(place), linestyle=dashes, linewidth=1.4 if place else 2.4, zorder=2.5 if place else 3
    )


def colour_of(place: int) -> str:
    """The colour of the predictor at `place`: the accent, then greys in turn."""
    return (QUIET, PALE)[(place - 1) % 2] if place else ACCENT


def key(axes: Axes, heading: str, shown: Mapping[str, str], value: Mapping[str, float], markers: str = "") -> None:
    """Names and numbers beside the axes, the highest first, each with its own line or marker."""
    axes.annotate(heading, (1.03, 0.97), xycoords="axes fraction", fontsize=8.5, color=QUIET)
    places = {name: place for place, name in enumerate(shown)}
    for row, name in enumerate(sorted(shown, key=lambda name: -value[name])):
        place, y = places[name], 0.89 - 0.085 * row
        if markers:
            face, marker = "white" if place else ACCENT, markers[place % len(markers)]
            axes.scatter(
                1.065,
                y,
                s=24,
                c=face,
                marker=marker,
                edgecolor=colour_of(place),
                transform=axes.transAxes,
                clip_on=False,
            )
        else:
            line(axes, place, [1.03, 1.1], [y, y])
            axes.lines[-1].set(transform=axes.transAxes, clip_on=False)
        text, weight = f"{shown[name]}  {short(name, 24)}", "normal" if place else "bold"
        axes.annotate(text, (1.12, y), xycoords="axes fraction", va="center", fontsize=9, fontweight=weight)


def percent(*axes: Axis) -> None:
    """Makes axes print shares in percent."""
    for axis in axes:
        axis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.6g}{NBSP}%"))


def share_of(share: float) -> str:
    """A share in percent with two digits that count.

    >>> [share_of(s) for s in (0, 0.00012, 0.0234, 0.5, 1)]
    ['0\xa0%', '0.012\xa0%', '2.3\xa0%', '50\xa0%', '100\xa0%']
    """
    digits = 0 if share == 0 else min(max(1 - int(np.floor(np.log10(abs(100 * share)) + 1e-9)), 0), 4)
    text = f"{100 * share:.{digits}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text}{NBSP}%"


def brief(value: float) -> str:
    """A number on an axis, thousands and millions as k and M.

    >>> [brief(v) for v in (0.05, 400, 2500, 20_000, 1.5e6)]
    ['0.05', '400', '2500', '20k', '1.5M']
    """
    size, unit = next((s for s in ((1e6, "M"), (1e4, "k")) if abs(value) >= s[0]), (1.0, ""))
    return f"{value / (1e3 if unit == 'k' else size):.4g}{unit}"


def short(name: str, most: int = 34) -> str:
    """A name with its middle left out where it is too long: how it ends, the window, tells it from its neighbours.

    >>> short("seller_orders_count_30d", 15)
    'seller_…unt_30d'
    """
    half = (most - 1) // 2
    return name if len(name) <= most else f"{name[: most - 1 - half]}…{name[-half:]}"


def as_svg(figure: Figure, title: str) -> str:
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
