"""Simulates a small marketplace: hidden causes act, and only what a platform would have learnt reaches the ledger.

Four causes end in a chargeback: strangers with stolen instruments, buyers who abuse the rules, sellers in a faulty
spell, and chance. None of them is written down. Rates are enriched, ten to a hundred times those of a real marketplace
(1.6 chargebacks for 10,000 sales, Kansas City Fed 2016), so that a few thousand orders hold enough of each.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.random import Generator
from numpy.typing import NDArray

from features.errors import LedgerError, RedressError
from features.kernel import DAY, HOUR, SECOND, Flag, Int
from features.tables import FUNDERS, REASONS, RULINGS, TABLES, Kind

Float = NDArray[np.float64]
Columns = dict[str, Any]
Number = TypeVar("Number", int, float)

START: Final = 19_723 * DAY
"""First moment of every simulated marketplace, Monday 2024-01-01, in microseconds since 1970."""
COUNTRIES: Final = {"US": 0.4, "GB": 0.15, "DE": 0.15, "FR": 0.12, "BR": 0.1, "AU": 0.08}
CHANNELS: Final = {"app": 0.55, "web": 0.4, "phone": 0.05}
CHANCE, STOLEN, ABUSE, FAULT = range(4)
"""The hidden causes; the tables below have one row for each."""
COMPLAINTS: Final = np.array(
    [
        [30, 6, 18, 14, 10, 2, 8, 5, 4, 3],
        [20, 2, 10, 8, 5, 2, 3, 40, 5, 5],
        [38, 10, 20, 8, 10, 4, 5, 3, 1, 1],
        [12, 32, 24, 16, 5, 5, 3, 1, 1, 1],
    ]
)
"""Percent of each cause's disputes that give each of `REASONS`."""
FOUNDED: Final = np.array([0.75, 0.75, 0.05, 0.95])
"""How often a dispute of each cause has the facts on its side."""
DENIED: Final = np.array([0.3, 0.85, 0.5, 0.1])
"""How often a chargeback of each cause says "it was not me": abusers do too."""
NETWORKS: Final = {"visa": 0.55, "mastercard": 0.37, "other": 0.08}
CODES: Final = ("10.4", "13.1", "4837", "4853")
"""Reason codes of visa and mastercard, each for "it was not me" and for everything else."""
ARROW: Final[dict[Kind, pa.DataType]] = {"id": pa.string(), "text": pa.string(), "time": pa.timestamp("us", tz="UTC")}
"""Column types of a ledger, where they are not int64."""


def _number(default: Number, low: Number, high: Number, says: str) -> Number:
    return dataclasses.field(default=default, metadata={"low": low, "high": high, "says": says})


def _share(default: float, says: str) -> float:
    return _number(default, 0.0, 1.0, says)


