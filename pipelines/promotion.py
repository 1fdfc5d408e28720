"""The job of promotion: the champion and a challenger asked about what neither has learnt from, group by group."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import pandas as pd

from features import RedressError
from features.kernel import DAY, Flag, Int
from features.signal import Float
from models import Model, evaluate
from models.evaluate import EPOCH
from models.promotion import HONEST, Check, Draws, Verdict, better, calibrated, gate
from models.registry import champion, opened
from pipelines.audit import Judged
from pipelines.learning import Cases

SPLIT: Final = {
    "buyer_orders_count_ever": ("new buyers", "returning buyers", 1),
    "order_ships_abroad": ("shipped at home", "shipped abroad", 1),
}
"""Signals that part the askings at a value: what is below it, what is not, and the value."""
THIRDS: Final = {"seller_orders_count_ever": "sellers"}
"""Signals whose thirds are groups, and what these are of; the amount at stake is another."""
REASONS: Final = ("dispute_is_", "chargeback_for_")
"""How the signals begin that are 1 where a reason is given."""


def groups(frame: pd.DataFrame, amount: str) -> dict[str, Flag]:
    """The groups that a model must do right by, as masks over the rows; those that the frame cannot tell are left out."""
    found: dict[str, Flag] = {}
    for name, (below, above, value) in SPLIT.items():
        if name in frame:
            found |= {below: _mask(frame[name] < value), above: _mask(frame[name] >= value)}
    for name, whose in ({amount: "amounts"} | THIRDS).items():
        if name in frame:
            found |= _thirds(frame[name].to_numpy(np.float64), whose)
    reasons = [str(name) for name in frame if str(name).startswith(REASONS)]
    return found | {name.replace("_", " "): _mask(frame[name] == 1) for name in reasons}


def _mask(rows: "pd.Series[bool]") -> Flag:
    return rows.to_numpy(np.bool_)


def _thirds(values: Float, whose: str) -> dict[str, Flag]:
    """The rows with small, middling and large values; unknown ones are in none."""
    known = values[~np.isnan(values)]
    low, high = np.quantile(known, (1 / 3, 2 / 3)) if len(known) else (np.nan, np.nan)
    middle = (values > low) & (values <= high)
    return {f"small {whose}": values <= low, f"middling {whose}": middle, f"large {whose}": values > high}


def judged(work: Cases, tried: Judged | None, tracking: str, seed: int) -> Verdict:
    """The verdict on a challenger beside the champion of its question, on what neither has learnt from."""
    version = champion(work.question.name, tracking=tracking)
    if version is None:
        return _first(work, tried, seed)
    if tried is None:
        return Verdict("not compared", "the latest mature slice has too few of one answer", champion=version)
    try:
        old = opened(f"models:/{work.question.name}/{version}", tracking=tracking)
        fresh = _some(tried, _unlearnt(old, work, tried.rows))
        said = _asked(old, work, fresh.rows) if len(fresh.rows) else fresh.probability
    except RedressError as error:
        return Verdict("not compared", f"the champion cannot be asked: {error}", champion=version)
    return replace(_gated(work, fresh, said, seed), champion=version)


def _first(work: Cases, tried: Judged | None, seed: int) -> Verdict:
    """The verdict on a first version: nothing to compare with, but what it is worth beside the base rate is told."""
    says = "no champion before it, so nothing to compare with"
    if tried is None:
        return Verdict("first", f"{says}, and not measured")
    rows, beside = tried.rows, {"challenger": tried.probability, "base rate": np.full(len(tried.rows), tried.rate)}
    found = evaluate(tried.answer, beside, at=work.asks.at[rows], buyer=work.buyers(rows), seed=seed)
    checks = better(found), group_by_group(work, tried, seed)
    return Verdict("first", f"{says}; {checks[0].says}", checks)


def _gated(work: Cases, tried: Judged, champion: Float, seed: int) -> Verdict:
    return gate(
        tried.answer,
        champion,
        tried.probability,
        at=work.asks.at[tried.rows],
        buyer=work.buyers(tried.rows),
        groups=groups(tried.frame, work.question.amount),
        honest=HONEST[work.question.name],
        seed=seed,
    )


def group_by_group(work: Cases, tried: Judged, seed: int) -> Check:
    """How a challenger is calibrated in each large group of what it was tried on."""
    masks = groups(tried.frame, work.question.amount)
    draws = Draws(work.buyers(tried.rows), seed=seed)
    return calibrated(tried.answer, tried.probability, masks, draws)


def _some(tried: Judged, kept: Flag) -> Judged:
    """Some of the rows alone."""
    answer, probability = tried.answer[kept], tried.probability[kept]
    return replace(tried, rows=tried.rows[kept], frame=tried.frame[kept], answer=answer, probability=probability)


def overridden(verdict: Verdict) -> Verdict:
    """The verdict on a challenger that is told to be the champion, whatever the gate says."""
    says = verdict.says if verdict.outcome == "first" else f"told to be; the gate: {verdict.outcome}, {verdict.says}"
    return replace(verdict, outcome="first" if verdict.outcome == "first" else "overridden", says=says)


def _unlearnt(model: Model, work: Cases, rows: Int) -> Flag:
    """Which of `rows` were asked after all that a model learnt from: by time alone, so that answers choose no rows."""
    until = _until(model)
    if work.question.horizon and model.horizon != work.horizon:
        raise RedressError(f"want a horizon of {work.horizon / DAY:g}d, got one of {model.horizon / DAY:g}d")
    learnt = work.labelled(until).which
    last = work.asks.at[learnt].max(initial=np.iinfo(np.int64).min)
    return np.asarray(work.asks.at[rows] > last, np.bool_)


def _until(model: Model) -> int:
    """The moment that a model's training knew up to."""
    told = str(model.card.get("trained_until"))
    try:
        return (datetime.fromisoformat(told) - EPOCH) // timedelta(microseconds=1)
    except (ValueError, TypeError):
        raise RedressError(f"want a card that says until when it was trained, got {told}") from None


def _asked(model: Model, work: Cases, rows: Int) -> Float:
    """What a model says of askings, with the prior of credit that it was trained with."""
    frame = replace(work, prior=model.prior).frame(rows)
    return model.predict_proba(frame)[:, 1]
