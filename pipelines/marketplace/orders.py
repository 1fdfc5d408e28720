"""Orders: who buys what of whom, when, with which card, device and address; strangers and sellers' friends among them."""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.random import Generator

from features.kernel import DAY, SECOND, Flag, Int
from features.signal import Float
from pipelines.marketplace.draws import START, chance, end, moments, pick, repeated
from pipelines.marketplace.goods import FAKER, SLOPPY, Listings, Products, Sellers
from pipelines.marketplace.parameters import Marketplace
from pipelines.marketplace.people import COLLUDER, COUNTRIES, RING, SERIAL, STRANGER, People

CHANNELS: Final = {"app": 0.55, "web": 0.4, "phone": 0.05}
NETWORKS: Final = ("visa", "mastercard", "other")
ISSUERS: Final = 14
REGIONS: Final = 4
"""Regions of each country."""
OWN: Final = 1 << 32
"""Codes of what people have, of what they share with others, of rings' and of strangers' things lie this far apart."""


@dataclass(frozen=True)
class Way:
    """How an order is paid and where it goes: codes of buyer, card, device, address, e-mail, IP and login, and countries."""

    at: Int
    buyer: Int
    spirit: Int
    instrument: Int
    device: Int
    address: Int
    email: Int
    ip: Int
    login: Int
    ship: Int
    bill: Int
    channel: Int


@dataclass(frozen=True)
class Orders(Way):
    """All orders in time order, with what was bought of whom, the promised date, and what is hidden: stolen, faked."""

    seller: Int
    product: Int
    version: Int
    quantity: Int
    amount: Int
    promised: Int
    network: Int
    issuer: Int
    fake: Flag

    def __len__(self) -> int:
        return len(self.at)

    @property
    def stolen(self) -> Flag:
        """Where a stranger paid."""
        return np.asarray(self.spirit == STRANGER)


@dataclass(frozen=True)
class Strangers:
    """Accounts that strangers opened, by number, when, and for which country."""

    buyer: Int
    joined: Int
    country: Int


def _own(rng: Generator, m: Marketplace, n: int, folk: People) -> Way:
    """Orders by account holders, abusers among them, some in baskets minutes apart."""
    row, moment = np.arange(n), moments(rng, m, n)
    first = np.maximum.accumulate(np.where(chance(rng, m.basket_rate, n) & (row > 0), 0, row))
    later = np.minimum(rng.exponential(180 * SECOND, n).astype(np.int64), end(m) - 1 - moment[first])
    buyer = folk.members().choose(rng, moment)[first]
    return _ways(rng, folk, buyer, moment[first] + np.where(first < row, later, 0))


