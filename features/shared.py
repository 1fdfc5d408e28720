"""Shared: who else showed what the buyer of a case did, and what was bought before with the same card, from a store."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING, Final

import numpy as np

from features.entries import layouts
from features.homes import Fact, unpacked
from features.indices import OF_INSTRUMENT, listed, orders_under
from features.kernel import DAY, Int
from features.keys import Snapshot
from features.pages import joined
from features.priors import COMPELLING, MATCHES, MEASURES, OBJECTIONS
from features.sharing import PLACEHOLDER
from features.shelves import ALONE, pages, prefix
from features.totals import totals

if TYPE_CHECKING:
    from features.given import Case

_EVER: Final = np.zeros(1, np.int64)


@dataclass(frozen=True)
class _Total:
    """What a history holds of all time before a moment: the columns, and the last moment of each stream."""

    columns: Int
    last: Int


def _total(snapshot: Snapshot, shelf: str, name: str, t: int) -> _Total:
    layout = layouts()[shelf]
    history, found = pages(snapshot, [prefix(shelf, name)], t)
    n, streams = int(layout.start[-1]), len(layout.streams)
    out = np.empty(n + 2 * streams, np.int64)
    totals(ALONE[shelf], *joined(found), history, t, _EVER, out)
    return _Total(out[:n], out[n + streams :])


def content(snapshot: Snapshot, case: "Case") -> dict[str, float]:
    """Of what the buyer had shown in disputes about the order, the content most shared; NaN where nothing has a hash."""
    told = [one for name in sorted(_shown(case)) if (one := _sharers(snapshot, name, case.at)) is not None]
    found = {name: max((one[name] for one in told), default=nan) for name in ("buyers", "malicious", "charged")}
    since = [one["days_since_new"] for one in told if one["days_since_new"] == one["days_since_new"]]
    return found | {"days_since_new": min(since, default=nan)}


def _sharers(snapshot: Snapshot, name: str, t: int) -> dict[str, float] | None:
    """Who had shown a content by then; None where they were so many that it is a placeholder."""
    layout, told = layouts()["content"], _total(snapshot, "content", name, t)
    buyers, malicious, charged = (
        int(told.columns[layout.columns[f"{of}.count"]]) for of in ("sharers", "malicious_sharers", "charged_sharers")
    )
    since = (t - int(told.last[layout.streams.index("sharers")])) / DAY if buyers else nan
    found: dict[str, float] = {"buyers": buyers, "malicious": malicious, "charged": charged, "days_since_new": since}
    return None if buyers > PLACEHOLDER else found


def _shown(case: "Case") -> set[str]:
    """The contents that the buyer had shown in disputes about the order."""
    if case.order.text("order_id") is None:
        return set()
    disputes = {one["dispute_id"] for one in case.facts if one.table == "disputes"}
    return {
        str(one["content_hash"])
        for one in case.known("evidence")
        if one["content_hash"] is not None
        and one["party"] == "buyer"
        and one["case_kind"] in (None, "dispute")
        and one["case_id"] in disputes
    }


def earlier(snapshot: Snapshot, case: "Case") -> dict[str, float]:
    """How many undisputed earlier orders with the same card there were; NaN where it is not known, or a placeholder."""
    counts, instrument = dict.fromkeys(MEASURES, 0.0), case.order.text("instrument_id")
    if instrument is None or crowded(snapshot, "instrument", instrument, case.at):
        return dict.fromkeys(MEASURES, nan)
    named = {name: case.order.text(f"{name}_id") for name in MATCHES}
    names = [name for name, of in named.items() if of is not None and not crowded(snapshot, name, of, case.at)]
    for other in _undisputed(snapshot, instrument, case):
        counts["earlier"] += 1
        if COMPELLING.youngest <= case.order.at - other.at <= COMPELLING.oldest:
            same = [name for name in names if other[f"{name}_id"] == named[name]]
            counts["transactions"] += 1
            counts |= {name: counts[name] + 1 for name in same}
            counts["qualifying"] += len(same) >= COMPELLING.matches and not set(same).isdisjoint(MATCHES[:2])
    return counts


def bought_with(snapshot: Snapshot, instrument: str) -> Iterator[list[Fact]]:
    """The facts of each order with an instrument, in the order of time."""
    homes = list(orders_under(snapshot, listed(OF_INSTRUMENT, instrument)))
    yield from (unpacked(kept) for kept in snapshot.many(homes))


def _undisputed(snapshot: Snapshot, instrument: str, case: "Case") -> Iterator[Fact]:
    """Orders with the instrument before that of the case that nobody had objected to."""
    for facts in bought_with(snapshot, instrument):
        order = next(one for one in facts if one.table == "orders")
        objected = any(one.table in OBJECTIONS and one.at < case.at for one in facts)
        if order.at < case.order.at and order.at < case.at and not objected:
            yield order


def crowded(snapshot: Snapshot, shelf: str, name: str, t: int) -> bool:
    """Whether an id linked so many buyers by then that it is a placeholder, which links nobody."""
    return int(_total(snapshot, shelf, name, t).columns[layouts()[shelf].columns["orders.met_buyer"]]) > PLACEHOLDER
