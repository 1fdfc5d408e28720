"""Background: a ledger as streams see it, with what each row points to found once: orders, listings, guilt, moments."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
from numba import njit

from features.columns import Codes
from features.credit import Prior
from features.elsewhere import Elsewhere, told
from features.kernel import Code, Flag, Int, group, windowed
from features.ledger import Facts, Ledger
from features.rows import locate

NOT_YET: Final = np.iinfo(np.int64).max
"""Stands for "has not happened" where the moment of a first fact is asked for."""
FOR_THE_BUYER: Final = ("refund_full", "refund_partial", "return_and_refund")
SETTLING: Final = (*FOR_THE_BUYER, "refuse")
"""Decisions of the platform's system that settle a dispute without an officer."""


def order_rows(ledger: Ledger, table: str) -> Int:
    """The row of `orders` that each row of a table concerns, itself or by what it points to; -1 where it is not known."""
    facts = ledger.facts[table]
    if table == "orders":
        return np.arange(len(facts))
    found = np.full(len(facts), -1, np.int64)
    if facts.table.column("order_id"):
        return facts.points.get("orders", found)
    for parent, row in facts.points.items():
        if parent in ledger.facts:
            through = np.append(order_rows(ledger, parent), -1)[row]
            found = np.where(found < 0, through, found)
    return found


def first_at(rows: Int, at: Int, parents: int, which: Flag | None = None) -> Int:
    """The moment of the first fact (of those marked) that points to each row of a parent, NOT_YET if there is none."""
    found = np.full(parents + 1, NOT_YET, np.int64)
    kept = rows if which is None else np.where(which, rows, -1)
    found[kept[::-1]] = at[::-1]
    return found[:parents]


def moments(facts: Facts) -> Int:
    """When facts happened: as they say, where that is earlier than when they were learnt, and else then."""
    said, known = facts.numbers("happened_at")
    return np.where(known, np.minimum(said, facts.at), facts.at)


def is_word(codes: Codes, *words: str) -> Flag:
    """Where a word column says one of `words`."""
    said = np.array([*(str(value) in words for value in codes.values.to_pylist()), False])
    return np.asarray(said[codes.codes], np.bool_)


def in_words_of(words: Codes, others: Codes) -> Int:
    """For each value of `words`, and -1 for unknown at the end, its code in `others`: -2 where that has none."""
    there = {word: i for i, word in enumerate(others.values.to_pylist())}
    return np.array([*(there.get(word, -2) for word in words.values.to_pylist()), -1])


def is_true(facts: Facts, column: str) -> Flag:
    """Where a flag column is known to be true."""
    value, known = facts.numbers(column)
    return np.asarray(known & (value != 0), np.bool_)


def first_rulings(ledger: Ledger) -> tuple[Int, Flag, Flag]:
    """Rows of each dispute's first ruling, and whether it was for the buyer or refused; settled and withdrawn are neither."""
    facts = ledger.facts["rulings"]
    rows = first_rows(facts.points["disputes"], len(ledger.facts["disputes"]))
    outcomes = facts.codes("outcome")
    return rows, is_word(outcomes, *FOR_THE_BUYER)[rows], is_word(outcomes, "refused")[rows]


def automatic_rulings(ledger: Ledger) -> Flag:
    """Rulings (n,) that no officer made: the first of a dispute, where the platform's own system had decided to settle it."""
    facts, disputes = ledger.facts["rulings"], len(ledger.facts["disputes"])
    found = np.zeros(len(facts), np.bool_)
    if "decisions" not in ledger.facts:
        return found
    made = ledger.facts["decisions"]
    about = made.points.get("disputes", np.full(len(made), -1, np.int64))
    settled = np.append(first_at(about, made.at, disputes, is_word(made.codes("action"), *SETTLING)), NOT_YET)
    dispute = facts.points["disputes"]
    found[first_rows(dispute, disputes)] = True
    return np.asarray(found & (settled[dispute] <= facts.at), np.bool_)


def is_ending(outcome: Codes) -> Flag:
    """Where an outcome ends a chargeback, which pre-arbitration does not."""
    return np.asarray((outcome.codes >= 0) & ~is_word(outcome, "pre_arbitration"), np.bool_)


def first_rows(parent: Int, parents: int) -> Int:
    """Rows, in time order, that are the first to point to their parent."""
    first = np.full(parents + 1, -1, np.int64)
    first[parent[::-1]] = np.arange(parent.size)[::-1]
    return np.sort(first[:-1][first[:-1] >= 0])


