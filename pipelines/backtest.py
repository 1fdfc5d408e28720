"""The job of back-testing: walk forward over the last spans of a ledger, each time with what was known by then."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from features import RedressError
from features.asking import ASKED
from features.background import NOT_YET, order_rows
from features.kernel import DAY, Flag, Int
from features.signal import Float
from models.evaluate import METRICS, Evaluation, Metric
from models.maturity import require_due
from models.questions import Answer
from models.sample import sampled
from models.split import Fold, folds, maturity_age
from pipelines import plots
from pipelines.achievable import achievable
from pipelines.audit import Judged, audited
from pipelines.labelling import taught
from pipelines.learning import Cases, Learnt, cases, explained, judged, ledger_section, measured
from pipelines.opening import Said, moment, opened
from pipelines.report import (
    Page,
    Section,
    evaluation_facts,
    evaluation_sections,
    ranged,
    table,
    write_plots,
    write_report,
)
from pipelines.signals import written
from pipelines.teaching import looked_into


@dataclass(frozen=True)
class Walk:
    """One fold walked: its evaluation, and what it tested and predicted, to be pooled."""

    fold: Fold
    evaluation: Evaluation
    rows: Int
    test: Learnt
    probabilities: dict[str, Float]
    sections: tuple[Section, ...]


def backtest(
    question: str,
    ledger: Path,
    *,
    start: int | None,
    stop: int | None,
    horizon: int,
    n: int,
    train: int | None,
    gap: int | None,
    test: int,
    exclude: str | None,
    out: Path,
    seed: int,
    said: Said,
) -> dict[str, object]:
    """Trains before each gap, tests after it, on the last `n` test spans; reports each fold, their mean and all together."""
    facts = opened(ledger, said)
    work = cases(facts, question, start=start, stop=stop, horizon=horizon)
    if not len(work.asks):
        raise RedressError(f"{question}: want askings between --from and --to, got none; widen the span")
    due = _end(work)
    end = due if stop is None else stop
    young = require_due(work.asks.at, end - test, end, due, "--to")
    if young:
        said(f"warning: answers are due for askings before {moment(due)} alone; {young:,} later ones leave the tests")
    spans = folds(end, n, train=train, gap=_gap(work, gap, end - n * test), test=test, start=int(work.asks.at[0]))
    if spans[0].test_from <= int(work.asks.at[0]):
        raise RedressError(
            f"--folds x --test: want spans after the first asking at {moment(int(work.asks.at[0]))}, got longer"
        )
    walks = [_walk(work, fold, exclude, seed, said) for fold in spans]
    pooled = _pooled(work, walks, seed)
    return _told(out, work, walks, pooled, said)


def _age(work: Cases, as_of: int) -> int:
    """The time after which an asking's answer is known: the horizon, or the age by which answers have come."""
    return work.horizon if work.question.horizon else maturity_age(work.asks, work.found, as_of)


def _end(work: Cases) -> int:
    """The last moment before which every asking is mature in the ledger."""
    return work.ledger.last_at + 1 - _age(work, work.ledger.last_at + 1)


def _gap(work: Cases, gap: int | None, first_test: int) -> int:
    """The gap to keep: the horizon, or the age by which answers have come, unless a longer one is asked for."""
    least = _age(work, first_test)
    if gap is not None and gap < least:
        raise RedressError(
            f"--gap: want at least {least / DAY:g}d, the time answers take to be known, got {gap / DAY:g}d"
        )
    return least if gap is None else gap


