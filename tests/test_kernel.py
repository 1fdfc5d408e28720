"""The kernel against its naive twin: every edge of every window, ties, blocks, and integers as large as they come."""

from typing import NamedTuple

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.kernel import NEVER, TILE, Code, Int, Sweep, Totals, first_meetings, group, windowed

LARGEST = 2**63 - 1


class Drawn(NamedTuple):
    """Facts and askings, each in time order, and the windows they are asked over."""

    at: Int
    codes: Code
    measures: list[Int]
    ask_codes: Code
    t: Int
    edges: list[int]


@st.composite
def drawn(draw: st.DrawFn, most: int = LARGEST) -> Drawn:
    """Few distinct times and entities, so that ties and edges are common; askings stand on, before and after both edges."""
    entities = draw(st.sampled_from([1, 3]))
    codes = st.integers(-1, entities - 1)
    edges = draw(st.lists(st.sampled_from([0, 1, 2, 5, 20, -1, -2, -4]), min_size=1, max_size=4))
    at = sorted(draw(st.lists(st.integers(0, 12), max_size=15)))
    moment = st.integers(-2, 34)
    if at:
        met = st.builds(
            lambda a, e, d: a + e + d, st.sampled_from(at), st.sampled_from([0, 1, 2, 5, 20]), st.integers(-1, 1)
        )
        moment = st.one_of(met, moment)
    t = sorted(draw(st.lists(moment, max_size=12)))
    amount = st.integers(-most - 1, most)
    return Drawn(
        np.array(at, np.int64),
        np.array([draw(codes) for _ in at], np.int32),
        [np.array([draw(amount) for _ in at], np.int64) for _ in range(draw(st.integers(0, 3)))],
        np.array([draw(codes) for _ in t], np.int32),
        np.array(t, np.int64),
        edges,
    )


def wrapped(total: int) -> int:
    """An integer as 64 bits hold it."""
    return (total + 2**63) % 2**64 - 2**63


def twin(x: Drawn) -> tuple[list[list[list[int]]], list[int], list[int]]:
    """Windows (w, m, n), first and last by the naive twin."""
    at, codes, measures = x.at.tolist(), x.codes.tolist(), [m.tolist() for m in x.measures]
    asked = list(zip(x.ask_codes.tolist(), x.t.tolist(), strict=True))
    found = [[naive.windowed(at, codes, measures, code, t, edge) for code, t in asked] for edge in x.edges]
    windows = [[[wrapped(one[0][m]) for one in some] for m in range(len(measures))] for some in found]
    ever = [[NEVER if moment is None else moment for moment in one[1:]] for one in found[0]]
    return windows, [first for first, _ in ever], [last for _, last in ever]


def lists(found: Totals) -> tuple[list[list[list[int]]], list[int], list[int]]:
    return found.windows.tolist(), found.first.tolist(), found.last.tolist()


@given(drawn())
@settings(max_examples=120)
def test_windowed_totals_equal_a_loop_over_all_facts(x: Drawn) -> None:
    assert lists(windowed(*x)) == twin(x)


@given(drawn(), st.data())
@settings(max_examples=60)
def test_askings_block_by_block_equal_one_call(x: Drawn, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(x.t)), max_size=4).map(sorted))
    asked = data.draw(st.sampled_from([None, x.ask_codes]))
    sweep = Sweep(x.at, x.codes, 3, x.measures, x.edges, asked=asked)
    blocks = []
    for lo, hi in zip([0, *cuts], [*cuts, len(x.t)], strict=True):
        found = sweep.totals(x.ask_codes[lo:hi], x.t[lo:hi])
        blocks.append((found.windows, found.first, found.last))
    joined = Totals(*(np.concatenate(parts, axis=-1) for parts in zip(*blocks, strict=True)))
    assert lists(joined) == twin(x)


@pytest.mark.parametrize(
    ("t", "last_5", "last_3", "ever"),
    [
        (9, 0, 0, 0),
        (10, 0, 0, 0),  # t is strict: a fact at t is not yet known
        (11, 1, 1, 1),
        (12, 1, 1, 1),
        (13, 3, 3, 3),  # t - 3 is the fact's moment: still inside
        (14, 3, 2, 3),  # one microsecond later it has left
        (15, 3, 2, 3),
        (16, 2, 0, 3),
        (17, 2, 0, 3),
        (18, 0, 0, 3),
    ],
)
def test_a_window_holds_its_first_moment_and_not_its_last(t: int, last_5: int, last_3: int, ever: int) -> None:
    at, codes, one = np.array([10, 12, 12]), np.zeros(3, np.int32), [np.ones(3, np.int64)]
    found = windowed(at, codes, one, np.zeros(1, np.int32), np.array([t]), [5, 3, 0])
    assert found.windows[:, 0, 0].tolist() == [last_5, last_3, ever]
    assert (found.first[0], found.last[0]) == ((NEVER, NEVER) if t <= 10 else (10, 10 if t <= 12 else 12))


