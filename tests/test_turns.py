"""What would turn an answer, against steps from edge to edge."""

from dataclasses import replace
from itertools import combinations
from math import isnan

from hypothesis import assume, given
from hypothesis import strategies as st
from test_refunds import POLICY, cases, scores

from models.refunds import Case, Refunds, Scores, decide
from models.turns import Turn, turns


def turns_by_hand(case: Case, score: Scores, policy: Refunds) -> tuple[list[Turn], str | None]:
    """The same as `turns`, one answer after the other, a step from edge to edge."""

    def at(m: float, of: Case = case) -> str:
        return decide(of, replace(score, malicious=m), policy).action

    ends = [decide(case, replace(score, malicious=m), policy).costs for m in (0.0, 1.0)]
    lines = [(low, high - low) for low, high in zip(*ends, strict=True) if not isnan(low)]
    crossed = [(a - c) / (d - b) for (a, b), (c, d) in combinations(lines, 2) if b != d]
    edges = sorted({0.0, 1.0, policy.refuse_at, policy.automatic_below, *(p for p in crossed if 0 < p < 1)})
    m, found = score.malicious, list[Turn]()
    for side in ([e for e in reversed(edges) if e < m], [e for e in edges if e > m]):
        near = m
        for far in side:
            if (action := at((near + far) / 2)) != at(m):
                found.append(Turn(near, action))
                break
            near = far
    held = at(m, replace(case, confirmed=(*case.confirmed, *policy.keys[:1])))
    return found, None if held == at(m) else held


@given(cases, scores, st.sampled_from([POLICY, Refunds(keys=()), Refunds(refuse_at=1, automatic_below=0.3)]))
def test_an_answer_turns_where_steps_from_edge_to_edge_find_another(case: Case, score: Scores, policy: Refunds) -> None:
    assume(not isnan(score.malicious))
    assert repr(turns(case, score, policy)) == repr(turns_by_hand(case, score, policy))
