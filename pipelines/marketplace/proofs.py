"""Proofs: which evidence each party submits, when, of what quality, and whose pictures are used more than once."""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.random import Generator

from features.background import NOT_YET
from features.kernel import DAY, HOUR, Flag, Int
from features.signal import Float
from features.tables import EVIDENCE, REASONS
from pipelines.marketplace.claims import MALICE, RING_ABUSE, SERIAL_ABUSE, Claims
from pipelines.marketplace.draws import chance, odds
from pipelines.marketplace.goods import DILIGENCE
from pipelines.marketplace.orders import OWN
from pipelines.marketplace.parameters import Marketplace
from pipelines.marketplace.trade import Trade

BUYER, SELLER, PLATFORM, CARRIER = range(4)
"""Positions in features.tables.PARTIES."""
PAPERS: Final = ("listing_copy", "return_rules_disclosed", "brand_authorisation")
"""What a seller hands in again and again."""
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
    Custom("product_photo", BUYER, BUYER, GOODS, 0.6, "arrived", hours=6),
    Custom("unboxing_video", BUYER, BUYER, GOODS, 0.1, "arrived", hours=12),
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

    def before(self, closing: Int) -> "Proofs":
        """The pieces that came before their case was closed, given the moment by case."""
        rows = np.flatnonzero(self.at < closing[self.case])
        return Proofs(*(getattr(self, field.name)[rows] for field in fields(self)))


def there(trade: Trade, order: Int, at: Int) -> dict[str, Flag]:
    """What exists to be submitted about each order, by the word that customs use."""
    sent, product = trade.sent, trade.bought.product[order]
    shipped = sent.shipped[order] < at
    return {
        "": np.ones(len(order), np.bool_),
        "tracked": sent.tracked[order] & shipped,
        "reported": sent.seen(at, order),
        "receipt": sent.receipt[order] & shipped,
        "weighed": (sent.weighed[order] >= 0) & shipped,
        "packed": (sent.packed[order] >= 0) & shipped,
        "shipped": shipped,
        "arrived": sent.delivered[order] < at,
        "authorised": trade.what.authorised[product] == 1,
    }


def dispute_proofs(rng: Generator, m: Marketplace, trade: Trade, opened: Claims) -> Proofs:
    """Evidence of disputes: diligent sellers with a good case bring more of theirs, wronged buyers of theirs, abusers forge."""
    n, kinds = len(opened), trade.who.trade[trade.bought.seller[opened.order]]
    at_hand = there(trade, opened.order, opened.at)
    just = 2 * opened.owed - 1
    cases, pieces = [], []
    for number, custom in enumerate(CUSTOMS):
        asked = np.isin(opened.reason, [REASONS.index(word) for word in custom.reasons.split()])
        side = 0.4 * just if custom.party == BUYER else 0.9 * DILIGENCE[kinds] - 0.45 * just
        lean = np.log(custom.share / (1 - custom.share)) + np.log(max(m.evidence_rate, 1e-9)) + side
        lean = lean + np.where(opened.cause == RING_ABUSE, 1.2, 0.0) * (custom.party == BUYER)
        lean = lean + 3.0 * (opened.pattern & (custom.kind == "unboxing_video"))
        brought = np.flatnonzero(asked & at_hand[custom.needs] & chance(rng, odds(lean), n))
        cases.append(brought)
        pieces.append(np.full(len(brought), number))
    return _pieces(rng, m, trade, opened, np.concatenate(cases), np.concatenate(pieces))


def _pieces(rng: Generator, m: Marketplace, trade: Trade, opened: Claims, case: Int, number: Int) -> Proofs:
    """The pieces that customs bring, by number of custom; poor ones name no issuer."""
    n, (kind, party, issuer, hours) = len(case), (column[number] for column in _custom_columns())
    seller = trade.bought.seller[opened.order[case]]
    better = np.where(party == BUYER, 0.0, DILIGENCE[trade.who.trade[seller]])
    quality = odds(0.6 + 0.7 * better + rng.normal(0, 1.0, n))
    at = opened.at[case] + HOUR // 4 + (rng.exponential(1.0, n) * hours * HOUR).astype(np.int64)
    return Proofs(
        case=case,
        at=at,
        kind=kind,
        party=party,
        issuer=np.where(quality < 0.35, -1, issuer),
        content=_contents(rng, m, trade, opened, case, kind, party),
        quality=quality,
        made=_made(rng, trade, opened, case, at, party),
    )


