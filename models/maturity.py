"""Maturity of answers: how long they take to come, and which months of asking are due to be reported.

How long answers take is estimated from all askings, young ones included, by the product-limit estimator (Kaplan and Meier,
1958): an asking without an answer counts as not answered up to its age, and is censored then. The delays of those answered
alone would be too short, because of young askings only the quick answers are known.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import pandas as pd
from scipy.stats import CensoredData, ecdf

from features.errors import RedressError
from features.kernel import DAY, Flag, Int
from models.curves import POINTS, Floats
from models.questions import OPEN, YES, Answers

FEWEST: Final = 20
"""Askings of an age without which the curve says nothing of it."""
DUE: Final = "due"
PARTLY: Final = "partly due"
NOT_DUE: Final = "not yet due"
"""What may be said of a month of askings: all of them are as old as answers take, some are, or none."""


def delays(at: Int, found: Answers, as_of: int, within: int | None = None) -> tuple[Floats, Flag]:
    """Days from each asking to its answer, and whether it came; where not, days up to which it had not come.

    Askings since `as_of`, and those answered before they were asked, are left out. With a horizon `within`, only a yes is an
    answer that takes time, and an asking is followed no longer than that.
    """
    found = found.as_of(as_of)
    asked = (at < as_of) & (found.known_at >= at)
    came = asked & (found.known_at < as_of) & (found.answer != OPEN)
    if within is not None:
        came &= found.answer == YES
    end = np.full(at.size, as_of) if within is None else np.minimum(as_of, at + within)
    days = (np.where(came, found.known_at, end) - at) / DAY
    return days[asked], came[asked]


def arrivals(days: Floats, came: Flag) -> pd.DataFrame:
    """The share of askings answered by each age, by the product-limit estimator: days, answered, at_risk.

    It ends where fewer than FEWEST askings are of that age or older, among whom one answer would move it much, and keeps at
    most POINTS of its steps.

    >>> arrivals(np.repeat([1.0, 2.0, 3.0], 20), np.repeat([True, False, True], 20)).round(3).to_dict("list")
    {'days': [0.0, 1.0, 3.0], 'answered': [0.0, 0.333, 1.0], 'at_risk': [60, 60, 20]}
    """
    if not came.any():
        return pd.DataFrame({"days": [0.0], "answered": [0.0], "at_risk": [len(days)]})
    steps = ecdf(CensoredData.right_censored(days, ~came)).cdf
    at_risk = len(days) - np.searchsorted(np.sort(days), steps.quantiles)
    kept = at_risk >= FEWEST
    found = pd.DataFrame({"days": steps.quantiles, "answered": steps.probabilities, "at_risk": at_risk})[kept]
    start = pd.DataFrame({"days": [0.0], "answered": [0.0], "at_risk": [len(days)]})
    rises = np.diff(found["answered"], prepend=0.0) > 0
    whole: pd.DataFrame = pd.concat([start, found[rises]], ignore_index=True)
    return whole.iloc[np.unique(np.linspace(0, len(whole) - 1, POINTS).astype(np.int64))].reset_index(drop=True)


def cohorts(at: Int, found: Answers, as_of: int, age: int) -> pd.DataFrame:
    """Askings by month: month, n, due (older than `age` at `as_of`), answered and yes among those due, and standing.

    Answers of askings not yet due are not counted: the quick ones are not a sample of all.

    >>> months = np.array(["2024-01-10", "2024-02-10", "2024-02-20"], "M8[us]").astype(np.int64)
    >>> known = Answers(np.array([1, 0, 1], np.int8), months + 5 * DAY)
    >>> cohorts(months, known, as_of=int(months[2]) + 6 * DAY, age=10 * DAY).to_dict("list")["standing"]
    ['due', 'partly due']
    """
    found = found.as_of(as_of)
    asked = (at < as_of) & (found.known_at >= at)
    due = asked & (at + age < as_of)
    answered = due & (found.known_at < as_of) & (found.answer != OPEN)
    month = np.where(asked, at, 0).astype("M8[us]").astype("M8[M]")
    counted = {"n": asked, "due": due, "answered": answered, "yes": answered & (found.answer == YES)}
    told = pd.DataFrame({"month": month.astype(str)} | {name: flag.astype(np.int64) for name, flag in counted.items()})
    table: pd.DataFrame = told[asked].groupby("month", as_index=False).sum()
    return table.assign(standing=np.select([table["due"] == 0, table["due"] < table["n"]], [NOT_DUE, PARTLY], DUE))


YOUNG: Final = 0.05
"""Share of a span's askings that may be too young: more, and what is left would no longer be that span."""


def require_due(at: Int, start: int, stop: int, due: int, option: str) -> int:
    """How many of the askings of [start, stop) come at `due` or later, when answers are not yet due; they leave tests.

    Raises RedressError when they are more than YOUNG of the span.
    """
    asked, young = (int(((at >= since) & (at < stop)).sum()) for since in (start, max(start, due)))
    if young > YOUNG * asked:
        raise RedressError(
            f"{option}: want askings whose answers are due, those before {_told(due)}, got {young:,} of {asked:,} not yet due "
            f"before {_told(stop)}; end earlier or wait for their answers"
        )
    return young


def _told(t: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=t)).isoformat()
