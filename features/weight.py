"""What a parcel's weighed mass says: were all units in it, or as few as the buyer claims?

A parcel of n units, packed for the q units of the order, is expected to weigh, with unit weight u as listed,

    m(n) = n u + box + wrap q u

so that the packaging is the same under both hypotheses. Its variance adds the squared standard uncertainties (JCGM
100:2008, 5.1.2; a number rounded to a step s has s / √12, 4.3.7): the scale's, the packaging's, that of the listing, which
errs for all units alike, and that of each unit, which errs on its own:

    v(n) = (relative m(n))² + absolute² + step² / 12  +  box_spread² + (wrap_spread q u)²
           + n² ((listing u)² + unit_step² / 12)  +  n (tolerance u)²

By Neyman and Pearson (1933) nothing tells "all there" (q units) from "short" (k units, as claimed) better than the ratio of
the two densities. For the mass w on the scale, were both exactly normal, it would be

    log N(w; m(q), v(q)) - log N(w; m(k), v(k))
        = (w - m(k))² / 2 v(k)  -  (w - m(q))² / 2 v(q)  +  log(v(k) / v(q)) / 2

which grows without bound where both densities are absurdly small: a listing in kilograms or a mixed-up parcel would be
endless evidence. So each density has a share of a broad one, the same under both (Box and Tiao 1968): with f(n) = (1 -
outlier) N(m(n), v(n)) + outlier b and b flat up to m(q), then falling as 1 / w² (the density of m(q) times a ratio of two
uniform numbers), the ratio is bounded between the two means and tends to 1, which is "says nothing", far from both.

Whose number it is matters. Of short parcels, a share `chosen` bears a number that somebody picked to look like a full one,
so the ratio is f(q) / ((1 - chosen) f(k) + chosen f(q)): never above 1 / chosen for "all there", while a number that speaks
for "short" loses a factor of at most 1 / (1 - chosen): nobody makes one up against himself.

The ratio moves whatever odds the rest of the case gives; it is not itself the odds that the parcel was full (ENFSI 2015,
Guideline for evaluative reporting in forensic science; Aitken and Taroni 2004). Nothing here reads a clock or draws.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log, pi, sqrt
from typing import Final

import numpy as np

from features.parcel import ORDER
from features.signal import CASES, DISPUTES, ONCE, Family, Float, On, Pattern

TELLING: Final = sqrt(2 * log(8))
"""The separation, in standard deviations, below which a scale cannot tell: about 2.04.

At a separation d the log ratio is about N(±d² / 2, d²), so from √(2 log 8) on a ratio of 8, "fairly strong" (Royall 1997), is
more likely than not where it is deserved; below, evidence is more likely weak than not. A ratio of 8 for the wrong side has
a probability of at most Φ(-2.04) = 2.1 % at any separation (Royall 2000), and of 1 / 8 whatever the two densities are.
"""


@dataclass(frozen=True, kw_only=True)
class Scale:
    """What is assumed of a scale, of who reads it out, and of the parcels on it; spreads are standard deviations.

    Grams: `absolute`, `step`, `unit_step`, `box`, `box_spread`. Shares of a mass: `relative`, `tolerance`, `listing`, `wrap`,
    `wrap_spread`. Shares of cases: `chosen` in [0, 1], `outlier` in (0, 1). At least one spread is above 0. The defaults are
    assumptions of 2026; replace those that a marketplace can measure on parcels that nobody disputed.

    `tolerance` is of the order of what may lack in a package of 300 to 500 g, 3 % (OIML R 87; Directive 76/211/EEC).
    `unit_step` is the ledger's: a unit weight is whole grams. `outlier` counts wrong listings, mixed-up and shared parcels.
    """

    relative: float
    absolute: float
    step: float
    chosen: float
    tolerance: float = 0.03
    listing: float = 0.05
    unit_step: float = 1.0
    box: float = 80.0
    box_spread: float = 40.0
    wrap: float = 0.06
    wrap_spread: float = 0.03
    outlier: float = 0.02


CARRIER: Final = Scale(relative=0.01, absolute=10.0, step=10.0, chosen=0.02)
"""A carrier's scale of 10 g steps.

