"""Officers: what the platform's policy decides unseen, what officers rule, appeals, and what is later found out of whom."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator

from features.background import NOT_YET
from features.kernel import DAY, HOUR, Flag, Int
from features.signal import Float
from features.tables import FUNDERS, REASONS, SOURCES
from pipelines.marketplace.claims import FORGOTTEN, SIDE, SIDES, Claims
from pipelines.marketplace.draws import chance, days, odds, pick_by, rank_within
from pipelines.marketplace.goods import DILIGENCE
from pipelines.marketplace.parameters import Marketplace
from pipelines.marketplace.parcels import LATE, LOST
from pipelines.marketplace.proofs import BUYER, Proofs, weight_of
from pipelines.marketplace.trade import Trade

FULL, PARTIAL, RETURN, REFUSED, SETTLED, WITHDRAWN = range(6)
"""Positions in features.tables.RULINGS."""
FAULTS: Final = ("buyer", "seller", "carrier", "none", "unknown")
OFFICER, ISSUER, ADMISSION, RING_SOURCE, AUDIT, SELLER_REPORT = range(len(SOURCES))
AUTO, ASK, REVIEW = range(3)
ENOUGH: Final = 3
"""Accounts that must have shown one picture before a ring can come to light."""
POLICY_ACTIONS: Final = ("refund_full", "request_evidence", "review")


@dataclass(frozen=True)
class Policy:
    """What the policy decided of each dispute, when, and with which probability it would have decided just that."""

    at: Int
    action: Int
    propensity: Float


@dataclass(frozen=True)
class Rulings:
    """Rulings by moment: the dispute (a row), outcome, cents, and fault; `first` where no ruling came before."""

    at: Int
    dispute: Int
    outcome: Int
    refunded: Int
    funder: Int
    fault: Int
    first: Flag

    def closing(self, disputes: int) -> Int:
        """When each dispute was closed for the first time, NOT_YET where it never was."""
        at = np.full(disputes, NOT_YET)
        at[self.dispute[::-1]] = self.at[::-1]
        return at


@dataclass(frozen=True)
class Findings:
    """Findings by moment: the dispute (a row), whether it was found malicious, and who found it."""

    at: Int
    dispute: Int
    malicious: Flag
    source: Int


def answers(rng: Generator, trade: Trade, opened: Claims) -> Int:
    """When the seller first answers each dispute, NOT_YET if never."""
    n, who, seller = len(opened), trade.who, trade.bought.seller[opened.order]
    hours = np.minimum(who.latency[seller] * np.exp(rng.normal(0, 0.7, n)), 118.0)
    silent = chance(rng, odds(-2.2 - 1.2 * DILIGENCE[who.trade[seller]]), n)
    return np.where(silent, NOT_YET, opened.at + (hours * HOUR).astype(np.int64))


def policy(rng: Generator, m: Marketplace, trade: Trade, opened: Claims) -> Policy:
    """Small claims of buyers with few filings are refunded unseen; now and then a decision is drawn at random."""
    n = len(opened)
    filings = rank_within(trade.bought.buyer[opened.order], opened.at)
    cut = np.quantile(opened.claimed, m.auto_refunds) if n and m.auto_refunds > 0 else -1.0
    small = (opened.claimed <= cut) & (filings <= 2)
    plain = np.isin(opened.reason, [REASONS.index(word) for word in ("not_received", "billing")])
    usual = np.where(small, AUTO, np.where(plain, REVIEW, ASK))
    explored = chance(rng, m.exploration, n)
    action = np.where(explored, rng.integers(0, 3, n), usual)
    propensity = m.exploration / 3 + np.where(action == usual, 1 - m.exploration, 0.0)
    return Policy(opened.at + ((0.5 + rng.exponential(3.0, n)) * HOUR).astype(np.int64), action, propensity)


def rulings(
    rng: Generator, m: Marketplace, trade: Trade, opened: Claims, proofs: Proofs, answered: Int, decided: Policy
) -> tuple[Rulings, Findings]:
    """Every dispute's ruling, in time order, each with what officers knew of the buyer and the seller by then."""
    n = len(opened)
    seen, tried, appealed, paid = rng.spawn(4)
    at = _closing(seen, m, opened, decided)
    first = _without_officers(seen, m, trade, opened, answered, decided)
    view = _views(seen, m, opened, proofs.before(at), answered, decided)
    granted, suspect = _sittings(m, trade, opened, at, first, view)
    found = _examined(tried, m, opened, at, suspect, decided.action == AUTO)
    outcome = np.where(first >= 0, first, np.where(granted, _refunds_by_kind(seen, n), REFUSED))
    again = _appeals(appealed, m, opened, at, outcome)
    dispute = np.r_[np.arange(n), again[0]]
    at, outcome = np.r_[at, again[1]], np.r_[outcome, again[2]]
    refunded = _amounts(paid, opened, dispute, outcome)
    fault = _faults(paid, opened, dispute, outcome, np.r_[suspect, np.zeros(len(again[0]))])
    funder = _funders(paid, opened, dispute, refunded, fault)
    order = np.argsort(at, kind="stable")
    columns = (at, dispute, outcome, refunded, funder, fault)
    at, dispute, outcome, refunded, funder, fault = (values[order] for values in columns)
    return Rulings(at, dispute, outcome, refunded, funder, fault, order < n), found


