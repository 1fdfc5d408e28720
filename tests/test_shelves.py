"""Shelves: pages that come due, changes at the end of a history beside changes anywhere, windows over pages without states."""

from collections.abc import Sequence
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.changing import Each, each
from features.differing import Changes, _marks, _unmatched
from features.kernel import Int
from features.keys import Keys, Snapshot, end, opened
from features.pages import ROWS, SEALED, UNSEALED, Rows, joined, unpacked
from features.shelves import ALONE, DUE, HISTORIES, SHAPES, _among, pages, prefix, put, seal
from features.totals import totals

SHELF = "category"
ONE = prefix(SHELF, "lamps")
NEVER_SEALED = -1
Row = tuple[int, int]
"""A moment and a price."""


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return opened(tmp_path / "keys", create=True, durable=False)


def these(rows: Sequence[Sequence[Row]]) -> Each:
    """Rows of histories, each of one stream with a price and whether it is known."""
    flat = [row for some in rows for row in some]
    values = np.array([(price, 1) for _, price in flat], np.int64).reshape(-1, 2)
    made = Rows(np.array([at for at, _ in flat], np.int64), np.zeros(len(flat), np.uint8), values.ravel())
    return each(SHAPES[SHELF].start, made, np.cumsum([0, *map(len, rows)]))


def change(whose: Sequence[bytes], added: Sequence[Sequence[Row]], removed: Sequence[Sequence[Row]] = ()) -> Changes:
    return Changes(whose, these(added), these(removed or [[] for _ in whose]))


def kinds(snapshot: Snapshot) -> list[int]:
    return [data[0] for _, data in snapshot.span(HISTORIES, end(HISTORIES))]


def windows(snapshot: Snapshot, t: int, lengths: Sequence[int]) -> Int:
    """The prices and how many there are in windows before a moment, the first being of all time."""
    history, found = pages(snapshot, [ONE], t, [lengths])
    edges = np.array([0, *lengths], np.int64)
    out = np.empty(ALONE[SHELF].places(edges.size)[-1], np.int64)
    totals(ALONE[SHELF], *joined(found), history, t, edges, out)
    return out[: 2 * edges.size].reshape(-1, 2)


def test_a_history_that_nothing_touches_is_sealed_bit_by_bit_when_its_pages_are_due(keys: Keys) -> None:
    rows = [(at, 3) for at in range(10, 10 + 4 * ROWS)]
    with keys.writing() as batch:
        put(batch, SHELF, change([ONE], [rows]), NEVER_SEALED)
        assert kinds(batch)[1:] == [UNSEALED] * 3
        before = windows(batch, 10 + 4 * ROWS, [5])
        assert before.tolist() == [[12 * ROWS, 4 * ROWS], [15, 5]]
        seal(batch, 10 + 2 * ROWS, 1)
        assert kinds(batch)[1:] == [SEALED, SEALED, UNSEALED], (
            "two start until then, and one call takes all of one history"
        )
        seal(batch, 10**9, 10)
        assert kinds(batch)[1:] == [SEALED] * 3
        assert list(batch.span(DUE, end(DUE))) == [], "what is sealed is due no more"
        assert windows(batch, 10 + 4 * ROWS, [5]).tolist() == before.tolist()


def test_windows_go_back_over_pages_that_have_no_state_to_one_that_has(keys: Keys) -> None:
    rows = [(at, at % 7) for at in range(5 * ROWS)]
    with keys.writing() as batch:
        put(batch, SHELF, change([ONE], [rows[: 2 * ROWS]]), ROWS)
        put(batch, SHELF, change([ONE], [rows[2 * ROWS :]]), ROWS)
        assert UNSEALED in kinds(batch)[2:]
        for t, length in ((5 * ROWS, 1), (5 * ROWS, 3 * ROWS), (3 * ROWS + 1, 2), (4 * ROWS, 4 * ROWS), (1, 1)):
            inside = [[price for at, price in rows if t - w <= at < t] for w in (10 * ROWS, length)]
            assert windows(batch, t, [length]).tolist() == [[sum(some), len(some)] for some in inside], (t, length)


