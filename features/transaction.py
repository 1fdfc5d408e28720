"""Transaction background as declarations: what the parties and things of an order had done before."""

from typing import Final

from features.signal import LATEST, WINDOWS, Entity, Pattern

ENTITIES: Final = (
    Entity("buyer", ("buyer_id",), "buyer", ("seller", "product", "instrument", "device", "address", "ip")),
    Entity("seller", ("seller_id",), "seller", ("buyer",)),
    Entity("product", ("product_id",), "product", ("buyer",)),
    Entity("instrument", ("instrument_id",), "buyer", ("buyer",), link=True),
    Entity("device", ("device_id",), "buyer", ("buyer",), link=True),
    Entity("address", ("address_id",), "buyer", ("buyer",), link=True),
    Entity("email", ("email_id",), "buyer", ("buyer",), link=True),
    Entity("ip", ("ip_id",), "buyer", ("buyer",), link=True),
    Entity("buyer_seller", ("buyer_id", "seller_id"), "buyer"),
)
"""Whose histories an order has."""

DISPUTE_ENTITIES: Final = (
    *ENTITIES,
    Entity("carrier", ("carrier",), "carrier"),
    Entity("channel", ("channel",), "order"),
    Entity("region", ("region",), "order"),
)
"""Whose histories a dispute has besides."""


def _flow(stream: str, one: str, many: str) -> tuple[Pattern, ...]:
    """Signals that every stream of money has."""
    return (
        Pattern(f"{stream}_count", "total", (f"{stream}.count",), stream, f"{many} of this {{entity}}"),
        Pattern(
            f"{stream}_amount_sum",
            "known_sum",
            (f"{stream}.amount", f"{stream}.amount_known", f"{stream}.count"),
            "cents",
            f"money in {many} of this {{entity}}",
        ),
        Pattern(
            f"{stream}_days_since_first",
            "days",
            ("case.at", f"{stream}.first"),
            "days",
            f"days since the first {one} of this {{entity}}",
            (),
        ),
        Pattern(
            f"{stream}_days_since_last",
            "days",
            ("case.at", f"{stream}.last"),
            "days",
            f"days since the last {one} of this {{entity}}",
            (),
        ),
    )


def _share(stream: str, many: str) -> tuple[Pattern, ...]:
    """How often, and for how much of the money, orders led to the facts of a stream."""
    return (
        Pattern(
            f"{stream}_per_order",
            "ratio",
            (f"{stream}.count", "orders.count"),
            f"{stream} per order",
            f"{many} for each order of this {{entity}}",
        ),
        Pattern(
            f"{stream}_amount_share",
            "known_share",
            (f"{stream}.amount", f"{stream}.amount_known", f"{stream}.count", "orders.amount"),
            "share",
            f"money in {many} as a share of the money in orders of this {{entity}}",
        ),
    )


PATTERNS: Final = (
    *_flow("orders", "order", "orders"),
    Pattern(
        "orders_amount_mean",
        "ratio",
        ("orders.amount", "orders.amount_known"),
        "cents",
        "mean order amount of this {entity}",
    ),
    Pattern(
        "amount_to_mean",
        "to_mean",
        ("case.amount", "orders.amount", "orders.amount_known"),
        "ratio",
        "this order's amount over the mean of this {entity}",
    ),
    Pattern(
        "amount_deviation",
        "deviation",
        ("case.amount", "orders.major", "orders.major_squared", "orders.amount_known"),
        "standard deviations",
        "this order's amount against the mean and spread of this {entity}",
    ),
    Pattern(
        "matured_orders_count",
        "total",
        ("matured_orders.count",),
        "orders",
        "orders of this {entity} whose horizon ended",
    ),
    Pattern(
        "chargebacks_matured_count",
        "total",
        ("matured_orders.charged",),
        "orders",
        "orders of this {entity} whose horizon ended with a chargeback",
    ),
    Pattern(
        "chargebacks_matured_rate",
        "ratio",
        ("matured_orders.charged", "matured_orders.count"),
        "share",
        "share of this {entity}'s orders whose horizon ended with a chargeback",
        (*WINDOWS, *LATEST),
    ),
    *_flow("chargebacks", "chargeback", "chargebacks"),
    *_share("chargebacks", "chargebacks"),
    *_flow("disputes", "dispute", "disputes"),
    *_share("disputes", "disputes"),
    *_flow("refunds", "refund", "refunds"),
    *_share("refunds", "refunds"),
)
"""What is asked of each history."""


def meetings(entity: Entity) -> tuple[Pattern, ...]:
    """Signals over the partners an entity met for the first time: within a window, and ever, which is how many it has met."""
    return tuple(
        Pattern(
            f"{many}_met",
            "total",
            (f"orders.met_{partner}",),
            many,
            f"{many} that this {{entity}} met for the first time",
        )
        for partner, many in ((p, f"{p}es" if p.endswith("s") else f"{p}s") for p in entity.partners)
    )


RULINGS: Final = (
    Pattern("rulings_count", "total", ("rulings.decided",), "disputes", "disputes of this {entity} granted or refused"),
    Pattern("rulings_granted_count", "total", ("rulings.granted",), "disputes", "disputes of this {entity} granted"),
    Pattern(
        "rulings_refused_rate",
        "ratio",
        ("rulings.refused", "rulings.decided"),
        "share",
        "share of this {entity}'s ruled disputes that were refused",
    ),
)
"""What is asked of each history when the question is about a dispute."""
