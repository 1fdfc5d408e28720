"""Sharing: the buyers who came to share a device, an address, a picture …, and who of them carry a mark, by then."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from features.background import NOT_YET, Background, first_at
from features.kernel import Code, Int, first_meetings, group, positions
from features.standing import findings
from features.stream import Stream

PLACEHOLDER: Final = 200
"""An id that links more buyers than this is nobody's: a placeholder, and its signals are unknown from then on."""
Flips = tuple[Code, Int, Int]
"""The buyer, the moment and the step, +1 or -1, of each time a mark was put or taken away."""


@dataclass(frozen=True)
class Meetings:
    """Who was met by whom, in time order: `at` (n,), the `code` (n,) of the thing and the `buyer` (n,), -1 unknown."""

    at: Int
    code: Code
    buyer: Code

    def first(self) -> "Meetings":
        """Each buyer's first with each thing."""
        things, buyers = (int(codes.max(initial=-1)) + 1 for codes in (self.code, self.buyer))
        rows = np.flatnonzero(first_meetings(self.code, things, self.buyer, buyers))
        return Meetings(self.at[rows], self.code[rows], self.buyer[rows])

    def crowded_at(self) -> Int:
        """When each thing came to be a placeholder, by code: NOT_YET if never."""
        first = self.first()
        order, start = group(first.code, int(self.code.max(initial=-1)) + 1)
        beyond = start[:-1] + PLACEHOLDER
        many = beyond < start[1:]
        return np.where(many, first.at[order[np.where(many, beyond, 0)]] if order.size else NOT_YET, NOT_YET)


Steps = tuple[Int, Code, Int]
"""Facts in time order: when, of which thing, and what they add."""


def _joined(bg: Background, met: Meetings) -> Steps:
    """Buyers as each joins those who share a thing."""
    return met.at, met.code, np.ones(met.at.size, np.int64)


def _marked(flips: Callable[[Background], Flips]) -> Callable[[Background, Meetings], Steps]:
    """Sharers who carry a mark: each counts from when both the mark and the sharing are known."""

    def steps(bg: Background, met: Meetings) -> Steps:
        buyer, at, step = flips(bg)
        sort, start = group(buyer, int(max(buyer.max(initial=-1), met.buyer.max(initial=-1))) + 1)
        pair, at_flip = positions(start[met.buyer], start[met.buyer + 1])
        flip = sort[at_flip]
        moment = np.maximum(met.at[pair], at[flip])
        by_time = np.argsort(moment, kind="stable")
        return moment[by_time], met.code[pair][by_time], step[flip][by_time]

    return steps


def _found_malicious(bg: Background) -> Flips:
    """When each buyer began and ceased to have a dispute that stands found malicious."""
    return turns(bg, findings(bg), "malicious_ever")


def turns(bg: Background, facts: Stream, column: str) -> Flips:
    """When each buyer began and ceased to have a fact that stands, by a column that adds when one is known, and subtracts."""
    buyer, step = bg.codes("buyer_id")[facts.order], facts.sums[column]
    rows = np.flatnonzero((buyer >= 0) & (step != 0))
    return _flips(buyer[rows], facts.at[rows], step[rows])


def _flips(buyer: Code, at: Int, step: Int) -> Flips:
    """Where each buyer's running sum leaves zero and comes back to it, moment by moment."""
    sort = np.lexsort((at, buyer))
    buyer, at, running = buyer[sort], at[sort], np.cumsum(step[sort])
    ends = np.append((np.diff(buyer) != 0) | (np.diff(at) != 0), True)[: buyer.size]
    buyer, at, running = buyer[ends], at[ends], running[ends]
    first = np.diff(buyer, prepend=-1) != 0
    starts = np.flatnonzero(first)
    others = np.repeat(np.append(0, running)[starts], np.diff(np.append(starts, buyer.size)))
    stands = running > others
    before = np.append(False, stands[:-1])[: stands.size] & ~first
    turned = np.flatnonzero(stands != before)
    return buyer[turned], at[turned], np.where(stands[turned], 1, -1)


def _charged_back(bg: Background) -> Flips:
    """When each buyer's first chargeback came."""
    charges = bg.facts("chargebacks")
    buyer = bg.codes("buyer_id")[charges.points["orders"]].astype(np.int64)
    at = first_at(buyer, charges.at, len(bg.facts("orders").codes("buyer_id").values))
    who = np.flatnonzero(at < NOT_YET)
    return who.astype(np.int32), at[who], np.ones(who.size, np.int64)


@dataclass(frozen=True)
class Shared:
    """A stream of those who share a thing: the tables it needs, and how it is made of their first meetings."""

    needs: tuple[str, ...]
    make: Callable[[Background, Meetings], Steps]


SHARED: Final[Mapping[str, Shared]] = {
    "sharers": Shared((), _joined),
    "malicious_sharers": Shared(("disputes", "findings"), _marked(_found_malicious)),
    "charged_sharers": Shared(("chargebacks",), _marked(_charged_back)),
}
"""Streams of sharers by name; they have a count, a first and a last."""
