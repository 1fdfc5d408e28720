"""Obtaining evidence: what each item costs and takes, who brings it, what it is made from, and until when it may be filed."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from features import Ledger
from features.background import is_word, order_rows
from features.kernel import DAY, HOUR
from features.supposed import Exhibit
from features.tables import EVIDENCE
from models.sections import number, words
from models.stakes import Answering, due

_OF: Final = "an assumption of 2026, in a clerk's time at 20 a working hour; replace it by what you measure"
_NETWORKS: Final = "secondary sources of 2026 on the networks' rules; a bank's own date, respond_by, goes before it"
_PLATFORM: Final = "the platform's own rule, from secondary sources of 2026"
_PARCEL: Final = ("unit_weight_photo", "package_weight_photo", "weighing_video", "pre_shipment_count")


def _cents(default: int, says: str) -> int:
    return number(default, "cents", f"to obtain {says}", _OF)


def _hours(default: float, says: str) -> float:
    return number(default, "hours", f"to obtain {says}, from asking for it to holding it", _OF)


@dataclass(frozen=True)
class Obtaining:
    """What it costs in cents, and takes in hours, to obtain each kind of evidence; items are obtained in parallel."""

    unit_weight_photo_cents: int = _cents(200, "a photo of one unit on a scale")
    unit_weight_photo_hours: float = _hours(1.0, "a photo of one unit on a scale")
    package_weight_photo_cents: int = _cents(200, "a photo of goods and package on a scale")
    package_weight_photo_hours: float = _hours(1.0, "a photo of goods and package on a scale")
    shipping_receipt_cents: int = _cents(100, "the receipt of the hand-over to the carrier")
    shipping_receipt_hours: float = _hours(4.0, "the receipt of the hand-over to the carrier")
    carrier_weight_certificate_cents: int = _cents(800, "the carrier's certificate of the weight")
    carrier_weight_certificate_hours: float = _hours(72.0, "the carrier's certificate of the weight")
    weighing_video_cents: int = _cents(400, "a film of the weighing")
    weighing_video_hours: float = _hours(1.0, "a film of the weighing")
    pre_shipment_count_cents: int = _cents(300, "a record of the units counted before shipment")
    pre_shipment_count_hours: float = _hours(1.0, "a record of the units counted before shipment")
    delivery_certificate_cents: int = _cents(500, "the carrier's certificate of delivery")
    delivery_certificate_hours: float = _hours(48.0, "the carrier's certificate of delivery")
    tracking_cents: int = _cents(50, "the tracking record")
    tracking_hours: float = _hours(0.5, "the tracking record")
    listing_copy_cents: int = _cents(100, "a copy of the page as it was when the order was paid")
    listing_copy_hours: float = _hours(2.0, "a copy of the page as it was when the order was paid")
    refund_proof_cents: int = _cents(100, "proof of a refund")
    refund_proof_hours: float = _hours(24.0, "proof of a refund")
    replacement_proof_cents: int = _cents(200, "proof of a replacement")
    replacement_proof_hours: float = _hours(24.0, "proof of a replacement")
    correspondence_cents: int = _cents(300, "the correspondence with the buyer")
    correspondence_hours: float = _hours(4.0, "the correspondence with the buyer")
    accepted_agreement_cents: int = _cents(200, "the agreement that the buyer accepted")
    accepted_agreement_hours: float = _hours(8.0, "the agreement that the buyer accepted")
    return_rules_disclosed_cents: int = _cents(100, "a record that the return rules were shown")
    return_rules_disclosed_hours: float = _hours(2.0, "a record that the return rules were shown")
    product_photo_cents: int = _cents(200, "a photo of the product")
    product_photo_hours: float = _hours(4.0, "a photo of the product")
    unboxing_video_cents: int = _cents(0, "the buyer's film of the unboxing")
    unboxing_video_hours: float = _hours(72.0, "the buyer's film of the unboxing")
    brand_authorisation_cents: int = _cents(500, "the brand's authorisation")
    brand_authorisation_hours: float = _hours(48.0, "the brand's authorisation")
    identity_match_cents: int = _cents(300, "a comparison of who paid with who ordered and received")
    identity_match_hours: float = _hours(24.0, "a comparison of who paid with who ordered and received")
    other_cents: int = _cents(500, "other circumstances")
    other_hours: float = _hours(24.0, "other circumstances")
    again_cents: int = number(0, "cents", "to file again what was brought about the same order in another case")
    again_hours: float = number(0.5, "hours", "to file again what was brought about the same order in another case")
    not_once_shipped: tuple[str, ...] = words(
        _PARCEL, EVIDENCE, "cannot be obtained once the parcel is shipped", "the goods are no longer at hand"
    )
    never: tuple[str, ...] = words(
        ("unboxing_video", "other"),
        EVIDENCE,
        "cannot be obtained on demand",
        "the buyer's own, or nothing in particular",
    )
    anchors: tuple[str, ...] = words(
        ("order",),
        ("order", "chargeback"),
        "the moments from which the age of prior transactions is counted back, each told by itself",
        "sources on Compelling Evidence 3.0 differ",
    )
    dispute_days: float = number(5.0, "days", "from a dispute until the seller must have answered it", _PLATFORM)

    def cents(self, kind: str) -> int:
        """What an item of a kind costs."""
        return int(getattr(self, f"{kind}_cents"))

    def hours(self, kind: str) -> float:
        """How long it takes to obtain an item of a kind."""
        return float(getattr(self, f"{kind}_hours"))


@dataclass(frozen=True)
class Origin:
    """Who brings a kind of evidence, who issues it, and the table and kind of row about the order that it is made from."""

    party: str
    issuer: str
    table: str = ""
    kind: str = ""


_SELLER: Final = Origin("seller", "seller")
ORIGINS: Final = {
    **dict.fromkeys(EVIDENCE, _SELLER),
    "shipping_receipt": Origin("seller", "carrier", "shipments"),
    "carrier_weight_certificate": Origin("seller", "carrier", "shipments"),
    "tracking": Origin("seller", "carrier", "shipments"),
    "delivery_certificate": Origin("seller", "carrier", "scans", "delivered"),
    "refund_proof": Origin("seller", "seller", "refunds"),
    "replacement_proof": Origin("seller", "carrier"),
    "identity_match": Origin("platform", "platform"),
}
"""Where each kind of evidence is from."""
_MADE_FROM: Final = {"shipments": "shipment", "scans": "delivery", "refunds": "refund"}


@dataclass(frozen=True)
class Item:
    """An item that may be obtained: what it costs and takes, and why it cannot be where there is a reason."""

    kind: str
    cents: int
    hours: float
    barred: str = ""

    @property
    def exhibit(self) -> Exhibit:
        """The evidence that it would be."""
        return Exhibit(self.kind, ORIGINS[self.kind].party, ORIGINS[self.kind].issuer)


def until(ledger: Ledger, row: int, table: str, obtaining: Obtaining, answering: Answering) -> tuple[int, str]:
    """The moment until which a row of `chargebacks` or `disputes` may be answered, and the field that says so."""
    facts = ledger.facts[table]
    came = int(facts.at[row])
    if table == "disputes":
        days = obtaining.dispute_days
        return came + round(days * DAY), f"evidence.dispute_days of the policy, {days:g} days"
    asked, known = facts.numbers("respond_by")
    network = facts.codes("network")
    name = str(network.values[int(network.codes[row])]) if network.codes[row] >= 0 else None
    return due(answering, came, name, int(asked[row]) if known[row] else None)


def items(ledger: Ledger, order: int, held: frozenset[str], t: int, deadline: int, obtaining: Obtaining) -> list[Item]:
    """Every kind of evidence that a case about a row of `orders` does not hold, as it stands at `t`."""
    again, shipped = brought(ledger, order, t), _there(ledger, order, t, "shipments")
    found = []
    for kind in (kind for kind in EVIDENCE if kind not in held):
        cents, hours = obtaining.cents(kind), obtaining.hours(kind)
        barred = _barred(ledger, order, kind, t, obtaining, shipped)
        if kind in again:
            cents, hours, barred = min(cents, obtaining.again_cents), min(hours, obtaining.again_hours), ""
        late = f"takes {hours:g} hours, longer than there are" if t + round(hours * HOUR) > deadline else ""
        found.append(Item(kind, cents, hours, barred or late))
    return found


def _barred(ledger: Ledger, order: int, kind: str, t: int, obtaining: Obtaining, shipped: bool) -> str:
    """Why an item cannot be obtained by anybody, as far as the ledger tells; empty where it can."""
    if kind in obtaining.never:
        return "cannot be obtained on demand"
    if shipped and kind in obtaining.not_once_shipped:
        return "cannot be obtained once shipped"
    origin = ORIGINS[kind]
    if origin.table in ledger.facts and not _there(ledger, order, t, origin.table, origin.kind):
        return f"no {_MADE_FROM[origin.table]} is known of the order"
    return ""


def _there(ledger: Ledger, order: int, t: int, table: str, kind: str = "") -> bool:
    """Whether a table has a row about an order before `t`, of a kind if one is named."""
    if table not in ledger.facts:
        return False
    facts = ledger.facts[table]
    met = (order_rows(ledger, table) == order) & (facts.at < t)
    return bool((met & is_word(facts.codes("kind"), kind)).any() if kind else met.any())


def brought(ledger: Ledger, order: int, t: int) -> frozenset[str]:
    """The kinds of evidence that others than the buyer had brought about an order before `t`, in whatever case."""
    if "evidence" not in ledger.facts:
        return frozenset()
    facts = ledger.facts["evidence"]
    rows = np.flatnonzero((order_rows(ledger, "evidence") == order) & (facts.at < t))
    kinds, party = facts.codes("kind"), is_word(facts.codes("party"), "buyer")
    return frozenset(str(kinds.values[int(code)]) for code in kinds.codes[rows[~party[rows]]] if code >= 0)


def first_shipped(ledger: Ledger, order: int, t: int) -> int | None:
    """When an order was first declared shipped, None where it was not before `t`."""
    if not _there(ledger, order, t, "shipments"):
        return None
    return int(ledger.facts["shipments"].at[order_rows(ledger, "shipments") == order][0])
