"""The review queue: which cases people look at, and when, so that what their hours are worth is most.

A case is worth what its best action without a review costs, less what it costs reviewed; it must be done by a deadline, and
nobody knows of it before it comes. Each morning, and whenever a list is done, the reviewers get a new one:

1. Choose. Waiting cases are taken by deadline; where the hours until a deadline do not suffice for all that is due by then,
   either the new one goes, or those worth least a minute until it fits, whichever loses less (after Moore 1968, who does so
   for cases of equal worth).
2. Do the chosen by deadline.

Where all cases take equally long this is the best that anyone can do with those that wait: sets of cases that can all be in
time are a matroid, over which the greedy choice is exact (Lawler 1976). Where they do not, finding the best is NP-hard, and
this is a heuristic, as it is towards cases still to come, for which it waits in no hope.

A day's minutes begin with the UTC day and every day is a working day; a case not done in the evening goes on next morning.
"""

from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Final, Literal, get_args

import numpy as np
import pandas as pd
from numba import njit

from features import RedressError
from features.kernel import DAY, Flag, Int
from features.signal import Float
from models.sections import number

Rule = Literal["value", "first_come", "by_amount"]
RULES: Final[tuple[Rule, ...]] = get_args(Rule)
MINUTE: Final = 60_000_000
"""Microseconds."""


@dataclass(frozen=True)
class Review:
    """Who reviews, and how long that takes."""

    reviewers: int = number(2, "people", "those who review at a time")
    minutes_a_day: int = number(360, "minutes", "a reviewer spends on cases in a day")
    minutes_a_case: int = number(40, "minutes", "a case takes", "one vendor's figure; measure your own")
    days_to_decide: float = number(
        7.0, "days", "a case may wait", "an officer's time on platforms of this kind; see your own rules"
    )


def scheduled(cases: pd.DataFrame, section: Review | None = None, *, rule: Rule = "value") -> pd.DataFrame:
    """The cases that are reviewed, in order of their start: `reviewer`, `starts_at` and `ends_at` under the index of `cases`.

    `cases` has `arrived_at` (µs) and `worth` (cents), for `by_amount` also `amount`; `due_at` (µs) and `minutes` where they are
    not as the section has them. `first_come` and `by_amount` are what people do who do not ask what a review is worth.

    >>> cases = {"arrived_at": [0, 0, 0], "due_at": [40 * MINUTE, 80 * MINUTE, 80 * MINUTE], "worth": [500, 900, 700]}
    >>> found = scheduled(pd.DataFrame(cases, index=["a", "b", "c"]), Review(reviewers=1))
    >>> [(case, start // MINUTE) for case, start in found["starts_at"].items()]  # only two fit, and a is worth least
    [('b', 0), ('c', 40)]
    """
    by = Review() if section is None else section
    if not 0 <= by.minutes_a_day <= DAY // MINUTE:
        raise RedressError(
            f"review.minutes_a_day: want at most 1440, got {by.minutes_a_day}; set what one person works"
        )
    told = _told(cases, by, rule)
    if not len(cases) or not by.reviewers or not by.minutes_a_day:
        starts, reviewer = np.full(len(cases), -1), np.full(len(cases), -1)
    else:
        starts, reviewer = _reviewed(*told, by.reviewers, by.minutes_a_day, rule == "value")
    done = np.flatnonzero(starts >= 0)
    done = done[np.lexsort((reviewer[done], starts[done]))]
    ends = starts[done] + told[2][done]
    found = {"reviewer": reviewer[done], "starts_at": _instant(starts[done], by)}
    return pd.DataFrame(found | {"ends_at": _instant(ends - 1, by) + MINUTE}, index=cases.index[done])


def compared(cases: pd.DataFrame, section: Review | None = None) -> pd.DataFrame:
    """What each rule makes of the same cases and people: `reviewed`, `missed`, `worth` in cents, and `worth_missed`.

    >>> cases = pd.DataFrame({"arrived_at": [0, 1], "due_at": [40 * MINUTE] * 2, "worth": [300, 800], "amount": [9, 5]})
    >>> compared(cases.assign(minutes=39), Review(reviewers=1))["worth"].to_dict()
    {'value': 300.0, 'first_come': 300.0, 'by_amount': 300.0}
    """
    rows = []
    for rule in RULES:
        done = scheduled(cases, section, rule=rule).index
        missed = cases.index.difference(done)
        worth, lost = (float(cases.loc[some, "worth"].sum()) for some in (done, missed))
        rows.append({"reviewed": len(done), "missed": len(missed), "worth": worth, "worth_missed": lost})
    return pd.DataFrame(rows, index=list(RULES))


