"""Conversation: what was said on an order, by whom, what is unanswered, and what was offered and agreed."""

from typing import Final

from features.parcel import ORDER
from features.seller import OPEN
from features.signal import CASES, ONCE, Family, On, Pattern


def _said(name: str, where: str, says: str, part: str) -> Pattern:
    return Pattern(name, "value", (f"messages.count[{where}]",), "messages", f"{says} of this {{entity}}", ONCE, part)


TALK: Final = (
    _said("messages_buyer_count", "sender=buyer", "messages by the buyer", "buyer"),
    _said("messages_seller_count", "sender=seller", "messages by the seller", "seller"),
    _said("offers_buyer_count", "kind=offer,sender=buyer", "offers by the buyer", "buyer"),
    _said("offers_seller_count", "kind=offer,sender=seller", "offers by the seller", "seller"),
    _said("agreements_count", "kind=agreement", "agreements", "order"),
    _said(
        "address_changes_count",
        "kind=address_change,sender=buyer",
        "changes of address by the buyer",
        "buyer",
    ),
    OPEN,
    Pattern(
        "answer_hours_mean",
        "mean_hours",
        ("answers.latency", "answers.count"),
        "hours",
        "mean hours until the seller answered on this {entity}",
        ONCE,
        "seller",
    ),
    Pattern(
        "days_since_message",
        "days",
        ("asking.at", "messages.last"),
        "days",
        "days since anything was said on this {entity}",
        ONCE,
        "order",
    ),
)
"""What was said on the order."""

FAMILY: Final = Family(
    "conversation",
    "What was said on the order, by whom, what is unanswered, and what was offered and agreed.",
    (On(ORDER, TALK, CASES),),
)
