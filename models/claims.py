"""Disputes as decisions see them: what is claimed, what confirms a suspicion, what may still be asked for, and who pays."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, isnan, log, nan
from typing import Final, TypeVar, overload

import numpy as np
import pandas as pd

from features import Ledger
from features.asking import Askings
from features.evidence import RULES, Rule
from features.kernel import Flag, Int
from features.signal import Float
from models.refunds import Case, Cases, Refunds
from models.signs import CONFIRMED
from models.tiers import STANDARD, STEPS, standings

Words = TypeVar("Words", str, tuple[str, ...])

SURE: Final = log(8)
"""Log ratio from which the carrier's weight says that all was there: fairly strong evidence (Royall 1997)."""
PLATFORM: Final = "platform"
SHORT: Final = "order_weight_carrier_short_units"


@dataclass(frozen=True)
class Within:
    """A condition: a signal is known and at least so much, and below so much."""

    signal: str
    least: float = -inf
    below: float = inf

    @overload
    def holds(self, values: float) -> bool: ...
    @overload
    def holds(self, values: Float) -> Flag: ...
    def holds(self, values: float | Float) -> bool | Flag:
        """Whether it holds, for one value of its signal or for many; of what is not known it does not.

        >>> Within("lost", 1).holds(2.0), Within("lost", 1).holds(np.array([np.nan, 1.0])).tolist()
        (True, [False, True])
        """
        return (self.least <= values) & (values < self.below)


HOLDS: Final[Mapping[str, tuple[Within, ...]]] = {
    "earlier_finding": (Within("buyer_found_malicious_count_ever", 1),),
    "upheld_report": (Within("buyer_reports_standing_count_ever", 1),),
    "reused_evidence": (Within("case_buyer_reused_count", 1),),
    "weight_complete": (Within("case_weight_set_missing", 0, 1), Within("order_weight_carrier_log_ratio", SURE)),
}
"""Where each confirmed signal holds, by signals: all of its conditions do."""
BEARERS: Final[Mapping[str, Within]] = {
    "insurer": Within("order_scans_lost_count", 1),
    "seller": Within("seller_blocks_upheld_count_ever", 1),
}
"""Who pays: the insurer of what the carrier lost, a seller found guilty by the platform; else the platform."""
ASKED: Final = tuple(rule for rule in RULES if rule.reasons)
"""The sets that reasons of disputes ask for."""
_OF: Final[Mapping[str, Rule]] = {reason: rule for rule in ASKED for reason in rule.reasons}
LACKS: Final[Mapping[str, Within]] = {
    kind: Within(f"case_items_{kind}", below=1) for rule in ASKED for kind in rule.items
}
"""Where each kind of evidence that is asked for lacks."""
COMPLETE: Final[Mapping[str, Within]] = {rule.name: Within(f"case_{rule.name}_set_missing", 0, 1) for rule in ASKED}
"""Where each set that is asked for is known to be complete."""
SIGNALS: Final = tuple(
    dict.fromkeys(
        one.signal
        for one in (
            *(one for all_of in HOLDS.values() for one in all_of),
            *(Within(SHORT), *BEARERS.values(), *COMPLETE.values(), *LACKS.values()),
        )
    )
)
"""The signals that claims are made of, where a ledger has them."""


@dataclass(frozen=True)
class Claims:
    """Disputes with what decisions know of them, all (n,): names, and which confirmed signals hold.

    `known` is where it is known how much is claimed; where it is not, nothing can be paid, and a person looks.
    """

    ids: tuple[str, ...]
    at: Int
    order: tuple[str, ...]
    reason: tuple[str, ...]
    claimed: Int
    known: Flag
    owed: Float
    confirmed: Mapping[str, Flag]
    lacking: tuple[tuple[str, ...], ...]
    complete: Flag
    borne_by: tuple[str, ...]
    tier: Int
    left: Int

    def take(self, which: Int) -> "Claims":
        """Those at the positions `which`."""

        def some(values: tuple[Words, ...]) -> tuple[Words, ...]:
            return tuple(values[i] for i in which.tolist())

        return Claims(
            some(self.ids),
            self.at[which],
            some(self.order),
            some(self.reason),
            self.claimed[which],
            self.known[which],
            self.owed[which],
            {name: holds[which] for name, holds in self.confirmed.items()},
            some(self.lacking),
            self.complete[which],
            some(self.borne_by),
            self.tier[which],
            self.left[which],
        )

    def cases(
        self, malicious: Float, abstain: Flag, policy: Refunds, *, askable: bool = True, plain: bool = False
    ) -> Cases:
        """The same with scores as `decide_many` takes them; with `askable` evidence may be asked for.

        `plain` are probabilities that are no scores.
        """
        reason = np.array(self.reason, object)
        return Cases(
            malicious,
            abstain | ~self.known,
            self.claimed,
            self.owed,
            np.isin(reason, policy.reasons),
            np.isin(reason, policy.returns),
            np.any([self.confirmed[key] for key in policy.keys] or [self.known & False], axis=0),
            np.array([askable and len(some) > 0 for some in self.lacking], np.bool_),
            self.tier,
            self.claimed > self.left,
            np.full(len(self.known), plain),
        )

    def case(self, i: int, *, askable: bool = True) -> Case:
        """One of them."""
        return Case(
            self.ids[i],
            self.order[i],
            int(self.at[i]),
            self.reason[i],
            int(self.claimed[i]),
            tuple(name for name in CONFIRMED if self.confirmed[name][i]),
            self.lacking[i] if askable else (),
            float(self.owed[i]),
            self.borne_by[i],
            STEPS[self.tier[i]],
            int(self.left[i]),
        )