def _told(cases: pd.DataFrame, by: Review, rule: Rule) -> tuple[Int, Int, Int, Float, Float]:
    """Arrival and deadline in minutes of work, minutes, worth, and what lists are sorted by, of each case."""
    lost = {"arrived_at", "worth", *(["amount"] if rule == "by_amount" else [])} - set(cases)
    if lost:
        raise RedressError(
            f"queue.{min(lost)}: want a column of cases, got {', '.join(map(str, cases.columns))}; add it"
        )
    if not cases.index.is_unique:
        raise RedressError("queue: want one row for each case, got an index told twice; drop the copies")
    arrived = cases["arrived_at"].to_numpy(np.int64)
    due = cases["due_at"].to_numpy(np.int64) if "due_at" in cases else arrived + round(by.days_to_decide * DAY)
    minutes = cases["minutes"].to_numpy(np.int64) if "minutes" in cases else np.full(len(cases), by.minutes_a_case)
    worth = cases["worth"].to_numpy(np.float64)
    if np.isnan(worth).any() or (minutes < 1).any():
        raise RedressError(
            "queue: want known worths and whole minutes above 0, got others; leave out what nobody can weigh"
        )
    came, late = _minute(arrived + MINUTE - 1, by), _minute(due, by)
    key = {"value": late, "first_come": arrived, "by_amount": -cases.get("amount", arrived)}[rule]
    return came, late, minutes, worth, np.asarray(key, np.float64)


def _minute(at: Int, by: Review) -> Int:
    """Minutes of work of one reviewer that are over at a moment, since 1970.

    >>> _minute(np.array([0, 5 * MINUTE, 1_000 * MINUTE, DAY]), Review(minutes_a_day=300)).tolist()
    [0, 5, 300, 300]
    """
    return np.asarray(at // DAY * by.minutes_a_day + np.minimum(at % DAY // MINUTE, by.minutes_a_day))


def _instant(minute: Int, by: Review) -> Int:
    """When a minute of work begins."""
    return np.asarray(minute // by.minutes_a_day * DAY + minute % by.minutes_a_day * MINUTE)


@njit(cache=True, nogil=True)
def _reviewed(
    came: Int, due: Int, minutes: Int, worth: Float, key: Float, reviewers: int, day: int, choose: bool
) -> tuple[Int, Int]:
    """The minute of work at which each case starts, and with whom; -1 where it is never reviewed."""
    n = came.size
    starts, whose = np.full(n, -1, np.int64), np.full(n, -1, np.int64)
    free, latest = np.zeros(reviewers, np.int64), due - minutes
    order = np.argsort(came, kind="mergesort")
    waiting, count, seen = np.empty(n, np.int64), 0, 0
    plan, step, planned = np.empty(0, np.int64), 0, np.int64(-1)
    while True:
        r = np.argmin(free)
        now = free[r]
        if step == plan.size or now // day != planned:
            while seen < n and came[order[seen]] <= now:
                if worth[order[seen]] > 0 or not choose:
                    waiting[count] = order[seen]
                    count += 1
                seen += 1
            count = _kept(waiting, count, starts, latest, now)
            if count == 0:
                if seen == n:
                    return starts, whose
                free = np.maximum(free, came[order[seen]])
                plan, step = np.empty(0, np.int64), 0
                continue
            plan, step, planned = waiting[:count][np.argsort(key[waiting[:count]], kind="mergesort")], 0, now // day
            if choose:
                plan = plan[_chosen(due[plan], minutes[plan], worth[plan], free)]
        case = plan[step]
        step += 1
        if now + minutes[case] <= due[case]:
            starts[case], whose[case] = now, r
            free[r] = now + minutes[case]


@njit(cache=True, nogil=True)
def _kept(waiting: Int, count: int, starts: Int, latest: Int, now: int) -> int:
    """Keeps, in place, those that still wait and of which it is not too late to begin; how many there are."""
    kept = 0
    for i in range(count):
        case = waiting[i]
        if starts[case] < 0 and now <= latest[case]:
            waiting[kept] = case
            kept += 1
    return kept


@njit(cache=True, nogil=True)
def _chosen(due: Int, minutes: Int, worth: Float, free: Int) -> Flag:
    """Of cases in order of their deadlines, those that are worth most and can all be in time.

    >>> due, long = np.array([40, 80, 80]), np.full(3, 40)
    >>> _chosen(due, long, np.array([5.0, 9.0, 7.0]), np.zeros(1, np.int64)).tolist()
    [False, True, True]
    """
    step = np.int64(0)
    for one in minutes:
        step = np.gcd(step, one)
    inside, taken = np.zeros(due.size, np.bool_), 0
    heap = [(0.0, 0)][:0]
    for i in range(due.size):
        hours = 0
        for since in free:
            hours += max(due[i] - since, 0) // step * step
        out, lost = [0][:0], 0.0
        while taken + minutes[i] > hours and len(heap) > 0 and lost < worth[i]:
            least = heappop(heap)[1]
            out.append(least)
            taken -= minutes[least]
            lost += worth[least]
        inside[i] = taken + minutes[i] <= hours and lost < worth[i]
        if inside[i]:
            out, dropped = [i], out
        else:
            dropped = [0][:0]
        for j in dropped:
            inside[j] = False
        for j in out:
            heappush(heap, (worth[j] / minutes[j], j))
            taken += minutes[j]
    return inside
