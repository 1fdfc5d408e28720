"""Proofs: which evidence each party submits, when, of what quality, and whose pictures are used more than once."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator

from features.kernel import DAY, HOUR, Flag, Int
from features.signal import Float
from features.streams import NOT_YET
from features.tables import EVIDENCE, REASONS
from pipelines.marketplace.claims import MALICE, RING_ABUSE, SERIAL_ABUSE, Claims
from pipelines.marketplace.draws import chance, odds
from pipelines.marketplace.goods import DILIGENCE, Products, Sellers
from pipelines.marketplace.orders import OWN, Orders
from pipelines.marketplace.parameters import Marketplace
from pipelines.marketplace.parcels import Parcels
from pipelines.marketplace.people import People

BUYER, SELLER, PLATFORM, CARRIER = range(4)
"""Positions in features.tables.PARTIES."""
GOODS: Final = "short_quantity not_as_described quality damaged counterfeit wrong_item"
ALL: Final = " ".join(REASONS)


@dataclass(frozen=True)
class Custom:
    """Who submits what on which reasons: the share of cases, and whether something must be there to submit."""

    kind: str
    party: int
    issuer: int
    reasons: str
    share: float
    needs: str = ""
    hours: float = 40.0


CUSTOMS: Final = (
    Custom("product_photo", BUYER, BUYER, GOODS, 0.6, hours=6),
    Custom("unboxing_video", BUYER, BUYER, GOODS, 0.1, hours=12),
    Custom("correspondence", BUYER, BUYER, ALL, 0.25),
    Custom("other", BUYER, BUYER, ALL, 0.05),
    Custom("tracking", SELLER, CARRIER, "not_received service other", 0.6, "tracked"),
    Custom("delivery_certificate", SELLER, CARRIER, "not_received service", 0.4, "reported"),
    Custom("shipping_receipt", SELLER, CARRIER, ALL, 0.3, "receipt"),
    Custom("unit_weight_photo", SELLER, SELLER, "short_quantity", 0.4),
    Custom("package_weight_photo", SELLER, SELLER, "short_quantity", 0.45),
    Custom("carrier_weight_certificate", SELLER, CARRIER, "short_quantity", 0.4, "weighed"),
    Custom("weighing_video", SELLER, SELLER, "short_quantity", 0.15),
    Custom("pre_shipment_count", SELLER, SELLER, "short_quantity wrong_item", 0.35, "packed"),
    Custom("listing_copy", SELLER, SELLER, "not_as_described quality counterfeit wrong_item", 0.45),
    Custom("listing_copy", PLATFORM, PLATFORM, "not_as_described counterfeit", 0.15),
    Custom("brand_authorisation", SELLER, SELLER, "counterfeit", 0.5, "authorised"),
    Custom("identity_match", PLATFORM, PLATFORM, "billing", 0.2),
    Custom("return_rules_disclosed", SELLER, SELLER, "not_as_described quality service other", 0.2),
    Custom("accepted_agreement", SELLER, SELLER, "not_as_described billing service other", 0.12),
    Custom("correspondence", SELLER, SELLER, ALL, 0.25),
    Custom("replacement_proof", SELLER, CARRIER, "damaged wrong_item quality", 0.06),
)
"""Evidence of disputes."""


@dataclass(frozen=True)
class Proofs:
    """Pieces of evidence: the case (a row), moment, kind, party, issuer (-1 unsaid), content hash as a code (-1 unknown),
    hidden quality in [0, 1], and when it was made, NOT_YET where that is unknown."""

    case: Int
    at: Int
    kind: Int
    party: Int
    issuer: Int
    content: Int
    quality: Float
    made: Int


def there(what: Products, bought: Orders, sent: Parcels, order: Int, at: Int) -> dict[str, Flag]:
    """What exists to be submitted about each order, by the word that customs use."""
    product = bought.product[order]
    return {
        "": np.ones(len(order), np.bool_),
        "tracked": sent.tracked[order] & (sent.shipped[order] < at),
        "reported": sent.seen(at, order),
        "receipt": sent.receipt[order],
        "weighed": sent.weighed[order] >= 0,
        "packed": sent.packed[order] >= 0,
        "authorised": what.authorised[product] == 1,
    }


def dispute_proofs(
    rng: Generator, m: Marketplace, opened: Claims, folk: People, bought: Orders, sent: Parcels, who: Sellers, what: Products
) -> Proofs:
    """Evidence of disputes: diligent sellers with a good case bring more of theirs, wronged buyers of theirs, abusers forge."""
    n, trade = len(opened), who.trade[bought.seller[opened.order]]
    at_hand = there(what, bought, sent, opened.order, opened.at)
    just = 2 * opened.owed - 1
    found = []
    for number, custom in enumerate(CUSTOMS):
        asked = np.isin(opened.reason, [REASONS.index(word) for word in custom.reasons.split()])
        side = 0.4 * just if custom.party == BUYER else 0.9 * DILIGENCE[trade] - 0.45 * just
        lean = np.log(custom.share / (1 - custom.share)) + np.log(max(m.evidence_rate, 1e-9)) + side
        lean = lean + np.where(opened.cause == RING_ABUSE, 1.2, 0.0) * (custom.party == BUYER)
        lean = lean + 3.0 * (opened.pattern & (custom.kind == "unboxing_video"))
        brought = asked & at_hand[custom.needs] & chance(rng, odds(lean), n)
        found.append(_pieces(rng, number, custom, np.flatnonzero(brought), opened, trade))
    joined = [np.concatenate([piece[i] for piece in found]) for i in range(5)]
    case, at, number, quality, issuer = joined
    kind, party = (np.array(values)[number] for values in ([EVIDENCE.index(c.kind) for c in CUSTOMS], [c.party for c in CUSTOMS]))
    return Proofs(
        **{"case": case, "at": at, "kind": kind, "party": party, "issuer": issuer, "quality": quality},
        content=_contents(rng, m, opened, case, kind, party, folk, bought),
        made=_made(rng, opened, bought, case, at, party),
    )


def _pieces(rng: Generator, number: int, custom: Custom, case: Int, opened: Claims, trade: Int) -> tuple[Int, ...]:
    """Case, moment, custom, quality and issuer of the pieces that one custom brings; poor ones name no issuer."""
    n = len(case)
    at = opened.at[case] + HOUR // 4 + (rng.exponential(custom.hours, n) * HOUR).astype(np.int64)
    better = 0.0 if custom.party == BUYER else DILIGENCE[trade[case]]
    quality = odds(0.6 + 0.7 * better + rng.normal(0, 1.0, n))
    issuer = np.where(quality < 0.35, -1, custom.issuer)
    return case, at, np.full(n, number), quality, issuer


def _contents(
    rng: Generator, m: Marketplace, opened: Claims, case: Int, kind: Int, party: Int, folk: People, bought: Orders
) -> Int:
    """Codes of contents: a ring reuses a few pictures of its own, a serial abuser his; shops their papers; some take stock photos."""
    n, order = len(case), opened.order[case]
    cause, buyer = opened.cause[case], bought.buyer[order]
    content = 8 * OWN + np.arange(n)
    picture = np.isin(kind, [EVIDENCE.index("product_photo"), EVIDENCE.index("unboxing_video")]) & (party == BUYER)
    group = folk.group[np.minimum(buyer, len(folk) - 1)]
    few = 4 * group + rng.integers(0, 2, n)
    often = np.select([cause == RING_ABUSE, cause == SERIAL_ABUSE], [m.reuse_rate, 0.3 * m.reuse_rate], 0.0)
    content = np.where(picture & chance(rng, often, n), few, content)
    stock = picture & (content >= 8 * OWN) & chance(rng, 0.03, n)
    content = np.where(stock, 6 * OWN + bought.product[order], content)
    papers = [EVIDENCE.index(word) for word in ("listing_copy", "return_rules_disclosed", "brand_authorisation")]
    standing = np.isin(kind, papers) & chance(rng, 0.7, n)
    content = np.where(standing, 7 * OWN + 32 * bought.product[order] + kind, content)
    return np.where(chance(rng, 0.15, n), -1, content)


def _made(rng: Generator, opened: Claims, bought: Orders, case: Int, at: Int, party: Int) -> Int:
    """When a piece was made, by its own data where it has any: a borrowed picture is often older than the order."""
    n, order = len(case), opened.order[case]
    told = chance(rng, 0.4, n)
    lately = at - (rng.random(n) * np.minimum(at - bought.at[order], 5 * DAY)).astype(np.int64)
    borrowed = (party == BUYER) & np.isin(opened.cause[case], MALICE) & chance(rng, 0.3, n)
    before = bought.at[order] - (rng.exponential(40.0, n) * DAY).astype(np.int64)
    slip = chance(rng, 0.02, n)
    return np.where(told, np.where(borrowed | slip, before, lately), NOT_YET)


def weight_of(proofs: Proofs, cases: int, party: Int | int) -> Float:
    """How convincing one party's evidence is in each case, from 0: each further piece adds less."""
    mine = proofs.party == BUYER if party == BUYER else proofs.party != BUYER
    total = np.bincount(proofs.case[mine], proofs.quality[mine], cases)
    return np.asarray(np.log1p(total))




