"""What the README says of public data: its commands, run as they stand, and their output measured beside a peer."""

import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import lightgbm as lgb
import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, roc_auc_score

from benchmarks.paired import Floats, draws, interval
from benchmarks.workbench import Workbench, markdown

PLAIN: Final = re.compile(r"_count|_met_|days_since|amount|hour|weekday")
"""Signals that anyone would count first …"""
HISTORY: Final = re.compile(r"chargeback|matured|dispute|refund|ruling")
"""… and those among them that know how earlier orders ended."""
ROUNDS: Final = 100
SEEDS: Final = 10
USUAL: Final = {"objective": "binary", "num_leaves": 31, "learning_rate": 0.05, "verbose": -1, "deterministic": True}
"""LightGBM as one who has read its first page would run it."""


def usual(train: pd.DataFrame, yes: Floats, test: pd.DataFrame) -> Floats:
    """What LightGBM with its usual parameters says of `test`."""
    booster = lgb.train(dict(USUAL), lgb.Dataset(train, yes), ROUNDS)
    return np.asarray(booster.predict(test), np.float64)


def _time(text: str) -> pd.Timestamp:
    return pd.Timestamp(text, tz="UTC")


def cloudwalk(bench: Workbench) -> str:
    """Average precision on card payments after a month, the median of models of several seeds; target 0.66."""
    ledger = bench.ledger("cloudwalk")
    bench.redress("signals", "chargeback_risk", "--ledger", ledger, "--horizon", "3d", "--out", "plain.parquet")
    signals = pd.read_parquet(bench.folder / "plain.parquet").merge(charged(ledger, pd.Timedelta("3D")), on="ask_id")
    test, train = signals[signals["at"] >= _time("2019-11-24")], signals[signals["at"] < _time("2019-11-21")]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        files = list(pool.map(lambda seed: _scored(bench, ledger, seed), range(bench.seeds or SEEDS)))
    ours = [pd.read_parquet(file).set_index("ask_id")["probability"][test["ask_id"]].to_numpy() for file in files]
    names = [name for name in map(str, signals) if PLAIN.search(name) and not HISTORY.search(name)]
    peer = usual(train[names], train["charged"].to_numpy(np.float64), test[names])
    found = draws(average_precision_score, test["charged"].to_numpy(), {"redress": ours, "peer": [peer]})
    each = [average_precision_score(test["charged"], p) for p in ours]
    said = f"{len(test):,} orders of 2019-11-24 and after, {int(test['charged'].sum()):,} charged back; learnt from "
    said += f"{len(train):,} mature orders, {int(train['charged'].sum()):,} charged back. {RESAMPLED}"
    ours_said = f"redress, median of {len(ours)} seeds ({min(each):.3f} to {max(each):.3f})"
    peer_said = f"LightGBM on {len(names)} prior counts, amounts and times, no outcomes"
    return f"{said}\n\n{_beside('average precision', found, ours_said, peer_said, ('≥ 0.66', 'not below 0'))}"


def _beside(metric: str, found: dict[str, Floats], ours: str, peer: str, targets: tuple[str, str]) -> str:
    """A table of ours, the peer and the difference."""
    rows = [(ours, interval(found["redress"]), targets[0]), (peer, interval(found["peer"]), "")]
    rows.append(("difference", interval(found["redress"] - found["peer"], "+"), targets[1]))
    return markdown([{"way": way, metric: cell, "target": target} for way, cell, target in rows])


RESAMPLED: Final = "In brackets the 95 % interval over 500 resamples of the rows, the same for all."


def _scored(bench: Workbench, ledger: Path, seed: int) -> Path:
    """Scores of a model trained with one seed, which has a tracking store of its own."""
    model, out = bench.folder / f"cloudwalk-{seed}", bench.folder / f"cloudwalk-{seed}.parquet"
    question = ("chargeback_risk", "--ledger", ledger)
    tracking = ("--tracking", f"sqlite:///{model}.db")
    bench.redress(
        "train", *question, "--as-of", "2019-11-24", "--horizon", "3d", "--seed", seed, "--out", model, *tracking
    )
    bench.redress("score", *question, "--from", "2019-11-24", "--model", model, "--out", out)
    return out


def charged(ledger: Path, horizon: pd.Timedelta) -> pd.DataFrame:
    """The truth of a ledger: `ask_id` of each order, and 1 in `charged` where a chargeback came within the horizon."""
    orders = pd.read_parquet(ledger / "orders.parquet", columns=["order_id", "at"])
    first = pd.read_parquet(ledger / "chargebacks.parquet").groupby("order_id")["at"].min()
    late = orders["order_id"].map(first) - orders["at"]
    return pd.DataFrame({"ask_id": orders["order_id"], "charged": (late <= horizon).astype(np.int64)})


def tsa(bench: Workbench) -> str:
    """AUC of the first ruling on claims against an airport authority, received in 2009; target 0.74."""
    test, peer, learnt = _airport(bench, "2009-01-01", "2010-01-01")
    ways = {"redress": [test["probability"].to_numpy()], "peer": [peer]}
    found = draws(roc_auc_score, test["granted"].to_numpy(), ways)
    said = f"{len(test):,} claims, {int(test['granted'].sum()):,} granted; learnt from {learnt:,}. {RESAMPLED}"
    return f"{said}\n\n{_beside('AUC', found, 'redress', COLUMNS_ALONE, ('≥ 0.74', ''))}"


