"""Defences: which chargebacks are contested, with which evidence, and how likely each is then to be won."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from features.background import NOT_YET
from features.kernel import DAY, HOUR, Flag, Int
from features.signal import Float
from features.tables import EVIDENCE
from pipelines.marketplace.banks import REASON_CODES, Chargebacks
from pipelines.marketplace.draws import after, chance, days, odds
from pipelines.marketplace.goods import DILIGENCE
from pipelines.marketplace.orders import OWN, Orders
from pipelines.marketplace.parameters import Marketplace
from pipelines.marketplace.parcels import DELIVERED
from pipelines.marketplace.proofs import CARRIER, PAPERS, PLATFORM, SELLER, Proofs, there
from pipelines.marketplace.trade import Trade
from pipelines.marketplace.winning import FAMILIES, Cases, Mechanism, families, win_probability

LINKS: Final = ("ip", "device", "login", "address")
"""What may match; one of the first two must."""


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


def eligible(m: Marketplace, bought: Orders, order: Int, at: Int, spoilt: Int) -> Flag:
    """Whether two or more earlier orders on the same card, so many days before, match in IP or device and one thing more.

    `spoilt` (orders,) is when each order was disputed or charged back itself, NOT_YET if never.
    """
    lo, hi = (bought.at[order] - round(ago * DAY) for ago in (m.prior_to, m.prior_from))
    by_card = np.lexsort((bought.at, bought.instrument))
    cards = bought.instrument[by_card]
    first = np.searchsorted(cards, bought.instrument[order])
    size = np.searchsorted(cards, bought.instrument[order], side="right") - first
    case = np.repeat(np.arange(len(order)), size)
    place = np.arange(len(case)) - np.repeat(np.cumsum(size) - size, size)
    prior = by_card[first[case] + place]
    now = order[case]
    same = [getattr(bought, name)[prior] == getattr(bought, name)[now] for name in LINKS]
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
    Filing("unit_weight_photo", SELLER, SELLER, "shipped", 0.03, (("not_as_described", 0.45), ("cardholder", 0.25))),
    Filing("package_weight_photo", SELLER, SELLER, "shipped", 0.04, (("not_as_described", 0.5), ("cardholder", 0.3))),
    Filing(
        "carrier_weight_certificate", SELLER, CARRIER, "weighed", 0.04, (("not_as_described", 0.5), ("cardholder", 0.3))
    ),
    Filing("pre_shipment_count", SELLER, SELLER, "packed", 0.05, (("not_as_described", 0.3),)),
    Filing(
        "listing_copy",
        SELLER,
        SELLER,
        "",
        0.15,
        (("not_as_described", 0.6), ("counterfeit", 0.6), ("cardholder", 0.45)),
    ),
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
    rng: Generator, m: Marketplace, trade: Trade, charged: Chargebacks, paid: Int, spoilt: Int, mechanism: Mechanism
) -> Contests:
    """Which chargebacks are contested, by what the platform can see of seller, card and amount, and with what evidence.

    Strong cases get more evidence, as those who know the truth of them bring more.

    `paid` (orders,) is when each order was first refunded, `spoilt` (orders,) when it was first complained of.
    """
    n, order = len(charged), charged.order
    cases = _cases(m, trade, charged, spoilt)
    diligence = DILIGENCE[trade.who.trade[trade.bought.seller[order]]]
    shown = 0.7 * diligence + 0.5 * cases.eligible
    strength = shown + 2.5 * mechanism.cause()[charged.cause] + rng.normal(0, 0.6, n)
    size = np.log(np.maximum(charged.amount, 100) / 5_000)
    propensity = odds(np.log(m.contested / (1 - m.contested)) + 0.7 * shown + 0.25 * size)
    filed, decided = _moments(rng, m, charged, chance(rng, propensity, n))
    at_hand = there(trade, order, charged.at) | {"paid": paid[order] < charged.at}
    items = _filed(rng, m, cases, at_hand, strength) & (filed < NOT_YET)[:, None]
    again = after(np.where(chance(rng, m.moved_rate, n), filed, NOT_YET), days(rng, 30.0, n, 0.2))
    return Contests(propensity, decided, filed, again, items, win_probability(mechanism, cases, items), cases)


def _moments(rng: Generator, m: Marketplace, charged: Chargebacks, contested: Flag) -> tuple[Int, Int]:
    """When each defence is filed, before the deadline, NOT_YET where none is; and when that was decided."""
    n, room = len(charged), (charged.respond_by - charged.at) / DAY
    delay = np.minimum(np.maximum(days(rng, m.answer_days, n, 0.35) / DAY, 0.5), 0.97 * room)
    filed = np.where(contested, charged.at + (delay * DAY).astype(np.int64), NOT_YET)
    latest = np.where(contested, filed, charged.respond_by) - HOUR // 2
    return filed, np.minimum(charged.at + HOUR + (rng.exponential(1.0, n) * DAY).astype(np.int64), latest)


def _cases(m: Marketplace, trade: Trade, charged: Chargebacks, spoilt: Int) -> Cases:
    """Chargebacks as issuers see them; scans are valid when the parcel was reported delivered and no other address is named."""
    bought, seen = trade.bought, trade.scans
    door = np.flatnonzero(seen.kind == DELIVERED)
    delivered, match = np.full(len(bought), NOT_YET), np.full(len(bought), -1)
    delivered[seen.order[door]], match[seen.order[door]] = seen.at[door], seen.match[door]
    return Cases(
        family=families(charged.code, REASON_CODES),
        network=charged.network,
        cause=charged.cause,
        amount=charged.amount,
        at=charged.at,
        valid_scans=(delivered[charged.order] < charged.at) & (match[charged.order] != 0),
        eligible=eligible(m, bought, charged.order, charged.at, spoilt),
    )


def _filed(
    rng: Generator, m: Marketplace, cases: Cases, at_hand: dict[str, Flag], strength: Float
) -> NDArray[np.bool_]:
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


def filings(rng: Generator, trade: Trade, charged: Chargebacks, done: Contests) -> Proofs:
    """The pieces of evidence filed: most with the representment, some before it."""
    case, kind = np.nonzero(done.items)
    n = len(case)
    by = {EVIDENCE.index(filing.kind): (filing.party, filing.issuer) for filing in FILINGS}
    party, issuer = np.array([by.get(k, (SELLER, SELLER)) for k in range(len(EVIDENCE))])[kind].T
    before = (rng.random(n) * (done.filed[case] - charged.at[case])).astype(np.int64)
    quality = odds(0.8 + rng.normal(0, 1.0, n))
    standing = np.isin(kind, [EVIDENCE.index(word) for word in PAPERS]) & chance(rng, 0.7, n)
    paper = 7 * OWN + 32 * trade.bought.product[charged.order[case]] + kind
    return Proofs(
        case=case,
        at=done.filed[case] - np.where(chance(rng, 0.3, n), before, 0),
        kind=kind,
        party=party,
        issuer=np.where(quality < 0.3, -1, issuer),
        content=np.where(chance(rng, 0.15, n), -1, np.where(standing, paper, 9 * OWN + np.arange(n))),
        quality=quality,
        made=np.full(n, NOT_YET),
    )
