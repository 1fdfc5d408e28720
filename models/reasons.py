"""The closed list of reasons: what signals are about, and what the seller and the buyer are told of it.

A sentence is of the topic and never of a value, which it could get wrong. The seller's says what to supply, and nothing of
the buyer. The buyer's is fair and can be answered, and says nothing of how anything is found out.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import Final

from features import RedressError


@dataclass(frozen=True)
class Reason:
    """A reason: its code and part, its signals by pattern, and what it is about.

    `seller` and `buyer` hear theirs where it weighs against them; {supply} stands for the verb of the question.
    """

    code: str
    part: str
    signals: tuple[str, ...]
    says: str
    seller: str
    buyer: str


def _of(entities: Iterable[str], *names: str) -> tuple[str, ...]:
    """Patterns of each of the entities.

    >>> _of(("ip", "email"), "orders_*")
    ('ip_orders_*', 'email_orders_*')
    """
    return tuple(f"{entity}_{name}" for name in names for entity in entities)


LINKS: Final = ("address", "device", "email", "instrument", "ip")
BUYER: Final = ("buyer", "buyer_seller")
PLACE: Final = ("channel", "region")
ROAD: Final = ("carrier", "lane")

SHIPPED: Final = "{supply} the complete shipping certificate: name, address, carrier, number and dates."
HELD: Final = "{supply} all you have about this order: messages, proof of shipment and proof of delivery."
AGREED: Final = "{supply} the agreement, the return rules as they were shown, and proof of any refund or replacement."
WHOLE: Final = "We look at the whole of this order. You can add whatever helps us to understand what happened."
RECORD: Final = (
    "Your earlier orders with us are part of the picture. You can ask for your own record and have it corrected."
)
WHEN: Final = "Dates matter here. You can tell us when the parcel came and when you noticed what was wrong."
GOODS: Final = "What was on offer matters here. You can show where the goods differ from the product's page."
PARCEL: Final = (
    "The parcel's way matters here. You can send pictures of parcel and label, and tell us where it was left."
)
PROOF: Final = "What was sent in as proof matters here. You can add original pictures or a film of what you received."

REASONS: Final = (
    Reason(
        "order_itself",
        "order",
        ("order_amount", "order_quantity", "order_hour", "order_weekday", "order_ships_abroad"),
        "What was ordered, when, and whether it goes abroad",
        "{supply} proof of what was shipped, and for a dear order a signature on delivery.",
        WHOLE,
    ),
    Reason(
        "order_promise",
        "order",
        ("order_promised_days", *_of(ROAD, "promised_to_usual_*")),
        "The date promised for delivery",
        "{supply} the shipping receipt with its date, and promise dates that the carrier keeps.",
        WHEN,
    ),
    Reason(
        "order_checks",
        "order",
        ("order_address_risky_count", "order_blocks_count"),
        "Checks and blocks of the order",
        "{supply} what the platform's check of the order asks for.",
        WHOLE,
    ),
    Reason(
        "order_background",
        "order",
        _of(PLACE, "*"),
        "The background of the sales channel and of the region",
        SHIPPED,
        WHOLE,
    ),
    Reason(
        "order_conversation",
        "order",
        ("order_agreements_count", "order_days_since_message"),
        "What was said last about the order, and what was agreed",
        "{supply} the correspondence about this order and what was agreed in it.",
        "What you and the seller wrote matters here. You can tell us what was agreed.",
    ),
    Reason(
        "order_remedies",
        "order",
        ("order_refund*", "order_disputes_granted_count", "order_disputes_refused_count"),
        "What was already decided and paid back for the order",
        AGREED,
        WHOLE,
    ),
    Reason(
        "case_dates",
        "order",
        ("days_since_*", "dispute_days_*", "chargeback_days_*"),
        "When the case was opened, and how long it has run",
        "{supply} the dates of payment, shipment and delivery, before the deadline.",
        WHEN,
    ),
    Reason(
        "case_amount",
        "order",
        ("dispute_claimed*", "chargeback_amount*"),
        "The amount asked for",
        "{supply} the invoice, and proof of what was already paid back or replaced.",
        "The amount asked for matters here. You can tell us what it covers.",
    ),
    Reason(
        "case_reason",
        "order",
        ("dispute_is_*", "chargeback_is_*", "chargeback_for_*"),
        "The reason given, and the card network",
        "{supply} the items that the reason given asks for.",
        "The reason you gave says what we look at. You can explain it in your own words.",
    ),
    Reason(
        "listing_price",
        "product",
        ("listing_price*", "category_*"),
        "The price on the page, against the brand's and the usual one",
        "{supply} the invoice of your purchase, which accounts for the price.",
        GOODS,
    ),
    Reason(
        "listing_brand",
        "product",
        ("listing_is_branded*", "listing_brand_*", "listing_imitates"),
        "Brands, parts for brands and words of imitation on the page",
        "{supply} the brand's authorisation, and take words of imitation off the page.",
        GOODS,
    ),
    Reason(
        "listing_text",
        "product",
        ("listing_*quantity", "listing_unit_weight", "listing_days", "listing_version", "product_listing_*"),
        "Quantity and weight on the page, and how the page changed",
        "{supply} the page as it was when the order was placed, its quantity a plain number.",
        GOODS,
    ),
    Reason(
        "product_complaints",
        "product",
        _of(("product",), "disputes_*", "rulings_*", "refunds_*", "chargebacks_*", "matured_orders_*"),
        "Disputes, rulings, refunds and chargebacks about the product",
        "{supply} pictures of the goods that were sent, and compare them with the page.",
        GOODS,
    ),
    Reason(
        "product_sales",
        "product",
        _of(("product",), "orders_*", "amount_*", "buyers_met_*"),
        "How long and how well the product sells",
        SHIPPED,
        GOODS,
    ),
    Reason(
        "buyer_found_malicious",
        "buyer",
        ("buyer_found_malicious_*", "buyer_credit_lost_malicious"),
        "Findings of malice in the buyer's earlier disputes",
        HELD,
        RECORD,
    ),
    Reason(
        "buyer_found_honest",
        "buyer",
        ("buyer_found_honest_*", "buyer_disputes_excused_*", "buyer_agreements_kept_*"),
        "Findings for the buyer, disputes with guilty sellers, and agreements the buyer kept",
        HELD,
        RECORD,
    ),
    Reason(
        "buyer_reports",
        "buyer",
        ("buyer_reports_*", "buyer_credit_lost_reported"),
        "Sellers' reports of the buyer, and how they were judged",
        HELD,
        RECORD,
    ),
    Reason(
        "buyer_rulings",
        "buyer",
        ("buyer_refusals_*", "buyer_credit_lost_refused", *_of(BUYER, "rulings_*")),
        "Rulings on the buyer's earlier disputes",
        HELD,
        RECORD,
    ),
    Reason(
        "buyer_refunds",
        "buyer",
        (*_of(BUYER, "refunds_*"), "buyer_chargebacks_after_*", *_of(LINKS, "refunds_*")),
        "Refunds to the buyer, and chargebacks after them",
        HELD,
        WHOLE,
    ),
    Reason(
        "buyer_chargebacks",
        "buyer",
        (
            *_of(BUYER, "chargebacks_*", "matured_orders_*"),
            "buyer_credit_lost_refuted",
            "order_chargebacks_other_count",
        ),
        "The buyer's earlier chargebacks, and what banks said of them",
        HELD,
        RECORD,
    ),
    Reason(
        "buyer_disputes",
        "buyer",
        (
            *_of(BUYER, "disputes_*"),
            "buyer_disputed_value_ratio",
            "buyer_delivery_to_dispute_*",
            "buyer_first_orders_disputed_share",
            "buyer_sellers_disputed_*",
            "buyer_agreements_broken_*",
            "order_disputes_count",
        ),
        "The buyer's other disputes: how many, how soon and about how much",
        HELD,
        RECORD,
    ),
    Reason(
        "buyer_credit",
        "buyer",
        ("buyer_credit", "buyer_credit_low", "buyer_credit_high", "buyer_credit_orders_to_restore"),
        "The buyer's credit, and how sure it is",
        HELD,
        RECORD,
    ),
    Reason(
        "buyer_spending",
        "buyer",
        (*_of(BUYER, "amount_*", "orders_amount_*"), *_of(LINKS, "amount_*", "orders_amount_*")),
        "The amount against what this buyer, or who pays and orders this way, usually spends",
        HELD,
        WHOLE,
    ),
    Reason(
        "buyer_history",
        "buyer",
        (*_of(BUYER, "orders_*"), "buyer_days_since_registered", *_of(("buyer",), "sellers_met_*", "products_met_*")),
        "How long and how much the buyer has bought, here and from this seller",
        HELD,
        RECORD,
    ),
    Reason(
        "buyer_conduct",
        "buyer",
        ("buyer_cancellations_*", "buyer_address_changes_*", "order_*_buyer_count", "order_address_changes_count"),
        "Cancellations, late changes of address, and what the buyer wrote",
        "{supply} the correspondence about this order, and the address it was shipped to.",
        WHOLE,
    ),
    Reason(
        "shared_findings",
        "buyer",
        _of(LINKS, "malicious_sharers_count", "charged_sharers_count"),
        "Malice or chargebacks of buyers who share a card, device, address, e-mail or IP",
        HELD,
        WHOLE,
    ),
    Reason(
        "shared_complaints",
        "buyer",
        _of(LINKS, "disputes_*", "rulings_*", "chargebacks_*", "matured_orders_*"),
        "Disputes, rulings and chargebacks over the same card, device, address, e-mail or IP",
        HELD,
        WHOLE,
    ),
    Reason(
        "shared_use",
        "buyer",
        (
            *_of(LINKS, "orders_*", "buyers_met_*", "days_since_new_sharer", "sharers_days"),
            *_of(("buyer",), "instruments_met_*", "devices_met_*", "addresses_met_*", "ips_met_*"),
        ),
        "How new, how used and how shared card, device, address, e-mail and IP are",
        HELD,
        WHOLE,
    ),
    Reason(
        "prior_orders",
        "buyer",
        ("priors_*",),
        "Earlier undisputed orders on the same card, and how they match",
        HELD,
        WHOLE,
    ),
    Reason(
        "seller_integrity",
        "seller",
        ("seller_blocks_*", "seller_faking_*", "seller_appeals_*"),
        "Blocks of the seller for integrity, and what became of them",
        "Answer or appeal the block. {supply} invoices and authorisations of the goods.",
        WHOLE,
    ),
    Reason(
        "seller_rulings",
        "seller",
        ("seller_rulings_*", "seller_reports_*"),
        "Whose fault rulings and judged reports of this seller found",
        "{supply} what earlier rulings found lacking: proof of contents, of shipment and of delivery.",
        WHOLE,
    ),
    Reason(
        "seller_complaints",
        "seller",
        _of(("seller",), "disputes_*", "refunds_*", "chargebacks_*", "matured_orders_*"),
        "Disputes, refunds and chargebacks about the seller",
        "{supply} pictures, counts and weights from before shipment, which settle the usual complaints.",
        WHOLE,
    ),
    Reason(
        "seller_service",
        "seller",
        _of(
            ("seller",),
            "answer_*",
            "inquiries_*",
            "threads_*",
            "days_to_ship_*",
            "deliveries_*",
            "lateness_*",
            "shipments_*",
            "cancellations_*",
        ),
        "How the seller answers, ships and keeps dates",
        "Leave no message unanswered, and ship in time by a carrier with a tracking number.",
        WHOLE,
    ),
    Reason(
        "seller_background",
        "seller",
        _of(("seller",), "days_since_registered", "orders_*", "amount_*", "buyers_met_*"),
        "How long and how much the seller sells",
        SHIPPED,
        WHOLE,
    ),
    Reason(
        "shipment",
        "seller",
        ("order_shipments_*", "order_days_to_ship", "order_packed_less_ordered", "order_delivery_notice_filled"),
        "What the seller shipped, when and with what proof",
        "{supply} tracking number, shipping receipt and the count of what was packed, and fill in the delivery notice.",
        WHOLE,
    ),
    Reason(
        "seller_conversation",
        "seller",
        ("order_*_seller_count", "order_threads_open_count", "order_answer_hours_mean"),
        "How the seller answered about this order",
        "Answer every message about this order, and offer a settlement.",
        "What you and the seller wrote matters here. You can tell us what was agreed.",
    ),
    Reason(
        "delivery",
        "carrier",
        (
            "order_scans_delivered_count",
            "order_delivered_*",
            "order_delivery_*",
            "order_days_since_delivery",
            "order_transit_days",
        ),
        "Whether, when, where and to whom the carrier delivered",
        "{supply} the delivery certificate: hand-over and receipt record, with address and signature.",
        PARCEL,
    ),
    Reason(
        "tracking",
        "carrier",
        ("order_scans_*", "order_days_since_scan", "order_platform_logistics_count"),
        "The carrier's scans, and whether they can be true",
        "Check that the tracking number is valid. {supply} the carrier's own record of the parcel.",
        PARCEL,
    ),
    Reason(
        "carrier_background",
        "carrier",
        _of(ROAD, "*"),
        "How fast and how safely this carrier delivers, and on this road",
        "{supply} the carrier's delivery certificate, and choose logistics with online status.",
        PARCEL,
    ),
    Reason(
        "weight",
        "evidence",
        (
            "order_weight_*",
            "case_weight_set_missing",
            "case_items_*weight*",
            "case_items_weighing_video",
            "case_items_shipping_receipt",
            "case_items_pre_shipment_count",
        ),
        "What the parcel's weight says, and whether the four items that prove it are there",
        "{supply} all four: pictures of one unit's weight and of the package's, shipping receipt, and the carrier's "
        "weight certificate.",
        PROOF,
    ),
    Reason(
        "proof_of_delivery",
        "evidence",
        ("case_delivery_set_missing", "case_items_delivery_certificate", "case_items_tracking"),
        "Proof of delivery: tracking and the delivery certificate",
        "{supply} both the tracking number and the delivery certificate.",
        PARCEL,
    ),
    Reason(
        "proof_of_goods",
        "evidence",
        (
            "case_description_set_missing",
            "case_authenticity_set_missing",
            "case_items_brand_authorisation",
            "case_items_listing_copy",
            "case_items_product_photo",
            "case_items_unboxing_video",
        ),
        "Proof of the goods: the page, pictures, a film, the brand's authorisation",
        "{supply} the page as it was with its pictures, pictures of the goods, and the brand's authorisation.",
        PROOF,
    ),
    Reason(
        "proof_of_terms",
        "evidence",
        (
            "case_terms_set_missing",
            "case_remedy_set_missing",
            "case_items_*_proof",
            "case_items_correspondence",
            "case_items_accepted_agreement",
            "case_items_return_rules_disclosed",
        ),
        "Proof of what was agreed, disclosed, refunded and replaced",
        AGREED,
        "What was agreed matters here. You can tell us what was promised, paid back or replaced.",
    ),
    Reason(
        "proof_of_buyer",
        "evidence",
        ("case_identity_set_missing", "case_items_identity_match", "compelling_*", "first_party_*"),
        "Proof that the cardholder ordered, as the card networks ask for it",
        HELD,
        WHOLE,
    ),
    Reason(
        "doubtful_proof",
        "evidence",
        ("content_*", "case_*_reused_count", "case_*_before_order_count", "case_evidence_from_the_future_count"),
        "Items that were shown before, or whose dates cannot be",
        "{supply} originals that were made for this order and show their dates.",
        PROOF,
    ),
    Reason(
        "proof_at_hand",
        "evidence",
        ("case_evidence_*count", "case_days_since_evidence", "case_items_other"),
        "How much was brought, by whom, and when last",
        "{supply} your side of the case before the deadline.",
        PROOF,
    ),
    Reason(
        "answers_of_late",
        "base",
        ("platform_*",),
        "How such questions were answered of late, whoever they were about",
        HELD,
        WHOLE,
    ),
)
"""Every reason. A signal belongs to the first of them with a pattern, in which * stands for anything, that its name matches."""


@cache
def place(signal: str) -> int:
    """Where in REASONS a signal's reason stands; RedressError for a signal that has none.

    >>> REASONS[place("buyer_found_malicious_count_90d")].code
    'buyer_found_malicious'
    """
    for i, reason in enumerate(REASONS):
        if any(fnmatchcase(signal, pattern) for pattern in reason.signals):
            return i
    raise RedressError(f"reasons: want a reason for each signal, got none for {signal}; add it to models/reasons.py")
