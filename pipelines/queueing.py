"""The review queue over history: which reviews people would have got to, by which order, and what those were worth."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from features.kernel import DAY, Int
from features.signal import Float
from models.deciding import Answered, Sight
from models.queue import RULES, Review, Rule, scheduled
from models.refunds import RETURN, REVIEW, Refunds
from pipelines.report import Section, bracketed, table
from pipelines.valuing import Worth

SHARES: Final = (1.0, 0.5, 0.25)
"""Of the minutes that all reviews would take, those that people are also supposed to have, beside what a policy says."""
DAY_S_WORK: Final = 480
"""Minutes that one person works in a day at most."""
RESAMPLES: Final = 1_000
SAYS: Final = {
    "value": "by what a review is worth",
    "first_come": "first come, first served",
    "by_amount": "the largest claim first",
}


def queued(
    first: Sight, second: Sight, made: Answered, worth: Worth, prices: Refunds, review: Review, buyer: Int
) -> pd.DataFrame:
    """What reviews are worth by each rule, as expected and as it came out, in cents: with the time that a policy says people
    have, and with shares of what all reviews would take.

    Who is not got to in time is answered by the cheapest of what pays. `beyond` is how much more the order by worth brings
    than the row's, with its 95 % interval over resamples of buyers, each review as it was done.
    """
    cases, came = _reviews(first, second, made, worth, prices)
    wanted = _wanted(cases, review)
    found, brings = [], []
    for own, share, by in _times(review, wanted):
        done = {rule: _done(cases, by, rule) for rule in RULES}
        for rule, flag in done.items():
            sums = {"expected": float(flag @ cases["worth"]), "realised": float(flag @ came)}
            told = {"own": own, "time": share, "wanted": wanted, "rule": rule, "reviews": len(cases)}
            found.append(told | {"reviewed": int(flag.sum())} | sums)
            brings.append((done["value"] - flag) * came)
    whose = buyer[np.flatnonzero(made.last.action == REVIEW)]
    return pd.DataFrame(found).join(_beyond(np.array(brings), whose, int(buyer.max(initial=0)) + 1))


def _reviews(first: Sight, second: Sight, made: Answered, worth: Worth, prices: Refunds) -> tuple[pd.DataFrame, Float]:
    """The reviews that a policy asks for, each with what it should bring, and what it brought (n,), in cents."""
    rows = np.flatnonzero(made.last.action == REVIEW)
    costs, n = made.last.costs[rows], len(rows)
    pays = np.nanargmin(costs[:, : RETURN + 1], axis=1) if n else np.zeros(0, np.int64)
    expected = costs[np.arange(n), pays] - costs[:, REVIEW]
    instead, everyone = np.full(len(worth.paid), REVIEW), np.full(len(worth.paid), REVIEW)
    instead[rows] = pays
    came = worth.costs(instead, made.owed, prices) - worth.costs(everyone, made.owed, prices)
    at = np.where(made.asked, second.claims.at, first.claims.at)[rows]
    return pd.DataFrame({"arrived_at": at, "worth": expected, "amount": first.claims.claimed[rows]}), came[rows]


def _wanted(cases: pd.DataFrame, review: Review) -> float:
    """Minutes a day that all reviews would take, over the days in which they came."""
    days = max(1.0, float(np.ptp(cases["arrived_at"])) / DAY) if len(cases) else 1.0
    return len(cases) * review.minutes_a_case / days


def _times(review: Review, wanted: float) -> Iterator[tuple[bool, float, Review]]:
    """Who reviews for how long, and the share of the minutes wanted that this is: first as the policy says."""
    yield True, review.reviewers * review.minutes_a_day / max(wanted, 1.0), review
    for share in SHARES:
        minutes = max(1, round(share * wanted))
        people = -(-minutes // DAY_S_WORK)
        yield False, share, replace(review, reviewers=people, minutes_a_day=-(-minutes // people))


def _done(cases: pd.DataFrame, by: Review, rule: Rule) -> Float:
    """Which cases are reviewed (n,), 1 or 0; by worth none that costs more than it should bring."""
    found = np.zeros(len(cases))
    found[
        scheduled(cases[cases["worth"] > 0] if rule == "value" else cases, by, rule=rule).index.to_numpy(np.int64)
    ] = 1.0
    return found


def _beyond(brings: Float, buyer: Int, buyers: int) -> pd.DataFrame:
    """Totals of rows (rows, n), and their 95 % intervals over resamples of all buyers."""
    sums, rng = np.array([np.bincount(buyer, one, buyers) for one in brings]), np.random.default_rng(0)
    drawn = [sums @ np.bincount(rng.integers(0, buyers, buyers), minlength=buyers) for _ in range(RESAMPLES)]
    low, high = np.quantile(np.array(drawn), (0.025, 0.975), axis=0)
    return pd.DataFrame({"beyond": brings.sum(axis=1), "low": low, "high": high})


def queue_section(found: pd.DataFrame, review: Review) -> Section:
    """A table of it."""
    people = f"{_people(review)}, {review.minutes_a_day:,} minutes a day"
    shown = pd.DataFrame(
        {
            "time there is": np.where(found["own"], people, found["time"].map("{:.0%} of what is wanted".format)),
            "order": found["rule"].map(SAYS),
            "reviewed": found["reviewed"].map("{:,}".format),
            "worth, as expected": (found["expected"] / 100).map("{:,.0f}".format),
            "worth, as it came out": (found["realised"] / 100).map("{:,.0f}".format),
            "by worth brings more": [
                "–" if rule == "value" else _cents(*row)
                for rule, row in zip(
                    found["rule"], found[["beyond", "low", "high"]].to_numpy(np.float64).tolist(), strict=True
                )
            ],
        }
    )
    says = (
        "A review is worth what paying would have cost less what reviewing cost, in whole currency; by worth, one that costs "
        "more than it should bring is left out. In brackets 95 % intervals over resamples of buyers, reviews as they were.",
        _capacity(found, review),
        "The other rows suppose that people have so much of that time, whatever the policy says: what an order is worth shows "
        "where time is scarce.",
    )
    return Section("Review queue", says, table(shown))


def _capacity(found: pd.DataFrame, review: Review) -> str:
    """How far the time that a policy says there is suffices."""
    own = {row["rule"]: row for row in found[found["own"]].to_dict("records")}
    row, done = own["value"], int(own["first_come"]["reviewed"])
    says = (
        f"The policy's section [review] says {_people(review)} with {review.minutes_a_day:,} minutes a day each, "
        f"{row['time']:.1f} times the {row['wanted']:,.0f} that its {row['reviews']:,} reviews would take on average"
    )
    if done == row["reviews"]:
        return f"{says}. They get to every review in time, so the order matters little: by worth some are left out, no more."
    return f"{says}. First come, first served they get to {done:,} in time, so the order matters."


def _people(review: Review) -> str:
    return "1 person" if review.reviewers == 1 else f"{review.reviewers:,} people"


def _cents(*cents: float) -> str:
    return bracketed("+,.0f", *(one / 100 for one in cents))
