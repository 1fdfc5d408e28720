"""How close a model comes to the best achievable, which a simulated marketplace knows: the true chance of winning."""

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss, roc_auc_score

from benchmarks.paired import draws, interval
from benchmarks.workbench import Workbench, markdown

ORDERS: Final = 60_000
DAYS: Final = 540
TRAINED: Final = "2025-01-01"
"""Until when the model knows answers; the cases of the rest are scored, but for the last, whose answers are not due."""
DUE: Final = pd.Timedelta("100D")


def ceiling(bench: Workbench) -> str:
    """AUC and log loss of chargeback_win on a simulated marketplace, beside the true probability of winning."""
    ledger, model, out = (bench.folder / name for name in ("ceiling", "ceiling-model", "ceiling.parquet"))
    world = ("--orders", bench.rows or ORDERS, "--days", DAYS, "--set", "world=chargeback_rich")
    bench.redress("simulate", "--out", ledger, "--seed", 1, *world)
    tracking = ("--tracking", f"sqlite:///{bench.folder / 'ceiling.db'}")
    question = ("chargeback_win", "--ledger", ledger)
    bench.redress("train", *question, "--as-of", TRAINED, "--out", model, *tracking)
    bench.redress("score", *question, "--from", TRAINED, "--model", model, "--out", out)
    test = pd.read_parquet(out).merge(won(ledger), left_on="ask_id", right_on="chargeback_id")
    ways = {"best": [test["win_probability"].to_numpy()], "ours": [test["probability"].to_numpy()]}
    answers = test["won"].to_numpy(np.int64)
    rows = [{"way": "the true probability, with what was filed"}, {"way": "redress"}, {"way": "difference"}]
    for name, metric in {"AUC": roc_auc_score, "log loss": log_loss}.items():
        found = draws(metric, answers, ways)
        cells = interval(found["best"]), interval(found["ours"]), interval(found["ours"] - found["best"], "+")
        rows = [row | {name: cell} for row, cell in zip(rows, cells, strict=True)]
    said = (
        f"{len(test):,} contested chargebacks since {TRAINED}, {int(answers.sum()):,} won; in brackets 95 %, resampled."
    )
    return f"{said}\n\n{markdown([dict[str, object](row) for row in rows])}"


def won(ledger: Path) -> pd.DataFrame:
    """The contested chargebacks whose answers are due: `won` at their first ending after the first defence, and the truth."""
    defences, endings = (
        pd.read_parquet(ledger / f"{name}.parquet") for name in ("representments", "chargeback_rulings")
    )
    first = defences.groupby("chargeback_id")["at"].min().rename("defended").reset_index()
    ended = (
        endings[endings["outcome"] != "pre_arbitration"]
        .merge(first, on="chargeback_id")
        .sort_values("at", kind="stable")
    )
    ended = ended[ended["at"] > ended["defended"]].drop_duplicates("chargeback_id")
    due = (ended["outcome"] != "withdrawn") & (ended["defended"] < endings["at"].max() - DUE)
    told = pd.read_parquet(ledger / "truth" / "chargebacks.parquet", columns=["chargeback_id", "win_probability"])
    kept: pd.DataFrame = ended[due].assign(won=ended["outcome"] == "won")[["chargeback_id", "won"]]
    return kept.merge(told.dropna(), on="chargeback_id")
