"""The label model: votes as of a moment, what sources are worth, the class prior, and the three hypotheses, by hand."""

from collections.abc import Sequence

import naive
import numpy as np
import pytest
from scipy.special import expit

from features import Ledger, RedressError
from features.asking import Askings, askings
from models.labels import AUDITED, REPORTS, held, labels, reliabilities
from models.questions import QUESTIONS
from models.sources import SAYING, Votes, votes

OFFICER = {word: i for i, (word, _) in enumerate(next(s for s in SAYING if s.name == "officer").words)}
REFUSED, GRANTED = OFFICER["refused, fault buyer"], OFFICER["granted, fault seller"]
LOST = OFFICER["granted, fault carrier"]
FILED, REJECTED, UPHELD = range(3)
PENDING, BANK_LOST, BANK_WON = range(3)


def town() -> dict[str, Sequence[naive.Row]]:
    """Orders a and b of one seller and c of another; a disputed twice, c once; what became of them."""
    return {
        "orders": [
            {"order_id": o, "at": at, "seller_id": s} for o, at, s in (("a", 1, "S"), ("b", 2, "S"), ("c", 3, "T"))
        ],
        "disputes": [
            {"dispute_id": d, "at": at, "order_id": o} for d, at, o in (("d", 10, "a"), ("e", 11, "a"), ("f", 12, "c"))
        ],
        "rulings": [
            {"dispute_id": "d", "at": 20, "outcome": "refused", "fault": "buyer"},
            {"dispute_id": "d", "at": 30, "outcome": "refund_full", "fault": "seller"},
            {"dispute_id": "f", "at": 25, "outcome": "settled"},
        ],
        "findings": [
            {"dispute_id": "d", "at": 40, "malicious": False, "source": "officer"},
            {"dispute_id": "d", "at": 50, "malicious": True, "source": "officer"},
            {"dispute_id": "f", "at": 41, "malicious": True, "source": "audit"},
        ],
        "reports": [{"report_id": "r", "at": 15, "order_id": "a"}],
        "report_rulings": [{"report_id": "r", "at": 35, "upheld": False}],
        "chargebacks": [{"chargeback_id": "k", "at": 22, "order_id": "c"}],
        "chargeback_rulings": [{"chargeback_id": "k", "at": 60, "outcome": "won"}],
        "scans": [{"order_id": "c", "at": 5, "kind": "lost"}],
        "refunds": [{"order_id": "a", "at": 31, "amount": 1, "funded_by": "seller"}],
        "blocks": [{"block_id": "x", "at": 26, "kind": "seller_integrity", "seller_id": "T"}],
        "releases": [{"block_id": "x", "at": 45, "result": "upheld"}],
    }


def opened(rows: dict[str, Sequence[naive.Row]]) -> tuple[Ledger, Askings]:
    ledger = Ledger.of(naive.tables(rows))
    return ledger, askings(ledger, "malicious_dispute")


def silent(n: int, **said: Sequence[int]) -> Votes:
    """Votes of n askings in which only the named sources speak; `by_officer` is a finding."""
    found = {source.name: np.full(n, -1, np.int32) for source in SAYING}
    for name, words in said.items():
        found[name.replace("by_", "finding by ")] = np.array(words, np.int32)
    return Votes(found, np.full(n, -1, np.int32))


@pytest.mark.parametrize(
    ("source", "as_of", "expected"),
    [
        ("officer", 20, [-1, -1, -1]),
        ("officer", 21, [REFUSED, -1, -1]),
        ("officer", 99, [GRANTED, -1, OFFICER["settled or withdrawn, fault unknown"]]),
        ("finding by officer", 41, [0, -1, -1]),
        ("finding by officer", 99, [1, -1, -1]),
        ("finding by audit", 99, [-1, -1, 1]),
        ("report", 15, [-1, -1, -1]),
        ("report", 16, [FILED, FILED, -1]),
        ("report", 99, [REJECTED, REJECTED, -1]),
        ("bank", 23, [-1, -1, PENDING]),
        ("bank", 99, [-1, -1, BANK_WON]),
        ("scan", 6, [-1, -1, 0]),
        ("refund", 32, [1, 1, -1]),
        ("seller's guilt", 45, [-1, -1, -1]),
        ("seller's guilt", 46, [-1, -1, 0]),
    ],
)
def test_a_source_says_its_latest_word_known_before_a_moment(source: str, as_of: int, expected: list[int]) -> None:
    assert votes(*opened(town()), as_of).said[source].tolist() == expected