def _closing(rng: Generator, m: Marketplace, opened: Claims, decided: Policy) -> Int:
    """When each dispute is closed: at once by policy, else after answers, negotiation and an officer."""
    n = len(opened)
    slow = np.where(decided.action == ASK, 3 * DAY, 0)
    officer = np.maximum(opened.at + days(rng, m.ruled_days, n, 0.4), decided.at + HOUR) + slow
    return np.where(decided.action == AUTO, decided.at + HOUR // 12, officer)


def _without_officers(
    rng: Generator, m: Marketplace, trade: Trade, opened: Claims, answered: Int, decided: Policy
) -> Int:
    """The outcome where no officer is needed, else -1: by policy, by settlement, or because the buyer withdraws."""
    n = len(opened)
    settles = (answered < NOT_YET) & chance(rng, m.settled_rate, n)
    arrived = (opened.cause == LATE) & (trade.sent.delivered[opened.order] > opened.at)
    gives_up = chance(rng, np.where(arrived, 0.35, np.where(opened.cause == FORGOTTEN, 0.2, 0.05)), n)
    return np.select([decided.action == AUTO, settles, gives_up], [FULL, SETTLED, WITHDRAWN], -1)


def _views(rng: Generator, m: Marketplace, opened: Claims, proofs: Proofs, answered: Int, decided: Policy) -> Float:
    """How a case looks but for the parties' records, above 0 for the buyer: what is true, what is shown, and noise."""
    n = len(opened)
    shown = 0.6 * weight_of(proofs, n, buyer=True) - 0.6 * weight_of(proofs, n, buyer=False)
    noise = np.where(decided.action == ASK, 0.85, 1.0) * m.officer_noise
    silent = np.where(answered == NOT_YET, 0.5, 0.0)
    return np.asarray(0.45 + 0.8 * (2 * opened.owed - 1) + shown + silent + noise * rng.normal(0, 1, n))


def _sittings(m: Marketplace, trade: Trade, opened: Claims, at: Int, first: Int, view: Float) -> tuple[Flag, Float]:
    """Officers rule one case after the other: refusals so far weigh against a buyer, grants against a seller.

    Returns what is granted and how suspect each buyer looked, in standard deviations of what officers misjudge.
    """
    n = len(opened)
    buyers, sellers = (code[opened.order].tolist() for code in (trade.bought.buyer, trade.bought.seller))
    refused: dict[int, int] = {}
    blamed: dict[int, int] = {}
    granted, suspect = np.zeros(n, np.bool_), np.zeros(n)
    for i in np.argsort(at, kind="stable").tolist():
        record = min(refused.get(buyers[i], 0), 4) - 0.4 * min(blamed.get(sellers[i], 0), 3)
        looks = float(view[i]) - m.credit_weight * record
        suspect[i] = 0.2 - looks
        if first[i] >= 0:
            continue
        granted[i] = looks > 0
        refused[buyers[i]] = refused.get(buyers[i], 0) + (looks <= 0)
        blamed[sellers[i]] = blamed.get(sellers[i], 0) + (looks > 1.0)
    return granted, suspect


def _examined(rng: Generator, m: Marketplace, opened: Claims, at: Int, suspect: Float, auto: Flag) -> Findings:
    """Which disputes are looked into again, late: the suspect mostly, a few at random, admissions now and then."""
    n = len(opened)
    drawn = rng.random((5, n))
    further = np.where(auto, 0.06, 1.0) * m.examined_rate * 2 * odds(1.6 * (suspect - 0.6))
    looked, audited = drawn[0] < further, drawn[1] < m.audit_rate
    admits = drawn[2] < np.where(
        opened.malicious, 0.01, np.where(SIDE[opened.cause] == SIDES.index("mistake"), 0.03, 0.0)
    )
    wrong = drawn[3] < m.finding_error
    source = np.select([admits, looked, audited], [ADMISSION, OFFICER, AUDIT], -1)
    rows = np.flatnonzero(source >= 0)
    late = np.where(source == ADMISSION, 0.4, 1.0)[rows] * m.finding_days
    when = at[rows] + days(rng, late, len(rows), 0.6)
    said = opened.malicious ^ (wrong & ~admits)
    order = np.argsort(when, kind="stable")
    return Findings(when[order], rows[order], said[rows][order], source[rows][order])


def _refunds_by_kind(rng: Generator, n: int) -> Int:
    return pick_by(rng, np.array([[0.55, 0.25, 0.2]]), np.zeros(n, np.int64))


def _appeals(rng: Generator, m: Marketplace, opened: Claims, at: Int, outcome: Int) -> tuple[Int, Int, Int]:
    """Second rulings: the dispute, when, and how it ended; an appeal looks closer."""
    n = len(opened)
    appeals = (outcome == REFUSED) & chance(rng, m.appeal_rate * np.where(opened.owed > 0.5, 1.0, 0.33), n)
    rows = np.flatnonzero(appeals)
    when = at[rows] + 2 * DAY + days(rng, 8.0, len(rows), 0.4)
    won = chance(rng, np.where(opened.owed[rows] > 0.5, 0.7, 0.12), len(rows))
    return rows, when, np.where(won, FULL, REFUSED)


def _amounts(rng: Generator, opened: Claims, dispute: Int, outcome: Int) -> Int:
    """Cents paid back by each ruling."""
    part = rng.uniform(0.2, 0.8, len(dispute))
    share = np.select([np.isin(outcome, (FULL, RETURN)), np.isin(outcome, (PARTIAL, SETTLED))], [1.0, part], 0.0)
    return np.asarray(np.ceil(opened.claimed[dispute] * share), np.int64)


def _faults(rng: Generator, opened: Claims, dispute: Int, outcome: Int, suspect: Float) -> Int:
    """Whom officers blame: mostly right when they grant, the buyer when they refuse and were sure."""
    n, side = len(dispute), SIDE[opened.cause[dispute]]
    is_seller = np.isin(side, (SIDES.index("seller"), SIDES.index("product")))
    true = np.where(is_seller, 1, np.where(side == SIDES.index("carrier"), 2, 3))
    granting = np.where(chance(rng, 0.65, n), true, pick_by(rng, np.array([[0, 0.4, 0.15, 0.15, 0.3]]), 0 * dispute))
    refusing = np.where(
        chance(rng, odds(1.2 * (suspect - 0.8)), n), 0, pick_by(rng, np.array([[0, 0, 0.1, 0.5, 0.4]]), 0 * dispute)
    )
    return np.asarray(np.select([outcome < REFUSED, outcome == REFUSED], [granting, refusing], 4), np.int64)


def _funders(rng: Generator, opened: Claims, dispute: Int, refunded: Int, fault: Int) -> Int:
    """Who bears a refund: sellers at fault, insurers of lost parcels, else mostly the platform; -1 where nothing is paid."""
    n, reason = len(dispute), opened.reason[dispute]
    lost = (opened.cause[dispute] == LOST) & chance(rng, 0.35, n)
    goods = ~np.isin(reason, [REASONS.index(word) for word in ("not_received", "billing", "service", "other")])
    seller = chance(rng, np.where(fault == FAULTS.index("seller"), 0.7, np.where(goods, 0.25, 0.45)), n)
    return np.where(refunded > 0, np.where(lost, FUNDERS.index("insurer"), seller.astype(np.int64)), -1)


def rings_found(rng: Generator, trade: Trade, opened: Claims, proofs: Proofs) -> Findings:
    """Rings that come to light when several accounts have shown one picture: all claims with it until then are malicious."""
    told = np.flatnonzero((proofs.content >= 0) & (proofs.party == BUYER))
    content, case, at = proofs.content[told], proofs.case[told], proofs.at[told]
    order = np.lexsort((at, content))
    content, case, at = content[order], case[order], at[order]
    buyer = trade.bought.buyer[opened.order[case]]
    new = np.zeros(len(content), np.int64)  # 1 where a buyer shows a picture for the first time
    new[np.unique(np.stack([content, buyer]), axis=1, return_index=True)[1]] = 1
    many, accounts = np.unique(content[new > 0], return_counts=True)
    suspects = many[accounts >= ENOUGH]
    lit = suspects[chance(rng, 0.4, len(suspects))]
    rows: list[Int] = []
    when: list[Int] = []
    for picture in lit.tolist():
        mine = np.flatnonzero(content == picture)
        seen = at[mine[np.flatnonzero(np.cumsum(new[mine]) >= ENOUGH)[0]]]
        moment = int(seen) + round((10 + rng.exponential(25.0)) * DAY)
        known = np.unique(case[mine[at[mine] < moment]])
        rows.append(known)
        when.append(np.full(len(known), moment))
    if not rows:
        none = np.zeros(0, np.int64)
        return Findings(none, none, np.zeros(0, np.bool_), none)
    dispute, moments = np.concatenate(rows), np.concatenate(when)
    order = np.lexsort((moments, dispute))
    dispute, moments = dispute[order], moments[order]
    keep = np.r_[True, np.diff(dispute) != 0]
    return Findings(
        moments[keep], dispute[keep], np.ones(int(keep.sum()), np.bool_), np.full(int(keep.sum()), RING_SOURCE)
    )


def together(some: list[Findings]) -> Findings:
    """Findings from several sources, by moment; of one dispute, moment and source only one."""
    at, dispute, malicious, source = (
        np.concatenate([getattr(found, name) for found in some]) for name in ("at", "dispute", "malicious", "source")
    )
    order = np.lexsort((source, dispute, at))
    keys = np.stack([at, dispute, source])[:, order]
    keep = order[np.r_[True, (np.diff(keys, axis=1) != 0).any(axis=0)][: len(order)]]
    return Findings(at[keep], dispute[keep], malicious[keep], source[keep])
