"""The job of refunds: what policies would have answered the disputes of a span, their records, and what that costs."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from features import Ledger, RedressError
from features.asking import Askings, askings
from features.background import order_rows
from features.decisions import entry
from features.kernel import Int
from models import Model
from models.deciding import QUESTION, Answered, Sight, answered, looked_at, looks, modelled, recorded, sights
from models.model import RIVALS
from models.policy import Policy, toml
from models.policy import opened as policy_at
from models.records import Grounds
from models.refunds import ACTIONS, WHY, Refunds
from pipelines.automating import automatic, automation_section, promised
from pipelines.comparing import FAIR, ORACLE, PLAIN, Compared, compared, swept
from pipelines.harm import harm_section, harmed
from pipelines.logged import Told, by_log, entries, logged_section
from pipelines.opening import Said, moment
from pipelines.queueing import queue_section, queued
from pipelines.refunded import acted, actions_section, differences_section, fact, money_section, saved, sweep_section
from pipelines.report import Page, write_plots, write_report
from pipelines.score import prepared
from pipelines.signals import written
from pipelines.valuing import Worth, expected_worth, has_truth, true_worth


def refunds(
    ledger: Path, models: Path, policies: Sequence[str], out: Path, *, start: int, stop: int, said: Said
) -> dict[str, object]:
    """Answers the disputes of a span as each policy would have, the first being the one whose prices are used.

    Writes `records.NAME.jsonl`, the same as rows of a ledger in `decisions.NAME.parquet`, `decisions.parquet` with what each
    answered, `refunds.json` with all numbers, and a report.
    """
    drafts = _policies(policies)
    model, facts = prepared(models, QUESTION, ledger, start, said)
    read = [one.informed(model.card) for one in drafts]
    names, policy = [one.name for one in read], read[0]
    prices, asks = policy.refunds, _in_scope(facts, read, start, stop, said)
    said(f"answering {len(asks):,} disputes by {', '.join(names)}")
    walks = {looks(one): sights(facts, model, asks, one) for one in (policy.refunds for policy in read)}
    made = {one.name: answered(*walks[looks(one.refunds)], one.refunds) for one in read}
    first, second = walks[looks(prices)]
    acts = {one.name: modelled(walks[looks(one.refunds)][0], one.refunds) for one in read}
    buyer = _buyers(facts, asks)
    worths = partial(_worth, facts, asks, first)
    rules = {one.name: one.refunds for one in read}
    worth = worths(prices)
    told = compared(first, second, worth, {name: (rules[name], made[name]) for name in rules}, prices, buyer)
    said("varying the prices")
    sweep = swept(first, second, prices, buyer, partial(_priced, worths))
    rows = told.rows(told.best())
    queue = queued(first, second, made[policy.name], worth, prices, policy.review, buyer)
    harm = harmed(first, made[policy.name], worth, prices)
    log = by_log(facts, model, asks, read, policy.logged)
    _written(out, facts, model, read, walks, made)
    tables = {"ways": rows, "saved": _saved(told, rules), "sweep": sweep, "queue": queue, "harm": harm}
    _counted(out, tables | {"logged": log.rows})
    allowed = automatic(facts, asks, first, policy.automation)
    with written(out / "promised.toml") as path:
        path.write_text(toml(promised(drafts[0], allowed)), encoding="utf-8")
    sections = [
        money_section(told, rows, names),
        actions_section(read, made, acts),
        *([differences_section(read, first, made, told)] if len(read) > 1 else []),
        harm_section(policy.name, harm),
        automation_section(allowed, policy.automation, prices.automatic_below),
        queue_section(queue, policy.review),
        sweep_section(policy, sweep),
        logged_section(log),
    ]
    numbers = tuple(fact(told, name) for name in names)
    page = Page("Refunds: what policies would have answered", _lede(facts, asks, names), numbers, tuple(sections))
    write_report(out / "report.html", page)
    write_plots(out / "plots", sections)
    return _closing(asks, read, told, acts, log, out)


def _policies(named: Sequence[str]) -> list[Policy]:
    """The policies named, each called by a name that is nothing else's."""
    read = [policy_at(one) for one in named]
    if len({one.name for one in read}) < len(read):
        raise RedressError(f"--policy: want policies of different names, got {read[-1].name} twice; rename one")
    clash = next((one.name for one in read if one.name in (*PLAIN, ORACLE)), None)
    if clash:
        raise RedressError(f"--policy: want names that no plain way has, got {clash}; rename it")
    return read


def _in_scope(ledger: Ledger, policies: Sequence[Policy], start: int, stop: int, said: Said) -> Askings:
    """The disputes of a span that any of the policies pays for and all can answer; says how many cannot be answered.

    That takes a known order and claim, and that every policy first looks at it no later than the ledger ends.
    """
    asks = askings(ledger, QUESTION, start, stop)
    disputes = ledger.facts["disputes"]
    reason = disputes.codes("reason")
    names = np.append(np.array(reason.values.to_pylist(), object), "")
    scope = {word for policy in policies for word in policy.refunds.reasons}
    paid = np.isin(names[reason.codes[asks.row]], list(scope))
    known = disputes.numbers("claimed")[1][asks.row] & (order_rows(ledger, "disputes")[asks.row] >= 0)
    if lost := int((paid & ~known).sum()):
        said(f"warning: left out, for a person to decide, {lost:,} disputes without an order or a claim")
    found = asks.take(np.flatnonzero(paid & known))
    young = looked_at(ledger, found, max(policy.refunds.after for policy in policies)) > ledger.last_at
    if lost := int(young.sum()):
        said(
            f"warning: left out {lost:,} disputes to be answered after the ledger ends at {moment(ledger.last_at)}; "
            "what will be known then nobody knows yet"
        )
    found = found.take(np.flatnonzero(~young))
    if not len(found):
        raise RedressError(
            f"{ledger.name}: want disputes between --from and --to that a policy pays for, got none; widen the span"
        )
    return found


