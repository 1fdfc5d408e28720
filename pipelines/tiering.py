"""The job of tiers: buyers' dispute rules as a policy adjusts and restores them over a span, and what each buyer is told."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features import Ledger, RedressError
from features.asking import Askings, askings
from features.background import order_rows
from features.kernel import HOUR
from models.conduct import Answered, Change, Conduct, conducts, expired, walked
from models.deciding import QUESTION, Sight, later
from models.policy import Policy
from models.policy import opened as policy_at
from models.signs import CONFIRMED
from models.tiers import OVERTURNED, RECOVERED, STEPS, Adjustment, standing
from pipelines.opening import Said, moment
from pipelines.report import Page, Section, table, write_report
from pipelines.score import prepared
from pipelines.signals import written
from pipelines.valuing import has_truth, true_worth

TIME: Final = pa.timestamp("us", "UTC")
SCHEMA: Final = pa.schema(
    {"buyer_id": pa.string(), "at": TIME, "tier": pa.string(), "reason": pa.string(), "expires_at": TIME}
)
"""The ledger's table `tiers`."""


@dataclass(frozen=True)
class Walk:
    """Buyers through a span: their conduct, with the disputes answered in it, and the changes of each."""

    conducts: Sequence[Conduct]
    changes: Mapping[str, Sequence[Change]]

    @property
    def answered(self) -> list[Answered]:
        """The disputes answered in the span."""
        return [one for of in self.conducts for one in of.disputes]

    @property
    def made(self) -> list[Change]:
        """All changes in the order of time."""
        found = [change for each in self.changes.values() for change in each]
        return sorted(found, key=lambda change: (change.made.at, change.made.buyer_id))

    def rows(self, of: Conduct) -> list[Adjustment]:
        """What the ledger says of a buyer's tiers together with what was changed, in the order of time."""
        made = [change.made for change in self.changes[of.buyer_id]]
        return sorted([*of.changes, *made], key=lambda one: one.at)


def tiers(
    ledger: Path, models: Path, policy: str, out: Path, *, start: int, stop: int, said: Said
) -> dict[str, object]:
    """Walks buyers through a span as a policy adjusts and restores their rules, each moment with what was known before it.

    A dispute counts when it is answered. Writes `tiers.parquet`, rows for the ledger's table of that name, `notices.jsonl`,
    what each buyer is told and until when he may appeal, and a report.
    """
    chosen = policy_at(policy)
    model, facts = prepared(models, QUESTION, ledger, start, said)
    end = _end(facts, start, stop, said)
    asks = _askings(facts, start - round(chosen.refunds.after * HOUR), end, said)
    said(f"walking through {len(asks):,} disputes by {chosen.name}")
    sight = later(facts, model, asks, chosen.refunds.after) if len(asks) else None
    walk = walk_of(facts, asks, sight, chosen, start, end)
    write_changes(out, [one.made for one in walk.made], [notice(one.made, one.dispute_id) for one in walk.made])
    told = _told(walk, chosen, start, end) | _honest(facts, asks, walk, chosen)
    write_report(out / "report.html", _page(chosen, walk, told, start, end))
    files = {name: str(out / name) for name in ("tiers.parquet", "notices.jsonl")}
    return told | files | {"report": str(out / "report.html")}


def _end(ledger: Ledger, start: int, stop: int, said: Said) -> int:
    """The end of the span, no later than the ledger's own: what came after that nobody knows yet."""
    end = min(stop, ledger.last_at + 1)
    if start >= end:
        raise RedressError(
            f"--from: want it before --to and before {ledger.name} ends at {moment(ledger.last_at)}, got {moment(start)}; "
            "name an earlier one"
        )
    if end < stop:
        said(f"warning: the ledger ends at {moment(ledger.last_at)}; nothing is changed after that")
    return end


def _askings(ledger: Ledger, start: int, stop: int, said: Said) -> Askings:
    """The disputes opened within a span that are of a known order and buyer; says how many are not."""
    asks = askings(ledger, QUESTION, start, stop)
    known = np.append(ledger.facts["orders"].codes("buyer_id").codes, -1)[order_rows(ledger, "disputes")[asks.row]] >= 0
    if lost := int((~known).sum()):
        said(f"warning: left out {lost:,} disputes of nobody known")
    return asks.take(np.flatnonzero(known))


def walk_of(ledger: Ledger, asks: Askings, sight: Sight | None, policy: Policy, start: int, end: int) -> Walk:
    """Every buyer who has a tier, or a dispute answered in [start, end), through that span."""
    names = ledger.facts["orders"].codes("buyer_id")
    buyers = [str(name) for name in names.values.to_pylist()]
    code = names.codes[order_rows(ledger, "disputes")[asks.row]]
    whose: dict[str, list[Answered]] = {}
    for i in range(len(asks)):
        assert sight is not None
        if start <= sight.claims.at[i] < end:
            whose.setdefault(buyers[code[i]], []).append(_answered(sight, i))
    found = [*conducts(ledger, whose)]
    return Walk(found, {of.buyer_id: walked(of, policy.tiers, start, end) for of in found})


