"""Seller: how he answers, ships and stands, and what was found against him."""

from typing import Final

from features.signal import ONCE, SLOW, Family, On, Pattern, counted
from features.transaction import SELLER


def _rate(name: str, over: str, under: str, says: str) -> Pattern:
    return Pattern(name, "ratio", (over, under), "share", f"share of this {{entity}}'s {says}", SLOW)


FAULT: Final = (
    Pattern(
        "days_since_registered",
        "days",
        ("asking.at", "sellers.first"),
        "days",
        "days since this {entity} registered",
        ONCE,
    ),
    counted("rulings_seller_fault_count", "every_ruling.count[fault=seller]", "rulings", "rulings that found fault"),
    _rate(
        "rulings_seller_fault_rate",
        "every_ruling.count[fault=seller]",
        "every_ruling.count[fault=seller|buyer|carrier]",
        "rulings of somebody's fault that found it his",
    ),
    _rate(
        "rulings_buyer_fault_rate",
        "every_ruling.count[fault=buyer]",
        "every_ruling.count[fault=seller|buyer|carrier]",
        "rulings of somebody's fault that found it the buyer's",
    ),
    _rate(
        "disputes_counterfeit_per_order",
        "disputes.count[reason=counterfeit]",
        "orders.count",
        "orders disputed as counterfeit",
    ),
    _rate(
        "disputes_not_received_per_order",
        "disputes.count[reason=not_received]",
        "orders.count",
        "orders disputed as not received",
    ),
    _rate(
        "disputes_short_quantity_per_order",
        "disputes.count[reason=short_quantity]",
        "orders.count",
        "orders disputed as short",
    ),
    counted("blocks_count", "blocks.count[kind=seller_integrity]", "blocks", "blocks for integrity"),
    counted("blocks_upheld_count", "releases.of_integrity[result=upheld]", "blocks", "blocks for integrity upheld"),
    counted(
        "appeals_won_count", "releases.of_integrity[result=overturned]", "blocks", "blocks for integrity overturned"
    ),
    counted("faking_found_count", "releases.of_faking[result=upheld]", "blocks", "findings of false transactions"),
    Pattern(
        "blocks_standing_count",
        "less",
        ("blocks.count[kind=seller_integrity]", "releases.of_integrity"),
        "blocks",
        "blocks for integrity of this {entity} that stand",
        ONCE,
    ),
    counted("reports_filed_count", "reports.count", "reports", "reports of buyers"),
    _rate(
        "reports_upheld_rate",
        "report_rulings.count[upheld=true]",
        "report_rulings.count[upheld=*]",
        "judged reports that were upheld",
    ),
)
"""What was found."""
OPEN: Final = Pattern(
    "threads_open_count",
    "less",
    ("inquiries.count", "answers.count"),
    "threads",
    "threads of this {entity} that nobody answered",
    ONCE,
    "seller",
)
"""What the seller leaves unanswered, of all his threads or of those of one order."""
SERVICE: Final = (
    Pattern(
        "answer_hours_mean",
        "mean_hours",
        ("answers.latency", "answers.count"),
        "hours",
        "mean hours until this {entity} answered",
        SLOW,
    ),
    counted("inquiries_count", "inquiries.count", "threads", "threads opened by buyers"),
    OPEN,
    Pattern(
        "threads_open_share",
        "less_share",
        ("inquiries.count", "answers.count"),
        "share",
        "share of this {entity}'s threads that nobody answered",
        ONCE,
    ),
    Pattern(
        "days_to_ship_mean",
        "mean_days",
        ("shipments.since_order", "shipments.count"),
        "days",
        "mean days from payment to shipment of this {entity}",
        SLOW,
    ),
    _rate("deliveries_late_rate", "deliveries.late", "deliveries.promised", "deliveries after the promised date"),
    Pattern(
        "lateness_days_mean",
        "mean_days",
        ("deliveries.lateness", "deliveries.promised"),
        "days",
        "mean days after the promised date of this {entity}'s deliveries",
        SLOW,
    ),
    _rate(
        "shipments_tracked_rate",
        "shipments.count[tracking_id=*]",
        "shipments.count",
        "shipments with a tracking number",
    ),
    _rate(
        "cancellations_own_per_order", "cancellations.count[party=seller]", "orders.count", "orders that he cancelled"
    ),
)
"""How he serves."""

FAMILY: Final = Family(
    "seller",
    "How a seller answers, ships and stands, and what was found against him.",
    (On(SELLER, (*FAULT, *SERVICE)),),
)
