"""Why a probability is what it is: its log-odds by part, and the signals that weigh most, in words."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd

from features.dictionary import dictionary
from features.signal import PARTS
from models.fit import Float, Model

COLUMNS: Final = tuple(f"{part}_part" for part in (*PARTS, "base"))
"""Names of the parts' columns, in order."""


def _told(model: Model) -> Mapping[str, tuple[str, str]]:
    """Part and meaning of each signal by name."""
    return {s.name: (s.part, s.meaning) for s in dictionary(str(model.card["question"]))}


def parts(model: Model, frame: pd.DataFrame) -> pd.DataFrame:
    """Log-odds of each row by part, one column for each of COLUMNS; they sum to the log-odds of its probability."""
    return summed(model, model.contributions(frame))


def summed(model: Model, contributions: Float) -> pd.DataFrame:
    """Contributions of signals (n, signals + 1) summed into parts, one after the other: a row's sums are its own to the bit."""
    told = _told(model)
    found = {column: np.zeros(len(contributions)) for column in COLUMNS}
    for i, name in enumerate(model.signals):
        found[f"{told[name][0]}_part"] += contributions[:, i]
    found["base_part"] += contributions[:, -1]
    return pd.DataFrame(found)


def reasons(model: Model, frame: pd.DataFrame, contributions: Float, most: int = 3) -> list[list[str]]:
    """For each row, the signals that raise its log-odds most, as `name = value: meaning`."""
    told = _told(model)
    names, raised = np.array(model.signals), contributions[:, :-1]
    top = np.argsort(-raised, axis=1, kind="stable")[:, :most]
    values = frame[list(model.signals)].to_numpy()
    return [
        [f"{names[s]} = {_said(values[i, s])}: {told[names[s]][1]}" for s in row if raised[i, s] > 0]
        for i, row in enumerate(top)
    ]


def scored(model: Model, frame: pd.DataFrame) -> pd.DataFrame:
    """`probability` of yes and its log-odds by part for each row of signals."""
    return pd.concat([pd.DataFrame({"probability": model.predict_proba(frame)[:, 1]}), parts(model, frame)], axis=1)


def _said(value: np.floating) -> str:
    return "unknown" if np.isnan(value) else f"{value:.6g}"
