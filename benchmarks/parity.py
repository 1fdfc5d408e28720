"""Parity: what a store says beside what the batch says of the same facts, history by history and case by case."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from random import Random
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features import Ledger, given
from features.asking import ASKED, named_askings
from features.build import gathered
from features.dictionary import dictionary
from features.homes import COLUMNS, PLACES, Fact, facts_of
from features.instant import Instant
from features.kernel import DAY
from features.keys import end
from features.pages import unpacked
from features.shelves import SHAPES, SHELVES
from features.store import Store

Row = tuple[int, int, tuple[int, ...]]
"""When something entered a history, of which stream it is, and what it adds."""
Facts = dict[str, list[Mapping[str, object]]]
LATER: Final = (0, 0, 1, 1_000_000, DAY - 1, DAY, 5 * DAY, 30 * DAY, 100 * DAY)
"""How long after its own moment a row is asked about again, in microseconds."""


def in_order(ledger: Ledger) -> list[Fact]:
    """The good facts of a ledger as they came: in the order of time, those that others point to before these."""
    return sorted(facts_of(ledger), key=lambda one: (one.at, PLACES[one.table]))


def told(facts: Iterable[Fact]) -> Facts:
    """Facts by table, as a platform sends them."""
    found: Facts = {}
    for one in facts:
        found.setdefault(one.table, []).append({name: one[name] for name in COLUMNS[one.table]})
    return found


def histories(store: Store) -> dict[tuple[str, bytes], list[Row]]:
    """The rows of every history, by its kind and the hash of its name, those of one moment in any order."""
    found: dict[tuple[str, bytes], list[Row]] = {}
    with store.keys.reading() as snapshot:
        for name, first in SHELVES.items():
            start = SHAPES[name].start
            for key, page in snapshot.span(first, end(first)):
                rows = unpacked(SHAPES[name], page).rows
                ends = np.append(0, np.cumsum(np.diff(start)[rows.stream])).tolist()
                values = rows.values.tolist()
                some = [tuple(values[lo:hi]) for lo, hi in pairwise(ends)]
                of = zip(rows.at.tolist(), rows.stream.tolist(), some, strict=True)
                found.setdefault((name, key[len(first) : len(first) + 16]), []).extend(of)
    return {key: sorted(rows) for key, rows in found.items()}


def asked(ledger: Ledger, question: str, random: Random, most: int) -> list[tuple[str, int]]:
    """Rows that a question asks about, each at its own moment or some time after, none twice."""
    facts = ledger.facts.get(ASKED[question])
    if facts is None or not len(facts):
        return []
    ids, at = facts.strings(facts.table.key[0]).to_pylist(), facts.at.tolist()
    found = set[tuple[str, int]]()
    while len(found) < most:
        i, later = random.randrange(len(ids)), random.choice((random.choice(LATER), random.randrange(100 * DAY)))
        found.add((ids[i], at[i] + later))
    return sorted(found)


def unequal(store: Store, ledger: Ledger, question: str, asks: Sequence[tuple[str, int]]) -> Iterator[str]:
    """Every signal of which a store says something else than the batch over a ledger, to the bit."""
    if not asks:
        return
    at = pd.to_datetime([t for _, t in asks], unit="us", utc=True)
    some = named_askings(ledger, question, pd.DataFrame({"ask_id": [name for name, _ in asks], "at": at}))
    frame = gathered(ledger, some, horizon=store.horizon)
    names = [one.name for one in dictionary(question)]
    batch = frame.reindex(columns=names).to_numpy(np.float32)
    with store.keys.reading() as snapshot:
        instant = Instant(question, names, lacks=store.stands(snapshot).lacks)
        for i, (ask_id, t) in enumerate(zip(some.ids.to_pylist(), some.at.tolist(), strict=True)):
            row = instant.signals(snapshot, given.found(snapshot, question, ask_id, t))
            for k in np.flatnonzero(_bits(row) != _bits(batch[i])):
                yield f"{question} {ask_id} at {t}: {names[k]} is {batch[i, k]}, the store says {row[k]}"


def _bits(row: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Numbers as bits, all that are not known as the same, and zero without its sign."""
    return (np.where(np.isnan(row), np.float32("nan"), row) + np.float32(0)).view(np.uint32)
