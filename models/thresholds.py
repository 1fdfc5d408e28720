"""Thresholds and fines of network programmes, as dated data with the source of each beside it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from models.deadlines import moment

STRIPE: Final = "Stripe, monitoring programmes (2026), secondary"


@dataclass(frozen=True)
class Threshold:
    """A tier of a programme: so many basis points of a month's sales, of `lagged` ones the month before, and so many cases."""

    tier: str
    network: str
    role: str
    since: datetime
    basis_points: int
    cases: int
    lagged: bool
    source: str

    def least(self, sales: int) -> int:
        """The least count of cases in a month that reaches it.

        >>> [THRESHOLDS[1].least(sales) for sales in (100_000, 100_001, 1_000)]  # 150 basis points, and 1,500 cases
        [1500, 1501, 1500]
        """
        return max(self.cases, -(-self.basis_points * sales // 10_000), 1)


_FACTS: Final = "Visa, VAMP fact sheet (2025), primary, as told by Checkout.com with its dates (2025), secondary"
_ECP: Final = "Braintree, Excessive Chargeback Program, since October 2019, secondary"


def _day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


THRESHOLDS: Final = (
    Threshold("VAMP excessive", "visa", "merchant", _day("2025-06-01"), 220, 1_500, False, _FACTS),
    Threshold("VAMP excessive", "visa", "merchant", _day("2026-04-01"), 150, 1_500, False, _FACTS),
    Threshold("VAMP excessive", "visa", "acquirer", _day("2025-06-01"), 70, 0, False, _FACTS),
    Threshold("VAMP above standard", "visa", "acquirer", _day("2026-01-01"), 50, 0, False, _FACTS),
    Threshold("ECM", "mastercard", "merchant", _day("2019-10-01"), 150, 100, True, _ECP),
    Threshold("HECM", "mastercard", "merchant", _day("2019-10-01"), 300, 300, True, _ECP),
)
"""Ratios at or above which a network takes measures; of equal tiers the latest holds, of several the later ones are graver."""


@dataclass(frozen=True)
class Fine:
    """What a month beyond a tier costs from the `nth` such month on: cents, and cents for `each` case that is over `above`."""

    tier: str
    nth: int
    since: datetime
    cents: int
    each: int
    above: int
    source: str

    def of(self, cases: int) -> int:
        """The cents of a month with so many cases.

        >>> next(one for one in FINES if one.tier == "ECM" and one.nth == 4).of(400)  # the example that Stripe gives
        550000
        """
        return self.cents + self.each * max(cases - self.above, 0)


def _ladder(tier: str, *steps: tuple[int, int]) -> tuple[Fine, ...]:
    """Fines in whole currency by month, in force as Braintree dates them; from the fourth on 5 for each case over 300."""
    since = _day("2020-04-01")
    return tuple(Fine(tier, nth, since, 100 * fine, 500 * (nth > 3), 300, STRIPE) for nth, fine in steps)


FINES: Final = (
    Fine(
        "VAMP excessive",
        1,
        _day("2025-10-01"),
        *(0, 800, 0),
        "8 dollars for every case of such a month: Fraud.net and other vendors (2026), Visa names no figure; the three "
        "months' grace that they tell of a first time in twelve months is not counted on",
    ),
    *_ladder("ECM", (1, 0), (2, 1_000), (4, 5_000), (7, 25_000), (12, 50_000), (19, 100_000)),
    *_ladder("HECM", (1, 0), (2, 1_000), (3, 2_000), (4, 10_000), (7, 50_000), (12, 100_000), (19, 200_000)),
)
"""Assumptions, since networks do not publish what they charge, and acquirers pass on what they like; dollars or euros."""


def in_force(network: str, at: int, *, role: str = "merchant") -> tuple[Threshold, ...]:
    """The thresholds of a network at a moment, the graver later.

    >>> day = 86_400_000_000
    >>> [in_force("visa", 20_544 * day - one)[0].basis_points for one in (1, 0)]  # until and from 2026-04-01
    [220, 150]
    """
    held = [one for one in THRESHOLDS if (one.network, one.role) == (network, role) and one.since <= moment(at)]
    return tuple(sorted({one.tier: one for one in held}.values(), key=lambda one: one.basis_points))


def fine(tier: str, at: int, nth: int) -> Fine | None:
    """What the `nth` month in a row beyond a tier costs at a moment, None where nothing is known to be taken."""
    due = [one for one in FINES if one.tier == tier and one.nth <= nth and one.since <= moment(at)]
    return due[-1] if due else None