def _answered(sight: Sight, i: int) -> Answered:
    """A dispute with its two keys; a score that the model itself would not rely on is none, nor is how common malice is."""
    claims, malicious = sight.claims, float(sight.malicious[i])
    confirmed = tuple(name for name in CONFIRMED if claims.confirmed[name][i])
    return Answered(
        int(claims.at[i]), claims.ids[i], float("nan") if sight.abstain[i] or sight.plain else malicious, confirmed
    )


def _keys(one: Answered, policy: Policy) -> tuple[bool, bool]:
    """Whether a dispute has the first key to an adjustment, and the second."""
    return one.malicious >= policy.tiers.adjust_at, not set(policy.tiers.keys).isdisjoint(one.confirmed)


def write_changes(out: Path, made: Sequence[Adjustment], notices: Sequence[Mapping[str, object]]) -> None:
    """Writes `tiers.parquet`, rows for the ledger's table of that name, and `notices.jsonl`, what buyers are told."""
    rows = [{name: getattr(one, name) for name in SCHEMA.names} for one in made]
    with written(out / "tiers.parquet") as path:
        pq.write_table(pa.Table.from_pylist(rows, SCHEMA), path)
    with written(out / "notices.jsonl") as path, path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(one, sort_keys=True) + "\n" for one in notices)


def notice(one: Adjustment, dispute_id: str = "") -> dict[str, object]:
    """What a buyer is told of a change of his tier, and by which dispute of his it was made."""
    times: dict[str, object] = {
        name: None if (t := getattr(one, name)) is None else moment(t) for name in ("at", "expires_at", "appeal_by")
    }
    return {"buyer_id": one.buyer_id, "tier": one.tier, "dispute_id": dispute_id or None, "says": one.says} | times


def _told(walk: Walk, policy: Policy, start: int, end: int) -> dict[str, object]:
    """The numbers of a walk, for the closing table."""
    keys = Counter(_keys(one, policy) for one in walk.answered)
    adjusted = [one.made for one in walk.made if one.made.reason in CONFIRMED]
    why = Counter(one.made.reason for one in walk.made)
    tiers, now = Counter(one.tier for one in adjusted), [standing(walk.rows(of), end).tier for of in walk.conducts]
    return {
        "disputes answered": len(walk.answered),
        "with the score alone": keys[True, False],
        "with a confirmed signal alone": keys[False, True],
        "with both keys": keys[True, True],
        "buyers adjusted": len({one.buyer_id for one in adjusted}),
        "adjustments": len(adjusted),
        **{f"adjustments to {tier}": tiers[tier] for tier in STEPS[1:]},
        **{f"adjustments by {key}": why[key] for key in policy.tiers.keys},
        "a step milder after undisputed orders": why[RECOVERED],
        "ended, what confirmed it was taken back": why[OVERTURNED],
        "expired": sum(expired(walk.rows(of), start, end) for of in walk.conducts),
        **{f"{tier} at the end": now.count(tier) for tier in STEPS[1:]},
    }


def _honest(ledger: Ledger, asks: Askings, walk: Walk, policy: Policy) -> dict[str, object]:
    """How many of the disputes that rules were adjusted by were honest, on a simulated ledger alone."""
    if not has_truth(ledger):
        return {}
    by = [change.dispute_id for change in walk.made if change.dispute_id]
    some = asks.take(np.flatnonzero(np.isin(np.array(asks.ids.to_pylist(), object), by)))
    return {"adjustments by an honest dispute": int((1 - true_worth(ledger, some, policy.refunds).malicious).sum())}


def _page(policy: Policy, walk: Walk, told: Mapping[str, object], start: int, end: int) -> Page:
    numbers = {name: count for name, count in told.items() if isinstance(count, int)}
    rows = Counter((one.was, one.made.tier, one.made.reason) for one in walk.made)
    changes = pd.DataFrame(
        [(*what, f"{count:,}") for what, count in sorted(rows.items())],
        columns=["tier before", "tier", "why", "changes"],
    )
    lede = (
        f"{len(walk.answered):,} disputes were answered from {moment(start)[:10]} to {moment(end - 1)[:10]}, each by what was "
        f"known then. {policy.name} adjusts a buyer's rules where the score is at least {policy.tiers.adjust_at:g} and "
        "something besides the score confirms it.",
    )
    facts = tuple((name, f"{numbers[name]:,}") for name in ("disputes answered", "with both keys", "buyers adjusted"))
    all_numbers = pd.DataFrame([(name, f"{count:,}") for name, count in numbers.items()], columns=["", "number"])
    says = (
        "From which tier to which, and why. Whoever had the strictest keeps it, for as long again.",
        f"A tier ends by itself after {policy.tiers.lasts:g} days, which is no change of its own here.",
    )
    honest = "On a simulated marketplace the truth says which disputes were honest; it proves nothing about yours."
    return Page(
        "Tiers: how buyers' dispute rules were adjusted",
        lede,
        facts,
        (
            Section("Changes", says, table(changes)),
            Section(
                "All numbers",
                (honest,) if "adjustments by an honest dispute" in told else (),
                table(all_numbers),
            ),
        ),
    )
