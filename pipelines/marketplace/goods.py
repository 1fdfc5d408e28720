"""Goods: sellers and their habits, products and what is wrong with them, and the versions of each listing."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from features.background import NOT_YET
from features.kernel import DAY, SECOND, Flag, Int
from features.signal import Float
from pipelines.marketplace.draws import START, Members, activity, chance, end, joining, pick, pick_by
from pipelines.marketplace.parameters import Marketplace
from pipelines.marketplace.people import COUNTRIES

TRADES: Final = ("ordinary", "careful", "sloppy", "counterfeiter", "faker", "short_loader")
ORDINARY, CAREFUL, SLOPPY, COUNTERFEITER, FAKER, SHORT_LOADER = range(6)
DILIGENCE: Final = np.array([0.0, 1.0, -1.0, -0.5, -0.4, -0.3])
"""How readily a seller of each trade documents what he does, against an ordinary one."""
ANSWER_HOURS: Final = np.array([14.0, 6.0, 48.0, 26.0, 18.0, 20.0])
"""Median hours until a seller of each trade answers."""
HANDLING_DAYS: Final = np.array([1.4, 1.0, 3.0, 1.8, 1.4, 1.5])
"""Median days from payment to hand-over."""
CATEGORIES: Final = ("apparel", "audio", "beauty", "garden", "hardware", "jewellery", "kitchen", "toys")
GRAMS: Final = np.array([300.0, 350.0, 120.0, 900.0, 250.0, 25.0, 700.0, 280.0])
"""Median weight of a unit in each category."""
NOUNS: Final = ("jacket", "earphones", "face cream", "hose set", "screws", "bracelet", "pan", "building bricks")
BRANDS: Final = ("Aldane", "Brisk", "Corvane", "Dellmar", "Elsby", "Fennick", "Garro", "Holst", "Ivern", "Jorvik")
IMITATES: Final = ("", " inspired by {}", " {} style", " compatible with {}", " branded part for {}", " replica")
WORDING: Final = np.array([[0.8, 0.03, 0.05, 0.07, 0.03, 0.02], [0.55, 0.1, 0.13, 0.1, 0.07, 0.05]])
"""Which words of imitation stand in a title, of others and of counterfeiters."""


@dataclass(frozen=True)
class Sellers:
    """Sellers in order of joining: trade, country, and when the platform froze and released each, NOT_YET if never."""

    trade: Int
    joined: Int
    activity: Float
    country: Int
    latency: Float
    frozen: Int
    released: Int
    guilty: Flag

    def members(self) -> Members:
        """The sellers to choose from."""
        return Members(np.maximum(self.joined, START), np.cumsum(self.activity))


@dataclass(frozen=True)
class Products:
    """Products by seller: `first` (sellers + 1,) is where each seller's begin; price in cents, weight of a unit in grams."""

    first: Int
    seller: Int
    category: Int
    brand: Int
    price: Float
    brand_price: Float
    authorised: Int
    launched: Int
    pack: Int
    unit_weight: Int
    packaging: Int
    faulty: Flag
    faulty_from: Int
    counterfeit: Flag


@dataclass(frozen=True)
class Listings:
    """Versions of listings by product and time; `stated` is -1 where the quantity is ambiguous."""

    product: Int
    at: Int
    price: Int
    stated: Int
    wording: Int

    def current(self, product: Int, at: Int) -> Int:
        """The version of each product that was live at a moment."""
        return np.searchsorted(_key(self.product, self.at), _key(product, at), side="right") - 1


def _key(product: Int, at: Int) -> Int:
    """Product and second as one number that sorts by both."""
    return (product << 31) + (at - START) // SECOND + (1 << 29)


def sellers(rng: Generator, m: Marketplace) -> Sellers:
    """All sellers; the guilty are caught some time, and then trade no more."""
    n = max(1, round(m.orders / m.orders_per_seller))
    shares = [m.careful_share, m.sloppy_share, m.counterfeiter_share, m.faker_share, m.short_loader_share]
    exact = np.array([max(0.0, 1 - sum(shares)), *shares])
    trade = rng.permutation(np.searchsorted(np.cumsum(exact)[:-1], (np.arange(n) + rng.random()) / n, side="right"))
    joined = np.sort(joining(rng, m, n))
    joined[0], trade[0] = min(joined[0], START - DAY - round(rng.exponential(90 * DAY))), ORDINARY
    guilty = trade >= COUNTERFEITER
    trading = np.maximum(joined, START)
    wrong = chance(rng, m.integrity_error, n) & ~guilty & (np.arange(n) > 0)
    frozen = trading + (rng.exponential(m.caught_days, n) * DAY).astype(np.int64)
    frozen = np.where(wrong, trading + (rng.random(n) * (end(m) - trading)).astype(np.int64), frozen)
    frozen = np.where(guilty | wrong, frozen, NOT_YET)
    appeal = ((5 + rng.exponential(12.0, n)) * DAY).astype(np.int64)
    latency = ANSWER_HOURS[trade] * np.exp(rng.normal(0, 0.4, n))
    return Sellers(
        trade=trade,
        joined=joined,
        latency=latency,
        frozen=frozen,
        guilty=guilty,
        released=np.where(frozen == NOT_YET, NOT_YET, np.where(frozen == NOT_YET, 0, frozen) + appeal),
        activity=activity(rng, m, n),
        country=pick(rng, [*COUNTRIES.values()], n),
    )


