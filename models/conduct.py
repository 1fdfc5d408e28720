"""Conduct: what became known of a buyer that may change his tier, and how his tiers went by it, moment by moment.

At a moment there is one change at most, by what was known just before: a tier whose confirmed signal was taken back is over; of
the disputes answered then the gravest with both keys adjusts by one step, however many there are; and where none does, enough
orders without a dispute make the tier one step milder. What the ledger's own table `tiers` says counts as it came, so a span
walked in two parts, the first being put into the ledger, ends as it does in one.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Final

import numpy as np

from features import Ledger
from features.background import Background, first_at
from features.build import HORIZON
from features.kernel import DAY, Int, group
from features.sharing import turns
from features.standing import findings, upheld_reports
from features.stream import Stream
from models.tiers import Adjustment, Rules, Standing, adjusted, overturned, recovered, standing, told

TAKEN_BACK: Final[Mapping[str, tuple[tuple[str, ...], Callable[[Background], Stream], str]]] = {
    "earlier_finding": (("disputes", "findings"), findings, "malicious_ever"),
    "upheld_report": (("reports", "report_rulings"), upheld_reports, "upheld_ever"),
}
"""Confirmed signals that can be taken back: the tables, the stream, and what it adds when one is known and subtracts then."""
ENDS_ORDERS: Final = ("cancellations", "chargebacks", "disputes")
"""Tables by whose rows an order is no order without a dispute."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A dispute when it was answered: the probability of malice, NaN where none is to be relied on, and what confirmed it."""

    at: int
    dispute_id: str
    malicious: float
    confirmed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """When a confirmed signal of a buyer began to stand, or ceased to."""

    at: int
    key: str
    stands: bool


@dataclass(frozen=True)
class Conduct:
    """What became known of a buyer, each in the order of time: changes told, disputes, turns of confirmed signals, and orders.

    Orders are when each was `paid` (n,) and when it was first known to be `disputed`, or no good order otherwise (n,).
    """

    buyer_id: str
    changes: Sequence[Adjustment] = ()
    disputes: Sequence[Answered] = ()
    turns: Sequence[Turn] = ()
    paid: Sequence[int] = ()
    disputed: Sequence[int] = ()

    def undisputed(self, since: int, t: int, quiet: int) -> int:
        """Orders paid after a moment that were without a dispute for so long, and still were just before `t`.

        >>> Conduct("b", paid=[1, 2, 3, 4], disputed=[99, 99, 8, 99]).undisputed(1, 9, 5)
        2
        """
        paid, disputed = np.asarray(self.paid, np.int64), np.asarray(self.disputed, np.int64)
        return int(((paid > since) & (paid + quiet <= t) & (disputed >= t)).sum())


@dataclass(frozen=True, slots=True)
class Change:
    """A change of tier that was made, the tier before it, and the dispute that it was made by, if any."""

    made: Adjustment
    was: str
    dispute_id: str = ""


def walked(of: Conduct, rules: Rules, start: int, stop: int) -> list[Change]:
    """The changes of a buyer's tier in [start, stop), in the order of time; none at the very moment of one that is told.

    >>> fraud = [Answered(DAY * day, "d", 0.95, ("upheld_report",)) for day in (1, 2)]
    >>> [(one.made.at // DAY, one.made.tier) for one in walked(Conduct("b", disputes=fraud), Rules(), 0, 9 * DAY)]
    [(1, 'evidence_first'), (2, 'restricted')]
    """
    if not of.changes and not any(one.malicious >= rules.adjust_at and one.confirmed for one in of.disputes):
        return []
    found, now, i = list[Change](), Standing(), 0
    for t in _moments(of, rules, start, stop):
        while i < len(of.changes) and of.changes[i].at < t:
            now, i = now.after(of.changes[i]), i + 1
        now = now.by(t)
        change = _change(of, now, t, rules)
        if change and not (i < len(of.changes) and of.changes[i].at == t):
            found.append(change)
            now = now.after(change.made)
    return found


