"""Transaction background as declarations: what the parties and things of an order had done before."""

from dataclasses import replace
from typing import Final

from features.signal import CASES, LATEST, QUESTIONS, RISK, WINDOWS, YEAR, Entity, Family, On, Pattern

BUYER: Final = Entity(
    "buyer", ("orders.buyer_id",), "buyer", ("seller", "product", "instrument", "device", "address", "ip")
)
SELLER: Final = Entity("seller", ("orders.seller_id",), "seller", ("buyer",))
PRODUCT: Final = Entity("product", ("orders.product_id",), "product", ("buyer",))
LINKS: Final = tuple(
    Entity(name, (f"orders.{name}_id",), "buyer", ("buyer",), link=True)
    for name in ("instrument", "device", "address", "email", "ip")
)
ENTITIES: Final = (
    *(BUYER, SELLER, PRODUCT, *LINKS),
    Entity("buyer_seller", ("orders.buyer_id", "orders.seller_id"), "buyer"),
)
"""Whose histories an order has."""
CARRIER: Final = Entity("carrier", ("shipments.carrier",), "carrier")
PLACES: Final = (
    CARRIER,
    Entity("channel", ("orders.channel",), "order"),
    Entity("region", ("orders.region",), "order"),
)
"""Whose histories a dispute has besides."""


def _flow(stream: str, one: str, many: str, amount: str = "amount") -> tuple[Pattern, ...]:
    """Signals that every stream of money has."""
    return (
        Pattern(f"{stream}_count", "value", (f"{stream}.count",), stream, f"{many} of this {{entity}}"),
        Pattern(
            f"{stream}_amount_sum",
            "known_sum",
            (f"{stream}.{amount}", f"{stream}.{amount}_known", f"{stream}.count"),
            "cents",
            f"money in {many} of this {{entity}}",
        ),
        Pattern(
            f"{stream}_days_since_first",
            "days",
            ("asking.at", f"{stream}.first"),
            "days",
            f"days since the first {one} of this {{entity}}",
            (),
        ),
        Pattern(
            f"{stream}_days_since_last",
            "days",
            ("asking.at", f"{stream}.last"),
            "days",
            f"days since the last {one} of this {{entity}}",
            (),
        ),
    )


def _share(stream: str, many: str, amount: str = "amount") -> tuple[Pattern, ...]:
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
            (f"{stream}.{amount}", f"{stream}.{amount}_known", f"{stream}.count", "orders.amount"),
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
        ("order.amount", "orders.amount", "orders.amount_known"),
        "ratio",
        "this order's amount over the mean of this {entity}",
    ),
    Pattern(
        "amount_deviation",
        "deviation",
        ("order.amount", "orders.major", "orders.major_squared", "orders.amount_known"),
        "standard deviations",
        "this order's amount against the mean and spread of this {entity}",
    ),
    Pattern(
        "matured_orders_count",
        "value",
        ("matured_orders.count",),
        "orders",
        "orders of this {entity} whose horizon ended",
    ),
    Pattern(
        "chargebacks_matured_count",
        "value",
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
    *_flow("disputes", "dispute", "disputes", "claimed"),
    *_share("disputes", "disputes", "claimed"),
)
"""What is asked of each history."""
REFUNDS: Final = (*_flow("refunds", "refund", "refunds"), *_share("refunds", "refunds"))
"""What is asked besides where the platform's own refunds may count."""


def meetings(entity: Entity) -> tuple[Pattern, ...]:
    """Signals over the partners an entity met for the first time: within a window, and ever, which is how many it has met."""
    return tuple(
        Pattern(
            f"{many}_met",
            "value",
            (f"orders.met_{partner}",),
            many,
            f"{many} that this {{entity}} met for the first time",
        )
        for partner, many in ((p, f"{p}es" if p.endswith("s") else f"{p}s") for p in entity.partners)
    )


RULINGS: Final = (
    Pattern("rulings_count", "value", ("rulings.decided",), "disputes", "disputes of this {entity} granted or refused"),
    Pattern("rulings_granted_count", "value", ("rulings.granted",), "disputes", "disputes of this {entity} granted"),
    Pattern(
        "rulings_refused_rate",
        "ratio",
        ("rulings.refused", "rulings.decided"),
        "share",
        "share of this {entity}'s ruled disputes that were refused",
    ),
)
"""What is asked of each history when the question is about a case."""
PLATFORM: Final = tuple(question for question in QUESTIONS if question != "malicious_dispute")
"""Questions in which the platform's own refunds may count: all but whether a dispute is malicious."""


def yearly(patterns: tuple[Pattern, ...]) -> tuple[Pattern, ...]:
    """The same over a year."""
    return tuple(replace(pattern, windows=tuple(YEAR)) for pattern in patterns if pattern.windows)


def _sums(patterns: tuple[Pattern, ...]) -> tuple[Pattern, ...]:
    """Those that count or add money up."""
    return tuple(pattern for pattern in patterns if pattern.formula in ("value", "known_sum"))


def _of(entities: tuple[Entity, ...], questions: tuple[str, ...]) -> tuple[On, ...]:
    cases = tuple(question for question in questions if question in CASES)
    return tuple(
        one
        for entity in entities
        for one in (
            On(entity, (*PATTERNS, *meetings(entity)), questions),
            On(entity, REFUNDS, tuple(question for question in questions if question in PLATFORM)),
            On(entity, RULINGS, cases),
        )
    )


FAMILY: Final = Family(
    "transaction background",
    "What the parties and things of an order had done before: orders, disputes, chargebacks and refunds, and how they ended.",
    (
        *_of(ENTITIES, QUESTIONS),
        *_of(PLACES, CASES),
        *(On(one, yearly(PATTERNS)) for one in (BUYER, SELLER)),
        *(On(one, yearly(REFUNDS), PLATFORM) for one in (BUYER, SELLER)),
        *(On(one, yearly(RULINGS), CASES) for one in (BUYER, SELLER)),
        *(On(one, yearly(_sums(PATTERNS))) for one in (PRODUCT, *LINKS)),
        *(On(one, yearly(_sums(REFUNDS)), PLATFORM) for one in (PRODUCT, *LINKS)),
        *(On(one, RULINGS, RISK) for one in (BUYER, SELLER, PRODUCT)),
    ),
)
