"""Winning: the written-down mechanism of how likely an issuer decides a contested chargeback for the merchant.

The log-odds are a base for the reason family, plus weights of single items of evidence, plus what complete sets add, plus
amount, network, true cause; `noise` is the share of endings that nothing moves, each way. No weight is negative, so more
evidence never hurts. Three of the four weight items add their small weights and nothing of the set.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.kernel import Flag, Int
from features.signal import Float
from features.tables import EVIDENCE
from pipelines.marketplace.claims import FORGOTTEN, MALICE, SIDE, SIDES, STOLEN
from pipelines.marketplace.draws import odds
from pipelines.marketplace.orders import NETWORKS

FAMILIES: Final = (
    *("fraud", "not_received", "not_as_described", "counterfeit", "credit", "processing", "cardholder", "unnamed"),
)
CODES: Final[Mapping[str, str]] = {
    **{"10.4": "fraud", "4837": "fraud", "13.1": "not_received", "13.3": "not_as_described", "13.4": "counterfeit"},
    **{"13.6": "credit", "13.7": "credit", "12.6.1": "processing", "4853": "cardholder", "4834": "processing"},
}
"""Reason codes of the networks by family; a network without codes says nothing, "unnamed"."""


@dataclass(frozen=True)
class EvidenceSet:
    """Items that count together once all are there, and what they then add in each family, in log-odds.

    It `needs` a fact of the case besides, and on the networks named in `later` it counts fully from the turn only.
    """

    name: str
    items: tuple[str, ...]
    adds: Mapping[str, float]
    needs: str = ""
    later: tuple[str, ...] = ()


SETS: Final = (
    EvidenceSet(
        "delivery",
        ("delivery_certificate", "tracking"),
        {"not_received": 2.1, "cardholder": 1.3, "fraud": 0.6, "unnamed": 1.0},
        "valid_scans",
    ),
    EvidenceSet(
        "weight",
        ("unit_weight_photo", "package_weight_photo", "shipping_receipt", "carrier_weight_certificate"),
        {"not_as_described": 2.2, "cardholder": 1.4, "unnamed": 1.0},
    ),
    EvidenceSet(
        "terms",
        ("accepted_agreement", "return_rules_disclosed"),
        {"credit": 1.5, "not_as_described": 0.6, "cardholder": 0.6, "unnamed": 0.5},
    ),
    EvidenceSet(
        "genuineness",
        ("brand_authorisation", "listing_copy"),
        {"counterfeit": 2.0, "not_as_described": 0.4, "cardholder": 0.5},
    ),
    EvidenceSet("compelling", ("identity_match",), {"fraud": 2.0}, "eligible", ("mastercard",)),
)
"""What is indispensable together. Compelling Evidence 3.0 and First-Party Trust need prior transactions besides."""

ITEMS: Final[Mapping[str, Mapping[str, float]]] = {
    "fraud": {"identity_match": 0.3, "delivery_certificate": 0.25, "tracking": 0.1, "correspondence": 0.3},
    "not_received": {"tracking": 0.2, "delivery_certificate": 0.2, "shipping_receipt": 0.15, "correspondence": 0.25},
    "not_as_described": {
        "listing_copy": 0.45,
        "correspondence": 0.3,
        "replacement_proof": 0.5,
        "pre_shipment_count": 0.2,
    },
    "counterfeit": {"brand_authorisation": 0.3, "listing_copy": 0.2, "correspondence": 0.2},
    "credit": {"refund_proof": 1.8, "accepted_agreement": 0.2, "return_rules_disclosed": 0.2, "correspondence": 0.3},
    "processing": {"refund_proof": 1.2, "correspondence": 0.3, "shipping_receipt": 0.3},
    "cardholder": {"listing_copy": 0.25, "correspondence": 0.3, "tracking": 0.15, "delivery_certificate": 0.15},
    "unnamed": {"correspondence": 0.3, "tracking": 0.2, "shipping_receipt": 0.2},
}
"""What single items add in each family; what is not named adds nothing."""


@dataclass(frozen=True)
class Mechanism:
    """The numbers of the mechanism; `turn` is when Mastercard's First-Party Trust begins, in microseconds since 1970."""

    turn: int
    noise: float
    leniency: float = 0.0
    base: Mapping[str, float] = field(
        default_factory=lambda: {
            **{"fraud": -1.25, "not_received": -1.05, "not_as_described": -1.1, "counterfeit": -1.15, "credit": -1.0},
            **{"processing": -0.65, "cardholder": -1.05, "unnamed": -0.95},
        }
    )
    network: tuple[float, ...] = (0.0, 0.1, -0.2)
    per_log_amount: float = -0.15
    usual_amount: float = 50.0
    before_turn: float = 0.2
    fault: float = -0.25
    malice: float = 0.15
    forgotten: float = 0.1
    stolen: float = -0.1

    def cause(self) -> Float:
        """What each of CAUSES adds."""
        added = np.where(np.isin(SIDE, (SIDES.index("seller"), SIDES.index("product"))), self.fault, 0.0)
        added[list(MALICE)] = self.malice
        added[FORGOTTEN], added[STOLEN] = self.forgotten, self.stolen
        return added


