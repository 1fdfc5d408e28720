"""Figures of decisions: what each way of answering costs."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import style

from pipelines.plots.drawing import ACCENT, INK, PALE, STYLE, WARM, as_svg, axes_of


def ways(found: pd.DataFrame, policies: Sequence[str], oracle: str) -> str:
    """What a dispute costs by each way of answering, as `Compared.rows` gives it, the dearest last; in whole currency."""
    with style.context(STYLE):
        rows = found.sort_values("cost", kind="stable", ignore_index=True)
        figure, axes = axes_of(1.1 + 0.3 * len(rows))
        y = np.arange(len(rows))
        colours = [ACCENT if name in policies else WARM if name == oracle else PALE for name in rows["way"]]
        axes.barh(y, rows["cost"] / 100, height=0.62, color=colours)
        base = float((rows["cost"] - rows["beyond"]).iloc[0])
        low, high = ((base + rows[end]) / 100 for end in ("low", "high"))
        axes.hlines(y, low, high, color=INK, linewidth=1.2)
        axes.set_yticks(y, rows["way"], fontsize=9, color=INK)
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("cost of a dispute; lines: 95 % interval of the difference", loc="right")
        first = next(name for name in rows["way"] if name in policies)
        place = int(rows.index[rows["way"] == first][0])
        plain = [name for name in rows["way"][:place] if name not in policies and name != oracle]
        cheaper = f"{plain[0]} costs" if len(plain) == 1 else f"{len(plain)} plain ways cost"
        said = f"{cheaper} less than {first}" if plain else f"{first} is the cheapest way"
        return as_svg(figure, said)
