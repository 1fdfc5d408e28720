"""Parcel: what was promised and shipped, what the carrier's scans say and whether they make sense, and what carriers lose."""

from typing import Final

from features.signal import CASES, DISPUTES, ONCE, Entity, Family, On, Pattern
from features.transaction import CARRIER, PLATFORM

ORDER: Final = Entity("order", ("orders.order_id",), "carrier")
LANE: Final = Entity("lane", ("sellers.country", "orders.ship_country"), "carrier")
_WINDOWS: Final = ("90d", "ever")
_DELIVERED: Final = ("deliveries.moment", "deliveries.count")


def _of(name: str, formula: str, operands: tuple[str, ...], unit: str, says: str, part: str = "") -> Pattern:
    return Pattern(name, formula, operands, unit, f"{says} of this {{entity}}", ONCE, part)


def _scans(name: str, where: str, says: str) -> Pattern:
    return _of(name, "value", (f"scans.count[{where}]",), "scans", says)


SHIPPED: Final = (
    _of("shipments_count", "value", ("shipments.count",), "shipments", "shipments declared", "seller"),
    _of(
        "days_to_ship",
        "days",
        ("shipments.first", "order.at"),
        "days",
        "days from payment to the first shipment",
        "seller",
    ),
    _of(
        "shipments_tracked_count",
        "value",
        ("shipments.count[tracking_id=*]",),
        "shipments",
        "shipments with a tracking number",
        "seller",
    ),
    _of(
        "shipments_receipt_count",
        "value",
        ("shipments.count[receipt=true]",),
        "shipments",
        "shipments with a receipt",
        "seller",
    ),
    _of(
        "platform_logistics_count",
        "value",
        ("shipments.count[platform_logistics=true]",),
        "shipments",
        "shipments by the platform's own logistics",
    ),
    _of(
        "packed_less_ordered",
        "known_difference",
        ("shipments.packed_quantity", "shipments.packed_quantity_known", "order.quantity"),
        "units",
        "units packed, as the seller says, less those ordered,",
        "seller",
    ),
)
"""What the seller declared."""
CHECKED: Final = (
    _of(
        "address_risky_count",
        "value",
        ("address_checks.count[risky=true]",),
        "checks",
        "checks that found the address risky",
        "order",
    ),
    _of("blocks_count", "value", ("blocks.count",), "blocks", "blocks", "order"),
)
"""What the platform checked and froze."""
SCANNED: Final = (
    _of("scans_count", "value", ("scans.count",), "scans", "scans"),
    *(
        _scans(f"scans_{kind}_count", f"kind={kind}", f"scans {kind.replace('_', ' ')}")
        for kind in ("delivered", "refused", "returned", "lost", "exception")
    ),
    _scans(
        "delivered_abroad_count",
        "kind=delivered,country!=order.ship_country",
        "deliveries in another country than that",
    ),
    _scans(
        "delivered_elsewhere_count", "kind=delivered,address_match=false", "deliveries at another address than that"
    ),
    _scans("delivered_here_count", "kind=delivered,address_match=true", "deliveries at the address"),
    _scans("delivered_signed_count", "kind=delivered,signature=true", "deliveries with a signature"),
    _scans("delivered_unsigned_count", "kind=delivered,signature=false", "deliveries without a signature"),
    _of("scans_backwards_count", "value", ("scans.backwards",), "scans", "scans that say less than an earlier one"),
    _of(
        "scans_from_the_future_count",
        "value",
        ("scans.from_future",),
        "scans",
        "scans that say they happened after they were known",
    ),
    _of("days_since_delivery", "days_after", ("asking.at", *_DELIVERED), "days", "days since the delivery"),
    _of(
        "transit_days",
        "mean_days",
        ("deliveries.transit", "deliveries.count"),
        "days",
        "days from payment to the delivery",
    ),
    _of(
        "delivery_after_promised_days",
        "mean_days",
        ("deliveries.past_promised", "deliveries.promised"),
        "days",
        "days from the promised date to the delivery",
    ),
    _of("days_since_scan", "days", ("asking.at", "scans.last"), "days", "days since the last scan"),
)
"""What the carrier's scans say."""
OPENED: Final = (
    _of(
        "delivery_to_dispute_days",
        "days_after",
        ("dispute.at", *_DELIVERED),
        "days",
        "days from the delivery to the opening of the dispute, negative when it came first,",
    ),
)
"""The dispute beside the parcel."""


USUAL: Final = (
    Pattern(
        "promised_to_usual",
        "to_usual",
        ("order.promised_at", "order.at", "deliveries.transit", "deliveries.count"),
        "ratio",
        "time promised for delivery over the usual time of this {entity}",
        _WINDOWS,
        "order",
    ),
    Pattern(
        "transit_days_mean",
        "mean_days",
        ("deliveries.transit", "deliveries.count"),
        "days",
        "mean days from payment to delivery of this {entity}",
        _WINDOWS,
    ),
    Pattern(
        "late_rate",
        "ratio",
        ("deliveries.late", "deliveries.promised"),
        "share",
        "share of this {entity}'s deliveries that came after the promised date",
        _WINDOWS,
    ),
    Pattern(
        "lost_per_shipment",
        "ratio",
        ("lost.count", "shipments.count"),
        "share",
        "scans of loss for each shipment of this {entity}",
        _WINDOWS,
    ),
    Pattern(
        "not_received_per_shipment",
        "ratio",
        ("disputes.count[reason=not_received]", "shipments.count"),
        "share",
        "disputes for not received for each shipment of this {entity}",
        _WINDOWS,
    ),
)
"""What is usual for carriers and lanes."""


FAMILY: Final = Family(
    "parcel",
    "What was promised and shipped, what the scans say and whether they make sense, and what carriers and lanes lose.",
    (
        On(ORDER, (*SHIPPED, *SCANNED), CASES),
        On(ORDER, CHECKED, tuple(question for question in CASES if question in PLATFORM)),
        On(ORDER, OPENED, DISPUTES),
        On(LANE, USUAL),
        On(CARRIER, USUAL, CASES),
    ),
)
