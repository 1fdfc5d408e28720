"""The ledger's tables as declarations: columns, units, vocabularies, keys and references, and nothing that runs on data."""

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["id", "text", "time", "cents", "grams", "count", "flag", "share"]

WANT: Final[dict[Kind, str]] = {
    "id": "string ids",
    "text": "string",
    "time": "timestamp in microseconds with a time zone",
    "cents": "int64 cents",
    "grams": "int64 grams",
    "count": "int64",
    "flag": "bool",
    "share": "float in [0, 1]",
}
"""What a column of each kind holds, in the words of an error message."""

NUMBERS: Final[tuple[Kind, ...]] = ("cents", "grams", "count")
LARGEST: Final = 10**14
"""Largest amount in cents that a ledger may hold."""


@dataclass(frozen=True)
class Column:
    """One column: its name, what it holds, whether the table needs it, and the closed vocabulary if it has one."""

    name: str
    kind: Kind
    required: bool = False
    vocabulary: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """One table: what a row says, its key, its columns, and which columns point to rows of other tables."""

    name: str
    says: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    references: tuple[tuple[str, str], ...] = ()

    def column(self, name: str) -> Column | None:
        """The declaration of `name`, or None when the table has no such column."""
        return next((c for c in self.columns if c.name == name), None)


CASES: Final = {"order": "orders", "dispute": "disputes", "chargeback": "chargebacks"}
"""Tables that a `case_id` may point to, by `case_kind`."""

REASONS: Final = tuple(
    "not_received short_quantity not_as_described quality damaged counterfeit wrong_item billing service other".split()
)
EVIDENCE: Final = tuple(
    "unit_weight_photo package_weight_photo shipping_receipt carrier_weight_certificate weighing_video "
    "pre_shipment_count delivery_certificate tracking listing_copy refund_proof replacement_proof correspondence "
    "accepted_agreement return_rules_disclosed product_photo unboxing_video brand_authorisation identity_match "
    "other".split()
)
PARTIES: Final = ("buyer", "seller", "platform", "carrier", "issuer")
RULINGS: Final = ("refund_full", "refund_partial", "return_and_refund", "refused", "settled", "withdrawn")
FUNDERS: Final = ("platform", "seller", "issuer", "insurer")
ENDINGS: Final = ("won", "lost", "partial", "accepted", "no_response", "withdrawn", "pre_arbitration")
SCANS: Final = (
    *("accepted", "in_transit", "customs", "out_for_delivery", "delivered"),
    *("refused", "returned", "lost", "exception"),
)
ACTIONS: Final = (
    *("refund_full", "refund_partial", "return_and_refund", "request_evidence", "review", "refuse", "contest"),
    *("accept", "settle", "wait", "block", "release", "allow", "adjust_tier"),
)
CAUSES: Final = ("counterfeit", "description", "quality", "false_transactions", "other")
SOURCES: Final = ("officer", "issuer", "admission", "ring", "audit", "seller_report")


_KINDS: Final[dict[str, Kind]] = {kind: kind for kind in WANT}


def _columns(specs: str, required: bool, vocabularies: dict[str, tuple[str, ...]]) -> tuple[Column, ...]:
    """Columns from words of the form `name` (an id) or `name:kind`."""
    pairs = ((name, kind or "id") for name, _, kind in (spec.partition(":") for spec in specs.split()))
    return tuple(Column(name, _KINDS[kind], required, vocabularies.get(name, ())) for name, kind in pairs)


def _table(
    name: str,
    says: str,
    *,
    key: str,
    required: str,
    optional: str = "",
    points: str = "",
    **vocabularies: tuple[str, ...],
) -> Table:
    columns = _columns(required, True, vocabularies) + _columns(f"{optional} happened_at:time", False, vocabularies)
    references = tuple((column, table) for column, _, table in (point.partition(":") for point in points.split()))
    return Table(name, says, tuple(key.split()), columns, references)


