"""Buyer credit: what a buyer's own conduct had been, and what was made of it by those who judged."""

from typing import Final

from features import credit
from features.signal import ONCE, SLOW, Family, On, Pattern, counted
from features.tables import FUNDERS
from features.transaction import BUYER, PLATFORM

CONDUCT: Final = (
    Pattern(
        "days_since_registered",
        "days",
        ("asking.at", "buyers.first"),
        "days",
        "days since this {entity} registered",
        ONCE,
    ),
    counted("cancellations_count", "cancellations.count", "orders", "cancelled orders"),
    counted(
        "cancellations_own_count",
        "cancellations.count[party=buyer]",
        "orders",
        "orders cancelled by the buyer",
    ),
    Pattern(
        "cancellations_per_order",
        "ratio",
        ("cancellations.count", "orders.count"),
        "share",
        "cancellations for each order of this {entity}",
        SLOW,
    ),
    counted(
        "address_changes_count",
        "messages.count[kind=address_change,sender=buyer]",
        "changes",
        "address changes after payment",
    ),
    Pattern(
        "address_changes_per_order",
        "ratio",
        ("messages.count[kind=address_change,sender=buyer]", "orders.count"),
        "changes per order",
        "address changes after payment for each order of this {entity}",
        SLOW,
    ),
    Pattern(
        "delivery_to_dispute_days_mean",
        "mean_days",
        ("disputes.since_delivery", "disputes.since_delivery_known"),
        "days",
        "mean days from delivery to dispute of this {entity}",
        SLOW,
    ),
    Pattern(
        "first_orders_disputed_share",
        "share",
        ("disputes.first_orders", "orders.met_seller"),
        "share",
        "share of this {entity}'s first orders with a seller that were disputed",
        ONCE,
    ),
    counted("sellers_disputed_met", "disputes.met_seller", "sellers", "sellers disputed for the first time"),
    Pattern(
        "disputed_value_ratio",
        "disputed_value",
        ("disputes.order_amount", "disputes.order_amount_known", "orders.amount", "orders.amount_known"),
        "ratio",
        "mean amount of this {entity}'s disputed orders over that of the others",
        ONCE,
    ),
    counted("agreements_kept_count", "agreements.kept", "orders", "orders whose agreement was kept"),
    counted(
        "agreements_broken_count",
        "agreements.broken",
        "orders",
        "orders with a dispute or chargeback after an agreement",
    ),
)
"""What the buyer did."""
JUDGED: Final = (
    counted("refusals_count", "refusals.refused_{window}@ever", "disputes", "disputes that stand refused"),
    counted(
        "found_malicious_count", "findings.malicious_{window}@ever", "disputes", "disputes that stand found malicious"
    ),
    counted("found_honest_count", "findings.honest_{window}@ever", "disputes", "disputes that stand found honest"),
    counted(
        "disputes_excused_count",
        "excused_disputes.disputes_{window}@ever",
        "disputes",
        "disputes with sellers found guilty since",
    ),
    counted(
        "orders_faked_count", "faked.orders_{window}@ever", "orders", "orders with sellers found to fake transactions"
    ),
    counted("chargebacks_lost_count", "endings.lost", "chargebacks", "chargebacks that ended against the platform"),
    counted("chargebacks_won_count", "endings.won", "chargebacks", "chargebacks that the bank did not uphold"),
    counted(
        "chargebacks_after_sellers_refund_count",
        "chargebacks.after_sellers_refund",
        "chargebacks",
        "chargebacks after a refund that the seller began",
    ),
    counted(
        "refunds_begun_count",
        "refunds.count[initiator=seller|issuer]",
        "refunds",
        "refunds that the seller or the issuer began",
    ),
    counted("reports_count", "reports.count", "reports", "reports by sellers"),
    Pattern(
        "reports_weighted",
        "millionths",
        ("reports.record",),
        "reports",
        "reports by sellers of this {entity}, each worth the share of that seller's reports upheld by then",
        SLOW,
    ),
    counted("reports_upheld_count", "report_rulings.count[upheld=true]", "reports", "reports upheld"),
    counted(
        "reports_standing_count",
        "upheld_reports.upheld_{window}@ever",
        "reports",
        "reports upheld whose seller was not found guilty since",
    ),
    counted("reports_dismissed_count", "report_rulings.count[upheld=false]", "reports", "reports dismissed"),
)
"""What others found."""


def _borne(funder: str) -> tuple[Pattern, ...]:
    """Refunds that one party bore."""
    of = f"[funded_by={funder}]"
    return (
        counted(f"refunds_by_{funder}_count", f"refunds.count{of}", "refunds", f"refunds borne by the {funder}"),
        Pattern(
            f"refunds_by_{funder}_amount_share",
            "known_share",
            (f"refunds.amount{of}", f"refunds.amount_known{of}", f"refunds.count{of}", "orders.amount"),
            "share",
            f"money refunded by the {funder} as a share of the money in orders of this {{entity}}",
            SLOW,
        ),
    )


OF_PLATFORM: Final = (
    *(pattern for funder in FUNDERS for pattern in _borne(funder)),
    counted(
        "chargebacks_after_refund_count",
        "chargebacks.after_refund",
        "chargebacks",
        "chargebacks after a refund was paid",
    ),
)
"""What the platform's own refunds have a hand in."""

FAMILY: Final = Family(
    "buyer credit",
    "What a buyer's own conduct had been, what was made of it by those who judged, and his credit as one number.",
    (
        On(BUYER, (*CONDUCT, *JUDGED)),
        On(BUYER, OF_PLATFORM, PLATFORM),
        On(BUYER, credit.PATTERNS),
    ),
)
