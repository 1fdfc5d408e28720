"""The case itself: what the row asked about and the rows it points to say, given at their own moment."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import numpy as np

from features import content, priors
from features.asking import Askings
from features.background import Background, in_words_of
from features.columns import Codes
from features.kernel import Int
from features.ledger import Facts
from features.made import MADE
from features.operand import CASE, Operand
from features.signal import Float
from features.words import WORDS

Given = Callable[[Background, Askings, Int, Sequence[str]], dict[str, Float]]
"""Finds measures of the case from askings and the row of `orders` of each."""


def _credit(bg: Background, asks: Askings, order: Int, measures: Sequence[str]) -> dict[str, Float]:
    """The prior of each kind of mark, `KIND_marks` or `KIND_orders`, the same for all."""
    prior = {f"{kind}_{of}": value for kind, rate in bg.prior.to_json().items() for of, value in rate.items()}
    return {measure: np.full(len(asks), prior[measure]) for measure in measures}


FOUND: Final[Mapping[str, Given]] = {"content": content.found, "priors": priors.found, "credit": _credit}
"""What is found for each case by a computation of its own."""
NEEDS: Final[Mapping[str, Callable[[str], tuple[str, ...]]]] = {
    "content": content.needs,
    "priors": priors.needs,
    "credit": lambda measure: (),
}
USES: Final[Mapping[str, tuple[str, ...]]] = {"priors": priors.USES}
_POINTED: Final[Mapping[str, tuple[str, ...]]] = {
    "listing": ("listings", "orders.product_id"),
    "dispute": ("disputes",),
    "chargeback": ("chargebacks",),
}


def needs(one: Operand) -> tuple[str, ...]:
    """The tables and columns that an operand of the case is taken from."""
    if one.source not in CASE:
        return NEEDS[one.source](one.measure)
    if one.source == "asking":
        return ()
    found = [*_POINTED.get(one.source, ()), *_column(CASE[one.source], one.measure)]
    if one.op == "!=":
        source, _, column = one.other[0].partition(".")
        found += _column(CASE[source], column)
    return tuple(found)


def uses(one: Operand) -> tuple[str, ...]:
    """The tables and columns that an operand of the case looks into where a ledger has them."""
    return USES.get(one.source, ())


def _column(table: str, name: str) -> tuple[str, ...]:
    return () if name in MADE.get(table, {}) else (f"{table}.{name}",)


def values(bg: Background, asks: Askings, order: Int, operands: Iterable[Operand]) -> dict[str, Float]:
    """Operands of the case by their text, for each asking, NaN where they are unknown."""
    made: dict[str, list[Operand]] = {}
    for one in operands:
        made.setdefault(one.source, []).append(one)
    found: dict[str, Float] = {}
    for source, some in made.items():
        if source in FOUND:
            by_measure = FOUND[source](bg, asks, order, [one.measure for one in some])
            found |= {one.text: by_measure[one.measure] for one in some}
        else:
            found |= {one.text: _value(bg, asks, order, one) for one in some}
    return found


def _value(bg: Background, asks: Askings, order: Int, one: Operand) -> Float:
    if one.source == "asking":
        return asks.at.astype(np.float64)
    facts, rows = _rows(bg, asks, order, one.source)
    if not one.op:
        return _number(bg, facts, one.measure, rows)
    return _flag(bg, asks, order, one, facts, rows)


def _rows(bg: Background, asks: Askings, order: Int, source: str) -> tuple[Facts, Int]:
    """The facts that an operand is taken from and the row of each asking, -1 where there is none."""
    if source == "listing":
        return bg.facts("listings"), bg.listing[order]
    return bg.facts(CASE[source]), order if source == "order" else asks.row


def known(facts: Facts, column: str, rows: Int) -> Float:
    """A number, time or flag column at the given rows, NaN where it or the row is unknown."""
    if column == "at":
        return np.append(facts.at.astype(np.float64), np.nan)[rows]
    found, known_ = facts.numbers(column)
    return np.append(np.where(known_, found, np.nan), np.nan)[rows]


def _number(bg: Background, facts: Facts, column: str, rows: Int) -> Float:
    made = MADE.get(facts.table.name, {}).get(column)
    if made is None:
        return known(facts, column, rows)
    found, known_ = made.make(bg)
    return np.append(np.where(known_, found, np.nan), np.nan)[rows]


def _flag(bg: Background, asks: Askings, order: Int, one: Operand, facts: Facts, rows: Int) -> Float:
    """1 where a word is one of some, holds one of some, or is another than a second one; NaN where a word is unknown."""
    words = facts.codes(one.measure)
    codes = np.append(words.codes, -1)[rows]
    if one.other == ("*",):
        return np.where(rows < 0, np.nan, (codes >= 0).astype(np.float64))
    if one.op == "!=":
        source, _, column = one.other[0].partition(".")
        others, where = _rows(bg, asks, order, source)
        return _unlike(words, codes, others.codes(column), np.append(others.codes(column).codes, -1)[where])
    said = words.values.to_pylist()
    if one.op == "~":
        hit = [bool(re.search(WORDS[one.other[0]], str(text), re.IGNORECASE)) for text in said]
    else:
        hit = [text in one.other for text in said]
    return np.where(codes < 0, np.nan, np.array([*hit, False], np.float64)[codes])


def _unlike(words: Codes, codes: Int, others: Codes, theirs: Int) -> Float:
    ours = in_words_of(words, others)[codes]
    return np.where((codes < 0) | (theirs < 0), np.nan, (ours != theirs).astype(np.float64))
