"""The best achievable: what a back-test on a simulated ledger shows beside its model, from the truth beside the ledger."""

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

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
    folder = Path(work.ledger.name) / FOLDER
    if work.question.name == "chargeback_win" and (folder / "chargebacks.parquet").is_file():
        return {CHANCES: _told(work, folder / "chargebacks.parquet", "win_probability", rows)}
    if work.question.name == "malicious_dispute" and (folder / "disputes.parquet").is_file():
        learnt = np.flatnonzero((work.asks.at >= span[0]) & (work.asks.at < span[1]))
        answer = _told(work, folder / "disputes.parquet", "malicious", learnt).astype(np.int8)
        if 0 < answer.sum() < len(answer):
            model = grown(work.question, Learnt(work.frame(learnt), answer, np.ones(len(answer))), seed)
            return {LABELS: model.predict_proba(test.frame)[:, 1]}
    return {}


def _told(work: Cases, table: Path, column: str, rows: Int) -> Float:
    """What a table of the truth says of the askings `rows`; its first column is their id."""
    told = pd.read_parquet(table)
    asked = told.set_index(told.columns[0]).loc[work.asks.ids.take(rows).to_pylist()]
    return np.asarray(asked[column], np.float64)