def _walk(work: Cases, fold: Fold, exclude: str | None, seed: int, said: Said) -> Walk:
    """Trains on what was known when the test span began, and tests on the answers known since."""
    at = work.asks.at
    known = work.labelled(fold.test_from)
    spanned = _within(at[known.which], fold.train_from, fold.train_to)
    answer = known.answer[spanned]
    says = f"the fold that tests from {moment(fold.test_from)}"
    _both(answer, says + ", training")
    kept, weight = sampled(answer, seed)
    train_rows = known.which[spanned][kept]
    tested = work.labelled(work.ledger.last_at + 1)
    left = _within(at[tested.which], fold.test_from, fold.test_to)
    if exclude == "compromised":
        left &= ~_compromised(work, fold, tested.which)
    rows, expected = tested.which[left], tested.answer[left]
    _both(expected, says + ", testing")
    said(f"fold {moment(fold.test_from)[:10]}: {len(answer):,} askings to learn from, {len(rows):,} to test on")
    work = work.known_by(fold.test_from)
    weight = weight * work.standing(train_rows, fold.test_from, said)
    train = Learnt(work.frame(train_rows), answer[kept], weight)
    test = Learnt(work.frame(rows), expected, np.ones(len(rows)))
    span = fold.train_from, fold.train_to
    made = taught(work, train, fold.test_from, seed, naive=True, span=span)
    beside = made.predicted(test.frame) | achievable(work, test, rows, span, seed)
    evaluation, probabilities = measured(made.model, work, train, test, rows, seed, beside)
    sections = (*explained(made.model, test.frame, seed), *made.sections)
    return Walk(fold, evaluation, rows, test, probabilities, sections)


def _within(at: Int, lo: int, hi: int) -> Flag:
    return np.asarray((at >= lo) & (at < hi), np.bool_)


def _both(answer: Answer, says: str) -> None:
    if not 0 < answer.sum() < len(answer):
        raise RedressError(
            f"{says}: want askings of both answers, got {len(answer):,} with {int(answer.sum()):,} yes; move the spans"
        )


def _compromised(work: Cases, fold: Fold, which: Int) -> Flag:
    """Askings by buyers who were known, by the midnight before, to be charged back for a recent order.

    Recent is an order placed within a test span's length before the gap, or later.
    So the rows tested do not depend on the training span (Le Borgne et al., Reproducible Machine Learning for Credit Card
    Fraud Detection, 2022: compromised cards leave the test set).
    """
    facts = work.ledger.facts
    if "chargebacks" not in facts:
        raise RedressError("--exclude compromised: want a table chargebacks, got none; import it")
    since = fold.train_to - (fold.test_to - fold.test_from)
    order, at = order_rows(work.ledger, "chargebacks"), facts["chargebacks"].at
    buyer = np.append(facts["orders"].codes("buyer_id").codes, np.int32(-1))[order]
    counts = (buyer >= 0) & (np.append(facts["orders"].at, 0)[order] >= since)
    first = np.full(len(facts["orders"].codes("buyer_id").values) + 1, NOT_YET, np.int64)
    np.minimum.at(first, buyer[counts], at[counts])
    asking = work.buyers(which)
    midnight = work.asks.at[which] // DAY * DAY
    return np.asarray((asking >= 0) & (first[asking] < midnight), np.bool_)


def _tested(walk: Walk) -> Judged:
    said, rate = walk.probabilities["model"], float(walk.probabilities["constant"][0])
    return Judged(walk.rows, walk.test.frame, walk.test.answer, said, rate, walk.fold.test_from)


def _pooled(work: Cases, walks: list[Walk], seed: int) -> Evaluation:
    """All folds' tests as one, for the predictors that every fold has."""
    names = [name for name in walks[0].probabilities if all(name in walk.probabilities for walk in walks)]
    together = {name: np.concatenate([walk.probabilities[name] for walk in walks]) for name in names}
    rows, answer = (np.concatenate(parts) for parts in zip(*((w.rows, w.test.answer) for w in walks), strict=True))
    amount = pd.concat([w.test.frame[[work.question.amount]] for w in walks if work.question.amount in w.test.frame])
    return judged(work, rows, Learnt(amount, answer, np.ones(len(rows))), together, seed)