@pytest.mark.parametrize(
    ("facts", "last_2"),
    [
        ([1], 1),
        ([1, 2], 2),
        ([1, 2, 2], 2),
        ([1, 2, 3], 2),
        ([2, 2, 3], 3),  # the second last is one of two of its moment: neither came first
        ([1, 2, 2, 2], 3),
        ([1, 2, 2, 2, 3], 4),
        ([1, 2, 2, 2, 3, 4], 2),
    ],
)
def test_the_last_two_come_with_those_of_the_same_moment(facts: list[int], last_2: int) -> None:
    codes, one = np.zeros(len(facts), np.int32), [np.ones(len(facts), np.int64)]
    found = windowed(np.array(facts), codes, one, np.zeros(1, np.int32), np.array([9]), [-2])
    assert found.windows[0, 0, 0] == last_2


@pytest.mark.parametrize("whole", [True, False])
def test_many_askings_of_many_entities_equal_sums_over_a_matrix(whole: bool) -> None:
    """Enough for several tiles and blocks, with most entities asked about or few of them."""
    rng = np.random.default_rng(0)
    entities, askings = 40, 7 * TILE + 3
    at, t = np.sort(rng.integers(0, 300, 900)), np.sort(rng.integers(0, 300, askings))
    codes = rng.integers(-1, entities, at.size).astype(np.int32)
    ask_codes = rng.integers(-1, entities if whole else 5, askings).astype(np.int32)
    cents, edges = rng.integers(-9, 9, at.size), [3, 50, 0]
    sweep, cut = Sweep(at, codes, entities, [cents], edges, asked=ask_codes), 3 * TILE - 5
    found = [sweep.totals(ask_codes[part], t[part]).windows[:, 0] for part in (slice(cut), slice(cut, None))]
    before = (codes[:, None] == ask_codes) & (ask_codes >= 0) & (at[:, None] < t)
    inside = [before & ((edge == 0) | (at[:, None] >= t - edge)) for edge in edges]
    assert np.concatenate(found, axis=1).tolist() == [(cents @ some).tolist() for some in inside]


def test_measures_are_left_as_they_are_and_may_be_read_only() -> None:
    cents = np.array([5, 7])
    cents.flags.writeable = False
    found = windowed(
        np.array([1, 2]), np.zeros(2, np.int32), [cents, cents + 1], np.zeros(1, np.int32), np.array([9]), [0]
    )
    assert found.windows[0, :, 0].tolist() == [12, 14]


def test_totals_past_the_end_of_int64_do_not_harm_windows_that_fit() -> None:
    cents = np.full(200_000, 10**14)  # in all 2e19, more than int64 holds
    at = np.arange(cents.size)
    found = windowed(at, np.zeros(at.size, np.int32), [cents], np.zeros(1, np.int32), np.array([at.size]), [90_000, 0])
    assert found.windows[0, 0, 0] == 90_000 * 10**14
    assert found.windows[1, 0, 0] == wrapped(200_000 * 10**14)


def test_without_facts_or_without_askings_there_is_nothing() -> None:
    none, nobody = np.zeros(0, np.int64), np.zeros(0, np.int32)
    asked = windowed(none, nobody, [none], np.array([0, -1, 2], np.int32), np.array([1, 2, 3]), [0, 5])
    assert lists(asked) == ([[[0, 0, 0]], [[0, 0, 0]]], [NEVER] * 3, [NEVER] * 3)
    unmeasured = windowed(np.array([1]), np.zeros(1, np.int32), [], np.zeros(2, np.int32), np.array([1, 2]), [0, 5])
    assert unmeasured.windows.shape == (2, 0, 2)
    assert (unmeasured.first.tolist(), unmeasured.last.tolist()) == ([NEVER, 1], [NEVER, 1])
    unasked = windowed(np.array([1]), np.zeros(1, np.int32), [np.array([7])], nobody, none, [0])
    assert lists(unasked) == ([[[]]], [], [])
    alone = windowed(
        np.array([1]), np.array([-1], np.int32), [np.array([7])], np.array([-1], np.int32), np.array([9]), [0]
    )
    assert lists(alone) == ([[[0]]], [NEVER], [NEVER])


@given(st.lists(st.integers(-2, 3), max_size=20))
def test_grouping_keeps_the_old_order_and_leaves_out_nobody(codes: list[int]) -> None:
    order, start = group(np.array(codes, np.int32), 4)
    assert (order.tolist(), start.tolist()) == naive.group(codes, 4)


@given(st.lists(st.tuples(st.integers(-1, 2), st.integers(-1, 2)), max_size=25))
def test_first_meetings_equal_a_set_of_pairs(pairs: list[tuple[int, int]]) -> None:
    codes, partners = [code for code, _ in pairs], [partner for _, partner in pairs]
    met = first_meetings(np.array(codes, np.int32), 3, np.array(partners, np.int32), 3)
    assert met.tolist() == naive.first_meetings(codes, partners)
