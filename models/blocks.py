"""Blocked orders and sellers: what the seller must supply, by when, and what happens then."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from features import Ledger, RedressError
from features.background import NOT_YET, first_at
from features.kernel import HOUR
from features.tables import CAUSES
from models.deadlines import shown
from models.pending import defended_at
from models.sections import number


@dataclass(frozen=True)
class Blocks:
    """What is assumed of blocks; the section `blocks` of a policy."""

    chargeback: float = number(
        120.0, "hours", "a seller has to answer a bank's notice", "the platform's five days to answer"
    )
    risk_address: float = number(24.0, "hours", "until an order to a risky address is closed", "the platform's rule")


@dataclass(frozen=True)
class Demand:
    """What a block asks for: kinds of evidence where there are such, words for the rest; and what comes of it.

    Without a `cause` it is of every block of its kind whose cause is none of the declared. `hours` names the number of the
    section after which it ends by itself, if it does.
    """

    kind: str | None
    cause: str | None
    items: tuple[str, ...]
    words: tuple[str, ...]
    hours: str | None
    then: str
    source: str


_APPEAL: Final = "Orders stay frozen until an appeal succeeds; nothing is shipped or paid out before."
_INTEGRITY: Final = "the platform's rule for seller integrity; which items speak to a cause is an assumption"


def _doubt(cause: str | None, items: tuple[str, ...], *words: str) -> Demand:
    return Demand("seller_integrity", cause, items, words, None, _APPEAL, _INTEGRITY)


DEMANDS: Final = (
    Demand(
        "chargeback",
        None,
        ("tracking", "delivery_certificate", "shipping_receipt", "correspondence"),
        (
            "whether the parcel has left, and if not, that it is kept back",
            "that name, address, carrier and dates of the shipment are right",
        ),
        "chargeback",
        "The order was frozen when the bank's notice came, before the seller was told. Without an answer by then the "
        "chargeback is lost; otherwise the order stays frozen until the bank decides.",
        "the platform's rule for a bank's chargeback notice",
    ),
    Demand(
        "risk_address",
        None,
        ("identity_match", "correspondence"),
        (
            "the buyer's confirmation of name, address and telephone number",
            "that nothing is shipped until the order is released",
        ),
        "risk_address",
        "The order is closed and the buyer is paid back.",
        "the platform's rule for risky addresses: blocked, and closed within 24 hours; what clears one is an assumption",
    ),
    _doubt(
        "counterfeit",
        ("brand_authorisation", "listing_copy", "product_photo"),
        "invoices of the goods from the brand or a dealer",
    ),
    _doubt("description", ("listing_copy", "product_photo"), "what the page is corrected to where it was wrong"),
    _doubt("quality", ("product_photo", "pre_shipment_count"), "reports of tests or inspections of the goods"),
    _doubt(
        "false_transactions",
        ("tracking", "delivery_certificate", "shipping_receipt", "correspondence"),
        "who the buyers of the orders in doubt are, and that they are not the seller's own",
    ),
    _doubt(None, ("correspondence", "other"), "a statement on what the notice says"),
    Demand(
        None,
        None,
        (),
        ("what kind of block it is, which is not known: ask the platform",),
        None,
        "It stays frozen until it is released.",
        "a ledger may not tell the kind",
    ),
)
"""What each kind of block asks for; the first that fits holds."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """A block as the ledger has it; microseconds since 1970 UTC.

    Of a bank's notice `respond_by` is when the bank wants an answer, and `answered` says that a defence was filed.
    """

    block_id: str
    kind: str | None
    at: int
    cause: str | None = None
    order_id: str | None = None
    seller_id: str | None = None
    closes_by: int | None = None
    respond_by: int | None = None
    answered: bool = False


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """What the seller must supply to end a block, by when (None: no time runs, an appeal ends it), and what happens then."""

    block_id: str
    items: tuple[str, ...]
    words: tuple[str, ...]
    deadline: int | None
    local: str
    then: str
    overdue: bool


def demand(kind: str | None, cause: str | None) -> Demand:
    """What a kind of block asks for, by its cause; RedressError for what is no kind or no cause.

    >>> demand("seller_integrity", "counterfeit").items[0], demand("seller_integrity", None).items[0]
    ('brand_authorisation', 'correspondence')
    """
    kinds = [one.kind for one in DEMANDS]
    if kind not in kinds:
        named = ", ".join(sorted({one for one in kinds if one is not None}))
        raise RedressError(
            f"block.kind: want one of {named}, got {kind}; use one of those, or none where it is not known"
        )
    if cause is not None and cause not in CAUSES:
        raise RedressError(
            f"block.cause: want one of {', '.join(CAUSES)}, got {cause}; use one of those, or none where it is not known"
        )
    return next(one for one in DEMANDS if one.kind == kind and one.cause in (cause, None))


def required(block: Block, at: int, blocks: Blocks, *, zone: str = "UTC") -> Requirement:
    """What a block asks for as of `at`; the ledger's `closes_by` wins over the bank's date, and that over the section's hours.

    It is overdue from its deadline on, unless it was answered.

    >>> hour = 3_600_000_000
    >>> risky = Block(block_id="k", kind="risk_address", at=0)
    >>> [required(risky, at * hour, Blocks()).overdue for at in (23, 24)], required(risky, 0, Blocks()).local
    ([False, True], '1970-01-02T00:00:00+00:00 UTC')
    """
    asked = demand(block.kind, block.cause)
    runs = None if asked.hours is None else block.at + round(float(getattr(blocks, asked.hours)) * HOUR)
    deadline = next((one for one in (block.closes_by, block.respond_by, runs) if one is not None), None)
    return Requirement(
        block_id=block.block_id,
        items=asked.items,
        words=asked.words,
        deadline=deadline,
        local="none, until an appeal succeeds" if deadline is None else shown(deadline, zone),
        then=asked.then,
        overdue=deadline is not None and deadline <= at and not block.answered,
    )


def open_blocks(ledger: Ledger, as_of: int, blocks: Blocks, *, zone: str = "UTC") -> pd.DataFrame:
    """The blocks open as of a time, each with its requirement: those that came before it, and that no release before it ended.

    Columns: block_id, kind, cause, order_id, seller_id (None unknown), at and deadline (times in UTC, NaT none), items and
    words (tuples), local, then, overdue. In time order; none where a ledger has no blocks.
    """
    held = _open(ledger, as_of)
    told = [required(block, as_of, blocks, zone=zone) for block in held]
    columns: dict[str, list[object]] = {name: [getattr(one, name) for one in held] for name in _OF_BLOCK}
    columns |= {name: [getattr(one, name) for one in told] for name in _OF_REQUIREMENT}
    frame = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})
    times = {name: pa.array(columns[name], pa.timestamp("us", "UTC")).to_pandas() for name in ("at", "deadline")}
    return frame.assign(**times, overdue=frame["overdue"].astype(bool))


_OF_BLOCK: Final = ("block_id", "kind", "cause", "order_id", "seller_id", "at")
_OF_REQUIREMENT: Final = ("items", "words", "deadline", "local", "then", "overdue")


def _open(ledger: Ledger, as_of: int) -> list[Block]:
    facts = ledger.facts.get("blocks")
    if facts is None:
        return []
    ended = np.full(len(facts), NOT_YET)
    if "releases" in ledger.facts:
        releases = ledger.facts["releases"]
        ended = first_at(releases.points["blocks"], releases.at, len(facts))
    rows = np.flatnonzero((facts.at < as_of) & (ended >= as_of))
    words = {name: facts.strings(name).take(pa.array(rows)).to_pylist() for name in _OF_BLOCK[:-1]}
    closes, known = facts.numbers("closes_by")
    notices = _notices(ledger, as_of)
    order = facts.points.get("orders", np.full(len(facts), -1))
    banks = [
        notices.get(int(order[row])) if kind == "chargeback" else None
        for row, kind in zip(rows, words["kind"], strict=True)
    ]
    return [
        Block(
            **{name: values[i] for name, values in words.items()},
            at=int(facts.at[row]),
            closes_by=int(closes[row]) if known[row] else None,
            respond_by=bank[0] if bank else None,
            answered=bank is not None and bank[1],
        )
        for i, (row, bank) in enumerate(zip(rows, banks, strict=True))
    ]


def _notices(ledger: Ledger, as_of: int) -> dict[int, tuple[int | None, bool]]:
    """Of each order that was charged back before `as_of`, by its latest chargeback: until when, and whether it was defended."""
    facts = ledger.facts.get("chargebacks")
    if facts is None:
        return {}
    due, known = facts.numbers("respond_by")
    order, defended = facts.points["orders"], defended_at(ledger, as_of) < NOT_YET
    came = np.flatnonzero((facts.at < as_of) & (order >= 0))
    return {int(order[row]): (int(due[row]) if known[row] else None, bool(defended[row])) for row in came}
