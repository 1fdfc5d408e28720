"""What a simulated marketplace is like: every parameter with its unit, its source and the range to sweep, and three worlds."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from features import RedressError

Number = TypeVar("Number", int, float)

BOUNDS: Final = {
    "orders": (1, 10**8),
    "days": (0.01, 3_650.0),
    "share": (0.0, 1.0),
    "factor": (0.0, 1_000.0),
    "mean": (1.0, 1e6),
    "exponent": (1.05, 10.0),
    "standard deviations": (0.0, 10.0),
}
"""What a number of each unit may be."""
GUESS: Final = "an assumption"
RANGE: Final = "the range the industry reports, itself uncertain"


def _is(default: Number, unit: str, sweep: tuple[Number, Number], says: str, source: str = GUESS) -> Number:
    """A parameter with what is known of it."""
    told = {"unit": unit, "sweep": sweep, "says": says, "source": source}
    return dataclasses.field(default=default, metadata=told)


@dataclass(frozen=True)
class Marketplace:
    """The parameters of a simulated marketplace; the defaults are as much like life as is known.

    >>> Marketplace(stolen_rate=1.5)
    Traceback (most recent call last):
    features.errors.RedressError: stolen_rate: want a share from 0 to 1, got 1.5
    """

    # trade
    orders: int = _is(50_000, "orders", (1_000, 1_000_000), "orders in all, those that sellers fake included")
    days: float = _is(
        540.0, "days", (30.0, 1_000.0), "from the first order to the ledger's end; later facts are unknown"
    )
    growth: float = _is(2.0, "factor", (0.5, 5.0), "orders a day at the end over those at the start")
    orders_per_buyer: float = _is(5.0, "mean", (2.0, 30.0), "orders of a mean buyer")
    orders_per_seller: float = _is(60.0, "mean", (20.0, 1_000.0), "orders of a mean seller")
    tail: float = _is(1.4, "exponent", (1.2, 4.0), "Pareto exponent of how active buyers and sellers are")
    basket_rate: float = _is(0.2, "share", (0.0, 0.5), "orders paid minutes after another of the same buyer")
    loyalty: float = _is(0.2, "share", (0.0, 0.8), "orders placed with the seller of the buyer's last one")
    unknown_rate: float = _is(0.03, "share", (0.0, 0.3), "orders without a device, and of those without an IP")

    # buyers
    opportunist_share: float = _is(0.1, "share", (0.02, 0.3), "buyers who now and then claim what isn't so")
    opportunist_claims: float = _is(
        0.0118, "share", (0.005, 0.1), "faultless orders of an opportunist that he disputes in bad faith"
    )
    serial_share: float = _is(0.006, "share", (0.001, 0.03), "accounts of people who have several and live on claims")
    serial_claims: float = _is(0.11, "share", (0.05, 0.4), "faultless orders of a serial abuser disputed in bad faith")
    serial_accounts: float = _is(3.0, "mean", (1.0, 8.0), "accounts of a mean serial abuser")
    ring_share: float = _is(0.0075, "share", (0.005, 0.03), "accounts in coordinated rings", RANGE + ": 0.005 to 0.01")
    ring_claims: float = _is(0.18, "share", (0.05, 0.4), "faultless orders of a ring's account disputed in bad faith")
    ring_accounts: float = _is(12.0, "mean", (3.0, 40.0), "accounts of a mean ring")
    reuse_rate: float = _is(0.75, "share", (0.1, 0.9), "pictures of a ring's claims that come from the ring's own few")
    bank_first: float = _is(0.22, "share", (0.0, 0.6), "claims in bad faith that go to the bank without a dispute")
    forgetful_share: float = _is(0.06, "share", (0.0, 0.2), "honest buyers who forget purchases")
    forgotten_rate: float = _is(
        0.005, "share", (0.0, 0.05), "orders of a forgetful buyer that he tells his bank he never made"
    )
    stolen_rate: float = _is(0.0014, "share", (0.0002, 0.05), "orders paid by strangers with stolen instruments")
    stolen_charged: float = _is(0.7, "share", (0.3, 1.0), "of these, those that the bank refuses")
    stolen_orders: float = _is(3.0, "mean", (1.0, 20.0), "orders in a mean spree of a stranger")
    takeover_rate: float = _is(0.25, "share", (0.0, 1.0), "sprees in an honest buyer's account")

    # sellers and goods
    careful_share: float = _is(0.3, "share", (0.0, 0.6), "sellers who document, weigh and answer")
    sloppy_share: float = _is(0.15, "share", (0.0, 0.4), "sellers who are late, unclear and slow to answer")
    counterfeiter_share: float = _is(0.04, "share", (0.0, 0.1), "sellers of counterfeits")
    faker_share: float = _is(0.012, "share", (0.0, 0.1), "sellers who fake transactions")
    fake_orders: float = _is(
        0.7, "factor", (0.0, 4.0), "fake orders for each order that a mean faker's share of trade would give"
    )
    short_loader_share: float = _is(0.05, "share", (0.0, 0.1), "sellers who pack less than was sold")
    short_rate: float = _is(0.1, "share", (0.05, 0.9), "a short-loader's orders of several units that are short")
    faulty_products: float = _is(0.025, "share", (0.0, 0.1), "products that are faulty", RANGE + ": 0.01 to 0.03")
    faulty_units: float = _is(0.46, "share", (0.1, 0.9), "units of a faulty product that fail")
    wrong_item_rate: float = _is(
        0.0025, "share", (0.0, 0.03), "orders packed wrongly; five times as many by sloppy sellers"
    )
    caught_days: float = _is(
        300.0, "days", (30.0, 1_000.0), "mean days a guilty seller trades before the platform acts"
    )
    integrity_error: float = _is(0.01, "share", (0.0, 0.1), "innocent sellers frozen once, until an appeal succeeds")
    listing_changes: float = _is(1.0, "factor", (0.0, 10.0), "changes of a listing in a year")

    # parcels
    loss_rate: float = _is(0.0024, "share", (0.0005, 0.02), "parcels that a mean carrier loses")
    damage_rate: float = _is(0.0035, "share", (0.001, 0.03), "parcels that a mean carrier damages")
    false_scan_rate: float = _is(
        0.001, "share", (0.0, 0.02), "parcels of a mean carrier scanned as delivered that never were"
    )
    delay: float = _is(0.35, "standard deviations", (0.1, 1.0), "spread of the logarithm of transit times")
    weighing_error: float = _is(0.015, "share", (0.0, 0.2), "standard deviation of a carrier's scales")
    platform_logistics: float = _is(
        0.45, "share", (0.0, 1.0), "parcels that go through logistics the platform designates"
    )
    customs_rate: float = _is(0.06, "share", (0.0, 0.5), "parcels from abroad that customs hold for some days")
    cancel_rate: float = _is(0.02, "share", (0.0, 0.2), "orders cancelled before shipment")
    address_change_rate: float = _is(
        0.004, "share", (0.0, 0.05), "orders whose buyer asks by message for another address"
    )

    # disputes
    complaint_rate: float = _is(0.5, "share", (0.1, 1.0), "honest buyers with a real fault who dispute")
    misunderstanding_rate: float = _is(0.0038, "share", (0.0, 0.03), "faultless orders disputed in good faith")
    dispute_days: float = _is(
        20.0, "days", (5.0, 60.0), "median from order to dispute, before goods are late", RANGE + ": 20 to 30"
    )
    window_days: float = _is(
        180.0, "days", (20.0, 180.0), "after the order in which disputes and chargebacks count", RANGE
    )
    evidence_rate: float = _is(1.0, "factor", (0.0, 3.0), "how readily parties submit evidence, as odds")
    ruled_days: float = _is(
        11.0, "days", (2.0, 40.0), "median from dispute to an officer's ruling", "windows of 5, 7 and 7 days"
    )
    settled_rate: float = _is(
        0.12, "share", (0.0, 0.5), "answered disputes that are settled, where no policy refunded them"
    )
    officer_noise: float = _is(
        1.0, "standard deviations", (0.0, 5.0), "what officers misjudge, against evidence of size 1"
    )
    credit_weight: float = _is(0.6, "factor", (0.0, 3.0), "what a buyer's record weighs with officers")
    auto_refunds: float = _is(
        0.25,
        "share",
        (0.0, 0.9),
        "smallest claims, which the platform's policy refunds unseen to buyers with few filings",
    )
    exploration: float = _is(0.1, "share", (0.02, 1.0), "of the policy's decisions, those drawn at random")
    appeal_rate: float = _is(0.15, "share", (0.0, 0.6), "refused honest buyers who appeal; a third as many others")
    examined_rate: float = _is(0.25, "share", (0.02, 0.9), "suspect disputes that are examined further")
    audit_rate: float = _is(0.01, "share", (0.0, 0.3), "disputes examined whatever they look like")
    finding_error: float = _is(0.08, "share", (0.0, 0.5), "findings that are wrong")
    finding_days: float = _is(25.0, "days", (5.0, 120.0), "median from ruling to finding", "weeks to months")
    report_rate: float = _is(0.3, "share", (0.0, 0.9), "malicious disputes whose seller reports the buyer")
    selfish_rate: float = _is(0.2, "share", (0.0, 0.9), "honest disputes that a guilty seller answers with a report")
    goodwill_rate: float = _is(0.01, "share", (0.0, 0.1), "orders that the seller refunds unasked")

    # banks
    escalated: float = _is(
        0.2, "share", (0.0, 0.8), "refused buyers who were wronged and go on to the bank; others less often"
    )
    charged_days: float = _is(
        25.0, "days", (5.0, 60.0), "median from order to a chargeback without a dispute", RANGE + ": 20 to 30"
    )
    contested: float = _is(0.56, "share", (0.05, 0.95), "chargebacks that are contested", RANGE + ": about 0.5")
    answer_days: float = _is(
        12.0, "days", (3.0, 25.0), "median from chargeback to representment", "in practice 7 to 21"
    )
    decided_days: float = _is(
        64.0, "days", (20.0, 120.0), "median from representment to the issuer's ending", "55 to 75"
    )
    visa_share: float = _is(0.55, "share", (0.0, 0.9), "instruments of Visa; 8 in 100 are of neither network")
    issuer_noise: float = _is(0.04, "share", (0.0, 0.4), "issuers' endings that no evidence moves, each way")
    leniency: float = _is(0.0, "standard deviations", (-3.0, 3.0), "added to the log-odds of every win")

    withdrawn_rate: float = _is(0.03, "share", (0.0, 0.2), "contested chargebacks that the bank withdraws")
    accepted_rate: float = _is(
        0.4, "share", (0.0, 1.0), "of what is not contested, what is accepted; the rest is not answered"
    )
    moved_rate: float = _is(0.09, "share", (0.0, 0.5), "contested chargebacks that go through pre-arbitration")
    reversed_rate: float = _is(0.03, "share", (0.0, 0.3), "won chargebacks that are lost later, in arbitration")
    prior_from: float = _is(
        120.0, "days", (60.0, 180.0), "before the order, from when prior transactions count", "Visa rules"
    )
    prior_to: float = _is(
        365.0, "days", (250.0, 500.0), "before the order, until when prior transactions count", "Visa rules"
    )

    # drift
    drift_at: float = _is(0.5, "share", (0.0, 1.0), "of the days, when abuse, a carrier and a network's rule change")
    new_pattern: float = _is(
        0.5,
        "share",
        (0.0, 1.0),
        "claims of serial abusers and rings on orders of several units that follow the new pattern",
    )
    carrier_decline: float = _is(3.0, "factor", (1.0, 10.0), "faults of the carrier that gets worse, after over before")

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            _bounded(field, getattr(self, field.name))
        for names in (_BUYERS, _SELLERS):
            together = sum(getattr(self, name) for name in names)
            if together > 1 + 1e-9:
                raise RedressError(f"{' + '.join(names)}: want at most 1 together, got {together:g}; lower one")
        if self.prior_from >= self.prior_to:
            raise RedressError(f"prior_from: want days below prior_to, {self.prior_to:g}, got {self.prior_from:g}")


_BUYERS: Final = ("opportunist_share", "serial_share", "ring_share")
_SELLERS: Final = ("careful_share", "sloppy_share", "counterfeiter_share", "faker_share", "short_loader_share")


_NARROWER: Final = {
    "leniency": (-10.0, 10.0),
    "visa_share": (0.0, 0.92),
    "contested": (0.01, 0.99),
    "exploration": (0.001, 1.0),
}
"""What some numbers may be besides: shares that something divides by or takes the odds of."""


def _bounded(field: dataclasses.Field[Any], number: float) -> None:
    """Raises RedressError unless a number is what its parameter may be."""
    unit = field.metadata["unit"]
    low, high = _NARROWER.get(field.name, BOUNDS[unit])
    if not low <= number <= high:
        raise RedressError(f"{field.name}: want {_article(unit)} from {low:,.12g} to {high:,.12g}, got {number}")


def _article(unit: str) -> str:
    names = {
        "orders": "a whole number",
        "days": "a number of days",
        "standard deviations": "a number",
        "mean": "a mean",
    }
    return names.get(unit, f"an {unit}" if unit == "exponent" else f"a {unit}")


_ENRICHED: Final = {
    **{"opportunist_share": 0.15, "opportunist_claims": 0.05, "serial_share": 0.02, "serial_claims": 0.2},
    **{"ring_share": 0.022, "ring_claims": 0.24, "stolen_rate": 0.012, "forgotten_rate": 0.05, "bank_first": 0.3},
    **{"loss_rate": 0.008, "damage_rate": 0.012, "false_scan_rate": 0.004, "misunderstanding_rate": 0.012},
    **{"counterfeiter_share": 0.06, "short_loader_share": 0.08, "faulty_products": 0.06, "wrong_item_rate": 0.008},
    **{"escalated": 0.37, "examined_rate": 0.4, "audit_rate": 0.03},
}
WORLDS: Final[Mapping[str, Mapping[str, float]]] = {
    "lifelike": {},
    "enriched": _ENRICHED,
    "chargeback_rich": {
        **_ENRICHED,
        **{"stolen_rate": 0.06, "forgetful_share": 0.25, "forgotten_rate": 0.12, "bank_first": 0.6, "escalated": 0.95},
        **{"opportunist_claims": 0.2, "contested": 0.85},
    },
}
"""Worlds by name, each by how it differs from the defaults. Only the first has rates like those of life."""


def world(name: str = "lifelike", /, **numbers: float) -> Marketplace:
    """A named world, with some parameters set otherwise.

    >>> world("enriched", orders=300).ring_share
    0.022
    """
    if name not in WORLDS:
        raise RedressError(f"world: want one of {', '.join(WORLDS)}, got {name}")
    given: Any = {**WORLDS[name], **numbers}
    return Marketplace(**given)


def parameters_from(settings: Sequence[str], *, orders: int | None = None, days: float | None = None) -> Marketplace:
    """Reads parameters from words NAME=VALUE, world=NAME among them; `orders` and `days`, when given, win over them.

    >>> parameters_from(["stolen_rate=0.02", "world=enriched", "orders=10"], orders=500).orders
    500
    """
    pairs = [_pair(setting) for setting in settings]
    names = [name for name, _ in pairs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise RedressError(f"{twice}: want it once, got it twice")
    numbers = {name: _value(name, text) for name, text in pairs if name != "world"}
    given = {name: number for name, number in (("orders", orders), ("days", days)) if number is not None}
    return world(dict(pairs).get("world", "lifelike"), **{**numbers, **given})


def _pair(setting: str) -> tuple[str, str]:
    name, equals, text = (part.strip() for part in setting.partition("="))
    if not equals:
        raise RedressError(f"{setting!r}: want NAME=VALUE, got no '='")
    return name, text


def _value(name: str, text: str) -> float:
    defaults = {field.name: field.default for field in dataclasses.fields(Marketplace)}
    if name not in defaults:
        raise RedressError(f"{name!r}: want world or one of {', '.join(defaults)}")
    whole = isinstance(defaults[name], int)
    try:
        number = int(text) if whole else float(text)
    except ValueError:
        raise RedressError(f"{name}: want a {'whole ' * whole}number, got {text!r}") from None
    if not math.isfinite(number):
        raise RedressError(f"{name}: want a finite number, got {text!r}")
    return number


def told(parameters: Marketplace) -> dict[str, str]:
    """Every parameter in words: its value, unit, what it says, where it is from and the range to sweep."""
    return {
        field.name: f"{getattr(parameters, field.name):,.12g} {field.metadata['unit']} | {field.metadata['says']} | "
        f"{field.metadata['source']}; sweep {field.metadata['sweep'][0]:,.12g} to {field.metadata['sweep'][1]:,.12g}"
        for field in dataclasses.fields(parameters)
    }