def test_who_reports_is_the_seller_of_the_order() -> None:
    ledger, asks = opened(town())
    seller = ledger.facts["orders"].codes("seller_id")
    told = [None if s < 0 else seller.values[int(s)].as_py() for s in votes(ledger, asks, 99).reporter]
    assert told == ["S", "S", None]


@pytest.mark.parametrize("as_of", [13, 21, 31, 36, 41, 46, 99])
def test_votes_do_not_change_when_what_came_later_is_deleted(as_of: int) -> None:
    rows = town()
    early: dict[str, Sequence[naive.Row]] = {
        name: [row for row in some if int(row["at"]) < as_of] for name, some in rows.items()
    }
    now, then = votes(*opened(rows), as_of), votes(*opened(early), as_of)
    assert {name: word.tolist() for name, word in now.said.items()} == {n: w.tolist() for n, w in then.said.items()}
    assert (now.reporter >= 0).tolist() == (then.reporter >= 0).tolist()


def test_a_ledger_without_a_table_leaves_its_sources_silent() -> None:
    rows = {name: some for name, some in town().items() if name not in ("rulings", "releases", "blocks")}
    said = votes(*opened(rows), 99).said
    assert (said["officer"] == -1).all()
    assert (said["seller's guilt"] == -1).all()
    assert said["report"].tolist() == [REJECTED, REJECTED, -1]


def test_audits_hold_the_class_prior_and_without_any_the_model_does() -> None:
    odds, prior = held(np.zeros(10), (int(AUDITED), 0))
    assert prior == pytest.approx(0.25)  # as many audits, none malicious, as the model's half is worth
    assert expit(odds) == pytest.approx(0.25)
    assert held(np.zeros(10), (0, 0))[1] == pytest.approx(0.5)
    assert expit(held(np.full(10, 80.0), (50, 0))[0]) == pytest.approx(0.5)  # however sure the model is


