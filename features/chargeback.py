"""Chargeback case: what the bank says, how long there is to answer, what was paid and shipped, and which programmes apply."""

from typing import Final

from features.codes import CODES
from features.parcel import ORDER
from features.priors import MATCHES
from features.signal import ONCE, Family, On, Pattern

WIN: Final = ("chargeback_win",)


def _own(name: str, formula: str, operands: tuple[str, ...], unit: str, says: str, part: str = "order") -> Pattern:
    return Pattern(name, formula, operands, unit, says, ONCE, part)


OWN: Final = (
    _own("chargeback_amount", "value", ("chargeback.amount",), "cents", "amount charged back"),
    _own(
        "chargeback_amount_share",
        "ratio",
        ("chargeback.amount", "order.amount"),
        "share",
        "amount charged back over the order's",
    ),
    _own(
        "chargeback_days_since_order",
        "days",
        ("chargeback.at", "order.at"),
        "days",
        "days from payment to the chargeback",
    ),
    _own(
        "chargeback_days_since_opened",
        "days",
        ("asking.at", "chargeback.at"),
        "days",
        "days from the chargeback to the asking",
    ),
    _own("chargeback_days_to_deadline", "days", ("chargeback.respond_by", "asking.at"), "days", "days left to answer"),
    _own(
        "chargeback_days_known_late",
        "days",
        ("chargeback.at", "chargeback.happened_at"),
        "days",
        "days from the bank's own date to when the platform learnt of it",
    ),
    *(
        _own(
            f"chargeback_is_{network}",
            "value",
            (f"chargeback.network={network}",),
            "0 or 1",
            f"the network is {network}",
        )
        for network in ("visa", "mastercard", "other")
    ),
    *(
        _own(
            f"chargeback_for_{family}",
            "value",
            (f"chargeback.reason_code={'|'.join(codes)}",),
            "0 or 1",
            f"the reason code is of the family {family.replace('_', ' ')}",
        )
        for family, codes in CODES.items()
    ),
)
"""What the bank says."""
PRIORS: Final = (
    _own(
        "priors_undisputed_count",
        "value",
        ("priors.earlier",),
        "orders",
        "undisputed earlier orders with the same instrument",
        "buyer",
    ),
    _own(
        "priors_of_age_count",
        "value",
        ("priors.transactions",),
        "orders",
        "undisputed earlier orders with the same instrument, 120 to 365 days before",
        "buyer",
    ),
    *(
        _own(
            f"priors_same_{match}_count",
            "value",
            (f"priors.{match}",),
            "orders",
            f"of these, orders with the same {match}",
            "buyer",
        )
        for match in MATCHES
    ),
    _own(
        "priors_qualifying_count",
        "value",
        ("priors.qualifying",),
        "orders",
        "of these, orders with two matches or more, IP or device among them",
        "buyer",
    ),
    _own(
        "compelling_evidence_lacking",
        "compelling",
        ("chargeback.reason_code=10.4", "priors.qualifying"),
        "orders",
        "orders that Compelling Evidence 3.0 lacks, 0 when it applies; unknown for other codes than 10.4",
        "evidence",
    ),
    _own(
        "first_party_trust_lacking",
        "first_party",
        ("chargeback.reason_code=4837", "priors.earlier"),
        "orders",
        "orders that First-Party Trust lacks, 0 when it applies; unknown for other codes than 4837",
        "evidence",
    ),
)
"""Which of the networks' programmes the card holder's earlier orders open."""


def _of_order(
    name: str, operands: tuple[str, ...], unit: str, says: str, formula: str = "value", part: str = "order"
) -> Pattern:
    return Pattern(name, formula, operands, unit, f"{says} of this {{entity}}", ONCE, part)


BESIDE: Final = (
    _of_order(
        "delivery_notice_filled",
        ("shipments.count[tracking_id=*]",),
        "0 or 1",
        "delivery notice filled",
        "any",
        "seller",
    ),
    _of_order("refunds_count", ("refunds.count",), "refunds", "refunds"),
    _of_order("refunded_share", ("refunds.amount", "order.amount"), "share", "money refunded over the amount", "ratio"),
    _of_order("disputes_count", ("disputes.count",), "disputes", "disputes", part="buyer"),
    _of_order("disputes_granted_count", ("rulings.granted",), "disputes", "disputes granted"),
    _of_order("disputes_refused_count", ("rulings.refused",), "disputes", "disputes refused"),
    _of_order(
        "chargebacks_other_count",
        ("chargebacks.count",),
        "chargebacks",
        "other chargebacks",
        "value",
        "buyer",
    ),
)
"""What had become of the order."""

FAMILY: Final = Family(
    "chargeback case",
    "What the bank says, how long there is to answer, what was paid and shipped, and which of the networks' programmes apply.",
    (On(None, (*OWN, *PRIORS), WIN), On(ORDER, BESIDE, WIN)),
)
