"""Pages against the naive twin and the kernel: ties, splits, rows of the future, removals, the largest integers."""

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_kernel import LARGEST, wrapped

from features.changing import changed, changed_each, each
from features.kernel import NEVER, windowed
from features.pages import (
    FIRST,
    NO_ROWS,
    ROWS,
    SEALED,
    UNSEALED,
    Layout,
    Layouts,
    Page,
    Rows,
    joined,
    packed,
    unpacked,
)
from features.totals import totals

EDGES = [0, 1, 3, 7, 40, -1, -3, -10]
SHAPES: list[tuple[list[int], list[bool]]] = [
    ([1, 0, 9], [True, True, False]),
    ([3], [True]),
    ([2, 10], [False, True]),
    ([0], [True]),
    ([1, 1, 1], [False, False, False]),
]
"""Of each layout how many measures each stream has, and of which the last k rows are asked."""
LAYOUTS = [Layout(np.array([0, *np.cumsum(sizes)], np.int64), np.array(latest)) for sizes, latest in SHAPES]


def values(size: int) -> st.SearchStrategy[tuple[int, ...]]:
    one = st.one_of(st.sampled_from([0, 0, 0, 1, 1]), st.integers(-300, 300), st.integers(-LARGEST - 1, LARGEST))
    return st.tuples(*[one] * size)


@st.composite
def placed(draw: st.DrawFn, shape: int, lo: int = 0, hi: int = 40) -> naive.Placed:
    sizes = SHAPES[shape][0]
    s = draw(st.integers(0, len(sizes) - 1))
    return draw(st.integers(lo, hi)), s, draw(values(sizes[s]))


def rows_of(some: Sequence[naive.Placed]) -> Rows:
    return Rows(
        np.array([at for at, _, _ in some], np.int64),
        np.array([s for _, s, _ in some], np.uint8),
        np.array([value for _, _, row in some for value in row], np.int64),
    )


def listed(layout: Layout, pages: Sequence[bytes]) -> list[naive.Placed]:
    """The rows of pages, one by one."""
    found: list[naive.Placed] = []
    for page in pages:
        rows = unpacked(layout, page).rows
        sizes, v = np.diff(layout.start), 0
        for at, s in zip(rows.at.tolist(), rows.stream.tolist(), strict=True):
            found.append((at, s, tuple(rows.values[v : v + sizes[s]].tolist())))
            v += int(sizes[s])
        assert v == rows.values.size
    return found


def pages_of(layout: Layout, rows: Sequence[naive.Placed], until: int) -> list[Page]:
    """One history, packed in bulk."""
    found = packed(layout, np.zeros(len(rows), np.int32), rows_of(rows), until)
    parts = zip(found.offsets[:-1].tolist(), found.offsets[1:].tolist(), strict=True)
    data = [found.buffer[lo:hi].tobytes() for lo, hi in parts]
    return [Page(*one) for one in zip(found.start.tolist(), found.number.tolist(), data, strict=True)]


def needed(pages: Sequence[Page], t: int, edges: Sequence[int]) -> list[bytes]:
    """The pages that totals want: for each moment the last that starts before it, from the last sealed one on."""
    wanted: set[int] = set()
    for moment in [t, *(t - edge for edge in edges if edge > 0)]:
        here = [i for i, page in enumerate(pages) if page.start < moment]
        sealed = [i for i in here if pages[i].data[0] != UNSEALED]
        wanted.update(range(sealed[-1], here[-1] + 1) if here else ())
    return [pages[i].data for i in sorted(wanted)]


class Told(NamedTuple):
    """What is read of a history: windows (w, columns), and the first and last `at` of each stream."""

    windows: list[list[int]]
    first: list[int]
    last: list[int]


def read(which: Sequence[int], pages: Sequence[Sequence[bytes]], t: int, edges: Sequence[int] = EDGES) -> list[Told]:
    """What totals answer for histories, each of one of the layouts and of some pages."""
    layouts = Layouts([LAYOUTS[i] for i in which])
    places, found = layouts.places(len(edges)), []
    out = np.full(places[-1] + 1, 77, np.int64)
    history = np.repeat(np.arange(len(pages)), [len(some) for some in pages])
    totals(layouts, *joined([page for some in pages for page in some]), history, t, np.array(edges), out)
    assert out[-1] == 77
    for h, layout in enumerate(layouts.each):
        streams = layout.latest.size
        part = out[places[h] : places[h + 1]]
        windows, times = np.split(part, [part.size - 2 * streams])
        first, last = times.reshape(2, streams).tolist()
        found.append(Told(windows.reshape(len(edges), -1).tolist(), first, last))
    return found


