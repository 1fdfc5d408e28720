"""Endings: how issuers end chargebacks, what moves on the way, and what they let the platform know."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from features.background import NOT_YET
from features.kernel import DAY, HOUR, Int
from features.signal import Float
from features.tables import ENDINGS
from pipelines.marketplace.banks import Chargebacks
from pipelines.marketplace.claims import Claims
from pipelines.marketplace.defences import Contests
from pipelines.marketplace.draws import chance, days, pick_by
from pipelines.marketplace.officers import ISSUER, Findings
from pipelines.marketplace.parameters import Marketplace

WON, LOST, PART, ACCEPTED, NO_RESPONSE, WITHDRAWN, PRE_ARBITRATION = range(len(ENDINGS))


@dataclass(frozen=True)
class Endings:
    """How chargebacks moved and ended, by moment: the chargeback (a row) and a position in ENDINGS."""

    at: Int
    chargeback: Int
    outcome: Int

    def first(self, chargebacks: int, until: int = NOT_YET) -> Int:
        """How each chargeback first ended before a moment, -1 where it has not; what only moves it is no ending."""
        rows = np.flatnonzero((self.outcome != PRE_ARBITRATION) & (self.at < until))[::-1]
        outcome = np.full(chargebacks, -1)
        outcome[self.chargeback[rows]] = self.outcome[rows]
        return outcome


def taken(ended: Endings, chargebacks: int) -> tuple[Float, Int]:
    """The share of each chargeback's money that the bank takes in the end, and when that is settled, NOT_YET if never."""
    rows = np.flatnonzero(ended.outcome != PRE_ARBITRATION)
    share, at = np.zeros(chargebacks), np.full(chargebacks, NOT_YET)
    share[ended.chargeback[rows]] = np.array([0.0, 1.0, 0.5, 1.0, 1.0, 0.0])[ended.outcome[rows]]
    at[ended.chargeback[rows]] = ended.at[rows]  # in time order: the last one stays
    return share, at


def endings(rng: Generator, m: Marketplace, charged: Chargebacks, done: Contests) -> Endings:
    """How issuers end them: by the true probability when contested, else accepted or lost for want of an answer."""
    n, filed = len(charged), done.filed < NOT_YET
    at = np.where(filed, done.filed, charged.at) + days(rng, m.decided_days, n, 0.18)
    lost = pick_by(rng, np.array([[0.9, 0.1]]), np.zeros(n, np.int64))
    judged = np.where(chance(rng, done.probability, n), WON, LOST + lost)
    judged = np.where(chance(rng, m.withdrawn_rate, n), WITHDRAWN, judged)
    accepts = chance(rng, m.accepted_rate, n)
    soon = charged.at + DAY + (rng.random(n) * (charged.respond_by - charged.at - DAY)).astype(np.int64)
    outcome = np.where(filed, judged, np.where(accepts, ACCEPTED, NO_RESPONSE))
    at = np.where(filed, at, np.where(accepts, soon, charged.respond_by))
    at = np.where(done.again < NOT_YET, np.maximum(at, np.where(done.again < NOT_YET, done.again, 0) + 10 * DAY), at)
    moved = np.flatnonzero(done.again < NOT_YET)
    turned = np.flatnonzero((outcome == WON) & filed & chance(rng, m.reversed_rate, n))
    later = at[turned] + days(rng, 40.0, len(turned), 0.3)
    moments = np.r_[at, done.again[moved] - 5 * DAY, later]
    rows = np.r_[np.arange(n), moved, turned]
    outcomes = np.r_[outcome, np.full(len(moved), PRE_ARBITRATION), np.full(len(turned), LOST)]
    order = np.argsort(moments, kind="stable")
    return Endings(moments[order], rows[order], outcomes[order])


def issuer_findings(rng: Generator, m: Marketplace, opened: Claims, charged: Chargebacks, ended: Endings) -> Findings:
    """What issuers let know of disputes when a chargeback about the same order ends: mostly right, seldom told."""
    settled = np.isin(ended.outcome, (WON, LOST)) & (charged.dispute[ended.chargeback] >= 0)
    rows = np.flatnonzero(settled & chance(rng, 0.3, len(ended.at)))
    dispute = charged.dispute[ended.chargeback[rows]]
    error = chance(rng, min(1.0, 2 * m.finding_error), len(rows))
    at = ended.at[rows] + HOUR + (rng.exponential(2.0, len(rows)) * DAY).astype(np.int64)
    return Findings(at, dispute, opened.malicious[dispute] ^ error, np.full(len(rows), ISSUER))