def tsa_drift(bench: Workbench) -> str:
    """AUC and calibration error three years on, while more and more is granted and amounts cease to come; 0.70 and 0.04."""
    test, peer, learnt = _airport(bench, "2010-01-01", "2013-01-01")
    yes, ways = test["granted"].to_numpy(), {"redress": [test["probability"].to_numpy()], "peer": [peer]}
    yearly = test.groupby(test["at"].dt.year)[["probability", "granted"]].mean()
    said = f"{len(test):,} claims of 2010 to 2012; learnt from {learnt:,}. {RESAMPLED}"
    parts = [said, _beside("AUC", draws(roc_auc_score, yes, ways), "redress", COLUMNS_ALONE, ("≥ 0.70", ""))]
    parts.append(_beside("calibration error", draws(gap, yes, ways), "redress", COLUMNS_ALONE, ("≤ 0.04", "")))
    rows = [
        {"year": str(year), "foretold": row["probability"], "granted": row["granted"]}
        for year, row in yearly.iterrows()
    ]
    return "\n\n".join([*parts, markdown(rows)])


COLUMNS_ALONE: Final = "LightGBM on the six columns of a claim"


def gap(yes: Floats, p: Floats, sample_weight: Floats) -> float:
    """Mean distance of predicted from observed over fifteen bins of as many rows each."""
    order = np.argsort(p, kind="stable")
    bins = np.array_split(order, 15)
    apart = [abs(float(((p[rows] - yes[rows]) * sample_weight[rows]).sum())) for rows in bins]
    return sum(apart) / float(sample_weight.sum())


def _airport(bench: Workbench, begin: str, end: str) -> tuple[pd.DataFrame, Floats, int]:
    """Claims of a span with what a model trained just before it says, what the peer says, and how many it learnt from."""
    ledger, model = bench.ledger("tsa"), bench.folder / f"tsa-{begin}"
    question = ("dispute_outcome", "--ledger", ledger)
    bench.redress("train", *question, "--as-of", begin, "--out", model, "--tracking", f"sqlite:///{model}.db")
    bench.redress("score", *question, "--from", begin, "--to", end, "--model", model, "--out", f"{model}.parquet")
    claims = _claims(ledger)
    scores = pd.read_parquet(f"{model}.parquet")
    test = scores.merge(claims, left_on="ask_id", right_on="dispute_id", suffixes=("", "_claim"))
    train, names = claims[claims["ruled_at"] < _time(begin)], [*WORDS, "claimed"]
    return test, usual(train[names], train["granted"].to_numpy(np.float64), test[names]), len(train)


WORDS: Final = ("seller_id", "product_id", "channel", "carrier", "reason")
"""What a claim says of itself, as categories: airport, items, site, airline, kind of claim."""


def _claims(ledger: Path) -> pd.DataFrame:
    """Claims granted or refused at their first ruling, with what each says of itself."""
    disputes, orders, shipments, rulings = (
        pd.read_parquet(ledger / f"{name}.parquet") for name in ("disputes", "orders", "shipments", "rulings")
    )
    first = rulings.sort_values("at", kind="stable").drop_duplicates("dispute_id").rename(columns={"at": "ruled_at"})
    claims = disputes.merge(first[["dispute_id", "ruled_at", "outcome"]], on="dispute_id")
    claims = claims.merge(orders.drop(columns="at"), on="order_id", how="left")
    claims = claims.merge(shipments[["order_id", "carrier"]], on="order_id", how="left")
    claims["granted"] = claims["outcome"].isin(["refund_full", "refund_partial", "return_and_refund"]).astype(np.int64)
    claims = claims.astype(dict.fromkeys(WORDS, "category") | {"claimed": np.float64})
    return claims[(claims["granted"] == 1) | (claims["outcome"] == "refused")]


def olist(bench: Workbench) -> str:
    """Rows and seconds of import, check and signals for a Brazilian marketplace; no target."""
    return _steps(bench, "olist", "chargeback_risk")


def online_retail(bench: Workbench) -> str:
    """Rows and seconds of import, check and signals for a UK retailer's invoices and credits; no target."""
    return _steps(bench, "online_retail", "chargeback_risk")


def _steps(bench: Workbench, name: str, question: str) -> str:
    """What each command makes of a data set that has no chargebacks to learn from, and its cost."""
    ledger = bench.ledger(name)
    checked = bench.redress("check", ledger)
    made = bench.redress("signals", question, "--ledger", ledger, "--out", f"{name}-signals.parquet")
    tables = [key for key, value in checked.closing().items() if re.match(r"[\d,]+ rows", str(value))]
    good = ", ".join(f"{table} {str(checked.closing()[table]).partition(' ')[0]}" for table in tables)
    bad = sum(int(re.findall(r"([\d,]+) bad", str(checked.closing()[table]))[0].replace(",", "")) for table in tables)
    signals = f"{made.closing()['askings']:,} rows of {made.closing()['signals']} signals"
    steps = {"import": (bench.imported[name], good), "check": (checked, f"{bad:,} bad"), "signals": (made, signals)}
    return markdown([{"command": step, "rows": rows, "seconds": cost.seconds} for step, (cost, rows) in steps.items()])
