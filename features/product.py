"""Product and listing: what the page said when the order was placed, and what had come of the product before."""

from typing import Final

from features.signal import ONCE, Entity, Family, On, Pattern
from features.transaction import PRODUCT

CATEGORY: Final = Entity("category", ("listings.category",), "product")
_WINDOWS: Final = ("90d", "ever")
_COMPLAINTS: Final = (
    *("not_received", "short_quantity", "not_as_described", "quality", "damaged", "counterfeit", "wrong_item"),
)


def _page(name: str, formula: str, operands: tuple[str, ...], unit: str, says: str) -> Pattern:
    return Pattern(f"listing_{name}", formula, operands, unit, says, ONCE, "product")


PAGE: Final = (
    _page("price", "value", ("listing.price",), "cents", "price on the page"),
    _page(
        "price_to_brand",
        "ratio",
        ("listing.price", "listing.brand_price"),
        "ratio",
        "price on the page over the brand's own price",
    ),
    _page("is_branded", "value", ("listing.brand=*",), "0 or 1", "the page names a brand"),
    _page(
        "brand_unauthorised",
        "without",
        ("listing.brand=*", "listing.brand_authorised"),
        "0 or 1",
        "the page names a brand without its authorisation",
    ),
    _page("imitates", "value", ("listing.title~imitation",), "0 or 1", "the title has words of imitation"),
    _page(
        "is_branded_part",
        "value",
        ("listing.title~branded_part",),
        "0 or 1",
        "the title sells a part for a brand's thing",
    ),
    _page(
        "vague_quantity", "value", ("listing.title~vague_quantity",), "0 or 1", "the title's quantity is not a number"
    ),
    _page("titled_quantity", "value", ("listing.title~number_of",), "0 or 1", "the title says how many there are"),
    _page("stated_quantity", "value", ("listing.stated_quantity",), "units", "units the page says one gets"),
    _page("unit_weight", "value", ("listing.unit_weight",), "grams", "weight of one unit on the page"),
    _page("days", "days", ("order.at", "listing.at"), "days", "days the page was unchanged when the order was placed"),
    _page("version", "value", ("listing.version",), "versions", "versions of the page by then"),
)
"""What the page said when the order was placed."""
OF_PRODUCT: Final = (
    Pattern(
        "listing_changes_since_order",
        "less",
        ("listings.count", "listing.version"),
        "versions",
        "versions of the page of this {entity} since the order was placed",
        ONCE,
    ),
    *(
        Pattern(
            f"disputes_{reason}_per_order",
            "ratio",
            (f"disputes.count[reason={reason}]", "orders.count"),
            "disputes per order",
            f"disputes for {reason} for each order of this {{entity}}",
            _WINDOWS,
        )
        for reason in _COMPLAINTS
    ),
    Pattern(
        "rulings_seller_fault_count",
        "value",
        ("every_ruling.count[fault=seller]",),
        "rulings",
        "rulings on this {entity} that found the seller at fault",
        _WINDOWS,
    ),
)
"""What had come of the product before."""
PRICES: Final = (
    Pattern(
        "price_to_mean",
        "to_mean",
        ("listing.price", "listings.price", "listings.price_known"),
        "ratio",
        "price on the page over the mean of its {entity}",
        ("365d", "ever"),
    ),
)
"""The page among others of its kind."""

FAMILY: Final = Family(
    "product and listing",
    "What the page said when the order was placed, and what had come of the product before.",
    (On(None, PAGE), On(PRODUCT, OF_PRODUCT), On(CATEGORY, PRICES)),
)
