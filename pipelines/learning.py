"""What training and back-testing share: askings with their answers, the rows worth learning from, and how a model did."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from tqdm import tqdm

from features import Ledger, RedressError
from features.asking import ASKED, Askings, askings
from features.background import order_rows
from features.build import gathered
from features.credit import Prior
from features.kernel import Int
from features.prior import prior
from features.signal import Float
from models import Model, evaluate, fit
from models.baselines import baselines, of_evidence
from models.evaluate import METRICS, Evaluation
from models.questions import Answer, Answers, Question, answerable, answers
from models.rules import RULES
from models.selection import selection
from models.split import Labelled, labelled
from models.trees import Parameters
from pipelines import plots
from pipelines.opening import Said
from pipelines.report import Section, ranged, table
from pipelines.signals import progress
from pipelines.teaching import counted

EXPLAINED: Final = 5_000
"""Rows that the importance and the effect of signals are measured on at most."""


@dataclass(frozen=True)
class Cases:
    """Askings of a question in a ledger, with what became of each and when the row it asks about was learnt."""

    ledger: Ledger
    question: Question
    horizon: int
    asks: Askings
    found: Answers
    asked_at: Int
    prior: Prior = field(default_factory=Prior)

    def known_by(self, as_of: int) -> "Cases":
        """The same with the prior of buyer credit as it was known before a moment."""
        return replace(self, prior=prior(self.ledger, as_of, self.horizon))

    def labelled(self, as_of: int) -> Labelled:
        """What can be learnt from as of a moment, in microseconds since 1970."""
        return labelled(self.asks, self.found, as_of, self.horizon, self.asked_at)

    def frame(self, rows: Int) -> pd.DataFrame:
        """Signals of the askings at positions `rows`, which increase."""
        with progress(len(rows), "signals") as bar:
            return gathered(self.ledger, self.asks.take(rows), horizon=self.horizon, prior=self.prior, seen=bar.update)

    def standing(self, rows: Int, as_of: int, said: Said) -> Float:
        """How many cases each of the askings `rows` stands for where answers are of cases that were chosen before `as_of`."""
        if self.question.choice is None:
            return np.ones(len(rows))
        found = selection(self.ledger, self.asks.take(rows), self.question.choice, as_of, horizon=self.horizon)
        said(
            f"chosen to be answered: {found.share:.1%}; weighted to stand for all, as {found.effective:,.0f} of one weight"
        )
        return found.weight

    def buyers(self, rows: Int) -> Int:
        """A code for the buyer of each asking, -1 where unknown."""
        orders = order_rows(self.ledger, ASKED[self.question.name])[self.asks.row][rows]
        return np.append(self.ledger.facts["orders"].codes("buyer_id").codes, -1)[orders].astype(np.int64)


def cases(ledger: Ledger, question: str, *, start: int | None, stop: int | None, horizon: int) -> Cases:
    """The askings of a span with their answers."""
    about = answerable(ledger, question)
    asks = askings(ledger, question, start, stop)
    found = answers(ledger, asks, horizon)
    return Cases(ledger, about, horizon, asks, found, ledger.facts[ASKED[question]].at[asks.row])


def grown(
    question: Question,
    learnt: "Learnt",
    seed: int,
    setting: Parameters | None = None,
    soft: Float | None = None,
    bags: int = 0,
) -> Model:
    """A model fitted on rows, with a bar for the trees.

    `setting` are LightGBM parameters in place of our own, `soft` how probable a yes is in place of the answers; `bags` are
    for intervals.
    """
    with tqdm(desc="trees", unit=" trees", delay=2, disable=None, leave=False) as bar:
        model = fit(
            learnt.frame,
            learnt.answer if soft is None else soft,
            weights=learnt.weight,
            seed=seed,
            parameters=setting,
            monotone=question.monotone,
            follows=question.follows,
            terms=question.terms,
            bags=bags,
            seen=bar.update,
        )
    return replace(model, card=dict(model.card) | {"question": question.name})


def both(data: Labelled, says: str) -> None:
    """Raises RedressError, with where the askings went, unless there are both answers to learn from."""
    if not 0 < data.counts["yes"] < data.counts["learnt from"]:
        told = ", ".join(
            f"{rows:,} {name}" for name, rows in data.counts.items() if rows or name in ("learnt from", "yes")
        )
        raise RedressError(
            f"{says}: want askings of both answers to learn from, got {told}; widen the span or ask later"
        )


@dataclass(frozen=True)
class Learnt:
    """Rows of one frame that a model learnt from or is tested on: signals, answers, weights."""

    frame: pd.DataFrame
    answer: Answer
    weight: Float


def measured(
    model: Model,
    work: Cases,
    train: Learnt,
    test: Learnt,
    rows: Int,
    seed: int,
    others: Mapping[str, Float] | None = None,
) -> tuple[Evaluation, dict[str, Float]]:
    """How a model does on the askings `rows` beside baselines fitted on what it learnt from, and all probabilities.

    `others` are probabilities to show beside them.
    Baselines know no weights: where rows stand for others, they get a sample in which every row stands for as many.
    """
    question, columns = work.question, train.frame.columns[train.frame.dtypes == np.float32]
    names = [name for name in columns if name != question.follows]
    fair = np.random.default_rng(seed).random(len(train.answer)) * train.weight.max() < train.weight
    beside = baselines(
        train.frame.loc[fair, names],
        train.answer[fair],
        test.frame[names],
        amount=question.amount,
        counts=question.history,
        rules=RULES[question.name],
        evidence=of_evidence(question.name, names),
        seed=seed,
    )
    probabilities = {"model": model.predict_proba(test.frame)[:, 1]} | dict(others or {}) | beside
    return judged(work, rows, test, probabilities, seed), probabilities


def judged(work: Cases, rows: Int, test: Learnt, probabilities: dict[str, Float], seed: int) -> Evaluation:
    """An evaluation of probabilities for the askings `rows`."""
    known = work.question.amount in test.frame
    amount = test.frame[work.question.amount].to_numpy(np.float64) if known else None
    return evaluate(
        test.answer, probabilities, at=work.asks.at[rows], buyer=work.buyers(rows), amount=amount, seed=seed
    )


def explained(model: Model, frame: pd.DataFrame, seed: int) -> list[Section]:
    """Which signals weigh most and how they move the odds, on a sample of rows."""
    rows = np.sort(np.random.default_rng(seed).permutation(len(frame))[:EXPLAINED])
    some = frame.iloc[rows]
    added = model.contributions(some)[:, :-1]
    weight = dict(zip(model.signals, np.abs(added).mean(axis=0).tolist(), strict=True))
    best = sorted(weight, key=lambda name: -weight[name])[:6]
    column = {name: i for i, name in enumerate(model.signals)}
    moves = {name: (some[name].to_numpy(np.float64), added[:, column[name]]) for name in best}
    return [
        Section(
            "The signals that weigh most",
            ("The mean size of what each signal adds to the log-odds, as a share of all.",),
            figure=plots.signals(weight, {name: _direction(*moves[name]) for name in moves}),
        ),
        Section(
            "How they move the odds",
            ("Each of the six first, over the range of its values.",),
            figure=plots.effects(moves),
        ),
    ]


def _direction(values: Float, added: Float) -> float:
    """Rank correlation of a signal with what it adds, 0 where it does not vary."""
    known = ~np.isnan(values)
    if known.sum() < 3 or not np.ptp(values[known]) or not np.ptp(added[known]):
        return 0.0
    return float(spearmanr(values[known], added[known]).statistic)


def numbers(evaluation: Evaluation) -> dict[str, object]:
    """The model's metrics with their intervals, as they print, by the name of the metric."""
    closing: dict[str, object] = {}
    for metric in METRICS:
        found = evaluation.numbers(metric.name)
        if np.isfinite(found["estimate"]):
            closing[metric.name] = ranged(metric, found["estimate"], found["low"], found["high"])
    return closing


def ledger_section(work: Cases, data: Labelled) -> Section:
    """What the figures rest on: rows read and left out, and where the askings went."""
    rows = [(f"{name}, rows read", f"{len(facts):,}") for name, facts in work.ledger.facts.items()]
    rows += [(f"{name}, bad rows left out", f"{len(bad):,}") for name, bad in work.ledger.bad.items() if len(bad)]
    rows += [(f"askings, {name}", f"{count:,}") for name, count in counted(work.question, data.counts).items()]
    return Section(
        "What this rests on",
        (f"{work.question.says} Yes: {work.question.yes}; no: {work.question.no}.",),
        table(pd.DataFrame(rows, columns=["", "rows"])),
    )
