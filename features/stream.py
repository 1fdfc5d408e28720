"""A stream: facts in time order, the rows they concern, and what can be summed over them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from features.background import NOT_YET, Background, in_words_of, is_word, order_rows
from features.columns import Codes
from features.kernel import Code, Flag, Int
from features.ledger import Facts
from features.made import MADE, Numbers
from features.operand import Condition, Operand
from features.own import OF_CASE, OUTCOMES
from features.tables import TABLES


@dataclass(frozen=True)
class Stream:
    """Facts in time order: `at` (n,), the `order` (n,) row each concerns, and the `case` (n,) row of the asked table it is of.

    A row of -1 is unknown. Where facts are `of_order`, those of the asked row's own order are of the case. Measures come from
    `facts` at the rows `which`, from columns `made`, or from `sums`. `own` are ids by which facts name an entity themselves,
    in the codes of the column of `orders` that they are under.
    """

    at: Int
    order: Int
    case: Int | None = None
    facts: Facts | None = None
    which: Int | None = None
    made: Mapping[str, Callable[[], Numbers]] = field(default_factory=dict)
    sums: Mapping[str, Int] = field(default_factory=dict)
    own: Mapping[str, Code] = field(default_factory=dict)
    of_order: bool = False
    _kept: dict[str, Int] = field(default_factory=dict)

    def numbers(self, name: str) -> Numbers:
        """A column as int64, 0 where unknown, and where it is known."""
        if name in self.sums:
            return self.sums[name], np.ones(self.at.size, np.bool_)
        if name in self.made:
            found, known = self.made[name]()
        else:
            assert self.facts is not None, f"{name} is no column of this stream"
            found, known = self.facts.numbers(name)
        return (found, known) if self.which is None else (found[self.which], known[self.which])

    def codes(self, name: str) -> Codes:
        """A column of words or ids as codes."""
        assert self.facts is not None, f"{name} is no column of this stream"
        found = self.facts.codes(name)
        return found if self.which is None else Codes(found.codes[self.which], found.values)

    def kind(self, name: str) -> str:
        """What a column of the stream's table holds."""
        column = None if self.facts is None else self.facts.table.column(name)
        return "count" if column is None else column.kind

    def measure(self, one: Operand, orders: Facts) -> Int:
        """What an operand sums, int64 (n,), 0 for facts that do not meet its conditions; kept, for many entities sum it."""
        if one.text not in self._kept:
            self._kept[one.text] = self._measured(one, orders)
        return self._kept[one.text]

    def _measured(self, one: Operand, orders: Facts) -> Int:
        if one.measure == "count" and "count" not in self.sums:
            values = np.ones(self.at.size, np.int64)
        elif one.measure.endswith("_known"):
            values = self.numbers(one.measure.removesuffix("_known"))[1].astype(np.int64)
        else:
            values = self.numbers(one.measure)[0]
        for condition in one.where:
            values = np.where(self.meets(condition, orders), values, 0)
        return values

    def meets(self, condition: Condition, orders: Facts) -> Flag:
        """Where a condition holds; what is unknown meets none."""
        name, words = condition.column, condition.words
        if self.kind(name) not in ("id", "text"):
            values, known = self.numbers(name)
            met = known if words == ("*",) else known & (values == (words == ("true",)))
            return np.asarray(met, np.bool_)
        found = self.codes(name)
        if words == ("*",):
            return np.asarray(found.codes >= 0, np.bool_)
        if words[0].startswith("order."):
            return self._unlike(found, orders.codes(words[0].removeprefix("order.")))
        met = is_word(found, *words)
        return np.asarray((found.codes >= 0) & (met if condition.op == "=" else ~met), np.bool_)

    def _unlike(self, found: Codes, of_order: Codes) -> Flag:
        """Where a word is another than one of the fact's order, both known."""
        ours = in_words_of(found, of_order)[found.codes]
        other = np.append(of_order.codes, -1)[self.order]
        return np.asarray((ours != other) & (found.codes >= 0) & (other >= 0), np.bool_)


NAMES: Final = {"blocks": ("blocks.order_id", "blocks.seller_id")}
"""Columns by which rows of a table name whom they are about, where a row may do without one of them."""


@dataclass(frozen=True)
class Declared:
    """A stream that is made of rows of one table: which of them by words, and by which ids they name entities themselves."""

    table: str
    where: tuple[Condition, ...] = ()
    own: Mapping[str, str] = field(default_factory=dict)

    @property
    def needs(self) -> tuple[str, ...]:
        """The table and those that its rows must point to."""
        parents = [target for column, target in TABLES[self.table].references if _must(self.table, column)]
        return tuple(dict.fromkeys([*(n for p in parents for n in Declared(p).needs), self.table]))

    @property
    def uses(self) -> tuple[str, ...]:
        """Columns by which a row names whom it is about, where a row may do without one of them."""
        return NAMES.get("blocks", ()) if self.table in ("blocks", "releases") else ()

    def make(self, bg: Background) -> Stream:
        """The stream in a ledger."""
        facts = bg.facts(self.table)
        order = order_rows(bg.ledger, self.table)
        made = made_of(bg, self.table)
        case = case_of(bg, self.table, np.arange(len(facts)))
        whole = Stream(facts.at, order, case, facts=facts, made=made, own=self._own(bg))
        if not self.where:
            return whole
        met = np.all([whole.meets(one, bg.facts("orders")) for one in self.where], axis=0)
        which = np.flatnonzero(met)
        case = case_of(bg, self.table, which)
        return Stream(facts.at[which], order[which], case, facts=facts, which=which, made=made)

    def _own(self, bg: Background) -> dict[str, Code]:
        if self.table in ("blocks", "releases"):
            block = bg.facts("releases").points["blocks"] if self.table == "releases" else slice(None)
            return {"orders.seller_id": bg.block_sellers[block]}
        return {like: self._named(bg, like, column) for like, column in self.own.items()}

    def _named(self, bg: Background, like: str, column: str) -> Code:
        table, _, of_order = like.partition(".")
        return bg.alike(self.table, column, of_order) if table == "orders" else bg.facts(table).codes(column).codes


def case_of(bg: Background, table: str, rows: Int) -> Int | None:
    """The row of the asked table that rows of a table are, or are about, where such rows are none of the histories'."""
    if bg.asked not in OF_CASE or table not in (bg.asked, *OUTCOMES):
        return None
    if table == bg.asked:
        return rows
    case = bg.facts(table).points.get(bg.asked)
    return None if case is None else case[rows]


def made_of(bg: Background, table: str) -> dict[str, Callable[[], Numbers]]:
    """The made columns of a table, each made when it is first asked for."""
    return {name: _once(column.make, bg) for name, column in MADE.get(table, {}).items()}


def _must(table: str, column: str) -> bool:
    declared = TABLES[table].column(column)
    return declared is not None and declared.required and column != "case_id"


def _once(make: Callable[[Background], Numbers], bg: Background) -> Callable[[], Numbers]:
    """The numbers of a made column, made when they are first asked for."""
    kept: list[Numbers] = []

    def found() -> Numbers:
        if not kept:
            kept.append(make(bg))
        return kept[0]

    return found


def in_order(at: Int, order: Int, sums: Mapping[str, Int], case: Int | None = None) -> Stream:
    """A stream of facts that happened by some moment, sorted by it."""
    rows = np.flatnonzero(at < NOT_YET)
    rows = rows[np.argsort(at[rows], kind="stable")]
    case = None if case is None else case[rows]
    return Stream(at[rows], order[rows], case, sums={name: values[rows] for name, values in sums.items()})
