"""The job of refunds: what policies would have answered the disputes of a span, their records, and what that costs."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from features import Ledger, RedressError
from features.asking import Askings, askings
from features.background import order_rows
from features.kernel import Int
from models import Model
from models.model import RIVALS
from models.policy import Policy
from models.policy import opened as policy_at
from models.records import Grounds
from models.refunds import ACTIONS, WHY, Refunds
from pipelines import plots
from pipelines.comparing import FAIR, ORACLE, Compared, compared, swept
from pipelines.deciding import QUESTION, Answered, Sight, answered, recorded, sights
from pipelines.harm import harm_section, harmed
from pipelines.opening import Said, moment, opened
from pipelines.queueing import queue_section, queued
from pipelines.report import Page, Section, table, write_plots, write_report
from pipelines.score import able, model_at
from pipelines.signals import written
from pipelines.valuing import Worth, expected_worth, has_truth, true_worth

SHOWN: Final = 20
"""Disputes that two policies answer differently which a report shows at most."""


def refunds(
    ledger: Path, models: Path, policies: Sequence[str], out: Path, *, start: int, stop: int, said: Said
) -> dict[str, object]:
    """Answers the disputes of a span as each policy would have, the first being the one whose prices are used.

    Writes `records.NAME.jsonl` and `decisions.parquet`, `refunds.json` with all numbers, and a report.
    """
    read = [policy_at(one) for one in policies]
    if len({one.name for one in read}) < len(read):
        raise RedressError(f"--policy: want policies of different names, got {read[-1].name} twice; rename one")
    model = model_at(str(models), QUESTION, "")
    facts = opened(ledger, said)
    able(model, facts, QUESTION)
    if moment(start) < str(model.card["trained_until"]):
        said(
            f"warning: the model was trained until {model.card['trained_until']}; of older disputes it may know the answers"
        )
    prices, asks = read[0].refunds, _in_scope(facts, read, start, stop)
    said(f"answering {len(asks):,} disputes by {', '.join(one.name for one in read)}")
    walks = {one.waits: sights(facts, model, asks, one) for one in (policy.refunds for policy in read)}
    made = {one.name: answered(*walks[one.refunds.waits], one.refunds) for one in read}
    first, second = walks[prices.waits]
    buyer = _buyers(facts, asks)
    worths = partial(_worth, facts, asks, first)
    told = compared(first, second, worths(prices), made, prices, buyer)
    said("varying the prices")
    sweep = swept(first, second, prices, buyer, lambda priced, factor: worths(priced, repeat=factor))
    rows = told.rows(told.best())
    queue = queued(first, made[read[0].name], worths(prices), prices, read[0].review)
    harm = harmed(first, made[read[0].name], worths(prices))
    _written(out, facts, model, read, walks, made)
    with written(out / "refunds.json") as path:
        numbers = {
            name: frame.to_dict("records")
            for name, frame in (("ways", rows), ("sweep", sweep), ("queue", queue), ("harm", harm))
        }
        path.write_text(json.dumps(numbers, indent=1) + "\n")
    _report(out, facts, read, first, made, told, rows, sweep, queue, harm, (start, stop))
    return _closing(asks, read, told, made, out)


def _in_scope(ledger: Ledger, policies: Sequence[Policy], start: int, stop: int) -> Askings:
    """The disputes of a span that any of the policies pays for."""
    asks = askings(ledger, QUESTION, start, stop)
    reason = ledger.facts["disputes"].codes("reason")
    names = np.append(np.array(reason.values.to_pylist(), object), "")
    scope = {word for policy in policies for word in policy.refunds.reasons}
    found = asks.take(np.flatnonzero(np.isin(names[reason.codes[asks.row]], list(scope))))
    if not len(found):
        raise RedressError(
            f"{ledger.name}: want disputes between --from and --to that a policy pays for, got none; widen the span"
        )
    return found


def _buyers(ledger: Ledger, asks: Askings) -> Int:
    """A code for the buyer of each dispute, of an unknown one his own."""
    code = np.append(ledger.facts["orders"].codes("buyer_id").codes, -1)[order_rows(ledger, "disputes")[asks.row]]
    return np.unique(np.where(code < 0, code.max(initial=0) + 1 + np.arange(len(code)), code), return_inverse=True)[1]


def _worth(ledger: Ledger, asks: Askings, first: Sight, prices: Refunds, *, repeat: float = 1.0) -> Worth:
    if has_truth(ledger):
        return true_worth(ledger, asks, prices, repeat=repeat)
    fault = RIVALS[0]
    faulty = first.told[fault].to_numpy(np.float64) if fault in first.told else np.zeros(len(asks))
    return expected_worth(ledger, asks, first.malicious, prices, faulty)


def _written(
    out: Path,
    ledger: Ledger,
    model: Model,
    policies: Sequence[Policy],
    walks: Mapping[tuple[float, float], tuple[Sight, Sight]],
    made: Mapping[str, Answered],
) -> None:
    """The records of each policy, and a table of what each answered."""
    fingerprint = ledger.fingerprint()
    frames = []
    for one in policies:
        grounds = Grounds(fingerprint, {QUESTION: model.version}, one.name, one.version)
        with written(out / f"records.{one.name}.jsonl") as path, path.open("w", encoding="utf-8") as file:
            for record in recorded(*walks[one.refunds.waits], made[one.name], one, grounds):
                file.write(json.dumps(record, sort_keys=True) + "\n")
        frames.append(_decisions(one, walks[one.refunds.waits][0], made[one.name]))
    with written(out / "decisions.parquet") as path:
        pd.concat(frames, ignore_index=True).to_parquet(path, index=False)


def _decisions(policy: Policy, first: Sight, made: Answered) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "dispute_id": first.claims.ids,
            "policy": policy.name,
            "reason": first.claims.reason,
            "claimed": first.claims.claimed,
            "probability": first.malicious,
            "asked_for_evidence": made.asked,
            "action": np.array(ACTIONS, object)[made.last.action],
            "why": np.array(list(WHY), object)[made.last.why],
            "amount": made.last.amount,
            "borne_by": first.claims.borne_by,
        }
    )


def _report(
    out: Path,
    ledger: Ledger,
    policies: Sequence[Policy],
    first: Sight,
    made: Mapping[str, Answered],
    told: Compared,
    rows: pd.DataFrame,
    sweep: pd.DataFrame,
    queue: pd.DataFrame,
    harm: pd.DataFrame,
    span: tuple[int, int],
) -> None:
    known = has_truth(ledger)
    by = (
        "Costs are those of the simulated marketplace, by the truth beside its ledger; what a person decides is what officers "
        "ruled there. A simulation shows that the machinery works and proves nothing about yours."
        if known
        else "What became of an answer that was not given nobody knows, so costs are expected: by the probabilities of malice "
        "and what the policy assumes. They show what the policy believes, and cannot show that it is right."
    )
    names = [one.name for one in policies]
    lede = (
        f"{len(first.told):,} disputes from {moment(span[0])[:10]} to {moment(span[1])[:10]}, answered as "
        f"{', '.join(names)} would have, each with what was known then.",
        by,
    )
    sections = [
        _money_section(told, rows, names),
        _actions_section(policies, made),
        *([_differences_section(policies, first, made)] if len(policies) > 1 else []),
        harm_section(names[0], harm),
        queue_section(queue),
        _sweep_section(policies[0], sweep),
    ]
    facts = tuple(_fact(told, name) for name in names)
    write_report(out / "report.html", Page("Refunds: what policies would have answered", lede, facts, tuple(sections)))
    write_plots(out / "plots", sections)


def _fact(told: Compared, name: str) -> tuple[str, str]:
    beside = told.best(FAIR)
    share, low, high = told.saved(name, beside)
    return (
        f"{name}: of the gap from {beside} to the oracle",
        f"{share:.0%} [{low:.0%}, {high:.0%}] saved, {told.refused(name):.2%} of the honest refused",
    )


def _money_section(told: Compared, rows: pd.DataFrame, names: Sequence[str]) -> Section:
    shown = pd.DataFrame(
        {
            "way of answering": rows["way"],
            "cost of a dispute": (rows["cost"] / 100).map("{:,.2f}".format),
            f"beyond {told.best()}": [_cents(*row) for row in rows[["beyond", "low", "high"]].to_numpy().tolist()],
            "honest refused without a person": rows["honest_refused"].map("{:.2%}".format),
        }
    )
    best, fair = told.best(), told.best(FAIR)
    says = (
        "What a dispute costs by each way of answering, in whole currency: the money, further claims that paid malice "
        "encourages, what a refused buyer's bank takes back with its fees, buyers who leave, work and waiting. An honest "
        "claim that is refused counts in full. In brackets 95 % intervals of the difference, over resamples of buyers.",
        f"The cheapest plain way is: {best}. Of those that refuse at most {FAIR:.1%} of the honest it is: {fair}.",
        *(f"{name} {_saved(told, name, best)}; {_saved(told, name, fair)}." for name in names),
    )
    return Section("Money", says, table(shown), plots.ways(rows, names, ORACLE))


def _saved(told: Compared, name: str, beside: str) -> str:
    share, low, high = told.saved(name, beside)
    numbers = f"{share:.0%} [{low:.0%}, {high:.0%}]".replace("-", "\N{MINUS SIGN}")
    return f"saves {numbers} of the gap between {beside} and the oracle"


def _actions_section(policies: Sequence[Policy], made: Mapping[str, Answered]) -> Section:
    rows = []
    for one in policies:
        last, n = made[one.name].last, len(made[one.name].asked)
        counts = np.bincount(last.action, minlength=len(ACTIONS))
        row = {"policy": f"{one.name} ({one.version[:8]})", "evidence asked for": f"{made[one.name].asked.mean():.1%}"}
        rows.append(
            row | {name.replace("_", " "): f"{k / n:.1%}" for name, k in zip(ACTIONS, counts, strict=True) if k}
        )
    reasons = [
        f"{one.name}: "
        + "; ".join(
            f"{k:,} because {says}"
            for (_, says), k in zip(WHY.items(), np.bincount(made[one.name].last.why, minlength=len(WHY)), strict=True)
            if k
        )
        + "."
        for one in policies
    ]
    return Section(
        "What was answered", ("The last answer to each dispute.", *reasons), table(pd.DataFrame(rows).fillna("0.0%"))
    )


def _differences_section(policies: Sequence[Policy], first: Sight, made: Mapping[str, Answered]) -> Section:
    """Disputes that the first policy and another answer differently, the largest claims first."""
    one, rows = policies[0], []
    says = []
    for other in policies[1:]:
        a, b = made[one.name].last, made[other.name].last
        differ = np.flatnonzero(a.action != b.action)
        paid = (b.amount[differ] - a.amount[differ]).sum() / 100
        way = "more" if paid >= 0 else "less"
        says.append(
            f"{one.name} and {other.name} differ about {len(differ):,} disputes; "
            f"{other.name} pays {abs(paid):,.0f} {way} at once."
        )
        for i in differ[np.argsort(-first.claims.claimed[differ], kind="stable")][:SHOWN].tolist():
            rows.append(
                {
                    "dispute": first.claims.ids[i],
                    "claimed": f"{first.claims.claimed[i] / 100:,.2f}",
                    "malicious": f"{first.malicious[i]:.1%}",
                    one.name: ACTIONS[a.action[i]].replace("_", " "),
                    "other policy": other.name,
                    "answers": ACTIONS[b.action[i]].replace("_", " "),
                }
            )
    return Section("What changes with the policy", tuple(says), table(pd.DataFrame(rows)) if rows else None)


def _sweep_section(policy: Policy, sweep: pd.DataFrame) -> Section:
    shown = pd.DataFrame(
        {
            "price": sweep["price"],
            "times": sweep["times"].map("{:g}".format),
            "cheapest plain way": sweep["beside"],
            f"{policy.name}, beyond it": [_cents(*row) for row in sweep[["beyond", "low", "high"]].to_numpy().tolist()],
            "honest refused": sweep["honest_refused"].map("{:.2%}".format),
        }
    )
    worse = int((sweep["low"] > 0).sum())
    says = (
        "Each price is varied by itself, known to the policy and to the costs alike; in whole currency for a dispute.",
        f"In {worse} of {len(sweep)} cases the cheapest plain way is surely cheaper than the policy.",
    )
    return Section("If prices were different", says, table(shown))


def _cents(*cents: float) -> str:
    first, low, high = (f"{one / 100:+,.2f}".replace("-", "\N{MINUS SIGN}") for one in cents)
    return f"{first} [{low}, {high}]"


def _closing(
    asks: Askings, policies: Sequence[Policy], told: Compared, made: Mapping[str, Answered], out: Path
) -> dict[str, object]:
    closing: dict[str, object] = {"disputes answered": len(asks), "cheapest plain way": told.best()}
    closing["cheapest that refuses few honest"] = told.best(FAIR)
    for one in policies:
        cost = float(told.ways[one.name].cost.mean()) / 100
        closing[f"{one.name}, cost of a dispute"] = round(cost, 2)
        beside = dict.fromkeys((told.best(), told.best(FAIR)))
        closing[f"{one.name}, of the gap"] = "; ".join(_saved(told, one.name, b) for b in beside)
        closing[f"{one.name}, honest refused"] = f"{told.refused(one.name):.2%}"
        closing[f"{one.name}, records"] = str(out / f"records.{one.name}.jsonl")
    return closing | {"report": str(out / "report.html")}
