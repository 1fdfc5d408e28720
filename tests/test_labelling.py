"""The rival of a model of soft labels and what an officer's words are declared to rule, by hand; soft labels know no future."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from features import Ledger
from features.kernel import DAY
from features.signal import Float
from models.labels import Labels
from models.sources import SAYING, Votes, votes
from pipelines.labelling import Softened, rested, rival, ruled, taught
from pipelines.labelling import softened as soft_labels
from pipelines.learning import Cases, Learnt, cases
from pipelines.marketplace import world
from pipelines.simulate import simulate

N = 400
FOLLOWED = "platform_answers_log_odds_365d"


def softened(malice: Float, fault: Float) -> Softened:
    """Askings with a signal of their own, `x`, and soft labels: malice, and how probable a fault is of the honest."""
    view = np.column_stack([malice, (1 - malice) * fault, (1 - malice) * (1 - fault)])
    frame = pd.DataFrame({"x": np.arange(N) % 10, FOLLOWED: np.arange(N) / N}).astype(np.float32)
    nothing = Votes({source.name: np.full(N, -1, np.int32) for source in SAYING}, np.full(N, -1, np.int32))
    return Softened(frame, np.full(N, -1, np.int8), nothing, Labels(view, 0.5, (0, 0), (), {}))


def test_soft_labels_rest_on_those_looked_into_and_on_who_spoke() -> None:
    soft = softened(np.full(N, 0.5), np.full(N, 0.5))
    answer, word = soft.answer.copy(), soft.said.said["officer"].copy()
    answer[:3], word[7] = [1, 0, 1], 2
    soft = replace(soft, answer=answer, said=replace(soft.said, said=soft.said.said | {"officer": word}))
    assert rested(soft) == {"looked_into": 3, "found": 2, "class_prior": 0.5, "sources": ["officer"]}


HIGH = np.arange(N) % 10 > 4


def test_a_rival_says_how_probable_a_fault_is_where_there_is_no_malice() -> None:
    soft = softened(np.full(N, 0.5), np.where(HIGH, 0.9, 0.2))
    found = rival(soft, FOLLOWED, 0)
    assert found is not None
    assert found.signals == ("x",)  # what the model follows is no signal of its rival
    said = found.predict_proba(soft.frame)[:, 1]
    assert said[HIGH] == pytest.approx(0.9, abs=0.05)
    assert said[~HIGH] == pytest.approx(0.2, abs=0.05)


def test_a_rival_learns_from_disputes_as_far_as_they_are_honest() -> None:
    sure = np.arange(N) % 20 < 10  # of every x as many are sure to be malicious, and blamed on the seller
    soft = softened(np.where(sure, 1 - 1e-9, 0.1), np.where(sure, 0.95, np.where(HIGH, 0.6, 0.3)))
    found = rival(soft, None, 0)
    assert found is not None
    said = found.predict_proba(soft.frame)[:, 1]
    assert said[HIGH].mean() == pytest.approx(0.6, abs=0.05)
    assert said[~HIGH].mean() == pytest.approx(0.3, abs=0.05)


def test_certain_malice_tells_nothing_and_neither_do_faults_that_are_all_as_probable() -> None:
    assert rival(softened(np.linspace(0, 1, N), np.full(N, 0.5)), None, 0) is None


def test_an_officer_s_words_rule_what_they_are_declared_to() -> None:
    words = [word for word, _ in next(source for source in SAYING if source.name == "officer").words]
    said = Votes({"officer": np.arange(-1, len(words), dtype=np.int32)}, np.full(len(words) + 1, -1, np.int32))
    for outcome in ("granted", "refused", "settled or withdrawn"):
        assert ruled(said, outcome).tolist() == [False, *(word.startswith(f"{outcome}, ") for word in words)]


TOLD = ("orders", "disputes", "rulings", "findings", "reports", "report_rulings", "chargebacks", "chargeback_rulings")


def disputes(before: int) -> Cases:
    """The disputes of a simulated ledger that has only the rows before a moment, with what sources said of them."""
    made = simulate(world("chargeback_rich", orders=4_000, days=300), seed=5)
    moment = pa.scalar(before, pa.timestamp("us", "UTC"))
    ledger = Ledger.of({name: made[name].filter(pc.field("at") < moment) for name in TOLD})
    return cases(ledger, "malicious_dispute", start=None, stop=None, horizon=120 * DAY)


def test_what_came_after_a_moment_moves_no_soft_label_of_it() -> None:
    whole = disputes(2**52)
    moment = int(np.median(whole.asks.at))
    rows, end = np.flatnonzero(whole.asks.at < moment), whole.ledger.last_at + 1
    before, after = (votes(whole.ledger, whole.asks.take(rows), t).said for t in (moment, end))
    for source in ("finding by officer", "officer", "report", "bank"):
        assert (before[source] != after[source]).any()  # much was said later
    found, early = (soft_labels(work.known_by(moment), rows, moment, 0) for work in (whole, disputes(moment)))
    assert {name: word.tolist() for name, word in found.said.said.items()} == {
        name: word.tolist() for name, word in early.said.said.items()
    }
    assert found.answer.tolist() == early.answer.tolist()
    np.testing.assert_array_equal(found.labels.view, early.labels.view)
    assert found.labels.audits == early.labels.audits


def test_what_officers_ruled_after_a_moment_is_not_measured_at_it() -> None:
    whole = disputes(2**52)
    moment, many = int(np.median(whole.asks.at)), np.arange(1_000)
    enough = Learnt(pd.DataFrame(index=many), (many % 2).astype(np.int8), np.ones(1_000))
    found, early = (
        taught(work.known_by(moment), enough, moment, 0, naive=False, span=(0, moment)).officers
        for work in (whole, disputes(moment))
    )
    assert found == early
    assert early is not None
    assert early.rulings > 50