@dataclass(frozen=True)
class Marketplace:
    """What a simulated marketplace is like; each field's metadata says its unit, range and where its default is from.

    >>> Marketplace(stolen_rate=1.5)
    Traceback (most recent call last):
    features.errors.RedressError: stolen_rate: want a number from 0.0 to 1.0, got 1.5
    """

    orders: int = _number(50_000, 1, 10**8, "orders in all")
    days: int = _number(540, 1, 10_000, "days from the first order to the ledger's end; later facts are left out")
    growth: float = _number(2.0, 0.05, 20.0, "orders a day at the end over those at the start; an assumption")
    orders_per_buyer: float = _number(5.0, 1.0, 1000.0, "orders of a mean buyer; an assumption")
    orders_per_seller: float = _number(60.0, 1.0, 1e6, "orders of a mean seller; an assumption")
    tail: float = _number(1.4, 1.05, 10.0, "Pareto exponent of the activity of buyers and sellers; an assumption")
    basket_rate: float = _share(0.2, "share of orders paid minutes after another of the same buyer; an assumption")
    unknown_rate: float = _share(0.03, "share of orders without a device, and of those without an IP; an assumption")
    stolen_rate: float = _share(0.012, "share of orders paid by strangers with stolen instruments; enriched 100 times")
    stolen_charged: float = _share(0.7, "share of these that the bank refuses; an assumption")
    stolen_orders: float = _number(3.0, 1.0, 1000.0, "orders in a mean spree of a stranger; an assumption")
    takeover_rate: float = _share(0.25, "share of sprees in an honest buyer's account; an assumption")
    abuser_rate: float = _share(0.03, "share of buyers who abuse the rules; published 0.005 to 0.01 in rings")
    abuser_charged: float = _share(0.2, "share of an abuser's orders charged back; an assumption")
    abuser_disputed: float = _share(0.3, "share of an abuser's orders disputed; an assumption")
    faulty_rate: float = _share(
        0.25, "share of sellers with one faulty or short-loading spell; published: 0.01 to 0.03 of products"
    )
    faulty_weeks: float = _number(8.0, 0.1, 500.0, "weeks of a mean spell; an assumption")
    faulty_charged: float = _share(0.06, "share of a spell's orders charged back at once; an assumption")
    faulty_disputed: float = _share(0.28, "share of a spell's orders disputed; an assumption")
    chance_charged: float = _share(0.004, "share of all other orders charged back; published 0.0002 to 0.006 of all")
    chance_disputed: float = _share(0.028, "share of all other orders disputed; published for all: 0.01 to 0.05")
    escalated: float = _share(0.2, "share of refused disputes that go on to the bank; an assumption")
    officer_error: float = _share(0.12, "share of rulings against the facts; an assumption")
    goodwill_rate: float = _share(0.01, "share of orders that the seller refunds unasked; an assumption")
    charged_days: float = _number(25.0, 0.1, 500.0, "median days from order to chargeback; published 20 to 30")
    disputed_days: float = _number(20.0, 0.1, 500.0, "median days from order to dispute; published 20 to 30")
    ruled_days: float = _number(10.0, 0.1, 500.0, "median days from dispute to ruling; common windows 7 + 7")
    window_days: float = _number(180.0, 1.0, 540.0, "days after the order in which claims count; published 120 to 540")

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            number, low, high = getattr(self, field.name), field.metadata["low"], field.metadata["high"]
            if not low <= number <= high:
                raise RedressError(f"{field.name}: want a number from {low} to {high}, got {number}")


def parameters_from(settings: Sequence[str], *, orders: int | None = None, days: int | None = None) -> Marketplace:
    """Reads parameters from words NAME=VALUE; `orders` and `days`, when given, win over them.

    >>> parameters_from(["stolen_rate=0.02", "orders=10"], orders=500).orders
    500
    """
    numbers = dict(_setting(setting) for setting in settings)
    given = {name: number for name, number in (("orders", orders), ("days", days)) if number is not None}
    return dataclasses.replace(Marketplace(), **{**numbers, **given})


def _setting(setting: str) -> tuple[str, Any]:
    name, equals, text = (part.strip() for part in setting.partition("="))
    defaults = {field.name: field.default for field in dataclasses.fields(Marketplace)}
    if not equals:
        raise RedressError(f"{setting!r}: want NAME=VALUE, got no '='")
    if name not in defaults:
        raise RedressError(f"{name!r}: want one of {', '.join(defaults)}")
    whole = isinstance(defaults[name], int)
    try:
        return name, (int if whole else float)(text)
    except ValueError:
        raise RedressError(f"{name}: want a {'whole ' * whole}number, got {text!r}") from None


def simulate(parameters: Marketplace, *, seed: int) -> dict[str, pa.Table]:
    """The ledger's tables as known at the end of the last day, in time order; the same seed gives the same bytes.

    >>> tables = simulate(Marketplace(orders=100, days=30), seed=1)
    >>> list(tables), tables["orders"].num_rows
    (['orders', 'disputes', 'rulings', 'chargebacks', 'refunds'], 100)
    """
    if seed < 0:
        raise RedressError(f"seed: want a whole number from 0, got {seed}")
    honest, stolen, bought, named, disputed, ruled, charged, refunded = np.random.default_rng(seed).spawn(8)
    orders = _orders(honest, stolen, bought, parameters)
    disputes = _disputes(disputed, parameters, orders)
    rulings = _rulings(ruled, parameters, disputes)
    chargebacks = _chargebacks(charged, parameters, orders, rulings)
    refunds = _refunds(refunded, parameters, orders, rulings, chargebacks)
    tables = {"orders": _named(named, parameters, orders), "disputes": disputes, "rulings": rulings}
    tables |= {"chargebacks": chargebacks, "refunds": refunds}
    return {name: _table(name, columns) for name, columns in tables.items()}