def known(n: int) -> Votes:
    """Askings of which a fifth were looked into; an officer is right of nine in ten, the looked into and the others alike.

    Of twenty findings one is wrong.
    """
    malicious = np.arange(n) % 2
    word = np.where((np.arange(n) // 2) % 10 == 0, 1 - malicious, malicious)
    wrong = (np.arange(n) // 2) % 20 == 7
    looked = np.where((np.arange(n) // 20) % 5 == 0, malicious ^ wrong, -1)
    return silent(n, by_officer=looked.tolist(), officer=np.where(word == 1, REFUSED, GRANTED).tolist())


def test_what_an_officer_is_worth_is_learnt_from_findings_and_carried_to_the_others() -> None:
    said = known(2_000)
    found = labels(said, np.zeros(2_000))
    officer = next(one for one in found.reliability if one.source == "officer")
    assert (officer.accused, officer.cleared) == (1_000, 1_000)
    assert officer.sensitivity is not None
    assert officer.specificity is not None
    assert officer.sensitivity[0] == pytest.approx(0.9, abs=0.03)
    assert officer.specificity[0] == pytest.approx(0.9, abs=0.03)
    others = said.said["finding by officer"] < 0
    assert found.malicious[others & (said.said["officer"] == REFUSED)] == pytest.approx(0.9, abs=0.05)
    assert found.malicious[others & (said.said["officer"] == GRANTED)] == pytest.approx(0.1, abs=0.05)


def test_a_source_that_tells_nothing_apart_moves_nothing() -> None:
    said = known(2_000)
    coin = np.where((np.arange(2_000) // 40) % 2 == 0, UPHELD, -1)
    plain = labels(said, np.zeros(2_000)).malicious
    noisy = labels(Votes(said.said | {"report": coin.astype(np.int32)}, said.reporter), np.zeros(2_000)).malicious
    assert noisy == pytest.approx(plain, abs=0.01)


def test_the_three_hypotheses_share_what_there_is_and_follow_the_fault_found() -> None:
    n = 200
    looked = [i % 2 if i < 40 else -1 for i in range(n)]
    word = [REFUSED if i % 2 else (GRANTED if i % 4 else LOST) for i in range(n)]
    found = labels(silent(n, by_officer=looked, officer=word), np.zeros(n))
    assert found.view.sum(axis=1) == pytest.approx(1)
    assert found.view[[41, 42, 44]].argmax(axis=1).tolist() == [0, 1, 2]


def test_reliabilities_are_counted_over_soft_labels() -> None:
    said = silent(4, officer=[REFUSED, REFUSED, GRANTED, -1])
    (officer,) = reliabilities(said, np.array([1.0, 0.5, 0.25, 1.0]))
    assert (officer.accused, officer.cleared) == (2, 1)
    assert officer.accused_right[0] == pytest.approx((1.5 + 0.5) / (2 + 1))
    assert officer.cleared_right[0] == pytest.approx((0.75 + 0.5) / (1 + 1))
    assert officer.sensitivity is not None
    assert officer.specificity is not None
    assert officer.sensitivity[0] == pytest.approx((1.5 + 0.5) / (1.75 + 1))
    assert officer.specificity[0] == pytest.approx((0.75 + 0.5) / (1.25 + 1))
    assert officer.sensitivity[1] < officer.sensitivity[0] < officer.sensitivity[2]


def test_a_source_that_only_accuses_has_neither_sensitivity_nor_specificity() -> None:
    (report,) = reliabilities(silent(4, report=[FILED, UPHELD, -1, -1]), np.array([1.0, 0.5, 0.25, 1.0]))
    assert (report.accused, report.cleared) == (2, 0)
    assert report.accused_right[0] == pytest.approx((1.5 + 0.5) / (2 + 1))
    assert report.sensitivity is report.specificity is None


def test_a_report_counts_by_what_the_reporters_other_reports_were_found_to_be() -> None:
    finding = np.tile([1, 0], 40)
    finding[:2] = -1
    reporter = np.tile([7, 8], 40).astype(np.int32)  # 7 reports the malicious, 8 the honest
    said = silent(80, by_officer=finding.tolist(), report=[FILED] * 80)
    found = labels(Votes(said.said, reporter), np.zeros(80))
    assert found.malicious[0] > 0.7 > 0.3 > found.malicious[1]
    unknown = labels(Votes(said.said, np.full(80, -1, np.int32)), np.zeros(80))
    assert unknown.malicious[0] == pytest.approx(unknown.malicious[1])


def test_one_who_reported_once_adds_nothing_since_his_other_reports_are_none() -> None:
    said = Votes(known(2_000).said | {"report": np.full(2_000, FILED, np.int32)}, np.arange(2_000, dtype=np.int32))
    nobody = Votes(said.said, np.full(2_000, -1, np.int32))
    alone, plain = (labels(one, np.zeros(2_000)).malicious for one in (said, nobody))
    assert alone == pytest.approx(plain, abs=1e-12)  # logit(p) - logit(p), rounded


def test_a_finder_who_repeats_another_adds_nothing() -> None:
    said = known(2_000)
    again = Votes(said.said | {"finding by ring": said.said["finding by officer"]}, said.reporter)
    both, one = (labels(votes, np.zeros(2_000)).malicious for votes in (again, said))
    assert both.tolist() == one.tolist()


def test_a_reporter_is_drawn_towards_all_reporters() -> None:
    said = known(2_000)
    malicious = np.arange(2_000) % 2 == 1
    reporter = np.where(
        malicious, np.where(np.arange(2_000) % 20 == 3, 7, -1), np.where(np.arange(2_000) % 20 == 2, 8, -1)
    )
    report = np.where(reporter >= 0, FILED, -1).astype(np.int32)
    found = labels(Votes(said.said | {"report": report}, reporter.astype(np.int32)), np.zeros(2_000))
    assert found.reporters[7] > 0.8 > 0.2 > found.reporters[8]
    one = Votes(said.said | {"report": np.where(np.arange(2_000) < 1, FILED, -1).astype(np.int32)},
                np.where(np.arange(2_000) < 1, 9, -1).astype(np.int32))  # fmt: skip
    lone = labels(one, np.zeros(2_000))
    assert lone.reporters[9] == pytest.approx(lone.malicious[0])  # one report is all there is of reports
    assert REPORTS > 1


def test_finders_who_come_upon_the_malicious_do_not_say_how_common_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Officers look into a fifth, a tenth of whom are malicious; a ring is found out with ninety of the others in it."""
    n = np.arange(2_000)
    malicious = n % 10 == 0
    looked = np.where(n % 50 < 10, malicious ^ (n // 50 % 20 == 0), -1)
    ring = np.where(malicious & (looked < 0) & (n < 1_200), 1, -1)
    assert (ring == 1).sum() == 96
    plain = silent(2_000, by_officer=looked.tolist(), officer=np.full(2_000, GRANTED).tolist())
    both = Votes(plain.said | {"finding by ring": ring.astype(np.int32)}, plain.reporter)
    nobody = (looked < 0) & (ring < 0)
    for said in (plain, both):
        assert labels(said, np.zeros(2_000)).malicious[nobody] == pytest.approx(0.1, abs=0.02)
    monkeypatch.setattr("models.labels.CHOOSE", ("officer", "ring"))
    assert (
        labels(both, np.zeros(2_000)).malicious[nobody] > 0.15
    ).all()  # as many malicious more among those looked into


def test_without_findings_of_both_kinds_there_are_no_labels() -> None:
    with pytest.raises(RedressError, match="findings of both kinds"):
        labels(silent(3, by_officer=[1, 1, -1]), np.zeros(3))


def test_what_is_looked_into_may_depend_on_votes() -> None:
    """Half of the refused are malicious and a tenth of the granted; of the first all were looked into, of these a fifth.

    Of the findings one in twenty is wrong, so that of the granted 14 % are found malicious.
    """
    n = np.arange(2_000)
    refused = n < 1_000
    malicious = np.where(refused, n % 2 == 0, n % 10 == 0)
    wrong = np.where(refused, n // 2 % 20 == 0, n // 50 % 20 == 0)
    looked = np.where(refused | (n % 50 < 10), malicious ^ wrong, -1)
    assert looked[~refused & (looked >= 0)].mean() == pytest.approx(0.14)
    said = silent(2_000, by_officer=looked.tolist(), officer=np.where(refused, REFUSED, GRANTED).tolist())
    found = labels(said, np.zeros(2_000))
    assert found.malicious[looked < 0] == pytest.approx(0.1, abs=0.02)
    assert found.prior == pytest.approx(0.3, abs=0.02)


def test_a_silent_ledger_has_the_signals_and_findings_alone() -> None:
    signals = np.tile([-2.0, 2.0], 500)
    looked = np.where(np.arange(1_000) < 500, np.arange(1_000) % 2, -1)
    malicious = labels(silent(1_000, by_officer=looked.tolist()), signals).malicious
    assert malicious[500::2] == pytest.approx(malicious[500])
    assert malicious[500] < 0.1 < 0.9 < malicious[501]


def test_only_malice_is_learnt_from_soft_labels() -> None:
    assert [name for name, question in QUESTIONS.items() if question.sources] == ["malicious_dispute"]