@dataclass(frozen=True)
class Background:
    """A ledger, the horizon in microseconds, the table whose rows are asked about, and the prior of a buyer's credit.

    What is known `elsewhere` of sellers counts as if the ledger said it.
    """

    ledger: Ledger
    horizon: int
    asked: str
    prior: Prior = field(default_factory=Prior)
    elsewhere: Elsewhere | None = None

    def facts(self, table: str) -> Facts:
        """The facts of a table."""
        return self.ledger.facts[table]

    @cached_property
    def orders(self) -> int:
        """How many orders there are."""
        return len(self.facts("orders"))

    @cached_property
    def asked_orders(self) -> Int:
        """The row of `orders` that each row of the asked table concerns, -1 unknown."""
        return order_rows(self.ledger, self.asked)

    @cached_property
    def order_at(self) -> Int:
        """`orders.at` with NOT_YET at the end, for what concerns no order."""
        return np.append(self.facts("orders").at, NOT_YET)

    def codes(self, column: str) -> Code:
        """A column of `orders` as codes, with -1 at the end for what concerns no order."""
        return np.append(self.facts("orders").codes(column).codes, np.int32(-1))

    def alike(self, table: str, column: str, like: str) -> Code:
        """An id column of a table in the codes of a column of `orders`, -1 for ids that no order has."""
        found, ours = self.facts(table).codes(column), self.facts("orders").codes(like)
        return np.append(locate(found.values, ours.values), -1)[found.codes].astype(np.int32)

    @cached_property
    def listing(self) -> Int:
        """The row of `listings` that each order was placed on (orders + 1,): the product's latest version by then, or -1."""
        product = self.alike("listings", "product_id", "product_id")
        return self._latest("listings", product, self.codes("product_id"), self.facts("orders").at + 1)

    @cached_property
    def seller(self) -> Int:
        """The row of `sellers` of each order's seller (orders + 1,), -1 where he had not registered before."""
        seller = self.alike("sellers", "seller_id", "seller_id")
        return self._latest("sellers", seller, self.codes("seller_id"), self.facts("orders").at)

    def _latest(self, table: str, codes: Code, of_orders: Code, t: Int) -> Int:
        """The last row of each order's code that was learnt before a moment of each order."""
        at, row = self.facts(table).at, np.arange(codes.size)
        measures = [row, np.ones(row.size, np.int64)]
        found = windowed(at, codes, measures, of_orders[:-1], t, [-1]).windows[0]
        return np.append(np.where(found[1] == 1, found[0], -1), -1)

    @cached_property
    def delivered_at(self) -> Int:
        """When each order was first seen to be delivered (orders + 1,), NOT_YET if never."""
        scans = self.facts("scans")
        marked = is_word(scans.codes("kind"), "delivered")
        return np.append(first_at(scans.points["orders"], scans.at, self.orders, marked), NOT_YET)

    @cached_property
    def delivered(self) -> Int:
        """When each order was delivered (orders + 1,), as far as the scan that first showed it says; NOT_YET if never."""
        scans, found = self.facts("scans"), np.full(self.orders + 1, NOT_YET)
        order = scans.points["orders"]
        shows = is_word(scans.codes("kind"), "delivered") & (scans.at == self.delivered_at[order])
        np.minimum.at(found, order[shows], moments(scans)[shows])
        return found

    @cached_property
    def block_sellers(self) -> Code:
        """The seller that each block is about, in the codes of `orders`: named, or where none is, the order's."""
        unnamed = self.facts("blocks").codes("seller_id").codes < 0
        of_order = self.codes("seller_id")[order_rows(self.ledger, "blocks")]
        return np.where(unnamed, of_order, self.alike("blocks", "seller_id", "seller_id")).astype(np.int32)

    def upheld(self, column: str, word: str) -> tuple[Code, Int]:
        """The seller and the moment of each block upheld whose column says a word; none where the ledger has no blocks."""
        if not {"blocks", "releases"} <= self.ledger.facts.keys():
            return np.zeros(0, np.int32), np.zeros(0, np.int64)
        releases, block = self.facts("releases"), self.facts("releases").points["blocks"]
        marked = is_word(self.facts("blocks").codes(column), word)[block]
        rows = np.flatnonzero(is_word(releases.codes("result"), "upheld") & marked & (self.block_sellers[block] >= 0))
        return self.block_sellers[block[rows]], releases.at[rows]

    @cached_property
    def faked_at(self) -> Int:
        """When each seller (sellers + 1,) was first found to fake transactions."""
        seller, at = self._with(self.upheld("cause", "false_transactions"), "faking")
        sellers = len(self.facts("orders").codes("seller_id").values)
        return np.append(first_at(seller.astype(np.int64), at, sellers), NOT_YET)

    @cached_property
    def _guilt(self) -> tuple[Code, Int]:
        """Each time a seller's guilt became known, as far as the ledger tells: a release upheld, a ruling that found fault."""
        seller, at = self.upheld("kind", "seller_integrity")
        if {"disputes", "rulings"} <= self.ledger.facts.keys():
            rulings = self.facts("rulings")
            rows = np.flatnonzero(is_word(rulings.codes("fault"), "seller"))
            theirs = self.codes("seller_id")[order_rows(self.ledger, "rulings")[rows]]
            seller, at = np.append(seller, theirs).astype(np.int32), np.append(at, rulings.at[rows])
        return self._with((seller, at), "guilty")

    def _with(self, known: tuple[Code, Int], column: str) -> tuple[Code, Int]:
        """Sellers and moments in order of time, with those known elsewhere."""
        seller, at = known
        if self.elsewhere is not None:
            others, when = told(getattr(self.elsewhere, column), self.facts("orders").codes("seller_id").values)
            seller, at = np.append(seller, others), np.append(at, when)
        sort = np.argsort(at, kind="stable")
        return seller[sort].astype(np.int32), at[sort]

    def guilty_after(self, order: Int, at: Int) -> Int:
        """When the guilt of each order's seller next became known, at a moment or after it; NOT_YET if it never did."""
        seller, known = self._guilt
        groups = len(self.facts("orders").codes("seller_id").values)
        by, start = group(seller, groups)
        return _next_at(known[by], start, self.codes("seller_id")[order], at)


@njit(cache=True, nogil=True)
def _next_at(known: Int, start: Int, codes: Code, t: Int) -> Int:
    """The first of a code's moments, sorted from `start` on, that is not before each t."""
    found = np.full(t.size, np.iinfo(np.int64).max)
    for i in range(t.size):
        if codes[i] >= 0:
            lo, hi = start[codes[i]], start[codes[i] + 1]
            p = lo + np.searchsorted(known[lo:hi], t[i])
            if p < hi:
                found[i] = known[p]
    return found