def told(shape: int, rows: Sequence[naive.Placed], t: int, edges: Sequence[int] = EDGES) -> Told:
    """The same by a loop over all rows."""
    sizes, latest = SHAPES[shape]
    windows: list[list[int]] = [[] for _ in edges]
    first, last = [], []
    for s, size in enumerate(sizes):
        of = [row for row in rows if row[1] == s]
        at, measures = [row[0] for row in of], [[row[2][m] for row in of] for m in range(size)]
        for w, edge in enumerate(edges):
            sums, begun, ended = naive.windowed(at, [0] * len(of), measures, 0, t, edge)
            windows[w] += [wrapped(one) if edge >= 0 or latest[s] else 0 for one in sums]
        first.append(NEVER if begun is None else begun)
        last.append(NEVER if ended is None else ended)
    return Told(windows, first, last)


def compiled(shape: int, rows: Sequence[naive.Placed], t: int, edges: Sequence[int] = EDGES) -> Told:
    """The same by the kernel."""
    sizes, latest = SHAPES[shape]
    windows: list[list[int]] = [[] for _ in edges]
    first, last = [], []
    for s, size in enumerate(sizes):
        of, one = [row for row in rows if row[1] == s], np.zeros(1, np.int32)
        at, measures = np.array([row[0] for row in of], np.int64), np.zeros((size, len(of)), np.int64)
        for i, row in enumerate(of):
            measures[:, i] = row[2]
        found = windowed(at, np.zeros(at.size, np.int32), list(measures), one, np.array([t]), edges)
        for w, edge in enumerate(edges):
            windows[w] += found.windows[w, :, 0].tolist() if edge >= 0 or latest[s] else [0] * size
        first.append(int(found.first[0]))
        last.append(int(found.last[0]))
    return Told(windows, first, last)


def chained(layout: Layout, pages: Sequence[Page], until: int) -> None:
    """Pages are in order, each with its start; the first needs no state, and sealed are those that start until a moment."""
    keys = [(page.start, page.number) for page in pages]
    assert keys == sorted(set(keys))
    for i, page in enumerate(pages):
        assert page.start == unpacked(layout, page.data).rows.at[0]
        assert page.number == sum(other.start == page.start for other in pages[:i])
        assert page.data[0] == (FIRST if i == 0 else SEALED if page.start <= until else UNSEALED)


def numbered(shape: int, count: int, seed: int, hi: int) -> list[naive.Placed]:
    """Many rows in time order, with ties."""
    rng, sizes = np.random.default_rng(seed), SHAPES[shape][0]
    streams = rng.integers(0, len(sizes), count).tolist()
    some = [tuple(rng.choice([0, 1, 1, -5, 4999, 10**12], sizes[s]).tolist()) for s in streams]
    return list(zip(np.sort(rng.integers(0, hi, count)).tolist(), streams, some, strict=True))


@given(st.data(), st.integers(0, len(SHAPES) - 1))
@settings(max_examples=60)
def test_what_is_read_of_pages_equals_a_loop_over_all_rows_and_the_kernel(data: st.DataObject, shape: int) -> None:
    rows = sorted(data.draw(st.lists(placed(shape), max_size=30)), key=lambda row: row[0])
    pages = pages_of(LAYOUTS[shape], rows, data.draw(st.integers(-1, 41)))
    assert listed(LAYOUTS[shape], [page.data for page in pages]) == rows
    t = data.draw(st.integers(-1, 45))
    found = read([shape], [needed(pages, t, EDGES)], t)
    assert found == [told(shape, rows, t)]
    assert found == [compiled(shape, rows, t)]


