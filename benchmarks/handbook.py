"""The book's simulated card payments: the project's back-test beside the book's own protocol, written anew.

Le Borgne, Siblini, Lebichot, Bontempi: Reproducible Machine Learning for Credit Card Fraud Detection, 2022. For each of
three weeks: train on one week, wait one week for its frauds to be known, test on the next without customers whose
card is known by then to be compromised, on 15 features of the payment, the customer and the terminal.
"""

import json
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.workbench import Workbench, markdown
from models import evaluate

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

WEEK: Final = pd.Timedelta("7D")
STARTS: Final = tuple(pd.Timestamp(day) for day in ("2018-07-18", "2018-07-25", "2018-08-01"))
"""Where the three test weeks begin."""
TARGETS: Final = {"7d": "≥ 0.70", "all": "≥ 0.72"}
"""Average precision to reach, by training span."""
SHOWN: Final = ("average_precision", "auc", "buyer_precision_100", "ece", "ece_top")


def handbook(bench: Workbench) -> str:
    """Average precision, AUC, buyer precision and calibration on the book's three weeks; targets AP 0.70 and 0.72."""
    ledger = bench.ledger("handbook")
    rows: list[dict[str, object]] = []
    folds: dict[str, dict[str, int]] = {}
    for span, target in TARGETS.items():
        words = f"--to 2018-08-08 --folds 3 --train {span} --gap 7d --test 7d --horizon 7d --exclude compromised"
        out = bench.folder / f"handbook-{span}"
        bench.redress("backtest", "chargeback_risk", "--ledger", ledger, *words.split(), "--out", out)
        told = json.loads((out / "evaluation.json").read_text())
        means = pd.DataFrame(told["means"])
        rows += [
            _row(means, name, span, target if name == "model" else "") for name in ("model", "logistic regression")
        ]
        folds = {start: {"n": fold["n"], "yes": fold["positives"]} for start, fold in told["folds"].items()}
    payments = featured(pd.read_parquet(bench.source("handbook") / "transactions.parquet"))
    rows += [_row(means, name, "7d", "") for name, means in _book(payments).items()]
    return f"Mean of the three weeks.\n\n{markdown(rows)}\n\nTest rows.\n\n{markdown(_compared(payments, folds))}"


def _row(means: pd.DataFrame, name: str, span: str, target: str) -> dict[str, object]:
    """One predictor's means, with the 95 % interval of the first where there is one."""
    found = means[means["predictor"] == name].set_index("metric")
    shown = {metric: f"{float(found['estimate'][metric]):.4f}" for metric in SHOWN}
    if "low" in found:
        low, high = (float(found[side][SHOWN[0]]) for side in ("low", "high"))
        shown[SHOWN[0]] += f" [{low:.3f}, {high:.3f}]"
    said = {"model": "redress", "logistic regression": "its baseline, logistic regression"}.get(name, name)
    return {"predictor": said, "train": span, **shown, "target AP": target}


def featured(payments: pd.DataFrame) -> pd.DataFrame:
    """Payments in time order with the book's 15 features, beside the columns they came with."""
    ordered = payments.sort_values(["TX_DATETIME", "TRANSACTION_ID"], ignore_index=True)
    t = np.asarray(ordered["TX_DATETIME"].astype("datetime64[us]").astype("int64"), np.int64)
    at = ordered["TX_DATETIME"].dt
    found = {"amount": ordered["TX_AMOUNT"], "weekend": at.day_of_week >= 5, "night": at.hour <= 6}
    amount, fraud = ordered["TX_AMOUNT"].to_numpy(), ordered["TX_FRAUD"].to_numpy(np.float64)
    parties = [np.asarray(ordered[name], np.int64) for name in ("CUSTOMER_ID", "TERMINAL_ID")]
    customer, terminal = (Trail.of(codes, t) for codes in parties)
    for days in (1, 7, 30):
        count, spent = (customer.total(values, days, 0) for values in (np.ones(t.size), amount))
        found |= {f"customer_count_{days}d": count, f"customer_mean_{days}d": spent / count}
        count, frauds = (terminal.total(values, days, 7) for values in (np.ones(t.size), fraud))
        risk = np.divide(frauds, count, out=np.zeros(t.size), where=count > 0)
        found |= {f"terminal_count_{days}d": count, f"terminal_risk_{days}d": risk}
    return ordered.assign(**{name: np.asarray(values, np.float64) for name, values in found.items()})