OIML R 76 (class III, in use) allows ±1 step up to 5 kg and ±2 to 20 kg, which are 6 and 12 g of standard uncertainty. The
rest is assumed: 1 % for weighing on a moving belt, and 2 % of short parcels whose certificate repeats the shipper's number.
"""

SELLER: Final = Scale(relative=0.02, absolute=20.0, step=10.0, chosen=0.8)
"""A seller's own number: an unverified scale and, of short parcels, 80 % declared as if full. Both are assumptions.

The latter can be measured where the carrier weighed too: of parcels found short, how many the seller had declared full.
"""


def _parcel(units: Float, unit: Float, quantity: Float, scale: Scale) -> tuple[Float, Float]:
    """Mean and variance, g and g², of the mass shown for a parcel of `units` that was packed for `quantity`."""
    goods = quantity * unit
    mean = units * unit + scale.box + scale.wrap * goods
    shown = (scale.relative * mean) ** 2 + scale.absolute**2 + scale.step**2 / 12
    packaging = scale.box_spread**2 + (scale.wrap_spread * goods) ** 2
    listed = units**2 * ((scale.listing * unit) ** 2 + scale.unit_step**2 / 12)
    return mean, shown + packaging + listed + units * (scale.tolerance * unit) ** 2


def separation(unit: Float, quantity: Float, received: Float, scale: Scale) -> Float:
    """Distance between the means of "all there" and "short" in standard deviations, the root of the mean of both variances.

    It does not depend on what was weighed, so that leaving out what lies below `TELLING` chooses no result. NaN is unknown:
    a missing number, no unit weight, or `received` not in [0, quantity). Grams and units, arrays of one shape.

    >>> plain = Scale(relative=0, absolute=25, step=0, chosen=0, tolerance=0, listing=0, unit_step=0, box_spread=0,
    ...               wrap_spread=0)
    >>> received = np.array([0.0, 1.0, 2.0])
    >>> separation(np.full(3, 100.0), np.full(3, 2.0), received, plain).tolist()  # the last: nothing is claimed to lack
    [8.0, 4.0, nan]
    """
    unit = np.where((unit > 0) & (received >= 0) & (received < quantity), unit, np.nan)
    _, full = _parcel(quantity, unit, quantity, scale)
    _, short = _parcel(received, unit, quantity, scale)
    return (quantity - received) * unit / np.sqrt((full + short) / 2)


def _odds(weighed: Float, mean: Float, variance: Float, full: Float, outlier: float) -> Float:
    """Odds that a mass is no outlier, which is `full` times a ratio of two uniforms; bounded, and 0 far from `mean`."""
    normal = -((weighed - mean) ** 2) / (2 * variance) - np.log(2 * pi * variance) / 2
    broad = 2 * np.minimum(np.log(full) - np.log(weighed), 0.0) - np.log(2 * full)
    odds: Float = np.exp(normal - broad) * (1 - outlier) / outlier
    return odds


def log_likelihood_ratio(weighed: Float, unit: Float, quantity: Float, received: Float, scale: Scale) -> Float:
    """log p(weighed | all there) - log p(weighed | only `received` came): natural log, above 0 for the seller.

    0 says nothing: the mass fits both, or neither. NaN is unknown (nothing weighed, or as in `separation`) or cannot tell,
    which is where the separation is below `TELLING`. Grams and units, arrays of one shape.

    >>> plain = Scale(relative=0, absolute=25, step=0, chosen=0, tolerance=0, listing=0, unit_step=0, box=0, box_spread=0,
    ...               wrap=0, wrap_spread=0, outlier=1e-12)
    >>> weighed = np.array([100.0, 150.0, 200.0, np.nan, 9000.0])  # one unit, the middle, two units, unknown, absurd
    >>> log_likelihood_ratio(weighed, np.full(5, 100.0), np.full(5, 2.0), np.ones(5), plain).round(6).tolist()
    [-8.0, 0.0, 8.0, nan, 0.0]
    >>> light = log_likelihood_ratio(np.array([140.0]), np.array([5.0]), np.array([10.0]), np.array([5.0]), CARRIER)
    >>> bool(np.isnan(light[0]))
    True
    """
    telling = separation(unit, quantity, received, scale) >= TELLING
    weighed = np.where(telling & (weighed > 0), weighed, np.nan)
    unit = np.where(telling, unit, np.nan)
    full = _parcel(quantity, unit, quantity, scale)
    short = _parcel(received, unit, quantity, scale)
    all_there = _odds(weighed, *full, full[0], scale.outlier)
    as_claimed = _odds(weighed, *short, full[0], scale.outlier)
    ratio: Float = np.log1p(all_there) - np.log1p(scale.chosen * all_there + (1 - scale.chosen) * as_claimed)
    return ratio


def units_received(quantity: Float, amount: Float, claimed: Float) -> Float:
    """How many units came if the buyer is right, from the claimed share of the order's amount, both in cents.

    A half counts as a unit that came; none came where all or more is claimed, and at least one lacks wherever anything is.
    NaN is unknown: a missing number, none above 0, or part of a single unit claimed, which cannot be a number of units.

    >>> claimed = np.array([1.0, 25.0, 50.0, 51.0, 100.0, 140.0, 0.0])
    >>> units_received(np.full(7, 3.0), np.full(7, 100.0), claimed).tolist()
    [2.0, 2.0, 2.0, 1.0, 0.0, 0.0, nan]
    >>> units_received(np.ones(2), np.full(2, 100.0), np.array([99.0, 100.0])).tolist()
    [nan, 0.0]
    """
    asked = (quantity >= 1) & (amount > 0) & (claimed > 0) & ((quantity > 1) | (claimed >= amount))
    cents = np.where(asked, amount, np.nan)
    came = np.floor(quantity * (cents - claimed) / cents + 0.5)
    return np.clip(came, 0.0, quantity - 1)


def units_missing(weighed: Float, unit: Float, quantity: Float, scale: Scale) -> Float:
    """How many units lack by the weight: those of the mean mass nearest to it, from none to all.

    NaN is unknown (nothing weighed, no unit weight, no quantity) or cannot tell, which is where the scale does not separate
    one unit from none. Grams and units, arrays of one shape.

    >>> plain = Scale(relative=0, absolute=25, step=0, chosen=0, tolerance=0, listing=0, unit_step=0, box=80, box_spread=0,
    ...               wrap=0, wrap_spread=0)
    >>> units_missing(np.array([480.0, 330.0, 290.0, 20.0, np.nan]), np.full(5, 100.0), np.full(5, 4.0), plain).tolist()
    [0.0, 2.0, 2.0, 4.0, nan]
    """
    telling = (separation(unit, quantity, quantity - 1, scale) >= TELLING) & (weighed > 0)
    came = np.divide(
        weighed - scale.box - scale.wrap * quantity * unit, unit, out=np.full(unit.shape, np.nan), where=telling
    )
    return np.asarray(np.clip(np.floor(quantity - came + 0.5), 0.0, quantity), np.float64)


def _all_known(total: Float, known: Float, parcels: Float) -> Float:
    """The mass of all parcels of an order, NaN where there is none or one was not weighed; told again, the mean counts."""
    every = (parcels > 0) & (known >= parcels)
    found: Float = np.divide(total * parcels, known, out=np.full(total.shape, np.nan), where=every)
    return found


def _short(short: Float, quantity: Float, amount: Float, claimed: Float) -> Float:
    """Units that came as the buyer says; NaN unless shortness is what he complains of."""
    return np.where(short > 0, units_received(quantity, amount, claimed), np.nan)


def _ratio_by(scale: Scale) -> Callable[..., Float]:
    def ratio(total: Float, known: Float, count: Float, unit: Float, short: Float, *claim: Float) -> Float:
        weighed = _all_known(total, known, count)
        return log_likelihood_ratio(weighed, unit, claim[0], _short(short, *claim), scale)

    return ratio


def _power(unit: Float, short: Float, *claim: Float) -> Float:
    return separation(unit, claim[0], _short(short, *claim), CARRIER)


def _missing(total: Float, known: Float, count: Float, unit: Float, short: Float, quantity: Float) -> Float:
    """Units that lack by the carrier's weight; NaN unless shortness is what the buyer complains of."""
    weighed = _all_known(total, known, count)
    return np.where(short > 0, units_missing(weighed, unit, quantity, CARRIER), np.nan)


