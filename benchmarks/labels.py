"""What the label model buys on simulated marketplaces, where the truth of all disputes is known to the measuring alone."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.metrics import average_precision_score, roc_auc_score

from benchmarks.workbench import Workbench, markdown
from features import Ledger
from features.asking import ASKED, askings, named_askings
from features.kernel import DAY
from models.glimpse import glimpsed
from models.labels import given
from models.questions import answers, asked
from pipelines.achievable import hidden
from pipelines.labelling import AGAIN, FINDINGS, HONEST, RULING, Softened, naively, rival, softened
from pipelines.learning import Cases, Learnt, grown

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

QUESTION: Final = "malicious_dispute"
ORDERS: Final = 300_000
SEEDS: Final = 3
HORIZON: Final = 120 * DAY
LATER: Final = 7
"""Days after its opening at which a dispute is asked about, when the parties have spoken."""
LEARNT: Final = 0.6
"""Share of the disputes, the earliest, that are learnt from."""
SUSPECT: Final = 0.05
"""Share of the disputes, the most suspected, among which honest buyers of faulty sellers are counted."""
MODEL: Final = "label model"
CEILING: Final = "true labels of the same disputes"
ORACLE: Final = "signals and votes weighed by true labels"
"""Soft labels as good as what was said allows: what is between these and the truth no label model can tell."""
WAY: Final = 0.9


@dataclass(frozen=True)
class Measured:
    """One marketplace: average precision and wronged buyers by labels, the base rate, and what the labels are worth."""

    precision: dict[str, float]
    wronged: dict[str, int]
    base: float
    auc: float
    prior: float
    share: float
    fault: float

    def way(self, name: str) -> float:
        """How far from the base rate to the ceiling."""
        return (self.precision[name] - self.base) / (self.precision[CEILING] - self.base)


def labels(bench: Workbench) -> str:
    """Average precision on all disputes, by the truth, with labels of each kind; 90 % of the way to true labels."""
    found = [_measured(_market(bench, seed), seed) for seed in range(1, 1 + (bench.seeds or SEEDS))]
    rows = [_row(str(seed), one) for seed, one in enumerate(found, 1)]
    names = list(found[0].precision)
    mean = {name: float(np.mean([one.precision[name] for one in found])) for name in names}
    base = float(np.mean([one.base for one in found]))
    wronged = {name: float(np.mean([one.wronged[name] for one in found])) for name in names}
    closing = [
        {
            "labels": name,
            "average precision": mean[name],
            "of the way": f"{(mean[name] - base) / (mean[CEILING] - base):.0%}",
            "honest buyers of faulty sellers": wronged[name],
            "target": f"{WAY:.0%}; under {wronged[RULING] / 2:.1f}" if name == MODEL else "",
        }
        for name in names
    ]
    return f"Average precision of each marketplace.\n\n{markdown(rows)}\n\nMean.\n\n{markdown(closing)}"


def _row(seed: str, one: Measured) -> dict[str, object]:
    worth = {"AUC of labels of the unexamined": one.auc, "class prior": one.prior, "true share": one.share}
    worth |= {"AUC of fault against mistake, of the honest": one.fault}
    return {"seed": seed, "base rate": one.base, **one.precision, "of the way": f"{one.way(MODEL):.0%}", **worth}


def _market(bench: Workbench, seed: int) -> Path:
    path = bench.folder / f"labels-{seed}"
    bench.redress("simulate", "--out", path, "--orders", bench.rows or ORDERS, "--seed", seed)
    return path


def _measured(path: Path, seed: int) -> Measured:
    """Learns from the earliest disputes, by what was known when the others began, and looks at all the others."""
    work = _cases(path)
    asks, truth = work.asks, hidden(work, np.arange(len(work.asks)))
    cut = int(np.quantile(work.asked_at, LEARNT))
    rows, tested = np.flatnonzero(asks.at < cut), np.flatnonzero(work.asked_at >= cut)
    yes, side = truth["malicious"].to_numpy(np.bool_), truth["side"].isin(("seller", "product")).to_numpy(np.bool_)
    work = work.known_by(cut)
    soft, frame = softened(work, rows, cut, seed), work.frame(tested)
    told = {MODEL: soft.labels.malicious, ORACLE: _oracle(soft, yes[rows], seed), CEILING: yes[rows].astype(np.float64)}
    learnt = Learnt(soft.frame, soft.answer, np.ones(len(rows)))
    made = {name: grown(work.question, learnt, seed, soft=one) for name, one in told.items()}
    made |= naively(soft, work.question.follows, seed)
    scores = {name: made[name].logit(frame) for name in (MODEL, FINDINGS, RULING, HONEST, ORACLE, CEILING)}
    unseen, honest = soft.answer < 0, ~yes[tested]
    apart = rival(soft, work.question.follows, seed)
    fault = np.full(len(tested), 0.5) if apart is None else apart.logit(frame)
    return Measured(
        {name: float(average_precision_score(yes[tested], s)) for name, s in scores.items()},
        {name: _wronged(s, ~yes[tested] & side[tested]) for name, s in scores.items()},
        float(yes[tested].mean()),
        float(roc_auc_score(yes[rows][unseen], soft.labels.malicious[unseen])),
        soft.labels.prior,
        float(yes[rows].mean()),
        float(roc_auc_score(side[tested][honest], fault[honest])),
    )


def _oracle(soft: Softened, yes: Flags, seed: int) -> Floats:
    """Soft labels where what signals and votes are worth is learnt from the truth of the other disputes."""
    answer = yes.astype(np.int8)
    return np.asarray(expit(given(soft.said, glimpsed(soft.frame, answer, seed=seed, folds=AGAIN), answer)), np.float64)


def _cases(path: Path) -> Cases:
    """Every dispute, asked about some days after it was opened."""
    ledger = Ledger.open(path)
    own = askings(ledger, QUESTION)
    later = pd.to_datetime(own.at + LATER * DAY, unit="us", utc=True)
    asks = named_askings(ledger, QUESTION, pd.DataFrame({"ask_id": own.ids.to_pandas(), "at": later}))
    found = answers(ledger, asks, HORIZON)
    return Cases(ledger, asked(QUESTION), HORIZON, asks, found, ledger.facts[ASKED[QUESTION]].at[asks.row])


def _wronged(score: Floats, honest: Flags) -> int:
    """Honest buyers of faulty sellers or products among the most suspected."""
    return int(honest[np.argsort(-score, kind="stable")[: int(SUSPECT * len(score))]].sum())
