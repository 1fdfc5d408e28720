"""Evidence state: which items are there and from whom, which sets are complete, and what does not fit."""

from dataclasses import dataclass
from typing import Final

from features.codes import CODES
from features.members import CASE
from features.signal import CASES, DISPUTES, ONCE, Entity, Family, On, Pattern
from features.tables import EVIDENCE, PARTIES
from features.transaction import PLATFORM

OF_CASE: Final = Entity("case", CASE, "evidence")
"""What was brought on the row asked about, or on its order."""


@dataclass(frozen=True)
class Rule:
    """A set of evidence of which every item is needed, the dispute reasons and reason codes that ask for it, and why."""

    name: str
    items: tuple[str, ...]
    reasons: tuple[str, ...]
    codes: tuple[str, ...]
    source: str


_NOT_RECEIVED: Final = ("13.1", "4853")
_NOT_AS_DESCRIBED: Final = ("13.3", "13.5", "4853")

RULES: Final = (
    Rule(
        "weight",
        ("unit_weight_photo", "package_weight_photo", "shipping_receipt", "carrier_weight_certificate"),
        ("short_quantity",),
        ("13.3", "4853"),
        "the platform's rule for short-loading: four items, all of them indispensable",
    ),
    Rule(
        "delivery",
        ("tracking", "delivery_certificate"),
        ("not_received",),
        (*_NOT_RECEIVED, *CODES["fraud"]),
        "the networks' proof of delivery: number, hand-over and receipt record",
    ),
    Rule(
        "description",
        ("listing_copy", "product_photo"),
        ("not_as_described", "quality", "damaged", "wrong_item"),
        _NOT_AS_DESCRIBED,
        "the original description with pictures",
    ),
    Rule(
        "authenticity",
        ("brand_authorisation", "listing_copy"),
        ("counterfeit",),
        ("13.4",),
        "that the goods are genuine, and what was promised of them",
    ),
    Rule(
        "terms",
        ("accepted_agreement", "return_rules_disclosed"),
        ("service", "billing"),
        ("13.6", "13.7"),
        "an agreement accepted at purchase, and that return rules were disclosed",
    ),
    Rule(
        "identity",
        ("identity_match", "tracking"),
        (),
        CODES["fraud"],
        "that the card holder is who took part, and where it went",
    ),
    Rule("remedy", ("refund_proof",), (), ("13.6",), "proof of refund"),
)
"""Which sets the reasons ask for; three items of four are an incomplete set, not three quarters of one."""


def _of(name: str, formula: str, operands: tuple[str, ...], unit: str, says: str) -> Pattern:
    return Pattern(name, formula, operands, unit, f"{says} of this {{entity}}", ONCE)


def _items(name: str, where: str, says: str) -> Pattern:
    return _of(name, "value", (f"exhibits.count[{where}]",), "items", says)


def _by(party: str) -> Pattern:
    return _items(f"evidence_by_{party}_count", f"party={party}", f"items brought by the {party}")


OWN: Final = "|".join(
    kind for kind in EVIDENCE if kind.endswith(("_photo", "_video", "_certificate", "_receipt", "_count"))
)
"""Kinds of evidence that are of one parcel alone: shown again about another order, they are borrowed."""
STATE: Final = (
    _of("evidence_count", "value", ("exhibits.count",), "items", "items of evidence"),
    *(_by(party) for party in PARTIES if party != "platform"),
    *(_items(f"items_{kind}", f"kind={kind}", f"items {kind.replace('_', ' ')}") for kind in EVIDENCE),
    _items("evidence_carrier_issued_count", "issuer=carrier", "items that the carrier issued"),
    _of(
        "buyer_reused_count",
        "value",
        (f"exhibits.reused[party=buyer,kind={OWN}]",),
        "items",
        "items of one parcel by the buyer that a buyer had shown about another order,",
    ),
    _of(
        "seller_reused_count",
        "value",
        (f"exhibits.reused[party=seller,kind={OWN}]",),
        "items",
        "items of one parcel by the seller that a seller had shown about another order,",
    ),
    _of(
        "buyer_photo_before_order_count",
        "value",
        ("exhibits.before_order[party=buyer,kind=product_photo|unboxing_video]",),
        "items",
        "pictures by the buyer that say they were made before the order was paid,",
    ),
    _of(
        "seller_proof_before_order_count",
        "value",
        ("exhibits.before_order[party=seller,kind=tracking|delivery_certificate|package_weight_photo|weighing_video]",),
        "items",
        "proofs of shipment by the seller that say they were made before the order was paid,",
    ),
    _of(
        "evidence_from_the_future_count",
        "value",
        ("exhibits.from_future",),
        "items",
        "items that say they were made after they were brought",
    ),
)
"""What is there; what says nothing of when it was made, or has no hash, is held against nobody."""
LATEST: Final = _of("days_since_evidence", "days", ("asking.at", "exhibits.last"), "days", "days since the last item")
"""How fresh it is, which says nothing of a chargeback: there it is filed with the defence."""


def sets(applies: str, asked: tuple[str, ...], rule: Rule) -> Pattern:
    """How many items a set lacks, where the reason asks for it."""
    operands = (f"{applies}={'|'.join(asked)}", *(f"exhibits.count[kind={item}]" for item in rule.items))
    says = f"items that the set {rule.name} ({', '.join(rule.items)}) lacks"
    return _of(f"{rule.name}_set_missing", "missing", operands, "items", says)


FAMILY: Final = Family(
    "evidence state",
    "Which items are there and from whom, which sets of them are complete, and what does not fit.",
    (
        On(OF_CASE, STATE, CASES),
        On(OF_CASE, (LATEST,), DISPUTES),
        On(OF_CASE, (_by("platform"),), tuple(question for question in CASES if question in PLATFORM)),
        On(OF_CASE, tuple(sets("dispute.reason", rule.reasons, rule) for rule in RULES if rule.reasons), DISPUTES),
        On(OF_CASE, tuple(sets("chargeback.reason_code", rule.codes, rule) for rule in RULES), ("chargeback_win",)),
    ),
)