SECURED: Final = ("pre_shipment_count", "unit_weight_photo", "package_weight_photo", "weighing_video")
"""What prudent sellers secure when they ship orders of several units."""


def secured_proofs(rng: Generator, bought: Orders, sent: Parcels, who: Sellers, what: Products) -> Proofs:
    """Evidence about orders, made and handed in at shipment before anybody disputes."""
    units = what.pack[bought.product] * bought.quantity
    prudent = np.array([0.015, 0.1, 0.0, 0.0, 0.0, 0.03])[who.trade[bought.seller]]
    order = np.flatnonzero((units > 1) & (sent.shipped < NOT_YET) & chance(rng, prudent, len(bought)))
    held = rng.random((len(SECURED), len(order))) < 0.6
    number, row = np.nonzero(held)
    n = len(row)
    at = sent.shipped[order[row]] + HOUR // 60
    return Proofs(
        **{"case": order[row], "at": at, "kind": np.array([EVIDENCE.index(word) for word in SECURED])[number]},
        **{"party": np.full(n, SELLER), "issuer": np.full(n, SELLER), "content": 10 * OWN + np.arange(n)},
        **{"quality": odds(1.0 + rng.normal(0, 1.0, n)), "made": np.where(chance(rng, 0.5, n), at - HOUR // 4, NOT_YET)},
    )