def _moments(of: Conduct, rules: Rules, start: int, stop: int) -> list[int]:
    """When something that may change the tier is first known, or an order has been quiet for long enough, and the start."""
    told = {start} | {one.at for one in of.disputes} | {one.at + 1 for one in of.turns if not one.stands}
    told |= {paid + _quiet(rules) for paid in of.paid}
    return sorted(t for t in told if start <= t < stop)


def _quiet(rules: Rules) -> int:
    return max(1, round(rules.quiet * DAY))


def _change(of: Conduct, now: Standing, t: int, rules: Rules) -> Change | None:
    since = t if now.since is None else now.since
    gone = (overturned(of.buyer_id, now, t, one.key) for one in of.turns if since <= one.at < t and not one.stands)
    over = next((made for made in gone if made), None)
    held = Standing() if over else now
    graver = sorted(
        (one for one in of.disputes if one.at == t and not isnan(one.malicious)),
        key=lambda one: (-one.malicious, one.dispute_id),
    )
    for one in graver:
        if made := adjusted(of.buyer_id, held, t, one.malicious, one.confirmed, rules):
            return Change(made, now.tier, one.dispute_id)
    milder = over or recovered(of.buyer_id, now, t, of.undisputed(since, t, _quiet(rules)), rules)
    return Change(milder, now.tier) if milder else None


def expired(changes: Iterable[Adjustment], start: int, stop: int) -> int:
    """How many tiers, by changes in the order of time, came to their own end in [start, stop).

    >>> expired([Adjustment("b", 1, "restricted", "", 5), Adjustment("b", 4, "restricted", "", 8)], 0, 9)
    1
    """
    count, rows = 0, list(changes)
    for i, made in enumerate(rows):
        end = standing(rows[: i + 1], made.at + 1).expires_at
        count += end is not None and start <= end < stop and (i + 1 == len(rows) or rows[i + 1].at >= end)
    return count


def conducts(ledger: Ledger, answered: Mapping[str, Sequence[Answered]]) -> Iterator[Conduct]:
    """The conduct of every buyer of whom disputes are named or tiers told."""
    orders, changes = ledger.facts["orders"], told(ledger)
    buyers = orders.codes("buyer_id")
    names = buyers.values.to_pylist()
    turned, disputed = _turns(ledger), _disputed(ledger)
    order, first = group(buyers.codes, len(names))
    place = {name: code for code, name in enumerate(names)}
    for name in sorted(answered.keys() | changes.keys()):
        code = place.get(name, -1)
        rows = order[first[code] : first[code + 1]] if code >= 0 else order[:0]
        mine = turned.get(code, [])
        paid = orders.at[rows].tolist(), disputed[rows].tolist()
        yield Conduct(name, changes.get(name, ()), answered.get(name, ()), mine, *paid)


def _turns(ledger: Ledger) -> dict[int, list[Turn]]:
    """When confirmed signals of each buyer, a code of `orders.buyer_id`, began and ceased to stand, in the order of time."""
    bg, found = Background(ledger, HORIZON, "disputes"), dict[int, list[Turn]]()
    for key, (needs, stream, column) in TAKEN_BACK.items():
        if ledger.facts.keys() >= set(needs):
            whose, at, turn = turns(bg, stream(bg), column)
            for i in range(len(at)):
                found.setdefault(int(whose[i]), []).append(Turn(int(at[i]), key, bool(turn[i] > 0)))
    return {code: sorted(each, key=lambda one: one.at) for code, each in found.items()}


def _disputed(ledger: Ledger) -> Int:
    """When each order was first known to be disputed, charged back or cancelled, or its seller to fake orders."""
    bg = Background(ledger, HORIZON, "disputes")
    found = bg.faked_at[bg.codes("seller_id")[:-1]]
    for name in ENDS_ORDERS:
        if name in ledger.facts:
            facts = ledger.facts[name]
            found = np.minimum(found, first_at(facts.points["orders"], facts.at, bg.orders))
    return found