def write_ledger(tables: Mapping[str, pa.Table], out: Path) -> None:
    """Writes `OUT/<table>.parquet` for every table: all of them are written beside before the first takes its name."""
    try:
        held = [name for name in TABLES if (out / f"{name}.parquet").exists() or (out / name).exists()]
        if held:
            raise LedgerError(f"{out}: want a directory without a ledger, got one that holds {held[0]}; choose another")
        out.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=out, prefix=".partial-") as beside:
            for name, table in tables.items():
                pq.write_table(table, Path(beside, f"{name}.parquet"))
            for name in sorted(tables, key=lambda name: name == "orders"):  # without orders it is no ledger yet
                Path(beside, f"{name}.parquet").rename(out / f"{name}.parquet")
    except OSError as error:
        raise LedgerError(f"{out}: want a directory that can be written, got {error}") from error


def _end(m: Marketplace) -> int:
    return START + m.days * DAY


def _moments(rng: Generator, m: Marketplace, n: int) -> Int:
    """Sorted moments with growth, a busier weekend, and a day that peaks at 20:00."""
    hours = np.arange(m.days * 24)
    busy = 1 + 0.6 * np.sin((hours % 24 - 14) * np.pi / 12)
    busy *= m.growth ** (hours / len(hours)) * np.where(hours // 24 % 7 >= 5, 1.25, 1.0)
    return np.sort(START + _pick(rng, busy, n) * HOUR + rng.integers(0, HOUR, n))


def _pick(rng: Generator, weights: Float | Sequence[float], n: int) -> Int:
    reach = np.cumsum(weights)
    return np.asarray(np.searchsorted(reach[:-1], rng.random(n) * reach[-1], side="right"), np.int64)


def _pick_by(rng: Generator, weights: Float, row: Int) -> Int:
    """One pick for each entry of `row`, from that row of `weights`."""
    reach = np.cumsum(weights, axis=1)[row, :-1]
    drawn = rng.random(len(row)) * weights.sum(axis=1)[row]
    return np.asarray((drawn[:, None] >= reach).sum(axis=1), np.int64)


def _members(rng: Generator, m: Marketplace, expected: float) -> tuple[Int, Float]:
    """When each buyer or seller joins, in order, and the running total of how active they are, with a heavy tail."""
    n = max(1, round(expected))
    joined = np.sort(np.where(rng.random(n) < 0.3, START, _moments(rng, m, n)))
    joined[0] = START  # somebody is there from the first moment
    return joined, np.cumsum(np.minimum(1 + rng.pareto(m.tail, n), 60.0))


def _choose(rng: Generator, members: tuple[Int, Float], at: Int) -> Int:
    """A member for each moment, among those who have joined, by activity."""
    last = np.searchsorted(members[0], at, side="right") - 1
    reach = members[1]
    return np.minimum(np.searchsorted(reach, rng.random(len(at)) * reach[last], side="right"), last)


def _honest(rng: Generator, m: Marketplace, n: int, buyers: tuple[Int, Float]) -> Columns:
    """Orders by account holders, abusers among them; codes are even, those of strangers odd."""
    people, row = len(buyers[0]), np.arange(n)
    moment, draw = _moments(rng, m, n), rng.random((10, n))
    first = np.maximum.accumulate(np.where(draw[0] < m.basket_rate, 0, row))
    later = np.minimum(rng.exponential(180 * SECOND, n).astype(np.int64), _end(m) - 1 - moment[first])
    buyer = _choose(rng, buyers, moment)[first]
    home = np.maximum.accumulate(np.where(rng.random(people) < 0.4, 0, np.arange(people)))
    country, owned = _pick(rng, [*COUNTRIES.values()], people)[home], rng.integers(1, 4, people)
    abusive = np.where(rng.random(people) < m.abuser_rate, rng.gamma(2.0, 0.5, people), 0.0)
    temper, abroad = rng.gamma(1.5, 1 / 1.5, people), rng.integers(0, len(COUNTRIES), (2, n))
    card = 3 * buyer + np.floor(draw[2] ** 2 * owned[buyer]).astype(np.int64)
    pool = people + np.floor(draw[1] * (1 + people // 40)).astype(np.int64)
    return {
        **{"at": moment[first] + np.where(first < row, later, 0), "stolen": 0 * row, "buyer": 2 * buyer},
        **{"abusive": abusive[buyer], "temper": temper[buyer]},
        "instrument": 2 * np.where(draw[9] < 0.1, 3 * home[buyer], card),
        "device": 2 * np.where(draw[3] < 0.15, 3 * home[buyer] + 2, 3 * buyer + (draw[3] > 0.8)),
        "address": 2 * np.where(draw[4] < 0.06, rng.integers(0, people, n), home[buyer]),
        "email": 2 * (2 * buyer + (draw[5] < 0.05)),
        "ip": 2 * np.where(draw[6] < 0.4, pool, home[buyer]),
        "ship": np.where(draw[7] < 0.06, abroad[0], country[buyer]),
        "bill": np.where(draw[8] < 0.05, abroad[1], country[buyer]),
        "channel": _pick(rng, [*CHANNELS.values()], n),
    }


def _thefts(rng: Generator, m: Marketplace, n: int, buyers: tuple[Int, Float]) -> Columns:
    """Orders by strangers: sprees of minutes to days on one or two devices, over a few new accounts or a taken one."""
    spree, draw = np.repeat(np.arange(n), rng.geometric(1 / m.stolen_orders, n))[:n], rng.random((8, n))
    begin, takeover = rng.permutation(_moments(rng, m, n)), rng.random(n) < m.takeover_rate
    lasts = np.minimum(np.exp(rng.uniform(np.log(600 * SECOND), np.log(4 * DAY), n)), _end(m) - 1 - begin)
    accounts, cards = rng.integers(1, 4, (2, n))
    account = 3 * spree + np.floor(draw[0] * accounts[spree]).astype(np.int64)
    card = 3 * spree + np.floor(draw[1] * cards[spree]).astype(np.int64)
    people, victim, taken = len(buyers[0]), _choose(rng, buyers, begin)[spree], takeover[spree]
    pool = people + rng.integers(0, 1 + people // 40, n)
    place = _pick(rng, [*COUNTRIES.values()], n)
    return {
        **{"at": begin[spree] + np.floor(draw[2] * lasts[spree]).astype(np.int64), "stolen": np.ones(n, np.int64)},
        **{"buyer": np.where(taken, 2 * victim, 2 * account + 1), "abusive": np.zeros(n), "temper": np.ones(n)},
        "instrument": np.where(taken, 2 * 3 * victim, 2 * card + 1),
        "device": 2 * (2 * spree + (draw[3] < 0.3)) + 1,
        "address": np.where(draw[4] < 0.4, 2 * rng.integers(0, people, n), 2 * (spree // 3) + 1),
        "email": np.where(taken, 2 * 2 * victim, 2 * account + 1),
        "ip": np.where(draw[5] < 0.5, 2 * pool[spree], 2 * spree + 1),
        "ship": place[spree],
        "bill": np.where(draw[6] < 0.25, _pick(rng, [*COUNTRIES.values()], n)[spree], place[spree]),
        "channel": np.where(draw[7] < 0.5, 1, _pick(rng, [*CHANNELS.values()], n)),
    }


def _orders(honest: Generator, stolen: Generator, bought: Generator, m: Marketplace) -> Columns:
    thefts = round(m.orders * m.stolen_rate)
    buyers = _members(honest, m, (m.orders - thefts) / m.orders_per_buyer)
    parts = _honest(honest, m, m.orders - thefts, buyers), _thefts(stolen, m, thefts, buyers)
    orders = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.argsort(orders["at"], kind="stable")
    return _bought(bought, m, {name: column[order] for name, column in orders.items()})


def _bought(rng: Generator, m: Marketplace, orders: Columns) -> Columns:
    """Adds seller, product and amount (a stranger takes the dearer of two), and the hidden cause and its strength."""
    n, at = len(orders["at"]), orders["at"]
    sellers = _members(rng, m, m.orders / m.orders_per_seller)
    size = len(sellers[0])
    products, level = rng.geometric(0.12, size), rng.normal(np.log(3000), 0.6, size)
    price = np.exp(np.repeat(level, products) + rng.normal(0, 0.7, products.sum())).astype(np.int64) + 100
    seller = np.stack([_choose(rng, sellers, at) for _ in range(2)])
    rank = np.floor(rng.random((2, n)) ** 2 * products[seller]).astype(np.int64)
    product = (np.cumsum(products) - products)[seller] + rank
    dearer = orders["stolen"] * (price[product[1]] > price[product[0]])
    seller, product = seller[dearer, np.arange(n)], product[dearer, np.arange(n)]
    quantity = np.minimum(rng.geometric(0.75, n), 20)
    begin = rng.uniform(sellers[0], _end(m))
    until = begin + rng.exponential(m.faulty_weeks * 7 * DAY, size) * (rng.random(size) < m.faulty_rate)
    faulty = (begin[seller] <= at) & (at < until[seller])
    cause = np.select([orders["stolen"] > 0, orders["abusive"] > 0, faulty], [STOLEN, ABUSE, FAULT], CHANCE)
    temper = np.where(cause == CHANCE, orders["temper"] * rng.gamma(1.5, 1 / 1.5, size)[seller], 1.0)
    promised = at + (rng.integers(3, 30, size)[seller] + rng.integers(0, 4, n)) * DAY
    return {
        **orders,
        **{"seller": seller, "product": product, "quantity": quantity, "amount": price[product] * quantity},
        **{"cause": cause, "strength": np.where(cause == ABUSE, orders["abusive"], temper), "promised": promised},
    }


def _days(rng: Generator, median: float, n: int, spread: float = 0.8) -> Int:
    """Log-normal delays in microseconds, an hour at least."""
    return HOUR + (median * DAY * np.exp(rng.normal(0, spread, n))).astype(np.int64)


def _happens(rng: Generator, orders: Columns, rates: Sequence[float]) -> Flag:
    """Which orders meet something that each cause brings about at its own rate."""
    met: Flag = rng.random(len(orders["at"])) < np.array(rates)[orders["cause"]] * orders["strength"]
    return met


def _known(m: Marketplace, at: Int, *, since: Int | None = None) -> Int:
    """Positions, in time order, of what is learnt before the ledger's end and within the claims window from `since`."""
    order = np.argsort(at, kind="stable")
    return order[((at < _end(m)) & (at - (at if since is None else since) <= m.window_days * DAY))[order]]


def _disputes(rng: Generator, m: Marketplace, orders: Columns) -> Columns:
    rates = [m.chance_disputed, m.chance_disputed, m.abuser_disputed, m.faulty_disputed]
    rows = np.flatnonzero(_happens(rng, orders, rates))
    at = orders["at"][rows] + _days(rng, m.disputed_days, len(rows))
    known = _known(m, at, since=orders["at"][rows])
    order, at = rows[known], at[known]
    reason = _pick_by(rng, COMPLAINTS, orders["cause"][order])
    share = np.where(rng.random(len(order)) < 0.6, 1.0, rng.uniform(0.2, 1.0, len(order)))
    claimed = np.ceil(orders["amount"][order] * share).astype(np.int64)
    return {
        **{"dispute_id": _ids("d", np.arange(len(order))), "at": at, "order_id": _ids("o", order), "claimed": claimed},
        **{"reason": _words(REASONS, reason), "order": order, "cause": orders["cause"][order]},
    }


def _rulings(rng: Generator, m: Marketplace, disputes: Columns) -> Columns:
    """Officers weigh the facts and sometimes err; some buyers settle or withdraw first."""
    at = disputes["at"] + _days(rng, m.ruled_days, len(disputes["at"]), spread=0.6)
    known = _known(m, at)
    n, draw = len(known), rng.random((4, len(known)))
    granted = (draw[0] < FOUNDED[disputes["cause"][known]]) ^ (draw[1] < m.officer_error)
    outcome = np.where(granted, _pick(rng, [0.5, 0.3, 0.2], n), 3)  # positions in RULINGS
    outcome = np.where(draw[2] < 0.18, np.where(draw[2] < 0.1, 4, 5), outcome)
    share = np.array([1.0, 0.5, 1.0, 0.0, 0.4, 0.0])[outcome]
    refunded = np.ceil(disputes["claimed"][known] * share).astype(np.int64)
    funder = np.where(refunded > 0, _pick(rng, [0.4, 0.6], n), -1)  # positions in FUNDERS
    blame = np.array([[0.0, 0.7, 0.1, 0.0, 0.2], [0.4, 0.0, 0.1, 0.3, 0.2]])
    fault = np.where(outcome > 3, 4, _pick_by(rng, blame, (outcome == 3).astype(np.int64)))
    return {
        **{"dispute_id": _ids("d", known), "at": at[known], "outcome": _words(RULINGS, outcome), "refunded": refunded},
        **{"funded_by": _words(FUNDERS, funder), "funder": funder, "order": disputes["order"][known]},
        **{"fault": _words(["buyer", "seller", "carrier", "none", "unknown"], fault), "refused": outcome == 3},
    }


def _chargebacks(rng: Generator, m: Marketplace, orders: Columns, rulings: Columns) -> Columns:
    """Orders the bank refuses: at once, or after a refused dispute; the first of the two counts."""
    rates = [m.chance_charged, m.stolen_charged, m.abuser_charged, m.faulty_charged]
    n, direct = len(orders["at"]), _happens(rng, orders, rates)
    when = np.where(direct, orders["at"] + _days(rng, m.charged_days, n), _end(m))
    angry = rulings["refused"] & (rng.random(len(rulings["at"])) < m.escalated)
    after = rulings["at"] + _days(rng, 7.0, len(rulings["at"]))
    np.minimum.at(when, rulings["order"][angry], after[angry])
    order = _known(m, when, since=orders["at"])
    network = _pick(rng, [*NETWORKS.values()], len(order))
    other_claim = rng.random(len(order)) >= DENIED[orders["cause"][order]]
    share = np.where(rng.random(len(order)) < 0.9, 1.0, rng.uniform(0.3, 1.0, len(order)))
    code = np.where(network < 2, 2 * network + other_claim, -1)
    return {
        **{"chargeback_id": _ids("c", np.arange(len(order))), "at": when[order], "order_id": _ids("o", order)},
        "amount": np.ceil(orders["amount"][order] * share).astype(np.int64),
        "network": _words([*NETWORKS], network),
        "reason_code": _words(CODES, code),
        **{"respond_by": when[order] + np.array([30, 45, 30])[network] * DAY, "order": order},
    }


def _refunds(rng: Generator, m: Marketplace, orders: Columns, rulings: Columns, chargebacks: Columns) -> Columns:
    """The first refund of each order: after a ruling, through the bank, or unasked from the seller."""
    unasked = np.flatnonzero(rng.random(len(orders["at"])) < m.goodwill_rate)
    paid, n = np.flatnonzero(rulings["refunded"]), len(chargebacks["at"])
    order = np.concatenate([rulings["order"][paid], chargebacks["order"], unasked])
    before = np.concatenate([rulings["at"][paid], chargebacks["at"], orders["at"][unasked] + DAY])
    amount = np.concatenate([rulings["refunded"][paid], chargebacks["amount"], orders["amount"][unasked]])
    funder = np.concatenate([rulings["funder"][paid], _pick(rng, [0.2, 0.7, 0.1], n), np.ones_like(unasked)])
    initiator = np.repeat([1, 3, 2], [len(paid), n, len(unasked)])  # officer, issuer, seller
    initiator[: len(paid)] -= rng.random(len(paid)) < 0.3  # policy instead
    at = before + _days(rng, 1.0, len(before))
    known = _known(m, at)
    known = known[np.sort(np.unique(order[known], return_index=True)[1])]
    return {
        **{"order_id": _ids("o", order[known]), "at": at[known], "amount": amount[known]},
        "funded_by": _words(FUNDERS, funder[known]),
        "initiator": _words(["policy", "officer", "seller", "issuer"], initiator[known]),
    }


def _named(rng: Generator, m: Marketplace, orders: Columns) -> Columns:
    """The columns of `orders`: codes become ids in a random order, so that no number tells who is who."""
    n, ids = len(orders["at"]), {}
    for name in ("buyer", "seller", "product", "instrument", "device", "address", "email", "ip"):
        codes = rng.permutation(orders[name].max() + 1)[orders[name]]
        known = rng.random(n) >= (m.unknown_rate if name in ("device", "ip") else 0.0)
        ids[f"{name}_id"] = _ids(name[:2], np.where(known, codes, -1))
    return {
        **{"order_id": _ids("o", np.arange(n)), "at": orders["at"], "amount": orders["amount"], **ids},
        **{"quantity": orders["quantity"], "promised_at": orders["promised"]},
        **{f"{role}_country": _words([*COUNTRIES], orders[role]) for role in ("ship", "bill")},
        "channel": _words([*CHANNELS], orders["channel"]),
    }


def _ids(prefix: str, codes: Int) -> pa.Array:
    """Ids such as o00000012; a negative code is unknown."""
    numbers = pa.array(codes, mask=codes < 0).cast(pa.string())
    return pc.binary_join_element_wise(prefix, pc.utf8_lpad(numbers, 8, "0"), "")


def _words(vocabulary: Sequence[str], codes: Int) -> pa.Array:
    return pa.array(vocabulary).take(pa.array(codes, mask=codes < 0))


def _table(name: str, columns: Columns) -> pa.Table:
    """The declared ones of `columns`, in the declared order and types; what is hidden stays behind."""
    fields = [(c.name, ARROW.get(c.kind, pa.int64())) for c in TABLES[name].columns if c.name in columns]
    arrays = [columns[name] if isinstance(columns[name], pa.Array) else pa.array(columns[name]) for name, _ in fields]
    return pa.table(arrays, names=[name for name, _ in fields]).cast(pa.schema(fields))
