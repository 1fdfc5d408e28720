"""Banks: who goes to the bank, which orders are charged back, when, and under which reason code."""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.random import Generator

from features.kernel import DAY, HOUR, Flag, Int
from features.tables import REASONS
from pipelines.marketplace.claims import FORGOTTEN, STOLEN, Claims, in_bad_faith
from pipelines.marketplace.draws import chance, days, turn
from pipelines.marketplace.officers import REFUSED, SETTLED, Rulings
from pipelines.marketplace.parameters import Marketplace
from pipelines.marketplace.trade import Trade

REASON_CODES: Final = ("10.4", "13.1", "13.3", "13.4", "13.6", "13.7", "12.6.1", "4837", "4853", "4834")
BRIDGE: Final = "13.1 13.3 13.3 13.3 13.3 13.4 13.3 13.7 13.6 13.3".split()
"""Visa's code for each of REASONS."""
WINDOW_DAYS: Final = np.array([30, 45, 30])
"""Days that each of NETWORKS gives for a response; Visa's is shorter after the turn."""
VISA_LATER: Final = 20


@dataclass(frozen=True)
class Chargebacks:
    """Chargebacks by moment: order, true cause, cents, network, reason code (-1 unnamed), deadline, the bank's own date,
    and the dispute before it (a row, -1 none)."""

    at: Int
    order: Int
    cause: Int
    amount: Int
    network: Int
    code: Int
    respond_by: Int
    happened: Int
    dispute: Int

    def __len__(self) -> int:
        return len(self.at)

    @property
    def malicious(self) -> Flag:
        """Whether the buyer knows that it isn't so."""
        return in_bad_faith(self.cause)


def to_the_bank(rng: Generator, m: Marketplace, opened: Claims) -> tuple[Flag, Int]:
    """Which buyers would go to their bank when refused, and how long after; drawn for all, refused or not."""
    n = len(opened)
    firm = np.where(opened.owed > 0.5, 1.0, np.where(opened.malicious, 0.75, 0.5))
    return chance(rng, np.minimum(1.0, m.escalated * firm), n), HOUR + days(rng, 7.0, n)


@dataclass(frozen=True)
class Notices:
    """Chargebacks to come: moment, order, true cause, reason (of REASONS), cents, and the dispute before it (-1 none)."""

    at: Int
    order: Int
    cause: Int
    reason: Int
    amount: Int
    dispute: Int


def notices(
    rng: Generator, denied: Claims, opened: Claims, ruled: Rulings, goes: Flag, lag: Int, until: int
) -> tuple[Notices, Notices]:
    """Who goes to the bank: at once, after a refusal, in spite of a settlement; and who would have, or will after the end."""
    last = np.full(len(opened), -1)
    last[ruled.dispute] = np.arange(len(ruled.at))  # in time order: the last one stays
    outcome = np.append(ruled.outcome, -1)[last]
    twice = chance(rng, np.where(opened.malicious, 0.4, 0.1), len(opened)) & (outcome == SETTLED) & goes
    angry = (outcome == REFUSED) & goes
    at = np.append(ruled.at, 0)[last] + lag
    real = np.flatnonzero((angry | twice) & (at < until))
    spared = np.flatnonzero(goes & ~((angry | twice) & (at < until)))
    straight = _noticed(denied, denied.at, np.arange(len(denied)), np.full(len(denied), -1))
    after, without = (_noticed(opened, at, some, some) for some in (real, spared))
    return Notices(*(np.r_[getattr(straight, f.name), getattr(after, f.name)] for f in fields(Notices))), without


def _noticed(made: Claims, at: Int, some: Int, dispute: Int) -> Notices:
    """Notices of some claims, at moments `at` by claim."""
    return Notices(at[some], made.order[some], made.cause[some], made.reason[some], made.claimed[some], dispute)


def chargebacks(rng: Generator, m: Marketplace, trade: Trade, coming: Notices, until: int) -> Chargebacks:
    """The chargebacks that come within the window and before `until`, in time order; no order has two."""
    bought = trade.bought
    keep = np.flatnonzero((coming.at < until) & (coming.at - bought.at[coming.order] <= m.window_days * DAY))
    keep = keep[np.argsort(coming.at[keep], kind="stable")]
    at, order, cause, dispute = (values[keep] for values in (coming.at, coming.order, coming.cause, coming.dispute))
    network = bought.network[order]
    given = np.where((network == 0) & (at >= turn(m)), VISA_LATER, WINDOW_DAYS[network])
    dated = at - HOUR - np.minimum((rng.exponential(1.5, len(at)) * DAY).astype(np.int64), at - bought.at[order] - 1)
    return Chargebacks(
        at=at,
        order=order,
        cause=cause,
        amount=coming.amount[keep],
        network=network,
        code=_codes(rng, network, cause, coming.reason[keep], dispute),
        respond_by=at + given * DAY,
        happened=np.maximum(dated, bought.at[order]),
        dispute=dispute,
    )


def _codes(rng: Generator, network: Int, cause: Int, reason: Int, dispute: Int) -> Int:
    """Reason codes: "it was not me" for stolen and forgotten cards, and for many who only say so."""
    n = len(network)
    told = np.select([cause == STOLEN, cause == FORGOTTEN], [0.94, 0.85], np.where(dispute < 0, 0.35, 0.06))
    denies = chance(rng, told, n)
    double = (reason == REASONS.index("billing")) & chance(rng, 0.3, n)
    fraud, doubled, other = (np.array([REASON_CODES.index(code) for code in codes]) for codes in _BY_NETWORK)
    bridged = np.array([REASON_CODES.index(code) for code in BRIDGE])[reason]
    plain = np.where(network == 0, bridged, other[network])
    return np.where(network == 2, -1, np.where(denies, fraud[network], np.where(double, doubled[network], plain)))


_BY_NETWORK: Final = (("10.4", "4837", "4837"), ("12.6.1", "4834", "4834"), ("13.3", "4853", "4853"))
"""Codes of each of NETWORKS for "it was not me", for a double payment, and for the rest where a network has one for all."""