def products(rng: Generator, m: Marketplace, who: Sellers) -> Products:
    """The products of every seller; a counterfeiter's are branded and mostly below the brand's own price."""
    sizes = rng.geometric(0.12, len(who.trade))
    seller = np.repeat(np.arange(len(sizes)), sizes)
    n, fake = len(seller), who.trade[seller] == COUNTERFEITER
    category = np.where(chance(rng, 0.7, n), (seller * 7) % len(CATEGORIES), rng.integers(0, len(CATEGORIES), n))
    level = rng.normal(np.log(3_000), 0.6, len(sizes))
    price = np.exp(level[seller] + rng.normal(0, 0.7, n)) + 100
    brand = np.where(chance(rng, np.where(fake, 0.85, 0.55), n), rng.integers(0, len(BRANDS), n), -1)
    below = np.where(fake & (brand >= 0), rng.uniform(0.5, 1.1, n), np.exp(rng.normal(-0.12, 0.28, n)))
    authorised = _authorised(rng, fake)
    pack = np.where(chance(rng, 0.7, n), 1, rng.integers(2, 60, n))
    grams = np.maximum(1, GRAMS[category] * np.exp(rng.normal(0, 0.6, n)) / np.where(pack > 1, 8, 1))
    spell = START + (rng.uniform(-0.5, 1.0, n) * m.days * DAY).astype(np.int64)
    return Products(
        first=np.r_[0, np.cumsum(sizes)],
        seller=seller,
        category=category,
        brand=brand,
        price=price,
        brand_price=price / below,
        authorised=authorised,
        pack=pack,
        launched=_launched(rng, m, who, seller, np.cumsum(sizes) - sizes),
        unit_weight=grams.astype(np.int64),
        packaging=(30 + 0.06 * grams * pack * np.exp(rng.normal(0, 0.3, n))).astype(np.int64),
        faulty=_spread(rng, m.faulty_products, n),
        faulty_from=spell,
        counterfeit=fake & (brand >= 0) & chance(rng, 0.35, n),
    )


def _authorised(rng: Generator, fake: Flag) -> Int:
    """Whether the brand authorised the seller: 1, 0, or -1 where nobody said; a counterfeiter lies now and then."""
    return 1 - pick_by(rng, np.array([[0.5, 0.25, 0.25], [0.15, 0.5, 0.35]]), fake.astype(np.int64))


def _spread(rng: Generator, share: float, n: int) -> Flag:
    """Marks a share of all, as exactly as it goes."""
    return np.asarray(rng.permutation((np.arange(n) + 0.5) / n < share), np.bool_)


def _launched(rng: Generator, m: Marketplace, who: Sellers, seller: Int, first: Int) -> Int:
    """When each product went live: with its seller, or later; the first of every seller with him."""
    joined = who.joined[seller]
    room = np.maximum(end(m) - 1 - np.maximum(joined, START), 0)
    later = np.maximum(joined, START) + (rng.random(len(seller)) * room).astype(np.int64)
    late = chance(rng, 0.25, len(seller))
    late[first] = False
    return np.where(late, later, joined)


def listings(rng: Generator, m: Marketplace, who: Sellers, what: Products) -> Listings:
    """The first version of every product's page, and its changes until the ledger's end."""
    n = len(what.seller)
    room = np.maximum(end(m) - 1 - what.launched, 1)
    changes = rng.poisson(np.minimum(m.listing_changes * room / (365 * DAY), 50.0))
    product = np.r_[np.arange(n), np.repeat(np.arange(n), changes)]
    since = 1 + (rng.random(len(product)) * room[product]).astype(np.int64)
    at = what.launched[product] + np.where(np.arange(len(product)) < n, 0, since)
    order = np.lexsort((at, product))
    product, at = product[order], at[order]
    keep = np.r_[True, np.diff(_key(product, at)) != 0]  # one version a second
    product, at = product[keep], at[keep]
    count = len(product)
    trade = who.trade[what.seller[product]]
    vague = chance(rng, np.array([0.05, 0.01, 0.35, 0.1, 0.05, 0.3])[trade], count)
    return Listings(
        product=product,
        at=at,
        price=(what.price[product] * np.exp(rng.normal(0, 0.06, count))).astype(np.int64) + 1,
        stated=np.where(vague, -1, what.pack[product]),
        wording=pick_by(rng, WORDING, what.counterfeit[product].astype(np.int64)),
    )


def titles(what: Products, pages: Listings) -> NDArray[np.str_]:
    """The title of every version in words."""
    product = pages.product
    quantity = np.array(["", *(f", {k} pieces" for k in range(1, 61))])[np.maximum(pages.stated, 0)]
    brand = what.brand[product]
    name = np.array([*BRANDS, "our own"])[brand]
    noun = np.array(NOUNS)[what.category[product]]
    words = np.array([[word.format(b) for b in (*BRANDS, "a known brand")] for word in IMITATES])[pages.wording, brand]
    plain = np.where((brand >= 0) & (pages.wording == 0), np.char.add(np.char.add(name, " "), noun), noun)
    return np.char.add(np.char.add(plain, words), quantity)
