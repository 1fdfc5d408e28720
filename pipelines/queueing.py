"""The review queue over history: which reviews people would have got to, by which order, and what those were worth."""

from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from features.kernel import DAY
from models.queue import RULES, Review, scheduled
from models.refunds import RETURN, REVIEW, Refunds
from pipelines.deciding import Answered, Sight
from pipelines.report import Section, table
from pipelines.valuing import Worth

SHARES: Final = (1.0, 0.5, 0.25)
"""Of the minutes that all reviews would take, those that people have."""
DAY_S_WORK: Final = 480
"""Minutes that one person works in a day at most."""
SAYS: Final = {
    "value": "by what a review is worth",
    "first_come": "first come, first served",
    "by_amount": "the largest claim first",
}


def queued(first: Sight, second: Sight, made: Answered, worth: Worth, prices: Refunds, review: Review) -> pd.DataFrame:
    """What reviews are worth by each rule, as expected and as it came out, in cents, where people have less time than wanted.

    Who is not got to in time is answered by the cheapest of what pays.
    """
    rows = np.flatnonzero(made.last.action == REVIEW)
    costs, n = made.last.costs[rows], len(rows)
    pays = np.nanargmin(costs[:, : RETURN + 1], axis=1) if n else np.zeros(0, np.int64)
    expected = costs[np.arange(n), pays] - costs[:, REVIEW]
    instead, everyone = np.full(len(worth.paid), REVIEW), np.full(len(worth.paid), REVIEW)
    instead[rows] = pays
    came = (worth.costs(instead, made.owed, prices) - worth.costs(everyone, made.owed, prices))[rows]
    at = np.where(made.asked, second.claims.at, first.claims.at)[rows]
    cases = pd.DataFrame({"arrived_at": at, "worth": expected, "amount": first.claims.claimed[rows]})
    days = max(1.0, float(np.ptp(cases["arrived_at"])) / DAY) if n else 1.0
    found = []
    for share in SHARES:
        wanted = max(1, round(share * n * review.minutes_a_case / days))
        people = -(-wanted // DAY_S_WORK)
        by = replace(review, reviewers=people, minutes_a_day=-(-wanted // people))
        for rule in RULES:
            done = scheduled(cases[cases["worth"] > 0] if rule == "value" else cases, by, rule=rule).index.to_numpy()
            found.append(
                {"time": share, "rule": rule, "reviewed": len(done)}
                | {"expected": float(expected[done].sum()), "realised": float(came[done].sum())}
            )
    return pd.DataFrame(found)


def queue_section(found: pd.DataFrame) -> Section:
    """A table of it."""
    shown = pd.DataFrame(
        {
            "time there is": found["time"].map("{:.0%}".format),
            "order": found["rule"].map(SAYS),
            "reviewed": found["reviewed"].map("{:,}".format),
            "worth, as expected": (found["expected"] / 100).map("{:,.0f}".format),
            "worth, as it came out": (found["realised"] / 100).map("{:,.0f}".format),
        }
    )
    says = (
        "What people have time for, of the minutes that all reviews would take, and which they would have done in time. A "
        "review is worth what paying would have cost less what reviewing cost, in whole currency; by worth, one that costs "
        "more than it should bring is left out.",
    )
    return Section("Review queue", says, table(shown))