def _buyers(ledger: Ledger, asks: Askings) -> Int:
    """A code for the buyer of each dispute, of an unknown one his own."""
    code = np.append(ledger.facts["orders"].codes("buyer_id").codes, -1)[order_rows(ledger, "disputes")[asks.row]]
    return np.unique(np.where(code < 0, code.max(initial=0) + 1 + np.arange(len(code)), code), return_inverse=True)[1]


def _saved(told: Compared, policies: Iterable[str]) -> pd.DataFrame:
    """What each policy saves of the gap between the best plain way, and the best that is fair, and the oracle."""
    beside = {"any": told.best(), "fair": told.best(FAIR)}
    rows = [
        {"way": name, "kind": kind, "beside": other}
        | dict(zip(("share", "low", "high"), told.saved(name, other), strict=True))
        for name in policies
        for kind, other in beside.items()
    ]
    return pd.DataFrame(rows)


def _priced(worths: Callable[..., Worth], prices: Refunds, name: str, factor: float) -> Worth:
    """What answering costs where one price is so many times what it is; the truth's own further claims are, too."""
    return worths(prices, repeat=factor if name == "repeat" else 1.0)


def _worth(ledger: Ledger, asks: Askings, first: Sight, prices: Refunds, *, repeat: float = 1.0) -> Worth:
    if has_truth(ledger):
        return true_worth(ledger, asks, prices, repeat=repeat)
    fault = RIVALS[0]
    faulty = first.told[fault].to_numpy(np.float64) if fault in first.told else np.zeros(len(asks))
    return expected_worth(ledger, asks, first.malicious, prices, faulty)


def _counted(out: Path, tables: Mapping[str, pd.DataFrame]) -> None:
    """All numbers, in one file."""
    with written(out / "refunds.json") as path:
        path.write_text(json.dumps({name: frame.to_dict("records") for name, frame in tables.items()}, indent=1) + "\n")


def _written(
    out: Path,
    ledger: Ledger,
    model: Model,
    policies: Sequence[Policy],
    walks: Mapping[tuple[float, float], tuple[Sight, Sight]],
    made: Mapping[str, Answered],
) -> None:
    """The records of each policy, also as rows of a ledger's decisions, and a table of what each answered."""
    fingerprint = ledger.fingerprint()
    frames = []
    for one in policies:
        grounds = Grounds(fingerprint, {QUESTION: model.version}, one.name, one.version)
        rows = []
        with written(out / f"records.{one.name}.jsonl") as path, path.open("w", encoding="utf-8") as file:
            for record in recorded(*walks[looks(one.refunds)], made[one.name], one, grounds):
                file.write(json.dumps(record, sort_keys=True) + "\n")
                rows.append(entry(record))
        with written(out / f"decisions.{one.name}.parquet") as path:
            entries(rows).to_parquet(path, index=False)
        frames.append(_decisions(one, walks[looks(one.refunds)][0], made[one.name]))
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


def _lede(ledger: Ledger, asks: Askings, names: Sequence[str]) -> tuple[str, str]:
    first, last = (moment(int(asks.at[i]))[:10] for i in (0, -1))
    by = (
        "Costs are those of the simulated marketplace, by the truth beside its ledger; what a person decides is what officers "
        "ruled there. A simulation shows that the machinery works and proves nothing about yours."
        if has_truth(ledger)
        else "What became of an answer that was not given nobody knows, so costs are expected: by the probabilities of malice "
        "and what the policy assumes. They show what the policy believes, and cannot show that it is right."
    )
    who = ", ".join(names)
    says = f"{len(asks):,} disputes from {first} to {last}, answered as {who} would have, each by what was known then."
    return says, by


def _closing(
    asks: Askings, policies: Sequence[Policy], told: Compared, acts: Mapping[str, float | None], log: Told, out: Path
) -> dict[str, object]:
    closing: dict[str, object] = {"disputes answered": len(asks), "cheapest plain way": told.best()}
    closing["cheapest that refuses few honest"] = told.best(FAIR)
    for one in policies:
        cost = float(told.ways[one.name].cost.mean()) / 100
        closing[f"{one.name}, cost of a dispute"] = round(cost, 2)
        beside = dict.fromkeys((told.best(), told.best(FAIR)))
        closing[f"{one.name}, of the gap"] = "; ".join(saved(told, one.name, b) for b in beside)
        closing[f"{one.name}, honest refused"] = f"{told.refused(one.name):.2%}"
        closing[f"{one.name}, cost of a dispute by the log"] = log.fact(one.name)
        closing[f"{one.name}, answers by the model"] = acted(acts[one.name])
        closing[f"{one.name}, records"] = str(out / f"records.{one.name}.jsonl")
    return closing | {"report": str(out / "report.html")}
