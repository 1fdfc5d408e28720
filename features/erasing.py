"""Erasing: one buyer made nobody, in his facts and in every history, while what others' histories say stays as it is.

His ids get fresh names, made with a secret that is drawn for this once and kept by nobody: the same in all of his facts, so
that his orders still are one buyer's for the seller who counts buyers, and found in nobody else's, so that a device, a card
or an address that he shared loses him. What others had shown too, by its hash, keeps its name: that it was shown before
stands in their histories. The platform's own names of cases stay, by which later facts about them come.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from features.differing import changes
from features.entries import Emitter, Layout, layouts
from features.homes import Fact, home, ledger, order_among, packed
from features.indices import indexed, orders_under, shown
from features.keys import Batch
from features.neighbours import Decided, neighbours
from features.persons import homes_of
from features.placing import Placed
from features.pseudonyms import ERASED, PERSONAL, hashed, renamed
from features.shelves import SHELVES, put
from features.tables import PARTIES

SECRET: Final = 32
"""Random bytes that fresh names are made with."""
_CONTENT: Final = "content_hash"
_THEIRS: Final = "seller_id"
_HIS: Final = {f"{table}.{column}" for table, some in PERSONAL.items() for column in some if column != _THEIRS}


@dataclass(frozen=True)
class Erased:
    """How many orders and facts of a buyer got fresh names, how many histories were written anew, and records emptied."""

    orders: int
    facts: int
    histories: int
    records: int = 0


@dataclass(frozen=True)
class _Names:
    """Fresh names for the ids of a person, but for what others showed too and for sellers."""

    secret: bytes
    shared: frozenset[str]

    def __call__(self, column: str, name: str) -> str:
        if column == _THEIRS or (column == _CONTENT and name in self.shared):
            return name
        return ERASED + hashed(self.secret, column, name)

    def fact(self, one: Fact) -> Fact:
        """A fact with fresh names."""
        return replace(one, values=renamed(one.table, one.values, self))


def erase(batch: Batch, buyer: str, secret: bytes, decided: Decided, *, horizon: int, sealed_until: int) -> Erased:
    """Erases a buyer from a store's facts and histories."""
    homes = homes_of(batch, buyer)
    name = _Names(secret, _shared(batch, homes))
    around = next(neighbours(batch, Placed(old=dict(homes), new={one: [] for one in homes}), decided))
    mine = {one.arrival for some in homes.values() for one in some}
    after = [name.fact(one) if one.arrival in mine else one for one in around.facts]
    told, now = (Emitter(ledger(facts), horizon, around.before) for facts in (around.facts, after))
    histories = 0
    for shelf, layout in layouts().items():
        changed = changes(SHELVES[shelf], told.entries(layout), now.entries(layout))
        assert not changed.whose or _of_person(layout), f"who a buyer was is no matter of {shelf}"
        put(batch, shelf, changed, sealed_until)
        histories += len(changed.whose)
    _rename(batch, homes, name)
    facts = [one for some in homes.values() for one in some]
    return Erased(sum(one.table == "orders" for one in facts), len(facts), histories)


def _of_person(layout: Layout) -> bool:
    """Whether whose a history is depends on who a buyer is."""
    return not _HIS.isdisjoint(layout.entity.columns)


def _shared(batch: Batch, homes: Mapping[bytes, list[Fact]]) -> frozenset[str]:
    """What others showed too, or he himself did not, of all that was shown about his orders."""
    exhibits = [one for some in homes.values() for one in some if one.table == "evidence"]
    his = {one.text(_CONTENT) for one in exhibits if one["party"] == "buyer"}
    found = {content for one in exhibits if (content := one.text(_CONTENT)) is not None}
    return frozenset(
        content for content in found if content not in his or not _shown_about(batch, content) <= homes.keys()
    )


def _shown_about(batch: Batch, content: str) -> set[bytes]:
    """The homes of the orders about which anyone showed something."""
    return {where for party in PARTIES for where in orders_under(batch, shown(content, party))}


def _rename(batch: Batch, homes: Mapping[bytes, list[Fact]], name: _Names) -> None:
    """Writes his facts under fresh names, and their indices anew."""
    for where, facts in homes.items():
        fresh = [name.fact(one) for one in facts]
        then = order_among(fresh)
        batch.delete(key for key, _ in indexed(where, facts, facts))
        batch.delete([where])
        to = where if then is not None else home("buyer", str(fresh[0]["buyer_id"]))
        batch.put(sorted([(to, packed(fresh)), *indexed(to, fresh, fresh)]))
