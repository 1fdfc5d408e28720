"""The order, and the dispute about it, as they stand: what they say of themselves."""

from typing import Final

from features.signal import CASES, DISPUTES, ONCE, Family, On, Pattern
from features.tables import REASONS

ORDER: Final = (
    Pattern("order_amount", "value", ("order.amount",), "cents", "amount of the order", ONCE, "order"),
    Pattern("order_quantity", "value", ("order.quantity",), "units", "units ordered", ONCE, "order"),
    Pattern("order_hour", "hour", ("order.at",), "hours", "hour of the day it was paid, UTC", ONCE, "order"),
    Pattern(
        "order_weekday", "weekday", ("order.at",), "days", "day of the week it was paid, Monday is 0", ONCE, "order"
    ),
    Pattern(
        "order_promised_days",
        "days",
        ("order.promised_at", "order.at"),
        "days",
        "days from payment to the promised date",
        ONCE,
        "order",
    ),
    Pattern(
        "order_ships_abroad",
        "value",
        ("order.ship_country!=order.bill_country",),
        "0 or 1",
        "it ships to another country than it is billed to",
        ONCE,
        "order",
    ),
)
"""Signals of the order."""
SINCE: Final = (
    Pattern(
        "days_since_order", "days", ("asking.at", "order.at"), "days", "days from payment to the asking", ONCE, "order"
    ),
    Pattern(
        "days_since_promised",
        "days",
        ("asking.at", "order.promised_at"),
        "days",
        "days from the promised date to the asking; negative before it",
        ONCE,
        "order",
    ),
)
"""Signals of the order's age when it is asked about later."""
DISPUTE: Final = (
    Pattern("dispute_claimed", "value", ("dispute.claimed",), "cents", "amount claimed", ONCE, "order"),
    Pattern(
        "dispute_claimed_share",
        "ratio",
        ("dispute.claimed", "order.amount"),
        "share",
        "amount claimed over the order's",
        ONCE,
        "order",
    ),
    Pattern(
        "dispute_days_since_opened",
        "days",
        ("asking.at", "dispute.at"),
        "days",
        "days from the opening of the dispute to the asking",
        ONCE,
        "order",
    ),
    Pattern(
        "dispute_days_since_event",
        "days",
        ("asking.at", "dispute.happened_at"),
        "days",
        "days from what happened to the asking",
        ONCE,
        "order",
    ),
    Pattern(
        "dispute_days_after_promised",
        "days",
        ("dispute.at", "order.promised_at"),
        "days",
        "days from the promised date to the opening of the dispute; negative when it was claimed early",
        ONCE,
        "order",
    ),
    *(
        Pattern(
            f"dispute_is_{reason}",
            "value",
            (f"dispute.reason={reason}",),
            "0 or 1",
            f"the reason given is {reason}",
            ONCE,
            "order",
        )
        for reason in REASONS
    ),
)
"""Signals of the dispute."""

FAMILY: Final = Family(
    "order and dispute",
    "What the order says of itself, and the dispute about it.",
    (On(None, ORDER), On(None, SINCE, CASES), On(None, DISPUTE, DISPUTES)),
)
