"""Content: who else brought the same picture or paper as evidence, by its hash."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from features.asking import Askings
from features.background import Background, is_word, order_rows
from features.kernel import DAY, NEVER, Code, Int, positions, windowed
from features.sharing import SHARED, Meetings
from features.signal import Float

_NEEDS: Final = ("disputes", "evidence", "evidence.content_hash")
_STREAM: Final[Mapping[str, str]] = {
    "buyers": "sharers",
    "malicious": "malicious_sharers",
    "charged": "charged_sharers",
    "days_since_new": "sharers",
}
"""The stream of sharers that each measure is read from."""


def needs(measure: str) -> tuple[str, ...]:
    """The tables and columns that a measure needs."""
    return (*_NEEDS, *SHARED[_STREAM[measure]].needs)


def found(bg: Background, asks: Askings, order: Int, measures: Sequence[str]) -> dict[str, Float]:
    """Of what buyers had shown in disputes about each asked order, the content most shared; NaN where nothing has a hash.

    `buyers` is how many had shown it, this one among them, `malicious` and `charged` how many of these had been found so
    or charged back by then, and `days_since_new` the time since the last new one came.
    """
    items, met = shown(bg)
    pair, thing = _of_orders(items, order, asks.at)
    ours = met.crowded_at()[thing] >= asks.at[pair]
    pair, thing = pair[ours], thing[ours]
    first = met.first()
    return {name: _most_shared(bg, first, pair, thing, asks.at, name) for name in measures}


def _most_shared(bg: Background, met: Meetings, pair: Int, thing: Code, t: Int, measure: str) -> Float:
    """The measure of the most shared of the things that belong to each asking of `t` (n,)."""
    at, code, step = SHARED[_STREAM[measure]].make(bg, met)
    totals = windowed(at, code, [step], thing, t[pair], [0])
    out = np.full(t.size, np.nan)
    if measure == "days_since_new":
        last = np.where(totals.last == NEVER, np.nan, totals.last)
        np.fmin.at(out, pair, (t[pair] - last) / DAY)
    else:
        np.fmax.at(out, pair, totals.windows[0, 0].astype(np.float64))
    return out


def shown(bg: Background) -> tuple[Meetings, Meetings]:
    """What buyers showed in disputes: content by order, and content by buyer."""
    evidence = bg.facts("evidence")
    content = evidence.codes("content_hash").codes
    by_buyer = is_word(evidence.codes("party"), "buyer") & (evidence.points["disputes"] >= 0)
    rows = np.flatnonzero((content >= 0) & by_buyer)
    order = order_rows(bg.ledger, "evidence")[rows]
    of_order = Meetings(evidence.at[rows], content[rows], order.astype(np.int32))
    return of_order, Meetings(evidence.at[rows], content[rows], bg.codes("buyer_id")[order])


def _of_orders(items: Meetings, order: Int, t: Int) -> tuple[Int, Code]:
    """Which asking, in order, and which content, for all that was shown about the asked order before."""
    sort = np.argsort(items.buyer, kind="stable")
    of = items.buyer[sort]
    lo, hi = (np.searchsorted(of, order, side) for side in ("left", "right"))
    pair, where = positions(lo, np.where(order >= 0, hi, lo))
    item = sort[where]
    seen = items.at[item] < t[pair]
    return pair[seen], items.code[item[seen]]