@pytest.mark.parametrize("seed", range(6))
def test_changes_in_one_call_for_all_last_pages_are_those_of_one_history_after_the_other(
    keys: Keys, tmp_path: Path, seed: int
) -> None:
    random, other = Random(seed), opened(tmp_path / "other", create=True, durable=False)
    whose = sorted(prefix(SHELF, name) for name in "abcdefgh")
    there: dict[bytes, list[Row]] = {one: [] for one in whose}
    for now in range(0, 60, 10):
        some = [one for one in whose if random.random() < 0.8]
        removed = [[row for row in there[one] if row[0] >= now and random.random() < 0.3] for one in some]
        added = [sorted(_rows(random, now)) for _ in some]
        changed = change(some, added, removed)
        with keys.writing() as batch, other.writing() as twin:
            put(batch, SHELF, changed, now)
            gone, made = _among(twin, SHELF, {one: changed.of(i) for i, one in enumerate(some)}, now)
            twin.delete(gone)
            twin.put(made)
            for name in some:
                assert _told(batch, name) == _told(twin, name)
        for i, one in enumerate(some):
            left = list(there[one])
            for row in removed[i]:
                left.remove(row)
            there[one] = left + added[i]
    with keys.reading() as snapshot:
        assert {one: sorted(_told(snapshot, one)) for one in whose} == {
            one: sorted(some) for one, some in there.items()
        }


def _rows(random: Random, now: int) -> list[Row]:
    """A few rows, or more than a page holds, from now on."""
    return [(now + random.randrange(25), random.randrange(9)) for _ in range(random.choice([1, 3, ROWS, 2 * ROWS]))]


def _told(snapshot: Snapshot, whose: bytes) -> list[Row]:
    found = [unpacked(SHAPES[SHELF], data).rows for _, data in snapshot.span(whose, end(whose))]
    return [row for rows in found for row in zip(rows.at.tolist(), rows.values[::2].tolist(), strict=True)]


def test_a_page_stays_what_it_is_where_a_first_one_is_changed_with_it(keys: Keys) -> None:
    before = next(one for one in (prefix(SHELF, str(i)) for i in range(99)) if one < ONE)
    rows = [(at, 3) for at in range(10, 2 * ROWS)]
    with keys.writing() as batch:
        put(batch, SHELF, change([before, ONE], [rows[:1], rows]), 10**6)
        put(batch, SHELF, change([before, ONE], [[(10**4, 1)], [(10**4, 5)]]), 10**6)
        assert windows(batch, 10**5, [1]).tolist() == [[6 * ROWS - 25, 2 * ROWS - 9], [0, 0]]


ROW = st.tuples(st.integers(0, 1), st.integers(0, 1), st.integers(0, 1), st.integers(-1, 0), st.integers(0, 1))
"""Whose, when, of which stream, and two values, of which the first stream has one."""


@given(st.lists(st.tuples(ROW, st.sampled_from([1, -1])), max_size=60), st.sampled_from([0, 1, 16, 17, 2**63]))
@settings(max_examples=100, deadline=None)
def test_of_rows_that_are_alike_the_first_that_have_no_other_across_stay(
    some: list[tuple[tuple[int, ...], int]], mark: int
) -> None:
    rows = [(row[: 4 + row[2]], sign) for row, sign in some]
    left, expected = {row: sum(sign for other, sign in rows if other == row) for row, _ in rows}, list[int]()
    for i, (row, sign) in enumerate(rows):
        if left[row] * sign > 0:
            expected.append(i)
            left[row] -= sign
    codes, at, stream = (np.array([row[k] for row, _ in rows], np.int64) for k in range(3))
    values = np.array([value for row, _ in rows for value in row[3:]], np.int64)
    told = np.array([0, 1, 3]), codes.astype(np.int32), at, stream.astype(np.uint8), values
    for marks in (np.full(len(rows), mark, np.uint64), _marks(*told)):
        assert _unmatched(marks, *told, np.array([sign for _, sign in rows], np.int64)).tolist() == expected
