"""What is beside a moment in the pages of a history, against a list of its rows."""

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from test_pages import LAYOUTS, needed, numbered, pages_of

from features.beside import beside, others
from features.kernel import NEVER
from features.pages import ROWS, joined

COUNTS = 4
"""The layout of streams that have one column each, which counts their rows here."""


def moments(others: list[int]) -> tuple[int, int]:
    return (min(others), max(others)) if others else (NEVER, NEVER)


@given(st.data(), st.integers(1, 5 * ROWS), st.integers(0, 99), st.sampled_from([3, 60, 10_000]))
@settings(max_examples=200)
def test_first_and_last_are_those_of_the_others(data: st.DataObject, n: int, seed: int, hi: int) -> None:
    layout = LAYOUTS[COUNTS]
    rows = [(at, s, (1,)) for at, s, _ in numbered(COUNTS, n, seed, hi)]
    pages = pages_of(layout, rows, data.draw(st.integers(-1, hi)))
    t, (at, s, _) = (
        data.draw(st.integers(1, hi + 2)),
        data.draw(st.sampled_from([rows[0], rows[-1], *rows[:: n // 9 + 1]])),
    )
    of = [row[0] for row in rows if row[1] == s and row[0] < t]
    assume(at in of)
    rest = sorted(of)
    rest.remove(at)
    out = np.array([*moments(of), len(rest)], np.int64)
    place, begun = np.array([0, s, 0, 1, 2, s]), needed(pages, t, [1])
    history = np.zeros(len(begun), np.int64)
    bounds, entered = np.array([0, layout.start.size]), np.array([at])
    (far,) = others(layout.shape, bounds, *joined(begun), history, place[None], entered, t, out)
    if not far:
        assert tuple(out[:2].tolist()) == moments(rest)
    near, (start, rings) = needed(pages, at + 1, [1]), layout.shape
    buffer, offsets = joined(near)
    count, before, after = beside(start, rings, buffer, offsets, 0, len(near), place, at, t)
    assert count == of.count(at)
    assert before == max((one for one in of if one < at), default=NEVER)
    later = [one for one in of if one > at]
    assert after in (NEVER, min(later, default=NEVER)), "which may be in pages behind"