FEATURES: Final = (
    *("amount", "weekend", "night"),
    *(f"customer_{what}_{days}d" for what in ("count", "mean") for days in (1, 7, 30)),
    *(f"terminal_{what}_{days}d" for what in ("count", "risk") for days in (1, 7, 30)),
)


@dataclass(frozen=True)
class Trail:
    """Rows in the `order` of entity and time, and in `key` both as one rising number; days of microseconds."""

    order: NDArray[np.int64]
    key: NDArray[np.int64]

    @classmethod
    def of(cls, entity: NDArray[np.int64], t: NDArray[np.int64]) -> "Trail":
        """The trail of rows in time order."""
        order = np.argsort(entity, kind="stable")
        return cls(order, entity[order] * (1 << 44) + (t - t.min() + (1 << 42))[order])

    def total(self, values: Floats, days: int, delay: int) -> Floats:
        """Sum over the entity's rows in (t - delay - days, t - delay]; without a delay the row itself counts last."""
        running = np.append(0.0, np.cumsum(values[self.order]))
        day = 86_400_000_000
        begin = np.searchsorted(self.key, self.key - (delay + days) * day, side="right")
        end = (
            np.searchsorted(self.key, self.key - delay * day, side="right")
            if delay
            else np.arange(1, self.key.size + 1)
        )
        found = np.empty(values.size)
        found[self.order] = running[end] - running[begin]
        return found


def test_week(payments: pd.DataFrame, start: pd.Timestamp) -> pd.DataFrame:
    """The week from `start` without customers whose fraud, no older than the training week, was a week old the day before.

    Frauds of the training week count at once, as in the book: the week between has passed by then.
    """
    at, fraud = payments["TX_DATETIME"], payments["TX_FRAUD"] == 1
    known = set(payments.loc[fraud & _within(at, start - 2 * WEEK, start - WEEK), "CUSTOMER_ID"])
    days = []
    for day in pd.date_range(start, periods=7):
        known |= set(payments.loc[fraud & _within(at, day - WEEK - pd.Timedelta("1D"), day - WEEK), "CUSTOMER_ID"])
        today = payments[_within(at, day, day + pd.Timedelta("1D"))]
        days.append(today[~today["CUSTOMER_ID"].isin(known)])
    return pd.concat(days)


def _within(at: "pd.Series[pd.Timestamp]", begin: pd.Timestamp, end: pd.Timestamp) -> "pd.Series[bool]":
    return (at >= begin) & (at < end)


def _book(payments: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Means over the three weeks of the book's models on its 15 features."""
    ways = {
        "book, logistic regression": make_pipeline(StandardScaler(), LogisticRegression(random_state=0)),
        "book, random forest": RandomForestClassifier(random_state=0, n_jobs=-1),
    }
    weeks = []
    for start in STARTS:
        train = payments[_within(payments["TX_DATETIME"], start - 2 * WEEK, start - WEEK)]
        test = test_week(payments, start)
        said = {
            name: way.fit(train[list(FEATURES)], train["TX_FRAUD"]).predict_proba(test[list(FEATURES)])[:, 1]
            for name, way in ways.items()
        }
        at = test["TX_DATETIME"].astype("datetime64[us]").astype("int64")
        found = evaluate(
            test["TX_FRAUD"].to_numpy(), said, at=at.to_numpy(), buyer=test["CUSTOMER_ID"].to_numpy(), resamples=0
        )
        weeks.append(found.table)
    means = pd.concat(weeks).groupby(["predictor", "metric"], sort=False)["estimate"].mean().reset_index()
    return {name: means[means["predictor"] == name] for name in ways}


def _compared(payments: pd.DataFrame, folds: dict[str, dict[str, int]]) -> list[dict[str, object]]:
    """Rows and frauds of each week by the book's rules and by the back-test's; what came after the last fraud is immature."""
    last = payments.loc[payments["TX_FRAUD"] == 1, "TX_DATETIME"].max()
    rows: list[dict[str, object]] = []
    for start, ours in zip(STARTS, folds.values(), strict=True):
        book = test_week(payments, start)
        immature = int((book["TX_DATETIME"] > last).sum())
        rows.append(
            {
                "week from": f"{start.date()}",
                "book": len(book),
                "of them immature": immature,
                "redress": ours["n"],
                "difference": ours["n"] - (len(book) - immature),
                "frauds, book": int(book["TX_FRAUD"].sum()),
                "frauds, redress": ours["yes"],
            }
        )
    return rows