def _to_goods(total: Float, known: Float, count: Float, unit: Float, quantity: Float) -> Float:
    weighed, goods = _all_known(total, known, count), unit * quantity
    found: Float = np.divide(weighed, goods, out=np.full(goods.shape, np.nan), where=goods > 0)
    return found


FORMULAS: Final[Mapping[str, Callable[..., Float]]] = {
    "weight_carrier": _ratio_by(CARRIER),
    "weight_seller": _ratio_by(SELLER),
    "weight_separation": _power,
    "weight_missing": _missing,
    "weight_to_goods": _to_goods,
}
"""The formulas of the signals below."""
CLAIMED_SHORT: Final = {"weight_carrier": 4, "weight_seller": 4, "weight_separation": 1, "weight_missing": 4}
"""Formulas that know nothing unless shortness is what the buyer complains of, and which of their operands says so."""
_CLAIM: Final = ("dispute.reason=short_quantity", "order.quantity", "order.amount", "dispute.claimed")


def _mass(issuer: str) -> tuple[str, ...]:
    return f"shipments.{issuer}_weight", f"shipments.{issuer}_weight_known", "shipments.new_parcel"


def _of(name: str, formula: str, operands: tuple[str, ...], unit: str, says: str) -> Pattern:
    return Pattern(f"weight_{name}", formula, operands, unit, says, ONCE, "evidence")


