"""Disputes as decisions see them: what is claimed, what confirms a suspicion, what may still be asked for, and who pays."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log
from typing import Final, TypeVar

import numpy as np
import pandas as pd

from features import Ledger
from features.asking import Askings
from features.evidence import RULES, Rule
from features.kernel import Flag, Int
from features.signal import Float
from models.refunds import Case, Cases, Refunds
from models.signs import CONFIRMED
from models.tiers import STEPS, standings

Words = TypeVar("Words", str, tuple[str, ...])

SURE: Final = log(8)
"""Log ratio from which the carrier's weight says that all was there: fairly strong evidence (Royall 1997)."""
SHORT: Final = "order_weight_carrier_short_units"
_ITEM: Final = "case_items_{}"


def _above(frame: pd.DataFrame, name: str, least: float) -> Flag:
    """Where a signal is known and at least so much; nowhere without it."""
    return np.asarray(frame[name].to_numpy() >= least, np.bool_) if name in frame else np.zeros(len(frame), np.bool_)


def _weighed(frame: pd.DataFrame) -> Flag:
    missing = frame.get("case_weight_set_missing", pd.Series(np.nan, frame.index)).to_numpy()
    return np.asarray((missing == 0) & _above(frame, "order_weight_carrier_log_ratio", SURE), np.bool_)


HOLDS: Final[Mapping[str, Callable[[pd.DataFrame], Flag]]] = {
    "earlier_finding": lambda frame: _above(frame, "buyer_found_malicious_count_ever", 1),
    "upheld_report": lambda frame: _above(frame, "buyer_reports_standing_count_ever", 1),
    "reused_evidence": lambda frame: _above(frame, "case_buyer_reused_count", 1),
    "weight_complete": _weighed,
}
"""Where each confirmed signal holds, by signals."""
ASKED: Final = tuple(rule for rule in RULES if rule.reasons)
"""The sets that reasons of disputes ask for."""
SIGNALS: Final = (
    *("buyer_found_malicious_count_ever", "buyer_reports_standing_count_ever", "case_buyer_reused_count"),
    *("order_weight_carrier_log_ratio", SHORT, "order_scans_lost_count", "seller_blocks_upheld_count_ever"),
    *(f"case_{rule.name}_set_missing" for rule in ASKED),
    *(_ITEM.format(kind) for rule in ASKED for kind in rule.items),
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
    reasons = disputes.codes("reason")
    named = [str(word) for word in reasons.values.to_pylist()]
    reason = tuple(named[code] for code in reasons.codes[asks.row].tolist())
    names = orders.strings("order_id").to_pylist()
    return Claims(
        tuple(map(str, asks.ids.to_pylist())),
        asks.at,
        tuple(str(names[i]) if i >= 0 else "" for i in row.tolist()),
        reason,
        np.where(known, claimed, 0).astype(np.int64),
        np.asarray(known, np.bool_),
        _owed(orders.numbers("amount")[0][row], orders.numbers("quantity")[0][row], np.where(known, claimed, 0), frame),
        {name: holds(frame) for name, holds in HOLDS.items()},
        _lacking(reason, frame),
        _complete(reason, frame),
        _borne_by(frame),
        standings(ledger, np.append(orders.codes("buyer_id").codes, -1)[row].astype(np.int64), asks.at),
        orders.numbers("amount")[0][row] - _paid_back(ledger, row, asks.at),
    )


def _paid_back(ledger: Ledger, order: Int, at: Int) -> Int:
    """Cents of each order that were refunded, or taken back by a bank, before a moment."""
    asked, found = pd.DataFrame({"order": order, "t": at, "i": np.arange(len(order))}), np.zeros(len(order), np.int64)
    for name in ("refunds", "chargebacks"):
        if name in ledger.facts:
            facts = ledger.facts[name]
            cents, known = facts.numbers("amount")
            rows = pd.DataFrame({"order": facts.points["orders"], "at": facts.at, "cents": cents})[known]
            both = asked.merge(rows, on="order")
            paid = both[both["at"] < both["t"]].groupby("i")["cents"].sum()
            found[paid.index.to_numpy()] += paid.to_numpy(np.int64)
    return found


def _owed(amount: Int, quantity: Int, claimed: Int, frame: pd.DataFrame) -> Float:
    """The share of a claim that the units missing by weight are worth; NaN where the weight cannot tell."""
    if SHORT not in frame:
        return np.full(len(frame), np.nan)
    missing = frame[SHORT].to_numpy(np.float64)
    worth = np.divide(missing * amount, quantity, out=np.full(len(frame), np.nan), where=quantity > 0)
    share = np.divide(worth, claimed, out=np.full(len(frame), np.nan), where=claimed > 0)
    return np.asarray(np.clip(share, 0, 1), np.float64)


def _lacking(reason: tuple[str, ...], frame: pd.DataFrame) -> tuple[tuple[str, ...], ...]:
    """Of each dispute the items of its reason's set that nobody has brought."""
    of: dict[str, Rule] = {reason: rule for rule in ASKED for reason in rule.reasons}
    kinds = sorted({kind for rule in ASKED for kind in rule.items if _ITEM.format(kind) in frame})
    lacks = {kind: (frame[_ITEM.format(kind)].to_numpy() < 1).tolist() for kind in kinds}
    return tuple(
        tuple(kind for kind in of[word].items if kind in lacks and lacks[kind][i]) if word in of else ()
        for i, word in enumerate(reason)
    )


def _complete(reason: tuple[str, ...], frame: pd.DataFrame) -> Flag:
    """Where the set that a dispute's reason asks for is known to be complete."""
    found = np.zeros(len(frame), np.bool_)
    for rule in ASKED:
        name = f"case_{rule.name}_set_missing"
        if name in frame:
            found |= np.isin(np.array(reason, object), rule.reasons) & (frame[name].to_numpy() == 0)
    return found


def _borne_by(frame: pd.DataFrame) -> tuple[str, ...]:
    """The insurer of what the carrier lost, a seller found guilty by the platform, else the platform."""
    ways = [_above(frame, "order_scans_lost_count", 1), _above(frame, "seller_blocks_upheld_count_ever", 1)]
    return tuple(np.select(ways, ["insurer", "seller"], "platform").tolist())
