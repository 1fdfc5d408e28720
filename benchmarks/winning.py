"""How near the model's chances of winning come to those by which a simulated world's chargebacks were decided."""

from dataclasses import dataclass
from shutil import rmtree
from typing import Final

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from benchmarks.workbench import Workbench, markdown
from features import Ledger
from features.kernel import DAY
from features.signal import Float
from models import fit
from models.questions import QUESTIONS, Answer
from pipelines.achievable import hidden
from pipelines.learning import Learnt, cases, grown

ORDERS: Final = 400_000
CASES: Final = 20_000
NEAREST: Final = 0.03
"""Mean distance from the true probability at most."""
BELOW: Final = 0.02
"""How far the AUC may lie below that of the true probabilities."""
QUESTION: Final = "chargeback_win"


@dataclass(frozen=True)
class World:
    """Contested chargebacks of one simulated world, the earliest CASES of them: signals, answers and true chances."""

    frame: pd.DataFrame
    answer: Answer
    true: Float


def winning(bench: Workbench) -> str:
    """Chances of winning learnt from 20,000 contested cases, beside the true ones of another world's; 0.03 apart at most."""
    turns, found = [(2 * turn + 1, 2 * turn + 2) for turn in range(bench.runs)], list[dict[str, object]]()
    for seeds in turns:
        here, there = (world(bench, seed) for seed in seeds)
        found += told(f"{seeds[0]}, {seeds[1]}", here, there)
    return markdown(found)


def world(bench: Workbench, seed: int) -> World:
    """One simulated world with many chargebacks, gone again from the disk."""
    path = bench.folder / f"rich {seed}"
    words = ("--orders", bench.rows or ORDERS, "--seed", seed, "--set", "world=chargeback_rich")
    bench.redress("simulate", "--out", path, *words)
    ledger = Ledger.open(path)
    work = cases(ledger, QUESTION, start=None, stop=None, horizon=120 * DAY)
    answered = np.flatnonzero(work.found.answer >= 0)[:CASES]
    frame, true = work.frame(answered), hidden(work, answered)["win_probability"].to_numpy(np.float64)
    rmtree(path)
    return World(frame, work.found.answer[answered], true)


def told(seeds: str, here: World, there: World) -> list[dict[str, object]]:
    """How near the model comes, and how near the same recipe would, had it been told the true chances of its cases."""
    question = QUESTIONS[QUESTION]
    model = grown(question, Learnt(here.frame, here.answer, np.ones(len(here.answer))), 0)
    best = fit(here.frame, here.true, monotone=question.monotone, follows=question.follows, terms=question.terms)
    said = {
        "the model": model.predict_proba(there.frame)[:, 1],
        "told the true chances": best.predict_proba(there.frame)[:, 1],
    }
    return [
        {"worlds": seeds, "learnt from": f"{len(here.answer):,}", "way": way} | judged(p, there)
        for way, p in said.items()
    ]


def judged(p: Float, there: World) -> dict[str, object]:
    """The mean distance from the true chances, and AUC beside theirs."""
    auc, best = (float(roc_auc_score(there.answer, some)) for some in (p, there.true))
    near, told_apart = f"{np.abs(p - there.true).mean():.4f}", f"{auc:.4f}"
    return {
        "mean miss": near,
        "at most": NEAREST,
        "AUC": told_apart,
        "of the truth": f"{best:.4f}",
        "at least": f"{best - BELOW:.4f}",
    }