CLAIMED: Final = (
    *(
        _of(
            f"{issuer}_log_ratio",
            f"weight_{issuer}",
            (*_mass(word), "listing.unit_weight", *_CLAIM),
            "log-likelihood ratio",
            f"the {issuer}'s weight of this {{entity}} for all there against as short as claimed; unknown where it cannot tell",
        )
        for issuer, word in (("carrier", "carrier"), ("seller", "declared"))
    ),
    _of(
        "separation",
        "weight_separation",
        ("listing.unit_weight", *_CLAIM),
        "standard deviations",
        "how far a carrier's scale tells this {entity} all there from as short as claimed",
    ),
    _of(
        "carrier_short_units",
        "weight_missing",
        (*_mass("carrier"), "listing.unit_weight", *_CLAIM[:2]),
        "units",
        "units of this {entity} that lack by the carrier's weight; unknown where it cannot tell",
    ),
)
"""What the weight says to a claim that it was short."""
WEIGHED: Final = tuple(
    _of(
        f"{issuer}_to_goods",
        "weight_to_goods",
        (*_mass(word), "listing.unit_weight", "order.quantity"),
        "ratio",
        f"the {issuer}'s weight of this {{entity}} over that of the goods alone",
    )
    for issuer, word in (("carrier", "carrier"), ("seller", "declared"))
)
"""The weight by itself."""

FAMILY: Final = Family(
    "weight",
    "Whether the parcel's weight speaks for all units or for as few as the buyer claims, by who issued the number.",
    (On(ORDER, CLAIMED, DISPUTES), On(ORDER, WEIGHED, CASES)),
)
