"""Chargebacks that wait for an answer, read from a ledger as of a time."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features import Ledger, RedressError
from features.background import NOT_YET, first_at, is_ending
from features.kernel import Flag, Int
from models.stakes import Case


def pending(ledger: Ledger, as_of: int) -> list[Case]:
    """The chargebacks that came before `as_of` and were neither defended nor ended before it, in time order."""
    if "chargebacks" not in ledger.facts:
        return []
    closed = np.minimum(defended_at(ledger, as_of), ended_at(ledger, as_of))
    came = ledger.facts["chargebacks"].at < as_of
    return _cases(ledger, np.flatnonzero(came & (closed == NOT_YET)), as_of)


def case(ledger: Ledger, chargeback_id: str, at: int) -> Case:
    """One chargeback as it is known at `at`; RedressError where there is none of that id by then."""
    facts = ledger.facts.get("chargebacks")
    row = -1 if facts is None else int(pc.index(facts.strings("chargeback_id"), chargeback_id).as_py())
    if facts is None or row < 0 or facts.at[row] > at:
        raise RedressError(
            f"chargeback: want one that came by then, got {chargeback_id}; redress check counts those that there are"
        )
    return _cases(ledger, np.array([row]), at)[0]


def _cases(ledger: Ledger, rows: Int, at: int) -> list[Case]:
    facts = ledger.facts["chargebacks"]
    order = facts.points["orders"][rows]
    words = {
        name: _texts(facts.strings(name), rows) for name in ("chargeback_id", "order_id", "network", "reason_code")
    }
    cents, due = (_numbers(*facts.numbers(name), rows) for name in ("amount", "respond_by"))
    noticed, disputed, shown = _noticed(ledger, at), _disputed(ledger, order, at), _shown(ledger, rows, order, at)
    defended, ended = defended_at(ledger, at) < NOT_YET, ended_at(ledger, at) < NOT_YET
    return [
        Case(
            chargeback_id=str(words["chargeback_id"][i]),
            order_id=words["order_id"][i],
            at=at,
            charged_at=int(facts.at[row]),
            amount=cents[i],
            network=words["network"][i],
            reason_code=words["reason_code"][i],
            respond_by=due[i],
            notice=bool(noticed[order[i]]),
            evidence=shown[i],
            dispute=disputed.get(int(order[i])),
            contested=bool(defended[row]),
            ended=bool(ended[row]),
        )
        for i, row in enumerate(rows)
    ]


def _texts(values: pa.Array, rows: Int) -> list[str | None]:
    found: list[str | None] = values.take(pa.array(rows)).to_pylist()
    return found


def _numbers(values: Int, known: Flag, rows: Int) -> list[int | None]:
    return [int(values[row]) if known[row] else None for row in rows]


def defended_at(ledger: Ledger, as_of: int) -> Int:
    """When each chargeback was first defended, NOT_YET where it was not before `as_of`."""
    if "representments" not in ledger.facts:
        return np.full(len(ledger.facts["chargebacks"]), NOT_YET)
    return _first(ledger, "representments", as_of)


def ended_at(ledger: Ledger, as_of: int) -> Int:
    """When each chargeback first ended, which pre-arbitration does not, NOT_YET where it had not before `as_of`."""
    if "chargeback_rulings" not in ledger.facts:
        return np.full(len(ledger.facts["chargebacks"]), NOT_YET)
    return _first(ledger, "chargeback_rulings", as_of, is_ending(ledger.facts["chargeback_rulings"].codes("outcome")))


def _first(ledger: Ledger, table: str, as_of: int, which: Flag | None = None) -> Int:
    facts = ledger.facts[table]
    first = first_at(facts.points["chargebacks"], facts.at, len(ledger.facts["chargebacks"]), which)
    return np.where(first < as_of, first, NOT_YET)


def _noticed(ledger: Ledger, as_of: int) -> Flag:
    """Whether the delivery notice of each order (orders + 1,) was filled before `as_of`: a shipment with a tracking_id."""
    orders = len(ledger.facts["orders"])
    if "shipments" not in ledger.facts:
        return np.zeros(orders + 1, np.bool_)
    facts = ledger.facts["shipments"]
    first = first_at(facts.points["orders"], facts.at, orders, facts.codes("tracking_id").codes >= 0)
    return np.append(first < as_of, False)


def _disputed(ledger: Ledger, order: Int, as_of: int) -> dict[int, str | None]:
    """The reason of the latest dispute before `as_of` about each of the orders."""
    if "disputes" not in ledger.facts:
        return {}
    facts = ledger.facts["disputes"]
    about = facts.points["orders"]
    rows = np.flatnonzero((facts.at < as_of) & (about >= 0) & np.isin(about, order))
    return dict(zip(about[rows].tolist(), _texts(facts.strings("reason"), rows), strict=True))


def _shown(ledger: Ledger, rows: Int, order: Int, as_of: int) -> list[tuple[str, ...]]:
    """The kinds of evidence brought before `as_of` on each chargeback or on its order, in the order of the alphabet."""
    if "evidence" not in ledger.facts:
        return [()] * len(rows)
    facts = ledger.facts["evidence"]
    kinds, known = facts.strings("kind"), facts.at < as_of
    charge, about = facts.points["chargebacks"], facts.points["orders"]
    of_case = _by(charge, known & np.isin(charge, rows), kinds)
    of_order = _by(about, known & (about >= 0) & np.isin(about, order), kinds)
    pairs = zip(rows.tolist(), order.tolist(), strict=True)
    return [tuple(sorted(of_case.get(row, set()) | of_order.get(one, set()))) for row, one in pairs]


def _by(parent: Int, which: Flag, kinds: pa.Array) -> dict[int, set[str]]:
    rows, found = np.flatnonzero(which), dict[int, set[str]]()
    for one, kind in zip(parent[rows].tolist(), _texts(kinds, rows), strict=True):
        if kind is not None:
            found.setdefault(one, set()).add(kind)
    return found