@dataclass(frozen=True)
class Cases:
    """Chargebacks as the mechanism sees them, all (n,): positions in FAMILIES, NETWORKS and CAUSES, cents, moments, and
    whether scans are valid and prior transactions qualify."""

    family: Int
    network: Int
    cause: Int
    amount: Int
    at: Int
    valid_scans: Flag
    eligible: Flag


def win_probability(mechanism: Mechanism, cases: Cases, items: NDArray[np.bool_]) -> Float:
    """The true probability (n,) that each case is won with the evidence `items` (n, 19), columns as in EVIDENCE.

    >>> zero, true = np.zeros(1, np.int64), np.ones(1, bool)
    >>> one = Cases(zero, zero, zero, np.array([5_000]), zero, true, true)
    >>> compelling = np.array([[kind == "identity_match" for kind in EVIDENCE]])
    >>> [round(float(win_probability(Mechanism(0, 0.0), one, held)[0]), 2) for held in (compelling & False, compelling)]
    [0.22, 0.74]
    """
    family, n = cases.family, len(cases.family)
    shift = np.array([mechanism.base[name] for name in FAMILIES])[family] + mechanism.leniency
    shift += np.array(mechanism.network)[cases.network] + mechanism.cause()[cases.cause]
    shift += mechanism.per_log_amount * np.log(np.maximum(cases.amount, 100) / 100 / mechanism.usual_amount)
    shift += (items * _weights()[family]).sum(axis=1)
    holds = {"": np.ones(n, np.bool_), "valid_scans": cases.valid_scans, "eligible": cases.eligible}
    for whole in SETS:
        there = items[:, [EVIDENCE.index(item) for item in whole.items]].all(axis=1) & holds[whole.needs]
        shift += (
            there * np.array([whole.adds.get(name, 0.0) for name in FAMILIES])[family] * _ruled(mechanism, cases, whole)
        )
    return np.asarray(mechanism.noise + (1 - 2 * mechanism.noise) * odds(shift))


def _ruled(mechanism: Mechanism, cases: Cases, whole: EvidenceSet) -> Float:
    """How much of a set counts under the network's rules of the day."""
    return np.where(accepted(mechanism, cases, whole), 1.0, mechanism.before_turn)


def accepted(mechanism: Mechanism, cases: Cases, whole: EvidenceSet) -> Flag:
    """Whether each case's network accepts a set by then."""
    later = np.isin(cases.network, [NETWORKS.index(name) for name in whole.later])
    return np.asarray(~later | (cases.at >= mechanism.turn))


def _weights() -> Float:
    """Weights of single items (families, 19)."""
    return np.array([[ITEMS[family].get(kind, 0.0) for kind in EVIDENCE] for family in FAMILIES])


def families(codes: Int, names: tuple[str, ...]) -> Int:
    """The family of each reason code, given as a position in `names`, -1 unnamed."""
    of = np.array([*(FAMILIES.index(CODES[name]) for name in names), FAMILIES.index("unnamed")])
    return np.asarray(of[codes], np.int64)