def claims(ledger: Ledger, asks: Askings, frame: pd.DataFrame) -> Claims:
    """What decisions know of disputes from a ledger, and from their signals in `frame` as of the moment asked."""
    disputes, orders = ledger.facts["disputes"], ledger.facts["orders"]
    row = disputes.points["orders"][asks.row]
    claimed, known = (values[asks.row] for values in disputes.numbers("claimed"))
    claimed = np.where(known, claimed, 0).astype(np.int64)
    amount, quantity = (np.append(orders.numbers(name)[0], 0)[row] for name in ("amount", "quantity"))
    reasons = disputes.codes("reason")
    named = [*(str(word) for word in reasons.values.to_pylist()), ""]
    reason = tuple(named[code] for code in reasons.codes[asks.row].tolist())
    names = [*(str(name) for name in orders.strings("order_id").to_pylist()), ""]
    unknown = np.full(len(frame), np.nan)
    of = {name: frame[name].to_numpy(np.float64) if name in frame else unknown for name in SIGNALS}
    owes = zip(of[SHORT].tolist(), amount.tolist(), quantity.tolist(), claimed.tolist(), strict=True)
    return Claims(
        tuple(map(str, asks.ids.to_pylist())),
        asks.at,
        tuple(names[i] for i in row.tolist()),
        reason,
        claimed,
        np.asarray(known, np.bool_),
        np.array([owed(*one) for one in owes], np.float64),
        {name: np.logical_and.reduce([one.holds(of[one.signal]) for one in all_of]) for name, all_of in HOLDS.items()},
        _lacking(reason, of),
        _complete(reason, of),
        tuple(np.select([one.holds(of[one.signal]) for one in BEARERS.values()], [*BEARERS], PLATFORM).tolist()),
        standings(ledger, np.append(orders.codes("buyer_id").codes, -1)[row].astype(np.int64), asks.at),
        amount - _paid_back(ledger, row, asks.at),
    )


@dataclass(frozen=True, slots=True)
class Dispute:
    """A dispute as it stands at a moment, by plain facts: `amount` and `quantity` are the order's, None where not known.

    Of the order `paid_back` cents had been refunded, or taken back by a bank, before; `tier` is the buyer's just before.
    """

    dispute_id: str
    order_id: str
    at: int
    reason: str
    claimed: int | None
    amount: int | None
    quantity: int | None = None
    paid_back: int = 0
    tier: str = STANDARD

    def case(self, signals: Mapping[str, float], *, askable: bool = True) -> Case:
        """The same as decisions see it, with the values of SIGNALS, NaN where not known: as `Claims.case` of a ledger.

        >>> signals = dict.fromkeys(SIGNALS, nan) | {"case_buyer_reused_count": 1.0, SHORT: 1.0}
        >>> case = Dispute("d", "o", 0, "quality", 4_000, 10_000, 5, paid_back=7_000).case(signals)
        >>> case.confirmed, case.owed, case.left, case.borne_by
        (('reused_evidence',), 0.5, 3000, 'platform')
        """
        claimed, amount = self.claimed or 0, self.amount or 0
        of = _OF.get(self.reason) if askable else None
        return Case(
            self.dispute_id,
            self.order_id,
            self.at,
            self.reason,
            claimed,
            tuple(name for name in CONFIRMED if all(one.holds(signals[one.signal]) for one in HOLDS[name])),
            tuple(kind for kind in of.items if LACKS[kind].holds(signals[LACKS[kind].signal])) if of else (),
            owed(signals[SHORT], amount, self.quantity or 0, claimed),
            next((who for who, one in BEARERS.items() if one.holds(signals[one.signal])), PLATFORM),
            self.tier,
            amount - self.paid_back,
        )


def _paid_back(ledger: Ledger, order: Int, at: Int) -> Int:
    """Cents of each order that were refunded, or taken back by a bank, before a moment."""
    asked, found = pd.DataFrame({"order": order, "t": at, "i": np.arange(len(order))}), np.zeros(len(order), np.int64)
    for name in ("refunds", "chargebacks"):
        if name in ledger.facts:
            facts = ledger.facts[name]
            cents, known = facts.numbers("amount")
            of = facts.points["orders"]
            rows = pd.DataFrame({"order": of, "at": facts.at, "cents": cents})[known & (of >= 0)]
            both = asked.merge(rows, on="order")
            paid = both[both["at"] < both["t"]].groupby("i")["cents"].sum()
            found[paid.index.to_numpy()] += paid.to_numpy(np.int64)
    return found


def owed(missing: float, amount: int, quantity: int, claimed: int) -> float:
    """The share of a claim that the units missing by weight are worth; NaN where the weight cannot tell.

    >>> owed(1.0, 10_000, 4, 5_000), owed(3.0, 10_000, 4, 5_000), owed(1.0, 10_000, 0, 5_000)
    (0.5, 1.0, nan)
    """
    if isnan(missing) or quantity <= 0 or claimed <= 0:
        return nan
    return min(max(missing * amount / quantity / claimed, 0.0), 1.0)


def _lacking(reason: tuple[str, ...], of: Mapping[str, Float]) -> tuple[tuple[str, ...], ...]:
    """Of each dispute the items of its reason's set that nobody has brought."""
    lacks = {kind: one.holds(of[one.signal]).tolist() for kind, one in LACKS.items()}
    return tuple(
        tuple(kind for kind in _OF[word].items if lacks[kind][i]) if word in _OF else ()
        for i, word in enumerate(reason)
    )


def _complete(reason: tuple[str, ...], of: Mapping[str, Float]) -> Flag:
    """Where the set that a dispute's reason asks for is known to be complete."""
    found = np.zeros(len(reason), np.bool_)
    for rule in ASKED:
        one = COMPLETE[rule.name]
        found |= np.isin(np.array(reason, object), rule.reasons) & one.holds(of[one.signal])
    return found