def _custom_columns() -> tuple[Int, Int, Int, Int]:
    """Kind, party, issuer and usual hours of each of CUSTOMS."""
    columns = [(EVIDENCE.index(c.kind), c.party, c.issuer, round(c.hours)) for c in CUSTOMS]
    kind, party, issuer, hours = np.array(columns).T
    return kind, party, issuer, hours


def _contents(rng: Generator, m: Marketplace, trade: Trade, opened: Claims, case: Int, kind: Int, party: Int) -> Int:
    """Codes of contents: rings and serial abusers reuse a few pictures, shops their papers; some buyers take stock photos."""
    n, bought, folk, order = len(case), trade.bought, trade.folk, opened.order[case]
    cause, buyer = opened.cause[case], bought.buyer[order]
    content = 8 * OWN + np.arange(n)
    picture = np.isin(kind, [EVIDENCE.index("product_photo"), EVIDENCE.index("unboxing_video")]) & (party == BUYER)
    group = folk.group[np.minimum(buyer, len(folk) - 1)]
    few = 4 * group + rng.integers(0, 2, n)
    often = np.select([cause == RING_ABUSE, cause == SERIAL_ABUSE], [m.reuse_rate, 0.3 * m.reuse_rate], 0.0)
    content = np.where(picture & chance(rng, often, n), few, content)
    stock = picture & (content >= 8 * OWN) & chance(rng, 0.03, n)
    found = 4 * trade.what.category[bought.product[order]] + rng.integers(0, 4, n)
    content = np.where(stock, 6 * OWN + found, content)
    standing = np.isin(kind, [EVIDENCE.index(word) for word in PAPERS]) & chance(rng, 0.7, n)
    content = np.where(standing, 7 * OWN + 32 * bought.product[order] + kind, content)
    return np.where(chance(rng, 0.15, n), -1, content)


def _made(rng: Generator, trade: Trade, opened: Claims, case: Int, at: Int, party: Int) -> Int:
    """When a piece was made, by its own data where it has any: a borrowed picture is often older than the order."""
    n, ordered = len(case), trade.bought.at[opened.order[case]]
    told = chance(rng, 0.4, n)
    lately = at - (rng.random(n) * np.minimum(at - ordered, 5 * DAY)).astype(np.int64)
    borrowed = (party == BUYER) & np.isin(opened.cause[case], MALICE) & chance(rng, 0.3, n)
    before = ordered - (rng.exponential(40.0, n) * DAY).astype(np.int64)
    slip = chance(rng, 0.02, n)
    return np.where(told, np.where(borrowed | slip, before, lately), NOT_YET)


def weight_of(proofs: Proofs, cases: int, *, buyer: bool) -> Float:
    """How convincing the buyer's, or everybody else's, evidence is in each case, from 0: each further piece adds less."""
    mine = (proofs.party == BUYER) == buyer
    total = np.bincount(proofs.case[mine], proofs.quality[mine], cases)
    return np.asarray(np.log1p(total))


SECURED: Final = ("pre_shipment_count", "unit_weight_photo", "package_weight_photo", "weighing_video")
"""What prudent sellers secure when they ship orders of several units."""


def secured_proofs(rng: Generator, trade: Trade) -> Proofs:
    """Evidence about orders, made and handed in at shipment before anybody disputes."""
    bought, sent = trade.bought, trade.sent
    units = trade.what.pack[bought.product] * bought.quantity
    prudent = np.array([0.015, 0.1, 0.0, 0.0, 0.0, 0.03])[trade.who.trade[bought.seller]]
    order = np.flatnonzero((units > 1) & (sent.shipped < NOT_YET) & chance(rng, prudent, len(bought)))
    held = rng.random((len(SECURED), len(order))) < 0.6
    number, row = np.nonzero(held)
    n = len(row)
    at = sent.shipped[order[row]] + HOUR // 60
    return Proofs(
        case=order[row],
        at=at,
        kind=np.array([EVIDENCE.index(word) for word in SECURED])[number],
        party=np.full(n, SELLER),
        issuer=np.full(n, SELLER),
        content=10 * OWN + np.arange(n),
        quality=odds(1.0 + rng.normal(0, 1.0, n)),
        made=np.where(chance(rng, 0.5, n), at - HOUR // 4, NOT_YET),
    )
