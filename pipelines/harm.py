"""Whom a policy hurts: of the honest in each slice, how many it refuses without a person, and how many it lets wait."""

import numpy as np
import pandas as pd

from features.signal import Float
from models.curves import wilson
from models.deciding import Answered, Sight
from models.refunds import REFUSE, REVIEW, Refunds
from models.slices import slice_name
from pipelines.report import Section, table
from pipelines.valuing import Worth

NUMBERS = [*(f"{name}{end}" for name in ("refused", "reviewed") for end in ("", "_low", "_high")), "unpaid"]
FAULTY = ("seller", "faulty, or his product")
"""The slice of those who were sold something faulty."""


def harmed(first: Sight, made: Answered, worth: Worth, prices: Refunds) -> pd.DataFrame:
    """A row for each slice, and for all: how many honest disputes it has, and the shares refused and reviewed, with intervals.

    `unpaid` is the share that they do not get of what they are owed. Where honesty is no more than probable, each dispute
    counts as far as it is honest.
    """
    honest, refused, reviewed = 1 - worth.malicious, made.last.action == REFUSE, made.last.action == REVIEW
    due, unpaid = worth.due, worth.unpaid(made.last.action, made.owed, prices)
    groups = {("all", ""): np.ones(len(honest))}
    for one in first.slices:
        groups |= {(one.name, value): (one.place == i) * 1.0 for i, value in enumerate(one.values)}
    groups[FAULTY] = worth.faulty
    rows = []
    for (slicing, value), inside in groups.items():
        n = float(honest @ inside)
        if n >= 1:
            rows.append({"slicing": slicing, "slice": value, "honest": n})
            for name, flag in (("refused", refused), ("reviewed", reviewed)):
                rows[-1] |= _share(name, float((honest * inside) @ flag), n)
            rows[-1]["unpaid"] = float(unpaid @ inside) / max(float(due @ inside), 1e-9)
    return pd.DataFrame(rows, columns=None if rows else ["slicing", "slice", "honest", *NUMBERS])


def _share(name: str, part: float, n: float) -> dict[str, float]:
    low, high = wilson(np.array([part / n]), np.array([n]))
    return {name: part / n, f"{name}_low": float(low[0]), f"{name}_high": float(high[0])}


def harm_section(name: str, found: pd.DataFrame) -> Section:
    """A table of it."""
    shown = pd.DataFrame(
        {"": list(map(slice_name, found["slicing"], found["slice"])), "honest": found["honest"].map("{:,.0f}".format)}
    )
    for one, heading in (("refused", "refused without a person"), ("reviewed", "reviewed by a person")):
        numbers: Float = found[[one, f"{one}_low", f"{one}_high"]].to_numpy(np.float64)
        shown[heading] = [f"{p:.2%} [{low:.2%}, {high:.2%}]" for p, low, high in numbers.tolist()]
    shown["of what they were owed, not paid"] = found["unpaid"].map("{:.2%}".format)
    everyone = found.head(1)[["refused_high", "reviewed_high"]].sum()
    hit = found[(found["refused_low"] > everyone["refused_high"]) | (found["reviewed_low"] > everyone["reviewed_high"])]
    names = "; ".join(map(slice_name, hit["slicing"], hit["slice"])) or "none"
    says = (
        f"Of the honest disputes in each slice, those that {name} refuses without a person, and those that a person reviews, "
        "who wait for it. In brackets 95 % intervals (Wilson).",
        f"Surely more often than all together, by intervals that do not meet: {names}.",
    )
    return Section("Whom it hurts", says, table(shown))
