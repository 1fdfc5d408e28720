"""The job of promotion: the champion and a challenger asked about what neither has learnt from, group by group."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from features import RedressError
from features.kernel import DAY, Flag, Int
from features.signal import Float
from models import Model, evaluate
from models.evaluate import EPOCH
from models.fit import FEWEST
from models.promotion import HONEST, Check, Verdict, better, calibrated, gate
from models.registry import champion, opened
from models.resampling import Draws
from models.slices import masks, sliced
from pipelines.audit import Judged
from pipelines.learning import Cases

Again = Callable[[int, Int], Judged]
"""Trains a challenger's recipe on what was known before a moment, and asks it about rows that it then had not learnt."""


def groups(work: Cases, tried: Judged) -> dict[str, Flag]:
    """The groups that a model must do right by, as masks over the rows tried: the slices that its report shows."""
    return masks(sliced(work.ledger, work.asks.take(tried.rows), tried.frame))


def judged(
    work: Cases, tried: Judged | None, tracking: str, seed: int, *, calibration: Check | None, again: Again
) -> Verdict:
    """The verdict on a challenger beside the champion of its question, on what neither has learnt from.

    `calibration` is that of what was tried, group by group. A champion that knew later than the trial had a start, so
    the recipe is tried `again` as of the champion's own moment, on the rows that are new to it.
    """
    version = champion(work.question.name, tracking=tracking)
    if version is None:
        return _first(work, tried, seed, calibration)
    if tried is None:
        return Verdict("not compared", "the latest mature slice has too few of one answer", champion=version)
    try:
        old = opened(f"models:/{work.question.name}/{version}", tracking=tracking)
        fresh = level(old, work, tried, again)
        said = _asked(old, work, fresh.rows) if len(fresh.rows) else fresh.probability
    except RedressError as error:
        return Verdict("not compared", f"the champion cannot be asked: {error}", champion=version)
    return replace(_gated(work, fresh, said, until(old), seed), champion=version)


def level(model: Model, work: Cases, tried: Judged, again: Again) -> Judged:
    """What is new to a champion, asked of a challenger that knows up to no earlier moment; as it is where that is little."""
    fresh, moment = _some(tried, unlearnt(model, work, tried.rows)), until(model)
    yes = int(fresh.answer.sum())
    if moment <= tried.known_by or min(yes, len(fresh.rows) - yes) < FEWEST:
        return fresh
    return again(moment, fresh.rows)


def _first(work: Cases, tried: Judged | None, seed: int, calibration: Check | None) -> Verdict:
    """The verdict on a first version: nothing to compare with, but what it is worth beside the base rate is told."""
    says = "no champion before it, so nothing to compare with"
    if tried is None:
        return Verdict("first", f"{says}, and not measured")
    rows, beside = tried.rows, {"challenger": tried.probability, "base rate": np.full(len(tried.rows), tried.rate)}
    found = evaluate(tried.answer, beside, at=work.asks.at[rows], buyer=work.buyers(rows), seed=seed)
    checks = (better(found), *([] if calibration is None else [calibration]))
    return Verdict("first", f"{says}; {checks[0].says}", checks)


def _gated(work: Cases, tried: Judged, champion: Float, knew: int, seed: int) -> Verdict:
    return gate(
        tried.answer,
        champion,
        tried.probability,
        at=work.asks.at[tried.rows],
        buyer=work.buyers(tried.rows),
        groups=groups(work, tried),
        knew=(knew, tried.known_by),
        honest=HONEST[work.question.name],
        seed=seed,
    )


def group_by_group(work: Cases, tried: Judged, seed: int) -> Check:
    """How a challenger is calibrated in each large group of what it was tried on."""
    draws = Draws(work.buyers(tried.rows), seed=seed)
    return calibrated(tried.answer, tried.probability, groups(work, tried), draws)


def _some(tried: Judged, kept: Flag) -> Judged:
    """Some of the rows alone."""
    answer, probability = tried.answer[kept], tried.probability[kept]
    return replace(tried, rows=tried.rows[kept], frame=tried.frame[kept], answer=answer, probability=probability)


def overridden(verdict: Verdict) -> Verdict:
    """The verdict on a challenger that is told to be the champion, whatever the gate says."""
    says = verdict.says if verdict.outcome == "first" else f"told to be; the gate: {verdict.outcome}, {verdict.says}"
    return replace(verdict, outcome="first" if verdict.outcome == "first" else "overridden", says=says)


def unlearnt(model: Model, work: Cases, rows: Int) -> Flag:
    """Which of `rows` were asked after all that a model learnt from: by time alone, so that answers choose no rows.

    Soft labels are of all askings up to the moment that a model knew, whoever answered.
    """
    knew = until(model)
    if work.question.horizon and model.horizon != work.horizon:
        raise RedressError(f"want a horizon of {work.horizon / DAY:g}d, got one of {model.horizon / DAY:g}d")
    if work.question.sources:
        return np.asarray(work.asks.at[rows] >= knew, np.bool_)
    learnt = work.labelled(knew).which
    last = work.asks.at[learnt].max(initial=np.iinfo(np.int64).min)
    return np.asarray(work.asks.at[rows] > last, np.bool_)


def until(model: Model) -> int:
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
