"""Banks: which orders are charged back, under which code, which are contested with what, and how issuers end them."""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from features.kernel import DAY, HOUR, Flag, Int
from features.signal import Float
from features.streams import NOT_YET
from features.tables import ENDINGS, EVIDENCE, REASONS
from pipelines.marketplace.claims import FORGOTTEN, MALICE, STOLEN, Claims
from pipelines.marketplace.draws import chance, days, odds, pick_by, turn
from pipelines.marketplace.goods import DILIGENCE, Products, Sellers
from pipelines.marketplace.officers import ISSUER, REFUSED, SETTLED, Findings, Rulings
from pipelines.marketplace.orders import OWN, Orders
from pipelines.marketplace.parameters import Marketplace
from pipelines.marketplace.parcels import Parcels, Scans
from pipelines.marketplace.parcels import DELIVERED as DELIVERED_SCAN
from pipelines.marketplace.proofs import CARRIER, PLATFORM, SELLER, Proofs, there
from pipelines.marketplace.winning import FAMILIES, Cases, Mechanism, families, win_probability

REASON_CODES: Final = ("10.4", "13.1", "13.3", "13.4", "13.6", "13.7", "12.6.1", "4837", "4853", "4834")
BRIDGE: Final = (
    *("13.1", "13.3", "13.3", "13.3", "13.3", "13.4", "13.3", "13.7", "13.6", "13.3"),
)
"""Visa's code for each of REASONS."""
WON, LOST, PART, ACCEPTED, NO_RESPONSE, WITHDRAWN, PRE_ARBITRATION = range(len(ENDINGS))
WINDOW_DAYS: Final = np.array([30, 45, 30])
"""Days that each of NETWORKS gives for a response; Visa's is shorter after the turn."""
VISA_LATER: Final = 20
MATCHED: Final = (120, 365)
"""How many days before the disputed order prior transactions count."""


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
        return np.isin(self.cause, MALICE)


@dataclass(frozen=True)
class Contests:
    """What was done about each chargeback: the chance that it's contested, the moment (NOT_YET if not), a second filing,
    the items filed, the true probability to win with them, and what the mechanism sees."""

    propensity: Float
    decided: Int
    filed: Int
    again: Int
    items: NDArray[np.bool_]
    probability: Float
    cases: Cases


@dataclass(frozen=True)
class Endings:
    """How chargebacks moved and ended, by moment: the chargeback (a row) and a position in ENDINGS."""

    at: Int
    chargeback: Int
    outcome: Int


def to_the_bank(rng: Generator, m: Marketplace, opened: Claims) -> tuple[Flag, Int]:
    """Which buyers would go to their bank when refused, and how long after; drawn for all, refused or not."""
    n = len(opened)
    firm = np.where(opened.owed > 0.5, 1.25, np.where(opened.malicious, 0.9, 0.6))
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


def notices(rng: Generator, denied: Claims, opened: Claims, ruled: Rulings, goes: Flag, lag: Int) -> tuple[Notices, Notices]:
    """Who goes to the bank: at once, after a refusal, or in spite of a settlement; and who would have, had he been refused."""
    last = np.full(len(opened), -1)
    last[ruled.dispute] = np.arange(len(ruled.at))  # in time order: the last one stays
    outcome = np.append(ruled.outcome, -1)[last]
    twice = chance(rng, np.where(opened.malicious, 0.1, 0.02), len(opened)) & (outcome == SETTLED)
    angry = (outcome == REFUSED) & goes
    at = np.append(ruled.at, 0)[last] + lag
    real, spared = np.flatnonzero(angry | twice), np.flatnonzero(goes & ~angry & ~twice)
    disputed = [Notices(at[w], *(c[w] for c in (opened.order, opened.cause, opened.reason, opened.claimed)), w) for w in (real, spared)]
    straight = Notices(denied.at, denied.order, denied.cause, denied.reason, denied.claimed, np.full(len(denied), -1))
    return Notices(*(np.r_[getattr(straight, f.name), getattr(disputed[0], f.name)] for f in fields(Notices))), disputed[1]