def _means(walks: list[Walk]) -> pd.DataFrame:
    """Each predictor's mean over the folds by metric, with the interval that the folds' own intervals give their mean."""
    rows = pd.concat([walk.evaluation.table for walk in walks])
    rows["below"] = (rows["estimate"] - rows["low"]) ** 2
    rows["above"] = (rows["high"] - rows["estimate"]) ** 2
    found = rows.groupby(["predictor", "metric"], sort=False)[["estimate", "below", "above"]].sum(min_count=1)
    mean, n = found["estimate"] / len(walks), len(walks)
    low, high = mean - np.sqrt(found["below"]) / n, mean + np.sqrt(found["above"]) / n
    return pd.DataFrame({"estimate": mean, "low": low, "high": high}).reset_index()


def _cells(metric: Metric, found: pd.DataFrame) -> dict[str, str]:
    """The number of each predictor with its interval, as it prints."""
    numbers = found[["estimate", "low", "high"]].to_numpy(np.float64).tolist()
    return {str(name): ranged(metric, *row) for name, row in zip(found["predictor"], numbers, strict=True)}


def _folds_section(walks: list[Walk]) -> Section:
    metric = next(m for m in METRICS if m.name == "average_precision")
    shown, drawn = [], []
    for walk in walks:
        name, evaluation = moment(walk.fold.test_from)[:10], walk.evaluation
        found = evaluation.table[evaluation.table["metric"] == metric.name]
        drawn.append(found.assign(fold=name))
        counts = {"test from": name, "askings": f"{evaluation.n:,}", "yes": f"{evaluation.positives:,}"}
        shown.append(counts | _cells(metric, found))
    says = f"{metric.label.capitalize()} of each fold with its 95 % interval."
    return Section("Fold by fold", (says,), table(pd.DataFrame(shown)), plots.folds(pd.concat(drawn), metric.label))


def _means_section(walks: list[Walk]) -> Section:
    means = _means(walks)
    found = {metric: means[means["metric"] == metric.name] for metric in METRICS}
    rows = [
        {"": m.label.capitalize() if m.label.islower() else m.label} | _cells(m, f)
        for m, f in found.items()
        if f["estimate"].notna().any()
    ]
    says = "In brackets the 95 % interval that the folds' own intervals give their mean."
    return Section("Mean of the folds", (says,), table(pd.DataFrame(rows)))


def _told(out: Path, work: Cases, walks: list[Walk], pooled: Evaluation, said: Said) -> dict[str, object]:
    last = walks[-1]
    tested = [_tested(walk) for walk in walks]
    audit = audited(work, tested, work.ledger.last_at + 1, said)
    data = work.labelled(work.ledger.last_at + 1)
    first, end = moment(walks[0].fold.test_from)[:16], moment(last.fold.test_to)[:16]
    lede = (
        f"{len(walks)} walks forward over {first} to {end} UTC. Each trained before its gap on the answers known when its test "
        "began; signals at each asking know what was known just before it, answers that came during the test among them.",
        *looked_into(work.question),
    )
    sections = [
        _means_section(walks),
        _folds_section(walks),
        *evaluation_sections(pooled, ASKED[work.question.name]),
        *audit.tested,
        *last.sections,
        *audit.known,
        ledger_section(work, data),
    ]
    title = f"Back-test of {work.question.name}: {work.question.says}"
    write_report(out / "report.html", Page(title, lede, evaluation_facts(pooled), tuple(sections)))
    write_plots(out / "plots", sections)
    with written(out / "evaluation.json") as path:
        told = {moment(walk.fold.test_from): walk.evaluation.to_json() for walk in walks}
        path.write_text(
            json.dumps(
                {"folds": told, "pooled": pooled.to_json(), "means": _means(walks).to_dict("records")} | audit.to_json()
            )
        )
    closing: dict[str, object] = {
        "question": work.question.name,
        "folds": len(walks),
        "askings tested": pooled.n,
        "yes": pooled.positives,
    }
    means = _means(walks)
    for metric in METRICS:
        found = means[(means["metric"] == metric.name) & (means["predictor"] == "model") & means["estimate"].notna()]
        closing |= {f"{metric.name}, mean of folds": cell for cell in _cells(metric, found).values()}
    return closing | {"report": str(out / "report.html")}