_DECLARED = (
    _table(
        "orders",
        "an order with one seller was paid",
        key="order_id",
        required="order_id at:time buyer_id seller_id amount:cents",
        optional="product_id quantity:count instrument_id instrument_issuer:text region:text device_id address_id email_id "
        "ip_id login_id ship_country:text bill_country:text promised_at:time channel:text",
    ),
    _table(
        "cancellations",
        "an order was cancelled",
        key="order_id",
        required="order_id at:time",
        optional="party:text",
        points="order_id:orders",
        party=PARTIES,
    ),
    _table("buyers", "a buyer registered", key="buyer_id", required="buyer_id at:time", optional="country:text"),
    _table("sellers", "a seller registered", key="seller_id", required="seller_id at:time", optional="country:text"),
    _table(
        "listings",
        "a version of a product page went live",
        key="product_id at",
        required="product_id seller_id at:time",
        optional="category:text title:text price:cents brand:text brand_price:cents brand_authorised:flag "
        "stated_quantity:count unit_weight:grams",
    ),
    _table(
        "shipments",
        "the seller declared a shipment",
        key="order_id at",
        required="order_id at:time",
        optional="carrier:text tracking_id platform_logistics:flag receipt:flag packed_quantity:count "
        "declared_weight:grams carrier_weight:grams",
        points="order_id:orders",
    ),
    _table(
        "scans",
        "a carrier event",
        key="order_id at kind",
        required="order_id at:time kind:text",
        optional="country:text address_match:flag signature:flag",
        points="order_id:orders",
        kind=SCANS,
    ),
    _table(
        "disputes",
        "a buyer opened a dispute",
        key="dispute_id",
        required="dispute_id at:time order_id reason:text claimed:cents",
        points="order_id:orders",
        reason=REASONS,
    ),
    _table(
        "messages",
        "a message on an order or a dispute",
        key="message_id",
        required="order_id at:time sender:text kind:text",
        optional="message_id dispute_id",
        points="order_id:orders dispute_id:disputes",
        sender=("buyer", "seller", "platform"),
        kind=("text", "offer", "agreement", "address_change"),
    ),
    _table(
        "rulings",
        "a dispute was closed (again, after an appeal)",
        key="dispute_id at",
        required="dispute_id at:time outcome:text",
        optional="refunded:cents funded_by:text fault:text",
        points="dispute_id:disputes",
        outcome=RULINGS,
        funded_by=FUNDERS,
        fault=("buyer", "seller", "carrier", "none", "unknown"),
    ),
    _table(
        "findings",
        "someone established whether a dispute was malicious",
        key="dispute_id at source",
        required="dispute_id at:time malicious:flag source:text",
        points="dispute_id:disputes",
        source=SOURCES,
    ),
    _table(
        "chargebacks",
        "the bank refused a payment",
        key="chargeback_id",
        required="chargeback_id at:time order_id amount:cents",
        optional="network:text reason_code:text respond_by:time",
        points="order_id:orders",
        network=("visa", "mastercard", "other"),
    ),
    _table(
        "evidence",
        "a piece of evidence was submitted",
        key="evidence_id",
        required="evidence_id at:time case_id party:text kind:text",
        optional="case_kind:text issuer:text content_hash",
        points="case_id:case_kind",
        case_kind=tuple(CASES),
        party=PARTIES,
        issuer=PARTIES,
        kind=EVIDENCE,
    ),
    _table(
        "representments",
        "a defence was filed",
        key="chargeback_id at",
        required="chargeback_id at:time",
        points="chargeback_id:chargebacks",
    ),
    _table(
        "chargeback_rulings",
        "a chargeback moved or ended",
        key="chargeback_id at",
        required="chargeback_id at:time outcome:text",
        points="chargeback_id:chargebacks",
        outcome=ENDINGS,
    ),
    _table(
        "refunds",
        "money went back",
        key="order_id at",
        required="order_id at:time amount:cents funded_by:text",
        optional="initiator:text",
        points="order_id:orders",
        funded_by=FUNDERS,
        initiator=("policy", "officer", "seller", "issuer"),
    ),
    _table(
        "address_checks",
        "an order was submitted to risky-address detection",
        key="order_id at",
        required="order_id at:time risky:flag",
        points="order_id:orders",
    ),
    _table(
        "blocks",
        "an order or seller was frozen",
        key="block_id",
        required="block_id at:time kind:text",
        optional="order_id seller_id cause:text closes_by:time",
        points="order_id:orders",
        kind=("chargeback", "risk_address", "seller_integrity"),
        cause=CAUSES,
    ),
    _table(
        "releases",
        "a block ended",
        key="block_id",
        required="block_id at:time result:text",
        points="block_id:blocks",
        result=("closed", "upheld", "overturned", "expired"),
    ),
    _table(
        "reports",
        "a seller reported the buyer of an order",
        key="report_id",
        required="report_id at:time order_id",
        points="order_id:orders",
    ),
    _table(
        "report_rulings",
        "a report was judged",
        key="report_id",
        required="report_id at:time upheld:flag",
        points="report_id:reports",
    ),
    _table(
        "decisions",
        "this system decided",
        key="decision_id",
        required="decision_id at:time case_id case_kind:text action:text policy:text propensity:share",
        points="case_id:case_kind",
        case_kind=tuple(CASES),
        action=ACTIONS,
    ),
    _table(
        "tiers",
        "a buyer's dispute rules were adjusted or restored",
        key="buyer_id at",
        required="buyer_id at:time tier:text reason:text",
        optional="expires_at:time",
    ),
    _table(
        "feedback",
        "a party answered a decision",
        key="decision_id at",
        required="decision_id at:time party:text kind:text",
        points="decision_id:decisions",
        party=PARTIES,
        kind=("survey", "appeal", "reversal"),
    ),
)

TABLES: Final = {table.name: table for table in _DECLARED}
"""Every table by name, in an order in which each points only to tables before it."""