def chargebacks(rng: Generator, m: Marketplace, bought: Orders, coming: Notices, until: int) -> Chargebacks:
    """The chargebacks that come within the window and before `until`, in time order; no order has two."""
    keep = np.flatnonzero((coming.at < until) & (coming.at - bought.at[coming.order] <= m.window_days * DAY))
    keep = keep[np.argsort(coming.at[keep], kind="stable")]
    at, order, cause, dispute = (values[keep] for values in (coming.at, coming.order, coming.cause, coming.dispute))
    network = bought.network[order]
    given = np.where((network == 0) & (at >= turn(m)), VISA_LATER, WINDOW_DAYS[network])
    dated = at - HOUR - np.minimum((rng.exponential(1.5, len(at)) * DAY).astype(np.int64), at - bought.at[order] - 1)
    return Chargebacks(
        **{"at": at, "order": order, "cause": cause, "amount": coming.amount[keep], "network": network},
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
    bridged = np.array([REASON_CODES.index(code) for code in BRIDGE])[reason]
    double = (reason == REASONS.index("billing")) & chance(rng, 0.3, n)
    visa = np.where(denies, 0, np.where(double, REASON_CODES.index("12.6.1"), bridged))
    mastercard = np.where(denies, REASON_CODES.index("4837"), np.where(double, REASON_CODES.index("4834"), REASON_CODES.index("4853")))
    return np.select([network == 0, network == 1], [visa, mastercard], -1)


def eligible(bought: Orders, order: Int, at: Int, spoilt: Int) -> Flag:
    """Whether two or more earlier orders on the same card, 120 to 365 days before, match in IP or device and one thing more.

    `spoilt` (orders,) is when each order was disputed or charged back itself, NOT_YET if never.
    """
    lo, hi = (bought.at[order] - days * DAY for days in MATCHED[::-1])
    by_card = np.lexsort((bought.at, bought.instrument))
    cards = bought.instrument[by_card]
    first = np.searchsorted(cards, bought.instrument[order])
    size = np.searchsorted(cards, bought.instrument[order], side="right") - first
    case = np.repeat(np.arange(len(order)), size)
    place = np.arange(len(case)) - np.repeat(np.cumsum(size) - size, size)
    prior = by_card[first[case] + place]
    now = order[case]
    same = [getattr(bought, name)[prior] == getattr(bought, name)[now] for name in ("ip", "device", "login", "address")]
    enough = (same[0] | same[1]) & (np.sum(same, axis=0) >= 2)
    counts = enough & (bought.at[prior] >= lo[case]) & (bought.at[prior] < hi[case]) & (spoilt[prior] >= at[case])
    return np.bincount(case[counts], minlength=len(order)) >= 2


@dataclass(frozen=True)
class Filing:
    """An item that a defence may hold: who brings it, who issued it, what must exist, and the share filed by family."""

    kind: str
    party: int
    issuer: int
    needs: str
    everywhere: float
    shares: tuple[tuple[str, float], ...] = ()


FILINGS: Final = (
    Filing("delivery_certificate", SELLER, CARRIER, "reported", 0.3, (("not_received", 0.65), ("cardholder", 0.45))),
    Filing("tracking", SELLER, CARRIER, "tracked", 0.45, (("not_received", 0.8), ("cardholder", 0.6))),
    Filing("shipping_receipt", SELLER, CARRIER, "receipt", 0.4, (("not_as_described", 0.55),)),
    Filing("unit_weight_photo", SELLER, SELLER, "", 0.03, (("not_as_described", 0.45), ("cardholder", 0.25))),
    Filing("package_weight_photo", SELLER, SELLER, "", 0.04, (("not_as_described", 0.5), ("cardholder", 0.3))),
    Filing("carrier_weight_certificate", SELLER, CARRIER, "weighed", 0.04, (("not_as_described", 0.5), ("cardholder", 0.3))),
    Filing("pre_shipment_count", SELLER, SELLER, "packed", 0.05, (("not_as_described", 0.3),)),
    Filing("listing_copy", SELLER, SELLER, "", 0.15, (("not_as_described", 0.6), ("counterfeit", 0.6), ("cardholder", 0.45))),
    Filing("brand_authorisation", SELLER, SELLER, "authorised", 0.05, (("counterfeit", 0.7), ("cardholder", 0.15))),
    Filing("refund_proof", SELLER, SELLER, "paid", 0.5, (("credit", 0.85), ("processing", 0.7))),
    Filing("replacement_proof", SELLER, CARRIER, "", 0.02, (("not_as_described", 0.08),)),
    Filing("correspondence", SELLER, SELLER, "", 0.4),
    Filing("accepted_agreement", SELLER, SELLER, "", 0.15, (("credit", 0.5), ("not_as_described", 0.25))),
    Filing("return_rules_disclosed", SELLER, SELLER, "", 0.2, (("credit", 0.55), ("not_as_described", 0.3))),
    Filing("identity_match", PLATFORM, PLATFORM, "", 0.02, (("fraud", 0.25),)),
    Filing("product_photo", SELLER, SELLER, "", 0.1, (("not_as_described", 0.3),)),
)
"""Evidence of chargebacks."""


def contests(
    rng: Generator,
    m: Marketplace,
    charged: Chargebacks,
    bought: Orders,
    sent: Parcels,
    seen: Scans,
    who: Sellers,
    what: Products,
    paid: Int,
    spoilt: Int,
    mechanism: Mechanism,
) -> Contests:
    """Which chargebacks are contested and with what: strong cases and large ones more often, and with more evidence.

    `paid` (orders,) is when each order was first refunded.
    """
    n, order = len(charged), charged.order
    trade = who.trade[bought.seller[order]]
    cases = _cases(charged, bought, sent, seen, paid, spoilt)
    strength = 0.7 * DILIGENCE[trade] + 1.6 * mechanism.cause()[charged.cause] + 0.5 * cases.eligible + rng.normal(0, 0.6, n)
    size = np.log(np.maximum(charged.amount, 100) / 5_000)
    propensity = odds(np.log(m.contested / (1 - m.contested)) + 0.7 * strength + 0.25 * size)
    decided = charged.at + HOUR + (rng.exponential(1.0, n) * DAY).astype(np.int64)
    room = (charged.respond_by - charged.at) / DAY
    delay = np.minimum(np.maximum(days(rng, m.answer_days, n, 0.35) / DAY, 0.5), 0.97 * room)
    filed = np.where(chance(rng, propensity, n), charged.at + (delay * DAY).astype(np.int64), NOT_YET)
    decided = np.minimum(decided, np.where(filed == NOT_YET, charged.respond_by, filed) - HOUR // 2)
    at_hand = there(what, bought, sent, order, charged.at) | {"paid": paid[order] < charged.at}
    items = _filed(rng, m, cases, at_hand, strength) & (filed < NOT_YET)[:, None]
    again = np.where((filed < NOT_YET) & chance(rng, 0.09, n), filed + days(rng, 30.0, n, 0.2), NOT_YET)
    return Contests(propensity, decided, filed, again, items, win_probability(mechanism, cases, items), cases)


def _cases(charged: Chargebacks, bought: Orders, sent: Parcels, seen: Scans, paid: Int, spoilt: Int) -> Cases:
    """Chargebacks as issuers see them; scans are valid when the parcel was reported delivered and no other address is named."""
    door = np.flatnonzero(seen.kind == DELIVERED_SCAN)
    delivered, match = np.full(len(bought), NOT_YET), np.full(len(bought), -1)
    delivered[seen.order[door]], match[seen.order[door]] = seen.at[door], seen.match[door]
    return Cases(
        family=families(charged.code, REASON_CODES),
        **{"network": charged.network, "cause": charged.cause, "amount": charged.amount, "at": charged.at},
        valid_scans=(delivered[charged.order] < charged.at) & (match[charged.order] != 0),
        eligible=eligible(bought, charged.order, charged.at, spoilt),
    )


def _filed(rng: Generator, m: Marketplace, cases: Cases, at_hand: dict[str, Flag], strength: Float) -> NDArray[np.bool_]:
    """The items of each defence (n, 19); who has prior transactions that qualify mostly says so."""
    n = len(cases.family)
    items = np.zeros((n, len(EVIDENCE)), np.bool_)
    for filing in FILINGS:
        share = np.array([dict(filing.shares).get(name, filing.everywhere) for name in FAMILIES])[cases.family]
        if filing.kind == "identity_match":
            share = np.where(cases.eligible & (cases.family == 0), 0.7, share)
        lean = np.log(share / (1 - share)) + np.log(max(m.evidence_rate, 1e-9)) + 0.7 * strength
        items[:, EVIDENCE.index(filing.kind)] = at_hand[filing.needs] & chance(rng, odds(lean), n)
    return items


def filings(rng: Generator, charged: Chargebacks, done: Contests, bought: Orders) -> Proofs:
    """The pieces of evidence filed: most with the representment, some before it."""
    case, kind = np.nonzero(done.items)
    n, filing = len(case), {EVIDENCE.index(f.kind): f for f in FILINGS}
    party, issuer = (np.array([getattr(filing.get(k), name, SELLER) for k in range(len(EVIDENCE))])[kind] for name in ("party", "issuer"))
    early = chance(rng, 0.3, n)
    before = (rng.random(n) * (done.filed[case] - charged.at[case])).astype(np.int64)
    quality = odds(0.8 + rng.normal(0, 1.0, n))
    papers = np.isin(kind, [EVIDENCE.index(word) for word in ("listing_copy", "return_rules_disclosed", "brand_authorisation")])
    standing = 7 * OWN + 32 * bought.product[charged.order[case]] + kind
    return Proofs(
        **{"case": case, "at": done.filed[case] - np.where(early, before, 0), "kind": kind, "party": party},
        **{"issuer": np.where(quality < 0.3, -1, issuer), "quality": quality},
        content=np.where(chance(rng, 0.15, n), -1, np.where(papers & chance(rng, 0.7, n), standing, 9 * OWN + np.arange(n))),
        made=np.full(n, NOT_YET),
    )


def endings(rng: Generator, m: Marketplace, charged: Chargebacks, done: Contests) -> Endings:
    """How issuers end them: by the true probability when contested, else accepted or lost for want of an answer."""
    n, filed = len(charged), done.filed < NOT_YET
    at = np.where(filed, done.filed, charged.at) + days(rng, m.decided_days, n, 0.18)
    lost = pick_by(rng, np.array([[0.9, 0.1]]), np.zeros(n, np.int64))
    judged = np.where(chance(rng, done.probability, n), WON, LOST + lost)
    judged = np.where(chance(rng, 0.03, n), WITHDRAWN, judged)
    accepts = chance(rng, 0.4, n)
    soon = charged.at + DAY + (rng.random(n) * (charged.respond_by - charged.at - DAY)).astype(np.int64)
    outcome = np.where(filed, judged, np.where(accepts, ACCEPTED, NO_RESPONSE))
    at = np.where(filed, at, np.where(accepts, soon, charged.respond_by))
    at = np.where(done.again < NOT_YET, np.maximum(at, np.where(done.again < NOT_YET, done.again, 0) + 10 * DAY), at)
    moved = np.flatnonzero(done.again < NOT_YET)
    turned = np.flatnonzero((outcome == WON) & filed & chance(rng, 0.03, n))
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
