"""The best achievable: what a back-test on a simulated ledger shows beside its model, from the truth beside the ledger."""

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from features import Ledger
from features.asking import ASKED, Askings
from features.kernel import Int
from features.signal import Float
from pipelines.learning import Cases, Learnt, grown
from pipelines.marketplace.truth import FOLDER

CHANCES: Final = "best achievable, true chances"
LABELS: Final = "best achievable, true labels"


def achievable(work: Cases, test: Learnt, rows: Int, span: tuple[int, int], seed: int) -> dict[str, Float]:
    """The best probabilities of yes for the askings `rows`, with the signals in `test`; none without a truth, or one for them.

    Of chargebacks those by which their issuers decided, of malice those of the same learner had it been told the truth of
    every dispute of the span that it learns from.
    """
    if not truth_of(work.ledger, work.question.name).is_file():
        return {}
    if work.question.name == "chargeback_win":
        return {CHANCES: hidden(work, rows)["win_probability"].to_numpy(np.float64)}
    if work.question.name == "malicious_dispute":
        learnt = np.flatnonzero((work.asks.at >= span[0]) & (work.asks.at < span[1]))
        answer = hidden(work, learnt)["malicious"].to_numpy(np.int8)
        if 0 < answer.sum() < len(answer):
            model = grown(work.question, Learnt(work.frame(learnt), answer, np.ones(len(answer))), seed)
            return {LABELS: model.predict_proba(test.frame)[:, 1]}
    return {}


def hidden(work: Cases, rows: Int) -> pd.DataFrame:
    """What the truth beside a simulated ledger says of the askings `rows`, in their order."""
    return told_of(work.ledger, work.asks, rows)


def told_of(ledger: Ledger, asks: Askings, rows: Int) -> pd.DataFrame:
    """What the truth beside a simulated ledger says of those of some askings at the positions `rows`, in their order."""
    told = pd.read_parquet(truth_of(ledger, asks.question))
    asked: pd.DataFrame = told.set_index(told.columns[0]).loc[asks.ids.take(rows).to_pylist()]
    return asked


def truth_of(ledger: Ledger, question: str) -> Path:
    """Where the truth of what a question asks about lies, if the ledger is a simulated one."""
    return Path(ledger.name) / FOLDER / f"{ASKED[question]}.parquet"
