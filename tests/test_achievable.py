"""The best achievable is read from the truth of a simulated ledger, and is not there without one."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features import Ledger
from features.kernel import DAY
from pipelines.achievable import CHANCES, LABELS, achievable
from pipelines.learning import Cases, Learnt, cases
from pipelines.marketplace import world
from pipelines.simulate import simulate_ledger


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rich")
    simulate_ledger(world("chargeback_rich", orders=4_000, days=300), folder, seed=5, said=lambda line: None)
    return folder


def asked(place: Path, question: str) -> tuple[Cases, Learnt, "np.ndarray[tuple[int], np.dtype[np.int64]]"]:
    work = cases(Ledger.open(place), question, start=None, stop=None, horizon=120 * DAY)
    rows = np.flatnonzero(work.found.answer >= 0)
    return work, Learnt(work.frame(rows), work.found.answer[rows], np.ones(len(rows))), rows


def test_the_chance_of_winning_is_that_by_which_the_issuer_decided(place: Path) -> None:
    work, test, rows = asked(place, "chargeback_win")
    found = achievable(work, test, rows, (0, 1), 0)
    told = pd.read_parquet(place / "truth" / "chargebacks.parquet").set_index("chargeback_id")["win_probability"]
    assert list(found) == [CHANCES]
    np.testing.assert_array_equal(found[CHANCES], told.loc[work.asks.ids.take(rows).to_pylist()])
    assert np.mean(found[CHANCES]) == pytest.approx(test.answer.mean(), abs=3 / np.sqrt(len(rows)))


def test_malice_is_learnt_from_the_truth_of_the_span_alone(place: Path) -> None:
    work, _, _ = asked(place, "malicious_dispute")
    half, table = int(np.median(work.asks.at)), place / "truth" / "disputes.parquet"
    rows = np.flatnonzero(work.asks.at >= half)
    test = Learnt(work.frame(rows), work.found.answer[rows], np.ones(len(rows)))
    hidden = pd.read_parquet(table)
    early = hidden["dispute_id"].isin(work.asks.ids.take(np.flatnonzero(work.asks.at < half)).to_pylist())
    share = hidden["malicious"][early].mean()
    (found,) = achievable(work, test, rows, (0, half), 0).items()
    assert found[0] == LABELS
    assert found[1].mean() == pytest.approx(share, abs=0.1)
    hidden.assign(malicious=hidden["malicious"] ^ early).to_parquet(table)
    assert achievable(work, test, rows, (0, half), 0)[LABELS].mean() == pytest.approx(1 - share, abs=0.1)
    hidden.assign(malicious=hidden["malicious"] ^ ~early).to_parquet(table)
    np.testing.assert_array_equal(achievable(work, test, rows, (0, half), 0)[LABELS], found[1])
    hidden.to_parquet(table)
    assert achievable(work, test, rows, (0, 1), 0) == {}


def test_without_a_truth_or_a_best_there_is_none(place: Path) -> None:
    work, test, rows = asked(place, "dispute_outcome")
    assert achievable(work, test, rows, (0, 1), 0) == {}
    (place / "truth").rename(place / "hidden")
    for question in ("chargeback_win", "malicious_dispute"):
        assert achievable(*asked(place, question), (0, 1), 0) == {}
