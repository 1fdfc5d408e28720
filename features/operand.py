"""The words of a declaration: what one operand of a signal is taken from, in which rows, over which window.

disputes.claimed                     the sum of a column over a history, in the window of the signal
disputes.count[reason=counterfeit]   of the facts that meet conditions: a word (or several, by |), * for any known
refunds.count@90d                    in a window of its own
orders.met_device                    partners met for the first time
orders.first, orders.last            the moment of the first and the last fact
order.amount, asking.at              a number or a moment of the case itself, or of the rows it points to
dispute.reason=quality|damaged       1 where a word of the case is one of these, else 0
order.ship_country!=order.bill_country   1 where two words of the case differ
listing.title~imitation              1 where a text of the case holds one of a list of words
?findings.count                      unknown, not absent, where the ledger lacks what it is taken from
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Final

CASE: Final = {
    "asking": "",
    "order": "orders",
    "dispute": "disputes",
    "chargeback": "chargebacks",
    "listing": "listings",
}
"""What an operand of the case itself may be taken from, and the table whose row that is."""
GIVEN: Final = ("content", "priors", "credit")
"""What is found for each case by a computation of its own, in a file of its own."""
_OPERAND: Final = re.compile(
    r"(?P<free>\??)(?P<source>\w+)\.(?P<measure>\w+)(?:\[(?P<where>[^]]+)\]|(?P<op>!=|=|~)(?P<other>[^@]+))?(?:@(?P<window>\w+))?"
)
_CONDITION: Final = re.compile(r"(?P<column>\w+)(?P<op>!=|=)(?P<value>.+)")


@dataclass(frozen=True)
class Condition:
    """What a fact must meet: a `column`, `=` or `!=`, and words, `*` for any known one, or the order's own column."""

    column: str
    op: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Operand:
    """One operand: the `source` (a stream, or of the case), the `measure` or column, and what narrows it."""

    text: str
    source: str
    measure: str
    where: tuple[Condition, ...] = ()
    op: str = ""
    other: tuple[str, ...] = ()
    window: str | None = None
    optional: bool = False

    @property
    def of_case(self) -> bool:
        """Whether it is of the case itself and not of a history."""
        return self.source in CASE or self.source in GIVEN


@cache
def operand(text: str) -> Operand:
    """The operand that a text declares; ValueError when it is none.

    >>> found = operand("disputes.count[reason=quality|damaged]@90d")
    >>> found.source, found.measure, found.where[0].words, found.window
    ('disputes', 'count', ('quality', 'damaged'), '90d')
    >>> operand("order.ship_country!=order.bill_country").other
    ('order.bill_country',)
    """
    found = _OPERAND.fullmatch(text)
    if found is None:
        raise ValueError(f"want an operand such as disputes.count[reason=other]@90d, got {text}")
    where = tuple(_condition(one) for one in (found["where"] or "").split(",") if one)
    other = tuple((found["other"] or "").split("|")) if found["other"] else ()
    return Operand(
        text, found["source"], found["measure"], where, found["op"] or "", other, found["window"], bool(found["free"])
    )


def _condition(text: str) -> Condition:
    found = _CONDITION.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"want a condition such as reason=other, got {text}")
    return Condition(found["column"], found["op"], tuple(found["value"].split("|")))