@given(st.data(), st.integers(0, 2), st.integers(1, 5 * ROWS), st.integers(0, 99), st.sampled_from([3, 60, 10_000]))
@settings(max_examples=60)
def test_histories_of_many_pages_equal_the_kernel(data: st.DataObject, shape: int, n: int, seed: int, hi: int) -> None:
    rows, until = numbered(shape, n, seed, hi), data.draw(st.integers(-1, hi))
    pages = pages_of(LAYOUTS[shape], rows, until)
    chained(LAYOUTS[shape], pages, until)
    assert len(pages) == -(-n // ROWS)
    edges = [0, 1, hi // 3, hi // 2, -1, -3, -7, -10]
    for t in data.draw(st.lists(st.integers(0, hi + 2), min_size=1, max_size=4)):
        whole = [page.data for page in pages]
        found = read([shape, shape], [needed(pages, t, edges), whole], t, edges)
        assert found == [compiled(shape, rows, t, edges)] * 2


@given(st.data(), st.integers(0, 2), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_pages_changed_step_by_step_hold_what_a_list_holds(data: st.DataObject, shape: int, seed: int) -> None:
    """Time goes on; rows come at or after now, some far ahead, and only such are taken back."""
    layout, now = LAYOUTS[shape], 0
    rows = numbered(shape, data.draw(st.sampled_from([0, 5, ROWS - 1, 2 * ROWS + 9])), seed, 30)
    pages = pages_of(layout, rows, now)
    for _ in range(data.draw(st.integers(1, 8))):
        now += data.draw(st.sampled_from([0, 0, 1, 5, 20]))
        added = data.draw(st.lists(placed(shape, now, now + 30), min_size=1, max_size=3))
        added *= data.draw(st.sampled_from([1, 1, 1, ROWS]))
        open_ = [row for row in [*rows, *added] if row[0] >= now]
        removed = data.draw(st.lists(st.sampled_from(range(len(open_))), unique=True, max_size=3))
        gone = [open_[i] for i in removed]
        rows = naive.rewritten(rows, added, gone)
        sealed = [i for i, page in enumerate(pages) if page.data[0] != UNSEALED and page.start < now]
        lo = sealed[-1] if sealed else 0
        ends = [i + 1 for i, page in enumerate(pages) if page.start <= max(row[0] for row in [*added, *gone])]
        hi = max([lo + 1, *ends])
        number = pages[lo].number if pages else 0
        some = [page.data for page in pages[lo:hi]]
        new = changed(layout, some, rows_of(added), rows_of(gone), now, number=number)
        if new or lo or hi >= len(pages):
            pages = [*pages[:lo], *new, *pages[hi:]]
        else:
            some = [page.data for page in pages]
            pages = changed(layout, some, rows_of(added), rows_of(gone), now)
        chained(layout, pages, now)
        assert listed(layout, [page.data for page in pages]) == rows
        t = data.draw(st.integers(0, now + 31))
        assert read([shape], [needed(pages, t, EDGES)], t) == [compiled(shape, rows, t)]


@given(st.data(), st.integers(0, len(SHAPES) - 1), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_last_pages_of_many_histories_are_those_of_one_after_the_other(
    data: st.DataObject, shape: int, seed: int
) -> None:
    layout, until, last = LAYOUTS[shape], 30, list[Page | None]()
    added, removed = list[list[naive.Placed]](), list[list[naive.Placed]]()
    for count in data.draw(st.lists(st.sampled_from([0, 1, 9, ROWS - 2, ROWS, ROWS + 9]), max_size=5)):
        pages = pages_of(layout, numbered(shape, count, seed, until), until)
        last.append(pages[-1] if pages else None)
        lo = pages[-1].start + 1 if pages and pages[-1].data[0] == SEALED else 0
        added.append(data.draw(st.lists(placed(shape, lo, lo + 40), max_size=3)))
        open_ = [row for page in pages[-1:] for row in listed(layout, [page.data]) if row[0] >= lo]
        removed.append([open_[-1]] if open_ and data.draw(st.sampled_from([True, False, False])) else [])
    more, less = (
        each(layout.start, rows_of([row for of in some for row in of]), np.cumsum([0, *map(len, some)]))
        for some in (added, removed)
    )
    numbers = np.array([0 if page is None else page.number for page in last], np.int64)
    found = changed_each(layout, [b"" if page is None else page.data for page in last], more, less, until, numbers)
    ends = zip(found.offsets[:-1].tolist(), found.offsets[1:].tolist(), strict=True)
    data_of = [found.buffer[lo:hi].tobytes() for lo, hi in ends]
    assert [*zip(found.codes.tolist(), found.start.tolist(), found.number.tolist(), data_of, strict=True)] == [
        (e, *made)
        for e, page in enumerate(last)
        for made in changed(
            layout,
            [] if page is None else [page.data],
            rows_of(added[e]),
            rows_of(removed[e]),
            until,
            number=0 if page is None else page.number,
        )
    ]


@given(st.lists(placed(0), max_size=20), st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_a_history_written_in_any_order_is_the_history_packed_at_once(some: list[naive.Placed], rng: Random) -> None:
    rows, pages = sorted(some, key=lambda row: row[0]), list[Page]()
    moments = sorted({row[0] for row in rows})
    rng.shuffle(moments)
    for moment in moments:
        new = [row for row in rows if row[0] == moment]
        pages = changed(LAYOUTS[0], [page.data for page in pages], rows_of(new), NO_ROWS, -1)
    assert pages == pages_of(LAYOUTS[0], rows, -1)


ONE_STREAM = Layout(np.array([0, 3]), np.array([True]))


def row(at: int, *some: int) -> Rows:
    return Rows(np.array([at]), np.zeros(1, np.uint8), np.array(some))


@pytest.mark.parametrize("amount", [0, 1, -1, 127, 128, -(2**55), 2**55, 2**62, LARGEST, -LARGEST - 1])
def test_the_largest_integers_come_back_as_they_were(amount: int) -> None:
    rows = [(-LARGEST, 0, (amount, 1, 0)), (0, 0, (0, amount, amount)), (LARGEST, 0, (amount, amount, amount))]
    pages = pages_of(LAYOUTS[1], rows, LARGEST)
    assert listed(LAYOUTS[1], [page.data for page in pages]) == rows
    many = rows[:1] * (ROWS + 1) + rows[2:]
    state = unpacked(LAYOUTS[1], pages_of(LAYOUTS[1], many, LARGEST)[1].data).state
    assert state[:5].tolist() == [wrapped(ROWS * amount), ROWS, 0, -LARGEST, -LARGEST]


def test_one_equal_row_goes_for_each_that_is_removed_and_it_must_be_there() -> None:
    twice = changed(ONE_STREAM, [], Rows(*map(np.concatenate, zip(*[row(5, 1, 2, 3)] * 2, strict=True))), NO_ROWS, 0)
    once = changed(ONE_STREAM, [twice[0].data], NO_ROWS, row(5, 1, 2, 3), 0)
    assert once == changed(ONE_STREAM, [], row(5, 1, 2, 3), NO_ROWS, 0)
    assert changed(ONE_STREAM, [once[0].data], NO_ROWS, row(5, 1, 2, 3), 0) == []
    for absent in (row(5, 1, 2, 4), row(6, 1, 2, 3)):
        with pytest.raises(AssertionError, match="1 of 1 rows to remove are not in these pages"):
            changed(ONE_STREAM, [once[0].data], NO_ROWS, absent, 0)


@pytest.mark.parametrize(
    ("t", "last_1", "last_3", "ever", "times"),
    [
        (10, 0, 0, 0, (NEVER, NEVER)),  # t is strict
        (11, 1, 1, 1, (10, 10)),
        (21, 6, 7, 7, (10, 20)),  # the two of 20 came together
        (31, 8, 14, 15, (10, 30)),  # the third last is the first of 20
        (41, 16, 30, 31, (10, 40)),  # the third last is the second of 20, which brings the first
    ],
)
def test_the_last_rows_bring_those_of_their_moment(
    t: int, last_1: int, last_3: int, ever: int, times: tuple[int, int]
) -> None:
    rows = [(at, 0, (value, 0, 0)) for at, value in ((10, 1), (20, 2), (20, 4), (30, 8), (40, 16))]
    [found] = read([1], [[page.data for page in pages_of(LAYOUTS[1], rows, 0)]], t, [-1, -3, 0])
    assert [window[0] for window in found.windows] == [last_1, last_3, ever]
    assert (found.first[0], found.last[0]) == times


def test_a_page_that_is_left_keeps_its_place_among_those_of_its_moment() -> None:
    """One row too many in the first page; the next page begins with the moment that the first one ends with."""
    rows = [(at, 0, (1, 0, 0)) for at in [*range(ROWS - 2), *[500] * (ROWS + 2)]]
    first, second = pages_of(LAYOUTS[1], rows, 0)
    assert (second.start, second.number) == (500, 0)
    early = (7, 0, (2, 0, 0))
    pages = [*changed(LAYOUTS[1], [first.data], rows_of([early]), NO_ROWS, 0), second]
    chained(LAYOUTS[1], pages, 0)
    assert [page.start for page in pages] == [0, ROWS - 3, 500]
    assert listed(LAYOUTS[1], [page.data for page in pages]) == naive.rewritten(rows, [early], [])