def _ways(rng: Generator, folk: People, buyer: Int, at: Int) -> Way:
    """How account holders pay: with what is theirs, their household's, or their group's."""
    n, spirit, home, group = len(buyer), folk.spirit[buyer], folk.home[buyer], folk.group[buyer]
    draw, ring, serial = rng.random((8, n)), folk.spirit[buyer] == RING, folk.spirit[buyer] == SERIAL
    card = np.floor(draw[0] ** 2 * folk.cards[buyer]).astype(np.int64)
    pool = OWN + np.floor(draw[1] * (1 + len(folk) // 30)).astype(np.int64)
    drop = 2 * OWN + 3 * group + rng.integers(0, 3, n)
    shared = serial & (draw[2] < 0.35)
    guest = rng.integers(0, len(folk), n)
    ship = np.where(draw[3] < 0.06, rng.integers(0, len(COUNTRIES), n), folk.country[buyer])
    address = np.where(draw[4] < 0.06, guest, np.where(ring & (draw[4] < 0.36), drop, home))
    device = np.where(draw[5] < 0.15, 3 * home + 2, 3 * np.where(shared, group, buyer) + (draw[5] > 0.8))
    return Way(
        at=at,
        buyer=buyer,
        spirit=spirit,
        ship=ship,
        address=address,
        instrument=np.where(draw[6] < 0.1, 3 * home, 3 * np.where(shared & (draw[6] < 0.6), group, buyer) + card),
        device=np.where(ring & (draw[2] < 0.22), 2 * OWN + group, device),
        email=2 * np.where(draw[2] > 0.98, home, np.where(shared & (draw[2] < 0.08), group, buyer))
        + chance(rng, 0.05, n),
        ip=np.where(ring & (draw[7] < 0.25), 2 * OWN + group, np.where(draw[7] < 0.55, pool, home)),
        login=2 * buyer + chance(rng, 0.03, n),
        bill=np.where(chance(rng, 0.05, n), rng.integers(0, len(COUNTRIES), n), folk.country[buyer]),
        channel=pick(rng, [*CHANNELS.values()], n),
    )


def _thefts(rng: Generator, m: Marketplace, n: int, folk: People) -> tuple[Way, Strangers]:
    """Orders by strangers: sprees of minutes to days on one or two devices, over a few new accounts or a taken one."""
    spree, draw = repeated(rng, m.stolen_orders, n), rng.random((7, n))
    begin, takeover = rng.permutation(_sleepless(rng, m, n)), chance(rng, m.takeover_rate, n)
    lasts = np.minimum(np.exp(rng.uniform(np.log(600 * SECOND), np.log(4 * DAY), n)), end(m) - 1 - begin)
    accounts, cards = rng.integers(1, 4, (2, n))
    account = 3 * spree + np.floor(draw[0] * accounts[spree]).astype(np.int64)
    card = 3 * OWN + 3 * spree + np.floor(draw[1] * cards[spree]).astype(np.int64)
    victim, taken = folk.members().choose(rng, begin)[spree], takeover[spree]
    place = pick(rng, [*COUNTRIES.values()], n)
    at = begin[spree] + np.floor(draw[2] * lasts[spree]).astype(np.int64)
    pool, buyer = OWN + rng.integers(0, 1 + len(folk) // 30, n), np.where(taken, victim, len(folk) + account)
    way = Way(
        at=at,
        buyer=buyer,
        spirit=np.full(n, STRANGER),
        instrument=np.where(taken, 3 * victim, card),
        device=3 * OWN + 2 * spree + (draw[3] < 0.3),
        address=np.where(draw[4] < 0.5, rng.integers(0, len(folk), n), 3 * OWN + spree // 3),
        email=np.where(taken, 2 * victim, 3 * OWN + account),
        ip=np.where(draw[5] < 0.5, pool[spree], 3 * OWN + spree),
        login=np.where(taken, 2 * victim, 3 * OWN + account),
        ship=place[spree],
        bill=np.where(draw[6] < 0.25, pick(rng, [*COUNTRIES.values()], n)[spree], place[spree]),
        channel=np.where(chance(rng, 0.3, n), 1, pick(rng, [*CHANNELS.values()], n)),
    )
    return way, _opened(rng, buyer[~taken], at[~taken], place[spree][~taken])


def _sleepless(rng: Generator, m: Marketplace, n: int) -> Int:
    """Moments that keep no hours: strangers work at night as well."""
    day = moments(rng, m, n) // DAY * DAY
    return np.asarray(np.minimum(day + rng.integers(0, DAY, n), end(m) - 1))


def _opened(rng: Generator, buyer: Int, at: Int, country: Int) -> Strangers:
    """Strangers' accounts, opened minutes to months before their first order."""
    order = np.lexsort((at, buyer))
    new = np.r_[True, np.diff(buyer[order]) != 0][: len(buyer)]
    first = order[new]
    before = np.exp(rng.normal(np.log(6.0), 2.0, len(first))) % 300.0
    joined = at[first] - 600 * SECOND - (before * DAY).astype(np.int64)
    return Strangers(buyer[first], joined, country[first])


def _fakes(rng: Generator, m: Marketplace, n: int, folk: People, who: Sellers) -> tuple[Way, Int]:
    """Orders that a faker's friends place at his shop, and the seller of each; rings earn a good name there, too."""
    fakers, friends = np.flatnonzero(who.trade == FAKER), np.flatnonzero(folk.spirit == COLLUDER)
    ringed = np.flatnonzero(folk.spirit == RING)
    seller = fakers[pick(rng, who.activity[fakers], n)]
    lo, hi = np.maximum(who.joined[seller], START), np.minimum(who.frozen[seller], end(m))
    hi = np.maximum(hi, lo + 1)
    buyer = friends[(seller * 31 + rng.integers(0, 6, n)) % len(friends)]
    at = lo + (rng.random(n) * (hi - lo)).astype(np.int64)
    if len(ringed):
        member = ringed[rng.integers(0, len(ringed), n)]
        early = np.maximum(folk.joined[member], START) + (rng.exponential(25 * DAY, n)).astype(np.int64)
        good = chance(rng, 0.3, n) & (early >= lo) & (early < hi)
        buyer, at = np.where(good, member, buyer), np.where(good, early, at)
    return _ways(rng, folk, buyer, np.minimum(at, end(m) - 1)), seller


def orders(
    rng: Generator, m: Marketplace, folk: People, who: Sellers, what: Products, pages: Listings
) -> tuple[Orders, Strangers]:
    """All orders in time order, and the accounts that strangers opened for theirs."""
    mine, theirs, faked, bought = rng.spawn(4)
    thefts = round(m.orders * m.stolen_rate)
    fakes = _fake_count(m, m.orders - thefts, folk, who)
    own = _own(mine, m, m.orders - thefts - fakes, folk)
    stolen, strangers = _thefts(theirs, m, thefts, folk)
    parts, shop = [own, stolen], np.full(m.orders, -1)
    if fakes:
        way, seller = _fakes(faked, m, fakes, folk, who)
        parts.append(way)
        shop[m.orders - fakes :] = seller
    joined = {f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Way)}
    order = np.argsort(joined["at"], kind="stable")
    ways = Way(**{name: values[order] for name, values in joined.items()})
    return _bought(bought, m, ways, shop[order], who, what, pages), strangers


def _fake_count(m: Marketplace, rest: int, folk: People, who: Sellers) -> int:
    able = np.any(who.trade == FAKER) and np.any(folk.spirit == COLLUDER)
    return min(round(rest * m.faker_share * m.fake_orders), rest // 2) if able else 0


def _shops(rng: Generator, who: Sellers, at: Int) -> Int:
    """A seller for each moment who is not frozen then; after a few tries the first of all, who never is."""
    members = who.members()
    seller = members.choose(rng, at)
    for _ in range(4):
        shut = np.flatnonzero(_closed(who, seller, at))
        seller[shut] = members.choose(rng, at[shut])
    return np.where(_closed(who, seller, at), 0, seller)


def _closed(who: Sellers, seller: Int, at: Int) -> Flag:
    """Whether a seller is frozen; the guilty stay so."""
    return (at >= who.frozen[seller]) & ((at < who.released[seller]) | who.guilty[seller])


def _bought(
    rng: Generator, m: Marketplace, ways: Way, shop: Int, who: Sellers, what: Products, pages: Listings
) -> Orders:
    """Adds what was bought: strangers and rings take the dearer of two, rings of the sloppier sellers."""
    n, at = len(ways.at), ways.at
    sellers = np.where(shop >= 0, shop, _loyal(rng, m, who, ways, _shops(rng, who, at)))
    others = np.where(shop >= 0, shop, _shops(rng, who, at))
    one, two = (_choice(rng, what, at, seller) for seller in (sellers, others))
    picky = np.isin(ways.spirit, (STRANGER, RING)) & chance(rng, 0.6, n) & (shop < 0)
    sloppier = (ways.spirit == RING) & (who.trade[what.seller[two]] == SLOPPY)
    product = np.where(picky & (sloppier | (what.price[two] > what.price[one])), two, one)
    seller, version = what.seller[product], pages.current(product, at)
    quantity = np.minimum(rng.geometric(np.where(what.price[product] < 2_000, 0.55, 0.8)), 20)
    network, issuer = _cards(rng, m, ways.instrument)
    return Orders(
        **{f.name: getattr(ways, f.name) for f in fields(Way)},
        seller=seller,
        product=product,
        version=version,
        quantity=quantity,
        amount=pages.price[version] * quantity,
        promised=_promised(rng, at, who, seller, ways.ship),
        network=network,
        issuer=issuer,
        fake=shop >= 0,
    )


def _loyal(rng: Generator, m: Marketplace, who: Sellers, ways: Way, seller: Int) -> Int:
    """Sends some buyers, abusers twice as many, to the seller of their last order again, if he isn't frozen by now."""
    n = len(seller)
    often = m.loyalty * np.where(np.isin(ways.spirit, (SERIAL, RING)), 2.0, 1.0)
    order = np.lexsort((np.arange(n), ways.buyer))
    same = np.r_[False, np.diff(ways.buyer[order]) == 0][:n] & chance(rng, often[order], n)
    last = order[np.maximum.accumulate(np.where(same, 0, np.arange(n)))]
    again = np.empty(n, np.int64)
    again[order] = seller[last]
    return np.where(_closed(who, again, ways.at), seller, again)


def _choice(rng: Generator, what: Products, at: Int, seller: Int) -> Int:
    """A product of each seller, popular ones more often; what is not for sale yet gives way to the seller's first."""
    first, size = what.first[seller], np.diff(what.first)[seller]
    product = first + np.floor(rng.random(len(seller)) ** 2 * size).astype(np.int64)
    return np.where(what.launched[product] <= at, product, first)


def _cards(rng: Generator, m: Marketplace, instrument: Int) -> tuple[Int, Int]:
    """The network and the issuer of each instrument."""
    cards, which = np.unique(instrument, return_inverse=True)
    network = pick(rng, [m.visa_share, 0.92 - m.visa_share, 0.08], len(cards))
    issuer = np.minimum(rng.geometric(0.18, len(cards)) - 1, ISSUERS - 1)
    return network[which], issuer[which]


def usual_days(seller_country: Int, ship: Int) -> Float:
    """Days that a parcel usually takes on its lane."""
    far = np.where((seller_country >= 4) | (ship >= 4), 15.0, 10.0)  # overseas, or between the first four
    return np.where(seller_country == ship, 4.0, far)


def _promised(rng: Generator, at: Int, who: Sellers, seller: Int, ship: Int) -> Int:
    """The date a seller promises: what is usual on the lane and some days, by temper fewer or more."""
    hope = np.exp(rng.normal(0.3, 0.35, len(who.trade)))[seller]
    usual = usual_days(who.country[seller], ship)
    return at + (np.ceil(usual * hope + 3 + rng.integers(0, 3, len(at))) * DAY).astype(np.int64)
