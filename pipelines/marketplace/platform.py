"""The platform's own hand: refunds, blocks and releases, reports and their rulings, tiers, and feedback on decisions."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator

from features.background import NOT_YET
from features.kernel import DAY, HOUR, Flag, Int
from features.signal import Float
from features.tables import ACTIONS, CAUSES, FUNDERS
from pipelines.marketplace.banks import Chargebacks
from pipelines.marketplace.claims import Claims
from pipelines.marketplace.defences import Contests
from pipelines.marketplace.draws import chance, days, pick_by
from pipelines.marketplace.endings import PRE_ARBITRATION, WON, Endings, taken
from pipelines.marketplace.endings import WITHDRAWN as WITHDRAWN_AT_BANK
from pipelines.marketplace.goods import COUNTERFEITER, FAKER, Sellers
from pipelines.marketplace.officers import (
    AUTO,
    POLICY_ACTIONS,
    REFUSED,
    SELLER_REPORT,
    Findings,
    Policy,
    Rulings,
)
from pipelines.marketplace.parameters import Marketplace
from pipelines.marketplace.parcels import REFUSED as AT_THE_DOOR
from pipelines.marketplace.parcels import Halted
from pipelines.marketplace.trade import Trade

POLICY, OFFICER, SELLER, ISSUER = range(4)
"""Positions in the vocabulary of refunds.initiator."""
SELLER_PAYS, ISSUER_PAYS = (FUNDERS.index(word) for word in ("seller", "issuer"))
CHARGEBACK, RISK_ADDRESS, INTEGRITY = range(3)
"""Positions in the vocabulary of blocks.kind."""
CLOSED, UPHELD, OVERTURNED, EXPIRED = range(4)
"""Positions in the vocabulary of releases.result."""
TIER_DAYS: Final = 180


@dataclass(frozen=True)
class Refunds:
    """Refunds by moment: order, cents, who bore it and who started it."""

    at: Int
    order: Int
    amount: Int
    funder: Int
    initiator: Int


@dataclass(frozen=True)
class Blocks:
    """Blocks by moment: kind, order or seller (-1 none), cause (-1 none), when it must close (NOT_YET none), its release."""

    at: Int
    kind: Int
    order: Int
    seller: Int
    cause: Int
    closes_by: Int
    released: Int
    result: Int


@dataclass(frozen=True)
class Reports:
    """Reports of buyers by moment: the order, the dispute it answers, when it was judged (NOT_YET never) and how."""

    at: Int
    order: Int
    dispute: Int
    judged: Int
    upheld: Flag


@dataclass(frozen=True)
class Decisions:
    """Decisions by moment: the case (a row of its kind's table), a position in ACTIONS, propensity, and kind of case."""

    at: Int
    case: Int
    kind: Int
    action: Int
    propensity: Float


@dataclass(frozen=True)
class Feedback:
    """Answers to decisions by moment: the decision (a row), the party and what kind."""

    at: Int
    decision: Int
    party: Int
    kind: Int


@dataclass(frozen=True)
class Tiers:
    """Changes of buyers' rules by moment: the buyer, whether restricted, and until when (NOT_YET when restored)."""

    at: Int
    buyer: Int
    restricted: Flag
    expires: Int


def early_refunds(rng: Generator, m: Marketplace, trade: Trade) -> Refunds:
    """Refunds that no dispute asked for: cancelled, closed and refused orders, and goodwill."""
    bought, stops, sent = trade.bought, trade.stops, trade.sent
    closed = np.where(stops.closed, stops.released, NOT_YET)
    gone = np.flatnonzero((stops.cancelled < NOT_YET) | stops.closed)
    returned = np.flatnonzero((sent.problem == AT_THE_DOOR) & chance(rng, 0.8, len(bought)))
    kind = np.flatnonzero(chance(rng, m.goodwill_rate, len(bought)) & (sent.shipped < NOT_YET) & ~bought.fake)
    order = np.r_[gone, returned, kind]
    base = np.r_[
        np.minimum(stops.cancelled, closed)[gone], bought.promised[returned] + 8 * DAY, bought.at[kind] + 2 * DAY
    ]
    at = base + HOUR // 2 + (rng.exponential(1.0, len(order)) * DAY).astype(np.int64)
    first = np.arange(len(order)) < len(gone)
    part = np.where(np.arange(len(order)) < len(gone) + len(returned), 1.0, rng.uniform(0.1, 0.6, len(order)))
    return Refunds(
        at=at,
        order=order,
        amount=np.ceil(bought.amount[order] * part).astype(np.int64),
        funder=np.full(len(order), SELLER_PAYS),
        initiator=np.where(first, POLICY, SELLER),
    )


def refunds(
    rng: Generator,
    trade: Trade,
    early: Refunds,
    opened: Claims,
    decided: Policy,
    ruled: Rulings,
    charged: Chargebacks,
    ended: Endings,
) -> Refunds:
    """All refunds: early ones, what rulings ordered, and what issuers took back in the end.

    The platform pays back no more than the order; a bank that takes it once more is the buyer's second helping.
    """
    paid, (share, settled) = np.flatnonzero(ruled.refunded > 0), taken(ended, len(charged))
    dispute, lost = ruled.dispute[paid], np.flatnonzero(share > 0)
    delay = HOUR // 2 + (rng.exponential(1.0, len(paid) + len(lost)) * DAY).astype(np.int64)
    by = np.where((decided.action[dispute] == AUTO) & ruled.first[paid], POLICY, OFFICER)
    at = np.r_[early.at, np.r_[ruled.at[paid], settled[lost]] + delay]
    order = np.r_[early.order, opened.order[dispute], charged.order[lost]]
    back = np.ceil(charged.amount[lost] * share[lost]).astype(np.int64)
    amount = np.r_[early.amount, ruled.refunded[paid], back]
    funder = np.r_[early.funder, ruled.funder[paid], np.full(len(lost), ISSUER_PAYS)]
    initiator = np.r_[early.initiator, by, np.full(len(lost), ISSUER)]
    amount = _capped(trade, order, at, amount, initiator == ISSUER)
    rows = np.flatnonzero(amount > 0)
    rows = rows[np.argsort(at[rows], kind="stable")]
    return Refunds(at[rows], order[rows], amount[rows], funder[rows], initiator[rows])


def _capped(trade: Trade, order: Int, at: Int, amount: Int, bank: Flag) -> Int:
    """Amounts of refunds, no more than what is left of each order when its turn comes; the bank's count apart."""
    sort = np.lexsort((at, order, bank))
    group = order[sort] * 2 + bank[sort]
    first = np.flatnonzero(np.r_[True, np.diff(group) != 0][: len(group)])
    total = np.cumsum(amount[sort]) - amount[sort]
    before = total - np.repeat(total[first], np.diff(np.r_[first, len(group)]))
    capped = np.empty(len(amount), np.int64)
    capped[sort] = np.clip(trade.bought.amount[order[sort]] - before, 0, amount[sort])
    return capped


def blocks(rng: Generator, trade: Trade, charged: Chargebacks, ended: Endings) -> Blocks:
    """The three kinds: at once when a bank's notice comes, on a risky address, and sellers whose integrity is in doubt."""
    stops, who = trade.stops, trade.who
    risky, frozen, n = np.flatnonzero(stops.risky), np.flatnonzero(who.frozen < NOT_YET), len(charged)
    last, how = np.full(n, NOT_YET), np.full(n, -1)
    final = ended.outcome != PRE_ARBITRATION
    last[ended.chargeback[final]], how[ended.chargeback[final]] = ended.at[final], ended.outcome[final]
    bank = np.select([how == WON, how == WITHDRAWN_AT_BANK], [OVERTURNED, CLOSED], UPHELD)
    checked = stops.checked[risky] + HOUR // 60
    guilt = np.where(who.guilty[frozen], UPHELD, np.where(chance(rng, 0.3, len(frozen)), EXPIRED, OVERTURNED))
    nobody, none = np.full(n, -1), np.full(len(risky), -1)
    columns = (
        np.r_[charged.at + HOUR // 60, checked, who.frozen[frozen]],
        np.repeat([CHARGEBACK, RISK_ADDRESS, INTEGRITY], [n, len(risky), len(frozen)]),
        np.r_[charged.order, risky, np.full(len(frozen), -1)],
        np.r_[nobody, none, frozen],
        np.r_[nobody, none, _doubts(rng, who, frozen)],
        np.r_[np.full(n, NOT_YET), checked + DAY, np.full(len(frozen), NOT_YET)],
        np.r_[last, np.maximum(stops.released[risky], checked + HOUR // 60), who.released[frozen]],
        np.r_[bank, np.where(stops.closed[risky], CLOSED, OVERTURNED), guilt],
    )
    sort = np.argsort(columns[0], kind="stable")
    return Blocks(*(column[sort] for column in columns))


def _doubts(rng: Generator, who: Sellers, frozen: Int) -> Int:
    """What a frozen seller is suspected of: mostly what he does."""
    trade = who.trade[frozen]
    what = np.select([trade == COUNTERFEITER, trade == FAKER], ["counterfeit", "false_transactions"], "description")
    guess = pick_by(rng, np.array([[0.25, 0.3, 0.2, 0.1, 0.15]]), 0 * frozen)
    known = np.array([CAUSES.index(str(word)) for word in what], np.int64)
    return np.where(who.guilty[frozen] & chance(rng, 0.85, len(frozen)), known, guess)


def reports(rng: Generator, m: Marketplace, trade: Trade, opened: Claims) -> Reports:
    """Sellers report buyers: of malice now and then, guilty sellers honest ones to save themselves, others by mistake."""
    guilty = trade.who.guilty[trade.bought.seller[opened.order]]
    share = np.where(opened.malicious, m.report_rate, np.where(guilty, m.selfish_rate, 0.04))
    dispute = np.flatnonzero(chance(rng, share, len(opened)))
    n = len(dispute)
    at = opened.at[dispute] + HOUR + (rng.exponential(4.0, n) * DAY).astype(np.int64)
    judged = np.where(chance(rng, 0.75, n), at + DAY + days(rng, 15.0, n, 0.5), NOT_YET)
    upheld = chance(rng, np.where(opened.malicious[dispute], 0.65, 0.1), n)
    sort = np.argsort(at, kind="stable")
    return Reports(at[sort], opened.order[dispute][sort], dispute[sort], judged[sort], upheld[sort])


def reported_findings(rng: Generator, m: Marketplace, told: Reports) -> Findings:
    """What the judging of reports establishes about disputes."""
    rows = np.flatnonzero(told.upheld & (told.judged < NOT_YET) & chance(rng, 0.5, len(told.at)))
    wrong = chance(rng, m.finding_error, len(rows))
    at = told.judged[rows] + HOUR
    sort = np.argsort(at, kind="stable")
    return Findings(at[sort], told.dispute[rows][sort], ~wrong[sort], np.full(len(rows), SELLER_REPORT))


def decisions(decided: Policy, charged: Chargebacks, done: Contests, stops: Halted) -> Decisions:
    """Decisions of the platform's system: on disputes, on answering chargebacks, and on risky addresses."""
    checked = np.flatnonzero(stops.checked < NOT_YET)
    contest = done.filed < NOT_YET
    action = np.array([ACTIONS.index(word) for word in POLICY_ACTIONS])[decided.action]
    answer = np.where(contest, ACTIONS.index("contest"), ACTIONS.index("accept"))
    gate = np.where(stops.risky[checked], ACTIONS.index("block"), ACTIONS.index("allow"))
    at = np.r_[decided.at, done.decided, stops.checked[checked] + HOUR // 60]
    columns = (
        np.r_[np.arange(len(decided.at)), np.arange(len(charged)), checked],
        np.repeat([1, 2, 0], [len(decided.at), len(charged), len(checked)]),
        np.r_[action, answer, gate],
        np.r_[decided.propensity, np.where(contest, done.propensity, 1 - done.propensity), np.ones(len(checked))],
    )
    sort = np.argsort(at, kind="stable")
    return Decisions(at[sort], *(column[sort] for column in columns))


def feedback(rng: Generator, made: Decisions, opened: Claims, ruled: Rulings) -> Feedback:
    """Surveys after decisions, appeals of refused buyers, and reversals where an appeal was won."""
    of = np.full(len(opened), -1)
    disputes = np.flatnonzero(made.kind == 1)
    of[made.case[disputes]] = disputes
    asked = disputes[chance(rng, 0.15, len(disputes))]
    surveyed = made.at[asked] + DAY + (rng.exponential(6.0, len(asked)) * DAY).astype(np.int64)
    again = np.flatnonzero(~ruled.first)
    won = again[ruled.outcome[again] != REFUSED]
    appealed = ruled.at[again] - DAY
    at = np.r_[surveyed, appealed, ruled.at[won] + HOUR]
    decision = np.r_[asked, of[ruled.dispute[again]], of[ruled.dispute[won]]]
    kind = np.repeat([0, 1, 2], [len(asked), len(again), len(won)])
    sort = np.argsort(at, kind="stable")
    return Feedback(at[sort], decision[sort], np.where(kind == 2, 2, 0)[sort], kind[sort])


def tiers(trade: Trade, opened: Claims, found: Findings) -> Tiers:
    """Buyers found malicious are restricted for half a year, and restored when it ends; one restriction at a time."""
    until: dict[int, int] = {}
    rows: list[tuple[int, int, bool, int]] = []
    for i in np.flatnonzero(found.malicious).tolist():
        buyer, at = int(trade.bought.buyer[opened.order[found.dispute[i]]]), int(found.at[i]) + DAY
        if at > until.get(buyer, 0):
            until[buyer] = at + TIER_DAYS * DAY
            rows += [(at, buyer, True, until[buyer]), (until[buyer], buyer, False, NOT_YET)]
    rows.sort()
    columns = np.array(rows, np.int64).reshape(len(rows), 4)
    return Tiers(columns[:, 0], columns[:, 1], columns[:, 2] > 0, columns[:, 3])
