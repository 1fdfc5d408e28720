"""Figures as SVG text: one accent for the model, greys for the baselines, titles that say the finding.

The same arrays give the same bytes. Text stays text, so a page shows it in its own typeface.
"""

from pipelines.plots.decisions import ways
from pipelines.plots.evaluation import calibration, folds, money, precision_recall, scores
from pipelines.plots.marketplace import reach, turns
from pipelines.plots.reliability import arrivals, losses, slices
from pipelines.plots.signals import effects, signals

__all__ = [
    "arrivals",
    "calibration",
    "effects",
    "folds",
    "losses",
    "money",
    "precision_recall",
    "reach",
    "scores",
    "signals",
    "slices",
    "turns",
    "ways",
]
